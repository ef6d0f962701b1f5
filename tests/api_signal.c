/* SPDX-License-Identifier: MIT */
/*
 * api_signal.c: signals as operations: counts, several listeners and runtimes, cancel, the former
 * handler, fork, and the documented error of every bad argument.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/net.h"
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

static volatile sig_atomic_t formers;

static void former(int signo) {
    (void)signo;
    formers = formers + 1;
}

static void a_wait_ends_with_the_signal_and_counts(void **state) {
    (void)state;
    tmlrt_signal_t *sig = NULL;
    tmlrt_op_t      op = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_signal_open(rt, SIGUSR1, &sig), TMLRT_OK);
    assert_int_equal(tmlrt_op_signal(&op, sig), TMLRT_OK);
    assert_true(start(&op));
    raise(SIGUSR1);
    assert_int_equal(finish(&op), 1);
    for (int i = 0; i < 3; i++) /* nobody waits: they are counted */
        raise(SIGUSR1);
    tmlrt_op_signal(&op, sig);
    assert_int_equal(finish(&op), 3);
    tmlrt_op_signal(&op, sig);
    assert_true(start(&op));
    tmlrt_op_cancel(&op);
    assert_int_equal(finish(&op), TMLRT_ECANCELED);
    tmlrt_op_signal(&op, sig);
    tmlrt_op_deadline(&op, tmlrt_now(rt) + TMLRT_MS);
    assert_int_equal(finish(&op), TMLRT_ETIMEDOUT);
    raise(SIGUSR1);
    tmlrt_op_signal(&op, sig);
    assert_int_equal(finish(&op), 1);
    tmlrt_op_signal(&op, sig);
    assert_true(start(&op));
    tmlrt_signal_close(sig);
    assert_int_equal(finish(&op), TMLRT_ECANCELED);
}

static void every_registration_of_every_runtime_sees_each(void **state) {
    (void)state;
    tmlrt_runtime_t *second = runtime_current_thread();
    tmlrt_signal_t  *sig[4] = {NULL};
    tmlrt_op_t       op[4] = {TMLRT_OP_INIT, TMLRT_OP_INIT, TMLRT_OP_INIT, TMLRT_OP_INIT};
    for (int i = 0; i < 4; i++) {
        int signo = i == 3 ? SIGUSR2 : SIGUSR1;
        assert_int_equal(tmlrt_signal_open(i == 1 ? second : rt, signo, &sig[i]), TMLRT_OK);
        tmlrt_op_signal(&op[i], sig[i]);
        assert_true(start(&op[i]));
    }
    raise(SIGUSR1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(&op[i]), 1);
    assert_int_equal(tmlrt_op_result(&op[3]), TMLRT_EBUSY); /* another signal */
    raise(SIGUSR2);
    assert_int_equal(finish(&op[3]), 1);
    for (int i = 0; i < 4; i++)
        tmlrt_signal_close(sig[i]);
    assert_int_equal(tmlrt_runtime_destroy(second), TMLRT_OK);
}

static void the_last_close_puts_the_former_handler_back(void **state) {
    (void)state;
    tmlrt_signal_t *a = NULL, *b = NULL;
    formers = 0;
    signal(SIGUSR1, former);
    assert_int_equal(tmlrt_signal_open(rt, SIGUSR1, &a), TMLRT_OK);
    assert_int_equal(tmlrt_signal_open(rt, SIGUSR1, &b), TMLRT_OK);
    raise(SIGUSR1);
    tmlrt_signal_close(a);
    raise(SIGUSR1);
    assert_int_equal(formers, 0);
    tmlrt_signal_close(b);
    raise(SIGUSR1);
    assert_int_equal(formers, 1);
    signal(SIGUSR1, SIG_DFL);
}

static void a_handle_outlives_its_runtime(void **state) {
    (void)state;
    tmlrt_runtime_t *second = runtime_multi(1);
    tmlrt_signal_t  *sig = NULL;
    tmlrt_op_t       op = TMLRT_OP_INIT;
    formers = 0;
    signal(SIGUSR2, former);
    assert_int_equal(tmlrt_signal_open(second, SIGUSR2, &sig), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_destroy(second), TMLRT_OK);
    raise(SIGUSR2);
    tmlrt_op_signal(&op, sig);
    assert_int_equal(finish(&op), TMLRT_ECLOSED);
    tmlrt_signal_close(sig);
    raise(SIGUSR2);
    assert_int_equal(formers, 1);
    signal(SIGUSR2, SIG_DFL);
}

static void a_child_does_not_wake_its_parent(void **state) {
    (void)state;
    tmlrt_signal_t *sig = NULL;
    tmlrt_op_t      op = TMLRT_OP_INIT;
    int             status;
    assert_int_equal(tmlrt_signal_open(rt, SIGUSR1, &sig), TMLRT_OK);
    tmlrt_op_signal(&op, sig);
    assert_true(start(&op));
    pid_t child = fork();
    if (child == 0) {
        tmlrt_op_t      mine = TMLRT_OP_INIT;
        tmlrt_signal_t *other = NULL;
        raise(SIGUSR1);
        bool ok = tmlrt_op_signal(&mine, sig) == TMLRT_EFORKED &&
                  tmlrt_signal_open(rt, SIGUSR1, &other) == TMLRT_EFORKED;
        tmlrt_signal_close(sig);
        /* A runtime of the child's own listens anew. */
        tmlrt_runtime_t *own = runtime_current_thread();
        ok = ok && tmlrt_signal_open(own, SIGUSR1, &other) == TMLRT_OK;
        tmlrt_op_signal(&mine, other);
        ok = ok && start(&mine);
        raise(SIGUSR1);
        ok = ok && finish(&mine) == 1;
        tmlrt_signal_close(other);
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_EBUSY);
    raise(SIGUSR1);
    assert_int_equal(finish(&op), 1);
    tmlrt_signal_close(sig);
}

static void raise_many(void *arg, int i) {
    (void)i;
    for (int n = 0; n < 200; n++)
        require(kill(getpid(), *(int *)arg) == 0);
}

static void open_and_close(void *arg, int i) {
    if (i == 0) {
        raise_many(arg, i);
        return;
    }
    for (int n = 0; n < 200; n++) {
        tmlrt_signal_t *sig = NULL;
        require(tmlrt_signal_open(rt, *(int *)arg, &sig) == TMLRT_OK);
        tmlrt_signal_close(sig);
    }
}

static void signals_race_with_open_and_close(void **state) {
    (void)state;
    int              signo = SIGUSR1;
    tmlrt_signal_t  *keep = NULL; /* the handler stays installed, the listener of another comes */
    tmlrt_runtime_t *second = runtime_multi(1);
    assert_int_equal(tmlrt_signal_open(second, signo, &keep), TMLRT_OK);
    on_threads(3, open_and_close, &signo);
    tmlrt_signal_close(keep);
    assert_int_equal(tmlrt_runtime_destroy(second), TMLRT_OK);
}

static void bad_arguments_are_refused(void **state) {
    static const int unfit[] = {0, -1, 65, 1000, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    (void)state;
    tmlrt_signal_t *sig = NULL;
    tmlrt_op_t      op = TMLRT_OP_INIT;
    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++)
        assert_int_equal(tmlrt_signal_open(rt, unfit[i], &sig), TMLRT_EINVAL);
    assert_int_equal(tmlrt_signal_open(rt, SIGUSR1, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_signal_open(NULL, SIGUSR1, &sig), TMLRT_ENORUNTIME);
    assert_null(sig);
    tmlrt_signal_close(NULL);
    assert_int_equal(tmlrt_op_signal(&op, NULL), TMLRT_EINVAL);
    assert_int_equal(finish(&op), TMLRT_EINVAL);
    assert_int_equal(tmlrt_signal_open(rt, SIGUSR1, &sig), TMLRT_OK);
    assert_int_equal(tmlrt_op_signal(NULL, sig), TMLRT_EINVAL);
    tmlrt_op_signal(&op, sig);
    assert_true(start(&op));
    assert_int_equal(tmlrt_op_signal(&op, sig), TMLRT_EBUSY);
    tmlrt_op_cancel(&op);
    assert_int_equal(finish(&op), TMLRT_ECANCELED);
    tmlrt_signal_close(sig);
    assert_int_equal(tmlrt_runtime_shutdown(rt, 0, NULL), TMLRT_OK);
    assert_int_equal(tmlrt_signal_open(rt, SIGUSR1, &sig), TMLRT_ESHUTDOWN);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_wait_ends_with_the_signal_and_counts),
        T(every_registration_of_every_runtime_sees_each),
        T(the_last_close_puts_the_former_handler_back),
        T(a_handle_outlives_its_runtime),
        T(a_child_does_not_wake_its_parent),
        T(signals_race_with_open_and_close),
        T(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
