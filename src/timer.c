/* SPDX-License-Identifier: MIT */
/*
 * timer.c: see timer.h.
 */
#include "timer.h"

#include <string.h>

#include "alloc.h"

#define TIMERS__BATCH 64

static tmlrt__op_t *timers__op(tmlrt__timer_t *timer) {
    return TMLRT__CONTAINER_OF(timer, tmlrt__op_t, timer);
}

/* Latch held. */
static void timers__publish_due(tmlrt__timers_t *t) {
    tmlrt__store_relaxed(&t->due, tmlrt__wheel_next(&t->wheel));
}

void tmlrt__timers_init(tmlrt__timers_t *t, int64_t now) {
    tmlrt__store_relaxed(&t->latch.held, 0);
    tmlrt__wheel_init(&t->wheel, now);
    tmlrt__store_relaxed(&t->due, INT64_MAX);
    t->sleeps_until = INT64_MIN;
}

bool tmlrt__timers_start(tmlrt__timers_t *t, tmlrt__op_t *op) {
    tmlrt__op_arm(op, TMLRT__OP_TMR_ARMED);
    tmlrt__latch_lock(&t->latch);
    tmlrt__wheel_add(&t->wheel, &op->timer);
    if (op->timer.when < tmlrt__load_relaxed(&t->due))
        tmlrt__store_relaxed(&t->due, op->timer.when);
    bool wake = op->timer.when < t->sleeps_until;
    tmlrt__latch_unlock(&t->latch);
    return wake;
}

bool tmlrt__timers_stop(tmlrt__timers_t *t, tmlrt__op_t *op) {
    tmlrt__latch_lock(&t->latch);
    bool linked = tmlrt__wheel_remove(&t->wheel, &op->timer);
    if (linked) tmlrt__op_disarm(op, TMLRT__OP_TMR_ARMED);
    tmlrt__latch_unlock(&t->latch);
    return linked;
}

/* Fires up to TIMERS__BATCH of those that are due (`end`: of all); how many. */
static uint32_t timers__fire(tmlrt__timers_t *t, int64_t now, bool end, tmlrt__wake_t *wakes) {
    uint32_t n = 0;
    tmlrt__latch_lock(&t->latch);
    tmlrt__timer_t *timer = end ? tmlrt__wheel_drain(&t->wheel, TIMERS__BATCH)
                                : tmlrt__wheel_expire(&t->wheel, now, TIMERS__BATCH);
    while (timer != NULL) {
        tmlrt__timer_t *next = timer->next; /* the fire may end the operation */
        tmlrt__op_t    *op = timers__op(timer);
        if (end && op->cls->timer_is_end) op->result = TMLRT_ECANCELED;
        wakes[n++] = tmlrt__op_fire(op, TMLRT__OP_TMR_ARMED);
        timer = next;
    }
    if (n < TIMERS__BATCH) timers__publish_due(t);
    tmlrt__latch_unlock(&t->latch);
    return n;
}

static void timers__run(const tmlrt__wake_t *wakes, size_t n) {
    for (size_t i = 0; i < n; i++)
        tmlrt__wake_run(wakes[i]);
}

uint32_t tmlrt__timers_expire(tmlrt__timers_t *t, int64_t now) {
    tmlrt__wake_t wakes[TIMERS__BATCH];
    uint32_t      fired = 0, n;
    do {
        n = timers__fire(t, now, false, wakes);
        timers__run(wakes, n);
        fired += n;
    } while (n == TIMERS__BATCH);
    return fired;
}

/* Room for another batch. */
static bool timers__grow(tmlrt__timers_ended_t *e) {
    if (e->room - e->n >= TIMERS__BATCH) return true;
    size_t         room = 2 * e->room + TIMERS__BATCH;
    tmlrt__wake_t *more = tmlrt__mem_get(e->mem, room * sizeof *more, _Alignof(tmlrt__wake_t));
    if (more == NULL) return false;
    if (e->n != 0) memcpy(more, e->wake, e->n * sizeof *more);
    tmlrt__mem_put(e->mem, e->wake, e->room * sizeof *more, _Alignof(tmlrt__wake_t));
    e->wake = more;
    e->room = room;
    return true;
}

void tmlrt__timers_end(tmlrt__timers_t *t, tmlrt__timers_ended_t *ended) {
    tmlrt__wake_t wakes[TIMERS__BATCH];
    uint32_t      n;
    do {
        bool kept = timers__grow(ended);
        n = timers__fire(t, INT64_MAX, true, kept ? ended->wake + ended->n : wakes);
        if (kept)
            ended->n += n;
        else
            timers__run(wakes, n);
    } while (n == TIMERS__BATCH);
}

void tmlrt__timers_ended_run(tmlrt__timers_ended_t *ended) {
    timers__run(ended->wake, ended->n);
    tmlrt__mem_put(ended->mem, ended->wake, ended->room * sizeof *ended->wake,
                   _Alignof(tmlrt__wake_t));
}

int64_t tmlrt__timers_due(tmlrt__timers_t *t) {
    return tmlrt__load_relaxed(&t->due);
}

int64_t tmlrt__timers_sleep(tmlrt__timers_t *t) {
    tmlrt__latch_lock(&t->latch);
    timers__publish_due(t);
    int64_t until = tmlrt__load_relaxed(&t->due);
    t->sleeps_until = until;
    tmlrt__latch_unlock(&t->latch);
    return until;
}

void tmlrt__timers_awake(tmlrt__timers_t *t) {
    tmlrt__latch_lock(&t->latch);
    t->sleeps_until = INT64_MIN;
    tmlrt__latch_unlock(&t->latch);
}
