/* SPDX-License-Identifier: MIT */
/*
 * test_iocp_windows.c: what only the reactor of Windows has to deal with, through the fault seam.
 * The runtimes have no thread of their own, so the seam counts the calls of this thread alone.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "support/net.h"
#include "support/unit.h"
#include "tcp.h"

static tmlrt_runtime_t *rt;

static int setup(void **state) {
    (void)state;
    rt = runtime_current_thread();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return tmlrt_runtime_destroy(rt);
}

static tmlrt_sock_t *udp_on(tmlrt_addr_t *addr) {
    tmlrt_sock_t *sock = NULL;
    *addr = loopback();
    require(tmlrt_udp_open(rt, addr, NULL, &sock) == TMLRT_OK);
    require(tmlrt_sock_local_addr(sock, addr) == TMLRT_OK);
    return sock;
}

/* ---- datagrams that find nobody ---------------------------------------------------------------- */

/* Starts a receive with its first `n` system calls failing. */
static int start_failing(tmlrt_op_t *op, uint64_t n, int error) {
    tmlrt__fault_arm(TMLRT__FAULT_SYS, 1, n > 1, error);
    int pending = start(op);
    assert_true(tmlrt__fault_fired(TMLRT__FAULT_SYS) >= 1);
    tmlrt__fault_disarm();
    return pending;
}

static void a_client_that_vanished_does_not_end_the_servers_receive(void **state) {
    (void)state;
    static const int errors[] = {ECONNRESET, ECONNREFUSED};
    tmlrt_addr_t     addr, from;
    char             c;
    tmlrt_op_t       op = TMLRT_OP_INIT;
    tmlrt_sock_t    *server = udp_on(&addr), *client = udp_on(&from);
    for (int i = 0; i < 2; i++) {
        /* Told by the call itself. */
        assert_int_equal(tmlrt_op_recv_from(&op, server, &c, 1, &from), TMLRT_OK);
        assert_int_equal(start_failing(&op, 1, errors[i]), 1);
        assert_int_equal(tmlrt_send_to(client, "x", 1, &addr), 1);
        assert_int_equal(finish(&op), 1);
        assert_int_equal(c, 'x');
        assert_int_equal(tmlrt_op_send_to(&op, server, "y", 1, &from), TMLRT_OK);
        start_failing(&op, 1, errors[i]);
        assert_int_equal(finish(&op), 1);
        assert_int_equal(tmlrt_recv_from(client, &c, 1, NULL), 1);
        /* Again and again: an error, and no loop without an end. */
        assert_int_equal(tmlrt_op_recv_from(&op, server, &c, 1, NULL), TMLRT_OK);
        assert_int_equal(start_failing(&op, 2, errors[i]), 0);
        assert_int_equal(tmlrt_op_result(&op), TMLRT_ECONNREFUSED);
    }
    tmlrt_sock_release(server);
    tmlrt_sock_release(client);
}

/* The same told by the packet: one that failed, whatever for, with the seam's word for why. */
static void a_packet_that_failed_is_asked_for_its_error(void **state) {
    (void)state;
    tmlrt_addr_t  addr, from;
    char          c;
    tmlrt_op_t    op = TMLRT_OP_INIT;
    tmlrt_sock_t *server = udp_on(&addr), *client = udp_on(&from);
    assert_int_equal(tmlrt_op_recv_from(&op, server, &c, 1, NULL), TMLRT_OK);
    assert_int_equal(start(&op), 1);
    assert_true(CancelIoEx((HANDLE)(intptr_t)server->source.fd, NULL));
    drive(rt);
    tmlrt__fault_arm(TMLRT__FAULT_SYS, 1, false, ECONNRESET);
    assert_int_equal(start(&op), 1); /* nobody's: it waits on */
    assert_int_equal(tmlrt__fault_fired(TMLRT__FAULT_SYS), 1);
    tmlrt__fault_disarm();
    assert_int_equal(tmlrt_send_to(client, "x", 1, &addr), 1);
    assert_int_equal(finish(&op), 1);
    assert_int_equal(tmlrt_udp_connect(server, &from), TMLRT_OK);
    assert_int_equal(tmlrt_op_recv_from(&op, server, &c, 1, NULL), TMLRT_OK);
    assert_int_equal(start(&op), 1);
    assert_true(CancelIoEx((HANDLE)(intptr_t)server->source.fd, NULL));
    drive(rt);
    tmlrt__fault_arm(TMLRT__FAULT_SYS, 1, false, ECONNRESET);
    assert_int_equal(start(&op), 0);
    tmlrt__fault_disarm();
    assert_int_equal(tmlrt_op_result(&op), TMLRT_ECONNREFUSED);
    tmlrt_sock_release(server);
    tmlrt_sock_release(client);
}

static void the_one_peer_that_vanished_is_told(void **state) {
    (void)state;
    tmlrt_addr_t  addr, other;
    char          c;
    tmlrt_op_t    op = TMLRT_OP_INIT;
    tmlrt_sock_t *a = udp_on(&addr), *b = udp_on(&other);
    assert_int_equal(tmlrt_udp_connect(a, &other), TMLRT_OK);
    assert_int_equal(tmlrt_op_recv_from(&op, a, &c, 1, NULL), TMLRT_OK);
    assert_int_equal(start_failing(&op, 1, ECONNRESET), 0);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_ECONNREFUSED);
    tmlrt_sock_release(a);
    tmlrt_sock_release(b);
}

/* ---- connections that wait ------------------------------------------------------------------- */

static void more_than_200_connections_wait_for_their_accept(void **state) {
    (void)state;
    enum { N = 250 };
    tmlrt_addr_t  addr;
    tmlrt_sock_t *listener = listener_on(rt, &addr), *sock = NULL;
    int           peer[N];
    for (int i = 0; i < N; i++)
        peer[i] = raw_connect(&addr);
    for (int i = 0; i < N; i++) {
        assert_int_equal(tmlrt_accept(listener, &sock), TMLRT_OK);
        tmlrt_sock_release(sock);
    }
    for (int i = 0; i < N; i++)
        close(peer[i]);
    tmlrt_sock_release(listener);
}

/* ---- foreign sockets ------------------------------------------------------------------------- */

/* The request of a registration is in flight until its packet came; it may be gone before. */
static void a_socket_is_registered_again_before_the_former_packet_came(void **state) {
    (void)state;
    tmlrt_op_t op = TMLRT_OP_INIT;
    for (int round = 0; round < 50; round++) {
        int         fds[2];
        char        c;
        tmlrt_fd_t *reg = NULL;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        for (int again = 0; again < 4; again++) {
            assert_int_equal(tmlrt_fd_open(rt, fds[0], &reg), TMLRT_OK);
            assert_int_equal(tmlrt_op_fd_wait(&op, reg, TMLRT_FD_READ), TMLRT_OK);
            assert_int_equal(start(&op), 1);
            if (again == 3) break;
            tmlrt_fd_close(reg);
            assert_int_equal(finish(&op), TMLRT_ECANCELED);
        }
        drive(rt); /* the packets of the former ones are nobody's */
        assert_int_equal(start(&op), 1);
        assert_int_equal(send(fds[1], "x", 1, 0), 1);
        assert_int_equal(finish(&op), TMLRT_FD_READ);
        assert_int_equal(recv(fds[0], &c, 1, 0), 1);
        assert_int_equal(tmlrt_op_fd_wait(&op, reg, TMLRT_FD_READ), TMLRT_OK);
        assert_int_equal(start(&op), 1);
        tmlrt_fd_close(reg);
        assert_int_equal(finish(&op), TMLRT_ECANCELED);
        close(fds[0]); /* its number may be the next one's */
        close(fds[1]);
    }
}

static void many_sockets_are_registered_once_each(void **state) {
    (void)state;
    enum { N = 200 };
    int         fd[N];
    tmlrt_fd_t *reg[N], *second = NULL;
    for (int i = 0; i < N; i++) {
        fd[i] = socket(AF_INET, SOCK_DGRAM, 0);
        assert_int_equal(tmlrt_fd_open(rt, fd[i], &reg[i]), TMLRT_OK);
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(tmlrt_fd_open(rt, fd[i], &second), TMLRT_EEXIST);
    for (int i = 0; i < N; i++) {
        tmlrt_fd_close(reg[i]);
        assert_int_equal(tmlrt_fd_open(rt, fd[i], &reg[i]), TMLRT_OK);
        tmlrt_fd_close(reg[i]);
        close(fd[i]);
    }
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_client_that_vanished_does_not_end_the_servers_receive),
        T(a_packet_that_failed_is_asked_for_its_error),
        T(the_one_peer_that_vanished_is_told),
        T(more_than_200_connections_wait_for_their_accept),
        T(a_socket_is_registered_again_before_the_former_packet_came),
        T(many_sockets_are_registered_once_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
