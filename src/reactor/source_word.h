/* SPDX-License-Identifier: MIT */
/*
 * source_word.h: the state of one direction (read or write) of a source, and of a source's life;
 * every transition is a function here, and no other file changes these words.
 *
 * A direction is one 64-bit word and the waiter beside it:
 *
 *     bits 0..7 flags | bits 8..31 tick | bits 32..63 generation
 *
 *   READY    a call is worth trying. A hint: what is believed since the last event.
 *   HUP      a short transfer does not mean that nothing is left, so it does not clear READY; EAGAIN
 *            still does. From the start where reads may stop short (source.h), else once the stream
 *            ends or has urgent data. Never cleared.
 *   COUNTS   each event grows the tick, also one that would change nothing else: of listeners and
 *            datagrams. Constant for a tenant.
 *   CLAIMED  one operation (or one try) is in progress; only its owner makes calls.
 *   ARMED    that operation sleeps; `waiter` is valid. Who clears ARMED has the waiter to himself.
 *   STOPPED  no new claims, waiters are told: a listener while the runtime shuts down.
 *   CLOSED   as STOPPED, for good; the descriptor is closed once no claim is left.
 *
 * The tick grows with every event. Who saw EAGAIN clears READY only if the tick is still the one
 * that he loaded before the call; so an event between the call and the clearing is not lost. An
 * event that would change nothing but the tick is dropped when there is no claim: then nobody is
 * between a call and a clearing.
 * What an event tells of is not published here: the lock in the kernel under which it is added, and
 * looked for by the call, orders it. Were a call (after the claim, or after the word was read) before
 * the arrival in that order, it would come before the event, and the word could not have shown the
 * event's doing, nor the event have missed the claim.
 * Not so for accept(2) of TCP and recvmsg(2) of UDP: both look without the adder's lock whether the
 * queue is empty. Then "claim, look" against "add, read the word" is store buffering: on AArch64 the
 * look may come before the claim is seen, both find nothing, and the event is dropped. So there every
 * event is a read-modify-write of the word (COUNTS). Either it finds the claim and grows the tick, or
 * it comes before the claim, whose acquire then orders the look behind it; and what was added was
 * seen by all before, because whoever brings the event has seen it (AArch64 is multi-copy atomic).
 * The generation is that of the slot's tenant: an event for a former one changes nothing.
 *
 *     claim --> READY? call --> release (all went), release_short, release_drained
 *                 |   ^
 *                 v   | event, close, stop take the waiter
 *               arm ARMED --------------------------------> cancel (claim given up at once)
 *
 * Callers: claim, arm, check, cancel, release by the operation's owner; event by who reaps; close
 * and stop by anyone. Allocates nothing, calls nothing. C11 and C++03 (model_source_word.cpp).
 */
#ifndef TMLRT__SOURCE_WORD_H
#define TMLRT__SOURCE_WORD_H

#include "../atomic.h"

#define TMLRT__SW_READY   ((uint64_t)0x01)
#define TMLRT__SW_HUP     ((uint64_t)0x02)
#define TMLRT__SW_CLAIMED ((uint64_t)0x04)
#define TMLRT__SW_ARMED   ((uint64_t)0x08)
#define TMLRT__SW_STOPPED ((uint64_t)0x10)
#define TMLRT__SW_CLOSED  ((uint64_t)0x20)
#define TMLRT__SW_COUNTS  ((uint64_t)0x40)

typedef struct tmlrt__source_word {
    tmlrt__atomic_u64 bits; /* any thread */
    /* Written by the claim's owner while not ARMED; read by who cleared ARMED. */
    TMLRT__VAR(void *) waiter;
} tmlrt__source_word_t;

/* What the owner of an operation finds. */
typedef enum {
    TMLRT__SW_IS_READY,   /* claimed; try the call */
    TMLRT__SW_IS_WAITING, /* claimed; nothing is believed to be there, or armed now: sleep */
    TMLRT__SW_IS_AGAIN,   /* claimed; something changed: look at *seen and try again */
    TMLRT__SW_IS_BUSY,    /* not claimed: somebody else has it */
    TMLRT__SW_IS_STOPPED,
    TMLRT__SW_IS_CLOSED
} tmlrt__sw_is_t;

/* What a close found. */
typedef enum {
    TMLRT__SW_CLOSE_IDLE,    /* no claim: the closer ends this half of the life */
    TMLRT__SW_CLOSE_CLAIMED, /* the owner of the claim will find out and end it */
    TMLRT__SW_CLOSE_ARMED,   /* the same; *waiter is the closer's to fire */
    TMLRT__SW_CLOSE_ALREADY
} tmlrt__sw_close_t;

/* A fresh word for a new tenant of the slot; `flags` of READY, HUP, COUNTS and STOPPED. */
void tmlrt__sw_init(tmlrt__source_word_t *w, uint32_t generation, uint64_t flags);

/* Claims the direction: READY or WAITING (then *seen is the word), BUSY, STOPPED, CLOSED. */
tmlrt__sw_is_t tmlrt__sw_claim(tmlrt__source_word_t *w, uint64_t *seen);

/* Claim held, not armed: what the word says now; READY, WAITING, STOPPED or CLOSED. */
tmlrt__sw_is_t tmlrt__sw_check(tmlrt__source_word_t *w, uint64_t *seen);

/* Claim held: goes to sleep after a call said EAGAIN (`drained`), or moved less than asked for.
 * WAITING: armed, READY is cleared. AGAIN: an event came since *seen (now the new word), or a short
 * transfer proves nothing (HUP). STOPPED, CLOSED: not armed. */
tmlrt__sw_is_t tmlrt__sw_arm(tmlrt__source_word_t *w, uint64_t *seen, void *waiter, bool drained);

/* Gives up a claim that is not armed. True: the word is CLOSED, and the caller ends this half of
 * the life. short: as arm's short transfer. drained: as its EAGAIN. */
bool tmlrt__sw_release(tmlrt__source_word_t *w);
bool tmlrt__sw_release_short(tmlrt__source_word_t *w, uint64_t seen);
bool tmlrt__sw_release_drained(tmlrt__source_word_t *w, uint64_t seen);

/* Gives up an armed claim. False: an event, a close or a stop has taken the waiter and will fire
 * it; the claim is still held. */
bool tmlrt__sw_cancel(tmlrt__source_word_t *w);

/* An event for the tenant `generation`: sets `flags` (READY, HUP). Returns the waiter, which is the
 * caller's to fire, or NULL. */
void *tmlrt__sw_event(tmlrt__source_word_t *w, uint32_t generation, uint64_t flags);

tmlrt__sw_close_t tmlrt__sw_close(tmlrt__source_word_t *w, void **waiter);

/* Sets STOPPED. Returns the waiter, which is the caller's to fire, or NULL. */
void *tmlrt__sw_stop(tmlrt__source_word_t *w);

static inline uint32_t tmlrt__sw_generation(uint64_t bits) {
    return (uint32_t)(bits >> 32);
}

/* ---- pins: short uses of what may be closed at any time -------------------------------------- */

/* Users, and whether it is closed. Any thread. */
typedef struct tmlrt__pins {
    tmlrt__atomic_u32 word; /* bit 0: closed; above: the number of users */
} tmlrt__pins_t;

void tmlrt__pins_init(tmlrt__pins_t *p);
bool tmlrt__pins_enter(tmlrt__pins_t *p); /* false: closed */
/* Before the first event can come: what was made since the init is seen by who enters. The kernel
 * orders that already (the event is asked for after it); this says it to race detectors. */
void tmlrt__pins_publish(tmlrt__pins_t *p);
bool tmlrt__pins_leave(tmlrt__pins_t *p); /* true: closed, and this was the last user */
bool tmlrt__pins_close(tmlrt__pins_t *p); /* true: there is no user. Called once. */
bool tmlrt__pins_idle(tmlrt__pins_t *p);  /* after the close: no user is left */

/* ---- life: who closes the descriptor, who frees the slot ------------------------------------- */

/* Three halves (read, write, pins), each ended once, by the closer or by the last user it had. The
 * one who ends the last closes the descriptor; when that is done and the handle is gone, the slot
 * is free. */
typedef struct tmlrt__life {
    tmlrt__atomic_u32 word;
} tmlrt__life_t;

void tmlrt__life_init(tmlrt__life_t *l);
bool tmlrt__life_half(tmlrt__life_t *l);   /* true: the caller closes the descriptor */
bool tmlrt__life_ended(tmlrt__life_t *l);  /* it is closed. true: the caller frees the slot */
bool tmlrt__life_handle(tmlrt__life_t *l); /* the handle is gone. true: the same */

#endif
