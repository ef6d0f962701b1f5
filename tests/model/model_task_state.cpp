/* SPDX-License-Identifier: MIT */
// sources: task_state.c
// tags: TS-1 TS-2 TS-3 TS-4 TS-5
/*
 * model_task_state.cpp: the shipping state word under Relacy: wakes against polls, cancellation,
 * completion, joins, handles and a walker of the heap.
 *
 * The queue is a relaxed counter: it checks that there is one entry at most and orders nothing, so
 * the state word alone has to publish what a waker wrote.
 */
#include "task_state.h"

#include "model_common.h"

enum { WAKERS = 3 };

template <typename derived, int threads> struct task_suite : rl::test_suite<derived, threads> {
    tmlrt__task_state_t state;
    tmlrt__atomic_u32   entries, freed, told, ends;
    tmlrt__atomic_u32   wrote[WAKERS];
    TMLRT__VAR(int) header; /* written before the task is known, and when it is freed */
    TMLRT__VAR(int) body;   /* the runner's */
    TMLRT__VAR(int) result; /* the last runner's, then of who observes the end */
    unsigned seen;          /* by the last poll; the runner's, watched through body */

    void make(bool handle) {
        tmlrt__store_relaxed(&state, 0);
        tmlrt__store_relaxed(&entries, 0);
        tmlrt__store_relaxed(&freed, 0);
        tmlrt__store_relaxed(&told, 0);
        tmlrt__store_relaxed(&ends, 0);
        for (int i = 0; i < WAKERS; i++)
            tmlrt__store_relaxed(&wrote[i], 0);
        tmlrt__var_set(&header, 1);
        tmlrt__var_set(&body, 0);
        tmlrt__var_set(&result, 0);
        seen = 0;
        tmlrt__state_init(&state, handle);
    }

    void queue() { RL_ASSERT(tmlrt__fetch_add_relaxed(&entries, 1) == 0); }

    void start() {
        if (tmlrt__state_start(&state)) queue();
    }

    void wake(int k) {
        tmlrt__store_relaxed(&wrote[k], 1);
        if (tmlrt__state_wake(&state)) queue();
    }

    void cancel(int k) {
        tmlrt__store_relaxed(&wrote[k], 1);
        if (tmlrt__state_cancel(&state) == TMLRT__CANCEL_QUEUE) queue();
    }

    void use() { RL_ASSERT(tmlrt__var_get(&header) == 1); }

    void free_it() {
        RL_ASSERT(tmlrt__fetch_add_relaxed(&freed, 1) == 0);
        tmlrt__var_set(&header, 2);
    }

    void unref() {
        use();
        if (tmlrt__state_unref(&state)) free_it();
    }

    void finish() {
        RL_ASSERT(tmlrt__fetch_add_relaxed(&ends, 1) == 0);
        tmlrt__var_set(&result, 7);
        use();
        switch (tmlrt__state_complete(&state)) {
        case TMLRT__END_TOLD:
            tmlrt__store_relaxed(&told, 1);
            unref();
            break;
        case TMLRT__END_FREE: free_it(); break;
        case TMLRT__END_GONE: break;
        }
    }

    /* Takes the task from the queue, if it is there, and polls it. */
    bool run() {
        uint32_t one = 1;
        if (!tmlrt__cas_strong_relaxed(&entries, &one, 0)) return false;
        bool cancelled = tmlrt__state_begin(&state);
        tmlrt__var_set(&body, tmlrt__var_get(&body) + 1);
        use();
        seen = 0;
        for (int i = 0; i < WAKERS; i++)
            seen |= tmlrt__load_relaxed(&wrote[i]) << i;
        if (cancelled)
            finish();
        else if (tmlrt__state_end_poll(&state))
            queue();
        return true;
    }

    void run_some() {
        for (int i = 0; i < 2; i++)
            run();
    }

    void drain() {
        while (run()) {
        }
    }
};

/* Each wake is followed by a poll that sees what its waker wrote; one entry, one runner. */
struct wakes_race_polls : task_suite<wakes_race_polls, 5> {
    void before() {
        make(false);
        start();
    }
    void thread(unsigned i) {
        if (i < 2) {
            run_some();
        } else {
            wake(i - 2);
        }
    }
    void after() {
        drain();
        RL_ASSERT(seen == 7);
        RL_ASSERT(tmlrt__load_relaxed(&ends) == 0);
    }
};

/* A runner that wants another turn queues the task while it is RUNNING, and whoever takes it goes on.
 * Here the queue orders, as every real one does: the word says nothing of that hand-over. */
struct another_turn_races_wakes : task_suite<another_turn_races_wakes, 4> {
    unsigned polls;
    void     before() {
            make(false);
            polls = 0;
            start();
    }
    bool turn() {
        uint32_t one = 1;
        if (!tmlrt__cas_strong_acquire(&entries, &one, 0)) return false;
        if (tmlrt__state_is_running(&state))
            tmlrt__state_resume(&state);
        else
            tmlrt__state_begin(&state);
        tmlrt__var_set(&body, tmlrt__var_get(&body) + 1);
        seen = 0;
        for (int i = 0; i < WAKERS; i++)
            seen |= tmlrt__load_relaxed(&wrote[i]) << i;
        bool again = ++polls % 2 == 1 && polls < 6;
        if (again || tmlrt__state_end_poll(&state))
            RL_ASSERT(tmlrt__fetch_add_release(&entries, 1) == 0);
        return true;
    }
    void thread(unsigned i) {
        if (i < 2) {
            turn();
            turn();
        } else {
            tmlrt__store_relaxed(&wrote[i - 2], 1);
            if (tmlrt__state_wake(&state)) RL_ASSERT(tmlrt__fetch_add_release(&entries, 1) == 0);
        }
    }
    void after() {
        while (turn()) {
        }
        RL_ASSERT(seen == 3);
    }
};

/* The same for a wake that finds the task notified already, and for cancellation. */
struct cancel_races_wakes : task_suite<cancel_races_wakes, 4> {
    void before() {
        make(true);
        start();
    }
    void thread(unsigned i) {
        if (i < 2) {
            run_some();
        } else if (i == 2) {
            wake(0);
            wake(1);
        } else {
            cancel(2);
            unref();
        }
    }
    void after() {
        drain();
        RL_ASSERT((seen & 4) != 0); /* the wakes may have come after the end */
        RL_ASSERT(tmlrt__load_relaxed(&ends) == 1);
        RL_ASSERT(tmlrt__load_relaxed(&freed) == 1);
    }
};

/* Two who join against the end: told, or they see it complete with its result; one free. */
struct joins_race_end : task_suite<joins_race_end, 4> {
    tmlrt__atomic_u32 waits;
    void              before() {
                     make(true);
                     tmlrt__store_relaxed(&waits, 0);
                     tmlrt__state_ref(&state);
                     start();
                     cancel(0);
    }
    void thread(unsigned i) {
        if (i < 2) {
            run_some();
            return;
        }
        if (i == 3 && tmlrt__state_is_complete(&state))
            RL_ASSERT(tmlrt__var_get(&result) == 7);
        else if (tmlrt__state_join(&state))
            tmlrt__store_relaxed(&waits, 1);
        else
            RL_ASSERT(tmlrt__var_get(&result) == 7);
        unref();
    }
    void after() {
        drain();
        RL_ASSERT(tmlrt__load_relaxed(&ends) == 1);
        RL_ASSERT(tmlrt__load_relaxed(&freed) == 1);
        if (tmlrt__load_relaxed(&waits) != 0) RL_ASSERT(tmlrt__load_relaxed(&told) == 1);
    }
};

/* A walker of the heap against the making, the end and the free. */
struct walker_races_life : task_suite<walker_races_life, 3> {
    void before() {
        make(false);
        tmlrt__store_relaxed(&state, 0);
        tmlrt__var_set(&header, 0);
    }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__var_set(&header, 1);
            tmlrt__state_init(&state, false);
            start();
            cancel(0);
            run();
        } else if (i == 1) {
            if (!tmlrt__state_try_ref(&state)) return;
            use();
            unref();
        } else {
            run();
        }
    }
    void after() {
        drain();
        RL_ASSERT(tmlrt__load_relaxed(&ends) == 1);
        RL_ASSERT(tmlrt__load_relaxed(&freed) == 1);
    }
};

/* An unstarted task that its maker releases, under a walker. */
struct walker_races_release : task_suite<walker_races_release, 2> {
    void before() { make(true); }
    void thread(unsigned i) {
        if (i == 0) {
            unref();
            unref();
        } else if (tmlrt__state_try_ref(&state)) {
            use();
            tmlrt__state_cancel(&state);
            unref();
        }
    }
    void after() { RL_ASSERT(tmlrt__load_relaxed(&freed) == 1); }
};

int main(int argc, char **argv) {
    rl::iteration_t n = model_iterations(argc, argv);
    return holds<wakes_race_polls>(n) && holds<another_turn_races_wakes>(n) &&
                   holds<cancel_races_wakes>(n) && holds<joins_race_end>(n) &&
                   holds<walker_races_life>(n) && holds<walker_races_release>(n)
               ? 0
               : 1;
}
