/* SPDX-License-Identifier: MIT */
/* cpu.c: a fixed number of CPU-bound tasks; the suite compares one worker with all. */
#include "work.h"

typedef struct {
    uint64_t seed;
    int      rounds;
} burn_t;

static int32_t burn_poll(void *state, tmlrt_cx_t *cx, void *result) {
    burn_t *s = state;
    (void)cx;
    *(uint64_t *)result = peer_burn(s->seed, s->rounds);
    return TMLRT_READY;
}

static const tmlrt_task_type_t burn_type =
    TMLRT_TASK_TYPE_RESULT(burn_t, uint64_t, burn_poll, NULL);

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t    op;
    int           i, rounds;
    uint64_t      part, sum;
    tmlrt_task_t *task[PEER_BURN_TASKS];
} cpu_t;

static int32_t cpu_poll(void *state, tmlrt_cx_t *cx, void *result) {
    cpu_t *s = state;
    TMLRT_BEGIN(s);
    for (s->i = 0; s->i < PEER_BURN_TASKS; s->i++) {
        burn_t b = {PEER_SEED + (uint64_t)s->i, s->rounds};
        work_check(tmlrt_spawn(NULL, &burn_type, &b, NULL, &s->task[s->i]), "spawn");
    }
    for (s->i = 0; s->i < PEER_BURN_TASKS; s->i++) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_join(&s->op, s->task[s->i], &s->part));
        s->sum ^= s->part;
        tmlrt_task_release(s->task[s->i]);
    }
    *(uint64_t *)result = s->sum;
    TMLRT_END(s);
}

static const tmlrt_task_type_t cpu_type = TMLRT_TASK_TYPE_RESULT(cpu_t, uint64_t, cpu_poll, NULL);

void work_cpu(const peer_args_t *a) {
    uint64_t         result = 0;
    cpu_t            s = {.rounds = (int)work_n(a, PEER_BURN_ROUNDS)};
    tmlrt_runtime_t *rt = work_runtime(a);
    int64_t          ns = work_time(a, rt, &cpu_type, &s, &result);
    if (result == 0) peer_die("cpu: no result");
    peer_emit(a, "cpu", (double)ns / 1e6, "ms");
    work_end(rt);
}
