/* SPDX-License-Identifier: MIT */
/*
 * api_task.c: tasks: spawn, build in place, join, result, abort, outcomes, panics, options, names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/group.h"
#include "support/random.h"
#include "support/unit.h"

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_op_t    op = TMLRT_OP_INIT;
    tmlrt_task_t *task = NULL;
    void         *p = &op;
    tally_t       tally = {0};
    unit_t        u = unit_of(&tally, body_ready, NULL);
    assert_int_equal(tmlrt_spawn(rt, NULL, NULL, NULL, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_spawn(rt, &unit_type, NULL, NULL, &task), TMLRT_EINVAL);
    assert_int_equal(tmlrt_spawn(NULL, &unit_type, &u, NULL, &task), TMLRT_ENORUNTIME);
    assert_int_equal(tmlrt_task_new(NULL, &unit_type, NULL, &task), TMLRT_ENORUNTIME);
    assert_int_equal(tmlrt_task_new(rt, NULL, NULL, &task), TMLRT_EINVAL);
    assert_int_equal(tmlrt_task_new(rt, &unit_type, NULL, NULL), TMLRT_EINVAL);
    assert_null(task);
    assert_null(tmlrt_task_state(NULL));
    assert_int_equal(tmlrt_task_start(NULL), TMLRT_EINVAL);
    tmlrt_task_release(NULL);
    assert_int_equal(tmlrt_task_abort(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_task_is_finished(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_task_result(NULL, &p), TMLRT_EINVAL);
    assert_int_equal(tmlrt_task_id(NULL), 0);
    assert_string_equal(tmlrt_task_name(NULL), "?");
    assert_null(tmlrt_task_current());
    assert_int_equal(tmlrt_op_join(&op, NULL, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_join(NULL, NULL), TMLRT_EINVAL);
    task = unit_spawn(rt, &tally, body_ready, NULL);
    assert_int_equal(tmlrt_op_join(NULL, task, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_task_result(task, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
}

static void a_task_type_that_makes_no_sense_is_refused(void **state) {
    (void)state;
    tally_t tally = {0};
    unit_t  u = unit_of(&tally, body_ready, NULL);
    for (int i = 0; i < 8; i++) {
        tmlrt_task_type_t type = unit_type;
        switch (i) {
        case 0: type.struct_size = 0; break;
        case 1: type.struct_size--; break;
        case 2: type.poll = NULL; break;
        case 3: type.state_align = 3; break;
        case 4: type.state_align = 8192; break;
        case 5: type.result_align = 24; break;
        case 6: type.state_size = SIZE_MAX; break;
        case 7: type.result_size = SIZE_MAX - 64; break;
        }
        tmlrt_task_t *task = NULL;
        assert_int_equal(tmlrt_spawn(rt, &type, &u, NULL, &task), TMLRT_EINVAL);
        assert_null(task);
    }
    assert_int_equal(tally.drops, 0);
}

static void options_that_make_no_sense_are_refused(void **state) {
    (void)state;
    tally_t tally = {0};
    unit_t  u = unit_of(&tally, body_ready, NULL);
    struct {
        tmlrt_task_options_t known;
        uint64_t             newer;
    } longer = {.known = TMLRT_TASK_OPTIONS_INIT};
    for (int i = 0; i < 6; i++) {
        longer.known = (tmlrt_task_options_t)TMLRT_TASK_OPTIONS_INIT;
        longer.newer = 0;
        switch (i) {
        case 0: longer.known.struct_size = 8; break;
        case 1: longer.known.flags = 4; break;
        case 2: longer.known.stack_class = 1000; break;
        case 3: longer.known.deadline = -1; break;
        case 4: longer.known.flags = TMLRT_TASK_PINNED; break; /* from outside */
        case 5:
            longer.known.struct_size = sizeof longer;
            longer.newer = 1;
            break;
        }
        assert_int_equal(tmlrt_spawn(rt, &unit_type, &u, &longer.known, NULL), TMLRT_EINVAL);
    }
    longer.newer = 0; /* a newer header whose tail says nothing is fine */
    tmlrt_task_t *task;
    assert_int_equal(tmlrt_spawn(rt, &unit_type, &u, &longer.known, &task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
}

/* ---- state and result ------------------------------------------------------------------------ */

typedef struct big {
    _Alignas(64) unsigned char bytes[1024];
} big_t;

static atomic_int big_drops, big_result_drops, big_misaligned;

static int32_t big_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)cx;
    if ((uintptr_t)state % 4096 != 0 || (uintptr_t)result % 64 != 0)
        atomic_fetch_add(&big_misaligned, 1);
    memcpy(result, state, sizeof(big_t));
    return TMLRT_READY;
}

static void big_drop(void *state) {
    atomic_fetch_add(&big_drops, ((big_t *)state)->bytes[1023] == 0x77);
}

static void big_drop_result(void *result) {
    atomic_fetch_add(&big_result_drops, ((big_t *)result)->bytes[1023] == 0x77);
}

static const tmlrt_task_type_t big_type = {
    sizeof(tmlrt_task_type_t), "big", sizeof(big_t), 4096, sizeof(big_t), 64, big_poll, big_drop,
    big_drop_result,           NULL};

static void a_large_aligned_result_is_joined_once(void **state) {
    (void)state;
    big_t init, out;
    memset(&init, 0x77, sizeof init);
    memset(&out, 0, sizeof out);
    tmlrt_task_t *task;
    void         *in_place;
    assert_int_equal(tmlrt_spawn(rt, &big_type, &init, NULL, &task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK); /* leaves it there */
    assert_int_equal(tmlrt_task_result(task, &in_place), TMLRT_OK);
    assert_memory_equal(in_place, &init, sizeof init);
    assert_int_equal(tmlrt_join(task, &out), TMLRT_OK);
    assert_memory_equal(&out, &init, sizeof init);
    assert_int_equal(tmlrt_join(task, &out), TMLRT_EALREADY);
    assert_int_equal(tmlrt_task_result(task, &in_place), TMLRT_EALREADY);
    assert_null(in_place);
    tmlrt_task_release(task);
    assert_int_equal(big_drops, 1);
    assert_int_equal(big_misaligned, 0);
    assert_int_equal(big_result_drops, 0);
}

static void a_result_that_nobody_took_is_dropped(void **state) {
    (void)state;
    big_t init;
    memset(&init, 0x77, sizeof init);
    atomic_store(&big_drops, 0);
    atomic_store(&big_result_drops, 0);
    tmlrt_task_t *task;
    assert_int_equal(tmlrt_spawn(rt, &big_type, &init, NULL, NULL), TMLRT_OK); /* detached */
    wait_until(atomic_load(&big_result_drops) == 1);
    assert_int_equal(tmlrt_spawn(rt, &big_type, &init, NULL, &task), TMLRT_OK);
    tmlrt_task_release(task); /* perhaps before its end */
    wait_until(atomic_load(&big_result_drops) == 2);
    assert_int_equal(tmlrt_spawn(rt, &big_type, &init, NULL, &task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    assert_int_equal(big_result_drops, 2);
    tmlrt_task_release(task);
    wait_until(atomic_load(&big_result_drops) == 3); /* the worker may hold the last reference */
    assert_int_equal(big_drops, 3);
}

static void a_task_is_built_in_place(void **state) {
    (void)state;
    tally_t       tally = {0};
    tmlrt_task_t *task;
    int64_t       result = 0;
    assert_int_equal(tmlrt_task_new(rt, &unit_type, NULL, &task), TMLRT_OK);
    unit_t *u = tmlrt_task_state(task);
    *u = unit_of(&tally, body_ready, NULL);
    u->value = 42;
    assert_int_equal(tmlrt_task_is_finished(task), 0);
    assert_int_equal(tmlrt_task_start(task), TMLRT_OK);
    assert_int_equal(tmlrt_task_start(task), TMLRT_EALREADY);
    assert_int_equal(tmlrt_join(task, &result), TMLRT_OK);
    assert_int_equal(tmlrt_task_start(task), TMLRT_EALREADY);
    assert_int_equal(result, 42);
    tmlrt_task_release(task);
}

static void an_unstarted_task_is_released_without_a_drop(void **state) {
    (void)state;
    tally_t       tally = {0};
    tmlrt_task_t *task;
    assert_int_equal(tmlrt_task_new(rt, &unit_type, NULL, &task), TMLRT_OK);
    *(unit_t *)tmlrt_task_state(task) = unit_of(&tally, body_ready, NULL);
    assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
    tmlrt_task_release(task);
    assert_int_equal(tally.polls + tally.drops, 0);

    assert_int_equal(tmlrt_task_new(rt, &unit_type, NULL, &task), TMLRT_OK);
    *(unit_t *)tmlrt_task_state(task) = unit_of(&tally, body_ready, NULL);
    assert_int_equal(tmlrt_task_abort(task), TMLRT_OK); /* and started nevertheless */
    assert_int_equal(tmlrt_task_start(task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_ECANCELED);
    tmlrt_task_release(task);
    assert_int_equal(tally.polls, 0);
    assert_int_equal(tally.drops, 1);
}

/* ---- joins ----------------------------------------------------------------------------------- */

typedef struct joiners {
    tmlrt_task_t *task;
    atomic_int    took, too_late, told, first_in;
} joiners_t;

static void join_it(void *arg, int i) {
    joiners_t *j = arg;
    int64_t    result = 0;
    int        r = tmlrt_join(j->task, i % 2 == 0 ? &result : NULL);
    require(r == TMLRT_OK || (i % 2 == 0 && r == TMLRT_EALREADY));
    require(i % 2 != 0 || r != TMLRT_OK || result == 9);
    atomic_fetch_add(i % 2 != 0 ? &j->told : r == TMLRT_OK ? &j->took : &j->too_late, 1);
}

static int32_t body_joins(unit_t *u, tmlrt_cx_t *cx) {
    joiners_t *j = u->arg;
    TMLRT_BEGIN(u);
    tmlrt_op_join(&u->op, j->task, NULL);
    atomic_fetch_add(&j->first_in, 1);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, cx));
    require(tmlrt_op_result(&u->op) == TMLRT_OK);
    TMLRT_END(u);
}

static int32_t body_nine(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_notified(&u->op, u->arg));
    u->value = 9;
    TMLRT_END(u);
}

static void many_join_one_task_and_one_gets_the_result(void **state) {
    (void)state;
    tally_t tally = {0};
    for (int round = scaled(50); round > 0; round--) {
        tmlrt_notify_t go = TMLRT_NOTIFY_INIT;
        joiners_t      j = {.task = unit_spawn(rt, &tally, body_nine, &go)};
        tmlrt_task_t  *others[10];
        for (int i = 0; i < 10; i++)
            others[i] = unit_spawn(rt, &tally, body_joins, &j);
        crew_t *crew = crew_start(6, join_it, &j);
        if (round % 2 == 0) wait_until(atomic_load(&j.first_in) == 10);
        tmlrt_notify_one(&go);
        crew_join(crew);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(tmlrt_join(others[i], NULL), TMLRT_OK);
            tmlrt_task_release(others[i]);
        }
        assert_int_equal(j.took, 1);
        assert_int_equal(j.too_late, 2);
        assert_int_equal(j.told, 3);
        tmlrt_task_release(j.task);
    }
}

static int32_t body_joins_itself(unit_t *u, tmlrt_cx_t *cx) {
    tmlrt_op_join(&u->op, cx->task, NULL);
    require(tmlrt_op_poll(&u->op, cx) == TMLRT_READY);
    u->value = tmlrt_op_result(&u->op);
    return TMLRT_READY;
}

static void a_task_cannot_join_itself(void **state) {
    (void)state;
    tally_t tally = {0};
    assert_int_equal(unit_run(rt, &tally, body_joins_itself, NULL), TMLRT_EDEADLK);
}

/* Starts a join of *arg, and cancels it; then joins with a deadline. */
static int32_t body_joins_briefly(unit_t *u, tmlrt_cx_t *cx) {
    tmlrt_task_t *other = u->arg;
    int64_t       dummy;
    TMLRT_BEGIN(u);
    tmlrt_op_join(&u->op, other, &dummy);
    require(tmlrt_op_poll(&u->op, cx) == TMLRT_PENDING);
    require(tmlrt_op_join(&u->op, other, NULL) == TMLRT_EBUSY);
    tmlrt_op_cancel(&u->op);
    require(tmlrt_op_result(&u->op) == TMLRT_ECANCELED);
    tmlrt_op_join(&u->op, other, NULL);
    tmlrt_op_deadline(&u->op, tmlrt_now(NULL) + TMLRT_MS);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, cx));
    u->value = tmlrt_op_result(&u->op);
    TMLRT_END(u);
}

static void cancelling_a_join_leaves_the_task_alone(void **state) {
    (void)state;
    tally_t        tally = {0};
    tmlrt_notify_t go = TMLRT_NOTIFY_INIT;
    tmlrt_task_t  *task = unit_spawn(rt, &tally, body_nine, &go);
    assert_int_equal(unit_run(rt, &tally, body_joins_briefly, task), TMLRT_ETIMEDOUT);
    tmlrt_notify_one(&go);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
}

/* A task of one runtime joins, with a deadline that does not come, one of another runtime that is
 * destroyed meanwhile. */
static int32_t body_joins_abroad(unit_t *u, tmlrt_cx_t *cx) {
    joiners_t *j = u->arg;
    TMLRT_BEGIN(u);
    tmlrt_op_join(&u->op, j->task, NULL);
    tmlrt_op_deadline(&u->op, tmlrt_now(NULL) + 1000 * TMLRT_S);
    require(tmlrt_op_poll(&u->op, cx) == TMLRT_PENDING);
    atomic_store(&j->first_in, 1);
    wait_until(atomic_load(&j->first_in) == 2);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, cx));
    u->value = tmlrt_op_result(&u->op);
    TMLRT_END(u);
}

static void a_join_across_runtimes_outlives_the_other_runtime(void **state) {
    (void)state;
    tally_t          tally = {0};
    tmlrt_runtime_t *other = runtime_multi(1);
    joiners_t        j = {.task = unit_spawn(other, &tally, body_never, NULL)};
    wait_until(atomic_load(&tally.polls) == 1);
    tmlrt_task_t *here = unit_spawn(rt, &tally, body_joins_abroad, &j);
    wait_until(atomic_load(&j.first_in) == 1);
    assert_int_equal(tmlrt_runtime_destroy(other), TMLRT_OK);
    atomic_store(&j.first_in, 2);
    int64_t result = 0;
    assert_int_equal(tmlrt_join(here, &result), TMLRT_OK);
    assert_int_equal(result, TMLRT_ECANCELED);
    tmlrt_task_release(here);
    tmlrt_task_release(j.task);
}

/* ---- abort ----------------------------------------------------------------------------------- */

static void an_aborted_task_is_dropped_and_not_polled_again(void **state) {
    (void)state;
    unit_body_t bodies[] = {body_never, body_sleep_forever};
    for (size_t i = 0; i < 2; i++) {
        tally_t       tally = {0};
        void         *p = &tally;
        tmlrt_task_t *task = unit_spawn(rt, &tally, bodies[i], NULL);
        wait_until(atomic_load(&tally.polls) == 1);
        assert_int_equal(tmlrt_task_result(task, &p), TMLRT_EAGAIN);
        assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
        assert_int_equal(tmlrt_join(task, &(int64_t){0}), TMLRT_ECANCELED);
        assert_int_equal(tmlrt_join(task, NULL), TMLRT_ECANCELED);
        assert_int_equal(tmlrt_task_result(task, &p), TMLRT_ECANCELED);
        assert_null(p);
        assert_int_equal(tmlrt_task_abort(task), TMLRT_EALREADY);
        assert_int_equal(tmlrt_task_is_finished(task), 1);
        assert_int_equal(tally.polls, 1);
        assert_int_equal(tally.drops, 1);
        tmlrt_task_release(task);
    }
}

static int32_t body_aborts_itself(unit_t *u, tmlrt_cx_t *cx) {
    require(tmlrt_task_abort(cx->task) == TMLRT_OK);
    return u->arg != NULL ? TMLRT_READY : TMLRT_PENDING;
}

static void a_task_may_abort_itself_and_what_it_finishes_counts(void **state) {
    (void)state;
    tally_t tally = {0};
    assert_int_equal(unit_run(rt, &tally, body_aborts_itself, NULL), TMLRT_ECANCELED);
    assert_int_equal(unit_run(rt, &tally, body_aborts_itself, &tally), 0);
    assert_int_equal(tally.drops, 2);
}

static void abort_it(void *arg, int i) {
    (void)i;
    int r = tmlrt_task_abort(arg);
    require(r == TMLRT_OK || r == TMLRT_EALREADY);
}

static void an_abort_that_races_with_the_end_gives_one_outcome(void **state) {
    (void)state;
    int     done = 0, rounds = scaled(1000);
    tally_t tally = {0};
    atomic_store(&unit_result_drops, 0);
    for (int i = 0; i < rounds; i++) {
        int           yields = i % 4;
        tmlrt_task_t *task = unit_spawn(rt, &tally, body_yield_n, &yields);
        crew_t       *crew = crew_start(1, abort_it, task);
        int           r = tmlrt_join(task, NULL);
        assert_true(r == TMLRT_OK || r == TMLRT_ECANCELED);
        done += r == TMLRT_OK;
        crew_join(crew);
        tmlrt_task_release(task);
    }
    assert_int_equal(tally.drops, rounds);
    assert_int_equal(tally.ready, done);
    assert_int_equal(unit_result_drops, done);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(a_task_type_that_makes_no_sense_is_refused),
        cmocka_unit_test(options_that_make_no_sense_are_refused),
        cmocka_unit_test(a_large_aligned_result_is_joined_once),
        cmocka_unit_test(a_result_that_nobody_took_is_dropped),
        cmocka_unit_test(a_task_is_built_in_place),
        cmocka_unit_test(an_unstarted_task_is_released_without_a_drop),
        cmocka_unit_test(many_join_one_task_and_one_gets_the_result),
        cmocka_unit_test(a_task_cannot_join_itself),
        cmocka_unit_test(cancelling_a_join_leaves_the_task_alone),
        cmocka_unit_test(a_join_across_runtimes_outlives_the_other_runtime),
        cmocka_unit_test(an_aborted_task_is_dropped_and_not_polled_again),
        cmocka_unit_test(a_task_may_abort_itself_and_what_it_finishes_counts),
        cmocka_unit_test(an_abort_that_races_with_the_end_gives_one_outcome),
    };
    return cmocka_run_group_tests(tests, make_runtime, end_runtime);
}
