/* SPDX-License-Identifier: MIT */
/*
 * sim.h: a completion backend for tests, compiled only with TMLRT_TEST_BACKENDS; sim.c tells.
 */
#ifndef TMLRT__SIM_H
#define TMLRT__SIM_H

#include "reactor.h"

#define TMLRT__REACTOR_SIM 100u /* the kind to ask for; or TMLRT_TEST_REACTOR=sim */

extern const tmlrt__reactor_class_t tmlrt__reactor_sim;

#endif
