/* SPDX-License-Identifier: MIT */
/*
 * chance.h: the choices of a replayed runtime (config.seed with the virtual clock), and the trace
 * of what came of them.
 *
 * A replayed runtime runs on one thread. Wherever an order is left open (which ready task runs,
 * when a task has to yield, which of several operations is looked at first) a number of one stream
 * decides, which follows from the seed. So the seed decides everything, as long as nothing comes
 * from outside; what does is noted in `voided`. Each choice, and what came of each poll, is mixed
 * into a hash: two runs with one hash went the same way.
 *
 * Owner: the runtime's thread; `voided` any thread.
 */
#ifndef TMLRT__CHANCE_H
#define TMLRT__CHANCE_H

#include <stdint.h>

#include "atomic.h"
#include "rand.h"

typedef struct tmlrt__chance {
    uint64_t                    seed; /* constant */
    tmlrt__rand_t               rand;
    uint64_t                    hash;
    uint64_t                    steps;   /* polls so far */
    const struct tmlrt_network *network; /* constant: the faults of the simulated network */
    tmlrt__atomic_u32           voided;  /* any thread: TMLRT_REPLAY_* */
    tmlrt__atomic_u32 outside; /* any thread: real descriptors that events may come from */
} tmlrt__chance_t;

/* Budgets of one poll: mostly the whole, often one that ends early, so that a task is stopped at
 * any of its operations. */
#define TMLRT__CHANCE_SHORT 4u

static inline void tmlrt__chance_init(tmlrt__chance_t *c, uint64_t seed) {
    c->seed = seed;
    tmlrt__rand_seed(&c->rand, seed);
    c->hash = tmlrt__rand_mix(seed);
    c->steps = 0;
    tmlrt__atomic_make(&c->voided, 0);
    tmlrt__atomic_make(&c->outside, 0);
}

/* Mixes a value into the trace. */
static inline void tmlrt__chance_note(tmlrt__chance_t *c, uint64_t value) {
    c->hash = tmlrt__rand_mix(c->hash ^ value);
}

/* One of 0..n-1; 0 without a chance. */
static inline uint32_t tmlrt__chance_below(tmlrt__chance_t *c, uint32_t n) {
    if (c == NULL || n < 2) return 0;
    uint32_t choice = tmlrt__rand_below(&c->rand, n);
    tmlrt__chance_note(c, choice);
    return choice;
}

/* How many operations of a poll may be ready at once; `whole` without a chance. */
static inline uint32_t tmlrt__chance_budget(tmlrt__chance_t *c, uint32_t whole) {
    if (c == NULL || tmlrt__chance_below(c, 2) == 0) return whole;
    return tmlrt__chance_below(c, TMLRT__CHANCE_SHORT);
}

/* Any thread: something came from outside that the seed does not decide. */
static inline void tmlrt__chance_void(tmlrt__chance_t *c, uint32_t why) {
    if (c != NULL) tmlrt__fetch_or_relaxed(&c->voided, why);
}

#endif
