/* SPDX-License-Identifier: MIT */
// sources: token.c waitlist.c op.c join.c task.c task_state.c waker.c timer.c wheel.c
// tags: TOK-1 TOK-2 LATCH-1
/*
 * model_token.cpp: the shipping tokens under Relacy: a cancel against waiters that register or are
 * aborted, and against children that come and go. Nobody is left waiting, what the canceller wrote
 * is seen, and no token is touched after it was freed.
 */
#include <tmlrt/token.h>

#include "model_world.h"

int64_t tmlrt__call_await(tmlrt_op_t *, int64_t) {
    abort();
}
bool tmlrt__call_tries(void) {
    return true;
}

static tmlrt_task_type_t waiter_type;

template <typename derived, int threads> struct token_suite : rl::test_suite<derived, threads> {
    model_host      host;
    tmlrt__timers_t timers;
    tmlrt_token_t  *root, *child;
    model_task      task[2];
    tmlrt__op_t     op[2];
    unsigned        told[2]; /* the runner's */
    TMLRT__VAR(int) data;

    static token_suite *self;

    void make() {
        self = this;
        model_world_make(&host, &timers);
        tmlrt__timers_init(&timers, 0);
        waiter_type.poll = poll;
        tmlrt__var_set(&data, 0);
        RL_ASSERT(tmlrt_token_create(&root, NULL) == TMLRT_OK);
        RL_ASSERT(tmlrt_token_create(&child, root) == TMLRT_OK);
        for (int k = 0; k < 2; k++) {
            told[k] = 0;
            task[k].make(&host, &waiter_type, true);
            tmlrt__atomic_unmake(&op[k].ctl);
            op[k].phase = TMLRT__OP_IDLE;
            RL_ASSERT(tmlrt_op_token((tmlrt_op_t *)&op[k], k == 0 ? root : child) == TMLRT_OK);
            task[k].start();
        }
    }

    static int32_t poll(void *, tmlrt_cx_t *cx, void *) {
        int k = (int)((model_task *)cx->task - self->task);
        if (tmlrt_op_poll((tmlrt_op_t *)&self->op[k], cx) != TMLRT_READY) return TMLRT_PENDING;
        RL_ASSERT(self->op[k].result == TMLRT_OK);
        RL_ASSERT(tmlrt__var_get(&self->data) == 1);
        self->told[k]++;
        return TMLRT_READY;
    }

    void cancel_root() {
        tmlrt__var_set(&data, 1);
        RL_ASSERT(tmlrt_token_cancel(root) == TMLRT_OK);
    }

    void finish(bool all) {
        while (task[0].run() | task[1].run()) {
        }
        for (int k = 0; k < 2; k++) {
            RL_ASSERT(told[k] == 1 || !all);
            RL_ASSERT(tmlrt__state_is_complete(&task[k].task.state));
            tmlrt__task_unref(&task[k].task);
        }
    }
};
template <typename derived, int threads>
token_suite<derived, threads> *token_suite<derived, threads>::self;

struct cancel_races_waits : token_suite<cancel_races_waits, 3> {
    void before() { make(); }
    void thread(unsigned i) {
        if (i == 0)
            cancel_root();
        else
            task[i - 1].run();
    }
    void after() {
        finish(true);
        RL_ASSERT(tmlrt_token_is_cancelled(child) == 1);
        tmlrt_token_release(root);
        tmlrt_token_release(child);
    }
};

/* A waiter is aborted meanwhile. */
struct cancel_races_abort : token_suite<cancel_races_abort, 3> {
    void before() {
        make();
        task[0].run();
    }
    void thread(unsigned i) {
        if (i == 0) {
            cancel_root();
        } else if (i == 1) {
            tmlrt_task_abort(&task[0].task);
            task[0].run();
        } else {
            task[1].run();
        }
    }
    void after() {
        finish(false);
        RL_ASSERT(told[1] == 1);
        tmlrt_token_release(child);
        tmlrt_token_release(root);
    }
};

/* Children come and go while the root is cancelled; the last reference of one goes there, too. */
struct cancel_races_release : token_suite<cancel_races_release, 3> {
    tmlrt_token_t *gone;

    void before() {
        make();
        RL_ASSERT(tmlrt_token_create(&gone, root) == TMLRT_OK);
        task[0].run();
        task[1].run();
    }
    void thread(unsigned i) {
        if (i == 0) {
            cancel_root();
        } else if (i == 1) {
            tmlrt_token_release(gone);
        } else {
            tmlrt_token_t *late, *later;
            RL_ASSERT(tmlrt_token_create(&late, child) == TMLRT_OK);
            bool was = tmlrt_token_is_cancelled(child) == 1;
            RL_ASSERT(tmlrt_token_create(&later, late) == TMLRT_OK);
            RL_ASSERT(!was || tmlrt_token_is_cancelled(child) == 1);
            tmlrt_token_release(late);
            gone = later;
        }
    }
    void after() {
        finish(true);
        RL_ASSERT(tmlrt_token_is_cancelled(gone) == 1); /* whenever it was made */
        tmlrt_token_release(gone);
        tmlrt_token_release(root);
        tmlrt_token_release(child);
    }
};

int main(int argc, char **argv) {
    rl::iteration_t n = model_iterations(argc, argv);
    return holds<cancel_races_waits>(n) && holds<cancel_races_abort>(n) &&
                   holds<cancel_races_release>(n)
               ? 0
               : 1;
}
