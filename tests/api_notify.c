/* SPDX-License-Identifier: MIT */
/*
 * api_notify.c: notify: one permit, order, notify_all, and cancelled waiters that pass a grant on.
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

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_notify_t notify = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     op = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_notify_one(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_notify_all(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_notified(NULL, &notify), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_notified(&op, NULL), TMLRT_EINVAL);
    assert_int_equal(poll_here(&op), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_EINVAL);

    assert_int_equal(tmlrt_op_notified(&op, &notify), TMLRT_OK);
    assert_int_equal(poll_here(&op), TMLRT_PENDING);
    assert_int_equal(tmlrt_op_notified(&op, &notify), TMLRT_EBUSY);
    assert_int_equal(tmlrt_op_notified(&op, NULL), TMLRT_EBUSY);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_EBUSY);
    assert_int_equal(tmlrt_op_cancel(&op), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_ECANCELED);
}

static void one_permit_is_stored_and_not_more(void **state) {
    (void)state;
    tmlrt_notify_t notify = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     op = TMLRT_OP_INIT;
    for (int i = 0; i < 3; i++)
        assert_int_equal(tmlrt_notify_one(&notify), TMLRT_OK);
    tmlrt_op_notified(&op, &notify);
    assert_int_equal(poll_here(&op), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_OK);
    tmlrt_op_notified(&op, &notify);
    assert_int_equal(poll_here(&op), TMLRT_PENDING);
    tmlrt_op_cancel(&op);
}

static void notify_all_stores_no_permit(void **state) {
    (void)state;
    tmlrt_notify_t notify = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     op = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_notify_all(&notify), TMLRT_OK);
    tmlrt_op_notified(&op, &notify);
    assert_int_equal(poll_here(&op), TMLRT_PENDING);
    tmlrt_op_cancel(&op);
}

static void notify_all_reaches_who_waits_and_who_is_prepared(void **state) {
    (void)state;
    enum { N = 100 };
    tmlrt_notify_t    notify = TMLRT_NOTIFY_INIT;
    static tmlrt_op_t waiting[N], prepared, later;
    memset(waiting, 0, sizeof waiting);
    for (int i = 0; i < N; i++) {
        tmlrt_op_notified(&waiting[i], &notify);
        assert_int_equal(poll_here(&waiting[i]), TMLRT_PENDING);
    }
    tmlrt_op_notified(&prepared, &notify);
    tmlrt_notify_all(&notify);
    tmlrt_op_notified(&later, &notify);
    for (int i = 0; i < N; i++)
        assert_int_equal(poll_here(&waiting[i]), TMLRT_READY);
    assert_int_equal(poll_here(&prepared), TMLRT_READY);
    assert_int_equal(poll_here(&later), TMLRT_PENDING);
    tmlrt_op_cancel(&later);
}

static void the_longest_waiting_goes_first(void **state) {
    (void)state;
    enum { N = 10 };
    tmlrt_notify_t notify = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     ops[N];
    memset(ops, 0, sizeof ops);
    for (int i = 0; i < N; i++)
        tmlrt_op_notified(&ops[i], &notify);
    for (int i = N; i-- > 0;) /* started in the other order than prepared */
        assert_int_equal(poll_here(&ops[i]), TMLRT_PENDING);
    for (int i = N; i-- > 0;) {
        tmlrt_notify_one(&notify);
        for (int k = 0; k < N; k++)
            assert_int_equal(poll_here(&ops[k]), k >= i ? TMLRT_READY : TMLRT_PENDING);
    }
}

static void a_cancelled_waiter_passes_its_grant_on(void **state) {
    (void)state;
    tmlrt_notify_t notify = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     a = TMLRT_OP_INIT, b = TMLRT_OP_INIT;
    tmlrt_op_notified(&a, &notify);
    tmlrt_op_notified(&b, &notify);
    poll_here(&a);
    poll_here(&b);
    tmlrt_notify_one(&notify);
    assert_int_equal(tmlrt_op_cancel(&a), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&a), TMLRT_ECANCELED);
    assert_int_equal(poll_here(&b), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&b), TMLRT_OK);

    /* With nobody behind it the grant becomes the permit again. */
    tmlrt_op_notified(&a, &notify);
    poll_here(&a);
    tmlrt_notify_one(&notify);
    tmlrt_op_cancel(&a);
    tmlrt_op_notified(&b, &notify);
    assert_int_equal(poll_here(&b), TMLRT_READY);
}

static void a_waiter_cancelled_before_its_start_takes_nothing(void **state) {
    (void)state;
    tmlrt_notify_t notify = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     a = TMLRT_OP_INIT;
    tmlrt_op_notified(&a, &notify);
    tmlrt_notify_one(&notify);
    tmlrt_op_cancel(&a);
    assert_int_equal(tmlrt_op_result(&a), TMLRT_ECANCELED);
    tmlrt_op_notified(&a, &notify);
    assert_int_equal(poll_here(&a), TMLRT_READY);
}

static void a_select_over_two_takes_from_one_only(void **state) {
    (void)state;
    tmlrt_notify_t n[2] = {TMLRT_NOTIFY_INIT, TMLRT_NOTIFY_INIT};
    tmlrt_op_t     a = TMLRT_OP_INIT, b = TMLRT_OP_INIT, any = TMLRT_OP_INIT;
    tmlrt_op_t    *ops[] = {&a, &b};
    tmlrt_op_notified(&a, &n[0]);
    tmlrt_op_notified(&b, &n[1]);
    tmlrt_op_any(&any, ops, 2);
    assert_int_equal(poll_here(&any), TMLRT_PENDING);
    tmlrt_notify_one(&n[1]);
    tmlrt_notify_one(&n[0]);
    assert_int_equal(poll_here(&any), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&any), 0);
    assert_int_equal(tmlrt_op_result(&a), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&b), TMLRT_ECANCELED);
    tmlrt_op_notified(&b, &n[1]); /* the loser gave its grant back */
    assert_int_equal(poll_here(&b), TMLRT_READY);
}

/* ---- tasks and threads ----------------------------------------------------------------------- */

static int32_t body_wait(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_notified(&u->op, u->arg));
    u->value = tmlrt_op_result(&u->op);
    TMLRT_END(u);
}

static void an_aborted_task_passes_its_grant_on(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tally_t          tally = {0};
    tmlrt_notify_t   notify = TMLRT_NOTIFY_INIT;
    tmlrt_task_t    *first = unit_spawn(rt, &tally, body_wait, &notify);
    tmlrt_task_t    *second = unit_spawn(rt, &tally, body_wait, &notify);
    wait_until(tmlrt_runtime_run_once(rt) == 0);
    assert_int_equal(tmlrt_notify_one(&notify), TMLRT_OK);
    assert_int_equal(tmlrt_task_abort(first), TMLRT_OK);
    assert_int_equal(tmlrt_join(first, NULL), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_join(second, NULL), TMLRT_OK);
    tmlrt_task_release(first);
    tmlrt_task_release(second);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* Two threads that hand a turn to and fro; the data is plain. */
typedef struct turns {
    tmlrt_notify_t n[2];
    int            data, rounds;
} turns_t;

static void take_turns(void *arg, int i) {
    turns_t *t = arg;
    for (int k = 0; k < t->rounds; k++) {
        tmlrt_op_t op = TMLRT_OP_INIT;
        require(tmlrt_op_notified(&op, &t->n[i]) == TMLRT_OK);
        require(tmlrt_op_await(&op) == TMLRT_OK);
        require(t->data == 2 * k + i);
        t->data++;
        require(tmlrt_notify_one(&t->n[1 - i]) == TMLRT_OK);
    }
}

static void plain_threads_notify_each_other_without_a_runtime(void **state) {
    (void)state;
    turns_t t = {.n = {TMLRT_NOTIFY_INIT, TMLRT_NOTIFY_INIT}, .rounds = scaled(1000)};
    tmlrt_notify_one(&t.n[0]);
    on_threads(2, take_turns, &t);
    assert_int_equal(t.data, 2 * t.rounds);
}

/* A completion: the waiter makes the notify and ends it as soon as it has been told. */
typedef struct completion {
    _Atomic(tmlrt_notify_t *) posted;
    int                       rounds;
} completion_t;

static void wait_or_tell(void *arg, int i) {
    completion_t *c = arg;
    for (int k = 0; k < c->rounds; k++) {
        if (i == 0) {
            tmlrt_notify_t *n = calloc(1, sizeof *n);
            require(n != NULL);
            tmlrt_op_t op = TMLRT_OP_INIT;
            require(tmlrt_op_notified(&op, n) == TMLRT_OK);
            atomic_store(&c->posted, n);
            if (k % 2 == 0) {
                wait_until(poll_here(&op) == TMLRT_READY);
            } else {
                require(tmlrt_op_await(&op) == TMLRT_OK);
            }
            free(n);
        } else {
            tmlrt_notify_t *n;
            wait_until((n = atomic_exchange(&c->posted, NULL)) != NULL);
            if (k % 4 < 2)
                require(tmlrt_notify_one(n) == TMLRT_OK);
            else
                require(tmlrt_notify_all(n) == TMLRT_OK);
        }
    }
}

static void a_waiter_may_end_the_notify_as_soon_as_it_has_been_told(void **state) {
    (void)state;
    completion_t c = {.posted = NULL, .rounds = scaled(2000)};
    on_threads(2, wait_or_tell, &c);
}

static void a_deadline_ends_a_wait_of_a_thread_without_a_runtime(void **state) {
    (void)state;
    tmlrt_notify_t notify = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     op = TMLRT_OP_INIT;
    int64_t        until = tmlrt_now(NULL) + 2 * TMLRT_MS;
    tmlrt_op_notified(&op, &notify);
    assert_int_equal(tmlrt_op_deadline(&op, until), TMLRT_OK);
    assert_int_equal(tmlrt_op_await(&op), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_ETIMEDOUT);
    assert_true(tmlrt_now(NULL) >= until);
}

/* The owner of a current-thread runtime waits for something that has no runtime of its own. */
static void a_deadline_ends_a_wait_of_an_owner(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    a_deadline_ends_a_wait_of_a_thread_without_a_runtime(state);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static int32_t body_tell(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    require(tmlrt_notify_one(u->arg) == TMLRT_OK);
    return TMLRT_READY;
}

static void an_owner_drives_its_runtimes_while_it_waits(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread(), *second = runtime_current_thread();
    tally_t          tally = {0};
    tmlrt_notify_t   notify = TMLRT_NOTIFY_INIT;
    for (int i = 0; i < 2; i++) {
        tmlrt_op_t op = TMLRT_OP_INIT;
        tmlrt_task_release(unit_spawn(i == 0 ? second : rt, &tally, body_tell, &notify));
        tmlrt_op_notified(&op, &notify);
        assert_int_equal(tmlrt_op_await(&op), TMLRT_OK);
        assert_int_equal(tmlrt_op_result(&op), TMLRT_OK);
        if (i == 0) assert_int_equal(tmlrt_runtime_destroy(second), TMLRT_OK);
    }
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(one_permit_is_stored_and_not_more),
        cmocka_unit_test(notify_all_stores_no_permit),
        cmocka_unit_test(notify_all_reaches_who_waits_and_who_is_prepared),
        cmocka_unit_test(the_longest_waiting_goes_first),
        cmocka_unit_test(a_cancelled_waiter_passes_its_grant_on),
        cmocka_unit_test(a_waiter_cancelled_before_its_start_takes_nothing),
        cmocka_unit_test(a_select_over_two_takes_from_one_only),
        cmocka_unit_test(an_aborted_task_passes_its_grant_on),
        cmocka_unit_test(plain_threads_notify_each_other_without_a_runtime),
        cmocka_unit_test(a_waiter_may_end_the_notify_as_soon_as_it_has_been_told),
        cmocka_unit_test(a_deadline_ends_a_wait_of_a_thread_without_a_runtime),
        cmocka_unit_test(a_deadline_ends_a_wait_of_an_owner),
        cmocka_unit_test(an_owner_drives_its_runtimes_while_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
