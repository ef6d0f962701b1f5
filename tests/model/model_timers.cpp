/* SPDX-License-Identifier: MIT */
// sources: timer.c wheel.c parker.c op.c join.c task.c task_state.c waker.c
// tags: LATCH-1 PK-1 DRV-1
/*
 * model_timers.cpp: the shipping timers under Relacy: timers that other threads start while their
 * worker goes to sleep. It never sleeps past a deadline: a sleep that nothing ends is a deadlock.
 */
#include "model_world.h"
#include "parker.h"

#define AT(n) ((n)*TMLRT__WHEEL_TICK_NS)

enum { FAR = 1000, NEAR = 10 };

static model_event *model_sleep_event;

static uint32_t timers_wait(tmlrt__driver_t *, int64_t) {
    model_sleep_event->wait();
    return 0;
}
static void timers_wake(tmlrt__driver_t *) {
    model_sleep_event->wake();
}

bool tmlrt__driver_try_enter(tmlrt__driver_t *d) {
    return tmlrt__swap_acquire(&d->token, 1) == 0;
}
void tmlrt__driver_leave(tmlrt__driver_t *d) {
    tmlrt__store_release(&d->token, 0);
}

static tmlrt__reactor_class_t timers_reactor;
static tmlrt__op_class_t      sleep_class;

template <typename derived, int starters>
struct timers_suite : rl::test_suite<derived, starters + 1> {
    tmlrt__timers_t timers;
    tmlrt__driver_t driver;
    tmlrt__parker_t parker;
    model_event     event;
    tmlrt__op_t     far, op[starters];

    void prepare(tmlrt__op_t *o, int64_t when) {
        tmlrt__atomic_unmake(&o->ctl);
        o->phase = TMLRT__OP_IDLE;
        RL_ASSERT(tmlrt__op_prepare((tmlrt_op_t *)o, &sleep_class) == TMLRT_OK);
        o->timer.when = when;
    }

    void before() {
        timers_reactor.wait = timers_wait;
        timers_reactor.wake = timers_wake;
        sleep_class.timer_is_end = true;
        event.make();
        model_sleep_event = &event;
        tmlrt__store_relaxed(&parker.state, 0);
        tmlrt__store_relaxed(&driver.token, 0);
        driver.cls = &timers_reactor;
        parker.driver = &driver;
        tmlrt__timers_init(&timers, 0);
        prepare(&far, AT(FAR));
        RL_ASSERT(!tmlrt__timers_start(&timers, &far));
        for (int i = 0; i < starters; i++)
            prepare(&op[i], AT(NEAR - i));
    }

    /* As worker__sleep: knows of an earlier deadline and waits for that, or sleeps for long. */
    void worker() {
        for (unsigned fired = 0; fired < starters;) {
            int64_t until = tmlrt__timers_sleep(&timers);
            if (until > AT(NEAR)) tmlrt__parker_park(&parker, until);
            tmlrt__timers_awake(&timers);
            fired += tmlrt__timers_expire(&timers, AT(NEAR) + 1);
        }
    }

    void thread(unsigned i) {
        if (i == starters)
            worker();
        else if (tmlrt__timers_start(&timers, &op[i]))
            tmlrt__parker_unpark(&parker);
    }

    void after() {
        for (int i = 0; i < starters; i++)
            RL_ASSERT(tmlrt__op_ctl(&op[i]) == TMLRT__OP_TMR_FIRED);
        RL_ASSERT(tmlrt__op_ctl(&far) == TMLRT__OP_TMR_ARMED);
        RL_ASSERT(tmlrt__timers_stop(&timers, &far));
        RL_ASSERT(!tmlrt__timers_stop(&timers, &op[0]));
    }
};

struct start_races_sleep : timers_suite<start_races_sleep, 1> {};
struct two_starts_race_sleep : timers_suite<two_starts_race_sleep, 2> {};

/* Stop from one thread, expiry from another: one of them gets it, and says so. */
struct stop_races_expire : rl::test_suite<stop_races_expire, 2> {
    tmlrt__timers_t timers;
    tmlrt__op_t     op;
    bool            stopped;
    uint32_t        fired;

    void before() {
        sleep_class.timer_is_end = true;
        tmlrt__timers_init(&timers, 0);
        tmlrt__atomic_unmake(&op.ctl);
        op.phase = TMLRT__OP_IDLE;
        tmlrt__op_prepare((tmlrt_op_t *)&op, &sleep_class);
        op.timer.when = AT(NEAR);
        tmlrt__timers_start(&timers, &op);
    }
    void thread(unsigned i) {
        if (i == 0) {
            stopped = tmlrt__timers_stop(&timers, &op);
            op.waker = 0; /* ours from here on */
        } else {
            fired = tmlrt__timers_expire(&timers, AT(NEAR) + 1);
        }
    }
    void after() { RL_ASSERT((stopped ? 1u : 0u) + fired == 1); }
};

int main(int argc, char **argv) {
    rl::iteration_t n = model_iterations(argc, argv);
    return holds<start_races_sleep>(n) && holds<two_starts_race_sleep>(n) &&
                   holds<stop_races_expire>(n)
               ? 0
               : 1;
}
