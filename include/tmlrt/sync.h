/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/sync.h: mutex, rwlock, semaphore, barrier, once, wait group.
 *
 * All are placed by the caller, begin as TMLRT_SYNC_INIT (all bytes zero; semaphore and barrier then
 * need their init), need no end (nobody may be waiting when the memory goes), are bound to no
 * runtime, and work from stackless tasks (the operation), fibers and plain threads (the call) alike,
 * from any mix of them at once. Who has been let through may end the object at once: a lock that was
 * handed to it, a count that came to zero, is not touched any more by who did that.
 *
 * Operations: `object` is the caller's and stays until the operation ends. READY with a result of 0
 * or more: it has what it asked for. One that is cancelled or times out has taken nothing: a grant
 * that had already been given to it passes on to the next waiter. Waiting is strictly in the order
 * of the start, but for the mutex. Errors: TMLRT_EINVAL, TMLRT_EBUSY (in flight).
 *
 * Calls: try first, suspend the fiber or block the thread only when they must. `_until` takes an
 * absolute deadline in ns on tmlrt_now (TMLRT_NEVER: none); `try_` never waits and may be called
 * anywhere. Errors of every call, besides what is said at each: TMLRT_EINVAL for NULL and
 * out-of-range arguments; TMLRT_EDEADLK where it would have to wait inside a stackless poll, a drop
 * or a hook; TMLRT_ENOMEM where a plain thread has to wait and there is no memory for that;
 * TMLRT_ETIMEDOUT of `_until`; TMLRT_ECANCELED in a fiber that is being cancelled, also when it would
 * not have to wait (but tmlrt_mutex_lock, tmlrt_rwlock_read and _write are no cancellation points, and
 * tmlrt_once_call of what has been done is none). Whatever the error, it has taken nothing: look at
 * the result of a lock as well.
 */
#ifndef TMLRT_SYNC_H
#define TMLRT_SYNC_H

#include <tmlrt/base.h>
#include <tmlrt/op.h>

TMLRT_BEGIN_DECLS

#define TMLRT_SYNC_INIT                                                                            \
    {                                                                                              \
        { 0 }                                                                                      \
    }

/* ---- mutex ------------------------------------------------------------------------------------
 * Barging: an unlocked mutex goes to whoever comes first; a waiter older than 1 ms gets it handed
 * over directly, so that nobody starves. Not recursive. May be unlocked by another task or thread
 * than the one that locked it. Free, lock and unlock are one atomic operation each.
 * Source: the two modes of Go's sync.Mutex. */
typedef struct tmlrt_mutex {
    uint64_t opaque_[4];
} tmlrt_mutex_t;

/* Prepares `op` to lock. READY with TMLRT_OK: it is locked. */
TMLRT_API int tmlrt_op_lock(tmlrt_op_t *op, tmlrt_mutex_t *mutex);
/* Locks. Not a cancellation point: a fiber that is cancelled still gets the lock, and where a fiber
 * may wait it always does. */
TMLRT_API int tmlrt_mutex_lock(tmlrt_mutex_t *mutex);
TMLRT_API int tmlrt_mutex_lock_until(tmlrt_mutex_t *mutex, int64_t deadline);
/* TMLRT_EAGAIN when it is locked. */
TMLRT_API int tmlrt_mutex_try_lock(tmlrt_mutex_t *mutex);
/* Never waits. TMLRT_EINVAL when it is not locked. */
TMLRT_API int tmlrt_mutex_unlock(tmlrt_mutex_t *mutex);

/* ---- rwlock -----------------------------------------------------------------------------------
 * Many readers or one writer, strict FIFO: a reader that comes after a waiting writer waits, so a
 * reader must not read-lock again. */
typedef struct tmlrt_rwlock {
    uint64_t opaque_[6];
} tmlrt_rwlock_t;

/* Prepare `op` to lock for reading, for writing. */
TMLRT_API int tmlrt_op_read_lock(tmlrt_op_t *op, tmlrt_rwlock_t *rwlock);
TMLRT_API int tmlrt_op_write_lock(tmlrt_op_t *op, tmlrt_rwlock_t *rwlock);
/* Lock. */
TMLRT_API int tmlrt_rwlock_read(tmlrt_rwlock_t *rwlock);
TMLRT_API int tmlrt_rwlock_write(tmlrt_rwlock_t *rwlock);
TMLRT_API int tmlrt_rwlock_read_until(tmlrt_rwlock_t *rwlock, int64_t deadline);
TMLRT_API int tmlrt_rwlock_write_until(tmlrt_rwlock_t *rwlock, int64_t deadline);
/* TMLRT_EAGAIN when it is locked so that it would have to wait, or others wait. */
TMLRT_API int tmlrt_rwlock_try_read(tmlrt_rwlock_t *rwlock);
TMLRT_API int tmlrt_rwlock_try_write(tmlrt_rwlock_t *rwlock);
/* Ends a lock of either kind. Never waits. TMLRT_EINVAL when it is not locked. */
TMLRT_API int tmlrt_rwlock_unlock(tmlrt_rwlock_t *rwlock);

/* ---- semaphore --------------------------------------------------------------------------------
 * Counts permits. Strict FIFO: a waiter for many permits is not overtaken by one for few. */
typedef struct tmlrt_semaphore {
    uint64_t opaque_[6];
} tmlrt_semaphore_t;

#define TMLRT_SEMAPHORE_MAX (INT64_MAX / 2)

/* Sets the permits of an unused semaphore (0 to TMLRT_SEMAPHORE_MAX); all zero has none. */
TMLRT_API int tmlrt_semaphore_init(tmlrt_semaphore_t *sem, int64_t permits);
/* Prepares `op` to take `n` permits (1 to TMLRT_SEMAPHORE_MAX), all at once. */
TMLRT_API int tmlrt_op_acquire(tmlrt_op_t *op, tmlrt_semaphore_t *sem, int64_t n);
/* Takes them. */
TMLRT_API int tmlrt_semaphore_acquire(tmlrt_semaphore_t *sem, int64_t n);
TMLRT_API int tmlrt_semaphore_acquire_until(tmlrt_semaphore_t *sem, int64_t n, int64_t deadline);
/* TMLRT_EAGAIN when there are fewer, or others wait. */
TMLRT_API int tmlrt_semaphore_try_acquire(tmlrt_semaphore_t *sem, int64_t n);
/* Adds `n` permits (1 to TMLRT_SEMAPHORE_MAX), by anybody. Never waits. TMLRT_EOVERFLOW: there would
 * be more than the maximum; nothing was added. */
TMLRT_API int tmlrt_semaphore_release(tmlrt_semaphore_t *sem, int64_t n);
/* The permits that are free now; a hint. */
TMLRT_API int64_t tmlrt_semaphore_permits(tmlrt_semaphore_t *sem);

/* ---- barrier ----------------------------------------------------------------------------------
 * `n` parties meet, again and again. A barrier that was not initialised is TMLRT_EINVAL. */
typedef struct tmlrt_barrier {
    uint64_t opaque_[6];
} tmlrt_barrier_t;

/* Sets the number of parties of an unused barrier, at least 1. */
TMLRT_API int tmlrt_barrier_init(tmlrt_barrier_t *barrier, uint32_t n);
/* Prepares `op` to meet the others: the result is 1 for the last one to come, 0 for the others. One
 * that is cancelled before the round is complete is taken out of it; after that it has met them, and
 * a cancel changes nothing. What each wrote before is visible to all after. */
TMLRT_API int tmlrt_op_barrier(tmlrt_op_t *op, tmlrt_barrier_t *barrier);
/* 1 or 0, as the result above, or an error. */
TMLRT_API int tmlrt_barrier_wait(tmlrt_barrier_t *barrier);

/* ---- once -------------------------------------------------------------------------------------
 * Something that is done once by the first who needs it, while the others wait. */
typedef struct tmlrt_once {
    uint64_t opaque_[6];
} tmlrt_once_t;

/* Prepares `op`: the result is 1 for the one who shall do it now, and then calls tmlrt_once_done (or
 * tmlrt_once_failed, and the next one is chosen), 0 once it has been done. One that is cancelled
 * after it was chosen counts as one that failed. */
TMLRT_API int tmlrt_op_once(tmlrt_op_t *op, tmlrt_once_t *once);
/* End the turn of the one who was chosen. Never wait. TMLRT_EINVAL when nobody is at it. */
TMLRT_API int tmlrt_once_done(tmlrt_once_t *once);
TMLRT_API int tmlrt_once_failed(tmlrt_once_t *once);
/* Does all of it: calls fn(arg), which may wait; a non-zero return is a failure, returned to this
 * caller (let it be a TMLRT_E* or positive), and the next one tries. TMLRT_OK once it has been done.
 * fn must not come back to the same once. A panic or jump out of fn does not end its turn: who catches
 * it calls tmlrt_once_failed, or the others wait for ever. */
TMLRT_API int tmlrt_once_call(tmlrt_once_t *once, int (*fn)(void *arg), void *arg);

/* ---- wait group -------------------------------------------------------------------------------
 * Counts what is under way; waiters go on when the count is zero. */
typedef struct tmlrt_wait_group {
    uint64_t opaque_[6];
} tmlrt_wait_group_t;

/* Adds `n` (may be negative). Never waits. TMLRT_EINVAL: the count would be below zero,
 * TMLRT_EOVERFLOW: or too large (2^62); nothing was added. */
TMLRT_API int tmlrt_wait_group_add(tmlrt_wait_group_t *group, int64_t n);
TMLRT_API int tmlrt_wait_group_done(tmlrt_wait_group_t *group); /* add of -1 */
/* Prepares `op` to wait until the count is zero (at once, when it is). What was done before the
 * count went to zero is visible after READY. */
TMLRT_API int tmlrt_op_wait_group(tmlrt_op_t *op, tmlrt_wait_group_t *group);
TMLRT_API int tmlrt_wait_group_wait(tmlrt_wait_group_t *group);
TMLRT_API int tmlrt_wait_group_wait_until(tmlrt_wait_group_t *group, int64_t deadline);

TMLRT_END_DECLS

#endif
