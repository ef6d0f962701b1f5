/* SPDX-License-Identifier: MIT */
// sources: broadcast.c waitlist.c op.c join.c task.c task_state.c waker.c timer.c wheel.c
// tags: BC-1 LATCH-1 WL-1
/*
 * model_broadcast.cpp: the shipping broadcast under Relacy: a sender, subscribers that poll, a close
 * and an abort. Each subscriber sees every item in order, with what its sender wrote before; it is
 * told of a loss only where there was one, and of the end only after the last item; nobody is left
 * waiting.
 */
#include <tmlrt/chan.h>

#include "model_world.h"

int64_t tmlrt__call_await(tmlrt_op_t *, int64_t) {
    abort();
}
bool tmlrt__call_tries(void) {
    return true;
}

static tmlrt_task_type_t subscriber_type;

template <typename derived, int threads, int subscribers, int items, int capacity>
struct broadcast_suite : rl::test_suite<derived, threads> {
    model_host      host;
    tmlrt__timers_t timers;
    TMLRT__VAR(int) written[items]; /* by the sender, before it sends the item */
    tmlrt_broadcast_t    *bc;
    tmlrt_subscription_t *sub[subscribers];
    model_task            task[subscribers];
    tmlrt__op_t           op[subscribers];
    int                   value[subscribers], last[subscribers];
    bool                  waits[subscribers], ended[subscribers];

    static broadcast_suite *self;

    void before() {
        self = this;
        model_world_make(&host, &timers);
        tmlrt__timers_init(&timers, 0);
        RL_ASSERT(tmlrt_broadcast_create(&bc, sizeof(int), capacity) == TMLRT_OK);
        subscriber_type.poll = poll;
        for (int i = 0; i < items; i++)
            tmlrt__var_set(&written[i], 0);
        for (int k = 0; k < subscribers; k++) {
            RL_ASSERT(tmlrt_broadcast_subscribe(bc, &sub[k]) == TMLRT_OK);
            last[k] = 0;
            waits[k] = ended[k] = false;
            op[k].phase = TMLRT__OP_IDLE;
            task[k].make(&host, &subscriber_type, true);
            task[k].start();
        }
    }

    static int32_t poll(void *, tmlrt_cx_t *cx, void *) {
        int         k = (int)((model_task *)cx->task - self->task);
        tmlrt_op_t *o = (tmlrt_op_t *)&self->op[k];
        while (!self->ended[k]) {
            if (!self->waits[k]) {
                tmlrt__atomic_unmake(&self->op[k].ctl);
                RL_ASSERT(tmlrt_op_broadcast(o, self->sub[k], &self->value[k]) == TMLRT_OK);
            }
            self->waits[k] = tmlrt_op_poll(o, cx) != TMLRT_READY;
            if (self->waits[k]) return TMLRT_PENDING;
            self->look(k, (int)(int64_t)self->op[k].result);
        }
        return TMLRT_READY;
    }

    void look(int k, int lost) {
        if (lost == TMLRT_ECLOSED) {
            RL_ASSERT(last[k] == items);
            ended[k] = true;
            return;
        }
        RL_ASSERT(lost >= 0 && (lost == 0 || capacity < items));
        RL_ASSERT(value[k] == last[k] + 1 + lost);
        last[k] = value[k];
        RL_ASSERT(tmlrt__var_get(&written[value[k] - 1]) == 1);
    }

    void send_all() {
        for (int i = 1; i <= items; i++) {
            tmlrt__var_set(&written[i - 1], 1);
            RL_ASSERT(tmlrt_broadcast_send(bc, &i) == subscribers);
        }
        RL_ASSERT(tmlrt_broadcast_close(bc) == TMLRT_OK);
    }

    void finish(int aborted) {
        for (bool any = true; any;) {
            any = false;
            for (int k = 0; k < subscribers; k++)
                any |= task[k].run();
        }
        for (int k = 0; k < subscribers; k++) {
            RL_ASSERT(ended[k] || k == aborted);
            tmlrt__task_unref(&task[k].task);
            tmlrt_subscription_release(sub[k]);
        }
        tmlrt_broadcast_release(bc);
    }
};
template <typename derived, int threads, int subscribers, int items, int capacity>
broadcast_suite<derived, threads, subscribers, items, capacity>
    *broadcast_suite<derived, threads, subscribers, items, capacity>::self;

/* Room for all: nothing is lost. */
struct in_order : broadcast_suite<in_order, 3, 2, 2, 2> {
    void thread(unsigned i) {
        if (i == 2) {
            send_all();
            return;
        }
        task[i].run();
        task[i].run();
    }
    void after() { finish(-1); }
};

/* Room for one: what is lost is counted. */
struct overrun : broadcast_suite<overrun, 2, 1, 3, 1> {
    void thread(unsigned i) {
        if (i == 0) {
            task[0].run();
            task[0].run();
        } else {
            send_all();
        }
    }
    void after() { finish(-1); }
};

/* One is aborted while it is told: the other one sees everything. */
struct abort_races : broadcast_suite<abort_races, 4, 2, 2, 2> {
    void before() {
        broadcast_suite<abort_races, 4, 2, 2, 2>::before();
        task[0].run();
        task[1].run();
    }
    void thread(unsigned i) {
        if (i < 2)
            task[i].run();
        else if (i == 2)
            tmlrt_task_abort(&task[0].task);
        else
            send_all();
    }
    void after() { finish(0); }
};

int main(int argc, char **argv) {
    rl::iteration_t n = model_iterations(argc, argv);
    return holds<in_order>(n) && holds<overrun>(n) && holds<abort_races>(n) ? 0 : 1;
}
