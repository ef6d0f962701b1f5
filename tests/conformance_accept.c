/* SPDX-License-Identifier: MIT */
/*
 * conformance_accept.c: the same suite on every reactor (see conformance_reactor.c): accept,
 * connect, waits for descriptors, many connections at once, and shutdown with I/O in flight.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "support/conformance.h"
#include "support/limits.h"
#include "support/net.h"
#include "support/skip.h"
#include "support/unit.h"

/* ---- accept --------------------------------------------------------------------------------- */

static void start_accept(fixture_t *f) {
    assert_int_equal(tmlrt_op_accept(&f->op, f->listener, &f->sock), TMLRT_OK);
    assert_true(start(&f->op));
}

static void an_accept_waits_for_a_connection(void **state) {
    fixture_t *f = *state;
    start_accept(f);
    int peer = raw_connect(&f->addr);
    assert_int_equal(finish(&f->op), TMLRT_OK);
    assert_non_null(f->sock);
    tmlrt_addr_t theirs;
    assert_int_equal(tmlrt_sock_peer_addr(f->sock, &theirs), TMLRT_OK);
    assert_true(tmlrt_addr_port(&theirs) > 0);
    close(peer);
}

static void connections_that_came_together_are_all_accepted(void **state) {
    fixture_t *f = *state;
    int        peer[20];
    start_accept(f);
    for (int i = 0; i < 20; i++)
        peer[i] = raw_connect(&f->addr);
    for (int i = 0; i < 20; i++) {
        if (i > 0) tmlrt_op_accept(&f->op, f->listener, &f->sock);
        assert_int_equal(finish(&f->op), TMLRT_OK);
        tmlrt_sock_release(f->sock);
        f->sock = NULL;
    }
    for (int i = 0; i < 20; i++)
        close(peer[i]);
}

static void a_second_accept_is_busy(void **state) {
    fixture_t    *f = *state;
    tmlrt_sock_t *other = NULL;
    start_accept(f);
    tmlrt_op_accept(&f->op2, f->listener, &other);
    assert_int_equal(finish(&f->op2), TMLRT_EBUSY);
    tmlrt_op_cancel(&f->op);
    assert_int_equal(finish(&f->op), TMLRT_ECANCELED);
    assert_null(other);
}

static void an_accept_is_cancelled_timed_out_and_closed(void **state) {
    fixture_t *f = *state;
    start_accept(f);
    tmlrt_op_cancel(&f->op);
    assert_int_equal(finish(&f->op), TMLRT_ECANCELED);
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    tmlrt_op_deadline(&f->op, tmlrt_now(f->rt) + 2 * TMLRT_MS);
    assert_int_equal(finish(&f->op), TMLRT_ETIMEDOUT);
    start_accept(f);
    assert_int_equal(tmlrt_sock_close(f->listener), TMLRT_OK);
    assert_int_equal(finish(&f->op), TMLRT_ECANCELED);
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    assert_int_equal(finish(&f->op), TMLRT_ECLOSED);
    assert_null(f->sock);
}

static void a_lack_of_descriptors_is_told_once_and_passes(void **state) {
    skip_on_windows("a process cannot limit its handles");
    fixture_t *f = *state;
    if (limits_are_emulated()) skip_because("memcheck loses what it accepts above a limit");
    start_accept(f);
    int           peer = raw_connect(&f->addr);
    struct rlimit was;
    if (reactor_is_current_thread()) {
        was = take_descriptors();
    } else { /* it may have been accepted already */
        assert_int_equal(finish(&f->op), TMLRT_OK);
        tmlrt_sock_release(f->sock);
        f->sock = NULL;
        close(peer);
        peer = raw_connect(&f->addr);
        was = take_descriptors();
        tmlrt_op_accept(&f->op, f->listener, &f->sock);
    }
    assert_int_equal(finish(&f->op), TMLRT_EMFILE);
    start_accept(f); /* it rests */
    tmlrt_op_cancel(&f->op);
    assert_int_equal(finish(&f->op), TMLRT_ECANCELED);
    start_accept(f);
    give_descriptors(was);
    assert_int_equal(finish(&f->op), TMLRT_OK);
    assert_non_null(f->sock);
    close(peer);
}

static void a_rest_ends_with_the_deadline_or_the_listener(void **state) {
    skip_on_windows("a process cannot limit its handles");
    fixture_t *f = *state;
    if (limits_are_emulated()) skip_because("memcheck loses what it accepts above a limit");
    int peer = raw_connect(&f->addr);
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    assert_int_equal(finish(&f->op), TMLRT_OK);
    tmlrt_sock_release(f->sock);
    f->sock = NULL;
    close(peer);
    peer = raw_connect(&f->addr);
    struct rlimit was = take_descriptors();
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    assert_int_equal(finish(&f->op), TMLRT_EMFILE);
    give_descriptors(was);
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    tmlrt_op_deadline(&f->op, tmlrt_now(f->rt) + TMLRT_MS);
    int64_t r = finish(&f->op); /* a slow machine may get there after the rest */
    assert_true(r == TMLRT_ETIMEDOUT || r == TMLRT_OK);
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    start(&f->op);
    tmlrt_sock_release(f->listener);
    f->listener = NULL;
    r = finish(&f->op);
    assert_true(r == TMLRT_ECANCELED || r == TMLRT_OK);
    close(peer);
}

/* Makes the listener rest: the seam fails a call as for want of descriptors. */
static void lack_descriptors(fixture_t *f) {
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    tmlrt__fault_arm(TMLRT__FAULT_SYS, 1, false, EMFILE);
    int pending = start(&f->op);
    assert_int_equal(tmlrt__fault_fired(TMLRT__FAULT_SYS), 1);
    tmlrt__fault_disarm();
    assert_false(pending);
    assert_int_equal(tmlrt_op_result(&f->op), TMLRT_EMFILE);
}

static void an_accept_that_rests_is_cancelled_timed_out_and_closed(void **state) {
    fixture_t *f = *state;
    if (reactor_is_sim() || !reactor_is_current_thread())
        skip_because("the seam counts the calls of this thread's own attempts only");
    int peer = raw_connect(&f->addr);
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    assert_int_equal(finish(&f->op), TMLRT_OK); /* from here on a call is worth trying at once */
    lack_descriptors(f);
    start_accept(f);
    tmlrt_op_cancel(&f->op);
    assert_int_equal(finish(&f->op), TMLRT_ECANCELED);
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    tmlrt_op_deadline(&f->op, tmlrt_now(f->rt) + TMLRT_MS);
    assert_int_equal(finish(&f->op), TMLRT_ETIMEDOUT);
    start_accept(f);
    assert_int_equal(tmlrt_sock_close(f->listener), TMLRT_OK);
    assert_int_equal(finish(&f->op), TMLRT_ECANCELED);
    close(peer);
}

static void a_connection_that_died_in_the_queue_is_passed_over(void **state) {
    fixture_t *f = *state;
    if (reactor_is_sim() || !reactor_is_current_thread())
        skip_because("the seam counts the calls of this thread's own attempts only");
    skip_on_windows("an accept makes no call that a death in the queue could fail at once");
    int peer = raw_connect(&f->addr);
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    assert_int_equal(finish(&f->op), TMLRT_OK); /* from here on a call is worth trying at once */
    tmlrt_sock_release(f->sock);
    close(peer);
    peer = raw_connect(&f->addr);
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    tmlrt__fault_arm(TMLRT__FAULT_SYS, 1, false, ECONNABORTED);
    int pending = start(&f->op);
    assert_int_equal(tmlrt__fault_fired(TMLRT__FAULT_SYS), 1);
    tmlrt__fault_disarm();
    assert_false(pending);
    assert_int_equal(tmlrt_op_result(&f->op), TMLRT_OK);
    close(peer);
}

static void a_lack_of_memory_behind_the_accept_is_one_too(void **state) {
    fixture_t *f = *state;
    if (reactor_is_sim() || !reactor_is_current_thread())
        skip_because("the seam counts the calls of this thread's own attempts only");
    skip_on_windows("an accept makes no call that could fail at once");
    int peer = raw_connect(&f->addr);
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    assert_int_equal(finish(&f->op), TMLRT_OK);
    tmlrt_sock_release(f->sock);
    f->sock = NULL;
    int second = raw_connect(&f->addr), third = raw_connect(&f->addr);
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    tmlrt__fault_arm(TMLRT__FAULT_SYS, 2, false, ENOMEM); /* the accept, the attach */
    int pending = start(&f->op);
    tmlrt__fault_disarm();
    assert_false(pending);
    assert_int_equal(tmlrt_op_result(&f->op), TMLRT_ENOMEM);
    start_accept(f); /* the third waits, and the accept rests, as net.h says */
    assert_int_equal(finish(&f->op), TMLRT_OK);
    close(peer);
    close(second);
    close(third);
}

static void a_reset_before_the_accept_hangs_nothing(void **state) {
    fixture_t *f = *state;
    char       buf[4];
    raw_reset(raw_connect(&f->addr));
    int peer = raw_connect(&f->addr);
    raw_send(peer, "x", 1);
    for (bool found = false; !found;) {
        tmlrt_op_accept(&f->op, f->listener, &f->sock);
        assert_int_equal(finish(&f->op), TMLRT_OK);
        tmlrt_op_read(&f->op, f->sock, buf, sizeof buf);
        int64_t r = finish(&f->op);
        assert_true(r == 1 || r == TMLRT_ECONNRESET || r == 0);
        found = r == 1;
        tmlrt_sock_release(f->sock);
        f->sock = NULL;
    }
    close(peer);
}

static void a_shutdown_ends_pending_and_later_accepts(void **state) {
    fixture_t *f = *state;
    start_accept(f);
    assert_int_equal(tmlrt_runtime_shutdown(f->rt, 0, NULL), TMLRT_OK);
    assert_int_equal(finish(&f->op), TMLRT_ESHUTDOWN);
    tmlrt_op_accept(&f->op, f->listener, &f->sock);
    assert_int_equal(finish(&f->op), TMLRT_ESHUTDOWN);
    tmlrt_sock_t *other = NULL;
    tmlrt_addr_t  any = loopback();
    assert_int_equal(tmlrt_tcp_listen(f->rt, &any, NULL, &other), TMLRT_ESHUTDOWN);
    assert_null(other);
}

/* ---- connect -------------------------------------------------------------------------------- */

static void a_connect_gives_a_socket(void **state) {
    fixture_t          *f = *state;
    tmlrt_tcp_options_t options = TMLRT_TCP_OPTIONS_INIT;
    char                buf[4];
    options.flags = TMLRT_TCP_NODELAY | TMLRT_TCP_KEEPALIVE;
    options.send_buffer = 65536;
    tmlrt_sock_t *client = NULL;
    tmlrt_op_accept(&f->op2, f->listener, &f->sock);
    start(&f->op2);
    assert_int_equal(tmlrt_op_connect(&f->op, f->rt, &f->addr, &options, &client), TMLRT_OK);
    assert_int_equal(finish(&f->op), TMLRT_OK);
    assert_int_equal(finish(&f->op2), TMLRT_OK);
    tmlrt_op_write(&f->op, client, "ab", 2);
    assert_int_equal(finish(&f->op), 2);
    tmlrt_op_read(&f->op, f->sock, buf, sizeof buf);
    assert_int_equal(finish(&f->op), 2);
    tmlrt_op_write(&f->op, f->sock, "c", 1);
    assert_int_equal(finish(&f->op), 1);
    tmlrt_op_read(&f->op, client, buf, sizeof buf);
    assert_int_equal(finish(&f->op), 1);
    tmlrt_sock_release(client);
}

static void a_refused_connect_says_so(void **state) {
    fixture_t   *f = *state;
    int          fd;
    tmlrt_addr_t addr = refusing_addr(&fd);
    for (int i = 0; i < 10; i++) {
        tmlrt_op_connect(&f->op, f->rt, &addr, NULL, &f->sock);
        assert_int_equal(finish(&f->op), TMLRT_ECONNREFUSED);
    }
    assert_null(f->sock);
    close(fd);
}

static void a_connect_is_cancelled_or_timed_out(void **state) {
    fixture_t   *f = *state;
    int          fds[2];
    tmlrt_addr_t addr;
    assert_true(hanging_addr("127.0.0.1:0", &addr, fds));
    tmlrt_op_connect(&f->op, f->rt, &addr, NULL, &f->sock);
    assert_true(start(&f->op));
    tmlrt_op_cancel(&f->op);
    assert_int_equal(finish(&f->op), TMLRT_ECANCELED);
    tmlrt_op_connect(&f->op, f->rt, &addr, NULL, &f->sock);
    tmlrt_op_deadline(&f->op, tmlrt_now(f->rt) + 2 * TMLRT_MS);
    assert_int_equal(finish(&f->op), TMLRT_ETIMEDOUT);
    assert_null(f->sock);
    for (int i = 0; i < 2; i++)
        close(fds[i]);
}

static void a_peer_that_leaves_at_once_is_no_failed_connect(void **state) {
    fixture_t    *f = *state;
    char          buf[4];
    tmlrt_sock_t *client = NULL;
    tmlrt_op_accept(&f->op2, f->listener, &f->sock);
    start(&f->op2);
    tmlrt_op_connect(&f->op, f->rt, &f->addr, NULL, &client);
    start(&f->op);
    assert_int_equal(finish(&f->op2), TMLRT_OK);
    tmlrt_sock_release(f->sock);
    f->sock = NULL;
    assert_int_equal(finish(&f->op), TMLRT_OK);
    tmlrt_op_read(&f->op, client, buf, sizeof buf);
    assert_int_equal(finish(&f->op), 0);
    tmlrt_sock_release(client);
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static void several_may_wait_for_one_descriptor(void **state) {
    skip_on_windows("a pipe of the tests is a TCP connection, which can be written to");
    fixture_t  *f = *state;
    int         pipe_fd[2];
    tmlrt_fd_t *reg = NULL;
    tmlrt_op_t  third = TMLRT_OP_INIT;
    assert_int_equal(pipe(pipe_fd), 0);
    assert_int_equal(fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(pipe_fd[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(tmlrt_fd_open(f->rt, pipe_fd[0], &reg), TMLRT_OK);
    for (int round = 0; round < 20; round++) {
        char c;
        tmlrt_op_fd_wait(&f->op, reg, TMLRT_FD_READ);
        tmlrt_op_fd_wait(&f->op2, reg, TMLRT_FD_READ | TMLRT_FD_WRITE);
        tmlrt_op_fd_wait(&third, reg, TMLRT_FD_READ);
        assert_true(start(&f->op) && start(&f->op2) && start(&third));
        tmlrt_op_cancel(&third);
        assert_int_equal(finish(&third), TMLRT_ECANCELED);
        assert_int_equal(write(pipe_fd[1], "x", 1), 1);
        assert_int_equal(finish(&f->op), TMLRT_FD_READ);
        assert_int_equal(finish(&f->op2), TMLRT_FD_READ);
        tmlrt_op_fd_wait(&third, reg, TMLRT_FD_READ); /* it is ready still */
        assert_int_equal(finish(&third), TMLRT_FD_READ);
        assert_int_equal(read(pipe_fd[0], &c, 1), 1);
    }
    tmlrt_op_fd_wait(&f->op, reg, TMLRT_FD_READ);
    assert_true(start(&f->op));
    tmlrt_op_fd_wait(&f->op2, reg, TMLRT_FD_READ);
    tmlrt_op_deadline(&f->op2, tmlrt_now(f->rt) + 2 * TMLRT_MS);
    assert_int_equal(finish(&f->op2), TMLRT_ETIMEDOUT);
    tmlrt_fd_close(reg);
    assert_int_equal(finish(&f->op), TMLRT_ECANCELED);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
}

static void each_waits_for_its_own_direction(void **state) {
    fixture_t  *f = *state;
    int         fds[2];
    tmlrt_fd_t *reg = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(tmlrt_fd_open(f->rt, fds[0], &reg), TMLRT_OK);
    tmlrt_op_fd_wait(&f->op, reg, TMLRT_FD_READ);
    assert_true(start(&f->op));
    tmlrt_op_fd_wait(&f->op2, reg, TMLRT_FD_WRITE);
    assert_int_equal(finish(&f->op2), TMLRT_FD_WRITE);
    assert_int_equal(tmlrt_op_result(&f->op), TMLRT_EBUSY);
    close(fds[1]);
    int64_t r = finish(&f->op);
    assert_true((r & TMLRT_FD_READ) != 0);
    tmlrt_fd_close(reg);
    close(fds[0]);
}

/* ---- many connections ------------------------------------------------------------------------ */

enum { CLIENTS = 1000, ROUNDS = 3 };

typedef struct echo {
    TMLRT_FRAME;
    tmlrt_sock_t *sock;
    tmlrt_op_t    op;
    int64_t       n;
    char          buf[32];
} echo_t;

static void echo_drop(void *state) {
    tmlrt_sock_release(((echo_t *)state)->sock);
}

static int32_t echo_poll(void *state, tmlrt_cx_t *cx, void *result) {
    echo_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (;;) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_read(&s->op, s->sock, s->buf, sizeof s->buf));
        s->n = tmlrt_op_result(&s->op);
        if (s->n <= 0) break;
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_write(&s->op, s->sock, s->buf, (size_t)s->n));
        require(tmlrt_op_result(&s->op) == s->n);
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t echo_type = TMLRT_TASK_TYPE(echo_t, echo_poll, echo_drop);

typedef struct server {
    TMLRT_FRAME;
    tmlrt_sock_t *listener;
    tmlrt_op_t    op;
    echo_t        next;
} server_t;

static int32_t server_poll(void *state, tmlrt_cx_t *cx, void *result) {
    server_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (;;) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_accept(&s->op, s->listener, &s->next.sock));
        if (tmlrt_op_result(&s->op) != TMLRT_OK) break;
        require(tmlrt_spawn(NULL, &echo_type, &s->next, NULL, NULL) == TMLRT_OK);
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t server_type = TMLRT_TASK_TYPE(server_t, server_poll, NULL);

typedef struct client {
    TMLRT_FRAME;
    tmlrt_addr_t  addr;
    tmlrt_sock_t *sock;
    tmlrt_op_t    op;
    int           round;
    char          out[16], in[16];
} client_t;

static void client_drop(void *state) {
    tmlrt_sock_release(((client_t *)state)->sock);
}

static int32_t client_poll(void *state, tmlrt_cx_t *cx, void *result) {
    client_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_connect(&s->op, NULL, &s->addr, NULL, &s->sock));
    require(tmlrt_op_result(&s->op) == TMLRT_OK);
    for (s->round = 0; s->round < ROUNDS; s->round++) {
        memset(s->out, 'a' + s->round, sizeof s->out);
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_write(&s->op, s->sock, s->out, sizeof s->out));
        require(tmlrt_op_result(&s->op) == sizeof s->out);
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_read_exact(&s->op, s->sock, s->in, sizeof s->in));
        require(tmlrt_op_result(&s->op) == sizeof s->in);
        require(memcmp(s->in, s->out, sizeof s->in) == 0);
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t client_type = TMLRT_TASK_TYPE(client_t, client_poll, client_drop);

static void a_thousand_connections_echo(void **state) {
    fixture_t     *f = *state;
    struct rlimit  files;
    tmlrt_task_t **task = calloc(CLIENTS + 1, sizeof *task);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    server_t server = {.listener = f->listener};
    client_t client = {.addr = f->addr};
    assert_int_equal(tmlrt_spawn(f->rt, &server_type, &server, NULL, &task[CLIENTS]), TMLRT_OK);
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(tmlrt_spawn(f->rt, &client_type, &client, NULL, &task[i]), TMLRT_OK);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(tmlrt_join(task[i], NULL), TMLRT_OK);
        tmlrt_task_release(task[i]);
    }
    tmlrt_sock_close(f->listener);
    assert_int_equal(tmlrt_join(task[CLIENTS], NULL), TMLRT_OK);
    tmlrt_task_release(task[CLIENTS]);
    free(task);
}

static void a_shutdown_cancels_reads_in_flight(void **state) {
    fixture_t    *f = *state;
    tmlrt_task_t *server_task = NULL;
    int           peer[10];
    char          c;
    server_t      server = {.listener = f->listener};
    assert_int_equal(tmlrt_spawn(f->rt, &server_type, &server, NULL, &server_task), TMLRT_OK);
    for (int i = 0; i < 10; i++)
        peer[i] = raw_connect(&f->addr);
    for (int i = 0; i < 10; i++) {
        raw_send(peer[i], "x", 1);
        if (reactor_is_current_thread()) {
            while (recv(peer[i], &c, 1, MSG_DONTWAIT) != 1)
                drive(f->rt);
        } else {
            assert_int_equal(raw_recv(peer[i], &c, 1), 1);
        }
    }
    assert_int_equal(tmlrt_runtime_shutdown(f->rt, 0, NULL), TMLRT_ETIMEDOUT);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(raw_recv(peer[i], &c, 1), 0);
        close(peer[i]);
    }
    tmlrt_task_release(server_task);
}

static void sockets_left_open_are_closed_by_the_destroy(void **state) {
    fixture_t       *f = *state;
    tmlrt_runtime_t *rt = reactor_runtime();
    int              peer;
    char             c;
    tmlrt_sock_t    *sock = sock_and_peer(rt, &peer);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    assert_int_equal(raw_recv(peer, &c, 1), 0);
    assert_int_equal(tmlrt_sock_close(sock), TMLRT_EALREADY);
    assert_int_equal(tmlrt_try_read(sock, &c, 1), TMLRT_ECLOSED);
    tmlrt_op_read(&f->op, sock, &c, 1);
    assert_int_equal(finish(&f->op), TMLRT_ECLOSED);
    tmlrt_sock_release(sock);
    close(peer);
}

#define T(test) cmocka_unit_test_setup_teardown(test, listener_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(an_accept_waits_for_a_connection),
        T(connections_that_came_together_are_all_accepted),
        T(a_second_accept_is_busy),
        T(an_accept_is_cancelled_timed_out_and_closed),
        T(a_lack_of_descriptors_is_told_once_and_passes),
        T(a_rest_ends_with_the_deadline_or_the_listener),
        T(an_accept_that_rests_is_cancelled_timed_out_and_closed),
        T(a_connection_that_died_in_the_queue_is_passed_over),
        T(a_lack_of_memory_behind_the_accept_is_one_too),
        T(a_reset_before_the_accept_hangs_nothing),
        T(a_shutdown_ends_pending_and_later_accepts),
        T(a_connect_gives_a_socket),
        T(a_refused_connect_says_so),
        T(a_connect_is_cancelled_or_timed_out),
        T(a_peer_that_leaves_at_once_is_no_failed_connect),
        T(several_may_wait_for_one_descriptor),
        T(each_waits_for_its_own_direction),
        T(a_thousand_connections_echo),
        T(a_shutdown_cancels_reads_in_flight),
        T(sockets_left_open_are_closed_by_the_destroy),
    };
    RUN_ON_EACH_REACTOR(tests);
}
