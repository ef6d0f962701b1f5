/* SPDX-License-Identifier: MIT */
/*
 * stress_tasks.c: random work from several threads, shut down at a random moment. The oracle counts:
 * every state that was taken over is dropped once, every result is taken or dropped once, every
 * byte comes back. TMLRT_TEST_SEED repeats a run as far as threads allow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/allocs.h"
#include "support/random.h"
#include "support/threads.h"

#define PLACES   32 /* where wakers and handles lie about */
#define NOTIFIES 4
#define FAMILIES 3 /* children of one task at most */
#define LIVE     0x600dfeedu
#define DEAD     0xdeadfeedu

/* What is shared by all tasks and threads of one round. */
typedef struct world {
    tmlrt_runtime_t         *rt;
    atomic_llong             spawned, dropped, results, taken, result_drops;
    atomic_llong             alive; /* to keep the number of tasks in bounds */
    atomic_int               stop;
    tmlrt_notify_t           notify[NOTIFIES];
    _Atomic(tmlrt_waker_t *) waker[PLACES];
    _Atomic(tmlrt_task_t *)  task[PLACES];
    uint64_t                 seed;
} world_t;

static world_t *world; /* results carry no pointer */

typedef struct job {
    uint32_t         magic;
    world_t         *w;
    random_t         r;
    int              steps, at;
    uint64_t         token; /* becomes the result */
    uint64_t         got;
    tmlrt_op_t       op[4], set, outer;
    tmlrt_op_t      *ptr[4], *pair[2];
    tmlrt_task_t    *child[FAMILIES];
    int              children, waiting;
    tmlrt_interval_t interval;
} job_t;

static int job_spawn(world_t *w, random_t *r, tmlrt_task_t **task);

/* ---- what lies about ------------------------------------------------------------------------- */

static void leave_waker(job_t *j, tmlrt_cx_t *cx) {
    tmlrt_waker_t *mine = malloc(sizeof *mine);
    require(mine != NULL);
    require(tmlrt_waker_clone(cx->waker, mine) == TMLRT_OK);
    tmlrt_waker_t *old = atomic_exchange(&j->w->waker[random_below(&j->r, PLACES)], mine);
    if (old == NULL) return;
    require(tmlrt_waker_wake(old) == TMLRT_OK);
    free(old);
}

/* Takes what lies in a place; wakes (or drops) it, and perhaps puts it back. */
static void meddle_waker(world_t *w, random_t *r) {
    uint32_t       at = random_below(r, PLACES);
    tmlrt_waker_t *it = atomic_exchange(&w->waker[at], NULL), *none = NULL;
    if (it == NULL) return;
    switch (random_below(r, 4)) {
    case 0: require(tmlrt_waker_drop(it) == TMLRT_OK); break;
    case 1: require(tmlrt_waker_wake(it) == TMLRT_OK); break;
    default:
        require(tmlrt_waker_wake_by_ref(it) == TMLRT_OK);
        if (atomic_compare_exchange_strong(&w->waker[at], &none, it)) return;
        require(tmlrt_waker_wake(it) == TMLRT_OK);
    }
    free(it);
}

/* A handle whose result nobody wants, or that is joined by a thread. */
static void end_handle(world_t *w, random_t *r, tmlrt_task_t *task, int may_join) {
    uint64_t result;
    switch (random_below(r, may_join ? 4 : 3)) {
    case 0: {
        int e = tmlrt_task_abort(task);
        require(e == TMLRT_OK || e == TMLRT_EALREADY);
        break;
    }
    case 1: (void)tmlrt_task_is_finished(task); break;
    case 2: break;
    default: {
        tmlrt_op_t op = TMLRT_OP_INIT;
        require(tmlrt_op_join(&op, task, &result) == TMLRT_OK);
        if (random_below(r, 2) == 0) tmlrt_op_deadline(&op, tmlrt_now(NULL) + 100000);
        require(tmlrt_op_await(&op) == TMLRT_OK);
        if (tmlrt_op_result(&op) == TMLRT_OK) atomic_fetch_add(&w->taken, 1);
        break;
    }
    }
    tmlrt_task_release(task);
}

static void leave_handle(world_t *w, random_t *r, tmlrt_task_t *task) {
    tmlrt_task_t *old = atomic_exchange(&w->task[random_below(r, PLACES)], task);
    if (old != NULL) end_handle(w, r, old, 0);
}

/* ---- one step of a task ---------------------------------------------------------------------- */

static void prepare_leaf(job_t *j, tmlrt_op_t *op) {
    tmlrt_notify_t *n = &j->w->notify[random_below(&j->r, NOTIFIES)];
    switch (random_below(&j->r, 6)) {
    case 0: tmlrt_op_sleep(op, NULL, random_below(&j->r, 300000)); break;
    case 1: tmlrt_op_yield(op); break;
    case 2: tmlrt_op_stopping(op, NULL); break;
    case 3:
        tmlrt_interval_init(&j->interval, NULL, 0, 1 + random_below(&j->r, 100000),
                            (int)random_below(&j->r, 3));
        tmlrt_op_tick(op, &j->interval);
        break;
    default: tmlrt_op_notified(op, n); break;
    }
    /* Everything ends at some time, so that a round without an early end ends, too. */
    tmlrt_op_deadline(op, tmlrt_now(NULL) + 1000 + random_below(&j->r, 500000));
}

/* Prepares what this step waits for; the operation to poll. */
static tmlrt_op_t *prepare_step(job_t *j) {
    for (int i = 0; i < 3; i++) {
        prepare_leaf(j, &j->op[i]);
        j->ptr[i] = &j->op[i];
    }
    if (j->children > 0) {
        int i = (int)random_below(&j->r, (uint32_t)j->children);
        tmlrt_op_join(&j->op[2], j->child[i], random_below(&j->r, 2) == 0 ? &j->got : NULL);
        tmlrt_op_deadline(&j->op[2], tmlrt_now(NULL) + 1000 + random_below(&j->r, 500000));
    }
    switch (random_below(&j->r, 5)) {
    case 0: return &j->op[0];
    case 1: return &j->op[2];
    case 2: tmlrt_op_any(&j->set, j->ptr, 3); return &j->set;
    case 3: tmlrt_op_all(&j->set, j->ptr, 3); return &j->set;
    default:
        tmlrt_op_any(&j->set, j->ptr, 2);
        j->pair[0] = &j->set;
        j->pair[1] = &j->op[2];
        tmlrt_op_all(&j->outer, j->pair, 2);
        if (random_below(&j->r, 2) == 0)
            tmlrt_op_deadline(&j->outer, tmlrt_now(NULL) + random_below(&j->r, 200000));
        return &j->outer;
    }
}

static void meddle(world_t *w, random_t *r) {
    switch (random_below(r, 5)) {
    case 0: tmlrt_notify_all(&w->notify[random_below(r, NOTIFIES)]); break;
    case 1:
    case 2: tmlrt_notify_one(&w->notify[random_below(r, NOTIFIES)]); break;
    default: meddle_waker(w, r); break;
    }
}

static void job_act(job_t *j, tmlrt_cx_t *cx) {
    if (random_below(&j->r, 3) == 0) leave_waker(j, cx);
    meddle(j->w, &j->r);
    if (random_below(&j->r, 2) == 0 && j->children < FAMILIES) {
        tmlrt_task_t *task;
        if (job_spawn(NULL, &j->r, &task) == TMLRT_OK) j->child[j->children++] = task;
    }
    if (random_below(&j->r, 8) == 0) require(tmlrt_task_abort(cx->task) == TMLRT_OK);
}

static int32_t job_poll(void *state, tmlrt_cx_t *cx, void *result) {
    job_t *j = state;
    require(j->magic == LIVE);
    for (;;) {
        if (j->waiting == 0) {
            if (j->at++ >= j->steps) break;
            job_act(j, cx);
            tmlrt_op_t *op = prepare_step(j);
            j->waiting = 1;
            j->ptr[3] = op;
        }
        tmlrt_op_t *op = j->ptr[3];
        if (random_below(&j->r, 10) == 0) tmlrt_op_cancel(op);
        if (tmlrt_op_poll(op, cx) == TMLRT_PENDING) return TMLRT_PENDING;
        if (tmlrt_op_result(&j->op[2]) == TMLRT_OK && j->got != 0)
            atomic_fetch_add(&j->w->taken, 1);
        j->got = 0;
        j->waiting = 0;
    }
    *(uint64_t *)result = j->token;
    atomic_fetch_add(&j->w->results, 1);
    return TMLRT_READY;
}

static void job_drop(void *state) {
    job_t *j = state;
    require(j->magic == LIVE);
    j->magic = DEAD;
    /* An abort drained the join: it may have taken the result before. */
    if (j->waiting && j->got != 0) atomic_fetch_add(&j->w->taken, 1);
    for (int i = 0; i < j->children; i++)
        leave_handle(j->w, &j->r, j->child[i]);
    atomic_fetch_add(&j->w->dropped, 1);
    atomic_fetch_sub(&j->w->alive, 1);
}

static void job_drop_result(void *result) {
    require(*(uint64_t *)result != 0);
    *(uint64_t *)result = 0;
    atomic_fetch_add(&world->result_drops, 1);
}

static const tmlrt_task_type_t job_type = {
    sizeof(tmlrt_task_type_t), "job",    sizeof(job_t), _Alignof(job_t), sizeof(uint64_t),
    _Alignof(uint64_t),        job_poll, job_drop,      job_drop_result, NULL};

static int job_spawn(world_t *outside, random_t *r, tmlrt_task_t **task) {
    world_t *w = world;
    if (atomic_load(&w->alive) > 200) return TMLRT_EAGAIN;
    tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
    if (random_below(r, 4) == 0) o.flags |= TMLRT_TASK_DAEMON;
    if (outside == NULL && random_below(r, 8) == 0) o.flags |= TMLRT_TASK_PINNED;
    if (random_below(r, 4) == 0) o.deadline = tmlrt_now(NULL) + 1 + random_below(r, 1000000);
    if (random_below(r, 4) == 0) o.name = "named";
    job_t j;
    memset(&j, 0, sizeof j);
    j.magic = LIVE;
    j.w = w;
    random_seed(&j.r, ((uint64_t)random_below(r, UINT32_MAX) << 32) + random_below(r, UINT32_MAX));
    j.steps = (int)random_below(r, 6);
    j.token = 1 + random_below(r, 1000000);
    tmlrt_runtime_t *rt = outside != NULL ? outside->rt : NULL;
    int              e;
    if (random_below(r, 3) != 0) {
        e = tmlrt_spawn(rt, &job_type, &j, &o, task);
        if (e != TMLRT_OK) return e;
    } else {
        e = tmlrt_task_new(rt, &job_type, &o, task);
        if (e != TMLRT_OK) return e;
        memcpy(tmlrt_task_state(*task), &j, sizeof j);
        if (random_below(r, 8) == 0) {
            tmlrt_task_release(*task);
            return TMLRT_EAGAIN;
        }
        e = tmlrt_task_start(*task);
        if (e != TMLRT_OK) {
            tmlrt_task_release(*task);
            return e;
        }
    }
    atomic_fetch_add(&w->spawned, 1);
    atomic_fetch_add(&w->alive, 1);
    return TMLRT_OK;
}

/* ---- the threads ----------------------------------------------------------------------------- */

static void thread_main(void *arg, int i) {
    world_t *w = arg;
    random_t r;
    random_seed(&r, w->seed + 1000 + (uint64_t)i);
    while (atomic_load(&w->stop) == 0) {
        tmlrt_task_t *task;
        int           e = random_below(&r, 3) != 0 ? job_spawn(w, &r, &task) : TMLRT_EAGAIN;
        require(e == TMLRT_OK || e == TMLRT_EAGAIN || e == TMLRT_ESHUTDOWN);
        if (e == TMLRT_OK) {
            if (random_below(&r, 2) == 0)
                leave_handle(w, &r, task);
            else
                end_handle(w, &r, task, 1);
        }
        task = atomic_exchange(&w->task[random_below(&r, PLACES)], NULL);
        if (task != NULL) end_handle(w, &r, task, 1);
        meddle(w, &r);
    }
}

static void clear_up(world_t *w) {
    random_t r;
    random_seed(&r, w->seed);
    for (int i = 0; i < PLACES; i++) {
        tmlrt_task_t  *task = atomic_exchange(&w->task[i], NULL);
        tmlrt_waker_t *waker = atomic_exchange(&w->waker[i], NULL);
        tmlrt_task_release(task);
        if (waker == NULL) continue;
        require(tmlrt_waker_wake(waker) == TMLRT_OK);
        free(waker);
    }
}

static void one_round(uint64_t seed) {
    static world_t    w;
    allocs_t          allocs = {0};
    tmlrt_allocator_t allocator = allocs_of(&allocs);
    tmlrt_config_t    config = TMLRT_CONFIG_INIT;
    random_t          r;
    random_seed(&r, seed);
    memset(&w, 0, sizeof w);
    w.seed = seed;
    world = &w;
    config.workers = 1 + random_below(&r, 4);
    config.seed = seed;
    config.allocator = &allocator;
    assert_int_equal(tmlrt_runtime_create(&w.rt, &config), TMLRT_OK);
    int     threads = 1 + (int)random_below(&r, 3);
    crew_t *crew = crew_start(threads, thread_main, &w);

    long long until = random_below(&r, 600); /* a random moment, counted in tasks */
    wait_until(atomic_load(&w.spawned) >= until);
    int64_t deadline = random_below(&r, 3) == 0 ? 0 : tmlrt_now(w.rt) + random_below(&r, 2000000);
    int     e = tmlrt_runtime_shutdown(w.rt, deadline, NULL);
    assert_true(e == TMLRT_OK || e == TMLRT_ETIMEDOUT);
    if (random_below(&r, 2) == 0) { /* handles and wakers are used on after it */
        atomic_store(&w.stop, 1);
        crew_join(crew);
        crew = NULL;
        if (random_below(&r, 2) == 0) clear_up(&w);
    }
    if (crew != NULL) {
        atomic_store(&w.stop, 1);
        crew_join(crew);
    }
    assert_int_equal(tmlrt_runtime_destroy(w.rt), TMLRT_OK);
    clear_up(&w);
    assert_int_equal(w.dropped, w.spawned);
    assert_int_equal(w.taken + w.result_drops, w.results);
    assert_int_equal(allocs.blocks, 0);
    assert_int_equal(allocs.bytes, 0);
}

static void random_work_is_shut_down_at_a_random_moment(void **state) {
    (void)state;
    for (int i = scaled(300); i > 0; i--)
        one_round(test_seed() + (uint64_t)i * 7919);
}

/* ---- create, load, destroy ------------------------------------------------------------------- */

static void runtimes_are_made_loaded_and_destroyed(void **state) {
    (void)state;
    static world_t w;
    random_t       r;
    random_seed(&r, test_seed());
    for (int i = scaled(1000); i > 0; i--) {
        memset(&w, 0, sizeof w);
        w.seed = test_seed() + (uint64_t)i;
        world = &w;
        tmlrt_config_t config = TMLRT_CONFIG_INIT;
        config.workers = 1 + random_below(&r, 3);
        config.flavor =
            random_below(&r, 4) == 0 ? TMLRT_FLAVOR_CURRENT_THREAD : TMLRT_FLAVOR_MULTI_THREAD;
        require(tmlrt_runtime_create(&w.rt, &config) == TMLRT_OK);
        for (uint32_t k = random_below(&r, 50); k > 0; k--) {
            tmlrt_task_t *task;
            if (job_spawn(&w, &r, &task) == TMLRT_OK) leave_handle(&w, &r, task);
        }
        require(tmlrt_runtime_destroy(w.rt) == TMLRT_OK);
        clear_up(&w);
        assert_int_equal(w.dropped, w.spawned);
        assert_int_equal(w.taken + w.result_drops, w.results);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_work_is_shut_down_at_a_random_moment),
        cmocka_unit_test(runtimes_are_made_loaded_and_destroyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
