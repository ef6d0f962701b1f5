/* SPDX-License-Identifier: MIT */
/*
 * scale.c: computing tasks on 1 to N workers: how much faster, and how much of each worker is used.
 *
 * Three shapes of the same kind of work (a fixed number of steps, so that waiting shows): 800 tasks
 * of about 1 ms spawned by one task; 100,000 of about 5 us spawned by one task; a tree of 65,536
 * leaves of about 5 us, in which each inner task spawns one half, runs the other itself and joins.
 * Efficiency is time with 1 worker / (workers x time with that many); the best of 3 runs counts.
 * The plain loop is the same work without a runtime. Nothing is promised.
 */
#include <stdio.h>

#include "figure.h"

enum { REPEATS = 3, LEVELS = 16 };

static int64_t          step_units; /* rounds of the generator that take about 1 us */
static _Atomic uint64_t sink;

static void compute(int64_t us) {
    uint64_t seed = 88172645463325252u;
    for (int64_t i = us * step_units; i > 0; i--)
        figure_random(&seed);
    if (seed == 0) atomic_fetch_add(&sink, 1); /* never: keeps the loop */
}

static void calibrate(void) {
    int64_t best = INT64_MAX;
    step_units = 1000;
    for (int i = 0; i < 20; i++) {
        int64_t begin = tmlrt_now(NULL);
        compute(1000);
        int64_t took = tmlrt_now(NULL) - begin;
        if (took < best) best = took;
    }
    step_units = step_units * TMLRT_MS / best;
}

/* ---- tasks of equal size -------------------------------------------------------------------- */

static atomic_int     left;
static tmlrt_notify_t all_done = TMLRT_NOTIFY_INIT;

typedef struct unit {
    int64_t us;
} unit_t;

static int32_t unit_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)cx, (void)result;
    compute(((const unit_t *)state)->us);
    if (atomic_fetch_sub(&left, 1) == 1) figure_check(tmlrt_notify_one(&all_done), "notify");
    return TMLRT_READY;
}

static const tmlrt_task_type_t unit_type = TMLRT_TASK_TYPE(unit_t, unit_poll, NULL);

typedef struct flat {
    TMLRT_FRAME;
    tmlrt_op_t op;
    int        tasks;
    unit_t     unit;
} flat_t;

static int32_t flat_poll(void *state, tmlrt_cx_t *cx, void *result) {
    flat_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    atomic_store(&left, s->tasks);
    for (int i = 0; i < s->tasks; i++)
        figure_check(tmlrt_spawn(NULL, &unit_type, &s->unit, NULL, NULL), "spawn");
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_notified(&s->op, &all_done));
    TMLRT_END(s);
}

static const tmlrt_task_type_t flat_type = TMLRT_TASK_TYPE(flat_t, flat_poll, NULL);

/* ---- a tree --------------------------------------------------------------------------------- */

typedef struct tree {
    TMLRT_FRAME;
    tmlrt_op_t    op;
    int           level;
    int64_t       us;
    tmlrt_task_t *left, *right;
} tree_t;

static int32_t tree_poll(void *state, tmlrt_cx_t *cx, void *result);
static void    tree_drop(void *state);

static const tmlrt_task_type_t tree_type = TMLRT_TASK_TYPE(tree_t, tree_poll, tree_drop);

static void tree_split(tree_t *s) {
    tree_t half = {.level = s->level - 1, .us = s->us};
    figure_check(tmlrt_spawn(NULL, &tree_type, &half, NULL, &s->left), "spawn");
    figure_check(tmlrt_spawn(NULL, &tree_type, &half, NULL, &s->right), "spawn");
}

/* The half that was spawned last is joined first: it is the newest and runs in place. */
static int32_t tree_poll(void *state, tmlrt_cx_t *cx, void *result) {
    tree_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    if (s->level == 0) {
        compute(s->us);
        TMLRT_RETURN(s);
    }
    tree_split(s);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_join(&s->op, s->right, NULL));
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_join(&s->op, s->left, NULL));
    TMLRT_END(s);
}

static void tree_drop(void *state) {
    tree_t *s = state;
    tmlrt_task_release(s->left);
    tmlrt_task_release(s->right);
}

/* ---- runs ----------------------------------------------------------------------------------- */

typedef struct shape {
    const char              *text;
    const tmlrt_task_type_t *type;
    const void              *root;
    int                      tasks; /* that compute */
    int64_t                  us;    /* each */
} shape_t;

static int64_t time_plain(const shape_t *shape) {
    int64_t begin = tmlrt_now(NULL);
    for (int i = 0; i < shape->tasks; i++)
        compute(shape->us);
    return tmlrt_now(NULL) - begin;
}

static int64_t time_tasks(const shape_t *shape, int workers) {
    tmlrt_runtime_t *rt = NULL;
    tmlrt_config_t   config = figure_config((uint32_t)workers);
    int64_t          best = INT64_MAX;
    figure_check(tmlrt_runtime_create(&rt, &config), "create");
    for (int i = 0; i < REPEATS; i++) {
        int64_t begin = tmlrt_now(NULL);
        figure_check(tmlrt_runtime_block_on(rt, shape->type, shape->root, NULL, NULL), "block_on");
        int64_t took = tmlrt_now(NULL) - begin;
        if (took < best) best = took;
    }
    figure_end_runtime(rt);
    return best;
}

/* 1, 2, 4, ... and the last. */
static int next_count(int workers, int cpus) {
    return workers < cpus && 2 * workers > cpus ? cpus : 2 * workers;
}

static void run(const shape_t *shape, int cpus) {
    char    text[32];
    int64_t plain = INT64_MAX, one = 0;
    for (int i = 0; i < REPEATS; i++) {
        int64_t took = time_plain(shape);
        if (took < plain) plain = took;
    }
    printf("  %-36s %10s %10s %12s %18s\n", shape->text, "time", "speed-up", "efficiency",
           "cost a task");
    printf("    %-34s %10s\n", "plain loop", figure_time_text(text, plain));
    for (int workers = 1; workers <= cpus; workers = next_count(workers, cpus)) {
        char    name[32], cost[32];
        int64_t took = time_tasks(shape, workers);
        if (workers == 1) one = took;
        snprintf(name, sizeof name, "%d worker%s", workers, workers == 1 ? "" : "s");
        figure_time_text(cost, (took * workers - plain) / shape->tasks);
        printf("    %-34s %10s %9.2fx %11.0f%% %18s\n", name, figure_time_text(text, took),
               (double)one / (double)took, 100.0 * (double)one / ((double)took * workers), cost);
        fflush(stdout);
    }
}

int main(void) {
    static const flat_t large = {.tasks = 800, .unit = {1000}};
    static const flat_t small = {.tasks = 100000, .unit = {5}};
    static const tree_t tree = {.level = LEVELS, .us = 5};
    const shape_t       shapes[] = {
              {"800 tasks of 1 ms", &flat_type, &large, large.tasks, large.unit.us},
              {"100,000 tasks of 5 us", &flat_type, &small, small.tasks, small.unit.us},
              {"a tree, 65,536 leaves of 5 us", &tree_type, &tree, 1 << LEVELS, tree.us}};
    int cpus = figure_cpus();
    calibrate();
    figure_title("scale: computing tasks on 1 to %d workers (cost: time x workers - plain loop)",
                 cpus);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        run(&shapes[i], cpus);
    return figure_status();
}
