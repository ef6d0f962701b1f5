/* SPDX-License-Identifier: MIT */
/*
 * sim.c: a simulated completion backend. It shows to the rest what IOCP and io_uring would: every
 * operation is submitted and ends later; its buffer belongs to the backend until then, and is
 * written also after a cancel was asked for; the order of ends is not that of starts; a cancelled
 * operation ends late, with its success where that came first.
 *
 * Each operation is in one list, under the latch. Who holds the driver's token waits by poll(2),
 * makes the transfers of operations whose descriptor has been ready for a random number of waits,
 * and fires them. Foreign and own descriptors are served by a driver of the system's own inside.
 */
#include "sim.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "../fault.h"
#include "../os.h"
#include "../rand.h"
#include "epoll.h"
#include "kqueue.h"
#include "readiness.h"

#if TMLRT__HAS_KQUEUE
#define SIM__INNER tmlrt__reactor_kqueue
#else
#define SIM__INNER tmlrt__reactor_epoll
#endif

#define SIM__AT_ONCE 4096 /* operations looked at in one wait; the others have their turn next */
#define SIM__LATE    3    /* at most so many waits late */

/* op->u.io.u.backend: 0 and 1 are the link, 2 is DONE, 3 is */
#define SIM__STATE  3
#define SIM__DELAY  ((uint64_t)0xff)    /* waits left; who reaps */
#define SIM__REASON ((uint64_t)0xff00)  /* under the latch: -TMLRT_E* of the cancel, or 0 */
#define SIM__FIRED  ((uint64_t)1 << 16) /* it has its result */

typedef struct sim__driver {
    tmlrt__driver_t  base;
    tmlrt__driver_t *inner;
    tmlrt__latch_t   latch;
    tmlrt__list_t    pending;                 /* under the latch: all operations in flight */
    tmlrt__rand_t    rand;                    /* token */
    tmlrt__op_t     *ops[SIM__AT_ONCE];       /* token: what this wait looks at */
    struct pollfd    polls[SIM__AT_ONCE + 1]; /* token: theirs, and the inner driver's */
} sim__driver_t;

static sim__driver_t *sim__of(tmlrt__driver_t *d) {
    return (sim__driver_t *)d;
}

static tmlrt__op_t *sim__op(tmlrt__list_t *node) {
    return TMLRT__CONTAINER_OF(node, tmlrt__op_t, u.io.u.link);
}

/* ---- life ----------------------------------------------------------------------------------- */

static int sim__create(tmlrt__driver_t **out, tmlrt__host_t *host, uint32_t index) {
    sim__driver_t *d = tmlrt__mem_zero(&host->mem, sizeof *d, TMLRT__CACHE_LINE);
    if (d == NULL) return TMLRT_ENOMEM;
    int e = SIM__INNER.create(&d->inner, host, index);
    if (e != TMLRT_OK) {
        tmlrt__mem_put(&host->mem, d, sizeof *d, TMLRT__CACHE_LINE);
        return e;
    }
    d->base.cls = &tmlrt__reactor_sim;
    d->base.host = host;
    d->base.index = index;
    tmlrt__list_init(&d->pending);
    tmlrt__rand_seed(&d->rand, index + 1);
    *out = &d->base;
    return TMLRT_OK;
}

/* Under the latch: takes it out; a cancel from now on comes too late. */
static void sim__take(tmlrt__op_t *op) {
    tmlrt__list_remove(&op->u.io.u.link);
    op->u.io.u.backend[SIM__STATE] = SIM__FIRED;
}

static void sim__fire(tmlrt__op_t *op, int64_t result) {
    op->result = result;
    tmlrt__wake_run(tmlrt__op_fire(op, TMLRT__OP_SRC_ARMED));
}

static void sim__destroy(tmlrt__driver_t *base, bool forked) {
    sim__driver_t *d = sim__of(base);
    /* Only tasks of other runtimes can still have something here. */
    while (!forked && !tmlrt__list_is_empty(&d->pending)) {
        tmlrt__op_t *op = sim__op(d->pending.next);
        sim__take(op);
        sim__fire(op, TMLRT_ECANCELED);
    }
    SIM__INNER.destroy(d->inner, forked);
    if (!forked) tmlrt__mem_put(&base->host->mem, d, sizeof *d, TMLRT__CACHE_LINE);
}

/* ---- submitting ------------------------------------------------------------------------------ */

static void sim__wake(tmlrt__driver_t *base) {
    SIM__INNER.wake(sim__of(base)->inner);
}

static int32_t sim__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    tmlrt__source_t *s = tmlrt__io_source(op);
    sim__driver_t   *d = sim__of(s->driver);
    if (tmlrt__io_class(op)->kind == TMLRT__IO_CONNECT) {
        int e = tmlrt__readiness_connect(op, s);
        if (e == TMLRT_OK) e = tmlrt__source_attach(s);
        if (e != TMLRT_OK) return tmlrt__io_end(op, e);
    }
    tmlrt__op_arm(op, TMLRT__OP_SRC_ARMED);
    op->u.io.u.backend[SIM__STATE] = SIM__LATE;
    tmlrt__latch_lock(&d->latch);
    tmlrt__list_push_back(&d->pending, &op->u.io.u.link);
    tmlrt__latch_unlock(&d->latch);
    sim__wake(&d->base);
    return TMLRT_PENDING;
}

static int32_t sim__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    return tmlrt__io_end(op, op->result);
}

static int32_t sim__cancel(tmlrt__op_t *op, int reason) {
    if ((tmlrt__op_ctl(op) & TMLRT__OP_SRC_ARMED) == 0) {
        bool fired = (op->u.io.u.backend[SIM__STATE] & SIM__FIRED) != 0;
        return tmlrt__io_end(op, fired ? op->result : reason);
    }
    sim__driver_t *d = sim__of(tmlrt__io_source(op)->driver);
    tmlrt__latch_lock(&d->latch);
    uint64_t *state = &op->u.io.u.backend[SIM__STATE];
    if (*state != SIM__FIRED) *state = (*state & ~SIM__REASON) | (uint64_t)-reason << 8;
    tmlrt__latch_unlock(&d->latch);
    sim__wake(&d->base);
    return TMLRT_PENDING;
}

static void sim__closing(tmlrt__driver_t *base, tmlrt__source_t *s) {
    (void)s;
    sim__wake(base);
}

/* ---- completing ------------------------------------------------------------------------------ */

/* Why an operation shall end before its time: a negative error, or 0. */
static int sim__reason(const tmlrt__op_t *op) {
    tmlrt__source_word_t *w = &tmlrt__io_source(op)->word[tmlrt__io_class(op)->dir];
    uint64_t              bits = tmlrt__load_relaxed(&w->bits);
    if (bits & TMLRT__SW_CLOSED) return TMLRT_ECANCELED;
    if (bits & TMLRT__SW_STOPPED) return TMLRT_ESHUTDOWN;
    return -(int)((op->u.io.u.backend[SIM__STATE] & SIM__REASON) >> 8);
}

/* Takes the operations at the head of the list, puts them at its end, and fills the poll set. */
static size_t sim__look(sim__driver_t *d, bool *hurry) {
    size_t n = 0;
    tmlrt__latch_lock(&d->latch);
    tmlrt__list_t *first = tmlrt__list_first(&d->pending);
    for (tmlrt__list_t *node = first; node != NULL && n < SIM__AT_ONCE; n++) {
        tmlrt__op_t *op = sim__op(node);
        d->ops[n] = op;
        d->polls[n].fd = (int)tmlrt__io_source(op)->fd;
        d->polls[n].events = tmlrt__io_class(op)->dir == TMLRT__DIR_READ ? POLLIN : POLLOUT;
        d->polls[n].revents = 0;
        if (sim__reason(op) != 0) *hurry = true;
        tmlrt__list_remove(node);
        tmlrt__list_push_back(&d->pending, node);
        node = tmlrt__list_first(&d->pending);
        if (node == first) node = NULL;
    }
    if (n == SIM__AT_ONCE) *hurry = true; /* perhaps not all of them */
    tmlrt__latch_unlock(&d->latch);
    d->polls[n].fd = (int)SIM__INNER.handle(d->inner);
    d->polls[n].events = POLLIN;
    d->polls[n].revents = 0;
    return n;
}

/* An accept that was closed or stopped: what the backend had accepted is closed again. */
static void sim__discard(tmlrt__op_t *op) {
    if (tmlrt__io_class(op)->kind == TMLRT__IO_ACCEPT && op->result >= 0) close((int)op->result);
}

/* Makes the transfer; true when the operation has ended with *result. */
static bool sim__transfer(tmlrt__op_t *op, int reason, int64_t *result) {
    tmlrt__source_t *s = tmlrt__io_source(op);
    tmlrt__try_t     tried = tmlrt__readiness_try(op, s);
    bool             ended = tried <= TMLRT__TRY_END_SHORT;
    uint64_t         bits = tmlrt__load_relaxed(&s->word[tmlrt__io_class(op)->dir].bits);
    *result = ended ? op->result : reason;
    /* What had been moved before the close was moved; but a connection has nobody to take it. */
    bool moved = *result >= 0 && tmlrt__io_class(op)->kind != TMLRT__IO_ACCEPT;
    if (ended && !moved && (bits & (TMLRT__SW_CLOSED | TMLRT__SW_STOPPED))) {
        sim__discard(op);
        *result = reason != 0 ? reason : TMLRT_ECANCELED;
    }
    return ended || reason != 0;
}

/* Serves the operation at `i` if its time has come. True: it was fired. */
static bool sim__serve(sim__driver_t *d, size_t i) {
    tmlrt__op_t *op = d->ops[i];
    tmlrt__latch_lock(&d->latch);
    int       reason = sim__reason(op);
    uint64_t *state = &op->u.io.u.backend[SIM__STATE];
    bool      ready = reason != 0 || d->polls[i].revents != 0;
    bool      due = ready && (*state & SIM__DELAY) == 0;
    if (ready && !due) --*state;
    tmlrt__latch_unlock(&d->latch);
    if (!due) return false;

    int64_t result;
    bool    ended = sim__transfer(op, reason, &result);
    tmlrt__latch_lock(&d->latch);
    if (ended)
        sim__take(op);
    else
        *state += tmlrt__rand_below(&d->rand, SIM__LATE + 1);
    tmlrt__latch_unlock(&d->latch);
    if (ended) sim__fire(op, result);
    return ended;
}

/* A random order of 0..n-1 by exchanging the entries that they index. */
static void sim__shuffle(sim__driver_t *d, size_t n) {
    for (size_t i = n; i > 1; i--) {
        size_t        k = tmlrt__rand_below(&d->rand, (uint32_t)i);
        tmlrt__op_t  *op = d->ops[i - 1];
        struct pollfd p = d->polls[i - 1];
        d->ops[i - 1] = d->ops[k];
        d->polls[i - 1] = d->polls[k];
        d->ops[k] = op;
        d->polls[k] = p;
    }
}

static uint32_t sim__wait(tmlrt__driver_t *base, int64_t timeout_ns) {
    sim__driver_t *d = sim__of(base);
    bool           hurry = false;
    size_t         n = sim__look(d, &hurry);
    int64_t        ns = hurry ? 0 : timeout_ns;
    int64_t        ms = ns < 0 ? -1 : ns / 1000000 + (ns % 1000000 != 0);
    if (ms > INT_MAX) ms = INT_MAX;
    if (TMLRT__SYS(poll(d->polls, (nfds_t)n + 1, (int)ms)) < 0) return 0;
    uint32_t count = 0;
    d->inner->table = base->table;
    if (d->polls[n].revents != 0) count += SIM__INNER.wait(d->inner, 0);
    sim__shuffle(d, n);
    for (size_t i = 0; i < n; i++)
        if (sim__serve(d, i)) count++;
    return count;
}

static int64_t sim__handle(tmlrt__driver_t *base) {
    (void)base;
    return -1;
}

/* ---- sources -------------------------------------------------------------------------------- */

static bool sim__is_inner(const tmlrt__source_t *s) {
    return s->kind == TMLRT__SOURCE_FOREIGN || s->kind == TMLRT__SOURCE_OWN;
}

static int sim__attach(tmlrt__driver_t *base, tmlrt__source_t *s) {
    if (!sim__is_inner(s)) return TMLRT_OK;
    return SIM__INNER.attach(sim__of(base)->inner, s);
}

static void sim__detach(tmlrt__driver_t *base, tmlrt__source_t *s) {
    if (sim__is_inner(s)) SIM__INNER.detach(sim__of(base)->inner, s);
}

static int sim__watch(tmlrt__driver_t *base, tmlrt__source_t *s, uint32_t events) {
    return SIM__INNER.watch(sim__of(base)->inner, s, events);
}

const tmlrt__reactor_class_t tmlrt__reactor_sim = {
    .name = "sim",
    .id = TMLRT__REACTOR_SIM,
    .create = sim__create,
    .destroy = sim__destroy,
    .wait = sim__wait,
    .wake = sim__wake,
    .handle = sim__handle,
    .attach = sim__attach,
    .detach = sim__detach,
    .watch = sim__watch,
    .closing = sim__closing,
    .start = sim__start,
    .resume = sim__resume,
    .cancel = sim__cancel,
};
