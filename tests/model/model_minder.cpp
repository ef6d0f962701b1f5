/* SPDX-License-Identifier: MIT */
// sources: idle.c
// tags: MD-1
/*
 * model_minder.cpp: the shipping gate of the minder under Relacy: it does not sleep on while a
 * worker is awake. A minder that sleeps and is not woken is a deadlock.
 */
#include "minder_gate.h"

#include "model_common.h"

template <typename derived, int workers> struct gate_suite : rl::test_suite<derived, workers + 1> {
    tmlrt__idle_t     idle;
    tmlrt__atomic_u32 asleep, leave;
    model_waiters     futex;

    void before() {
        tmlrt__atomic_unmake(&idle.searching); /* the init makes it anew */
        tmlrt__atomic_unmake(&idle.parked[0]);
        tmlrt__idle_init(&idle, workers);
        tmlrt__store_relaxed(&asleep, 0);
        tmlrt__store_relaxed(&leave, 0);
        for (int i = 0; i < workers; i++)
            tmlrt__idle_park(&idle, i, false);
    }

    void open() {
        if (tmlrt__minder_gate_open(&asleep)) futex.wake_all();
    }

    /* A worker comes back and stays; or goes to sleep again and comes back. */
    void worker(int w) {
        tmlrt__idle_unpark(&idle, w);
        open();
        tmlrt__idle_park(&idle, w, false);
        tmlrt__idle_unpark(&idle, w);
        open();
    }

    void minder() {
        for (int i = 0; i < 2; i++) {
            if (!tmlrt__minder_gate_close(&asleep, &idle, &leave)) continue;
            while (tmlrt__load_acquire(&asleep) != 0)
                model_futex_wait(&futex, &asleep, 1u);
        }
    }

    void thread(unsigned i) {
        if (i == workers)
            minder();
        else
            worker((int)i);
    }
};

struct one_worker : gate_suite<one_worker, 1> {};
struct two_workers : gate_suite<two_workers, 2> {};

/* It is told to leave while it goes to sleep. */
struct leave_races_sleep : gate_suite<leave_races_sleep, 1> {
    void thread(unsigned i) {
        if (i == 1) {
            minder();
            return;
        }
        tmlrt__store_seq(&leave, 1);
        open();
    }
};

int main(int argc, char **argv) {
    rl::iteration_t n = 5 * model_iterations(argc, argv);
    return holds<one_worker>(n) && holds<two_workers>(n) && holds<leave_races_sleep>(n) ? 0 : 1;
}
