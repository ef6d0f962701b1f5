/* SPDX-License-Identifier: MIT */
/*
 * api_fd.c: waits for foreign descriptors: what is ready at once, what becomes so, errors, close,
 * and the documented error of every bad argument. conformance_accept.c waits on every reactor.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/net.h"
#include "support/skip.h"
#include "support/threads.h"
#include "support/unit.h"

static tmlrt_runtime_t *rt;
static int              fds[2]; /* a pair of sockets */

static int setup(void **state) {
    (void)state;
    rt = runtime_multi(2);
    return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static int teardown(void **state) {
    (void)state;
    close(fds[0]);
    if (fds[1] >= 0) close(fds[1]);
    return tmlrt_runtime_destroy(rt);
}

static tmlrt_fd_t *registered(void) {
    tmlrt_fd_t *reg = NULL;
    require(tmlrt_fd_open(rt, fds[0], &reg) == TMLRT_OK);
    return reg;
}

static int64_t wait_for(tmlrt_fd_t *reg, uint32_t interest) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    require(tmlrt_op_fd_wait(&op, reg, interest) == TMLRT_OK);
    return finish(&op);
}

static void a_wait_is_level_triggered(void **state) {
    (void)state;
    tmlrt_fd_t *reg = registered();
    for (int i = 0; i < 5; i++)
        assert_int_equal(wait_for(reg, TMLRT_FD_WRITE), TMLRT_FD_WRITE);
    assert_int_equal(write(fds[1], "x", 1), 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(wait_for(reg, TMLRT_FD_READ), TMLRT_FD_READ);
    tmlrt_fd_close(reg);
}

static void a_hangup_is_told_to_whoever_waits(void **state) {
    (void)state;
    skip_on_windows("the pair is of TCP, where a close ends one half");
    tmlrt_fd_t *reg = registered();
    tmlrt_op_t  op = TMLRT_OP_INIT;
    tmlrt_op_fd_wait(&op, reg, TMLRT_FD_READ);
    assert_true(start(&op));
    close(fds[1]);
    fds[1] = -1;
    int64_t r = finish(&op);
    assert_true((r & TMLRT_FD_READ) != 0);
    assert_true((wait_for(reg, TMLRT_FD_READ | TMLRT_FD_WRITE) & TMLRT_FD_ERROR) != 0);
    tmlrt_fd_close(reg);
}

static void a_close_ends_the_waits_and_frees_the_descriptor(void **state) {
    (void)state;
    tmlrt_op_t op[3] = {TMLRT_OP_INIT, TMLRT_OP_INIT, TMLRT_OP_INIT};
    for (int round = 0; round < 50; round++) { /* the same number again and again */
        tmlrt_fd_t *reg = registered();
        for (int i = 0; i < 3; i++) {
            tmlrt_op_fd_wait(&op[i], reg, TMLRT_FD_READ);
            assert_true(start(&op[i]));
        }
        tmlrt_fd_close(reg);
        for (int i = 0; i < 3; i++)
            assert_int_equal(finish(&op[i]), TMLRT_ECANCELED);
    }
}

typedef struct crowd {
    tmlrt_fd_t *reg;
} crowd_t;

static void wait_and_cancel(void *arg, int i) {
    crowd_t   *c = arg;
    tmlrt_op_t op = TMLRT_OP_INIT;
    for (int n = 0; n < 300; n++) {
        uint32_t interest = (n + i) % 3 == 0 ? TMLRT_FD_WRITE : TMLRT_FD_READ;
        require(tmlrt_op_fd_wait(&op, c->reg, interest) == TMLRT_OK);
        start(&op);
        if (interest == TMLRT_FD_READ) tmlrt_op_cancel(&op);
        int64_t r = finish(&op);
        require(interest == TMLRT_FD_WRITE ? r == TMLRT_FD_WRITE : r == TMLRT_ECANCELED);
    }
}

static void a_crowd_on_one_descriptor_is_served(void **state) {
    (void)state;
    crowd_t c = {registered()};
    on_threads(4, wait_and_cancel, &c);
    tmlrt_fd_close(c.reg);
}

static void a_registration_outlives_its_runtime(void **state) {
    (void)state;
    tmlrt_runtime_t *second = runtime_multi(1);
    tmlrt_fd_t      *reg = NULL;
    tmlrt_op_t       op = TMLRT_OP_INIT, before = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_fd_open(second, fds[0], &reg), TMLRT_OK);
    tmlrt_op_fd_wait(&before, reg, TMLRT_FD_READ);
    assert_true(start(&before));
    assert_int_equal(tmlrt_runtime_destroy(second), TMLRT_OK);
    assert_int_equal(finish(&before), TMLRT_ECANCELED);
    tmlrt_op_fd_wait(&op, reg, TMLRT_FD_WRITE);
    assert_int_equal(finish(&op), TMLRT_ECLOSED);
    tmlrt_fd_close(reg);
#if !defined(_WIN32)                          /* the shim cannot ask */
    assert_true(fcntl(fds[0], F_GETFD) >= 0); /* it is not ours to close */
#endif
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_fd_t *reg = NULL;
    tmlrt_op_t  op = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_fd_open(rt, fds[0], NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_fd_open(rt, -1, &reg), TMLRT_EBADF);
    assert_int_equal(tmlrt_fd_open(rt, INTPTR_MAX, &reg), TMLRT_EBADF);
    int gone = dup(0);
    close(gone);
    assert_int_equal(tmlrt_fd_open(rt, gone, &reg), TMLRT_EBADF);
    assert_int_equal(tmlrt_fd_open(NULL, fds[0], &reg), TMLRT_ENORUNTIME);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(tmlrt_fd_open(rt, fileno(file), &reg), TMLRT_ENOTSUP);
    fclose(file);
    assert_null(reg);
    tmlrt_fd_close(NULL);

    reg = registered();
    assert_int_equal(tmlrt_op_fd_wait(NULL, reg, TMLRT_FD_READ), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_fd_wait(&op, NULL, TMLRT_FD_READ), TMLRT_EINVAL);
    assert_int_equal(finish(&op), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_fd_wait(&op, reg, 0), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_fd_wait(&op, reg, TMLRT_FD_READ | TMLRT_FD_ERROR), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_fd_wait(&op, reg, TMLRT_FD_READ | 8), TMLRT_EINVAL);
    tmlrt_op_fd_wait(&op, reg, TMLRT_FD_READ);
    assert_true(start(&op));
    assert_int_equal(tmlrt_op_fd_wait(&op, reg, TMLRT_FD_READ), TMLRT_EBUSY);
    tmlrt_op_cancel(&op);
    assert_int_equal(finish(&op), TMLRT_ECANCELED);
    tmlrt_fd_close(reg);
    assert_int_equal(tmlrt_runtime_shutdown(rt, 0, NULL), TMLRT_OK);
    assert_int_equal(tmlrt_fd_open(rt, fds[0], &reg), TMLRT_ESHUTDOWN);
}

static void a_descriptor_is_registered_once(void **state) {
    (void)state;
    tmlrt_fd_t *reg[8] = {NULL}, *again = NULL;
    for (int i = 0; i < 8; i++) {
        reg[i] = registered();
        for (int k = 0; k < 4; k++)
            assert_int_equal(tmlrt_fd_open(rt, fds[0], &again), TMLRT_EEXIST);
        assert_null(again);
        tmlrt_fd_close(reg[i]);
    }
}

static void a_child_is_refused(void **state) {
    (void)state;
    skip_on_windows("there is no fork");
    tmlrt_fd_t *reg = registered();
    int         status;
    pid_t       child = fork();
    if (child == 0) {
        tmlrt_op_t  op = TMLRT_OP_INIT;
        tmlrt_fd_t *other = NULL;
        bool        ok = tmlrt_op_fd_wait(&op, reg, TMLRT_FD_READ) == TMLRT_EFORKED &&
                  tmlrt_fd_open(rt, fds[1], &other) == TMLRT_EFORKED;
        tmlrt_fd_close(reg);
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(wait_for(reg, TMLRT_FD_WRITE), TMLRT_FD_WRITE);
    tmlrt_fd_close(reg);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_wait_is_level_triggered),
        T(a_hangup_is_told_to_whoever_waits),
        T(a_close_ends_the_waits_and_frees_the_descriptor),
        T(a_crowd_on_one_descriptor_is_served),
        T(a_registration_outlives_its_runtime),
        T(bad_arguments_are_refused),
        T(a_descriptor_is_registered_once),
        T(a_child_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
