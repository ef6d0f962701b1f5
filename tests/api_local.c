/* SPDX-License-Identifier: MIT */
/*
 * api_local.c: task-locals follow their task, are inherited where the key says so, and each value
 * is dropped once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/group.h"
#include "support/allocs.h"
#include "support/random.h"
#include "support/unit.h"

static tally_t tally;

/* Values are numbers; how many were made by a set or an inherit, and how many dropped. */
static atomic_int made, dropped;

static void *inherit_plus_one(void *value) {
    atomic_fetch_add(&made, 1);
    return (char *)value + 1;
}

static void *inherit_nothing(void *value) {
    (void)value;
    return NULL;
}

static void drop_counts(void *value);

static const tmlrt_local_key_t own_key = {NULL, drop_counts};
static const tmlrt_local_key_t handed_on = {inherit_plus_one, drop_counts};
static const tmlrt_local_key_t withheld = {inherit_nothing, NULL};

static void drop_counts(void *value) {
    require(value != NULL);
    require(tmlrt_yield() == TMLRT_EDEADLK); /* it is a drop */
    atomic_fetch_add(&dropped, 1);
}

static int forget(void **state) {
    (void)state;
    made = dropped = 0;
    return 0;
}

static void set(const tmlrt_local_key_t *key, intptr_t value) {
    require(tmlrt_local_set(key, (void *)value) == TMLRT_OK);
    if (value != 0) atomic_fetch_add(&made, 1);
}

static intptr_t get(const tmlrt_local_key_t *key) {
    return (intptr_t)tmlrt_local_get(key);
}

static void run(tmlrt_fiber_fn fn, void *arg) {
    tmlrt_task_t *task;
    assert_int_equal(tmlrt_go(rt, fn, arg, NULL, &task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
}

static void *sets_and_gets(void *arg) {
    (void)arg;
    require(get(&own_key) == 0);
    set(&own_key, 0); /* nothing to remove */
    set(&own_key, 5);
    set(&handed_on, 6);
    require(get(&own_key) == 5 && get(&handed_on) == 6 && get(&withheld) == 0);
    for (int i = 0; i < 20; i++) { /* from worker to worker */
        require(tmlrt_yield() == TMLRT_OK);
        require(get(&own_key) == 5 + i);
        set(&own_key, 6 + i);
    }
    require(dropped == 20);
    set(&handed_on, 0);
    require(get(&handed_on) == 0 && dropped == 21);
    set(&handed_on, 7);
    return NULL;
}

static void values_follow_the_task_and_end_with_it(void **state) {
    (void)state;
    run(sets_and_gets, NULL);
    assert_int_equal(made, 23);
    assert_int_equal(dropped, 23);
}

/* ---- inheritance --------------------------------------------------------------------------------- */

static int32_t body_has_inherited(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    require(get(&own_key) == 0 && get(&withheld) == 0);
    u->value = get(&handed_on);
    return TMLRT_READY;
}

static void *job_has_inherited(void *arg) {
    (void)arg;
    return tmlrt_local_get(&handed_on);
}

static void *hands_on(void *arg) {
    (void)arg;
    tmlrt_task_t *task;
    int64_t       value = 0;
    void         *got = NULL;
    set(&own_key, 1);
    set(&handed_on, 10);
    set(&withheld, 100);
    task = unit_spawn(NULL, &tally, body_has_inherited, NULL);
    require(tmlrt_join(task, &value) == TMLRT_OK && value == 11);
    tmlrt_task_release(task);
    require(tmlrt_spawn_blocking(NULL, job_has_inherited, NULL, 0, NULL, &task) == TMLRT_OK);
    require(tmlrt_join(task, &got) == TMLRT_OK && (intptr_t)got == 11);
    tmlrt_task_release(task);
    /* Made, and never started; and one that is refused. */
    require(tmlrt_task_new(NULL, &unit_type, NULL, &task) == TMLRT_OK);
    tmlrt_task_release(task);
    tmlrt_scope_t        closed = TMLRT_SCOPE_INIT;
    tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
    unit_t               u = unit_of(&tally, body_ready, NULL);
    o.scope = &closed;
    require(tmlrt_spawn(NULL, &unit_type, &u, &o, NULL) == TMLRT_ECLOSED);
    require(tmlrt_go(NULL, hands_on, NULL, &o, NULL) == TMLRT_ECLOSED);
    atomic_fetch_sub(&made, 1); /* withheld drops nothing */
    return NULL;
}

static void a_new_task_inherits_what_its_key_hands_on(void **state) {
    (void)state;
    run(hands_on, NULL);
    assert_int_equal(made, 2 + 5);
    assert_int_equal(dropped, 2 + 5);
    /* A thread has none to hand on. */
    assert_int_equal(unit_run(rt, &tally, body_has_inherited, NULL), 0);
}

/* A key that would take away what is being handed on; also after a spawn of its own. */
static void *inherit_meddles(void *value) {
    static int depth;
    if (depth++ == 0) {
        unit_t u = unit_of(&tally, body_ready, NULL);
        require(tmlrt_spawn(NULL, &unit_type, &u, NULL, NULL) == TMLRT_OK);
    }
    depth--;
    require(tmlrt_local_set(&handed_on, NULL) == TMLRT_ECLOSED);
    require(tmlrt_local_set(&own_key, value) == TMLRT_ECLOSED);
    require(get(&handed_on) == 10);
    return NULL;
}

static void *hands_on_what_meddles(void *arg) {
    static const tmlrt_local_key_t meddles = {inherit_meddles, NULL};
    require(tmlrt_local_set(&meddles, arg) == TMLRT_OK);
    set(&handed_on, 10);
    tmlrt_task_release(unit_spawn(NULL, &tally, body_ready, NULL));
    set(&handed_on, 0); /* now it may */
    return NULL;
}

static void nothing_is_set_while_values_are_handed_on(void **state) {
    (void)state;
    run(hands_on_what_meddles, &made);
    wait_until(dropped == made);
    assert_int_equal(made, 3); /* one, and that of both children */
}

/* ---- the end --------------------------------------------------------------------------------------- */

static void                    drop_sets(void *value);
static const tmlrt_local_key_t sets_again = {NULL, drop_sets};

static void drop_sets(void *value) {
    (void)value;
    require(get(&sets_again) == 0);
    require(tmlrt_local_set(&sets_again, (void *)1) == TMLRT_ECLOSED);
    atomic_fetch_add(&dropped, 1);
}

static void state_drop_looks(unit_t *u) {
    (void)u;
    require(get(&sets_again) == 3); /* the state goes first */
    atomic_fetch_add(&made, 1);
}

static int32_t body_sets_and_sleeps(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    require(tmlrt_local_set(&sets_again, (void *)3) == TMLRT_OK);
    require(strcmp(tmlrt_task_name(cx->task), "unit") == 0);
    atomic_store((atomic_int *)u->arg, 1);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep(&u->op, NULL, 3600 * TMLRT_S));
    TMLRT_END(u);
}

static void values_end_after_the_state_of_an_aborted_task(void **state) {
    (void)state;
    atomic_int begun = 0;
    unit_t     u = unit_of(&tally, body_sets_and_sleeps, &begun);
    u.on_drop = state_drop_looks;
    tmlrt_task_t *task;
    assert_int_equal(tmlrt_spawn(rt, &unit_type, &u, NULL, &task), TMLRT_OK);
    wait_until(begun);
    assert_string_equal(tmlrt_task_name(task), "unit");
    assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_ECANCELED);
    assert_int_equal(made, 1);
    assert_int_equal(dropped, 1);
    tmlrt_task_release(task);
}

static void *finds_no_memory(void *arg) {
    allocs_t *allocs = arg;
    set(&handed_on, 1);
    atomic_store(&allocs->fail_at, 1);
    require(tmlrt_local_set(&own_key, (void *)2) == TMLRT_ENOMEM);
    require(get(&own_key) == 0);
    unit_t u = unit_of(&tally, body_ready, NULL);
    require(tmlrt_spawn(NULL, &unit_type, &u, NULL, NULL) == TMLRT_ENOMEM); /* cannot inherit */
    atomic_store(&allocs->fail_at, 0);
    return NULL;
}

static void without_memory_nothing_is_set_or_lost(void **state) {
    (void)state;
    allocs_t          allocs = {0};
    tmlrt_allocator_t allocator = allocs_of(&allocs);
    tmlrt_config_t    config = TMLRT_CONFIG_INIT;
    tmlrt_task_t     *task;
    config.allocator = &allocator;
    config.flavor = TMLRT_FLAVOR_CURRENT_THREAD;
    tmlrt_runtime_t *own;
    assert_int_equal(tmlrt_runtime_create(&own, &config), TMLRT_OK);
    assert_int_equal(tmlrt_go(own, finds_no_memory, &allocs, NULL, &task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
    assert_int_equal(tmlrt_runtime_destroy(own), TMLRT_OK);
    assert_int_equal(allocs.blocks, 0);
    assert_int_equal(made, dropped);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    assert_int_equal(tmlrt_local_set(NULL, (void *)1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_local_set(&own_key, (void *)1), TMLRT_ENORUNTIME);
    assert_null(tmlrt_local_get(NULL));
    assert_null(tmlrt_local_get(&own_key));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(values_follow_the_task_and_end_with_it, forget),
        cmocka_unit_test_setup(a_new_task_inherits_what_its_key_hands_on, forget),
        cmocka_unit_test_setup(nothing_is_set_while_values_are_handed_on, forget),
        cmocka_unit_test_setup(values_end_after_the_state_of_an_aborted_task, forget),
        cmocka_unit_test_setup(without_memory_nothing_is_set_or_lost, forget),
        cmocka_unit_test_setup(bad_arguments_are_refused, forget),
    };
    return cmocka_run_group_tests(tests, make_runtime, end_runtime);
}
