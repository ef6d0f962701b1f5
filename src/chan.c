/* SPDX-License-Identifier: MIT */
/*
 * chan.c: tmlrt_chan_t, bounded and unbounded channels of many senders and receivers.
 *
 * Two sides, each with a latch of its own, as in the two-lock queue of Michael and Scott: senders
 * and receivers do not meet while the channel is neither full nor empty. A side counts how many
 * items it has moved (`index`), publishes that, and looks at the other's count only when the one it
 * remembers no longer suffices.
 *
 * Items lie in segments: one that is its own successor (bounded), or a chain (unbounded).
 *
 * Waiting. Who finds nothing to take (an item, or room for one) tries again with both latches held,
 * and only then joins the queue of its side and sets `waiting`. So the other side, which looks at
 * `waiting` under its own latch after it has moved an item, cannot miss it, without any fence; and
 * while nobody waits it costs a load.
 *
 * Granting. A waiter is not given an item: one is `reserved` for it, and it moves the item itself,
 * in the call that says READY. So a cancelled waiter just gives its reservation to the next, no
 * item is lost or sent twice, and in a select at most one commits. Who comes anew takes only what
 * is not reserved, and joins the queue when there is one: FIFO. Of several waiters who have been
 * granted, the first to run takes the oldest item, so that each receiver sees items in order.
 *
 * Capacity 0: room for one item, that senders may use only while there are receivers in flight
 * (`demand`).
 *
 * Locks: the latch of the send side, then that of the receive side, then an operation's. Nothing is
 * allocated or woken under them. Every caller holds a reference, so a latch may be taken again.
 */
#include <tmlrt/chan.h>

#include "call.h"
#include "copy.h"
#include "gate.h"

#define CHAN__CHAIN_BYTES 4096u /* of items in a segment of a chain */
#define CHAN__CHAIN_MIN   8u    /* items in it, at least */

typedef struct chan__segment {
    struct chan__segment *next; /* sender writes before the index that shows it; its own: a ring */
    uint64_t              align_;
} chan__segment_t; /* followed by the items */

typedef struct chan__side {
    tmlrt__latch_t    latch;
    uint32_t          id;       /* constant: CHAN__SEND, CHAN__RECV */
    tmlrt__atomic_u64 index;    /* items moved; written under latch, read by the other side */
    uint64_t          seen;     /* under latch: the other's index, as last read */
    uint64_t          ahead;    /* constant: how far index may run ahead of the other's */
    uint64_t          reserved; /* under latch: granted and not yet resumed */
    chan__segment_t  *segment;  /* under latch: where the next item goes or lies */
    size_t            pos;      /* under latch: in that segment */
    tmlrt__list_t     queue;    /* under latch: operations that wait */
    char              pad[TMLRT__PAD(8)]; /* 128 bytes: the sides share no line */
} chan__side_t;

struct tmlrt_chan {
    /* One line that is read by all and seldom written. */
    tmlrt__atomic_u32 refs;
    tmlrt__atomic_u32 closed;     /* set under the send latch, for good */
    tmlrt__atomic_u32 waiting[2]; /* of a side: its queue is not empty; set with both latches held,
                                     cleared with its own */
    size_t            item_size, segment_items, bytes; /* constant; bytes: of a segment */
    bool              chain, rendezvous;               /* constant */
    chan__segment_t  *spare;                           /* under the send latch */
    tmlrt__atomic_u64 demand; /* receivers in flight; written under the receive latch */
    /* Each in lines of its own. */
    chan__side_t send, recv;
};

enum { CHAN__SEND, CHAN__RECV };

#if !defined(TMLRT_MODEL) && SIZE_MAX > UINT32_MAX /* on 32 bits they may share one: only slower */
_Static_assert(sizeof(chan__side_t) % TMLRT__CACHE_LINE == 0, "a side is whole lines");
_Static_assert(offsetof(struct tmlrt_chan, send) % TMLRT__CACHE_LINE == 0, "and begins with one");
#endif

/* Internal answer beside errors: a segment is needed. */
#define CHAN__NEEDS_SEGMENT 1

#if defined(TMLRT_MODEL)
void tmlrt__model_slot(const void *slot, bool write); /* the model's watch over plain items */
#else
#define tmlrt__model_slot(slot, write) ((void)0)
#endif

static chan__side_t *chan__other(tmlrt_chan_t *ch, const chan__side_t *side) {
    return side == &ch->send ? &ch->recv : &ch->send;
}

static void *chan__slot(const tmlrt_chan_t *ch, const chan__side_t *side) {
    return (char *)(side->segment + 1) + side->pos * ch->item_size;
}

static bool chan__is_closed(const tmlrt_chan_t *ch) {
    /* acquire: the index of the send side that is read after this is final; pairs [CH-2] */
    return tmlrt__load_acquire(&ch->closed) != 0;
}

/* ---- one side, its latch held -------------------------------------------------------------- */

static uint64_t chan__left(const chan__side_t *side) {
    return side->seen + side->ahead - tmlrt__load_relaxed(&side->index);
}

/* Whether there is an item (or room) beyond what is reserved. */
static bool chan__has(tmlrt_chan_t *ch, chan__side_t *side) {
    if (ch->rendezvous && side == &ch->send && tmlrt__load_relaxed(&ch->demand) == 0) return false;
    if (chan__left(side) > side->reserved) return true;
    /* acquire: observes the items (or that their slots are done with); pairs [CH-1] */
    side->seen = tmlrt__load_acquire(&chan__other(ch, side)->index);
    return chan__left(side) > side->reserved;
}

/* For who comes anew. */
static bool chan__may(tmlrt_chan_t *ch, chan__side_t *side) {
    return tmlrt__load_relaxed(&ch->waiting[side->id]) == 0 && chan__has(ch, side);
}

static void chan__publish(chan__side_t *side) {
    side->pos++;
    /* release: publishes the item (or that the slot is done with); pairs [CH-1] */
    tmlrt__store_release(&side->index, tmlrt__load_relaxed(&side->index) + 1);
}

/* Room is there: moves an item in. False: a segment is needed. */
static bool chan__put(tmlrt_chan_t *ch, const void *item) {
    chan__side_t *side = &ch->send;
    if (side->pos == ch->segment_items) {
        if (ch->chain) {
            if (ch->spare == NULL) return false;
            side->segment->next = ch->spare;
            ch->spare = NULL;
        }
        side->segment = side->segment->next;
        side->pos = 0;
    }
    tmlrt__model_slot(chan__slot(ch, side), true);
    tmlrt__copy(chan__slot(ch, side), item, ch->item_size);
    chan__publish(side);
    return true;
}

/* An item is there: moves it out. Returns a segment to be freed once no latch is held, or NULL. */
static chan__segment_t *chan__get(tmlrt_chan_t *ch, void *item) {
    chan__side_t    *side = &ch->recv;
    chan__segment_t *old = NULL;
    if (side->pos == ch->segment_items) {
        if (ch->chain) old = side->segment;
        side->segment = side->segment->next;
        side->pos = 0;
    }
    tmlrt__model_slot(chan__slot(ch, side), false);
    tmlrt__copy(item, chan__slot(ch, side), ch->item_size);
    chan__publish(side);
    return old;
}

static void chan__dequeue(tmlrt_chan_t *ch, chan__side_t *side, tmlrt__op_t *op) {
    tmlrt__list_remove(&op->u.wait.link);
    if (tmlrt__list_is_empty(&side->queue)) tmlrt__store_relaxed(&ch->waiting[side->id], 0);
}

/* Nothing will ever be there for who waits now. */
static bool chan__is_over(tmlrt_chan_t *ch, chan__side_t *side) {
    if (!chan__is_closed(ch)) return false;
    if (side == &ch->send) return true;
    /* acquire: as in chan__has; pairs [CH-1] */
    side->seen = tmlrt__load_acquire(&ch->send.index);
    return chan__left(side) == 0;
}

/* Fires who can go on, the oldest first. True: there may be more than `wakes` holds. */
static bool chan__grant(tmlrt_chan_t *ch, chan__side_t *side, tmlrt__wakes_t *wakes) {
    while (!tmlrt__list_is_empty(&side->queue)) {
        if (tmlrt__wakes_full(wakes)) return true;
        bool over = chan__is_over(ch, side);
        if (!over && !chan__has(ch, side)) return false;
        if (!over) side->reserved++;
        tmlrt__op_t *op = TMLRT__CONTAINER_OF(side->queue.next, tmlrt__op_t, u.wait.link);
        chan__dequeue(ch, side, op);
        op->u.wait.granted = 1;
        op->result = over ? TMLRT_ECLOSED : TMLRT_OK;
        wakes->wake[wakes->n++] = tmlrt__op_fire(op, TMLRT__OP_SRC_ARMED);
    }
    return false;
}

/* No latch held. */
static void chan__serve(tmlrt_chan_t *ch, chan__side_t *side) {
    bool more = true;
    while (more) {
        tmlrt__wakes_t wakes;
        wakes.n = 0;
        tmlrt__latch_lock(&side->latch);
        more = chan__grant(ch, side, &wakes);
        tmlrt__latch_unlock(&side->latch);
        tmlrt__wakes_run(&wakes);
    }
}

/* ---- segments ------------------------------------------------------------------------------ */

static chan__segment_t *chan__segment_make(const tmlrt_chan_t *ch) {
    chan__segment_t *s = (chan__segment_t *)tmlrt__mem_get(&tmlrt__mem_default, ch->bytes, 16);
    if (s != NULL) s->next = ch->chain ? NULL : s;
    return s;
}

static void chan__segment_free(const tmlrt_chan_t *ch, chan__segment_t *s) {
    if (s != NULL) tmlrt__mem_put(&tmlrt__mem_default, s, ch->bytes, 16);
}

static int chan__bring_segment(tmlrt_chan_t *ch) {
    chan__segment_t *s = chan__segment_make(ch);
    if (s == NULL) return TMLRT_ENOMEM;
    tmlrt__latch_lock(&ch->send.latch);
    if (ch->spare == NULL) {
        ch->spare = s;
        s = NULL;
    }
    tmlrt__latch_unlock(&ch->send.latch);
    chan__segment_free(ch, s);
    return TMLRT_OK;
}

/* ---- trying -------------------------------------------------------------------------------- */

/* Send latch held. */
static int chan__send_here(tmlrt_chan_t *ch, const void *item) {
    if (tmlrt__load_relaxed(&ch->closed) != 0) return TMLRT_ECLOSED;
    if (!chan__may(ch, &ch->send)) return TMLRT_EAGAIN;
    return chan__put(ch, item) ? TMLRT_OK : CHAN__NEEDS_SEGMENT;
}

/* Receive latch held. */
static int chan__recv_here(tmlrt_chan_t *ch, void *item, chan__segment_t **old) {
    if (chan__may(ch, &ch->recv)) {
        *old = chan__get(ch, item);
        return TMLRT_OK;
    }
    return chan__is_over(ch, &ch->recv) ? TMLRT_ECLOSED : TMLRT_EAGAIN;
}

static int chan__try_send(tmlrt_chan_t *ch, const void *item) {
    for (;;) {
        tmlrt__latch_lock(&ch->send.latch);
        int  r = chan__send_here(ch, item);
        bool tell = tmlrt__load_relaxed(&ch->waiting[CHAN__RECV]) != 0;
        tmlrt__latch_unlock(&ch->send.latch);
        if (r == TMLRT_OK && tell) chan__serve(ch, &ch->recv);
        if (r != CHAN__NEEDS_SEGMENT) return r;
        r = chan__bring_segment(ch);
        if (r != TMLRT_OK) return r;
    }
}

static int chan__try_recv(tmlrt_chan_t *ch, void *item) {
    chan__segment_t *old = NULL;
    tmlrt__latch_lock(&ch->recv.latch);
    int  r = chan__recv_here(ch, item, &old);
    bool tell = tmlrt__load_relaxed(&ch->waiting[CHAN__SEND]) != 0;
    tmlrt__latch_unlock(&ch->recv.latch);
    if (r == TMLRT_OK && tell) chan__serve(ch, &ch->send);
    chan__segment_free(ch, old);
    return r;
}

/* ---- the operations ------------------------------------------------------------------------ */

/* Both latches held: joins the queue of `side`. */
static void chan__enqueue(tmlrt_chan_t *ch, chan__side_t *side, tmlrt__op_t *op) {
    op->u.wait.granted = 0;
    tmlrt__op_arm(op, TMLRT__OP_SRC_ARMED);
    tmlrt__list_push_back(&side->queue, &op->u.wait.link);
    tmlrt__store_relaxed(&ch->waiting[side->id], 1);
}

static void chan__demand(tmlrt_chan_t *ch, int64_t change) {
    uint64_t demand = tmlrt__load_relaxed(&ch->demand) + (uint64_t)change;
    tmlrt__store_relaxed(&ch->demand, demand);
}

static int32_t chan__ready(tmlrt__op_t *op, int result) {
    op->result = result;
    return TMLRT_READY;
}

static int32_t send__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt_chan_t *ch = (tmlrt_chan_t *)op->u.wait.object;
    (void)cx;
    int r = chan__try_send(ch, op->u.wait.item);
    if (r != TMLRT_EAGAIN) return chan__ready(op, r);
    tmlrt__latch_lock(&ch->send.latch);
    tmlrt__latch_lock(&ch->recv.latch);
    r = chan__send_here(ch, op->u.wait.item); /* a chain always has room: not for want of that */
    if (r == TMLRT_EAGAIN) chan__enqueue(ch, &ch->send, op);
    bool tell = tmlrt__load_relaxed(&ch->waiting[CHAN__RECV]) != 0;
    tmlrt__latch_unlock(&ch->recv.latch);
    tmlrt__latch_unlock(&ch->send.latch);
    if (r == TMLRT_EAGAIN) return TMLRT_PENDING;
    if (tell) chan__serve(ch, &ch->recv);
    return chan__ready(op, r);
}

static int32_t recv__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt_chan_t    *ch = (tmlrt_chan_t *)op->u.wait.object;
    chan__segment_t *old = NULL;
    (void)cx;
    int r = chan__try_recv(ch, op->u.wait.item);
    if (r != TMLRT_EAGAIN) return chan__ready(op, r);
    tmlrt__latch_lock(&ch->send.latch);
    tmlrt__latch_lock(&ch->recv.latch);
    r = chan__recv_here(ch, op->u.wait.item, &old);
    if (r == TMLRT_EAGAIN) {
        chan__enqueue(ch, &ch->recv, op);
        chan__demand(ch, 1);
    }
    bool tell = tmlrt__load_relaxed(&ch->waiting[CHAN__SEND]) != 0;
    tmlrt__latch_unlock(&ch->recv.latch);
    tmlrt__latch_unlock(&ch->send.latch);
    if (tell) chan__serve(ch, &ch->send); /* waiting, too, it may be what a sender waits for */
    chan__segment_free(ch, old);
    return r == TMLRT_EAGAIN ? TMLRT_PENDING : chan__ready(op, r);
}

static int32_t send__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt_chan_t *ch = (tmlrt_chan_t *)op->u.wait.object;
    (void)cx;
    tmlrt__latch_lock(&ch->send.latch);
    if (op->result == TMLRT_OK) {
        ch->send.reserved--;
        if (tmlrt__load_relaxed(&ch->closed) != 0)
            op->result = TMLRT_ECLOSED;
        else
            chan__put(ch, op->u.wait.item);
    }
    bool tell = tmlrt__load_relaxed(&ch->waiting[CHAN__RECV]) != 0;
    tmlrt__latch_unlock(&ch->send.latch);
    if (tell) chan__serve(ch, &ch->recv);
    return TMLRT_READY;
}

static int32_t recv__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt_chan_t    *ch = (tmlrt_chan_t *)op->u.wait.object;
    chan__segment_t *old = NULL;
    (void)cx;
    tmlrt__latch_lock(&ch->recv.latch);
    chan__demand(ch, -1);
    if (op->result == TMLRT_OK) {
        ch->recv.reserved--;
        old = chan__get(ch, op->u.wait.item);
    }
    bool last = tmlrt__load_relaxed(&ch->waiting[CHAN__RECV]) != 0 && chan__is_closed(ch);
    bool tell = tmlrt__load_relaxed(&ch->waiting[CHAN__SEND]) != 0;
    tmlrt__latch_unlock(&ch->recv.latch);
    if (last) chan__serve(ch, &ch->recv); /* those behind it may now learn of the end */
    if (tell) chan__serve(ch, &ch->send);
    chan__segment_free(ch, old);
    return TMLRT_READY;
}

static int32_t chan__cancel(tmlrt__op_t *op, int reason) {
    tmlrt_chan_t *ch = (tmlrt_chan_t *)op->u.wait.object;
    chan__side_t *side = op->u.wait.word != 0 ? &ch->send : &ch->recv;
    tmlrt__latch_lock(&side->latch);
    if (side == &ch->recv) chan__demand(ch, -1);
    bool linked = op->u.wait.granted == 0;
    bool pass = !linked && op->result == TMLRT_OK;
    if (linked) {
        chan__dequeue(ch, side, op);
        tmlrt__op_disarm(op, TMLRT__OP_SRC_ARMED);
    } else if (pass) {
        side->reserved--;
    }
    tmlrt__latch_unlock(&side->latch);
    if (pass) chan__serve(ch, side);
    if (linked || pass) op->result = reason;
    return TMLRT_READY;
}

static const tmlrt__op_class_t send__class = {.waits_for = "channel send",
                                              .start = send__start,
                                              .resume = send__resume,
                                              .cancel = chan__cancel};
static const tmlrt__op_class_t recv__class = {.waits_for = "channel receive",
                                              .start = recv__start,
                                              .resume = recv__resume,
                                              .cancel = chan__cancel};

static bool chan__is_good(const tmlrt_chan_t *ch, const void *item) {
    return ch != NULL && (item != NULL || ch->item_size == 0);
}

static int chan__prepare(tmlrt_op_t *op, tmlrt_chan_t *ch, void *item, bool send) {
    if (!chan__is_good(ch, item)) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, send ? &send__class : &recv__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.wait.object = ch;
    tmlrt__op(op)->u.wait.item = item;
    tmlrt__op(op)->u.wait.word = send;
    return TMLRT_OK;
}

int tmlrt_op_send(tmlrt_op_t *op, tmlrt_chan_t *chan, const void *item) {
    return chan__prepare(op, chan, (void *)(uintptr_t)item, true);
}

int tmlrt_op_recv(tmlrt_op_t *op, tmlrt_chan_t *chan, void *item) {
    return chan__prepare(op, chan, item, false);
}

/* ---- the calls ----------------------------------------------------------------------------- */

int tmlrt_chan_send_until(tmlrt_chan_t *chan, const void *item, int64_t deadline) {
    if (!chan__is_good(chan, item)) return TMLRT_EINVAL;
    if (tmlrt__call_tries()) {
        int r = chan__try_send(chan, item);
        if (r != TMLRT_EAGAIN) return r;
    }
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_send(&op, chan, item);
    return (int)tmlrt__call_await(&op, deadline);
}

int tmlrt_chan_recv_until(tmlrt_chan_t *chan, void *item, int64_t deadline) {
    if (!chan__is_good(chan, item)) return TMLRT_EINVAL;
    if (tmlrt__call_tries()) {
        int r = chan__try_recv(chan, item);
        if (r != TMLRT_EAGAIN) return r;
    }
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_recv(&op, chan, item);
    return (int)tmlrt__call_await(&op, deadline);
}

int tmlrt_chan_send(tmlrt_chan_t *chan, const void *item) {
    return tmlrt_chan_send_until(chan, item, TMLRT_NEVER);
}

int tmlrt_chan_recv(tmlrt_chan_t *chan, void *item) {
    return tmlrt_chan_recv_until(chan, item, TMLRT_NEVER);
}

int tmlrt_chan_try_send(tmlrt_chan_t *chan, const void *item) {
    return chan__is_good(chan, item) ? chan__try_send(chan, item) : TMLRT_EINVAL;
}

int tmlrt_chan_try_recv(tmlrt_chan_t *chan, void *item) {
    return chan__is_good(chan, item) ? chan__try_recv(chan, item) : TMLRT_EINVAL;
}

int64_t tmlrt_chan_length(tmlrt_chan_t *chan) {
    if (chan == NULL) return TMLRT_EINVAL;
    int64_t out = (int64_t)tmlrt__load_relaxed(&chan->recv.index);
    int64_t in = (int64_t)tmlrt__load_relaxed(&chan->send.index);
    return in > out ? in - out : 0;
}

/* ---- making and ending --------------------------------------------------------------------- */

int tmlrt_chan_close(tmlrt_chan_t *ch) {
    if (ch == NULL) return TMLRT_EINVAL;
    tmlrt__latch_lock(&ch->send.latch);
    bool closed = tmlrt__load_relaxed(&ch->closed) != 0;
    /* release: publishes the final index of the send side; pairs [CH-2] */
    tmlrt__store_release(&ch->closed, 1);
    tmlrt__latch_unlock(&ch->send.latch);
    if (closed) return TMLRT_EALREADY;
    chan__serve(ch, &ch->send);
    chan__serve(ch, &ch->recv);
    return TMLRT_OK;
}

static void chan__side_make(chan__side_t *side, uint32_t id, chan__segment_t *segment,
                            uint64_t ahead) {
    tmlrt__atomic_make(&side->latch.held, 0);
    side->id = id;
    tmlrt__atomic_make(&side->index, 0);
    side->seen = 0;
    side->ahead = ahead;
    side->reserved = 0;
    side->segment = segment;
    side->pos = 0;
    tmlrt__list_init(&side->queue);
}

static void chan__side_end(chan__side_t *side) {
    tmlrt__atomic_unmake(&side->latch.held);
    tmlrt__atomic_unmake(&side->index);
}

/* How large the segments are; false when that cannot be. */
static bool chan__lay_out(tmlrt_chan_t *ch, size_t item_size, size_t capacity) {
    ch->item_size = item_size;
    ch->chain = capacity == TMLRT_CHAN_UNBOUNDED;
    ch->rendezvous = capacity == 0;
    ch->segment_items = ch->rendezvous ? 1 : capacity;
    if (ch->chain) {
        ch->segment_items = CHAN__CHAIN_BYTES / (item_size != 0 ? item_size : 1);
        if (ch->segment_items < CHAN__CHAIN_MIN) ch->segment_items = CHAN__CHAIN_MIN;
    }
    size_t most = PTRDIFF_MAX - sizeof(chan__segment_t);
    if (item_size != 0 && ch->segment_items > most / item_size) return false;
    ch->bytes = sizeof(chan__segment_t) + ch->segment_items * item_size;
    return true;
}

int tmlrt_chan_create(tmlrt_chan_t **out, size_t item_size, size_t capacity) {
    if (out == NULL) return TMLRT_EINVAL;
    tmlrt_chan_t *ch =
        (tmlrt_chan_t *)tmlrt__mem_get(&tmlrt__mem_default, sizeof *ch, TMLRT__CACHE_LINE);
    if (ch == NULL) return TMLRT_ENOMEM;
    chan__segment_t *s = chan__lay_out(ch, item_size, capacity) ? chan__segment_make(ch) : NULL;
    if (s == NULL) {
        tmlrt__mem_put(&tmlrt__mem_default, ch, sizeof *ch, TMLRT__CACHE_LINE);
        return TMLRT_ENOMEM;
    }
    tmlrt__atomic_make(&ch->refs, 1);
    tmlrt__atomic_make(&ch->closed, 0);
    tmlrt__atomic_make(&ch->demand, 0);
    ch->spare = NULL;
    tmlrt__atomic_make(&ch->waiting[CHAN__SEND], 0);
    tmlrt__atomic_make(&ch->waiting[CHAN__RECV], 0);
    chan__side_make(&ch->send, CHAN__SEND, s, ch->chain ? UINT64_MAX / 2 : ch->segment_items);
    chan__side_make(&ch->recv, CHAN__RECV, s, 0);
    *out = ch;
    return TMLRT_OK;
}

tmlrt_chan_t *tmlrt_chan_retain(tmlrt_chan_t *chan) {
    if (chan != NULL) tmlrt__fetch_add_relaxed(&chan->refs, 1);
    return chan;
}

void tmlrt_chan_release(tmlrt_chan_t *ch) {
    if (ch == NULL) return;
    /* release: our use is over; acquire: so is everybody's; pairs [CH-3] */
    if (tmlrt__fetch_sub_acq_rel(&ch->refs, 1) != 1) return;
    chan__segment_t *next = ch->recv.segment;
    do {
        chan__segment_t *s = next;
        next = ch->chain ? s->next : NULL;
        chan__segment_free(ch, s);
    } while (next != NULL);
    chan__segment_free(ch, ch->spare);
    chan__side_end(&ch->send);
    chan__side_end(&ch->recv);
    tmlrt__atomic_unmake(&ch->refs);
    tmlrt__atomic_unmake(&ch->closed);
    tmlrt__atomic_unmake(&ch->demand);
    tmlrt__atomic_unmake(&ch->waiting[CHAN__SEND]);
    tmlrt__atomic_unmake(&ch->waiting[CHAN__RECV]);
    tmlrt__mem_put(&tmlrt__mem_default, ch, sizeof *ch, TMLRT__CACHE_LINE);
}
