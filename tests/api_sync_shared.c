/* SPDX-License-Identifier: MIT */
/*
 * api_sync_shared.c: the sync objects between tasks, fibers and threads at once; where their calls
 * may not block, cancelled fibers, and objects that end as soon as they may.
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

static int32_t body_may_not_block(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    tmlrt_mutex_t    *m = u->arg; /* locked */
    tmlrt_mutex_t     free_one = TMLRT_SYNC_INIT;
    tmlrt_semaphore_t s = TMLRT_SYNC_INIT;
    tmlrt_notify_t    n = TMLRT_NOTIFY_INIT;
    require(tmlrt_mutex_lock(m) == TMLRT_EDEADLK);
    require(tmlrt_mutex_lock_until(m, TMLRT_NEVER) == TMLRT_EDEADLK);
    require(tmlrt_semaphore_acquire(&s, 1) == TMLRT_EDEADLK);
    require(tmlrt_notified(&n) == TMLRT_EDEADLK);
    require(tmlrt_mutex_lock(&free_one) == TMLRT_OK); /* need not */
    return TMLRT_READY;
}

static void a_call_inside_a_stackless_poll_does_not_block(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tally_t          tally = {0};
    tmlrt_mutex_t    m = TMLRT_SYNC_INIT;
    assert_ok(tmlrt_mutex_lock(&m));
    assert_int_equal(unit_run(rt, &tally, body_may_not_block, &m), 0);
    assert_ok(tmlrt_mutex_unlock(&m));
    assert_ok(tmlrt_runtime_destroy(rt));
}

/* All three kinds at once on one counter and one semaphore. */
typedef struct mix {
    tmlrt_mutex_t      mutex;
    tmlrt_rwlock_t     rwlock;
    tmlrt_semaphore_t  sem;
    tmlrt_barrier_t    barrier;
    tmlrt_wait_group_t group;
    int                rounds, inside, counter, last;
} mix_t;

static void mix_step(mix_t *x, int i) {
    x->counter++;
    if (i % 16 == 0) tmlrt_yield();
}

static void mix_by_calls(mix_t *x) {
    for (int i = 0; i < x->rounds; i++) {
        require(tmlrt_semaphore_acquire(&x->sem, 2) == TMLRT_OK);
        require(tmlrt_mutex_lock(&x->mutex) == TMLRT_OK);
        mix_step(x, i);
        require(tmlrt_mutex_unlock(&x->mutex) == TMLRT_OK);
        require(tmlrt_semaphore_release(&x->sem, 2) == TMLRT_OK);
        require(tmlrt_rwlock_write(&x->rwlock) == TMLRT_OK);
        x->inside++;
        require(x->inside == 1);
        x->inside--;
        require(tmlrt_rwlock_unlock(&x->rwlock) == TMLRT_OK);
        require(tmlrt_rwlock_read(&x->rwlock) == TMLRT_OK);
        require(x->inside == 0);
        require(tmlrt_rwlock_unlock(&x->rwlock) == TMLRT_OK);
    }
    if (tmlrt_barrier_wait(&x->barrier) == 1) x->last++;
    require(tmlrt_wait_group_done(&x->group) == TMLRT_OK);
}

static void *mix_fiber(void *arg) {
    mix_by_calls(arg);
    return NULL;
}

static void mix_thread(void *arg, int i) {
    (void)i;
    mix_by_calls(arg);
}

static int32_t mix_task(unit_t *u, tmlrt_cx_t *cx) {
    mix_t *x = u->arg;
    TMLRT_BEGIN(u);
    for (u->n = 0; u->n < x->rounds; u->n++) {
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_acquire(&u->op, &x->sem, 2));
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_lock(&u->op, &x->mutex));
        require(tmlrt_op_result(&u->op) == TMLRT_OK);
        x->counter++;
        if (u->n % 16 == 0) TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
        require(tmlrt_mutex_unlock(&x->mutex) == TMLRT_OK);
        require(tmlrt_semaphore_release(&x->sem, 2) == TMLRT_OK);
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_write_lock(&u->op, &x->rwlock));
        x->inside++;
        require(x->inside == 1);
        x->inside--;
        require(tmlrt_rwlock_unlock(&x->rwlock) == TMLRT_OK);
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_read_lock(&u->op, &x->rwlock));
        require(x->inside == 0);
        require(tmlrt_rwlock_unlock(&x->rwlock) == TMLRT_OK);
    }
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_barrier(&u->op, &x->barrier));
    if (tmlrt_op_result(&u->op) == 1) x->last++;
    require(tmlrt_wait_group_done(&x->group) == TMLRT_OK);
    TMLRT_END(u);
}

static void tasks_fibers_and_threads_share_them(void **state) {
    (void)state;
    enum { EACH = 3 };
    tmlrt_runtime_t *rt = runtime_multi(2);
    tally_t          tally = {0};
    mix_t            x;
    memset(&x, 0, sizeof x);
    x.rounds = scaled(2000);
    assert_ok(tmlrt_semaphore_init(&x.sem, 5));
    assert_ok(tmlrt_barrier_init(&x.barrier, 3 * EACH));
    assert_ok(tmlrt_wait_group_add(&x.group, 3 * EACH));
    for (int i = 0; i < EACH; i++) {
        assert_ok(tmlrt_go(rt, mix_fiber, &x, NULL, NULL));
        tmlrt_task_release(unit_spawn(rt, &tally, mix_task, &x));
    }
    crew_t *crew = crew_start(EACH, mix_thread, &x);
    assert_ok(tmlrt_wait_group_wait(&x.group));
    crew_join(crew);
    assert_int_equal(x.counter, 3 * EACH * x.rounds);
    assert_int_equal(x.last, 1);
    assert_int_equal(tmlrt_semaphore_permits(&x.sem), 5);
    assert_ok(tmlrt_mutex_try_lock(&x.mutex));
    assert_ok(tmlrt_rwlock_try_write(&x.rwlock));
    assert_ok(tmlrt_runtime_destroy(rt));
}

/* A fiber that is cancelled: a lock is no cancellation point, everything else is. */
typedef struct doomed {
    tmlrt_mutex_t     mutex;
    tmlrt_semaphore_t sem;
    tmlrt_notify_t    at_it;
} doomed_t;

static void *doomed_fiber(void *arg) {
    doomed_t *d = arg;
    tmlrt_notify_one(&d->at_it);
    require(tmlrt_mutex_lock(&d->mutex) == TMLRT_OK);
    require(tmlrt_cancelled() == TMLRT_ECANCELED);
    require(tmlrt_mutex_unlock(&d->mutex) == TMLRT_OK);
    require(tmlrt_semaphore_acquire(&d->sem, 1) == TMLRT_ECANCELED);
    require(tmlrt_mutex_lock_until(&d->mutex, TMLRT_NEVER) == TMLRT_ECANCELED);
    tmlrt_shield_begin();
    require(tmlrt_semaphore_acquire(&d->sem, 1) == TMLRT_OK);
    require(tmlrt_semaphore_release(&d->sem, 1) == TMLRT_OK);
    tmlrt_shield_end();
    return NULL;
}

static void a_lock_is_no_cancellation_point(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(1);
    doomed_t         d;
    memset(&d, 0, sizeof d);
    assert_ok(tmlrt_semaphore_init(&d.sem, 1));
    assert_ok(tmlrt_mutex_lock(&d.mutex));
    tmlrt_task_t *task;
    assert_ok(tmlrt_go(rt, doomed_fiber, &d, NULL, &task));
    assert_ok(tmlrt_notified(&d.at_it));
    assert_ok(tmlrt_task_abort(task));
    assert_ok(tmlrt_mutex_unlock(&d.mutex));
    void *value;
    tmlrt_join(task, &value);
    tmlrt_task_release(task);
    assert_ok(tmlrt_mutex_try_lock(&d.mutex));
    assert_int_equal(tmlrt_semaphore_permits(&d.sem), 1);
    assert_ok(tmlrt_runtime_destroy(rt));
}

static int fine(void *arg) {
    ++*(int *)arg;
    return 0;
}

static void *doomed_caller(void *arg) {
    tmlrt_once_t done = TMLRT_SYNC_INIT, fresh = TMLRT_SYNC_INIT;
    require(tmlrt_once_call(&done, fine, arg) == TMLRT_OK);
    require(tmlrt_task_abort(tmlrt_task_current()) == TMLRT_OK);
    require(tmlrt_once_call(&done, fine, arg) == TMLRT_OK); /* nothing to wait for, ever */
    require(tmlrt_once_call(&fresh, fine, arg) == TMLRT_ECANCELED);
    return NULL;
}

static void what_has_been_done_once_is_no_cancellation_point(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    int              calls = 0;
    tmlrt_task_t    *task;
    assert_ok(tmlrt_go(rt, doomed_caller, &calls, NULL, &task));
    assert_ok(tmlrt_join(task, NULL));
    tmlrt_task_release(task);
    assert_int_equal(calls, 1);
    assert_ok(tmlrt_runtime_destroy(rt));
}

/* A panic out of the call leaves the turn to who catches it. */
static jmp_buf      landing;
static tmlrt_once_t panicked;

static int32_t catches(tmlrt_poll_fn body, void *state, tmlrt_cx_t *cx, void *result) {
    if (setjmp(landing) != 0) {
        require(tmlrt_once_failed(&panicked) == TMLRT_OK);
        return TMLRT_PANICKED;
    }
    return body(state, cx, result);
}

static int panics(void *arg) {
    ++*(int *)arg;
    longjmp(landing, 1);
}

static void *calls_what_panics(void *arg) {
    tmlrt_once_call(&panicked, panics, arg);
    return NULL;
}

static void *calls_what_is_fine(void *arg) {
    require(tmlrt_once_call(&panicked, fine, arg) == TMLRT_OK);
    return NULL;
}

static void a_panic_in_a_once_lets_the_next_one_try(void **state) {
    (void)state;
    tmlrt_runtime_t     *rt = runtime_current_thread();
    tmlrt_task_options_t guarded = TMLRT_TASK_OPTIONS_INIT;
    int                  calls = 0;
    tmlrt_task_t        *task[2];
    guarded.guard = catches;
    memset(&panicked, 0, sizeof panicked);
    assert_ok(tmlrt_go(rt, calls_what_panics, &calls, &guarded, &task[0]));
    assert_int_equal(tmlrt_join(task[0], NULL), TMLRT_EPANIC);
    assert_ok(tmlrt_go(rt, calls_what_is_fine, &calls, NULL, &task[1]));
    assert_ok(tmlrt_join(task[1], NULL));
    assert_int_equal(calls, 2);
    for (int i = 0; i < 2; i++)
        tmlrt_task_release(task[i]);
    assert_ok(tmlrt_runtime_destroy(rt));
}

/* Whoever has been let through ends the object at once. */
typedef struct handover {
    _Atomic(tmlrt_semaphore_t *)  sem;
    _Atomic(tmlrt_wait_group_t *) group;
    _Atomic(tmlrt_mutex_t *)      mutex;
    int                           rounds;
} handover_t;

static void end_or_let_through(void *arg, int i) {
    handover_t *h = arg;
    for (int k = 0; k < h->rounds; k++) {
        if (i == 0) {
            tmlrt_semaphore_t  *s = calloc(1, sizeof *s);
            tmlrt_wait_group_t *g = calloc(1, sizeof *g);
            tmlrt_mutex_t      *m = calloc(1, sizeof *m);
            require(tmlrt_wait_group_add(g, 1) == TMLRT_OK);
            require(tmlrt_mutex_lock(m) == TMLRT_OK); /* the other one unlocks */
            atomic_store(&h->sem, s);
            require(tmlrt_semaphore_acquire(s, 1) == TMLRT_OK);
            free(s);
            atomic_store(&h->group, g);
            require(tmlrt_wait_group_wait(g) == TMLRT_OK);
            free(g);
            atomic_store(&h->mutex, m);
            require(tmlrt_mutex_lock(m) == TMLRT_OK);
            free(m);
        } else {
            tmlrt_semaphore_t  *s;
            tmlrt_wait_group_t *g;
            tmlrt_mutex_t      *m;
            wait_until((s = atomic_exchange(&h->sem, NULL)) != NULL);
            require(tmlrt_semaphore_release(s, 2) == TMLRT_OK);
            wait_until((g = atomic_exchange(&h->group, NULL)) != NULL);
            require(tmlrt_wait_group_done(g) == TMLRT_OK);
            wait_until((m = atomic_exchange(&h->mutex, NULL)) != NULL);
            require(tmlrt_mutex_unlock(m) == TMLRT_OK);
        }
    }
}

static void who_has_been_let_through_may_end_the_object(void **state) {
    (void)state;
    handover_t h = {.sem = NULL, .rounds = scaled(20000)};
    on_threads(2, end_or_let_through, &h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_inside_a_stackless_poll_does_not_block),
        cmocka_unit_test(tasks_fibers_and_threads_share_them),
        cmocka_unit_test(a_lock_is_no_cancellation_point),
        cmocka_unit_test(what_has_been_done_once_is_no_cancellation_point),
        cmocka_unit_test(a_panic_in_a_once_lets_the_next_one_try),
        cmocka_unit_test(who_has_been_let_through_may_end_the_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
