/* SPDX-License-Identifier: MIT */
/*
 * notify.c: tmlrt_notify_t, a waitlist with at most one stored permit.
 *
 * u.wait.word of an operation is the count of notify_all calls at its preparation, so that one that
 * comes between that and the start is not missed; and, once notify_one has chosen it, GRANTED, so
 * that a cancelled operation passes the grant on.
 *
 * notify_all fires all who wait in one entry: whoever has been told may free the object, so that it
 * cannot come back for more. Without memory for that it fires some. Those it left stand before all
 * others, with a count that is over; those it fired (u.wait.granted) let them go on when they resume,
 * some each, as at a gate.
 */
#include <tmlrt/notify.h>

#include "call.h"
#include "waitlist.h"

_Static_assert(sizeof(tmlrt__waitlist_t) <= sizeof(tmlrt_notify_t), "it fits the public type");

#define NOTIFY__GRANTED UINT64_MAX
#define NOTIFY__BATCH   32u

static tmlrt__waitlist_t *notify__list(tmlrt_notify_t *n) {
    return (tmlrt__waitlist_t *)(void *)n;
}

static bool notify__is_over(tmlrt__waitlist_t *wl, const tmlrt__op_t *op) {
    return op->u.wait.word != tmlrt__load_relaxed(&wl->rounds);
}

/* Latch held: takes out the oldest who has not been let go on by a notify_all; NULL: nobody. */
static tmlrt__op_t *notify__pop(tmlrt__waitlist_t *wl) {
    tmlrt__op_t *op = tmlrt__waitlist_first(wl);
    while (op != NULL && notify__is_over(wl, op))
        op = tmlrt__waitlist_after(wl, op);
    if (op != NULL) tmlrt__list_remove(&op->u.wait.link);
    return op;
}

static void notify__one(tmlrt__waitlist_t *wl) {
    tmlrt__wake_t wake = 0;
    tmlrt__latch_lock(&wl->latch);
    tmlrt__op_t *op = notify__pop(wl);
    if (op != NULL) {
        op->result = TMLRT_OK;
        op->u.wait.word = NOTIFY__GRANTED;
        wake = tmlrt__op_fire(op, TMLRT__OP_SRC_ARMED);
    } else {
        wl->permits = 1;
    }
    tmlrt__latch_unlock(&wl->latch);
    tmlrt__wake_run(wake);
}

/* Latch held: fires up to `room` of those who have been let go on; returns how many. pass: there may
 * be more, whom they are to fire. */
static size_t notify__fire(tmlrt__waitlist_t *wl, tmlrt__wake_t *wakes, size_t room, bool pass) {
    size_t       n = 0;
    tmlrt__op_t *op;
    while (n < room && (op = tmlrt__waitlist_first(wl)) != NULL && notify__is_over(wl, op)) {
        tmlrt__waitlist_pop(wl);
        op->result = TMLRT_OK;
        op->u.wait.granted = pass;
        wakes[n++] = tmlrt__op_fire(op, TMLRT__OP_SRC_ARMED);
    }
    return n;
}

static void notify__run(const tmlrt__wake_t *wakes, size_t n) {
    for (size_t i = 0; i < n; i++)
        tmlrt__wake_run(wakes[i]);
}

/* In an operation that was fired: some of those who were left. */
static void notify__pass(tmlrt__waitlist_t *wl) {
    tmlrt__wake_t wakes[NOTIFY__BATCH];
    tmlrt__latch_lock(&wl->latch);
    size_t n = notify__fire(wl, wakes, NOTIFY__BATCH, true);
    tmlrt__latch_unlock(&wl->latch);
    notify__run(wakes, n);
}

static void notify__all(tmlrt__waitlist_t *wl) {
    tmlrt__wake_t  few[NOTIFY__BATCH];
    tmlrt__wake_t *wakes = few;
    size_t         room = NOTIFY__BATCH;
    bool           memory = true;
    tmlrt__latch_lock(&wl->latch);
    for (size_t n; memory && (n = tmlrt__waitlist_length(wl)) > room;) {
        tmlrt__latch_unlock(&wl->latch);
        if (wakes != few) tmlrt__mem_put(&tmlrt__mem_default, wakes, room * sizeof *wakes, 16);
        room = 2 * n;
        wakes = (tmlrt__wake_t *)tmlrt__mem_get(&tmlrt__mem_default, room * sizeof *wakes, 16);
        memory = wakes != NULL;
        if (!memory) {
            wakes = few;
            room = NOTIFY__BATCH;
        }
        tmlrt__latch_lock(&wl->latch);
    }
    tmlrt__waitlist_new_round(wl);
    size_t n = notify__fire(wl, wakes, room, !memory);
    tmlrt__latch_unlock(&wl->latch);
    notify__run(wakes, n);
    if (wakes != few) tmlrt__mem_put(&tmlrt__mem_default, wakes, room * sizeof *wakes, 16);
}

static int32_t notify__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__waitlist_t *wl = op->u.wait.object;
    (void)cx;
    op->result = TMLRT_OK;
    tmlrt__latch_lock(&wl->latch);
    bool granted = tmlrt__load_relaxed(&wl->rounds) != op->u.wait.word;
    if (!granted && wl->permits != 0) {
        wl->permits = 0;
        granted = true;
    }
    if (!granted) tmlrt__waitlist_add(wl, op);
    tmlrt__latch_unlock(&wl->latch);
    return granted ? TMLRT_READY : TMLRT_PENDING;
}

/* A waiter that has been told may free `notify` at once. */
static int32_t notify__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    if (op->u.wait.granted != 0)
        notify__pass(op->u.wait.object);
    else
        tmlrt__waitlist_settle(op->u.wait.object);
    return TMLRT_READY;
}

static int32_t notify__cancel(tmlrt__op_t *op, int reason) {
    tmlrt__waitlist_t *wl = op->u.wait.object;
    if (!tmlrt__waitlist_remove(wl, op)) {
        tmlrt__op_ctl(op); /* observes the fire */
        if (op->u.wait.word == NOTIFY__GRANTED) notify__one(wl);
        if (op->u.wait.granted != 0) notify__pass(wl);
    }
    op->result = reason;
    return TMLRT_READY;
}

static const tmlrt__op_class_t notify__class = {.waits_for = "notify",
                                                .start = notify__start,
                                                .resume = notify__resume,
                                                .cancel = notify__cancel};

int tmlrt_op_notified(tmlrt_op_t *op, tmlrt_notify_t *notify) {
    if (notify == NULL) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &notify__class);
    if (e != TMLRT_OK) return e;
    tmlrt__waitlist_t *wl = notify__list(notify);
    tmlrt__op(op)->u.wait.object = wl;
    tmlrt__op(op)->u.wait.word = tmlrt__waitlist_rounds(wl);
    return TMLRT_OK;
}

int tmlrt_notify_one(tmlrt_notify_t *notify) {
    if (notify == NULL) return TMLRT_EINVAL;
    notify__one(notify__list(notify));
    return TMLRT_OK;
}

int tmlrt_notify_all(tmlrt_notify_t *notify) {
    if (notify == NULL) return TMLRT_EINVAL;
    notify__all(notify__list(notify));
    return TMLRT_OK;
}

/* Takes what a first poll would, without an operation. */
static bool notify__take(tmlrt__waitlist_t *wl) {
    tmlrt__latch_lock(&wl->latch);
    bool taken = wl->permits != 0;
    wl->permits = 0;
    tmlrt__latch_unlock(&wl->latch);
    return taken;
}

int tmlrt_notified_until(tmlrt_notify_t *notify, int64_t deadline) {
    if (notify == NULL) return TMLRT_EINVAL;
    if (tmlrt__call_tries() && notify__take(notify__list(notify))) return TMLRT_OK;
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_notified(&op, notify);
    return (int)tmlrt__call_await(&op, deadline);
}

int tmlrt_notified(tmlrt_notify_t *notify) {
    return tmlrt_notified_until(notify, TMLRT_NEVER);
}
