/* SPDX-License-Identifier: MIT */
// sources: reactor/source_word.c
// tags: SW-1 SW-2 SW-3 SW-4 SW-5
/*
 * model_source_word.cpp - the shipping words of a source under Relacy: no wake is lost, each waiter
 * is fired once, and the descriptor is closed once, after its last use.
 *
 * Usage: model_source_word [iterations]. Exit 0 when no execution went wrong.
 *
 * The socket is a count of bytes that arrived; arrivals and calls are read-modify-writes of it, as
 * the kernel has them under the socket's lock. The descriptor, and the operation behind the waiter, are checked
 * plain variables. A thread that would sleep ends; after() looks whether it should have been woken,
 * and goes on in its place.
 */
#include "reactor/source_word.h"

#include <stdlib.h>

enum { GENERATION = 7 };

struct operation {
    TMLRT__VAR(int) contents; /* written before it is armed, read by who fires it */
    tmlrt__atomic_u32 fired;
};

template <typename derived, int threads> struct source_suite : rl::test_suite<derived, threads> {
    tmlrt__source_word_t word;
    tmlrt__pins_t        pins;
    tmlrt__life_t        life;
    TMLRT__VAR(int) fd; /* read by users, written by the close */
    tmlrt__atomic_u32 closes;
    tmlrt__atomic_u32 arrived;
    operation         op;
    bool              sleeps;
    unsigned          read;

    void before() {
        tmlrt__sw_init(&word, GENERATION, 0);
        tmlrt__pins_init(&pins);
        tmlrt__life_init(&life);
        tmlrt__var_set(&fd, 3);
        tmlrt__store_relaxed(&closes, 0);
        tmlrt__store_relaxed(&arrived, 0);
        tmlrt__store_relaxed(&op.fired, 0);
        sleeps = false;
        read = 0;
        end_half(); /* the other direction */
    }

    void end_half() {
        if (!tmlrt__life_half(&life)) return;
        tmlrt__var_set(&fd, -1);
        tmlrt__fetch_add_relaxed(&closes, 1);
    }

    void use() { RL_ASSERT(tmlrt__var_get(&fd) == 3); }

    void fire(void *waiter) {
        if (waiter == NULL) return;
        operation *o = (operation *)waiter;
        RL_ASSERT(o == &op && tmlrt__var_get(&o->contents) == 42);
        RL_ASSERT(tmlrt__fetch_add_release(&o->fired, 1) == 0);
    }

    void event() {
        tmlrt__fetch_add_acq_rel(&arrived, 1);
        fire(tmlrt__sw_event(&word, GENERATION, TMLRT__SW_READY));
    }

    void close() {
        void             *waiter;
        tmlrt__sw_close_t found = tmlrt__sw_close(&word, &waiter);
        RL_ASSERT(found != TMLRT__SW_CLOSE_ALREADY);
        fire(waiter);
        if (found == TMLRT__SW_CLOSE_IDLE) end_half();
        if (tmlrt__pins_close(&pins)) end_half();
    }

    void released(bool closed) {
        if (closed) end_half();
    }

    /* The loop of readiness.c for one operation that reads until `want` bytes came. */
    void run(tmlrt__sw_is_t is, uint64_t seen, unsigned want) {
        for (;;) {
            if (is >= TMLRT__SW_IS_STOPPED) {
                released(tmlrt__sw_release(&word));
                return;
            }
            if (seen & TMLRT__SW_READY) {
                use();
                read = tmlrt__fetch_add_acq_rel(&arrived, 0);
                if (read >= want) {
                    released(tmlrt__sw_release_short(&word, seen));
                    return;
                }
            }
            tmlrt__var_set(&op.contents, 42);
            is = tmlrt__sw_arm(&word, &seen, &op, true);
            if (is == TMLRT__SW_IS_WAITING) {
                sleeps = true;
                return;
            }
        }
    }

    void start(unsigned want) {
        uint64_t       seen;
        tmlrt__sw_is_t is = tmlrt__sw_claim(&word, &seen);
        if (is <= TMLRT__SW_IS_WAITING) run(is, seen, want);
    }

    /* In after(): what the sleeper does once it was fired. True: it was. */
    bool resume(unsigned want) {
        if (!sleeps || tmlrt__load_acquire(&op.fired) == 0) return false;
        tmlrt__store_relaxed(&op.fired, 0);
        sleeps = false;
        uint64_t       seen;
        tmlrt__sw_is_t is = tmlrt__sw_check(&word, &seen);
        run(is, seen, want);
        return true;
    }
};

/* The reader waits for two bytes, each with an event: it must get them. */
struct no_event_is_lost : source_suite<no_event_is_lost, 2> {
    void thread(unsigned i) {
        if (i == 0) {
            start(2);
        } else {
            event();
            event();
        }
    }
    void after() {
        while (resume(2)) {
        }
        RL_ASSERT(!sleeps && read == 2);
    }
};

/* The same, fired in the midst: the resume races the second event. */
struct resume_races_event : source_suite<resume_races_event, 2> {
    void thread(unsigned i) {
        if (i == 0) {
            start(1);
            if (sleeps) resume(1);
            if (!sleeps && read < 2) start(2);
        } else {
            event();
            event();
        }
    }
    void after() {
        while (resume(2)) {
        }
        RL_ASSERT(!sleeps && read > 0);
    }
};

/* An operation, an event and a close. */
struct close_races : source_suite<close_races, 3> {
    void thread(unsigned i) {
        if (i == 0)
            start(2);
        else if (i == 1)
            event();
        else
            close();
    }
    void after() {
        while (resume(2)) {
        }
        RL_ASSERT(!sleeps);
        RL_ASSERT(tmlrt__load_relaxed(&closes) == 1);
    }
};

/* A cancel is definite, or the fire comes. */
struct cancel_races : source_suite<cancel_races, 3> {
    bool cancelled;
    void thread(unsigned i) {
        if (i == 0) {
            cancelled = false;
            start(2);
            if (sleeps && tmlrt__sw_cancel(&word)) {
                sleeps = false;
                cancelled = true;
                tmlrt__var_set(&op.contents, 0);
            }
        } else if (i == 1) {
            event();
        } else {
            close();
        }
    }
    void after() {
        RL_ASSERT(tmlrt__load_relaxed(&op.fired) == (sleeps ? 1u : 0u) || !cancelled);
        while (resume(2)) {
        }
        RL_ASSERT(!sleeps);
        RL_ASSERT(tmlrt__load_relaxed(&closes) == 1);
    }
};

/* A stop tells who waits, and nobody claims after it. */
struct stop_races : source_suite<stop_races, 3> {
    void thread(unsigned i) {
        if (i == 0)
            start(2);
        else if (i == 1)
            event();
        else
            fire(tmlrt__sw_stop(&word));
    }
    void after() {
        while (resume(2)) {
        }
        RL_ASSERT(!sleeps);
        uint64_t seen;
        RL_ASSERT(tmlrt__sw_claim(&word, &seen) == TMLRT__SW_IS_STOPPED);
        close();
        RL_ASSERT(tmlrt__load_relaxed(&closes) == 1);
    }
};

/* Owners follow one another; what one did the next one, and the closer, come after. */
struct claims_exclude : source_suite<claims_exclude, 3> {
    TMLRT__VAR(int) work;
    void thread(unsigned i) {
        if (i == 2) {
            close();
            return;
        }
        uint64_t seen;
        if (tmlrt__sw_claim(&word, &seen) > TMLRT__SW_IS_WAITING) return;
        use();
        tmlrt__var_set(&work, (int)i);
        if (i == 0)
            released(tmlrt__sw_release(&word));
        else
            released(tmlrt__sw_release_drained(&word, seen));
    }
    void after() { RL_ASSERT(tmlrt__load_relaxed(&closes) == 1); }
};

/* An armed claim that is cancelled comes before the next owner and the closer. */
struct cancel_then_claim : source_suite<cancel_then_claim, 3> {
    TMLRT__VAR(int) work;
    void thread(unsigned i) {
        uint64_t seen;
        if (i == 2) {
            close();
            return;
        }
        if (tmlrt__sw_claim(&word, &seen) > TMLRT__SW_IS_WAITING) return;
        if (i == 1) {
            use();
            tmlrt__var_set(&work, 1);
            released(tmlrt__sw_release(&word));
            return;
        }
        tmlrt__var_set(&op.contents, 42);
        if (tmlrt__sw_arm(&word, &seen, &op, true) == TMLRT__SW_IS_WAITING) {
            use();
            tmlrt__var_set(&work, 0);
            if (tmlrt__sw_cancel(&word)) return;
        }
        released(tmlrt__sw_release(&word));
    }
    void after() { RL_ASSERT(tmlrt__load_relaxed(&closes) == 1); }
};

/* Pins keep the descriptor open. */
struct pins_race_close : source_suite<pins_race_close, 3> {
    void thread(unsigned i) {
        if (i == 2) {
            close();
        } else if (tmlrt__pins_enter(&pins)) {
            use();
            if (tmlrt__pins_leave(&pins)) end_half();
        }
    }
    void after() { RL_ASSERT(tmlrt__load_relaxed(&closes) == 1); }
};

/* A stale event that pins a slot sees the new tenant whole, or nobody. */
struct a_new_tenant_is_whole : rl::test_suite<a_new_tenant_is_whole, 2> {
    tmlrt__pins_t pins;
    TMLRT__VAR(int) tenant;
    void before() {
        tmlrt__pins_init(&pins);
        tmlrt__pins_close(&pins);
    }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__var_set(&tenant, 1);
            tmlrt__pins_init(&pins);
            tmlrt__pins_publish(&pins);
        } else if (tmlrt__pins_enter(&pins)) {
            RL_ASSERT(tmlrt__var_get(&tenant) == 1);
            RL_ASSERT(!tmlrt__pins_leave(&pins));
        }
    }
};

/* The slot is freed once, after the close of the descriptor and the end of the handle. */
struct handle_races_end : source_suite<handle_races_end, 2> {
    TMLRT__VAR(int) slot;
    tmlrt__atomic_u32 frees;
    void              freed(bool mine) {
                     if (!mine) return;
        tmlrt__var_set(&slot, 0);
                     tmlrt__fetch_add_relaxed(&frees, 1);
    }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__fetch_add_relaxed(&frees, 0);
            (void)tmlrt__var_get(&slot);
            freed(tmlrt__life_ended(&life));
        } else {
            (void)tmlrt__var_get(&slot);
            freed(tmlrt__life_handle(&life));
        }
    }
    void before() {
        source_suite<handle_races_end, 2>::before();
        tmlrt__store_relaxed(&frees, 0);
        tmlrt__var_set(&slot, 1);
        end_half();
        end_half();
    }
    void after() {
        RL_ASSERT(tmlrt__load_relaxed(&closes) == 1);
        RL_ASSERT(tmlrt__load_relaxed(&frees) == 1);
    }
};

template <typename suite> static bool holds(rl::iteration_t iterations) {
    rl::test_params p;
    p.iteration_count = iterations;
    return rl::simulate<suite>(p);
}

int main(int argc, char **argv) {
    rl::iteration_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
    return holds<no_event_is_lost>(n) && holds<resume_races_event>(n) && holds<close_races>(n) &&
                   holds<cancel_races>(n) && holds<stop_races>(n) && holds<claims_exclude>(n) &&
                   holds<cancel_then_claim>(n) && holds<pins_race_close>(n) &&
                   holds<a_new_tenant_is_whole>(n) && holds<handle_races_end>(n)
               ? 0
               : 1;
}
