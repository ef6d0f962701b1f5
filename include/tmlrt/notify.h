/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/notify.h: the smallest way for one task or thread to tell another "look again". It carries
 * no data. Placed by the caller, needs no end, bound to no runtime.
 */
#ifndef TMLRT_NOTIFY_H
#define TMLRT_NOTIFY_H

#include <tmlrt/base.h>
#include <tmlrt/op.h>

TMLRT_BEGIN_DECLS

typedef struct tmlrt_notify {
    uint64_t opaque_[4];
} tmlrt_notify_t;

#define TMLRT_NOTIFY_INIT                                                                          \
    {                                                                                              \
        { 0 }                                                                                      \
    }

/* Lets the longest waiting operation go on, or, with none, the next one that starts to wait: one
 * permit is stored, not more. Threads: any. Errors: TMLRT_EINVAL. */
TMLRT_API int tmlrt_notify_one(tmlrt_notify_t *notify);

/* Lets every operation go on that waits or has been prepared to; stores no permit. So "prepare,
 * look at the condition, wait" misses no notify_all. Threads: any. Errors: TMLRT_EINVAL. */
TMLRT_API int tmlrt_notify_all(tmlrt_notify_t *notify);

/* Prepares `op` to become ready, with TMLRT_OK, at the next notification. Served in the order of
 * their start. What was written before the notification is visible after READY.
 * Owns: `notify` is the caller's and stays until the operation ends.
 * Cancel: at once; a notify_one that had already chosen this operation passes on to the next.
 * Errors: TMLRT_EINVAL, TMLRT_EBUSY. */
TMLRT_API int tmlrt_op_notified(tmlrt_op_t *op, tmlrt_notify_t *notify);

/* Wait for the next notification; `_until` with an absolute deadline in ns on tmlrt_now.
 * Suspends: blocks a plain thread, but not when a permit is stored. Errors: TMLRT_EINVAL;
 * TMLRT_EDEADLK where it would wait inside a stackless poll, a drop or a hook; TMLRT_ECANCELED;
 * TMLRT_ETIMEDOUT. */
TMLRT_API int tmlrt_notified(tmlrt_notify_t *notify);
TMLRT_API int tmlrt_notified_until(tmlrt_notify_t *notify, int64_t deadline);

TMLRT_END_DECLS

#endif
