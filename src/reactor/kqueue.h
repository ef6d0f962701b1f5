/* SPDX-License-Identifier: MIT */
/*
 * kqueue.h: the reactor of macOS and the BSDs, for reactor.c and for the simulation. The build of the
 * tests has it on Linux as well, over a shim (tests/shim/kqueue), and says so by a macro.
 */
#ifndef TMLRT__KQUEUE_H
#define TMLRT__KQUEUE_H

#include "reactor.h"

#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) ||   \
    defined(__DragonFly__) || defined(TMLRT_KQUEUE_SHIM)
#define TMLRT__HAS_KQUEUE 1
#else
#define TMLRT__HAS_KQUEUE 0
#endif

extern const tmlrt__reactor_class_t tmlrt__reactor_kqueue;

#endif
