/* SPDX-License-Identifier: MIT */
/*
 * conformance_cancel.c: every kind of wait, cancelled at every suspension, in every way, from a
 * stackless task, a fiber and a plain thread, on every backend; before what it waits for has come,
 * and after, when it has been granted and does not know yet. Then the kind's books must be right
 * (support/kinds.h): no item, permit, lock, byte, connection or descriptor lost or doubled, who
 * waited behind is served, and the object is still of use.
 *
 * A run makes ROUNDS operations one after another; each time they are suspended the test lets them
 * go on, but at suspension k it cancels. Runs are made for k = 0, 1, ... until one ends before its
 * k-th suspension. All on current-thread runtimes, driven by the test: nothing is left to chance
 * but what the network and the pool's threads do in their own time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/descriptors.h"
#include "support/kinds.h"
#include "support/net.h"
#include "support/reactors.h"
#include "support/threads.h"

enum { ROUNDS = 3, MOST_SUSPENSIONS = 6, PATIENCE = 64 };

enum { BY_CANCEL, BY_DEADLINE, BY_ABORT, BY_DRAIN, METHODS };
static const char *const method_name[METHODS] = {"cancel", "deadline", "abort", "drain"};
enum { TASK, FIBER, THREAD, OWNERS };
static const char *const owner_name[OWNERS] = {"task", "fiber", "thread"};

typedef struct run {
    thing_t        thing;
    int            owner, method, k;
    bool           granted; /* cancel after it was let go on */
    int            round, suspensions;
    bool           in_flight, over, behind;
    int            want; /* of a task: METHODS, or what it shall do at its next poll */
    tmlrt_waker_t  waker;
    tmlrt_notify_t stop; /* of a fiber: the other way out of its select */
} run_t;

/* The next operation of the owner; false: there is none. */
static bool prepare_next(run_t *r) {
    if (r->round == ROUNDS) return false;
    thing_prepare(&r->thing, FIRST);
    r->in_flight = true;
    if (r->method == BY_DEADLINE && r->suspensions == r->k)
        tmlrt_op_deadline(&r->thing.op[FIRST][0], tmlrt_now(r->thing.rt));
    return true;
}

static void end_round(run_t *r) {
    r->in_flight = false;
    r->round++;
    thing_ended(&r->thing, FIRST);
}

/* ---- the owners ------------------------------------------------------------------------------- */

static int32_t owner_poll(void *state, tmlrt_cx_t *cx, void *result) {
    run_t      *r = *(run_t **)state;
    tmlrt_op_t *op = &r->thing.op[FIRST][0];
    (void)result;
    if (r->waker.vtable == NULL) require(tmlrt_waker_clone(cx->waker, &r->waker) == TMLRT_OK);
    while (r->in_flight || prepare_next(r)) {
        if (r->want == BY_CANCEL) require(tmlrt_op_cancel(op) == TMLRT_OK);
        if (r->want == BY_CANCEL) r->want = METHODS;
        if (r->want == BY_DRAIN) {
            if (tmlrt_ops_drain(cx, op, sizeof r->thing.op[FIRST]) != TMLRT_READY)
                return TMLRT_PENDING;
            r->want = METHODS;
        }
        if (tmlrt_op_poll(op, cx) != TMLRT_READY) {
            r->suspensions++;
            return TMLRT_PENDING;
        }
        end_round(r);
    }
    return TMLRT_READY;
}

/* What an abort ended goes to the books as well. */
static void owner_drop(void *state) {
    run_t *r = *(run_t **)state;
    if (r->in_flight) end_round(r);
    r->over = true;
}

static const tmlrt_task_type_t owner_type = {.struct_size = sizeof(tmlrt_task_type_t),
                                             .name = "owner",
                                             .state_size = sizeof(run_t *),
                                             .poll = owner_poll,
                                             .drop = owner_drop};

/* Its cancel is that of a select's loser. */
static void *owner_fiber(void *arg) {
    run_t      *r = arg;
    tmlrt_op_t *op = &r->thing.op[FIRST][0], stop = TMLRT_OP_INIT, any = TMLRT_OP_INIT;
    tmlrt_op_t *both[2] = {op, &stop};
    while (prepare_next(r)) {
        bool aborted = r->method == BY_ABORT && tmlrt_cancelled() != TMLRT_OK;
        r->suspensions++;
        if (r->method == BY_CANCEL) {
            tmlrt_op_notified(&stop, &r->stop);
            tmlrt_op_any(&any, both, 2);
            require(tmlrt_op_await(&any) == TMLRT_OK);
        } else {
            require(tmlrt_op_await(op) == TMLRT_OK);
        }
        end_round(r);
        if (aborted) require(tmlrt_op_result(op) == TMLRT_ECANCELED);
    }
    r->over = true;
    return NULL;
}

static void thread_goes_on(run_t *r) {
    while (r->in_flight || prepare_next(r)) {
        if (start(&r->thing.op[FIRST][0]) == 1) {
            r->suspensions++;
            return;
        }
        end_round(r);
    }
    r->over = true;
}

/* ---- the test --------------------------------------------------------------------------------- */

static void cancel(run_t *r, tmlrt_task_t *task) {
    tmlrt_op_t *op = &r->thing.op[FIRST][0];
    if (r->method == BY_ABORT) {
        /* Where the system completes by itself, it may be over before we are here. */
        int e = tmlrt_task_abort(task);
        require(e == TMLRT_OK || (e == TMLRT_EALREADY && r->over));
    } else if (r->owner == FIBER) {
        if (r->method == BY_CANCEL) tmlrt_notify_one(&r->stop);
    } else if (r->owner == TASK) {
        r->want = r->method;
        if (r->method != BY_DEADLINE) tmlrt_waker_wake_by_ref(&r->waker);
    } else {
        if (r->method == BY_CANCEL) require(tmlrt_op_cancel(op) == TMLRT_OK);
        if (r->in_flight) finish(op); /* its deadline is ours to keep */
    }
}

static void look_behind(run_t *r) {
    if (!r->behind || start(&r->thing.op[BEHIND][0]) == 1) return;
    r->behind = false;
    thing_ended(&r->thing, BEHIND);
}

/* Drives everything until the owner has ended or is suspended anew; lets it go on when it is not
 * for long. */
static void go_on(run_t *r, int seen) {
    for (int idle = 1; !r->over && r->suspensions == seen; idle++) {
        drive(r->thing.rt);
        if (r->owner == THREAD) {
            int round = r->round;
            thread_goes_on(r);
            if (r->round == round && !r->over)
                r->suspensions = seen; /* the same one, polled again */
        }
        look_behind(r);
        if (idle % PATIENCE == 0) {
            thing_give(&r->thing);
            (void)sched_yield();
        }
    }
}

/* One run; the suspensions that it had. */
static int run_once(const kind_t *kind, tmlrt_runtime_t *rt, int owner, int method, int k,
                    bool granted) {
    static run_t  run;
    run_t        *r = &run;
    tmlrt_task_t *task = NULL;
    memset(r, 0, sizeof *r);
    r->owner = owner;
    r->method = method;
    r->k = k;
    r->granted = granted;
    r->want = METHODS;
    thing_open(&r->thing, kind, rt);
    if (getenv("TMLRT_TEST_VERBOSE") != NULL)
        fprintf(stderr, "%s: %s, %s at %d%s\n", kind->name, owner_name[owner], method_name[method],
                k, granted ? ", granted" : "");
    if (owner == TASK) require(tmlrt_spawn(rt, &owner_type, &r, NULL, &task) == TMLRT_OK);
    if (owner == FIBER) require(tmlrt_go(rt, owner_fiber, r, NULL, &task) == TMLRT_OK);
    if (owner == THREAD) thread_goes_on(r);
    int seen = 0;
    for (go_on(r, seen); !r->over; go_on(r, seen)) {
        seen = r->suspensions;
        if (seen == 1 && (kind->flags & KIND_ALONE) == 0) {
            thing_prepare(&r->thing, BEHIND);
            r->behind = start(&r->thing.op[BEHIND][0]) == 1;
            if (!r->behind) thing_ended(&r->thing, BEHIND);
        }
        bool now = seen == k + 1;
        if (!now || granted) thing_give(&r->thing);
        if (now) cancel(r, task);
    }
    if (task != NULL) {
        int e = tmlrt_join(task, NULL);
        require(e == TMLRT_OK || (e == TMLRT_ECANCELED && method == BY_ABORT));
        tmlrt_task_release(task);
    }
    if (r->waker.vtable != NULL) require(tmlrt_waker_drop(&r->waker) == TMLRT_OK);
    while (r->behind) { /* it is served, whatever became of the one before it */
        thing_give(&r->thing);
        drive(rt);
        look_behind(r);
    }
    thing_close(&r->thing);
    return r->suspensions;
}

static bool applies(int owner, int method) {
    if (method == BY_DRAIN) return owner == TASK;
    return method != BY_ABORT || owner != THREAD;
}

static int runs;

static void cancel_everywhere(tmlrt_runtime_t *rt, const kind_t *kind, int owner, int method) {
    int most = (kind->flags & KIND_SLOW) != 0 ? 2 : MOST_SUSPENSIONS;
    for (int granted = 0; granted < 2; granted++)
        for (int k = 0; k < most; k++) {
            runs++;
            if (run_once(kind, rt, owner, method, k, granted != 0) <= k) break;
        }
}

static void nothing_is_lost_by_a_cancel_anywhere(void **state) {
    (void)state;
    runs = 0;
    for (int i = 0; i < kinds_count; i++) {
        int              before = open_descriptors();
        tmlrt_runtime_t *rt = reactor_runtime();
        for (int owner = 0; owner < OWNERS; owner++)
            for (int method = 0; method < METHODS; method++)
                if (applies(owner, method)) cancel_everywhere(rt, &kinds[i], owner, method);
        require(tmlrt_runtime_destroy(rt) == TMLRT_OK);
        if (open_descriptors() != before)
            fail_msg("%s: %d descriptors became %d", kinds[i].name, before, open_descriptors());
    }
    printf("%d kinds, %d runs\n", kinds_count, runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_by_a_cancel_anywhere),
    };
    int failed = 0;
    while (reactor_next())
        if (reactor_is_current_thread())
            failed += cmocka_run_group_tests_name(reactor_name(), tests, NULL, NULL);
    return failed;
}
