/* SPDX-License-Identifier: MIT */
/*
 * model_world.h: a host for models of tasks and operations: what task.c, op.c and the kinds call,
 * so that they are compiled as they ship. A model that includes it names those sources.
 *
 * Each task has a queue of its own, a counter: it checks that there is one entry at most, and orders
 * its push before its pop, as every real queue does (a task that is queued while RUNNING needs it).
 */
#ifndef TMLRT_MODEL_WORLD_H
#define TMLRT_MODEL_WORLD_H

#include "os.h"
#include "task.h"
#include "timer.h"
#include "waitlist.h"

#include "model_common.h"

struct model_task {
    tmlrt_task_t      task; /* first */
    tmlrt__atomic_u32 entries, freed, ended;

    void queue() { RL_ASSERT(tmlrt__fetch_add_release(&entries, 1) == 0); }

    bool dequeue() {
        uint32_t one = 1;
        return tmlrt__cas_strong_acquire(&entries, &one, 0);
    }

    /* Polls it, if it is queued. */
    bool run() {
        if (!dequeue()) return false;
        run_dequeued();
        return true;
    }

    void run_dequeued() {
        if (tmlrt__task_run(&task) == TMLRT__RUN_AGAIN) queue();
    }

    void make(tmlrt__host_t *host, const tmlrt_task_type_t *type, bool handle) {
        tmlrt__store_relaxed(&entries, 0);
        tmlrt__store_relaxed(&freed, 0);
        tmlrt__store_relaxed(&ended, 0);
        task.type = type;
        task.host = host;
        task.next = NULL;
        task.ops.first = NULL;
        task.joiners = NULL;
        tmlrt__store_relaxed(&task.extra, NULL);
        task.heap = NULL;
        tmlrt__store_relaxed(&task.join_latch.held, 0);
        task.step = TMLRT__STEP_POLL;
        task.outcome = 0;
        task.flags = 0;
        task.forks = 0;
        task.again = 0;
        task.has_result = 0;
        tmlrt__store_relaxed(&task.taken, 0);
        tmlrt__store_relaxed(&task.waits_for, NULL);
        tmlrt__state_init(&task.state, handle);
    }

    void start() {
        if (tmlrt__state_start(&task.state)) queue();
    }
};

static tmlrt__current_t model_current[MODEL_THREADS + 1];
static tmlrt__timers_t *model_timers; /* of the suite that runs */
static void (*model_wake_timers)(void);

tmlrt__current_t *tmlrt__current(void) {
    return &model_current[rl::ctx().threadx_->index_];
}

static void model_schedule(tmlrt__host_t *, tmlrt_task_t *task) {
    ((model_task *)task)->queue();
}

static bool model_run_inline(tmlrt__host_t *, tmlrt_task_t *task) {
    return ((model_task *)task)->run();
}

static void model_ended(tmlrt__host_t *, uint32_t) {}

static void model_timer_start(tmlrt__host_t *, tmlrt_op_t *op) {
    if (tmlrt__timers_start(model_timers, tmlrt__op(op)) && model_wake_timers != NULL)
        model_wake_timers();
}

static bool model_timer_stop(tmlrt__host_t *, tmlrt_op_t *op) {
    return tmlrt__timers_stop(model_timers, tmlrt__op(op));
}

static tmlrt__host_ops_t model_host_ops;

/* A global atomic would be made before the checker is there; so each run makes it in raw memory. */
__asm__(".comm tmlrt__fork_generation, 256");

struct model_host : tmlrt__host_t {
    model_host() { tmlrt__atomic_make(&tmlrt__fork_generation, 0); }
    ~model_host() { tmlrt__atomic_unmake(&tmlrt__fork_generation); }
};

static void model_world_make(tmlrt__host_t *host, tmlrt__timers_t *timers) {
    memset(model_current, 0, sizeof model_current);
    model_timers = timers;
    model_wake_timers = NULL;
    model_host_ops.schedule = model_schedule;
    model_host_ops.run_inline = model_run_inline;
    model_host_ops.ended = model_ended;
    model_host_ops.timer_start = model_timer_start;
    model_host_ops.timer_stop = model_timer_stop;
    host->ops = &model_host_ops;
    host->tasks = NULL;
}

/* ---- what the sources call ---- */

const tmlrt_allocator_t tmlrt__mem_default = tmlrt_allocator_t();

void *tmlrt__mem_get(const tmlrt_allocator_t *, size_t size, size_t) {
    return (::malloc)(size);
}
void tmlrt__mem_put(const tmlrt_allocator_t *, void *p, size_t, size_t) {
    (::free)(p);
}

static void *model_extra[4]; /* blocks that are extras of tasks: the model's own */

void tmlrt__heap_put(tmlrt__heap_t *, tmlrt__heap_cache_t *, void *block, uint16_t) {
    for (int k = 0; k < 4; k++)
        if (model_extra[k] == block) {
            model_extra[k] = NULL; /* once */
            return;
        }
    model_task *t = (model_task *)block;
    /* All a next owner would write. */
    t->task.next = NULL;
    t->task.outcome = 0;
    t->task.joiners = NULL;
    RL_ASSERT(tmlrt__fetch_add_relaxed(&t->freed, 1) == 0);
}

void *tmlrt__mem_zero(const tmlrt_allocator_t *, size_t size, size_t) {
    return memset((::malloc)(size), 0, size);
}
void *tmlrt__heap_get(tmlrt__heap_t *, tmlrt__heap_cache_t *, size_t, uint16_t *) {
    abort();
}

/* Tasks of most models have neither scopes nor task-locals. */
int tmlrt__locals_inherit(tmlrt_task_t *) {
    return 0;
}
void tmlrt__locals_drop(tmlrt__task_extra_t *) {}
#if !defined(MODEL_SCOPES)
int tmlrt__scope_enter(struct tmlrt__scope *, tmlrt_task_t *) {
    abort();
}
void tmlrt__scope_unlink(struct tmlrt__scope *, tmlrt_task_t *, int) {
    abort();
}
void tmlrt__scope_leave(struct tmlrt__scope *) {
    abort();
}
bool tmlrt__scope_asks(const struct tmlrt__scope *, uint32_t) {
    return false;
}
#endif
bool tmlrt__host_is_foreign(const tmlrt__host_t *) {
    return false;
}
tmlrt__host_t *tmlrt__host_owned(void) {
    return tmlrt__current()->owned;
}
bool tmlrt__host_forked(const tmlrt__host_t *) {
    return false;
}
tmlrt__host_t *tmlrt__host_or_current(tmlrt__host_t *host) {
    return host;
}
extern "C" {
int tmlrt_op_sleep_until(tmlrt_op_t *, tmlrt_runtime_t *, int64_t) {
    abort();
}
#if !defined(MODEL_AWAITS)
int tmlrt_op_await(tmlrt_op_t *) {
    abort();
}
#endif
}

#endif
