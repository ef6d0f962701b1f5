/* SPDX-License-Identifier: MIT */
/*
 * tml_task.c: see tml_task.h.
 */
#include "tml_task.h"

#include <stdalign.h>
#include <string.h>

#include <tmlrt/time.h>

#include "alloc.h"
#include "compiler.h"
#include "host.h"
#include "task.h"
#include "tml_slot.h"

#define TML__PAUSE_LEAST (50 * TMLRT_US)
#define TML__PAUSE_MOST  (10 * TMLRT_MS)
#define TML__LOOK        TMLRT_S /* the same for one that has registered something */
#define TML__SWEEP       64u     /* waiters that are kept in any case */

static _Thread_local void *tml__thread_here;

/* Where the innermost poll of this stack notes its future: a fiber takes its own along when it is
 * suspended in the middle of one (block_on). Out of line: after a switch of stacks the address of a
 * thread-local must be asked for anew. */
static TMLRT__NOINLINE void **tml__here(void) {
    struct tmlrt__fiber *fiber = tmlrt__current()->fiber;
    return fiber != NULL ? &fiber->here : &tml__thread_here;
}

/* Notes `t` there; what was noted before. */
static tmlrt__tml_task_t *tml__swap_here(tmlrt__tml_task_t *t) {
    void             **here = tml__here();
    tmlrt__tml_task_t *was = *here;
    *here = t;
    return was;
}

/* On one stack tasks may nest: a join runs its child there, a thread drives its runtime. */
TMLRT__NOINLINE tmlrt__tml_task_t *tmlrt__tml_here(void) {
    tmlrt__tml_task_t *t = *tml__here();
    return t != NULL && t->poller == tmlrt_task_current() ? t : NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void task__free(tmlrt__tml_task_t *t) {
    if (t->size != 0) tmlrt__mem_put(&tmlrt__mem_default, t->state, t->size, TMLRT__ALIGN_MAX);
    tmlrt__mem_put(&tmlrt__mem_default, t, sizeof *t, alignof(tmlrt__tml_task_t));
}

tmlrt__tml_task_t *tmlrt__tml_task_new(TmlPollFn poll, void *state, size_t size) {
    tmlrt__tml_task_t *t =
        tmlrt__mem_zero(&tmlrt__mem_default, sizeof *t, alignof(tmlrt__tml_task_t));
    if (t == NULL) return NULL;
    t->refs = 1;
    t->poll = poll;
    t->state = state;
    t->pause = TML__PAUSE_LEAST;
    if (size != 0) {
        t->state = tmlrt__mem_get(&tmlrt__mem_default, size, TMLRT__ALIGN_MAX);
        t->size = t->state != NULL ? size : 0;
        if (t->state != NULL) memcpy(t->state, state, size);
    }
    if (t->size == size) t->slot = tmlrt__tml_slot_take(t);
    if (t->slot == NULL) {
        task__free(t);
        return NULL;
    }
    return t;
}

void tmlrt__tml_task_ref(tmlrt__tml_task_t *t) {
    tmlrt__latch_lock(&t->latch);
    t->refs++;
    tmlrt__latch_unlock(&t->latch);
}

void tmlrt__tml_task_unref(tmlrt__tml_task_t *t) {
    tmlrt__latch_lock(&t->latch);
    bool last = --t->refs == 0;
    tmlrt__latch_unlock(&t->latch);
    if (last) task__free(t);
}

void tmlrt__tml_task_retire(tmlrt__tml_task_t *t) {
    tmlrt__tml_slot_give(t->slot);
    tmlrt__latch_lock(&t->latch);
    tmlrt_task_t *task = t->task;
    t->task = NULL;
    tmlrt__latch_unlock(&t->latch);
    tmlrt_task_release(task);
    if (t->size == 0) return;
    tmlrt__mem_put(&tmlrt__mem_default, t->state, t->size, TMLRT__ALIGN_MAX);
    t->state = NULL;
    t->size = 0;
}

/* ---- waking ---------------------------------------------------------------------------------- */

void tmlrt__tml_task_wake(tmlrt__tml_task_t *t) {
    tmlrt_waker_t waker = {NULL, NULL};
    if (t->is_thread) {
        tmlrt_notify_one(&t->notify);
        return;
    }
    tmlrt__latch_lock(&t->latch);
    if (t->task != NULL) tmlrt__task_waker.clone(t->task, &waker); /* counts, and never fails */
    tmlrt__latch_unlock(&t->latch);
    if (waker.vtable != NULL) tmlrt_waker_wake(&waker);
}

void tmlrt__tml_wake(void *slot) {
    tmlrt__tml_task_t *t = tmlrt__tml_slot_find(slot);
    if (t == NULL) return;
    tmlrt__tml_task_wake(t);
    tmlrt__tml_task_unref(t);
}

/* ---- polling --------------------------------------------------------------------------------- */

bool tmlrt__tml_task_poll(tmlrt__tml_task_t *t, bool fresh, TmlPoll *out) {
    TmlContext         cx = {{tmlrt__tml_wake, t->slot, t->id}, t->executor};
    tmlrt__tml_task_t *outer = tml__swap_here(t);
    bool               panicked = false;
    t->poller = tmlrt_task_current();
    if (fresh) t->pause = TML__PAUSE_LEAST;
    t->due = TMLRT_NEVER;
    t->waits = false;
    t->yielded = false;
    if (t->guard != NULL)
        panicked = t->guard(t->poll, t->state, &cx, out) != 0;
    else
        *out = t->poll(t->state, &cx);
    tml__swap_here(outer);
    return !panicked;
}

int64_t tmlrt__tml_task_next(tmlrt__tml_task_t *t) {
    int64_t now = tmlrt_now(NULL);
    int64_t look = now + (t->waits ? TML__LOOK : t->pause);
    if (t->yielded) return now;
    if (!t->waits) t->pause = t->pause < TML__PAUSE_MOST / 2 ? 2 * t->pause : TML__PAUSE_MOST;
    return t->due < look ? t->due : look;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* The waker of the runtime's task that this thread runs; false: it runs none. */
static bool waiter__native(tmlrt_waker_t *out) {
    tmlrt_task_t *task = tmlrt_task_current();
    if (task == NULL) return false;
    tmlrt__task_waker.clone(task, out);
    return true;
}

/* The poller: polls again after a pause, whatever else the poll has registered or will. */
static void task__look_soon(tmlrt__tml_task_t *t) {
    int64_t due = tmlrt_now(NULL) + t->pause;
    if (due < t->due) t->due = due;
}

tmlrt__tml_waiter_t *tmlrt__tml_waiter_new(const TmlContext *cx) {
    tmlrt__tml_waiter_t  w = {NULL, NULL, {NULL, NULL}};
    tmlrt__tml_waiter_t *made;
    tmlrt__tml_task_t   *here = tmlrt__tml_here();
    if (cx != NULL && cx->waker.wake_fn == tmlrt__tml_wake) w.slot = cx->waker.data;
    if (w.slot == NULL && here != NULL) w.slot = here->slot;
    if (w.slot == NULL && !waiter__native(&w.waker)) return NULL;
    made = tmlrt__mem_get(&tmlrt__mem_default, sizeof w, alignof(tmlrt__tml_waiter_t));
    if (made == NULL) {
        if (w.waker.vtable != NULL)
            tmlrt_waker_wake(&w.waker); /* which ends it */
        else if (here == NULL || w.slot != here->slot)
            tmlrt__tml_wake(w.slot);
        else
            task__look_soon(here);
        return NULL;
    }
    *made = w;
    if (here != NULL && w.slot == here->slot) here->waits = true;
    return made;
}

bool tmlrt__tml_waiter_add(tmlrt__tml_waiters_t *list, tmlrt__tml_waiter_t *w) {
    for (const tmlrt__tml_waiter_t *i = list->first; i != NULL; i = i->next)
        if (i->slot == w->slot && i->waker.data == w->waker.data) return false;
    w->next = list->first;
    list->first = w;
    list->n++;
    return true;
}

tmlrt__tml_waiter_t *tmlrt__tml_waiters_take(tmlrt__tml_waiters_t *list) {
    tmlrt__tml_waiter_t *first = list->first;
    list->first = NULL;
    list->n = 0;
    list->swept = 0;
    list->taken++;
    return first;
}

/* Whether a wake would find nobody. */
static bool waiter__has_ended(const tmlrt__tml_waiter_t *w) {
    if (w->slot == NULL) return tmlrt_task_is_finished(w->waker.data) != 0;
    tmlrt__tml_task_t *t = tmlrt__tml_slot_find(w->slot);
    if (t != NULL) tmlrt__tml_task_unref(t);
    return t == NULL;
}

/* Frees those of *first who have ended; how many are left. *end: where the last one's link is. */
static uint32_t waiters__drop_ended(tmlrt__tml_waiter_t **first, tmlrt__tml_waiter_t ***end) {
    uint32_t n = 0;
    while (*first != NULL) {
        tmlrt__tml_waiter_t *w = *first;
        if (!waiter__has_ended(w)) {
            n++;
            first = &w->next;
            continue;
        }
        *first = w->next;
        tmlrt__tml_waiter_free(w);
    }
    *end = first;
    return n;
}

/* One that is alive and looks again meanwhile is there twice after it, which does no harm. */
void tmlrt__tml_waiters_sweep(tmlrt__tml_waiters_t *list, tmlrt__latch_t *latch) {
    if (list->n < TML__SWEEP || list->n / 2 < list->swept) return;
    tmlrt__tml_waiter_t *mine = list->first, **end;
    uint32_t             taken = list->taken;
    list->first = NULL;
    list->swept = list->n;
    list->n = 0;
    tmlrt__latch_unlock(latch);
    uint32_t left = waiters__drop_ended(&mine, &end);
    tmlrt__latch_lock(latch);
    if (list->taken == taken) {
        *end = list->first;
        list->first = mine;
        list->n += left;
        list->swept = left;
        return;
    }
    tmlrt__latch_unlock(latch); /* what they wait for came, and did not find them */
    tmlrt__tml_waiters_wake(mine);
    tmlrt__latch_lock(latch);
}

void tmlrt__tml_waiter_free(tmlrt__tml_waiter_t *w) {
    if (w == NULL) return;
    if (w->waker.vtable != NULL) tmlrt_waker_drop(&w->waker);
    tmlrt__mem_put(&tmlrt__mem_default, w, sizeof *w, alignof(tmlrt__tml_waiter_t));
}

void tmlrt__tml_waiters_wake(tmlrt__tml_waiter_t *first) {
    while (first != NULL) {
        tmlrt__tml_waiter_t *next = first->next;
        if (first->slot != NULL)
            tmlrt__tml_wake(first->slot);
        else
            tmlrt_waker_wake(&first->waker); /* which ends it */
        tmlrt__tml_waiter_free(first);
        first = next;
    }
}
