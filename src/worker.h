/* SPDX-License-Identifier: MIT */
/*
 * worker.h: one worker: its queues, its driver, its timers, and the loop that serves them in turn.
 *
 * Queues:  next slot    the task that the running poll woke last; at most 3 times in a row
 *          deque        spawned tasks; the owner takes the newest, thieves the oldest
 *          fifo         woken and yielding tasks; a second deque, taken from its old end by all
 *          pinned       tasks that stay here; others push under a latch
 *          inject       the global queue (scheduler.h)
 * A replayed worker has one list for all, from which it draws by lot (ready.h).
 *
 * Order, and the bounds it gives (a pick is one task taken from other than the next slot; at most 4
 * polls are between two picks):
 *   - deque and fifo take turns; the fifo's k-th task runs within 3k + 3 picks;
 *   - every 16th pick takes the oldest of the deque, every 32nd looks at the global queue first (at
 *     its lanes in turn), every 8th at the pinned ones: so no task waits for an unbounded stream of newer ones;
 *   - the driver is asked when all that it brought last time has been served and 61 polls have
 *     passed (fewer when polls are long: about every 200 us), and at the latest after 1,024 polls.
 *
 * Owner: the worker's thread (for current-thread runtimes whoever drives). Others may steal, push
 * to pinned, read the counters, and, when the owner is stuck in a poll, take its next slot, expire
 * its timers and reap its driver (scheduler.h).
 */
#ifndef TMLRT__WORKER_H
#define TMLRT__WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc.h"
#include "atomic.h"
#include "deque.h"
#include "host.h"
#include "os.h"
#include "parker.h"
#include "rand.h"
#include "reactor/reactor.h"
#include "ready.h"
#include "stack.h"
#include "task.h"
#include "timer.h"
#include "waitlist.h"

typedef struct tmlrt__scheduler tmlrt__scheduler_t;

/* Counters: written by the owner alone (a load and a store, no read-modify-write), read by all. */
typedef struct tmlrt__counters {
    tmlrt__atomic_u64 polls, spawned, completed, stolen, injected, parks, wakes_sent, driver_polls,
        events, timers_fired, budget_yields;
    /* Not daemons, for shutdown: every admitted one, every ended one. */
    tmlrt__atomic_u64 admitted, ended;
} tmlrt__counters_t;

#define TMLRT__COUNT(counter, n)                                                                   \
    tmlrt__store_relaxed(&(counter), tmlrt__load_relaxed(&(counter)) + (uint64_t)(n))

typedef struct tmlrt__worker {
    tmlrt__scheduler_t *sched; /* constant */
    uint32_t            index; /* constant */

    /* Owner only. */
    uint32_t      next_uses;    /* of the next slot in a row */
    uint32_t      tick;         /* picks */
    uint32_t      since_driver; /* polls since the driver was asked */
    uint32_t      interval;     /* polls until it is asked again */
    uint32_t      depth;        /* tasks that run inside a join of another */
    uint32_t      lane;         /* of the global queue, from which to take next */
    int64_t       asked_at;     /* when the driver was asked last */
    int64_t       fired_at;     /* when timers fired last */
    int64_t       batch_end;    /* fifo index behind what it brought */
    bool          searching;    /* counted in idle.searching */
    bool          dispatching;  /* in the driver: wakes are announced once, at its end */
    tmlrt__rand_t rand;

    tmlrt__ready_t ready; /* of a replayed worker: instead of next, deque and fifo */

    tmlrt__heap_cache_t  cache;
    tmlrt__stack_cache_t stacks; /* of fibers */
    tmlrt__counters_t    count;
    tmlrt__thread_t      thread;

    /* Others touch these. */
    tmlrt__atomic_ptr next;    /* swap by the taker, plain store by the owner into an empty one */
    tmlrt__atomic_ptr running; /* the task being polled, for the watchdog: a name, not a pointer */
    tmlrt__deque_t    deque;
    tmlrt__deque_t    fifo;
    tmlrt__timers_t   timers;
    tmlrt__parker_t   parker;
    tmlrt__driver_t  *driver;
    tmlrt__waitlist_t stopping; /* operations that wait for the shutdown */

    tmlrt__latch_t    pinned_latch;
    tmlrt_task_t     *pinned_first, *pinned_last; /* under the latch */
    tmlrt__atomic_u32 pinned_count;

    tmlrt__atomic_u64 taken_over; /* times others served it; any thread */
} tmlrt__worker_t;

/* Sets up worker `index` of `sched` (all zero before). On error nothing is left behind. */
int  tmlrt__worker_init(tmlrt__worker_t *w, tmlrt__scheduler_t *sched, uint32_t index,
                        uint32_t reactor, uint64_t seed);
void tmlrt__worker_destroy(tmlrt__worker_t *w, bool forked);

/* Makes the worker current on this thread / takes that back (former: what was current). */
void tmlrt__worker_enter(tmlrt__worker_t *w, tmlrt__current_t *former);
void tmlrt__worker_leave(const tmlrt__current_t *former);

/* A worker without a thread, while nobody drives it, counts as parked: every wake reaches its
 * driver's handle. away: the driving thread leaves it; back: it comes again. */
void tmlrt__worker_away(tmlrt__worker_t *w);
void tmlrt__worker_back(tmlrt__worker_t *w);

/* Serves tasks until *done is non-zero, or `deadline` (on the host's clock) has passed. False: it is
 * replayed, and nothing will ever happen any more; or a task has forked, and this is the child. */
bool tmlrt__worker_run(tmlrt__worker_t *w, tmlrt__atomic_u32 *done, int64_t deadline);

/* One pass without waiting: what is ready now. Returns the polls. */
uint64_t tmlrt__worker_run_ready(tmlrt__worker_t *w);

/* The owner. A woken task; a spawned task; the newest task, run right here. */
void tmlrt__worker_push_woken(tmlrt__worker_t *w, tmlrt_task_t *task);
void tmlrt__worker_push_spawned(tmlrt__worker_t *w, tmlrt_task_t *task);
bool tmlrt__worker_run_inline(tmlrt__worker_t *w, tmlrt_task_t *task);

/* Any thread. */
void tmlrt__worker_push_pinned(tmlrt__worker_t *w, tmlrt_task_t *task);
/* True: something lies in its deque, fifo or pinned queue. */
bool tmlrt__worker_has_work(tmlrt__worker_t *w);

#endif
