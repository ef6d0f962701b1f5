/* SPDX-License-Identifier: MIT */
/*
 * source_word.c: the transitions; source_word.h says what they mean.
 */
#include "source_word.h"

#define SW__TICK      ((uint64_t)0x100)
#define SW__TICK_MASK ((uint64_t)0xffffff00)

static uint64_t sw__tick(uint64_t bits) {
    return bits & SW__TICK_MASK;
}

void tmlrt__sw_init(tmlrt__source_word_t *w, uint32_t generation, uint64_t flags) {
    /* The word was CLOSED: nobody's swap can succeed on it, and a plain store loses nothing. */
    tmlrt__var_set(&w->waiter, (void *)0);
    tmlrt__store_relaxed(&w->bits, ((uint64_t)generation << 32) | flags);
}

tmlrt__sw_is_t tmlrt__sw_claim(tmlrt__source_word_t *w, uint64_t *seen) {
    uint64_t cur = tmlrt__load_relaxed(&w->bits);
    for (;;) {
        if (cur & TMLRT__SW_CLOSED) return TMLRT__SW_IS_CLOSED;
        if (cur & TMLRT__SW_CLAIMED) return TMLRT__SW_IS_BUSY;
        if (cur & TMLRT__SW_STOPPED) return TMLRT__SW_IS_STOPPED;
        /* acquire: observes the former owner's last use; pairs [SW-1] */
        if (tmlrt__cas_weak_acquire(&w->bits, &cur, cur | TMLRT__SW_CLAIMED)) break;
    }
    *seen = cur | TMLRT__SW_CLAIMED;
    return (cur & TMLRT__SW_READY) ? TMLRT__SW_IS_READY : TMLRT__SW_IS_WAITING;
}

tmlrt__sw_is_t tmlrt__sw_check(tmlrt__source_word_t *w, uint64_t *seen) {
    uint64_t cur = tmlrt__load_relaxed(&w->bits);
    *seen = cur;
    if (cur & TMLRT__SW_CLOSED) return TMLRT__SW_IS_CLOSED;
    if (cur & TMLRT__SW_STOPPED) return TMLRT__SW_IS_STOPPED;
    return (cur & TMLRT__SW_READY) ? TMLRT__SW_IS_READY : TMLRT__SW_IS_WAITING;
}

tmlrt__sw_is_t tmlrt__sw_arm(tmlrt__source_word_t *w, uint64_t *seen, void *waiter, bool drained) {
    uint64_t cur = tmlrt__load_relaxed(&w->bits);
    uint64_t before = *seen;
    tmlrt__var_set(&w->waiter, waiter);
    for (;;) {
        *seen = cur;
        if (cur & TMLRT__SW_CLOSED) return TMLRT__SW_IS_CLOSED;
        if (cur & TMLRT__SW_STOPPED) return TMLRT__SW_IS_STOPPED;
        if (sw__tick(cur) != sw__tick(before)) return TMLRT__SW_IS_AGAIN;
        if (!drained && (cur & TMLRT__SW_HUP)) return TMLRT__SW_IS_AGAIN;
        /* release: publishes the waiter; pairs [SW-2] */
        if (tmlrt__cas_weak_release(&w->bits, &cur, (cur & ~TMLRT__SW_READY) | TMLRT__SW_ARMED))
            return TMLRT__SW_IS_WAITING;
    }
}

bool tmlrt__sw_release(tmlrt__source_word_t *w) {
    /* release: the next owner, and the closer, come after our last use; pairs [SW-1] */
    uint64_t old = tmlrt__fetch_and_release(&w->bits, ~TMLRT__SW_CLAIMED);
    return (old & TMLRT__SW_CLOSED) != 0;
}

/* Gives the claim up; clears READY unless an event came since `seen` or one of `keep` is set. */
static bool sw__release_clear(tmlrt__source_word_t *w, uint64_t seen, uint64_t keep) {
    uint64_t cur = tmlrt__load_relaxed(&w->bits);
    for (;;) {
        uint64_t next = cur & ~TMLRT__SW_CLAIMED;
        if (sw__tick(cur) == sw__tick(seen) && !(cur & keep)) next &= ~TMLRT__SW_READY;
        /* release: as tmlrt__sw_release; pairs [SW-1] */
        if (tmlrt__cas_weak_release(&w->bits, &cur, next)) return (cur & TMLRT__SW_CLOSED) != 0;
    }
}

bool tmlrt__sw_release_short(tmlrt__source_word_t *w, uint64_t seen) {
    return sw__release_clear(w, seen, TMLRT__SW_HUP);
}

bool tmlrt__sw_release_drained(tmlrt__source_word_t *w, uint64_t seen) {
    return sw__release_clear(w, seen, 0);
}

bool tmlrt__sw_cancel(tmlrt__source_word_t *w) {
    uint64_t cur = tmlrt__load_relaxed(&w->bits);
    while (cur & TMLRT__SW_ARMED) {
        /* release: as tmlrt__sw_release; pairs [SW-1]. ARMED excludes CLOSED: a close clears it. */
        if (tmlrt__cas_weak_release(&w->bits, &cur, cur & ~(TMLRT__SW_ARMED | TMLRT__SW_CLAIMED)))
            return true;
    }
    return false;
}

void *tmlrt__sw_event(tmlrt__source_word_t *w, uint32_t generation, uint64_t flags) {
    uint64_t cur = tmlrt__load_relaxed(&w->bits);
    for (;;) {
        if (tmlrt__sw_generation(cur) != generation || (cur & TMLRT__SW_CLOSED)) return (void *)0;
        if ((cur & flags) == flags && !(cur & (TMLRT__SW_CLAIMED | TMLRT__SW_COUNTS)))
            return (void *)0;
        uint64_t next =
            (cur & ~(SW__TICK_MASK | TMLRT__SW_ARMED)) | ((cur + SW__TICK) & SW__TICK_MASK) | flags;
        /* acquire: observes the waiter; pairs [SW-2] */
        if (tmlrt__cas_weak_acquire(&w->bits, &cur, next)) break;
    }
    return (cur & TMLRT__SW_ARMED) ? tmlrt__var_get(&w->waiter) : (void *)0;
}

tmlrt__sw_close_t tmlrt__sw_close(tmlrt__source_word_t *w, void **waiter) {
    uint64_t cur = tmlrt__load_relaxed(&w->bits);
    *waiter = (void *)0;
    for (;;) {
        if (cur & TMLRT__SW_CLOSED) return TMLRT__SW_CLOSE_ALREADY;
        /* acquire: observes the last owner's use, pairs [SW-1], and the waiter, pairs [SW-2] */
        if (tmlrt__cas_weak_acquire(&w->bits, &cur, (cur | TMLRT__SW_CLOSED) & ~TMLRT__SW_ARMED))
            break;
    }
    if (cur & TMLRT__SW_ARMED) {
        *waiter = tmlrt__var_get(&w->waiter);
        return TMLRT__SW_CLOSE_ARMED;
    }
    return (cur & TMLRT__SW_CLAIMED) ? TMLRT__SW_CLOSE_CLAIMED : TMLRT__SW_CLOSE_IDLE;
}

void *tmlrt__sw_stop(tmlrt__source_word_t *w) {
    uint64_t cur = tmlrt__load_relaxed(&w->bits);
    for (;;) {
        if (cur & (TMLRT__SW_CLOSED | TMLRT__SW_STOPPED)) return (void *)0;
        /* acquire: observes the waiter; pairs [SW-2] */
        if (tmlrt__cas_weak_acquire(&w->bits, &cur, (cur | TMLRT__SW_STOPPED) & ~TMLRT__SW_ARMED))
            break;
    }
    return (cur & TMLRT__SW_ARMED) ? tmlrt__var_get(&w->waiter) : (void *)0;
}

/* ---- pins ----------------------------------------------------------------------------------- */

#define PINS__CLOSED 1u
#define PINS__USER   2u

void tmlrt__pins_init(tmlrt__pins_t *p) {
    /* release: publishes the new tenant; pairs [SW-4] */
    tmlrt__store_release(&p->word, 0);
}

void tmlrt__pins_publish(tmlrt__pins_t *p) {
    /* release: as tmlrt__pins_init; pairs [SW-4] */
    tmlrt__fetch_or_release(&p->word, 0);
}

bool tmlrt__pins_enter(tmlrt__pins_t *p) {
    uint32_t cur = tmlrt__load_relaxed(&p->word);
    for (;;) {
        if (cur & PINS__CLOSED) return false;
        /* acquire: observes the making of what is used now (a slot's new tenant); pairs [SW-4] */
        if (tmlrt__cas_weak_acquire(&p->word, &cur, cur + PINS__USER)) return true;
    }
}

bool tmlrt__pins_leave(tmlrt__pins_t *p) {
    /* release: the end comes after our use; acquire: and after everybody's; pairs [SW-3] */
    return tmlrt__fetch_sub_acq_rel(&p->word, PINS__USER) == (PINS__CLOSED | PINS__USER);
}

bool tmlrt__pins_close(tmlrt__pins_t *p) {
    /* acquire: the end comes after everybody's use; pairs [SW-3] */
    return tmlrt__fetch_or_acquire(&p->word, PINS__CLOSED) == 0;
}

bool tmlrt__pins_idle(tmlrt__pins_t *p) {
    /* acquire: as tmlrt__pins_close; pairs [SW-3] */
    return tmlrt__load_acquire(&p->word) == PINS__CLOSED;
}

/* ---- life ----------------------------------------------------------------------------------- */

#define LIFE__HALVES 3u
#define LIFE__HALF   0xffu
#define LIFE__FD     0x100u
#define LIFE__HANDLE 0x200u

void tmlrt__life_init(tmlrt__life_t *l) {
    tmlrt__store_relaxed(&l->word, LIFE__HALVES | LIFE__FD | LIFE__HANDLE);
}

bool tmlrt__life_half(tmlrt__life_t *l) {
    /* release: our use is over; acquire: so is that of the other halves; pairs [SW-5] */
    return (tmlrt__fetch_sub_acq_rel(&l->word, 1) & LIFE__HALF) == 1;
}

bool tmlrt__life_ended(tmlrt__life_t *l) {
    /* as tmlrt__life_half, between descriptor and handle; pairs [SW-5] */
    return tmlrt__fetch_sub_acq_rel(&l->word, LIFE__FD) == LIFE__FD;
}

bool tmlrt__life_handle(tmlrt__life_t *l) {
    /* as tmlrt__life_half, between descriptor and handle; pairs [SW-5] */
    return tmlrt__fetch_sub_acq_rel(&l->word, LIFE__HANDLE) == LIFE__HANDLE;
}
