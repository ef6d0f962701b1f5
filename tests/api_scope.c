/* SPDX-License-Identifier: MIT */
/*
 * api_scope.c: scopes of fibers, plain threads and stackless tasks: who waits for whom, what fails what,
 * and what every function says to bad input.
 */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/sanitizers.h"
#include "support/skip.h"
#include "support/random.h"
#include "support/scopes.h"
#include "support/unit.h"

static tally_t tally;

/* ---- the plain life of a scope ------------------------------------------------------------------- */

enum { CHILDREN = 100 };

static void scope_with_children(marks_t *m) {
    memset(m, 0, sizeof *m);
    require(tmlrt_scope_open(&m->scope, rt, TMLRT_NEVER) == TMLRT_OK);
    for (int i = 0; i < CHILDREN; i++)
        go_in(&m->scope, yields_and_ends, m);
    require(tmlrt_scope_status(&m->scope) == TMLRT_OK);
    m->result = tmlrt_scope_join(&m->scope);
    require(atomic_load(&m->ended) == CHILDREN);
}

static void *fiber_scope_with_children(void *arg) {
    scope_with_children(arg);
    scope_with_children(arg); /* it may be opened again */
    return NULL;
}

static void a_join_waits_for_all_children(void **state) {
    (void)state;
    marks_t m;
    scope_with_children(&m);
    assert_int_equal(m.result, TMLRT_OK);
    as_fiber(fiber_scope_with_children, &m);
    assert_int_equal(m.result, TMLRT_OK);
}

static void *empty_scopes(void *arg) {
    tmlrt_scope_t s = TMLRT_SCOPE_INIT;
    (void)arg;
    require(tmlrt_scope_open(&s, NULL, TMLRT_NEVER) == TMLRT_OK);
    require(tmlrt_scope_join(&s) == TMLRT_OK);
    require(tmlrt_scope_open(&s, rt, tmlrt_now(rt) + FAR_AWAY) == TMLRT_OK);
    require(tmlrt_scope_cancel(&s) == TMLRT_OK);
    require(tmlrt_scope_cancel(&s) == TMLRT_EALREADY);
    require(tmlrt_scope_join(&s) == TMLRT_ECANCELED);
    require(tmlrt_scope_open(&s, rt, 0) == TMLRT_OK); /* long past */
    require(tmlrt_scope_status(&s) == TMLRT_ETIMEDOUT);
    require(tmlrt_scope_join(&s) == TMLRT_ETIMEDOUT);
    return NULL;
}

static void a_scope_may_be_empty(void **state) {
    (void)state;
    empty_scopes(NULL);
    as_fiber(empty_scopes, NULL);
}

/* A child spawns its siblings, also while the owner joins. */
static void *spawns_siblings(void *arg) {
    marks_t *m = arg;
    if (atomic_fetch_add(&m->begun, 1) >= CHILDREN) return NULL;
    require(tmlrt_scope_current() == &m->scope);
    go_in(tmlrt_scope_current(), spawns_siblings, m);
    require(tmlrt_yield() == TMLRT_OK);
    go_in(tmlrt_scope_current(), spawns_siblings, m);
    atomic_fetch_add(&m->ended, 1);
    return NULL;
}

static void children_may_spawn_siblings_while_the_owner_joins(void **state) {
    (void)state;
    marks_t m = {.scope = TMLRT_SCOPE_INIT};
    assert_int_equal(tmlrt_scope_open(&m.scope, NULL, TMLRT_NEVER), TMLRT_OK);
    go_in(&m.scope, spawns_siblings, &m);
    assert_int_equal(tmlrt_scope_join(&m.scope), TMLRT_OK);
    assert_int_equal(m.ended, CHILDREN);
    assert_int_equal(m.begun, 2 * CHILDREN + 1);
    assert_null(tmlrt_scope_current());
}

static void *job_waits(void *arg) {
    marks_t *m = arg;
    wait_until(atomic_load(&m->go) || tmlrt_cancelled() == TMLRT_ECANCELED);
    if (tmlrt_cancelled() == TMLRT_ECANCELED) atomic_fetch_add(&m->cancelled, 1);
    atomic_fetch_add(&m->ended, 1);
    return NULL;
}

static void blocking_jobs_are_children_as_well(void **state) {
    (void)state;
    marks_t              m = {.scope = TMLRT_SCOPE_INIT};
    tmlrt_task_options_t o = child_of(&m.scope);
    assert_int_equal(tmlrt_scope_open(&m.scope, NULL, TMLRT_NEVER), TMLRT_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tmlrt_spawn_blocking(rt, job_waits, &m, TMLRT_BLOCKING_GENERAL, &o, NULL),
                         TMLRT_OK);
    atomic_store(&m.go, 1);
    assert_int_equal(tmlrt_scope_join(&m.scope), TMLRT_OK);
    assert_int_equal(m.ended, 3);
    m.go = m.ended = m.cancelled = 0;
    assert_int_equal(tmlrt_scope_open(&m.scope, NULL, TMLRT_NEVER), TMLRT_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tmlrt_spawn_blocking(rt, job_waits, &m, TMLRT_BLOCKING_GENERAL, &o, NULL),
                         TMLRT_OK);
    assert_int_equal(tmlrt_scope_cancel(&m.scope), TMLRT_OK);
    assert_int_equal(tmlrt_spawn_blocking(rt, job_waits, &m, TMLRT_BLOCKING_GENERAL, &o, NULL),
                     TMLRT_ECANCELED);
    assert_int_equal(tmlrt_scope_join(&m.scope), TMLRT_ECANCELED);
    assert_int_equal(m.ended, m.cancelled); /* of jobs those that had begun; the others never did */
}

/* ---- failures ------------------------------------------------------------------------------------- */

static void first_failure(marks_t *m) {
    memset(m, 0, sizeof *m);
    require(tmlrt_scope_open(&m->scope, rt, tmlrt_now(rt) + FAR_AWAY) == TMLRT_OK);
    for (int i = 0; i < 10; i++)
        go_in(&m->scope, lingers, m);
    go_in(&m->scope, fails_when_told, m);
    wait_until((tmlrt_yield(), atomic_load(&m->begun)) == 10);
    atomic_store(&m->go, 1);
    /* The owner's own wait ends as well. */
    require(tmlrt_sleep(FAR_AWAY) == TMLRT_ECANCELED);
    require(tmlrt_scope_status(&m->scope) == TMLRT_EIO);
    require(tmlrt_scope_fail(&m->scope, TMLRT_EPIPE) == TMLRT_EALREADY);
    require(tmlrt_scope_cancel(&m->scope) == TMLRT_EALREADY);
    require(tmlrt_cancelled() == TMLRT_ECANCELED);
    m->result = tmlrt_scope_join(&m->scope);
    require(tmlrt_cancelled() == TMLRT_OK);
    require(m->ended == 10 && m->cancelled == 10);
}

static void *fiber_first_failure(void *arg) {
    first_failure(arg);
    return NULL;
}

static void the_first_failure_cancels_the_siblings_and_the_owner(void **state) {
    (void)state;
    marks_t m;
    as_fiber(fiber_first_failure, &m);
    assert_int_equal(m.result, TMLRT_EIO);
}

/* The same from a plain thread. */
static void a_thread_in_a_cancelled_scope_stops_waiting(void **state) {
    (void)state;
    marks_t        m = {.scope = TMLRT_SCOPE_INIT};
    tmlrt_notify_t never = TMLRT_NOTIFY_INIT;
    tmlrt_mutex_t  mutex = TMLRT_SYNC_INIT;
    int64_t        value = 0;
    assert_int_equal(tmlrt_scope_open(&m.scope, NULL, TMLRT_NEVER), TMLRT_OK);
    for (int i = 0; i < 10; i++)
        go_in(&m.scope, lingers, &m);
    go_in(&m.scope, fails_when_told, &m);
    wait_until(m.begun == 10);
    m.go = 1;
    assert_int_equal(tmlrt_notified(&never), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_sleep(FAR_AWAY), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_cancelled(), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_mutex_lock(&mutex), TMLRT_OK);            /* no cancellation point */
    assert_int_equal(unit_run(rt, &tally, body_ready, NULL), value); /* nor is block_on */
    assert_int_equal(tmlrt_scope_join(&m.scope), TMLRT_EIO);
    assert_int_equal(m.ended, 10);
    assert_int_equal(tmlrt_cancelled(), TMLRT_OK);
}

static void a_panic_of_a_child_is_a_failure(void **state) {
    (void)state;
    marks_t              m = {.scope = TMLRT_SCOPE_INIT};
    tally_t              t = {0};
    tmlrt_task_type_t    type = unit_type;
    tmlrt_task_options_t o = child_of(&m.scope);
    unit_t               u = unit_of(&t, body_panics, NULL);
    type.guard = landing_guard;
    assert_int_equal(tmlrt_scope_open(&m.scope, NULL, TMLRT_NEVER), TMLRT_OK);
    go_in(&m.scope, lingers, &m);
    assert_int_equal(tmlrt_spawn(rt, &type, &u, &o, NULL), TMLRT_OK);
    assert_int_equal(tmlrt_scope_join(&m.scope), TMLRT_EPANIC);
    assert_int_equal(t.drops, 1);
}

static void *a_failure_outranks_a_cancel(void *arg) {
    tmlrt_scope_t s = TMLRT_SCOPE_INIT;
    (void)arg;
    require(tmlrt_scope_open(&s, NULL, TMLRT_NEVER) == TMLRT_OK);
    require(tmlrt_scope_fail(&s, TMLRT_ECANCELED) == TMLRT_OK); /* that is a cancel */
    require(tmlrt_scope_status(&s) == TMLRT_ECANCELED);
    require(tmlrt_scope_fail(&s, TMLRT_EIO) == TMLRT_OK);
    require(tmlrt_scope_fail(&s, TMLRT_EPIPE) == TMLRT_EALREADY);
    require(tmlrt_scope_join(&s) == TMLRT_EIO);
    return NULL;
}

static void a_failure_after_a_cancel_is_the_result(void **state) {
    (void)state;
    a_failure_outranks_a_cancel(NULL);
    as_fiber(a_failure_outranks_a_cancel, NULL);
}

static void a_child_that_is_aborted_alone_is_no_failure(void **state) {
    (void)state;
    marks_t              m = {.scope = TMLRT_SCOPE_INIT};
    tmlrt_task_options_t o = child_of(&m.scope);
    tmlrt_task_t        *task;
    assert_int_equal(tmlrt_scope_open(&m.scope, NULL, TMLRT_NEVER), TMLRT_OK);
    assert_int_equal(tmlrt_go(rt, lingers, &m, &o, &task), TMLRT_OK);
    go_in(&m.scope, yields_and_ends, &m);
    assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
    o.deadline = 1; /* of its own, long past */
    unit_t u = unit_of(&tally, body_sleep_forever, NULL);
    assert_int_equal(tmlrt_spawn(rt, &unit_type, &u, &o, NULL), TMLRT_OK);
    assert_int_equal(tmlrt_scope_join(&m.scope), TMLRT_OK);
    assert_int_equal(tmlrt_task_is_finished(task), 1); /* complete, not only dropped */
    void *result;
    int   e = tmlrt_task_result(task, &result);
    assert_true(e == TMLRT_OK || e == TMLRT_ECANCELED);
    tmlrt_task_release(task);
}

/* ---- stackless owners ---------------------------------------------------------------------------------- */

typedef struct selecting {
    marks_t       m;
    tmlrt_scope_t scope;
} selecting_t;

static int32_t body_selects_on_a_scope(unit_t *u, tmlrt_cx_t *cx) {
    selecting_t *s = u->arg;
    TMLRT_BEGIN(u);
    require(tmlrt_scope_open(&s->scope, NULL, TMLRT_NEVER) == TMLRT_EDEADLK);
    require(tmlrt_scope_open_in(&s->scope, cx, NULL, TMLRT_NEVER) == TMLRT_OK);
    require(tmlrt_scope_open_in(&s->scope, cx, NULL, TMLRT_NEVER) == TMLRT_EBUSY);
    require(tmlrt_scope_join(&s->scope) == TMLRT_EDEADLK);
    for (int i = 0; i < 5; i++)
        go_in(&s->scope, lingers, &s->m);
    u->ops[0] = tmlrt_scope_op(&s->scope);
    u->ops[1] = &u->op;
    tmlrt_op_sleep(&u->op, NULL, 1000);
    TMLRT_AWAIT(u, cx, &u->op2, tmlrt_op_any(&u->op2, u->ops, 2));
    require(tmlrt_op_result(&u->op2) == 1); /* the timer; the loser has ended, children and all */
    require(tmlrt_op_result(u->ops[0]) == TMLRT_ECANCELED);
    require(s->m.ended == 5);
    TMLRT_END(u);
}

static void a_scope_in_a_select_is_cancelled_and_joined_when_it_loses(void **state) {
    (void)state;
    selecting_t s;
    memset(&s, 0, sizeof s);
    assert_int_equal(unit_run(rt, &tally, body_selects_on_a_scope, &s), 0);
}

/* It sleeps for ever; being polled when its scope is cancelled is all it has. */
static int32_t body_looks_at_its_scope(unit_t *u, tmlrt_cx_t *cx) {
    selecting_t *s = u->arg;
    TMLRT_BEGIN(u);
    require(tmlrt_scope_open_in(&s->scope, cx, NULL, TMLRT_NEVER) == TMLRT_OK);
    go_in(&s->scope, fails_when_told, &s->m);
    atomic_store(&s->m.go, 1);
    tmlrt_op_sleep(&u->op, NULL, FAR_AWAY);
    TMLRT_AWAIT_POLL(
        u, cx, tmlrt_scope_status(&s->scope) == TMLRT_OK ? tmlrt_op_poll(&u->op, cx) : TMLRT_READY);
    require(tmlrt_scope_status(&s->scope) == TMLRT_EIO);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_ops_drain(cx, &u->op, sizeof u->op));
    TMLRT_AWAIT(u, cx, tmlrt_scope_op(&s->scope), 0);
    require(tmlrt_op_result(tmlrt_scope_op(&s->scope)) == TMLRT_EIO);
    TMLRT_END(u);
}

static void a_stackless_owner_is_polled_when_its_scope_is_cancelled(void **state) {
    (void)state;
    for (int i = 0; i < scaled(50); i++) {
        selecting_t s;
        memset(&s, 0, sizeof s);
        assert_int_equal(unit_run(rt, &tally, body_looks_at_its_scope, &s), 0);
    }
}

/* A child that was built in place joins the scope at its start. */
static void a_task_made_in_two_steps_becomes_a_child_at_its_start(void **state) {
    (void)state;
    marks_t              m = {.scope = TMLRT_SCOPE_INIT};
    tmlrt_task_options_t o = child_of(&m.scope);
    tmlrt_task_t        *a, *b, *c;
    tally_t              t = {0};
    unit_t               u = unit_of(&t, body_sleep_forever, NULL);
    assert_int_equal(tmlrt_task_new(rt, &unit_type, &o, &a), TMLRT_OK);
    assert_int_equal(tmlrt_task_new(rt, &unit_type, &o, &b), TMLRT_OK);
    assert_int_equal(tmlrt_task_new(rt, &unit_type, &o, &c), TMLRT_OK);
    memcpy(tmlrt_task_state(a), &u, sizeof u);
    memcpy(tmlrt_task_state(b), &u, sizeof u);
    assert_int_equal(tmlrt_task_start(a), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_scope_open(&m.scope, NULL, TMLRT_NEVER), TMLRT_OK);
    assert_int_equal(tmlrt_task_start(a), TMLRT_OK);
    assert_int_equal(tmlrt_task_start(a), TMLRT_EALREADY);
    assert_int_equal(tmlrt_scope_cancel(&m.scope), TMLRT_OK);
    assert_int_equal(tmlrt_task_start(b), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_scope_join(&m.scope), TMLRT_ECANCELED);
    assert_int_equal(t.drops, 1);
    tmlrt_task_release(a);
    tmlrt_task_release(b);
    tmlrt_task_release(c);
}

/* ---- races --------------------------------------------------------------------------------------------- */

typedef struct racing {
    tmlrt_scope_t scope;
    atomic_int    spawned, refused, dropped;
} racing_t;

static void racing_drop(unit_t *u) {
    atomic_fetch_add(&((racing_t *)u->arg)->dropped, 1);
}

static int32_t body_yields_once(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
    TMLRT_END(u);
}

static void cancel_or_spawn(void *arg, int i) {
    racing_t *r = arg;
    if (i == 0) {
        require(tmlrt_scope_cancel(&r->scope) == TMLRT_OK);
        return;
    }
    for (int k = 0; k < 50; k++) {
        tmlrt_task_options_t o = child_of(&r->scope);
        unit_t               u = unit_of(&tally, k % 2 ? body_yields_once : body_sleep_forever, r);
        u.on_drop = racing_drop;
        int e = tmlrt_spawn(rt, &unit_type, &u, &o, NULL);
        require(e == TMLRT_OK || e == TMLRT_ECANCELED);
        atomic_fetch_add(e == TMLRT_OK ? &r->spawned : &r->refused, 1);
    }
}

static void a_cancel_races_with_spawns_and_ends(void **state) {
    (void)state;
    for (int round = 0; round < scaled(100); round++) {
        racing_t r = {.scope = TMLRT_SCOPE_INIT};
        assert_int_equal(tmlrt_scope_open(&r.scope, NULL, TMLRT_NEVER), TMLRT_OK);
        on_threads(3, cancel_or_spawn, &r);
        assert_int_equal(tmlrt_scope_join(&r.scope), TMLRT_ECANCELED);
        assert_int_equal(r.dropped, r.spawned);
        assert_int_equal(r.spawned + r.refused, 100);
    }
}

/* ---- misuse ------------------------------------------------------------------------------------------------ */

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_scope_t s = TMLRT_SCOPE_INIT, inner = TMLRT_SCOPE_INIT;
    assert_int_equal(tmlrt_scope_open(NULL, NULL, TMLRT_NEVER), TMLRT_EINVAL);
    assert_int_equal(tmlrt_scope_open(&s, rt, -1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_scope_open(&s, NULL, TMLRT_S), TMLRT_ENORUNTIME);
    assert_int_equal(tmlrt_scope_open_in(NULL, NULL, NULL, TMLRT_NEVER), TMLRT_EINVAL);
    assert_int_equal(tmlrt_scope_open_in(&s, NULL, NULL, TMLRT_NEVER), TMLRT_EINVAL);
    assert_null(tmlrt_scope_op(NULL));
    assert_null(tmlrt_scope_op(&s));
    assert_int_equal(tmlrt_scope_join(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_scope_join(&s), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_scope_fail(NULL, TMLRT_EIO), TMLRT_EINVAL);
    assert_int_equal(tmlrt_scope_fail(&s, TMLRT_EIO), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_scope_cancel(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_scope_cancel(&s), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_scope_status(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_scope_status(&s), TMLRT_ECLOSED);
    tmlrt_task_options_t o = child_of(&s);
    tmlrt_task_t        *task = NULL;
    unit_t               u = unit_of(&tally, body_ready, NULL);
    assert_int_equal(tmlrt_spawn(rt, &unit_type, &u, &o, &task), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_go(rt, lingers, NULL, &o, &task), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_spawn_blocking(rt, lingers, NULL, 0, &o, &task), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_runtime_block_on(rt, &unit_type, &u, &o, NULL), TMLRT_ECLOSED);
    assert_null(task);

    assert_int_equal(tmlrt_scope_open(&s, NULL, TMLRT_NEVER), TMLRT_OK);
    assert_int_equal(tmlrt_scope_open(&s, NULL, TMLRT_NEVER), TMLRT_EBUSY);
    assert_int_equal(tmlrt_scope_fail(&s, 0), TMLRT_EINVAL);
    assert_int_equal(tmlrt_scope_fail(&s, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_scope_fail(&s, -1000), TMLRT_EINVAL);
    assert_int_equal(tmlrt_scope_open(&inner, NULL, TMLRT_NEVER), TMLRT_OK);
    assert_int_equal(tmlrt_scope_join(&s), TMLRT_EBUSY);
    assert_int_equal(tmlrt_scope_join(&inner), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(tmlrt_scope_op(&s)), TMLRT_EBUSY);
    assert_int_equal(tmlrt_scope_join(&s), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(tmlrt_scope_op(&s)), TMLRT_OK);
}

static void joins_what_is_not_its_own(void *arg, int i) {
    (void)i;
    require(tmlrt_scope_join(arg) == TMLRT_EINVAL);
}

static int32_t body_opens_wrongly(unit_t *u, tmlrt_cx_t *cx) {
    tmlrt_scope_t closed = TMLRT_SCOPE_INIT, s = TMLRT_SCOPE_INIT;
    (void)u;
    require(tmlrt_scope_open_in(&s, cx, &closed, TMLRT_NEVER) == TMLRT_ECLOSED);
    require(tmlrt_scope_open_in(&s, cx, &closed, tmlrt_now(NULL) + FAR_AWAY) == TMLRT_ECLOSED);
    require(tmlrt_scope_open_in(&s, cx, &s, TMLRT_NEVER) == TMLRT_EINVAL);
    require(tmlrt_scope_open_in(&s, cx, NULL, -1) == TMLRT_EINVAL);
    require(tmlrt_scope_status(&s) == TMLRT_ECLOSED);
    return TMLRT_READY;
}

static void only_the_owner_joins(void **state) {
    (void)state;
    tmlrt_scope_t s = TMLRT_SCOPE_INIT;
    assert_int_equal(tmlrt_scope_open(&s, NULL, TMLRT_NEVER), TMLRT_OK);
    on_threads(1, joins_what_is_not_its_own, &s);
    assert_int_equal(tmlrt_scope_join(&s), TMLRT_OK);
    assert_int_equal(unit_run(rt, &tally, body_opens_wrongly, NULL), 0);
}

/* The thread drives the one of its runtimes that the children are in, not only the newest. */
static void a_join_drives_the_runtime_of_the_children(void **state) {
    (void)state;
    tmlrt_runtime_t *older = runtime_current_thread(), *newer = runtime_current_thread();
    tmlrt_runtime_t *both[] = {older, newer};
    for (int i = 0; i < 4; i++) {
        marks_t              m = {.scope = TMLRT_SCOPE_INIT};
        tmlrt_task_options_t o = child_of(&m.scope);
        assert_int_equal(tmlrt_scope_open(&m.scope, NULL, TMLRT_NEVER), TMLRT_OK);
        for (int k = 0; k < 4; k++)
            assert_int_equal(tmlrt_go(both[i < 2 ? i : k % 2], yields_and_ends, &m, &o, NULL),
                             TMLRT_OK);
        assert_int_equal(tmlrt_scope_join(&m.scope), TMLRT_OK);
        assert_int_equal(m.ended, 4);
    }
    assert_int_equal(tmlrt_runtime_destroy(newer), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_destroy(older), TMLRT_OK);
}

static void a_scope_belongs_to_the_process_that_opened_it(void **state) {
    (void)state;
    skip_on_windows("there is no fork");
    marks_t m = {.scope = TMLRT_SCOPE_INIT};
    assert_int_equal(tmlrt_scope_open(&m.scope, NULL, TMLRT_NEVER), TMLRT_OK);
    go_in(&m.scope, lingers, &m);
    wait_until(m.begun);
    pid_t pid = fork();
    if (pid == 0) {
        tmlrt_task_options_t o = child_of(&m.scope);
        bool                 ok = tmlrt_scope_join(&m.scope) == TMLRT_EFORKED;
        _exit(ok && tmlrt_go(rt, lingers, &m, &o, NULL) == TMLRT_EFORKED ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(tmlrt_scope_cancel(&m.scope), TMLRT_OK);
    assert_int_equal(tmlrt_scope_join(&m.scope), TMLRT_ECANCELED);
}

static void *returns_with_a_scope_open(void *arg) {
    tmlrt_scope_t s = TMLRT_SCOPE_INIT;
    (void)arg;
    require(tmlrt_scope_open(&s, NULL, TMLRT_NEVER) == TMLRT_OK);
    return NULL;
}

/* A process in which that is a fiber or a blocking job: whether it ends by an abort that says so. */
static void leaves_a_scope_behind(const char *what,
                                  int (*start)(tmlrt_runtime_t *, tmlrt_task_t **)) {
    int  to[2], status;
    char said[256];
    skip_on_windows("there is no fork");
    assert_int_equal(pipe(to), 0);
    pid_t pid = fork();
    if (pid == 0) {
        tmlrt_runtime_t *own = runtime_current_thread();
        tmlrt_task_t    *task;
        signal(SIGABRT, SIG_DFL);
        dup2(to[1], STDERR_FILENO);
        if (start(own, &task) == TMLRT_OK) tmlrt_join(task, NULL);
        _exit(0);
    }
    close(to[1]);
    ssize_t n = read(to[0], said, sizeof said - 1);
    said[n > 0 ? n : 0] = '\0';
    close(to[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, what));
}

static int start_fiber(tmlrt_runtime_t *own, tmlrt_task_t **task) {
    return tmlrt_go(own, returns_with_a_scope_open, NULL, NULL, task);
}

static int start_job(tmlrt_runtime_t *own, tmlrt_task_t **task) {
    return tmlrt_spawn_blocking(own, returns_with_a_scope_open, NULL, 0, NULL, task);
}

static void a_fiber_that_leaves_an_open_scope_behind_is_stopped(void **state) {
    (void)state;
    leaves_a_scope_behind("fiber 'fiber' returned with a scope open", start_fiber);
}

static void a_job_that_leaves_an_open_scope_behind_is_stopped(void **state) {
    (void)state;
    if (UNDER_TSAN) skip_because("the sanitizer makes no threads after a fork");
    leaves_a_scope_behind("blocking job 'blocking' returned with a scope open", start_job);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_join_waits_for_all_children),
        cmocka_unit_test(a_scope_may_be_empty),
        cmocka_unit_test(children_may_spawn_siblings_while_the_owner_joins),
        cmocka_unit_test(blocking_jobs_are_children_as_well),
        cmocka_unit_test(the_first_failure_cancels_the_siblings_and_the_owner),
        cmocka_unit_test(a_thread_in_a_cancelled_scope_stops_waiting),
        cmocka_unit_test(a_panic_of_a_child_is_a_failure),
        cmocka_unit_test(a_failure_after_a_cancel_is_the_result),
        cmocka_unit_test(a_child_that_is_aborted_alone_is_no_failure),
        cmocka_unit_test(a_scope_in_a_select_is_cancelled_and_joined_when_it_loses),
        cmocka_unit_test(a_stackless_owner_is_polled_when_its_scope_is_cancelled),
        cmocka_unit_test(a_task_made_in_two_steps_becomes_a_child_at_its_start),
        cmocka_unit_test(a_cancel_races_with_spawns_and_ends),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(only_the_owner_joins),
        cmocka_unit_test(a_join_drives_the_runtime_of_the_children),
        cmocka_unit_test(a_scope_belongs_to_the_process_that_opened_it),
        cmocka_unit_test(a_fiber_that_leaves_an_open_scope_behind_is_stopped),
        cmocka_unit_test(a_job_that_leaves_an_open_scope_behind_is_stopped),
    };
    return cmocka_run_group_tests(tests, make_runtime, end_runtime);
}
