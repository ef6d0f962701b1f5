/* SPDX-License-Identifier: MIT */
// sources: idle.c parker.c
// tags: ID-1 PK-1 DRV-1
/*
 * model_parking.cpp: the shipping idle set and parker under Relacy, with workers whose loop is that
 * of worker.c and a queue of one counter: work never waits while all sleep.
 *
 * A sleeper that nobody wakes leaves the checker with threads that all wait: a deadlock. The queue
 * is relaxed, so that the idle set's fences have to do the ordering; the item's contents must come
 * with the queue or with the unpark.
 */
#include "idle.h"
#include "parker.h"

#include "model_common.h"

struct model_driver {
    tmlrt__driver_t base;
    model_event     event;
    bool            alarm; /* the wait returns by itself, once: a timer, or I/O */
};

static uint32_t model_driver_wait(tmlrt__driver_t *d, int64_t timeout_ns) {
    model_driver *m = (model_driver *)d;
    if (timeout_ns == 0) {
        m->event.take();
        return 0;
    }
    if (m->alarm) {
        m->alarm = false;
        return 1;
    }
    m->event.wait();
    return 0;
}

static void model_driver_wake(tmlrt__driver_t *d) {
    ((model_driver *)d)->event.wake();
}

static tmlrt__reactor_class_t model_reactor;

/* The token, as in reactor.c. */
bool tmlrt__driver_try_enter(tmlrt__driver_t *d) {
    return tmlrt__swap_acquire(&d->token, 1) == 0;
}
void tmlrt__driver_leave(tmlrt__driver_t *d) {
    tmlrt__store_release(&d->token, 0);
}

template <typename derived, int producers, int workers, int alarms, int helpers = 0>
struct parking_suite : rl::test_suite<derived, producers + workers + helpers> {
    enum { ITEMS = producers };
    tmlrt__idle_t     idle;
    tmlrt__parker_t   parker[workers];
    model_driver      driver[workers];
    bool              searching[workers];
    model_waiters     polls;
    tmlrt__atomic_u32 queue, done, stop, unparks;

    void before() {
        model_reactor.wait = model_driver_wait;
        model_reactor.wake = model_driver_wake;
        tmlrt__atomic_unmake(&idle.searching); /* the init makes it anew */
        tmlrt__atomic_unmake(&idle.parked[0]);
        tmlrt__idle_init(&idle, workers);
        for (int i = 0; i < workers; i++) {
            tmlrt__store_relaxed(&parker[i].state, 0);
            parker[i].driver = &driver[i].base;
            driver[i].base.cls = &model_reactor;
            tmlrt__store_relaxed(&driver[i].base.token, 0);
            driver[i].event.make();
            driver[i].alarm = i < alarms;
            searching[i] = false;
        }
        tmlrt__store_relaxed(&queue, 0);
        tmlrt__store_relaxed(&done, 0);
        tmlrt__store_relaxed(&stop, 0);
        tmlrt__store_relaxed(&unparks, 0);
    }

    void notify() {
        uint32_t w = tmlrt__idle_notify(&idle, true);
        if (w == TMLRT__IDLE_NOBODY) return;
        tmlrt__fetch_add_relaxed(&unparks, 1);
        tmlrt__parker_unpark(&parker[w]);
    }

    void produce() {
        tmlrt__fetch_add_relaxed(&queue, 1);
        notify();
    }

    bool has_work() { return tmlrt__load_relaxed(&queue) != 0; }

    bool take() {
        uint32_t n = tmlrt__load_relaxed(&queue);
        while (n != 0)
            if (tmlrt__cas_strong_relaxed(&queue, &n, n - 1)) return true;
        return false;
    }

    void end_search(int w) {
        if (!searching[w]) return;
        searching[w] = false;
        if (tmlrt__idle_search_end(&idle) && has_work()) notify();
    }

    void sleep(int w) {
        tmlrt__idle_park(&idle, w, searching[w]);
        searching[w] = false;
        bool again = has_work() || tmlrt__load_seq(&stop) != 0;
        if (!again) tmlrt__parker_park(&parker[w], -1);
        searching[w] = !tmlrt__idle_unpark(&idle, w);
        if (again && !searching[w]) {
            tmlrt__idle_search_again(&idle);
            searching[w] = true;
        }
    }

    /* The last item stops everybody. With more than one worker the others are long polls, which
     * wait for that: so one worker alone cannot serve them all, and each has to be handed on. */
    void run_one() {
        if (tmlrt__fetch_add_acq_rel(&done, 1) + 1 != ITEMS) {
            while (workers >= ITEMS && tmlrt__load_acquire(&stop) == 0)
                model_futex_wait(&polls, &stop, 0u);
            return;
        }
        tmlrt__store_seq(&stop, 1);
        polls.wake_all();
        for (int i = 0; i < workers; i++)
            tmlrt__parker_unpark(&parker[i]);
    }

    void work(int w) {
        while (tmlrt__load_acquire(&stop) == 0) {
            bool got = take();
            if (!got && !searching[w] && tmlrt__idle_search_begin(&idle)) {
                searching[w] = true;
                got = take();
            }
            if (got) {
                end_search(w);
                run_one();
            } else {
                sleep(w);
            }
        }
        end_search(w);
    }

    /* As the minder, which thought a worker stuck that parks just now. */
    void help(int w) {
        if (!tmlrt__driver_try_enter(&driver[w].base)) return;
        model_driver_wait(&driver[w].base, 0);
        tmlrt__driver_leave(&driver[w].base);
    }

    void thread(unsigned i) {
        if (i < producers)
            produce();
        else if (i < producers + workers)
            work(i - producers);
        else
            help(i - producers - workers);
    }

    void after() {
        RL_ASSERT(tmlrt__load_relaxed(&done) == ITEMS);
        RL_ASSERT(tmlrt__load_relaxed(&idle.searching) == 0);
        /* A notify wakes one at most; so does the end of a search. */
        RL_ASSERT(tmlrt__load_relaxed(&unparks) <= 2 * ITEMS);
    }
};

struct two_producers_one_worker : parking_suite<two_producers_one_worker, 2, 1, 0> {};
struct two_and_a_self_wake : parking_suite<two_and_a_self_wake, 2, 1, 1> {};
struct two_and_two : parking_suite<two_and_two, 2, 2, 0> {};
struct two_and_two_self_wakes : parking_suite<two_and_two_self_wakes, 2, 2, 2> {};
struct one_and_two_self_wake : parking_suite<one_and_two_self_wake, 1, 2, 1> {};
struct one_and_one_helped : parking_suite<one_and_one_helped, 1, 1, 0, 1> {};
struct two_and_two_helped : parking_suite<two_and_two_helped, 2, 2, 0, 1> {};

/* What the unparker wrote is seen after the park, also by the second of two unparks. */
struct unpark_publishes : rl::test_suite<unpark_publishes, 3> {
    tmlrt__parker_t   parker;
    model_driver      driver;
    tmlrt__atomic_u32 wrote[2];

    void before() {
        model_reactor.wait = model_driver_wait;
        model_reactor.wake = model_driver_wake;
        tmlrt__store_relaxed(&parker.state, 0);
        parker.driver = &driver.base;
        driver.base.cls = &model_reactor;
        tmlrt__store_relaxed(&driver.base.token, 0);
        driver.event.make();
        driver.alarm = false;
        tmlrt__store_relaxed(&wrote[0], 0);
        tmlrt__store_relaxed(&wrote[1], 0);
    }
    void thread(unsigned i) {
        if (i != 0) {
            tmlrt__store_relaxed(&wrote[i - 1], 1);
            tmlrt__parker_unpark(&parker);
            return;
        }
        /* Each park that returns sees one more, or both at once. */
        while (tmlrt__load_relaxed(&wrote[0]) == 0 || tmlrt__load_relaxed(&wrote[1]) == 0)
            tmlrt__parker_park(&parker, -1);
    }
};

int main(int argc, char **argv) {
    rl::iteration_t n = 20 * model_iterations(argc, argv); /* rare windows, short runs */
    return holds<two_producers_one_worker>(n) && holds<two_and_a_self_wake>(n) &&
                   holds<two_and_two>(n) && holds<two_and_two_self_wakes>(n) &&
                   holds<one_and_two_self_wake>(n) && holds<one_and_one_helped>(n) &&
                   holds<two_and_two_helped>(n) && holds<unpark_publishes>(n)
               ? 0
               : 1;
}
