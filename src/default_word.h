/* SPDX-License-Identifier: MIT */
/*
 * default_word.h: who makes the default runtime. One word says whether it is there; who turns it from
 * NONE to MAKING makes it, the others sleep on the word until it is published or has failed. The word
 * carries the fork generation, so that a child sees NONE whatever its parent was doing.
 */
#ifndef TMLRT__DEFAULT_WORD_H
#define TMLRT__DEFAULT_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "atomic.h"

typedef struct tmlrt__default_word {
    tmlrt__atomic_u32 word; /* TMLRT__DEFAULT_*, plus 3 times the fork generation */
    tmlrt__atomic_ptr rt;   /* while MADE; published by the word */
} tmlrt__default_word_t;

#define TMLRT__DEFAULT_NONE   0u
#define TMLRT__DEFAULT_MAKING 1u
#define TMLRT__DEFAULT_MADE   2u

static inline uint32_t tmlrt__default_state(uint32_t generation, uint32_t state) {
    return 3 * generation + state;
}

/* MADE: *rt is it. MAKING: another thread is at it; sleep while the word is *seen. NONE: the caller
 * is to make it, and to publish what came of it. */
static inline uint32_t tmlrt__default_look(tmlrt__default_word_t *d, uint32_t generation, void **rt,
                                           uint32_t *seen) {
    for (;;) {
        /* acquire: observes the runtime; pairs [DEF-1] */
        uint32_t w = tmlrt__load_acquire(&d->word);
        *seen = w;
        if (w == tmlrt__default_state(generation, TMLRT__DEFAULT_MADE)) {
            *rt = tmlrt__load_relaxed(&d->rt);
            return TMLRT__DEFAULT_MADE;
        }
        if (w == tmlrt__default_state(generation, TMLRT__DEFAULT_MAKING))
            return TMLRT__DEFAULT_MAKING;
        uint32_t making = tmlrt__default_state(generation, TMLRT__DEFAULT_MAKING);
        if (tmlrt__cas_strong_acq_rel(&d->word, &w, making)) return TMLRT__DEFAULT_NONE;
    }
}

/* The maker. NULL: it could not be made. Then wakes whoever sleeps on the word. */
static inline void tmlrt__default_publish(tmlrt__default_word_t *d, uint32_t generation, void *rt) {
    uint32_t state = rt != NULL ? TMLRT__DEFAULT_MADE : TMLRT__DEFAULT_NONE;
    tmlrt__store_relaxed(&d->rt, rt);
    /* release: publishes the runtime; pairs [DEF-1] */
    tmlrt__store_release(&d->word, tmlrt__default_state(generation, state));
}

/* Who destroys `rt`: takes it out, if it is this one. */
static inline void tmlrt__default_take_out(tmlrt__default_word_t *d, uint32_t generation,
                                           const void *rt) {
    uint32_t made = tmlrt__default_state(generation, TMLRT__DEFAULT_MADE);
    if (tmlrt__load_relaxed(&d->word) != made || tmlrt__load_relaxed(&d->rt) != rt) return;
    tmlrt__store_relaxed(&d->word, tmlrt__default_state(generation, TMLRT__DEFAULT_NONE));
}

#endif
