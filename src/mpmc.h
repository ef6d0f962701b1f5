/* SPDX-License-Identifier: MIT */
/*
 * mpmc.h - a bounded FIFO ring of pointers, many producers, many consumers.
 *
 * Any thread may push and pop at any time. The slots are the caller's and are
 * fixed; nothing is allocated. Items are not owned by the ring; NULL is not an
 * item. A full ring refuses (false), it never waits.
 *
 * Source: Vyukov's bounded MPMC queue. Each slot has a sequence number that
 * says whose turn it is. With p a position and n the capacity, slot p mod n is
 *   seq == p       free for the push that claims position p,
 *   seq == p + 1   filled, for the pop that claims position p,
 *   seq == p + n   emptied, that is free for position p + n.
 * A position is claimed by moving tail (push) or head (pop) past it; then the
 * slot belongs to the claimer until it advances seq. Positions are unsigned and
 * may wrap; a number tells a slot's rounds apart, as a flag would not.
 *
 * Not lock-free: between a push's claim and its end, a pop of that position
 * says empty, even when later pushes are complete. So "pop found nothing" must
 * not decide that all work is done or that a thread may sleep: for that ask
 * tmlrt__mpmc_size_hint, which counts claimed positions, after a full fence.
 */
#ifndef TMLRT_SRC_MPMC_H
#define TMLRT_SRC_MPMC_H

#include "atomic.h"

typedef struct tmlrt__mpmc_slot {
    tmlrt__atomic_u64 seq;   /* any thread: whose turn it is, see above */
    TMLRT__VAR(void *) item; /* the claimer's, from its claim to its store of seq */
} tmlrt__mpmc_slot_t;

typedef struct tmlrt__mpmc {
    tmlrt__mpmc_slot_t *slots; /* read only after init */
    uint64_t            mask;  /* read only after init: capacity - 1 */
    char                pad0[TMLRT__CACHE_LINE];
    tmlrt__atomic_u64   tail; /* producers, compare-and-swap: next position to fill */
    char                pad1[TMLRT__PAD(sizeof(uint64_t))];
    tmlrt__atomic_u64   head; /* consumers, compare-and-swap: next position to empty */
    char                pad2[TMLRT__PAD(sizeof(uint64_t))];
} tmlrt__mpmc_t;

/* capacity: a power of two, at least 2. start: the first position; 0 but for a
 * test that begins close to the wrap. Before any other thread uses the ring. */
void tmlrt__mpmc_init(tmlrt__mpmc_t *q, tmlrt__mpmc_slot_t *slots, size_t capacity, uint64_t start);

/* Any thread. False when the ring is full. */
bool tmlrt__mpmc_try_push(tmlrt__mpmc_t *q, void *item);

/* Any thread. The oldest item, or NULL when it is not complete or there is none. */
void *tmlrt__mpmc_try_pop(tmlrt__mpmc_t *q);

/* Any thread. Up to max items in order into out, one swap for all; how many. */
size_t tmlrt__mpmc_pop_many(tmlrt__mpmc_t *q, void **out, size_t max);

/* Any thread. Positions claimed by a push and by no pop yet, a moment ago. */
size_t tmlrt__mpmc_size_hint(tmlrt__mpmc_t *q);

#endif /* TMLRT_SRC_MPMC_H */
