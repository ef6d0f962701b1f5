/* SPDX-License-Identifier: MIT */
/*
 * regress_faults.c: the Nth allocation or system call fails, for every N, once and from then on.
 * Each time the error is a documented one, nothing is leaked, nothing hangs, and the next attempt
 * without a fault works.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <tmlrt/tml.h>

#include "support/internal_faults.h"
#include "support/polling.h"
#include "support/random.h"
#include "support/skip.h"
#include "support/unit.h"

/* ---- scenarios ------------------------------------------------------------------------------- */

static int create_and_destroy(uint32_t flavor) {
    tmlrt_config_t   config = faults_config(flavor);
    tmlrt_runtime_t *rt = NULL;
    int              e = tmlrt_runtime_create(&rt, &config);
    if (e == TMLRT_OK) {
        /* To wait for events and to wake a waiter can be interrupted, but cannot fail. */
        if (faults_errno() != EINTR) tmlrt__fault_disarm();
        faults_destroy(rt);
        return 1;
    }
    require(rt == NULL);
    require(e == TMLRT_ENOMEM || e == TMLRT_EAGAIN || e == TMLRT_EMFILE || e == TMLRT_ENFILE ||
            e == TMLRT_ENOTSUP);
    return 0;
}

static void create_survives_every_failed_allocation(void **state) {
    (void)state;
    with_each_fault(create_and_destroy, TMLRT__FAULT_ALLOC, ENOMEM);
}

static void create_survives_every_failed_system_call(void **state) {
    (void)state;
    with_each_fault(create_and_destroy, TMLRT__FAULT_SYS, EMFILE);
    with_each_fault(create_and_destroy, TMLRT__FAULT_SYS, ENOMEM);
    with_each_fault(create_and_destroy, TMLRT__FAULT_SYS, EAGAIN);
    with_each_fault(create_and_destroy, TMLRT__FAULT_SYS, EINTR);
}

/* Joins from this thread; without memory for the wait the handle is ours still, so try again. */
static int join_patiently(tmlrt_task_t *task, int64_t *result) {
    int e;
    do {
        e = tmlrt_join(task, result);
        if (e == TMLRT_ENOMEM) tmlrt__fault_disarm();
    } while (e == TMLRT_ENOMEM);
    return e;
}

static int spawn_and_join(uint32_t flavor) {
    tmlrt_runtime_t *rt = faults_runtime(flavor);
    tally_t          tally = {0};
    int              taken = 0, refused = 0;
    if (rt == NULL) return 0;
    for (int i = 0; i < 6; i++) {
        tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
        if (i % 2 == 0) o.name = "named";
        if (i % 3 == 0) o.deadline = tmlrt_now(rt) + 1000 * TMLRT_S;
        unit_t        u = unit_of(&tally, body_yield_n, &(int){3});
        tmlrt_task_t *task = NULL;
        int64_t       result = -1;
        int           e = tmlrt_spawn(rt, &unit_type, &u, &o, &task);
        require(e == TMLRT_OK || e == TMLRT_ENOMEM);
        require((e == TMLRT_OK) == (task != NULL));
        if (e == TMLRT_OK) {
            taken++;
            require(join_patiently(task, &result) == TMLRT_OK);
            require(result == 0);
            tmlrt_task_release(task);
        } else {
            refused++;
        }
    }
    faults_destroy(rt);
    require(tally.drops == taken);
    return refused == 0;
}

static void spawn_and_join_survive_every_failed_allocation(void **state) {
    (void)state;
    with_each_fault(spawn_and_join, TMLRT__FAULT_ALLOC, ENOMEM);
}

static void spawn_and_join_survive_every_interrupted_call(void **state) {
    (void)state;
    with_each_fault(spawn_and_join, TMLRT__FAULT_SYS, EINTR);
}

/* On error the state is still the caller's: never dropped, never polled. */
static int block_on(uint32_t flavor) {
    tmlrt_runtime_t *rt = faults_runtime(flavor);
    tally_t          tally = {0};
    int              yields = 3, taken = 0;
    if (rt == NULL) return 0;
    for (int i = 0; i < 4; i++) {
        unit_t  u = unit_of(&tally, body_yield_n, &yields);
        int64_t result = -1;
        int     e = tmlrt_runtime_block_on(rt, &unit_type, &u, NULL, &result);
        require(e == TMLRT_OK || e == TMLRT_ENOMEM);
        require((e == TMLRT_OK) == (result == 0));
        taken += e == TMLRT_OK;
    }
    faults_destroy(rt);
    require(tally.drops == taken);
    return taken == 4;
}

static void block_on_survives_every_failed_allocation(void **state) {
    (void)state;
    with_each_fault(block_on, TMLRT__FAULT_ALLOC, ENOMEM);
}

/* More spawned and woken tasks than the queues of a worker begin with. */
static int32_t body_spawns_many(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    for (int i = 0; i < 700; i++) {
        unit_t child = unit_of(u->tally, body_yield_n, u->arg);
        int    e = tmlrt_spawn(NULL, &unit_type, &child, NULL, NULL);
        require(e == TMLRT_OK || e == TMLRT_ENOMEM);
        if (e == TMLRT_OK) u->value++;
    }
    return TMLRT_READY;
}

static int grow_queues(uint32_t flavor) {
    tmlrt_runtime_t *rt = faults_runtime(flavor);
    tally_t          tally = {0};
    int              yields = 2;
    if (rt == NULL) return 0;
    unit_t  u = unit_of(&tally, body_spawns_many, &yields);
    int64_t spawned = 0;
    int     e = tmlrt_runtime_block_on(rt, &unit_type, &u, NULL, &spawned);
    require(e == TMLRT_OK || e == TMLRT_ENOMEM);
    require(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL) == TMLRT_OK);
    faults_destroy(rt);
    require(tally.drops == spawned + (e == TMLRT_OK));
    require(tally.ready == tally.drops);
    return spawned == 700;
}

static void queues_that_cannot_grow_lose_nothing(void **state) {
    (void)state;
    with_each_fault(grow_queues, TMLRT__FAULT_ALLOC, ENOMEM);
}

/* ---- timers and wakers of one's own ---------------------------------------------------------- */

/* A combinator: its waker passes on to the task's. */
static void through_clone(void *data, tmlrt_waker_t *out);

static void through_wake_by_ref(void *data) {
    require(tmlrt_waker_wake_by_ref(data) == TMLRT_OK);
}

static void through_drop(void *data) {
    (void)data;
}

static const tmlrt_waker_vtable_t through = {through_clone, through_wake_by_ref,
                                             through_wake_by_ref, through_drop};

static void through_clone(void *data, tmlrt_waker_t *out) {
    *out = (tmlrt_waker_t){data, &through};
}

/* Polls a sleep with a waker of its own; without memory for it the result says so. */
static int32_t body_own_waker(unit_t *u, tmlrt_cx_t *cx) {
    tmlrt_waker_t *kept = u->arg, mine = {kept, &through};
    tmlrt_cx_t     inner = *cx;
    inner.waker = &mine;
    TMLRT_BEGIN(u);
    require(tmlrt_waker_clone(cx->waker, kept) == TMLRT_OK);
    tmlrt_op_sleep(&u->op, NULL, 100 * TMLRT_US);
    tmlrt_op_deadline(&u->op, tmlrt_now(NULL) + 1000 * TMLRT_S);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, &inner));
    u->value = tmlrt_op_result(&u->op);
    tmlrt_op_sleep(&u->op, NULL, 100 * TMLRT_US);
    TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, u->n++ % 2 == 0 ? &inner : cx));
    if (u->value == TMLRT_OK) u->value = tmlrt_op_result(&u->op);
    tmlrt_waker_drop(kept);
    TMLRT_END(u);
}

static int own_wakers(uint32_t flavor) {
    tmlrt_runtime_t *rt = faults_runtime(flavor);
    tally_t          tally = {0};
    tmlrt_waker_t    kept = {NULL, NULL};
    if (rt == NULL) return 0;
    unit_t        u = unit_of(&tally, body_own_waker, &kept);
    tmlrt_task_t *task;
    int64_t       result = -1;
    int           e = tmlrt_spawn(rt, &unit_type, &u, NULL, &task);
    require(e == TMLRT_OK || e == TMLRT_ENOMEM);
    if (e == TMLRT_OK) {
        require(join_patiently(task, &result) == TMLRT_OK);
        require(result == TMLRT_OK || result == TMLRT_ENOMEM);
        tmlrt_task_release(task);
    }
    faults_destroy(rt);
    return result == TMLRT_OK;
}

static void wakers_of_ones_own_survive_every_failed_allocation(void **state) {
    (void)state;
    with_each_fault(own_wakers, TMLRT__FAULT_ALLOC, ENOMEM);
}

static void timers_survive_every_interrupted_call(void **state) {
    (void)state;
    with_each_fault(own_wakers, TMLRT__FAULT_SYS, EINTR);
}

/* ---- waits of tmlrt/tml.h in a task of tmlrt.h --------------------------------------------------- */

typedef struct olds {
    TmlChannel   *c;
    TmlTaskHandle h;
    TmlTimerState timer;
    TmlYieldState yield;
} olds_t;

/* Nobody polls it but for a wake of these. */
static int32_t body_waits_as_of_old(unit_t *u, tmlrt_cx_t *cx) {
    olds_t *o = u->arg;
    int     item;
    (void)cx;
    if (u->i == 0 && tml_join_poll(&o->h, NULL).tag != TML_POLL_READY) return TMLRT_PENDING;
    if (u->i == 0) u->i = 1;
    if (u->i == 1 && tml_yield_poll(&o->yield, NULL).tag != TML_POLL_READY) return TMLRT_PENDING;
    if (u->i == 1) u->i = 2;
    if (u->i == 2 && tml_sleep_poll(&o->timer, NULL).tag != TML_POLL_READY) return TMLRT_PENDING;
    u->i = 3;
    return tml_channel_try_recv(o->c, &item) == 0 ? TMLRT_PENDING : TMLRT_READY;
}

static int32_t body_sends_late(unit_t *u, tmlrt_cx_t *cx) {
    olds_t *o = u->arg;
    TMLRT_BEGIN(u);
    for (u->n = 0; u->n < 20; u->n++)
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
    require(tml_channel_try_send(o->c, &(int){7}) == 1);
    TMLRT_END(u);
}

static int run_patiently(TmlExecutor *e) {
    int r = tml_executor_run(e);
    if (r == TMLRT_OK) return 0;
    require(r == TMLRT_ENOMEM);
    tmlrt__fault_disarm();
    require(tml_executor_run(e) == TMLRT_OK);
    return 1;
}

static int waits_as_of_old(uint32_t flavor) {
    TmlExecutor     *e = tml_executor_new();
    olds_t           o = {.c = tml_channel_new(1, sizeof(int)), .timer = tml_timer_new(1)};
    TmlTimerState    t = tml_timer_new(2);
    tmlrt_runtime_t *rt = e != NULL && o.c != NULL ? faults_runtime(flavor) : NULL;
    tally_t          tally = {0};
    int              refused = rt == NULL;
    if (rt != NULL) {
        o.h = tml_spawn(e, (TmlPollFn)tml_sleep_poll, &t, sizeof t);
        tmlrt_task_t *task[2] = {NULL, NULL};
        for (int i = 0; i < 2; i++) {
            unit_t u = unit_of(&tally, i == 0 ? body_waits_as_of_old : body_sends_late, &o);
            int    r = tmlrt_spawn(rt, &unit_type, &u, NULL, &task[i]);
            require(r == TMLRT_OK || r == TMLRT_ENOMEM);
        }
        if (task[1] == NULL) tml_channel_close(o.c);
        refused += run_patiently(e) + (o.h.task_id == 0);
        for (int i = 0; i < 2; i++) {
            int64_t result;
            refused += task[i] == NULL;
            if (task[i] != NULL) require(join_patiently(task[i], &result) == TMLRT_OK);
            tmlrt_task_release(task[i]);
        }
        faults_destroy(rt);
    }
    tml_channel_destroy(o.c);
    tml_executor_destroy(e);
    return refused == 0;
}

static void waits_of_old_lose_no_wake_for_want_of_memory(void **state) {
    tmlrt_runtime_t *rt;
    assert_int_equal(default_runtime_of_two(state), 0);
    assert_int_equal(tmlrt_runtime_default(&rt), TMLRT_OK); /* not what is to fail */
    with_each_fault(waits_as_of_old, TMLRT__FAULT_ALLOC, ENOMEM);
    default_runtime_end(state);
}

/* ---- shutdown -------------------------------------------------------------------------------- */

static void count_straggler(void *ctx, const tmlrt_straggler_t *s) {
    (void)s;
    ++*(int *)ctx;
}

static int shut_down(uint32_t flavor) {
    tmlrt_runtime_t *rt = faults_runtime(flavor);
    tally_t          tally = {0};
    int              spawned = 0, named = 0;
    if (rt == NULL) return 0;
    for (int i = 0; i < 100; i++) { /* more than the list of stragglers begins with */
        unit_t u = unit_of(&tally, i % 2 == 0 ? body_sleep_forever : body_never, NULL);
        int    e = tmlrt_spawn(rt, &unit_type, &u, NULL, NULL);
        require(e == TMLRT_OK || e == TMLRT_ENOMEM);
        spawned += e == TMLRT_OK;
    }
    tmlrt_shutdown_report_t report = TMLRT_SHUTDOWN_REPORT_INIT;
    report.straggler = count_straggler;
    report.ctx = &named;
    int e = tmlrt_runtime_shutdown(rt, 0, &report);
    require(e == (spawned != 0 ? TMLRT_ETIMEDOUT : TMLRT_OK));
    require(report.cancelled == (uint64_t)spawned);
    require(report.stuck == 0);
    require(named <= spawned);
    faults_destroy(rt);
    require(tally.drops == spawned);
    return named == 100;
}

static void shutdown_survives_every_failed_allocation(void **state) {
    (void)state;
    with_each_fault(shut_down, TMLRT__FAULT_ALLOC, ENOMEM);
}

static void shutdown_survives_every_interrupted_call(void **state) {
    (void)state;
    with_each_fault(shut_down, TMLRT__FAULT_SYS, EINTR);
}

static const tmlrt_local_key_t plain_key;

/* A child that needs memory of its own: a scope with a deadline, a child in it, a task-local. */
static void *needs_memory(void *arg) {
    tally_t      *tally = arg;
    tmlrt_scope_t scope = TMLRT_SCOPE_INIT;
    int           e = tmlrt_local_set(&plain_key, tally);
    require(e == TMLRT_OK || e == TMLRT_ENOMEM);
    int failed = e != TMLRT_OK;
    e = tmlrt_scope_open(&scope, NULL, tmlrt_now(NULL) + 1000 * TMLRT_S);
    require(e == TMLRT_OK || e == TMLRT_ENOMEM);
    if (e != TMLRT_OK) {
        require(tmlrt_scope_join(&scope) == TMLRT_ECLOSED);
        return (void *)1;
    }
    tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
    o.scope = &scope;
    unit_t u = unit_of(tally, body_sleep_forever, NULL);
    int    spawned = tmlrt_spawn(NULL, &unit_type, &u, &o, NULL);
    require(spawned == TMLRT_OK || spawned == TMLRT_ENOMEM);
    require(tmlrt_scope_cancel(&scope) == TMLRT_OK);
    require(tmlrt_scope_join(&scope) == TMLRT_ECANCELED);
    require(atomic_load(&tally->drops) == (spawned == TMLRT_OK));
    return (void *)(intptr_t)(failed || spawned != TMLRT_OK);
}

static int scopes_and_tokens(uint32_t flavor) {
    tmlrt_runtime_t *rt = faults_runtime(flavor);
    tally_t          tally = {0}, inner = {0};
    tmlrt_token_t   *token = NULL, *child = NULL;
    tmlrt_scope_t    scope = TMLRT_SCOPE_INIT;
    if (rt == NULL) return 0;
    int taken = 0, refused = 0;
    int e = tmlrt_token_create(&token, NULL);
    if (e == TMLRT_OK) e = tmlrt_token_create(&child, token);
    require(e == TMLRT_OK || (e == TMLRT_ENOMEM && child == NULL));
    refused += e != TMLRT_OK;
    tmlrt_token_release(token);
    tmlrt_token_release(child);

    e = tmlrt_scope_open(&scope, rt, tmlrt_now(rt) + 1000 * TMLRT_S);
    require(e == TMLRT_OK || e == TMLRT_ENOMEM);
    refused += e != TMLRT_OK;
    tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
    o.scope = &scope;
    for (int i = 0; e == TMLRT_OK && i < 3; i++) {
        unit_t u = unit_of(&tally, body_sleep_forever, NULL);
        int    spawned = tmlrt_spawn(rt, &unit_type, &u, &o, NULL);
        require(spawned == TMLRT_OK || spawned == TMLRT_ENOMEM);
        taken += spawned == TMLRT_OK;
        refused += spawned != TMLRT_OK;
    }
    if (e == TMLRT_OK) {
        require(tmlrt_scope_cancel(&scope) == TMLRT_OK);
        require(tmlrt_scope_join(&scope) == TMLRT_ECANCELED);
        require(atomic_load(&tally.drops) == taken);
    }
    tmlrt_task_t *fiber;
    int64_t       trouble = 1;
    if (tmlrt_go(rt, needs_memory, &inner, NULL, &fiber) == TMLRT_OK) {
        /* TMLRT_ENOMEM is its outcome when there was none for its stack; before, of the join. */
        while ((e = tmlrt_join(fiber, &trouble)) == TMLRT_ENOMEM && !tmlrt_task_is_finished(fiber))
            tmlrt__fault_disarm();
        require(e == TMLRT_OK || e == TMLRT_ENOMEM);
        tmlrt_task_release(fiber);
    }
    faults_destroy(rt);
    return refused == 0 && trouble == 0;
}

static void scopes_and_tokens_survive_every_failed_allocation(void **state) {
    (void)state;
    with_each_fault(scopes_and_tokens, TMLRT__FAULT_ALLOC, ENOMEM);
}

/* ---- the handler of overflows ----------------------------------------------------------------- */

/* More waiters than one batch, and no memory to let them go on at once. */
enum { WAITERS = 100 };

static tmlrt_notify_t crowd;
static tmlrt_op_t     waiter[WAITERS];

static void notify_all_without_memory(const tmlrt_waker_vtable_t *vtable) {
    tmlrt_waker_t waker = {NULL, vtable};
    tmlrt_cx_t    cx = {&waker, NULL, {NULL, NULL}};
    memset(&crowd, 0, sizeof crowd);
    for (int i = 0; i < WAITERS; i++) {
        assert_int_equal(tmlrt_op_notified(&waiter[i], &crowd), TMLRT_OK);
        assert_int_equal(tmlrt_op_poll(&waiter[i], &cx), TMLRT_PENDING);
    }
    tmlrt__fault_arm(TMLRT__FAULT_ALLOC, 1, true, ENOMEM);
    assert_int_equal(tmlrt_notify_all(&crowd), TMLRT_OK);
    assert_true(tmlrt__fault_fired(TMLRT__FAULT_ALLOC) > 0);
    tmlrt__fault_disarm();
}

static void a_notify_all_without_memory_reaches_all(void **state) {
    (void)state;
    for (int cancelled = 0; cancelled <= 40; cancelled += 20) { /* of those that were told first */
        tmlrt_op_t late = TMLRT_OP_INIT;
        notify_all_without_memory(&nop_vtable);
        assert_ok(tmlrt_op_notified(&late, &crowd));
        assert_waits(&late);
        for (int i = 0; i < cancelled; i++)
            assert_cancels(&waiter[i], TMLRT_ECANCELED);
        for (int i = cancelled; i < WAITERS; i++)
            assert_ends(&waiter[i], TMLRT_OK);
        assert_waits(&late); /* it came after */
        assert_ok(tmlrt_notify_one(&crowd));
        assert_ends(&late, TMLRT_OK);
        /* Who has been let go on, told or not, takes nothing that is for others. */
        notify_all_without_memory(&nop_vtable);
        assert_ok(tmlrt_op_notified(&late, &crowd));
        assert_waits(&late);
        assert_ok(tmlrt_notify_one(&crowd));
        assert_ends(&late, TMLRT_OK);
        for (int i = 0; i < WAITERS; i++)
            assert_ends(&waiter[i], TMLRT_OK);
    }
}

static void crowd_clone(void *data, tmlrt_waker_t *out);

/* The first who is told ends the wait of all, and then the object. */
static void crowd_wake(void *data) {
    (void)data;
    if (tmlrt_op_result(&waiter[0]) != TMLRT_EBUSY) return;
    for (int i = 0; i < WAITERS; i++)
        require(tmlrt_op_cancel(&waiter[i]) == TMLRT_OK && tmlrt_op_result(&waiter[i]) < 0);
    memset(&crowd, 0xff, sizeof crowd); /* a latch that nobody gives up */
}

static void crowd_drop(void *data) {
    (void)data;
}

static const tmlrt_waker_vtable_t crowd_vtable = {crowd_clone, crowd_wake, crowd_wake, crowd_drop};

static void crowd_clone(void *data, tmlrt_waker_t *out) {
    *out = (tmlrt_waker_t){data, &crowd_vtable};
}

static void who_was_told_by_a_notify_all_may_end_the_object(void **state) {
    (void)state;
    notify_all_without_memory(&crowd_vtable);
    tmlrt_notify_t gone;
    memset(&gone, 0xff, sizeof gone);
    assert_memory_equal(&crowd, &gone, sizeof gone);
}

/* A thread needs memory to wait; a lock that cannot be waited for is an error, not a lock. */
static void a_lock_that_cannot_be_waited_for_is_not_taken(void **state) {
    (void)state;
    tmlrt_mutex_t  mutex = TMLRT_SYNC_INIT;
    tmlrt_rwlock_t rwlock = TMLRT_SYNC_INIT;
    assert_int_equal(tmlrt_mutex_lock(&mutex), TMLRT_OK);
    assert_int_equal(tmlrt_rwlock_write(&rwlock), TMLRT_OK);
    tmlrt__fault_arm(TMLRT__FAULT_ALLOC, 1, true, ENOMEM);
    int lock = tmlrt_mutex_lock(&mutex), until = tmlrt_mutex_lock_until(&mutex, TMLRT_NEVER);
    int read = tmlrt_rwlock_read(&rwlock), write = tmlrt_rwlock_write(&rwlock);
    tmlrt__fault_disarm();
    assert_int_equal(lock, TMLRT_ENOMEM);
    assert_int_equal(until, TMLRT_ENOMEM);
    assert_int_equal(read, TMLRT_ENOMEM);
    assert_int_equal(write, TMLRT_ENOMEM);
    assert_int_equal(tmlrt_mutex_unlock(&mutex), TMLRT_OK);
    assert_int_equal(tmlrt_mutex_try_lock(&mutex), TMLRT_OK);
    assert_int_equal(tmlrt_rwlock_unlock(&rwlock), TMLRT_OK);
    assert_int_equal(tmlrt_rwlock_try_write(&rwlock), TMLRT_OK);
}

static void a_handler_that_could_not_be_set_is_set_by_the_next_call(void **state) {
    (void)state;
#if defined(_WIN32)
    skip_because("there is no sigaction");
#else
    struct sigaction before, now;
    assert_int_equal(sigaction(SIGSEGV, NULL, &before), 0);
    for (uint64_t n = 1; n <= 2; n++) {
        tmlrt__fault_arm(TMLRT__FAULT_SYS, n, false, EINVAL);
        int e = tmlrt_fiber_catch_overflow();
        tmlrt__fault_disarm();
        assert_int_equal(e, TMLRT_ENOTSUP);
        assert_int_equal(sigaction(SIGSEGV, NULL, &now), 0);
        assert_true(now.sa_sigaction == before.sa_sigaction);
    }
    assert_int_equal(tmlrt_fiber_catch_overflow(), TMLRT_OK);
    assert_int_equal(sigaction(SIGSEGV, NULL, &now), 0);
    assert_true(now.sa_sigaction != before.sa_sigaction);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_and_tokens_survive_every_failed_allocation),
        cmocka_unit_test(create_survives_every_failed_allocation),
        cmocka_unit_test(create_survives_every_failed_system_call),
        cmocka_unit_test(spawn_and_join_survive_every_failed_allocation),
        cmocka_unit_test(spawn_and_join_survive_every_interrupted_call),
        cmocka_unit_test(block_on_survives_every_failed_allocation),
        cmocka_unit_test(queues_that_cannot_grow_lose_nothing),
        cmocka_unit_test(wakers_of_ones_own_survive_every_failed_allocation),
        cmocka_unit_test(timers_survive_every_interrupted_call),
        cmocka_unit_test(waits_of_old_lose_no_wake_for_want_of_memory),
        cmocka_unit_test(shutdown_survives_every_failed_allocation),
        cmocka_unit_test(shutdown_survives_every_interrupted_call),
        cmocka_unit_test(a_notify_all_without_memory_reaches_all),
        cmocka_unit_test(who_was_told_by_a_notify_all_may_end_the_object),
        cmocka_unit_test(a_lock_that_cannot_be_waited_for_is_not_taken),
        cmocka_unit_test(a_handler_that_could_not_be_set_is_set_by_the_next_call),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    printf("points tried: %llu allocations, %llu system calls\n",
           (unsigned long long)faults_points(TMLRT__FAULT_ALLOC),
           (unsigned long long)faults_points(TMLRT__FAULT_SYS));
    return failed;
}
