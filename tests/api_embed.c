/* SPDX-License-Identifier: MIT */
/*
 * api_embed.c: a current-thread runtime inside a foreign loop: run_once, timeout, handle.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/unit.h"

/* Is the handle readable, within `ms`? */
static int readable(tmlrt_runtime_t *rt, int ms) {
    struct pollfd p = {.fd = (int)tmlrt_runtime_handle(rt), .events = POLLIN};
    int           n;
    do
        n = poll(&p, 1, ms);
    while (n < 0);
    return n;
}

/* Runs what is ready, until nothing is. */
static void run_dry(tmlrt_runtime_t *rt) {
    do
        require(tmlrt_runtime_run_once(rt) >= 0);
    while (tmlrt_runtime_timeout(rt) == 0);
}

static void an_idle_runtime_has_nothing_to_do_and_no_deadline(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    assert_true(tmlrt_runtime_handle(rt) >= 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tmlrt_runtime_run_once(rt), 0);
        assert_true(tmlrt_runtime_timeout(rt) == TMLRT_NEVER);
        assert_int_equal(readable(rt, 0), 0);
    }
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void run_once_runs_what_is_ready_and_comes_back(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tally_t          tally = {0};
    atomic_int       end = 0;
    for (int i = 0; i < 5; i++)
        tmlrt_task_release(unit_spawn(rt, &tally, body_yield_until, &end));
    for (int i = 0; i < 20; i++) {
        int before = atomic_load(&tally.polls);
        assert_true(tmlrt_runtime_timeout(rt) == 0);
        assert_int_equal(readable(rt, 0), 1);
        int64_t n = tmlrt_runtime_run_once(rt);
        assert_in_range(n, 5, 6); /* each once; one perhaps once more */
        assert_int_equal(tally.polls - before, n);
    }
    atomic_store(&end, 1);
    run_dry(rt);
    assert_int_equal(tally.drops, 5);
    assert_int_equal(readable(rt, 0), 0);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static int32_t body_keep_waker(unit_t *u, tmlrt_cx_t *cx) {
    tmlrt_waker_t *w = u->arg;
    if (w->vtable == NULL) require(tmlrt_waker_clone(cx->waker, w) == TMLRT_OK);
    return TMLRT_PENDING;
}

typedef struct wakes {
    tmlrt_waker_t waker;
    atomic_int    asked, n;
} wakes_t;

static void wake_when_asked(void *arg, int i) {
    wakes_t *w = arg;
    (void)i;
    for (int k = 1; k <= w->n; k++) {
        wait_until(atomic_load(&w->asked) == k);
        require(tmlrt_waker_wake_by_ref(&w->waker) == TMLRT_OK);
    }
}

static void every_wake_from_outside_makes_the_handle_readable(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tally_t          tally = {0};
    wakes_t          w = {.n = scaled(1000)};
    tmlrt_task_release(unit_spawn(rt, &tally, body_keep_waker, &w.waker));
    assert_int_equal(readable(rt, 0), 1); /* the spawn did, too */
    run_dry(rt);
    crew_t *crew = crew_start(1, wake_when_asked, &w);
    for (int i = 1; i <= w.n; i++) {
        assert_int_equal(readable(rt, 0), 0);
        atomic_store(&w.asked, i);
        assert_int_equal(readable(rt, -1), 1); /* hangs if the wake is lost */
        int before = tally.polls;
        run_dry(rt);
        assert_int_equal(tally.polls, before + 1);
        if (i % 7 == 0) {
            unit_run(rt, &tally, body_ready, NULL); /* driven in between */
            run_dry(rt);
        }
    }
    crew_join(crew);
    tmlrt_waker_drop(&w.waker);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void the_timeout_is_the_time_to_the_next_deadline(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tally_t          tally = {0};
    unit_t           u = unit_of(&tally, body_sleep_forever, NULL);
    tmlrt_task_t    *forever;
    assert_int_equal(tmlrt_spawn(rt, &unit_type, &u, NULL, &forever), TMLRT_OK);
    run_dry(rt);
    int64_t left = tmlrt_runtime_timeout(rt);
    assert_true(left > 0 && left <= 1000001 * TMLRT_S);
    assert_int_equal(tmlrt_task_abort(forever), TMLRT_OK);
    assert_int_equal(readable(rt, 0), 1);
    run_dry(rt);
    assert_true(tmlrt_runtime_timeout(rt) == TMLRT_NEVER);
    tmlrt_task_release(forever);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static int32_t body_sleeps(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    for (u->n = 0; u->n < 5; u->n++) {
        u->value = tmlrt_now(NULL) + 2 * TMLRT_MS;
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep_until(&u->op, NULL, u->value));
        require(tmlrt_now(NULL) >= u->value);
    }
    TMLRT_END(u);
}

static void a_poll_loop_serves_timers(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tally_t          tally = {0};
    for (int i = 0; i < 10; i++)
        tmlrt_task_release(unit_spawn(rt, &tally, body_sleeps, NULL));
    while (tally.drops < 10) {
        assert_true(tmlrt_runtime_run_once(rt) >= 0);
        int64_t left = tmlrt_runtime_timeout(rt);
        assert_true(left >= 0);
        if (tally.drops < 10) {
            assert_true(left != TMLRT_NEVER);
            readable(rt, (int)((left + TMLRT_MS - 1) / TMLRT_MS));
        }
    }
    assert_true(tmlrt_runtime_timeout(rt) == TMLRT_NEVER);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static uint64_t timers_fired(tmlrt_runtime_t *rt) {
    tmlrt_worker_stats_t stats = {.struct_size = sizeof stats};
    require(tmlrt_runtime_stats(rt, 0, &stats) == TMLRT_OK);
    return stats.timers_fired;
}

typedef struct sleeper {
    tmlrt_runtime_t *rt;
    atomic_int       done;
} sleeper_t;

/* Until one of the sleeps had to wait: on a slow machine the first is over before it starts. */
static void sleep_on(void *arg, int i) {
    sleeper_t *s = arg;
    (void)i;
    for (int64_t ns = TMLRT_MS; timers_fired(s->rt) == 0; ns *= 2) {
        tmlrt_op_t op = TMLRT_OP_INIT;
        int64_t    until = tmlrt_now(NULL) + ns;
        require(tmlrt_op_sleep_until(&op, s->rt, until) == TMLRT_OK);
        require(tmlrt_op_await(&op) == TMLRT_OK);
        require(tmlrt_op_result(&op) == TMLRT_OK);
        require(tmlrt_now(NULL) >= until);
    }
    atomic_store(&s->done, 1);
}

static void an_earlier_timer_from_outside_ends_the_wait_of_the_loop(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    run_dry(rt);
    assert_true(tmlrt_runtime_timeout(rt) == TMLRT_NEVER);
    sleeper_t s = {.rt = rt};
    crew_t   *crew = crew_start(1, sleep_on, &s);
    assert_int_equal(readable(rt, -1), 1);
    /* The count of fired timers may lag behind the wake: the sleeper says when it is done, and until
     * then somebody has to drive. */
    do {
        assert_true(tmlrt_runtime_run_once(rt) >= 0);
        int64_t left = tmlrt_runtime_timeout(rt);
        if (left > 10 * TMLRT_MS) left = 10 * TMLRT_MS;
        readable(rt, (int)((left + TMLRT_MS - 1) / TMLRT_MS));
    } while (atomic_load(&s.done) == 0);
    assert_true(timers_fired(rt) > 0);
    crew_join(crew);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void several_runtimes_are_driven_by_turns(void **state) {
    (void)state;
    enum { N = 3 };
    tmlrt_runtime_t *rt[N];
    tally_t          tally = {0};
    int              yields = 10;
    for (int i = 0; i < N; i++) {
        rt[i] = runtime_current_thread();
        tmlrt_task_release(unit_spawn(rt[i], &tally, body_yield_n, &yields));
    }
    for (int k = 0; k < 12; k++)
        for (int i = 0; i < N; i++)
            assert_true(tmlrt_runtime_run_once(rt[i]) >= 0);
    assert_int_equal(tally.ready, N);
    /* Each can be joined although another was made after it. */
    for (int i = 0; i < N; i++) {
        tmlrt_task_t *task = unit_spawn(rt[i], &tally, body_sleeps, NULL);
        assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
        tmlrt_task_release(task);
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(tmlrt_runtime_destroy(rt[i]), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_runtime_has_nothing_to_do_and_no_deadline),
        cmocka_unit_test(run_once_runs_what_is_ready_and_comes_back),
        cmocka_unit_test(every_wake_from_outside_makes_the_handle_readable),
        cmocka_unit_test(the_timeout_is_the_time_to_the_next_deadline),
        cmocka_unit_test(a_poll_loop_serves_timers),
        cmocka_unit_test(an_earlier_timer_from_outside_ends_the_wait_of_the_loop),
        cmocka_unit_test(several_runtimes_are_driven_by_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
