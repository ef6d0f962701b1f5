/* SPDX-License-Identifier: MIT */
/*
 * blocking.h: the pool of threads for code that blocks; one a runtime, all zero until its init.
 *
 * A job is a task that never sees a worker: its queue is the pool's, and a pool thread runs it by
 * tmlrt__task_run like a worker would; its one poll is the job's function. So handle, join, abort,
 * counting and shutdown are those of every task.
 *
 * Who starts a job: an idle thread (the one that went idle last, so that the others grow old and
 * end), else a new one, else whoever ends a job next. A job waits only while its class is at its
 * quota or all threads are busy; every end of a job looks at the queues, so none is forgotten.
 *
 * Locks: one latch for everything here; nothing is taken under it, and no system call is made.
 * It does not outlive its host: tmlrt__blocking_end waits for the last thread, and for those that
 * are making one.
 */
#ifndef TMLRT__BLOCKING_H
#define TMLRT__BLOCKING_H

#include <stdbool.h>
#include <stdint.h>

#include <tmlrt/blocking.h>

#include "atomic.h"
#include "host.h"
#include "list.h"

#define TMLRT__BLOCKING_CLASSES 3u

typedef struct tmlrt__blocking {
    tmlrt__latch_t latch;                          /* guards all that follows but the constants */
    tmlrt__host_t *host;                           /* constant */
    const char    *name;                           /* constant: prefix of the threads' names */
    uint32_t       threads_max, queue_max;         /* constant */
    uint32_t       quota[TMLRT__BLOCKING_CLASSES]; /* constant: threads that a class may occupy */
    int64_t        idle_ns;                        /* constant: how long an idle thread stays */

    tmlrt__list_t queue[TMLRT__BLOCKING_CLASSES];  /* jobs, oldest first */
    uint32_t      active[TMLRT__BLOCKING_CLASSES]; /* threads that have, or are given, such a job */
    uint32_t      queued;                          /* in all queues */
    uint32_t      turn;                            /* the class that is looked at first */
    uint32_t      threads;                         /* reserved or made */
    uint32_t      live;   /* made: one of them looks at the queues after its job */
    uint32_t      making; /* callers inside the making of a thread */
    uint32_t      named;  /* number of the next thread's name */
    bool          stop;
    /* Replayed: makes a fiber of the job instead (constant; NULL: threads run the jobs). */
    int (*go)(tmlrt__host_t *host, void *(*fn)(void *), void *arg, void (*drop)(void *),
              const tmlrt_task_options_t *options, tmlrt_task_t **task);
    tmlrt__list_t     idle; /* threads without a job, newest first */
    tmlrt__list_t     dead; /* threads that have left and are to be joined */
    tmlrt__atomic_u32 left; /* futex: bumped when a thread has left */
} tmlrt__blocking_t;

void tmlrt__blocking_init(tmlrt__blocking_t *b, tmlrt__host_t *host, const char *name,
                          uint32_t threads, uint32_t queue);

/* No job is left (the shutdown saw to that): ends all threads and waits for them. */
void tmlrt__blocking_end(tmlrt__blocking_t *b);

/* As tmlrt_spawn_blocking; `drop`, unless NULL, is called with `arg` exactly once when the job has
 * ended, also one that never began. On error it is not called. */
int tmlrt__blocking_spawn(tmlrt__host_t *host, void *(*fn)(void *), void *arg, void (*drop)(void *),
                          uint32_t cls, const tmlrt_task_options_t *options, tmlrt_task_t **task);

/* A job that was asked to end: takes it out of its queue. True: the caller runs it, which ends it;
 * false: a thread has it. */
bool tmlrt__blocking_withdraw(tmlrt__blocking_t *b, tmlrt_task_t *task);

#endif
