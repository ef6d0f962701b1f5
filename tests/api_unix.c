/* SPDX-License-Identifier: MIT */
/*
 * api_unix.c: Unix stream sockets: addresses as text and back, paths and abstract names, transfers,
 * a listener whose queue is full, and the documented error of every bad argument.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/skip.h"
#include "support/net.h"
#include "support/threads.h"
#include "support/unit.h"

static tmlrt_runtime_t *rt;
static char             dir[64], path[96];

static int setup(void **state) {
    (void)state;
    rt = runtime_multi(2);
    snprintf(dir, sizeof dir, "/tmp/tmlrt-unix-XXXXXX");
    if (mkdtemp(dir) == NULL) return -1;
    snprintf(path, sizeof path, "%s/socket", dir);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    (void)unlink(path);
    (void)rmdir(dir);
    return tmlrt_runtime_destroy(rt);
}

static void addresses_are_text_and_back(void **state) {
    (void)state;
    tmlrt_addr_t a, b;
    char         text[128], longest[120];
    assert_int_equal(tmlrt_addr_unix(&a, "/run/x.sock"), TMLRT_OK);
    assert_int_equal(tmlrt_addr_format(&a, text, sizeof text), 16);
    assert_string_equal(text, "unix:/run/x.sock");
    assert_int_equal(tmlrt_addr_parse(&b, text), TMLRT_OK);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(tmlrt_addr_port(&a), TMLRT_EINVAL);
    memset(longest, 'p', sizeof longest);
    longest[107] = '\0';
    assert_int_equal(tmlrt_addr_unix(&a, longest), TMLRT_OK);
    assert_int_equal(tmlrt_addr_format(&a, text, sizeof text), 112);
    assert_string_equal(text + 5, longest);
    longest[107] = 'p';
    longest[108] = '\0';
    assert_int_equal(tmlrt_addr_unix(&a, longest), TMLRT_EOVERFLOW);
    assert_int_equal(tmlrt_addr_unix(&a, ""), TMLRT_EINVAL);
    assert_int_equal(tmlrt_addr_unix(&a, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_addr_unix(NULL, "x"), TMLRT_EINVAL);
    assert_int_equal(tmlrt_addr_parse(&a, "unix:"), TMLRT_EINVAL);
    assert_int_equal(tmlrt_addr_format(&b, text, 10), TMLRT_EOVERFLOW);
}

static void *fiber_echoes_once(void *arg) {
    tmlrt_sock_t *sock = NULL;
    char          buf[16];
    require(tmlrt_accept(arg, &sock) == TMLRT_OK);
    int64_t n = tmlrt_read(sock, buf, sizeof buf);
    require(n > 0 && tmlrt_write(sock, buf, (size_t)n) == n);
    tmlrt_sock_release(sock);
    return NULL;
}

static void exchange(const tmlrt_addr_t *addr) {
    tmlrt_sock_t *listener = NULL, *sock = NULL, *other = NULL;
    tmlrt_task_t *task;
    tmlrt_addr_t  found;
    char          buf[16], text[128], wanted[128];
    assert_int_equal(tmlrt_unix_listen(rt, addr, NULL, &listener), TMLRT_OK);
    assert_int_equal(tmlrt_unix_listen(rt, addr, NULL, &other), TMLRT_EADDRINUSE);
    assert_int_equal(tmlrt_sock_local_addr(listener, &found), TMLRT_OK);
    assert_true(tmlrt_addr_format(&found, text, sizeof text) > 5);
    assert_true(tmlrt_addr_format(addr, wanted, sizeof wanted) > 5);
    assert_string_equal(text, wanted);
    assert_int_equal(tmlrt_go(rt, fiber_echoes_once, listener, NULL, &task), TMLRT_OK);
    assert_int_equal(tmlrt_connect(rt, addr, NULL, &sock), TMLRT_OK);
    assert_int_equal(tmlrt_sock_local_addr(sock, &found), TMLRT_OK);
    assert_int_equal(tmlrt_addr_format(&found, text, sizeof text), 5);
    assert_string_equal(text, "unix:"); /* it has no name */
    assert_int_equal(tmlrt_write(sock, "through a path", 14), 14);
    assert_int_equal(tmlrt_read_exact(sock, buf, 14), 14);
    assert_memory_equal(buf, "through a path", 14);
    assert_int_equal(tmlrt_read(sock, buf, 1), 0);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
    tmlrt_sock_release(sock);
    tmlrt_sock_release(listener);
}

static void bytes_go_through_a_path(void **state) {
    (void)state;
    tmlrt_addr_t  addr;
    tmlrt_sock_t *sock = NULL;
    assert_int_equal(tmlrt_addr_unix(&addr, path), TMLRT_OK);
    assert_int_equal(tmlrt_connect(rt, &addr, NULL, &sock), TMLRT_ENOENT);
    exchange(&addr);
    assert_int_equal(tmlrt_connect(rt, &addr, NULL, &sock), TMLRT_ECONNREFUSED);
}

static void bytes_go_through_an_abstract_name(void **state) {
    (void)state;
    tmlrt_addr_t addr;
    char         name[64];
    snprintf(name, sizeof name, "@tmlrt-test-%ld", (long)getpid());
    int e = tmlrt_addr_unix(&addr, name);
    if (e == TMLRT_ENOTSUP) skip_because("no abstract names on this system");
    assert_int_equal(e, TMLRT_OK);
    exchange(&addr);
}

/* More connects than the queue takes: they wait for their turn, and one can be given up. */
typedef struct crowd {
    tmlrt_addr_t addr;
    atomic_int   connected;
} crowd_t;

static void *fiber_connects(void *arg) {
    crowd_t      *c = arg;
    tmlrt_sock_t *sock = NULL;
    char          byte;
    require(tmlrt_connect(NULL, &c->addr, NULL, &sock) == TMLRT_OK);
    atomic_fetch_add(&c->connected, 1);
    require(tmlrt_read(sock, &byte, 1) == 0);
    tmlrt_sock_release(sock);
    return NULL;
}

static void a_full_queue_is_waited_for(void **state) {
    (void)state;
    enum { MANY = 12 };
    crowd_t             c = {.connected = 0};
    tmlrt_tcp_options_t options = TMLRT_TCP_OPTIONS_INIT;
    tmlrt_sock_t       *listener = NULL, *sock = NULL;
    tmlrt_task_t       *task[MANY];
    tmlrt_op_t          op = TMLRT_OP_INIT;
    options.backlog = 1;
    assert_int_equal(tmlrt_addr_unix(&c.addr, path), TMLRT_OK);
    assert_int_equal(tmlrt_unix_listen(rt, &c.addr, &options, &listener), TMLRT_OK);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(tmlrt_go(rt, fiber_connects, &c, NULL, &task[i]), TMLRT_OK);
    wait_until(atomic_load(&c.connected) >= 2);
    assert_int_equal(tmlrt_connect_until(rt, &c.addr, NULL, &sock, tmlrt_now(rt) + 3 * TMLRT_MS),
                     TMLRT_ETIMEDOUT);
    assert_int_equal(tmlrt_op_connect(&op, rt, &c.addr, NULL, &sock), TMLRT_OK);
    assert_int_equal(start(&op), 1);
    assert_int_equal(tmlrt_op_cancel(&op), TMLRT_OK);
    assert_int_equal(finish(&op), TMLRT_ECANCELED);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(tmlrt_accept(listener, &sock), TMLRT_OK);
        tmlrt_sock_release(sock);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(tmlrt_join(task[i], NULL), TMLRT_OK);
        tmlrt_task_release(task[i]);
    }
    tmlrt_sock_release(listener);
}

/* The same on a plain thread that keeps the time itself, and on one that drives. */
static void accepts_later(void *arg, int i) {
    tmlrt_sock_t *sock = NULL;
    (void)i;
    for (int n = 0; n < 4; n++) {
        require(tmlrt_accept(arg, &sock) == TMLRT_OK);
        tmlrt_sock_release(sock);
    }
}

static void threads_wait_for_the_queue_as_well(void **state) {
    (void)state;
    tmlrt_tcp_options_t options = TMLRT_TCP_OPTIONS_INIT;
    options.backlog = 1;
    tmlrt_runtime_t *own = runtime_current_thread();
    tmlrt_sock_t    *listener = NULL, *sock[4];
    tmlrt_addr_t     addr;
    assert_int_equal(tmlrt_addr_unix(&addr, path), TMLRT_OK);
    assert_int_equal(tmlrt_unix_listen(rt, &addr, &options, &listener), TMLRT_OK);
    assert_int_equal(tmlrt_connect(rt, &addr, NULL, &sock[0]), TMLRT_OK);
    assert_int_equal(tmlrt_connect(rt, &addr, NULL, &sock[1]), TMLRT_OK);
    crew_t *crew = crew_start(1, accepts_later, listener);
    assert_int_equal(tmlrt_connect(rt, &addr, NULL, &sock[2]), TMLRT_OK);
    assert_int_equal(tmlrt_connect(own, &addr, NULL, &sock[3]), TMLRT_OK);
    crew_join(crew);
    for (int i = 0; i < 4; i++)
        tmlrt_sock_release(sock[i]);
    tmlrt_sock_release(listener);
    assert_int_equal(tmlrt_runtime_destroy(own), TMLRT_OK);
}

/* One byte with a descriptor, then two without: a read stops between them. */
static void raw_send_with_descriptor(int fd) {
    char            one = 'a', room[CMSG_SPACE(sizeof(int))] = "";
    struct iovec    piece = {&one, 1};
    struct msghdr   m = {.msg_iov = &piece, .msg_iovlen = 1};
    struct cmsghdr *c;
    m.msg_control = room;
    m.msg_controllen = sizeof room;
    c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    require(sendmsg(fd, &m, 0) == 1);
    raw_send(fd, "bc", 2);
}

/* The ways to read what came in two parts, with one event for both: a wait for another would never
 * end. */
static void reads_all_of_it(tmlrt_runtime_t *own, tmlrt_sock_t *sock, int peer) {
    char    buf[8];
    int64_t end = tmlrt_now(own) + 10 * TMLRT_S;
    raw_send_with_descriptor(peer);
    assert_int_equal(tmlrt_read_until(sock, buf, sizeof buf, end), 1);
    assert_int_equal(tmlrt_read_until(sock, buf, sizeof buf, end), 2);
    assert_memory_equal(buf, "bc", 2);
    raw_send_with_descriptor(peer);
    assert_int_equal(tmlrt_read_exact_until(sock, buf, 3, end), 3);
    assert_memory_equal(buf, "abc", 3);
    raw_send_with_descriptor(peer);
    size_t got = 0;
    while (got < 3 && tmlrt_now(own) < end) {
        drive(own);
        int64_t n = tmlrt_try_read(sock, buf + got, sizeof buf - got);
        if (n > 0) got += (size_t)n;
    }
    assert_int_equal(got, 3);
    assert_memory_equal(buf, "abc", 3);
}

static void a_passed_descriptor_hides_nothing_behind_it(void **state) {
    (void)state;
    tmlrt_runtime_t *own = runtime_current_thread();
    tmlrt_addr_t     addr;
    tmlrt_sock_t    *listener = NULL, *sock = NULL;
    assert_int_equal(tmlrt_addr_unix(&addr, path), TMLRT_OK);
    assert_int_equal(tmlrt_unix_listen(own, &addr, NULL, &listener), TMLRT_OK);
    int peer = raw_connect(&addr);
    assert_int_equal(tmlrt_accept(listener, &sock), TMLRT_OK);
    reads_all_of_it(own, sock, peer);
    tmlrt_sock_release(sock);
    tmlrt_sock_release(listener);
    close(peer);
    assert_int_equal(tmlrt_runtime_destroy(own), TMLRT_OK);
}

static void nor_does_it_on_a_connected_socket(void **state) {
    (void)state;
    tmlrt_runtime_t *own = runtime_current_thread();
    tmlrt_addr_t     addr;
    tmlrt_sock_t    *sock = NULL;
    assert_int_equal(tmlrt_addr_unix(&addr, path), TMLRT_OK);
    int listener = raw_listen(&addr, 8);
    assert_int_equal(tmlrt_connect(own, &addr, NULL, &sock), TMLRT_OK);
    int peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    reads_all_of_it(own, sock, peer);
    tmlrt_sock_release(sock);
    close(peer);
    close(listener);
    assert_int_equal(tmlrt_runtime_destroy(own), TMLRT_OK);
}

/* Each read ends at a descriptor, so that it takes many to fill the buffer. */
static void a_long_read_gives_others_their_turn(void **state) {
    enum { PARTS = 50 };
    (void)state;
    tmlrt_runtime_t *own = runtime_current_thread();
    tmlrt_addr_t     addr;
    tmlrt_sock_t    *listener = NULL, *sock = NULL;
    tmlrt_op_t       op = TMLRT_OP_INIT;
    char             buf[3 * PARTS];
    int              polls = 1;
    assert_int_equal(tmlrt_addr_unix(&addr, path), TMLRT_OK);
    assert_int_equal(tmlrt_unix_listen(own, &addr, NULL, &listener), TMLRT_OK);
    int peer = raw_connect(&addr);
    assert_int_equal(tmlrt_accept(listener, &sock), TMLRT_OK);
    for (int i = 0; i < PARTS; i++)
        raw_send_with_descriptor(peer);
    drive(own);
    tmlrt_op_read_exact(&op, sock, buf, sizeof buf);
    while (start(&op) == 1) { /* it goes on without another event */
        polls++;
        assert_true(polls <= PARTS);
    }
    assert_int_equal(tmlrt_op_result(&op), sizeof buf);
    assert_true(polls > 1);
    for (int i = 0; i < PARTS; i++)
        assert_memory_equal(buf + 3 * i, "abc", 3);
    /* Between two of its polls it can be cancelled, and the bytes are told. */
    for (int i = 0; i < PARTS; i++)
        raw_send_with_descriptor(peer);
    drive(own);
    tmlrt_op_read_exact(&op, sock, buf, sizeof buf);
    assert_int_equal(start(&op), 1);
    tmlrt_op_cancel(&op);
    assert_int_equal(finish(&op), TMLRT_ECANCELED);
    assert_true(tmlrt_op_transferred(&op) > 0);
    tmlrt_sock_release(sock);
    tmlrt_sock_release(listener);
    close(peer);
    assert_int_equal(tmlrt_runtime_destroy(own), TMLRT_OK);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_addr_t        addr, inet = loopback();
    tmlrt_tcp_options_t options = TMLRT_TCP_OPTIONS_INIT;
    tmlrt_sock_t       *sock = NULL;
    assert_int_equal(tmlrt_addr_unix(&addr, path), TMLRT_OK);
    assert_int_equal(tmlrt_unix_listen(rt, NULL, NULL, &sock), TMLRT_EINVAL);
    assert_int_equal(tmlrt_unix_listen(rt, &inet, NULL, &sock), TMLRT_EINVAL);
    assert_int_equal(tmlrt_unix_listen(rt, &addr, NULL, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_unix_listen(NULL, &addr, NULL, &sock), TMLRT_ENORUNTIME);
    assert_int_equal(tmlrt_tcp_listen(rt, &addr, NULL, &sock), TMLRT_EINVAL);
    options.flags = TMLRT_TCP_NODELAY;
    assert_int_equal(tmlrt_unix_listen(rt, &addr, &options, &sock), TMLRT_EINVAL);
    assert_int_equal(tmlrt_connect(rt, &addr, &options, &sock), TMLRT_EINVAL);
    assert_null(sock);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(addresses_are_text_and_back),         T(bytes_go_through_a_path),
        T(bytes_go_through_an_abstract_name),   T(a_full_queue_is_waited_for),
        T(threads_wait_for_the_queue_as_well),  T(a_passed_descriptor_hides_nothing_behind_it),
        T(a_long_read_gives_others_their_turn), T(nor_does_it_on_a_connected_socket),
        T(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
