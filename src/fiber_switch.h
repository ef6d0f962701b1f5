/* SPDX-License-Identifier: MIT */
/*
 * fiber_switch.h: the context switch, in assembly for x86-64 (SysV, Windows) and AArch64
 * (fiber_switch_*.S), by ucontext elsewhere (fiber_make.c).
 *
 * A suspended context is one pointer, its stack pointer; what the platform's ABI wants preserved
 * across a call lies on its own stack: the callee-saved registers and the floating-point control
 * words (x86: MXCSR and x87; AArch64: FPCR); on Windows also the bounds of the
 * stack that the system looks at. Not preserved, because no ABI asks for it: the other
 * vector state, the signal mask, errno and everything else thread-local.
 */
#ifndef TMLRT__FIBER_SWITCH_H
#define TMLRT__FIBER_SWITCH_H

#include <stddef.h>

/* Suspends the caller, leaving its context in *from, and resumes `to`; returns when somebody
 * switches back to *from. */
void tmlrt__fiber_switch(void **from, void *to);

/* Lays out a context on a fresh stack [low, high) so that the first switch to it calls entry(arg),
 * which must never return. */
void *tmlrt__fiber_make(void *low, void *high, void (*entry)(void *arg), void *arg);

/* Where a suspended context keeps how far down its stack has memory (at first: `low`); NULL where the
 * system does not ask for that. */
void **tmlrt__fiber_limit(void *context);

#endif
