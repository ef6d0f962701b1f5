/* SPDX-License-Identifier: MIT */
/*
 * fd.c: waits for the readiness of descriptors that other libraries own. fd.h tells how.
 */
#include "fd.h"

#include <limits.h>

#include "call.h"

#define FD__INTEREST (TMLRT_FD_READ | TMLRT_FD_WRITE)

/* Operations that were fired under the latch in one go; the others in the next. */
#define FD__BATCH 16

static tmlrt_fd_t *fd__of(tmlrt__source_t *s) {
    return (tmlrt_fd_t *)(void *)s;
}

/* op->u.io: handle the registration, len the interest, u.link in the list of waiters. */
static tmlrt__op_t *fd__op(tmlrt__list_t *node) {
    return TMLRT__CONTAINER_OF(node, tmlrt__op_t, u.io.u.link);
}

/* ---- firing --------------------------------------------------------------------------------- */

/* Ends the waiters that `found` concerns: with what of it they wait for, or with `error`. */
static void fd__fire(tmlrt_fd_t *reg, uint32_t found, int error) {
    size_t n;
    do {
        tmlrt__wake_t wake[FD__BATCH];
        n = 0;
        tmlrt__latch_lock(&reg->latch);
        tmlrt__list_t *node = tmlrt__list_first(&reg->waiters);
        while (node != NULL && n < FD__BATCH) {
            tmlrt__list_t *next = tmlrt__list_next(&reg->waiters, node);
            tmlrt__op_t   *op = fd__op(node);
            uint32_t       its = found & ((uint32_t)op->u.io.len | TMLRT_FD_ERROR);
            if (error != 0 || its != 0) {
                tmlrt__list_remove(node);
                op->result = error != 0 ? error : (int64_t)its;
                wake[n++] = tmlrt__op_fire(op, TMLRT__OP_SRC_ARMED);
            }
            node = next;
        }
        tmlrt__latch_unlock(&reg->latch);
        for (size_t i = 0; i < n; i++)
            tmlrt__wake_run(wake[i]);
    } while (n == FD__BATCH);
}

/* ---- telling -------------------------------------------------------------------------------- */

/* Latch held: what the waiters wait for, as the driver's events. */
static uint32_t fd__union(tmlrt_fd_t *reg) {
    uint32_t all = 0;
    for (tmlrt__list_t *n = tmlrt__list_first(&reg->waiters); n != NULL;
         n = tmlrt__list_next(&reg->waiters, n))
        all |= (uint32_t)fd__op(n)->u.io.len;
    return ((all & TMLRT_FD_READ) ? TMLRT__EVENT_READ : 0) |
           ((all & TMLRT_FD_WRITE) ? TMLRT__EVENT_WRITE : 0);
}

/* Where the driver goes, the close is under way, which tells the waiters. */
static int fd__watch(tmlrt__source_t *s, uint32_t events) {
    if (!tmlrt__source_table_enter(s->table)) return TMLRT_OK;
    int e = s->driver->cls->watch(s->driver, s, events);
    tmlrt__source_table_leave(s->table);
    return e;
}

/* Source pinned, no lock held: tells the driver what is waited for. Where that fails (the
 * descriptor was closed under us) all waiters end with the error. */
static void fd__tell(tmlrt_fd_t *reg) {
    tmlrt__latch_lock(&reg->latch);
    bool mine = !reg->telling;
    if (mine)
        reg->telling = true;
    else
        reg->again = true;
    while (mine) {
        uint32_t events = fd__union(reg);
        bool     tell = !reg->closed && events != 0;
        reg->again = false;
        tmlrt__latch_unlock(&reg->latch);
        int e = tell ? fd__watch(&reg->source, events) : TMLRT_OK;
        if (e != TMLRT_OK) fd__fire(reg, 0, e);
        tmlrt__latch_lock(&reg->latch);
        mine = reg->again;
        if (!mine) reg->telling = false;
    }
    tmlrt__latch_unlock(&reg->latch);
}

/* ---- the source's hooks ---------------------------------------------------------------------- */

static void fd__event(tmlrt__source_t *s, uint32_t events) {
    tmlrt_fd_t *reg = fd__of(s);
    uint32_t    found = 0;
    if (events & (TMLRT__EVENT_READ | TMLRT__EVENT_HUP)) found |= TMLRT_FD_READ;
    if (events & TMLRT__EVENT_WRITE) found |= TMLRT_FD_WRITE;
    /* A read or write would tell what is wrong, so it is ready for them. */
    if (events & TMLRT__EVENT_ERROR) found = FD__INTEREST | TMLRT_FD_ERROR;
    fd__fire(reg, found, 0);
    fd__tell(reg);
}

/* After this the driver makes no use of the descriptor any more: its owner may close it. */
static void fd__closed(tmlrt__source_t *s) {
    tmlrt_fd_t *reg = fd__of(s);
    bool        telling = true;
    while (telling) {
        tmlrt__latch_lock(&reg->latch);
        reg->closed = true;
        telling = reg->telling;
        tmlrt__latch_unlock(&reg->latch);
        if (telling) tmlrt__latch_relax(); /* inside one system call */
    }
    tmlrt__source_detach(s);
    fd__fire(reg, 0, TMLRT_ECANCELED);
}

static const tmlrt__source_hooks_t fd__hooks = {.event = fd__event, .closed = fd__closed};

/* ---- registrations --------------------------------------------------------------------------- */

/* Takes a slot and makes the registration in it known to its driver. */
static int fd__register(tmlrt__host_t *host, int64_t fd, tmlrt_fd_t **out) {
    tmlrt__source_t *s;
    /* The same descriptor always meets the same driver, which then knows that it has it already. */
    tmlrt__driver_t *driver = host->ops->driver_of(host, (uint64_t)fd);
    int              e = tmlrt__source_open(&s, driver, TMLRT__SOURCE_FOREIGN, fd, 0, &fd__hooks);
    if (e != TMLRT_OK) return e;
    tmlrt_fd_t *reg = fd__of(s);
    reg->latch = (tmlrt__latch_t)TMLRT__LATCH_INIT;
    reg->telling = reg->again = reg->closed = false;
    tmlrt__list_init(&reg->waiters);
    e = tmlrt__source_attach(s);
    if (e != TMLRT_OK) {
        tmlrt__source_release(s);
        return e;
    }
    *out = reg;
    return TMLRT_OK;
}

int tmlrt_fd_open(tmlrt_runtime_t *rt, intptr_t fd, tmlrt_fd_t **reg) {
    if (reg == NULL) return TMLRT_EINVAL;
    if (fd < 0 || fd > INT_MAX) return TMLRT_EBADF;
    tmlrt__host_t *host = tmlrt__host_or_current((tmlrt__host_t *)(void *)rt);
    if (host == NULL) return TMLRT_ENORUNTIME;
    if (tmlrt__host_forked(host)) return TMLRT_EFORKED;
    if (tmlrt__load_relaxed(&host->phase) == TMLRT__HOST_STOPPED) return TMLRT_ESHUTDOWN;
    return fd__register(host, fd, reg);
}

void tmlrt_fd_close(tmlrt_fd_t *reg) {
    if (reg != NULL && !tmlrt__source_forked(&reg->source)) tmlrt__source_release(&reg->source);
}

/* ---- waits ---------------------------------------------------------------------------------- */

static int32_t fd__wait_start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    tmlrt_fd_t *reg = op->u.io.handle;
    op->result = TMLRT_EFORKED;
    if (tmlrt__source_forked(&reg->source)) return TMLRT_READY;
    op->result = TMLRT_ECLOSED;
    if (!tmlrt__source_pin(&reg->source)) return TMLRT_READY;
    tmlrt__op_arm(op, TMLRT__OP_SRC_ARMED);
    tmlrt__latch_lock(&reg->latch);
    bool closed = reg->closed;
    if (!closed) tmlrt__list_push_back(&reg->waiters, &op->u.io.u.link);
    tmlrt__latch_unlock(&reg->latch);
    if (closed) {
        tmlrt__op_disarm(op, TMLRT__OP_SRC_ARMED);
        tmlrt__source_unpin(&reg->source);
        return TMLRT_READY;
    }
    fd__tell(reg);
    return TMLRT_PENDING;
}

/* The firing set the result. */
static int32_t fd__wait_resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    tmlrt_fd_t *reg = op->u.io.handle;
    tmlrt__source_unpin(&reg->source);
    return TMLRT_READY;
}

static int32_t fd__wait_cancel(tmlrt__op_t *op, int reason) {
    tmlrt_fd_t *reg = op->u.io.handle;
    tmlrt__latch_lock(&reg->latch);
    bool waits = tmlrt__list_is_linked(&op->u.io.u.link);
    if (waits) {
        tmlrt__list_remove(&op->u.io.u.link);
        tmlrt__op_disarm(op, TMLRT__OP_SRC_ARMED);
        op->result = reason;
    }
    tmlrt__latch_unlock(&reg->latch);
    tmlrt__source_unpin(&reg->source);
    return TMLRT_READY; /* fired under the latch otherwise: its result stands */
}

static const tmlrt__op_class_t fd__wait = {
    .waits_for = "fd",
    .start = fd__wait_start,
    .resume = fd__wait_resume,
    .cancel = fd__wait_cancel,
    .about = tmlrt__io_about,
};

int tmlrt_op_fd_wait(tmlrt_op_t *pub, tmlrt_fd_t *reg, uint32_t interest) {
    int e = TMLRT_OK;
    if (reg == NULL || (interest & FD__INTEREST) == 0 || (interest & ~FD__INTEREST) != 0)
        e = TMLRT_EINVAL;
    else if (tmlrt__source_forked(&reg->source))
        e = TMLRT_EFORKED;
    if (e != TMLRT_OK) return tmlrt__op_prepare_failed(pub, e);
    e = tmlrt__op_prepare(pub, &fd__wait);
    if (e != TMLRT_OK) return e;
    tmlrt__op_t *op = tmlrt__op(pub);
    op->u.io.handle = reg;
    op->u.io.len = interest;
    return TMLRT_OK;
}

int64_t tmlrt_fd_wait_until(tmlrt_fd_t *reg, uint32_t interest, int64_t deadline) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    int        e = tmlrt_op_fd_wait(&op, reg, interest);
    return e != TMLRT_OK ? e : tmlrt__call_await(&op, deadline);
}

int64_t tmlrt_fd_wait(tmlrt_fd_t *reg, uint32_t interest) {
    return tmlrt_fd_wait_until(reg, interest, TMLRT_NEVER);
}
