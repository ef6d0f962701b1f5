/* SPDX-License-Identifier: MIT */
/*
 * op.c: the life of an operation, for every kind: prepare, start, check, cancel, end, and the fire
 * of an arm by its agent. What a kind does is behind its tmlrt__op_class_t.
 *
 * Invariant: an operation is ENDED only with no arm armed, not linked, and without a waker.
 */
#include "op.h"

#include <string.h>

#include "task.h"

/* A waker that is not the task's own. Counted: the operation holds one, each fire under way one. */
typedef struct op__cell {
    tmlrt_waker_t     waker;
    tmlrt_allocator_t mem;
    tmlrt__host_t    *host;  /* owner: whose timers serve the operation; may be NULL */
    bool              lent;  /* owner: by the operation's class, for the length of a rest */
    bool              clock; /* constant: without a host its owner keeps the time */
    tmlrt__atomic_u32 refs;
} op__cell_t;

static op__cell_t *op__cell(uintptr_t waker) {
    return (waker & 1) != 0 ? (op__cell_t *)(waker - 1) : NULL;
}

static void op__cell_unref(op__cell_t *cell) {
    /* release: our use is over; acquire: so is everybody's; pairs [OP-3] */
    if (tmlrt__fetch_sub_acq_rel(&cell->refs, 1) != 1) return;
    cell->waker.vtable->drop(cell->waker.data);
    tmlrt_allocator_t mem = cell->mem;
    tmlrt__atomic_unmake(&cell->refs);
    tmlrt__mem_put(&mem, cell, sizeof *cell, _Alignof(op__cell_t));
}

/* ---- ctl ------------------------------------------------------------------------------------ */

/* Takes the latch; returns ctl as it was. */
static uint32_t op__latch(tmlrt__op_t *op) {
    uint32_t spins = 0;
    for (;;) {
        uint32_t c = tmlrt__load_relaxed(&op->ctl) & ~TMLRT__OP_LATCH;
        /* acquire: observes the former holder's writes; pairs [OP-1] */
        if (tmlrt__cas_weak_acquire(&op->ctl, &c, c | TMLRT__OP_LATCH)) return c;
        if (++spins < TMLRT__LATCH_SPINS)
            tmlrt__cpu_pause();
        else
            tmlrt__latch_relax();
    }
}

static void op__unlatch(tmlrt__op_t *op, uint32_t ctl) {
    /* release: publishes the holder's writes, the result first of all; pairs [OP-1] */
    tmlrt__store_release(&op->ctl, ctl);
}

/* Owner: changes bits. With nothing armed there is no agent, and a plain store does. */
static void op__ctl_change(tmlrt__op_t *op, uint32_t clear, uint32_t set) {
    /* acquire: an arm that has fired since we looked: our store hides its release; pairs [OP-1] */
    uint32_t c = tmlrt__load_acquire(&op->ctl);
    if ((c & (TMLRT__OP_SRC_ARMED | TMLRT__OP_TMR_ARMED)) == 0) {
        tmlrt__store_relaxed(&op->ctl, (c & ~clear) | set);
    } else {
        c = op__latch(op);
        op__unlatch(op, (c & ~clear) | set);
    }
}

uint32_t tmlrt__op_ctl(tmlrt__op_t *op) {
    uint32_t spins = 0;
    for (;;) {
        /* acquire: a fired bit shows the agent's result; pairs [OP-1] */
        uint32_t c = tmlrt__load_acquire(&op->ctl);
        if ((c & TMLRT__OP_LATCH) == 0) return c;
        if (++spins < TMLRT__LATCH_SPINS)
            tmlrt__cpu_pause();
        else
            tmlrt__latch_relax();
    }
}

void tmlrt__op_arm(tmlrt__op_t *op, uint32_t armed_bit) {
    op__ctl_change(op, armed_bit << 1, armed_bit);
}

void tmlrt__op_disarm(tmlrt__op_t *op, uint32_t armed_bit) {
    /* This arm's agent is kept out by its own lock: only another arm's would need the latch.
     * acquire: as in op__ctl_change */
    uint32_t c = tmlrt__load_acquire(&op->ctl);
    if ((c & (TMLRT__OP_SRC_ARMED | TMLRT__OP_TMR_ARMED)) == armed_bit)
        tmlrt__store_relaxed(&op->ctl, c & ~armed_bit);
    else
        op__ctl_change(op, armed_bit, 0);
}

/* ---- the agent's side ----------------------------------------------------------------------- */

tmlrt__wake_t tmlrt__op_fire(tmlrt__op_t *op, uint32_t armed_bit) {
    uint32_t      c = op__latch(op);
    tmlrt__wake_t wake = op->waker;
    op__cell_t   *cell = op__cell(wake);
    if (cell != NULL)
        tmlrt__fetch_add_relaxed(&cell->refs, 1); /* the operation holds one: it cannot be 0 */
    else if (wake != 0 && !tmlrt__state_wake(&((tmlrt_task_t *)wake)->state))
        wake = 0;
    op__unlatch(op, (c & ~armed_bit) | (armed_bit << 1));
    return wake;
}

void tmlrt__wake_run(tmlrt__wake_t wake) {
    if (wake == 0) return;
    op__cell_t *cell = op__cell(wake);
    if (cell != NULL) {
        cell->waker.vtable->wake_by_ref(cell->waker.data);
        op__cell_unref(cell);
    } else {
        tmlrt_task_t *task = (tmlrt_task_t *)wake;
        task->host->ops->schedule(task->host, task);
    }
}

/* ---- wakers --------------------------------------------------------------------------------- */

static bool op__is_own_waker(const tmlrt_cx_t *cx) {
    return cx->task != NULL && cx->waker->vtable == &tmlrt__task_waker &&
           cx->waker->data == cx->task;
}

static const tmlrt_allocator_t *op__mem(const tmlrt_cx_t *cx) {
    return cx->task != NULL ? &cx->task->host->mem : &tmlrt__mem_default;
}

/* Makes the word for the context's waker; 0 when there is no memory. */
static uintptr_t op__waker_make(const tmlrt_cx_t *cx) {
    if (op__is_own_waker(cx)) return (uintptr_t)cx->task;
    const tmlrt_allocator_t *mem = op__mem(cx);
    op__cell_t              *cell = tmlrt__mem_get(mem, sizeof *cell, _Alignof(op__cell_t));
    if (cell == NULL) return 0;
    cell->mem = *mem;
    cell->host = cx->task != NULL ? cx->task->host : tmlrt__current()->host;
    cell->lent = false;
    cell->clock = cx->reserved[TMLRT__CX_CLOCK] != NULL;
    tmlrt__atomic_make(&cell->refs, 1);
    cell->waker.vtable = NULL;
    cx->waker->vtable->clone(cx->waker->data, &cell->waker);
    if (cell->waker.vtable == NULL) {
        tmlrt__atomic_unmake(&cell->refs);
        tmlrt__mem_put(mem, cell, sizeof *cell, _Alignof(op__cell_t));
        return 0;
    }
    return (uintptr_t)cell | 1;
}

static void op__waker_end(uintptr_t waker) {
    op__cell_t *cell = op__cell(waker);
    if (cell != NULL) op__cell_unref(cell);
}

static bool op__waker_same(uintptr_t waker, const tmlrt_cx_t *cx) {
    const op__cell_t *cell = op__cell(waker);
    if (cell == NULL) return waker == (uintptr_t)cx->task && op__is_own_waker(cx);
    return cell->waker.data == cx->waker->data && cell->waker.vtable == cx->waker->vtable;
}

static bool op__timer_return(tmlrt__op_t *op, const tmlrt__host_t *lent);

/* A later poll may bring another waker. Without memory for it the old one stays, and the new one is
 * woken at once, so that the poll is tried again. */
static void op__waker_refresh(tmlrt__op_t *op, const tmlrt_cx_t *cx) {
    if (op__waker_same(op->waker, cx)) return;
    uintptr_t fresh = op__waker_make(cx);
    if (fresh == 0) {
        cx->waker->vtable->wake_by_ref(cx->waker->data);
        return;
    }
    uintptr_t   old = op->waker;
    op__cell_t *from = op__cell(old), *to = op__cell(fresh);
    /* A task has a host of its own: the lent timer ends, and with it the rest. */
    if (from != NULL && from->lent && to == NULL && op__timer_return(op, from->host))
        op__ctl_change(op, 0, TMLRT__OP_TMR_FIRED);
    uint32_t c = op__latch(op);
    if ((c & TMLRT__OP_TMR_ARMED) != 0 && from != NULL && to != NULL) {
        to->host = from->host; /* the timer lies in its wheel */
        to->lent = from->lent;
    }
    op->waker = fresh;
    op__unlatch(op, c);
    op__waker_end(old);
}

/* The same for one made of others, whose end it is that wakes: all that is in flight in it. A poll of
 * it would do that as well, but while they are being cancelled they are not polled. */
static void op__visit_refresh(tmlrt__op_t *op, void *cx) {
    if (op->phase != TMLRT__OP_FLIGHT && op->phase != TMLRT__OP_BACKOFF) return;
    op__waker_refresh(op, cx);
    if (op->cls->each != NULL) op->cls->each(op, op__visit_refresh, cx);
}

/* ---- the list of operations in flight -------------------------------------------------------- */

tmlrt__op_list_t *tmlrt__op_list_of(const tmlrt_cx_t *cx) {
    if (cx->reserved[0] != NULL) return cx->reserved[0];
    return cx->task != NULL ? &cx->task->ops : NULL;
}

static void op__link(tmlrt__op_t *op, tmlrt__op_list_t *list) {
    if (list == NULL) return;
    op->next = list->first;
    op->pprev = &list->first;
    if (op->next != NULL) op->next->pprev = &op->next;
    list->first = op;
}

static void op__link_after(tmlrt__op_t *op, tmlrt__op_t *where) {
    op->next = where->next;
    op->pprev = &where->next;
    if (op->next != NULL) op->next->pprev = &op->next;
    where->next = op;
}

static void op__unlink(tmlrt__op_t *op) {
    if (op->pprev == NULL) return;
    *op->pprev = op->next;
    if (op->next != NULL) op->next->pprev = op->pprev;
    op->pprev = NULL;
}

static bool op__in_flight(const tmlrt__op_t *op) {
    return op->phase == TMLRT__OP_FLIGHT || op->phase == TMLRT__OP_BACKOFF;
}

/* ---- prepare -------------------------------------------------------------------------------- */

static int32_t op__failed_start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    op->result = -(int64_t)op->reason;
    op->reason = 0;
    return TMLRT_READY;
}

static const tmlrt__op_class_t op__failed_class = {.waits_for = "nothing",
                                                   .start = op__failed_start};

int tmlrt__op_prepare(tmlrt_op_t *pub, const tmlrt__op_class_t *cls) {
    if (pub == NULL) return TMLRT_EINVAL;
    tmlrt__op_t *op = tmlrt__op(pub);
    if (op__in_flight(op)) return TMLRT_EBUSY;
    tmlrt__atomic_make(&op->ctl, 0);
    op->phase = TMLRT__OP_PREPARED;
    op->reason = 0;
    op->wheel = 0;
    op->cls = cls;
    op->result = 0;
    op->next = NULL;
    op->pprev = NULL;
    op->waker = 0;
    op->timer = (tmlrt__timer_t){NULL, NULL, TMLRT_NEVER};
    memset(&op->u, 0, sizeof op->u);
    return TMLRT_OK;
}

int tmlrt__op_prepare_failed(tmlrt_op_t *pub, int error) {
    int e = tmlrt__op_prepare(pub, &op__failed_class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(pub)->reason = (uint8_t)-error;
    return error;
}

int tmlrt_op_deadline(tmlrt_op_t *pub, int64_t abs_ns) {
    if (pub == NULL) return TMLRT_EINVAL;
    tmlrt__op_t *op = tmlrt__op(pub);
    if (op__in_flight(op)) return TMLRT_EBUSY;
    if (op->phase != TMLRT__OP_PREPARED) return TMLRT_EINVAL;
    op->timer.when = abs_ns > 0 ? abs_ns : 0; /* no clock is before */
    return TMLRT_OK;
}

/* ---- start, check, cancel, end --------------------------------------------------------------- */

tmlrt__host_t *tmlrt__op_host(const tmlrt__op_t *op) {
    tmlrt__host_t *host = op->cls->host != NULL ? op->cls->host(op) : NULL;
    if (host != NULL) return host;
    uintptr_t         waker = op->waker;
    const op__cell_t *cell = op__cell(waker);
    if (cell != NULL) return cell->host;
    return waker != 0 ? ((tmlrt_task_t *)waker)->host : NULL;
}

const tmlrt__host_t *tmlrt__op_about(const tmlrt__op_t *op) {
    if (op->cls->about != NULL) return op->cls->about(op);
    return op->cls->host != NULL ? op->cls->host(op) : NULL;
}

/* The cell of an operation that has a rest, and for it neither a host nor an owner with a clock. */
static op__cell_t *op__borrower(const tmlrt__op_t *op) {
    op__cell_t *cell = op__cell(op->waker);
    bool        rests = op->phase == TMLRT__OP_BACKOFF && op->cls->lend != NULL;
    return rests && cell != NULL && !cell->clock ? cell : NULL;
}

/* Polled by hand outside of runtimes: the rest must end all the same. */
static void op__timer_borrow(tmlrt__op_t *op, op__cell_t *cell) {
    cell->host = op->cls->lend(op);
    cell->lent = cell->host != NULL;
    if (cell->lent) {
        cell->host->ops->timer_start(cell->host, (tmlrt_op_t *)op);
        op->cls->give(op);
    } else { /* that host is going: the next try tells */
        op__ctl_change(op, 0, TMLRT__OP_TMR_FIRED);
        cell->waker.vtable->wake_by_ref(cell->waker.data);
    }
}

static void op__timer_arm(tmlrt__op_t *op) {
    if (op->timer.when == TMLRT_NEVER) return;
    tmlrt__host_t *host = tmlrt__op_host(op);
    op__cell_t    *cell = host == NULL ? op__borrower(op) : NULL;
    if (host != NULL)
        host->ops->timer_start(host, (tmlrt_op_t *)op);
    else if (cell != NULL)
        op__timer_borrow(op, cell);
    /* Else nobody keeps the time: it is an await of a plain thread, which does. */
}

/* As below, with a host that may go at any time. */
static bool op__timer_return(tmlrt__op_t *op, const tmlrt__host_t *lent) {
    tmlrt__host_t *host = op->cls->lend(op);
    bool           stopped = false;
    if (host == lent && host != NULL && !tmlrt__host_forked(host))
        stopped = host->ops->timer_stop(host, (tmlrt_op_t *)op);
    if (host != NULL) op->cls->give(op);
    while (host == NULL && (tmlrt__op_ctl(op) & TMLRT__OP_TMR_ARMED) != 0)
        tmlrt__latch_relax(); /* it fires what it has before it goes */
    return stopped;
}

/* True when the timer was armed and now is not; false when it has fired or was never armed. */
static bool op__timer_stop(tmlrt__op_t *op) {
    if ((tmlrt__op_ctl(op) & TMLRT__OP_TMR_ARMED) == 0) return false;
    const op__cell_t *cell = op__cell(op->waker);
    tmlrt__host_t    *host = tmlrt__op_host(op);
    if (cell != NULL && cell->lent) return op__timer_return(op, host);
    return host->ops->timer_stop(host, (tmlrt_op_t *)op);
}

/* The rest is over. */
static void op__rested(tmlrt__op_t *op) {
    op__cell_t *cell = op__cell(op->waker);
    op__timer_stop(op);
    op->timer.when = (int64_t)op->u.io.u.backend[0];
    op__ctl_change(op, TMLRT__OP_TMR_FIRED, 0);
    if (cell == NULL || !cell->lent) return;
    cell->host = NULL;
    cell->lent = false;
}

static int32_t op__end(tmlrt__op_t *op) {
    op__timer_stop(op);
    op__unlink(op);
    uintptr_t waker = op->waker;
    op->waker = 0;
    op->reason = 0;
    tmlrt__store_relaxed(&op->ctl, 0);
    op->phase = TMLRT__OP_ENDED;
    op__waker_end(waker);
    return TMLRT_READY;
}

static int32_t op__fail(tmlrt__op_t *op, int error) {
    op->result = error;
    return op__end(op);
}

/* Runs the kind's start and files what came of it. */
static int32_t op__launch(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    op->phase = TMLRT__OP_FLIGHT;
    /* One made of others is linked before: a panic of user code inside must find them. */
    if (op->cls->always && op->pprev == NULL) op__link(op, tmlrt__op_list_of(cx));
    if (op->cls->start(op, cx) == TMLRT_READY) {
        if (op->pprev != NULL || tmlrt__load_relaxed(&op->ctl) != 0) return op__end(op);
        uintptr_t waker = op->waker; /* nothing was linked or armed: the short way */
        op->waker = 0;
        op->phase = TMLRT__OP_ENDED;
        op__waker_end(waker);
        return TMLRT_READY;
    }
    if (op->pprev == NULL) op__link(op, tmlrt__op_list_of(cx));
    if (!op->cls->timer_is_end) op__timer_arm(op);
    return TMLRT_PENDING;
}

int32_t tmlrt__op_begin(tmlrt_op_t *pub, tmlrt_cx_t *cx) {
    tmlrt__op_t *op = tmlrt__op(pub);
    op->waker = op__waker_make(cx);
    if (op->waker == 0) return op__fail(op, TMLRT_ENOMEM);
    return op__launch(op, cx);
}

static int32_t op__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__current_t *cur = tmlrt__current();
    if (cur->task != NULL && cur->budget == 0) {
        cur->exhausted++;
        tmlrt__task_again(cx);
        return TMLRT_PENDING;
    }
    int32_t r = tmlrt__op_begin((tmlrt_op_t *)op, cx);
    if (r == TMLRT_READY && cur->budget > 0) cur->budget--;
    return r;
}

/* One step of a cancellation under way. */
static int32_t op__cancel_step(tmlrt__op_t *op) {
    if (op->phase == TMLRT__OP_BACKOFF) op__rested(op); /* while its handle is there */
    if (op->cls->cancel != NULL) {
        if (op->cls->cancel(op, -(int)op->reason) != TMLRT_READY) return TMLRT_PENDING;
    } else if (!op->cls->timer_is_end || op->cls->resume != NULL || op__timer_stop(op)) {
        op->result = -(int64_t)op->reason; /* else the timer had fired: its result stands */
    }
    return op__end(op);
}

/* Whether the lent timer was fired before its time, because that host goes. */
static bool op__lender_goes(const tmlrt__op_t *op) {
    const op__cell_t *cell = op__cell(op->waker);
    if (op->cls->lend == NULL || cell == NULL || cell->clock) return false;
    tmlrt__host_t *host = op->cls->lend(op);
    if (host != NULL) op->cls->give(op);
    return host == NULL;
}

static int32_t op__check_backoff(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    if ((tmlrt__op_ctl(op) & TMLRT__OP_TMR_FIRED) == 0) return TMLRT_PENDING;
    bool expired = op->timer.when == (int64_t)op->u.io.u.backend[0] && !op__lender_goes(op);
    op__rested(op);
    if (expired) {
        op->reason = (uint8_t)-TMLRT_ETIMEDOUT;
        return op__cancel_step(op);
    }
    return op__launch(op, cx);
}

static int32_t op__check(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    if (op->reason != 0) {
        op__visit_refresh(op, cx);
        return op__cancel_step(op);
    }
    op__waker_refresh(op, cx);
    if (op->phase == TMLRT__OP_BACKOFF) return op__check_backoff(op, cx);

    uint32_t c = tmlrt__op_ctl(op);
    bool     fired = (c & TMLRT__OP_SRC_FIRED) != 0;
    if (op->cls->timer_is_end) fired = (c & TMLRT__OP_TMR_FIRED) != 0;
    if (fired || op->cls->always) {
        if ((c & TMLRT__OP_SRC_FIRED) != 0) op__ctl_change(op, TMLRT__OP_SRC_FIRED, 0);
        if (op->cls->resume == NULL || op->cls->resume(op, cx) == TMLRT_READY) return op__end(op);
    }
    if ((c & TMLRT__OP_TMR_FIRED) != 0 && op->phase == TMLRT__OP_FLIGHT) {
        op->reason = (uint8_t)-TMLRT_ETIMEDOUT;
        return op__cancel_step(op);
    }
    return TMLRT_PENDING;
}

void tmlrt__op_backoff(tmlrt__op_t *op, int64_t abs_ns) {
    op->phase = TMLRT__OP_BACKOFF;
    op->u.io.u.backend[0] = (uint64_t)op->timer.when;
    if (abs_ns < op->timer.when) op->timer.when = abs_ns;
}

int32_t tmlrt_op_poll(tmlrt_op_t *pub, tmlrt_cx_t *cx) {
    if (pub == NULL || cx == NULL || cx->waker == NULL) return TMLRT_EINVAL;
    tmlrt__op_t *op = tmlrt__op(pub);
    switch (op->phase) {
    case TMLRT__OP_FLIGHT:
    case TMLRT__OP_BACKOFF: return op__check(op, cx);
    case TMLRT__OP_PREPARED: return op__start(op, cx);
    case TMLRT__OP_ENDED: return TMLRT_READY;
    default: return op__fail(op, TMLRT_EINVAL);
    }
}

void tmlrt__op_give_up(tmlrt__op_t *op, int reason) {
    if (!op__in_flight(op)) return;
    if (op->reason == 0) op->reason = (uint8_t)-reason;
    op__cancel_step(op);
}

int tmlrt_op_cancel(tmlrt_op_t *pub) {
    if (pub == NULL) return TMLRT_EINVAL;
    tmlrt__op_t *op = tmlrt__op(pub);
    switch (op->phase) {
    case TMLRT__OP_PREPARED: op__fail(op, TMLRT_ECANCELED); return TMLRT_OK;
    case TMLRT__OP_FLIGHT:
    case TMLRT__OP_BACKOFF:
        if (op->reason == 0) op->reason = (uint8_t)-TMLRT_ECANCELED;
        op__cancel_step(op);
        return TMLRT_OK;
    case TMLRT__OP_ENDED: return TMLRT_OK;
    default: return TMLRT_EINVAL;
    }
}

void tmlrt__op_expire(tmlrt__op_t *op) {
    if (!op__in_flight(op) || op->reason != 0) return;
    if (op->phase == TMLRT__OP_BACKOFF) {
        op__ctl_change(op, 0, TMLRT__OP_TMR_FIRED); /* the next check goes on from there */
        return;
    }
    op->reason = (uint8_t)-TMLRT_ETIMEDOUT;
    op__cancel_step(op);
}

typedef struct op__due {
    int64_t first;
    int64_t now; /* expire what is due by then; INT64_MIN: only look */
} op__due_t;

static void op__visit_due(tmlrt__op_t *op, void *ctx) {
    op__due_t *due = ctx;
    if (!op__in_flight(op)) return;
    if (op->cls->each != NULL) op->cls->each(op, op__visit_due, due);
    if (!op__in_flight(op) || op->reason != 0 || tmlrt__op_host(op) != NULL) return;
    if (op->timer.when <= due->now)
        tmlrt__op_expire(op);
    else if (op->timer.when < due->first)
        due->first = op->timer.when;
}

int64_t tmlrt__op_due(tmlrt__op_t *op) {
    op__due_t due = {TMLRT_NEVER, INT64_MIN};
    op__visit_due(op, &due);
    return due.first;
}

void tmlrt__op_expire_due(tmlrt__op_t *op, int64_t now) {
    op__due_t due = {TMLRT_NEVER, now};
    op__visit_due(op, &due);
}

int64_t tmlrt_op_result(const tmlrt_op_t *pub) {
    if (pub == NULL) return TMLRT_EINVAL;
    const tmlrt__op_t *op = (const tmlrt__op_t *)(const void *)pub;
    switch (op->phase) {
    case TMLRT__OP_ENDED: return op->result;
    case TMLRT__OP_FLIGHT:
    case TMLRT__OP_BACKOFF: return TMLRT_EBUSY;
    case TMLRT__OP_PREPARED: return TMLRT_EAGAIN;
    default: return TMLRT_EINVAL;
    }
}

/* ---- draining ------------------------------------------------------------------------------- */

static bool op__lies_in(const tmlrt__op_t *op, const void *base, size_t size) {
    if (base == NULL) return true;
    return (uintptr_t)op - (uintptr_t)base < size;
}

int32_t tmlrt__op_list_drain(tmlrt__op_list_t *list, tmlrt_cx_t *cx, const void *base,
                             size_t size) {
    /* Ending one operation may unlink others (the children of a set), so our place in the list is
     * held by a mark of our own behind it. */
    tmlrt__op_t *next;
    for (tmlrt__op_t *op = list->first; op != NULL; op = next) {
        tmlrt__op_t mark = {.phase = TMLRT__OP_IDLE};
        op__link_after(&mark, op);
        if (op__in_flight(op) && op__lies_in(op, base, size)) {
            if (cx != NULL) op__visit_refresh(op, cx);
            tmlrt_op_cancel((tmlrt_op_t *)op);
        }
        next = mark.next;
        op__unlink(&mark);
    }
    for (const tmlrt__op_t *op = list->first; op != NULL; op = op->next)
        if (op__in_flight(op) && op__lies_in(op, base, size)) return TMLRT_PENDING;
    return TMLRT_READY;
}

int32_t tmlrt_ops_drain(tmlrt_cx_t *cx, const void *base, size_t size) {
    if (cx == NULL || cx->waker == NULL || (base == NULL && size != 0)) return TMLRT_EINVAL;
    tmlrt__op_list_t *list = tmlrt__op_list_of(cx);
    if (list == NULL) return TMLRT_EINVAL;
    if (size == 0) return TMLRT_READY;
    return tmlrt__op_list_drain(list, cx, base, size);
}

const char *tmlrt__op_list_waits_for(const tmlrt__op_list_t *list) {
    return list->first != NULL ? list->first->cls->waits_for : NULL;
}
