/* SPDX-License-Identifier: MIT */
/*
 * api_tml_waits.c: what futures of tmlrt/tml.h wait for: sleep, yield, channels, join, select,
 * timeout; with and without a context, in an executor, in a task of tmlrt.h, and on a plain thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tmlrt/tml.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "support/random.h"
#include "support/sanitizers.h"
#include "support/threads.h"
#include "support/unit.h"

static TmlExecutor *e;

static int make_executor(void **state) {
    (void)state;
    e = tml_executor_new();
    return e != NULL ? 0 : -1;
}

static int end_executor(void **state) {
    (void)state;
    tml_executor_destroy(e);
    return 0;
}

/* ---- time ------------------------------------------------------------------------------------ */

typedef struct sleeper {
    TmlTimerState timer;
    atomic_int   *polls;
    int64_t      *woke;
    int           form; /* 0 sleep, 1 sleep_ptr without a context, 2 delay, 3 delay_ptr */
} sleeper_t;

static TmlPoll sleeper_poll(void *state, TmlContext *cx) {
    sleeper_t *s = state;
    TmlPoll    p;
    atomic_fetch_add(s->polls, 1);
    switch (s->form) {
    case 0: p = tml_sleep_poll(&s->timer, cx); break;
    case 1: tml_sleep_poll_ptr(&s->timer, NULL, &p); break;
    case 2: p = tml_delay_poll(&s->timer, cx); break;
    default: tml_delay_poll_ptr(&s->timer, NULL, &p); break;
    }
    if (p.tag == TML_POLL_READY) *s->woke = tmlrt_now(NULL);
    return p;
}

static void a_sleep_is_never_early_and_is_polled_when_it_is_due(void **state) {
    (void)state;
    for (int form = 0; form < 4; form++) {
        atomic_int polls = 0;
        int64_t    woke = 0, begin = tmlrt_now(NULL);
        sleeper_t  s = {tml_timer_new(30), &polls, &woke, form};
        tml_executor_spawn(e, sleeper_poll, &s, sizeof s);
        assert_int_equal(tml_executor_run(e), 0);
        assert_true(woke - begin >= 30 * TMLRT_MS);
        assert_int_equal(polls, 2); /* no context: the running task is woken all the same */
        polls = 0;
        begin = tmlrt_now(NULL);
        tml_timer_new_ptr(5, &s.timer);
        assert_int_equal(tml_block_on(sleeper_poll, &s, sizeof s).tag, TML_POLL_READY);
        assert_true(woke - begin >= 5 * TMLRT_MS);
        assert_true(polls >= 2);
    }
}

static void no_duration_and_no_state_are_ready_at_once(void **state) {
    (void)state;
    TmlPoll       p = tml_poll_pending();
    TmlTimerState t;
    for (int64_t ms = 0; ms >= -5; ms -= 5) {
        t = tml_timer_new(ms);
        p = tml_sleep_poll(&t, NULL);
        assert_true(p.tag == TML_POLL_READY && p.value.i64_value == 0 && t.started == 1);
    }
    p = tml_sleep_poll(NULL, NULL);
    assert_true(p.tag == TML_POLL_READY && p.value.i64_value == 0);
    tml_sleep_poll_ptr(NULL, NULL, &p);
    assert_int_equal(p.tag, TML_POLL_READY);
    p = tml_delay_poll(NULL, NULL);
    assert_int_equal(p.tag, TML_POLL_READY);
    tml_timer_new_ptr(1, NULL);
    tml_sleep_poll_ptr(NULL, NULL, NULL);
    t = tml_timer_new(INT64_MAX); /* further than the clock reaches */
    p = tml_sleep_poll(&t, NULL);
    assert_int_equal(p.tag, TML_POLL_PENDING);
    assert_int_equal(sizeof(TmlTimerState), 24);
}

static void on_a_plain_thread_the_clock_alone_counts(void **state) {
    (void)state;
    int64_t       begin = tmlrt_now(NULL);
    TmlTimerState t = tml_timer_new(4);
    while (tml_sleep_poll(&t, NULL).tag != TML_POLL_READY)
        ;
    assert_true(tmlrt_now(NULL) - begin >= 4 * TMLRT_MS);
}

/* In a task of tmlrt.h, which nothing else wakes. */
static int32_t body_sleeps(unit_t *u, tmlrt_cx_t *cx) {
    static TmlTimerState t;
    static TmlYieldState y;
    (void)cx;
    if (u->i++ == 0) {
        t = tml_timer_new(5);
        y.yielded = 0;
    }
    u->value = u->i;
    if (tml_sleep_poll(&t, NULL).tag != TML_POLL_READY) return TMLRT_PENDING;
    if (tml_yield_poll(&y, NULL).tag != TML_POLL_READY) return TMLRT_PENDING;
    return TMLRT_READY;
}

static void inside_a_native_task_that_task_is_woken(void **state) {
    (void)state;
    tally_t          tally = {0};
    tmlrt_runtime_t *rt;
    assert_int_equal(tmlrt_runtime_default(&rt), TMLRT_OK);
    assert_int_equal(unit_run(rt, &tally, body_sleeps, NULL), 3);
}

static TmlPoll yields_poll(void *state, TmlContext *cx) {
    TmlYieldState *s = state; /* of 100 */
    TmlPoll        p = tml_poll_pending();
    for (int i = 0; i < 100; i++) {
        if (i % 2 == 0)
            p = tml_yield_poll(&s[i], cx);
        else
            tml_yield_poll_ptr(&s[i], NULL, &p);
        if (p.tag != TML_POLL_READY) break;
    }
    return p;
}

static void a_yield_is_pending_once(void **state) {
    (void)state;
    TmlYieldState y = {0}, many[100] = {{0}};
    assert_int_equal(tml_yield_poll(&y, NULL).tag, TML_POLL_PENDING);
    assert_int_equal(tml_yield_poll(&y, NULL).tag, TML_POLL_READY);
    assert_int_equal(tml_yield_poll(NULL, NULL).tag, TML_POLL_READY);
    tml_executor_spawn(e, yields_poll, many, sizeof many);
    tml_executor_spawn(e, yields_poll, many, sizeof many);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(tml_block_on(yields_poll, many, sizeof many).tag, TML_POLL_READY);
}

/* ---- channels -------------------------------------------------------------------------------- */

static void a_channel_is_bounded_and_drains_after_the_close(void **state) {
    (void)state;
    int         in = 1, out = 0;
    TmlChannel *c = tml_channel_new(2, sizeof in);
    assert_int_equal(tml_channel_try_recv(c, &out), 0);
    assert_int_equal(tml_channel_is_empty(c), 1);
    for (int round = 0; round < 5; round++) { /* around the ring */
        for (in = 1; in <= 2; in++)
            assert_int_equal(tml_channel_try_send(c, &in), 1);
        assert_int_equal(tml_channel_try_send(c, &in), 0);
        assert_int_equal(tml_channel_is_full(c), 1);
        assert_int_equal(tml_channel_try_recv(c, &out), 1);
        assert_int_equal(out, 1);
        assert_true(tml_channel_is_full(c) == 0 && tml_channel_is_empty(c) == 0);
        if (round == 4) tml_channel_close(c);
        assert_int_equal(tml_channel_try_recv(c, &out), 1);
        assert_int_equal(out, 2);
    }
    assert_int_equal(tml_channel_try_recv(c, &out), -1);
    assert_int_equal(tml_channel_try_send(c, &in), -1);
    tml_channel_close(c);
    tml_channel_destroy(c);

    assert_int_equal(tml_channel_try_send(NULL, &in), -1);
    assert_int_equal(tml_channel_try_recv(NULL, &out), -1);
    assert_true(tml_channel_is_empty(NULL) == 0 && tml_channel_is_full(NULL) == 0);
    tml_channel_close(NULL);
    tml_channel_destroy(NULL);
    assert_null(tml_channel_new(SIZE_MAX, 2));
    c = tml_channel_new(1, 0); /* items without bytes are counted */
    assert_int_equal(tml_channel_try_send(c, NULL), 1);
    assert_int_equal(tml_channel_try_send(c, NULL), 0);
    assert_int_equal(tml_channel_try_recv(c, NULL), 1);
    tml_channel_destroy(c);
    c = tml_channel_new(0, 4);
    assert_int_equal(tml_channel_try_send(c, &in), 0);
    assert_true(tml_channel_is_empty(c) == 1 && tml_channel_is_full(c) == 1);
    tml_channel_destroy(c);
}

enum { ITEMS = 3000 };

typedef struct end {
    TmlChannel      *c;
    int64_t          next;
    _Atomic int64_t *sum;
    atomic_int      *polls;
} end_t;

static TmlPoll sender_poll(void *state, TmlContext *cx) {
    end_t *s = state;
    (void)cx;
    atomic_fetch_add(s->polls, 1);
    for (; s->next <= ITEMS; s->next++) {
        int32_t r = tml_channel_try_send(s->c, &s->next);
        require(r >= 0);
        if (r == 0) return tml_poll_pending(); /* without a waker */
    }
    tml_channel_close(s->c);
    return tml_poll_ready_i64(0);
}

static TmlPoll receiver_poll(void *state, TmlContext *cx) {
    end_t  *s = state;
    int64_t item;
    (void)cx;
    atomic_fetch_add(s->polls, 1);
    for (;;) {
        int32_t r = tml_channel_try_recv(s->c, &item);
        if (r == 0) return tml_poll_pending();
        if (r < 0) return tml_poll_ready_i64(0);
        atomic_fetch_add(s->sum, item);
    }
}

static void a_channel_wakes_who_found_it_full_or_empty(void **state) {
    (void)state;
    _Atomic int64_t sum = 0;
    atomic_int      polls = 0;
    end_t           s = {tml_channel_new(3, sizeof(int64_t)), 1, &sum, &polls};
    for (int i = 0; i < 3; i++)
        tml_executor_spawn(e, receiver_poll, &s, sizeof s);
    tml_executor_spawn(e, sender_poll, &s, sizeof s);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(sum, (int64_t)ITEMS * (ITEMS + 1) / 2);
    tml_channel_destroy(s.c);
}

/* Bytes in use, where the C library tells; else 0. */
static size_t memory_in_use(void) {
#if defined(__GLIBC__) && !UNDER_ASAN && !UNDER_TSAN
#if __GLIBC_PREREQ(2, 33)
    return mallinfo2().uordblks;
#endif
#endif
    return 0;
}

typedef struct idle {
    TmlChannel   *c;
    TmlTaskHandle h;
    atomic_int   *looks;
} idle_t;

static TmlPoll looks_once_poll(void *state, TmlContext *cx) {
    idle_t *s = state;
    int64_t item;
    if (tml_channel_try_recv(s->c, &item) == 1) atomic_fetch_add(s->looks, 1000000);
    if (s->h.task_id != 0) (void)tml_join_poll(&s->h, cx);
    atomic_fetch_add(s->looks, 1);
    return tml_poll_ready_i64(0);
}

/* 100,000 of them: those who have ended are not kept for a wake that may never come. */
static void who_looked_once_and_ended_is_forgotten(void **state) {
    (void)state;
    enum { AT_ONCE = 1000 };
    atomic_int    looks = 0;
    idle_t        s = {tml_channel_new(1, sizeof(int64_t)), {0, NULL, 0, {0, 0, {0}}}, &looks};
    TmlExecutor  *other = tml_executor_new();
    TmlTimerState never = tml_timer_new(1);
    s.h = tml_spawn(other, (TmlPollFn)tml_sleep_poll, &never, sizeof never); /* is never run */
    size_t before = 0;
    for (int i = 0; i < scaled(100); i++) {
        for (int k = 0; k < AT_ONCE; k++)
            tml_executor_spawn(e, looks_once_poll, &s, sizeof s);
        assert_int_equal(tml_executor_run(e), 0);
        if (i == 0) before = memory_in_use();
    }
    assert_int_equal(looks, scaled(100) * AT_ONCE);
    assert_true(memory_in_use() < before + 1000000); /* 5 MB each if they were kept */
    tml_channel_destroy(s.c);
    tml_executor_destroy(other);
}

/* The same among others that wait for items, while these come. */
static void who_waits_is_not_forgotten_with_those_who_have_ended(void **state) {
    (void)state;
    _Atomic int64_t sum = 0;
    atomic_int      polls = 0, looks = 0;
    end_t           s = {tml_channel_new(3, sizeof(int64_t)), 1, &sum, &polls};
    TmlChannel     *idle = tml_channel_new(1, sizeof(int64_t));
    idle_t          looker = {idle, {0, NULL, 0, {0, 0, {0}}}, &looks};
    end_t           waits = {idle, 1, &sum, &polls};
    for (int i = 0; i < 10; i++)
        tml_executor_spawn(e, receiver_poll, &waits, sizeof waits);
    for (int i = 0; i < 3; i++)
        tml_executor_spawn(e, receiver_poll, &s, sizeof s);
    for (int i = 0; i < scaled(3000); i++)
        tml_executor_spawn(e, looks_once_poll, &looker, sizeof looker);
    waits.next = ITEMS; /* one item, and the close */
    tml_executor_spawn(e, sender_poll, &s, sizeof s);
    tml_executor_spawn(e, sender_poll, &waits, sizeof waits);
    assert_int_equal(tml_executor_run(e), 0);
    int64_t all = (int64_t)ITEMS * (ITEMS + 1) / 2;
    assert_true(sum == all + ITEMS || (sum == all && looks >= 1000000));
    tml_channel_destroy(s.c);
    tml_channel_destroy(idle);
}

/* ---- join, select, race ---------------------------------------------------------------------- */

typedef struct late {
    TmlTimerState timer;
    int64_t       value;
} late_t;

static TmlPoll late_poll(void *state, TmlContext *cx) {
    late_t *s = state;
    if (tml_sleep_poll(&s->timer, cx).tag != TML_POLL_READY) return tml_poll_pending();
    return tml_poll_ready_i64(s->value);
}

static TmlTaskHandle late(int64_t ms, int64_t value) {
    late_t        s = {tml_timer_new(ms), value};
    TmlTaskHandle h = {0, NULL, 0, {0, 0, {0}}};
    if (value % 2 != 0) return tml_spawn(e, late_poll, &s, sizeof s);
    tml_spawn_ptr(e, late_poll, &s, sizeof s, &h);
    tml_spawn_ptr(NULL, late_poll, &s, sizeof s, NULL);
    return h;
}

typedef struct joiner {
    TmlTaskHandle    h;
    atomic_int      *polls;
    _Atomic int64_t *sum;
} joiner_t;

static TmlPoll joiner_poll(void *state, TmlContext *cx) {
    joiner_t *s = state;
    TmlPoll   p;
    atomic_fetch_add(s->polls, 1);
    tml_join_poll_ptr(&s->h, cx, &p);
    if (p.tag == TML_POLL_READY) atomic_fetch_add(s->sum, p.value.i64_value);
    return p;
}

static void many_join_one_handle_and_each_gets_the_result(void **state) {
    (void)state;
    atomic_int      polls = 0;
    _Atomic int64_t sum = 0;
    joiner_t        s = {late(20, 5), &polls, &sum};
    for (int i = 0; i < 20; i++)
        tml_executor_spawn(e, joiner_poll, &s, sizeof s);
    assert_int_equal(tml_join_poll(&s.h, NULL).tag, TML_POLL_PENDING);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(sum, 100);
    assert_true(polls <= 40); /* woken by the end, not by looking again and again */
    TmlTaskHandle copy = s.h;
    for (int i = 0; i < 3; i++)
        assert_int_equal(tml_join_poll(&copy, NULL).value.i64_value, 5);
    assert_int_equal(copy.completed, 1);
    assert_int_equal(sizeof(TmlTaskHandle), 40);
    assert_int_equal(offsetof(TmlTaskHandle, result), 24);
}

static void a_join_of_nobody_does_not_hang(void **state) {
    (void)state;
    TmlTaskHandle h = tml_spawn(NULL, late_poll, NULL, 0);
    assert_int_equal(h.task_id, 0);
    TmlPoll p = tml_join_poll(&h, NULL);
    assert_true(p.tag == TML_POLL_READY && p.value.i64_value == -1 && h.completed == 1);
    h = (TmlTaskHandle){12345, e, 0, tml_poll_pending()};
    assert_int_equal(tml_join_poll(&h, NULL).value.i64_value, -1);
    assert_int_equal(tml_join_poll(NULL, NULL).value.i64_value, -1);
    tml_join_poll_ptr(NULL, NULL, NULL);
}

typedef struct group {
    TmlJoinAllState *all;
    TmlSelectState  *select;
} group_t;

static TmlPoll all_poll(void *state, TmlContext *cx) {
    group_t *s = state;
    TmlPoll  p;
    tml_join_all_poll_ptr(s->all, cx, &p);
    return p;
}

static void join_all_has_every_result(void **state) {
    (void)state;
    TmlTaskHandle h[5];
    for (int i = 0; i < 5; i++)
        h[i] = late(10 - 2 * i, i + 1);
    group_t       s = {tml_join_all_new(h, 5), NULL};
    TmlTaskHandle top = tml_spawn(e, all_poll, &s, sizeof s);
    assert_int_equal(tml_join_all_poll(s.all, NULL).tag, TML_POLL_PENDING);
    assert_int_equal(tml_executor_run(e), 0);
    assert_ptr_equal(tml_join_poll(&top, NULL).value.ptr_value, s.all->results);
    assert_int_equal(s.all->completed_count, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(s.all->results[i].value.i64_value, i + 1);
    tml_join_all_destroy(s.all);
    s.all = tml_join_all_new(NULL, 0);
    assert_int_equal(tml_join_all_poll(s.all, NULL).tag, TML_POLL_READY);
    tml_join_all_destroy(s.all);
    tml_join_all_destroy(NULL);
    assert_null(tml_join_all_new(NULL, 1));
    assert_int_equal(tml_join_all_poll(NULL, NULL).tag, TML_POLL_READY);
}

static TmlPoll select_poll(void *state, TmlContext *cx) {
    group_t *s = state;
    TmlPoll  p;
    tml_select_poll_ptr(s->select, cx, &p);
    return p;
}

static TmlPoll race_poll(void *state, TmlContext *cx) {
    group_t *s = state;
    TmlPoll  p;
    tml_race_poll_ptr(s->select, cx, &p);
    return p;
}

static void select_tells_the_first_and_race_its_result(void **state) {
    (void)state;
    /* The others wait until the winner has been seen. */
    TmlTaskHandle h[3] = {late(60, 10), late(1, 20), late(60, 30)};
    TmlTaskHandle copy[3];
    memcpy(copy, h, sizeof h);
    group_t s = {NULL, tml_select_new(h, 3)}, r = {NULL, tml_select_new(copy, 3)};
    assert_int_equal(tml_select_poll(s.select, NULL).tag, TML_POLL_PENDING);
    assert_int_equal(tml_race_poll(r.select, NULL).tag, TML_POLL_PENDING);
    TmlTaskHandle top = tml_spawn(e, select_poll, &s, sizeof s);
    TmlTaskHandle top2 = tml_spawn(e, race_poll, &r, sizeof r);
    assert_int_equal(tml_executor_run(e), 0);
    assert_true(s.select->found_winner == 1 && s.select->winner_index < 3);
    assert_int_equal(tml_join_poll(&top, NULL).value.i64_value, s.select->winner_index);
    assert_int_equal(tml_select_poll(s.select, NULL).value.i64_value, s.select->winner_index);
    int64_t won = tml_join_poll(&top2, NULL).value.i64_value;
    assert_int_equal(won, 10 * (int64_t)(r.select->winner_index + 1));
    assert_int_equal(tml_race_poll(r.select, NULL).value.i64_value, won);
    tml_select_destroy(s.select);
    tml_select_destroy(r.select);
    s.select = tml_select_new(NULL, 0);
    assert_int_equal(tml_select_poll(s.select, NULL).value.i64_value, -1);
    assert_int_equal(tml_race_poll(s.select, NULL).value.i64_value, -1);
    tml_select_destroy(s.select);
    tml_select_destroy(NULL);
    assert_null(tml_select_new(NULL, 1));
    assert_int_equal(tml_select_poll(NULL, NULL).value.i64_value, -1);
    assert_int_equal(tml_race_poll(NULL, NULL).value.i64_value, -1);
}

/* ---- timeout --------------------------------------------------------------------------------- */

typedef struct limited {
    TmlTimeoutState limit;
    late_t          inner;
    int             form;
} limited_t;

static TmlPoll limited_poll(void *state, TmlContext *cx) {
    limited_t *s = state;
    TmlPoll    p;
    s->limit.inner_state = &s->inner; /* the state was copied */
    if (s->form == 0) return tml_timeout_poll(&s->limit, cx);
    tml_timeout_poll_ptr(&s->limit, NULL, &p);
    return p;
}

static TmlPoll pending_poll(void *state, TmlContext *cx) {
    require(cx != NULL); /* also where the timeout had none */
    (void)state;
    return tml_poll_pending();
}

static void a_timeout_ends_what_takes_too_long(void **state) {
    (void)state;
    for (int form = 0; form < 2; form++) {
        limited_t in_time = {tml_timeout_new(late_poll, NULL, 100000), {tml_timer_new(2), 8}, form};
        limited_t never = {tml_timeout_new(pending_poll, NULL, 12), {tml_timer_new(0), 0}, form};
        limited_t slow = {tml_timeout_new(late_poll, NULL, 3), {tml_timer_new(100000), 9}, form};
        TmlTaskHandle a = tml_spawn(e, limited_poll, &in_time, sizeof in_time);
        TmlTaskHandle b = tml_spawn(e, limited_poll, &never, sizeof never);
        TmlTaskHandle c = tml_spawn(e, limited_poll, &slow, sizeof slow);
        assert_int_equal(tml_executor_run(e), 0);
        assert_int_equal(tml_join_poll(&a, NULL).value.i64_value, 8);
        assert_int_equal(tml_join_poll(&b, NULL).value.i64_value, -1);
        assert_int_equal(tml_join_poll(&c, NULL).value.i64_value, -1);
    }
    TmlTimeoutState t;
    TmlPoll         p;
    tml_timeout_new_ptr(pending_poll, NULL, 0, &t);
    tml_timeout_new_ptr(pending_poll, NULL, 0, NULL);
    tml_timeout_poll_ptr(&t, NULL, &p);
    assert_true(p.value.i64_value == -1 && t.timed_out == 1);
    assert_int_equal(tml_timeout_poll(&t, NULL).value.i64_value, -1);
    assert_int_equal(tml_timeout_poll(NULL, NULL).value.i64_value, -1);
    assert_int_equal(sizeof(TmlTimeoutState), 48);
}

typedef struct limited_join {
    TmlTimeoutState limit;
    joiner_t        inner;
} limited_join_t;

static TmlPoll limited_join_poll(void *state, TmlContext *cx) {
    limited_join_t *s = state;
    TmlPoll         p;
    (void)cx;
    s->limit.inner_state = &s->inner;
    tml_timeout_poll_ptr(&s->limit, NULL, &p);
    return p;
}

/* The inner future's context says nobody: it counts as none. */
static void under_a_timeout_without_a_context_a_join_still_wakes(void **state) {
    (void)state;
    atomic_int      polls = 0;
    _Atomic int64_t sum = 0;
    limited_join_t  s = {tml_timeout_new(joiner_poll, NULL, 100000), {late(200, 5), &polls, &sum}};
    TmlTaskHandle   h = tml_spawn(e, limited_join_poll, &s, sizeof s);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(tml_join_poll(&h, NULL).value.i64_value, 5);
    assert_in_range(polls, 1, 4); /* by the end, not by looking again and again */
}

static atomic_int flag;

static TmlPoll flag_poll(void *state, TmlContext *cx) {
    (void)state, (void)cx;
    return atomic_load(&flag) ? tml_poll_ready_i64(6) : tml_poll_pending();
}

static TmlPoll raise_poll(void *state, TmlContext *cx) {
    if (tml_sleep_poll(state, cx).tag != TML_POLL_READY) return tml_poll_pending();
    atomic_store(&flag, 1);
    return tml_poll_ready_i64(0);
}

static void under_a_timeout_a_future_that_takes_no_waker_is_still_looked_at(void **state) {
    (void)state;
    limited_t     s = {tml_timeout_new(flag_poll, NULL, 1000000), {tml_timer_new(0), 0}, 0};
    TmlTimerState t = tml_timer_new(15);
    flag = 0;
    TmlTaskHandle h = tml_spawn(e, limited_poll, &s, sizeof s);
    tml_executor_spawn(e, raise_poll, &t, sizeof t);
    assert_int_equal(tml_executor_run(e), 0);
    assert_int_equal(tml_join_poll(&h, NULL).value.i64_value, 6);
}

#define WITH_EXECUTOR(test) cmocka_unit_test_setup_teardown(test, make_executor, end_executor)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_EXECUTOR(a_sleep_is_never_early_and_is_polled_when_it_is_due),
        cmocka_unit_test(no_duration_and_no_state_are_ready_at_once),
        cmocka_unit_test(on_a_plain_thread_the_clock_alone_counts),
        cmocka_unit_test(inside_a_native_task_that_task_is_woken),
        WITH_EXECUTOR(a_yield_is_pending_once),
        cmocka_unit_test(a_channel_is_bounded_and_drains_after_the_close),
        WITH_EXECUTOR(a_channel_wakes_who_found_it_full_or_empty),
        WITH_EXECUTOR(who_looked_once_and_ended_is_forgotten),
        WITH_EXECUTOR(who_waits_is_not_forgotten_with_those_who_have_ended),
        WITH_EXECUTOR(many_join_one_handle_and_each_gets_the_result),
        WITH_EXECUTOR(a_join_of_nobody_does_not_hang),
        WITH_EXECUTOR(join_all_has_every_result),
        WITH_EXECUTOR(select_tells_the_first_and_race_its_result),
        WITH_EXECUTOR(a_timeout_ends_what_takes_too_long),
        WITH_EXECUTOR(under_a_timeout_without_a_context_a_join_still_wakes),
        WITH_EXECUTOR(under_a_timeout_a_future_that_takes_no_waker_is_still_looked_at),
    };
    return cmocka_run_group_tests(tests, default_runtime_of_two, default_runtime_end);
}
