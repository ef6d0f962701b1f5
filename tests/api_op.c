/* SPDX-License-Identifier: MIT */
/*
 * api_op.c: operations: prepare, start, end, cancel, deadline; any, all, future, yield, drain; the
 * cooperative budget; awaiting from threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/polling.h"
#include "support/random.h"
#include "support/unit.h"

static const tmlrt_waker_t nop_waker = {NULL, &nop_vtable};

/* ---- one operation --------------------------------------------------------------------------- */

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_cx_t  cx = {&nop_waker, NULL, {NULL, NULL}};
    tmlrt_op_t  op = TMLRT_OP_INIT, other = TMLRT_OP_INIT;
    tmlrt_op_t *self[] = {&op}, *hole[] = {&other, NULL};
    assert_int_equal(tmlrt_op_poll(NULL, &cx), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_poll(&op, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_await(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_cancel(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_deadline(NULL, 0), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_result(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_transferred(NULL), 0);
    assert_int_equal(tmlrt_op_any(NULL, self, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_any(&op, self, 0), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_any(&op, NULL, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_any(&op, self, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_any(&op, hole, 2), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_all(NULL, self, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_all(&op, NULL, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_all(&op, hole, 2), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_yield(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_future(NULL, &unit_type, &op, &op), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_future(&op, NULL, &op, &op), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_future(&op, &unit_type, NULL, &op), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_future(&op, &unit_type, &op, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_stopping(NULL, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_ops_drain(NULL, &op, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_ops_drain(&cx, &op, 1), TMLRT_EINVAL); /* without a task */
}

static void an_operation_says_what_state_it_is_in(void **state) {
    (void)state;
    tmlrt_notify_t notify = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     op = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_op_result(&op), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_cancel(&op), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_deadline(&op, 0), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_transferred(&op), 0);
    tmlrt_op_notified(&op, &notify);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_EAGAIN);
    poll_here(&op);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_EBUSY);
    assert_int_equal(tmlrt_op_deadline(&op, 0), TMLRT_EBUSY);
    assert_int_equal(tmlrt_op_yield(&op), TMLRT_EBUSY);
    assert_int_equal(tmlrt_op_sleep(&op, NULL, 1), TMLRT_EBUSY);
    assert_int_equal(tmlrt_op_stopping(&op, NULL), TMLRT_EBUSY);
    tmlrt_notify_one(&notify);
    assert_int_equal(poll_here(&op), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_OK);
    assert_int_equal(poll_here(&op), TMLRT_READY); /* stays so */
    assert_int_equal(tmlrt_op_cancel(&op), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_OK);
    assert_int_equal(tmlrt_op_deadline(&op, 0), TMLRT_EINVAL);
}

static void an_operation_never_prepared_fails_when_it_is_polled(void **state) {
    (void)state;
    tmlrt_op_t op = TMLRT_OP_INIT;
    assert_int_equal(poll_here(&op), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_EINVAL);
    tmlrt_op_t other = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_op_await(&other), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&other), TMLRT_EINVAL);
}

static void cancelling_before_the_start_ends_it(void **state) {
    (void)state;
    tmlrt_op_t op = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_op_yield(&op), TMLRT_OK);
    assert_int_equal(tmlrt_op_cancel(&op), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_ECANCELED);
    assert_int_equal(poll_here(&op), TMLRT_READY);
    assert_int_equal(tmlrt_op_yield(&op), TMLRT_OK); /* and it can be prepared again */
}

static void an_operation_that_needs_a_runtime_says_so_without_one(void **state) {
    (void)state;
    tmlrt_op_t op = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_op_sleep(&op, NULL, TMLRT_S), TMLRT_OK);
    assert_int_equal(poll_here(&op), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_ENORUNTIME);
    assert_int_equal(tmlrt_op_stopping(&op, NULL), TMLRT_OK);
    assert_int_equal(poll_here(&op), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_ENORUNTIME);
}

/* Each await below must say EDEADLK and start nothing. */
static void awaits_are_refused(unit_t *u) {
    tmlrt_notify_t notify = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     op = TMLRT_OP_INIT;
    tmlrt_op_notified(&op, &notify);
    require(tmlrt_op_await(&op) == TMLRT_EDEADLK);
    require(tmlrt_op_result(&op) == TMLRT_EAGAIN);
    require(tmlrt_sleep(1) == TMLRT_EDEADLK);
    u->value++;
}

static int32_t body_await(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    awaits_are_refused(u);
    if (tmlrt_task_current() != NULL)
        require(tmlrt_join(tmlrt_task_current(), NULL) == TMLRT_EDEADLK);
    u->on_drop = awaits_are_refused;
    return TMLRT_READY;
}

static void awaiting_inside_a_poll_or_a_drop_is_refused(void **state) {
    (void)state;
    tally_t tally = {0};
    for (int i = 0; i < 2; i++) {
        tmlrt_runtime_t *rt = i == 0 ? runtime_multi(1) : runtime_current_thread();
        assert_int_equal(unit_run(rt, &tally, body_await, NULL), 1);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

static void awaiting_inside_a_future_of_a_plain_thread_is_refused(void **state) {
    (void)state;
    tally_t    tally = {0};
    tmlrt_op_t op = TMLRT_OP_INIT;
    int64_t    value = 0;
    unit_t     u = unit_of(&tally, body_await, NULL);
    assert_int_equal(tmlrt_op_future(&op, &unit_type, &u, &value), TMLRT_OK);
    assert_int_equal(tmlrt_op_await(&op), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_OK);
    assert_int_equal(value, 1);
    assert_int_equal(tally.drops, 1);
}

/* ---- deadlines ------------------------------------------------------------------------------- */

static int32_t body_deadline(unit_t *u, tmlrt_cx_t *cx) {
    tmlrt_notify_t *notify = u->arg;
    TMLRT_BEGIN(u);
    u->n = tmlrt_now(NULL) + 5 * TMLRT_MS;
    tmlrt_op_notified(&u->op, notify);
    require(tmlrt_op_deadline(&u->op, u->n) == TMLRT_OK);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, cx));
    require(tmlrt_op_result(&u->op) == TMLRT_ETIMEDOUT);
    require(tmlrt_now(NULL) >= u->n);

    tmlrt_op_notified(&u->op, notify); /* past, but ready at once: success */
    tmlrt_op_deadline(&u->op, 1);
    tmlrt_notify_one(notify);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, cx));
    require(tmlrt_op_result(&u->op) == TMLRT_OK);

    tmlrt_op_notified(&u->op, notify); /* past */
    tmlrt_op_deadline(&u->op, 0);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, cx));
    require(tmlrt_op_result(&u->op) == TMLRT_ETIMEDOUT);

    tmlrt_op_sleep(&u->op, NULL, TMLRT_S); /* the sleep's own deadline comes first */
    tmlrt_op_deadline(&u->op, tmlrt_now(NULL) + TMLRT_MS);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, cx));
    require(tmlrt_op_result(&u->op) == TMLRT_ETIMEDOUT);

    tmlrt_op_sleep(&u->op, NULL, TMLRT_MS); /* and here it does not */
    tmlrt_op_deadline(&u->op, tmlrt_now(NULL) + TMLRT_S);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, cx));
    require(tmlrt_op_result(&u->op) == TMLRT_OK);

    tmlrt_op_notified(&u->op, notify); /* taken away again */
    tmlrt_op_deadline(&u->op, 0);
    tmlrt_op_deadline(&u->op, TMLRT_NEVER);
    require(tmlrt_op_poll(&u->op, cx) == TMLRT_PENDING);
    tmlrt_op_sleep(&u->op2, NULL, 2 * TMLRT_MS);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op2, cx));
    require(tmlrt_op_poll(&u->op, cx) == TMLRT_PENDING);
    tmlrt_op_cancel(&u->op);
    require(tmlrt_op_result(&u->op) == TMLRT_ECANCELED);
    u->value = 7;
    TMLRT_END(u);
}

static void a_deadline_ends_an_operation_that_has_not_succeeded(void **state) {
    (void)state;
    tally_t tally = {0};
    tmlrt_runtime_t *(*make[])(void) = {runtime_current_thread, runtime_virtual};
    for (size_t i = 0; i < 3; i++) {
        tmlrt_notify_t   notify = TMLRT_NOTIFY_INIT;
        tmlrt_runtime_t *rt = i == 2 ? runtime_multi(2) : make[i]();
        assert_int_equal(unit_run(rt, &tally, body_deadline, &notify), 7);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

/* ---- any and all ----------------------------------------------------------------------------- */

static void any_does_not_start_what_lies_behind_the_first_that_is_ready(void **state) {
    (void)state;
    tmlrt_notify_t n = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     waits = TMLRT_OP_INIT, ready = TMLRT_OP_INIT, behind = TMLRT_OP_INIT;
    tmlrt_op_t     any = TMLRT_OP_INIT, never = TMLRT_OP_INIT;
    tmlrt_op_t    *ops[] = {&waits, &ready, &behind, &never};
    tmlrt_notify_t full = TMLRT_NOTIFY_INIT;
    tmlrt_notify_one(&full);
    tmlrt_op_notified(&waits, &n);
    tmlrt_op_notified(&ready, &full);
    tmlrt_op_notified(&behind, &full);
    assert_int_equal(tmlrt_op_any(&any, ops, 4), TMLRT_OK); /* `never` was never prepared */
    assert_int_equal(poll_here(&any), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&any), 1);
    assert_int_equal(tmlrt_op_result(&waits), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_op_result(&ready), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&behind), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_op_result(&never), TMLRT_EINVAL);
}

static void a_failed_member_of_a_set_is_ready_with_its_error(void **state) {
    (void)state;
    tmlrt_notify_t n = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     a = TMLRT_OP_INIT, b = TMLRT_OP_INIT, set = TMLRT_OP_INIT;
    tmlrt_op_t    *ops[] = {&a, &b};
    tmlrt_op_notified(&a, &n);
    assert_int_equal(tmlrt_op_notified(&b, NULL), TMLRT_EINVAL);
    tmlrt_op_any(&set, ops, 2);
    assert_int_equal(poll_here(&set), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&set), 1);
    assert_int_equal(tmlrt_op_result(&b), TMLRT_EINVAL);

    tmlrt_notify_one(&n);
    tmlrt_op_notified(&a, &n);
    tmlrt_op_notified(&b, NULL);
    tmlrt_op_all(&set, ops, 2);
    assert_int_equal(poll_here(&set), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&set), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&a), TMLRT_OK);
}

static void all_of_nothing_is_ready(void **state) {
    (void)state;
    tmlrt_op_t set = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_op_all(&set, NULL, 0), TMLRT_OK);
    assert_int_equal(poll_here(&set), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&set), TMLRT_OK);
}

static void cancelling_a_set_cancels_its_members(void **state) {
    (void)state;
    tmlrt_notify_t n = TMLRT_NOTIFY_INIT;
    tmlrt_op_t  a = TMLRT_OP_INIT, b = TMLRT_OP_INIT, inner = TMLRT_OP_INIT, outer = TMLRT_OP_INIT;
    tmlrt_op_t *pair[] = {&a, &b}, *one[] = {&inner};
    for (int all = 0; all < 2; all++) {
        tmlrt_op_notified(&a, &n);
        tmlrt_op_notified(&b, &n);
        if (all)
            tmlrt_op_all(&inner, pair, 2);
        else
            tmlrt_op_any(&inner, pair, 2);
        tmlrt_op_any(&outer, one, 1);
        assert_int_equal(poll_here(&outer), TMLRT_PENDING);
        assert_int_equal(tmlrt_op_any(&inner, pair, 2), TMLRT_EBUSY);
        assert_int_equal(tmlrt_op_cancel(&outer), TMLRT_OK);
        assert_int_equal(tmlrt_op_result(&outer), TMLRT_ECANCELED);
        assert_int_equal(tmlrt_op_result(&inner), TMLRT_ECANCELED);
        assert_int_equal(tmlrt_op_result(&a), TMLRT_ECANCELED);
        assert_int_equal(tmlrt_op_result(&b), TMLRT_ECANCELED);
    }
}

/* any(all(sleep 1 ms, yield), sleep for ever), with a deadline that does not come. */
static int32_t body_nested(unit_t *u, tmlrt_cx_t *cx) {
    static tmlrt_op_t  inner, outer, forever;
    static tmlrt_op_t *both[] = {NULL, NULL}, *either[] = {&inner, &forever};
    both[0] = &u->op;
    both[1] = &u->op2;
    TMLRT_BEGIN(u);
    tmlrt_op_sleep(&u->op, NULL, TMLRT_MS);
    tmlrt_op_yield(&u->op2);
    tmlrt_op_sleep(&forever, NULL, INT64_MAX);
    tmlrt_op_all(&inner, both, 2);
    tmlrt_op_any(&outer, either, 2);
    tmlrt_op_deadline(&outer, tmlrt_now(NULL) + 1000 * TMLRT_S);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&outer, cx));
    require(tmlrt_op_result(&outer) == 0);
    require(tmlrt_op_result(&inner) == TMLRT_OK);
    require(tmlrt_op_result(&u->op) == TMLRT_OK);
    require(tmlrt_op_result(&u->op2) == TMLRT_OK);
    require(tmlrt_op_result(&forever) == TMLRT_ECANCELED);

    tmlrt_op_sleep(&u->op, NULL, INT64_MAX);
    tmlrt_op_sleep(&forever, NULL, INT64_MAX);
    tmlrt_op_yield(&u->op2);
    tmlrt_op_all(&inner, both, 2);
    tmlrt_op_any(&outer, either, 2);
    tmlrt_op_deadline(&outer, tmlrt_now(NULL) + TMLRT_MS);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&outer, cx));
    require(tmlrt_op_result(&outer) == TMLRT_ETIMEDOUT);
    require(tmlrt_op_result(&inner) == TMLRT_ECANCELED);
    require(tmlrt_op_result(&u->op) == TMLRT_ECANCELED);
    require(tmlrt_op_result(&u->op2) == TMLRT_OK);
    u->value = 3;
    TMLRT_END(u);
}

static void sets_nest_and_time_out(void **state) {
    (void)state;
    tally_t          tally = {0};
    tmlrt_runtime_t *rt = runtime_multi(2);
    assert_int_equal(unit_run(rt, &tally, body_nested, NULL), 3);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    rt = runtime_virtual();
    assert_int_equal(unit_run(rt, &tally, body_nested, NULL), 3);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- future ---------------------------------------------------------------------------------- */

/* A parent that gives a child inside its own state a time limit. */
typedef struct limited {
    tally_t     child_tally;
    unit_body_t child;
    int64_t     limit, value;
    int64_t     result; /* of the operation */
    unit_t      unit;
} limited_t;

static int32_t body_limited(unit_t *u, tmlrt_cx_t *cx) {
    limited_t *l = u->arg;
    TMLRT_BEGIN(u);
    l->unit = unit_of(&l->child_tally, l->child, NULL);
    require(tmlrt_op_future(&u->op, &unit_type, &l->unit, &l->value) == TMLRT_OK);
    tmlrt_op_deadline(&u->op, tmlrt_now(NULL) + l->limit);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, cx));
    l->result = tmlrt_op_result(&u->op);
    require(atomic_load(&l->child_tally.drops) == 1);
    TMLRT_END(u);
}

static int32_t child_ready(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
    u->value = 11;
    TMLRT_END(u);
}

static void a_future_is_an_operation_with_a_time_limit(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(2);
    tally_t          tally = {0};
    limited_t        l = {.child = child_ready, .limit = 1000 * TMLRT_S};
    unit_run(rt, &tally, body_limited, &l);
    assert_int_equal(l.result, TMLRT_OK);
    assert_int_equal(l.value, 11);

    limited_t late = {.child = body_sleep_forever, .limit = TMLRT_MS};
    unit_run(rt, &tally, body_limited, &late);
    assert_int_equal(late.result, TMLRT_ETIMEDOUT);
    assert_int_equal(late.child_tally.ready, 0);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_future_that_was_not_started_is_still_the_callers(void **state) {
    (void)state;
    tally_t    tally = {0};
    int64_t    value;
    unit_t     u = unit_of(&tally, body_ready, NULL);
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_future(&op, &unit_type, &u, &value);
    tmlrt_op_cancel(&op);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_ECANCELED);
    tmlrt_op_future(&op, &unit_type, &u, &value);
    tmlrt_op_yield(&op);
    assert_int_equal(tally.drops, 0);
    assert_int_equal(tally.polls, 0);
}

static void aborting_the_task_drops_its_inline_future(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(1);
    tally_t          tally = {0};
    limited_t        l = {.child = body_sleep_forever, .limit = 1000 * TMLRT_S};
    tmlrt_task_t    *task = unit_spawn(rt, &tally, body_limited, &l);
    wait_until(atomic_load(&l.child_tally.polls) != 0);
    assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_ECANCELED);
    assert_int_equal(l.child_tally.drops, 1);
    assert_int_equal(tally.drops, 1);
    tmlrt_task_release(task);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- drain and budget ------------------------------------------------------------------------ */

static int32_t body_drain(unit_t *u, tmlrt_cx_t *cx) {
    tmlrt_notify_t *notify = u->arg;
    TMLRT_BEGIN(u);
    tmlrt_op_notified(&u->op, notify);
    tmlrt_op_notified(&u->op2, notify);
    tmlrt_op_sleep(&u->op3, NULL, TMLRT_S);
    require(tmlrt_op_poll(&u->op, cx) == TMLRT_PENDING);
    require(tmlrt_op_poll(&u->op2, cx) == TMLRT_PENDING);
    require(tmlrt_op_poll(&u->op3, cx) == TMLRT_PENDING);
    require(tmlrt_ops_drain(cx, NULL, 1) == TMLRT_EINVAL);
    require(tmlrt_ops_drain(cx, NULL, 0) == TMLRT_READY);
    require(tmlrt_ops_drain(cx, &u->op, 0) == TMLRT_READY);
    require(tmlrt_op_result(&u->op) == TMLRT_EBUSY);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_ops_drain(cx, &u->op2, sizeof u->op2));
    require(tmlrt_op_result(&u->op) == TMLRT_EBUSY);
    require(tmlrt_op_result(&u->op2) == TMLRT_ECANCELED);
    require(tmlrt_op_result(&u->op3) == TMLRT_EBUSY);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_ops_drain(cx, u, sizeof *u));
    require(tmlrt_op_result(&u->op) == TMLRT_ECANCELED);
    require(tmlrt_op_result(&u->op3) == TMLRT_ECANCELED);
    u->value = 5;
    TMLRT_END(u);
}

static void draining_ends_what_lies_in_the_range_and_nothing_else(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(1);
    tally_t          tally = {0};
    tmlrt_notify_t   notify = TMLRT_NOTIFY_INIT;
    assert_int_equal(unit_run(rt, &tally, body_drain, &notify), 5);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static int32_t body_greedy(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    for (u->n = 0; u->n < 1000; u->n++)
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep(&u->op, NULL, 0));
    TMLRT_END(u);
}

static void an_always_ready_operation_yields_now_and_then(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tally_t          tally = {0};
    assert_int_equal(unit_run(rt, &tally, body_greedy, NULL), 0);
    assert_in_range(tally.polls, 1000 / 256, 1000 / 16);
    assert_int_equal(stats_sum(rt, budget_yields), (uint64_t)tally.polls - 1);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* An operation of no task: begun on a worker, which gives it its clock, and gone on with elsewhere,
 * with another waker. */
typedef struct moving {
    tmlrt_op_t     op;
    tmlrt_notify_t never;
} moving_t;

static int32_t body_begins(unit_t *u, tmlrt_cx_t *cx) {
    moving_t     *m = u->arg;
    tmlrt_waker_t waker = {u, &nop_vtable};
    tmlrt_cx_t    foreign = {&waker, NULL, {NULL, NULL}};
    (void)cx;
    tmlrt_op_notified(&m->op, &m->never);
    tmlrt_op_deadline(&m->op, tmlrt_now(NULL) + 3600 * TMLRT_S);
    require(tmlrt_op_poll(&m->op, &foreign) == TMLRT_PENDING);
    return TMLRT_READY;
}

static void an_armed_timer_stays_with_its_clock(void **state) {
    (void)state;
    tally_t          tally = {0};
    moving_t         m = {.op = TMLRT_OP_INIT, .never = TMLRT_NOTIFY_INIT};
    tmlrt_runtime_t *own = runtime_multi(1);
    assert_int_equal(unit_run(own, &tally, body_begins, &m), 0);
    assert_int_equal(tmlrt_op_poll(&m.op, &(tmlrt_cx_t){.waker = &nop_waker}), TMLRT_PENDING);
    assert_int_equal(tmlrt_op_cancel(&m.op), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&m.op), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_runtime_destroy(own), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(an_operation_says_what_state_it_is_in),
        cmocka_unit_test(an_operation_never_prepared_fails_when_it_is_polled),
        cmocka_unit_test(cancelling_before_the_start_ends_it),
        cmocka_unit_test(an_operation_that_needs_a_runtime_says_so_without_one),
        cmocka_unit_test(awaiting_inside_a_poll_or_a_drop_is_refused),
        cmocka_unit_test(awaiting_inside_a_future_of_a_plain_thread_is_refused),
        cmocka_unit_test(a_deadline_ends_an_operation_that_has_not_succeeded),
        cmocka_unit_test(any_does_not_start_what_lies_behind_the_first_that_is_ready),
        cmocka_unit_test(a_failed_member_of_a_set_is_ready_with_its_error),
        cmocka_unit_test(all_of_nothing_is_ready),
        cmocka_unit_test(cancelling_a_set_cancels_its_members),
        cmocka_unit_test(sets_nest_and_time_out),
        cmocka_unit_test(a_future_is_an_operation_with_a_time_limit),
        cmocka_unit_test(a_future_that_was_not_started_is_still_the_callers),
        cmocka_unit_test(aborting_the_task_drops_its_inline_future),
        cmocka_unit_test(draining_ends_what_lies_in_the_range_and_nothing_else),
        cmocka_unit_test(an_armed_timer_stays_with_its_clock),
        cmocka_unit_test(an_always_ready_operation_yields_now_and_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
