/* SPDX-License-Identifier: MIT */
/*
 * scheduler.h: the workers of one runtime together: the global queue, who sleeps, and the choice of
 * where a task goes. It implements the host (host.h); a runtime begins with a scheduler.
 *
 * A task that becomes ready on a worker stays there (next slot or fifo), one from outside goes to
 * the global queue, a pinned one to its worker. Whoever makes work visible then wakes at most one
 * sleeper (idle.h).
 */
#ifndef TMLRT__SCHEDULER_H
#define TMLRT__SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "host.h"
#include "idle.h"
#include "inject.h"
#include "os.h"
#include "stripe.h"
#include "worker.h"

/* Of the global queue; a thread pushes into one, workers take from all in turn. */
#define TMLRT__LANES 4u

/* What threads outside the workers count, one for each stripe of them. */
typedef struct tmlrt__outside {
    tmlrt__atomic_u64 admitted, ended;        /* tasks, daemons aside; both only grow */
    tmlrt__atomic_u32 visitors;               /* handing a task over; destroy waits until none is */
    char              pad[TMLRT__CACHE_LINE]; /* wherever it begins, no line is its neighbour's */
} tmlrt__outside_t;

struct tmlrt__scheduler {
    /* What every worker reads all the time and nobody writes. */
    tmlrt__host_t     host; /* first */
    uint32_t          workers;
    bool              current_thread; /* no threads of its own */
    bool              virtual_clock;
    uint64_t          owner;         /* tmlrt__thread_self of the creator */
    tmlrt__worker_t  *worker;        /* array */
    tmlrt__atomic_i64 virtual_now;   /* ns; with the virtual clock */
    tmlrt__atomic_u32 turn;          /* for choices in turn */
    tmlrt__atomic_u32 stop;          /* non-zero: worker threads leave their loop */
    tmlrt__atomic_u32 quiet;         /* bumped when the last task may have ended in a shutdown */
    tmlrt__atomic_u32 minder_asleep; /* the minder (minder.c) sleeps, as all workers do */
    char              pad0[TMLRT__CACHE_LINE];

    tmlrt__idle_t     idle; /* written by who sleeps and wakes, read by who spawns */
    tmlrt__atomic_u64 daemons;
    char              pad1[TMLRT__CACHE_LINE];
    tmlrt__outside_t  outside[TMLRT__STRIPES];
    tmlrt__inject_t   inject[TMLRT__LANES]; /* the global queue */
};

/* Puts a task into the global queue: a thread's tasks all into the same lane, in their order. */
void tmlrt__scheduler_inject(tmlrt__scheduler_t *s, tmlrt_task_t *task);

/* Tasks in the global queue; as tmlrt__inject_size. */
size_t tmlrt__scheduler_injected(tmlrt__scheduler_t *s);

static inline tmlrt__scheduler_t *tmlrt__scheduler(tmlrt__host_t *host) {
    return (tmlrt__scheduler_t *)(void *)host;
}

/* The functions that a scheduler gives its host. */
extern const tmlrt__host_ops_t tmlrt__scheduler_ops;

/* After work became visible: wakes a sleeper if nobody searches. exact: as tmlrt__idle_notify. */
void tmlrt__scheduler_notify(tmlrt__scheduler_t *s, bool exact);

/* Any thread: makes the worker come out of its sleep and look around. */
void tmlrt__scheduler_unpark(tmlrt__scheduler_t *s, uint32_t worker);
void tmlrt__scheduler_unpark_all(tmlrt__scheduler_t *s);

/* A worker comes back from its sleep: makes sure that somebody minds. */
void tmlrt__scheduler_wake_minder(tmlrt__scheduler_t *s);

/* A worker is about to sleep: tells a shutdown that waits for the last task. */
void tmlrt__scheduler_sleeping(tmlrt__scheduler_t *s);

/* True: some queue that `w` could take from holds something. */
bool tmlrt__scheduler_has_work(tmlrt__scheduler_t *s, tmlrt__worker_t *w);

/* Serves, from a thread that is not its own, what a stuck worker cannot: its next slot, its due
 * timers, its ready I/O. Returns true when anything came of it. */
bool tmlrt__scheduler_take_over(tmlrt__scheduler_t *s, tmlrt__worker_t *w);

/* After the last task has ended: waits for threads from outside that had queued one of them and are
 * not out of the scheduler yet. */
void tmlrt__scheduler_see_off(tmlrt__scheduler_t *s);

/* Tasks that have ended so far, daemons aside. */
uint64_t tmlrt__scheduler_ended(tmlrt__scheduler_t *s);

/* Tasks alive that are not daemons, exactly, at some moment during the call. */
uint64_t tmlrt__scheduler_alive(tmlrt__scheduler_t *s);

/* A current-thread scheduler: runs worker 0 on this thread, its owner, as tmlrt__worker_run. */
bool tmlrt__scheduler_drive(tmlrt__scheduler_t *s, tmlrt__atomic_u32 *done, int64_t deadline);

/* The clock of the host. */
int64_t tmlrt__scheduler_now(tmlrt__scheduler_t *s);

#endif
