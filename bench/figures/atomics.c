/* SPDX-License-Identifier: MIT */
/*
 * atomics.c: the life of a task, over and over, to be counted from outside by atomics.sh.
 *
 *   figure_atomics late N      N tasks: spawned with a handle, run, joined when ended, released
 *   figure_atomics in-place N  N tasks: spawned, joined at once (run inside the join), released
 *   figure_atomics detached N  N tasks: spawned without a handle, run
 *   figure_atomics wake N      N times: one task wakes another, which runs and waits again
 *   figure_atomics fiber N     N empty fibers: spawned with a handle, joined when ended, released
 *   figure_atomics switch N    N times: a fiber yields and comes back
 *   figure_atomics mutex N     N times: a free mutex is locked and unlocked, in a fiber
 *   figure_atomics channel N   N times: an item is sent and received, in a fiber, without a wait
 *
 * The tasks are spawned by a task, 1,000 at a time: what belongs to the batch weighs little.
 * There are two workers, as for any runtime that shares; the other one is kept in a poll, so that
 * nobody steals and nobody sleeps, which is how workers are under load.
 */
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "figure.h"

enum { BATCH = 1000 };

static sem_t          let_go;
static atomic_int     held;
static int            batch_left; /* one worker alone touches it */
static tmlrt_notify_t batch_done = TMLRT_NOTIFY_INIT;

static int32_t hold_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)state, (void)cx, (void)result;
    atomic_store(&held, 1);
    while (sem_wait(&let_go) != 0) {
    }
    return TMLRT_READY;
}

static const tmlrt_task_type_t hold_type = {
    .struct_size = sizeof(tmlrt_task_type_t), .name = "hold", .poll = hold_poll};

/* ---- the measured tasks --------------------------------------------------------------------- */

typedef struct child {
    int64_t number;
} child_t;

static int32_t child_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)cx;
    *(int64_t *)result = ((child_t *)state)->number;
    if (--batch_left == 0) figure_check(tmlrt_notify_one(&batch_done), "notify");
    return TMLRT_READY;
}

static const tmlrt_task_type_t child_type =
    TMLRT_TASK_TYPE_RESULT(child_t, int64_t, child_poll, NULL);

/* Waits for a wake through its own waker, which it leaves behind once. */
static tmlrt_waker_t echo_waker;
static int64_t       echo_polls;

static int32_t echo_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)state, (void)result;
    if (echo_polls++ == 0) figure_check(tmlrt_waker_clone(cx->waker, &echo_waker), "clone");
    if (--batch_left == 0) figure_check(tmlrt_notify_one(&batch_done), "notify");
    return TMLRT_PENDING;
}

static const tmlrt_task_type_t echo_type = {
    .struct_size = sizeof(tmlrt_task_type_t), .name = "echo", .poll = echo_poll};

/* ---- the parent ----------------------------------------------------------------------------- */

enum { LATE, IN_PLACE, DETACHED, WAKE, FIBER, SWITCH, MUTEX, CHANNEL, MODES };
static const char *const mode_text[MODES] = {"late",  "in-place", "detached", "wake",
                                             "fiber", "switch",   "mutex",    "channel"};

typedef struct parent {
    TMLRT_FRAME;
    tmlrt_op_t op;
    int        mode, batches, i;
    int64_t    value, sum;
} parent_t;

static tmlrt_task_t *children[BATCH];

static void spawn_one(int i, bool handle) {
    child_t child = {i};
    figure_check(tmlrt_spawn(NULL, &child_type, &child, NULL, handle ? &children[i] : NULL),
                 "spawn");
}

static void spawn_all(bool handles) {
    batch_left = BATCH;
    for (int i = 0; i < BATCH; i++)
        spawn_one(i, handles);
}

static void joined(parent_t *s) {
    figure_check(tmlrt_op_result(&s->op), "join");
    tmlrt_task_release(children[s->i]);
    s->sum += s->value;
}

/* A join of a child that has ended, or of one that then runs in place, is ready at once, but for
 * one in many that finds the budget of the parent's poll used up. */
static int32_t parent_poll(void *state, tmlrt_cx_t *cx, void *result) {
    parent_t *s = state;
    TMLRT_BEGIN(s);
    for (; s->batches > 0; s->batches--) {
        if (s->mode == LATE || s->mode == DETACHED) {
            spawn_all(s->mode == LATE);
            TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_notified(&s->op, &batch_done));
            if (s->mode == DETACHED) continue;
        }
        batch_left = BATCH + 1; /* nobody is told */
        for (s->i = 0; s->i < BATCH; s->i++) {
            if (s->mode == WAKE) {
                batch_left = 1;
                figure_check(tmlrt_waker_wake_by_ref(&echo_waker), "wake");
                TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_notified(&s->op, &batch_done));
                continue;
            }
            if (s->mode == IN_PLACE) spawn_one(s->i, true);
            TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_join(&s->op, children[s->i], &s->value));
            joined(s);
        }
    }
    *(int64_t *)result = s->sum;
    TMLRT_END(s);
}

static const tmlrt_task_type_t parent_type =
    TMLRT_TASK_TYPE_RESULT(parent_t, int64_t, parent_poll, NULL);

/* ---- fibers --------------------------------------------------------------------------------- */

static void *empty_fiber(void *arg) {
    return arg;
}

static void spawn_fibers(void) {
    for (int i = 0; i < BATCH; i++)
        figure_check(tmlrt_go(NULL, empty_fiber, NULL, NULL, &children[i]), "go");
    for (int i = 0; i < BATCH; i++) {
        figure_check(tmlrt_join(children[i], NULL), "join");
        tmlrt_task_release(children[i]);
    }
}

static void *measured_fiber(void *arg) {
    const parent_t *p = arg;
    tmlrt_mutex_t   mutex = TMLRT_SYNC_INIT;
    tmlrt_chan_t   *chan = NULL;
    int64_t         item = 0;
    figure_check(tmlrt_chan_create(&chan, sizeof item, 16), "channel");
    for (int b = 0; b < p->batches; b++) {
        if (p->mode == FIBER) spawn_fibers();
        for (int i = 0; p->mode == SWITCH && i < BATCH; i++)
            figure_check(tmlrt_yield(), "yield");
        for (int i = 0; p->mode == MUTEX && i < BATCH; i++) {
            figure_check(tmlrt_mutex_lock(&mutex), "lock");
            figure_check(tmlrt_mutex_unlock(&mutex), "unlock");
        }
        for (int i = 0; p->mode == CHANNEL && i < BATCH; i++) {
            figure_check(tmlrt_chan_send(chan, &item), "send");
            figure_check(tmlrt_chan_recv(chan, &item), "receive");
        }
    }
    tmlrt_chan_release(chan);
    return NULL;
}

static void run_fiber(tmlrt_runtime_t *rt, parent_t *parent) {
    tmlrt_task_t *task = NULL;
    figure_check(tmlrt_go(rt, measured_fiber, parent, NULL, &task), "go");
    figure_check(tmlrt_join(task, NULL), "join");
    tmlrt_task_release(task);
}

int main(int argc, char **argv) {
    tmlrt_runtime_t *rt = NULL;
    tmlrt_config_t   config = figure_config(2);
    parent_t         parent = {.op = TMLRT_OP_INIT};
    int64_t          sum = 0;
    if (argc != 3) figure_die("figure_atomics MODE N");
    while (parent.mode < MODES && strcmp(argv[1], mode_text[parent.mode]) != 0)
        parent.mode++;
    parent.batches = atoi(argv[2]) / BATCH;
    if (parent.mode == MODES || parent.batches < 1) figure_die("figure_atomics MODE N");
    config.watchdog_ms = UINT32_MAX;
    int64_t want = parent.mode < DETACHED ? (int64_t)parent.batches * BATCH * (BATCH - 1) / 2 : 0;

    if (sem_init(&let_go, 0, 0) != 0) figure_die("semaphore");
    figure_check(tmlrt_runtime_create(&rt, &config), "create");
    figure_check(tmlrt_spawn(rt, &hold_type, NULL, NULL, NULL), "spawn");
    while (atomic_load(&held) == 0)
        figure_check(tmlrt_sleep(TMLRT_MS), "sleep");
    if (parent.mode == WAKE) {
        batch_left = 1;
        tmlrt_op_t first = TMLRT_OP_INIT;
        figure_check(tmlrt_op_notified(&first, &batch_done), "notified");
        figure_check(tmlrt_spawn(rt, &echo_type, NULL, NULL, NULL), "spawn");
        figure_check(tmlrt_op_await(&first), "await");
    }
    if (parent.mode >= FIBER)
        run_fiber(rt, &parent);
    else
        figure_check(tmlrt_runtime_block_on(rt, &parent_type, &parent, NULL, &sum), "block_on");
    if (sum != want) figure_die("the results are wrong");
    if (parent.mode == WAKE) figure_check(tmlrt_waker_drop(&echo_waker), "drop");
    if (sem_post(&let_go) != 0) figure_die("semaphore");
    figure_end_runtime(rt);
    return 0;
}
