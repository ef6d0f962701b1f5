/* SPDX-License-Identifier: MIT */
/*
 * mutex.c: tmlrt_mutex_t: a gate with two bits.
 *
 * LOCKED says that somebody holds it. An unlock with waiters clears LOCKED and wakes the oldest,
 * which tries again (WOKEN until it has done so: meanwhile nobody else is woken); whoever comes in
 * between may take it. One that has waited for 1 ms gets the lock itself: LOCKED stays set. One
 * that tries in vain goes back to the front of the queue with its age.
 *
 * A waiter that is cancelled after it was woken wakes the next one; after it was given the lock it
 * unlocks.
 * Source: the two modes of Go's sync.Mutex.
 */
#include <tmlrt/sync.h>

#include "call.h"
#include "chance.h"
#include "compiler.h"
#include "gate.h"
#include "host.h"
#include "os.h"

_Static_assert(sizeof(tmlrt__gate_t) <= sizeof(tmlrt_mutex_t), "it fits the public type");

#define MUTEX__LOCKED ((uint64_t)4)
#define MUTEX__WOKEN  ((uint64_t)8)

enum { MUTEX__TRY = 1, MUTEX__OWN }; /* what a waiter was granted */

/* The slow ways are kept out of line, so that the quick ones need no frame. */
#if defined(TMLRT_MODEL)
#define MUTEX__NOINLINE
#else
#define MUTEX__NOINLINE TMLRT__NOINLINE
#endif

#define MUTEX__PATIENCE INT64_C(1000000) /* ns until a waiter gets it handed over */
#define MUTEX__SPINS    40               /* pauses before a wait */

static tmlrt__gate_t *mutex__gate(tmlrt_mutex_t *mutex) {
    return (tmlrt__gate_t *)(void *)mutex;
}

/* The clock of ages: in a replay that of the runtime, for it decides who comes next. */
static int64_t mutex__now(void) {
    const tmlrt__current_t *cur = tmlrt__current();
    return cur->chance != NULL ? cur->host->ops->now(cur->host) : tmlrt__os_now();
}

static bool mutex__take(tmlrt__gate_t *g) {
    return tmlrt__gate_take(g, 0, MUTEX__LOCKED);
}

/* Also where others wait, or somebody is inside. */
static bool mutex__try(tmlrt__gate_t *g) {
    if (mutex__take(g)) return true;
    if ((tmlrt__load_relaxed(&g->word) & MUTEX__LOCKED) != 0) return false;
    uint64_t w = tmlrt__gate_enter(g);
    tmlrt__gate_leave(g, w | MUTEX__LOCKED);
    return (w & MUTEX__LOCKED) == 0;
}

/* The holder may be about to be done: worth a few pauses before a wait. */
static void mutex__pause(const tmlrt__gate_t *g) {
    for (int i = 0; i < MUTEX__SPINS; i++) {
        if ((tmlrt__load_relaxed(&g->word) & MUTEX__LOCKED) == 0) return;
        tmlrt__cpu_pause();
    }
}

/* Entered, not locked: wakes the oldest, unless one is on its way. */
static uint64_t mutex__wake(tmlrt__gate_t *g, uint64_t w, tmlrt__wakes_t *wakes) {
    tmlrt__op_t *first = tmlrt__gate_first(g);
    if (first == NULL || (w & MUTEX__WOKEN) != 0) return w;
    tmlrt__gate_grant(first, MUTEX__TRY, TMLRT_OK, wakes);
    return w | MUTEX__WOKEN;
}

/* Entered, locked by the caller: gives it up. */
static uint64_t mutex__give(tmlrt__gate_t *g, uint64_t w, int64_t now, tmlrt__wakes_t *wakes) {
    tmlrt__op_t *first = tmlrt__gate_first(g);
    if (first != NULL && (w & MUTEX__WOKEN) == 0 &&
        now - (int64_t)first->u.wait.more >= MUTEX__PATIENCE) {
        tmlrt__gate_grant(first, MUTEX__OWN, TMLRT_OK, wakes);
        return w;
    }
    return mutex__wake(g, w & ~MUTEX__LOCKED, wakes);
}

/* ---- the operation ------------------------------------------------------------------------- */

static int32_t mutex__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__gate_t *g = op->u.wait.object;
    (void)cx;
    op->result = TMLRT_OK;
    if (mutex__take(g)) return TMLRT_READY;
    op->u.wait.more = (uint64_t)mutex__now();
    uint64_t w = tmlrt__gate_enter(g);
    bool     locked = (w & MUTEX__LOCKED) != 0;
    if (locked) tmlrt__gate_wait(g, op);
    tmlrt__gate_leave(g, w | MUTEX__LOCKED);
    return locked ? TMLRT_PENDING : TMLRT_READY;
}

static int32_t mutex__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__gate_t *g = op->u.wait.object;
    (void)cx;
    if (op->u.wait.granted == MUTEX__TRY) mutex__pause(g);
    uint64_t w = tmlrt__gate_enter(g);
    bool     waits = false;
    if (op->u.wait.granted == MUTEX__TRY) {
        waits = (w & MUTEX__LOCKED) != 0;
        w = (w & ~MUTEX__WOKEN) | MUTEX__LOCKED;
    }
    if (waits) tmlrt__gate_wait_first(g, op);
    tmlrt__gate_leave(g, w);
    return waits ? TMLRT_PENDING : TMLRT_READY;
}

static int32_t mutex__cancel(tmlrt__op_t *op, int reason) {
    tmlrt__gate_t *g = op->u.wait.object;
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    int64_t  now = mutex__now();
    uint64_t w = tmlrt__gate_enter(g);
    if (!tmlrt__gate_remove(op)) {
        if (op->u.wait.granted == MUTEX__OWN) {
            w = mutex__give(g, w, now, &wakes);
        } else {
            w &= ~MUTEX__WOKEN;
            if ((w & MUTEX__LOCKED) == 0) w = mutex__wake(g, w, &wakes);
        }
    }
    tmlrt__gate_leave(g, w);
    tmlrt__wakes_run(&wakes);
    op->result = reason;
    return TMLRT_READY;
}

static const tmlrt__op_class_t mutex__class = {
    .waits_for = "mutex", .start = mutex__start, .resume = mutex__resume, .cancel = mutex__cancel};

int tmlrt_op_lock(tmlrt_op_t *op, tmlrt_mutex_t *mutex) {
    if (mutex == NULL) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &mutex__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.wait.object = mutex__gate(mutex);
    return TMLRT_OK;
}

/* ---- the calls ----------------------------------------------------------------------------- */

static MUTEX__NOINLINE int mutex__lock_slowly(tmlrt_mutex_t *mutex) {
    tmlrt__gate_t *g = mutex__gate(mutex);
    if (tmlrt__current()->chance == NULL) {
        mutex__pause(g);
        if (mutex__try(g)) return TMLRT_OK;
    } else if (tmlrt__call_tries() && mutex__take(g)) {
        return TMLRT_OK;
    }
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_lock(&op, mutex);
    return (int)tmlrt__call_await_always(&op);
}

int tmlrt_mutex_lock(tmlrt_mutex_t *mutex) {
    if (mutex == NULL) return TMLRT_EINVAL;
    /* A replay decides even whether a free lock is taken at once. */
    if (tmlrt__current()->chance == NULL && mutex__take(mutex__gate(mutex))) return TMLRT_OK;
    return mutex__lock_slowly(mutex);
}

int tmlrt_mutex_lock_until(tmlrt_mutex_t *mutex, int64_t deadline) {
    if (mutex == NULL) return TMLRT_EINVAL;
    if (tmlrt__call_tries() && mutex__try(mutex__gate(mutex))) return TMLRT_OK;
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_lock(&op, mutex);
    return (int)tmlrt__call_await(&op, deadline);
}

int tmlrt_mutex_try_lock(tmlrt_mutex_t *mutex) {
    if (mutex == NULL) return TMLRT_EINVAL;
    return mutex__try(mutex__gate(mutex)) ? TMLRT_OK : TMLRT_EAGAIN;
}

static MUTEX__NOINLINE int mutex__unlock_slowly(tmlrt__gate_t *g) {
    uint64_t w = tmlrt__load_relaxed(&g->word);
    if ((w & MUTEX__LOCKED) == 0) return TMLRT_EINVAL;
    /* Before the entry, and only where it can matter. */
    int64_t        now = (w & MUTEX__WOKEN) == 0 ? mutex__now() : INT64_MIN / 2;
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    w = tmlrt__gate_enter(g);
    bool locked = (w & MUTEX__LOCKED) != 0;
    tmlrt__gate_leave(g, locked ? mutex__give(g, w, now, &wakes) : w);
    tmlrt__wakes_run(&wakes);
    return locked ? TMLRT_OK : TMLRT_EINVAL;
}

int tmlrt_mutex_unlock(tmlrt_mutex_t *mutex) {
    if (mutex == NULL) return TMLRT_EINVAL;
    tmlrt__gate_t *g = mutex__gate(mutex);
    if (tmlrt__gate_give(g, MUTEX__LOCKED, 0)) return TMLRT_OK;
    return mutex__unlock_slowly(g);
}
