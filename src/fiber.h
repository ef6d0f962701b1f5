/* SPDX-License-Identifier: MIT */
/*
 * fiber.h: what other parts need of fibers beside the public calls.
 */
#ifndef TMLRT__FIBER_H
#define TMLRT__FIBER_H

#include <tmlrt/op.h>

/* As tmlrt_op_await, but a request to end the fiber does not cancel the operation: for waits that
 * are no cancellation points (a plain mutex lock). */
int tmlrt__await_always(tmlrt_op_t *op);

#endif
