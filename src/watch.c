/* SPDX-License-Identifier: MIT */
/*
 * watch.c: tmlrt_watch_t: one value and its version, under the latch of a waitlist. Setting it
 * fires everybody who waits; they look again, and take nothing from each other, so a cancelled one
 * has nothing to pass on. Every caller holds a reference, so the latch may be taken again.
 *
 * Of an operation `item` is where the value goes and `more` where the version is.
 */
#include <tmlrt/chan.h>

#include "call.h"
#include "copy.h"
#include "waitlist.h"

struct tmlrt_watch {
    tmlrt__waitlist_t waiters;
    uint64_t          version; /* under the latch, as the value; from 1 */
    bool              closed;  /* under the latch */
    tmlrt__atomic_u32 refs;
    size_t            item_size; /* constant */
    /* the value follows */
};

#define WATCH__ALIGN 16

static size_t watch__head(void) {
    return (sizeof(tmlrt_watch_t) + WATCH__ALIGN - 1) & ~(size_t)(WATCH__ALIGN - 1);
}

static void *watch__value(tmlrt_watch_t *w) {
    return (char *)w + watch__head();
}

/* Latch held: copies value and version. */
static void watch__read(tmlrt_watch_t *w, void *item, uint64_t *seen) {
    if (item != NULL) tmlrt__copy(item, watch__value(w), w->item_size);
    if (seen != NULL) *seen = w->version;
}

/* What is new, or waits for it with `op` if there is one. TMLRT_EAGAIN: nothing. */
static int watch__come(tmlrt_watch_t *w, void *item, uint64_t *seen, tmlrt__op_t *op) {
    tmlrt__latch_lock(&w->waiters.latch);
    int r = TMLRT_OK;
    if (w->version != *seen)
        watch__read(w, item, seen);
    else
        r = w->closed ? TMLRT_ECLOSED : TMLRT_EAGAIN;
    if (r == TMLRT_EAGAIN && op != NULL) tmlrt__waitlist_add(&w->waiters, op);
    tmlrt__latch_unlock(&w->waiters.latch);
    return r;
}

static int32_t watch__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt_watch_t *w = TMLRT__CONTAINER_OF(op->u.wait.object, tmlrt_watch_t, waiters);
    (void)cx;
    int r = watch__come(w, op->u.wait.item, (uint64_t *)(uintptr_t)op->u.wait.more, op);
    if (r == TMLRT_EAGAIN) return TMLRT_PENDING;
    op->result = r;
    return TMLRT_READY;
}

static int32_t watch__cancel(tmlrt__op_t *op, int reason) {
    tmlrt__waitlist_remove((tmlrt__waitlist_t *)op->u.wait.object, op);
    op->result = reason;
    return TMLRT_READY;
}

static const tmlrt__op_class_t watch__class = {
    .waits_for = "watch", .start = watch__start, .resume = watch__start, .cancel = watch__cancel};

int tmlrt_op_changed(tmlrt_op_t *op, tmlrt_watch_t *watch, void *item, uint64_t *seen) {
    if (watch == NULL || seen == NULL) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &watch__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.wait.object = &watch->waiters;
    tmlrt__op(op)->u.wait.item = item;
    tmlrt__op(op)->u.wait.more = (uint64_t)(uintptr_t)seen;
    return TMLRT_OK;
}

/* ---- the calls ----------------------------------------------------------------------------- */

int tmlrt_watch_changed_until(tmlrt_watch_t *watch, void *item, uint64_t *seen, int64_t deadline) {
    if (watch == NULL || seen == NULL) return TMLRT_EINVAL;
    if (tmlrt__call_tries()) {
        int r = watch__come(watch, item, seen, NULL);
        if (r != TMLRT_EAGAIN) return r;
    }
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_changed(&op, watch, item, seen);
    return (int)tmlrt__call_await(&op, deadline);
}

int tmlrt_watch_changed(tmlrt_watch_t *watch, void *item, uint64_t *seen) {
    return tmlrt_watch_changed_until(watch, item, seen, TMLRT_NEVER);
}

int tmlrt_watch_get(tmlrt_watch_t *watch, void *item, uint64_t *seen) {
    if (watch == NULL) return TMLRT_EINVAL;
    tmlrt__latch_lock(&watch->waiters.latch);
    watch__read(watch, item, seen);
    tmlrt__latch_unlock(&watch->waiters.latch);
    return TMLRT_OK;
}

int tmlrt_watch_set(tmlrt_watch_t *watch, const void *item) {
    if (watch == NULL || (item == NULL && watch->item_size != 0)) return TMLRT_EINVAL;
    tmlrt__latch_lock(&watch->waiters.latch);
    bool closed = watch->closed;
    if (!closed) {
        tmlrt__copy(watch__value(watch), item, watch->item_size);
        watch->version++;
    }
    tmlrt__latch_unlock(&watch->waiters.latch);
    if (closed) return TMLRT_ECLOSED;
    tmlrt__waitlist_fire_all(&watch->waiters, TMLRT_OK);
    return TMLRT_OK;
}

int tmlrt_watch_close(tmlrt_watch_t *watch) {
    if (watch == NULL) return TMLRT_EINVAL;
    tmlrt__latch_lock(&watch->waiters.latch);
    bool closed = watch->closed;
    watch->closed = true;
    tmlrt__latch_unlock(&watch->waiters.latch);
    if (closed) return TMLRT_EALREADY;
    tmlrt__waitlist_fire_all(&watch->waiters, TMLRT_OK);
    return TMLRT_OK;
}

int tmlrt_watch_create(tmlrt_watch_t **out, size_t item_size, const void *initial) {
    if (out == NULL || (initial == NULL && item_size != 0)) return TMLRT_EINVAL;
    if (item_size > PTRDIFF_MAX - watch__head()) return TMLRT_ENOMEM;
    tmlrt_watch_t *w = (tmlrt_watch_t *)tmlrt__mem_zero(&tmlrt__mem_default,
                                                        watch__head() + item_size, WATCH__ALIGN);
    if (w == NULL) return TMLRT_ENOMEM;
    w->version = 1;
    w->item_size = item_size;
    tmlrt__atomic_make(&w->refs, 1);
    tmlrt__copy(watch__value(w), initial, item_size);
    *out = w;
    return TMLRT_OK;
}

tmlrt_watch_t *tmlrt_watch_retain(tmlrt_watch_t *watch) {
    if (watch != NULL) tmlrt__fetch_add_relaxed(&watch->refs, 1);
    return watch;
}

void tmlrt_watch_release(tmlrt_watch_t *w) {
    if (w == NULL) return;
    /* release: our use is over; acquire: so is everybody's; pairs [CH-3] */
    if (tmlrt__fetch_sub_acq_rel(&w->refs, 1) != 1) return;
    tmlrt__mem_put(&tmlrt__mem_default, w, watch__head() + w->item_size, WATCH__ALIGN);
}
