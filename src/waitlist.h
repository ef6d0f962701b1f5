/* SPDX-License-Identifier: MIT */
/*
 * waitlist.h: a queue of operations that wait for an object, oldest first, under the object's
 * latch. All zero is an empty one. What sync objects, the stopping event and signals share.
 *
 * An operation uses u.wait: `object` is the waitlist, `link` its place, `word` is the object's.
 * The agent fires with the latch held, so under the latch an operation is either linked (armed) or
 * has fired: cancelling is definite.
 */
#ifndef TMLRT__WAITLIST_H
#define TMLRT__WAITLIST_H

#include <stdbool.h>
#include <stdint.h>

#include "atomic.h"
#include "op.h"

typedef struct tmlrt__waitlist {
    tmlrt__latch_t    latch;
    uint32_t          permits; /* under the latch; the object's own use */
    tmlrt__list_t     head;    /* under the latch */
    tmlrt__atomic_u64 rounds;  /* written under the latch, read by any: how often all were fired */
} tmlrt__waitlist_t;

/* Owner of the operation, latch held, in start: arms it and puts it last. */
void tmlrt__waitlist_add(tmlrt__waitlist_t *wl, tmlrt__op_t *op);

/* Owner of the operation, in cancel: takes it out. False: it has fired. */
bool tmlrt__waitlist_remove(tmlrt__waitlist_t *wl, tmlrt__op_t *op);

/* Latch held: takes the oldest out and returns it, not yet fired; NULL when none waits. */
tmlrt__op_t *tmlrt__waitlist_pop(tmlrt__waitlist_t *wl);

/* Latch held: the oldest; the one after it; NULL: none. How many they are. */
tmlrt__op_t *tmlrt__waitlist_first(const tmlrt__waitlist_t *wl);
tmlrt__op_t *tmlrt__waitlist_after(const tmlrt__waitlist_t *wl, const tmlrt__op_t *op);
size_t       tmlrt__waitlist_length(const tmlrt__waitlist_t *wl);

/* Owner of an operation that has fired, in resume: waits until whoever fired it has given the latch
 * up. After that the object is the caller's to end. */
void tmlrt__waitlist_settle(tmlrt__waitlist_t *wl);

/* How often all have been fired. What was written before a fire that is counted is visible. */
uint64_t tmlrt__waitlist_rounds(tmlrt__waitlist_t *wl);

/* Latch held: counts a round. */
void tmlrt__waitlist_new_round(tmlrt__waitlist_t *wl);

/* No lock held: fires everyone who waits now, with `result`, in batches. Somebody holds the object
 * until the return: it is a round of many entries. */
void tmlrt__waitlist_fire_all(tmlrt__waitlist_t *wl, int64_t result);

#endif
