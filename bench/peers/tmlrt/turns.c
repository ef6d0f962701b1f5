/* SPDX-License-Identifier: MIT */
/* turns.c: tasks that take turns: yield, and ping-pong between two over a notify each way. */
#include "work.h"

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t op;
    long       left;
} yielder_t;

static int32_t yielder_poll(void *state, tmlrt_cx_t *cx, void *result) {
    yielder_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (; s->left > 0; s->left--)
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_yield(&s->op));
    TMLRT_END(s);
}

static const tmlrt_task_type_t yielder_type = TMLRT_TASK_TYPE(yielder_t, yielder_poll, NULL);

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t    op;
    int           tasks, i;
    long          each;
    tmlrt_task_t *task[1000];
} yield_root_t;

static int32_t yield_root_poll(void *state, tmlrt_cx_t *cx, void *result) {
    yield_root_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (s->i = 0; s->i < s->tasks; s->i++) {
        yielder_t y = {.left = s->each};
        work_check(tmlrt_spawn(NULL, &yielder_type, &y, NULL, &s->task[s->i]), "spawn");
    }
    for (s->i = 0; s->i < s->tasks; s->i++) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_join(&s->op, s->task[s->i], NULL));
        tmlrt_task_release(s->task[s->i]);
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t yield_root_type =
    TMLRT_TASK_TYPE(yield_root_t, yield_root_poll, NULL);

void work_yield(const peer_args_t *a, int tasks) {
    long             n = work_n(a, 1000000);
    yield_root_t    *s = calloc(1, sizeof *s);
    tmlrt_runtime_t *rt = work_runtime(a);
    s->tasks = tasks;
    s->each = n / tasks;
    int64_t ns = work_time(a, rt, &yield_root_type, s, NULL);
    peer_emit(a, a->work, (double)ns / (double)(s->each * tasks), "ns");
    work_end(rt);
    free(s);
}

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t      op;
    tmlrt_notify_t *mine, *other;
    int             serves;
    long            left;
} player_t;

static int32_t player_poll(void *state, tmlrt_cx_t *cx, void *result) {
    player_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (; s->left > 0; s->left--) {
        if (s->serves) tmlrt_notify_one(s->other);
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_notified(&s->op, s->mine));
        if (!s->serves) tmlrt_notify_one(s->other);
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t player_type = TMLRT_TASK_TYPE(player_t, player_poll, NULL);

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t     op;
    tmlrt_notify_t ping, pong;
    tmlrt_task_t  *a, *b;
    long           n;
} match_t;

static int32_t match_poll(void *state, tmlrt_cx_t *cx, void *result) {
    match_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    player_t a = {.mine = &s->pong, .other = &s->ping, .serves = 1, .left = s->n};
    player_t b = {.mine = &s->ping, .other = &s->pong, .serves = 0, .left = s->n};
    work_check(tmlrt_spawn(NULL, &player_type, &b, NULL, &s->b), "spawn");
    work_check(tmlrt_spawn(NULL, &player_type, &a, NULL, &s->a), "spawn");
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_join(&s->op, s->a, NULL));
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_join(&s->op, s->b, NULL));
    tmlrt_task_release(s->a);
    tmlrt_task_release(s->b);
    TMLRT_END(s);
}

static const tmlrt_task_type_t match_type = TMLRT_TASK_TYPE(match_t, match_poll, NULL);

void work_pingpong(const peer_args_t *a) {
    match_t s = {.n = work_n(a, 1000000), .ping = TMLRT_NOTIFY_INIT, .pong = TMLRT_NOTIFY_INIT};
    tmlrt_runtime_t *rt = work_runtime(a);
    int64_t          ns = work_time(a, rt, &match_type, &s, NULL);
    peer_emit(a, "pingpong", (double)ns / (double)s.n, "ns");
    work_end(rt);
}
