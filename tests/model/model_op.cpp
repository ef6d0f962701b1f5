/* SPDX-License-Identifier: MIT */
// sources: op.c join.c task.c task_state.c waker.c waitlist.c timer.c wheel.c
// tags: OP-1 OP-3 LATCH-1
/*
 * model_op.cpp: the shipping operation under Relacy: the fire of its arms against polls, a change
 * of waker, cancellation, and its memory used again right after the end.
 *
 * The source is a waitlist, the timer a wheel under its latch; the owner is a task that two workers
 * poll in turn, or a plain thread. result and waker are watched: a fire that the owner does not
 * observe, or that touches the operation after its end, is a data race.
 */
#include "model_world.h"

enum { RESULT = 7, AGAIN = 99 };

static tmlrt__waitlist_t *model_source;

static int32_t wait_start(tmlrt__op_t *op, tmlrt_cx_t *) {
    tmlrt__latch_lock(&model_source->latch);
    bool waits = model_source->permits == 0;
    if (waits) tmlrt__waitlist_add(model_source, op);
    tmlrt__latch_unlock(&model_source->latch);
    if (waits) return TMLRT_PENDING;
    op->result = RESULT;
    return TMLRT_READY;
}

static int32_t wait_cancel(tmlrt__op_t *op, int reason) {
    if (tmlrt__waitlist_remove(model_source, op))
        op->result = reason;
    else
        tmlrt__op_ctl(op);
    return TMLRT_READY;
}

static tmlrt__op_class_t wait_class;
static tmlrt_task_type_t op_type;

template <typename derived, int threads> struct op_suite : rl::test_suite<derived, threads> {
    model_host        host;
    tmlrt__timers_t   timers;
    tmlrt__waitlist_t source;
    model_task        task;
    tmlrt__op_t       op;
    unsigned          ready; /* the runner's */
    int64_t           result;

    static op_suite *self;

    void make(int64_t deadline) {
        self = this;
        model_world_make(&host, &timers);
        tmlrt__timers_init(&timers, 0);
        model_source = &source;
        tmlrt__store_relaxed(&source.latch.held, 0);
        source.permits = 0;
        tmlrt__store_relaxed(&source.rounds, 0);
        source.head.next = source.head.prev = NULL;
        wait_class.waits_for = "source";
        wait_class.start = wait_start;
        wait_class.cancel = wait_cancel;
        op_type.struct_size = sizeof op_type;
        op_type.poll = poll;
        ready = 0;
        prepare();
        op.timer.when = deadline;
        task.make(&host, &op_type, true);
    }

    void prepare() {
        tmlrt__atomic_unmake(&op.ctl);
        op.phase = TMLRT__OP_IDLE;
        RL_ASSERT(tmlrt__op_prepare((tmlrt_op_t *)&op, &wait_class) == TMLRT_OK);
    }

    /* The task: waits for the operation, then uses its memory for something else. */
    static int32_t poll(void *, tmlrt_cx_t *cx, void *) {
        if (self->ready != 0) return TMLRT_PENDING;
        if (tmlrt_op_poll((tmlrt_op_t *)&self->op, cx) != TMLRT_READY) return TMLRT_PENDING;
        self->end();
        return TMLRT_READY;
    }

    void end() {
        ready++;
        result = op.result;
        tmlrt__atomic_unmake(&op.ctl);
        tmlrt__atomic_make(&op.ctl, AGAIN);
        op.result = AGAIN;
        op.waker = 0;
    }

    void fire_source() {
        tmlrt__wake_t wake = 0;
        tmlrt__latch_lock(&source.latch);
        tmlrt__op_t *o = tmlrt__waitlist_pop(&source);
        if (o != NULL) {
            o->result = RESULT;
            wake = tmlrt__op_fire(o, TMLRT__OP_SRC_ARMED);
        } else {
            source.permits = 1;
        }
        tmlrt__latch_unlock(&source.latch);
        tmlrt__wake_run(wake);
    }

    void run_some() {
        task.run();
        task.run();
    }

    void finish() {
        while (task.run()) {
        }
        RL_ASSERT(tmlrt__state_is_complete(&task.task.state));
        tmlrt__task_unref(&task.task);
        RL_ASSERT(tmlrt__load_relaxed(&task.freed) == 1);
    }

    void check_reused() {
        RL_ASSERT(ready == 1);
        RL_ASSERT(tmlrt__load_relaxed(&op.ctl) == AGAIN);
        RL_ASSERT(op.result == AGAIN);
    }
};
template <typename derived, int threads>
op_suite<derived, threads> *op_suite<derived, threads>::self;

struct fire_races_poll : op_suite<fire_races_poll, 3> {
    void before() {
        make(TMLRT_NEVER);
        task.start();
    }
    void thread(unsigned i) {
        if (i < 2)
            run_some();
        else
            fire_source();
    }
    void after() {
        finish();
        check_reused();
        RL_ASSERT(result == RESULT);
    }
};

/* The source and the deadline fire at the same time: one end, the result says which. */
struct two_arms : op_suite<two_arms, 4> {
    void before() {
        make(1);
        task.start();
        task.run(); /* armed */
    }
    void thread(unsigned i) {
        if (i < 2)
            run_some();
        else if (i == 2)
            fire_source();
        else
            tmlrt__timers_expire(&timers, 10 * TMLRT__WHEEL_TICK_NS);
    }
    void after() {
        finish();
        check_reused();
        RL_ASSERT(result == RESULT || result == TMLRT_ETIMEDOUT);
    }
};

/* The task is aborted while its operation fires: it ends once, and nothing touches it later. */
struct abort_races_fire : op_suite<abort_races_fire, 4> {
    void before() {
        make(1);
        task.start();
        task.run();
    }
    void thread(unsigned i) {
        if (i == 0)
            run_some();
        else if (i == 1)
            fire_source();
        else if (i == 2)
            tmlrt__timers_expire(&timers, 10 * TMLRT__WHEEL_TICK_NS);
        else
            tmlrt_task_abort(&task.task);
    }
    void after() { finish(); }
};

/* ---- a plain thread, whose waker changes from poll to poll ---- */

struct model_waker {
    tmlrt__atomic_u32 clones, woken;
    TMLRT__VAR(int) alive;
};

static void waker_clone(void *data, tmlrt_waker_t *out);
static void waker_drop(void *data) {
    model_waker *w = (model_waker *)data;
    if (tmlrt__fetch_sub_acq_rel(&w->clones, 1) == 1) tmlrt__var_set(&w->alive, 0);
}
static void waker_wake_by_ref(void *data) {
    model_waker *w = (model_waker *)data;
    RL_ASSERT(tmlrt__var_get(&w->alive) == 1);
    tmlrt__fetch_add_relaxed(&w->woken, 1);
}
static void waker_wake(void *data) {
    waker_wake_by_ref(data);
    waker_drop(data);
}
static const tmlrt_waker_vtable_t waker_table = {waker_clone, waker_wake, waker_wake_by_ref,
                                                 waker_drop};
static void                       waker_clone(void *data, tmlrt_waker_t *out) {
                          tmlrt__fetch_add_relaxed(&((model_waker *)data)->clones, 1);
                          out->data = data;
                          out->vtable = &waker_table;
}

/* Whoever polled last is woken, or has seen the end; no waker is used after its last drop. */
struct waker_changes : op_suite<waker_changes, 2> {
    model_waker wakers[2];

    void before() {
        make(TMLRT_NEVER);
        for (int i = 0; i < 2; i++) {
            tmlrt__store_relaxed(&wakers[i].clones, 1);
            tmlrt__store_relaxed(&wakers[i].woken, 0);
            tmlrt__var_set(&wakers[i].alive, 1);
        }
    }

    bool poll_with(int k) {
        tmlrt_waker_t waker = {&wakers[k], &waker_table};
        tmlrt_cx_t    cx = {&waker, NULL, {NULL, NULL}};
        if (tmlrt_op_poll((tmlrt_op_t *)&op, &cx) != TMLRT_READY) return false;
        end();
        return true;
    }

    void thread(unsigned i) {
        if (i == 1) {
            fire_source();
            return;
        }
        for (int k = 0; k < 2; k++) {
            bool done = poll_with(k);
            waker_drop(&wakers[k]);
            if (done) return;
        }
    }

    void after() {
        if (ready == 0) {
            RL_ASSERT(tmlrt__load_relaxed(&wakers[1].woken) == 1);
            tmlrt__store_relaxed(&wakers[1].clones, tmlrt__load_relaxed(&wakers[1].clones) + 1);
            RL_ASSERT(poll_with(1));
            waker_drop(&wakers[1]);
        }
        check_reused();
        RL_ASSERT(result == RESULT);
        RL_ASSERT(tmlrt__load_relaxed(&wakers[0].clones) == 0);
        tmlrt__task_unref(&task.task);
        tmlrt__task_unref(&task.task);
    }
};

int main(int argc, char **argv) {
    rl::iteration_t n = model_iterations(argc, argv);
    return holds<fire_races_poll>(n) && holds<two_arms>(n) && holds<abort_races_fire>(n) &&
                   holds<waker_changes>(n)
               ? 0
               : 1;
}
