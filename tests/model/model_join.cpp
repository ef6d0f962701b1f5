/* SPDX-License-Identifier: MIT */
// sources: join.c op.c task.c task_state.c waker.c timer.c wheel.c
// tags: TS-3 TS-4 OP-1 LATCH-1
/*
 * model_join.cpp: the shipping join under Relacy: registration against the end of the task and
 * against its own cancellation. The end is never missed, the operation is not touched after its
 * own end, what the ended task wrote is seen, and both tasks are freed once.
 */
#include "model_world.h"

enum { RESULT = 7 };

static tmlrt_task_type_t target_type, joiner_type;

template <typename derived, int threads, int joiners>
struct join_suite : rl::test_suite<derived, threads> {
    model_host      host;
    tmlrt__timers_t timers;
    model_task      target;
    model_task      joiner[joiners];
    tmlrt__op_t     op[joiners];
    unsigned        joined[joiners]; /* the runner's */
    TMLRT__VAR(int) wrote;

    static join_suite *self;

    void before() {
        self = this;
        model_world_make(&host, &timers);
        tmlrt__timers_init(&timers, 0);
        target_type.poll = target_poll;
        joiner_type.poll = joiner_poll;
        tmlrt__var_set(&wrote, 0);
        target.make(&host, &target_type, false);
        for (int k = 0; k < joiners; k++) {
            tmlrt__state_ref(&target.task.state); /* a handle each */
            joiner[k].make(&host, &joiner_type, true);
            joined[k] = 0;
            tmlrt__atomic_unmake(&op[k].ctl);
            op[k].phase = TMLRT__OP_IDLE;
            RL_ASSERT(tmlrt_op_join((tmlrt_op_t *)&op[k], &target.task, NULL) == TMLRT_OK);
        }
        target.start();
        for (int k = 0; k < joiners; k++)
            joiner[k].start();
    }

    static int32_t target_poll(void *, tmlrt_cx_t *, void *) {
        tmlrt__var_set(&self->wrote, RESULT);
        return TMLRT_READY;
    }

    static int32_t joiner_poll(void *, tmlrt_cx_t *cx, void *) {
        int k = (int)((model_task *)cx->task - self->joiner);
        if (tmlrt_op_poll((tmlrt_op_t *)&self->op[k], cx) != TMLRT_READY) return TMLRT_PENDING;
        RL_ASSERT(self->op[k].result == TMLRT_OK);
        RL_ASSERT(tmlrt__var_get(&self->wrote) == RESULT);
        self->joined[k]++;
        tmlrt__task_unref(&self->target.task); /* its handle */
        /* The memory of the operation is something else from now on. */
        tmlrt__atomic_unmake(&self->op[k].ctl);
        tmlrt__atomic_make(&self->op[k].ctl, 99);
        self->op[k].result = 99;
        self->op[k].waker = 0;
        return TMLRT_READY;
    }

    bool run_any() {
        bool any = target.run();
        for (int k = 0; k < joiners; k++)
            any |= joiner[k].run();
        return any;
    }

    void finish(bool all) {
        while (run_any()) {
        }
        for (int k = 0; k < joiners; k++) {
            RL_ASSERT(tmlrt__state_is_complete(&joiner[k].task.state));
            RL_ASSERT(!all || joined[k] == 1);
            if (joined[k] == 0) tmlrt__task_unref(&target.task);
            tmlrt__task_unref(&joiner[k].task);
            RL_ASSERT(tmlrt__load_relaxed(&joiner[k].freed) == 1);
        }
        RL_ASSERT(tmlrt__load_relaxed(&target.freed) == 1);
    }
};
template <typename derived, int threads, int joiners>
join_suite<derived, threads, joiners> *join_suite<derived, threads, joiners>::self;

struct join_races_end : join_suite<join_races_end, 2, 1> {
    void thread(unsigned i) {
        if (i == 0) {
            target.run();
        } else {
            joiner[0].run();
            joiner[0].run();
        }
    }
    void after() { finish(true); }
};

struct two_joins_race_end : join_suite<two_joins_race_end, 3, 2> {
    void thread(unsigned i) {
        if (i == 0)
            target.run();
        else
            joiner[i - 1].run();
    }
    void after() { finish(true); }
};

/* The joiner is aborted meanwhile, and its operation is drained. */
struct abort_races_end : join_suite<abort_races_end, 3, 1> {
    void thread(unsigned i) {
        if (i == 0) {
            target.run();
        } else if (i == 1) {
            joiner[0].run();
            joiner[0].run();
        } else {
            tmlrt_task_abort(&joiner[0].task);
        }
    }
    void after() { finish(false); }
};

/* The joiner runs the task itself, when it finds it queued. */
struct inline_races_end : join_suite<inline_races_end, 2, 1> {
    void thread(unsigned i) {
        if (i == 0) {
            target.run();
        } else {
            tmlrt__current()->host = &host;
            joiner[0].run();
        }
    }
    void after() { finish(true); }
};

int main(int argc, char **argv) {
    rl::iteration_t n = model_iterations(argc, argv);
    return holds<join_races_end>(n) && holds<two_joins_race_end>(n) && holds<abort_races_end>(n) &&
                   holds<inline_races_end>(n)
               ? 0
               : 1;
}
