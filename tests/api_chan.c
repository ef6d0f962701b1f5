/* SPDX-License-Identifier: MIT */
/*
 * api_chan.c: channels, oneshot, broadcast, watch: their errors, order, close and lag, and what is
 * cancelled, times out or loses a select at every state loses no item.
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

static int send_int(tmlrt_chan_t *ch, int v) {
    return tmlrt_chan_try_send(ch, &v);
}

/* What try_recv gets, or the error. */
static int recv_int(tmlrt_chan_t *ch) {
    int v = -1000;
    int e = tmlrt_chan_try_recv(ch, &v);
    return e == TMLRT_OK ? v : e;
}

/* ---- arguments ----------------------------------------------------------------------------- */

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_op_t            op = TMLRT_OP_INIT;
    tmlrt_chan_t         *ch = chan_of(1);
    tmlrt_oneshot_t      *one;
    tmlrt_broadcast_t    *bc;
    tmlrt_subscription_t *sub;
    tmlrt_watch_t        *w;
    int                   v = 0;
    uint64_t              seen = 0;
    assert_ok(tmlrt_oneshot_create(&one, sizeof v));
    assert_ok(tmlrt_broadcast_create(&bc, sizeof v, 1));
    assert_ok(tmlrt_broadcast_subscribe(bc, &sub));
    assert_ok(tmlrt_watch_create(&w, sizeof v, &v));
    int bad[] = {
        tmlrt_chan_create(NULL, 1, 1),
        tmlrt_chan_close(NULL),
        tmlrt_op_send(&op, NULL, &v),
        tmlrt_op_send(&op, ch, NULL),
        tmlrt_op_send(NULL, ch, &v),
        tmlrt_op_recv(&op, NULL, &v),
        tmlrt_op_recv(&op, ch, NULL),
        tmlrt_chan_send(NULL, &v),
        tmlrt_chan_send(ch, NULL),
        tmlrt_chan_recv(NULL, &v),
        tmlrt_chan_recv(ch, NULL),
        tmlrt_chan_send_until(NULL, &v, 0),
        tmlrt_chan_recv_until(NULL, &v, 0),
        tmlrt_chan_try_send(NULL, &v),
        tmlrt_chan_try_send(ch, NULL),
        tmlrt_chan_try_recv(NULL, &v),
        tmlrt_chan_try_recv(ch, NULL),
        (int)tmlrt_chan_length(NULL),
        tmlrt_oneshot_create(NULL, 1),
        tmlrt_oneshot_close(NULL),
        tmlrt_oneshot_send(NULL, &v),
        tmlrt_oneshot_send(one, NULL),
        tmlrt_op_oneshot(&op, NULL, &v),
        tmlrt_op_oneshot(&op, one, NULL),
        tmlrt_oneshot_recv(NULL, &v),
        tmlrt_oneshot_recv(one, NULL),
        tmlrt_oneshot_recv_until(NULL, &v, 0),
        tmlrt_broadcast_create(NULL, 1, 1),
        tmlrt_broadcast_create(&bc, 1, 0),
        tmlrt_broadcast_close(NULL),
        (int)tmlrt_broadcast_send(NULL, &v),
        (int)tmlrt_broadcast_send(bc, NULL),
        tmlrt_broadcast_subscribe(NULL, &sub),
        tmlrt_broadcast_subscribe(bc, NULL),
        tmlrt_op_broadcast(&op, NULL, &v),
        tmlrt_op_broadcast(&op, sub, NULL),
        (int)tmlrt_broadcast_recv(NULL, &v),
        (int)tmlrt_broadcast_recv(sub, NULL),
        (int)tmlrt_broadcast_recv_until(NULL, &v, 0),
        tmlrt_watch_create(NULL, 1, &v),
        tmlrt_watch_create(&w, 1, NULL),
        tmlrt_watch_close(NULL),
        tmlrt_watch_set(NULL, &v),
        tmlrt_watch_set(w, NULL),
        tmlrt_watch_get(NULL, &v, NULL),
        tmlrt_op_changed(&op, NULL, &v, &seen),
        tmlrt_op_changed(&op, w, &v, NULL),
        tmlrt_watch_changed(NULL, &v, &seen),
        tmlrt_watch_changed(w, &v, NULL),
        tmlrt_watch_changed_until(NULL, &v, &seen, 0),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(bad[i], TMLRT_EINVAL);
    assert_ends(&op, TMLRT_EINVAL);
    tmlrt_chan_t *none;
    assert_int_equal(tmlrt_chan_create(&none, SIZE_MAX / 2, 16), TMLRT_ENOMEM);
    assert_int_equal(tmlrt_chan_create(&none, 16, SIZE_MAX / 2), TMLRT_ENOMEM);
    assert_null(tmlrt_chan_retain(NULL));
    assert_null(tmlrt_oneshot_retain(NULL));
    assert_null(tmlrt_broadcast_retain(NULL));
    assert_null(tmlrt_watch_retain(NULL));
    tmlrt_chan_release(NULL);
    tmlrt_oneshot_release(NULL);
    tmlrt_broadcast_release(NULL);
    tmlrt_watch_release(NULL);
    tmlrt_subscription_release(NULL);
    tmlrt_op_recv(&op, ch, &v);
    assert_waits(&op);
    assert_int_equal(tmlrt_op_recv(&op, ch, &v), TMLRT_EBUSY);
    assert_cancels(&op, TMLRT_ECANCELED);
    tmlrt_chan_release(tmlrt_chan_retain(ch));
    tmlrt_chan_release(ch);
    tmlrt_oneshot_release(one);
    tmlrt_subscription_release(sub);
    tmlrt_broadcast_release(bc);
    tmlrt_watch_release(w);
}

/* ---- bounded ------------------------------------------------------------------------------- */

static void items_come_out_in_order_and_the_channel_fills(void **state) {
    (void)state;
    tmlrt_chan_t *ch = chan_of(3);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            assert_ok(send_int(ch, 10 * round + i));
        assert_int_equal(send_int(ch, 99), TMLRT_EAGAIN);
        assert_int_equal(tmlrt_chan_length(ch), 3);
        for (int i = 0; i < 3; i++)
            assert_int_equal(recv_int(ch), 10 * round + i);
        assert_int_equal(recv_int(ch), TMLRT_EAGAIN);
    }
    tmlrt_chan_release(ch);
}

static void items_of_any_size_are_copied_whole(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 4, 7, 8, 16, 24, 4096, 10000};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        for (int unbounded = 0; unbounded < 2; unbounded++) {
            tmlrt_chan_t *ch;
            assert_ok(tmlrt_chan_create(&ch, sizes[k], unbounded ? TMLRT_CHAN_UNBOUNDED : 30));
            static unsigned char in[10000], out[10000];
            for (int i = 0; i < 30; i++) {
                memset(in, i, sizeof in);
                assert_ok(tmlrt_chan_try_send(ch, sizes[k] != 0 ? in : NULL));
            }
            for (int i = 0; i < 30; i++) {
                memset(in, i, sizeof in);
                memset(out, 255, sizeof out);
                assert_ok(tmlrt_chan_try_recv(ch, sizes[k] != 0 ? out : NULL));
                assert_memory_equal(in, out, sizes[k]);
            }
            assert_int_equal(tmlrt_chan_length(ch), 0);
            tmlrt_chan_release(ch);
        }
    }
}

static void an_unbounded_channel_never_waits(void **state) {
    (void)state;
    tmlrt_chan_t *ch = chan_of(TMLRT_CHAN_UNBOUNDED);
    for (int i = 0; i < 5000; i++)
        assert_ok(send_int(ch, i));
    for (int i = 0; i < 4000; i++)
        assert_int_equal(recv_int(ch), i);
    assert_ok(tmlrt_chan_close(ch));
    assert_int_equal(send_int(ch, 1), TMLRT_ECLOSED);
    for (int i = 4000; i < 4500; i++)
        assert_int_equal(recv_int(ch), i);
    tmlrt_chan_release(ch); /* with what is left */
}

static void waiting_receivers_are_served_in_order(void **state) {
    (void)state;
    enum { N = 100 };
    static tmlrt_op_t ops[N];
    static int        got[N];
    memset(ops, 0, sizeof ops);
    tmlrt_chan_t *ch = chan_of(N);
    for (int i = 0; i < N; i++) {
        tmlrt_op_recv(&ops[i], ch, &got[i]);
        assert_waits(&ops[i]);
    }
    assert_ok(send_int(ch, 0));
    assert_int_equal(recv_int(ch), TMLRT_EAGAIN); /* it is reserved */
    assert_waits(&ops[1]);
    assert_ends(&ops[0], TMLRT_OK);
    for (int i = 1; i < N; i++)
        assert_ok(send_int(ch, i));
    for (int i = 1; i < N; i++) {
        assert_ends(&ops[i], TMLRT_OK);
        assert_int_equal(got[i], i);
    }
    tmlrt_chan_release(ch);
}

static void waiting_senders_are_served_in_order(void **state) {
    (void)state;
    enum { N = 10 };
    tmlrt_op_t ops[N];
    int        v[N];
    memset(ops, 0, sizeof ops);
    tmlrt_chan_t *ch = chan_of(1);
    assert_ok(send_int(ch, -1));
    for (int i = 0; i < N; i++) {
        v[i] = i;
        tmlrt_op_send(&ops[i], ch, &v[i]);
        assert_waits(&ops[i]);
    }
    assert_int_equal(recv_int(ch), -1);
    for (int i = 0; i < N; i++) {
        assert_int_equal(send_int(ch, 99), TMLRT_EAGAIN); /* the room is reserved */
        if (i + 1 < N) assert_waits(&ops[i + 1]);
        assert_ends(&ops[i], TMLRT_OK);
        assert_int_equal(recv_int(ch), i);
    }
    assert_int_equal(recv_int(ch), TMLRT_EAGAIN);
    tmlrt_chan_release(ch);
}

static void a_cancelled_receiver_passes_its_item_on(void **state) {
    (void)state;
    tmlrt_chan_t *ch = chan_of(4);
    tmlrt_op_t    a = TMLRT_OP_INIT, b = TMLRT_OP_INIT;
    int           va = 0, vb = 0;
    tmlrt_op_recv(&a, ch, &va);
    tmlrt_op_recv(&b, ch, &vb);
    assert_waits(&a);
    assert_waits(&b);
    assert_ok(send_int(ch, 7));
    assert_cancels(&a, TMLRT_ECANCELED);
    assert_int_equal(va, 0);
    assert_ends(&b, TMLRT_OK);
    assert_int_equal(vb, 7);
    tmlrt_op_recv(&a, ch, &va);
    assert_waits(&a);
    assert_ok(send_int(ch, 8));
    assert_cancels(&a, TMLRT_ECANCELED);
    assert_int_equal(recv_int(ch), 8);
    tmlrt_chan_release(ch);
}

static void a_cancelled_sender_has_not_sent(void **state) {
    (void)state;
    tmlrt_chan_t *ch = chan_of(1);
    tmlrt_op_t    a = TMLRT_OP_INIT, b = TMLRT_OP_INIT;
    int           va = 1, vb = 2;
    assert_ok(send_int(ch, 0));
    tmlrt_op_send(&a, ch, &va);
    tmlrt_op_send(&b, ch, &vb);
    assert_waits(&a);
    assert_waits(&b);
    assert_int_equal(recv_int(ch), 0); /* grants a */
    assert_cancels(&a, TMLRT_ECANCELED);
    assert_ends(&b, TMLRT_OK);
    assert_int_equal(recv_int(ch), 2);
    assert_int_equal(recv_int(ch), TMLRT_EAGAIN);
    tmlrt_chan_release(ch);
}

static void close_lets_receivers_drain(void **state) {
    (void)state;
    tmlrt_chan_t *ch = chan_of(2);
    tmlrt_op_t    s = TMLRT_OP_INIT, t = TMLRT_OP_INIT;
    int           v = 5;
    assert_ok(send_int(ch, 1));
    assert_ok(send_int(ch, 2));
    tmlrt_op_send(&s, ch, &v);
    tmlrt_op_send(&t, ch, &v);
    assert_waits(&s);
    assert_waits(&t);
    assert_int_equal(recv_int(ch), 1); /* s may send, but does so too late */
    assert_ok(tmlrt_chan_close(ch));
    assert_int_equal(tmlrt_chan_close(ch), TMLRT_EALREADY);
    assert_ends(&s, TMLRT_ECLOSED);
    assert_cancels(&t, TMLRT_ECLOSED);
    assert_int_equal(send_int(ch, 3), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_chan_send(ch, &v), TMLRT_ECLOSED);
    assert_int_equal(recv_int(ch), 2);
    assert_int_equal(recv_int(ch), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_chan_recv(ch, &v), TMLRT_ECLOSED);
    tmlrt_chan_release(ch);
}

/* An item that is reserved for one that then gives it back must not be left behind. */
static void nobody_is_told_of_the_end_while_an_item_is_reserved(void **state) {
    (void)state;
    for (int cancel = 0; cancel < 2; cancel++) {
        tmlrt_chan_t *ch = chan_of(2);
        tmlrt_op_t    a = TMLRT_OP_INIT, b = TMLRT_OP_INIT, c = TMLRT_OP_INIT;
        int           va = 0, vb = 0, vc = 0;
        tmlrt_op_recv(&a, ch, &va);
        tmlrt_op_recv(&b, ch, &vb);
        tmlrt_op_recv(&c, ch, &vc);
        assert_waits(&a);
        assert_waits(&b);
        assert_ok(send_int(ch, 7));
        assert_ok(tmlrt_chan_close(ch));
        assert_waits(&b);
        assert_waits(&c);
        if (cancel) {
            assert_cancels(&a, TMLRT_ECANCELED);
            assert_ends(&b, TMLRT_OK);
            assert_int_equal(vb, 7);
        } else {
            assert_ends(&a, TMLRT_OK);
            assert_ends(&b, TMLRT_ECLOSED);
        }
        assert_ends(&c, TMLRT_ECLOSED);
        tmlrt_chan_release(ch);
    }
}

static void a_rendezvous_waits_for_the_other(void **state) {
    (void)state;
    tmlrt_chan_t *ch = chan_of(0);
    tmlrt_op_t    s = TMLRT_OP_INIT, t = TMLRT_OP_INIT, r = TMLRT_OP_INIT;
    int           vs = 1, vt = 2, vr = 0;
    assert_int_equal(send_int(ch, 9), TMLRT_EAGAIN);
    assert_int_equal(recv_int(ch), TMLRT_EAGAIN);
    tmlrt_op_send(&s, ch, &vs);
    tmlrt_op_send(&t, ch, &vt);
    tmlrt_op_recv(&r, ch, &vr);
    assert_waits(&s);
    assert_waits(&t);
    assert_waits(&r);
    assert_cancels(&s, TMLRT_ECANCELED); /* chosen, and passes on */
    assert_ends(&t, TMLRT_OK);
    assert_ends(&r, TMLRT_OK);
    assert_int_equal(vr, 2);
    assert_int_equal(send_int(ch, 9), TMLRT_EAGAIN);
    tmlrt_op_recv(&r, ch, &vr);
    assert_waits(&r);
    assert_ok(send_int(ch, 3));
    assert_int_equal(send_int(ch, 4), TMLRT_EAGAIN);
    assert_ends(&r, TMLRT_OK);
    assert_int_equal(vr, 3);
    /* A receiver that goes away takes its demand with it. */
    tmlrt_op_recv(&r, ch, &vr);
    assert_waits(&r);
    assert_cancels(&r, TMLRT_ECANCELED);
    assert_int_equal(send_int(ch, 5), TMLRT_EAGAIN);
    tmlrt_op_send(&s, ch, &vs);
    assert_waits(&s);
    assert_ok(tmlrt_chan_close(ch));
    assert_ends(&s, TMLRT_ECLOSED);
    tmlrt_chan_release(ch);
}

/* The receive that made room for the send loses, whichever comes first. */
static void a_select_that_meets_itself_leaves_the_item_to_the_next(void **state) {
    (void)state;
    tmlrt_chan_t *ch = chan_of(0);
    tmlrt_op_t    s = TMLRT_OP_INIT, r = TMLRT_OP_INIT, any = TMLRT_OP_INIT;
    tmlrt_op_t   *ops[2];
    for (int i = 0; i < 2; i++) {
        int sent = 5 + i, got = 0;
        ops[i] = &s;
        ops[1 - i] = &r;
        tmlrt_op_send(&s, ch, &sent);
        tmlrt_op_recv(&r, ch, &got);
        tmlrt_op_any(&any, ops, 2);
        assert_ok(tmlrt_op_await(&any));
        assert_int_equal(tmlrt_op_result(&any), i);
        assert_int_equal(tmlrt_op_result(&s), TMLRT_OK);
        assert_int_equal(tmlrt_op_result(&r), TMLRT_ECANCELED);
        assert_int_equal(recv_int(ch), 5 + i);
    }
    tmlrt_chan_release(ch);
}

static void a_select_moves_at_most_one_item(void **state) {
    (void)state;
    tmlrt_chan_t *in[2] = {chan_of(2), chan_of(2)}, *out = chan_of(1);
    tmlrt_op_t    a = TMLRT_OP_INIT, b = TMLRT_OP_INIT, c = TMLRT_OP_INIT, any = TMLRT_OP_INIT;
    tmlrt_op_t   *ops[] = {&a, &b, &c};
    int           va = 0, vb = 0, vc = 3;
    assert_ok(send_int(out, 0));
    for (int i = 0; i < 3; i++) {
        tmlrt_op_recv(&a, in[0], &va);
        tmlrt_op_recv(&b, in[1], &vb);
        tmlrt_op_send(&c, out, &vc);
        tmlrt_op_any(&any, ops, 3);
        assert_waits(&any);
        assert_int_equal(recv_int(out), 0);
        assert_ok(send_int(in[1], 2));
        if (i != 1) assert_ok(send_int(in[0], 1));
        if (i == 2)
            assert_cancels(&any, TMLRT_ECANCELED);
        else
            assert_ends(&any, i);
        assert_int_equal(recv_int(in[0]), i == 2 ? 1 : TMLRT_EAGAIN);
        assert_int_equal(recv_int(in[1]), i == 1 ? TMLRT_EAGAIN : 2);
        assert_int_equal(recv_int(out), TMLRT_EAGAIN);
        assert_ok(send_int(out, 0));
    }
    tmlrt_chan_release(in[0]);
    tmlrt_chan_release(in[1]);
    tmlrt_chan_release(out);
}

static void a_deadline_moves_nothing(void **state) {
    (void)state;
    tmlrt_chan_t *ch = chan_of(1);
    int           v = 4;
    int64_t       until = tmlrt_now(NULL) + TMLRT_MS;
    assert_int_equal(tmlrt_chan_recv_until(ch, &v, until), TMLRT_ETIMEDOUT);
    assert_true(tmlrt_now(NULL) >= until);
    assert_ok(tmlrt_chan_send_until(ch, &v, until)); /* it does not have to wait */
    assert_int_equal(tmlrt_chan_send_until(ch, &v, until), TMLRT_ETIMEDOUT);
    assert_int_equal(recv_int(ch), 4);
    assert_int_equal(recv_int(ch), TMLRT_EAGAIN);
    tmlrt_chan_release(ch);
}

/* ---- oneshot ------------------------------------------------------------------------------- */

static void a_oneshot_gives_its_item_once(void **state) {
    (void)state;
    tmlrt_oneshot_t *o;
    tmlrt_op_t       a = TMLRT_OP_INIT, b = TMLRT_OP_INIT, c = TMLRT_OP_INIT;
    int              v = 6, va = 0, vb = 0, vc = 0;
    assert_ok(tmlrt_oneshot_create(&o, sizeof v));
    tmlrt_op_oneshot(&a, o, &va);
    tmlrt_op_oneshot(&b, o, &vb);
    tmlrt_op_oneshot(&c, o, &vc);
    assert_waits(&a);
    assert_waits(&b);
    assert_waits(&c);
    assert_ok(tmlrt_oneshot_send(o, &v));
    assert_int_equal(tmlrt_oneshot_send(o, &v), TMLRT_EALREADY);
    assert_cancels(&a, TMLRT_ECANCELED); /* passes it on */
    assert_ends(&b, TMLRT_OK);
    assert_int_equal(vb, 6);
    assert_ends(&c, TMLRT_EALREADY);
    assert_int_equal(tmlrt_oneshot_recv(o, &va), TMLRT_EALREADY);
    tmlrt_oneshot_release(o);

    assert_ok(tmlrt_oneshot_create(&o, sizeof v));
    assert_int_equal(tmlrt_oneshot_recv_until(o, &va, tmlrt_now(NULL)), TMLRT_ETIMEDOUT);
    tmlrt_op_oneshot(&a, o, &va);
    assert_waits(&a);
    assert_ok(tmlrt_oneshot_close(o));
    assert_int_equal(tmlrt_oneshot_close(o), TMLRT_EALREADY);
    assert_int_equal(tmlrt_oneshot_send(o, &v), TMLRT_ECLOSED);
    assert_ends(&a, TMLRT_ECLOSED);
    assert_int_equal(tmlrt_oneshot_recv(o, &va), TMLRT_ECLOSED);
    tmlrt_oneshot_release(o);

    assert_ok(tmlrt_oneshot_create(&o, sizeof v));
    assert_ok(tmlrt_oneshot_send(o, &v));
    assert_ok(tmlrt_oneshot_close(o)); /* what was sent stays */
    assert_ok(tmlrt_oneshot_recv(o, &va));
    assert_int_equal(va, 6);
    tmlrt_oneshot_release(tmlrt_oneshot_retain(o));
    tmlrt_oneshot_release(o);
}

/* ---- broadcast ----------------------------------------------------------------------------- */

static int64_t next(tmlrt_subscription_t *sub, int *v) {
    return tmlrt_broadcast_recv_until(sub, v, tmlrt_now(NULL));
}

static void every_subscriber_sees_every_item_or_how_many_it_lost(void **state) {
    (void)state;
    tmlrt_broadcast_t    *bc;
    tmlrt_subscription_t *a, *b;
    int                   v = 0, i = 0;
    assert_ok(tmlrt_broadcast_create(&bc, sizeof v, 3)); /* rounded up to 4 */
    assert_int_equal(tmlrt_broadcast_send(bc, &i), 0);
    assert_ok(tmlrt_broadcast_subscribe(bc, &a));
    assert_int_equal(next(a, &v), TMLRT_ETIMEDOUT);
    for (i = 1; i <= 3; i++)
        assert_int_equal(tmlrt_broadcast_send(bc, &i), 1);
    assert_ok(tmlrt_broadcast_subscribe(bc, &b));
    for (; i <= 6; i++)
        assert_int_equal(tmlrt_broadcast_send(bc, &i), 2);
    assert_int_equal(next(a, &v), 2); /* 1 and 2 are gone */
    assert_int_equal(v, 3);
    for (i = 4; i <= 6; i++) {
        assert_int_equal(next(a, &v), 0);
        assert_int_equal(v, i);
        assert_int_equal(next(b, &v), 0);
        assert_int_equal(v, i);
    }
    tmlrt_op_t op = TMLRT_OP_INIT, second = TMLRT_OP_INIT;
    tmlrt_op_broadcast(&op, a, &v);
    tmlrt_op_broadcast(&second, a, &v);
    assert_waits(&op);
    assert_ends(&second, TMLRT_EBUSY);
    assert_int_equal(tmlrt_broadcast_send(bc, &i), 2);
    assert_cancels(&op, TMLRT_ECANCELED); /* it stays to be read */
    tmlrt_op_broadcast(&op, a, &v);
    assert_ends(&op, 0);
    assert_int_equal(v, 7);
    tmlrt_op_broadcast(&op, a, &v);
    assert_waits(&op);
    assert_ok(tmlrt_broadcast_close(bc));
    assert_int_equal(tmlrt_broadcast_close(bc), TMLRT_EALREADY);
    assert_int_equal(tmlrt_broadcast_send(bc, &i), TMLRT_ECLOSED);
    assert_ends(&op, TMLRT_ECLOSED);
    tmlrt_broadcast_release(bc);
    assert_int_equal(next(b, &v), 0);
    assert_int_equal(next(b, &v), TMLRT_ECLOSED);
    tmlrt_subscription_release(a);
    tmlrt_subscription_release(b);
}

/* ---- watch --------------------------------------------------------------------------------- */

static void a_watch_shows_the_latest_value_once(void **state) {
    (void)state;
    tmlrt_watch_t *w;
    int            v = 1, got = 0;
    uint64_t       seen = 0, other;
    assert_ok(tmlrt_watch_create(&w, sizeof v, &v));
    assert_ok(tmlrt_watch_changed(w, &got, &seen));
    assert_int_equal(got, 1);
    assert_int_equal(tmlrt_watch_changed_until(w, &got, &seen, tmlrt_now(NULL)), TMLRT_ETIMEDOUT);
    tmlrt_op_t a = TMLRT_OP_INIT, b = TMLRT_OP_INIT;
    uint64_t   seen_b = seen;
    tmlrt_op_changed(&a, w, &got, &seen);
    tmlrt_op_changed(&b, w, NULL, &seen_b);
    assert_waits(&a);
    assert_waits(&b);
    for (v = 2; v <= 4; v++)
        assert_ok(tmlrt_watch_set(w, &v));
    assert_cancels(&b, TMLRT_ECANCELED);
    assert_true(seen_b != seen + 3);
    assert_ends(&a, TMLRT_OK);
    assert_int_equal(got, 4);
    assert_ok(tmlrt_watch_get(w, NULL, &other));
    assert_true(other == seen);
    assert_ok(tmlrt_watch_changed(w, NULL, &seen_b));
    assert_true(seen_b == seen);
    tmlrt_op_changed(&a, w, &got, &seen);
    assert_waits(&a);
    assert_ok(tmlrt_watch_close(w));
    assert_int_equal(tmlrt_watch_close(w), TMLRT_EALREADY);
    assert_int_equal(tmlrt_watch_set(w, &v), TMLRT_ECLOSED);
    assert_ends(&a, TMLRT_ECLOSED);
    got = 0;
    assert_ok(tmlrt_watch_get(w, &got, NULL));
    assert_int_equal(got, 4);
    seen = 0;
    assert_ok(tmlrt_watch_changed(w, &got, &seen)); /* the last value, then the end */
    assert_int_equal(tmlrt_watch_changed(w, &got, &seen), TMLRT_ECLOSED);
    tmlrt_watch_release(tmlrt_watch_retain(w));
    tmlrt_watch_release(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(items_come_out_in_order_and_the_channel_fills),
        cmocka_unit_test(items_of_any_size_are_copied_whole),
        cmocka_unit_test(an_unbounded_channel_never_waits),
        cmocka_unit_test(waiting_receivers_are_served_in_order),
        cmocka_unit_test(waiting_senders_are_served_in_order),
        cmocka_unit_test(a_cancelled_receiver_passes_its_item_on),
        cmocka_unit_test(a_cancelled_sender_has_not_sent),
        cmocka_unit_test(close_lets_receivers_drain),
        cmocka_unit_test(nobody_is_told_of_the_end_while_an_item_is_reserved),
        cmocka_unit_test(a_rendezvous_waits_for_the_other),
        cmocka_unit_test(a_select_that_meets_itself_leaves_the_item_to_the_next),
        cmocka_unit_test(a_select_moves_at_most_one_item),
        cmocka_unit_test(a_deadline_moves_nothing),
        cmocka_unit_test(a_oneshot_gives_its_item_once),
        cmocka_unit_test(every_subscriber_sees_every_item_or_how_many_it_lost),
        cmocka_unit_test(a_watch_shows_the_latest_value_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
