/* SPDX-License-Identifier: MIT */
// sources: gate.c op.c join.c task.c task_state.c waker.c timer.c wheel.c
// tags: GATE-1 LATCH-1 SCO-1
// defines: -DMODEL_SCOPES
/*
 * model_scope.cpp: the shipping scope under Relacy: children that end, spawn siblings or fail, an
 * owner that joins, looks whether it is cancelled or is aborted, a scope nested in another, a deadline
 * that passes, all at once. The owner's end comes after the end of every child and sees what they
 * wrote; no child and no owner is missed by a cancel; and nobody touches the scope after its end: its
 * atomics are destroyed there.
 */
#include "model_world.h"
#include "scope.c" /* its timer's record is made by the model */

/* For want of memory, of a thread that opens a scope. */
int tmlrt__await_begin(tmlrt_op_t *) {
    return TMLRT_ENOMEM;
}

enum { CHILDREN = 3 };
enum { ENDS, FAILS, SPAWNS, NEVER, PANICS };

static tmlrt_task_type_t owner_type, child_type;

template <typename derived, int threads> struct scope_suite : rl::test_suite<derived, threads> {
    model_host          host;
    tmlrt__timers_t     timers;
    model_task          owner, child[CHILDREN];
    tmlrt__task_extra_t extra[CHILDREN];
    tmlrt__scope_t      scope, inner;
    TMLRT__VAR(int) wrote[CHILDREN];
    int               does[CHILDREN]; /* constant */
    tmlrt__atomic_u32 entered[CHILDREN];
    bool              joins; /* constant: else it waits for an abort */
    bool            looks; /* constant: it ends when its scopes ask it to, as a fiber's wait does */
    bool            nests; /* constant: `inner` lies in `scope`; all children but 1 are in it */
    bool            opens; /* it is yet to open `inner` in `scope`, in vain */
    bool            inner_over; /* the owner's runner, as all below */
    scope__timer_t *timer;
    unsigned        opened, ended, result, polls;

    static scope_suite *self;

    static tmlrt_scope_t *pub_of(tmlrt__scope_t *s) { return (tmlrt_scope_t *)(void *)s; }
    tmlrt_scope_t        *pub() { return pub_of(&scope); }
    tmlrt__scope_t       *home(int k) { return nests && k != 1 ? &inner : &scope; }

    static void fresh(tmlrt__scope_t *s) {
        tmlrt__store_relaxed(&s->gate.word, 0);
        tmlrt__atomic_unmake(&s->guard.ctl);
        s->guard.phase = TMLRT__OP_IDLE;
    }

    scope_suite() : looks(false), nests(false), opens(false) {}

    /* The owner opens the scope; the first `n` children are in it and have not run yet. */
    void make(int n, int first, int second, bool owner_joins) {
        self = this;
        model_world_make(&host, &timers);
        tmlrt__timers_init(&timers, 0);
        owner_type.poll = owner_poll;
        owner_type.drop = owner_drop;
        child_type.poll = child_poll;
        child_type.drop = NULL;
        joins = owner_joins;
        opened = ended = result = polls = 0;
        timer = NULL;
        inner_over = false;
        does[0] = first;
        does[1] = second;
        does[2] = NEVER;
        fresh(&scope);
        if (nests || opens) fresh(&inner);
        owner.make(&host, &owner_type, true);
        owner.start();
        owner.run();
        for (int k = 0; k < CHILDREN; k++) {
            child[k].make(&host, &child_type, k != 1); /* that one is detached */
            tmlrt__var_set(&wrote[k], 0);
            memset(&extra[k], 0, sizeof extra[k]);
            extra[k].scope = home(k);
            model_extra[k] = &extra[k];
            tmlrt__store_relaxed(&child[k].task.extra, &extra[k]);
            tmlrt__store_relaxed(&entered[k], 0);
        }
        for (int k = 0; k < n; k++)
            RL_ASSERT(spawn(k) == TMLRT_OK);
    }

    int spawn(int k) {
        int e = tmlrt__scope_enter(home(k), &child[k].task);
        if (e != TMLRT_OK) return e;
        tmlrt__store_relaxed(&entered[k], 1);
        child[k].start();
        return e;
    }

    /* As scope__open gives one to it. */
    void give_timer() {
        timer = (scope__timer_t *)(::malloc)(sizeof(scope__timer_t));
        memset((void *)timer, 0, sizeof *timer);
        tmlrt__atomic_make(&timer->refs, 2);
        tmlrt__atomic_make(&timer->latch.held, 0);
        timer->scope = NULL;
        timer->fired = false;
        scope.timer = timer;
        timer__attach(timer, &scope);
    }

    static int32_t owner_poll(void *, tmlrt_cx_t *cx, void *) {
        if (self->polls++ == 0) {
            RL_ASSERT(tmlrt_scope_open_in(self->pub(), cx, NULL, TMLRT_NEVER) == TMLRT_OK);
            if (self->nests)
                RL_ASSERT(tmlrt_scope_open_in(pub_of(&self->inner), cx, self->pub(), TMLRT_NEVER) ==
                          TMLRT_OK);
            return TMLRT_PENDING;
        }
        if (self->opens) self->open_in_vain();
        if (self->looks) return tmlrt__scope_asks(self->home(0), 0) ? TMLRT_READY : TMLRT_PENDING;
        if (!self->joins) return TMLRT_PENDING;
        bool over = tmlrt_op_poll(tmlrt_scope_op(self->pub()), cx) == TMLRT_READY;
        if (!self->nests) return over ? TMLRT_READY : TMLRT_PENDING;
        RL_ASSERT(!over || self->inner_over);
        if (!self->inner_over &&
            tmlrt_op_poll(tmlrt_scope_op(pub_of(&self->inner)), cx) == TMLRT_READY)
            self->end_inner();
        return over ? TMLRT_READY : TMLRT_PENDING;
    }

    /* As a thread does it; the memory goes at once. */
    void open_in_vain() {
        opens = false;
        RL_ASSERT(scope__open(&inner, NULL, NULL, &scope, NULL, 0, TMLRT_NEVER) == TMLRT_ENOMEM);
        RL_ASSERT(tmlrt__load_relaxed(&inner.gate.word) == 0);
        tmlrt__atomic_unmake(&inner.gate.word);
        inner_over = true;
    }

    /* Its memory may go before that of the outer one. */
    void end_inner() {
        RL_ASSERT(inner.guard.phase == TMLRT__OP_ENDED);
        tmlrt__atomic_unmake(&inner.gate.word);
        inner_over = true;
    }

    /* The scope's memory goes with the owner's state. */
    static void owner_drop(void *) {
        RL_ASSERT(self->scope.guard.phase == TMLRT__OP_ENDED);
        self->ended++;
        self->result = (unsigned)-self->scope.guard.result;
        for (int k = 0; k < CHILDREN; k++) {
            if (tmlrt__load_relaxed(&self->entered[k]) == 0) continue;
            RL_ASSERT(tmlrt__load_relaxed(&self->child[k].freed) == 1 ||
                      tmlrt__state_is_complete(&self->child[k].task.state));
            tmlrt__var_get(&self->wrote[k]);
        }
        tmlrt__atomic_unmake(&self->scope.gate.word);
        if (self->nests && !self->inner_over) self->end_inner();
    }

    static int32_t child_poll(void *, tmlrt_cx_t *cx, void *) {
        int k = (int)((model_task *)cx->task - self->child);
        tmlrt__var_set(&self->wrote[k], 1);
        switch (self->does[k]) {
        case FAILS: tmlrt_scope_fail(self->pub(), TMLRT_EIO); break;
        case SPAWNS: self->spawn(2); break;
        case NEVER: return TMLRT_PENDING;
        case PANICS: return TMLRT_PANICKED;
        }
        return TMLRT_READY;
    }

    bool run_children() {
        bool any = false;
        for (int k = 0; k < CHILDREN; k++)
            any |= child[k].run();
        return any;
    }

    void run_all() {
        while (owner.run() | run_children()) {
        }
    }

    void finish() {
        run_all();
        RL_ASSERT(ended == 1);
        tmlrt__task_unref(&owner.task);
        RL_ASSERT(tmlrt__load_relaxed(&owner.freed) == 1);
        for (int k = 0; k < CHILDREN; k++) {
            if (tmlrt__load_relaxed(&entered[k]) == 0) continue;
            if (k != 1) tmlrt__task_unref(&child[k].task);
            RL_ASSERT(tmlrt__load_relaxed(&child[k].freed) == 1);
            RL_ASSERT(tmlrt__load_relaxed(&child[k].task.state) == 0);
        }
        tmlrt__atomic_make(&scope.gate.word, 0); /* the suite destroys it again */
        if (inner_over) tmlrt__atomic_make(&inner.gate.word, 0);
    }
};
template <typename derived, int threads>
scope_suite<derived, threads> *scope_suite<derived, threads>::self;

struct last_child_races_join : scope_suite<last_child_races_join, 3> {
    void before() { make(2, ENDS, ENDS, true); }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__state_wake(&owner.task.state) ? owner.queue() : (void)0;
            owner.run();
        } else {
            child[i - 1].run();
        }
    }
    void after() {
        finish();
        RL_ASSERT(result == 0);
    }
};

/* One child fails while its sibling spawns one that never ends by itself, and the owner joins. */
struct failure_races_spawn : scope_suite<failure_races_spawn, 3> {
    void before() { make(2, FAILS, SPAWNS, true); }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__state_wake(&owner.task.state) ? owner.queue() : (void)0;
            owner.run();
            owner.run();
        } else {
            child[i - 1].run();
            child[2].run();
        }
    }
    void after() {
        finish();
        RL_ASSERT(result == -TMLRT_EIO);
    }
};

/* The owner is aborted while one child ends and another panics. */
struct abort_races_ends : scope_suite<abort_races_ends, 3> {
    void before() { make(2, PANICS, NEVER, false); }
    void thread(unsigned i) {
        if (i == 0) {
            child[0].run();
        } else if (i == 1) {
            tmlrt_task_abort(&owner.task);
            owner.run();
        } else {
            child[1].run();
            child[1].run();
        }
    }
    void after() { finish(); }
};

/* The deadline passes while the last child ends and the owner joins. */
struct deadline_races_end : scope_suite<deadline_races_end, 3> {
    void before() {
        make(1, ENDS, ENDS, true);
        give_timer();
    }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__state_wake(&owner.task.state) ? owner.queue() : (void)0;
            owner.run();
            owner.run();
        } else if (i == 1) {
            child[0].run();
        } else {
            timer__wake(timer);
        }
    }
    void after() {
        finish();
        RL_ASSERT(result == 0 || result == (unsigned)-TMLRT_ETIMEDOUT);
    }
};

/* The timer was taken out of its wheel before the end, and its waker comes only after it. */
struct deadline_follows_end : scope_suite<deadline_follows_end, 2> {
    void before() {
        make(1, ENDS, ENDS, true);
        give_timer();
    }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__state_wake(&owner.task.state) ? owner.queue() : (void)0;
            owner.run();
        } else {
            child[0].run();
        }
    }
    void after() {
        run_all();
        timer__wake(timer);
        finish();
        RL_ASSERT(result == 0);
    }
};

/* The owner waits for anything but the end of the scope when that is cancelled: it is woken, and
 * sees why. */
struct cancel_reaches_owner : scope_suite<cancel_reaches_owner, 2> {
    void before() {
        looks = true;
        make(0, ENDS, ENDS, false);
    }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__state_wake(&owner.task.state) ? owner.queue() : (void)0;
            owner.run();
            owner.run();
        } else {
            RL_ASSERT(tmlrt_scope_cancel(pub()) == TMLRT_OK);
        }
    }
    void after() {
        finish();
        RL_ASSERT(result == (unsigned)-TMLRT_ECANCELED);
    }
};

/* The same from a scope inside of it. */
struct outer_cancel_reaches_owner : scope_suite<outer_cancel_reaches_owner, 3> {
    void before() {
        looks = nests = true;
        make(1, NEVER, ENDS, false);
    }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__state_wake(&owner.task.state) ? owner.queue() : (void)0;
            owner.run();
            owner.run();
        } else if (i == 1) {
            RL_ASSERT(tmlrt_scope_cancel(pub()) == TMLRT_OK);
        } else {
            child[0].run();
            child[0].run();
        }
    }
    void after() {
        finish();
        RL_ASSERT(result == (unsigned)-TMLRT_ECANCELED);
    }
};

/* The outer scope fails while the owner joins both, and the last child of the inner one ends, or
 * never will by itself. The outer one ends last. */
template <int inner_child>
struct outer_failure_races_inner_end : scope_suite<outer_failure_races_inner_end<inner_child>, 3> {
    typedef scope_suite<outer_failure_races_inner_end<inner_child>, 3> base;
    using base::child;
    using base::owner;
    void before() {
        base::nests = true;
        base::make(2, inner_child, FAILS, true);
    }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__state_wake(&owner.task.state) ? owner.queue() : (void)0;
            owner.run();
            owner.run();
        } else {
            child[i - 1].run();
        }
    }
    void after() {
        base::finish();
        RL_ASSERT(base::result == (unsigned)-TMLRT_EIO);
    }
};

/* The outer scope fails while the owner opens one in it, for which there is no memory. */
struct failure_races_open_in_vain : scope_suite<failure_races_open_in_vain, 2> {
    void before() {
        opens = true;
        make(2, ENDS, FAILS, true);
    }
    void thread(unsigned i) {
        if (i == 0) {
            tmlrt__state_wake(&owner.task.state) ? owner.queue() : (void)0;
            owner.run();
            owner.run();
        } else {
            child[0].run();
            child[1].run();
        }
    }
    void after() {
        finish();
        RL_ASSERT(result == (unsigned)-TMLRT_EIO);
    }
};

typedef outer_failure_races_inner_end<ENDS>  failure_races_inner_end;
typedef outer_failure_races_inner_end<NEVER> failure_ends_inner;

int main(int argc, char **argv) {
    rl::iteration_t n = model_iterations(argc, argv);
    return holds<last_child_races_join>(n) && holds<failure_races_spawn>(n) &&
                   holds<abort_races_ends>(n) && holds<deadline_races_end>(n) &&
                   holds<deadline_follows_end>(n) && holds<cancel_reaches_owner>(n) &&
                   holds<outer_cancel_reaches_owner>(n) && holds<failure_races_inner_end>(n) &&
                   holds<failure_ends_inner>(n) && holds<failure_races_open_in_vain>(n)
               ? 0
               : 1;
}
