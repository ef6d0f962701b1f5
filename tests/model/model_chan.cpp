/* SPDX-License-Identifier: MIT */
// sources: chan.c gate.c op.c join.c task.c task_state.c waker.c timer.c wheel.c
// tags: CH-1 CH-2 LATCH-1
/*
 * model_chan.cpp: the shipping channel under Relacy: senders and receivers that poll, on a ring of
 * one or two, against calls, a close and an abort. Each item comes out once, its slot is never
 * written and read at the same time, nobody who could go on is left waiting, and nobody learns of
 * the end before the last item is out.
 */
#include <tmlrt/chan.h>

#include "gate.h"
#include "model_world.h"

int64_t tmlrt__call_await(tmlrt_op_t *, int64_t) {
    abort();
}
bool tmlrt__call_tries(void) {
    return true;
}

enum { SLOTS = 4 };

static TMLRT__VAR(int) * model_slots; /* of the suite that runs: one watched word a slot */
static const char *model_base;

void tmlrt__model_slot(const void *slot, bool write) {
    if (model_base == NULL)
        model_base = (const char *)slot; /* the first item goes to the first slot */
    TMLRT__VAR(int) *watched = &model_slots[((const char *)slot - model_base) / (int)sizeof(int)];
    if (write)
        tmlrt__var_set(watched, 1);
    else
        (void)tmlrt__var_get(watched);
}

static tmlrt_task_type_t user_type;

/* Tasks 0.. send the items 1, 2, ...; the others receive. */
template <typename derived, int threads, int senders, int receivers>
struct chan_suite : rl::test_suite<derived, threads> {
    enum { USERS = senders + receivers };
    model_host      host;
    tmlrt__timers_t timers;
    TMLRT__VAR(int) slots[SLOTS];
    TMLRT__VAR(int) written[SLOTS]; /* by the sender of an item, before it sends */
    tmlrt_chan_t *ch;
    model_task    task[USERS];
    tmlrt__op_t   op[USERS];
    int           value[USERS];
    int           result[USERS]; /* 1: not ended */

    static chan_suite *self;

    void make(size_t capacity) {
        self = this;
        model_world_make(&host, &timers);
        tmlrt__timers_init(&timers, 0);
        RL_ASSERT(tmlrt_chan_create(&ch, sizeof(int), capacity) == TMLRT_OK);
        model_slots = slots;
        model_base = NULL;
        user_type.poll = poll;
        for (int k = 0; k < SLOTS; k++) {
            tmlrt__var_set(&slots[k], 0);
            tmlrt__var_set(&written[k], 0);
        }
        for (int k = 0; k < USERS; k++) {
            task[k].make(&host, &user_type, true);
            value[k] = k < senders ? k + 1 : 0;
            result[k] = 1;
            tmlrt__atomic_unmake(&op[k].ctl);
            op[k].phase = TMLRT__OP_IDLE;
            tmlrt_op_t *o = (tmlrt_op_t *)&op[k];
            RL_ASSERT((k < senders ? tmlrt_op_send(o, ch, &value[k])
                                   : tmlrt_op_recv(o, ch, &value[k])) == TMLRT_OK);
            task[k].start();
        }
    }

    static int32_t poll(void *, tmlrt_cx_t *cx, void *) {
        int k = (int)((model_task *)cx->task - self->task);
        if (k < senders && self->op[k].phase == TMLRT__OP_PREPARED)
            tmlrt__var_set(&self->written[k], 1);
        if (tmlrt_op_poll((tmlrt_op_t *)&self->op[k], cx) != TMLRT_READY) return TMLRT_PENDING;
        self->result[k] = (int)(int64_t)self->op[k].result;
        if (k >= senders && self->result[k] == TMLRT_OK)
            RL_ASSERT(tmlrt__var_get(&self->written[self->value[k] - 1]) == 1);
        return TMLRT_READY;
    }

    bool run_any() {
        bool any = false;
        for (int k = 0; k < USERS; k++)
            any |= task[k].run();
        return any;
    }

    void run_all() {
        while (run_any()) {
        }
    }

    /* Every item that was sent was received once, or is still in it. */
    void finish() {
        int balance[senders + 1] = {0};
        for (int k = 0; k < senders; k++)
            balance[k + 1] += result[k] == TMLRT_OK;
        for (int k = senders; k < USERS; k++)
            if (result[k] == TMLRT_OK) balance[value[k]]--;
        int v;
        while (tmlrt_chan_try_recv(ch, &v) == TMLRT_OK)
            balance[v]--;
        for (int k = 1; k <= senders; k++)
            RL_ASSERT(balance[k] == 0);
        for (int k = 0; k < USERS; k++)
            tmlrt__task_unref(&task[k].task);
        tmlrt_chan_release(ch);
    }
};
template <typename derived, int threads, int senders, int receivers>
chan_suite<derived, threads, senders, receivers>
    *chan_suite<derived, threads, senders, receivers>::self;

struct two_each : chan_suite<two_each, 4, 2, 2> {
    void before() { make(1); }
    void thread(unsigned i) {
        task[i].run();
        task[i].run();
    }
    void after() {
        run_all();
        for (int k = 0; k < USERS; k++)
            RL_ASSERT(result[k] == TMLRT_OK);
        finish();
    }
};

/* Nobody is left behind by the close, and what was sent comes out. */
struct close_races : chan_suite<close_races, 4, 1, 2> {
    void before() { make(1); }
    void thread(unsigned i) {
        if (i < 3)
            task[i].run();
        else
            RL_ASSERT(tmlrt_chan_close(ch) == TMLRT_OK);
    }
    void after() {
        run_all();
        for (int k = 0; k < USERS; k++)
            RL_ASSERT(result[k] == TMLRT_OK || result[k] == TMLRT_ECLOSED);
        RL_ASSERT(tmlrt_chan_length(ch) == 0);
        finish();
    }
};

/* A receiver is aborted while it is granted an item: the other one gets it. */
struct abort_races : chan_suite<abort_races, 4, 1, 2> {
    void before() {
        make(2);
        task[1].run();
        task[2].run();
    }
    void thread(unsigned i) {
        if (i < 2)
            task[i].run();
        else if (i == 2)
            tmlrt_task_abort(&task[1].task);
        else
            task[2].run();
    }
    void after() {
        run_all();
        RL_ASSERT(result[1] == TMLRT_OK || result[2] == TMLRT_OK);
        finish();
    }
};

int main(int argc, char **argv) {
    rl::iteration_t n = model_iterations(argc, argv);
    return holds<two_each>(n) && holds<close_races>(n) && holds<abort_races>(n) ? 0 : 1;
}
