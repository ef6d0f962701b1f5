/* SPDX-License-Identifier: MIT */
/*
 * memory.c: resident bytes a detached task that sleeps (its sleep included), or that is parked on
 * a clone of its own waker.
 */
#include <stdatomic.h>

#include "work.h"

static _Atomic long memory_started;

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t op;
} asleep_t;

static int32_t asleep_poll(void *state, tmlrt_cx_t *cx, void *result) {
    asleep_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    atomic_fetch_add_explicit(&memory_started, 1, memory_order_relaxed);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_sleep(&s->op, NULL, 1000 * TMLRT_S));
    TMLRT_END(s);
}

static const tmlrt_task_type_t asleep_type = TMLRT_TASK_TYPE(asleep_t, asleep_poll, NULL);

typedef struct {
    tmlrt_waker_t waker;
} parked_t;

static int32_t parked_poll(void *state, tmlrt_cx_t *cx, void *result) {
    parked_t *s = state;
    (void)result;
    if (s->waker.vtable == NULL) {
        work_check(tmlrt_waker_clone(cx->waker, &s->waker), "clone");
        atomic_fetch_add_explicit(&memory_started, 1, memory_order_relaxed);
    }
    return TMLRT_PENDING;
}

static void parked_drop(void *state) {
    tmlrt_waker_drop(&((parked_t *)state)->waker);
}

static const tmlrt_task_type_t parked_type = TMLRT_TASK_TYPE(parked_t, parked_poll, parked_drop);

typedef struct {
    long n;
    int  sleeping;
} memory_t;

static int32_t memory_poll(void *state, tmlrt_cx_t *cx, void *result) {
    memory_t *s = state;
    asleep_t  asleep = {0};
    parked_t  parked = {{NULL, NULL}};
    (void)cx;
    (void)result;
    for (long i = 0; i < s->n; i++)
        work_check(tmlrt_spawn(NULL, s->sleeping ? &asleep_type : &parked_type,
                               s->sleeping ? (void *)&asleep : (void *)&parked, NULL, NULL),
                   "spawn");
    return TMLRT_READY;
}

static const tmlrt_task_type_t memory_type = TMLRT_TASK_TYPE(memory_t, memory_poll, NULL);

static void memory_add(tmlrt_runtime_t *rt, long n, int sleeping) {
    memory_t s = {n, sleeping};
    long     before = atomic_load(&memory_started);
    work_check(tmlrt_runtime_block_on(rt, &memory_type, &s, NULL, NULL), "block_on");
    while (atomic_load(&memory_started) < before + n)
        peer_sleep(10000000);
}

void work_memory(const peer_args_t *a, int sleeping) {
    long             n = work_n(a, 200000);
    tmlrt_runtime_t *rt = work_runtime(a);
    memory_add(rt, 100, sleeping); /* what is set up once */
    int64_t before = peer_resident();
    memory_add(rt, n, sleeping);
    peer_emit(a, a->work, (double)(peer_resident() - before) / (double)n, "bytes");
    fflush(stdout);
    _exit(0); /* the tasks end with the process, in every peer */
}
