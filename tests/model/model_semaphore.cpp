/* SPDX-License-Identifier: MIT */
// sources: semaphore.c gate.c op.c join.c task.c task_state.c waker.c timer.c wheel.c
// tags: GATE-1
/*
 * model_semaphore.cpp: the shipping semaphore under Relacy: waiters for one and for two permits,
 * against releases, calls that try, and an abort. No permit is lost or made, what was written before
 * a release is seen, and nobody who could go on is left waiting.
 */
#include <tmlrt/sync.h>

#include "gate.h"
#include "model_world.h"

int64_t tmlrt__call_await(tmlrt_op_t *, int64_t) {
    abort();
}
bool tmlrt__call_tries(void) {
    return true;
}

static tmlrt_task_type_t taker_type;

template <typename derived, int threads> struct sem_suite : rl::test_suite<derived, threads> {
    model_host      host;
    tmlrt__timers_t timers;
    tmlrt__gate_t   gate;
    model_task      task[2];
    tmlrt__op_t     op[2];
    unsigned        taken[2]; /* the runner's: permits */
    TMLRT__VAR(int) data;

    static sem_suite *self;

    tmlrt_semaphore_t *sem() { return (tmlrt_semaphore_t *)(void *)&gate; }

    void make(int first, int second) {
        self = this;
        model_world_make(&host, &timers);
        tmlrt__timers_init(&timers, 0);
        tmlrt__store_relaxed(&gate.word, 0);
        tmlrt__list_init(&gate.head);
        taker_type.poll = poll;
        tmlrt__var_set(&data, 0);
        for (int k = 0; k < 2; k++) {
            task[k].make(&host, &taker_type, true);
            taken[k] = 0;
            tmlrt__atomic_unmake(&op[k].ctl);
            op[k].phase = TMLRT__OP_IDLE;
            RL_ASSERT(tmlrt_op_acquire((tmlrt_op_t *)&op[k], sem(), k == 0 ? first : second) ==
                      TMLRT_OK);
            task[k].start();
        }
    }

    static int32_t poll(void *, tmlrt_cx_t *cx, void *) {
        int k = (int)((model_task *)cx->task - self->task);
        if (tmlrt_op_poll((tmlrt_op_t *)&self->op[k], cx) != TMLRT_READY) return TMLRT_PENDING;
        RL_ASSERT(self->op[k].result == TMLRT_OK);
        RL_ASSERT(tmlrt__var_get(&self->data) != 0);
        self->taken[k] = (unsigned)self->op[k].u.wait.word;
        return TMLRT_READY;
    }

    bool run_any() {
        bool first = task[0].run();
        return task[1].run() || first;
    }

    /* `released` permits in all; `elsewhere` of them were taken by calls. */
    void finish(int released, int elsewhere, bool all) {
        while (run_any()) {
        }
        for (int k = 0; k < 2; k++) {
            RL_ASSERT(!all || taken[k] != 0);
            tmlrt__task_unref(&task[k].task);
        }
        int64_t left = tmlrt_semaphore_permits(sem());
        RL_ASSERT(left + elsewhere + (int)taken[0] + (int)taken[1] == released);
    }
};
template <typename derived, int threads>
sem_suite<derived, threads> *sem_suite<derived, threads>::self;

struct release_races_acquire : sem_suite<release_races_acquire, 3> {
    void before() { make(1, 2); }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__var_set(&data, 1);
            RL_ASSERT(tmlrt_semaphore_release(sem(), 2) == TMLRT_OK);
            RL_ASSERT(tmlrt_semaphore_release(sem(), 1) == TMLRT_OK);
        } else {
            task[i - 1].run();
        }
    }
    void after() { finish(3, 0, true); }
};

/* The first in the queue wants too much and is aborted: the one behind it goes on. */
struct abort_races_release : sem_suite<abort_races_release, 3> {
    void before() {
        make(2, 1);
        task[0].run();
        task[1].run();
    }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__var_set(&data, 1);
            RL_ASSERT(tmlrt_semaphore_release(sem(), 1) == TMLRT_OK);
            RL_ASSERT(tmlrt_semaphore_release(sem(), 1) == TMLRT_OK);
        } else if (i == 1) {
            tmlrt_task_abort(&task[0].task);
            task[0].run();
        } else {
            run_any();
        }
    }
    void after() {
        while (run_any()) {
        }
        RL_ASSERT(taken[0] == 2 || taken[1] == 1);
        finish(2, 0, false);
    }
};

/* Calls alone: the fast paths. */
struct tries_race : sem_suite<tries_race, 3> {
    TMLRT__VAR(int) got[3];

    void before() {
        make(1, 1);
        for (int k = 0; k < 3; k++)
            tmlrt__var_set(&got[k], 0);
    }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__var_set(&data, 1);
            RL_ASSERT(tmlrt_semaphore_release(sem(), 1) == TMLRT_OK);
            RL_ASSERT(tmlrt_semaphore_release(sem(), 2) == TMLRT_OK);
        } else if (tmlrt_semaphore_try_acquire(sem(), 1) == TMLRT_OK) {
            tmlrt__var_set(&got[i], 1);
            RL_ASSERT(tmlrt__var_get(&data) == 1);
        }
    }
    void after() { finish(3, tmlrt__var_get(&got[1]) + tmlrt__var_get(&got[2]), false); }
};

int main(int argc, char **argv) {
    rl::iteration_t n = model_iterations(argc, argv);
    return holds<release_races_acquire>(n) && holds<abort_races_release>(n) && holds<tries_race>(n)
               ? 0
               : 1;
}
