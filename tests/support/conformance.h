/* SPDX-License-Identifier: MIT */
/*
 * conformance.h: what the suites that run on every reactor have in common: their fixtures, and the
 * run. For tests that have included cmocka.h.
 */
#ifndef TESTS_SUPPORT_CONFORMANCE_H
#define TESTS_SUPPORT_CONFORMANCE_H

#include <tmlrt.h>

#include "reactors.h"

typedef struct fixture {
    tmlrt_runtime_t *rt;
    tmlrt_sock_t    *listener; /* of a listener's fixture */
    tmlrt_addr_t     addr;     /* the listener's */
    tmlrt_sock_t    *sock;     /* ours */
    int              peer;     /* of a stream's fixture: the other end, raw and blocking; or -1 */
    tmlrt_op_t       op, op2;
} fixture_t;

/* A runtime of the kind whose turn it is, and a listener / a connected socket. */
int listener_setup(void **state);
int stream_setup(void **state);
int fixture_teardown(void **state);

/* The value of main. */
#define RUN_ON_EACH_REACTOR(tests)                                                                 \
    int failed = 0;                                                                                \
    while (reactor_next())                                                                         \
        failed += cmocka_run_group_tests_name(reactor_name(), tests, NULL, NULL);                  \
    return failed

#endif
