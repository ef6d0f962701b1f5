/* SPDX-License-Identifier: MIT */
/*
 * unit.h: a task type for tests. A unit is a state with room for what a test needs and a body of
 * the test's own; it counts what happens to it, and aborts the test when it is polled or dropped
 * after its drop.
 */
#ifndef TESTS_SUPPORT_UNIT_H
#define TESTS_SUPPORT_UNIT_H

#include <stdatomic.h>
#include <stdint.h>

#include <tmlrt.h>

#include "threads.h"

/* What happened to the units of one test. */
typedef struct tally {
    atomic_int polls, ready, drops;
} tally_t;

typedef struct unit unit_t;
typedef int32_t (*unit_body_t)(unit_t *u, tmlrt_cx_t *cx);

struct unit {
    TMLRT_FRAME;
    uint32_t    magic;
    tally_t    *tally;
    unit_body_t body;
    void (*on_drop)(unit_t *u); /* or NULL */
    void         *arg;          /* the test's */
    int64_t       n, i, got;    /* the body's */
    int64_t       value;        /* becomes the result */
    tmlrt_task_t *child;
    tmlrt_op_t    op, op2, op3;
    tmlrt_op_t   *ops[3];
};

/* The result is an int64_t. */
extern const tmlrt_task_type_t unit_type;

/* How often drop_result ended the result of a unit. */
extern atomic_int unit_result_drops;

/* An unspawned unit. */
unit_t unit_of(tally_t *tally, unit_body_t body, void *arg);

/* Spawns one; aborts the test when that fails. NULL for what is not wanted. */
tmlrt_task_t *unit_spawn(tmlrt_runtime_t *rt, tally_t *tally, unit_body_t body, void *arg);
tmlrt_task_t *unit_spawn_with(tmlrt_runtime_t *rt, tally_t *tally, unit_body_t body, void *arg,
                              const tmlrt_task_options_t *options);

/* Runs one by block_on; its result, or the error. */
int64_t unit_run(tmlrt_runtime_t *rt, tally_t *tally, unit_body_t body, void *arg);

/* Bodies. */
int32_t body_ready(unit_t *u, tmlrt_cx_t *cx);         /* READY at once */
int32_t body_never(unit_t *u, tmlrt_cx_t *cx);         /* PENDING, with nobody to wake it */
int32_t body_sleep_forever(unit_t *u, tmlrt_cx_t *cx); /* waits for a timer years ahead */
int32_t body_yield_n(unit_t *u, tmlrt_cx_t *cx);       /* yields *(int *)arg times */
int32_t body_yield_until(unit_t *u, tmlrt_cx_t *cx);   /* yields until *(atomic_int *)arg */

/* Makes runtimes; aborts the test when that fails. */
tmlrt_runtime_t *runtime_multi(uint32_t workers);
tmlrt_runtime_t *runtime_current_thread(void);
tmlrt_runtime_t *runtime_virtual(void); /* current-thread with the virtual clock */

/* Fixtures of a group: the process's default runtime has two workers; and ends. */
int default_runtime_of_two(void **state);
int default_runtime_end(void **state);

/* What a replayed runtime has done so far. */
tmlrt_replay_t trace_of(tmlrt_runtime_t *rt);

/* The sum of a counter over the workers of `rt`. */
#define stats_sum(rt, field) stats__sum(rt, offsetof(tmlrt_worker_stats_t, field))
uint64_t stats__sum(tmlrt_runtime_t *rt, size_t offset);

#endif
