/* SPDX-License-Identifier: MIT */
/*
 * tml_time.c: sleep, delay, yield and timeout. Polled as a future of an executor, or by tml_block_on,
 * a sleep tells its poller when it is due. For anybody else an alarm, a small task, wakes at that
 * time whoever asked first.
 */
#include <stdalign.h>

#include <tmlrt/async.h>
#include <tmlrt/runtime.h>
#include <tmlrt/time.h>

#include "tml_task.h"

/* ---- alarms ---------------------------------------------------------------------------------- */

typedef struct alarm__state {
    TMLRT_FRAME;
    tmlrt_op_t           sleep;
    int64_t              due;
    tmlrt__tml_waiter_t *waiter; /* owned */
} alarm__state_t;

static int32_t alarm__poll(void *state, tmlrt_cx_t *cx, void *result) {
    alarm__state_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    TMLRT_AWAIT(s, cx, &s->sleep, tmlrt_op_sleep_until(&s->sleep, NULL, s->due));
    tmlrt__tml_waiters_wake(s->waiter);
    s->waiter = NULL;
    TMLRT_END(s);
}

static void alarm__drop(void *state) {
    tmlrt__tml_waiter_free(((alarm__state_t *)state)->waiter);
}

static const tmlrt_task_type_t alarm__type =
    TMLRT_TASK_TYPE(alarm__state_t, alarm__poll, alarm__drop);

/* Has the caller woken at `due`. False: he was woken now, to ask again; or nothing can wake him, and
 * he is on his own with the clock. */
static bool alarm__set(const TmlContext *cx, int64_t due) {
    if (tmlrt_runtime_current() == NULL) return false;
    tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
    alarm__state_t       s = {.due = due, .waiter = tmlrt__tml_waiter_new(cx)};
    o.flags = TMLRT_TASK_DAEMON;
    if (s.waiter == NULL) return false;
    if (tmlrt_spawn(NULL, &alarm__type, &s, &o, NULL) == TMLRT_OK) return true;
    tmlrt__tml_waiters_wake(s.waiter);
    return false;
}

/* ---- sleep and delay ------------------------------------------------------------------------- */

/* The future that this thread polls, if it is also the one that `cx` says. */
static tmlrt__tml_task_t *time__here(const TmlContext *cx) {
    tmlrt__tml_task_t *here = tmlrt__tml_here();
    if (here == NULL || cx == NULL || cx->waker.wake_fn != tmlrt__tml_wake) return here;
    return cx->waker.data == here->slot || cx->waker.data == NULL ? here : NULL;
}

/* Of TmlTimerState.started: it has begun; and it has an alarm. */
#define SLEEP__STARTED 1
#define SLEEP__ALARM   2

TmlTimerState tml_timer_new(int64_t duration_ms) {
    TmlTimerState s = {0, duration_ms, 0};
    return s;
}

/* When it is over, in ns; the furthest time there is instead of an overflow. */
static int64_t sleep__due(const TmlTimerState *s) {
    const int64_t most = INT64_MAX / TMLRT_MS - 1;
    if (s->start_time_ms > most || s->duration_ms > most - s->start_time_ms) return INT64_MAX;
    return (s->start_time_ms + s->duration_ms) * TMLRT_MS;
}

TmlPoll tml_sleep_poll(TmlTimerState *s, TmlContext *cx) {
    if (s == NULL || s->duration_ms <= 0) {
        if (s != NULL) s->started = SLEEP__STARTED;
        return tml_poll_ready_i64(0);
    }
    int64_t            now = tmlrt_now(NULL);
    tmlrt__tml_task_t *here = time__here(cx);
    if (s->started == 0) {
        s->started = SLEEP__STARTED;
        s->start_time_ms = now / TMLRT_MS + (now % TMLRT_MS != 0); /* up: never early */
    }
    int64_t due = sleep__due(s);
    if (now >= due) return tml_poll_ready_i64(0);
    if (here != NULL) {
        here->waits = true;
        if (due < here->due) here->due = due;
    } else if ((s->started & SLEEP__ALARM) == 0 && alarm__set(cx, due)) {
        s->started |= SLEEP__ALARM;
    }
    return tml_poll_pending();
}

TmlPoll tml_delay_poll(TmlTimerState *s, TmlContext *cx) {
    return tml_sleep_poll(s, cx);
}

/* ---- yield ----------------------------------------------------------------------------------- */

TmlPoll tml_yield_poll(TmlYieldState *s, TmlContext *cx) {
    if (s == NULL || s->yielded != 0) return tml_poll_ready_i64(0);
    s->yielded = 1;
    tmlrt__tml_task_t *here = time__here(cx);
    if (here != NULL)
        here->yielded = true;
    else
        tmlrt__tml_waiters_wake(tmlrt__tml_waiter_new(cx));
    return tml_poll_pending();
}

/* ---- timeout --------------------------------------------------------------------------------- */

TmlTimeoutState tml_timeout_new(TmlPollFn inner_poll, void *inner_state, int64_t timeout_ms) {
    TmlTimeoutState s = {inner_poll, inner_state, tml_timer_new(timeout_ms), 0};
    return s;
}

TmlPoll tml_timeout_poll(TmlTimeoutState *s, TmlContext *cx) {
    if (s == NULL || s->inner_poll == NULL || s->timed_out != 0) return tml_poll_ready_i64(-1);
    TmlContext none = {{tmlrt__tml_wake, NULL, 0}, NULL}; /* a NULL context for one that reads it */
    TmlPoll    p = s->inner_poll(s->inner_state, cx != NULL ? cx : &none);
    if (p.tag == TML_POLL_READY) return p;
    /* The timer does not count as what the inner future waits for: that may have told nobody. */
    tmlrt__tml_task_t *here = tmlrt__tml_here();
    bool               waits = here != NULL && here->waits;
    p = tml_sleep_poll(&s->timer, cx);
    if (here != NULL) here->waits = waits;
    if (p.tag != TML_POLL_READY) return p;
    s->timed_out = 1;
    return tml_poll_ready_i64(-1);
}
