/* SPDX-License-Identifier: MIT */
/*
 * waitlist.c: see waitlist.h.
 */
#include "waitlist.h"

#define WAITLIST__BATCH 32u

static void waitlist__init_head(tmlrt__waitlist_t *wl) {
    if (wl->head.next == NULL) tmlrt__list_init(&wl->head);
}

void tmlrt__waitlist_add(tmlrt__waitlist_t *wl, tmlrt__op_t *op) {
    waitlist__init_head(wl);
    op->u.wait.object = wl;
    tmlrt__op_arm(op, TMLRT__OP_SRC_ARMED);
    tmlrt__list_push_back(&wl->head, &op->u.wait.link);
}

bool tmlrt__waitlist_remove(tmlrt__waitlist_t *wl, tmlrt__op_t *op) {
    tmlrt__latch_lock(&wl->latch);
    bool linked = tmlrt__list_is_linked(&op->u.wait.link);
    if (linked) {
        tmlrt__list_remove(&op->u.wait.link);
        tmlrt__op_disarm(op, TMLRT__OP_SRC_ARMED);
    }
    tmlrt__latch_unlock(&wl->latch);
    return linked;
}

tmlrt__op_t *tmlrt__waitlist_pop(tmlrt__waitlist_t *wl) {
    waitlist__init_head(wl);
    tmlrt__list_t *node = tmlrt__list_pop_front(&wl->head);
    return node != NULL ? TMLRT__CONTAINER_OF(node, tmlrt__op_t, u.wait.link) : NULL;
}

static tmlrt__op_t *waitlist__at(const tmlrt__waitlist_t *wl, tmlrt__list_t *node) {
    if (node == NULL || node == &wl->head) return NULL;
    return TMLRT__CONTAINER_OF(node, tmlrt__op_t, u.wait.link);
}

tmlrt__op_t *tmlrt__waitlist_first(const tmlrt__waitlist_t *wl) {
    return waitlist__at(wl, wl->head.next);
}

tmlrt__op_t *tmlrt__waitlist_after(const tmlrt__waitlist_t *wl, const tmlrt__op_t *op) {
    return waitlist__at(wl, op->u.wait.link.next);
}

size_t tmlrt__waitlist_length(const tmlrt__waitlist_t *wl) {
    size_t       n = 0;
    tmlrt__op_t *op = tmlrt__waitlist_first(wl);
    for (; op != NULL; op = tmlrt__waitlist_after(wl, op))
        n++;
    return n;
}

void tmlrt__waitlist_settle(tmlrt__waitlist_t *wl) {
    uint32_t spins = 0;
    /* It held the latch when it published the fire that we have seen, so this load cannot miss it.
     * acquire: its last use of the object comes before ours; pairs [LATCH-1] */
    while (tmlrt__load_acquire(&wl->latch.held) != 0) {
        if (++spins < TMLRT__LATCH_SPINS)
            tmlrt__cpu_pause();
        else
            tmlrt__latch_relax();
    }
}

uint64_t tmlrt__waitlist_rounds(tmlrt__waitlist_t *wl) {
    /* acquire: what was written before the fires that it counts; pairs [WL-1] */
    return tmlrt__load_acquire(&wl->rounds);
}

void tmlrt__waitlist_new_round(tmlrt__waitlist_t *wl) {
    /* release: what the caller wrote before, to who sees the count; pairs [WL-1] */
    tmlrt__store_release(&wl->rounds, tmlrt__load_relaxed(&wl->rounds) + 1);
}

/* Latch held: fires some of `now`; returns how many. */
static size_t waitlist__fire(tmlrt__list_t *now, int64_t result, tmlrt__wake_t *wakes) {
    size_t n = 0;
    while (n < WAITLIST__BATCH && !tmlrt__list_is_empty(now)) {
        tmlrt__list_t *node = tmlrt__list_pop_front(now);
        tmlrt__op_t   *op = TMLRT__CONTAINER_OF(node, tmlrt__op_t, u.wait.link);
        op->result = result;
        wakes[n++] = tmlrt__op_fire(op, TMLRT__OP_SRC_ARMED);
    }
    return n;
}

void tmlrt__waitlist_fire_all(tmlrt__waitlist_t *wl, int64_t result) {
    tmlrt__wake_t wakes[WAITLIST__BATCH];
    tmlrt__list_t now;
    tmlrt__list_init(&now);
    tmlrt__latch_lock(&wl->latch);
    waitlist__init_head(wl);
    tmlrt__waitlist_new_round(wl);
    tmlrt__list_splice_back(&now, &wl->head);
    for (bool more = true; more;) {
        size_t n = waitlist__fire(&now, result, wakes);
        more = !tmlrt__list_is_empty(&now);
        tmlrt__latch_unlock(&wl->latch);
        for (size_t i = 0; i < n; i++)
            tmlrt__wake_run(wakes[i]);
        if (more) tmlrt__latch_lock(&wl->latch);
    }
}
