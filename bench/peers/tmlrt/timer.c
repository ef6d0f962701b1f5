/* SPDX-License-Identifier: MIT */
/* timer.c: creating and cancelling many timers; the lateness of many sleeps. */
#include "work.h"

typedef struct {
    int64_t create, cancel, both;
} timer_result_t;

typedef struct {
    long            n;
    tmlrt_op_t     *ops;
    timer_result_t *out;
} many_t;

/* 10 to 70 s ahead: none fires. */
static int64_t timer_ns(uint64_t *seed) {
    return (int64_t)(10000 + peer_rand(seed) % 60000) * TMLRT_MS;
}

static int32_t timer_poll(void *state, tmlrt_cx_t *cx, void *result) {
    many_t  *s = state;
    uint64_t seed = PEER_SEED;
    (void)result;
    int64_t t0 = peer_now();
    for (long i = 0; i < s->n; i++) {
        tmlrt_op_sleep(&s->ops[i], NULL, timer_ns(&seed));
        if (tmlrt_op_poll(&s->ops[i], cx) != TMLRT_PENDING) peer_die("fired");
    }
    int64_t t1 = peer_now();
    for (long i = 0; i < s->n; i++) {
        tmlrt_op_cancel(&s->ops[i]);
        if (tmlrt_op_poll(&s->ops[i], cx) != TMLRT_READY) peer_die("not cancelled");
    }
    int64_t t2 = peer_now();
    for (long i = 0; i < s->n; i++) {
        tmlrt_op_sleep(&s->ops[0], NULL, timer_ns(&seed));
        if (tmlrt_op_poll(&s->ops[0], cx) != TMLRT_PENDING) peer_die("fired");
        tmlrt_op_cancel(&s->ops[0]);
        if (tmlrt_op_poll(&s->ops[0], cx) != TMLRT_READY) peer_die("not cancelled");
    }
    *s->out = (timer_result_t){t1 - t0, t2 - t1, peer_now() - t2};
    return TMLRT_READY;
}

static const tmlrt_task_type_t timer_type = TMLRT_TASK_TYPE(many_t, timer_poll, NULL);

void work_timer(const peer_args_t *a) {
    timer_result_t   r;
    many_t           s = {.n = work_n(a, 1000000), .out = &r};
    tmlrt_runtime_t *rt = work_runtime(a);
    s.ops = calloc((size_t)s.n, sizeof *s.ops);
    work_time(a, rt, &timer_type, &s, NULL);
    peer_emit(a, "timer_create", (double)r.create / (double)s.n, "ns");
    peer_emit(a, "timer_cancel", (double)r.cancel / (double)s.n, "ns");
    peer_emit(a, "timer_create_cancel", (double)r.both / (double)s.n, "ns");
    work_end(rt);
    free(s.ops);
}

typedef struct {
    TMLRT_FRAME;
    uint32_t   ms;
    int64_t    until;
    int64_t   *late;
    tmlrt_op_t op;
} sleeper_t;

static int32_t sleeper_poll(void *state, tmlrt_cx_t *cx, void *result) {
    sleeper_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    s->until = peer_now() + (int64_t)s->ms * TMLRT_MS;
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_sleep(&s->op, NULL, (int64_t)s->ms * TMLRT_MS));
    *s->late = peer_now() - s->until;
    TMLRT_END(s);
}

static const tmlrt_task_type_t sleeper_type = TMLRT_TASK_TYPE(sleeper_t, sleeper_poll, NULL);

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t     op;
    long           n, i;
    int64_t       *late;
    tmlrt_task_t **task;
} sleeps_t;

static int32_t sleeps_poll(void *state, tmlrt_cx_t *cx, void *result) {
    sleeps_t *s = state;
    uint64_t  seed = PEER_SEED;
    (void)result;
    TMLRT_BEGIN(s);
    for (s->i = 0; s->i < s->n; s->i++) {
        sleeper_t t = {.ms = 1 + (uint32_t)(peer_rand(&seed) % 1000), .late = &s->late[s->i]};
        work_check(tmlrt_spawn(NULL, &sleeper_type, &t, NULL, &s->task[s->i]), "spawn");
    }
    for (s->i = 0; s->i < s->n; s->i++) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_join(&s->op, s->task[s->i], NULL));
        tmlrt_task_release(s->task[s->i]);
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t sleeps_type = TMLRT_TASK_TYPE(sleeps_t, sleeps_poll, NULL);

void work_sleeps(const peer_args_t *a) {
    sleeps_t         s = {.n = work_n(a, 100000)};
    tmlrt_runtime_t *rt = work_runtime(a);
    s.late = calloc((size_t)s.n, sizeof *s.late);
    s.task = calloc((size_t)s.n, sizeof(tmlrt_task_t *));
    double cpu = peer_cpu_seconds();
    work_check(tmlrt_runtime_block_on(rt, &sleeps_type, &s, NULL, NULL), "block_on");
    cpu = peer_cpu_seconds() - cpu;
    peer_emit_latency(a, "sleeps", s.late, s.n, 1e6, "ms", cpu);
    work_end(rt);
    free(s.late);
    free(s.task);
}
