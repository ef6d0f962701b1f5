/* SPDX-License-Identifier: MIT */
/*
 * model_common.h: what the models share: a futex and a driver that order nothing by themselves (so
 * that they cannot hide a missing order), a thread's "current" record, and the run of a suite.
 *
 * A thread that waits here is parked in the checker: when all threads wait, that is reported as a
 * deadlock, which is how a lost wake-up shows.
 */
#ifndef TMLRT_MODEL_COMMON_H
#define TMLRT_MODEL_COMMON_H

#include "atomic.h"

#include <iostream>

enum { MODEL_THREADS = 5 };

/* Threads parked here wait for a wake. Like the kernel's, it publishes nothing. */
struct model_waiters {
    rl::waitset<MODEL_THREADS> set;

    void park() { set.park_current(rl::ctx(), false, false, true, $); }
    void wake_all() { set.unpark_all(rl::ctx(), $); }
};

/* FUTEX_WAIT looks at the newest value, and sleeps in the same step. */
template <typename T>
inline void model_futex_wait(model_waiters *w, rl::atomic<T> *word, T expected) {
    if (tmlrt__fetch_add_relaxed(word, 0) == expected) w->park();
}

/* A driver's wait and wake: a wake is kept until the next wait (eventfd). */
struct model_event {
    tmlrt__atomic_u32 set;
    model_waiters     waiters;

    void make() { tmlrt__store_relaxed(&set, 0); }
    void wait() {
        while (tmlrt__swap_relaxed(&set, 0) == 0)
            waiters.park();
    }
    /* Another thread reaps for the owner. What it took was written before, as the kernel's lock has
     * it; the wait above is left without that, so that it hides nothing. */
    void take() { tmlrt__swap_acquire(&set, 0); }
    void wake() {
        tmlrt__swap_release(&set, 1);
        waiters.wake_all();
    }
};

template <typename suite> static bool holds(rl::iteration_t iterations) {
    rl::test_params p;
    p.iteration_count = iterations;
    return rl::simulate<suite>(p);
}

static rl::iteration_t model_iterations(int argc, char **argv) {
    return argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
}

#endif
