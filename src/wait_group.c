/* SPDX-License-Identifier: MIT */
/*
 * wait_group.c: tmlrt_wait_group_t: a gate whose word counts what is under way. A round ends when
 * the count comes to zero; those who belong to a former round and are still in the queue are being
 * fired.
 *
 * Of an operation `word` is its round.
 */
#include <tmlrt/sync.h>

#include "call.h"
#include "gate.h"

typedef struct group__object {
    tmlrt__gate_t gate;
    uint64_t      round; /* entered */
} group__object_t;

_Static_assert(sizeof(group__object_t) <= sizeof(tmlrt_wait_group_t), "it fits the public type");

#define GROUP__SHIFT 2
#define GROUP__MAX   (INT64_MAX / 2)

static group__object_t *group__of(void *group) {
    return (group__object_t *)group;
}

static int64_t group__count(uint64_t w) {
    return (int64_t)(w >> GROUP__SHIFT);
}

static bool group__is_zero(const group__object_t *o) {
    /* acquire: observes what was under way; pairs [GATE-1] */
    return group__count(tmlrt__load_acquire(&o->gate.word)) == 0;
}

/* ---- the operation ------------------------------------------------------------------------- */

static int32_t group__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    group__object_t *o = group__of(op->u.wait.object);
    (void)cx;
    op->result = TMLRT_OK;
    if (group__is_zero(o)) return TMLRT_READY;
    uint64_t w = tmlrt__gate_enter(&o->gate);
    bool     waits = group__count(w) != 0;
    op->u.wait.word = o->round;
    if (waits) tmlrt__gate_wait(&o->gate, op);
    tmlrt__gate_leave(&o->gate, w);
    return waits ? TMLRT_PENDING : TMLRT_READY;
}

static int32_t group__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    group__object_t *o = group__of(op->u.wait.object);
    (void)cx;
    return tmlrt__gate_resume_round(&o->gate, &o->round);
}

static int32_t group__cancel(tmlrt__op_t *op, int reason) {
    group__object_t *o = group__of(op->u.wait.object);
    tmlrt__wakes_t   wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(&o->gate);
    bool     over = op->u.wait.word != o->round;
    tmlrt__gate_remove(op);
    tmlrt__gate_serve_rounds(&o->gate, o->round, &wakes);
    tmlrt__gate_leave(&o->gate, w);
    tmlrt__wakes_run(&wakes);
    op->result = over ? TMLRT_OK : reason;
    return TMLRT_READY;
}

static const tmlrt__op_class_t group__class = {.waits_for = "wait group",
                                               .start = group__start,
                                               .resume = group__resume,
                                               .cancel = group__cancel};

int tmlrt_op_wait_group(tmlrt_op_t *op, tmlrt_wait_group_t *group) {
    if (group == NULL) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &group__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.wait.object = group;
    return TMLRT_OK;
}

/* ---- the calls ----------------------------------------------------------------------------- */

static int group__check(int64_t count, int64_t n) {
    if (n < -count) return TMLRT_EINVAL;
    return n > GROUP__MAX - count ? TMLRT_EOVERFLOW : TMLRT_OK;
}

static uint64_t group__sum(uint64_t w, int64_t n) {
    return (w & TMLRT__GATE_BUSY) | (uint64_t)(group__count(w) + n) << GROUP__SHIFT;
}

/* A change that ends no round needs no entry. */
static int group__add_plainly(tmlrt__gate_t *g, int64_t n) {
    for (;;) {
        uint64_t w = tmlrt__load_relaxed(&g->word);
        if ((w & TMLRT__GATE_BUSY) != 0) return TMLRT_EAGAIN;
        int e = group__check(group__count(w), n);
        if (e != TMLRT_OK) return e;
        if (tmlrt__gate_give(g, w, group__sum(w, n))) return TMLRT_OK;
    }
}

int tmlrt_wait_group_add(tmlrt_wait_group_t *group, int64_t n) {
    if (group == NULL) return TMLRT_EINVAL;
    group__object_t *o = group__of(group);
    int              e = group__add_plainly(&o->gate, n);
    if (e != TMLRT_EAGAIN) return e;
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(&o->gate);
    e = group__check(group__count(w), n);
    if (e == TMLRT_OK) {
        bool was = group__count(w) != 0;
        w = group__sum(w, n);
        if (was && group__count(w) == 0) {
            o->round++;
            tmlrt__gate_serve_rounds(&o->gate, o->round, &wakes);
        }
    }
    tmlrt__gate_leave(&o->gate, w);
    tmlrt__wakes_run(&wakes);
    return e;
}

int tmlrt_wait_group_done(tmlrt_wait_group_t *group) {
    return tmlrt_wait_group_add(group, -1);
}

int tmlrt_wait_group_wait_until(tmlrt_wait_group_t *group, int64_t deadline) {
    if (group == NULL) return TMLRT_EINVAL;
    if (tmlrt__call_tries() && group__is_zero(group__of(group))) return TMLRT_OK;
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_wait_group(&op, group);
    return (int)tmlrt__call_await(&op, deadline);
}

int tmlrt_wait_group_wait(tmlrt_wait_group_t *group) {
    return tmlrt_wait_group_wait_until(group, TMLRT_NEVER);
}
