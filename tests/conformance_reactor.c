/* SPDX-License-Identifier: MIT */
/*
 * conformance_reactor.c: the same suite on every reactor: streams. Each test runs on epoll and on the
 * simulated completion backend, with a current-thread runtime (where nothing is reaped before the
 * test waits, so that events fall together) and with workers of their own.
 * conformance_accept.c goes on with accept, connect and descriptors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/conformance.h"
#include "support/net.h"
#include "support/threads.h"

enum { BIG = 4 * 1024 * 1024 };

static void fill(unsigned char *p, size_t size) {
    for (size_t i = 0; i < size; i++)
        p[i] = (unsigned char)(i * 31 + i / 251);
}

/* Starts a read of `size` that cannot be READY. */
static void start_read(fixture_t *f, void *buf, size_t size) {
    assert_int_equal(tmlrt_op_read(&f->op, f->sock, buf, size), TMLRT_OK);
    assert_true(start(&f->op));
}

/* ---- reading -------------------------------------------------------------------------------- */

static void a_read_gives_what_has_come(void **state) {
    fixture_t *f = *state;
    char       buf[64] = "";
    raw_send(f->peer, "hello", 5);
    tmlrt_op_read(&f->op, f->sock, buf, sizeof buf);
    assert_int_equal(finish(&f->op), 5);
    assert_memory_equal(buf, "hello", 5);
    assert_int_equal(tmlrt_op_transferred(&f->op), 5);
}

static void a_read_waits_for_what_comes_later(void **state) {
    fixture_t *f = *state;
    char       buf[64] = "";
    for (int i = 0; i < 20; i++) {
        start_read(f, buf, sizeof buf);
        drive(f->rt);
        raw_send(f->peer, &"abc"[i % 3], 1);
        assert_int_equal(finish(&f->op), 1);
        assert_int_equal(buf[0], "abc"[i % 3]);
    }
}

static void a_short_read_leaves_the_rest_for_the_next(void **state) {
    fixture_t *f = *state;
    char       buf[4] = "";
    raw_send(f->peer, "abcdefg", 7);
    size_t got = 0;
    while (got < 7) {
        tmlrt_op_read(&f->op, f->sock, buf, sizeof buf);
        int64_t n = finish(&f->op);
        assert_true(n > 0);
        assert_memory_equal(buf, &"abcdefg"[got], (size_t)n);
        got += (size_t)n;
    }
}

static void read_exact_collects_pieces(void **state) {
    fixture_t *f = *state;
    char       buf[12] = "";
    tmlrt_op_read_exact(&f->op, f->sock, buf, sizeof buf);
    assert_true(start(&f->op));
    for (int i = 0; i < 12; i += 3) {
        drive(f->rt);
        raw_send(f->peer, &"one,two,six."[i], 3);
        if (i < 9) assert_true(start(&f->op));
    }
    assert_int_equal(finish(&f->op), 12);
    assert_memory_equal(buf, "one,two,six.", 12);
}

static void read_exact_tells_an_early_end_and_what_came(void **state) {
    fixture_t *f = *state;
    char       buf[12] = "";
    raw_send(f->peer, "abc", 3);
    raw_finish(f->peer);
    tmlrt_op_read_exact(&f->op, f->sock, buf, sizeof buf);
    assert_int_equal(finish(&f->op), TMLRT_EEOF);
    assert_int_equal(tmlrt_op_transferred(&f->op), 3);
    assert_memory_equal(buf, "abc", 3);
}

static void the_end_is_zero_again_and_again(void **state) {
    fixture_t *f = *state;
    char       buf[8];
    raw_finish(f->peer);
    for (int i = 0; i < 3; i++) {
        tmlrt_op_read(&f->op, f->sock, buf, sizeof buf);
        assert_int_equal(finish(&f->op), 0);
    }
}

static void data_and_the_end_in_one_event_are_both_read(void **state) {
    fixture_t *f = *state;
    char       buf[64];
    for (int waits = 0; waits < 2; waits++) {
        int           peer;
        tmlrt_sock_t *sock = sock_and_peer(f->rt, &peer);
        tmlrt_op_read(&f->op, sock, buf, sizeof buf);
        if (waits) assert_true(start(&f->op));
        raw_send(peer, "abc", 3);
        raw_finish(peer);
        assert_int_equal(finish(&f->op), 3);
        tmlrt_op_read(&f->op, sock, buf, sizeof buf);
        assert_int_equal(finish(&f->op), 0);
        tmlrt_sock_release(sock);
        close(peer);
    }
}

static void urgent_data_does_not_hide_what_follows_it(void **state) {
    fixture_t *f = *state;
    char       buf[64] = "";
    raw_send(f->peer, "ab", 2);
    assert_int_equal(send(f->peer, "!", 1, MSG_OOB), 1);
    raw_send(f->peer, "cd", 2);
    tmlrt_op_read_exact(&f->op, f->sock, buf, 4);
    assert_int_equal(finish(&f->op), 4);
    assert_memory_equal(buf, "abcd", 4);
}

static void readv_fills_the_pieces_in_order(void **state) {
    fixture_t    *f = *state;
    char          a[2], b[3], c[8];
    tmlrt_iovec_t iov[] = {{a, 2}, {NULL, 0}, {b, 3}, {c, 8}};
    tmlrt_op_readv(&f->op, f->sock, iov, 4);
    assert_true(start(&f->op));
    raw_send(f->peer, "aabbbcc", 7);
    assert_int_equal(finish(&f->op), 7);
    assert_memory_equal(a, "aa", 2);
    assert_memory_equal(b, "bbb", 3);
    assert_memory_equal(c, "cc", 2);
}

static void empty_transfers_wait_for_nothing(void **state) {
    fixture_t    *f = *state;
    tmlrt_iovec_t iov[] = {{NULL, 0}};
    tmlrt_op_read(&f->op, f->sock, NULL, 0);
    assert_int_equal(finish(&f->op), 0);
    tmlrt_op_read_exact(&f->op, f->sock, NULL, 0);
    assert_int_equal(finish(&f->op), 0);
    tmlrt_op_write(&f->op, f->sock, NULL, 0);
    assert_int_equal(finish(&f->op), 0);
    tmlrt_op_readv(&f->op, f->sock, iov, 1);
    assert_int_equal(finish(&f->op), 0);
    tmlrt_op_writev(&f->op, f->sock, iov, 1);
    assert_int_equal(finish(&f->op), 0);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void a_write_goes_through_a_full_buffer(void **state) {
    fixture_t     *f = *state;
    unsigned char *out = malloc(BIG), *in = malloc(BIG);
    fill(out, BIG);
    assert_int_equal(tmlrt_sock_set(f->sock, TMLRT_SOCK_SEND_BUFFER, 262144), TMLRT_OK);
    tmlrt_op_write(&f->op, f->sock, out, BIG);
    assert_true(start(&f->op));
    /* The peer reads on a thread of its own where ours has to drive. */
    crew_t *crew = peer_reads(f->peer, in, BIG);
    assert_int_equal(finish(&f->op), BIG);
    crew_join(crew);
    assert_memory_equal(in, out, BIG);
    free(out);
    free(in);
}

static void a_vectored_write_sends_every_piece(void **state) {
    fixture_t     *f = *state;
    unsigned char *out = malloc(BIG), *in = malloc(BIG);
    fill(out, BIG);
    tmlrt_iovec_t iov[5] = {{out, 10}, {NULL, 0}, {out + 10, BIG / 2}, {out + 10 + BIG / 2, 0}};
    iov[4] = (tmlrt_iovec_t){out + 10 + BIG / 2, BIG / 2 - 10};
    tmlrt_op_writev(&f->op, f->sock, iov, 5);
    start(&f->op);
    crew_t *crew = peer_reads(f->peer, in, BIG);
    assert_int_equal(finish(&f->op), BIG);
    crew_join(crew);
    assert_memory_equal(in, out, BIG);
    free(out);
    free(in);
}

static void half_a_close_leaves_the_other_half(void **state) {
    fixture_t *f = *state;
    char       buf[8] = "";
    assert_int_equal(tmlrt_sock_shutdown(f->sock, TMLRT_SHUT_WRITE), TMLRT_OK);
    assert_int_equal(raw_recv(f->peer, buf, 1), 0);
    raw_send(f->peer, "still", 5);
    tmlrt_op_read_exact(&f->op, f->sock, buf, 5);
    assert_int_equal(finish(&f->op), 5);
    tmlrt_op_write(&f->op, f->sock, "x", 1);
    assert_int_equal(finish(&f->op), TMLRT_EPIPE);
}

static void a_read_ends_when_its_half_is_shut(void **state) {
    fixture_t *f = *state;
    char       buf[8];
    start_read(f, buf, sizeof buf);
    assert_int_equal(tmlrt_sock_shutdown(f->sock, TMLRT_SHUT_READ), TMLRT_OK);
    assert_int_equal(finish(&f->op), 0);
}

static void a_reset_ends_both_directions(void **state) {
    fixture_t *f = *state;
    char       buf[8];
    start_read(f, buf, sizeof buf);
    raw_reset(f->peer);
    f->peer = -1;
    assert_int_equal(finish(&f->op), TMLRT_ECONNRESET);
    tmlrt_op_write(&f->op, f->sock, "x", 1);
    int64_t r = finish(&f->op);
    assert_true(r == TMLRT_EPIPE || r == TMLRT_ECONNRESET);
}

/* ---- cancelling ----------------------------------------------------------------------------- */

static void a_cancelled_read_loses_nothing(void **state) {
    fixture_t *f = *state;
    char       got[64];
    for (int late = 0; late < 3; late++) {
        char buf[8];
        start_read(f, buf, sizeof buf);
        if (late == 0) drive(f->rt);
        if (late == 1) raw_send(f->peer, "abc", 3);
        assert_int_equal(tmlrt_op_cancel(&f->op), TMLRT_OK);
        if (late != 1) raw_send(f->peer, "abc", 3);
        int64_t r = finish(&f->op);
        assert_true(r == TMLRT_ECANCELED || (r > 0 && r <= 3));
        size_t first = r > 0 ? (size_t)r : 0;
        memcpy(got, buf, first);
        while (first < 3) {
            tmlrt_op_read(&f->op, f->sock, got + first, 3 - first);
            int64_t n = finish(&f->op);
            assert_true(n > 0);
            first += (size_t)n;
        }
        assert_memory_equal(got, "abc", 3);
    }
}

static void a_cancelled_write_says_what_went_out(void **state) {
    fixture_t     *f = *state;
    unsigned char *out = malloc(BIG), *in = malloc(BIG);
    fill(out, BIG);
    tmlrt_op_write(&f->op, f->sock, out, BIG);
    assert_true(start(&f->op));
    drive(f->rt);
    tmlrt_op_cancel(&f->op);
    assert_int_equal(finish(&f->op), TMLRT_ECANCELED);
    size_t went = tmlrt_op_transferred(&f->op);
    assert_int_equal(tmlrt_sock_close(f->sock), TMLRT_OK);
    assert_int_equal(raw_recv(f->peer, in, BIG), went);
    assert_memory_equal(in, out, went);
    free(out);
    free(in);
}

static void a_cancelled_read_exact_counts_what_came(void **state) {
    fixture_t *f = *state;
    char       buf[8] = "";
    raw_send(f->peer, "abc", 3);
    tmlrt_op_read_exact(&f->op, f->sock, buf, 8);
    assert_true(start(&f->op));
    drive(f->rt);
    tmlrt_op_cancel(&f->op);
    assert_int_equal(finish(&f->op), TMLRT_ECANCELED);
    size_t n = tmlrt_op_transferred(&f->op);
    raw_send(f->peer, "defgh", 5);
    tmlrt_op_read_exact(&f->op, f->sock, buf + n, 8 - n);
    assert_int_equal(finish(&f->op), 8 - n);
    assert_memory_equal(buf, "abcdefgh", 8);
}

static void deadlines_end_reads_and_writes(void **state) {
    fixture_t     *f = *state;
    unsigned char *out = calloc(1, BIG);
    char           buf[8];
    tmlrt_op_read(&f->op, f->sock, buf, sizeof buf);
    tmlrt_op_deadline(&f->op, tmlrt_now(f->rt) + 2 * TMLRT_MS);
    assert_int_equal(finish(&f->op), TMLRT_ETIMEDOUT);
    tmlrt_op_write(&f->op, f->sock, out, BIG);
    tmlrt_op_deadline(&f->op, tmlrt_now(f->rt) + 2 * TMLRT_MS);
    assert_int_equal(finish(&f->op), TMLRT_ETIMEDOUT);
    assert_true(tmlrt_op_transferred(&f->op) < BIG);
    raw_send(f->peer, "x", 1);
    tmlrt_op_read(&f->op, f->sock, buf, sizeof buf);
    tmlrt_op_deadline(&f->op, tmlrt_now(f->rt) + 3600 * TMLRT_S);
    assert_int_equal(finish(&f->op), 1);
    free(out);
}

/* ---- busy, close ---------------------------------------------------------------------------- */

static void a_second_operation_of_a_direction_is_busy(void **state) {
    fixture_t *f = *state;
    char       buf[8], buf2[8];
    start_read(f, buf, sizeof buf);
    tmlrt_op_read(&f->op2, f->sock, buf2, sizeof buf2);
    assert_int_equal(finish(&f->op2), TMLRT_EBUSY);
    assert_int_equal(tmlrt_try_read(f->sock, buf2, sizeof buf2), TMLRT_EBUSY);
    tmlrt_op_write(&f->op2, f->sock, "x", 1); /* the other direction is free */
    assert_int_equal(finish(&f->op2), 1);
    raw_send(f->peer, "y", 1);
    assert_int_equal(finish(&f->op), 1);
}

static void close_from_a_thread(void *arg, int i) {
    (void)i;
    require(tmlrt_sock_close(arg) == TMLRT_OK);
}

static void a_close_ends_what_is_in_flight(void **state) {
    fixture_t     *f = *state;
    unsigned char *out = calloc(1, BIG);
    char           buf[8];
    tmlrt_op_write(&f->op2, f->sock, out, BIG);
    assert_true(start(&f->op2));
    start_read(f, buf, sizeof buf);
    on_threads(1, close_from_a_thread, f->sock);
    assert_int_equal(finish(&f->op), TMLRT_ECANCELED);
    assert_int_equal(finish(&f->op2), TMLRT_ECANCELED);
    tmlrt_op_read(&f->op, f->sock, buf, sizeof buf);
    assert_int_equal(finish(&f->op), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_try_read(f->sock, buf, sizeof buf), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_sock_close(f->sock), TMLRT_EALREADY);
    free(out);
}

static void an_operation_outlives_its_handle(void **state) {
    fixture_t *f = *state;
    char       buf[8];
    start_read(f, buf, sizeof buf);
    tmlrt_sock_release(f->sock);
    f->sock = NULL;
    assert_int_equal(finish(&f->op), TMLRT_ECANCELED);
    assert_int_equal(raw_recv(f->peer, buf, 1), 0); /* the descriptor is closed by now */
}

static void descriptor_numbers_are_used_again_without_a_mix_up(void **state) {
    fixture_t *f = *state;
    char       buf[8];
    for (int i = 0; i < 100; i++) {
        int           peer;
        tmlrt_sock_t *sock = sock_and_peer(f->rt, &peer);
        tmlrt_op_read(&f->op, sock, buf, sizeof buf);
        if (i % 2) start(&f->op);
        if (i % 3) raw_send(peer, "old", 3);
        if (i % 5 == 0) raw_finish(peer);
        tmlrt_sock_release(sock);
        if (i % 2) finish(&f->op);
        close(peer);
        sock = sock_and_peer(f->rt, &peer);
        tmlrt_op_read(&f->op, sock, buf, sizeof buf);
        start(&f->op);
        raw_send(peer, "new", 3);
        assert_int_equal(finish(&f->op), 3);
        assert_memory_equal(buf, "new", 3);
        tmlrt_sock_release(sock);
        close(peer);
    }
}

static void the_first_of_two_reads_wins(void **state) {
    fixture_t    *f = *state;
    int           peer;
    tmlrt_sock_t *sock = sock_and_peer(f->rt, &peer);
    char          a[8], b[8];
    tmlrt_op_t    any = TMLRT_OP_INIT, *both[] = {&f->op, &f->op2};
    tmlrt_op_read(&f->op, f->sock, a, sizeof a);
    tmlrt_op_read(&f->op2, sock, b, sizeof b);
    tmlrt_op_any(&any, both, 2);
    start(&any);
    raw_send(peer, "b", 1);
    assert_int_equal(finish(&any), 1);
    assert_int_equal(tmlrt_op_result(&f->op2), 1);
    assert_int_equal(tmlrt_op_result(&f->op), TMLRT_ECANCELED);
    tmlrt_sock_release(sock);
    close(peer);
}

static void tries_work_without_an_operation(void **state) {
    fixture_t *f = *state;
    char       buf[8];
    assert_int_equal(tmlrt_try_write(f->sock, "hi", 2), 2);
    assert_int_equal(raw_recv(f->peer, buf, 2), 2);
    assert_int_equal(tmlrt_try_read(f->sock, buf, sizeof buf), TMLRT_EAGAIN);
    raw_send(f->peer, "abc", 3);
    int64_t n;
    while ((n = tmlrt_try_read(f->sock, buf, sizeof buf)) == TMLRT_EAGAIN)
        drive(f->rt);
    assert_int_equal(n, 3);
    raw_finish(f->peer);
    while ((n = tmlrt_try_read(f->sock, buf, sizeof buf)) == TMLRT_EAGAIN)
        drive(f->rt);
    assert_int_equal(n, 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, stream_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_read_gives_what_has_come),
        T(a_read_waits_for_what_comes_later),
        T(a_short_read_leaves_the_rest_for_the_next),
        T(read_exact_collects_pieces),
        T(read_exact_tells_an_early_end_and_what_came),
        T(the_end_is_zero_again_and_again),
        T(data_and_the_end_in_one_event_are_both_read),
        T(urgent_data_does_not_hide_what_follows_it),
        T(readv_fills_the_pieces_in_order),
        T(empty_transfers_wait_for_nothing),
        T(a_write_goes_through_a_full_buffer),
        T(a_vectored_write_sends_every_piece),
        T(half_a_close_leaves_the_other_half),
        T(a_read_ends_when_its_half_is_shut),
        T(a_reset_ends_both_directions),
        T(a_cancelled_read_loses_nothing),
        T(a_cancelled_write_says_what_went_out),
        T(a_cancelled_read_exact_counts_what_came),
        T(deadlines_end_reads_and_writes),
        T(a_second_operation_of_a_direction_is_busy),
        T(a_close_ends_what_is_in_flight),
        T(an_operation_outlives_its_handle),
        T(descriptor_numbers_are_used_again_without_a_mix_up),
        T(the_first_of_two_reads_wins),
        T(tries_work_without_an_operation),
    };
    RUN_ON_EACH_REACTOR(tests);
}
