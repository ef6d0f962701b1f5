/* SPDX-License-Identifier: MIT */
/*
 * next_slot.h: a worker's next slot: one task, put and taken by the owner alone, until somebody
 * finds the owner stuck in a poll and takes it out. worker.c owns, scheduler.c robs.
 *
 * Both take by a swap, so that one of them gets it. The owner puts by a plain store: it took what
 * was there before, and nobody else puts.
 */
#ifndef TMLRT__NEXT_SLOT_H
#define TMLRT__NEXT_SLOT_H

#include "atomic.h"

/* The owner, into an empty slot. */
static inline void tmlrt__next_put(tmlrt__atomic_ptr *slot, void *task) {
    /* release: publishes the task to who takes it while we are stuck; pairs [NX-1] */
    tmlrt__store_release(slot, task);
}

/* The owner. NULL: empty. */
static inline void *tmlrt__next_take(tmlrt__atomic_ptr *slot) {
    if (tmlrt__load_relaxed(slot) == NULL) return NULL;
    /* relaxed: our own write; a robber's swap publishes nothing to us */
    return tmlrt__swap_relaxed(slot, NULL);
}

/* Any other thread. NULL: empty. */
static inline void *tmlrt__next_rob(tmlrt__atomic_ptr *slot) {
    if (tmlrt__load_relaxed(slot) == NULL) return NULL;
    /* acquire: observes the task; pairs [NX-1] */
    return tmlrt__swap_acquire(slot, NULL);
}

#endif
