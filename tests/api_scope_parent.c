/* SPDX-License-Identifier: MIT */
/*
 * api_scope_parent.c: the end of who has scopes open (abort, return, panic, shutdown): the children are
 * cancelled and joined.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/scopes.h"
#include "support/unit.h"

static tally_t tally;

/* ---- the parent ends --------------------------------------------------------------------------------- */

/* A stackless owner: what its state holds is looked at by its children until they are dropped. */
typedef struct owner {
    TMLRT_FRAME;
    tmlrt_scope_t outer, scope;
    marks_t      *m;
    tally_t      *children;
    int           n, how;
    atomic_int    alive; /* children that may look at it */
    tmlrt_op_t    op;
} owner_t;

enum { JOINS, SLEEPS, RETURNS, NESTS, PANICS };

static void child_drops(unit_t *u) {
    owner_t *o = u->arg;
    for (int i = 0; i < 10; i++)
        sched_yield(); /* time for an owner that does not wait for us */
    require(atomic_fetch_sub(&o->alive, 1) > 0);
}

static int32_t owner_poll(void *state, tmlrt_cx_t *cx, void *result) {
    owner_t *o = state;
    (void)result;
    TMLRT_BEGIN(o);
    if (o->how == NESTS) require(tmlrt_scope_open_in(&o->outer, cx, NULL, TMLRT_NEVER) == TMLRT_OK);
    require(tmlrt_scope_open_in(&o->scope, cx, o->how == NESTS ? &o->outer : NULL, TMLRT_NEVER) ==
            TMLRT_OK);
    for (int i = 0; i < o->n; i++) {
        tmlrt_task_options_t opt = child_of(o->how == NESTS && i % 2 ? &o->outer : &o->scope);
        unit_t               u = unit_of(o->children, body_sleep_forever, o);
        u.on_drop = child_drops;
        atomic_fetch_add(&o->alive, 1);
        require(tmlrt_spawn(NULL, &unit_type, &u, &opt, NULL) == TMLRT_OK);
    }
    atomic_store(&o->m->begun, 1);
    if (o->how == RETURNS) TMLRT_RETURN(o);
    if (o->how == PANICS) panic();
    if (o->how != JOINS) TMLRT_AWAIT(o, cx, &o->op, tmlrt_op_sleep(&o->op, NULL, FAR_AWAY));
    TMLRT_AWAIT(o, cx, tmlrt_scope_op(&o->scope), 0);
    o->m->result = (int)tmlrt_op_result(tmlrt_scope_op(&o->scope));
    TMLRT_END(o);
}

static void owner_drop(void *state) {
    owner_t *o = state;
    require(atomic_load(&o->alive) == 0); /* nobody is left to look at us */
    require(tmlrt_scope_status(&o->scope) == TMLRT_ECLOSED);
    o->m->ended = 1;
}

static const tmlrt_task_type_t owner_type = TMLRT_TASK_TYPE(owner_t, owner_poll, owner_drop);

static tmlrt_task_t *spawn_owner(marks_t *m, tally_t *children, int how, int n) {
    owner_t                  o;
    static tmlrt_task_type_t panics;
    panics = owner_type;
    panics.guard = landing_guard;
    memset(&o, 0, sizeof o);
    o.m = m;
    o.children = children;
    o.how = how;
    o.n = n;
    tmlrt_task_t *task;
    require(tmlrt_spawn(rt, how == PANICS ? &panics : &owner_type, &o, NULL, &task) == TMLRT_OK);
    return task;
}

static void aborting_a_parent_joins_its_children_before_its_drop(void **state) {
    (void)state;
    static const int hows[] = {JOINS, SLEEPS, NESTS};
    for (int round = 0; round < scaled(300); round++) {
        marks_t       m = {.scope = TMLRT_SCOPE_INIT};
        tally_t       children = {0};
        int           n = 1 + round % 70; /* more than a batch */
        tmlrt_task_t *task = spawn_owner(&m, &children, hows[round % 3], n);
        if (round % 2) wait_until(m.begun);
        assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
        assert_int_equal(tmlrt_join(task, NULL), TMLRT_ECANCELED);
        assert_int_equal(m.ended, 1);
        assert_int_equal(children.drops, m.begun ? n : 0);
        tmlrt_task_release(task);
    }
}

static void a_parent_that_returns_or_panics_joins_them_too(void **state) {
    (void)state;
    for (int round = 0; round < scaled(200); round++) {
        marks_t       m = {.scope = TMLRT_SCOPE_INIT};
        tally_t       children = {0};
        bool          panics = round % 2;
        tmlrt_task_t *task = spawn_owner(&m, &children, panics ? PANICS : RETURNS, round % 40);
        assert_int_equal(tmlrt_join(task, NULL), panics ? TMLRT_EPANIC : TMLRT_OK);
        assert_int_equal(m.ended, 1);
        assert_int_equal(children.drops, round % 40);
        tmlrt_task_release(task);
    }
}

/* A future in place that is dropped midway: its scope ends before its state does. */
static int32_t body_drops_an_owner(unit_t *u, tmlrt_cx_t *cx) {
    owner_t *o = u->arg;
    TMLRT_BEGIN(u);
    tmlrt_op_future(&u->op, &owner_type, o, NULL);
    tmlrt_op_sleep(&u->op2, NULL, 1000);
    u->ops[0] = &u->op;
    u->ops[1] = &u->op2;
    TMLRT_AWAIT(u, cx, &u->op3, tmlrt_op_any(&u->op3, u->ops, 2));
    require(tmlrt_op_result(&u->op3) == 1);
    require(o->m->ended == 1);
    TMLRT_END(u);
}

static void a_future_in_place_joins_its_children_when_it_loses(void **state) {
    (void)state;
    for (int round = 0; round < scaled(100); round++) {
        marks_t        m = {.scope = TMLRT_SCOPE_INIT};
        tally_t        children = {0};
        static owner_t o;
        memset(&o, 0, sizeof o);
        o.m = &m;
        o.children = &children;
        o.how = round % 2 ? JOINS : SLEEPS;
        o.n = 5;
        assert_int_equal(unit_run(rt, &tally, body_drops_an_owner, &o), 0);
        assert_int_equal(children.drops, 5);
    }
}

static void *fiber_parent(void *arg) {
    marks_t *m = arg;
    require(tmlrt_scope_open(&m->scope, NULL, TMLRT_NEVER) == TMLRT_OK);
    require(tmlrt_scope_open(&m->inner, NULL, TMLRT_NEVER) == TMLRT_OK);
    for (int i = 0; i < 5; i++) {
        go_in(&m->scope, lingers, m);
        go_in(&m->inner, lingers, m);
    }
    int e = tmlrt_sleep(FAR_AWAY);
    /* Before the join: the children are being cancelled already. */
    require(tmlrt_scope_status(&m->scope) == e && tmlrt_scope_status(&m->inner) == e);
    m->inner_result = tmlrt_scope_join(&m->inner);
    m->result = tmlrt_scope_join(&m->scope);
    require(m->ended == 10 && m->begun == 10); /* also those that had not begun */
    m->go = 1;
    return NULL;
}

static void *fiber_panics(void *arg) {
    marks_t *m = arg;
    require(tmlrt_scope_open(&m->scope, NULL, TMLRT_NEVER) == TMLRT_OK);
    require(tmlrt_scope_open(&m->inner, rt, tmlrt_now(rt) + FAR_AWAY) == TMLRT_OK);
    for (int i = 0; i < 5; i++) {
        go_in(&m->scope, lingers, m);
        go_in(&m->inner, lingers, m);
    }
    panic();
}

static void a_fiber_that_panics_leaves_no_children_behind(void **state) {
    (void)state;
    for (int round = 0; round < scaled(50); round++) {
        marks_t              m = {.scope = TMLRT_SCOPE_INIT};
        tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
        tmlrt_task_t        *task;
        o.guard = landing_guard;
        assert_int_equal(tmlrt_go(rt, fiber_panics, &m, &o, &task), TMLRT_OK);
        assert_int_equal(tmlrt_join(task, NULL), TMLRT_EPANIC);
        assert_int_equal(m.ended, 10);
        assert_int_equal(tmlrt_scope_status(&m.scope), TMLRT_ECLOSED);
        assert_int_equal(tmlrt_scope_status(&m.inner), TMLRT_ECLOSED);
        tmlrt_task_release(task);
    }
}

static void aborting_a_fiber_cancels_its_scopes_which_it_joins(void **state) {
    (void)state;
    for (int round = 0; round < scaled(100); round++) {
        marks_t       m = {.scope = TMLRT_SCOPE_INIT};
        tmlrt_task_t *task;
        assert_int_equal(tmlrt_go(rt, fiber_parent, &m, NULL, &task), TMLRT_OK);
        wait_until(m.begun >= round % 10 + 1);
        assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
        assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
        assert_int_equal(m.go, 1);
        assert_int_equal(m.result, TMLRT_ECANCELED);
        assert_int_equal(m.inner_result, TMLRT_ECANCELED);
        tmlrt_task_release(task);
    }
}

/* ---- shutdown -------------------------------------------------------------------------------------------- */

static void a_shutdown_ends_what_has_scopes_open(void **state) {
    (void)state;
    tmlrt_runtime_t *own = runtime_multi(2), *former = rt;
    marks_t          m = {.scope = TMLRT_SCOPE_INIT}, f = {.scope = TMLRT_SCOPE_INIT},
            t = {.scope = TMLRT_SCOPE_INIT};
    tally_t       children = {0};
    tmlrt_task_t *task;
    rt = own;
    task = spawn_owner(&m, &children, SLEEPS, 10);
    assert_int_equal(tmlrt_go(rt, fiber_parent, &f, NULL, NULL), TMLRT_OK);
    assert_int_equal(tmlrt_scope_open(&t.scope, NULL, TMLRT_NEVER), TMLRT_OK);
    for (int i = 0; i < 3; i++)
        go_in(&t.scope, lingers, &t);
    wait_until(m.begun == 1 && f.begun == 10 && t.begun == 3);
    assert_int_equal(tmlrt_runtime_shutdown(own, 0, NULL), TMLRT_ETIMEDOUT);
    assert_int_equal(m.ended, 1);
    assert_int_equal(children.drops, 10);
    assert_int_equal(f.go, 1);
    assert_int_equal(t.ended, 3);
    tmlrt_task_options_t o = child_of(&t.scope);
    assert_int_equal(tmlrt_go(rt, lingers, &t, &o, NULL), TMLRT_ESHUTDOWN);
    tmlrt_task_release(task);
    assert_int_equal(tmlrt_runtime_destroy(own), TMLRT_OK);
    rt = former;
    /* The scope of this thread outlives the runtime of its children: they were aborted one by one. */
    assert_int_equal(tmlrt_scope_join(&t.scope), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aborting_a_parent_joins_its_children_before_its_drop),
        cmocka_unit_test(a_parent_that_returns_or_panics_joins_them_too),
        cmocka_unit_test(a_future_in_place_joins_its_children_when_it_loses),
        cmocka_unit_test(a_fiber_that_panics_leaves_no_children_behind),
        cmocka_unit_test(aborting_a_fiber_cancels_its_scopes_which_it_joins),
        cmocka_unit_test(a_shutdown_ends_what_has_scopes_open),
    };
    return cmocka_run_group_tests(tests, make_runtime, end_runtime);
}
