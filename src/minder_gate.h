/* SPDX-License-Identifier: MIT */
/*
 * minder_gate.h: the minder's own sleep, which lasts while all workers sleep. The minder says that
 * it is asleep and then looks whether they all are; a worker that comes back leaves the set of
 * sleepers and then looks whether the minder is asleep. One of the two sees the other.
 *
 * `asleep` is the futex that the minder sleeps on; the system calls are the callers'.
 */
#ifndef TMLRT__MINDER_GATE_H
#define TMLRT__MINDER_GATE_H

#include <stdbool.h>

#include "atomic.h"
#include "idle.h"

/* The minder. False: a worker is awake, or it is to leave; it must not sleep. */
static inline bool tmlrt__minder_gate_close(tmlrt__atomic_u32 *asleep, tmlrt__idle_t *idle,
                                            tmlrt__atomic_u32 *leave) {
    /* Full fence, pairs [MD-1]. Forbids that we miss a worker's leaving the set of sleepers while
     * that worker misses that we are asleep: it would run with nobody to mind it. */
    tmlrt__store_relaxed(asleep, 1);
    tmlrt__fence_seq(); /* [MD-1] minder */
    if (tmlrt__idle_all_parked(idle) && tmlrt__load_relaxed(leave) == 0) return true;
    tmlrt__store_relaxed(asleep, 0);
    return false;
}

/* A worker that has left the set of sleepers, or who has told the minder to leave. True: the minder
 * was asleep; the caller wakes it. */
static inline bool tmlrt__minder_gate_open(tmlrt__atomic_u32 *asleep) {
    /* Full fence, pairs [MD-1]: our leaving of the set before the look at the minder. */
    tmlrt__fence_seq(); /* [MD-1] worker */
    if (tmlrt__load_relaxed(asleep) == 0) return false;
    return tmlrt__swap_acq_rel(asleep, 0) != 0;
}

#endif
