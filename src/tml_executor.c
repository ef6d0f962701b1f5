/* SPDX-License-Identifier: MIT */
/*
 * tml_executor.c: the executor: a table of futures, and a run that makes tasks of the default
 * runtime of them. tml_block_on polls a future without one.
 */
#include "tml_executor.h"

#include <stdalign.h>
#include <string.h>

#include <tmlrt/fiber.h>
#include <tmlrt/main.h>
#include <tmlrt/time.h>

#include "alloc.h"
#include "call.h"
#include "host.h"
#include "os.h"
#include "runtime.h"
#include "tml_slot.h"

#define EXECUTOR__BUCKETS 64u

/* ---- the table ------------------------------------------------------------------------------- */

TmlExecutor *tml_executor_new(void) {
    TmlExecutor *e = tmlrt__mem_zero(&tmlrt__mem_default, sizeof *e, alignof(TmlExecutor));
    if (e == NULL) return NULL;
    e->buckets = EXECUTOR__BUCKETS;
    e->waiting_end = &e->waiting;
    e->bucket = tmlrt__mem_zero(&tmlrt__mem_default, e->buckets * sizeof *e->bucket,
                                alignof(tmlrt__tml_task_t *));
    if (e->bucket != NULL) return e;
    tmlrt__mem_put(&tmlrt__mem_default, e, sizeof *e, alignof(TmlExecutor));
    return NULL;
}

void tml_executor_destroy(TmlExecutor *e) {
    if (e == NULL) return;
    tmlrt__latch_lock(&e->latch); /* who told the end of the last task has let it go */
    bool runs = e->rt != NULL;
    tmlrt__latch_unlock(&e->latch);
    if (runs) {
        tmlrt__os_log("tmlrt: tml_executor_destroy: the executor runs; nothing was freed");
        return;
    }
    for (size_t i = 0; i < e->buckets; i++) {
        for (tmlrt__tml_task_t *t = e->bucket[i], *next; t != NULL; t = next) {
            next = t->next;
            if (!t->ended) tmlrt__tml_task_retire(t);
            tmlrt__tml_waiters_wake(tmlrt__tml_waiters_take(&t->joiners));
            tmlrt__tml_task_unref(t);
        }
    }
    tmlrt__mem_put(&tmlrt__mem_default, e->bucket, e->buckets * sizeof *e->bucket,
                   alignof(tmlrt__tml_task_t *));
    tmlrt__mem_put(&tmlrt__mem_default, e, sizeof *e, alignof(TmlExecutor));
}

static tmlrt__tml_task_t **executor__bucket(const TmlExecutor *e, uint64_t id) {
    return &e->bucket[id & (e->buckets - 1)];
}

tmlrt__tml_task_t *tmlrt__tml_executor_find(const TmlExecutor *e, uint64_t id) {
    tmlrt__tml_task_t *t = *executor__bucket(e, id);
    while (t != NULL && t->id != id)
        t = t->next;
    return t;
}

static void executor__insert(TmlExecutor *e, tmlrt__tml_task_t *t) {
    tmlrt__tml_task_t **bucket = executor__bucket(e, t->id);
    t->next = *bucket;
    *bucket = t;
    e->tasks++;
}

static void executor__remove(TmlExecutor *e, const tmlrt__tml_task_t *t) {
    tmlrt__tml_task_t **link = executor__bucket(e, t->id);
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    e->tasks--;
}

/* Makes room for one more task; without memory the buckets stay as they are, and grow long. */
static void executor__grow(TmlExecutor *e) {
    tmlrt__latch_lock(&e->latch);
    size_t had = e->buckets;
    bool   full = e->tasks >= had;
    tmlrt__latch_unlock(&e->latch);
    if (!full) return;
    tmlrt__tml_task_t **old =
        tmlrt__mem_zero(&tmlrt__mem_default, 2 * had * sizeof *old, alignof(tmlrt__tml_task_t *));
    size_t n = 2 * had;
    if (old == NULL) return;
    tmlrt__latch_lock(&e->latch);
    if (e->buckets == had) {
        tmlrt__tml_task_t **bucket = e->bucket;
        e->bucket = old;
        e->buckets = 2 * had;
        e->tasks = 0;
        for (size_t i = 0; i < had; i++) {
            for (tmlrt__tml_task_t *t = bucket[i], *next; t != NULL; t = next) {
                next = t->next;
                executor__insert(e, t);
            }
        }
        old = bucket;
        n = had;
    }
    tmlrt__latch_unlock(&e->latch);
    tmlrt__mem_put(&tmlrt__mem_default, old, n * sizeof *old, alignof(tmlrt__tml_task_t *));
}

/* ---- a task of the runtime that polls a future ------------------------------------------------- */

typedef struct executor__frame {
    tmlrt__tml_task_t *t; /* a reference */
    tmlrt_op_t         pause;
    bool               begun, panicked;
} executor__frame_t;

/* Until it is due again, or woken. A pause that is over at once is a turn for the others. */
static int32_t frame__sleep(executor__frame_t *f, tmlrt_cx_t *cx) {
    tmlrt_op_sleep_until(&f->pause, NULL, tmlrt__tml_task_next(f->t));
    if (tmlrt_op_poll(&f->pause, cx) == TMLRT_READY) tmlrt_waker_wake_by_ref(cx->waker);
    return TMLRT_PENDING;
}

static int32_t frame__poll(void *state, tmlrt_cx_t *cx, void *result) {
    executor__frame_t *f = state;
    bool               fresh = !f->begun;
    TmlPoll            p;
    (void)result;
    if (f->begun && tmlrt_op_poll(&f->pause, cx) != TMLRT_READY) {
        tmlrt_op_cancel(&f->pause); /* a sleep ends at once */
        fresh = true;
    }
    f->begun = true;
    f->panicked = !tmlrt__tml_task_poll(f->t, fresh, &p);
    if (f->panicked) return TMLRT_PANICKED;
    if (p.tag != TML_POLL_READY) return frame__sleep(f, cx);
    f->t->result = p;
    return TMLRT_READY;
}

/* Polls through this: what says PANICKED must be a guard. */
static int32_t frame__guard(tmlrt_poll_fn body, void *state, tmlrt_cx_t *cx, void *result) {
    return body(state, cx, result);
}

/* The end of a future, whatever it was. */
static void frame__drop(void *state) {
    executor__frame_t *f = state;
    tmlrt__tml_task_t *t = f->t;
    TmlExecutor       *e = t->executor;
    int                outcome = f->panicked ? TMLRT_EPANIC : TMLRT_ECANCELED;
    bool               failed = t->result.tag != TML_POLL_READY;
    tmlrt__tml_task_retire(t);
    tmlrt__latch_lock(&e->latch);
    if (failed) {
        t->result = tml_poll_ready_i64(-1);
        e->outcome = outcome;
    }
    t->ended = true;
    tmlrt__tml_waiter_t *joiners = tmlrt__tml_waiters_take(&t->joiners);
    bool                 keeps = t->keeps;
    if (!keeps) executor__remove(e, t);
    if (--e->alive == 0) tmlrt_notify_one(&e->quiet);
    tmlrt__latch_unlock(&e->latch); /* from here on the executor may be gone */
    tmlrt__tml_waiters_wake(joiners);
    if (!keeps) tmlrt__tml_task_unref(t); /* the table's */
    tmlrt__tml_task_unref(t);
}

static const tmlrt_task_type_t frame__type = {.struct_size = sizeof frame__type,
                                              .name = "tml task",
                                              .state_size = sizeof(executor__frame_t),
                                              .state_align = alignof(executor__frame_t),
                                              .poll = frame__poll,
                                              .drop = frame__drop,
                                              .guard = frame__guard};

/* Starts a future that the caller counts as alive, and has a reference of. */
static int executor__start(tmlrt__tml_task_t *t, tmlrt_runtime_t *rt) {
    tmlrt_task_t *task;
    int           e = tmlrt_task_new(rt, &frame__type, NULL, &task);
    if (e != TMLRT_OK) return e;
    *(executor__frame_t *)tmlrt_task_state(task) = (executor__frame_t){.t = t};
    tmlrt__tml_task_ref(t); /* the frame's */
    tmlrt__latch_lock(&t->latch);
    t->task = task;
    tmlrt__latch_unlock(&t->latch);
    e = tmlrt_task_start(task);
    if (e == TMLRT_OK) return TMLRT_OK;
    tmlrt__latch_lock(&t->latch);
    t->task = NULL;
    tmlrt__latch_unlock(&t->latch);
    tmlrt_task_release(task);
    tmlrt__tml_task_unref(t);
    return e;
}

/* ---- spawn ------------------------------------------------------------------------------------ */

/* One that could not be started, or was taken out of the waiting: no longer alive, not yet begun. */
static void executor__undo(TmlExecutor *e) {
    tmlrt__latch_lock(&e->latch);
    if (--e->alive == 0) tmlrt_notify_one(&e->quiet);
    tmlrt__latch_unlock(&e->latch);
}

static void executor__wait_for_run(TmlExecutor *e, tmlrt__tml_task_t *t) {
    t->waiting = NULL;
    *e->waiting_end = t;
    e->waiting_end = &t->waiting;
}

uint64_t tmlrt__tml_executor_spawn(TmlExecutor *e, TmlPollFn poll, void *state, size_t size,
                                   bool keeps) {
    if (e == NULL || poll == NULL) return 0;
    if (state == NULL) size = 0;
    tmlrt__tml_task_t *t = tmlrt__tml_task_new(poll, size != 0 ? state : NULL, size);
    if (t == NULL) return 0;
    executor__grow(e);
    t->executor = e;
    t->keeps = keeps;
    t->result = tml_poll_pending();
    tmlrt__tml_task_ref(t); /* ours, beside the table's */

    tmlrt__latch_lock(&e->latch);
    uint64_t id = ++e->last_id;
    t->id = id;
    t->guard = e->guard;
    executor__insert(e, t);
    tmlrt_runtime_t *rt = e->rt;
    if (rt != NULL)
        e->alive++; /* so the run goes on until it has ended */
    else
        executor__wait_for_run(e, t);
    tmlrt__latch_unlock(&e->latch);

    if (rt != NULL && executor__start(t, rt) != TMLRT_OK) {
        id = 0;
        tmlrt__tml_task_retire(t);
        tmlrt__latch_lock(&e->latch);
        executor__remove(e, t);
        tmlrt__latch_unlock(&e->latch);
        tmlrt__tml_task_unref(t);
        executor__undo(e);
    }
    tmlrt__tml_task_unref(t);
    return id;
}

uint64_t tml_executor_spawn(TmlExecutor *e, TmlPollFn poll, void *state, size_t size) {
    return tmlrt__tml_executor_spawn(e, poll, state, size, false);
}

void tml_executor_set_guard(TmlExecutor *e, TmlGuardFn guard) {
    if (e == NULL) return;
    tmlrt__latch_lock(&e->latch);
    e->guard = guard;
    tmlrt__latch_unlock(&e->latch);
}

/* ---- run -------------------------------------------------------------------------------------- */

/* Waits, suspended, whatever the fiber or a scope around it is asked: nobody could end for it what
 * it waits for. */
static int executor__await(tmlrt_notify_t *notify, int64_t deadline) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_notified(&op, notify);
    tmlrt_op_deadline(&op, deadline);
    return (int)tmlrt__call_await_always(&op);
}

/* Starts what waits for the run. What cannot be started waits on. */
static int executor__start_waiting(TmlExecutor *e, tmlrt_runtime_t *rt, tmlrt__tml_task_t *t) {
    int error = TMLRT_OK;
    for (tmlrt__tml_task_t *next; t != NULL; t = next) {
        next = t->waiting; /* before it is started: then it may end, and be gone */
        int e1 = executor__start(t, rt);
        if (e1 == TMLRT_OK) continue;
        error = e1;
        tmlrt__latch_lock(&e->latch);
        executor__wait_for_run(e, t);
        tmlrt__latch_unlock(&e->latch);
        executor__undo(e);
    }
    return error;
}

int32_t tml_executor_run(TmlExecutor *e) {
    tmlrt_runtime_t *rt;
    if (e == NULL) return TMLRT_EINVAL;
    if (tmlrt__current()->busy != 0) return TMLRT_EDEADLK;
    int error = tmlrt_runtime_default(&rt);
    if (error != TMLRT_OK) return error;
    /* Nobody would drive it. Inside of it (a fiber) somebody does. */
    if (rt->sched.current_thread && rt->sched.owner != tmlrt__thread_self()) return TMLRT_EDEADLK;

    tmlrt__latch_lock(&e->latch);
    bool runs = e->rt != NULL;
    if (!runs) {
        e->rt = rt;
        e->alive = 1; /* this call's, until all are started */
        e->outcome = TMLRT_OK;
    }
    tmlrt__tml_task_t *t = runs ? NULL : e->waiting;
    if (!runs) {
        e->waiting = NULL;
        e->waiting_end = &e->waiting;
        for (const tmlrt__tml_task_t *i = t; i != NULL; i = i->waiting)
            e->alive++;
    }
    tmlrt__latch_unlock(&e->latch);
    if (runs) return TMLRT_EBUSY;

    error = executor__start_waiting(e, rt, t);
    executor__undo(e);
    for (;;) {
        tmlrt__latch_lock(&e->latch);
        bool quiet = e->alive == 0;
        if (quiet) e->rt = NULL;
        int outcome = e->outcome;
        tmlrt__latch_unlock(&e->latch);
        if (quiet) return error != TMLRT_OK ? error : outcome;
        executor__await(&e->quiet, TMLRT_NEVER); /* cancelled or not: its tasks use `e` */
        /* A task that we drove forked, and this is the child: nobody would ever end the others. */
        if (tmlrt__host_forked(&rt->sched.host)) return TMLRT_EFORKED;
    }
}

/* ---- wake and poll by hand ---------------------------------------------------------------------- */

/* The task with this id and a reference, or NULL: none is alive. */
static tmlrt__tml_task_t *executor__get(TmlExecutor *e, uint64_t id) {
    if (e == NULL) return NULL;
    tmlrt__latch_lock(&e->latch);
    tmlrt__tml_task_t *t = tmlrt__tml_executor_find(e, id);
    if (t != NULL && t->ended) t = NULL;
    if (t != NULL) tmlrt__tml_task_ref(t);
    tmlrt__latch_unlock(&e->latch);
    return t;
}

void tml_executor_wake(TmlExecutor *e, uint64_t id) {
    tmlrt__tml_task_t *t = executor__get(e, id);
    if (t == NULL) return;
    tmlrt__tml_task_wake(t);
    tmlrt__tml_task_unref(t);
}

TmlWaker tml_waker_create(TmlExecutor *e, uint64_t id) {
    tmlrt__tml_task_t *t = executor__get(e, id);
    TmlWaker           w = {tmlrt__tml_wake, t != NULL ? t->slot : NULL, id};
    if (t != NULL) tmlrt__tml_task_unref(t);
    return w;
}

int32_t tml_executor_poll_task(TmlExecutor *e, TmlTask *task) {
    if (e == NULL || task == NULL || task->poll_fn == NULL) return 0;
    TmlContext cx = {tml_waker_create(e, task->id), e};
    task->task_state = TML_TASK_RUNNING;
    TmlPoll p = task->poll_fn(task->state, &cx);
    task->task_state = p.tag == TML_POLL_READY ? TML_TASK_COMPLETED : TML_TASK_PENDING;
    if (p.tag != TML_POLL_READY) return 0;
    task->result = p;
    return 1;
}

/* ---- block_on ----------------------------------------------------------------------------------- */

/* Where nobody may wait (inside a stackless poll), or can for want of memory. */
#define BLOCK_ON__SLICE TMLRT_MS

/* Waits for a wake (OK) or until `next`. EFORKED: a task that we drove meanwhile forked, and this is
 * the child, in which nobody drives what the future waits for. */
static int block_on__wait(tmlrt__tml_task_t *t, int64_t next) {
    const tmlrt__host_t *drives = tmlrt__host_owned();
    int                  r = executor__await(&t->notify, next);
    if (drives != NULL && tmlrt__host_forked(drives)) return TMLRT_EFORKED;
    if (r == TMLRT_OK || r == TMLRT_ETIMEDOUT) return r;
    int64_t now = tmlrt_now(NULL), left = next - now;
    if (left > BLOCK_ON__SLICE) left = BLOCK_ON__SLICE;
    if (left > 0) tmlrt__os_sleep_until(tmlrt__os_now() + left);
    return TMLRT_ETIMEDOUT;
}

TmlPoll tml_block_on(TmlPollFn poll, void *state, size_t size) {
    TmlPoll p = tml_poll_pending();
    if (poll == NULL) return p;
    if (state == NULL) size = 0;
    tmlrt__tml_task_t *t = tmlrt__tml_task_new(poll, state, size);
    if (t == NULL) return p;
    t->is_thread = true;
    int woken = TMLRT_OK;
    while (woken != TMLRT_EFORKED) {
        tmlrt__tml_task_poll(t, woken == TMLRT_OK, &p);
        if (p.tag == TML_POLL_READY) break;
        woken = block_on__wait(t, tmlrt__tml_task_next(t));
    }
    tmlrt__tml_task_retire(t);
    tmlrt__tml_task_unref(t);
    return p;
}
