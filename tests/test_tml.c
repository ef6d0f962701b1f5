/* SPDX-License-Identifier: MIT */
/*
 * test_tml.c: the drop-in part where memory and system calls fail: each allocation in turn, once and
 * from then on. What could be made works, what could not is told, nothing is lost.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <tmlrt/tml.h>

#include "fault.h"
#include "support/unit.h"
#include "tml_slot.h"
#include "tml_task.h"

static int setup(void **state) {
    tmlrt_runtime_t *rt;
    require(default_runtime_of_two(state) == 0);
    require(tmlrt_runtime_default(&rt) == TMLRT_OK); /* not what is to fail */
    return 0;
}

/* ---- slots ----------------------------------------------------------------------------------- */

static void a_slot_has_one_tenant_at_a_time(void **state) {
    (void)state;
    enum { N = 3000 }; /* more than a chunk */
    static void       *data[N];
    tmlrt__tml_task_t *t = tmlrt__tml_task_new((TmlPollFn)tml_yield_poll, NULL, 0);
    assert_non_null(t);
    for (int i = 0; i < N; i++) {
        data[i] = tmlrt__tml_slot_take(t);
        assert_non_null(data[i]);
    }
    for (int i = 0; i < N; i++) {
        assert_ptr_equal(tmlrt__tml_slot_find(data[i]), t);
        tmlrt__tml_task_unref(t);
        tmlrt__tml_slot_give(data[i]);
        assert_null(tmlrt__tml_slot_find(data[i]));
        tmlrt__tml_slot_give(data[i]); /* a second time: it is nobody's */
    }
    void *again = tmlrt__tml_slot_take(t); /* the last one given back, under a new name */
    assert_ptr_not_equal(again, data[N - 1]);
    assert_null(tmlrt__tml_slot_find(data[N - 1]));
    tmlrt__tml_slot_give(again);
    assert_null(tmlrt__tml_slot_find(NULL));
    assert_null(tmlrt__tml_slot_find((void *)UINTPTR_MAX));
    tmlrt__tml_task_retire(t);
    tmlrt__tml_task_unref(t);
}

/* ---- waiters --------------------------------------------------------------------------------- */

/* They look once and end; `live` of them stay, and are all woken. */
static void waiters_that_have_ended_are_dropped(void **state) {
    (void)state;
    enum { LIVE = 100, ALL = 100000 };
    static tmlrt__tml_task_t *live[LIVE];
    tmlrt__tml_waiters_t      list = {0};
    tmlrt__latch_t            latch = {0};
    uint32_t                  most = 0;
    for (int i = 0, kept = 0; i < ALL; i++) {
        tmlrt__tml_task_t *t = tmlrt__tml_task_new((TmlPollFn)tml_yield_poll, NULL, 0);
        TmlContext         cx = {{tmlrt__tml_wake, t->slot, 1}, NULL};
        t->is_thread = true;
        tmlrt__tml_waiter_t *w = tmlrt__tml_waiter_new(&cx);
        assert_non_null(w);
        tmlrt__latch_lock(&latch);
        assert_true(tmlrt__tml_waiter_add(&list, w));
        tmlrt__tml_waiters_sweep(&list, &latch);
        tmlrt__latch_unlock(&latch);
        if (list.n > most) most = list.n;
        if (i % (ALL / LIVE) == 0) {
            live[kept++] = t;
            continue;
        }
        tmlrt__tml_task_retire(t);
        tmlrt__tml_task_unref(t);
    }
    assert_in_range(most, LIVE, 2 * LIVE + 64);
    tmlrt__tml_waiters_wake(tmlrt__tml_waiters_take(&list));
    assert_true(list.first == NULL && list.n == 0);
    for (int i = 0; i < LIVE; i++) {
        assert_int_equal(tmlrt_notified_until(&live[i]->notify, 1), TMLRT_OK); /* woken */
        tmlrt__tml_task_retire(live[i]);
        tmlrt__tml_task_unref(live[i]);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

typedef struct pair {
    TmlChannel   *c;
    TmlTimerState timer;
    TmlTaskHandle peer;
    int           stage;
} pair_t;

/* Waits for an item, a while, and for a peer. */
static TmlPoll taker_poll(void *state, TmlContext *cx) {
    pair_t *s = state;
    int     item;
    if (s->stage == 0) {
        int32_t r = tml_channel_try_recv(s->c, &item);
        if (r == 0) return tml_poll_pending();
        s->stage = 1;
    }
    if (tml_sleep_poll(&s->timer, cx).tag != TML_POLL_READY) return tml_poll_pending();
    return tml_join_poll(&s->peer, cx);
}

static TmlPoll giver_poll(void *state, TmlContext *cx) {
    pair_t *s = state;
    int     item = 3;
    if (tml_sleep_poll(&s->timer, cx).tag != TML_POLL_READY) return tml_poll_pending();
    require(tml_channel_try_send(s->c, &item) == 1);
    tml_channel_close(s->c); /* the taker may not have been made */
    return tml_poll_ready_i64(4);
}

/* Everything that allocates; how much of it was refused. */
static int scenario(void) {
    int          refused = 0;
    TmlExecutor *e = tml_executor_new();
    TmlChannel  *c = tml_channel_new(2, sizeof(int));
    if (e == NULL || c == NULL) {
        tml_executor_destroy(e);
        tml_channel_destroy(c);
        return 1;
    }
    pair_t        s = {c, tml_timer_new(1), {0, NULL, 0, {0, 0, {0}}}, 0};
    TmlTaskHandle h[2];
    h[0] = tml_spawn(e, giver_poll, &s, sizeof s);
    s.peer = h[0];
    h[1] = tml_spawn(e, taker_poll, &s, sizeof s);
    refused += h[0].task_id == 0;
    if (h[0].task_id == 0) tml_channel_close(c);
    refused += h[1].task_id == 0;
    TmlJoinAllState *all = tml_join_all_new(h, 2);
    TmlSelectState  *first = tml_select_new(h, 2);
    refused += (all == NULL) + (first == NULL);
    int32_t r = tml_executor_run(e);
    refused += r != TMLRT_OK;
    require(r == TMLRT_OK || r == TMLRT_ENOMEM);
    if (r == TMLRT_OK && all != NULL) require(tml_join_all_poll(all, NULL).tag == TML_POLL_READY);
    if (r == TMLRT_OK && h[0].task_id != 0)
        require(tml_join_poll(&h[0], NULL).value.i64_value == 4);
    TmlTimerState t = tml_timer_new(1);
    refused += tml_block_on((TmlPollFn)tml_sleep_poll, &t, sizeof t).tag != TML_POLL_READY;
    tml_join_all_destroy(all);
    tml_select_destroy(first);
    tml_executor_destroy(e);
    tml_channel_destroy(c);
    return refused;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    assert_int_equal(scenario(), 0);
    for (int sticky = 0; sticky < 2; sticky++) {
        for (uint64_t nth = 1; nth < 200; nth++) {
            tmlrt__fault_arm(TMLRT__FAULT_ALLOC, nth, sticky != 0, ENOMEM);
            int refused = scenario();
            tmlrt__fault_disarm();
            if (tmlrt__fault_fired(TMLRT__FAULT_ALLOC) == 0) {
                assert_int_equal(refused, 0);
                break;
            }
        }
    }
    assert_int_equal(scenario(), 0);
}

/* Registers itself, which fails the second time of three. */
static TmlPoll half_registered_poll(void *state, TmlContext *cx) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        if (i == 1) tmlrt__fault_arm(TMLRT__FAULT_ALLOC, 1, false, ENOMEM);
        tmlrt__tml_waiter_t *w = tmlrt__tml_waiter_new(cx);
        tmlrt__fault_disarm();
        require((w == NULL) == (i == 1));
        tmlrt__tml_waiter_free(w);
    }
    return tml_poll_pending();
}

static void who_could_not_be_registered_is_polled_again_soon(void **state) {
    (void)state;
    TmlPoll            p;
    tmlrt__tml_task_t *t = tmlrt__tml_task_new(half_registered_poll, NULL, 0);
    assert_non_null(t);
    t->is_thread = true;
    assert_true(tmlrt__tml_task_poll(t, true, &p));
    int64_t after = tmlrt_now(NULL);
    assert_true(tmlrt__tml_task_next(t) <= after + t->pause); /* a registered one: after a second */
    tmlrt__tml_task_retire(t);
    tmlrt__tml_task_unref(t);
}

/* An executor whose buckets cannot grow still finds everybody. */
static void buckets_that_cannot_grow_grow_long(void **state) {
    (void)state;
    TmlExecutor *e = tml_executor_new();
    for (int i = 1; i <= 300; i++) {
        uint64_t id = 0;
        /* Fails what is not needed: the third allocation is that of the buckets. */
        tmlrt__fault_arm(TMLRT__FAULT_ALLOC, 2, false, ENOMEM);
        id = tml_executor_spawn(e, (TmlPollFn)tml_yield_poll, NULL, 0);
        tmlrt__fault_disarm();
        assert_int_equal(id, i);
    }
    assert_non_null(tml_waker_create(e, 1).data);
    assert_non_null(tml_waker_create(e, 300).data);
    assert_int_equal(tml_executor_run(e), TMLRT_OK);
    tml_executor_destroy(e);
}

/* ---- the poller ------------------------------------------------------------------------------ */

#ifdef __linux__ /* that on epoll */
static void a_poller_tells_what_fails_and_goes_on_after_a_signal(void **state) {
    (void)state;
    TmlPollEvent ev;
    tmlrt__fault_arm(TMLRT__FAULT_SYS, 1, false, EMFILE);
    assert_int_equal(tml_poll_create(), -1);
    tmlrt__fault_disarm();
    int64_t p = tml_poll_create();
    tmlrt__fault_arm(TMLRT__FAULT_SYS, 1, false, EINTR);
    assert_int_equal(tml_poll_wait(p, &ev, 1, 1), 0);
    assert_int_equal(tmlrt__fault_count(TMLRT__FAULT_SYS), 2);
    tmlrt__fault_arm(TMLRT__FAULT_SYS, 1, false, EBADF);
    assert_int_equal(tml_poll_wait(p, &ev, 1, 1), -1);
    tmlrt__fault_disarm();
    tml_poll_destroy(p);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_has_one_tenant_at_a_time),
        cmocka_unit_test(waiters_that_have_ended_are_dropped),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(who_could_not_be_registered_is_polled_again_soon),
        cmocka_unit_test(buckets_that_cannot_grow_grow_long),
    };
    int failed = 0;
#ifdef __linux__
    /* Before any runtime: the seam counts the calls of all threads. */
    const struct CMUnitTest poller[] = {
        cmocka_unit_test(a_poller_tells_what_fails_and_goes_on_after_a_signal),
    };
    failed = cmocka_run_group_tests(poller, NULL, NULL);
#endif
    return failed + cmocka_run_group_tests(tests, setup, default_runtime_end);
}
