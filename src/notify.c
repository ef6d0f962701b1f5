/* SPDX-License-Identifier: MIT */
/*
 * notify.c: tmlrt_notify_t, a waitlist with at most one stored permit.
 *
 * u.wait.word of an operation is the count of notify_all calls at its preparation, so that one that
 * comes between that and the start is not missed; and, once notify_one has chosen it, GRANTED, so
 * that a cancelled operation passes the grant on.
 */
#include <tmlrt/notify.h>

#include "call.h"
#include "waitlist.h"

_Static_assert(sizeof(tmlrt__waitlist_t) <= sizeof(tmlrt_notify_t), "it fits the public type");

#define NOTIFY__GRANTED UINT64_MAX

static tmlrt__waitlist_t *notify__list(tmlrt_notify_t *n) {
    return (tmlrt__waitlist_t *)(void *)n;
}

static void notify__one(tmlrt__waitlist_t *wl) {
    tmlrt__wake_t wake = 0;
    tmlrt__latch_lock(&wl->latch);
    tmlrt__op_t *op = tmlrt__waitlist_pop(wl);
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
    tmlrt__waitlist_settle(op->u.wait.object);
    return TMLRT_READY;
}

static int32_t notify__cancel(tmlrt__op_t *op, int reason) {
    tmlrt__waitlist_t *wl = op->u.wait.object;
    if (!tmlrt__waitlist_remove(wl, op)) {
        tmlrt__op_ctl(op); /* observes the fire */
        if (op->u.wait.word == NOTIFY__GRANTED) notify__one(wl);
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
    tmlrt__waitlist_fire_all(notify__list(notify), TMLRT_OK);
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
