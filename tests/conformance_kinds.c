/* SPDX-License-Identifier: MIT */
/*
 * conformance_kinds.c: datagrams, Unix sockets and pipes on every backend: transfers by fibers,
 * many at a time; a cancel that races the transfer loses nothing; a close ends what is in flight.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/conformance.h"
#include "support/skip.h"
#include "support/net.h"
#include "support/threads.h"
#include "support/unit.h"

enum { ROUNDS = 200 };

static void join(tmlrt_task_t *task) {
    require(tmlrt_join(task, NULL) == TMLRT_OK);
    tmlrt_task_release(task);
}

/* Two ends that bytes go between, of any kind. */
typedef struct ends {
    tmlrt_sock_t *from, *to;
} ends_t;

static void *fiber_counts_up(void *arg) {
    for (uint32_t i = 0; i < ROUNDS; i++)
        require(tmlrt_write(arg, &i, sizeof i) == sizeof i);
    tmlrt_sock_release(arg);
    return NULL;
}

static void *fiber_hears_counting(void *arg) {
    uint32_t heard;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        require(tmlrt_read_exact(arg, &heard, sizeof heard) == sizeof heard);
        require(heard == i);
    }
    require(tmlrt_read(arg, &heard, 1) == 0);
    tmlrt_sock_release(arg);
    return NULL;
}

static void count_between(tmlrt_runtime_t *rt, const ends_t *ends, int n) {
    tmlrt_task_t *task[16];
    require(2 * n <= 16);
    for (int i = 0; i < n; i++) {
        require(tmlrt_go(rt, fiber_hears_counting, ends[i].to, NULL, &task[2 * i]) == TMLRT_OK);
        require(tmlrt_go(rt, fiber_counts_up, ends[i].from, NULL, &task[2 * i + 1]) == TMLRT_OK);
    }
    for (int i = 0; i < 2 * n; i++)
        join(task[i]);
}

static void pipes_carry_bytes_in_order(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = reactor_runtime();
    ends_t           ends[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(tmlrt_pipe(rt, &ends[i].to, &ends[i].from), TMLRT_OK);
    count_between(rt, ends, 8);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void *fiber_connects(void *arg) {
    ends_t      *e = arg;
    tmlrt_addr_t addr;
    char         name[64];
    snprintf(name, sizeof name, "@tmlrt-kinds-%ld", (long)getpid());
    require(tmlrt_addr_unix(&addr, name) == TMLRT_OK);
    require(tmlrt_connect(NULL, &addr, NULL, &e->from) == TMLRT_OK);
    return NULL;
}

static void unix_sockets_carry_bytes_in_order(void **state) {
    (void)state;
    tmlrt_runtime_t    *rt = reactor_runtime();
    tmlrt_tcp_options_t options = TMLRT_TCP_OPTIONS_INIT;
    tmlrt_sock_t       *listener = NULL;
    tmlrt_task_t       *task[4];
    tmlrt_addr_t        addr;
    ends_t              ends[4];
    char                name[64];
    snprintf(name, sizeof name, "@tmlrt-kinds-%ld", (long)getpid());
    if (tmlrt_addr_unix(&addr, name) == TMLRT_ENOTSUP)
        skip_because("no abstract names on this system");
    options.backlog = 1; /* some have to wait for the queue */
    assert_int_equal(tmlrt_unix_listen(rt, &addr, &options, &listener), TMLRT_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(tmlrt_go(rt, fiber_connects, &ends[i], NULL, &task[i]), TMLRT_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(tmlrt_accept(listener, &ends[i].to), TMLRT_OK);
    for (int i = 0; i < 4; i++)
        join(task[i]);
    tmlrt_sock_release(listener);
    count_between(rt, ends, 4);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void *fiber_answers(void *arg) {
    char         buf[64];
    tmlrt_addr_t from;
    int64_t      n;
    while ((n = tmlrt_recv_from(arg, buf, sizeof buf, &from)) >= 0)
        require(tmlrt_send_to(arg, buf, (size_t)n, &from) == n);
    require(n == TMLRT_ECANCELED || n == TMLRT_ECLOSED);
    return NULL;
}

static void datagrams_are_answered(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = reactor_runtime();
    tmlrt_addr_t     addr = loopback(), own = loopback(), from;
    tmlrt_sock_t    *server = NULL, *sock = NULL;
    tmlrt_task_t    *task;
    assert_int_equal(tmlrt_udp_open(rt, &addr, NULL, &server), TMLRT_OK);
    assert_int_equal(tmlrt_sock_local_addr(server, &addr), TMLRT_OK);
    assert_int_equal(tmlrt_udp_open(rt, &own, NULL, &sock), TMLRT_OK);
    assert_int_equal(tmlrt_go(rt, fiber_answers, server, NULL, &task), TMLRT_OK);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t heard = 0;
        assert_int_equal(tmlrt_send_to(sock, &i, sizeof i, &addr), sizeof i);
        assert_int_equal(tmlrt_recv_from(sock, &heard, sizeof heard, &from), sizeof heard);
        assert_int_equal(heard, i);
        assert_memory_equal(from.storage_, addr.storage_, addr.length_);
    }
    assert_int_equal(tmlrt_sock_close(server), TMLRT_OK);
    join(task);
    tmlrt_sock_release(server);
    tmlrt_sock_release(sock);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* A receive that is cancelled while its datagram comes has it, or the next one does. */
static void a_cancel_loses_no_datagram_and_no_byte(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = reactor_runtime();
    tmlrt_addr_t     addr = loopback();
    tmlrt_sock_t    *sock = NULL, *r = NULL, *w = NULL;
    tmlrt_op_t       recv = TMLRT_OP_INIT, read = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_udp_open(rt, &addr, NULL, &sock), TMLRT_OK);
    assert_int_equal(tmlrt_sock_local_addr(sock, &addr), TMLRT_OK);
    assert_int_equal(tmlrt_pipe(rt, &r, &w), TMLRT_OK);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t datagram = ~i, bytes = ~i;
        tmlrt_op_recv_from(&recv, sock, &datagram, sizeof datagram, NULL);
        tmlrt_op_read_exact(&read, r, &bytes, sizeof bytes);
        start(&recv);
        start(&read);
        assert_int_equal(tmlrt_send_to(sock, &i, sizeof i, &addr), sizeof i);
        assert_int_equal(tmlrt_write(w, &i, sizeof i), sizeof i);
        tmlrt_op_cancel(&recv);
        tmlrt_op_cancel(&read);
        if (finish(&recv) != sizeof i) {
            assert_int_equal(tmlrt_op_result(&recv), TMLRT_ECANCELED);
            assert_int_equal(tmlrt_recv_from(sock, &datagram, sizeof datagram, NULL), sizeof i);
        }
        if (finish(&read) != sizeof i) {
            assert_int_equal(tmlrt_op_result(&read), TMLRT_ECANCELED);
            assert_int_equal(tmlrt_op_transferred(&read), 0);
            assert_int_equal(tmlrt_read_exact(r, &bytes, sizeof bytes), sizeof i);
        }
        assert_int_equal(datagram, i);
        assert_int_equal(bytes, i);
    }
    tmlrt_sock_release(sock);
    tmlrt_sock_release(r);
    tmlrt_sock_release(w);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_close_ends_what_is_in_flight(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = reactor_runtime();
    tmlrt_addr_t     addr = loopback();
    tmlrt_sock_t    *sock = NULL, *r = NULL, *w = NULL;
    tmlrt_op_t       recv = TMLRT_OP_INIT, read = TMLRT_OP_INIT;
    char             c;
    assert_int_equal(tmlrt_udp_open(rt, &addr, NULL, &sock), TMLRT_OK);
    assert_int_equal(tmlrt_pipe(rt, &r, &w), TMLRT_OK);
    tmlrt_op_recv_from(&recv, sock, &c, 1, NULL);
    tmlrt_op_read(&read, r, &c, 1);
    assert_int_equal(start(&recv), 1);
    assert_int_equal(start(&read), 1);
    tmlrt_sock_release(sock);
    tmlrt_sock_release(r);
    assert_int_equal(finish(&recv), TMLRT_ECANCELED);
    assert_int_equal(finish(&read), TMLRT_ECANCELED);
    tmlrt_sock_release(w);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipes_carry_bytes_in_order),
        cmocka_unit_test(unix_sockets_carry_bytes_in_order),
        cmocka_unit_test(datagrams_are_answered),
        cmocka_unit_test(a_cancel_loses_no_datagram_and_no_byte),
        cmocka_unit_test(a_close_ends_what_is_in_flight),
    };
    RUN_ON_EACH_REACTOR(tests);
}
