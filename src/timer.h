/* SPDX-License-Identifier: MIT */
/*
 * timer.h: the timers of one worker: a wheel under a latch.
 *
 * Any thread may start, stop and expire; the latch is held for the wheel's few instructions and the
 * fire, never across a system call or user code. Under the latch a timer is linked (armed) or has
 * fired, so that a stop is definite from any thread.
 *
 * Sleeping: before its worker parks it publishes until when (under the latch); whoever then starts
 * an earlier timer is told to unpark it.
 */
#ifndef TMLRT__TIMER_H
#define TMLRT__TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "atomic.h"
#include "op.h"
#include "wheel.h"

typedef struct tmlrt__timers {
    tmlrt__latch_t    latch;
    tmlrt__atomic_i64 due; /* any thread: a lower bound of the next deadline; written under latch */
    TMLRT__WATCHED(int64_t) sleeps_until; /* under latch: INT64_MIN while the worker is awake */
    tmlrt__wheel_t wheel;                 /* under latch */
} tmlrt__timers_t;

void tmlrt__timers_init(tmlrt__timers_t *t, int64_t now);

/* Arms op->timer for op->timer.when. True: the worker sleeps longer than that; unpark it. */
bool tmlrt__timers_start(tmlrt__timers_t *t, tmlrt__op_t *op);

/* True: taken out and disarmed. False: it had fired. */
bool tmlrt__timers_stop(tmlrt__timers_t *t, tmlrt__op_t *op);

/* Fires what is due at `now`; returns how many. Any thread. */
uint32_t tmlrt__timers_expire(tmlrt__timers_t *t, int64_t now);

/* The end of all wheels of a runtime: fires what is left, as the cancel of sleeps. All tasks have
 * ended: they are operations that were polled elsewhere. Whom that wakes is only noted, and woken by
 * the run once every wheel is empty: a waker may cancel others, which waits for their fire. Without
 * memory for the notes they are woken at once. */
typedef struct tmlrt__timers_ended {
    const tmlrt_allocator_t *mem;
    tmlrt__wake_t           *wake;
    size_t                   n, room;
} tmlrt__timers_ended_t;

void tmlrt__timers_end(tmlrt__timers_t *t, tmlrt__timers_ended_t *ended);
void tmlrt__timers_ended_run(tmlrt__timers_ended_t *ended);

/* The next time worth waking for, or INT64_MAX. Any thread, a hint. */
int64_t tmlrt__timers_due(tmlrt__timers_t *t);

/* The owner, around a park: publishes until when it will sleep (and returns it) / is awake. */
int64_t tmlrt__timers_sleep(tmlrt__timers_t *t);
void    tmlrt__timers_awake(tmlrt__timers_t *t);

#endif
