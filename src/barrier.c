/* SPDX-License-Identifier: MIT */
/*
 * barrier.c: tmlrt_barrier_t: the parties that have come wait in a gate, until the last one comes
 * and takes no place in it. A round ends with that; those who belong to a former round and are
 * still in the queue are being fired.
 *
 * Of an operation `word` is its round.
 */
#include <tmlrt/sync.h>

#include "call.h"
#include "gate.h"

typedef struct barrier__object {
    tmlrt__gate_t gate;
    uint32_t      parties; /* constant after init */
    uint32_t      come;    /* entered: of this round */
    uint64_t      round;   /* entered */
} barrier__object_t;

_Static_assert(sizeof(barrier__object_t) <= sizeof(tmlrt_barrier_t), "it fits the public type");

static barrier__object_t *barrier__of(void *barrier) {
    return (barrier__object_t *)barrier;
}

/* Entered: comes as the last one, if it is that. */
static bool barrier__complete(barrier__object_t *b, tmlrt__wakes_t *wakes) {
    if (b->come + 1 < b->parties) return false;
    b->come = 0;
    b->round++;
    tmlrt__gate_serve_rounds(&b->gate, b->round, wakes);
    return true;
}

/* Comes; waits with `op`, or, with none, only comes as the last one. True: it was the last. */
static bool barrier__come(barrier__object_t *b, tmlrt__op_t *op) {
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(&b->gate);
    bool     last = barrier__complete(b, &wakes);
    if (!last && op != NULL) {
        b->come++;
        op->u.wait.word = b->round;
        tmlrt__gate_wait(&b->gate, op);
    }
    tmlrt__gate_leave(&b->gate, w);
    tmlrt__wakes_run(&wakes);
    return last;
}

static int32_t barrier__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    if (!barrier__come(barrier__of(op->u.wait.object), op)) return TMLRT_PENDING;
    op->result = 1;
    return TMLRT_READY;
}

static int32_t barrier__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    barrier__object_t *b = barrier__of(op->u.wait.object);
    (void)cx;
    return tmlrt__gate_resume_round(&b->gate, &b->round);
}

/* Once the round is complete it has met the others, fired or not. */
static int32_t barrier__cancel(tmlrt__op_t *op, int reason) {
    barrier__object_t *b = barrier__of(op->u.wait.object);
    tmlrt__wakes_t     wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(&b->gate);
    bool     met = op->u.wait.word != b->round;
    if (!met) b->come--;
    tmlrt__gate_remove(op);
    tmlrt__gate_serve_rounds(&b->gate, b->round, &wakes);
    tmlrt__gate_leave(&b->gate, w);
    tmlrt__wakes_run(&wakes);
    op->result = met ? 0 : reason;
    return TMLRT_READY;
}

static const tmlrt__op_class_t barrier__class = {.waits_for = "barrier",
                                                 .start = barrier__start,
                                                 .resume = barrier__resume,
                                                 .cancel = barrier__cancel};

int tmlrt_barrier_init(tmlrt_barrier_t *barrier, uint32_t n) {
    if (barrier == NULL || n == 0) return TMLRT_EINVAL;
    barrier__object_t *b = barrier__of(barrier);
    tmlrt__atomic_make(&b->gate.word, 0);
    tmlrt__list_init(&b->gate.head);
    b->parties = n;
    b->come = 0;
    b->round = 0;
    return TMLRT_OK;
}

int tmlrt_op_barrier(tmlrt_op_t *op, tmlrt_barrier_t *barrier) {
    if (barrier == NULL || barrier__of(barrier)->parties == 0)
        return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &barrier__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.wait.object = barrier;
    return TMLRT_OK;
}

int tmlrt_barrier_wait(tmlrt_barrier_t *barrier) {
    if (barrier == NULL || barrier__of(barrier)->parties == 0) return TMLRT_EINVAL;
    if (tmlrt__call_tries() && barrier__come(barrier__of(barrier), NULL)) return 1;
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_barrier(&op, barrier);
    return (int)tmlrt__call_await(&op, TMLRT_NEVER);
}
