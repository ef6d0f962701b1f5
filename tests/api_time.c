/* SPDX-License-Identifier: MIT */
/*
 * api_time.c: the clock, sleeps, intervals and their policies, the virtual clock; never early.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/unit.h"

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_virtual();
    tmlrt_op_t       op = TMLRT_OP_INIT;
    tmlrt_interval_t iv = {{0}}, none;
    memset(&none, 0, sizeof none);
    assert_int_equal(tmlrt_op_sleep(NULL, rt, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_sleep_until(NULL, rt, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_interval_init(NULL, rt, 0, 1, TMLRT_MISSED_BURST), TMLRT_EINVAL);
    assert_int_equal(tmlrt_interval_init(&iv, rt, 0, 0, TMLRT_MISSED_BURST), TMLRT_EINVAL);
    assert_int_equal(tmlrt_interval_init(&iv, rt, 0, -1, TMLRT_MISSED_BURST), TMLRT_EINVAL);
    assert_int_equal(tmlrt_interval_init(&iv, rt, -1, 1, TMLRT_MISSED_BURST), TMLRT_EINVAL);
    assert_int_equal(tmlrt_interval_init(&iv, rt, 0, 1, 3), TMLRT_EINVAL);
    assert_int_equal(tmlrt_interval_init(&iv, rt, 0, 1, -1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_interval_init(&iv, NULL, 0, 1, TMLRT_MISSED_SKIP), TMLRT_ENORUNTIME);
    assert_int_equal(tmlrt_op_tick(&op, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_tick(NULL, &iv), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_tick(&op, &none), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void the_clock_never_goes_back(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(1);
    int64_t          last = tmlrt_now(NULL);
    for (int i = 0; i < 1000; i++) {
        int64_t now = tmlrt_now(i % 2 == 0 ? rt : NULL); /* one clock for all */
        assert_true(now >= last);
        last = now;
    }
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_thread_sleeps_with_and_without_a_runtime(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        tmlrt_runtime_t *rt = i == 0 ? NULL : i == 1 ? runtime_current_thread() : runtime_multi(1);
        int64_t          before = tmlrt_now(NULL);
        assert_int_equal(tmlrt_sleep(2 * TMLRT_MS), TMLRT_OK);
        assert_true(tmlrt_now(NULL) >= before + 2 * TMLRT_MS);
        assert_int_equal(tmlrt_sleep(0), TMLRT_OK);
        assert_int_equal(tmlrt_sleep(-1), TMLRT_OK);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

static void a_thread_awaits_a_timer_of_a_runtime(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(2);
    tmlrt_op_t       op = TMLRT_OP_INIT;
    for (int i = 0; i < 20; i++) {
        int64_t until = tmlrt_now(NULL) + TMLRT_MS;
        assert_int_equal(tmlrt_op_sleep_until(&op, rt, until), TMLRT_OK);
        assert_int_equal(tmlrt_op_await(&op), TMLRT_OK);
        assert_int_equal(tmlrt_op_result(&op), TMLRT_OK);
        assert_true(tmlrt_now(NULL) >= until);
    }
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- never early ----------------------------------------------------------------------------- */

static atomic_int early;

static int32_t body_random_sleeps(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    for (u->n = 0; u->n < 10; u->n++) {
        random_t r;
        random_seed(&r, test_seed() + (uint64_t)(uintptr_t)u + (uint64_t)u->n);
        u->value = tmlrt_now(NULL) + random_below(&r, 3000000);
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep_until(&u->op, NULL, u->value));
        if (tmlrt_now(NULL) < u->value) atomic_fetch_add(&early, 1);
        require(tmlrt_op_result(&u->op) == TMLRT_OK);
    }
    TMLRT_END(u);
}

static void no_timer_is_early(void **state) {
    (void)state;
    tally_t tally = {0};
    int     n = scaled(2000);
    tmlrt_runtime_t *(*make[])(void) = {runtime_current_thread, runtime_virtual};
    for (int i = 0; i < 3; i++) {
        tmlrt_runtime_t *rt = i == 2 ? runtime_multi(4) : make[i]();
        atomic_store(&early, 0);
        for (int k = 0; k < n; k++)
            tmlrt_task_release(unit_spawn(rt, &tally, body_random_sleeps, NULL));
        assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), TMLRT_OK);
        assert_int_equal(early, 0);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
    assert_int_equal(tally.ready, 3 * n);
}

/* ---- order and extremes ---------------------------------------------------------------------- */

typedef struct order {
    int64_t when;
    int     next, wrong;
} order_t;

static int32_t body_ordered(unit_t *u, tmlrt_cx_t *cx) {
    order_t *o = u->arg;
    TMLRT_BEGIN(u);
    u->n = o->next++;
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep_until(&u->op, NULL, o->when));
    if (o->next++ != u->n) o->wrong++;
    TMLRT_END(u);
}

static void equal_deadlines_fire_in_the_order_of_their_start(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_virtual();
    tally_t          tally = {0};
    order_t          o = {.when = 5 * TMLRT_S};
    int              n = 300;
    for (int i = 0; i < n; i++)
        tmlrt_task_release(unit_spawn(rt, &tally, body_ordered, &o));
    wait_until(o.next == n || tmlrt_runtime_run_once(rt) < 0);
    o.next = 0;
    assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), TMLRT_OK);
    assert_int_equal(o.next, n);
    assert_int_equal(o.wrong, 0);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static int32_t body_extremes(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep(&u->op, NULL, INT64_MIN));
    require(tmlrt_op_result(&u->op) == TMLRT_OK);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep_until(&u->op, NULL, INT64_MIN));
    require(tmlrt_op_result(&u->op) == TMLRT_OK);
    tmlrt_op_sleep(&u->op, NULL, INT64_MAX);
    require(tmlrt_op_poll(&u->op, cx) == TMLRT_PENDING);
    tmlrt_op_sleep_until(&u->op2, NULL, INT64_MAX);
    require(tmlrt_op_poll(&u->op2, cx) == TMLRT_PENDING);
    tmlrt_op_sleep_until(&u->op3, NULL, INT64_MAX - 1);
    require(tmlrt_op_poll(&u->op3, cx) == TMLRT_PENDING);
    tmlrt_op_cancel(&u->op3);
    require(tmlrt_op_result(&u->op3) == TMLRT_ECANCELED);
    TMLRT_AWAIT(u, cx, &u->op3, tmlrt_op_sleep(&u->op3, NULL, TMLRT_MS));
    require(tmlrt_op_poll(&u->op, cx) == TMLRT_PENDING);
    require(tmlrt_op_poll(&u->op2, cx) == TMLRT_PENDING);
    TMLRT_END(u); /* with two in flight: the task drains them */
}

static void the_extremes_of_time_are_fine(void **state) {
    (void)state;
    tally_t tally = {0};
    for (int i = 0; i < 2; i++) {
        tmlrt_runtime_t *rt = i == 0 ? runtime_multi(1) : runtime_virtual();
        assert_int_equal(unit_run(rt, &tally, body_extremes, NULL), 0);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

/* ---- cancelling ------------------------------------------------------------------------------ */

static int32_t body_two_sleeps(unit_t *u, tmlrt_cx_t *cx) {
    if (u->n++ != 0) return TMLRT_PENDING;
    tmlrt_op_sleep(&u->op, NULL, 1000 * TMLRT_S);
    tmlrt_op_sleep(&u->op2, NULL, 1000 * TMLRT_S);
    require(tmlrt_op_poll(&u->op, cx) == TMLRT_PENDING);
    require(tmlrt_op_poll(&u->op2, cx) == TMLRT_PENDING);
    return TMLRT_PENDING;
}

/* The victim's drop aborts the next one, whose timers lie beside its own. */
static void drop_aborts_next(unit_t *u) {
    require(tmlrt_op_result(&u->op) == TMLRT_ECANCELED);
    require(tmlrt_op_result(&u->op2) == TMLRT_ECANCELED);
    tmlrt_task_t *next = u->arg;
    if (next != NULL) require(tmlrt_task_abort(next) == TMLRT_OK);
}

static void timers_are_cancelled_from_drops(void **state) {
    (void)state;
    enum { N = 50 };
    tmlrt_runtime_t *rt = runtime_multi(3);
    tally_t          tally = {0};
    tmlrt_task_t    *tasks[N], *next = NULL;
    for (int i = 0; i < N; i++) {
        unit_t u = unit_of(&tally, body_two_sleeps, next);
        u.on_drop = drop_aborts_next;
        assert_int_equal(tmlrt_spawn(rt, &unit_type, &u, NULL, &tasks[i]), TMLRT_OK);
        next = tasks[i];
    }
    wait_until(atomic_load(&tally.polls) == N);
    assert_int_equal(tmlrt_task_abort(tasks[N - 1]), TMLRT_OK);
    for (int i = 0; i < N; i++) {
        assert_int_equal(tmlrt_join(tasks[i], NULL), TMLRT_ECANCELED);
        tmlrt_task_release(tasks[i]);
    }
    assert_int_equal(tally.drops, N);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- the virtual clock ----------------------------------------------------------------------- */

static int32_t body_virtual(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    require(tmlrt_now(NULL) == 0);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep(&u->op, NULL, 3600 * TMLRT_S));
    u->n = tmlrt_now(NULL);
    require(u->n >= 3600 * TMLRT_S && u->n < 3601 * TMLRT_S);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
    require(tmlrt_now(NULL) == u->n); /* stands still while tasks run */
    u->value = u->n;
    TMLRT_END(u);
}

static void the_virtual_clock_jumps_to_the_next_deadline(void **state) {
    (void)state;
    tally_t          tally = {0};
    tmlrt_runtime_t *rt = runtime_virtual();
    assert_int_equal(tmlrt_now(rt), 0);
    assert_true(unit_run(rt, &tally, body_virtual, NULL) >= 3600 * TMLRT_S);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);

    rt = runtime_virtual();
    assert_int_equal(tmlrt_sleep(1000 * TMLRT_S), TMLRT_OK); /* its owner sleeps on its clock */
    assert_true(tmlrt_now(rt) >= 1000 * TMLRT_S);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void an_embedded_virtual_clock_jumps_too(void **state) {
    (void)state;
    tally_t          tally = {0};
    tmlrt_runtime_t *rt = runtime_virtual();
    tmlrt_task_t    *task = unit_spawn(rt, &tally, body_virtual, NULL);
    while (tmlrt_task_is_finished(task) == 0) {
        assert_int_equal(tmlrt_runtime_timeout(rt), 0); /* the loop never has to wait */
        assert_true(tmlrt_runtime_run_once(rt) >= 0);
    }
    tmlrt_task_release(task);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- intervals ------------------------------------------------------------------------------- */

/* Ticks at 100, 200, ... ms; the task is held up until 350 ms, then looks at the ticks. */
typedef struct ticks {
    int              policy;
    tmlrt_interval_t iv;
    int64_t          missed[4], at[4];
} ticks_t;

static int32_t body_ticks(unit_t *u, tmlrt_cx_t *cx) {
    ticks_t *t = u->arg;
    TMLRT_BEGIN(u);
    require(tmlrt_interval_init(&t->iv, NULL, 100 * TMLRT_MS, 100 * TMLRT_MS, t->policy) == 0);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep_until(&u->op, NULL, 350 * TMLRT_MS));
    for (u->n = 0; u->n < 4; u->n++) {
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_tick(&u->op, &t->iv));
        t->missed[u->n] = tmlrt_op_result(&u->op);
        t->at[u->n] = tmlrt_now(NULL) / TMLRT_MS;
    }
    TMLRT_END(u);
}

static void missed_ticks_are_served_as_the_policy_says(void **state) {
    (void)state;
    static const struct {
        int     policy;
        int64_t missed[4], at[4];
    } expect[] = {
        {TMLRT_MISSED_BURST, {0, 0, 0, 0}, {350, 350, 350, 400}},
        {TMLRT_MISSED_DELAY, {2, 0, 0, 0}, {350, 450, 550, 650}},
        {TMLRT_MISSED_SKIP, {2, 0, 0, 0}, {350, 400, 500, 600}},
    };
    tally_t tally = {0};
    for (size_t i = 0; i < 3; i++) {
        tmlrt_runtime_t *rt = runtime_virtual();
        ticks_t          t = {.policy = expect[i].policy};
        assert_int_equal(unit_run(rt, &tally, body_ticks, &t), 0);
        for (int k = 0; k < 4; k++) {
            assert_int_equal(t.missed[k], expect[i].missed[k]);
            assert_in_range(t.at[k], expect[i].at[k], expect[i].at[k] + 1);
        }
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

static int32_t body_tick_cancel(unit_t *u, tmlrt_cx_t *cx) {
    static tmlrt_interval_t iv;
    TMLRT_BEGIN(u);
    require(tmlrt_interval_init(&iv, NULL, 10 * TMLRT_MS, 10 * TMLRT_MS, TMLRT_MISSED_BURST) == 0);
    tmlrt_op_tick(&u->op, &iv);
    require(tmlrt_op_poll(&u->op, cx) == TMLRT_PENDING);
    require(tmlrt_op_tick(&u->op, &iv) == TMLRT_EBUSY);
    tmlrt_op_cancel(&u->op); /* long before */
    require(tmlrt_op_result(&u->op) == TMLRT_ECANCELED);

    tmlrt_op_tick(&u->op, &iv);
    require(tmlrt_op_poll(&u->op, cx) == TMLRT_PENDING);
    TMLRT_AWAIT(u, cx, &u->op2, tmlrt_op_sleep_until(&u->op2, NULL, 15 * TMLRT_MS));
    tmlrt_op_cancel(&u->op); /* fired, not looked at: the tick stays due */
    require(tmlrt_op_result(&u->op) == TMLRT_ECANCELED);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_tick(&u->op, &iv));
    require(tmlrt_op_result(&u->op) == 0);
    require(tmlrt_now(NULL) < 16 * TMLRT_MS);

    tmlrt_op_tick(&u->op, &iv); /* a deadline before the tick */
    tmlrt_op_deadline(&u->op, 17 * TMLRT_MS);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, cx));
    require(tmlrt_op_result(&u->op) == TMLRT_ETIMEDOUT);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_tick(&u->op, &iv));
    require(tmlrt_op_result(&u->op) == 0);
    require(tmlrt_now(NULL) >= 20 * TMLRT_MS && tmlrt_now(NULL) < 21 * TMLRT_MS);
    u->value = 1;
    TMLRT_END(u);
}

static void a_cancelled_tick_stays_due(void **state) {
    (void)state;
    tally_t          tally = {0};
    tmlrt_runtime_t *rt = runtime_virtual();
    assert_int_equal(unit_run(rt, &tally, body_tick_cancel, NULL), 1);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static int32_t body_first_now(unit_t *u, tmlrt_cx_t *cx) {
    static tmlrt_interval_t iv;
    TMLRT_BEGIN(u);
    require(tmlrt_interval_init(&iv, NULL, 0, INT64_MAX, TMLRT_MISSED_SKIP) == TMLRT_OK);
    tmlrt_op_tick(&u->op, &iv);
    require(tmlrt_op_poll(&u->op, cx) == TMLRT_READY); /* first_ns 0: now */
    tmlrt_op_tick(&u->op, &iv);
    require(tmlrt_op_poll(&u->op, cx) == TMLRT_PENDING); /* and the next one never */
    u->value = 1;
    TMLRT_END(u);
}

static void the_first_tick_may_be_now(void **state) {
    (void)state;
    tally_t          tally = {0};
    tmlrt_runtime_t *rt = runtime_virtual();
    assert_int_equal(unit_run(rt, &tally, body_first_now, NULL), 1);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(the_clock_never_goes_back),
        cmocka_unit_test(a_thread_sleeps_with_and_without_a_runtime),
        cmocka_unit_test(a_thread_awaits_a_timer_of_a_runtime),
        cmocka_unit_test(no_timer_is_early),
        cmocka_unit_test(equal_deadlines_fire_in_the_order_of_their_start),
        cmocka_unit_test(the_extremes_of_time_are_fine),
        cmocka_unit_test(timers_are_cancelled_from_drops),
        cmocka_unit_test(the_virtual_clock_jumps_to_the_next_deadline),
        cmocka_unit_test(an_embedded_virtual_clock_jumps_too),
        cmocka_unit_test(missed_ticks_are_served_as_the_policy_says),
        cmocka_unit_test(a_cancelled_tick_stays_due),
        cmocka_unit_test(the_first_tick_may_be_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
