/* SPDX-License-Identifier: MIT */
// sources: mutex.c gate.c op.c join.c task.c task_state.c waker.c timer.c wheel.c
// tags: GATE-1
/*
 * model_mutex.cpp: the shipping mutex under Relacy: tasks that lock, against calls that barge, a
 * waiter that is aborted, and a lock that is handed over (the clock of the model makes waiters old).
 * Nobody is inside with another, what the former holder wrote is seen, no wake is lost.
 */
#include <tmlrt/sync.h>

#include "gate.h"
#include "model_world.h"

static int64_t model_now;

int64_t tmlrt__os_now(void) {
    return model_now += 1;
}
int64_t tmlrt__call_await(tmlrt_op_t *, int64_t) {
    abort();
}
int64_t tmlrt__call_await_always(tmlrt_op_t *) {
    abort();
}
bool tmlrt__call_tries(void) {
    return true;
}

static tmlrt_task_type_t locker_type;

template <typename derived, int threads, int lockers>
struct mutex_suite : rl::test_suite<derived, threads> {
    model_host      host;
    tmlrt__timers_t timers;
    tmlrt__gate_t   gate;
    model_task      task[lockers];
    tmlrt__op_t     op[lockers];
    unsigned        locked[lockers]; /* the runner's */
    TMLRT__VAR(int) inside;

    static mutex_suite *self;

    tmlrt_mutex_t *mutex() { return (tmlrt_mutex_t *)(void *)&gate; }

    void make(int64_t step) {
        self = this;
        model_now = step;
        model_world_make(&host, &timers);
        tmlrt__timers_init(&timers, 0);
        tmlrt__store_relaxed(&gate.word, 0);
        gate.head.next = gate.head.prev = NULL;
        locker_type.poll = poll;
        tmlrt__var_set(&inside, 0);
        for (int k = 0; k < lockers; k++) {
            task[k].make(&host, &locker_type, true);
            locked[k] = 0;
            tmlrt__atomic_unmake(&op[k].ctl);
            op[k].phase = TMLRT__OP_IDLE;
            RL_ASSERT(tmlrt_op_lock((tmlrt_op_t *)&op[k], mutex()) == TMLRT_OK);
            task[k].start();
        }
    }

    void critical() {
        tmlrt__var_set(&inside, tmlrt__var_get(&inside) + 1);
        RL_ASSERT(tmlrt_mutex_unlock(mutex()) == TMLRT_OK);
    }

    static int32_t poll(void *, tmlrt_cx_t *cx, void *) {
        int k = (int)((model_task *)cx->task - self->task);
        if (tmlrt_op_poll((tmlrt_op_t *)&self->op[k], cx) != TMLRT_READY) return TMLRT_PENDING;
        RL_ASSERT(self->op[k].result == TMLRT_OK);
        self->locked[k]++;
        self->critical();
        return TMLRT_READY;
    }

    bool run_any() {
        bool any = false;
        for (int k = 0; k < lockers; k++)
            any |= task[k].run();
        return any;
    }

    void finish(int barged, bool all) {
        while (run_any()) {
        }
        int sum = barged;
        for (int k = 0; k < lockers; k++) {
            RL_ASSERT(tmlrt__state_is_complete(&task[k].task.state));
            RL_ASSERT(!all || locked[k] == 1);
            sum += (int)locked[k];
            tmlrt__task_unref(&task[k].task);
            RL_ASSERT(tmlrt__load_relaxed(&task[k].freed) == 1);
        }
        RL_ASSERT(tmlrt__var_get(&inside) == sum);
        RL_ASSERT(tmlrt__load_relaxed(&gate.word) == 0);
    }
};
template <typename derived, int threads, int lockers>
mutex_suite<derived, threads, lockers> *mutex_suite<derived, threads, lockers>::self;

/* Two tasks wait behind a holder who unlocks, while a call barges. */
struct unlock_races_barge : mutex_suite<unlock_races_barge, 3, 2> {
    TMLRT__VAR(int) barged;

    void before() {
        make(0);
        tmlrt__var_set(&barged, 0);
        RL_ASSERT(tmlrt_mutex_try_lock(mutex()) == TMLRT_OK);
        task[0].run(); /* waits */
    }
    void thread(unsigned i) {
        if (i == 0) {
            RL_ASSERT(tmlrt_mutex_unlock(mutex()) == TMLRT_OK);
            task[0].run();
        } else if (i == 1) {
            task[1].run();
            task[0].run();
        } else if (tmlrt_mutex_try_lock(mutex()) == TMLRT_OK) {
            tmlrt__var_set(&barged, 1);
            critical();
        }
    }
    void after() { finish(tmlrt__var_get(&barged), true); }
};

/* The waiter that is woken is aborted: the next one is woken instead. */
struct abort_races_unlock : mutex_suite<abort_races_unlock, 3, 2> {
    void before() {
        make(0);
        RL_ASSERT(tmlrt_mutex_try_lock(mutex()) == TMLRT_OK);
        task[0].run();
        task[1].run();
    }
    void thread(unsigned i) {
        if (i == 0)
            RL_ASSERT(tmlrt_mutex_unlock(mutex()) == TMLRT_OK);
        else if (i == 1)
            tmlrt_task_abort(&task[0].task);
        else
            run_any();
    }
    void after() {
        finish(0, false);
        RL_ASSERT(locked[1] == 1);
    }
};

/* The same where the waiters are old: the lock itself passes from hand to hand. */
struct abort_races_handover : mutex_suite<abort_races_handover, 3, 2> {
    void before() {
        make(0);
        RL_ASSERT(tmlrt_mutex_try_lock(mutex()) == TMLRT_OK);
        task[0].run();
        task[1].run();
        model_now = 10000000;
    }
    void thread(unsigned i) {
        if (i == 0)
            RL_ASSERT(tmlrt_mutex_unlock(mutex()) == TMLRT_OK);
        else if (i == 1)
            tmlrt_task_abort(&task[0].task);
        else
            run_any();
    }
    void after() {
        finish(0, false);
        RL_ASSERT(locked[1] == 1);
    }
};

int main(int argc, char **argv) {
    rl::iteration_t n = model_iterations(argc, argv);
    return holds<unlock_races_barge>(n) && holds<abort_races_unlock>(n) &&
                   holds<abort_races_handover>(n)
               ? 0
               : 1;
}
