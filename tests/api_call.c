/* SPDX-License-Identifier: MIT */
/*
 * api_call.c: the calls that are one for fibers and threads: bytes, accept, connect, time, foreign
 * descriptors; deadlines, cancellation, and where they may not be made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/net.h"
#include "support/threads.h"
#include "support/unit.h"

typedef struct world {
    tmlrt_runtime_t *rt;
    tmlrt_sock_t    *listener;
    tmlrt_addr_t     addr;
    atomic_int       served, told;
} world_t;

static tmlrt_task_t *go(tmlrt_runtime_t *rt, void *(*fn)(void *), void *arg) {
    tmlrt_task_t *task = NULL;
    require(tmlrt_go(rt, fn, arg, NULL, &task) == TMLRT_OK);
    return task;
}

static void join_all(tmlrt_task_t **task, int n) {
    for (int i = 0; i < n; i++) {
        require(tmlrt_join(task[i], NULL) == TMLRT_OK);
        tmlrt_task_release(task[i]);
    }
}

/* The echo server, a fiber a connection. */
static void *fiber_echoes(void *arg) {
    tmlrt_sock_t *sock = arg;
    char          buf[512];
    int64_t       n;
    while ((n = tmlrt_read(sock, buf, sizeof buf)) > 0)
        if (tmlrt_write(sock, buf, (size_t)n) != n) break;
    tmlrt_sock_release(sock);
    return NULL;
}

static void *fiber_accepts(void *arg) {
    world_t      *w = arg;
    tmlrt_sock_t *sock;
    while (tmlrt_accept(w->listener, &sock) == TMLRT_OK) {
        atomic_fetch_add(&w->served, 1);
        require(tmlrt_go(NULL, fiber_echoes, sock, NULL, NULL) == TMLRT_OK);
    }
    return NULL;
}

/* The same function is a client on a fiber and on a thread. */
static void *client(void *arg) {
    world_t      *w = arg;
    char          out[3000], in[3000], tail[8];
    tmlrt_sock_t *sock = NULL;
    tmlrt_iovec_t iov[3] = {{out, 1000}, {out + 1000, 0}, {out + 1000, 2000}};
    tmlrt_iovec_t into[2] = {{tail, 3}, {tail + 3, 2}};
    require(tmlrt_connect(w->rt, &w->addr, NULL, &sock) == TMLRT_OK);
    for (int round = 0; round < 20; round++) {
        memset(out, 'a' + round, sizeof out);
        require(tmlrt_write(sock, out, sizeof out) == sizeof out);
        require(tmlrt_read_exact(sock, in, sizeof in) == sizeof in);
        require(memcmp(out, in, sizeof in) == 0);
    }
    require(tmlrt_writev(sock, iov, 3) == sizeof out);
    require(tmlrt_read_exact(sock, in, sizeof in) == sizeof in);
    require(memcmp(out, in, sizeof in) == 0);
    require(tmlrt_write(sock, "hello", 5) == 5);
    int64_t n = tmlrt_readv(sock, into, 2);
    require(n > 0 && n <= 5 && memcmp(tail, "hello", (size_t)n) == 0);
    if (n < 5) require(tmlrt_read_exact(sock, tail, (size_t)(5 - n)) == 5 - n);
    require(tmlrt_read(sock, in, 0) == 0 && tmlrt_write(sock, NULL, 0) == 0);
    require(tmlrt_sock_shutdown(sock, TMLRT_SHUT_WRITE) == TMLRT_OK);
    require(tmlrt_read(sock, in, sizeof in) == 0);
    require(tmlrt_read_exact(sock, in, 1) == TMLRT_EEOF);
    tmlrt_sock_release(sock);
    return NULL;
}

static void thread_client(void *arg, int i) {
    (void)i;
    client(arg);
}

static void fibers_and_threads_make_the_same_calls(void **state) {
    (void)state;
    world_t       w = {.rt = runtime_multi(2)};
    tmlrt_task_t *acceptor, *clients[8];
    w.listener = listener_on(w.rt, &w.addr);
    acceptor = go(w.rt, fiber_accepts, &w);
    for (int i = 0; i < 8; i++)
        clients[i] = go(w.rt, client, &w);
    on_threads(3, thread_client, &w);
    join_all(clients, 8);
    assert_int_equal(atomic_load(&w.served), 11);
    tmlrt_sock_close(w.listener);
    join_all(&acceptor, 1);
    tmlrt_sock_release(w.listener);
    assert_int_equal(tmlrt_runtime_destroy(w.rt), TMLRT_OK);
}

static void the_owner_of_a_current_thread_runtime_drives_it_by_its_calls(void **state) {
    (void)state;
    world_t       w = {.rt = runtime_current_thread()};
    tmlrt_task_t *acceptor;
    w.listener = listener_on(w.rt, &w.addr);
    acceptor = go(w.rt, fiber_accepts, &w);
    client(&w);
    assert_int_equal(tmlrt_sleep_until(tmlrt_now(w.rt) + TMLRT_MS), TMLRT_OK);
    tmlrt_sock_close(w.listener);
    join_all(&acceptor, 1);
    tmlrt_sock_release(w.listener);
    assert_int_equal(tmlrt_runtime_destroy(w.rt), TMLRT_OK);
}

/* ---- deadlines -------------------------------------------------------------------------------- */

static void *every_wait_times_out(void *arg) {
    world_t         *w = arg;
    int              peer, fds[2], hang[2];
    char             c;
    tmlrt_sock_t    *sock = sock_and_peer(w->rt, &peer), *out = NULL;
    tmlrt_fd_t      *reg = NULL;
    tmlrt_iovec_t    iov = {&c, 1};
    tmlrt_interval_t iv;
    tmlrt_addr_t     hanging;
    int64_t          at = tmlrt_now(w->rt) + 5 * TMLRT_MS;
    require(hanging_addr("127.0.0.1:0", &hanging, hang));
    require(tmlrt_read_until(sock, &c, 1, at) == TMLRT_ETIMEDOUT);
    require(tmlrt_now(w->rt) >= at);
    require(tmlrt_read_exact_until(sock, &c, 1, at) == TMLRT_ETIMEDOUT);
    require(tmlrt_readv_until(sock, &iov, 1, at) == TMLRT_ETIMEDOUT);
    require(tmlrt_accept_until(w->listener, &out, at) == TMLRT_ETIMEDOUT);
    require(tmlrt_connect_until(w->rt, &hanging, NULL, &out, at) == TMLRT_ETIMEDOUT);
    require(out == NULL);
    require(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    require(tmlrt_fd_open(w->rt, fds[0], &reg) == TMLRT_OK);
    require(tmlrt_fd_wait_until(reg, TMLRT_FD_READ, at) == TMLRT_ETIMEDOUT);
    require(tmlrt_fd_wait(reg, TMLRT_FD_WRITE) == TMLRT_FD_WRITE);
    tmlrt_fd_close(reg);
    require(tmlrt_interval_init(&iv, w->rt, 0, 3600 * TMLRT_S, TMLRT_MISSED_SKIP) == TMLRT_OK);
    require(tmlrt_tick(&iv) == 0);
    require(tmlrt_tick_until(&iv, at) == TMLRT_ETIMEDOUT);
    /* What is there already is had after the deadline, too. */
    raw_send(peer, "x", 1);
    int64_t n;
    while ((n = tmlrt_read_until(sock, &c, 1, at)) == TMLRT_ETIMEDOUT)
        (void)tmlrt_yield();
    require(n == 1 && c == 'x');
    require(tmlrt_write_until(sock, "y", 1, at) == 1);
    require(raw_recv(peer, &c, 1) == 1);
    require(tmlrt_writev_until(sock, &iov, 1, at) == 1);
    /* A peer that never reads. */
    static char much[1 << 20];
    do
        n = tmlrt_write_until(sock, much, sizeof much, tmlrt_now(w->rt) + TMLRT_MS);
    while (n == sizeof much);
    require(n == TMLRT_ETIMEDOUT);
    for (int i = 0; i < 2; i++)
        close(hang[i]);
    close(fds[0]);
    close(fds[1]);
    close(peer);
    tmlrt_sock_release(sock);
    return NULL;
}

static void deadlines_end_the_wait(void **state) {
    (void)state;
    world_t       w = {.rt = runtime_multi(2)};
    tmlrt_task_t *task;
    w.listener = listener_on(w.rt, &w.addr);
    every_wait_times_out(&w);
    task = go(w.rt, every_wait_times_out, &w);
    join_all(&task, 1);
    tmlrt_sock_release(w.listener);
    assert_int_equal(tmlrt_runtime_destroy(w.rt), TMLRT_OK);
}

static void times_are_never_early(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_virtual();
    tmlrt_interval_t iv;
    int64_t          start = tmlrt_now(rt);
    assert_int_equal(tmlrt_sleep_until(0), TMLRT_OK);
    assert_int_equal(tmlrt_sleep_until(start + 3600 * TMLRT_S), TMLRT_OK);
    assert_true(tmlrt_now(rt) >= start + 3600 * TMLRT_S);
    start = tmlrt_now(rt);
    assert_int_equal(tmlrt_interval_init(&iv, rt, start + TMLRT_S, TMLRT_S, TMLRT_MISSED_BURST),
                     TMLRT_OK);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(tmlrt_tick(&iv), 0);
        assert_true(tmlrt_now(rt) >= start + i * TMLRT_S);
    }
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- cancellation ----------------------------------------------------------------------------- */

static void *fiber_told_by_its_waits(void *arg) {
    world_t      *w = arg;
    int           peer;
    char          c;
    tmlrt_sock_t *sock = sock_and_peer(w->rt, &peer);
    atomic_store(&w->told, 1);
    require(tmlrt_read(sock, &c, 1) == TMLRT_ECANCELED);
    /* Every later wait as well, also one that would not have had to wait. */
    raw_send(peer, "x", 1);
    require(tmlrt_read(sock, &c, 1) == TMLRT_ECANCELED);
    require(tmlrt_write(sock, "y", 1) == TMLRT_ECANCELED);
    require(tmlrt_sleep_until(tmlrt_now(NULL) + TMLRT_S) == TMLRT_ECANCELED);
    /* Under a shield its clean-up waits. */
    require(tmlrt_shield_begin() == TMLRT_OK);
    require(tmlrt_read(sock, &c, 1) == 1 && c == 'x');
    require(tmlrt_write(sock, "y", 1) == 1);
    require(tmlrt_shield_end() == TMLRT_OK);
    close(peer);
    tmlrt_sock_release(sock);
    return NULL;
}

static void a_cancelled_fiber_is_told_by_every_call(void **state) {
    (void)state;
    world_t       w = {.rt = runtime_multi(2)};
    tmlrt_task_t *task = go(w.rt, fiber_told_by_its_waits, &w);
    wait_until(atomic_load(&w.told) == 1);
    assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
    int e = tmlrt_join(task, NULL);
    assert_true(e == TMLRT_OK || e == TMLRT_ECANCELED);
    tmlrt_task_release(task);
    assert_int_equal(tmlrt_runtime_destroy(w.rt), TMLRT_OK);
}

/* Always ready, but never for itself alone. */
static void *fiber_talks_to_itself(void *arg) {
    world_t      *w = arg;
    int           peer;
    tmlrt_sock_t *sock = sock_and_peer(w->rt, &peer);
    while (atomic_load(&w->told) == 0) {
        char c;
        require(tmlrt_write(sock, "x", 1) == 1);
        require(raw_recv(peer, &c, 1) == 1);
    }
    close(peer);
    tmlrt_sock_release(sock);
    return NULL;
}

static void *fiber_tells(void *arg) {
    atomic_store(&((world_t *)arg)->told, 1);
    return NULL;
}

static void a_fiber_that_never_has_to_wait_lets_others_run(void **state) {
    (void)state;
    world_t       w = {.rt = runtime_multi(1)};
    tmlrt_task_t *task[2];
    task[0] = go(w.rt, fiber_talks_to_itself, &w);
    task[1] = go(w.rt, fiber_tells, &w);
    join_all(task, 2);
    assert_int_equal(tmlrt_runtime_destroy(w.rt), TMLRT_OK);
}

/* ---- errors ------------------------------------------------------------------------------------ */

static int32_t body_calls(unit_t *u, tmlrt_cx_t *cx) {
    tmlrt_sock_t    *sock = u->arg, *out = NULL;
    tmlrt_addr_t     addr = loopback();
    tmlrt_iovec_t    iov = {&addr, 1};
    tmlrt_interval_t iv;
    char             c;
    (void)cx;
    tmlrt_interval_init(&iv, NULL, 0, 1, TMLRT_MISSED_SKIP);
    require(tmlrt_read(sock, &c, 1) == TMLRT_EDEADLK);
    require(tmlrt_read_exact(sock, &c, 1) == TMLRT_EDEADLK);
    require(tmlrt_write(sock, &c, 1) == TMLRT_EDEADLK);
    require(tmlrt_readv(sock, &iov, 1) == TMLRT_EDEADLK);
    require(tmlrt_writev(sock, &iov, 1) == TMLRT_EDEADLK);
    require(tmlrt_connect(NULL, &addr, NULL, &out) == TMLRT_EDEADLK);
    require(tmlrt_sleep_until(1) == TMLRT_EDEADLK);
    require(tmlrt_tick(&iv) == TMLRT_EDEADLK);
    require(tmlrt_resolve(NULL, "127.0.0.1", 1, &addr, 1) == TMLRT_EDEADLK);
    require(tmlrt_connect_host(NULL, "127.0.0.1", 1, NULL, &out) == TMLRT_EDEADLK);
    return TMLRT_READY;
}

static void calls_are_refused_where_nobody_may_block(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(1);
    tally_t          tally = {0};
    int              peer;
    tmlrt_sock_t    *sock = sock_and_peer(rt, &peer);
    raw_send(peer, "x", 1);
    assert_int_equal(unit_run(rt, &tally, body_calls, sock), 0);
    tmlrt_sock_release(sock);
    close(peer);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(1);
    tmlrt_addr_t     addr, none = {0};
    tmlrt_sock_t    *listener = listener_on(rt, &addr), *out = NULL;
    tmlrt_iovec_t    iov = {&addr, 1};
    int              peer;
    char             c;
    tmlrt_sock_t    *sock = sock_and_peer(rt, &peer);
    assert_int_equal(tmlrt_read(NULL, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_read(listener, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_read(sock, NULL, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_read_exact(NULL, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_write(NULL, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_write(sock, NULL, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_readv(sock, NULL, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_writev(sock, &iov, 0), TMLRT_EINVAL);
    assert_int_equal(tmlrt_accept(sock, &out), TMLRT_EINVAL);
    assert_int_equal(tmlrt_accept(listener, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_connect(rt, &none, NULL, &out), TMLRT_EINVAL);
    assert_int_equal(tmlrt_connect(rt, &addr, NULL, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_connect(NULL, &addr, NULL, &out), TMLRT_ENORUNTIME);
    assert_int_equal(tmlrt_fd_wait(NULL, TMLRT_FD_READ), TMLRT_EINVAL);
    assert_int_equal(tmlrt_tick(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_close(sock), TMLRT_OK);
    assert_int_equal(tmlrt_read(sock, &c, 1), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_read_exact(sock, &c, 1), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_write(sock, &c, 1), TMLRT_ECLOSED);
    assert_int_equal(tmlrt_readv(sock, &iov, 1), TMLRT_ECLOSED);
    close(peer);
    tmlrt_sock_release(sock);
    tmlrt_sock_release(listener);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- what needs no wait may be done anywhere --------------------------------------------------------- */

static tmlrt_chan_t *told; /* unbounded: sending never waits */

static int refused;

static void tells(void *value) {
    if (tmlrt_chan_send(told, &value) != TMLRT_OK) refused++;
}

/* A fiber that has used up its turn. */
static void *fiber_drops_a_local(void *arg) {
    static const tmlrt_local_key_t key = {NULL, tells};
    require(tmlrt_local_set(&key, arg) == TMLRT_OK);
    for (int i = 0; i < 128; i++)
        tells(arg);
    require(tmlrt_local_set(&key, NULL) == TMLRT_OK);
    return NULL;
}

static int32_t never_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)state, (void)cx, (void)result;
    return TMLRT_PENDING;
}

static const tmlrt_task_type_t never_type = {.struct_size = sizeof(tmlrt_task_type_t),
                                             .name = "never",
                                             .state_size = sizeof(int),
                                             .poll = never_poll,
                                             .drop = tells};

/* One that is cancelled. */
static void *fiber_drops_a_future(void *arg) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    require(tmlrt_op_future(&op, &never_type, arg, NULL) == TMLRT_OK);
    require(tmlrt_op_await(&op) == TMLRT_OK && tmlrt_op_result(&op) == TMLRT_ECANCELED);
    return NULL;
}

static tmlrt_runtime_t *begin_telling(void) {
    refused = 0;
    require(tmlrt_chan_create(&told, sizeof(void *), TMLRT_CHAN_UNBOUNDED) == TMLRT_OK);
    return runtime_current_thread();
}

static void end_telling(tmlrt_runtime_t *rt, int most) {
    assert_int_equal(refused, 0);
    assert_int_equal((int)tmlrt_chan_length(told), most);
    tmlrt_chan_release(told);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_drop_sends_when_the_fibers_turn_is_over(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = begin_telling();
    tmlrt_task_t    *task = go(rt, fiber_drops_a_local, rt);
    join_all(&task, 1);
    end_telling(rt, 129);
}

static void a_drop_sends_in_a_cancelled_fiber(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = begin_telling();
    tmlrt_task_t    *task = go(rt, fiber_drops_a_future, rt);
    assert_true(tmlrt_runtime_run_once(rt) > 0);
    assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
    join_all(&task, 1);
    end_telling(rt, 1);
}

static void *fiber_is_told(void *arg) {
    void *value;
    require(tmlrt_shield_begin() == TMLRT_OK);
    require(tmlrt_chan_recv(told, &value) == TMLRT_OK && value == arg);
    require(tmlrt_shield_end() == TMLRT_OK);
    return NULL;
}

static int32_t body_tells(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    tells(u->arg);
    if (refused != 0) require(tmlrt_chan_try_send(told, &u->arg) == TMLRT_OK);
    return TMLRT_READY;
}

/* The scope is the thread's, not that of what it drives meanwhile. */
static void a_task_sends_while_its_thread_joins_a_cancelled_scope(void **state) {
    (void)state;
    tmlrt_runtime_t     *rt = begin_telling();
    tally_t              tally = {0};
    tmlrt_scope_t        scope = TMLRT_SCOPE_INIT;
    tmlrt_task_options_t child = TMLRT_TASK_OPTIONS_INIT;
    child.scope = &scope;
    assert_int_equal(tmlrt_scope_open(&scope, rt, TMLRT_NEVER), TMLRT_OK);
    assert_int_equal(tmlrt_go(rt, fiber_is_told, &scope, &child, NULL), TMLRT_OK);
    tmlrt_task_t *task = unit_spawn(rt, &tally, body_tells, &scope);
    assert_int_equal(tmlrt_scope_cancel(&scope), TMLRT_OK);
    assert_int_equal(tmlrt_scope_join(&scope), TMLRT_ECANCELED);
    join_all(&task, 1);
    end_telling(rt, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fibers_and_threads_make_the_same_calls),
        cmocka_unit_test(the_owner_of_a_current_thread_runtime_drives_it_by_its_calls),
        cmocka_unit_test(deadlines_end_the_wait),
        cmocka_unit_test(times_are_never_early),
        cmocka_unit_test(a_cancelled_fiber_is_told_by_every_call),
        cmocka_unit_test(a_fiber_that_never_has_to_wait_lets_others_run),
        cmocka_unit_test(calls_are_refused_where_nobody_may_block),
        cmocka_unit_test(a_drop_sends_when_the_fibers_turn_is_over),
        cmocka_unit_test(a_drop_sends_in_a_cancelled_fiber),
        cmocka_unit_test(a_task_sends_while_its_thread_joins_a_cancelled_scope),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
