/* SPDX-License-Identifier: MIT */
/*
 * tml_executor.h: the inside of an executor: its tasks by id. They are started by a run, each as a
 * task of the default runtime; an ended one stays only while its result is kept.
 */
#ifndef TMLRT__TML_EXECUTOR_H
#define TMLRT__TML_EXECUTOR_H

#include "tml_task.h"

struct TmlExecutor {
    tmlrt__latch_t      latch;  /* guards all below and, of its tasks, what tml_task.h says */
    tmlrt__tml_task_t **bucket; /* `buckets` of them, a power of two; a reference each task */
    size_t              buckets, tasks;
    uint64_t            last_id;
    tmlrt__tml_task_t  *waiting;     /* for the next run, oldest first; borrowed from the table */
    tmlrt__tml_task_t **waiting_end; /* where the next one is linked */
    tmlrt_runtime_t    *rt;          /* of the run; NULL: none is under way */
    uint64_t            alive;       /* of the run */
    int                 outcome;     /* of the run: TMLRT_OK, or how a task failed */
    TmlGuardFn          guard;
    tmlrt_notify_t      quiet; /* told when alive becomes 0 */
};

/* Spawns as tml_executor_spawn; `keeps`: the result outlives the task. */
uint64_t tmlrt__tml_executor_spawn(TmlExecutor *e, TmlPollFn poll, void *state, size_t size,
                                   bool keeps);

/* Under the latch: the task with this id, or NULL. */
tmlrt__tml_task_t *tmlrt__tml_executor_find(const TmlExecutor *e, uint64_t id);

#endif
