/* SPDX-License-Identifier: MIT */
/*
 * wheel.c - the hierarchical timing wheel (wheel.h states the invariant).
 *
 * Nothing here walks over empty time: the next event is the lowest set bit of
 * the lowest occupied level, so an advance costs O(levels) and the timers it
 * moves. A timer moves down at most once a level.
 */
#include "wheel.h"

#include <assert.h>

#include "compiler.h"

#define WHEEL__GROUP_BITS 6
#define WHEEL__GROUP_MASK (TMLRT__WHEEL_SLOTS - 1)

/* How far next() looks for the exact deadline before it settles for the cascade. */
#define WHEEL__NEXT_SCAN 8

/* ---- Circular lists named by their first timer ---- */

static void wheel__list_append(tmlrt__timer_t **list, tmlrt__timer_t *t) {
    tmlrt__timer_t *first = *list;
    if (first == NULL) {
        t->prev = t;
        t->next = t;
        *list = t;
        return;
    }
    t->prev = first->prev;
    t->next = first;
    first->prev->next = t;
    first->prev = t;
}

static void wheel__list_remove(tmlrt__timer_t **list, tmlrt__timer_t *t) {
    if (t->next == t) {
        *list = NULL;
    } else {
        t->prev->next = t->next;
        t->next->prev = t->prev;
        if (*list == t) *list = t->next;
    }
    t->prev = NULL;
    t->next = NULL;
}

static tmlrt__timer_t *wheel__list_pop(tmlrt__timer_t **list) {
    tmlrt__timer_t *t = *list;
    if (t != NULL) wheel__list_remove(list, t);
    return t;
}

/* Moves all of `from` behind `to`. */
static void wheel__list_splice(tmlrt__timer_t **to, tmlrt__timer_t **from) {
    tmlrt__timer_t *a = *to;
    tmlrt__timer_t *b = *from;
    *from = NULL;
    if (b == NULL) return;
    if (a == NULL) {
        *to = b;
        return;
    }
    tmlrt__timer_t *a_last = a->prev;
    tmlrt__timer_t *b_last = b->prev;
    a_last->next = b;
    b->prev = a_last;
    b_last->next = a;
    a->prev = b_last;
}

/* ---- Ticks, levels, slots ---- */

/* The tick at whose start a deadline has passed: rounded up, so never early. */
static uint64_t wheel__tick_of_deadline(int64_t when) {
    if (when <= 0) return 0;
    return ((uint64_t)when + (TMLRT__WHEEL_TICK_NS - 1)) >> TMLRT__WHEEL_TICK_SHIFT;
}

/* The tick that has begun at a time: rounded down. */
static uint64_t wheel__tick_of_now(int64_t now_ns) {
    return now_ns <= 0 ? 0 : (uint64_t)now_ns >> TMLRT__WHEEL_TICK_SHIFT;
}

static int64_t wheel__time_of_tick(uint64_t tick) {
    if (tick > (uint64_t)(INT64_MAX >> TMLRT__WHEEL_TICK_SHIFT)) return INT64_MAX;
    return (int64_t)(tick << TMLRT__WHEEL_TICK_SHIFT);
}

/* The level of a tick ahead of the cursor: the highest group that differs. */
static unsigned wheel__level_of(uint64_t cursor, uint64_t tick) {
    return (63u - tmlrt__clz64(tick ^ cursor)) / WHEEL__GROUP_BITS;
}

static unsigned wheel__slot_of(uint64_t tick, unsigned level) {
    return (unsigned)(tick >> (level * WHEEL__GROUP_BITS)) & WHEEL__GROUP_MASK;
}

/* The first tick of a slot that lies ahead of the cursor at its level. */
static uint64_t wheel__slot_start(uint64_t cursor, unsigned level, unsigned slot) {
    unsigned shift = level * WHEEL__GROUP_BITS;
    uint64_t above = cursor >> (shift + WHEEL__GROUP_BITS) << WHEEL__GROUP_BITS;
    return (above | slot) << shift;
}

/* The slot that comes first; false when every level is empty. */
static bool wheel__first_slot(const tmlrt__wheel_t *w, unsigned *level, unsigned *slot) {
    for (unsigned l = 0; l < TMLRT__WHEEL_LEVELS; l++) {
        if (w->occupied[l] != 0) {
            *level = l;
            *slot = tmlrt__ctz64(w->occupied[l]);
            return true;
        }
    }
    return false;
}

/* Links t where the invariant wants it. */
static void wheel__place(tmlrt__wheel_t *w, tmlrt__timer_t *t) {
    uint64_t tick = wheel__tick_of_deadline(t->when);
    if (tick <= w->cursor) {
        wheel__list_append(&w->due, t);
        return;
    }
    unsigned level = wheel__level_of(w->cursor, tick);
    unsigned slot = wheel__slot_of(tick, level);
    wheel__list_append(&w->slot[level][slot], t);
    w->occupied[level] |= UINT64_C(1) << slot;
}

/* Moves the cursor to the start of the first slot and empties that slot downwards. */
static void wheel__enter_slot(tmlrt__wheel_t *w, unsigned level, unsigned slot) {
    tmlrt__timer_t **list = &w->slot[level][slot];
    w->cursor = wheel__slot_start(w->cursor, level, slot);
    w->occupied[level] &= ~(UINT64_C(1) << slot);
    if (level == 0) {
        wheel__list_splice(&w->due, list);
        return;
    }
    tmlrt__timer_t *t;
    while ((t = wheel__list_pop(list)) != NULL)
        wheel__place(w, t);
}

/*
 * Advances towards `target` until something is due or the target is reached.
 * Stopping at the first due slot keeps the order across batches, and lets a
 * timer that is added between two of them find its place.
 */
static void wheel__advance(tmlrt__wheel_t *w, uint64_t target) {
    unsigned level, slot;
    while (w->due == NULL && w->cursor < target) {
        if (!wheel__first_slot(w, &level, &slot) ||
            wheel__slot_start(w->cursor, level, slot) > target) {
            /* No slot begins on the way, so every timer stays in its place. */
            w->cursor = target;
            return;
        }
        wheel__enter_slot(w, level, slot);
    }
}

/* ---- The contract ---- */

void tmlrt__wheel_init(tmlrt__wheel_t *w, int64_t now_ns) {
    *w = (tmlrt__wheel_t){.cursor = wheel__tick_of_now(now_ns)};
}

void tmlrt__wheel_add(tmlrt__wheel_t *w, tmlrt__timer_t *t) {
    assert(!tmlrt__timer_is_linked(t));
    wheel__place(w, t);
    w->count++;
}

bool tmlrt__wheel_remove(tmlrt__wheel_t *w, tmlrt__timer_t *t) {
    if (!tmlrt__timer_is_linked(t)) return false;
    w->count--;
    uint64_t tick = wheel__tick_of_deadline(t->when);
    if (tick <= w->cursor) {
        wheel__list_remove(&w->due, t);
        return true;
    }
    unsigned level = wheel__level_of(w->cursor, tick);
    unsigned slot = wheel__slot_of(tick, level);
    wheel__list_remove(&w->slot[level][slot], t);
    if (w->slot[level][slot] == NULL) w->occupied[level] &= ~(UINT64_C(1) << slot);
    return true;
}

int64_t tmlrt__wheel_next(const tmlrt__wheel_t *w) {
    unsigned level, slot;
    if (w->due != NULL) return wheel__time_of_tick(w->cursor);
    if (!wheel__first_slot(w, &level, &slot)) return INT64_MAX;
    uint64_t start = wheel__slot_start(w->cursor, level, slot);
    if (level == 0) return wheel__time_of_tick(start);

    /* One sleeper a second away should cost one wake, not one a level. */
    const tmlrt__timer_t *first = w->slot[level][slot];
    const tmlrt__timer_t *t = first;
    uint64_t              earliest = UINT64_MAX;
    for (unsigned n = 0; n < WHEEL__NEXT_SCAN; n++) {
        uint64_t tick = wheel__tick_of_deadline(t->when);
        if (tick < earliest) earliest = tick;
        t = t->next;
        if (t == first) return wheel__time_of_tick(earliest);
    }
    return wheel__time_of_tick(start);
}

static tmlrt__timer_t *wheel__take_until(tmlrt__wheel_t *w, uint64_t target, size_t max) {
    tmlrt__timer_t  *head = NULL;
    tmlrt__timer_t **tail = &head;
    while (max > 0) {
        if (w->due == NULL) wheel__advance(w, target);
        tmlrt__timer_t *t = wheel__list_pop(&w->due);
        if (t == NULL) break;
        *tail = t;
        tail = &t->next;
        w->count--;
        max--;
    }
    return head;
}

tmlrt__timer_t *tmlrt__wheel_expire(tmlrt__wheel_t *w, int64_t now_ns, size_t max) {
    return wheel__take_until(w, wheel__tick_of_now(now_ns), max);
}

tmlrt__timer_t *tmlrt__wheel_drain(tmlrt__wheel_t *w, size_t max) {
    return wheel__take_until(w, wheel__tick_of_deadline(INT64_MAX), max);
}
