/* SPDX-License-Identifier: MIT */
/*
 * os_futex_cond.h: the futex of os.h made of mutexes and condition variables, for systems that have
 * none for programs (NetBSD, DragonFly). The test build has it everywhere.
 */
#ifndef TMLRT__OS_FUTEX_COND_H
#define TMLRT__OS_FUTEX_COND_H

#include "atomic.h"

/* As tmlrt__futex_wait and _wake. */
void tmlrt__futex_cond_wait(tmlrt__atomic_u32 *word, uint32_t expected, int64_t timeout_ns);
void tmlrt__futex_cond_wake(tmlrt__atomic_u32 *word, uint32_t n);

#endif
