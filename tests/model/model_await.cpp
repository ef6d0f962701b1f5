/* SPDX-License-Identifier: MIT */
// sources: op.c join.c task.c task_state.c waker.c waitlist.c timer.c wheel.c
// tags: AW-1 AW-2 OP-3 LATCH-1
// defines: -DMODEL_AWAITS
/*
 * model_await.cpp: the shipping await of a plain thread under Relacy: it blocks until its operation
 * ends, whatever other wakes come, and its record is freed once, after the last clone of its waker.
 *
 * A thread that blocks after its operation has ended is a deadlock.
 */
#include "model_world.h"
#include "os.h"
#include "thread_await.c" /* its record outlives a run that fails, and must be forgotten */

enum { RESULT = 7 };

static model_waiters *model_futex;
static void (*model_exit)(void *);
static void *model_exit_arg;

int tmlrt__thread_at_exit(void (*fn)(void *), void *arg) {
    model_exit = fn;
    model_exit_arg = arg;
    return 0;
}
void tmlrt__futex_wait(tmlrt__atomic_u32 *word, uint32_t expected, int64_t) {
    model_futex_wait(model_futex, word, expected);
}
void tmlrt__futex_wake(tmlrt__atomic_u32 *, uint32_t) {
    model_futex->wake_all();
}
int64_t tmlrt__os_now(void) {
    return 0;
}

/* The source keeps a clone of the waker as well, which somebody wakes for no reason. */
struct model_source {
    tmlrt__waitlist_t list;
    tmlrt_waker_t     extra;
};
static model_source *source;

static int32_t wait_start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__latch_lock(&source->list.latch);
    bool waits = source->list.permits == 0;
    if (waits) {
        tmlrt__waitlist_add(&source->list, op);
        cx->waker->vtable->clone(cx->waker->data, &source->extra);
    }
    tmlrt__latch_unlock(&source->list.latch);
    if (waits) return TMLRT_PENDING;
    op->result = RESULT;
    return TMLRT_READY;
}

static tmlrt__op_class_t wait_class;

struct await_races_fire : rl::test_suite<await_races_fire, 3> {
    model_host      host;
    tmlrt__timers_t timers;
    model_source    s;
    model_waiters   futex;
    tmlrt__op_t     op;

    void before() {
        model_world_make(&host, &timers);
        model_futex = &futex;
        await__own = NULL;
        model_exit = NULL;
        source = &s;
        tmlrt__store_relaxed(&s.list.latch.held, 0);
        s.list.permits = 0;
        tmlrt__store_relaxed(&s.list.rounds, 0);
        s.list.head.next = s.list.head.prev = NULL;
        s.extra.vtable = NULL;
        wait_class.start = wait_start;
        tmlrt__atomic_unmake(&op.ctl);
        op.phase = TMLRT__OP_IDLE;
        tmlrt__op_prepare((tmlrt_op_t *)&op, &wait_class);
    }

    void fire() {
        tmlrt__wake_t wake = 0;
        tmlrt__latch_lock(&s.list.latch);
        tmlrt__op_t *o = tmlrt__waitlist_pop(&s.list);
        if (o != NULL) {
            o->result = RESULT;
            wake = tmlrt__op_fire(o, TMLRT__OP_SRC_ARMED);
        } else {
            s.list.permits = 1;
        }
        tmlrt__latch_unlock(&s.list.latch);
        tmlrt__wake_run(wake);
    }

    bool wake_extra() {
        tmlrt__latch_lock(&s.list.latch);
        tmlrt_waker_t w = s.extra;
        s.extra.vtable = NULL;
        tmlrt__latch_unlock(&s.list.latch);
        if (w.vtable == NULL) return false;
        for (int k = 0; k < 3; k++)
            w.vtable->wake_by_ref(w.data);
        w.vtable->wake(w.data);
        return true;
    }

    void thread(unsigned i) {
        if (i == 0) {
            RL_ASSERT(tmlrt_op_await((tmlrt_op_t *)&op) == TMLRT_OK);
            RL_ASSERT(op.result == RESULT);
            model_exit(model_exit_arg);
        } else if (i == 1) {
            fire();
        } else {
            wake_extra();
        }
    }

    void after() { wake_extra(); }
};

int main(int argc, char **argv) {
    return holds<await_races_fire>(200 * model_iterations(argc, argv)) ? 0 : 1;
}
