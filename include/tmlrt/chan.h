/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/chan.h: channels: bounded and unbounded (many senders, many receivers), oneshot, broadcast,
 * watch. Items are copied in and out, `item_size` bytes each (0 is fine: then they are signals, and
 * item pointers may be NULL). They are copied under a spin latch: pass pointers to large things.
 *
 * Every channel is counted: created with one reference, tmlrt_<x>_retain adds one, _release drops
 * one (NULL is allowed in both), the last one frees it with what is still in it. A call needs a
 * reference that somebody holds until it returns, an operation one until it ends. Closing ends the
 * sending: senders get TMLRT_ECLOSED, receivers still get what is in the channel, then
 * TMLRT_ECLOSED. Closing again is TMLRT_EALREADY.
 *
 * Cancel-safe: an item moves only inside the call that returns READY (or success). A send that was
 * cancelled or timed out has not sent, a receive has not received; a grant it had passes on. So of
 * several in one select at most one moves an item.
 *
 * Bound to no runtime; from stackless tasks (the operation), fibers and plain threads (the call)
 * alike, any number at once. Calls try first and suspend the fiber or block the thread only when
 * they must; `_until` takes an absolute deadline in ns on tmlrt_now (TMLRT_NEVER: none).
 * Errors of every call, besides what is said at each: TMLRT_EINVAL for NULL; TMLRT_ECLOSED;
 * TMLRT_EDEADLK where it would have to wait inside a stackless poll, a drop or a hook;
 * TMLRT_ETIMEDOUT of `_until`; TMLRT_ECANCELED in a fiber that is being cancelled, also when it
 * would not have to wait. Of operations: TMLRT_EINVAL, TMLRT_EBUSY (in flight), and as the result
 * TMLRT_ECLOSED.
 */
#ifndef TMLRT_CHAN_H
#define TMLRT_CHAN_H

#include <tmlrt/base.h>
#include <tmlrt/op.h>

TMLRT_BEGIN_DECLS

/* ---- bounded and unbounded ----------------------------------------------------------------- */
typedef struct tmlrt_chan tmlrt_chan_t;

#define TMLRT_CHAN_UNBOUNDED SIZE_MAX

/* `capacity` items, TMLRT_CHAN_UNBOUNDED, or 0: a rendezvous, where a send waits until there is a
 * receiver in flight (should that one be cancelled at the last moment, the next one gets the item;
 * so it is when a select holds a send to a rendezvous and a receive from it, and nobody else is there:
 * it meets itself, the send wins, and the item stays for the next receiver).
 * FIFO among waiting senders and among waiting receivers, and nobody overtakes those who wait; a
 * receiver sees the items of one sender in order. Errors: TMLRT_EINVAL, TMLRT_ENOMEM. */
TMLRT_API int           tmlrt_chan_create(tmlrt_chan_t **chan, size_t item_size, size_t capacity);
TMLRT_API tmlrt_chan_t *tmlrt_chan_retain(tmlrt_chan_t *chan);
TMLRT_API void          tmlrt_chan_release(tmlrt_chan_t *chan);
TMLRT_API int           tmlrt_chan_close(tmlrt_chan_t *chan); /* TMLRT_EALREADY the second time */

/* The memory of the item belongs to the operation until it ends; it is read or written in the call
 * that says READY. Sending to an unbounded channel never waits; it may say TMLRT_ENOMEM. */
TMLRT_API int tmlrt_op_send(tmlrt_op_t *op, tmlrt_chan_t *chan, const void *item);
TMLRT_API int tmlrt_op_recv(tmlrt_op_t *op, tmlrt_chan_t *chan, void *item);
TMLRT_API int tmlrt_chan_send(tmlrt_chan_t *chan, const void *item);
TMLRT_API int tmlrt_chan_recv(tmlrt_chan_t *chan, void *item);
TMLRT_API int tmlrt_chan_send_until(tmlrt_chan_t *chan, const void *item, int64_t deadline);
TMLRT_API int tmlrt_chan_recv_until(tmlrt_chan_t *chan, void *item, int64_t deadline);
/* Never wait. TMLRT_EAGAIN: full (empty), or others wait for it. A rendezvous takes a try_send when a
 * receiver waits, but a try_recv finds only what a sender has already put there for a receiver. */
TMLRT_API int     tmlrt_chan_try_send(tmlrt_chan_t *chan, const void *item);
TMLRT_API int     tmlrt_chan_try_recv(tmlrt_chan_t *chan, void *item);
TMLRT_API int64_t tmlrt_chan_length(tmlrt_chan_t *chan); /* items in it; a hint */

/* ---- oneshot: one item, once ------------------------------------------------------------------
 * A sender and a receiver; either may close (the receiver: "I no longer want it"). */
typedef struct tmlrt_oneshot tmlrt_oneshot_t;

TMLRT_API int              tmlrt_oneshot_create(tmlrt_oneshot_t **oneshot, size_t item_size);
TMLRT_API tmlrt_oneshot_t *tmlrt_oneshot_retain(tmlrt_oneshot_t *oneshot);
TMLRT_API void             tmlrt_oneshot_release(tmlrt_oneshot_t *oneshot);
TMLRT_API int              tmlrt_oneshot_close(tmlrt_oneshot_t *oneshot);
/* Never waits, may be called anywhere. TMLRT_EALREADY when one was sent. */
TMLRT_API int tmlrt_oneshot_send(tmlrt_oneshot_t *oneshot, const void *item);
/* Take the item; a second receive gets TMLRT_EALREADY. */
TMLRT_API int tmlrt_op_oneshot(tmlrt_op_t *op, tmlrt_oneshot_t *oneshot, void *item);
TMLRT_API int tmlrt_oneshot_recv(tmlrt_oneshot_t *oneshot, void *item);
TMLRT_API int tmlrt_oneshot_recv_until(tmlrt_oneshot_t *oneshot, void *item, int64_t deadline);

/* ---- broadcast: every subscriber sees every item ----------------------------------------------
 * The last `capacity` items (at least 1, rounded up to a power of two) are kept; sending never waits.
 * A subscriber that falls behind loses the oldest, and is told how many. */
typedef struct tmlrt_broadcast    tmlrt_broadcast_t;
typedef struct tmlrt_subscription tmlrt_subscription_t;

TMLRT_API int tmlrt_broadcast_create(tmlrt_broadcast_t **bc, size_t item_size, size_t capacity);
TMLRT_API tmlrt_broadcast_t *tmlrt_broadcast_retain(tmlrt_broadcast_t *bc);
TMLRT_API void               tmlrt_broadcast_release(tmlrt_broadcast_t *bc);
TMLRT_API int                tmlrt_broadcast_close(tmlrt_broadcast_t *bc);
/* Never waits. Returns the number of subscribers at that moment; with none the item is gone. */
TMLRT_API int64_t tmlrt_broadcast_send(tmlrt_broadcast_t *bc, const void *item);
/* Sees what is sent from now on. Holds a reference. One receive at a time on one subscription (a
 * second wait is TMLRT_EBUSY). */
TMLRT_API int  tmlrt_broadcast_subscribe(tmlrt_broadcast_t *bc, tmlrt_subscription_t **sub);
TMLRT_API void tmlrt_subscription_release(tmlrt_subscription_t *sub);
/* The result is the number of items that were lost before this one (0: none), or an error. */
TMLRT_API int     tmlrt_op_broadcast(tmlrt_op_t *op, tmlrt_subscription_t *sub, void *item);
TMLRT_API int64_t tmlrt_broadcast_recv(tmlrt_subscription_t *sub, void *item);
TMLRT_API int64_t tmlrt_broadcast_recv_until(tmlrt_subscription_t *sub, void *item,
                                             int64_t deadline);

/* ---- watch: the latest value --------------------------------------------------------------- */
typedef struct tmlrt_watch tmlrt_watch_t;

/* Begins with a copy of `initial` as version 1. */
TMLRT_API int tmlrt_watch_create(tmlrt_watch_t **watch, size_t item_size, const void *initial);
TMLRT_API tmlrt_watch_t *tmlrt_watch_retain(tmlrt_watch_t *watch);
TMLRT_API void           tmlrt_watch_release(tmlrt_watch_t *watch);
TMLRT_API int            tmlrt_watch_close(tmlrt_watch_t *watch);
/* Replaces the value, which makes a new version. Never waits. */
TMLRT_API int tmlrt_watch_set(tmlrt_watch_t *watch, const void *item);
/* Copies the value to `item` and its version to *seen (each may be NULL). Never waits; also after the
 * close. */
TMLRT_API int tmlrt_watch_get(tmlrt_watch_t *watch, void *item, uint64_t *seen);
/* Ready when the version differs from *seen (0: at once); then copies the value to `item` (may be
 * NULL) and updates *seen, both in the call that says READY. Who comes late sees the last value. */
TMLRT_API int tmlrt_op_changed(tmlrt_op_t *op, tmlrt_watch_t *watch, void *item, uint64_t *seen);
TMLRT_API int tmlrt_watch_changed(tmlrt_watch_t *watch, void *item, uint64_t *seen);
TMLRT_API int tmlrt_watch_changed_until(tmlrt_watch_t *watch, void *item, uint64_t *seen,
                                        int64_t deadline);

TMLRT_END_DECLS

#endif
