/* SPDX-License-Identifier: MIT */
/*
 * op_compose.c: operations made of operations: any, all, future; and yield.
 *
 * They have no source of their own: they are resumed at every poll of their owner (class flag
 * `always`) and poll what they are made of with the same context, so that its end wakes the owner
 * directly. The children are linked into the owner's list like any other operation, which is how a
 * drain finds them; a set in flight just remembers which array it watches.
 */
#include "chance.h"
#include "op.h"
#include "task.h"

/* ---- sets ----------------------------------------------------------------------------------- */

/* One that was never prepared has nothing to end. */
static bool set__is_ended(tmlrt_op_t *child) {
    uint8_t phase = tmlrt__op(child)->phase;
    return phase == TMLRT__OP_ENDED || phase == TMLRT__OP_IDLE;
}

/* Asks every child to end; READY when all have. `cx`, where there is one, is who waits for that. */
static int32_t set__cancel_all(const tmlrt__op_t *op, tmlrt_cx_t *cx) {
    int32_t r = TMLRT_READY;
    for (size_t i = 0; i < op->u.set.n; i++) {
        tmlrt_op_t *child = op->u.set.ops[i];
        if (set__is_ended(child)) continue;
        tmlrt_op_cancel(child);
        if (set__is_ended(child)) continue;
        if (cx == NULL || tmlrt_op_poll(child, cx) != TMLRT_READY) r = TMLRT_PENDING;
    }
    return r;
}

static int32_t set__cancel(tmlrt__op_t *op, int reason) {
    if (set__cancel_all(op, NULL) != TMLRT_READY) return TMLRT_PENDING;
    bool won = op->u.set.winner < op->u.set.n;
    op->result = won ? (int64_t)op->u.set.winner : reason;
    return TMLRT_READY;
}

static const tmlrt__host_t *set__about(const tmlrt__op_t *op) {
    for (size_t i = 0; i < op->u.set.n; i++) {
        const tmlrt__op_t *child = tmlrt__op(op->u.set.ops[i]);
        if (child->phase == TMLRT__OP_ENDED) continue;
        const tmlrt__host_t *host = child->cls != NULL ? tmlrt__op_about(child) : NULL;
        if (host != NULL) return host;
    }
    return NULL;
}

static void set__each(const tmlrt__op_t *op, tmlrt__op_visit_t visit, void *ctx) {
    for (size_t i = 0; i < op->u.set.n; i++)
        visit(tmlrt__op(op->u.set.ops[i]), ctx);
}

/* Which one is looked at first: the first, or in a replay any. */
static size_t set__first(size_t n) {
    return n <= UINT32_MAX ? tmlrt__chance_below(tmlrt__current()->chance, (uint32_t)n) : 0;
}

static int32_t any__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    size_t n = op->u.set.n, first = set__first(n);
    for (size_t k = 0; k < n && op->u.set.winner == n; k++) {
        size_t i = first + k < n ? first + k : first + k - n;
        if (tmlrt_op_poll(op->u.set.ops[i], cx) == TMLRT_READY) op->u.set.winner = i;
    }
    if (op->u.set.winner == n || set__cancel_all(op, cx) != TMLRT_READY) return TMLRT_PENDING;
    op->result = (int64_t)op->u.set.winner;
    return TMLRT_READY;
}

static int32_t all__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    int32_t r = TMLRT_READY;
    for (size_t i = 0; i < op->u.set.n; i++)
        if (tmlrt_op_poll(op->u.set.ops[i], cx) != TMLRT_READY) r = TMLRT_PENDING;
    op->result = TMLRT_OK;
    return r;
}

static const tmlrt__op_class_t any__class = {.waits_for = "any",
                                             .start = any__resume,
                                             .resume = any__resume,
                                             .cancel = set__cancel,
                                             .about = set__about,
                                             .each = set__each,
                                             .always = true};
static const tmlrt__op_class_t all__class = {.waits_for = "all",
                                             .start = all__resume,
                                             .resume = all__resume,
                                             .cancel = set__cancel,
                                             .about = set__about,
                                             .each = set__each,
                                             .always = true};

static int set__prepare(tmlrt_op_t *op, const tmlrt__op_class_t *cls, tmlrt_op_t *const *ops,
                        size_t n, size_t least) {
    if (n < least || (n > 0 && ops == NULL)) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    for (size_t i = 0; i < n; i++)
        if (ops[i] == NULL || ops[i] == op) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, cls);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.set.ops = ops;
    tmlrt__op(op)->u.set.n = n;
    tmlrt__op(op)->u.set.winner = n;
    return TMLRT_OK;
}

int tmlrt_op_any(tmlrt_op_t *op, tmlrt_op_t *const *ops, size_t n) {
    return set__prepare(op, &any__class, ops, n, 1);
}

int tmlrt_op_all(tmlrt_op_t *op, tmlrt_op_t *const *ops, size_t n) {
    return set__prepare(op, &all__class, ops, n, 0);
}

/* ---- future --------------------------------------------------------------------------------- */

enum { FUTURE__POLL, FUTURE__DRAIN };

/* Ends the state once its operations have ended. */
static int32_t future__finish(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    if (tmlrt__op_list_drain(&op->u.future.ops, cx, NULL, 0) != TMLRT_READY) return TMLRT_PENDING;
    const tmlrt_task_type_t *type = op->u.future.type;
    tmlrt__current_t        *cur = tmlrt__current();
    cur->busy++;
    if (type->drop != NULL) type->drop(op->u.future.state);
    cur->busy--;
    return TMLRT_READY;
}

static int32_t future__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    if (op->u.future.stage == FUTURE__POLL) {
        tmlrt_cx_t inner = *cx;
        inner.reserved[0] = &op->u.future.ops;
        tmlrt__current()->busy++; /* it is stackless, also where a fiber or a thread polls it */
        int32_t r =
            tmlrt__type_poll(op->u.future.type, op->u.future.state, &inner, op->u.future.value);
        tmlrt__current()->busy--;
        if (r == TMLRT_PENDING) return TMLRT_PENDING;
        op->result = r == TMLRT_READY ? TMLRT_OK : TMLRT_EPANIC;
        op->u.future.stage = FUTURE__DRAIN;
    }
    return future__finish(op, cx);
}

static void future__each(const tmlrt__op_t *op, tmlrt__op_visit_t visit, void *ctx) {
    for (tmlrt__op_t *child = op->u.future.ops.first, *next; child != NULL; child = next) {
        next = child->next; /* the visit may end it; only expire does, one at a time */
        visit(child, ctx);
    }
}

static int32_t future__cancel(tmlrt__op_t *op, int reason) {
    if (op->u.future.stage == FUTURE__POLL) {
        op->result = reason;
        op->u.future.stage = FUTURE__DRAIN;
    }
    return future__finish(op, NULL);
}

static const tmlrt__op_class_t future__class = {.waits_for = "future",
                                                .start = future__resume,
                                                .resume = future__resume,
                                                .cancel = future__cancel,
                                                .each = future__each,
                                                .always = true};

int tmlrt_op_future(tmlrt_op_t *op, const tmlrt_task_type_t *type, void *state, void *result) {
    if (tmlrt__type_check(type) != TMLRT_OK || (state == NULL && type->state_size != 0) ||
        (result == NULL && type->result_size != 0))
        return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &future__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.future.type = type;
    tmlrt__op(op)->u.future.state = state;
    tmlrt__op(op)->u.future.value = result;
    return TMLRT_OK;
}

/* ---- yield ---------------------------------------------------------------------------------- */

static int32_t yield__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    op->result = TMLRT_OK;
    tmlrt__task_again(cx);
    return TMLRT_PENDING;
}

static const tmlrt__op_class_t yield__class = {
    .waits_for = "yield", .start = yield__start, .always = true};

int tmlrt_op_yield(tmlrt_op_t *op) {
    return tmlrt__op_prepare(op, &yield__class);
}
