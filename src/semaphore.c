/* SPDX-License-Identifier: MIT */
/*
 * semaphore.c: tmlrt_semaphore_t: a gate whose word counts the free permits.
 *
 * Strict FIFO: while somebody waits nobody else takes any, and a waiter is granted all it wants at
 * once by whoever gives (taken off the count then). A cancelled waiter that had been granted gives
 * them to the next ones (of more than the most that there may be what these leave is lost); one that
 * was the first in the queue lets those behind it through.
 *
 * Of an operation `word` is the number of permits it wants.
 */
#include <tmlrt/sync.h>

#include "call.h"
#include "gate.h"

_Static_assert(sizeof(tmlrt__gate_t) <= sizeof(tmlrt_semaphore_t), "it fits the public type");

#define SEM__SHIFT 2

static tmlrt__gate_t *sem__gate(tmlrt_semaphore_t *sem) {
    return (tmlrt__gate_t *)(void *)sem;
}

static bool sem__is_count(int64_t n) {
    return n >= 1 && n <= TMLRT_SEMAPHORE_MAX;
}

/* Takes n permits unless there are fewer or others wait. */
static bool sem__try(tmlrt__gate_t *g, uint64_t n) {
    for (;;) {
        uint64_t w = tmlrt__load_relaxed(&g->word);
        if ((w & TMLRT__GATE_LATCH) != 0) break;
        if ((w & TMLRT__GATE_WAITERS) != 0 || w >> SEM__SHIFT < n) return false;
        if (tmlrt__gate_take(g, w, w - (n << SEM__SHIFT))) return true;
    }
    uint64_t w = tmlrt__gate_enter(g);
    bool     taken = (w & TMLRT__GATE_WAITERS) == 0 && w >> SEM__SHIFT >= n;
    tmlrt__gate_leave(g, taken ? w - (n << SEM__SHIFT) : w);
    return taken;
}

/* Entered: grants the first ones what they want, as far as the permits go. */
static uint64_t sem__serve(tmlrt__gate_t *g, uint64_t w, tmlrt__wakes_t *wakes) {
    tmlrt__op_t *first;
    while ((first = tmlrt__gate_first(g)) != NULL && !tmlrt__wakes_full(wakes) &&
           w >> SEM__SHIFT >= first->u.wait.word) {
        w -= first->u.wait.word << SEM__SHIFT;
        tmlrt__gate_grant(first, 1, TMLRT_OK, wakes);
    }
    return w;
}

/* Entered: gives n permits back, and serves. Beside those that a release added meanwhile there may be
 * more than the most: then as many at a time as there is room for, while somebody takes them. */
static uint64_t sem__give_back(tmlrt__gate_t *g, uint64_t w, uint64_t n, tmlrt__wakes_t *wakes) {
    const uint64_t most = (uint64_t)TMLRT_SEMAPHORE_MAX;
    do {
        uint64_t room = most - (w >> SEM__SHIFT), part = n < room ? n : room;
        w = sem__serve(g, w + (part << SEM__SHIFT), wakes);
        n -= part;
    } while (n != 0 && w >> SEM__SHIFT < most);
    return w;
}

/* ---- the operation ------------------------------------------------------------------------- */

static int32_t sem__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__gate_t *g = op->u.wait.object;
    uint64_t       n = op->u.wait.word;
    (void)cx;
    op->result = TMLRT_OK;
    uint64_t w = tmlrt__gate_enter(g);
    bool     waits = (w & TMLRT__GATE_WAITERS) != 0 || w >> SEM__SHIFT < n;
    if (waits) tmlrt__gate_wait(g, op);
    tmlrt__gate_leave(g, waits ? w : w - (n << SEM__SHIFT));
    return waits ? TMLRT_PENDING : TMLRT_READY;
}

static int32_t sem__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__gate_t *g = op->u.wait.object;
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    (void)cx;
    uint64_t w = tmlrt__gate_enter(g);
    tmlrt__gate_leave(g, sem__serve(g, w, &wakes));
    tmlrt__wakes_run(&wakes);
    return TMLRT_READY;
}

static int32_t sem__cancel(tmlrt__op_t *op, int reason) {
    tmlrt__gate_t *g = op->u.wait.object;
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(g);
    uint64_t n = tmlrt__gate_remove(op) ? 0 : op->u.wait.word;
    tmlrt__gate_leave(g, sem__give_back(g, w, n, &wakes));
    tmlrt__wakes_run(&wakes);
    op->result = reason;
    return TMLRT_READY;
}

static const tmlrt__op_class_t sem__class = {
    .waits_for = "semaphore", .start = sem__start, .resume = sem__resume, .cancel = sem__cancel};

int tmlrt_op_acquire(tmlrt_op_t *op, tmlrt_semaphore_t *sem, int64_t n) {
    if (sem == NULL || !sem__is_count(n)) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &sem__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.wait.object = sem__gate(sem);
    tmlrt__op(op)->u.wait.word = (uint64_t)n;
    return TMLRT_OK;
}

/* ---- the calls ----------------------------------------------------------------------------- */

int tmlrt_semaphore_init(tmlrt_semaphore_t *sem, int64_t permits) {
    if (sem == NULL || permits < 0 || permits > TMLRT_SEMAPHORE_MAX) return TMLRT_EINVAL;
    tmlrt__gate_t *g = sem__gate(sem);
    tmlrt__atomic_make(&g->word, (uint64_t)permits << SEM__SHIFT);
    tmlrt__list_init(&g->head);
    return TMLRT_OK;
}

int tmlrt_semaphore_acquire_until(tmlrt_semaphore_t *sem, int64_t n, int64_t deadline) {
    if (sem == NULL || !sem__is_count(n)) return TMLRT_EINVAL;
    if (tmlrt__call_tries() && sem__try(sem__gate(sem), (uint64_t)n)) return TMLRT_OK;
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_acquire(&op, sem, n);
    return (int)tmlrt__call_await(&op, deadline);
}

int tmlrt_semaphore_acquire(tmlrt_semaphore_t *sem, int64_t n) {
    return tmlrt_semaphore_acquire_until(sem, n, TMLRT_NEVER);
}

int tmlrt_semaphore_try_acquire(tmlrt_semaphore_t *sem, int64_t n) {
    if (sem == NULL || !sem__is_count(n)) return TMLRT_EINVAL;
    return sem__try(sem__gate(sem), (uint64_t)n) ? TMLRT_OK : TMLRT_EAGAIN;
}

static bool sem__fits(uint64_t w, uint64_t n) {
    return (w >> SEM__SHIFT) + n <= (uint64_t)TMLRT_SEMAPHORE_MAX;
}

int tmlrt_semaphore_release(tmlrt_semaphore_t *sem, int64_t count) {
    if (sem == NULL || !sem__is_count(count)) return TMLRT_EINVAL;
    tmlrt__gate_t *g = sem__gate(sem);
    uint64_t       n = (uint64_t)count;
    for (;;) {
        uint64_t w = tmlrt__load_relaxed(&g->word);
        if ((w & TMLRT__GATE_BUSY) != 0) break;
        if (!sem__fits(w, n)) return TMLRT_EOVERFLOW;
        if (tmlrt__gate_give(g, w, w + (n << SEM__SHIFT))) return TMLRT_OK;
    }
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(g);
    bool     fits = sem__fits(w, n);
    if (fits) w = sem__serve(g, w + (n << SEM__SHIFT), &wakes);
    tmlrt__gate_leave(g, w);
    tmlrt__wakes_run(&wakes);
    return fits ? TMLRT_OK : TMLRT_EOVERFLOW;
}

int64_t tmlrt_semaphore_permits(tmlrt_semaphore_t *sem) {
    if (sem == NULL) return TMLRT_EINVAL;
    return (int64_t)(tmlrt__load_relaxed(&sem__gate(sem)->word) >> SEM__SHIFT);
}
