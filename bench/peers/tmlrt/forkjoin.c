/* SPDX-License-Identifier: MIT */
/*
 * forkjoin.c: fib(30) with one spawn and one join a call, and skynet.
 *
 * fib(n) spawns fib(n-1), goes on with fib(n-2) itself, and joins on the way back. The inline half
 * of a recursion is a loop here, with the children on a small stack in the state: the same
 * spawns and joins in the same order as the recursion has.
 */
#include "work.h"

enum { FIB_DEPTH = 20 };

typedef struct {
    TMLRT_FRAME;
    int32_t       n, depth;
    uint64_t      sum, part;
    tmlrt_op_t    op;
    tmlrt_task_t *child[FIB_DEPTH];
} fib_t;

static int32_t                 fib_poll(void *state, tmlrt_cx_t *cx, void *result);
static const tmlrt_task_type_t fib_type = TMLRT_TASK_TYPE_RESULT(fib_t, uint64_t, fib_poll, NULL);

static void fib_spawn(int32_t n, tmlrt_task_t **task) {
    work_check(tmlrt_task_new(NULL, &fib_type, NULL, task), "new");
    fib_t *s = tmlrt_task_state(*task);
    s->resume_point_ = 0;
    s->n = n;
    memset(&s->op, 0, sizeof s->op);
    work_check(tmlrt_task_start(*task), "start");
}

static int32_t fib_poll(void *state, tmlrt_cx_t *cx, void *result) {
    fib_t *s = state;
    TMLRT_BEGIN(s);
    for (s->depth = 0; s->n >= 2; s->n -= 2)
        fib_spawn(s->n - 1, &s->child[s->depth++]);
    s->sum = (uint64_t)s->n;
    while (s->depth > 0) {
        s->depth--;
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_join(&s->op, s->child[s->depth], &s->part));
        s->sum += s->part;
        tmlrt_task_release(s->child[s->depth]);
    }
    *(uint64_t *)result = s->sum;
    TMLRT_END(s);
}

void work_fib(const peer_args_t *a) {
    uint64_t result = 0;
    fib_t    s = {.n = (int32_t)work_n(a, 30)};
    if (s.n > 2 * FIB_DEPTH) peer_die("fib: too large");
    tmlrt_runtime_t *rt = work_runtime(a);
    int64_t          ns = work_time(a, rt, &fib_type, &s, &result);
    if (s.n == 30 && result != 832040) peer_die("fib: wrong result");
    peer_emit(a, "fib", (double)ns / 1e6, "ms");
    work_end(rt);
}

typedef struct {
    TMLRT_FRAME;
    int32_t       i;
    uint64_t      num, size, sum, part;
    tmlrt_op_t    op;
    tmlrt_task_t *child[10];
} sky_t;

static int32_t                 sky_poll(void *state, tmlrt_cx_t *cx, void *result);
static const tmlrt_task_type_t sky_type = TMLRT_TASK_TYPE_RESULT(sky_t, uint64_t, sky_poll, NULL);

/* A leaf needs no more than its number. */
static int32_t leaf_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)cx;
    *(uint64_t *)result = *(uint64_t *)state;
    return TMLRT_READY;
}
static const tmlrt_task_type_t leaf_type =
    TMLRT_TASK_TYPE_RESULT(uint64_t, uint64_t, leaf_poll, NULL);

static void sky_spawn(uint64_t num, uint64_t size, tmlrt_task_t **task) {
    if (size == 1) {
        work_check(tmlrt_spawn(NULL, &leaf_type, &num, NULL, task), "spawn");
        return;
    }
    sky_t s = {.num = num, .size = size};
    work_check(tmlrt_spawn(NULL, &sky_type, &s, NULL, task), "spawn");
}

static int32_t sky_poll(void *state, tmlrt_cx_t *cx, void *result) {
    sky_t *s = state;
    TMLRT_BEGIN(s);
    for (s->i = 0; s->i < 10; s->i++)
        sky_spawn(s->num + (uint64_t)s->i * (s->size / 10), s->size / 10, &s->child[s->i]);
    while (s->i > 0) {
        s->i--;
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_join(&s->op, s->child[s->i], &s->part));
        s->sum += s->part;
        tmlrt_task_release(s->child[s->i]);
    }
    *(uint64_t *)result = s->sum;
    TMLRT_END(s);
}

void work_skynet(const peer_args_t *a) {
    uint64_t         result = 0, n = (uint64_t)work_n(a, 1000000);
    sky_t            s = {.size = n};
    tmlrt_runtime_t *rt = work_runtime(a);
    int64_t          ns = work_time(a, rt, &sky_type, &s, &result);
    if (result != n * (n - 1) / 2) peer_die("skynet: wrong result");
    peer_emit(a, "skynet", (double)ns / 1e6, "ms");
    work_end(rt);
}
