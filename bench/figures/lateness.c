/* SPDX-License-Identifier: MIT */
/*
 * lateness.c: how late timers are, and that none is early.
 *
 * 100,000 tasks sleep until a random time 1 to 1,000 ms ahead: first with nothing else to do, then
 * with every worker busy with tasks that compute for about 20 us and yield. Then 1,000 tasks sleep
 * 1,000 times each, 0 to 1 ms, and every end is compared with the clock. Promise: none is early.
 */
#include <stdio.h>

#include "figure.h"

enum { SLEEPS = 100000, SHORT_TASKS = 1000, SHORT_EACH = 1000, BUSY_EACH = 4 };
#define LEAD_NS (500 * TMLRT_MS) /* until all tasks have been spawned */
#define WORK_NS (20 * TMLRT_US)

static figure_samples_t late;
static atomic_int       stop;
static int64_t          base;

static void spin(int64_t ns) {
    int64_t end = tmlrt_now(NULL) + ns;
    while (tmlrt_now(NULL) < end) {
    }
}

/* ---- one sleep ------------------------------------------------------------------------------ */

typedef struct sleeper {
    TMLRT_FRAME;
    tmlrt_op_t op;
    int64_t    until;
} sleeper_t;

static int32_t sleeper_poll(void *state, tmlrt_cx_t *cx, void *result) {
    sleeper_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_sleep_until(&s->op, NULL, s->until));
    figure_add(&late, tmlrt_now(NULL) - s->until);
    TMLRT_END(s);
}

static const tmlrt_task_type_t sleeper_type = TMLRT_TASK_TYPE(sleeper_t, sleeper_poll, NULL);

static void spawn_sleepers(tmlrt_runtime_t *rt) {
    uint64_t seed = 1;
    base = tmlrt_now(rt) + LEAD_NS;
    for (int i = 0; i < SLEEPS; i++) {
        sleeper_t sleeper = {.op = TMLRT_OP_INIT};
        sleeper.until =
            base + TMLRT_MS + (int64_t)(figure_random(&seed) % (uint64_t)(999 * TMLRT_MS));
        figure_check(tmlrt_spawn(rt, &sleeper_type, &sleeper, NULL, NULL), "spawn");
    }
    if (tmlrt_now(rt) > base)
        figure_note("(the machine is slow: spawning took longer than planned)");
}

/* ---- many short sleeps ---------------------------------------------------------------------- */

typedef struct napper {
    TMLRT_FRAME;
    tmlrt_op_t op;
    uint64_t   seed;
    int64_t    until, ns;
    int        i;
} napper_t;

static int32_t napper_poll(void *state, tmlrt_cx_t *cx, void *result) {
    napper_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (s->i = 0; s->i < SHORT_EACH; s->i++) {
        s->ns = (int64_t)(figure_random(&s->seed) % (uint64_t)TMLRT_MS);
        s->until = tmlrt_now(NULL) + s->ns;
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_sleep(&s->op, NULL, s->ns));
        figure_add(&late, tmlrt_now(NULL) - s->until);
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t napper_type = TMLRT_TASK_TYPE(napper_t, napper_poll, NULL);

static void spawn_nappers(tmlrt_runtime_t *rt) {
    for (int i = 0; i < SHORT_TASKS; i++) {
        napper_t napper = {.op = TMLRT_OP_INIT, .seed = (uint64_t)i + 1};
        figure_check(tmlrt_spawn(rt, &napper_type, &napper, NULL, NULL), "spawn");
    }
}

/* ---- the load ------------------------------------------------------------------------------- */

typedef struct busy {
    TMLRT_FRAME;
    tmlrt_op_t op;
} busy_t;

static int32_t busy_poll(void *state, tmlrt_cx_t *cx, void *result) {
    busy_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    while (atomic_load(&stop) == 0) {
        spin(WORK_NS);
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_yield(&s->op));
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t busy_type = TMLRT_TASK_TYPE(busy_t, busy_poll, NULL);

static void spawn_busy(tmlrt_runtime_t *rt, int each) {
    int workers = (int)figure_check(tmlrt_runtime_workers(rt), "workers");
    for (int i = 0; i < workers * each; i++) {
        busy_t busy = {.op = TMLRT_OP_INIT};
        figure_check(tmlrt_spawn(rt, &busy_type, &busy, NULL, NULL), "spawn");
    }
}

/* ---- runs ----------------------------------------------------------------------------------- */

static void run(const char *what, void (*spawn)(tmlrt_runtime_t *rt), size_t sleeps,
                int busy_each) {
    tmlrt_runtime_t *rt = NULL;
    tmlrt_config_t   config = figure_config(0);
    figure_samples_make(&late, sleeps);
    atomic_store(&stop, 0);
    figure_check(tmlrt_runtime_create(&rt, &config), "create");
    spawn_busy(rt, busy_each);
    spawn(rt);
    int64_t patience = tmlrt_now(rt) + 30 * TMLRT_S;
    while (figure_count(&late) < sleeps && tmlrt_now(rt) < patience)
        figure_check(tmlrt_sleep(20 * TMLRT_MS), "sleep");
    atomic_store(&stop, 1);
    figure_end_runtime(rt);
    figure_time_row(what, &late);
    figure_promise(figure_count(&late) == sleeps, "all ended");
    figure_promise(figure_at(&late, 0) >= 0, "none was early");
    figure_samples_free(&late);
}

int main(void) {
    char text[64];
    figure_title("lateness: how long after its time a sleep's task runs, %d workers",
                 figure_cpus());
    figure_head("");
    run("1 to 1,000 ms, idle machine", spawn_sleepers, SLEEPS, 0);
    snprintf(text, sizeof text, "1 to 1,000 ms, %d busy tasks a worker", BUSY_EACH);
    run(text, spawn_sleepers, SLEEPS, BUSY_EACH);
    run("0 to 1 ms, 1,000 tasks at a time", spawn_nappers, (size_t)SHORT_TASKS * SHORT_EACH, 0);
    return figure_status();
}
