/* SPDX-License-Identifier: MIT */
/*
 * api_scope.c: scopes of fibers, plain threads and stackless tasks: who waits for whom, what cancels
 * what, and what every function says to bad input.
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
#include "support/unit.h"

#define FAR_AWAY INT64_C(3600000000000)

static tmlrt_runtime_t *rt; /* two workers; of the group */
static tally_t          tally;

static int make_runtime(void **state) {
    (void)state;
    rt = runtime_multi(2);
    return 0;
}

static int end_runtime(void **state) {
    (void)state;
    return tmlrt_runtime_destroy(rt);
}

/* ---- helpers ----------------------------------------------------------------------------------- */

/* Runs fn(arg) as a fiber and waits for it. */
static void as_fiber(tmlrt_fiber_fn fn, void *arg) {
    tmlrt_task_t *task;
    assert_int_equal(tmlrt_go(rt, fn, arg, NULL, &task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
}

static tmlrt_task_options_t child_of(tmlrt_scope_t *scope) {
    tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
    o.scope = scope;
    return o;
}

static void go_in(tmlrt_scope_t *scope, tmlrt_fiber_fn fn, void *arg) {
    tmlrt_task_options_t o = child_of(scope);
    require(tmlrt_go(rt, fn, arg, &o, NULL) == TMLRT_OK);
}

/* What the children of a test leave behind. */
typedef struct marks {
    tmlrt_scope_t scope, inner;
    atomic_int    begun, cancelled, ended;
    int           result, inner_result;
    atomic_int    go;
} marks_t;

/* Waits until it is cancelled, then yields a few times in a shield: it ends late. */
static void *lingers(void *arg) {
    marks_t *m = arg;
    atomic_fetch_add(&m->begun, 1);
    if (tmlrt_sleep(FAR_AWAY) == TMLRT_ECANCELED) atomic_fetch_add(&m->cancelled, 1);
    require(tmlrt_cancelled() == TMLRT_ECANCELED);
    require(tmlrt_shield_begin() == TMLRT_OK);
    for (int i = 0; i < 20; i++)
        require(tmlrt_yield() == TMLRT_OK);
    require(tmlrt_shield_end() == TMLRT_OK);
    atomic_fetch_add(&m->ended, 1);
    return NULL;
}

static void *yields_and_ends(void *arg) {
    marks_t *m = arg;
    for (int i = 0; i < 50; i++)
        require(tmlrt_yield() == TMLRT_OK);
    atomic_fetch_add(&m->ended, 1);
    return NULL;
}

static void *fails_when_told(void *arg) {
    marks_t *m = arg;
    while (atomic_load(&m->go) == 0)
        if (tmlrt_yield() != TMLRT_OK) return NULL;
    require(tmlrt_scope_fail(NULL, TMLRT_EIO) == TMLRT_OK);
    return NULL;
}

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

static _Thread_local jmp_buf *landing; /* a body that jumps there has not waited */

static int32_t guard(tmlrt_poll_fn body, void *state, tmlrt_cx_t *cx, void *result) {
    jmp_buf here;
    landing = &here;
    if (setjmp(here) != 0) return TMLRT_PANICKED;
    return body(state, cx, result);
}

static int32_t body_panics(unit_t *u, tmlrt_cx_t *cx) {
    (void)u;
    (void)cx;
    longjmp(*landing, 1);
}

static void a_panic_of_a_child_is_a_failure(void **state) {
    (void)state;
    marks_t              m = {.scope = TMLRT_SCOPE_INIT};
    tally_t              t = {0};
    tmlrt_task_type_t    type = unit_type;
    tmlrt_task_options_t o = child_of(&m.scope);
    unit_t               u = unit_of(&t, body_panics, NULL);
    type.guard = guard;
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
    if (o->how == PANICS) longjmp(*landing, 1);
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
    panics.guard = guard;
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
    longjmp(*landing, 1);
}

static void a_fiber_that_panics_leaves_no_children_behind(void **state) {
    (void)state;
    for (int round = 0; round < scaled(50); round++) {
        marks_t              m = {.scope = TMLRT_SCOPE_INIT};
        tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
        tmlrt_task_t        *task;
        o.guard = guard;
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
        cmocka_unit_test(a_deadline_reaches_the_scopes_of_the_children),
        cmocka_unit_test(the_earliest_deadline_around_a_wait_ends_it),
        cmocka_unit_test(a_shield_keeps_out_what_lies_around_it),
        cmocka_unit_test(a_deadline_of_a_thread_needs_nobody_who_waits),
        cmocka_unit_test(aborting_a_parent_joins_its_children_before_its_drop),
        cmocka_unit_test(a_parent_that_returns_or_panics_joins_them_too),
        cmocka_unit_test(a_future_in_place_joins_its_children_when_it_loses),
        cmocka_unit_test(a_fiber_that_panics_leaves_no_children_behind),
        cmocka_unit_test(aborting_a_fiber_cancels_its_scopes_which_it_joins),
        cmocka_unit_test(a_scope_in_a_select_is_cancelled_and_joined_when_it_loses),
        cmocka_unit_test(a_stackless_owner_is_polled_when_its_scope_is_cancelled),
        cmocka_unit_test(a_task_made_in_two_steps_becomes_a_child_at_its_start),
        cmocka_unit_test(a_cancel_races_with_spawns_and_ends),
        cmocka_unit_test(a_shutdown_ends_what_has_scopes_open),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(only_the_owner_joins),
        cmocka_unit_test(a_join_drives_the_runtime_of_the_children),
        cmocka_unit_test(a_scope_belongs_to_the_process_that_opened_it),
        cmocka_unit_test(a_fiber_that_leaves_an_open_scope_behind_is_stopped),
        cmocka_unit_test(a_job_that_leaves_an_open_scope_behind_is_stopped),
    };
    return cmocka_run_group_tests(tests, make_runtime, end_runtime);
}
