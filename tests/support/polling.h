/* SPDX-License-Identifier: MIT */
/*
 * polling.h: operations step by step, polled from the test's own thread with a waker that does
 * nothing: what each poll says, and how it ends.
 */
#ifndef TESTS_SUPPORT_POLLING_H
#define TESTS_SUPPORT_POLLING_H

#include <stdint.h>

#include <tmlrt.h>

/* A waker that does nothing. */
extern const tmlrt_waker_vtable_t nop_vtable;

int32_t poll_here(tmlrt_op_t *op);

/* For tests that have included cmocka.h. */
#define assert_waits(op) assert_int_equal(poll_here(op), TMLRT_PENDING)
#define assert_ends(op, r)                                                                         \
    do {                                                                                           \
        assert_int_equal(poll_here(op), TMLRT_READY);                                              \
        assert_int_equal(tmlrt_op_result(op), r);                                                  \
    } while (0)
#define assert_cancels(op, r)                                                                      \
    do {                                                                                           \
        assert_int_equal(tmlrt_op_cancel(op), TMLRT_OK);                                           \
        assert_int_equal(tmlrt_op_result(op), r);                                                  \
    } while (0)
#define assert_ok(e) assert_int_equal(e, TMLRT_OK)

#endif
