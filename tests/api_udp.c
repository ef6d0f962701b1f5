/* SPDX-License-Identifier: MIT */
/*
 * api_udp.c: datagrams: to and from, a fixed peer, truncation, an order that is kept on the
 * loopback, cancel and close, and the documented error of every bad argument.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/net.h"
#include "support/skip.h"
#include "support/threads.h"
#include "support/unit.h"

static tmlrt_runtime_t *rt;

static int setup(void **state) {
    (void)state;
    rt = runtime_multi(2);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return tmlrt_runtime_destroy(rt);
}

static tmlrt_sock_t *open_on(const char *text, tmlrt_addr_t *addr) {
    tmlrt_sock_t *sock = NULL;
    require(tmlrt_addr_parse(addr, text) == TMLRT_OK);
    if (tmlrt_udp_open(rt, addr, NULL, &sock) != TMLRT_OK) return NULL;
    require(tmlrt_sock_local_addr(sock, addr) == TMLRT_OK);
    return sock;
}

static void a_datagram_comes_whole_with_its_sender(void **state) {
    (void)state;
    static const char *const hosts[] = {"127.0.0.1:0", "[::1]:0"};
    for (int i = 0; i < 2; i++) {
        tmlrt_addr_t  a, b, from;
        char          buf[64];
        tmlrt_sock_t *sa = open_on(hosts[i], &a), *sb = open_on(hosts[i], &b);
        if (sa == NULL && i == 1) continue; /* no IPv6 here */
        require(sa != NULL && sb != NULL);
        assert_int_equal(tmlrt_send_to(sa, "hello", 5, &b), 5);
        assert_int_equal(tmlrt_send_to(sa, NULL, 0, &b), 0);
        assert_int_equal(tmlrt_recv_from(sb, buf, sizeof buf, &from), 5);
        assert_memory_equal(buf, "hello", 5);
        assert_int_equal(from.length_, a.length_);
        assert_memory_equal(from.storage_, a.storage_, a.length_);
        /* An empty one is one, too. */
        assert_int_equal(tmlrt_recv_from(sb, buf, sizeof buf, NULL), 0);
        assert_int_equal(tmlrt_recv_from_until(sb, buf, sizeof buf, NULL, 1), TMLRT_ETIMEDOUT);
        tmlrt_sock_release(sa);
        tmlrt_sock_release(sb);
    }
}

static void one_that_is_too_long_says_so(void **state) {
    (void)state;
    tmlrt_addr_t  a, b, from;
    char          buf[4];
    static char   huge[70000];
    tmlrt_sock_t *sa = open_on("127.0.0.1:0", &a), *sb = open_on("127.0.0.1:0", &b);
    assert_int_equal(tmlrt_send_to(sa, "longer", 6, &b), 6);
    assert_int_equal(tmlrt_send_to(sa, "abcd", 4, &b), 4);
    assert_int_equal(tmlrt_recv_from(sb, buf, sizeof buf, &from), TMLRT_EMSGSIZE);
    assert_memory_equal(buf, "long", 4);
    assert_int_equal(tmlrt_addr_port(&from), tmlrt_addr_port(&a));
    assert_int_equal(tmlrt_recv_from(sb, buf, sizeof buf, NULL), 4);
    assert_memory_equal(buf, "abcd", 4);
    assert_int_equal(tmlrt_send_to(sa, huge, sizeof huge, &b), TMLRT_EMSGSIZE);
    tmlrt_sock_release(sa);
    tmlrt_sock_release(sb);
}

static void a_fixed_peer_needs_no_address(void **state) {
    (void)state;
    tmlrt_addr_t  a, b, c, peer;
    char          buf[8];
    tmlrt_sock_t *sa = open_on("127.0.0.1:0", &a), *sb = open_on("127.0.0.1:0", &b);
    tmlrt_sock_t *sc = open_on("127.0.0.1:0", &c);
    assert_int_equal(tmlrt_sock_peer_addr(sa, &peer), TMLRT_ENOTCONN);
    assert_true(tmlrt_send_to(sa, "x", 1, NULL) < 0);
    assert_int_equal(tmlrt_udp_connect(sa, &b), TMLRT_OK);
    assert_int_equal(tmlrt_sock_peer_addr(sa, &peer), TMLRT_OK);
    assert_int_equal(tmlrt_addr_port(&peer), tmlrt_addr_port(&b));
    assert_int_equal(tmlrt_send_to(sa, "ab", 2, NULL), 2);
    assert_int_equal(tmlrt_recv_from(sb, buf, sizeof buf, NULL), 2);
    /* A stranger is not heard. */
    assert_int_equal(tmlrt_send_to(sc, "stranger", 8, &a), 8);
    assert_int_equal(tmlrt_send_to(sb, "ok", 2, &a), 2);
    assert_int_equal(tmlrt_recv_from(sa, buf, sizeof buf, NULL), 2);
    assert_memory_equal(buf, "ok", 2);
    assert_int_equal(tmlrt_udp_connect(sa, NULL), TMLRT_OK);
    assert_int_equal(tmlrt_sock_peer_addr(sa, &peer), TMLRT_ENOTCONN);
    tmlrt_sock_release(sa);
    tmlrt_sock_release(sb);
    tmlrt_sock_release(sc);
}

static void a_socket_without_its_peer_keeps_its_port(void **state) {
    (void)state;
    skip_under_wine("it loses the port with the peer, and takes no other bind");
    static const char *const hosts[] = {"127.0.0.1:0", ":0", "[::1]:0"};
    for (int i = 0; i < 3; i++) {
        tmlrt_addr_t  a, b, c, local, to;
        char          buf[8];
        tmlrt_sock_t *sa = open_on(hosts[i], &a), *sb = open_on(hosts[i / 2 * 2], &b);
        tmlrt_sock_t *sc = open_on(hosts[i / 2 * 2], &c);
        if (sa == NULL && i == 2) continue; /* no IPv6 here */
        assert_int_equal(tmlrt_udp_connect(sa, &b), TMLRT_OK);
        assert_int_equal(tmlrt_udp_connect(sa, NULL), TMLRT_OK);
        assert_int_equal(tmlrt_udp_connect(sa, NULL), TMLRT_OK); /* there is none */
        assert_int_equal(tmlrt_sock_local_addr(sa, &local), TMLRT_OK);
        assert_int_equal(local.length_, a.length_);
        assert_memory_equal(local.storage_, a.storage_, a.length_);
        to = a;
        if (i == 1) { /* of any address: by the loopback */
            char text[32];
            snprintf(text, sizeof text, "127.0.0.1:%d", tmlrt_addr_port(&a));
            assert_int_equal(tmlrt_addr_parse(&to, text), TMLRT_OK);
        }
        assert_int_equal(tmlrt_send_to(sc, "third", 5, &to), 5);
        assert_int_equal(
            tmlrt_recv_from_until(sa, buf, sizeof buf, NULL, tmlrt_now(rt) + 10 * TMLRT_S), 5);
        tmlrt_sock_release(sa);
        tmlrt_sock_release(sb);
        tmlrt_sock_release(sc);
    }
}

static void a_refused_datagram_is_told_to_the_next_call(void **state) {
    (void)state;
    skip_under_wine("a receive that waits is not told of a refusal");
    tmlrt_addr_t  a, b;
    char          c;
    tmlrt_sock_t *sa = open_on("127.0.0.1:0", &a), *sb = open_on("127.0.0.1:0", &b);
    tmlrt_sock_release(sb); /* nobody is there */
    assert_int_equal(tmlrt_udp_connect(sa, &b), TMLRT_OK);
    assert_int_equal(tmlrt_send_to(sa, "x", 1, NULL), 1);
    assert_int_equal(tmlrt_recv_from(sa, &c, 1, NULL), TMLRT_ECONNREFUSED);
    tmlrt_sock_release(sa);
}

/* A fiber that answers until the end. */
typedef struct server {
    tmlrt_sock_t *sock;
    int64_t       end;
} server_t;

static void *fiber_answers(void *arg) {
    server_t    *s = arg;
    char         buf[64];
    tmlrt_addr_t from;
    int64_t      n;
    while ((n = tmlrt_recv_from(s->sock, buf, sizeof buf, &from)) >= 0)
        require(tmlrt_send_to(s->sock, buf, (size_t)n, &from) == n);
    s->end = n;
    return NULL;
}

static void many_are_answered(void *arg, int i) {
    tmlrt_addr_t  own;
    tmlrt_sock_t *sock = open_on("127.0.0.1:0", &own);
    for (int n = 0; n < 200; n++) {
        int     said[2] = {i, n}, heard[2] = {-1, -1};
        int64_t r;
        do { /* the loopback may drop what finds no room */
            require(tmlrt_send_to(sock, said, sizeof said, arg) == sizeof said);
            r = tmlrt_recv_from_until(sock, heard, sizeof heard, NULL, tmlrt_now(rt) + TMLRT_S);
        } while (r == TMLRT_ETIMEDOUT);
        require(r == sizeof heard && heard[0] == i && heard[1] == n);
    }
    tmlrt_sock_release(sock);
}

static void a_server_answers_many_clients(void **state) {
    (void)state;
    tmlrt_addr_t  addr;
    server_t      s = {.sock = open_on("127.0.0.1:0", &addr)};
    tmlrt_task_t *task;
    assert_int_equal(tmlrt_go(rt, fiber_answers, &s, NULL, &task), TMLRT_OK);
    on_threads(4, many_are_answered, &addr);
    assert_int_equal(tmlrt_sock_close(s.sock), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    assert_true(s.end == TMLRT_ECANCELED || s.end == TMLRT_ECLOSED);
    tmlrt_task_release(task);
    tmlrt_sock_release(s.sock);
}

static void cancel_and_busy(void **state) {
    (void)state;
    tmlrt_addr_t  addr;
    char          c;
    tmlrt_sock_t *sock = open_on("127.0.0.1:0", &addr);
    tmlrt_op_t    op = TMLRT_OP_INIT, second = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_op_recv_from(&op, sock, &c, 1, NULL), TMLRT_OK);
    assert_int_equal(start(&op), 1);
    assert_int_equal(tmlrt_op_recv_from(&op, sock, &c, 1, NULL), TMLRT_EBUSY);
    assert_int_equal(tmlrt_op_recv_from(&second, sock, &c, 1, NULL), TMLRT_OK);
    assert_int_equal(finish(&second), TMLRT_EBUSY);
    assert_int_equal(tmlrt_op_cancel(&op), TMLRT_OK);
    assert_int_equal(finish(&op), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_op_transferred(&op), 0);
    /* Sending goes on beside a receive. */
    assert_int_equal(tmlrt_op_recv_from(&op, sock, &c, 1, NULL), TMLRT_OK);
    assert_int_equal(start(&op), 1);
    assert_int_equal(tmlrt_send_to(sock, "z", 1, &addr), 1);
    assert_int_equal(finish(&op), 1);
    assert_int_equal(c, 'z');
    tmlrt_sock_release(sock);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_addr_t        addr = loopback(), none = {0}, local;
    tmlrt_udp_options_t options = TMLRT_UDP_OPTIONS_INIT;
    tmlrt_sock_t       *sock = NULL, *listener;
    tmlrt_op_t          op = TMLRT_OP_INIT;
    char                c = 0;
    assert_int_equal(tmlrt_udp_open(rt, NULL, NULL, &sock), TMLRT_EINVAL);
    assert_int_equal(tmlrt_udp_open(rt, &none, NULL, &sock), TMLRT_EINVAL);
    assert_int_equal(tmlrt_udp_open(rt, &addr, NULL, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_udp_open(NULL, &addr, NULL, &sock), TMLRT_ENORUNTIME);
    assert_int_equal(tmlrt_addr_unix(&local, "/nowhere"), TMLRT_OK);
    assert_int_equal(tmlrt_udp_open(rt, &local, NULL, &sock), TMLRT_EINVAL);
    options.flags = 1u << 30;
    assert_int_equal(tmlrt_udp_open(rt, &addr, &options, &sock), TMLRT_EINVAL);
    options.flags = TMLRT_UDP_REUSEADDR | TMLRT_UDP_REUSEPORT | TMLRT_UDP_BROADCAST;
    options.send_buffer = options.recv_buffer = 65536;
#if defined(_WIN32)
    assert_int_equal(tmlrt_udp_open(rt, &addr, &options, &sock), TMLRT_ENOTSUP);
    options.flags &= ~TMLRT_UDP_REUSEPORT;
#endif
    assert_int_equal(tmlrt_udp_open(rt, &addr, &options, &sock), TMLRT_OK);
    listener = listener_on(rt, &addr);
    assert_int_equal(tmlrt_op_send_to(NULL, sock, &c, 1, &addr), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_send_to(&op, NULL, &c, 1, &addr), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_send_to(&op, listener, &c, 1, &addr), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_send_to(&op, sock, NULL, 1, &addr), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_send_to(&op, sock, &c, 1, &none), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_send_to(&op, sock, &c, 1, &local), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_recv_from(&op, NULL, &c, 1, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_recv_from(&op, sock, NULL, 1, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_udp_connect(NULL, &addr), TMLRT_EINVAL);
    assert_int_equal(tmlrt_udp_connect(listener, &addr), TMLRT_EINVAL);
    assert_int_equal(tmlrt_udp_connect(sock, &none), TMLRT_EINVAL);
    /* It is no stream. */
    assert_int_equal(tmlrt_read(sock, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_try_write(sock, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_shutdown(sock, TMLRT_SHUT_WRITE), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_close(sock), TMLRT_OK);
    assert_int_equal(tmlrt_recv_from(sock, &c, 1, NULL), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_send_to(sock, &c, 1, &addr), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_udp_connect(sock, &addr), TMLRT_ECLOSED);
    tmlrt_sock_release(sock);
    tmlrt_sock_release(listener);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_datagram_comes_whole_with_its_sender, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_too_long_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fixed_peer_needs_no_address, setup, teardown),
        cmocka_unit_test_setup_teardown(a_socket_without_its_peer_keeps_its_port, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_datagram_is_told_to_the_next_call, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_server_answers_many_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(cancel_and_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_arguments_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
