/* SPDX-License-Identifier: MIT */
/*
 * parker.h: one worker's sleep. It sleeps in its driver, so that a wake, a timer and I/O all end
 * it. A token in one word: an unpark before the park makes the park return at once; several
 * unparks are one.
 */
#ifndef TMLRT__PARKER_H
#define TMLRT__PARKER_H

#include <stdbool.h>
#include <stdint.h>

#include "atomic.h"
#include "reactor/reactor.h"

typedef struct tmlrt__parker {
    tmlrt__atomic_u32 state;  /* any thread: EMPTY, PARKED, NOTIFIED */
    tmlrt__driver_t  *driver; /* constant */
} tmlrt__parker_t;

/* The owner. Sleeps until unparked, until `timeout_ns` passed (negative: no limit), or until I/O
 * was dispatched; returns the number of events. Returns at once when unparked before. */
uint32_t tmlrt__parker_park(tmlrt__parker_t *p, int64_t timeout_ns);

/* Any thread. What the caller wrote before is visible after the park. True: it cost a system
 * call. */
bool tmlrt__parker_unpark(tmlrt__parker_t *p);

/* The owner, embedding: counts as parked while it is away from the runtime, and comes back. */
bool tmlrt__parker_begin(tmlrt__parker_t *p);
void tmlrt__parker_end(tmlrt__parker_t *p);

#endif
