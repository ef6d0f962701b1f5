/* SPDX-License-Identifier: MIT */
/*
 * waitlist.c: see waitlist.h.
 */
#include "waitlist.h"

#define WAITLIST__FEW 32u

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

static size_t waitlist__length(const tmlrt__list_t *head) {
    size_t n = 0;
    for (const tmlrt__list_t *node = head->next; node != head; node = node->next)
        n++;
    return n;
}

/* Latch held: fires up to `room` of `now`; returns how many. */
static size_t waitlist__fire(tmlrt__list_t *now, int64_t result, tmlrt__wake_t *wakes,
                             size_t room) {
    size_t n = 0;
    while (n < room && !tmlrt__list_is_empty(now)) {
        tmlrt__list_t *node = tmlrt__list_pop_front(now);
        tmlrt__op_t   *op = TMLRT__CONTAINER_OF(node, tmlrt__op_t, u.wait.link);
        op->result = result;
        wakes[n++] = tmlrt__op_fire(op, TMLRT__OP_SRC_ARMED);
    }
    return n;
}

void tmlrt__waitlist_fire_all(tmlrt__waitlist_t *wl, int64_t result) {
    tmlrt__wake_t  few[WAITLIST__FEW];
    tmlrt__wake_t *wakes = few;
    size_t         room = WAITLIST__FEW;
    bool           memory = true;
    tmlrt__latch_lock(&wl->latch);
    waitlist__init_head(wl);
    /* Room for all of them first: whoever has been told may free the object, so that after the
     * first fire we may not come back to it once the latch is given up. */
    for (size_t n; memory && (n = waitlist__length(&wl->head)) > room;) {
        tmlrt__latch_unlock(&wl->latch);
        if (wakes != few) tmlrt__mem_put(&tmlrt__mem_default, wakes, room * sizeof *wakes, 16);
        room = 2 * n;
        wakes = (tmlrt__wake_t *)tmlrt__mem_get(&tmlrt__mem_default, room * sizeof *wakes, 16);
        memory = wakes != NULL;
        if (!memory) {
            wakes = few;
            room = WAITLIST__FEW;
        }
        tmlrt__latch_lock(&wl->latch);
    }
    /* release: what the caller wrote before, to who sees the count; pairs [WL-1] */
    tmlrt__store_release(&wl->rounds, tmlrt__load_relaxed(&wl->rounds) + 1);
    tmlrt__list_t now;
    tmlrt__list_init(&now);
    tmlrt__list_splice_back(&now, &wl->head);
    for (bool more = true; more;) {
        size_t n = waitlist__fire(&now, result, wakes, room);
        /* Without memory in several rounds: those left keep the object, unless they all cancel. */
        more = !tmlrt__list_is_empty(&now);
        tmlrt__latch_unlock(&wl->latch);
        for (size_t i = 0; i < n; i++)
            tmlrt__wake_run(wakes[i]);
        if (more) tmlrt__latch_lock(&wl->latch);
    }
    if (wakes != few) tmlrt__mem_put(&tmlrt__mem_default, wakes, room * sizeof *wakes, 16);
}
