/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c: tmlrt_rwlock_t: a gate whose word holds one bit for the writer and counts the readers.
 *
 * Strict FIFO: while somebody waits nobody else takes it; an unlock grants it to the first writer,
 * or to all readers up to the first writer. A cancelled waiter that had been granted it unlocks;
 * one that was the first in the queue lets those behind it through.
 *
 * Of an operation `word` is RW__READER or RW__WRITER, what it adds to the gate's word.
 */
#include <tmlrt/sync.h>

#include "call.h"
#include "gate.h"

_Static_assert(sizeof(tmlrt__gate_t) <= sizeof(tmlrt_rwlock_t), "it fits the public type");

#define RW__WRITER ((uint64_t)4)
#define RW__READER ((uint64_t)8) /* one of them */

static tmlrt__gate_t *rw__gate(tmlrt_rwlock_t *rwlock) {
    return (tmlrt__gate_t *)(void *)rwlock;
}

/* Whether one of `kind` may come in beside those who hold it. */
static bool rw__admits(uint64_t w, uint64_t kind) {
    return kind == RW__READER ? (w & RW__WRITER) == 0 : w < RW__WRITER;
}

static bool rw__try(tmlrt__gate_t *g, uint64_t kind) {
    for (;;) {
        uint64_t w = tmlrt__load_relaxed(&g->word);
        if ((w & TMLRT__GATE_LATCH) != 0) break;
        if ((w & TMLRT__GATE_WAITERS) != 0 || !rw__admits(w, kind)) return false;
        if (tmlrt__gate_take(g, w, w + kind)) return true;
    }
    uint64_t w = tmlrt__gate_enter(g);
    bool     taken = (w & TMLRT__GATE_WAITERS) == 0 && rw__admits(w, kind);
    tmlrt__gate_leave(g, taken ? w + kind : w);
    return taken;
}

/* Entered: lets the first ones in. */
static uint64_t rw__serve(tmlrt__gate_t *g, uint64_t w, tmlrt__wakes_t *wakes) {
    tmlrt__op_t *first;
    w &= ~TMLRT__GATE_WAITERS; /* leave knows */
    while ((first = tmlrt__gate_first(g)) != NULL && !tmlrt__wakes_full(wakes) &&
           rw__admits(w, first->u.wait.word)) {
        w += first->u.wait.word;
        tmlrt__gate_grant(first, 1, TMLRT_OK, wakes);
    }
    return w;
}

/* ---- the operations ------------------------------------------------------------------------ */

static int32_t rw__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__gate_t *g = op->u.wait.object;
    (void)cx;
    op->result = TMLRT_OK;
    uint64_t w = tmlrt__gate_enter(g);
    bool     waits = (w & TMLRT__GATE_WAITERS) != 0 || !rw__admits(w, op->u.wait.word);
    if (waits) tmlrt__gate_wait(g, op);
    tmlrt__gate_leave(g, waits ? w : w + op->u.wait.word);
    return waits ? TMLRT_PENDING : TMLRT_READY;
}

static int32_t rw__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__gate_t *g = op->u.wait.object;
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    (void)cx;
    uint64_t w = tmlrt__gate_enter(g);
    tmlrt__gate_leave(g, rw__serve(g, w, &wakes));
    tmlrt__wakes_run(&wakes);
    return TMLRT_READY;
}

static int32_t rw__cancel(tmlrt__op_t *op, int reason) {
    tmlrt__gate_t *g = op->u.wait.object;
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(g);
    if (!tmlrt__gate_remove(op)) w -= op->u.wait.word;
    tmlrt__gate_leave(g, rw__serve(g, w, &wakes));
    tmlrt__wakes_run(&wakes);
    op->result = reason;
    return TMLRT_READY;
}

static const tmlrt__op_class_t rw__read_class = {
    .waits_for = "read lock", .start = rw__start, .resume = rw__resume, .cancel = rw__cancel};
static const tmlrt__op_class_t rw__write_class = {
    .waits_for = "write lock", .start = rw__start, .resume = rw__resume, .cancel = rw__cancel};

static int rw__prepare(tmlrt_op_t *op, tmlrt_rwlock_t *rwlock, uint64_t kind) {
    if (rwlock == NULL) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, kind == RW__READER ? &rw__read_class : &rw__write_class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.wait.object = rw__gate(rwlock);
    tmlrt__op(op)->u.wait.word = kind;
    return TMLRT_OK;
}

int tmlrt_op_read_lock(tmlrt_op_t *op, tmlrt_rwlock_t *rwlock) {
    return rw__prepare(op, rwlock, RW__READER);
}

int tmlrt_op_write_lock(tmlrt_op_t *op, tmlrt_rwlock_t *rwlock) {
    return rw__prepare(op, rwlock, RW__WRITER);
}

/* ---- the calls ----------------------------------------------------------------------------- */

static int rw__lock(tmlrt_rwlock_t *rwlock, uint64_t kind) {
    if (rwlock == NULL) return TMLRT_EINVAL;
    /* In a replay also one that is free is a place to stop. */
    bool tries = tmlrt__current()->chance == NULL || tmlrt__call_tries();
    if (tries && rw__try(rw__gate(rwlock), kind)) return TMLRT_OK;
    tmlrt_op_t op = TMLRT_OP_INIT;
    rw__prepare(&op, rwlock, kind);
    return (int)tmlrt__call_await_always(&op);
}

static int rw__lock_until(tmlrt_rwlock_t *rwlock, uint64_t kind, int64_t deadline) {
    if (rwlock == NULL) return TMLRT_EINVAL;
    if (tmlrt__call_tries() && rw__try(rw__gate(rwlock), kind)) return TMLRT_OK;
    tmlrt_op_t op = TMLRT_OP_INIT;
    rw__prepare(&op, rwlock, kind);
    return (int)tmlrt__call_await(&op, deadline);
}

int tmlrt_rwlock_read(tmlrt_rwlock_t *rwlock) {
    return rw__lock(rwlock, RW__READER);
}

int tmlrt_rwlock_write(tmlrt_rwlock_t *rwlock) {
    return rw__lock(rwlock, RW__WRITER);
}

int tmlrt_rwlock_read_until(tmlrt_rwlock_t *rwlock, int64_t deadline) {
    return rw__lock_until(rwlock, RW__READER, deadline);
}

int tmlrt_rwlock_write_until(tmlrt_rwlock_t *rwlock, int64_t deadline) {
    return rw__lock_until(rwlock, RW__WRITER, deadline);
}

int tmlrt_rwlock_try_read(tmlrt_rwlock_t *rwlock) {
    if (rwlock == NULL) return TMLRT_EINVAL;
    return rw__try(rw__gate(rwlock), RW__READER) ? TMLRT_OK : TMLRT_EAGAIN;
}

int tmlrt_rwlock_try_write(tmlrt_rwlock_t *rwlock) {
    if (rwlock == NULL) return TMLRT_EINVAL;
    return rw__try(rw__gate(rwlock), RW__WRITER) ? TMLRT_OK : TMLRT_EAGAIN;
}

/* What an unlock takes off the word; 0 when nobody holds it. */
static uint64_t rw__held(uint64_t w) {
    if ((w & RW__WRITER) != 0) return RW__WRITER;
    return w >= RW__READER ? RW__READER : 0;
}

int tmlrt_rwlock_unlock(tmlrt_rwlock_t *rwlock) {
    if (rwlock == NULL) return TMLRT_EINVAL;
    tmlrt__gate_t *g = rw__gate(rwlock);
    for (;;) {
        uint64_t w = tmlrt__load_relaxed(&g->word);
        if (rw__held(w) == 0) return TMLRT_EINVAL;
        if ((w & TMLRT__GATE_BUSY) != 0) break;
        if (tmlrt__gate_give(g, w, w - rw__held(w))) return TMLRT_OK;
    }
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(g);
    uint64_t held = rw__held(w);
    tmlrt__gate_leave(g, rw__serve(g, w - held, &wakes));
    tmlrt__wakes_run(&wakes);
    return held != 0 ? TMLRT_OK : TMLRT_EINVAL;
}
