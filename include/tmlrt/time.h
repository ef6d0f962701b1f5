/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/time.h: the clock, sleeps and intervals. Times are int64_t nanoseconds. A timer never
 * fires early; it fires within the wheel's tick (65.5 us), or within 200 us of the timers before it
 * where they are that dense, plus what the operating system needs to wake a thread. Same deadline, same worker: in the order of their start.
 * Source: hierarchical timing wheels, Varghese and Lauck (SOSP 1987).
 */
#ifndef TMLRT_TIME_H
#define TMLRT_TIME_H

#include <tmlrt/base.h>
#include <tmlrt/op.h>

TMLRT_BEGIN_DECLS

#define TMLRT_US INT64_C(1000)
#define TMLRT_MS INT64_C(1000000)
#define TMLRT_S  INT64_C(1000000000)

/* Now, in ns, on the clock of `rt` (NULL: the current runtime; without one the real clock).
 * Monotonic, starts anywhere; all real-clock runtimes of a process share it. Threads: any. */
TMLRT_API int64_t tmlrt_now(tmlrt_runtime_t *rt);

/* Prepares `op` to become ready, with TMLRT_OK, `ns` nanoseconds after its start (0 or less: at the
 * first poll). Cancel: takes effect at once; from outside of `rt` not beside its destroy, which ends
 * what sleeps there with TMLRT_ECANCELED. Errors: TMLRT_EINVAL, TMLRT_EBUSY; as the result:
 * TMLRT_ENORUNTIME (`rt` is NULL and none is current at the start). */
TMLRT_API int tmlrt_op_sleep(tmlrt_op_t *op, tmlrt_runtime_t *rt, int64_t ns);

/* The same until the absolute time `abs_ns` on tmlrt_now(rt). */
TMLRT_API int tmlrt_op_sleep_until(tmlrt_op_t *op, tmlrt_runtime_t *rt, int64_t abs_ns);

/* Sleeps for `ns`: blocks a plain thread, with a runtime or without.
 * Errors: TMLRT_EDEADLK inside a stackless poll, a drop or a hook. */
TMLRT_API int tmlrt_sleep(int64_t ns);

/* Sleeps until the absolute time `abs_ns` (0 or past: not at all), on the clock of the current
 * runtime, or of the one that this thread owns; without one on the real clock.
 * Suspends. Errors: as tmlrt_sleep; TMLRT_ECANCELED in a fiber that was asked to end. */
TMLRT_API int tmlrt_sleep_until(int64_t abs_ns);

/* What an interval does about ticks that were missed because nobody waited in time. */
#define TMLRT_MISSED_BURST 0 /* all of them at once, until caught up */
#define TMLRT_MISSED_DELAY 1 /* one now; the period counts from then on */
#define TMLRT_MISSED_SKIP  2 /* one now; then the next multiple of the period that lies ahead */

/* A periodic timer, placed by the caller; it holds no resource and needs no end. */
typedef struct tmlrt_interval {
    uint64_t opaque_[6];
} tmlrt_interval_t;

/* Sets up an interval on `rt` (NULL: the current one): the first tick at `first_ns` (absolute;
 * 0: now), the others `period_ns` apart (at least 1). `missed` is TMLRT_MISSED_*.
 * Threads: one at a time. Errors: TMLRT_EINVAL, TMLRT_ENORUNTIME. */
TMLRT_API int tmlrt_interval_init(tmlrt_interval_t *interval, tmlrt_runtime_t *rt, int64_t first_ns,
                                  int64_t period_ns, int missed);

/* Prepares `op` to become ready at the interval's next tick; the result is the number of ticks that
 * were skipped or merged before this one (0 when on time). One tick is waited for at a time.
 * Owns: the interval is the caller's and stays until the operation ends.
 * Cancel: at once; the tick stays due. Errors: TMLRT_EINVAL, TMLRT_EBUSY. */
TMLRT_API int tmlrt_op_tick(tmlrt_op_t *op, tmlrt_interval_t *interval);

/* The same as a call, from a fiber or a plain thread: waits for the next tick.
 * Suspends. Errors: as the operation; TMLRT_EDEADLK inside a stackless poll, a drop or a hook;
 * TMLRT_ETIMEDOUT (`deadline`, absolute, came first; the tick stays due). */
TMLRT_API int64_t tmlrt_tick(tmlrt_interval_t *interval);
TMLRT_API int64_t tmlrt_tick_until(tmlrt_interval_t *interval, int64_t deadline);

TMLRT_END_DECLS

#endif
