/* SPDX-License-Identifier: MIT */
/* task.c: what a task's life costs on one thread: a current-thread runtime, a root task a batch. */
#include <tmlrt.h>

#include "micro.h"

enum { BATCH = 1000 };

static int32_t empty_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)state;
    (void)cx;
    (void)result;
    return TMLRT_READY;
}

static const tmlrt_task_type_t empty_type = {
    sizeof(tmlrt_task_type_t), "empty", 0, 0, 0, 0, empty_poll, NULL, NULL, NULL};

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t     op;
    tmlrt_notify_t notify;
    tmlrt_task_t  *task[BATCH];
    int            i;
} root_t;

static int32_t spawn_join_poll(void *state, tmlrt_cx_t *cx, void *result) {
    root_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (s->i = 0; s->i < BATCH; s->i++) {
        tmlrt_spawn(NULL, &empty_type, NULL, NULL, &s->task[0]);
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_join(&s->op, s->task[0], NULL));
        tmlrt_task_release(s->task[0]);
    }
    TMLRT_END(s);
}

static int32_t spawn_then_join_poll(void *state, tmlrt_cx_t *cx, void *result) {
    root_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (s->i = 0; s->i < BATCH; s->i++)
        tmlrt_spawn(NULL, &empty_type, NULL, NULL, &s->task[s->i]);
    for (s->i = 0; s->i < BATCH; s->i++) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_join(&s->op, s->task[s->i], NULL));
        tmlrt_task_release(s->task[s->i]);
    }
    TMLRT_END(s);
}

static int counted; /* one thread runs them all */

static int32_t counted_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)state;
    (void)cx;
    (void)result;
    counted++;
    return TMLRT_READY;
}

static const tmlrt_task_type_t counted_type = {
    sizeof(tmlrt_task_type_t), "counted", 0, 0, 0, 0, counted_poll, NULL, NULL, NULL};

static int32_t detached_poll(void *state, tmlrt_cx_t *cx, void *result) {
    root_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    counted = 0;
    for (s->i = 0; s->i < BATCH; s->i++)
        tmlrt_spawn(NULL, &counted_type, NULL, NULL, NULL);
    while (counted < BATCH)
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_yield(&s->op));
    TMLRT_END(s);
}

static int32_t yield_poll(void *state, tmlrt_cx_t *cx, void *result) {
    root_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (s->i = 0; s->i < BATCH; s->i++)
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_yield(&s->op));
    TMLRT_END(s);
}

/* The permit is there: the operation never waits. */
static int32_t notified_poll(void *state, tmlrt_cx_t *cx, void *result) {
    root_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (s->i = 0; s->i < BATCH; s->i++) {
        tmlrt_notify_one(&s->notify);
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_notified(&s->op, &s->notify));
    }
    TMLRT_END(s);
}

static int32_t sleep_cancel_poll(void *state, tmlrt_cx_t *cx, void *result) {
    root_t *s = state;
    (void)result;
    for (int i = 0; i < BATCH; i++) {
        tmlrt_op_sleep(&s->op, NULL, TMLRT_S);
        GBENCH_USE(tmlrt_op_poll(&s->op, cx));
        tmlrt_op_cancel(&s->op);
        GBENCH_USE(tmlrt_op_poll(&s->op, cx));
    }
    return TMLRT_READY;
}

static int32_t waker_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)state;
    (void)result;
    for (int i = 0; i < BATCH; i++) {
        tmlrt_waker_t w;
        tmlrt_waker_clone(cx->waker, &w);
        tmlrt_waker_drop(&w);
    }
    return TMLRT_READY;
}

static const tmlrt_task_type_t types[] = {
    TMLRT_TASK_TYPE(root_t, spawn_join_poll, NULL),
    TMLRT_TASK_TYPE(root_t, spawn_then_join_poll, NULL),
    TMLRT_TASK_TYPE(root_t, detached_poll, NULL),
    TMLRT_TASK_TYPE(root_t, yield_poll, NULL),
    TMLRT_TASK_TYPE(root_t, notified_poll, NULL),
    TMLRT_TASK_TYPE(root_t, sleep_cancel_poll, NULL),
    TMLRT_TASK_TYPE(root_t, waker_poll, NULL),
};
static const char *const names[] = {
    "task/spawn_join_each", "task/spawn_1000_join_1000", "task/spawn_detached",   "task/yield",
    "task/notify_ready",    "task/sleep_cancel",         "task/waker_clone_drop",
};

static void run(gbench_t *b, void *arg) {
    static root_t    zero;
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_runtime_t *rt;
    config.flavor = TMLRT_FLAVOR_CURRENT_THREAD;
    config.watchdog_ms = UINT32_MAX;
    if (tmlrt_runtime_create(&rt, &config) != TMLRT_OK) return gbench_fail(b, "create");
    while (gbench_batch(b, BATCH))
        if (tmlrt_runtime_block_on(rt, arg, &zero, NULL, NULL) != TMLRT_OK) gbench_fail(b, "run");
    tmlrt_runtime_destroy(rt);
}

void micro_task(void) {
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++)
        gbench_add(names[i], run, (void *)(uintptr_t)&types[i]);
}
