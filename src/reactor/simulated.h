/* SPDX-License-Identifier: MIT */
/*
 * simulated.h: a network in memory whose delays and faults the seed decides; simulated.c tells.
 */
#ifndef TMLRT__SIMULATED_H
#define TMLRT__SIMULATED_H

#include "reactor.h"

extern const tmlrt__reactor_class_t tmlrt__reactor_simulated;

#endif
