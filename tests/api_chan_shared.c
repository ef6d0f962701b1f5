/* SPDX-License-Identifier: MIT */
/*
 * api_chan_shared.c: channels between tasks, fibers and threads at once; where their calls may not
 * block, and fibers that are cancelled in them.
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

static tmlrt_chan_t *chan_of(size_t capacity) {
    tmlrt_chan_t *ch = NULL;
    assert_ok(tmlrt_chan_create(&ch, sizeof(int), capacity));
    return ch;
}

static int send_one(tmlrt_chan_t *ch, int v) {
    return tmlrt_chan_try_send(ch, &v);
}

typedef struct flow {
    tmlrt_chan_t      *ch;
    int                rounds;
    atomic_llong       sent, received, count;
    tmlrt_wait_group_t senders, receivers;
} flow_t;

static void *send_by_calls(void *arg) {
    flow_t *f = arg;
    for (int i = 1; i <= f->rounds; i++) {
        require(tmlrt_chan_send(f->ch, &i) == TMLRT_OK);
        atomic_fetch_add(&f->sent, i);
    }
    tmlrt_wait_group_done(&f->senders);
    return NULL;
}

static void *recv_by_calls(void *arg) {
    flow_t *f = arg;
    int     v;
    while (tmlrt_chan_recv(f->ch, &v) == TMLRT_OK) {
        atomic_fetch_add(&f->received, v);
        atomic_fetch_add(&f->count, 1);
    }
    tmlrt_wait_group_done(&f->receivers);
    return NULL;
}

static void call_on_thread(void *arg, int i) {
    if (i % 2 == 0)
        send_by_calls(arg);
    else
        recv_by_calls(arg);
}

static int32_t send_by_polls(unit_t *u, tmlrt_cx_t *cx) {
    flow_t *f = u->arg;
    TMLRT_BEGIN(u);
    for (u->n = 1; u->n <= f->rounds; u->n++) {
        u->value = u->n; /* an int in its first bytes, on what we run on */
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_send(&u->op, f->ch, &u->value));
        require(tmlrt_op_result(&u->op) == TMLRT_OK);
        atomic_fetch_add(&f->sent, u->n);
    }
    tmlrt_wait_group_done(&f->senders);
    TMLRT_END(u);
}

static int32_t recv_by_polls(unit_t *u, tmlrt_cx_t *cx) {
    flow_t *f = u->arg;
    TMLRT_BEGIN(u);
    for (;;) {
        u->value = 0;
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_recv(&u->op, f->ch, &u->value));
        if (tmlrt_op_result(&u->op) != TMLRT_OK) break;
        atomic_fetch_add(&f->received, u->value);
        atomic_fetch_add(&f->count, 1);
    }
    tmlrt_wait_group_done(&f->receivers);
    TMLRT_END(u);
}

static void tasks_fibers_and_threads_share_a_channel(void **state) {
    (void)state;
    static const size_t capacities[] = {0, 1, 7, 1024, TMLRT_CHAN_UNBOUNDED};
    for (size_t k = 0; k < sizeof capacities / sizeof capacities[0]; k++) {
        tmlrt_runtime_t *rt = runtime_multi(2);
        tally_t          tally = {0};
        flow_t           f;
        memset(&f, 0, sizeof f);
        f.rounds = scaled(3000);
        f.ch = chan_of(capacities[k]);
        assert_ok(tmlrt_wait_group_add(&f.senders, 6));
        assert_ok(tmlrt_wait_group_add(&f.receivers, 6));
        for (int i = 0; i < 2; i++) {
            assert_ok(tmlrt_go(rt, send_by_calls, &f, NULL, NULL));
            assert_ok(tmlrt_go(rt, recv_by_calls, &f, NULL, NULL));
            tmlrt_task_release(unit_spawn(rt, &tally, send_by_polls, &f));
            tmlrt_task_release(unit_spawn(rt, &tally, recv_by_polls, &f));
        }
        crew_t *crew = crew_start(4, call_on_thread, &f);
        assert_ok(tmlrt_wait_group_wait(&f.senders));
        assert_ok(tmlrt_chan_close(f.ch));
        assert_ok(tmlrt_wait_group_wait(&f.receivers));
        crew_join(crew);
        assert_int_equal(atomic_load(&f.count), 6 * f.rounds);
        assert_int_equal(atomic_load(&f.received), atomic_load(&f.sent));
        assert_int_equal(tmlrt_chan_length(f.ch), 0);
        tmlrt_chan_release(f.ch);
        assert_ok(tmlrt_runtime_destroy(rt));
    }
}

static int32_t body_may_not_block(unit_t *u, tmlrt_cx_t *cx) {
    tmlrt_chan_t *ch = u->arg; /* of 1, empty */
    (void)cx;
    int v = 3;
    require(tmlrt_chan_recv(ch, &v) == TMLRT_EDEADLK);
    require(tmlrt_chan_send(ch, &v) == TMLRT_OK);
    require(tmlrt_chan_send(ch, &v) == TMLRT_EDEADLK);
    require(tmlrt_chan_recv(ch, &v) == TMLRT_OK);
    return TMLRT_READY;
}

static void a_call_inside_a_stackless_poll_does_not_block(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tally_t          tally = {0};
    tmlrt_chan_t    *ch = chan_of(1);
    assert_int_equal(unit_run(rt, &tally, body_may_not_block, ch), 0);
    tmlrt_chan_release(ch);
    assert_ok(tmlrt_runtime_destroy(rt));
}

static void *recv_until_cancelled(void *arg) {
    tmlrt_chan_t *ch = arg;
    int           v;
    while (tmlrt_chan_recv(ch, &v) == TMLRT_OK) {
    }
    require(tmlrt_chan_recv(ch, &v) == TMLRT_ECANCELED);
    require(tmlrt_chan_send(ch, &v) == TMLRT_ECANCELED);
    int e = tmlrt_chan_try_recv(ch, &v); /* not a wait */
    require(e == TMLRT_OK || e == TMLRT_EAGAIN);
    return NULL;
}

/* Also one that never has to wait ends when it is asked to. */
static void a_cancelled_fiber_gets_no_more_items(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(1);
    tmlrt_chan_t    *ch = chan_of(TMLRT_CHAN_UNBOUNDED);
    tmlrt_task_t    *task;
    assert_ok(tmlrt_go(rt, recv_until_cancelled, ch, NULL, &task));
    for (int i = 0; i < 1000; i++)
        assert_ok(send_one(ch, i));
    assert_ok(tmlrt_task_abort(task));
    while (tmlrt_task_is_finished(task) == 0)
        assert_ok(send_one(ch, 0));
    tmlrt_task_release(task);
    tmlrt_chan_release(ch);
    assert_ok(tmlrt_runtime_destroy(rt));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_fibers_and_threads_share_a_channel),
        cmocka_unit_test(a_call_inside_a_stackless_poll_does_not_block),
        cmocka_unit_test(a_cancelled_fiber_gets_no_more_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
