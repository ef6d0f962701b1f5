/* SPDX-License-Identifier: MIT */
/*
 * api_sync.c: mutex, rwlock, semaphore, barrier, once, wait group: their errors, their order, and
 * waiters that are cancelled, time out or lose a select at every state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/polling.h"
#include "support/random.h"
#include "support/unit.h"

static void wait_a_little(int64_t ns) {
    int64_t until = tmlrt_now(NULL) + ns;
    wait_until(tmlrt_now(NULL) >= until);
}

/* ---- arguments ----------------------------------------------------------------------------- */

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_op_t         op = TMLRT_OP_INIT;
    tmlrt_semaphore_t  sem = TMLRT_SYNC_INIT;
    tmlrt_barrier_t    barrier = TMLRT_SYNC_INIT;
    tmlrt_once_t       once = TMLRT_SYNC_INIT;
    tmlrt_wait_group_t group = TMLRT_SYNC_INIT;
    int                bad[] = {
                       tmlrt_op_lock(NULL, NULL),
                       tmlrt_op_lock(&op, NULL),
                       tmlrt_mutex_lock(NULL),
                       tmlrt_mutex_lock_until(NULL, 0),
                       tmlrt_mutex_try_lock(NULL),
                       tmlrt_mutex_unlock(NULL),
                       tmlrt_op_read_lock(&op, NULL),
                       tmlrt_op_write_lock(&op, NULL),
                       tmlrt_rwlock_read(NULL),
                       tmlrt_rwlock_write(NULL),
                       tmlrt_rwlock_read_until(NULL, 0),
                       tmlrt_rwlock_write_until(NULL, 0),
                       tmlrt_rwlock_try_read(NULL),
                       tmlrt_rwlock_try_write(NULL),
                       tmlrt_rwlock_unlock(NULL),
                       tmlrt_semaphore_init(NULL, 1),
                       tmlrt_semaphore_init(&sem, -1),
                       tmlrt_semaphore_init(&sem, TMLRT_SEMAPHORE_MAX + 1),
                       tmlrt_op_acquire(&op, NULL, 1),
                       tmlrt_op_acquire(&op, &sem, 0),
                       tmlrt_op_acquire(&op, &sem, TMLRT_SEMAPHORE_MAX + 1),
                       tmlrt_semaphore_acquire(NULL, 1),
                       tmlrt_semaphore_acquire(&sem, 0),
                       tmlrt_semaphore_acquire_until(&sem, -1, 0),
                       tmlrt_semaphore_try_acquire(NULL, 1),
                       tmlrt_semaphore_try_acquire(&sem, 0),
                       tmlrt_semaphore_release(NULL, 1),
                       tmlrt_semaphore_release(&sem, 0),
                       (int)tmlrt_semaphore_permits(NULL),
                       tmlrt_barrier_init(NULL, 1),
                       tmlrt_barrier_init(&barrier, 0),
                       tmlrt_op_barrier(&op, NULL),
                       tmlrt_op_barrier(&op, &barrier),
                       tmlrt_barrier_wait(NULL),
                       tmlrt_barrier_wait(&barrier),
                       tmlrt_op_once(&op, NULL),
                       tmlrt_once_done(NULL),
                       tmlrt_once_failed(NULL),
                       tmlrt_once_done(&once),
                       tmlrt_once_failed(&once),
                       tmlrt_once_call(NULL, NULL, NULL),
                       tmlrt_once_call(&once, NULL, NULL),
                       tmlrt_wait_group_add(NULL, 1),
                       tmlrt_wait_group_done(NULL),
                       tmlrt_wait_group_done(&group),
                       tmlrt_op_wait_group(&op, NULL),
                       tmlrt_wait_group_wait(NULL),
                       tmlrt_wait_group_wait_until(NULL, 0),
                       tmlrt_notified(NULL),
                       tmlrt_notified_until(NULL, 0),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(bad[i], TMLRT_EINVAL);
    assert_ends(&op, TMLRT_EINVAL); /* prepared to fail */

    tmlrt_mutex_t  mutex = TMLRT_SYNC_INIT;
    tmlrt_rwlock_t rwlock = TMLRT_SYNC_INIT;
    assert_int_equal(tmlrt_mutex_unlock(&mutex), TMLRT_EINVAL);
    assert_int_equal(tmlrt_rwlock_unlock(&rwlock), TMLRT_EINVAL);
    assert_ok(tmlrt_mutex_lock(&mutex));
    assert_ok(tmlrt_op_lock(&op, &mutex));
    assert_waits(&op);
    assert_int_equal(tmlrt_op_lock(&op, &mutex), TMLRT_EBUSY);
    assert_cancels(&op, TMLRT_ECANCELED);
}

/* A waiter was granted its permit, others were released up to the most, and it is cancelled. */
static void a_permit_given_back_does_not_overflow_the_count(void **state) {
    (void)state;
    tmlrt_op_t        op = TMLRT_OP_INIT;
    tmlrt_semaphore_t sem = TMLRT_SYNC_INIT;
    assert_ok(tmlrt_op_acquire(&op, &sem, 1));
    assert_waits(&op);
    assert_ok(tmlrt_semaphore_release(&sem, 1));
    assert_ok(tmlrt_semaphore_release(&sem, TMLRT_SEMAPHORE_MAX));
    assert_cancels(&op, TMLRT_ECANCELED);
    assert_true(tmlrt_semaphore_permits(&sem) == TMLRT_SEMAPHORE_MAX);
}

static void counts_do_not_overflow(void **state) {
    (void)state;
    tmlrt_semaphore_t sem = TMLRT_SYNC_INIT;
    assert_ok(tmlrt_semaphore_init(&sem, TMLRT_SEMAPHORE_MAX));
    assert_int_equal(tmlrt_semaphore_release(&sem, 1), TMLRT_EOVERFLOW);
    assert_true(tmlrt_semaphore_permits(&sem) == TMLRT_SEMAPHORE_MAX);
    assert_ok(tmlrt_semaphore_try_acquire(&sem, TMLRT_SEMAPHORE_MAX));
    assert_int_equal(tmlrt_semaphore_permits(&sem), 0);
    tmlrt_wait_group_t group = TMLRT_SYNC_INIT;
    assert_ok(tmlrt_wait_group_add(&group, INT64_MAX / 2));
    assert_int_equal(tmlrt_wait_group_add(&group, 1), TMLRT_EOVERFLOW);
    assert_int_equal(tmlrt_wait_group_add(&group, INT64_MIN), TMLRT_EINVAL);
    assert_ok(tmlrt_wait_group_add(&group, -(INT64_MAX / 2)));
    assert_ok(tmlrt_wait_group_wait(&group));
}

/* ---- mutex --------------------------------------------------------------------------------- */

static void a_young_waiter_is_woken_and_may_be_overtaken(void **state) {
    (void)state;
    for (int tries = 0;; tries++) {
        assert_true(tries < 1000); /* each fails only when it took 1 ms */
        tmlrt_mutex_t m = TMLRT_SYNC_INIT;
        tmlrt_op_t    op = TMLRT_OP_INIT;
        assert_ok(tmlrt_mutex_lock(&m));
        tmlrt_op_lock(&op, &m);
        assert_waits(&op);
        assert_ok(tmlrt_mutex_unlock(&m));
        bool overtaken = tmlrt_mutex_try_lock(&m) == TMLRT_OK;
        if (overtaken) {
            assert_waits(&op);
            assert_ok(tmlrt_mutex_unlock(&m));
        }
        assert_ends(&op, TMLRT_OK);
        assert_ok(tmlrt_mutex_unlock(&m));
        assert_int_equal(tmlrt_mutex_unlock(&m), TMLRT_EINVAL);
        if (overtaken) return;
    }
}

static void an_old_waiter_gets_the_lock_itself(void **state) {
    (void)state;
    tmlrt_mutex_t m = TMLRT_SYNC_INIT;
    tmlrt_op_t    a = TMLRT_OP_INIT, b = TMLRT_OP_INIT;
    assert_ok(tmlrt_mutex_lock(&m));
    tmlrt_op_lock(&a, &m);
    tmlrt_op_lock(&b, &m);
    assert_waits(&a);
    assert_waits(&b);
    wait_a_little(2 * TMLRT_MS);
    assert_ok(tmlrt_mutex_unlock(&m));
    assert_int_equal(tmlrt_mutex_try_lock(&m), TMLRT_EAGAIN);
    assert_waits(&b);
    assert_cancels(&a, TMLRT_ECANCELED); /* passes it on */
    assert_int_equal(tmlrt_mutex_try_lock(&m), TMLRT_EAGAIN);
    assert_ends(&b, TMLRT_OK);
    assert_ok(tmlrt_mutex_unlock(&m));
    assert_ok(tmlrt_mutex_try_lock(&m));
}

static void a_woken_waiter_that_is_cancelled_wakes_the_next(void **state) {
    (void)state;
    tmlrt_mutex_t m = TMLRT_SYNC_INIT;
    tmlrt_op_t    a = TMLRT_OP_INIT, b = TMLRT_OP_INIT;
    assert_ok(tmlrt_mutex_lock(&m));
    tmlrt_op_lock(&a, &m);
    tmlrt_op_lock(&b, &m);
    assert_waits(&a);
    assert_waits(&b);
    assert_ok(tmlrt_mutex_unlock(&m));
    assert_cancels(&a, TMLRT_ECANCELED);
    assert_ends(&b, TMLRT_OK);
    assert_ok(tmlrt_mutex_unlock(&m));
}

/* ---- semaphore ----------------------------------------------------------------------------- */

static void a_waiter_for_many_is_not_overtaken_by_one_for_few(void **state) {
    (void)state;
    tmlrt_semaphore_t s = TMLRT_SYNC_INIT;
    tmlrt_op_t        many = TMLRT_OP_INIT, few = TMLRT_OP_INIT;
    assert_ok(tmlrt_semaphore_init(&s, 2));
    tmlrt_op_acquire(&many, &s, 3);
    tmlrt_op_acquire(&few, &s, 1);
    assert_waits(&many);
    assert_waits(&few);
    assert_int_equal(tmlrt_semaphore_try_acquire(&s, 1), TMLRT_EAGAIN);
    assert_int_equal(tmlrt_semaphore_permits(&s), 2);
    assert_ok(tmlrt_semaphore_release(&s, 1));
    assert_waits(&few);
    assert_ends(&many, TMLRT_OK);
    assert_ok(tmlrt_semaphore_release(&s, 1));
    assert_ends(&few, TMLRT_OK);
    assert_int_equal(tmlrt_semaphore_permits(&s), 0);
}

static void a_first_waiter_that_is_cancelled_lets_those_behind_it_through(void **state) {
    (void)state;
    tmlrt_semaphore_t s = TMLRT_SYNC_INIT;
    tmlrt_op_t        many = TMLRT_OP_INIT, few = TMLRT_OP_INIT;
    assert_ok(tmlrt_semaphore_init(&s, 2));
    tmlrt_op_acquire(&many, &s, 3);
    tmlrt_op_acquire(&few, &s, 1);
    assert_waits(&many);
    assert_waits(&few);
    assert_cancels(&many, TMLRT_ECANCELED);
    assert_ends(&few, TMLRT_OK);
    assert_int_equal(tmlrt_semaphore_permits(&s), 1);

    /* The same with permits that had been granted to it. */
    tmlrt_op_acquire(&many, &s, 2);
    tmlrt_op_acquire(&few, &s, 2);
    assert_waits(&many);
    assert_waits(&few);
    assert_ok(tmlrt_semaphore_release(&s, 1));
    assert_cancels(&many, TMLRT_ECANCELED);
    assert_ends(&few, TMLRT_OK);
    assert_int_equal(tmlrt_semaphore_permits(&s), 0);
}

/* More than there may be are free only until the next one takes them. */
static void permits_given_back_beyond_the_most_reach_who_waits_for_them(void **state) {
    (void)state;
    tmlrt_semaphore_t s = TMLRT_SYNC_INIT;
    tmlrt_op_t        gone = TMLRT_OP_INIT, most = TMLRT_OP_INIT, rest = TMLRT_OP_INIT;
    tmlrt_op_acquire(&gone, &s, TMLRT_SEMAPHORE_MAX);
    tmlrt_op_acquire(&most, &s, TMLRT_SEMAPHORE_MAX);
    tmlrt_op_acquire(&rest, &s, 3);
    assert_waits(&gone);
    assert_waits(&most);
    assert_waits(&rest);
    assert_ok(tmlrt_semaphore_release(&s, TMLRT_SEMAPHORE_MAX)); /* the first one's */
    assert_ok(tmlrt_semaphore_release(&s, 7));
    assert_cancels(&gone, TMLRT_ECANCELED);
    assert_ends(&most, TMLRT_OK);
    assert_ends(&rest, TMLRT_OK);
    assert_int_equal(tmlrt_semaphore_permits(&s), 4);
}

static void one_release_lets_many_through_in_order(void **state) {
    (void)state;
    enum { N = 100 };
    static tmlrt_op_t ops[N];
    memset(ops, 0, sizeof ops);
    tmlrt_semaphore_t s = TMLRT_SYNC_INIT;
    for (int i = 0; i < N; i++) {
        tmlrt_op_acquire(&ops[i], &s, 1);
        assert_waits(&ops[i]);
    }
    assert_ok(tmlrt_semaphore_release(&s, N - 1));
    for (int i = 0; i < N - 1; i++)
        assert_ends(&ops[i], TMLRT_OK);
    assert_waits(&ops[N - 1]);
    assert_cancels(&ops[N - 1], TMLRT_ECANCELED);
    assert_int_equal(tmlrt_semaphore_permits(&s), 0);
}

/* ---- rwlock -------------------------------------------------------------------------------- */

static void readers_share_and_a_waiting_writer_stops_new_ones(void **state) {
    (void)state;
    tmlrt_rwlock_t l = TMLRT_SYNC_INIT;
    tmlrt_op_t     w = TMLRT_OP_INIT, r1 = TMLRT_OP_INIT, r2 = TMLRT_OP_INIT, w2 = TMLRT_OP_INIT;
    assert_ok(tmlrt_rwlock_read(&l));
    assert_ok(tmlrt_rwlock_try_read(&l));
    assert_int_equal(tmlrt_rwlock_try_write(&l), TMLRT_EAGAIN);
    tmlrt_op_write_lock(&w, &l);
    tmlrt_op_read_lock(&r1, &l);
    tmlrt_op_read_lock(&r2, &l);
    tmlrt_op_write_lock(&w2, &l);
    assert_waits(&w);
    assert_int_equal(tmlrt_rwlock_try_read(&l), TMLRT_EAGAIN);
    assert_waits(&r1);
    assert_waits(&r2);
    assert_waits(&w2);
    assert_ok(tmlrt_rwlock_unlock(&l));
    assert_waits(&w);
    assert_ok(tmlrt_rwlock_unlock(&l));
    assert_ends(&w, TMLRT_OK);
    assert_waits(&r1);
    assert_ok(tmlrt_rwlock_unlock(&l));
    assert_ends(&r1, TMLRT_OK);
    assert_cancels(&r2, TMLRT_ECANCELED); /* granted, given back */
    assert_waits(&w2);
    assert_ok(tmlrt_rwlock_unlock(&l));
    assert_ends(&w2, TMLRT_OK);
    assert_ok(tmlrt_rwlock_unlock(&l));
    assert_int_equal(tmlrt_rwlock_unlock(&l), TMLRT_EINVAL);
}

static void a_writer_that_is_cancelled_lets_the_readers_behind_it_through(void **state) {
    (void)state;
    tmlrt_rwlock_t l = TMLRT_SYNC_INIT;
    tmlrt_op_t     w = TMLRT_OP_INIT, r = TMLRT_OP_INIT;
    assert_ok(tmlrt_rwlock_read(&l));
    tmlrt_op_write_lock(&w, &l);
    tmlrt_op_read_lock(&r, &l);
    assert_waits(&w);
    assert_waits(&r);
    assert_cancels(&w, TMLRT_ECANCELED);
    assert_ends(&r, TMLRT_OK);
    assert_ok(tmlrt_rwlock_unlock(&l));
    assert_ok(tmlrt_rwlock_unlock(&l));
    assert_int_equal(tmlrt_rwlock_write_until(&l, 0),
                     TMLRT_OK); /* free: the past does not matter */
    assert_int_equal(tmlrt_rwlock_read_until(&l, tmlrt_now(NULL)), TMLRT_ETIMEDOUT);
    assert_int_equal(tmlrt_rwlock_write_until(&l, tmlrt_now(NULL)), TMLRT_ETIMEDOUT);
    assert_ok(tmlrt_rwlock_unlock(&l));
}

/* ---- barrier, once, wait group ------------------------------------------------------------- */

static void the_last_to_come_completes_the_round(void **state) {
    (void)state;
    tmlrt_barrier_t b = TMLRT_SYNC_INIT;
    tmlrt_op_t      x = TMLRT_OP_INIT, y = TMLRT_OP_INIT, z = TMLRT_OP_INIT;
    assert_ok(tmlrt_barrier_init(&b, 3));
    for (int round = 0; round < 3; round++) {
        tmlrt_op_barrier(&x, &b);
        tmlrt_op_barrier(&y, &b);
        tmlrt_op_barrier(&z, &b);
        assert_waits(&x);
        assert_waits(&y);
        assert_cancels(&y, TMLRT_ECANCELED); /* taken out */
        tmlrt_op_barrier(&y, &b);
        assert_waits(&y);
        assert_ends(&z, 1);
        assert_cancels(&y, 0); /* too late */
        assert_ends(&x, 0);
    }
    tmlrt_barrier_t one = TMLRT_SYNC_INIT;
    assert_ok(tmlrt_barrier_init(&one, 1));
    assert_int_equal(tmlrt_barrier_wait(&one), 1);
    assert_int_equal(tmlrt_barrier_wait(&one), 1);
}

static void a_barrier_of_many_lets_all_through(void **state) {
    (void)state;
    enum { N = 150 };
    static tmlrt_op_t ops[N];
    memset(ops, 0, sizeof ops);
    tmlrt_barrier_t b = TMLRT_SYNC_INIT;
    assert_ok(tmlrt_barrier_init(&b, N));
    for (int i = 0; i < N; i++)
        tmlrt_op_barrier(&ops[i], &b);
    for (int i = 0; i < N - 1; i++)
        assert_waits(&ops[i]);
    assert_ends(&ops[N - 1], 1);
    for (int i = 0; i < N - 1; i++)
        assert_ends(&ops[i], 0);
}

static int fail_twice(void *arg) {
    return ++*(int *)arg <= 2 ? TMLRT_EIO : 0;
}

static void once_chooses_the_next_until_one_succeeds(void **state) {
    (void)state;
    tmlrt_once_t o = TMLRT_SYNC_INIT;
    int          calls = 0;
    assert_int_equal(tmlrt_once_call(&o, fail_twice, &calls), TMLRT_EIO);
    assert_int_equal(tmlrt_once_call(&o, fail_twice, &calls), TMLRT_EIO);
    assert_ok(tmlrt_once_call(&o, fail_twice, &calls));
    assert_ok(tmlrt_once_call(&o, fail_twice, &calls));
    assert_int_equal(calls, 3);

    tmlrt_once_t p = TMLRT_SYNC_INIT;
    tmlrt_op_t   a = TMLRT_OP_INIT, b = TMLRT_OP_INIT, c = TMLRT_OP_INIT, d = TMLRT_OP_INIT;
    tmlrt_op_once(&a, &p);
    tmlrt_op_once(&b, &p);
    tmlrt_op_once(&c, &p);
    tmlrt_op_once(&d, &p);
    assert_ends(&a, 1);
    assert_waits(&b);
    assert_waits(&c);
    assert_waits(&d);
    assert_ok(tmlrt_once_failed(&p));
    assert_cancels(&b, TMLRT_ECANCELED); /* chosen: counts as failed */
    assert_ends(&c, 1);
    assert_ok(tmlrt_once_done(&p));
    assert_cancels(&d, 0); /* it knew already */
    assert_int_equal(tmlrt_once_done(&p), TMLRT_EINVAL);
    tmlrt_op_once(&a, &p);
    assert_ends(&a, 0);
}

static void a_wait_group_ends_at_zero_and_begins_again(void **state) {
    (void)state;
    enum { N = 80 };
    static tmlrt_op_t ops[N];
    memset(ops, 0, sizeof ops);
    tmlrt_wait_group_t g = TMLRT_SYNC_INIT;
    tmlrt_op_t         later = TMLRT_OP_INIT;
    assert_ok(tmlrt_wait_group_wait(&g));
    assert_ok(tmlrt_wait_group_add(&g, 2));
    for (int i = 0; i < N; i++) {
        tmlrt_op_wait_group(&ops[i], &g);
        assert_waits(&ops[i]);
    }
    assert_int_equal(tmlrt_wait_group_add(&g, -3), TMLRT_EINVAL);
    assert_ok(tmlrt_wait_group_done(&g));
    assert_waits(&ops[0]);
    assert_ok(tmlrt_wait_group_done(&g));
    assert_ok(tmlrt_wait_group_add(&g, 1)); /* the next round */
    tmlrt_op_wait_group(&later, &g);
    assert_waits(&later);
    for (int i = 0; i < N; i++)
        assert_ends(&ops[i], TMLRT_OK);
    assert_waits(&later);
    assert_cancels(&later, TMLRT_ECANCELED);
    assert_int_equal(tmlrt_wait_group_wait_until(&g, tmlrt_now(NULL)), TMLRT_ETIMEDOUT);
    assert_ok(tmlrt_wait_group_done(&g));
}

/* ---- select, deadlines --------------------------------------------------------------------- */

static void a_select_commits_at_most_one(void **state) {
    (void)state;
    tmlrt_mutex_t     m = TMLRT_SYNC_INIT;
    tmlrt_semaphore_t s = TMLRT_SYNC_INIT;
    tmlrt_rwlock_t    l = TMLRT_SYNC_INIT;
    tmlrt_op_t        a = TMLRT_OP_INIT, b = TMLRT_OP_INIT, c = TMLRT_OP_INIT, any = TMLRT_OP_INIT;
    tmlrt_op_t       *ops[] = {&a, &b, &c};
    assert_ok(tmlrt_mutex_lock(&m));
    assert_ok(tmlrt_rwlock_write(&l));
    for (int i = 0; i < 4; i++) {
        tmlrt_op_lock(&a, &m);
        tmlrt_op_acquire(&b, &s, 1);
        tmlrt_op_read_lock(&c, &l);
        tmlrt_op_any(&any, ops, 3);
        assert_waits(&any);
        if (i == 3) wait_a_little(2 * TMLRT_MS); /* the mutex is handed over */
        assert_ok(tmlrt_mutex_unlock(&m));
        assert_ok(tmlrt_semaphore_release(&s, 1));
        assert_ok(tmlrt_rwlock_unlock(&l));
        if (i == 2) {
            assert_cancels(&any, TMLRT_ECANCELED);
            assert_ok(tmlrt_mutex_try_lock(&m));
        } else {
            assert_ends(&any, 0);
            assert_int_equal(tmlrt_op_result(&a), TMLRT_OK);
        }
        assert_int_equal(tmlrt_op_result(&b), TMLRT_ECANCELED);
        assert_int_equal(tmlrt_op_result(&c), TMLRT_ECANCELED);
        assert_ok(tmlrt_semaphore_try_acquire(&s, 1)); /* nothing was lost */
        assert_ok(tmlrt_rwlock_try_write(&l));
        assert_int_equal(tmlrt_mutex_try_lock(&m), TMLRT_EAGAIN);
    }
}

static void a_deadline_takes_nothing(void **state) {
    (void)state;
    tmlrt_mutex_t     m = TMLRT_SYNC_INIT;
    tmlrt_semaphore_t s = TMLRT_SYNC_INIT;
    tmlrt_notify_t    n = TMLRT_NOTIFY_INIT;
    assert_ok(tmlrt_mutex_lock_until(&m, 0));
    int64_t until = tmlrt_now(NULL) + TMLRT_MS;
    assert_int_equal(tmlrt_mutex_lock_until(&m, until), TMLRT_ETIMEDOUT);
    for (int64_t past = INT64_MIN; past < INT64_MIN + 2; past++)
        assert_int_equal(tmlrt_mutex_lock_until(&m, past), TMLRT_ETIMEDOUT);
    assert_true(tmlrt_now(NULL) >= until);
    assert_ok(tmlrt_mutex_unlock(&m));
    assert_ok(tmlrt_mutex_try_lock(&m));
    assert_int_equal(tmlrt_semaphore_acquire_until(&s, 1, until), TMLRT_ETIMEDOUT);
    assert_ok(tmlrt_semaphore_release(&s, 1));
    assert_ok(tmlrt_semaphore_acquire_until(&s, 1, until));
    assert_int_equal(tmlrt_notified_until(&n, until), TMLRT_ETIMEDOUT);
    tmlrt_notify_one(&n);
    assert_ok(tmlrt_notified(&n));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(a_permit_given_back_does_not_overflow_the_count),
        cmocka_unit_test(counts_do_not_overflow),
        cmocka_unit_test(a_young_waiter_is_woken_and_may_be_overtaken),
        cmocka_unit_test(an_old_waiter_gets_the_lock_itself),
        cmocka_unit_test(a_woken_waiter_that_is_cancelled_wakes_the_next),
        cmocka_unit_test(a_waiter_for_many_is_not_overtaken_by_one_for_few),
        cmocka_unit_test(a_first_waiter_that_is_cancelled_lets_those_behind_it_through),
        cmocka_unit_test(permits_given_back_beyond_the_most_reach_who_waits_for_them),
        cmocka_unit_test(one_release_lets_many_through_in_order),
        cmocka_unit_test(readers_share_and_a_waiting_writer_stops_new_ones),
        cmocka_unit_test(a_writer_that_is_cancelled_lets_the_readers_behind_it_through),
        cmocka_unit_test(the_last_to_come_completes_the_round),
        cmocka_unit_test(a_barrier_of_many_lets_all_through),
        cmocka_unit_test(once_chooses_the_next_until_one_succeeds),
        cmocka_unit_test(a_wait_group_ends_at_zero_and_begins_again),
        cmocka_unit_test(a_select_commits_at_most_one),
        cmocka_unit_test(a_deadline_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
