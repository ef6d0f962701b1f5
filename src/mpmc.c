/* SPDX-License-Identifier: MIT */
/*
 * mpmc.c - the bounded MPMC ring (mpmc.h has the algorithm and its limits).
 *
 * head and tail only hand out positions, so they are relaxed throughout; all
 * ordering is in the sequence numbers: [MQ-1] from a push to its pop, [MQ-2]
 * from a pop to the push that uses the slot next.
 * Compiles as C11 and, for tests/model/model_mpmc.cpp, as C++03 under Relacy.
 */
#include "mpmc.h"

#include <assert.h>

static tmlrt__mpmc_slot_t *mpmc__slot(tmlrt__mpmc_t *q, uint64_t pos) {
    return &q->slots[pos & q->mask];
}

void tmlrt__mpmc_init(tmlrt__mpmc_t *q, tmlrt__mpmc_slot_t *slots, size_t capacity,
                      uint64_t start) {
    assert(capacity >= 2 && (capacity & (capacity - 1)) == 0);
    q->slots = slots;
    q->mask = capacity - 1;
    for (uint64_t pos = start; pos != start + capacity; pos++)
        tmlrt__store_relaxed(&mpmc__slot(q, pos)->seq, pos);
    tmlrt__store_relaxed(&q->tail, start);
    tmlrt__store_relaxed(&q->head, start);
}

bool tmlrt__mpmc_try_push(tmlrt__mpmc_t *q, void *item) {
    uint64_t pos = tmlrt__load_relaxed(&q->tail);
    for (;;) {
        tmlrt__mpmc_slot_t *slot = mpmc__slot(q, pos);
        /* acquire: the last pop is done with the slot; pairs [MQ-2] */
        uint64_t seq = tmlrt__load_acquire(&slot->seq);
        int64_t  ahead = (int64_t)(seq - pos);
        if (ahead < 0) return false; /* still filled from a round ago: full */
        if (ahead > 0) {
            pos = tmlrt__load_relaxed(&q->tail); /* another has claimed pos */
        } else if (tmlrt__cas_weak_relaxed(&q->tail, &pos, pos + 1)) {
            tmlrt__var_set(&slot->item, item);
            /* release: publishes the item and its contents; pairs [MQ-1] */
            tmlrt__store_release(&slot->seq, pos + 1);
            return true;
        }
    }
}

/* How many positions from pos on are filled, up to max; *seq_ahead tells the
 * first slot's state when it is none: > 0 another has emptied it, else empty. */
static size_t mpmc__filled(tmlrt__mpmc_t *q, uint64_t pos, size_t max, int64_t *seq_ahead) {
    size_t n = 0;
    while (n < max && n <= q->mask) {
        /* acquire: observes the item and its contents; pairs [MQ-1] */
        uint64_t seq = tmlrt__load_acquire(&mpmc__slot(q, pos + n)->seq);
        int64_t  ahead = (int64_t)(seq - (pos + n + 1));
        if (ahead != 0) {
            *seq_ahead = ahead;
            break;
        }
        n++;
    }
    return n;
}

size_t tmlrt__mpmc_pop_many(tmlrt__mpmc_t *q, void **out, size_t max) {
    uint64_t pos = tmlrt__load_relaxed(&q->head);
    while (max > 0) {
        int64_t ahead = 0;
        size_t  n = mpmc__filled(q, pos, max, &ahead);
        if (n == 0 && ahead < 0) return 0;
        if (n == 0) {
            pos = tmlrt__load_relaxed(&q->head); /* another has claimed pos */
        } else if (tmlrt__cas_weak_relaxed(&q->head, &pos, pos + n)) {
            for (size_t i = 0; i < n; i++) {
                tmlrt__mpmc_slot_t *slot = mpmc__slot(q, pos + i);
                out[i] = tmlrt__var_get(&slot->item);
                /* release: our read comes before the next push; pairs [MQ-2] */
                tmlrt__store_release(&slot->seq, pos + i + q->mask + 1);
            }
            return n;
        }
    }
    return 0;
}

void *tmlrt__mpmc_try_pop(tmlrt__mpmc_t *q) {
    void *item;
    return tmlrt__mpmc_pop_many(q, &item, 1) == 1 ? item : NULL;
}

size_t tmlrt__mpmc_size_hint(tmlrt__mpmc_t *q) {
    /* head first: it never passes tail, so the difference cannot be negative
     * by order alone; read stale it still may be. */
    uint64_t head = tmlrt__load_relaxed(&q->head);
    uint64_t tail = tmlrt__load_relaxed(&q->tail);
    int64_t  n = (int64_t)(tail - head);
    return n > 0 ? (size_t)n : 0;
}
