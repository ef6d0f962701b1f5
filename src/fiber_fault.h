/* SPDX-License-Identifier: MIT */
/*
 * fiber_fault.h: how an overflow of a fiber's stack is told by the fiber's name: the system's handler
 * of faults (fiber_fault_posix.c, fiber_fault_windows.c), installed by tmlrt_fiber_catch_overflow,
 * asks fiber.c whose guard was hit, and hands the fault on to who handled it before.
 */
#ifndef TMLRT__FIBER_FAULT_H
#define TMLRT__FIBER_FAULT_H

#include <stddef.h>
#include <stdint.h>

/* A thread is going to run a fiber: prepares it for the handler, once, if there is one. */
void tmlrt__fiber_fault_thread(void);

/* From the handler: names the fiber that this thread runs if `at` lies in the guard of its
 * stack, or at most `above` bytes above that. */
void tmlrt__fiber_fault_at(uintptr_t at, size_t above);

#endif
