/* SPDX-License-Identifier: MIT */
/*
 * runtime.h: the runtime: a scheduler with threads, a minder, and the state of its shutdown.
 * Made and ended here (runtime.c), shut down in shutdown.c, watched by minder.c.
 */
#ifndef TMLRT__RUNTIME_H
#define TMLRT__RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include <tmlrt/runtime.h>

#include "blocking.h"
#include "chance.h"
#include "config.h"
#include "os.h"
#include "scheduler.h"
#include "stack.h"

/* What the minder knows of a worker. The minder only. */
typedef struct tmlrt__watch {
    uint64_t polls;    /* its count at the last tick */
    int64_t  since;    /* when that count was first seen */
    bool     reported; /* this poll has been */
} tmlrt__watch_t;

struct tmlrt_runtime {
    tmlrt__scheduler_t sched; /* first; begins with the host */
    tmlrt__settings_t  settings;
    tmlrt__stacks_t    stacks;
    tmlrt__blocking_t  blocking;
    tmlrt__chance_t    chance; /* of a replayed one */
    tmlrt__thread_t    minder;
    tmlrt__watch_t    *watch;       /* an array, one a worker */
    tmlrt__atomic_u32  minder_tick; /* futex the minder sleeps on between ticks; 1: leave */
    tmlrt__atomic_u32  shutdown;    /* RUNTIME_SHUTDOWN_* */
    bool               reported;    /* stragglers were told to somebody */
};

#define TMLRT__SHUTDOWN_NONE  0u
#define TMLRT__SHUTDOWN_BUSY  1u /* a call is under way */
#define TMLRT__SHUTDOWN_ENDED 2u

/* TMLRT_OK, or why `rt` cannot be shut down or driven by this thread now. */
int tmlrt__runtime_check_driver(const tmlrt_runtime_t *rt);

/* The minder: starts its thread / ends it. */
int  tmlrt__minder_start(tmlrt_runtime_t *rt);
void tmlrt__minder_stop(tmlrt_runtime_t *rt);

/* Calls fn(ctx, task) for every task alive, holding a reference meanwhile. */
void tmlrt__runtime_walk(tmlrt_runtime_t *rt, void (*fn)(void *ctx, tmlrt_task_t *task), void *ctx);

#endif
