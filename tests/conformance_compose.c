/* SPDX-License-Identifier: MIT */
/*
 * conformance_compose.c: operations made of others, polled by one waker and then by another while a
 * part is being cancelled: who polled last is woken. It matters where a cancel takes its time, on
 * backends that complete.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/conformance.h"
#include "support/net.h"
#include "support/threads.h"

typedef struct world {
    tmlrt_runtime_t *rt;
    tmlrt_sock_t    *sock;
    int              peer;
    char             byte;
    tmlrt_notify_t   notify;
    tmlrt_op_t       read, other, set, outer;
    tmlrt_op_t      *parts[2], *whole[1];
} world_t;

static void open_world(world_t *w) {
    static const world_t none;
    *w = none;
    w->rt = reactor_runtime();
    w->sock = sock_and_peer(w->rt, &w->peer);
    tmlrt_op_read(&w->read, w->sock, &w->byte, 1);
    tmlrt_op_notified(&w->other, &w->notify);
    w->parts[0] = &w->read;
    w->parts[1] = &w->other;
    w->whole[0] = &w->set;
}

static void close_world(world_t *w) {
    close(w->peer);
    tmlrt_sock_release(w->sock);
    assert_int_equal(tmlrt_runtime_destroy(w->rt), TMLRT_OK);
}

/* start() polls with a waker that wakes nobody, finish() with the thread's. */
static void a_cancelled_set_wakes_who_polled_it_last(void **state) {
    (void)state;
    for (int all = 0; all < 2; all++) {
        world_t w;
        open_world(&w);
        if (all != 0)
            tmlrt_op_all(&w.set, w.parts, 2);
        else
            tmlrt_op_any(&w.set, w.parts, 2);
        assert_int_equal(start(&w.set), 1);
        assert_int_equal(tmlrt_op_cancel(&w.set), TMLRT_OK);
        assert_int_equal(finish(&w.set), TMLRT_ECANCELED);
        close_world(&w);
    }
}

static void a_set_in_a_set_does(void **state) {
    (void)state;
    world_t w;
    open_world(&w);
    tmlrt_op_any(&w.set, w.parts, 2);
    tmlrt_op_all(&w.outer, w.whole, 1);
    assert_int_equal(start(&w.outer), 1);
    assert_int_equal(tmlrt_op_cancel(&w.outer), TMLRT_OK);
    assert_int_equal(finish(&w.outer), TMLRT_ECANCELED);
    close_world(&w);
}

static void a_set_with_a_winner_wakes_who_polled_it_last(void **state) {
    (void)state;
    world_t w;
    open_world(&w);
    tmlrt_op_any(&w.set, w.parts, 2);
    assert_int_equal(start(&w.set), 1);
    assert_int_equal(tmlrt_notify_one(&w.notify), TMLRT_OK);
    start(&w.set); /* the loser is asked to end */
    assert_int_equal(finish(&w.set), 1);
    assert_int_equal(tmlrt_op_result(&w.read), TMLRT_ECANCELED);
    close_world(&w);
}

/* A future with an operation of its own. */
typedef struct reading {
    tmlrt_op_t    op;
    tmlrt_sock_t *sock;
    char          byte;
} reading_t;

static int32_t reading_poll(void *state, tmlrt_cx_t *cx, void *result) {
    reading_t *r = state;
    (void)result;
    if (tmlrt_op_result(&r->op) == TMLRT_EINVAL) tmlrt_op_read(&r->op, r->sock, &r->byte, 1);
    return tmlrt_op_poll(&r->op, cx);
}

static const tmlrt_task_type_t reading_type = {.struct_size = sizeof(tmlrt_task_type_t),
                                               .name = "reading",
                                               .state_size = sizeof(reading_t),
                                               .poll = reading_poll};

static void a_cancelled_future_wakes_who_polled_it_last(void **state) {
    (void)state;
    for (int nested = 0; nested < 2; nested++) {
        world_t w;
        open_world(&w);
        reading_t   reading = {.op = TMLRT_OP_INIT, .sock = w.sock};
        tmlrt_op_t *op = nested != 0 ? &w.outer : &w.set;
        tmlrt_op_future(&w.set, &reading_type, &reading, NULL);
        tmlrt_op_any(&w.outer, w.whole, 1);
        assert_int_equal(start(op), 1);
        assert_int_equal(tmlrt_op_cancel(op), TMLRT_OK);
        assert_int_equal(finish(op), TMLRT_ECANCELED);
        close_world(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancelled_set_wakes_who_polled_it_last),
        cmocka_unit_test(a_set_in_a_set_does),
        cmocka_unit_test(a_set_with_a_winner_wakes_who_polled_it_last),
        cmocka_unit_test(a_cancelled_future_wakes_who_polled_it_last),
    };
    RUN_ON_EACH_REACTOR(tests);
}
