/* SPDX-License-Identifier: MIT */
/*
 * deque.c - growth, the FIFO side and stealing (deque.h has the proof sketch).
 *
 * Compiles as C11 and, for tests/model/model_deque.cpp, as C++03 under Relacy.
 */
#include "deque.h"

static size_t deque__bytes(int64_t capacity) {
    return sizeof(tmlrt__deque_array_t) + (size_t)capacity * sizeof(tmlrt__atomic_ptr);
}

static tmlrt__deque_array_t *deque__array_new(const tmlrt__deque_mem_t *mem, int64_t capacity) {
    tmlrt__deque_array_t *a;
    if ((uint64_t)capacity > (SIZE_MAX - sizeof(*a)) / sizeof(tmlrt__atomic_ptr)) return NULL;
    a = (tmlrt__deque_array_t *)mem->get(mem->ctx, deque__bytes(capacity));
    if (a == NULL) return NULL;
    a->mask = capacity - 1;
    a->prev = NULL;
    /* A thief with a stale top may read any slot before its swap fails. */
    for (int64_t i = 0; i < capacity; i++)
        tmlrt__atomic_make(tmlrt__deque_slot(a, i), NULL);
    return a;
}

static void deque__array_free(const tmlrt__deque_mem_t *mem, tmlrt__deque_array_t *a) {
    for (int64_t i = 0; i <= a->mask; i++)
        tmlrt__atomic_unmake(tmlrt__deque_slot(a, i));
    mem->put(mem->ctx, a, deque__bytes(a->mask + 1));
}

int tmlrt__deque_init(tmlrt__deque_t *d, const tmlrt__deque_mem_t *mem, size_t capacity) {
    tmlrt__deque_array_t *a = deque__array_new(mem, (int64_t)capacity);
    if (a == NULL) return TMLRT__DEQUE_NOMEM;
    d->mem = *mem;
    d->top_seen = 0;
    tmlrt__store_relaxed(&d->top, 0);
    tmlrt__store_relaxed(&d->bottom, 0);
    tmlrt__store_relaxed(&d->array, a);
    return 0;
}

void tmlrt__deque_destroy(tmlrt__deque_t *d) {
    tmlrt__deque_array_t *a = tmlrt__deque_own_array(d);
    while (a != NULL) {
        tmlrt__deque_array_t *prev = a->prev;
        deque__array_free(&d->mem, a);
        a = prev;
    }
    tmlrt__store_relaxed(&d->array, NULL);
}

int tmlrt__deque_grow(tmlrt__deque_t *d) {
    tmlrt__deque_array_t *old = tmlrt__deque_own_array(d);
    int64_t               b = tmlrt__load_relaxed(&d->bottom);
    /* acquire: a thief has read its slot before it moved top past it, so that
     * we may write that slot again; pairs [DQ-3] */
    int64_t t = tmlrt__load_acquire(&d->top);
    d->top_seen = t;
    if (b - t <= old->mask) return 0;

    tmlrt__deque_array_t *a = deque__array_new(&d->mem, 2 * (old->mask + 1));
    if (a == NULL) return TMLRT__DEQUE_NOMEM;
    for (int64_t i = t; i < b; i++) {
        void *item = tmlrt__load_relaxed(tmlrt__deque_slot(old, i));
        tmlrt__store_relaxed(tmlrt__deque_slot(a, i), item);
    }
    a->prev = old;
    /* release: publishes the mask and the copied slots; pairs [DQ-4] */
    tmlrt__store_release(&d->array, a);
    return 0;
}

void *tmlrt__deque_take_oldest(tmlrt__deque_t *d) {
    /*
     * No full fence: the owner knows its bottom, nobody else writes it, so the
     * only rivals are thieves, and top decides. That top is current is settled
     * by the swap itself; a stale one costs a turn of the loop.
     */
    int64_t b = tmlrt__load_relaxed(&d->bottom);
    int64_t t = tmlrt__load_relaxed(&d->top);
    while (t < b) {
        void *item = tmlrt__load_relaxed(tmlrt__deque_slot(tmlrt__deque_own_array(d), t));
        /* relaxed: items and slots are the owner's own writes, and a swap keeps
         * the release of the thieves before it for [DQ-3]. */
        if (tmlrt__cas_strong_relaxed(&d->top, &t, t + 1)) return item;
    }
    return NULL;
}

void *tmlrt__deque_peek_oldest(tmlrt__deque_t *d) {
    int64_t t = tmlrt__load_relaxed(&d->top);
    if (t >= tmlrt__load_relaxed(&d->bottom)) return NULL;
    return tmlrt__load_relaxed(tmlrt__deque_slot(tmlrt__deque_own_array(d), t));
}

bool tmlrt__deque_take_if(tmlrt__deque_t *d, void *item) {
    /* The slot is the owner's own write. Equal is no proof (it may be stolen
     * already), different is: then there is nothing to undo and no fence. */
    int64_t b = tmlrt__load_relaxed(&d->bottom) - 1;
    if (tmlrt__load_relaxed(tmlrt__deque_slot(tmlrt__deque_own_array(d), b)) != item) return false;
    return tmlrt__deque_take(d) != NULL;
}

tmlrt__steal_t tmlrt__deque_steal(tmlrt__deque_t *d, void **item) {
    int64_t t = tmlrt__load_relaxed(&d->top); /* the fence makes it an acquire */
    /* Full fence, pairs [DQ-1]: take's side says what it forbids. */
    tmlrt__fence_seq(); /* [DQ-1] steal */
    /* acquire: observes the slot and the item's contents; pairs [DQ-2] */
    int64_t b = tmlrt__load_acquire(&d->bottom);
    if (t >= b) return TMLRT__STEAL_EMPTY;

    /* After the indices, once, never again after the swap: an array read before
     * bottom may lack item t, one read after the swap may hold another there.
     * acquire: observes the mask and the copied slots; pairs [DQ-4] */
    tmlrt__deque_array_t *a = (tmlrt__deque_array_t *)tmlrt__load_acquire(&d->array);
    void                 *got = tmlrt__load_relaxed(tmlrt__deque_slot(a, t));
    /*
     * release: our read of the slot comes before the owner writes it again;
     * pairs [DQ-3]. seq: forbids, with bottom 2 and top 0, that thief A swaps
     * top to 1, B reads that 1 and a bottom of 2 and steals item 1, while the
     * owner, after its fence, still reads top 0 and takes item 1 without a
     * swap. C11 orders fences with writes before them, and A's write is not
     * B's: A's swap itself must stand in the order of the fences; [DQ-5].
     */
    if (!tmlrt__cas_strong_seq(&d->top, &t, t + 1)) return TMLRT__STEAL_RETRY;
    *item = got;
    return TMLRT__STEAL_GOT;
}

size_t tmlrt__deque_size_hint(tmlrt__deque_t *d) {
    int64_t t = tmlrt__load_relaxed(&d->top);
    int64_t b = tmlrt__load_relaxed(&d->bottom);
    return b > t ? (size_t)(b - t) : 0;
}
