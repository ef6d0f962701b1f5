/* SPDX-License-Identifier: MIT */
/*
 * wake.c: how long until a parked runtime runs a task that a plain thread woke (or spawned). The
 * thread then sleeps, so that the runtime parks again.
 */
#include <stdatomic.h>

#include "work.h"

typedef struct {
    tmlrt_notify_t  notify;
    _Atomic int64_t sent;
    _Atomic long    seen; /* samples taken */
    int64_t        *took;
    long            n;
} wake_t;

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t op;
    wake_t    *w;
} waiter_t;

static void wake_sample(wake_t *w) {
    long i = atomic_load_explicit(&w->seen, memory_order_relaxed);
    w->took[i] = peer_now() - atomic_load_explicit(&w->sent, memory_order_relaxed);
    atomic_store_explicit(&w->seen, i + 1, memory_order_release);
}

static int32_t waiter_poll(void *state, tmlrt_cx_t *cx, void *result) {
    waiter_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    while (atomic_load_explicit(&s->w->seen, memory_order_relaxed) < s->w->n) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_notified(&s->op, &s->w->notify));
        wake_sample(s->w);
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t waiter_type = TMLRT_TASK_TYPE(waiter_t, waiter_poll, NULL);

static int32_t once_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)cx;
    (void)result;
    wake_sample(*(wake_t **)state);
    return TMLRT_READY;
}

static const tmlrt_task_type_t once_type = TMLRT_TASK_TYPE(wake_t *, once_poll, NULL);

static void wake_run(const peer_args_t *a, int by_spawn) {
    wake_t           w = {.notify = TMLRT_NOTIFY_INIT, .n = work_n(a, 1000)};
    wake_t          *pw = &w;
    tmlrt_task_t    *task = NULL;
    tmlrt_runtime_t *rt = work_runtime(a);
    w.took = calloc((size_t)w.n, sizeof *w.took);
    peer_pin_self(a->pin);
    waiter_t s = {.w = &w};
    if (!by_spawn) work_check(tmlrt_spawn(rt, &waiter_type, &s, NULL, &task), "spawn");
    for (long i = 0; i < w.n; i++) {
        do
            peer_sleep(1000000);
        while (atomic_load_explicit(&w.seen, memory_order_acquire) < i);
        atomic_store_explicit(&w.sent, peer_now(), memory_order_relaxed);
        if (by_spawn)
            work_check(tmlrt_spawn(rt, &once_type, &pw, NULL, NULL), "spawn");
        else
            tmlrt_notify_one(&w.notify);
    }
    while (atomic_load_explicit(&w.seen, memory_order_acquire) < w.n)
        peer_sleep(1000000);
    if (task != NULL) work_check(tmlrt_join(task, NULL), "join");
    tmlrt_task_release(task);
    char name[40];
    snprintf(name, sizeof name, "%s_%s", a->work, a->pin >= 0 ? "pinned" : "unpinned");
    peer_emit_latency(a, name, w.took, w.n, 1e3, "us", -1);
    work_end(rt);
    free(w.took);
}

void work_wake(const peer_args_t *a) {
    wake_run(a, 0);
}

void work_wake_spawn(const peer_args_t *a) {
    wake_run(a, 1);
}
