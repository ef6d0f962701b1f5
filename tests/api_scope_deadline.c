/* SPDX-License-Identifier: MIT */
/*
 * api_scope_deadline.c: deadlines of scopes, one in another, and shields.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/scopes.h"
#include "support/unit.h"

/* ---- deadlines: on the virtual clock --------------------------------------------------------------- */

static tmlrt_runtime_t *clock_rt;

static void go_clock(tmlrt_scope_t *scope, tmlrt_fiber_fn fn, void *arg) {
    tmlrt_task_options_t o = child_of(scope);
    require(tmlrt_go(NULL, fn, arg, &o, NULL) == TMLRT_OK);
}

/* A grandchild's wait ends with the deadline of the outermost scope. */
static void *opens_a_scope_of_its_own(void *arg) {
    marks_t      *m = arg;
    tmlrt_scope_t s = TMLRT_SCOPE_INIT;
    require(tmlrt_scope_open(&s, NULL, tmlrt_now(NULL) + FAR_AWAY) == TMLRT_OK);
    for (int i = 0; i < 3; i++)
        go_clock(&s, lingers, m);
    m->inner_result = tmlrt_scope_join(&s);
    require(atomic_load(&m->ended) == 3);
    return NULL;
}

static void *deadline_reaches_all(void *arg) {
    marks_t *m = arg;
    int64_t  end = tmlrt_now(NULL) + TMLRT_S;
    require(tmlrt_scope_open(&m->scope, NULL, end) == TMLRT_OK);
    go_clock(&m->scope, opens_a_scope_of_its_own, m);
    m->result = tmlrt_scope_join(&m->scope);
    require(tmlrt_now(NULL) >= end && tmlrt_now(NULL) < end + TMLRT_S);
    return NULL;
}

static void a_deadline_reaches_the_scopes_of_the_children(void **state) {
    (void)state;
    marks_t       m = {.scope = TMLRT_SCOPE_INIT};
    tmlrt_task_t *task;
    clock_rt = runtime_virtual();
    assert_int_equal(tmlrt_go(clock_rt, deadline_reaches_all, &m, NULL, &task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
    assert_int_equal(m.result, TMLRT_ETIMEDOUT);
    assert_int_equal(m.inner_result, TMLRT_ECANCELED);
    assert_int_equal(m.cancelled, 3);
    assert_int_equal(tmlrt_runtime_destroy(clock_rt), TMLRT_OK);
}

static void *nested_deadlines(void *arg) {
    tmlrt_scope_t a = TMLRT_SCOPE_INIT, b = TMLRT_SCOPE_INIT, c = TMLRT_SCOPE_INIT;
    int64_t       now = tmlrt_now(NULL);
    (void)arg;
    /* The inner one is later: the outer one's counts, for the wait, the scope and its children. */
    marks_t m = {.scope = TMLRT_SCOPE_INIT};
    require(tmlrt_scope_open(&a, NULL, now + TMLRT_S) == TMLRT_OK);
    require(tmlrt_scope_open(&b, NULL, now + FAR_AWAY) == TMLRT_OK);
    require(tmlrt_scope_open(&c, NULL, TMLRT_NEVER) == TMLRT_OK);
    go_clock(&c, lingers, &m);
    require(tmlrt_sleep(FAR_AWAY) == TMLRT_ECANCELED);
    require(tmlrt_now(NULL) < now + 2 * TMLRT_S);
    require(tmlrt_scope_join(&c) == TMLRT_ETIMEDOUT && m.ended == 1);
    require(tmlrt_scope_join(&b) == TMLRT_ETIMEDOUT);
    /* One opened now is cancelled from the start. */
    require(tmlrt_scope_open(&c, NULL, TMLRT_NEVER) == TMLRT_OK);
    require(tmlrt_scope_status(&c) == TMLRT_ETIMEDOUT);
    tmlrt_task_options_t o = child_of(&c);
    require(tmlrt_go(NULL, lingers, &m, &o, NULL) == TMLRT_ECANCELED);
    require(tmlrt_scope_join(&c) == TMLRT_ETIMEDOUT);
    require(tmlrt_scope_join(&a) == TMLRT_ETIMEDOUT);
    /* The inner one is earlier: the outer one goes on. */
    now = tmlrt_now(NULL);
    require(tmlrt_scope_open(&a, NULL, now + FAR_AWAY) == TMLRT_OK);
    require(tmlrt_scope_open(&b, NULL, now + TMLRT_S) == TMLRT_OK);
    require(tmlrt_sleep(FAR_AWAY / 2) == TMLRT_ECANCELED);
    require(tmlrt_scope_join(&b) == TMLRT_ETIMEDOUT);
    require(tmlrt_sleep(TMLRT_S) == TMLRT_OK);
    require(tmlrt_scope_join(&a) == TMLRT_OK);
    require(tmlrt_now(NULL) < now + 4 * TMLRT_S);
    return NULL;
}

static void *shields(void *arg) {
    tmlrt_scope_t a = TMLRT_SCOPE_INIT, b = TMLRT_SCOPE_INIT;
    marks_t       m = {.scope = TMLRT_SCOPE_INIT};
    int64_t       now = tmlrt_now(NULL);
    (void)arg;
    require(tmlrt_scope_open(&a, NULL, now + TMLRT_S) == TMLRT_OK);
    require(tmlrt_shield_begin() == TMLRT_OK);
    require(tmlrt_sleep(10 * TMLRT_S) == TMLRT_OK); /* past the deadline of a, in a shield */
    require(tmlrt_cancelled() == TMLRT_ECANCELED);
    /* Opened in the shield: not reached by a, but by its own deadline. */
    now = tmlrt_now(NULL);
    require(tmlrt_scope_open(&b, NULL, now + 5 * TMLRT_S) == TMLRT_OK);
    require(tmlrt_scope_status(&b) == TMLRT_OK);
    require(tmlrt_sleep(TMLRT_S) == TMLRT_OK);
    go_clock(&b, lingers, &m);
    require(tmlrt_sleep(FAR_AWAY) == TMLRT_ECANCELED && m.begun == 1);
    require(tmlrt_scope_join(&b) == TMLRT_ETIMEDOUT && m.ended == 1);
    require(tmlrt_shield_end() == TMLRT_OK);
    require(tmlrt_sleep(TMLRT_S) == TMLRT_ECANCELED);
    require(tmlrt_scope_join(&a) == TMLRT_ETIMEDOUT);
    require(tmlrt_sleep(TMLRT_S) == TMLRT_OK);
    return NULL;
}

static void on_the_virtual_clock(tmlrt_fiber_fn fn) {
    tmlrt_task_t *task;
    clock_rt = runtime_virtual();
    assert_int_equal(tmlrt_go(clock_rt, fn, NULL, NULL, &task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
    assert_int_equal(tmlrt_runtime_destroy(clock_rt), TMLRT_OK);
}

static void the_earliest_deadline_around_a_wait_ends_it(void **state) {
    (void)state;
    on_the_virtual_clock(nested_deadlines);
}

static void a_shield_keeps_out_what_lies_around_it(void **state) {
    (void)state;
    on_the_virtual_clock(shields);
}

/* A plain thread that does not wait: the timer's thread cancels the children all the same. */
static void a_deadline_of_a_thread_needs_nobody_who_waits(void **state) {
    (void)state;
    marks_t m = {.scope = TMLRT_SCOPE_INIT};
    assert_int_equal(tmlrt_scope_open(&m.scope, rt, tmlrt_now(rt) + 1000), TMLRT_OK);
    tmlrt_task_options_t o = child_of(&m.scope);
    int                  e;
    wait_until((e = tmlrt_go(rt, lingers, &m, &o, NULL)) != TMLRT_OK);
    assert_int_equal(e, TMLRT_ECANCELED);
    wait_until(m.ended == m.begun && tmlrt_scope_status(&m.scope) == TMLRT_ETIMEDOUT);
    assert_int_equal(tmlrt_scope_join(&m.scope), TMLRT_ETIMEDOUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_reaches_the_scopes_of_the_children),
        cmocka_unit_test(the_earliest_deadline_around_a_wait_ends_it),
        cmocka_unit_test(a_shield_keeps_out_what_lies_around_it),
        cmocka_unit_test(a_deadline_of_a_thread_needs_nobody_who_waits),
    };
    return cmocka_run_group_tests(tests, make_runtime, end_runtime);
}
