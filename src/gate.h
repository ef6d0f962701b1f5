/* SPDX-License-Identifier: MIT */
/*
 * gate.h: a word and a queue of operations behind it: what the sync objects that the caller places
 * are made of. All zero is a free gate with nobody waiting.
 *
 * The word holds a latch (bit 0), whether somebody waits (bit 1) and the object's own state above.
 * A fast path is one compare-and-swap of a word in which both bits are clear. Everything else
 * happens between enter and leave.
 *
 * Why the latch is in the word: whoever sees the new state may end the object at once, so the store
 * that publishes it must be the last touch of whoever changed it. leave is that one store. A waiter
 * that was fired enters before it ends, and so comes after the leave of who fired it.
 *
 * Operations are fired with the gate entered, so inside an operation is either linked (armed) or
 * has been granted: a cancel is definite. One entry fires a batch at most; what it left is fired by
 * those who were, when they enter: the firing thread itself may not come back to the object.
 *
 * An operation uses u.wait: `object` is the gate; `word`, `more` and `granted` are the object's.
 */
#ifndef TMLRT__GATE_H
#define TMLRT__GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "atomic.h"
#include "op.h"

#define TMLRT__GATE_LATCH   ((uint64_t)1)
#define TMLRT__GATE_WAITERS ((uint64_t)2) /* the queue is not empty; kept by leave */
#define TMLRT__GATE_BUSY    (TMLRT__GATE_LATCH | TMLRT__GATE_WAITERS)

typedef struct tmlrt__gate {
    tmlrt__atomic_u64 word; /* any thread, atomic; written by the enterer alone while entered */
    tmlrt__list_t     head; /* entered; all zero: empty */
} tmlrt__gate_t;

#define TMLRT__GATE_BATCH 32u

/* What the fires of one entry left to do after it. */
typedef struct tmlrt__wakes {
    unsigned      n;
    tmlrt__wake_t wake[TMLRT__GATE_BATCH];
} tmlrt__wakes_t;

/* One try to change the word: `from` has no BUSY bit. acquire: for who takes; pairs [GATE-1] */
static inline bool tmlrt__gate_take(tmlrt__gate_t *g, uint64_t from, uint64_t to) {
    return tmlrt__cas_strong_acquire(&g->word, &from, to);
}

/* The same for who gives. release: publishes what was done before; pairs [GATE-1] */
static inline bool tmlrt__gate_give(tmlrt__gate_t *g, uint64_t from, uint64_t to) {
    return tmlrt__cas_strong_release(&g->word, &from, to);
}

/* Takes the latch; returns the word without it. */
uint64_t tmlrt__gate_enter(tmlrt__gate_t *g);

/* Entered, before a grant: who reads the word without entering, once the fire has woken him, sees
 * `word` already. The fire publishes it; a leave comes too late for one that runs meanwhile. */
void tmlrt__gate_show(tmlrt__gate_t *g, uint64_t word);

/* Publishes `word` and gives the latch up, in one store. The gate may be gone on return. */
void tmlrt__gate_leave(tmlrt__gate_t *g, uint64_t word);

/* Entered, in start or resume: arms the operation and puts it last, or first. */
void tmlrt__gate_wait(tmlrt__gate_t *g, tmlrt__op_t *op);
void tmlrt__gate_wait_first(tmlrt__gate_t *g, tmlrt__op_t *op);

/* Entered, in cancel: takes the operation out. False: it has been granted. */
bool tmlrt__gate_remove(tmlrt__op_t *op);

/* Entered: who waits longest, or NULL. */
tmlrt__op_t *tmlrt__gate_first(const tmlrt__gate_t *g);

/* Entered, `wakes` not full: takes a linked operation out and fires it; `granted` is non-zero. */
void tmlrt__gate_grant(tmlrt__op_t *op, uint32_t granted, int64_t result, tmlrt__wakes_t *wakes);

static inline bool tmlrt__wakes_full(const tmlrt__wakes_t *wakes) {
    return wakes->n == TMLRT__GATE_BATCH;
}

/* No lock held: carries out what the fires left. */
void tmlrt__wakes_run(const tmlrt__wakes_t *wakes);

/* Objects with rounds: who waits goes on when the round has ended in which he came, his operation's
 * `word`. Entered: fires those of other rounds than `now`, with 0. */
void tmlrt__gate_serve_rounds(tmlrt__gate_t *g, uint64_t now, tmlrt__wakes_t *wakes);

/* The resume of such an operation: fires those that one entry did not. `now`: read entered. */
int32_t tmlrt__gate_resume_round(tmlrt__gate_t *g, const uint64_t *now);

#endif
