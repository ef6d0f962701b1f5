/* SPDX-License-Identifier: MIT */
/*
 * unit.c: see unit.h.
 */
#include "unit.h"

#include <string.h>

#define UNIT__LIVE 0x11ffe11eu
#define UNIT__DEAD 0xdeadbeefu

static int32_t unit__poll(void *state, tmlrt_cx_t *cx, void *result) {
    unit_t *u = state;
    require(u->magic == UNIT__LIVE);
    atomic_fetch_add(&u->tally->polls, 1);
    int32_t r = u->body(u, cx);
    if (r == TMLRT_READY) {
        *(int64_t *)result = u->value;
        atomic_fetch_add(&u->tally->ready, 1);
    }
    return r;
}

atomic_int unit_result_drops;

static void unit__drop(void *state) {
    unit_t *u = state;
    require(u->magic == UNIT__LIVE);
    u->magic = UNIT__DEAD;
    if (u->on_drop != NULL) u->on_drop(u);
    atomic_fetch_add(&u->tally->drops, 1);
}

static void unit__drop_result(void *result) {
    (void)result;
    atomic_fetch_add(&unit_result_drops, 1);
}

const tmlrt_task_type_t unit_type = {
    .struct_size = sizeof(tmlrt_task_type_t),
    .name = "unit",
    .state_size = sizeof(unit_t),
    .state_align = _Alignof(unit_t),
    .result_size = sizeof(int64_t),
    .result_align = _Alignof(int64_t),
    .poll = unit__poll,
    .drop = unit__drop,
    .drop_result = unit__drop_result,
};

unit_t unit_of(tally_t *tally, unit_body_t body, void *arg) {
    unit_t u;
    memset(&u, 0, sizeof u);
    u.magic = UNIT__LIVE;
    u.tally = tally;
    u.body = body;
    u.arg = arg;
    return u;
}

tmlrt_task_t *unit_spawn_with(tmlrt_runtime_t *rt, tally_t *tally, unit_body_t body, void *arg,
                              const tmlrt_task_options_t *options) {
    unit_t        u = unit_of(tally, body, arg);
    tmlrt_task_t *task = NULL;
    require(tmlrt_spawn(rt, &unit_type, &u, options, &task) == TMLRT_OK);
    return task;
}

tmlrt_task_t *unit_spawn(tmlrt_runtime_t *rt, tally_t *tally, unit_body_t body, void *arg) {
    return unit_spawn_with(rt, tally, body, arg, NULL);
}

int64_t unit_run(tmlrt_runtime_t *rt, tally_t *tally, unit_body_t body, void *arg) {
    unit_t  u = unit_of(tally, body, arg);
    int64_t result = 0;
    int     e = tmlrt_runtime_block_on(rt, &unit_type, &u, NULL, &result);
    return e != TMLRT_OK ? e : result;
}

/* ---- bodies ---------------------------------------------------------------------------------- */

int32_t body_ready(unit_t *u, tmlrt_cx_t *cx) {
    (void)u, (void)cx;
    return TMLRT_READY;
}

int32_t body_never(unit_t *u, tmlrt_cx_t *cx) {
    (void)u, (void)cx;
    return TMLRT_PENDING;
}

int32_t body_sleep_forever(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep(&u->op, NULL, 1000000 * TMLRT_S));
    TMLRT_END(u);
}

int32_t body_yield_n(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    for (u->n = 0; u->n < *(int *)u->arg; u->n++)
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
    TMLRT_END(u);
}

int32_t body_yield_until(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    while (atomic_load((atomic_int *)u->arg) == 0)
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
    TMLRT_END(u);
}

/* ---- runtimes -------------------------------------------------------------------------------- */

static tmlrt_runtime_t *runtime__make(const tmlrt_config_t *config) {
    tmlrt_runtime_t *rt = NULL;
    require(tmlrt_runtime_create(&rt, config) == TMLRT_OK);
    return rt;
}

tmlrt_runtime_t *runtime_multi(uint32_t workers) {
    tmlrt_config_t config = TMLRT_CONFIG_INIT;
    config.flavor = TMLRT_FLAVOR_MULTI_THREAD;
    config.workers = workers;
    return runtime__make(&config);
}

tmlrt_runtime_t *runtime_current_thread(void) {
    tmlrt_config_t config = TMLRT_CONFIG_INIT;
    config.flavor = TMLRT_FLAVOR_CURRENT_THREAD;
    return runtime__make(&config);
}

tmlrt_runtime_t *runtime_virtual(void) {
    tmlrt_config_t config = TMLRT_CONFIG_INIT;
    config.flavor = TMLRT_FLAVOR_CURRENT_THREAD;
    config.clock = TMLRT_CLOCK_VIRTUAL;
    return runtime__make(&config);
}

uint64_t stats__sum(tmlrt_runtime_t *rt, size_t offset) {
    uint64_t sum = 0;
    int      workers = tmlrt_runtime_workers(rt);
    for (int i = 0; i < workers; i++) {
        tmlrt_worker_stats_t stats = {.struct_size = sizeof stats};
        require(tmlrt_runtime_stats(rt, (uint32_t)i, &stats) == TMLRT_OK);
        uint64_t value;
        memcpy(&value, (const char *)&stats + offset, sizeof value);
        sum += value;
    }
    return sum;
}

int default_runtime_of_two(void **state) {
    (void)state;
    return setenv("TMLRT_WORKERS", "2", 1);
}

int default_runtime_end(void **state) {
    tmlrt_runtime_t *rt;
    (void)state;
    require(tmlrt_runtime_default(&rt) == TMLRT_OK);
    return tmlrt_runtime_destroy(rt);
}

tmlrt_replay_t trace_of(tmlrt_runtime_t *rt) {
    tmlrt_replay_t replay = TMLRT_REPLAY_INIT;
    require(tmlrt_runtime_replay(rt, &replay) == TMLRT_OK);
    return replay;
}
