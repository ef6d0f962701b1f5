/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/op.h: the operation, the one thing that can be waited for.
 *
 * An operation is placed by the caller (on a stack, in a task's state, in a struct), initialised
 * once by TMLRT_OP_INIT (all bytes zero), and used again and again:
 *
 *     prepare     tmlrt_op_read(&op, ...)      no side effect yet
 *     start       tmlrt_op_poll / _await       from here on it is in flight and must not move
 *     end         READY                        tmlrt_op_result; then it may be prepared again
 *
 * The contract is completion: an operation that was started ends once, with a result, also after a
 * cancel. Memory given to it (buffers, out-pointers) belongs to it from the start to the end. An
 * operation in flight is linked into the task that started it and keeps that task's state alive;
 * only that task polls, cancels and prepares it.
 *
 * Preparing with bad arguments returns the error and also leaves the operation prepared to fail:
 * polled, it is READY with the same error, so that straight-line code may look at the result alone.
 */
#ifndef TMLRT_OP_H
#define TMLRT_OP_H

#include <tmlrt/base.h>
#include <tmlrt/task.h>
#include <tmlrt/waker.h>

TMLRT_BEGIN_DECLS

/* 128 bytes, frozen. The content is the library's. */
struct tmlrt_op {
    uint64_t opaque_[16];
};

#define TMLRT_OP_INIT                                                                              \
    {                                                                                              \
        { 0 }                                                                                      \
    }

TMLRT_STATIC_ASSERT(sizeof(struct tmlrt_op) == 128, "the size of an operation is frozen");

/* The deadline that never comes. */
#define TMLRT_NEVER INT64_MAX

/* Gives a prepared operation a deadline: absolute, in ns, on tmlrt_now of the runtime it will run
 * on (awaited by a plain thread: on the clock of what it drives, else the real one; polled by hand
 * outside of tasks and runtimes, nobody keeps the time). Past it the operation is cancelled and its
 * result is TMLRT_ETIMEDOUT, unless it had already succeeded. TMLRT_NEVER takes the deadline away;
 * preparing anew does as well.
 * Errors: TMLRT_EINVAL (not prepared), TMLRT_EBUSY (in flight). */
TMLRT_API int tmlrt_op_deadline(tmlrt_op_t *op, int64_t abs_ns);

/* Starts or checks the operation. TMLRT_READY: it ended, see tmlrt_op_result (polled again before
 * it is prepared anew, it stays READY). TMLRT_PENDING: the context's waker will be woken; a later
 * poll may bring another waker. An operation that is ready again and again, or goes on and on,
 * eventually says PENDING once, having woken the task, so that others get their turn.
 * Threads: the task that owns the operation, inside its poll; outside of tasks one thread at a time
 * (cx->task is NULL then, and the waker is the caller's own).
 * Errors: TMLRT_EINVAL for NULL arguments (everything else is told by the result). */
TMLRT_API int32_t tmlrt_op_poll(tmlrt_op_t *op, tmlrt_cx_t *cx);

/* Waits for the end of the operation; then as after READY. The thread that owns a current-thread
 * runtime drives that runtime meanwhile.
 * Suspends: blocks a plain thread. Returns TMLRT_OK when the operation ended, whatever its result.
 * Errors: TMLRT_EINVAL; TMLRT_EDEADLK inside a stackless poll, a drop or a hook (nothing started).
 */
TMLRT_API int tmlrt_op_await(tmlrt_op_t *op);

/* Asks an operation in flight to end soon. It still ends through a poll (or the await that waits
 * for it): with TMLRT_ECANCELED, or with success when that had won the race. A prepared one that
 * was not started ends with TMLRT_ECANCELED; an ended one is left alone.
 * Threads: as tmlrt_op_poll. Errors: TMLRT_EINVAL. */
TMLRT_API int tmlrt_op_cancel(tmlrt_op_t *op);

/* The result: 0 or a count, or a negative TMLRT_E*. TMLRT_EBUSY while in flight, TMLRT_EAGAIN when
 * prepared and not started, TMLRT_EINVAL for one never prepared and for NULL. */
TMLRT_API int64_t tmlrt_op_result(const tmlrt_op_t *op);

/* The bytes that a read or write moved, also when its result is an error; 0 for other kinds and
 * for NULL. Valid after READY. */
TMLRT_API size_t tmlrt_op_transferred(const tmlrt_op_t *op);

/* Ready when the first of `n` prepared operations is; the result is its index. The losers are
 * cancelled and acknowledged before READY; more than one may still have succeeded, so look at every
 * result, also after a cancel or a deadline (of operations that take something from a sync object
 * at most one does). They start in the order of the array; once one is ready at once, those behind
 * it are not started and end with TMLRT_ECANCELED. Each keeps its own deadline. The array and
 * the operations are the caller's, pinned until READY. Nests.
 * Cancel and deadline: cancel all of them; then the result is TMLRT_ECANCELED or TMLRT_ETIMEDOUT.
 * Errors: TMLRT_EINVAL (n is 0, an entry is NULL), TMLRT_EBUSY. */
TMLRT_API int tmlrt_op_any(tmlrt_op_t *op, tmlrt_op_t *const *ops, size_t n);

/* Ready when all of `n` prepared operations are; the result is 0 (theirs may be errors). Otherwise
 * as tmlrt_op_any; n may be 0. */
TMLRT_API int tmlrt_op_all(tmlrt_op_t *op, tmlrt_op_t *const *ops, size_t n);

/* Polls a future of `type` in place as an operation: a select or a thread waits for it like for
 * anything else. `state` is initialised by the caller and belongs to the operation from the start;
 * it is dropped (type->drop) when the operation ends or is cancelled, its own operations in flight
 * first. The value goes to `result` (may be NULL when result_size is 0). The result of the
 * operation is TMLRT_OK, TMLRT_ECANCELED, TMLRT_ETIMEDOUT or TMLRT_EPANIC. Ended before its start
 * (cancelled, or prepared anew) the state is still the caller's.
 * Errors: TMLRT_EINVAL, TMLRT_EBUSY. */
TMLRT_API int tmlrt_op_future(tmlrt_op_t *op, const tmlrt_task_type_t *type, void *state,
                              void *result);

/* Ready after every woken or yielding task that was queued on this worker before has had its turn,
 * and a share of the freshly spawned ones.
 * Errors: TMLRT_EINVAL, TMLRT_EBUSY. */
TMLRT_API int tmlrt_op_yield(tmlrt_op_t *op);

/* Cancels every operation of the current task that lies in [base, base + size) and is in flight,
 * and acknowledges it: READY when none is left, so that the memory may be dropped or used again.
 * For code that drops a part of a state: a race, a timeout around an inline child. What the
 * cancelled operations had already taken is lost as their results say.
 * Errors: TMLRT_EINVAL (cx NULL or without a task; base NULL with a size). */
TMLRT_API int32_t tmlrt_ops_drain(tmlrt_cx_t *cx, const void *base, size_t size);

TMLRT_END_DECLS

#endif
