/* SPDX-License-Identifier: MIT */
/*
 * api_fork.c: after fork the runtime is the parent's: the child is told so by every call and may
 * destroy its copy; the parent goes on.
 */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <tmlrt/tml.h>

#include "support/sanitizers.h"
#include "support/random.h"
#include "support/unit.h"

/* Runs fn(arg) in a forked child, which must come to its end. */
static void in_child(void (*fn)(void *arg), void *arg) {
    int   status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(30); /* a hang is a failure */
        fn(arg);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int open_descriptors(void) {
    int  n = 0;
    DIR *dir = opendir("/dev/fd");
    require(dir != NULL);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

typedef struct family {
    tmlrt_runtime_t *multi, *current;
    tmlrt_task_t    *runs, *unstarted, *done;
    tmlrt_waker_t    waker;
    tmlrt_interval_t interval;
    tmlrt_op_t       in_flight;
    tally_t          tally;
    atomic_int       has_waker, end;
    int              descriptors;
} family_t;

static int32_t body_family(unit_t *u, tmlrt_cx_t *cx) {
    family_t *f = u->arg;
    if (atomic_load(&f->has_waker) == 0) {
        require(tmlrt_waker_clone(cx->waker, &f->waker) == TMLRT_OK);
        atomic_store(&f->has_waker, 1);
    }
    return atomic_load(&f->end) != 0 ? TMLRT_READY : TMLRT_PENDING;
}

static int64_t await_here(tmlrt_op_t *op) {
    require(tmlrt_op_await(op) == TMLRT_OK);
    return tmlrt_op_result(op);
}

#if !UNDER_TSAN
static int32_t body_sleeps_a_little(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep(&u->op, NULL, TMLRT_MS));
    TMLRT_END(u);
}
#endif

static void child_calls(void *arg) {
    family_t        *f = arg;
    tmlrt_op_t       op = TMLRT_OP_INIT;
    tmlrt_interval_t iv;
    tmlrt_task_t    *task = NULL;
    unit_t           u = unit_of(&f->tally, body_ready, NULL);
    tmlrt_runtime_t *rts[] = {f->multi, f->current};
    for (int i = 0; i < 2; i++) {
        tmlrt_runtime_t *rt = rts[i];
        require(tmlrt_spawn(rt, &unit_type, &u, NULL, &task) == TMLRT_EFORKED);
        require(tmlrt_task_new(rt, &unit_type, NULL, &task) == TMLRT_EFORKED);
        require(tmlrt_runtime_block_on(rt, &unit_type, &u, NULL, NULL) == TMLRT_EFORKED);
        require(tmlrt_runtime_shutdown(rt, 0, NULL) == TMLRT_EFORKED);
        require(tmlrt_interval_init(&iv, rt, 0, 1, 0) == TMLRT_EFORKED);
        tmlrt_op_sleep(&op, rt, 1);
        require(await_here(&op) == TMLRT_EFORKED);
        tmlrt_op_stopping(&op, rt);
        require(await_here(&op) == TMLRT_EFORKED);
    }
    require(task == NULL);
    require(tmlrt_runtime_run_once(f->current) == TMLRT_EFORKED);
    require(tmlrt_runtime_timeout(f->current) == TMLRT_EFORKED);
    require(tmlrt_runtime_handle(f->current) == TMLRT_EFORKED);
    require(tmlrt_task_start(f->unstarted) == TMLRT_EFORKED);
    tmlrt_op_tick(&op, &f->interval);
    require(await_here(&op) == TMLRT_EFORKED);
    tmlrt_op_join(&op, f->runs, NULL);
    require(await_here(&op) == TMLRT_EFORKED);
    require(tmlrt_join(f->runs, NULL) == TMLRT_EFORKED);
    require(tmlrt_task_abort(f->runs) == TMLRT_EFORKED);

    /* What needs no runtime works. */
    require(tmlrt_task_is_finished(f->runs) == 0);
    require(tmlrt_task_is_finished(f->done) == 1);
    require(strcmp(tmlrt_task_name(f->runs), "unit") == 0);
    require(tmlrt_join(f->done, NULL) == TMLRT_OK);
    require(tmlrt_waker_wake_by_ref(&f->waker) == TMLRT_OK);
    require(tmlrt_waker_drop(&f->waker) == TMLRT_OK);
    tmlrt_task_release(f->runs);
    tmlrt_task_release(f->unstarted);
    tmlrt_task_release(f->done);

#if defined(__linux__) && !defined(TMLRT_KQUEUE_SHIM) /* a kqueue is not inherited */
    require(open_descriptors() > f->descriptors);
#endif
#if !UNDER_TSAN                              /* which cannot start threads after a fork of many */
    tmlrt_runtime_t *own = runtime_multi(2); /* the child may make one of its own */
    require(unit_run(own, &f->tally, body_sleeps_a_little, NULL) == 0);
    require(tmlrt_yield() == TMLRT_OK); /* with the parent's still there */
    require(tmlrt_sleep(1) == TMLRT_OK);
    require(tmlrt_runtime_destroy(own) == TMLRT_OK);
    int before = 2; /* drops: the one that was done before, and ours */
#else
    int before = 1;
#endif
    require(tmlrt_runtime_destroy(f->multi) == TMLRT_OK);
    require(tmlrt_runtime_destroy(f->current) == TMLRT_OK);
    require(open_descriptors() == f->descriptors);
    require(f->tally.drops == before);
    require(tmlrt_sleep(1) == TMLRT_OK);
}

static void the_child_is_refused_and_the_parent_goes_on(void **state) {
    (void)state;
    static family_t f;
    f.descriptors = open_descriptors();
    f.multi = runtime_multi(2);
    f.current = runtime_current_thread();
    f.runs = unit_spawn(f.multi, &f.tally, body_family, &f);
    f.done = unit_spawn(f.multi, &f.tally, body_ready, NULL);
    assert_int_equal(tmlrt_task_new(f.multi, &unit_type, NULL, &f.unstarted), TMLRT_OK);
    assert_int_equal(tmlrt_interval_init(&f.interval, f.multi, 0, 1, 0), TMLRT_OK);
    assert_int_equal(tmlrt_join(f.done, NULL), TMLRT_OK);
    wait_until(atomic_load(&f.has_waker) == 1);
    in_child(child_calls, &f);

    assert_int_equal(f.tally.drops, 1);
    assert_int_equal(unit_run(f.current, &f.tally, body_ready, NULL), 0);
    assert_int_equal(unit_run(f.multi, &f.tally, body_ready, NULL), 0);
    atomic_store(&f.end, 1);
    assert_int_equal(tmlrt_waker_wake(&f.waker), TMLRT_OK);
    assert_int_equal(tmlrt_join(f.runs, NULL), TMLRT_OK);
    tmlrt_task_release(f.runs);
    tmlrt_task_release(f.done);
    tmlrt_task_release(f.unstarted);
    assert_int_equal(tmlrt_runtime_destroy(f.multi), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_destroy(f.current), TMLRT_OK);
    assert_int_equal(open_descriptors(), f.descriptors);
}

/* ---- inside a task --------------------------------------------------------------------------- */

typedef struct forking {
    tally_t    tally;
    pid_t      child, maker;
    atomic_int beside; /* polls of the other task, in the child */
} forking_t;

static int32_t body_beside(unit_t *u, tmlrt_cx_t *cx) {
    forking_t *f = u->arg;
    if (getpid() != f->maker) atomic_fetch_add(&f->beside, 1);
    tmlrt_op_yield(&u->op);
    (void)tmlrt_op_poll(&u->op, cx);
    return f->child != 0 ? TMLRT_READY : TMLRT_PENDING;
}

static int32_t body_forks(unit_t *u, tmlrt_cx_t *cx) {
    forking_t *f = u->arg;
    (void)cx;
    pid_t pid = fork();
    require(pid >= 0);
    if (pid == 0) alarm(30);
    f->child = pid != 0 ? pid : -1;
    return TMLRT_READY;
}

static int status_of(pid_t child) {
    int status = 0;
    require(waitpid(child, &status, 0) == child);
    return status;
}

static void a_child_that_returns_from_a_task_leaves_the_runtime(void **state) {
    (void)state;
    for (int once = 0; once < 2; once++) {
        forking_t        f = {.maker = getpid()};
        tmlrt_runtime_t *rt = runtime_current_thread();
        tmlrt_task_release(unit_spawn(rt, &f.tally, body_forks, &f));
        int64_t got;
        if (once) {
            tmlrt_task_release(unit_spawn(rt, &f.tally, body_beside, &f));
            do
                got = tmlrt_runtime_run_once(rt);
            while (got >= 0 && f.child == 0);
        } else {
            got = unit_run(rt, &f.tally, body_beside, &f);
        }
        if (getpid() != f.maker) {
            require(got == TMLRT_EFORKED);
            require(atomic_load(&f.beside) == 0);
            require(tmlrt_runtime_destroy(rt) == TMLRT_OK);
            _exit(0);
        }
        assert_true(got >= 0);
        int status = status_of(f.child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), TMLRT_OK);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

/* Where `parent` is another process: ends this one, the child, all being well. */
static void child_ends_here(pid_t parent) {
    if (getpid() != parent) _exit(0);
}

/* What awaits the children of a scope: a join, or a set with the scope in it. */
static void a_child_that_returns_into_the_await_of_a_scope_leaves_it(void **state) {
    (void)state;
    for (int how = 0; how < 3; how++) {
        forking_t            f = {.maker = getpid()};
        tmlrt_runtime_t     *rt = runtime_current_thread();
        tmlrt_scope_t        outer = TMLRT_SCOPE_INIT, scope = TMLRT_SCOPE_INIT;
        tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
        unit_t               forks = unit_of(&f.tally, body_forks, &f);
        unit_t               beside = unit_of(&f.tally, body_beside, &f);
        tmlrt_op_t           set = TMLRT_OP_INIT, never = TMLRT_OP_INIT;
        tmlrt_notify_t       nobody = TMLRT_NOTIFY_INIT;
        tmlrt_op_t          *ops[2];
        o.scope = &scope;
        assert_int_equal(tmlrt_scope_open(&outer, rt, TMLRT_NEVER), TMLRT_OK);
        assert_int_equal(tmlrt_scope_open(&scope, rt, TMLRT_NEVER), TMLRT_OK);
        assert_int_equal(tmlrt_spawn(rt, &unit_type, &forks, &o, NULL), TMLRT_OK);
        assert_int_equal(tmlrt_spawn(rt, &unit_type, &beside, &o, NULL), TMLRT_OK);
        tmlrt_op_notified(&never, &nobody);
        ops[0] = tmlrt_scope_op(&scope);
        ops[1] = &never;
        if (how == 1) tmlrt_op_any(&set, ops, 2);
        if (how == 2) tmlrt_op_all(&set, ops, 1);
        int64_t got = how == 0 ? tmlrt_scope_join(&scope) : await_here(&set);
        if (getpid() != f.maker) {
            require(how != 0 || got == TMLRT_EFORKED);
            require(tmlrt_op_result(ops[0]) == TMLRT_EFORKED);
            require(tmlrt_scope_join(&scope) == TMLRT_EFORKED);
            require(tmlrt_scope_join(&outer) == TMLRT_EFORKED);
            memset(&scope, 0xff, sizeof scope); /* nobody looks at them any more */
            memset(&outer, 0xff, sizeof outer);
            require(atomic_load(&f.beside) == 0);
            require(tmlrt_sleep(1) == TMLRT_OK);
            require(tmlrt_runtime_destroy(rt) == TMLRT_OK);
        }
        child_ends_here(f.maker);
        assert_int_equal(got, TMLRT_OK);
        if (how != 0) assert_int_equal(tmlrt_op_result(ops[0]), TMLRT_OK);
        assert_int_equal(tmlrt_scope_join(&outer), TMLRT_OK);
        int status = status_of(f.child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

static TmlPoll tml_forks(void *state, TmlContext *cx) {
    forking_t *f = *(forking_t **)state;
    (void)cx;
    pid_t pid = fork();
    require(pid >= 0);
    if (pid == 0) alarm(30);
    f->child = pid != 0 ? pid : -1;
    return tml_poll_ready_i64(0);
}

static TmlPoll tml_beside(void *state, TmlContext *cx) {
    const forking_t *f = *(forking_t **)state;
    (void)cx;
    return f->child != 0 && getpid() == f->maker ? tml_poll_ready_i64(0) : tml_poll_pending();
}

/* With others in the executor, and as the last one. */
static void a_child_that_returns_into_the_run_of_an_executor_leaves_it(void **state) {
    (void)state;
    setenv("TMLRT_FLAVOR", "current", 1);
    for (int others = 0; others < 3; others++) {
        forking_t    f = {.maker = getpid()}, *p = &f;
        TmlExecutor *e = tml_executor_new();
        for (int i = 0; i < others; i++)
            tml_executor_spawn(e, tml_beside, &p, sizeof p);
        tml_executor_spawn(e, tml_forks, &p, sizeof p);
        int32_t got = tml_executor_run(e);
        if (getpid() != f.maker) require(got == TMLRT_EFORKED);
        child_ends_here(f.maker);
        assert_int_equal(got, 0);
        int status = status_of(f.child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        tml_executor_destroy(e);
    }
    default_runtime_end(state);
    unsetenv("TMLRT_FLAVOR");
}

static void a_child_that_returns_into_a_block_on_leaves_it(void **state) {
    forking_t        f = {.maker = getpid()}, *p = &f;
    tmlrt_runtime_t *rt;
    setenv("TMLRT_FLAVOR", "current", 1);
    assert_int_equal(tmlrt_runtime_default(&rt), TMLRT_OK);
    tmlrt_task_release(unit_spawn(rt, &f.tally, body_forks, &f));
    TmlPoll got = tml_block_on(tml_beside, &p, 0);
    if (getpid() != f.maker) require(got.tag != TML_POLL_READY);
    child_ends_here(f.maker);
    assert_int_equal(got.tag, TML_POLL_READY);
    int status = status_of(f.child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    default_runtime_end(state);
    unsetenv("TMLRT_FLAVOR");
}

static void a_child_that_returns_to_a_worker_is_ended(void **state) {
    (void)state;
    forking_t        f = {.maker = getpid()};
    tmlrt_runtime_t *rt = runtime_multi(2);
    assert_int_equal(unit_run(rt, &f.tally, body_forks, &f), 0);
    int status = status_of(f.child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- at any moment --------------------------------------------------------------------------- */

typedef struct busy {
    tmlrt_runtime_t *rt;
    tmlrt_task_t    *task;
    tmlrt_waker_t    waker;
    tally_t          tally;
    atomic_int       end, has_waker;
} busy_t;

/* Spawns, joins and frees all the time, so that a fork finds every lock taken now and then. */
static int32_t body_busy(unit_t *u, tmlrt_cx_t *cx) {
    busy_t *b = u->arg;
    TMLRT_BEGIN(u);
    while (atomic_load(&b->end) == 0) {
        u->child = unit_spawn(NULL, &b->tally, body_ready, NULL);
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_join(&u->op, u->child, NULL));
        tmlrt_task_release(u->child);
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep(&u->op, NULL, 1000));
    }
    TMLRT_END(u);
}

static int32_t body_keeps_waker(unit_t *u, tmlrt_cx_t *cx) {
    busy_t *b = u->arg;
    if (atomic_load(&b->has_waker) == 0) {
        require(tmlrt_waker_clone(cx->waker, &b->waker) == TMLRT_OK);
        atomic_store(&b->has_waker, 1);
    }
    return atomic_load(&b->end) != 0 ? TMLRT_READY : TMLRT_PENDING;
}

static void spawn_from_outside(void *arg, int i) {
    busy_t *b = arg;
    (void)i;
    while (atomic_load(&b->end) == 0) {
        tmlrt_task_release(unit_spawn(b->rt, &b->tally, body_ready, NULL));
        tmlrt_waker_wake_by_ref(&b->waker);
    }
}

static void child_gives_back(void *arg) {
    busy_t *b = arg;
    require(tmlrt_task_abort(b->task) == TMLRT_EFORKED);
    require(tmlrt_waker_wake_by_ref(&b->waker) == TMLRT_OK);
    require(tmlrt_waker_drop(&b->waker) == TMLRT_OK);
    tmlrt_task_release(b->task);
    require(tmlrt_runtime_destroy(b->rt) == TMLRT_OK);
}

static void a_fork_at_any_moment_leaves_the_child_able_to_end(void **state) {
    (void)state;
    static busy_t b;
    b.rt = runtime_multi(2);
    b.task = unit_spawn(b.rt, &b.tally, body_keeps_waker, &b);
    wait_until(atomic_load(&b.has_waker) == 1);
    for (int i = 0; i < 4; i++)
        tmlrt_task_release(unit_spawn(b.rt, &b.tally, body_busy, &b));
    crew_t *crew = crew_start(1, spawn_from_outside, &b);
    for (int i = scaled(200); i > 0; i--)
        in_child(child_gives_back, &b);
    atomic_store(&b.end, 1);
    crew_join(crew);
    assert_int_equal(tmlrt_waker_wake(&b.waker), TMLRT_OK);
    assert_int_equal(tmlrt_join(b.task, NULL), TMLRT_OK);
    tmlrt_task_release(b.task);
    assert_int_equal(tmlrt_runtime_shutdown(b.rt, TMLRT_NEVER, NULL), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_destroy(b.rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_child_is_refused_and_the_parent_goes_on),
        cmocka_unit_test(a_child_that_returns_from_a_task_leaves_the_runtime),
        cmocka_unit_test(a_child_that_returns_into_the_await_of_a_scope_leaves_it),
        cmocka_unit_test(a_child_that_returns_into_the_run_of_an_executor_leaves_it),
        cmocka_unit_test(a_child_that_returns_into_a_block_on_leaves_it),
        cmocka_unit_test(a_child_that_returns_to_a_worker_is_ended),
        cmocka_unit_test(a_fork_at_any_moment_leaves_the_child_able_to_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
