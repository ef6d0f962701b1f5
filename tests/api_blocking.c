/* SPDX-License-Identifier: MIT */
/*
 * api_blocking.c: the pool for code that blocks: results, quotas, the queue and its bound, abort
 * before and during the run, waits inside a job, shutdown with jobs that stay, fork.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/net.h"
#include "support/random.h"
#include "support/skip.h"
#include "support/threads.h"
#include "support/unit.h"

static tmlrt_runtime_t *runtime_with(uint32_t threads, uint32_t queue) {
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_runtime_t *rt = NULL;
    config.workers = 2;
    config.blocking_threads = threads;
    config.blocking_queue = queue;
    require(tmlrt_runtime_create(&rt, &config) == TMLRT_OK);
    return rt;
}

static void *job_return(void *arg) {
    return arg;
}

/* A job that is inside until it is let go. */
typedef struct gate {
    atomic_int inside, open, cancelled;
} gate_t;

static void *job_gate(void *arg) {
    gate_t *g = arg;
    atomic_fetch_add(&g->inside, 1);
    while (atomic_load(&g->open) == 0) {
        if (tmlrt_cancelled() == TMLRT_ECANCELED) atomic_store(&g->cancelled, 1);
        (void)sched_yield();
    }
    return g;
}

static tmlrt_task_t *spawn(tmlrt_runtime_t *rt, void *(*fn)(void *), void *arg, uint32_t cls) {
    tmlrt_task_t *task = NULL;
    require(tmlrt_spawn_blocking(rt, fn, arg, cls, NULL, &task) == TMLRT_OK && task != NULL);
    return task;
}

static void *join(tmlrt_task_t *task) {
    void *value = NULL;
    require(tmlrt_join(task, &value) == TMLRT_OK);
    tmlrt_task_release(task);
    return value;
}

static void *job_joins_itself(void *arg) {
    tmlrt_task_t *self = tmlrt_task_current();
    require(self != NULL);
    return tmlrt_join(self, NULL) == TMLRT_EDEADLK ? arg : NULL;
}

static void a_job_that_joins_itself_is_told(void **state) {
    (void)state;
    int              x;
    tmlrt_runtime_t *rt = runtime_with(1, 1);
    assert_ptr_equal(join(spawn(rt, job_joins_itself, &x, 0)), &x);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_runtime_t     *rt = runtime_with(1, 0);
    tmlrt_task_t        *task = NULL;
    tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
    tmlrt_config_t       config = TMLRT_CONFIG_INIT;
    tmlrt_runtime_t     *other = NULL;
    assert_int_equal(tmlrt_spawn_blocking(rt, NULL, NULL, 0, NULL, &task), TMLRT_EINVAL);
    assert_int_equal(tmlrt_spawn_blocking(rt, job_return, NULL, 3, NULL, &task), TMLRT_EINVAL);
    assert_int_equal(tmlrt_spawn_blocking(NULL, job_return, NULL, 0, NULL, &task),
                     TMLRT_ENORUNTIME);
    o.flags = TMLRT_TASK_PINNED;
    assert_int_equal(tmlrt_spawn_blocking(rt, job_return, NULL, 0, &o, &task), TMLRT_EINVAL);
    o.flags = 1u << 9;
    assert_int_equal(tmlrt_spawn_blocking(rt, job_return, NULL, 0, &o, &task), TMLRT_EINVAL);
    assert_null(task);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    config.blocking_threads = TMLRT_MAX_BLOCKING + 1;
    assert_int_equal(tmlrt_runtime_create(&other, &config), TMLRT_EINVAL);
    config.blocking_threads = 0;
    setenv("TMLRT_BLOCKING_THREADS", "many", 1);
    assert_int_equal(tmlrt_runtime_create(&other, &config), TMLRT_EINVAL);
    unsetenv("TMLRT_BLOCKING_THREADS");
    setenv("TMLRT_BLOCKING_QUEUE", "-1", 1);
    assert_int_equal(tmlrt_runtime_create(&other, &config), TMLRT_EINVAL);
    unsetenv("TMLRT_BLOCKING_QUEUE");
}

static void a_job_returns_its_value(void **state) {
    (void)state;
    int              x;
    tmlrt_runtime_t *rt = runtime_with(0, 0);
    for (uint32_t cls = 0; cls < 3; cls++)
        assert_ptr_equal(join(spawn(rt, job_return, &x, cls)), &x);
    assert_int_equal(tmlrt_spawn_blocking(rt, job_return, &x, 0, NULL, NULL), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* Current-thread: a job runs without anybody driving the runtime. */
static void a_job_needs_no_worker(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    gate_t           g = {0};
    tmlrt_task_t    *task = spawn(rt, job_gate, &g, 0);
    wait_until(atomic_load(&g.inside) == 1);
    atomic_store(&g.open, 1);
    assert_ptr_equal(join(task), &g);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void *job_look_around(void *arg) {
    tmlrt_runtime_t *rt = arg;
    tmlrt_op_t       op = TMLRT_OP_INIT;
    int              x;
    require(tmlrt_runtime_current() == rt && tmlrt_task_current() != NULL);
    require(tmlrt_cancelled() == TMLRT_OK);
    /* Waits block this thread, and ready ones need no turn. */
    for (int i = 0; i < 1000; i++) {
        tmlrt_op_sleep(&op, NULL, i == 0 ? TMLRT_MS : 0);
        require(tmlrt_op_await(&op) == TMLRT_OK && tmlrt_op_result(&op) == TMLRT_OK);
    }
    /* Spawns of its own, joined in place. */
    require(join(spawn(NULL, job_return, &x, 0)) == &x);
    tally_t       tally = {0};
    tmlrt_task_t *t = unit_spawn(NULL, &tally, body_ready, NULL);
    require(tmlrt_join(t, NULL) == TMLRT_OK);
    tmlrt_task_release(t);
    require(tmlrt_runtime_shutdown(rt, 0, NULL) == TMLRT_EDEADLK);
    require(tmlrt_runtime_destroy(rt) == TMLRT_EDEADLK);
    return arg;
}

static void inside_a_job_the_runtime_is_current_and_waits_block(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_with(8, 0);
    assert_ptr_equal(join(spawn(rt, job_look_around, rt, 0)), rt);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* Stackless tasks and fibers wait for jobs by the join operation. */
static int32_t body_joins_job(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    require(tmlrt_spawn_blocking(NULL, job_return, u->arg, 0, NULL, &u->child) == TMLRT_OK);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_join(&u->op, u->child, NULL));
    u->value = tmlrt_op_result(&u->op);
    tmlrt_task_release(u->child);
    TMLRT_END(u);
}

static void *fiber_joins_jobs(void *arg) {
    for (int i = 0; i < 100; i++)
        require(join(spawn(NULL, job_return, arg, 0)) == arg);
    return arg;
}

static void tasks_and_fibers_wait_for_jobs(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_with(4, 0);
    tally_t          tally = {0};
    tmlrt_task_t    *fibers[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(tmlrt_go(rt, fiber_joins_jobs, &tally, NULL, &fibers[i]), TMLRT_OK);
    for (int i = 0; i < 8; i++)
        assert_ptr_equal(join(fibers[i]), &tally);
    for (int i = 0; i < 100; i++)
        assert_int_equal(unit_run(rt, &tally, body_joins_job, &tally), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_class_takes_no_more_than_its_quota(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_with(8, 0);
    const int        quota[3] = {6, 4, 2};
    for (uint32_t cls = 0; cls < 3; cls++) {
        gate_t        g = {0};
        int           x;
        tmlrt_task_t *task[10];
        for (int i = 0; i < 10; i++)
            task[i] = spawn(rt, job_gate, &g, cls);
        wait_until(atomic_load(&g.inside) == quota[cls]);
        /* The others go on beside it. */
        for (uint32_t other = 0; other < 3; other++)
            if (other != cls) assert_ptr_equal(join(spawn(rt, job_return, &x, other)), &x);
        assert_int_equal(atomic_load(&g.inside), quota[cls]);
        atomic_store(&g.open, 1);
        for (int i = 0; i < 10; i++)
            assert_ptr_equal(join(task[i]), &g);
    }
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_full_queue_refuses(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_with(1, 2);
    gate_t           g = {0};
    tmlrt_task_t    *task[3], *more = NULL;
    task[0] = spawn(rt, job_gate, &g, 0);
    wait_until(atomic_load(&g.inside) == 1);
    task[1] = spawn(rt, job_gate, &g, 0);
    task[2] = spawn(rt, job_gate, &g, 0);
    assert_int_equal(tmlrt_spawn_blocking(rt, job_return, NULL, 0, NULL, &more), TMLRT_EAGAIN);
    assert_null(more);
    /* An abort makes room at once. */
    assert_int_equal(tmlrt_task_abort(task[1]), TMLRT_OK);
    assert_int_equal(tmlrt_task_is_finished(task[1]), 1);
    assert_int_equal(tmlrt_join(task[1], NULL), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_task_abort(task[1]), TMLRT_EALREADY);
    tmlrt_task_release(task[1]);
    more = spawn(rt, job_return, &g, 0);
    atomic_store(&g.open, 1);
    join(task[0]);
    join(task[2]);
    assert_ptr_equal(join(more), &g);
    assert_int_equal(atomic_load(&g.inside), 2);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void an_abort_of_a_running_job_only_tells_it(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_with(2, 0);
    gate_t           g = {0};
    tmlrt_task_t    *task = spawn(rt, job_gate, &g, 0);
    wait_until(atomic_load(&g.inside) == 1);
    assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
    wait_until(atomic_load(&g.cancelled) == 1);
    assert_int_equal(tmlrt_task_is_finished(task), 0);
    atomic_store(&g.open, 1);
    assert_ptr_equal(join(task), &g); /* it ended by itself: done */
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_deadline_counts_when_the_turn_comes(void **state) {
    (void)state;
    tmlrt_runtime_t     *rt = runtime_with(1, 0);
    tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
    gate_t               g = {0};
    tmlrt_task_t        *first = spawn(rt, job_gate, &g, 0), *late = NULL, *ample = NULL;
    o.deadline = 1; /* long ago */
    assert_int_equal(tmlrt_spawn_blocking(rt, job_return, &g, 0, &o, &late), TMLRT_OK);
    o.deadline = tmlrt_now(rt) + 3600 * TMLRT_S;
    assert_int_equal(tmlrt_spawn_blocking(rt, job_return, &g, 0, &o, &ample), TMLRT_OK);
    atomic_store(&g.open, 1);
    assert_int_equal(tmlrt_join(late, NULL), TMLRT_ECANCELED);
    tmlrt_task_release(late);
    assert_ptr_equal(join(ample), &g);
    join(first);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- shutdown -------------------------------------------------------------------------------- */

typedef struct named {
    int  count, stuck;
    char name[32], waits_for[64];
} named_t;

static void note(void *ctx, const tmlrt_straggler_t *s) {
    named_t *n = ctx;
    n->count++;
    n->stuck += !s->ended;
    if (s->ended) return;
    strncpy(n->name, s->name, sizeof n->name - 1);
    strncpy(n->waits_for, s->waits_for, sizeof n->waits_for - 1);
}

static void a_job_that_stays_is_named_and_the_wait_is_bounded(void **state) {
    (void)state;
    tmlrt_runtime_t        *rt = runtime_with(1, 0);
    tmlrt_shutdown_report_t report = TMLRT_SHUTDOWN_REPORT_INIT;
    tmlrt_task_options_t    o = TMLRT_TASK_OPTIONS_INIT;
    named_t                 named = {0};
    gate_t                  g = {0};
    tmlrt_task_t           *queued;
    report.straggler = note;
    report.ctx = &named;
    o.name = "stubborn";
    assert_int_equal(tmlrt_spawn_blocking(rt, job_gate, &g, 0, &o, NULL), TMLRT_OK);
    wait_until(atomic_load(&g.inside) == 1);
    queued = spawn(rt, job_gate, &g, 0);
    assert_int_equal(tmlrt_runtime_shutdown(rt, 0, &report), TMLRT_EBUSY);
    assert_int_equal(named.count, 2);
    assert_int_equal(named.stuck, 1);
    assert_string_equal(named.name, "stubborn");
    assert_string_equal(named.waits_for, "running");
    assert_int_equal(report.stuck, 1);
    assert_int_equal(tmlrt_join(queued, NULL), TMLRT_ECANCELED);
    tmlrt_task_release(queued);
    assert_int_equal(tmlrt_spawn_blocking(rt, job_return, &g, 0, NULL, NULL), TMLRT_ESHUTDOWN);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_EBUSY);
    atomic_store(&g.open, 1);
    while (tmlrt_runtime_destroy(rt) == TMLRT_EBUSY)
        (void)sched_yield();
}

static void *job_spawns_late(void *arg) {
    gate_t       *g = arg;
    tmlrt_task_t *task = NULL;
    tmlrt_op_t    op = TMLRT_OP_INIT;
    atomic_store(&g->inside, 1);
    tmlrt_op_stopping(&op, NULL);
    require(tmlrt_op_await(&op) == TMLRT_OK);
    require(tmlrt_spawn_blocking(NULL, job_return, g, 0, NULL, &task) == TMLRT_OK);
    return join(task);
}

static void jobs_may_spawn_until_the_shutdown_is_over(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_with(8, 0);
    gate_t           g = {0};
    tmlrt_task_t    *task = spawn(rt, job_spawns_late, &g, 0);
    wait_until(atomic_load(&g.inside) == 1);
    assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), TMLRT_OK);
    assert_ptr_equal(join(task), &g);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static uint64_t seed;

static void many_threads_spawn_abort_and_join(void *arg, int i) {
    tmlrt_runtime_t *rt = arg;
    random_t         r;
    random_seed(&r, seed + (uint64_t)i);
    for (int n = scaled(2000); n > 0; n--) {
        tmlrt_task_t *task = spawn(rt, job_return, &r, random_below(&r, 3));
        void         *value = NULL;
        bool          aborts = random_below(&r, 3) == 0;
        if (aborts) (void)tmlrt_task_abort(task);
        if (random_below(&r, 3) != 0) {
            int e = tmlrt_join(task, &value);
            require(e == TMLRT_OK ? value == &r : aborts && e == TMLRT_ECANCELED);
        }
        tmlrt_task_release(task);
    }
}

static void stress(void **state) {
    (void)state;
    seed = test_seed();
    for (uint32_t threads = 1; threads < 6; threads += 2) {
        tmlrt_runtime_t *rt = runtime_with(threads, 0);
        on_threads(4, many_threads_spawn_abort_and_join, rt);
        assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), TMLRT_OK);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

static void a_forked_child_is_told_and_can_destroy(void **state) {
    (void)state;
    skip_on_windows("there is no fork");
    tmlrt_runtime_t *rt = runtime_with(2, 0);
    int              x, status = -1;
    join(spawn(rt, job_return, &x, 0)); /* a thread is idle now */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int e = tmlrt_spawn_blocking(rt, job_return, &x, 0, NULL, NULL);
        _exit(e == TMLRT_EFORKED && tmlrt_runtime_destroy(rt) == TMLRT_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_ptr_equal(join(spawn(rt, job_return, &x, 0)), &x);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(a_job_returns_its_value),
        cmocka_unit_test(a_job_needs_no_worker),
        cmocka_unit_test(inside_a_job_the_runtime_is_current_and_waits_block),
        cmocka_unit_test(a_job_that_joins_itself_is_told),
        cmocka_unit_test(tasks_and_fibers_wait_for_jobs),
        cmocka_unit_test(a_class_takes_no_more_than_its_quota),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(an_abort_of_a_running_job_only_tells_it),
        cmocka_unit_test(a_deadline_counts_when_the_turn_comes),
        cmocka_unit_test(a_job_that_stays_is_named_and_the_wait_is_bounded),
        cmocka_unit_test(jobs_may_spawn_until_the_shutdown_is_over),
        cmocka_unit_test(stress),
        cmocka_unit_test(a_forked_child_is_told_and_can_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
