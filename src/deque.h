/* SPDX-License-Identifier: MIT */
/*
 * deque.h - a growable work-stealing deque of pointers (Chase and Lev).
 *
 * One thread, the owner, pushes and takes at the bottom (newest first), or
 * takes at the top (oldest first); any thread steals at the top. Items are not
 * owned by the deque; NULL is not an item. destroy requires that no thief can
 * call any more.
 *
 * Source: Chase and Lev, "Dynamic Circular Work-Stealing Deque" (SPAA'05), with
 * the orders of Le, Pop, Cohen and Nardelli, "Correct and Efficient
 * Work-Stealing for Weak Memory Models" (PPoPP'13).
 *
 * Invariants. Items live at the indices top <= i < bottom, item i in slot
 * i mod capacity. Indices are signed and 64 bits wide: bottom - 1 may be -1
 * below a top of 0, and they never wrap. top only grows, by compare-and-swap;
 * only the owner writes bottom, the slots and the array.
 *
 * Who gets the last element: the owner announces bottom - 1, then looks at top;
 * a thief looks at top, then at bottom. A full fence between the two steps on
 * both sides means that at least one of them sees the other [DQ-1]; when both
 * see one element left, the compare-and-swap of top decides.
 *
 * Every store of bottom is a release, those of take too: a thief that reads
 * bottom from any of them sees all items below it. Arrays grow by doubling and
 * are kept until destroy, because a thief may still read an old one; together
 * the old ones are smaller than the current one. A deque does not shrink.
 */
#ifndef TMLRT_SRC_DEQUE_H
#define TMLRT_SRC_DEQUE_H

#include "atomic.h"

#define TMLRT__DEQUE_NOMEM (-1)

/* Where arrays come from; put gets the size that get was asked for. */
typedef struct tmlrt__deque_mem {
    void *ctx;
    void *(*get)(void *ctx, size_t bytes); /* NULL when there is none */
    void (*put)(void *ctx, void *p, size_t bytes);
} tmlrt__deque_mem_t;

typedef enum tmlrt__steal {
    TMLRT__STEAL_EMPTY = 0, /* nothing was there */
    TMLRT__STEAL_GOT = 1,   /* *item is yours */
    TMLRT__STEAL_RETRY = 2  /* another took it; there may be more */
} tmlrt__steal_t;

/* Written by the owner before it is published, but for the slots behind it. */
typedef struct tmlrt__deque_array {
    int64_t                    mask; /* capacity - 1, a power of two less one */
    struct tmlrt__deque_array *prev; /* owner only: the array this one replaced */
} tmlrt__deque_array_t;

typedef struct tmlrt__deque {
    /* Contended line: everybody swaps it. */
    tmlrt__atomic_i64 top; /* any thread, compare-and-swap: index of the oldest */
    char              pad0[TMLRT__PAD(sizeof(int64_t))];

    /* The owner's line: thieves read the first two, in one miss. */
    tmlrt__atomic_i64  bottom;   /* owner writes, any thread reads: index behind the newest */
    tmlrt__atomic_ptr  array;    /* owner writes, any thread reads: tmlrt__deque_array_t */
    int64_t            top_seen; /* owner only: a top that was true once, so that push
                                 rarely touches the contended line */
    tmlrt__deque_mem_t mem;      /* owner only */
} tmlrt__deque_t;

/* capacity: slots to begin with, a power of two. 0 or TMLRT__DEQUE_NOMEM. */
int tmlrt__deque_init(tmlrt__deque_t *d, const tmlrt__deque_mem_t *mem, size_t capacity);

/* Frees all arrays; what items remain is the caller's business. No thief any more. */
void tmlrt__deque_destroy(tmlrt__deque_t *d);

/* Owner. Makes room for one more item: 0 or TMLRT__DEQUE_NOMEM. Push calls it. */
int tmlrt__deque_grow(tmlrt__deque_t *d);

/* Owner. The oldest item or NULL; no full fence. */
void *tmlrt__deque_take_oldest(tmlrt__deque_t *d);

/* Owner. What take_oldest would give now, or NULL. A thief may have it already: an address to
 * prefetch, nothing more. */
void *tmlrt__deque_peek_oldest(tmlrt__deque_t *d);

/* Owner. True when the newest item was exactly `item` and is taken now. */
bool tmlrt__deque_take_if(tmlrt__deque_t *d, void *item);

/* Any thread. The oldest item. */
tmlrt__steal_t tmlrt__deque_steal(tmlrt__deque_t *d, void **item);

/* Any thread. How many there were a moment ago; never negative. Exact for the
 * owner, but for thieves on their way; others may read it stale. */
size_t tmlrt__deque_size_hint(tmlrt__deque_t *d);

static inline tmlrt__atomic_ptr *tmlrt__deque_slot(tmlrt__deque_array_t *a, int64_t index) {
    return (tmlrt__atomic_ptr *)(void *)(a + 1) + (index & a->mask);
}

static inline tmlrt__deque_array_t *tmlrt__deque_own_array(tmlrt__deque_t *d) {
    return (tmlrt__deque_array_t *)tmlrt__load_relaxed(&d->array);
}

/* Owner. Adds the newest item. 0, or TMLRT__DEQUE_NOMEM with the item not taken
 * and the deque as it was. */
static inline int tmlrt__deque_push(tmlrt__deque_t *d, void *item) {
    int64_t b = tmlrt__load_relaxed(&d->bottom);
    if (b - d->top_seen > tmlrt__deque_own_array(d)->mask && tmlrt__deque_grow(d) != 0)
        return TMLRT__DEQUE_NOMEM;
    tmlrt__store_relaxed(tmlrt__deque_slot(tmlrt__deque_own_array(d), b), item);
    /* release: publishes the slot and the item's contents; pairs [DQ-2] */
    tmlrt__store_release(&d->bottom, b + 1);
    return 0;
}

/* Owner. The newest item or NULL. One full fence unless the deque is empty. */
static inline void *tmlrt__deque_take(tmlrt__deque_t *d) {
    int64_t b = tmlrt__load_relaxed(&d->bottom) - 1;
    /* A stale top is a smaller one: when even that leaves nothing, nothing is there. */
    if (tmlrt__load_relaxed(&d->top) > b) return NULL;

    tmlrt__store_release(&d->bottom, b); /* release: as in push; pairs [DQ-2] */
    /*
     * Full fence, pairs [DQ-1]. Forbids that we read a top from before a thief's
     * steal of item b while that thief reads a bottom from before our store:
     * both would take item b, without a compare-and-swap on our side.
     */
    tmlrt__fence_seq(); /* [DQ-1] take */
    int64_t t = tmlrt__load_relaxed(&d->top);
    void   *item = tmlrt__load_relaxed(tmlrt__deque_slot(tmlrt__deque_own_array(d), b));
    if (t < b) return item;

    /* At most one is left: whoever moves top has it. seq: as in steal; pairs [DQ-5]. */
    if (t > b || !tmlrt__cas_strong_seq(&d->top, &t, t + 1)) item = NULL;
    tmlrt__store_release(&d->bottom, b + 1); /* release: as in push; pairs [DQ-2] */
    return item;
}

#endif /* TMLRT_SRC_DEQUE_H */
