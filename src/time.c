/* SPDX-License-Identifier: MIT */
/*
 * time.c: sleeps and intervals: operations whose timer is their purpose (class flag timer_is_end).
 * A user's deadline on one is folded into the timer at the start, with the result that it gives.
 */
#include <tmlrt/notify.h>
#include <tmlrt/time.h>

#include "call.h"
#include "op.h"
#include "os.h"
#include "task.h"

enum { TIME__RELATIVE, TIME__ABSOLUTE };

typedef struct time__interval {
    tmlrt__host_t *host;
    int64_t        next; /* when the next tick is due */
    int64_t        period;
    int64_t        missed; /* TMLRT_MISSED_* */
} time__interval_t;

_Static_assert(sizeof(time__interval_t) <= sizeof(tmlrt_interval_t), "it fits the public type");

static int64_t time__add(int64_t a, int64_t b) {
    return a > INT64_MAX - b ? INT64_MAX : a + b; /* b >= 0 */
}

int64_t tmlrt_now(tmlrt_runtime_t *rt) {
    tmlrt__host_t *host = tmlrt__host_or_current((tmlrt__host_t *)rt);
    return host != NULL ? host->ops->now(host) : tmlrt__os_now();
}

static tmlrt__host_t *time__host(const tmlrt__op_t *op) {
    return op->u.time.host;
}

/* Arms for `when`, or for the user's deadline where that comes first. */
static int32_t time__arm(tmlrt__op_t *op, tmlrt__host_t *host, int64_t when) {
    op->result = op->timer.when < when ? TMLRT_ETIMEDOUT : TMLRT_OK;
    if (when < op->timer.when) op->timer.when = when;
    host->ops->timer_start(host, (tmlrt_op_t *)op);
    return TMLRT_PENDING;
}

static int32_t sleep__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__host_t *host = op->u.time.host;
    if (host == NULL) host = cx->task != NULL ? cx->task->host : tmlrt__current()->host;
    if (host == NULL || tmlrt__host_forked(host)) {
        op->result = host == NULL ? TMLRT_ENORUNTIME : TMLRT_EFORKED;
        return TMLRT_READY;
    }
    if (tmlrt__host_is_foreign(host)) {
        op->result = TMLRT_ENOTSUP;
        return TMLRT_READY;
    }
    op->u.time.host = host;
    int64_t when = op->u.time.ns;
    if (op->u.time.stage == TIME__RELATIVE) {
        if (when <= 0) {
            op->result = TMLRT_OK;
            return TMLRT_READY;
        }
        when = time__add(host->ops->now(host), when);
    } else if (when <= host->ops->now(host)) {
        op->result = TMLRT_OK;
        return TMLRT_READY;
    }
    return time__arm(op, host, when);
}

static const tmlrt__op_class_t sleep__class = {
    .waits_for = "sleep", .start = sleep__start, .host = time__host, .timer_is_end = true};

static int sleep__prepare(tmlrt_op_t *op, tmlrt_runtime_t *rt, int64_t ns, uint32_t stage) {
    int e = tmlrt__op_prepare(op, &sleep__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.time.host = (tmlrt__host_t *)rt;
    tmlrt__op(op)->u.time.ns = ns;
    tmlrt__op(op)->u.time.stage = stage;
    return TMLRT_OK;
}

int tmlrt_op_sleep(tmlrt_op_t *op, tmlrt_runtime_t *rt, int64_t ns) {
    return sleep__prepare(op, rt, ns, TIME__RELATIVE);
}

int tmlrt_op_sleep_until(tmlrt_op_t *op, tmlrt_runtime_t *rt, int64_t abs_ns) {
    return sleep__prepare(op, rt, abs_ns, TIME__ABSOLUTE);
}

/* A thread without a runtime: it keeps the time itself. In a scope it can be told to stop. */
static int time__sleep_thread(bool in_scope, int64_t abs_ns) {
    if (abs_ns <= 0) return TMLRT_OK;
    if (!in_scope) {
        tmlrt__os_sleep_until(abs_ns);
        return TMLRT_OK;
    }
    tmlrt_notify_t never = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     op = TMLRT_OP_INIT;
    tmlrt_op_notified(&op, &never);
    int64_t r = tmlrt__call_await(&op, abs_ns);
    return r == TMLRT_ETIMEDOUT ? TMLRT_OK : (int)r;
}

int tmlrt_sleep(int64_t ns) {
    tmlrt__current_t *cur = tmlrt__current();
    if (cur->busy != 0) return TMLRT_EDEADLK;
    tmlrt_runtime_t *own = cur->fiber == NULL ? (tmlrt_runtime_t *)tmlrt__host_owned() : NULL;
    if (own == NULL && cur->fiber == NULL)
        return time__sleep_thread(cur->scope != NULL, ns > 0 ? time__add(tmlrt__os_now(), ns) : 0);
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_sleep(&op, own, ns);
    int e = tmlrt_op_await(&op);
    return e != TMLRT_OK ? e : (int)tmlrt_op_result(&op);
}

int tmlrt_sleep_until(int64_t abs_ns) {
    tmlrt__current_t *cur = tmlrt__current();
    if (cur->busy != 0) return TMLRT_EDEADLK;
    tmlrt_runtime_t *own = cur->fiber == NULL ? (tmlrt_runtime_t *)tmlrt__host_owned() : NULL;
    if (own == NULL && cur->fiber == NULL) return time__sleep_thread(cur->scope != NULL, abs_ns);
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_sleep_until(&op, own, abs_ns);
    return (int)tmlrt__call_await(&op, TMLRT_NEVER);
}

/* ---- intervals ------------------------------------------------------------------------------ */

static time__interval_t *interval__of(void *interval) {
    return interval;
}

int tmlrt_interval_init(tmlrt_interval_t *interval, tmlrt_runtime_t *rt, int64_t first_ns,
                        int64_t period_ns, int missed) {
    if (interval == NULL || period_ns < 1 || first_ns < 0) return TMLRT_EINVAL;
    if (missed != TMLRT_MISSED_BURST && missed != TMLRT_MISSED_DELAY && missed != TMLRT_MISSED_SKIP)
        return TMLRT_EINVAL;
    tmlrt__host_t *host = tmlrt__host_or_current((tmlrt__host_t *)rt);
    if (host == NULL) return TMLRT_ENORUNTIME;
    if (tmlrt__host_forked(host)) return TMLRT_EFORKED;
    *interval__of(interval) = (time__interval_t){
        .host = host,
        .next = first_ns != 0 ? first_ns : host->ops->now(host),
        .period = period_ns,
        .missed = missed,
    };
    return TMLRT_OK;
}

/* The tick is due: takes it, and says by how many whole periods it is late. */
static int32_t tick__take(tmlrt__op_t *op, int64_t now) {
    time__interval_t *iv = interval__of(op->u.time.object);
    int64_t           late = now > iv->next ? (now - iv->next) / iv->period : 0;
    op->result = 0;
    switch (iv->missed) {
    case TMLRT_MISSED_BURST: iv->next = time__add(iv->next, iv->period); break;
    case TMLRT_MISSED_DELAY:
        op->result = late;
        iv->next = time__add(now, iv->period);
        break;
    default:
        op->result = late;
        iv->next = time__add(iv->next, (late + 1) * iv->period);
        break;
    }
    return TMLRT_READY;
}

static int32_t tick__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    time__interval_t *iv = interval__of(op->u.time.object);
    (void)cx;
    bool forked = tmlrt__host_forked(iv->host);
    if (forked || tmlrt__host_is_foreign(iv->host)) {
        op->result = forked ? TMLRT_EFORKED : TMLRT_ENOTSUP;
        return TMLRT_READY;
    }
    int64_t now = iv->host->ops->now(iv->host);
    if (now >= iv->next) return tick__take(op, now);
    return time__arm(op, iv->host, iv->next);
}

static int32_t tick__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    time__interval_t *iv = interval__of(op->u.time.object);
    (void)cx;
    if (op->result != TMLRT_OK) return TMLRT_READY; /* its deadline came, or its runtime goes */
    return tick__take(op, iv->host->ops->now(iv->host));
}

static const tmlrt__op_class_t tick__class = {.waits_for = "tick",
                                              .start = tick__start,
                                              .resume = tick__resume,
                                              .host = time__host,
                                              .timer_is_end = true};

int tmlrt_op_tick(tmlrt_op_t *op, tmlrt_interval_t *interval) {
    if (interval == NULL || interval__of(interval)->host == NULL)
        return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &tick__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.time.host = interval__of(interval)->host;
    tmlrt__op(op)->u.time.object = interval;
    return TMLRT_OK;
}

int64_t tmlrt_tick_until(tmlrt_interval_t *interval, int64_t deadline) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    int        e = tmlrt_op_tick(&op, interval);
    return e != TMLRT_OK ? e : tmlrt__call_await(&op, deadline);
}

int64_t tmlrt_tick(tmlrt_interval_t *interval) {
    return tmlrt_tick_until(interval, TMLRT_NEVER);
}
