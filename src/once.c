/* SPDX-License-Identifier: MIT */
/*
 * once.c: tmlrt_once_t: a gate in one of three states: nobody has begun, one is at it, done.
 *
 * Who begins is either the one who came while nobody had, or the first in the queue when the one
 * before it failed. A cancelled waiter that had been chosen so counts as one that failed.
 */
#include <tmlrt/sync.h>

#include "call.h"
#include "gate.h"

_Static_assert(sizeof(tmlrt__gate_t) <= sizeof(tmlrt_once_t), "it fits the public type");

#define ONCE__BEGUN ((uint64_t)4)
#define ONCE__DONE  ((uint64_t)8) /* for good */

enum { ONCE__TOLD = 1, ONCE__CHOSEN }; /* what a waiter was granted */

static tmlrt__gate_t *once__gate(tmlrt_once_t *once) {
    return (tmlrt__gate_t *)(void *)once;
}

/* Entered: tells everybody that it is done, or chooses one when nobody is at it. */
static uint64_t once__serve(tmlrt__gate_t *g, uint64_t w, tmlrt__wakes_t *wakes) {
    tmlrt__op_t *first;
    while ((first = tmlrt__gate_first(g)) != NULL && !tmlrt__wakes_full(wakes) &&
           (w & ONCE__BEGUN) == 0) {
        bool done = (w & ONCE__DONE) != 0;
        if (!done) w |= ONCE__BEGUN;
        tmlrt__gate_grant(first, done ? ONCE__TOLD : ONCE__CHOSEN, done ? 0 : 1, wakes);
    }
    return w;
}

static bool once__is_done(const tmlrt__gate_t *g) {
    /* acquire: observes what was done; pairs [GATE-1] */
    return (tmlrt__load_acquire(&g->word) & ONCE__DONE) != 0;
}

/* 0: done. 1: the caller's to do. Else somebody is at it, and `op` waits for that, if there is one. */
static int once__come(tmlrt__gate_t *g, tmlrt__op_t *op) {
    if (once__is_done(g)) return 0;
    uint64_t w = tmlrt__gate_enter(g);
    int      r = (w & ONCE__DONE) != 0 ? 0 : (w & ONCE__BEGUN) == 0 ? 1 : TMLRT_EAGAIN;
    if (r == 1) w |= ONCE__BEGUN;
    if (r == TMLRT_EAGAIN && op != NULL) tmlrt__gate_wait(g, op);
    tmlrt__gate_leave(g, w);
    return r;
}

/* ---- the operation ------------------------------------------------------------------------- */

static int32_t once__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    int r = once__come((tmlrt__gate_t *)op->u.wait.object, op);
    if (r == TMLRT_EAGAIN) return TMLRT_PENDING;
    op->result = r;
    return TMLRT_READY;
}

static int32_t once__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__gate_t *g = op->u.wait.object;
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    (void)cx;
    uint64_t w = tmlrt__gate_enter(g);
    tmlrt__gate_leave(g, once__serve(g, w, &wakes));
    tmlrt__wakes_run(&wakes);
    return TMLRT_READY;
}

static int32_t once__cancel(tmlrt__op_t *op, int reason) {
    tmlrt__gate_t *g = op->u.wait.object;
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(g);
    if (!tmlrt__gate_remove(op) && op->u.wait.granted == ONCE__CHOSEN) w &= ~ONCE__BEGUN;
    bool told = op->u.wait.granted == ONCE__TOLD;
    tmlrt__gate_leave(g, once__serve(g, w, &wakes));
    tmlrt__wakes_run(&wakes);
    op->result = told ? 0 : reason;
    return TMLRT_READY;
}

static const tmlrt__op_class_t once__class = {
    .waits_for = "once", .start = once__start, .resume = once__resume, .cancel = once__cancel};

int tmlrt_op_once(tmlrt_op_t *op, tmlrt_once_t *once) {
    if (once == NULL) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &once__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.wait.object = once__gate(once);
    return TMLRT_OK;
}

/* ---- the calls ----------------------------------------------------------------------------- */

/* Ends the turn of the one who is at it. */
static int once__end(tmlrt_once_t *once, uint64_t outcome) {
    if (once == NULL) return TMLRT_EINVAL;
    tmlrt__gate_t *g = once__gate(once);
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(g);
    bool     begun = (w & ONCE__BEGUN) != 0;
    if (begun) w = once__serve(g, (w & ~ONCE__BEGUN) | outcome, &wakes);
    tmlrt__gate_leave(g, w);
    tmlrt__wakes_run(&wakes);
    return begun ? TMLRT_OK : TMLRT_EINVAL;
}

int tmlrt_once_done(tmlrt_once_t *once) {
    return once__end(once, ONCE__DONE);
}

int tmlrt_once_failed(tmlrt_once_t *once) {
    return once__end(once, 0);
}

static int once__wait(tmlrt_once_t *once) {
    if (tmlrt__call_tries()) {
        int r = once__come(once__gate(once), NULL);
        if (r != TMLRT_EAGAIN) return r;
    }
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_once(&op, once);
    return (int)tmlrt__call_await(&op, TMLRT_NEVER);
}

int tmlrt_once_call(tmlrt_once_t *once, int (*fn)(void *arg), void *arg) {
    if (once == NULL || fn == NULL) return TMLRT_EINVAL;
    if (once__is_done(once__gate(once))) return TMLRT_OK;
    int r = once__wait(once);
    if (r != 1) return r;
    r = fn(arg);
    once__end(once, r == 0 ? ONCE__DONE : 0);
    return r;
}
