/* SPDX-License-Identifier: MIT */
/*
 * parker.c: see parker.h. The state word alone decides whether a sleep begins and whether a wake
 * needs the system call; it is modelled together with idle.c.
 */
#include "parker.h"

enum { PARKER__EMPTY, PARKER__PARKED, PARKER__NOTIFIED };

bool tmlrt__parker_begin(tmlrt__parker_t *p) {
    uint32_t empty = PARKER__EMPTY;
    /* acquire: on failure observes what the unparker wrote; pairs [PK-1] */
    if (tmlrt__cas_strong_acq_rel(&p->state, &empty, PARKER__PARKED)) return true;
    return false;
}

void tmlrt__parker_end(tmlrt__parker_t *p) {
    /* acquire: observes what the unparker wrote; pairs [PK-1] */
    tmlrt__swap_acquire(&p->state, PARKER__EMPTY);
}

uint32_t tmlrt__parker_park(tmlrt__parker_t *p, int64_t timeout_ns) {
    uint32_t events = 0;
    if (tmlrt__parker_begin(p)) {
        while (!tmlrt__driver_try_enter(p->driver))
            tmlrt__latch_relax();
        /* Who helped us with our driver meanwhile may have taken the wake. It came after the word,
         * and the token shows us the word with it: then there is nothing left to wait for. */
        bool woken = tmlrt__load_relaxed(&p->state) != PARKER__PARKED;
        events = p->driver->cls->wait(p->driver, woken ? 0 : timeout_ns);
        tmlrt__driver_leave(p->driver);
    }
    tmlrt__parker_end(p);
    return events;
}

bool tmlrt__parker_unpark(tmlrt__parker_t *p) {
    /* release: publishes the caller's writes, also when it is notified already: the end of the
     * park reads this write or a later one; pairs [PK-1] */
    if (tmlrt__swap_release(&p->state, PARKER__NOTIFIED) != PARKER__PARKED) return false;
    p->driver->cls->wake(p->driver);
    return true;
}
