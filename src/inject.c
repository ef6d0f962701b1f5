/* SPDX-License-Identifier: MIT */
/*
 * inject.c: see inject.h.
 */
#include "inject.h"

#define INJECT__BATCH 32u

void tmlrt__inject_init(tmlrt__inject_t *q) {
    tmlrt__mpmc_init(&q->ring, q->slots, TMLRT__INJECT_SLOTS, 0);
    tmlrt__store_relaxed(&q->latch.held, 0);
    tmlrt__store_relaxed(&q->overflow, 0);
    q->first = q->last = NULL;
}

static void inject__append(tmlrt__inject_t *q, tmlrt_task_t *task) {
    tmlrt__latch_lock(&q->latch);
    task->next = NULL; /* under the latch, as all uses: a wake observes nothing by itself */
    if (q->last != NULL)
        q->last->next = task;
    else
        q->first = task;
    q->last = task;
    tmlrt__store_relaxed(&q->overflow, tmlrt__load_relaxed(&q->overflow) + 1);
    tmlrt__latch_unlock(&q->latch);
}

void tmlrt__inject_push(tmlrt__inject_t *q, tmlrt_task_t *task) {
    if (tmlrt__load_relaxed(&q->overflow) == 0 && tmlrt__mpmc_try_push(&q->ring, task)) return;
    inject__append(q, task);
}

static size_t inject__pop_ring(tmlrt__inject_t *q, tmlrt_task_t **out, size_t max) {
    void  *items[INJECT__BATCH];
    size_t n = tmlrt__mpmc_pop_many(&q->ring, items, max < INJECT__BATCH ? max : INJECT__BATCH);
    for (size_t i = 0; i < n; i++)
        out[i] = items[i];
    return n;
}

static size_t inject__pop_list(tmlrt__inject_t *q, tmlrt_task_t **out, size_t max) {
    size_t listed = 0;
    tmlrt__latch_lock(&q->latch);
    /* With the latch we see what each producer put into the ring before it came to the list: that
     * goes first. */
    size_t n = inject__pop_ring(q, out, max);
    for (; n < max && q->first != NULL; listed++) {
        out[n++] = q->first;
        q->first = q->first->next;
    }
    if (q->first == NULL) q->last = NULL;
    tmlrt__store_relaxed(&q->overflow, tmlrt__load_relaxed(&q->overflow) - listed);
    tmlrt__latch_unlock(&q->latch);
    return n;
}

size_t tmlrt__inject_pop(tmlrt__inject_t *q, tmlrt_task_t **out, size_t max) {
    size_t n = inject__pop_ring(q, out, max);
    if (n < max && tmlrt__load_relaxed(&q->overflow) != 0)
        n += inject__pop_list(q, out + n, max - n);
    return n;
}

size_t tmlrt__inject_size(tmlrt__inject_t *q) {
    return tmlrt__mpmc_size_hint(&q->ring) + tmlrt__load_relaxed(&q->overflow);
}
