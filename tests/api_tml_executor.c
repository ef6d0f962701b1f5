/* SPDX-License-Identifier: MIT */
/*
 * api_tml_executor.c: the drop-in executor of tmlrt/tml.h: spawn and run on the default runtime,
 * block_on, wakers, panics, queues, and poll results in both forms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tmlrt/tml.h>

#include "support/random.h"
#include "support/threads.h"
#include "support/unit.h"

/* ---- poll results ---------------------------------------------------------------------------- */

static void a_poll_result_is_a_tag_and_eight_bytes(void **state) {
    (void)state;
    int     x = 0;
    TmlPoll p;
    assert_int_equal(sizeof(TmlPoll), 16);
    assert_int_equal(offsetof(TmlPoll, value), 8);
    p = tml_poll_ready_i64(42);
    assert_int_equal(p.tag, 0);
    assert_int_equal(p._pad, 0);
    assert_int_equal(p.value.i64_value, 42);
    assert_true(tml_poll_is_ready(&p) == 1 && tml_poll_is_pending(&p) == 0);
    p = tml_poll_ready_ptr(&x);
    assert_ptr_equal(p.value.ptr_value, &x);
    p = tml_poll_pending();
    assert_int_equal(p.tag, 1);
    assert_true(tml_poll_is_ready(&p) == 0 && tml_poll_is_pending(&p) == 1);
    assert_true(tml_poll_is_ready(NULL) == 0 && tml_poll_is_pending(NULL) == 0);

    tml_poll_ready_i64_ptr(42, &p);
    assert_true(tml_poll_is_ready(&p) && p.value.i64_value == 42);
    tml_poll_ready_ptr_ptr(&x, &p);
    assert_ptr_equal(p.value.ptr_value, &x);
    tml_poll_pending_ptr(&p);
    assert_int_equal(tml_poll_is_pending(&p), 1);
    tml_poll_ready_i64_ptr(1, NULL); /* the result is lost */
    tml_poll_ready_ptr_ptr(&x, NULL);
    tml_poll_pending_ptr(NULL);
}

/* ---- spawn and run --------------------------------------------------------------------------- */

typedef struct counter {
    atomic_int *sum, *polls;
    int         left, add;
} counter_t;

/* Pending `left` times without a waker, then done. */
static TmlPoll counter_poll(void *state, TmlContext *cx) {
    counter_t *s = state;
    (void)cx;
    if (s->polls != NULL) atomic_fetch_add(s->polls, 1);
    if (s->left-- > 0) return tml_poll_pending();
    atomic_fetch_add(s->sum, s->add);
    return tml_poll_ready_i64(s->add);
}

static void tasks_run_on_several_threads_and_all_end(void **state) {
    (void)state;
    atomic_int   sum = 0;
    TmlExecutor *e = tml_executor_new();
    assert_non_null(e);
    for (int i = 1; i <= 200; i++) {
        counter_t s = {.sum = &sum, .left = i % 3, .add = i};
        assert_int_equal(tml_executor_spawn(e, counter_poll, &s, sizeof s), i); /* from 1 on */
    }
    assert_int_equal(sum, 0); /* nothing runs before the run */
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(sum, 200 * 201 / 2);
    assert_int_equal(tml_executor_run(e), 0); /* nothing left */
    counter_t s = {.sum = &sum, .add = 1};
    assert_int_equal(tml_executor_spawn(e, counter_poll, &s, sizeof s), 201);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(sum, 200 * 201 / 2 + 1);
    tml_executor_destroy(e);
}

static TmlPoll null_state_poll(void *state, TmlContext *cx) {
    require(cx->executor != NULL);
    return tml_poll_ready_i64(state == NULL ? 1 : 0);
}

static void a_state_is_copied_and_without_a_size_it_is_null(void **state) {
    (void)state;
    int          mine = 3;
    atomic_int   sum = 0;
    counter_t    s = {.sum = &sum, .add = 5};
    TmlExecutor *e = tml_executor_new();
    tml_executor_spawn(e, counter_poll, &s, sizeof s);
    s.add = 1000; /* the copy is the task's */
    TmlTaskHandle a = tml_spawn(e, null_state_poll, &mine, 0);
    TmlTaskHandle b = tml_spawn(e, null_state_poll, NULL, 8);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(sum, 5);
    assert_int_equal(tml_join_poll(&a, NULL).value.i64_value, 1);
    assert_int_equal(tml_join_poll(&b, NULL).value.i64_value, 1);
    tml_executor_destroy(e);
}

static void wrong_arguments_change_nothing(void **state) {
    (void)state;
    TmlPoll      p;
    TmlExecutor *e = tml_executor_new();
    assert_int_equal(tml_executor_spawn(NULL, null_state_poll, NULL, 0), 0);
    assert_int_equal(tml_executor_spawn(e, NULL, NULL, 0), 0);
    assert_int_equal(tml_executor_run(NULL), TMLRT_EINVAL);
    assert_int_equal(tml_executor_poll_task(NULL, NULL), 0);
    assert_int_equal(tml_executor_poll_task(e, NULL), 0);
    tml_executor_wake(NULL, 1);
    tml_executor_wake(e, 1);
    tml_executor_set_guard(NULL, NULL);
    p = tml_block_on(NULL, NULL, 0);
    assert_int_equal(p.tag, TML_POLL_PENDING);
    tml_executor_spawn(e, null_state_poll, NULL, 0); /* never run: freed */
    tml_executor_destroy(e);
    tml_executor_destroy(NULL);
}

typedef struct tree {
    TmlExecutor *e;
    atomic_int  *leaves;
    int          depth;
} tree_t;

static TmlPoll tree_poll(void *state, TmlContext *cx) {
    tree_t *s = state;
    require(cx->executor == s->e);
    if (s->depth == 0) {
        atomic_fetch_add(s->leaves, 1);
    } else {
        tree_t child = {s->e, s->leaves, s->depth - 1};
        for (int i = 0; i < 2; i++)
            require(tml_executor_spawn(cx->executor, tree_poll, &child, sizeof child) != 0);
    }
    return tml_poll_ready_i64(0);
}

static void a_task_spawns_tasks_and_the_run_waits_for_them(void **state) {
    (void)state;
    atomic_int   leaves = 0;
    TmlExecutor *e = tml_executor_new();
    tree_t       root = {e, &leaves, 8};
    tml_executor_spawn(e, tree_poll, &root, sizeof root);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(leaves, 256);
    tml_executor_destroy(e);
}

static TmlPoll run_again_poll(void *state, TmlContext *cx) {
    (void)state;
    require(tml_executor_run(cx->executor) == TMLRT_EDEADLK);
    tml_executor_destroy(cx->executor); /* refused: it runs */
    return tml_poll_ready_i64(7);
}

static void a_run_inside_a_task_and_a_destroy_during_the_run_are_refused(void **state) {
    (void)state;
    TmlExecutor  *e = tml_executor_new();
    TmlTaskHandle h = tml_spawn(e, run_again_poll, NULL, 0);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(tml_join_poll(&h, NULL).value.i64_value, 7);
    tml_executor_destroy(e);
}

typedef struct gate {
    atomic_int begun, open;
} gate_t;

static TmlPoll gate_poll(void *state, TmlContext *cx) {
    gate_t *g = *(gate_t **)state;
    (void)cx;
    atomic_store(&g->begun, 1);
    return atomic_load(&g->open) ? tml_poll_ready_i64(0) : tml_poll_pending();
}

static void run_it(void *arg, int i) {
    (void)i;
    require(tml_executor_run(arg) == 0);
}

static void a_second_run_at_the_same_time_is_refused(void **state) {
    (void)state;
    gate_t       gate = {0}, *g = &gate;
    TmlExecutor *e = tml_executor_new();
    tml_executor_spawn(e, gate_poll, &g, sizeof g);
    crew_t *crew = crew_start(1, run_it, e);
    wait_until(atomic_load(&gate.begun));
    assert_int_equal(tml_executor_run(e), TMLRT_EBUSY);
    atomic_store(&gate.open, 1);
    crew_join(crew);
    tml_executor_destroy(e);
}

static void *run_in_fiber(void *arg) {
    return (void *)(intptr_t)tml_executor_run(arg);
}

static void a_fiber_may_run_an_executor(void **state) {
    (void)state;
    atomic_int       sum = 0;
    counter_t        s = {.sum = &sum, .add = 2, .left = 2};
    TmlExecutor     *e = tml_executor_new();
    tmlrt_runtime_t *rt;
    tmlrt_task_t    *fiber;
    void            *result = &s;
    tml_executor_spawn(e, counter_poll, &s, sizeof s);
    assert_int_equal(tmlrt_runtime_default(&rt), TMLRT_OK);
    assert_int_equal(tmlrt_go(rt, run_in_fiber, e, NULL, &fiber), TMLRT_OK);
    assert_int_equal(tmlrt_join(fiber, &result), TMLRT_OK);
    assert_null(result);
    assert_int_equal(sum, 2);
    tmlrt_task_release(fiber);
    tml_executor_destroy(e);
}

static void run_is_refused(void *arg, int i) {
    (void)i;
    require(tml_executor_run(arg) == TMLRT_EDEADLK);
}

static void a_current_thread_runtime_is_driven_by_its_owner(void **state) {
    atomic_int   sum = 0;
    counter_t    s = {.sum = &sum, .add = 2, .left = 3};
    TmlExecutor *e = tml_executor_new();
    default_runtime_end(state);
    setenv("TMLRT_FLAVOR", "current", 1);
    for (int i = 0; i < 3; i++)
        tml_executor_spawn(e, counter_poll, &s, sizeof s);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(sum, 6);
    tml_executor_spawn(e, counter_poll, &s, sizeof s);
    on_threads(1, run_is_refused, e);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(sum, 8);
    tml_executor_destroy(e);
    default_runtime_end(state);
    unsetenv("TMLRT_FLAVOR");
}

static TmlPoll naps_poll(void *state, TmlContext *cx) {
    return tml_sleep_poll(state, cx);
}

static void a_thread_in_a_cancelled_scope_still_drives_the_run(void **state) {
    TmlTimerState    t = tml_timer_new(5);
    tmlrt_scope_t    scope = TMLRT_SCOPE_INIT;
    TmlExecutor     *e = tml_executor_new();
    tmlrt_runtime_t *rt;
    default_runtime_end(state);
    setenv("TMLRT_FLAVOR", "current", 1);
    assert_int_equal(tmlrt_runtime_default(&rt), TMLRT_OK);
    assert_int_equal(tmlrt_scope_open(&scope, rt, 0), TMLRT_OK); /* long past */
    tml_executor_spawn(e, naps_poll, &t, sizeof t);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(tml_block_on(naps_poll, &t, sizeof t).tag, TML_POLL_READY);
    assert_int_equal(tmlrt_scope_join(&scope), TMLRT_ETIMEDOUT);
    tml_executor_destroy(e);
    default_runtime_end(state);
    unsetenv("TMLRT_FLAVOR");
}

/* ---- tasks that never take a waker ------------------------------------------------------------- */

typedef struct until {
    int64_t     end;
    atomic_int *polls;
} until_t;

static TmlPoll until_poll(void *state, TmlContext *cx) {
    const until_t *s = state;
    (void)cx;
    atomic_fetch_add(s->polls, 1);
    return tmlrt_now(NULL) >= s->end ? tml_poll_ready_i64(0) : tml_poll_pending();
}

/* Pauses are never short: 50 us and so on up to 10 ms, 8 of them together 12.75 ms. */
static int most_polls(int64_t ns) {
    return 2 + 8 + (int)(ns / (10 * TMLRT_MS));
}

static void a_task_that_takes_no_waker_ends_without_burning_a_core(void **state) {
    (void)state;
    atomic_int   polls = 0;
    int64_t      begin = tmlrt_now(NULL);
    until_t      s = {begin + 200 * TMLRT_MS, &polls};
    TmlExecutor *e = tml_executor_new();
    tml_executor_spawn(e, until_poll, &s, sizeof s);
    assert_int_equal(tml_executor_run(e), 0);
    assert_true(polls <= most_polls(tmlrt_now(NULL) - begin));
    tml_executor_destroy(e);

    polls = 0;
    begin = tmlrt_now(NULL);
    s.end = begin + 200 * TMLRT_MS;
    assert_int_equal(tml_block_on(until_poll, &s, sizeof s).tag, TML_POLL_READY);
    assert_true(polls <= most_polls(tmlrt_now(NULL) - begin));
}

/* ---- wakers ---------------------------------------------------------------------------------- */

typedef struct meeting {
    atomic_int here, go, polls;
    TmlWaker   waker; /* a plain copy of the context's */
    TmlWaker   clone;
} meeting_t;

static TmlPoll meeting_poll(void *state, TmlContext *cx) {
    meeting_t *m = *(meeting_t **)state;
    int        polls = atomic_fetch_add(&m->polls, 1);
    if (atomic_load(&m->go)) return tml_poll_ready_i64(0);
    if (polls == 0) {
        m->waker = cx->waker;
        tml_waker_clone_ptr(&cx->waker, &m->clone);
        atomic_store(&m->here, 1);
    }
    return tml_poll_pending();
}

static void a_copied_waker_wakes_after_the_poll_from_another_thread(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        meeting_t    m = {.here = 0}, *p = &m;
        TmlExecutor *e = tml_executor_new();
        uint64_t     id = tml_executor_spawn(e, meeting_poll, &p, sizeof p);
        crew_t      *crew = crew_start(1, run_it, e);
        wait_until(atomic_load(&m.here));
        atomic_store(&m.go, 1);
        if (i == 0) tml_waker_wake(&m.waker);
        if (i == 1) m.clone.wake_fn(m.clone.data);
        if (i == 2) tml_executor_wake(e, id);
        crew_join(crew);
        tml_executor_destroy(e);
        /* Both outlive the task and the executor. */
        tml_waker_wake(&m.waker);
        TmlWaker again = tml_waker_clone(&m.clone);
        tml_waker_wake(&again);
        tml_waker_destroy(&again);
        assert_null(again.data);
        tml_waker_wake(&again);
    }
}

static TmlPoll wake_self_poll(void *state, TmlContext *cx) {
    int *left = state;
    if ((*left)-- == 0) return tml_poll_ready_i64(0);
    tml_waker_wake(&cx->waker); /* during the poll */
    tml_waker_wake(&cx->waker);
    return tml_poll_pending();
}

static void a_wake_during_the_poll_is_not_lost(void **state) {
    (void)state;
    int          n = 1000; /* 10 s if each had to wait for the pause */
    TmlExecutor *e = tml_executor_new();
    tml_executor_spawn(e, wake_self_poll, &n, sizeof n);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(tml_block_on(wake_self_poll, &n, sizeof n).tag, TML_POLL_READY);
    tml_executor_destroy(e);
}

static void a_waker_can_be_made_for_a_task_by_its_id(void **state) {
    (void)state;
    meeting_t    m = {.here = 0}, *p = &m;
    TmlExecutor *e = tml_executor_new();
    TmlWaker     w;
    uint64_t     id = tml_executor_spawn(e, meeting_poll, &p, sizeof p);
    w = tml_waker_create(e, id);
    assert_non_null(w.data);
    assert_int_equal(w.task_id, id);
    tml_waker_wake(&w); /* not begun yet: nothing happens */
    crew_t *crew = crew_start(1, run_it, e);
    wait_until(atomic_load(&m.here));
    atomic_store(&m.go, 1);
    tml_waker_create_ptr(e, id, &w);
    tml_waker_wake(&w);
    crew_join(crew);
    w = tml_waker_create(e, id); /* it has ended */
    assert_null(w.data);
    tml_waker_wake(&w);
    tml_executor_destroy(e);
    w = tml_waker_create(NULL, 1);
    assert_null(w.data);
    w = tml_waker_clone(NULL);
    tml_waker_wake(&w);
    tml_waker_wake(NULL);
    tml_waker_destroy(NULL);
    tml_waker_create_ptr(NULL, 1, NULL);
    tml_waker_clone_ptr(&w, NULL);
}

static TmlPoll keep_waker_poll(void *state, TmlContext *cx) {
    **(TmlWaker **)state = cx->waker;
    return tml_poll_ready_i64(0);
}

static void a_stale_waker_does_not_wake_who_came_after(void **state) {
    (void)state;
    TmlWaker     stale, fresh, *keep = &stale;
    TmlExecutor *e = tml_executor_new();
    tml_executor_spawn(e, keep_waker_poll, &keep, sizeof keep);
    assert_int_equal(tml_executor_run(e), 0);
    keep = &fresh;
    tml_executor_spawn(e, keep_waker_poll, &keep, sizeof keep); /* takes the same slot */
    assert_int_equal(tml_executor_run(e), 0);
    assert_ptr_not_equal(stale.data, fresh.data);
    tml_executor_destroy(e);
}

typedef struct storm {
    atomic_int stop;
    TmlWaker   waker[64];
    atomic_int n;
} storm_t;

static TmlPoll storm_poll(void *state, TmlContext *cx) {
    storm_t *s = *(storm_t **)state;
    int      i = atomic_load(&s->n);
    if (i < 64) {
        s->waker[i] = cx->waker;
        atomic_store(&s->n, i + 1);
        return tml_poll_pending();
    }
    return tml_poll_ready_i64(0);
}

static void wake_all(void *arg, int i) {
    storm_t *s = arg;
    (void)i;
    while (!atomic_load(&s->stop)) {
        for (int k = 0; k < atomic_load(&s->n); k++)
            tml_waker_wake(&s->waker[k]);
        /* memcheck counts a turn in instructions: it would end under the same latch each time. */
        (void)sched_yield();
    }
}

static void wakes_race_with_the_end_of_tasks_and_executors(void **state) {
    (void)state;
    storm_t storm = {0}, *s = &storm;
    crew_t *crew = NULL;
    for (int i = 0; i < 20; i++) {
        TmlExecutor *e = tml_executor_new();
        atomic_store(&storm.n, i == 0 ? 0 : 63);
        tml_executor_spawn(e, storm_poll, &s, sizeof s);
        assert_int_equal(tml_executor_run(e), 0);
        tml_executor_destroy(e);
        if (i == 0) crew = crew_start(2, wake_all, &storm);
        if (i != 0) atomic_store(&storm.n, 64);
    }
    atomic_store(&storm.stop, 1);
    crew_join(crew);
}

/* ---- block_on -------------------------------------------------------------------------------- */

static TmlPoll bump_poll(void *state, TmlContext *cx) {
    require(cx->executor == NULL);
    return tml_poll_ready_i64(++*(int64_t *)state);
}

static void block_on_copies_a_state_with_a_size_and_passes_on_one_without(void **state) {
    (void)state;
    int64_t n = 4;
    TmlPoll p = tml_block_on(bump_poll, &n, sizeof n);
    assert_int_equal(p.value.i64_value, 5);
    assert_int_equal(n, 4);
    tml_block_on_ptr(bump_poll, &n, 0, &p);
    assert_int_equal(p.value.i64_value, 5);
    assert_int_equal(n, 5);
    tml_block_on_ptr(bump_poll, &n, 0, NULL);
    assert_int_equal(n, 6);
}

static void wake_meeting(void *arg, int i) {
    meeting_t *m = arg;
    (void)i;
    wait_until(atomic_load(&m->here));
    atomic_store(&m->go, 1);
    tml_waker_wake(&m->waker);
}

static void block_on_is_woken_by_another_thread(void **state) {
    (void)state;
    meeting_t m = {.here = 0}, *p = &m;
    crew_t   *crew = crew_start(1, wake_meeting, &m);
    assert_int_equal(tml_block_on(meeting_poll, &p, sizeof p).tag, TML_POLL_READY);
    crew_join(crew);
}

static TmlPoll nested_poll(void *state, TmlContext *cx) {
    TmlTimerState t = tml_timer_new(3);
    (void)state, (void)cx;
    TmlPoll p = tml_block_on((TmlPollFn)tml_sleep_poll, &t, 0);
    return tml_poll_ready_i64(p.tag == TML_POLL_READY ? t.started : -2);
}

static void block_on_works_inside_a_poll(void **state) {
    (void)state;
    TmlExecutor  *e = tml_executor_new();
    TmlTaskHandle h = tml_spawn(e, nested_poll, NULL, 0);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(tml_join_poll(&h, NULL).value.i64_value, 1);
    assert_int_equal(tml_block_on(nested_poll, NULL, 0).value.i64_value, 1);
    tml_executor_destroy(e);
}

static void *nests_in_fiber(void *arg) {
    int *rounds = arg;
    for (int i = 0; i < *rounds; i++)
        require(tml_block_on(nested_poll, NULL, 0).value.i64_value == 1);
    return NULL;
}

/* A task of tmlrt.h that nothing but its own sleeps wakes. */
static int32_t body_naps(unit_t *u, tmlrt_cx_t *cx) {
    static const TmlTimerState fresh = {0, 1, 0};
    TmlTimerState             *t = u->arg;
    (void)cx;
    while (u->i < u->n) {
        if (tml_sleep_poll(t, NULL).tag != TML_POLL_READY) return TMLRT_PENDING;
        *t = fresh;
        u->i++;
    }
    return TMLRT_READY;
}

/* While a fiber is suspended in the middle of a poll, others on its thread are polled for themselves;
 * so it is with a thread that drives its runtime in the middle of one. */
static void a_poll_that_is_suspended_is_not_taken_for_that_of_others(void **state) {
    (void)state;
    for (int workers = 0; workers <= 2; workers += 2) {
        tmlrt_runtime_t *rt = workers == 0 ? runtime_current_thread() : runtime_multi(2);
        int              rounds = scaled(20);
        tally_t          tally = {0};
        TmlTimerState    timer[6];
        tmlrt_task_t    *task[8];
        for (int i = 0; i < 8; i++) {
            if (i < 2) {
                assert_int_equal(tmlrt_go(rt, nests_in_fiber, &rounds, NULL, &task[i]), TMLRT_OK);
                continue;
            }
            timer[i - 2] = tml_timer_new(1);
            unit_t u = unit_of(&tally, body_naps, &timer[i - 2]);
            u.n = 3 * rounds;
            assert_int_equal(tmlrt_spawn(rt, &unit_type, &u, NULL, &task[i]), TMLRT_OK);
        }
        if (workers == 0) nests_in_fiber(&rounds); /* here it is the thread that is suspended */
        for (int i = 0; i < 8; i++) {
            assert_int_equal(tmlrt_join(task[i], NULL), TMLRT_OK);
            tmlrt_task_release(task[i]);
        }
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

typedef struct cancelled {
    TmlChannel   *c;
    tmlrt_task_t *waiter;
    atomic_int    polls;
    bool          aborted;
} cancelled_t;

static TmlPoll takes_poll(void *state, TmlContext *cx) {
    cancelled_t *s = state;
    int64_t      item = 0;
    (void)cx;
    atomic_fetch_add(&s->polls, 1);
    if (tml_channel_try_recv(s->c, &item) == 0) return tml_poll_pending();
    return tml_poll_ready_i64(item);
}

static void *takes_in_fiber(void *arg) {
    return (void *)(intptr_t)tml_block_on(takes_poll, arg, 0).value.i64_value;
}

/* The only worker has to be given up for it: first to abort the fiber, then to send. */
static int32_t body_aborts_then_sends(unit_t *u, tmlrt_cx_t *cx) {
    cancelled_t *s = u->arg;
    int64_t      item = 9;
    TMLRT_BEGIN(u);
    while (atomic_load(&s->polls) == 0)
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
    require(tmlrt_task_abort(s->waiter) == TMLRT_OK);
    for (u->i = 0; u->i < 10; u->i++)
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
    require(tml_channel_try_send(s->c, &item) == 1);
    TMLRT_END(u);
}

static void block_on_in_a_cancelled_fiber_suspends_it(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    cancelled_t      s = {.c = tml_channel_new(1, sizeof(int64_t))};
    tally_t          tally = {0};
    void            *got = NULL;
    assert_int_equal(tmlrt_go(rt, takes_in_fiber, &s, NULL, &s.waiter), TMLRT_OK);
    assert_int_equal(unit_run(rt, &tally, body_aborts_then_sends, &s), 0);
    assert_int_equal(tmlrt_join(s.waiter, &got), TMLRT_OK);
    assert_int_equal((intptr_t)got, 9);
    tmlrt_task_release(s.waiter);
    tml_channel_destroy(s.c);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- panics ---------------------------------------------------------------------------------- */

/* A language whose panic jumps: with one buffer a process it would jump to another thread's stack. */
static _Thread_local jmp_buf *catcher;

static int32_t jump_guard(TmlPollFn body, void *state, TmlContext *cx, TmlPoll *out) {
    jmp_buf  here;
    jmp_buf *outer = catcher;
    int32_t  panicked = 1;
    catcher = &here;
    if (setjmp(here) == 0) {
        *out = body(state, cx);
        panicked = 0;
    }
    catcher = outer;
    return panicked;
}

static TmlPoll panic_poll(void *state, TmlContext *cx) {
    int *left = state;
    (void)cx;
    if ((*left)-- > 0) return tml_poll_pending();
    longjmp(*catcher, 1);
}

static void a_panic_ends_its_task_alone_on_any_thread(void **state) {
    (void)state;
    atomic_int    sum = 0;
    TmlTaskHandle h[50];
    TmlExecutor  *e = tml_executor_new();
    tml_executor_set_guard(e, jump_guard);
    for (int i = 0; i < 50; i++) {
        int       left = i % 3;
        counter_t s = {.sum = &sum, .left = i % 2, .add = 1};
        h[i] = i % 5 == 0 ? tml_spawn(e, panic_poll, &left, sizeof left)
                          : tml_spawn(e, counter_poll, &s, sizeof s);
    }
    assert_int_equal(tml_executor_run(e), TMLRT_EPANIC);
    assert_int_equal(sum, 40);
    for (int i = 0; i < 50; i++)
        assert_int_equal(tml_join_poll(&h[i], NULL).value.i64_value, i % 5 == 0 ? -1 : 1);
    tml_executor_destroy(e);
}

/* ---- tasks and queues of the caller ------------------------------------------------------------ */

static void a_task_of_the_callers_is_polled_by_hand(void **state) {
    (void)state;
    atomic_int   sum = 0;
    counter_t    s = {.sum = &sum, .left = 1, .add = 9};
    TmlExecutor *e = tml_executor_new();
    TmlTask      t = {.id = 77, .state = &s, .poll_fn = counter_poll};
    assert_int_equal(tml_executor_poll_task(e, &t), 0);
    assert_int_equal(t.task_state, TML_TASK_PENDING);
    assert_int_equal(tml_executor_poll_task(e, &t), 1);
    assert_int_equal(t.task_state, TML_TASK_COMPLETED);
    assert_int_equal(t.result.value.i64_value, 9);
    tml_executor_destroy(e);
}

static void a_queue_is_first_in_first_out(void **state) {
    (void)state;
    TmlTaskQueue q;
    TmlTask      t[4] = {{.id = 1}, {.id = 2}, {.id = 3}, {.id = 4}};
    tml_queue_init(&q);
    assert_int_equal(tml_queue_is_empty(&q), 1);
    assert_null(tml_queue_pop(&q));
    for (int i = 0; i < 4; i++)
        tml_queue_push(&q, &t[i]);
    assert_int_equal(q.count, 4);
    assert_ptr_equal(tml_queue_remove_by_id(&q, 2), &t[1]);
    assert_ptr_equal(tml_queue_remove_by_id(&q, 4), &t[3]); /* the last one */
    assert_null(tml_queue_remove_by_id(&q, 4));
    tml_queue_push(&q, &t[1]);
    assert_ptr_equal(tml_queue_remove_by_id(&q, 1), &t[0]); /* the first one */
    assert_ptr_equal(tml_queue_pop(&q), &t[2]);
    assert_int_equal(tml_queue_is_empty(&q), 0);
    assert_ptr_equal(tml_queue_pop(&q), &t[1]);
    assert_int_equal(tml_queue_is_empty(&q), 1);
    assert_null(q.tail);
    tml_queue_init(NULL);
    tml_queue_push(NULL, &t[0]);
    assert_null(tml_queue_pop(NULL));
    assert_null(tml_queue_remove_by_id(NULL, 1));
    assert_int_equal(tml_queue_is_empty(NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll_result_is_a_tag_and_eight_bytes),
        cmocka_unit_test(tasks_run_on_several_threads_and_all_end),
        cmocka_unit_test(a_state_is_copied_and_without_a_size_it_is_null),
        cmocka_unit_test(wrong_arguments_change_nothing),
        cmocka_unit_test(a_task_spawns_tasks_and_the_run_waits_for_them),
        cmocka_unit_test(a_run_inside_a_task_and_a_destroy_during_the_run_are_refused),
        cmocka_unit_test(a_second_run_at_the_same_time_is_refused),
        cmocka_unit_test(a_fiber_may_run_an_executor),
        cmocka_unit_test(a_current_thread_runtime_is_driven_by_its_owner),
        cmocka_unit_test(a_thread_in_a_cancelled_scope_still_drives_the_run),
        cmocka_unit_test(a_task_that_takes_no_waker_ends_without_burning_a_core),
        cmocka_unit_test(a_copied_waker_wakes_after_the_poll_from_another_thread),
        cmocka_unit_test(a_wake_during_the_poll_is_not_lost),
        cmocka_unit_test(a_waker_can_be_made_for_a_task_by_its_id),
        cmocka_unit_test(a_stale_waker_does_not_wake_who_came_after),
        cmocka_unit_test(wakes_race_with_the_end_of_tasks_and_executors),
        cmocka_unit_test(block_on_copies_a_state_with_a_size_and_passes_on_one_without),
        cmocka_unit_test(block_on_is_woken_by_another_thread),
        cmocka_unit_test(block_on_works_inside_a_poll),
        cmocka_unit_test(a_poll_that_is_suspended_is_not_taken_for_that_of_others),
        cmocka_unit_test(block_on_in_a_cancelled_fiber_suspends_it),
        cmocka_unit_test(a_panic_ends_its_task_alone_on_any_thread),
        cmocka_unit_test(a_task_of_the_callers_is_polled_by_hand),
        cmocka_unit_test(a_queue_is_first_in_first_out),
    };
    return cmocka_run_group_tests(tests, default_runtime_of_two, default_runtime_end);
}
