/* SPDX-License-Identifier: MIT */
/*
 * oneshot.c: tmlrt_oneshot_t: room for one item behind a gate. The item moves out in the call that
 * says READY, so a waiter that is told and then cancelled has taken nothing: it tells the next.
 *
 * The sender may go on holding no reference of its own where the receiver frees it: leaving the
 * gate is its last touch.
 */
#include <tmlrt/chan.h>

#include "call.h"
#include "copy.h"
#include "gate.h"

struct tmlrt_oneshot {
    tmlrt__gate_t     gate;
    tmlrt__atomic_u32 refs;
    size_t            item_size; /* constant */
    /* the item follows: written before SENT, read before TAKEN, entered */
};

#define ONESHOT__SENT   ((uint64_t)4)
#define ONESHOT__TAKEN  ((uint64_t)8)
#define ONESHOT__CLOSED ((uint64_t)16)

#define ONESHOT__ALIGN 16

static void *oneshot__item(tmlrt_oneshot_t *o) {
    return (char *)o + ((sizeof *o + ONESHOT__ALIGN - 1) & ~(size_t)(ONESHOT__ALIGN - 1));
}

static size_t oneshot__bytes(size_t item_size) {
    size_t head = (sizeof(tmlrt_oneshot_t) + ONESHOT__ALIGN - 1) & ~(size_t)(ONESHOT__ALIGN - 1);
    return item_size > PTRDIFF_MAX - head ? 0 : head + item_size;
}

/* Entered: what a receive gets now; TMLRT_EAGAIN: it waits. */
static int oneshot__take(tmlrt_oneshot_t *o, uint64_t *w, void *item) {
    if ((*w & ONESHOT__TAKEN) != 0) return TMLRT_EALREADY;
    if ((*w & ONESHOT__SENT) == 0)
        return (*w & ONESHOT__CLOSED) != 0 ? TMLRT_ECLOSED : TMLRT_EAGAIN;
    tmlrt__copy(item, oneshot__item(o), o->item_size);
    *w |= ONESHOT__TAKEN;
    return TMLRT_OK;
}

/* Entered: tells one that there is an item, or everybody that there is none to wait for. */
static void oneshot__serve(tmlrt_oneshot_t *o, uint64_t w, tmlrt__wakes_t *wakes) {
    tmlrt__op_t *first;
    while ((first = tmlrt__gate_first(&o->gate)) != NULL && !tmlrt__wakes_full(wakes) &&
           (w & (ONESHOT__SENT | ONESHOT__TAKEN | ONESHOT__CLOSED)) != 0) {
        tmlrt__gate_grant(first, 1, TMLRT_OK, wakes);
        if ((w & (ONESHOT__SENT | ONESHOT__TAKEN)) == ONESHOT__SENT) return;
    }
}

/* Takes, or waits with `op` if there is one. */
static int oneshot__come(tmlrt_oneshot_t *o, void *item, tmlrt__op_t *op) {
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(&o->gate);
    int      r = oneshot__take(o, &w, item);
    if (r == TMLRT_EAGAIN && op != NULL)
        tmlrt__gate_wait(&o->gate, op);
    else
        oneshot__serve(o, w, &wakes);
    tmlrt__gate_leave(&o->gate, w);
    tmlrt__wakes_run(&wakes);
    return r;
}

static int32_t oneshot__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    int r = oneshot__come((tmlrt_oneshot_t *)op->u.wait.object, op->u.wait.item, op);
    if (r == TMLRT_EAGAIN) return TMLRT_PENDING;
    op->result = r;
    return TMLRT_READY;
}

static int32_t oneshot__cancel(tmlrt__op_t *op, int reason) {
    tmlrt_oneshot_t *o = (tmlrt_oneshot_t *)op->u.wait.object;
    tmlrt__wakes_t   wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(&o->gate);
    if (!tmlrt__gate_remove(op)) oneshot__serve(o, w, &wakes);
    tmlrt__gate_leave(&o->gate, w);
    tmlrt__wakes_run(&wakes);
    op->result = reason;
    return TMLRT_READY;
}

static const tmlrt__op_class_t oneshot__class = {.waits_for = "oneshot",
                                                 .start = oneshot__start,
                                                 .resume = oneshot__start,
                                                 .cancel = oneshot__cancel};

static bool oneshot__is_good(const tmlrt_oneshot_t *o, const void *item) {
    return o != NULL && (item != NULL || o->item_size == 0);
}

int tmlrt_op_oneshot(tmlrt_op_t *op, tmlrt_oneshot_t *oneshot, void *item) {
    if (!oneshot__is_good(oneshot, item)) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &oneshot__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.wait.object = oneshot;
    tmlrt__op(op)->u.wait.item = item;
    return TMLRT_OK;
}

/* ---- the calls ----------------------------------------------------------------------------- */

int tmlrt_oneshot_recv_until(tmlrt_oneshot_t *oneshot, void *item, int64_t deadline) {
    if (!oneshot__is_good(oneshot, item)) return TMLRT_EINVAL;
    if (tmlrt__call_tries()) {
        int r = oneshot__come(oneshot, item, NULL);
        if (r != TMLRT_EAGAIN) return r;
    }
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_oneshot(&op, oneshot, item);
    return (int)tmlrt__call_await(&op, deadline);
}

int tmlrt_oneshot_recv(tmlrt_oneshot_t *oneshot, void *item) {
    return tmlrt_oneshot_recv_until(oneshot, item, TMLRT_NEVER);
}

/* Sets `bit`, having moved `item` in when that is SENT, and tells who waits. */
static int oneshot__set(tmlrt_oneshot_t *o, uint64_t bit, const void *item) {
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(&o->gate);
    int      r = TMLRT_OK;
    if ((w & bit) != 0)
        r = TMLRT_EALREADY;
    else if ((w & ONESHOT__CLOSED) != 0)
        r = TMLRT_ECLOSED;
    if (r == TMLRT_OK) {
        if (bit == ONESHOT__SENT) tmlrt__copy(oneshot__item(o), item, o->item_size);
        w |= bit;
        oneshot__serve(o, w, &wakes);
    }
    tmlrt__gate_leave(&o->gate, w);
    tmlrt__wakes_run(&wakes);
    return r;
}

int tmlrt_oneshot_send(tmlrt_oneshot_t *oneshot, const void *item) {
    if (!oneshot__is_good(oneshot, item)) return TMLRT_EINVAL;
    return oneshot__set(oneshot, ONESHOT__SENT, item);
}

int tmlrt_oneshot_close(tmlrt_oneshot_t *oneshot) {
    if (oneshot == NULL) return TMLRT_EINVAL;
    return oneshot__set(oneshot, ONESHOT__CLOSED, NULL);
}

int tmlrt_oneshot_create(tmlrt_oneshot_t **out, size_t item_size) {
    if (out == NULL) return TMLRT_EINVAL;
    size_t           bytes = oneshot__bytes(item_size);
    tmlrt_oneshot_t *o = NULL;
    if (bytes != 0)
        o = (tmlrt_oneshot_t *)tmlrt__mem_get(&tmlrt__mem_default, bytes, ONESHOT__ALIGN);
    if (o == NULL) return TMLRT_ENOMEM;
    tmlrt__atomic_make(&o->gate.word, 0);
    tmlrt__atomic_make(&o->refs, 1);
    tmlrt__list_init(&o->gate.head);
    o->item_size = item_size;
    *out = o;
    return TMLRT_OK;
}

tmlrt_oneshot_t *tmlrt_oneshot_retain(tmlrt_oneshot_t *oneshot) {
    if (oneshot != NULL) tmlrt__fetch_add_relaxed(&oneshot->refs, 1);
    return oneshot;
}

void tmlrt_oneshot_release(tmlrt_oneshot_t *o) {
    if (o == NULL) return;
    /* release: our use is over; acquire: so is everybody's; pairs [CH-3] */
    if (tmlrt__fetch_sub_acq_rel(&o->refs, 1) != 1) return;
    tmlrt__mem_put(&tmlrt__mem_default, o, oneshot__bytes(o->item_size), ONESHOT__ALIGN);
}
