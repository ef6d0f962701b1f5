/* SPDX-License-Identifier: MIT */
/*
 * token.c: cancellation tokens. A tree: a child holds a reference of its parent, the parent lists
 * its children without one. Whoever cancels takes each child out of the list with a reference of its
 * own, unless the child is being freed, and works them off from a list, so that a deep tree needs no
 * stack.
 *
 * Lock order: none is taken inside another. A parent's latch guards the list of its children and
 * each child's `linked`; its waiters and the set of its flag have the same latch (waitlist.h).
 */
#include <tmlrt/token.h>

#include "call.h"
#include "os.h"
#include "waitlist.h"

struct tmlrt_token {
    tmlrt__waitlist_t waiters;
    tmlrt__atomic_u32 cancelled; /* set once, under the latch; any thread reads */
    tmlrt__atomic_u32 refs;
    tmlrt_token_t    *parent;   /* constant; a reference */
    tmlrt__list_t     children; /* under the latch; `sibling` of each */
    tmlrt__list_t     sibling;  /* under the parent's latch; unlinked: the parent is cancelled */
    tmlrt_token_t    *todo;     /* of the canceller that took it from its parent */
};

int tmlrt_token_create(tmlrt_token_t **out, tmlrt_token_t *parent) {
    if (out == NULL) return TMLRT_EINVAL;
    tmlrt_token_t *t =
        (tmlrt_token_t *)tmlrt__mem_zero(&tmlrt__mem_default, sizeof *t, _Alignof(tmlrt_token_t));
    if (t == NULL) return TMLRT_ENOMEM;
    tmlrt__atomic_make(&t->waiters.latch.held, 0);
    tmlrt__atomic_make(&t->waiters.rounds, 0);
    tmlrt__atomic_make(&t->cancelled, 0);
    tmlrt__atomic_make(&t->refs, 1);
    tmlrt__list_init(&t->children);
    t->parent = tmlrt_token_retain(parent);
    if (parent != NULL) {
        tmlrt__latch_lock(&parent->waiters.latch);
        if (tmlrt__load_relaxed(&parent->cancelled) != 0)
            tmlrt__store_relaxed(&t->cancelled, 1);
        else
            tmlrt__list_push_back(&parent->children, &t->sibling);
        tmlrt__latch_unlock(&parent->waiters.latch);
    }
    *out = t;
    return TMLRT_OK;
}

tmlrt_token_t *tmlrt_token_retain(tmlrt_token_t *token) {
    if (token != NULL) tmlrt__fetch_add_relaxed(&token->refs, 1);
    return token;
}

/* Under the parent's latch: false when it is being freed. */
static bool token__try_ref(tmlrt_token_t *t) {
    uint32_t refs = tmlrt__load_relaxed(&t->refs);
    do {
        if (refs == 0) return false;
    } while (!tmlrt__cas_weak_relaxed(&t->refs, &refs, refs + 1));
    return true;
}

static void token__free(tmlrt_token_t *t) {
    tmlrt__atomic_unmake(&t->waiters.latch.held);
    tmlrt__atomic_unmake(&t->waiters.rounds);
    tmlrt__atomic_unmake(&t->cancelled);
    tmlrt__atomic_unmake(&t->refs);
    tmlrt__mem_put(&tmlrt__mem_default, t, sizeof *t, _Alignof(tmlrt_token_t));
}

void tmlrt_token_release(tmlrt_token_t *token) {
    while (token != NULL) {
        tmlrt_token_t *parent = token->parent;
        /* release: our use is over; acquire: so is everybody's; pairs [TOK-1] */
        if (tmlrt__fetch_sub_acq_rel(&token->refs, 1) != 1) return;
        if (parent != NULL) {
            tmlrt__latch_lock(&parent->waiters.latch);
            if (tmlrt__list_is_linked(&token->sibling)) tmlrt__list_remove(&token->sibling);
            tmlrt__latch_unlock(&parent->waiters.latch);
        }
        token__free(token);
        token = parent; /* its reference of the parent goes with it */
    }
}

/* Sets the flag and takes the children over, referenced, to *todo. False: it was set. */
static bool token__set(tmlrt_token_t *t, tmlrt_token_t **todo) {
    tmlrt__latch_lock(&t->waiters.latch);
    bool first = tmlrt__load_relaxed(&t->cancelled) == 0;
    /* release: what the canceller wrote before; pairs [TOK-2] */
    tmlrt__store_release(&t->cancelled, 1);
    tmlrt__list_t *node;
    while (first && (node = tmlrt__list_pop_front(&t->children)) != NULL) {
        tmlrt_token_t *child = TMLRT__CONTAINER_OF(node, tmlrt_token_t, sibling);
        if (!token__try_ref(child)) continue;
        child->todo = *todo;
        *todo = child;
    }
    tmlrt__latch_unlock(&t->waiters.latch);
    return first;
}

int tmlrt_token_cancel(tmlrt_token_t *token) {
    if (token == NULL) return TMLRT_EINVAL;
    tmlrt_token_t *todo = NULL;
    if (!token__set(token, &todo)) return TMLRT_EALREADY;
    tmlrt_token_retain(token); /* who is told may release the one that we were called with */
    tmlrt__waitlist_fire_all(&token->waiters, TMLRT_OK);
    while (todo != NULL) {
        tmlrt_token_t *t = todo;
        todo = t->todo;
        if (token__set(t, &todo)) tmlrt__waitlist_fire_all(&t->waiters, TMLRT_OK);
        tmlrt_token_release(t);
    }
    tmlrt_token_release(token);
    return TMLRT_OK;
}

static bool token__is_cancelled(const tmlrt_token_t *t) {
    /* acquire: what the canceller wrote before; pairs [TOK-2] */
    return tmlrt__load_acquire((tmlrt__atomic_u32 *)&t->cancelled) != 0;
}

int tmlrt_token_is_cancelled(const tmlrt_token_t *token) {
    return token != NULL ? token__is_cancelled(token) : TMLRT_EINVAL;
}

/* ---- the operation ------------------------------------------------------------------------------ */

static int32_t token__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt_token_t *t = (tmlrt_token_t *)op->u.wait.object;
    (void)cx;
    op->result = TMLRT_OK;
    if (token__is_cancelled(t)) return TMLRT_READY;
    tmlrt__latch_lock(&t->waiters.latch);
    /* Under the latch: set by now, or the fire that follows the set finds us. */
    bool waits = tmlrt__load_relaxed(&t->cancelled) == 0;
    if (waits) tmlrt__waitlist_add(&t->waiters, op);
    tmlrt__latch_unlock(&t->waiters.latch);
    return waits ? TMLRT_PENDING : TMLRT_READY;
}

static int32_t token__cancel(tmlrt__op_t *op, int reason) {
    if (tmlrt__waitlist_remove((tmlrt__waitlist_t *)op->u.wait.object, op))
        op->result = reason;
    else
        tmlrt__op_ctl(op); /* observes the fire: it had won */
    return TMLRT_READY;
}

static const tmlrt__op_class_t token__class = {
    .waits_for = "token", .start = token__start, .cancel = token__cancel};

int tmlrt_op_token(tmlrt_op_t *op, tmlrt_token_t *token) {
    if (token == NULL) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &token__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.wait.object = token;
    return TMLRT_OK;
}

int tmlrt_token_wait_until(tmlrt_token_t *token, int64_t deadline) {
    if (token == NULL) return TMLRT_EINVAL;
    if (tmlrt__call_tries() && token__is_cancelled(token)) return TMLRT_OK;
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_token(&op, token);
    return (int)tmlrt__call_await(&op, deadline);
}

int tmlrt_token_wait(tmlrt_token_t *token) {
    return tmlrt_token_wait_until(token, TMLRT_NEVER);
}
