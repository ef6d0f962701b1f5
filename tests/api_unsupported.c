/* SPDX-License-Identifier: MIT */
/*
 * api_unsupported.c: what Windows does not have says so, and what its documentation says of signals.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <windows.h>

#include <cmocka.h>

#include "support/net.h"
#include "support/skip.h"
#include "support/unit.h"

static void unix_sockets_say_so(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(1);
    tmlrt_addr_t     addr;
    tmlrt_sock_t    *sock = NULL;
    tmlrt_op_t       op = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_addr_unix(&addr, "C:\\x.sock"), TMLRT_OK);
    assert_int_equal(tmlrt_addr_unix(&addr, "@abstract"), TMLRT_ENOTSUP);
    assert_int_equal(tmlrt_unix_listen(rt, &addr, NULL, &sock), TMLRT_ENOTSUP);
    assert_int_equal(tmlrt_op_connect(&op, rt, &addr, NULL, &sock), TMLRT_OK);
    assert_int_equal(finish(&op), TMLRT_ENOTSUP);
    assert_null(sock);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_runtime_has_no_handle_but_is_driven(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tally_t          tally = {0};
    assert_int_equal(tmlrt_runtime_handle(rt), TMLRT_ENOTSUP);
    tmlrt_task_t *task = unit_spawn(rt, &tally, body_ready, NULL);
    assert_true(tmlrt_runtime_run_once(rt) >= 1);
    assert_int_equal(atomic_load(&tally.ready), 1);
    tmlrt_task_release(task);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void other_reactors_say_so(void **state) {
    (void)state;
    static const uint32_t others[] = {TMLRT_REACTOR_EPOLL, TMLRT_REACTOR_KQUEUE,
                                      TMLRT_REACTOR_IO_URING};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        tmlrt_config_t   config = TMLRT_CONFIG_INIT;
        tmlrt_runtime_t *rt = NULL;
        config.reactor = others[i];
        assert_int_equal(tmlrt_runtime_create(&rt, &config), TMLRT_ENOTSUP);
    }
}

static void signals_are_console_control_events(void **state) {
    (void)state;
    static const int fit[] = {SIGINT, SIGTERM, SIGBREAK}, unfit[] = {0, -1, SIGABRT, SIGSEGV, 1000};
    tmlrt_runtime_t *rt = runtime_multi(1);
    tmlrt_signal_t  *sig = NULL;
    tmlrt_op_t       op = TMLRT_OP_INIT;
    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++)
        assert_int_equal(tmlrt_signal_open(rt, unfit[i], &sig), TMLRT_EINVAL);
    for (size_t i = 0; i < sizeof fit / sizeof *fit; i++) {
        assert_int_equal(tmlrt_signal_open(rt, fit[i], &sig), TMLRT_OK);
        assert_int_equal(tmlrt_op_signal(&op, sig), TMLRT_OK);
        assert_true(start(&op));
        tmlrt_op_cancel(&op);
        assert_int_equal(finish(&op), TMLRT_ECANCELED);
        tmlrt_op_signal(&op, sig);
        assert_true(start(&op));
        tmlrt_signal_close(sig);
        assert_int_equal(finish(&op), TMLRT_ECANCELED);
    }
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* The system calls the handlers on a thread of its own, as it does after Ctrl+C. */
static void an_event_of_the_console_ends_a_wait(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(1);
    tmlrt_signal_t  *sig = NULL;
    tmlrt_op_t       op = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_signal_open(rt, SIGBREAK, &sig), TMLRT_OK);
    tmlrt_op_signal(&op, sig);
    assert_true(start(&op));
    (void)AllocConsole();
    if (!GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, 0)) {
        tmlrt_op_cancel(&op);
        assert_int_equal(finish(&op), TMLRT_ECANCELED);
        tmlrt_signal_close(sig);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
        skip_because("there is no console");
    }
    assert_int_equal(finish(&op), 1);
    tmlrt_signal_close(sig);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unix_sockets_say_so),
        cmocka_unit_test(a_runtime_has_no_handle_but_is_driven),
        cmocka_unit_test(other_reactors_say_so),
        cmocka_unit_test(signals_are_console_control_events),
        cmocka_unit_test(an_event_of_the_console_ends_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
