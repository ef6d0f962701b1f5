/* SPDX-License-Identifier: MIT */
/*
 * tml_task.h: a future of TML's old kind while something polls it: a task of the runtime
 * (tml_executor.c), or a thread in tml_block_on. It knows how it is woken, what its present poll has
 * registered, and who waits for its end.
 *
 * Ownership: references. One of the slot's finder while he wakes, one of the executor's table, one
 * of whoever polls it.
 */
#ifndef TMLRT__TML_TASK_H
#define TMLRT__TML_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include <tmlrt/notify.h>
#include <tmlrt/op.h>
#include <tmlrt/tml.h>

#include "atomic.h"

/* One who waits: a future (its slot), or a task of the runtime (a waker). */
typedef struct tmlrt__tml_waiter {
    struct tmlrt__tml_waiter *next;
    void                     *slot;  /* or NULL */
    tmlrt_waker_t             waker; /* where slot is NULL */
} tmlrt__tml_waiter_t;

/* Those who wait for one thing, newest first. Who has ended stays in it until he is woken or swept:
 * each time the list has doubled, who added the last one looks through it. Under its owner's latch. */
typedef struct tmlrt__tml_waiters {
    tmlrt__tml_waiter_t *first;
    uint32_t             n;     /* in the list now */
    uint32_t             swept; /* that the last sweep left */
    uint32_t             taken; /* times that all were taken out */
} tmlrt__tml_waiters_t;

typedef struct tmlrt__tml_task {
    tmlrt__latch_t latch; /* guards refs and task */
    uint32_t       refs;
    tmlrt_task_t  *task;   /* that polls it: a handle; NULL: not begun, ended, or a thread */
    tmlrt_notify_t notify; /* where a thread polls it */
    void          *slot;   /* constant until the end */

    uint64_t     id;       /* constant, as the next five */
    TmlExecutor *executor; /* NULL: tml_block_on */
    TmlPollFn    poll;
    TmlGuardFn   guard; /* or NULL */
    bool         keeps; /* its result outlives it */
    bool         is_thread;
    void        *state; /* of the poller; its own copy where size is not 0 */
    size_t       size;

    const tmlrt_task_t *poller; /* of the poll under way: the runtime's task; NULL: a thread */

    int64_t due;     /* of the poller, as the next three: when to poll again; reset by each poll */
    bool    waits;   /* something will wake it */
    bool    yielded; /* it wants another turn at once */
    int64_t pause;   /* before it is polled again where nothing is registered */

    bool                    ended; /* under the executor's latch, as all below */
    bool                    begun;
    TmlPoll                 result;
    tmlrt__tml_waiters_t    joiners;
    struct tmlrt__tml_task *next;    /* of the bucket */
    struct tmlrt__tml_task *waiting; /* of those that the next run starts */
} tmlrt__tml_task_t;

/* Makes one with one reference and a slot; copies the state where `size` is not 0. NULL: no memory. */
tmlrt__tml_task_t *tmlrt__tml_task_new(TmlPollFn poll, void *state, size_t size);

void tmlrt__tml_task_ref(tmlrt__tml_task_t *t);
void tmlrt__tml_task_unref(tmlrt__tml_task_t *t); /* the last one frees it */

/* Ends what only the poller needs: state, slot, handle. Wakers find nobody any more. */
void tmlrt__tml_task_retire(tmlrt__tml_task_t *t);

/* Any thread, no lock held. */
void tmlrt__tml_task_wake(tmlrt__tml_task_t *t);

/* The poller: one poll, inside the guard. False: it panicked. `fresh`: it was woken by somebody (or
 * begins), not by the end of its pause. */
bool tmlrt__tml_task_poll(tmlrt__tml_task_t *t, bool fresh, TmlPoll *out);

/* After a poll that said Pending: when the next one is due, on tmlrt_now. */
int64_t tmlrt__tml_task_next(tmlrt__tml_task_t *t);

/* The future that is polled by what runs on this thread now (a task, or the thread itself), or NULL. */
tmlrt__tml_task_t *tmlrt__tml_here(void);

/* The wake_fn of wakers made here; their data is a slot. */
void tmlrt__tml_wake(void *slot);

/* ---- waiting -------------------------------------------------------------------------------- */

/* Who is to be woken by a function that was called with `cx` (see the header's words): allocated; it
 * counts as registered. NULL: nobody; or no memory, then he is polled again without it: by what
 * polls him, or woken here and now. */
tmlrt__tml_waiter_t *tmlrt__tml_waiter_new(const TmlContext *cx);

/* Under the list's latch: adds `w`; false: the list has it already. */
bool tmlrt__tml_waiter_add(tmlrt__tml_waiters_t *list, tmlrt__tml_waiter_t *w);

/* Under the latch: takes all out, to be woken. */
tmlrt__tml_waiter_t *tmlrt__tml_waiters_take(tmlrt__tml_waiters_t *list);

/* The latch held: where it is time for that gives it up, drops those who have ended, and takes it
 * again. The list must stay meanwhile. */
void tmlrt__tml_waiters_sweep(tmlrt__tml_waiters_t *list, tmlrt__latch_t *latch);

/* No lock held: wakes all that were taken out, and frees them. */
void tmlrt__tml_waiters_wake(tmlrt__tml_waiter_t *first);
void tmlrt__tml_waiter_free(tmlrt__tml_waiter_t *w); /* of NULL: nothing */

#endif
