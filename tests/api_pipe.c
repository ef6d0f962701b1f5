/* SPDX-License-Identifier: MIT */
/*
 * api_pipe.c: pipes: bytes, vectors, the two ends of life, and that SIGPIPE never comes, from any
 * kind of thread.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/net.h"
#include "support/threads.h"
#include "support/unit.h"

static tmlrt_runtime_t *rt;
static atomic_int       sigpipes;

static void on_sigpipe(int signo) {
    (void)signo;
    atomic_fetch_add(&sigpipes, 1);
}

static int setup(void **state) {
    (void)state;
    rt = runtime_multi(2);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return tmlrt_runtime_destroy(rt);
}

static void bytes_go_through_and_end(void **state) {
    (void)state;
    tmlrt_sock_t *r = NULL, *w = NULL;
    char          buf[16];
    tmlrt_iovec_t out[2] = {{"abc", 3}, {"defg", 4}}, in[2] = {{buf, 5}, {buf + 5, 5}};
    assert_int_equal(tmlrt_pipe(rt, &r, &w), TMLRT_OK);
    assert_int_equal(tmlrt_try_read(r, buf, 1), TMLRT_EAGAIN);
    assert_int_equal(tmlrt_writev(w, out, 2), 7);
    assert_int_equal(tmlrt_readv(r, in, 2), 7);
    assert_memory_equal(buf, "abcdefg", 7);
    int64_t n = tmlrt_try_write(w, "xyz", 3);
#if defined(_WIN32)
    if (n == TMLRT_EAGAIN && shim_is_wine()) /* Wine does not tell how much room a pipe has */
        n = tmlrt_write(w, "xyz", 3);
#endif
    assert_int_equal(n, 3);
    assert_int_equal(tmlrt_read_exact(r, buf, 2), 2);
    assert_int_equal(tmlrt_read_until(r, buf + 2, 8, TMLRT_NEVER), 1);
    assert_memory_equal(buf, "xyz", 3);
    assert_int_equal(tmlrt_read_until(r, buf, 1, 1), TMLRT_ETIMEDOUT);
    assert_int_equal(tmlrt_write(w, "z", 1), 1);
    tmlrt_sock_release(w);
    assert_int_equal(tmlrt_read(r, buf, sizeof buf), 1);
    assert_int_equal(tmlrt_read(r, buf, sizeof buf), 0);
    assert_int_equal(tmlrt_read_exact(r, buf, 1), TMLRT_EEOF);
    tmlrt_sock_release(r);
}

enum { MUCH = 1 << 20 };

static void *fiber_writes(void *arg) {
    char *much = malloc(MUCH);
    require(much != NULL);
    for (int i = 0; i < MUCH; i++)
        much[i] = (char)(i * 7 / 3);
    require(tmlrt_write(arg, much, MUCH) == MUCH);
    free(much);
    tmlrt_sock_release(arg);
    return NULL;
}

static void much_goes_in_order(void **state) {
    (void)state;
    for (int chunk = 1000; chunk <= 100000; chunk *= 10) {
        tmlrt_sock_t *r = NULL, *w = NULL;
        tmlrt_task_t *task;
        char         *buf = malloc((size_t)chunk);
        int64_t       n;
        int           at = 0;
        assert_int_equal(tmlrt_pipe(rt, &r, &w), TMLRT_OK);
        assert_int_equal(tmlrt_go(rt, fiber_writes, w, NULL, &task), TMLRT_OK);
        while ((n = tmlrt_read(r, buf, (size_t)chunk)) > 0)
            for (int64_t i = 0; i < n; i++, at++)
                if (buf[i] != (char)(at * 7 / 3)) fail_msg("byte %d differs", at);
        assert_int_equal(n, 0);
        assert_int_equal(at, MUCH);
        assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
        tmlrt_task_release(task);
        tmlrt_sock_release(r);
        free(buf);
    }
}

/* ---- SIGPIPE ----------------------------------------------------------------------------------- */

static void *writes_to_nobody(void *arg) {
    tmlrt_runtime_t *its = arg;
    for (int i = 0; i < 10; i++) {
        tmlrt_sock_t *r = NULL, *w = NULL;
        tmlrt_iovec_t iov = {"x", 1};
        require(tmlrt_pipe(its, &r, &w) == TMLRT_OK);
        tmlrt_sock_release(r);
        require(tmlrt_write(w, "x", 1) == TMLRT_EPIPE);
        require(tmlrt_try_write(w, "x", 1) == TMLRT_EPIPE);
        require(tmlrt_writev(w, &iov, 1) == TMLRT_EPIPE);
        tmlrt_sock_release(w);
    }
    return NULL;
}

#if defined(_WIN32)
static void sigpipe_never_comes(void **state) {
    (void)state, (void)on_sigpipe;
    writes_to_nobody(rt);
}
#else
static void thread_writes_to_nobody(void *arg, int i) {
    sigset_t set, now;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    /* A mask of the thread's own is left alone, and nothing is pending in it afterwards. */
    if (i == 1) require(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    writes_to_nobody(arg);
    require(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0);
    require(sigismember(&now, SIGPIPE) == (i == 1));
    require(sigpending(&now) == 0 && sigismember(&now, SIGPIPE) == 0);
}

static void sigpipe_never_comes(void **state) {
    (void)state;
    struct sigaction watch, before;
    tmlrt_task_t    *task;
    memset(&watch, 0, sizeof watch);
    watch.sa_handler = on_sigpipe;
    assert_int_equal(sigaction(SIGPIPE, &watch, &before), 0);
    writes_to_nobody(rt);
    on_threads(2, thread_writes_to_nobody, rt);
    assert_int_equal(tmlrt_go(rt, writes_to_nobody, NULL, NULL, &task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
    tmlrt_runtime_t *own = runtime_current_thread();
    assert_int_equal(tmlrt_go(own, writes_to_nobody, NULL, NULL, &task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
    assert_int_equal(tmlrt_runtime_destroy(own), TMLRT_OK);
    assert_int_equal(atomic_load(&sigpipes), 0);
    /* One of the program's own still comes. */
    assert_int_equal(raise(SIGPIPE), 0);
    assert_int_equal(atomic_load(&sigpipes), 1);
    assert_int_equal(sigaction(SIGPIPE, &before, NULL), 0);
}
#endif

/* A writer that waits for room is told when the reader goes. */
static void *fiber_fills(void *arg) {
    static const char block[65536];
    int64_t           n;
    do
        n = tmlrt_write(arg, block, sizeof block);
    while (n == sizeof block);
    require(n == TMLRT_EPIPE);
    return NULL;
}

static void a_waiting_writer_is_told_that_the_reader_is_gone(void **state) {
    (void)state;
    tmlrt_sock_t *r = NULL, *w = NULL;
    tmlrt_task_t *task;
    char          c;
    assert_int_equal(tmlrt_pipe(rt, &r, &w), TMLRT_OK);
    assert_int_equal(tmlrt_go(rt, fiber_fills, w, NULL, &task), TMLRT_OK);
    assert_int_equal(tmlrt_read(r, &c, 1), 1);
    tmlrt_sock_release(r);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
    tmlrt_sock_release(w);
}

static void cancel_and_close_end_a_read(void **state) {
    (void)state;
    tmlrt_sock_t *r = NULL, *w = NULL;
    tmlrt_op_t    op = TMLRT_OP_INIT;
    char          c;
    assert_int_equal(tmlrt_pipe(rt, &r, &w), TMLRT_OK);
    assert_int_equal(tmlrt_op_read(&op, r, &c, 1), TMLRT_OK);
    assert_int_equal(start(&op), 1);
    assert_int_equal(tmlrt_op_cancel(&op), TMLRT_OK);
    assert_int_equal(finish(&op), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_op_read(&op, r, &c, 1), TMLRT_OK);
    assert_int_equal(start(&op), 1);
    assert_int_equal(tmlrt_sock_close(r), TMLRT_OK);
    assert_int_equal(finish(&op), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_read(r, &c, 1), TMLRT_ECLOSED);
    tmlrt_sock_release(r);
    tmlrt_sock_release(w);
}

static void what_only_sockets_have_is_refused(void **state) {
    (void)state;
    tmlrt_sock_t *r = NULL, *w = NULL, *out = NULL;
    tmlrt_addr_t  addr;
    char          c;
    assert_int_equal(tmlrt_pipe(rt, NULL, &w), TMLRT_EINVAL);
    assert_int_equal(tmlrt_pipe(rt, &r, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_pipe(NULL, &r, &w), TMLRT_ENORUNTIME);
    assert_int_equal(tmlrt_pipe(rt, &r, &w), TMLRT_OK);
    assert_int_equal(tmlrt_read(w, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_try_read(w, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_write(r, &c, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_accept(r, &out), TMLRT_EINVAL);
    assert_int_equal(tmlrt_sock_shutdown(w, TMLRT_SHUT_WRITE), TMLRT_EINVAL);
    assert_true(tmlrt_sock_local_addr(r, &addr) < 0);
    assert_true(tmlrt_sock_peer_addr(r, &addr) < 0);
    assert_true(tmlrt_sock_set(r, TMLRT_SOCK_NODELAY, 1) < 0);
    tmlrt_sock_release(r);
    tmlrt_sock_release(w);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(bytes_go_through_and_end),    T(much_goes_in_order),
        T(sigpipe_never_comes),         T(a_waiting_writer_is_told_that_the_reader_is_gone),
        T(cancel_and_close_end_a_read), T(what_only_sockets_have_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
