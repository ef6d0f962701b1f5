/* SPDX-License-Identifier: MIT */
/*
 * api_net.c: sockets through the public headers: options, addresses, ends of life, fork, and the
 * documented error of every bad argument. conformance_*.c has the transfers.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/skip.h"
#include "support/net.h"
#include "support/skip.h"
#include "support/threads.h"
#include "support/unit.h"

static tmlrt_runtime_t *rt;
static bool             inherited[256]; /* descriptors that were open before the test began */

static int setup(void **state) {
    (void)state;
    rt = runtime_multi(2);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return tmlrt_runtime_destroy(rt);
}

static void a_listener_has_an_address_and_no_peer(void **state) {
    (void)state;
    tmlrt_addr_t  addr, peer;
    char          text[72];
    tmlrt_sock_t *listener = listener_on(rt, &addr);
    assert_true(tmlrt_addr_format(&addr, text, sizeof text) > 0);
    assert_memory_equal(text, "127.0.0.1:", 10);
    assert_true(tmlrt_addr_port(&addr) > 0);
    assert_int_equal(tmlrt_sock_peer_addr(listener, &peer), TMLRT_ENOTCONN);
    tmlrt_sock_release(listener);
}

static void an_address_in_use_is_refused(void **state) {
    (void)state;
    tmlrt_addr_t  addr, elsewhere;
    tmlrt_sock_t *listener = listener_on(rt, &addr), *other = NULL;
    assert_int_equal(tmlrt_tcp_listen(rt, &addr, NULL, &other), TMLRT_EADDRINUSE);
    assert_int_equal(tmlrt_addr_parse(&elsewhere, "192.0.2.1:0"), TMLRT_OK);
    assert_int_equal(tmlrt_tcp_listen(rt, &elsewhere, NULL, &other), TMLRT_EADDRNOTAVAIL);
    assert_null(other);
    tmlrt_sock_release(listener);
}

static void listeners_share_a_port_when_asked(void **state) {
    (void)state;
    tmlrt_tcp_options_t options = TMLRT_TCP_OPTIONS_INIT;
    tmlrt_addr_t        addr = loopback();
    tmlrt_sock_t       *a = NULL, *b = NULL;
    options.flags = TMLRT_TCP_REUSEPORT | TMLRT_TCP_NO_REUSEADDR;
#if defined(_WIN32)
    assert_int_equal(tmlrt_tcp_listen(rt, &addr, &options, &a), TMLRT_ENOTSUP);
#else
    assert_int_equal(tmlrt_tcp_listen(rt, &addr, &options, &a), TMLRT_OK);
    assert_int_equal(tmlrt_sock_local_addr(a, &addr), TMLRT_OK);
    assert_int_equal(tmlrt_tcp_listen(rt, &addr, &options, &b), TMLRT_OK);
#endif
    tmlrt_sock_release(a);
    tmlrt_sock_release(b);
}

static void ipv6_works_where_there_is_any(void **state) {
    (void)state;
    tmlrt_tcp_options_t options = TMLRT_TCP_OPTIONS_INIT;
    tmlrt_addr_t        addr;
    tmlrt_sock_t       *listener = NULL, *client = NULL, *served = NULL;
    tmlrt_op_t          op = TMLRT_OP_INIT, op2 = TMLRT_OP_INIT;
    options.flags = TMLRT_TCP_V6ONLY;
    assert_int_equal(tmlrt_addr_parse(&addr, "[::1]:0"), TMLRT_OK);
    int e = tmlrt_tcp_listen(rt, &addr, &options, &listener);
    if (e == TMLRT_EADDRNOTAVAIL || e == TMLRT_EAFNOSUPPORT)
        skip_because("no IPv6 on this machine");
    assert_int_equal(e, TMLRT_OK);
    assert_int_equal(tmlrt_sock_local_addr(listener, &addr), TMLRT_OK);
    tmlrt_op_connect(&op, rt, &addr, NULL, &client);
    start(&op);
    tmlrt_op_accept(&op2, listener, &served);
    assert_int_equal(finish(&op2), TMLRT_OK);
    assert_int_equal(finish(&op), TMLRT_OK);
    tmlrt_sock_release(client);
    tmlrt_sock_release(served);
    tmlrt_sock_release(listener);
}

static void every_descriptor_is_close_on_exec_and_sigpipe_never_comes(void **state) {
    (void)state;
    int           peer;
    tmlrt_op_t    op = TMLRT_OP_INIT;
    tmlrt_sock_t *sock = sock_and_peer(rt, &peer);
    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        assert_true(flags < 0 || inherited[fd] || (flags & FD_CLOEXEC) != 0);
    }
    close(peer);
    for (int64_t r = 1; r > 0;) {
        tmlrt_op_write(&op, sock, "x", 1);
        r = finish(&op);
        if (r > 0) continue;
        assert_true(r == TMLRT_EPIPE || r == TMLRT_ECONNRESET);
    }
    tmlrt_sock_release(sock);
}

static void options_are_checked_and_set(void **state) {
    (void)state;
    int           peer;
    tmlrt_sock_t *sock = sock_and_peer(rt, &peer);
    assert_int_equal(tmlrt_sock_set(sock, TMLRT_SOCK_NODELAY, 1), TMLRT_OK);
    assert_int_equal(tmlrt_sock_set(sock, TMLRT_SOCK_NODELAY, 2), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_set(sock, TMLRT_SOCK_KEEPALIVE, 0), TMLRT_OK);
    assert_int_equal(tmlrt_sock_set(sock, TMLRT_SOCK_SEND_BUFFER, 65536), TMLRT_OK);
    assert_int_equal(tmlrt_sock_set(sock, TMLRT_SOCK_RECV_BUFFER, 65536), TMLRT_OK);
    assert_int_equal(tmlrt_sock_set(sock, TMLRT_SOCK_RECV_BUFFER, 0), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_set(sock, TMLRT_SOCK_RECV_BUFFER, INT64_MAX), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_set(sock, TMLRT_SOCK_LINGER, -1), TMLRT_OK);
    /* A close never blocks. */
    assert_int_equal(tmlrt_sock_set(sock, TMLRT_SOCK_LINGER, 1), TMLRT_ENOTSUP);
    assert_int_equal(tmlrt_sock_set(sock, TMLRT_SOCK_LINGER, INT64_MAX), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_set(sock, 0, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_set(sock, 99, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_set(NULL, TMLRT_SOCK_NODELAY, 1), TMLRT_EINVAL);
    tmlrt_sock_release(sock);
    close(peer);
}

static void a_linger_of_zero_resets(void **state) {
    (void)state;
    skip_under_wine("an accepted socket does not keep SO_LINGER");
    int           peer;
    char          c;
    tmlrt_sock_t *sock = sock_and_peer(rt, &peer);
    assert_int_equal(tmlrt_sock_set(sock, TMLRT_SOCK_LINGER, 0), TMLRT_OK);
    tmlrt_sock_release(sock);
    assert_int_equal(recv(peer, &c, 1, 0), -1);
    close(peer);
}

static void a_closed_socket_says_so_everywhere(void **state) {
    (void)state;
    int           peer;
    char          c;
    tmlrt_addr_t  addr;
    tmlrt_op_t    op = TMLRT_OP_INIT;
    tmlrt_sock_t *sock = sock_and_peer(rt, &peer);
    tmlrt_iovec_t iov = {&c, 1};
    assert_int_equal(tmlrt_sock_close(sock), TMLRT_OK);
    assert_int_equal(tmlrt_sock_close(sock), TMLRT_EALREADY);
    assert_int_equal(tmlrt_sock_shutdown(sock, TMLRT_SHUT_BOTH), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_sock_local_addr(sock, &addr), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_sock_peer_addr(sock, &addr), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_sock_set(sock, TMLRT_SOCK_NODELAY, 1), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_try_read(sock, &c, 1), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_try_write(sock, &c, 1), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_op_write(&op, sock, &c, 1), TMLRT_OK);
    assert_int_equal(finish(&op), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_op_readv(&op, sock, &iov, 1), TMLRT_OK);
    assert_int_equal(finish(&op), TMLRT_ECLOSED);
    tmlrt_sock_release(sock);
    close(peer);
}

static void bad_streams_are_refused(void **state) {
    (void)state;
    int           peer;
    char          c;
    tmlrt_addr_t  addr;
    tmlrt_op_t    op = TMLRT_OP_INIT;
    tmlrt_sock_t *sock = sock_and_peer(rt, &peer), *listener = listener_on(rt, &addr);
    tmlrt_iovec_t iov = {NULL, 1}, huge[2] = {{&c, SIZE_MAX / 2}, {&c, SIZE_MAX / 2}};
    assert_int_equal(tmlrt_op_read(NULL, sock, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_read(&op, NULL, &c, 1), TMLRT_EINVAL);
    assert_int_equal(finish(&op), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_read(&op, sock, NULL, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_read(&op, listener, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_read_exact(&op, sock, &c, SIZE_MAX), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_write(&op, sock, NULL, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_write(&op, listener, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_readv(&op, sock, NULL, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_readv(&op, sock, &iov, 0), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_readv(&op, sock, &iov, 1025), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_readv(&op, sock, &iov, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_writev(&op, sock, huge, 2), TMLRT_EINVAL);
    assert_int_equal(finish(&op), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_transferred(&op), 0);
    assert_int_equal(tmlrt_op_transferred(NULL), 0);
    assert_int_equal(tmlrt_try_read(NULL, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_try_read(sock, NULL, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_try_read(sock, NULL, 0), 0);
    assert_int_equal(tmlrt_try_write(listener, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_shutdown(NULL, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_shutdown(sock, 0), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_shutdown(sock, 4), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_shutdown(listener, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_close(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_local_addr(NULL, &addr), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_peer_addr(sock, NULL), TMLRT_EINVAL);
    tmlrt_sock_release(NULL);
    tmlrt_op_read(&op, sock, &c, 1);
    assert_true(start(&op));
    assert_int_equal(tmlrt_op_write(&op, sock, &c, 1), TMLRT_EBUSY); /* the op, not the socket */
    tmlrt_op_cancel(&op);
    assert_int_equal(finish(&op), TMLRT_ECANCELED);
    tmlrt_sock_release(sock);
    tmlrt_sock_release(listener);
    close(peer);
}

static void bad_listens_accepts_and_connects_are_refused(void **state) {
    (void)state;
    int                 peer;
    tmlrt_tcp_options_t options = TMLRT_TCP_OPTIONS_INIT;
    struct {
        tmlrt_tcp_options_t known;
        uint64_t            tail;
    } larger = {TMLRT_TCP_OPTIONS_INIT, 0};
    tmlrt_addr_t  addr = loopback(), none = {0};
    tmlrt_op_t    op = TMLRT_OP_INIT;
    tmlrt_sock_t *sock = sock_and_peer(rt, &peer), *out = NULL;
    assert_int_equal(tmlrt_tcp_listen(rt, NULL, NULL, &out), TMLRT_EINVAL);
    assert_int_equal(tmlrt_tcp_listen(rt, &none, NULL, &out), TMLRT_EINVAL);
    assert_int_equal(tmlrt_tcp_listen(rt, &addr, NULL, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_tcp_listen(NULL, &addr, NULL, &out), TMLRT_ENORUNTIME);
    options.flags = 0x80000000u;
    assert_int_equal(tmlrt_tcp_listen(rt, &addr, &options, &out), TMLRT_EINVAL);
    options = (tmlrt_tcp_options_t)TMLRT_TCP_OPTIONS_INIT;
    options.struct_size = 1;
    assert_int_equal(tmlrt_tcp_listen(rt, &addr, &options, &out), TMLRT_EINVAL);
    larger.known.struct_size = sizeof larger;
    larger.tail = 1;
    assert_int_equal(tmlrt_tcp_listen(rt, &addr, &larger.known, &out), TMLRT_EINVAL);
    larger.tail = 0;
    assert_int_equal(tmlrt_tcp_listen(rt, &addr, &larger.known, &out), TMLRT_OK);
    tmlrt_sock_release(out);
    out = NULL;

    assert_int_equal(tmlrt_op_accept(&op, NULL, &out), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_accept(&op, sock, &out), TMLRT_EINVAL);
    tmlrt_sock_t *listener = listener_on(rt, &addr);
    assert_int_equal(tmlrt_op_accept(&op, listener, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_accept(NULL, listener, &out), TMLRT_EINVAL);

    assert_int_equal(tmlrt_op_connect(NULL, rt, &addr, NULL, &out), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_connect(&op, rt, NULL, NULL, &out), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_connect(&op, rt, &none, NULL, &out), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_connect(&op, rt, &addr, NULL, NULL), TMLRT_EINVAL);
    options = (tmlrt_tcp_options_t)TMLRT_TCP_OPTIONS_INIT;
    options.flags = TMLRT_TCP_REUSEPORT;
    assert_int_equal(tmlrt_op_connect(&op, rt, &addr, &options, &out), TMLRT_EINVAL);
    assert_int_equal(finish(&op), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_connect(&op, NULL, &addr, NULL, &out), TMLRT_OK);
    assert_int_equal(finish(&op), TMLRT_ENORUNTIME);
    assert_null(out);
    tmlrt_sock_release(listener);
    tmlrt_sock_release(sock);
    close(peer);
}

static void a_child_is_refused(void **state) {
    (void)state;
    skip_on_windows("there is no fork");
    int           peer, status;
    char          c;
    tmlrt_op_t    op = TMLRT_OP_INIT;
    tmlrt_addr_t  addr = loopback();
    tmlrt_sock_t *sock = sock_and_peer(rt, &peer), *out = NULL;
    pid_t         child = fork();
    if (child == 0) {
        bool ok = tmlrt_op_read(&op, sock, &c, 1) == TMLRT_EFORKED &&
                  tmlrt_try_read(sock, &c, 1) == TMLRT_EFORKED &&
                  tmlrt_sock_close(sock) == TMLRT_EFORKED &&
                  tmlrt_sock_local_addr(sock, &addr) == TMLRT_EFORKED &&
                  tmlrt_tcp_listen(rt, &addr, NULL, &out) == TMLRT_EFORKED &&
                  tmlrt_op_connect(&op, rt, &addr, NULL, &out) == TMLRT_EFORKED;
        tmlrt_sock_release(sock);
        ok = ok && tmlrt_runtime_destroy(rt) == TMLRT_OK; /* closes the child's descriptors */
        close(peer);
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    tmlrt_op_read(&op, sock, &c, 1); /* the parent's goes on */
    start(&op);
    raw_send(peer, "x", 1);
    assert_int_equal(finish(&op), 1);
    tmlrt_sock_release(sock);
    assert_int_equal(raw_recv(peer, &c, 1), 0);
    close(peer);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    for (int fd = 0; fd < 256; fd++)
        inherited[fd] = fcntl(fd, F_GETFD) >= 0;
    const struct CMUnitTest tests[] = {
        T(a_listener_has_an_address_and_no_peer),
        T(an_address_in_use_is_refused),
        T(listeners_share_a_port_when_asked),
        T(ipv6_works_where_there_is_any),
        T(every_descriptor_is_close_on_exec_and_sigpipe_never_comes),
        T(options_are_checked_and_set),
        T(a_linger_of_zero_resets),
        T(a_closed_socket_says_so_everywhere),
        T(bad_streams_are_refused),
        T(bad_listens_accepts_and_connects_are_refused),
        T(a_child_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
