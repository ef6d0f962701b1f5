/* SPDX-License-Identifier: MIT */
/*
 * wheel.h - a hierarchical hashed timing wheel.
 *
 * Pure: no lock, no clock, no globals, no allocation. The owner serialises all
 * calls (in the runtime: under the wheel's latch) and passes the time in.
 * Timers are embedded in what waits; the wheel links them and never frees them.
 *
 * Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987),
 * scheme 7. Time is counted in ticks of 2^16 ns. A deadline's tick is rounded
 * up, so nothing fires early, and by less than one tick late. Level L has 64
 * slots of 64^L ticks; 8 levels cover all of int64_t.
 *
 * Invariant: with C the cursor (every tick <= C is due), a timer of tick T is
 *   in the due list,                       when T <= C;
 *   at level L, slot (T >> 6L) mod 64,     when T > C and L is the highest 6-bit
 *                                          group in which T and C differ.
 * So a timer's slot follows from its deadline and C alone, an occupied slot is
 * always ahead of C's own slot at its level, and all timers of a lower level
 * come before those of a higher one. Advancing C into a slot moves that slot's
 * timers down (the cascade), into levels that are empty by then: timers of one
 * tick keep the order in which they were added.
 */
#ifndef TMLRT_SRC_WHEEL_H
#define TMLRT_SRC_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TMLRT__WHEEL_TICK_SHIFT 16
#define TMLRT__WHEEL_TICK_NS    ((int64_t)1 << TMLRT__WHEEL_TICK_SHIFT)
#define TMLRT__WHEEL_LEVELS     8
#define TMLRT__WHEEL_SLOTS      64

/* All zero is an unlinked timer. Three words, to fit into an operation. */
typedef struct tmlrt__timer {
    struct tmlrt__timer *prev; /* the wheel's; not NULL exactly while linked */
    struct tmlrt__timer *next; /* the wheel's; in an expired chain the next one or NULL */
    int64_t              when; /* the caller's, unchanged while linked: absolute ns */
} tmlrt__timer_t;

/* A slot is the first timer of a circular list, or NULL; first->prev is the last. */
typedef struct tmlrt__wheel {
    uint64_t        cursor;                        /* every tick up to here is due */
    size_t          count;                         /* timers linked */
    tmlrt__timer_t *due;                           /* circular list: due, not yet handed out */
    uint64_t        occupied[TMLRT__WHEEL_LEVELS]; /* bit s: slot s is not empty */
    tmlrt__timer_t *slot[TMLRT__WHEEL_LEVELS][TMLRT__WHEEL_SLOTS];
} tmlrt__wheel_t;

/* Makes an empty wheel whose time is now_ns (a negative time counts as 0). */
void tmlrt__wheel_init(tmlrt__wheel_t *w, int64_t now_ns);

/*
 * Links an unlinked timer for t->when. A deadline that the wheel's time has
 * passed, or a negative one, is due at once. INT64_MAX never fires, nor does
 * any deadline in the last tick before it. O(1).
 */
void tmlrt__wheel_add(tmlrt__wheel_t *w, tmlrt__timer_t *t);

/* Unlinks t; false when it was not linked. O(1). t->when must be as it was added. */
bool tmlrt__wheel_remove(tmlrt__wheel_t *w, tmlrt__timer_t *t);

/*
 * When to call expire next, in ns: never after the tick of the first deadline.
 * INT64_MAX when there is none. Exact when the first slot holds few timers, else
 * possibly the time of a cascade; calling expire then makes progress. A time
 * that has passed means at once.
 */
int64_t tmlrt__wheel_next(const tmlrt__wheel_t *w);

/*
 * Advances to now_ns (a time before the wheel's own changes nothing) and unlinks
 * up to max due timers. Returns them chained by next, NULL at the end: in the
 * order of their ticks, and within a tick as they were added. With max reached,
 * call again for the rest; adding and removing in between is fine.
 */
tmlrt__timer_t *tmlrt__wheel_expire(tmlrt__wheel_t *w, int64_t now_ns, size_t max);

/* The same for all there are, also those that never expire. */
tmlrt__timer_t *tmlrt__wheel_drain(tmlrt__wheel_t *w, size_t max);

/* Timers linked, due ones included. */
static inline size_t tmlrt__wheel_count(const tmlrt__wheel_t *w) {
    return w->count;
}

static inline bool tmlrt__timer_is_linked(const tmlrt__timer_t *t) {
    return t->prev != NULL;
}

#endif /* TMLRT_SRC_WHEEL_H */
