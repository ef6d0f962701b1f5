/* SPDX-License-Identifier: MIT */
/*
 * broadcast.c: tmlrt_broadcast_t: a ring of the last items; each subscription has a position of its
 * own in it and reads without taking anything out.
 *
 * Senders come one at a time, under the channel's latch (the waitlist's). A subscriber reads the
 * count of items without it and then takes the latch of one slot, so that subscribers meet senders
 * and each other only at a slot. A slot knows the number of its item: one that is newer than what a
 * subscriber wants means that it has fallen behind.
 *
 * Waiters are fired by every send and look again: they take nothing from each other, so a cancelled
 * one has nothing to pass on. Every caller holds a reference, so the latch may be taken again.
 */
#include <tmlrt/chan.h>

#include "call.h"
#include "copy.h"
#include "waitlist.h"

typedef struct bc__slot {
    tmlrt__latch_t latch;
    uint64_t       number; /* under latch: of its item, counted from 1; 0: none yet */
    /* under latch: the item follows */
} bc__slot_t;

struct tmlrt_broadcast {
    tmlrt__waitlist_t waiters;
    tmlrt__atomic_u64 sent;   /* items; written under the waiters' latch, read by all */
    tmlrt__atomic_u32 closed; /* as sent */
    tmlrt__atomic_u32 refs;
    int64_t           subscribers;                 /* under the waiters' latch */
    size_t            item_size, stride, capacity; /* constant */
    char             *slots;                       /* capacity slots of stride bytes */
};

struct tmlrt_subscription {
    tmlrt_broadcast_t *bc;
    uint64_t           next; /* the number of the next item, from 0; who receives */
    uint64_t           lost; /* since the last item that was received; who receives */
    tmlrt__atomic_u32  busy; /* a wait is in flight */
};

#define BC__ALIGN 16

static bc__slot_t *bc__slot(const tmlrt_broadcast_t *bc, uint64_t number) {
    return (bc__slot_t *)(void *)(bc->slots + (number & (bc->capacity - 1)) * bc->stride);
}

static size_t bc__slots_bytes(const tmlrt_broadcast_t *bc) {
    return bc->stride * bc->capacity;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Reads item `number`, if the slot still holds it. */
static bool bc__read(tmlrt_broadcast_t *bc, uint64_t number, void *item) {
    bc__slot_t *slot = bc__slot(bc, number);
    tmlrt__latch_lock(&slot->latch);
    bool there = slot->number == number + 1;
    if (there) tmlrt__copy(item, slot + 1, bc->item_size);
    tmlrt__latch_unlock(&slot->latch);
    return there;
}

/* The next item, and how many were lost before it; TMLRT_EAGAIN: none yet. */
static int64_t bc__next(tmlrt_subscription_t *sub, void *item) {
    tmlrt_broadcast_t *bc = sub->bc;
    for (;;) {
        /* acquire: the count that is read after it is final; pairs [BC-1] */
        bool closed = tmlrt__load_acquire(&bc->closed) != 0;
        /* acquire: observes the items that are counted; pairs [BC-1] */
        uint64_t sent = tmlrt__load_acquire(&bc->sent);
        if (sub->next == sent) return closed ? TMLRT_ECLOSED : TMLRT_EAGAIN;
        uint64_t oldest = sent > bc->capacity ? sent - bc->capacity : 0;
        if (sub->next < oldest) {
            sub->lost += oldest - sub->next;
            sub->next = oldest;
        }
        if (bc__read(bc, sub->next, item)) {
            int64_t lost = (int64_t)sub->lost;
            sub->lost = 0;
            sub->next++;
            return lost;
        }
        /* A sender has taken the slot and is about to count its item: ours is lost. */
        sub->lost++;
        sub->next++;
    }
}

static int32_t bc__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt_subscription_t *sub = (tmlrt_subscription_t *)op->u.wait.item;
    tmlrt_broadcast_t    *bc = sub->bc;
    (void)cx;
    void *item = (void *)(uintptr_t)op->u.wait.more;
    op->result = bc__next(sub, item);
    if (op->result != TMLRT_EAGAIN) return TMLRT_READY;
    tmlrt__latch_lock(&bc->waiters.latch);
    op->result = bc__next(sub, item);
    if (op->result == TMLRT_EAGAIN) {
        if (tmlrt__swap_relaxed(&sub->busy, 1) == 0) {
            tmlrt__waitlist_add(&bc->waiters, op);
            tmlrt__latch_unlock(&bc->waiters.latch);
            return TMLRT_PENDING;
        }
        op->result = TMLRT_EBUSY;
    }
    tmlrt__latch_unlock(&bc->waiters.latch);
    return TMLRT_READY;
}

static int32_t bc__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt_subscription_t *sub = (tmlrt_subscription_t *)op->u.wait.item;
    tmlrt__store_relaxed(&sub->busy, 0);
    return bc__start(op, cx);
}

static int32_t bc__cancel(tmlrt__op_t *op, int reason) {
    tmlrt_subscription_t *sub = (tmlrt_subscription_t *)op->u.wait.item;
    tmlrt__waitlist_remove(&sub->bc->waiters, op);
    tmlrt__store_relaxed(&sub->busy, 0);
    op->result = reason;
    return TMLRT_READY;
}

static const tmlrt__op_class_t bc__class = {
    .waits_for = "broadcast", .start = bc__start, .resume = bc__resume, .cancel = bc__cancel};

static bool bc__is_good(const tmlrt_subscription_t *sub, const void *item) {
    return sub != NULL && (item != NULL || sub->bc->item_size == 0);
}

int tmlrt_op_broadcast(tmlrt_op_t *op, tmlrt_subscription_t *sub, void *item) {
    if (!bc__is_good(sub, item)) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &bc__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.wait.object = &sub->bc->waiters;
    tmlrt__op(op)->u.wait.item = sub;
    tmlrt__op(op)->u.wait.more = (uint64_t)(uintptr_t)item;
    return TMLRT_OK;
}

int64_t tmlrt_broadcast_recv_until(tmlrt_subscription_t *sub, void *item, int64_t deadline) {
    if (!bc__is_good(sub, item)) return TMLRT_EINVAL;
    if (tmlrt__call_tries()) {
        int64_t r = bc__next(sub, item);
        if (r != TMLRT_EAGAIN) return r;
    }
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_broadcast(&op, sub, item);
    return tmlrt__call_await(&op, deadline);
}

int64_t tmlrt_broadcast_recv(tmlrt_subscription_t *sub, void *item) {
    return tmlrt_broadcast_recv_until(sub, item, TMLRT_NEVER);
}

/* ---- sending ------------------------------------------------------------------------------- */

static bool bc__has_waiters(const tmlrt_broadcast_t *bc) {
    return bc->waiters.head.next != NULL && !tmlrt__list_is_empty(&bc->waiters.head);
}

/* Waiters' latch held. */
static void bc__write(tmlrt_broadcast_t *bc, const void *item) {
    uint64_t    number = tmlrt__load_relaxed(&bc->sent);
    bc__slot_t *slot = bc__slot(bc, number);
    tmlrt__latch_lock(&slot->latch);
    slot->number = number + 1;
    tmlrt__copy(slot + 1, item, bc->item_size);
    tmlrt__latch_unlock(&slot->latch);
    /* release: publishes the item; pairs [BC-1] */
    tmlrt__store_release(&bc->sent, number + 1);
}

int64_t tmlrt_broadcast_send(tmlrt_broadcast_t *bc, const void *item) {
    if (bc == NULL || (item == NULL && bc->item_size != 0)) return TMLRT_EINVAL;
    tmlrt__latch_lock(&bc->waiters.latch);
    int64_t r = tmlrt__load_relaxed(&bc->closed) != 0 ? TMLRT_ECLOSED : bc->subscribers;
    if (r > 0) bc__write(bc, item);
    bool tell = bc__has_waiters(bc);
    tmlrt__latch_unlock(&bc->waiters.latch);
    if (tell) tmlrt__waitlist_fire_all(&bc->waiters, TMLRT_OK);
    return r;
}

int tmlrt_broadcast_close(tmlrt_broadcast_t *bc) {
    if (bc == NULL) return TMLRT_EINVAL;
    tmlrt__latch_lock(&bc->waiters.latch);
    bool closed = tmlrt__load_relaxed(&bc->closed) != 0;
    /* release: publishes the final count; pairs [BC-1] */
    tmlrt__store_release(&bc->closed, 1);
    tmlrt__latch_unlock(&bc->waiters.latch);
    if (closed) return TMLRT_EALREADY;
    tmlrt__waitlist_fire_all(&bc->waiters, TMLRT_OK);
    return TMLRT_OK;
}

/* ---- making and ending --------------------------------------------------------------------- */

/* The layout of the slots; false when that cannot be. */
static bool bc__lay_out(tmlrt_broadcast_t *bc, size_t item_size, size_t capacity) {
    if (item_size > PTRDIFF_MAX / 2 || capacity > PTRDIFF_MAX / 2) return false;
    bc->item_size = item_size;
    bc->capacity = 1;
    while (bc->capacity < capacity)
        bc->capacity *= 2;
    bc->stride = (sizeof(bc__slot_t) + item_size + BC__ALIGN - 1) & ~(size_t)(BC__ALIGN - 1);
    return bc->capacity <= PTRDIFF_MAX / bc->stride;
}

int tmlrt_broadcast_create(tmlrt_broadcast_t **out, size_t item_size, size_t capacity) {
    if (out == NULL || capacity == 0) return TMLRT_EINVAL;
    tmlrt_broadcast_t *bc =
        (tmlrt_broadcast_t *)tmlrt__mem_zero(&tmlrt__mem_default, sizeof *bc, BC__ALIGN);
    if (bc == NULL) return TMLRT_ENOMEM;
    if (bc__lay_out(bc, item_size, capacity))
        bc->slots = (char *)tmlrt__mem_zero(&tmlrt__mem_default, bc__slots_bytes(bc), BC__ALIGN);
    if (bc->slots == NULL) {
        tmlrt__mem_put(&tmlrt__mem_default, bc, sizeof *bc, BC__ALIGN);
        return TMLRT_ENOMEM;
    }
    tmlrt__atomic_make(&bc->waiters.latch.held, 0);
    tmlrt__atomic_make(&bc->waiters.rounds, 0);
    tmlrt__atomic_make(&bc->sent, 0);
    tmlrt__atomic_make(&bc->closed, 0);
    tmlrt__atomic_make(&bc->refs, 1);
    for (size_t i = 0; i < bc->capacity; i++)
        tmlrt__atomic_make(&bc__slot(bc, i)->latch.held, 0);
    *out = bc;
    return TMLRT_OK;
}

tmlrt_broadcast_t *tmlrt_broadcast_retain(tmlrt_broadcast_t *bc) {
    if (bc != NULL) tmlrt__fetch_add_relaxed(&bc->refs, 1);
    return bc;
}

void tmlrt_broadcast_release(tmlrt_broadcast_t *bc) {
    if (bc == NULL) return;
    /* release: our use is over; acquire: so is everybody's; pairs [CH-3] */
    if (tmlrt__fetch_sub_acq_rel(&bc->refs, 1) != 1) return;
    for (size_t i = 0; i < bc->capacity; i++)
        tmlrt__atomic_unmake(&bc__slot(bc, i)->latch.held);
    tmlrt__atomic_unmake(&bc->waiters.latch.held);
    tmlrt__atomic_unmake(&bc->waiters.rounds);
    tmlrt__atomic_unmake(&bc->sent);
    tmlrt__atomic_unmake(&bc->closed);
    tmlrt__atomic_unmake(&bc->refs);
    tmlrt__mem_put(&tmlrt__mem_default, bc->slots, bc__slots_bytes(bc), BC__ALIGN);
    tmlrt__mem_put(&tmlrt__mem_default, bc, sizeof *bc, BC__ALIGN);
}

int tmlrt_broadcast_subscribe(tmlrt_broadcast_t *bc, tmlrt_subscription_t **out) {
    if (bc == NULL || out == NULL) return TMLRT_EINVAL;
    tmlrt_subscription_t *sub =
        (tmlrt_subscription_t *)tmlrt__mem_zero(&tmlrt__mem_default, sizeof *sub, BC__ALIGN);
    if (sub == NULL) return TMLRT_ENOMEM;
    tmlrt__atomic_make(&sub->busy, 0);
    sub->bc = tmlrt_broadcast_retain(bc);
    tmlrt__latch_lock(&bc->waiters.latch);
    sub->next = tmlrt__load_relaxed(&bc->sent);
    bc->subscribers++;
    tmlrt__latch_unlock(&bc->waiters.latch);
    *out = sub;
    return TMLRT_OK;
}

void tmlrt_subscription_release(tmlrt_subscription_t *sub) {
    if (sub == NULL) return;
    tmlrt_broadcast_t *bc = sub->bc;
    tmlrt__latch_lock(&bc->waiters.latch);
    bc->subscribers--;
    tmlrt__latch_unlock(&bc->waiters.latch);
    tmlrt__atomic_unmake(&sub->busy);
    tmlrt__mem_put(&tmlrt__mem_default, sub, sizeof *sub, BC__ALIGN);
    tmlrt_broadcast_release(bc);
}
