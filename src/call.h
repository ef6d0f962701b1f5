/* SPDX-License-Identifier: MIT */
/*
 * call.h: what the calls have in common that are an operation and its wait in one (tmlrt_chan_send,
 * tmlrt_mutex_lock_until, ...), from a fiber or a plain thread. A call tries first, without any
 * operation, and makes one on its own stack only when it has to wait:
 *
 *     if (tmlrt__call_tries() && x__try(x)) return TMLRT_OK;
 *     tmlrt_op_t op = TMLRT_OP_INIT;
 *     tmlrt_op_x(&op, x);
 *     return (int)tmlrt__call_await(&op, deadline);
 *
 * Nothing here may be looked at again after the wait that depends on the thread: a fiber may come
 * back on another one.
 */
#ifndef TMLRT__CALL_H
#define TMLRT__CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <tmlrt/op.h>

/* Whether the caller may try before it waits. False in a fiber that has been asked to end, or that
 * has used up its turn: then the await of an operation knows what is to be done. One try is charged
 * to the turn. Where nobody may wait (a stackless poll, a drop, a hook): always. */
bool tmlrt__call_tries(void);

/* Waits for a prepared operation, until `deadline` at most (TMLRT_NEVER: for ever). Its result, or
 * TMLRT_EDEADLK where nobody may block. */
int64_t tmlrt__call_await(tmlrt_op_t *op, int64_t deadline);

/* The same where the wait is no cancellation point and has no deadline. */
int64_t tmlrt__call_await_always(tmlrt_op_t *op);

#endif
