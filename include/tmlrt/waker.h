/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/waker.h: wakers and the context of a poll.
 *
 * A waker says "poll this again". It is a pair {data, vtable}, the layout of Rust's and TML's
 * RawWaker. A waker of a task may be cloned, kept, moved to any thread, and woken at any time:
 * before, during or after the poll, after the task's end, after the runtime's end. Wakes coalesce:
 * any number of them before the next poll cause one poll; a wake during the poll causes exactly
 * one more. What the waking thread wrote before the wake is visible to the poll that follows it.
 */
#ifndef TMLRT_WAKER_H
#define TMLRT_WAKER_H

#include <tmlrt/base.h>
#include <tmlrt/error.h>

TMLRT_BEGIN_DECLS

/* The functions of one kind of waker. Combinators define their own; all four are required. They
 * must be callable from any thread, at the same time, and must not suspend. */
typedef struct tmlrt_waker_vtable {
    /* Writes to *out a waker that wakes the same thing. A clone that runs out of memory sets
     * out->vtable to NULL; whoever asked reports TMLRT_ENOMEM. */
    void (*clone)(void *data, tmlrt_waker_t *out);
    void (*wake)(void *data);        /* wakes, and ends this waker */
    void (*wake_by_ref)(void *data); /* wakes, and leaves this waker alive */
    void (*drop)(void *data);        /* ends this waker without waking */
} tmlrt_waker_vtable_t;

struct tmlrt_waker {
    void                       *data;
    const tmlrt_waker_vtable_t *vtable;
};

/* What a poll gets. `waker` is what the polled future must have woken when it can go on; `task` is
 * the task that runs (NULL when a plain thread drives the poll). A combinator copies the context
 * and replaces the waker; it leaves the rest alone. Valid during the poll only. */
struct tmlrt_cx {
    const tmlrt_waker_t *waker;
    tmlrt_task_t        *task;
    void                *reserved[2];
};

/* Clones `waker` into *out. The caller owns the clone and ends it by wake or drop.
 * Threads: any. Errors: TMLRT_EINVAL, TMLRT_ENOMEM (of a vtable that allocates; a task's never
 * does). */
TMLRT_API int tmlrt_waker_clone(const tmlrt_waker_t *waker, tmlrt_waker_t *out);

/* Wakes, and ends the waker (its fields become NULL). Threads: any, but one at a time for one
 * tmlrt_waker_t. Errors: TMLRT_EINVAL. */
TMLRT_API int tmlrt_waker_wake(tmlrt_waker_t *waker);

/* Wakes, and leaves the waker alive. Threads: any. Errors: TMLRT_EINVAL. */
TMLRT_API int tmlrt_waker_wake_by_ref(const tmlrt_waker_t *waker);

/* Ends the waker without waking (its fields become NULL). Threads: any, but one at a time for one
 * tmlrt_waker_t. Errors: TMLRT_EINVAL. */
TMLRT_API int tmlrt_waker_drop(tmlrt_waker_t *waker);

TMLRT_END_DECLS

#endif
