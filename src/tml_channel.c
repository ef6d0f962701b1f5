/* SPDX-License-Identifier: MIT */
/*
 * tml_channel.c: the bounded channel of TML's old runtime: a ring of items under a latch, and who
 * found it full or empty. Whoever changes it wakes all of the other side: a try costs them little,
 * and nobody who was chosen can die with the wake.
 */
#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "alloc.h"
#include "tml_task.h"

struct TmlChannel {
    tmlrt__latch_t       latch; /* guards all below but what is constant */
    unsigned char       *ring;  /* constant, as the next two; NULL: no bytes */
    size_t               capacity, item_size;
    size_t               head, count;
    tmlrt__tml_waiters_t senders, receivers;
    bool                 closed;
};

TmlChannel *tml_channel_new(size_t capacity, size_t item_size) {
    if (item_size != 0 && capacity > PTRDIFF_MAX / item_size) return NULL;
    TmlChannel *c = tmlrt__mem_zero(&tmlrt__mem_default, sizeof *c, alignof(TmlChannel));
    if (c == NULL) return NULL;
    c->capacity = capacity;
    c->item_size = item_size;
    if (capacity * item_size == 0) return c;
    c->ring = tmlrt__mem_get(&tmlrt__mem_default, capacity * item_size, TMLRT__ALIGN_MAX);
    if (c->ring != NULL) return c;
    tmlrt__mem_put(&tmlrt__mem_default, c, sizeof *c, alignof(TmlChannel));
    return NULL;
}

void tml_channel_destroy(TmlChannel *c) {
    if (c == NULL) return;
    tml_channel_close(c);
    if (c->ring != NULL)
        tmlrt__mem_put(&tmlrt__mem_default, c->ring, c->capacity * c->item_size, TMLRT__ALIGN_MAX);
    tmlrt__mem_put(&tmlrt__mem_default, c, sizeof *c, alignof(TmlChannel));
}

static unsigned char *channel__slot(const TmlChannel *c, size_t i) {
    size_t at = c->head + i; /* both at most the capacity, which is far below half of SIZE_MAX */
    return c->ring + (at < c->capacity ? at : at - c->capacity) * c->item_size;
}

/* Under the latch: 1 done, 0 would block, -1 closed. */
static int32_t channel__send(TmlChannel *c, const void *value) {
    if (c->closed) return -1;
    if (c->count == c->capacity) return 0;
    if (c->ring != NULL) memcpy(channel__slot(c, c->count), value, c->item_size);
    c->count++;
    return 1;
}

static int32_t channel__recv(TmlChannel *c, void *value) {
    if (c->count == 0) return c->closed ? -1 : 0;
    if (c->ring != NULL) memcpy(value, channel__slot(c, 0), c->item_size);
    c->head = c->head + 1 < c->capacity ? c->head + 1 : 0;
    c->count--;
    return 1;
}

/* Tries; where it would block it tries again with a waiter in the hand, so that no change between
 * the two is missed. */
static int32_t channel__try(TmlChannel *c, const void *from, void *to) {
    tmlrt__tml_waiter_t  *waiter = NULL, *woken = NULL;
    tmlrt__tml_waiters_t *same = from != NULL ? &c->senders : &c->receivers;
    tmlrt__tml_waiters_t *other = from != NULL ? &c->receivers : &c->senders;
    int32_t               r;
    for (;;) {
        tmlrt__latch_lock(&c->latch);
        r = from != NULL ? channel__send(c, from) : channel__recv(c, to);
        if (r == 1) woken = tmlrt__tml_waiters_take(other);
        if (r == 0 && waiter != NULL && tmlrt__tml_waiter_add(same, waiter)) {
            waiter = NULL;
            tmlrt__tml_waiters_sweep(same, &c->latch);
            tmlrt__latch_unlock(&c->latch);
            break;
        }
        tmlrt__latch_unlock(&c->latch);
        if (r != 0 || waiter != NULL) break;
        waiter = tmlrt__tml_waiter_new(NULL);
        if (waiter == NULL) break;
    }
    tmlrt__tml_waiter_free(waiter);
    tmlrt__tml_waiters_wake(woken);
    return r;
}

int32_t tml_channel_try_send(TmlChannel *c, const void *value) {
    static const char nothing;
    if (c == NULL || (value == NULL && c->item_size != 0)) return -1;
    return channel__try(c, value != NULL ? value : &nothing, NULL);
}

int32_t tml_channel_try_recv(TmlChannel *c, void *value_out) {
    if (c == NULL || (value_out == NULL && c->item_size != 0)) return -1;
    return channel__try(c, NULL, value_out);
}

void tml_channel_close(TmlChannel *c) {
    if (c == NULL) return;
    tmlrt__latch_lock(&c->latch);
    c->closed = true;
    tmlrt__tml_waiter_t *senders = tmlrt__tml_waiters_take(&c->senders);
    tmlrt__tml_waiter_t *receivers = tmlrt__tml_waiters_take(&c->receivers);
    tmlrt__latch_unlock(&c->latch);
    tmlrt__tml_waiters_wake(senders);
    tmlrt__tml_waiters_wake(receivers);
}

static size_t channel__count(const TmlChannel *c) {
    TmlChannel *open = (TmlChannel *)(uintptr_t)c; /* the latch is the only thing that changes */
    tmlrt__latch_lock(&open->latch);
    size_t n = open->count;
    tmlrt__latch_unlock(&open->latch);
    return n;
}

int32_t tml_channel_is_empty(const TmlChannel *c) {
    return c != NULL && channel__count(c) == 0;
}

int32_t tml_channel_is_full(const TmlChannel *c) {
    return c != NULL && channel__count(c) == c->capacity;
}
