/* SPDX-License-Identifier: MIT */
/*
 * gate.c: see gate.h.
 */
#include "gate.h"

uint64_t tmlrt__gate_enter(tmlrt__gate_t *g) {
    uint32_t spins = 0;
    for (;;) {
        uint64_t w = tmlrt__load_relaxed(&g->word);
        /* acquire: observes the former enterer and who gave; pairs [GATE-1] */
        if ((w & TMLRT__GATE_LATCH) == 0 &&
            tmlrt__cas_weak_acquire(&g->word, &w, w | TMLRT__GATE_LATCH))
            return w;
        if (++spins < TMLRT__LATCH_SPINS)
            tmlrt__cpu_pause();
        else
            tmlrt__latch_relax();
    }
}

void tmlrt__gate_show(tmlrt__gate_t *g, uint64_t word) {
    tmlrt__store_relaxed(&g->word, word | TMLRT__GATE_LATCH);
}

static bool gate__is_empty(const tmlrt__gate_t *g) {
    return g->head.next == NULL || tmlrt__list_is_empty(&g->head);
}

void tmlrt__gate_leave(tmlrt__gate_t *g, uint64_t word) {
    word &= ~TMLRT__GATE_WAITERS;
    if (!gate__is_empty(g)) word |= TMLRT__GATE_WAITERS;
    /* release: publishes state, queue and what was done before; pairs [GATE-1] */
    tmlrt__store_release(&g->word, word);
}

static void gate__arm(tmlrt__gate_t *g, tmlrt__op_t *op) {
    if (g->head.next == NULL) tmlrt__list_init(&g->head);
    op->u.wait.granted = 0;
    tmlrt__op_arm(op, TMLRT__OP_SRC_ARMED);
}

void tmlrt__gate_wait(tmlrt__gate_t *g, tmlrt__op_t *op) {
    gate__arm(g, op);
    tmlrt__list_push_back(&g->head, &op->u.wait.link);
}

void tmlrt__gate_wait_first(tmlrt__gate_t *g, tmlrt__op_t *op) {
    gate__arm(g, op);
    tmlrt__list_push_front(&g->head, &op->u.wait.link);
}

bool tmlrt__gate_remove(tmlrt__op_t *op) {
    if (!tmlrt__list_is_linked(&op->u.wait.link)) return false;
    tmlrt__list_remove(&op->u.wait.link);
    tmlrt__op_disarm(op, TMLRT__OP_SRC_ARMED);
    return true;
}

tmlrt__op_t *tmlrt__gate_first(const tmlrt__gate_t *g) {
    if (gate__is_empty(g)) return NULL;
    return TMLRT__CONTAINER_OF(g->head.next, tmlrt__op_t, u.wait.link);
}

void tmlrt__gate_grant(tmlrt__op_t *op, uint32_t granted, int64_t result, tmlrt__wakes_t *wakes) {
    tmlrt__list_remove(&op->u.wait.link);
    op->u.wait.granted = granted;
    op->result = result;
    wakes->wake[wakes->n++] = tmlrt__op_fire(op, TMLRT__OP_SRC_ARMED);
}

void tmlrt__wakes_run(const tmlrt__wakes_t *wakes) {
    for (unsigned i = 0; i < wakes->n; i++)
        tmlrt__wake_run(wakes->wake[i]);
}

void tmlrt__gate_serve_rounds(tmlrt__gate_t *g, uint64_t now, tmlrt__wakes_t *wakes) {
    tmlrt__op_t *first;
    while ((first = tmlrt__gate_first(g)) != NULL && !tmlrt__wakes_full(wakes) &&
           first->u.wait.word != now)
        tmlrt__gate_grant(first, 1, 0, wakes);
}

int32_t tmlrt__gate_resume_round(tmlrt__gate_t *g, const uint64_t *now) {
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(g);
    tmlrt__gate_serve_rounds(g, *now, &wakes);
    tmlrt__gate_leave(g, w);
    tmlrt__wakes_run(&wakes);
    return TMLRT_READY;
}
