/* SPDX-License-Identifier: MIT */
/*
 * epoll.h: the reactor of Linux, for reactor.c and for the simulation, which is built on it.
 */
#ifndef TMLRT__EPOLL_H
#define TMLRT__EPOLL_H

#include "reactor.h"

extern const tmlrt__reactor_class_t tmlrt__reactor_epoll;

#endif
