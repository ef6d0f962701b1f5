/* SPDX-License-Identifier: MIT */
/*
 * api_waker.c: wakers: any thread, any time, before, during and after the poll, after the task's
 * end, after the runtime's end.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/allocs.h"
#include "support/random.h"
#include "support/unit.h"

/* A task that gives a clone of its waker away and then waits until it is told to end. */
typedef struct sleeper {
    tmlrt_waker_t waker;
    atomic_int    has_waker, polls, end, wakes_in_poll;
    int64_t       message, seen; /* plain: published by the wake */
} sleeper_t;

static int32_t body_sleeper(unit_t *u, tmlrt_cx_t *cx) {
    sleeper_t *s = u->arg;
    if (atomic_load(&s->has_waker) == 0) {
        require(tmlrt_waker_clone(cx->waker, &s->waker) == TMLRT_OK);
        atomic_store(&s->has_waker, 1);
    }
    s->seen = s->message;
    for (int n = atomic_exchange(&s->wakes_in_poll, 0); n > 0; n--)
        require(tmlrt_waker_wake_by_ref(cx->waker) == TMLRT_OK);
    atomic_fetch_add(&s->polls, 1);
    return atomic_load(&s->end) != 0 ? TMLRT_READY : TMLRT_PENDING;
}

static void end_sleeper(sleeper_t *s, tmlrt_task_t *task) {
    atomic_store(&s->end, 1);
    assert_int_equal(tmlrt_waker_wake(&s->waker), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_waker_t none = {NULL, NULL}, out = {NULL, NULL};
    assert_int_equal(tmlrt_waker_clone(NULL, &out), TMLRT_EINVAL);
    assert_int_equal(tmlrt_waker_clone(&none, &out), TMLRT_EINVAL);
    assert_int_equal(tmlrt_waker_wake(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_waker_wake(&none), TMLRT_EINVAL);
    assert_int_equal(tmlrt_waker_wake_by_ref(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_waker_wake_by_ref(&none), TMLRT_EINVAL);
    assert_int_equal(tmlrt_waker_drop(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_waker_drop(&none), TMLRT_EINVAL);
    assert_null(out.vtable);
}

/* ---- a waker of the test's own --------------------------------------------------------------- */

typedef struct own {
    atomic_int clones, wakes, drops, clone_fails;
} own_t;

static const tmlrt_waker_vtable_t own_vtable;

static void own_clone(void *data, tmlrt_waker_t *out) {
    own_t *o = data;
    if (atomic_load(&o->clone_fails) != 0) {
        out->vtable = NULL;
        return;
    }
    atomic_fetch_add(&o->clones, 1);
    *out = (tmlrt_waker_t){data, &own_vtable};
}

static void own_wake_by_ref(void *data) {
    atomic_fetch_add(&((own_t *)data)->wakes, 1);
}

static void own_drop(void *data) {
    atomic_fetch_add(&((own_t *)data)->drops, 1);
}

static void own_wake(void *data) {
    own_wake_by_ref(data);
    own_drop(data);
}

static const tmlrt_waker_vtable_t own_vtable = {own_clone, own_wake, own_wake_by_ref, own_drop};

static void the_calls_reach_the_vtable_of_any_waker(void **state) {
    (void)state;
    own_t         own = {0};
    tmlrt_waker_t w = {&own, &own_vtable}, clone;
    assert_int_equal(tmlrt_waker_clone(&w, &clone), TMLRT_OK);
    assert_ptr_equal(clone.data, &own);
    assert_int_equal(tmlrt_waker_wake_by_ref(&clone), TMLRT_OK);
    assert_ptr_equal(clone.vtable, &own_vtable);
    assert_int_equal(tmlrt_waker_wake(&clone), TMLRT_OK);
    assert_null(clone.vtable);
    assert_null(clone.data);
    assert_int_equal(tmlrt_waker_drop(&w), TMLRT_OK);
    assert_null(w.vtable);
    assert_int_equal(own.clones, 1);
    assert_int_equal(own.wakes, 2);
    assert_int_equal(own.drops, 2);
}

static void a_clone_without_memory_is_an_error_and_writes_nothing(void **state) {
    (void)state;
    own_t own = {0};
    atomic_store(&own.clone_fails, 1);
    tmlrt_waker_t w = {&own, &own_vtable}, out = {&w, NULL};
    assert_int_equal(tmlrt_waker_clone(&w, &out), TMLRT_ENOMEM);
    assert_ptr_equal(out.data, &w);

    tmlrt_notify_t notify = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     op = TMLRT_OP_INIT;
    tmlrt_cx_t     cx = {&w, NULL, {NULL, NULL}};
    assert_int_equal(tmlrt_op_notified(&op, &notify), TMLRT_OK);
    assert_int_equal(tmlrt_op_poll(&op, &cx), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_ENOMEM);
    assert_int_equal(own.drops, 0);
}

static void an_operation_wakes_the_waker_of_the_latest_poll(void **state) {
    (void)state;
    own_t          first = {0}, second = {0};
    tmlrt_waker_t  w1 = {&first, &own_vtable}, w2 = {&second, &own_vtable};
    tmlrt_cx_t     cx1 = {&w1, NULL, {NULL, NULL}}, cx2 = {&w2, NULL, {NULL, NULL}};
    tmlrt_notify_t notify = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     op = TMLRT_OP_INIT;
    tmlrt_op_notified(&op, &notify);
    assert_int_equal(tmlrt_op_poll(&op, &cx1), TMLRT_PENDING);
    assert_int_equal(tmlrt_op_poll(&op, &cx2), TMLRT_PENDING);
    tmlrt_notify_one(&notify);
    assert_int_equal(first.wakes, 0);
    assert_int_equal(second.wakes, 1);
    assert_int_equal(tmlrt_op_poll(&op, &cx1), TMLRT_READY);
    assert_int_equal(first.clones, first.drops);
    assert_int_equal(second.clones, second.drops);
}

/* ---- wakers of tasks ------------------------------------------------------------------------- */

/* Keeps the only worker inside a poll while a test wakes. */
static int32_t body_hold(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    atomic_int *gate = u->arg;
    atomic_store(gate, 1);
    wait_until(atomic_load(gate) == 2);
    return TMLRT_READY;
}

static void wakes_before_the_next_poll_make_one_poll(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(1);
    tally_t          tally = {0};
    sleeper_t        s = {0};
    atomic_int       gate = 0;
    tmlrt_task_t    *task = unit_spawn(rt, &tally, body_sleeper, &s);
    wait_until(atomic_load(&s.polls) == 1);
    tmlrt_task_t *holder = unit_spawn(rt, &tally, body_hold, &gate);
    wait_until(atomic_load(&gate) == 1);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(tmlrt_waker_wake_by_ref(&s.waker), TMLRT_OK);
    atomic_store(&gate, 2);
    assert_int_equal(tmlrt_join(holder, NULL), TMLRT_OK);
    tmlrt_task_release(holder);
    /* Another task after it in the same queue: when that one has run, so has every poll that the
     * wakes asked for. */
    for (int i = 0; i < 3; i++)
        unit_run(rt, &tally, body_ready, NULL);
    assert_int_equal(s.polls, 2);
    end_sleeper(&s, task);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void wakes_during_the_poll_make_one_more(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tally_t          tally = {0};
    sleeper_t        s = {0};
    atomic_store(&s.wakes_in_poll, 5);
    tmlrt_task_t *task = unit_spawn(rt, &tally, body_sleeper, &s);
    for (int i = 0; i < 8; i++)
        assert_true(tmlrt_runtime_run_once(rt) >= 0);
    assert_int_equal(s.polls, 2);
    assert_int_equal(tmlrt_runtime_run_once(rt), 0);
    end_sleeper(&s, task);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_wake_after_the_end_does_nothing(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(2);
    tally_t          tally = {0};
    sleeper_t        s = {0};
    atomic_store(&s.end, 1);
    tmlrt_task_t *task = unit_spawn(rt, &tally, body_sleeper, &s);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
    assert_int_equal(tmlrt_waker_wake_by_ref(&s.waker), TMLRT_OK);
    assert_int_equal(tmlrt_waker_wake(&s.waker), TMLRT_OK);
    assert_int_equal(tally.polls, 1);
    assert_int_equal(tally.drops, 1);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_waker_and_a_handle_outlive_the_runtime(void **state) {
    (void)state;
    allocs_t          allocs = {0};
    tmlrt_allocator_t allocator = allocs_of(&allocs);
    tmlrt_config_t    config = TMLRT_CONFIG_INIT;
    config.workers = 2;
    config.allocator = &allocator;
    tmlrt_runtime_t     *rt;
    tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
    options.name = "outlives";
    assert_int_equal(tmlrt_runtime_create(&rt, &config), TMLRT_OK);
    tally_t       tally = {0};
    sleeper_t     s = {0};
    tmlrt_waker_t clone;
    tmlrt_task_t *task = unit_spawn_with(rt, &tally, body_sleeper, &s, &options);
    wait_until(atomic_load(&s.has_waker) == 1);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    assert_int_equal(tally.drops, 1);
    assert_true(allocs.blocks > 0);

    assert_int_equal(tmlrt_waker_wake_by_ref(&s.waker), TMLRT_OK);
    assert_int_equal(tmlrt_waker_clone(&s.waker, &clone), TMLRT_OK);
    assert_int_equal(tmlrt_task_is_finished(task), 1);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_task_abort(task), TMLRT_EALREADY);
    assert_string_equal(tmlrt_task_name(task), "outlives");
    tmlrt_task_release(task);
    assert_int_equal(tmlrt_waker_drop(&s.waker), TMLRT_OK);
    assert_true(allocs.blocks > 0);
    assert_int_equal(tmlrt_waker_wake(&clone), TMLRT_OK);
    assert_int_equal(allocs.blocks, 0);
    assert_int_equal(allocs.bytes, 0);
}

static void what_was_written_before_a_wake_is_seen_by_the_poll_after_it(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(2);
    tally_t          tally = {0};
    sleeper_t        s = {0};
    tmlrt_task_t    *task = unit_spawn(rt, &tally, body_sleeper, &s);
    wait_until(atomic_load(&s.polls) == 1);
    for (int i = 1; i <= scaled(20000); i++) {
        int polls = atomic_load(&s.polls);
        s.message = i;
        tmlrt_waker_wake_by_ref(&s.waker);
        wait_until(atomic_load(&s.polls) > polls);
        assert_int_equal(s.seen, i);
    }
    end_sleeper(&s, task);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- against the end ------------------------------------------------------------------------- */

static void wake_a_lot(void *arg, int i) {
    sleeper_t *s = arg;
    (void)i;
    tmlrt_waker_t mine;
    require(tmlrt_waker_clone(&s->waker, &mine) == TMLRT_OK);
    atomic_fetch_add(&s->has_waker, 1);
    for (int k = 0; k < 200; k++)
        require(tmlrt_waker_wake_by_ref(&mine) == TMLRT_OK);
    require(tmlrt_waker_wake(&mine) == TMLRT_OK);
}

static void wakes_may_race_with_the_destruction_of_the_runtime(void **state) {
    (void)state;
    for (int round = scaled(300); round > 0; round--) {
        tmlrt_runtime_t *rt = round % 2 != 0 ? runtime_multi(2) : runtime_current_thread();
        tally_t          tally = {0};
        sleeper_t        s = {0};
        tmlrt_task_release(unit_spawn(rt, &tally, body_sleeper, &s));
        if (round % 2 == 0) assert_int_equal(tmlrt_runtime_run_once(rt), 1);
        wait_until(atomic_load(&s.has_waker) == 1);
        crew_t *crew = crew_start(3, wake_a_lot, &s);
        wait_until(atomic_load(&s.has_waker) == 4);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
        crew_join(crew);
        assert_int_equal(tally.drops, 1);
        assert_int_equal(tmlrt_waker_drop(&s.waker), TMLRT_OK);
    }
}

static pthread_key_t late_key;

static void late_wake(void *value) {
    sleeper_t     *s = value;
    tmlrt_op_t     op = TMLRT_OP_INIT;
    tmlrt_notify_t notify = TMLRT_NOTIFY_INIT;
    tmlrt_notify_one(&notify);
    tmlrt_op_notified(&op, &notify);
    require(tmlrt_op_await(&op) == TMLRT_OK);
    require(tmlrt_waker_wake_by_ref(&s->waker) == TMLRT_OK);
}

static void end_with_a_late_wake(void *arg, int i) {
    sleeper_t *s = arg;
    (void)i;
    /* The thread waits once before, so that its own record exists when it ends. */
    tmlrt_op_t     op = TMLRT_OP_INIT;
    tmlrt_notify_t notify = TMLRT_NOTIFY_INIT;
    tmlrt_notify_one(&notify);
    tmlrt_op_notified(&op, &notify);
    require(tmlrt_op_await(&op) == TMLRT_OK);
    require(pthread_setspecific(late_key, s) == 0);
}

static void a_thread_may_wake_and_wait_in_its_thread_local_destructors(void **state) {
    (void)state;
    /* Keys of both orders: one made before the library's own, one after. */
    tmlrt_runtime_t *rt = runtime_multi(1);
    tally_t          tally = {0};
    sleeper_t        s = {0};
    tmlrt_task_t    *task = unit_spawn(rt, &tally, body_sleeper, &s);
    wait_until(atomic_load(&s.polls) == 1);
    for (int i = 0; i < 2; i++) {
        int polls = atomic_load(&s.polls);
        if (i == 1) {
            pthread_key_delete(late_key);
            assert_int_equal(pthread_key_create(&late_key, late_wake), 0);
        }
        on_threads(1, end_with_a_late_wake, &s);
        wait_until(atomic_load(&s.polls) > polls);
    }
    pthread_key_delete(late_key);
    end_sleeper(&s, task);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(the_calls_reach_the_vtable_of_any_waker),
        cmocka_unit_test(a_clone_without_memory_is_an_error_and_writes_nothing),
        cmocka_unit_test(an_operation_wakes_the_waker_of_the_latest_poll),
        cmocka_unit_test(wakes_before_the_next_poll_make_one_poll),
        cmocka_unit_test(wakes_during_the_poll_make_one_more),
        cmocka_unit_test(a_wake_after_the_end_does_nothing),
        cmocka_unit_test(a_waker_and_a_handle_outlive_the_runtime),
        cmocka_unit_test(what_was_written_before_a_wake_is_seen_by_the_poll_after_it),
        cmocka_unit_test(wakes_may_race_with_the_destruction_of_the_runtime),
        cmocka_unit_test(a_thread_may_wake_and_wait_in_its_thread_local_destructors),
    };
    /* Before the library makes a key of its own. */
    if (pthread_key_create(&late_key, late_wake) != 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
