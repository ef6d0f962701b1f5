/* SPDX-License-Identifier: MIT */
/*
 * fiber.h: what other parts need of fibers beside the public calls.
 */
#ifndef TMLRT__FIBER_H
#define TMLRT__FIBER_H

#include <tmlrt/op.h>

#include "host.h"

/* As tmlrt_op_await, but a request to end the fiber does not cancel the operation: for waits that
 * are no cancellation points (a plain mutex lock). */
int tmlrt__await_always(tmlrt_op_t *op);

/* A job of the blocking pool as a fiber; `drop`, unless NULL, is called with `arg` exactly once at
 * its end, also when it never began. On error it is not called. */
int tmlrt__fiber_job(tmlrt__host_t *host, void *(*fn)(void *), void *arg, void (*drop)(void *),
                     const tmlrt_task_options_t *options, tmlrt_task_t **out);

#endif
