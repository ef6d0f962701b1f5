/* SPDX-License-Identifier: MIT */
/*
 * api_main.c: the default runtime, and tmlrt_main as the entry point of a process: each program is
 * a forked child whose exit status is looked at.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/threads.h"
#include "support/unit.h"

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

/* ThreadSanitizer starts no threads in a child of a process that has had several. */
static void needs_threads_after_fork(void) {
#ifdef UNDER_TSAN
    skip();
#endif
}

/* ---- the default runtime --------------------------------------------------------------------- */

static tmlrt_runtime_t *seen[4];

static void look(void *arg, int i) {
    (void)arg;
    require(tmlrt_runtime_default(&seen[i]) == TMLRT_OK);
}

static void there_is_one_default_runtime_whoever_asks_first(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = NULL, *first;
    on_threads(4, look, NULL);
    for (int i = 1; i < 4; i++)
        assert_ptr_equal(seen[i], seen[0]);
    assert_int_equal(tmlrt_runtime_default(&rt), TMLRT_OK);
    assert_ptr_equal(rt, seen[0]);
    assert_int_equal(tmlrt_runtime_default(NULL), TMLRT_EINVAL);

    tally_t tally = {0};
    assert_int_equal(unit_run(rt, &tally, body_ready, NULL), 0);
    first = rt;
    tmlrt_runtime_t *other = runtime_multi(1); /* which is not the default */
    assert_int_equal(tmlrt_runtime_destroy(other), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_default(&rt), TMLRT_OK);
    assert_ptr_equal(rt, first);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);

    setenv("TMLRT_WORKERS", "3", 1); /* gone: the next call makes a new one */
    assert_int_equal(tmlrt_runtime_default(&rt), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_workers(rt), 3);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    setenv("TMLRT_WORKERS", "no number", 1);
    assert_int_equal(tmlrt_runtime_default(&rt), TMLRT_EINVAL);
    unsetenv("TMLRT_WORKERS");
}

static void a_forked_child_makes_its_own(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = NULL, *mine = NULL;
    int              status = -1;
    needs_threads_after_fork();
    assert_int_equal(tmlrt_runtime_default(&rt), TMLRT_OK);
    pid_t child = fork();
    if (child == 0) {
        tally_t tally = {0};
        bool    good = tmlrt_runtime_default(&mine) == TMLRT_OK && mine != rt &&
                    unit_run(mine, &tally, body_ready, NULL) == 0 &&
                    tmlrt_runtime_destroy(mine) == TMLRT_OK;
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- programs -------------------------------------------------------------------------------- */

typedef struct program {
    TMLRT_FRAME;
    int32_t    status;
    int        waits; /* 1: for ever; 2: for the shutdown */
    int        ready; /* a descriptor that hears when the program waits */
    tmlrt_op_t op;
} program_t;

static int32_t program_poll(void *state, tmlrt_cx_t *cx, void *result) {
    program_t *s = state;
    TMLRT_BEGIN(s);
    if (write(s->ready, "", 1) != 1) abort();
    if (s->waits == 1)
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_sleep_until(&s->op, NULL, TMLRT_NEVER - 1));
    if (s->waits == 2) TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_stopping(&s->op, NULL));
    *(int32_t *)result = s->status;
    TMLRT_END(s);
}

static int32_t panic_guard(tmlrt_poll_fn body, void *state, tmlrt_cx_t *cx, void *result) {
    (void)body, (void)state, (void)cx, (void)result;
    return TMLRT_PANICKED;
}

static tmlrt_task_type_t type_of(program_t *s) {
    tmlrt_task_type_t type = TMLRT_TASK_TYPE_RESULT(program_t, int32_t, program_poll, NULL);
    (void)s;
    return type;
}

/* Runs `s` in a child with `config`, sends `signo` once it is there (0: none); waitpid's status. */
static int run(program_t s, tmlrt_task_type_t type, const tmlrt_config_t *config, int signo) {
    int  fds[2], status = -1;
    char byte;
    needs_threads_after_fork();
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        s.ready = fds[1];
        exit(tmlrt_main(&type, &s, config));
    }
    close(fds[1]);
    if (signo != 0) {
        assert_int_equal(read(fds[0], &byte, 1), 1);
        assert_int_equal(kill(child, signo), 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    close(fds[0]);
    return status;
}

static void the_result_is_the_exit_status(void **state) {
    (void)state;
    program_t s = {.status = 7};
    int       status = run(s, type_of(&s), NULL, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    tmlrt_config_t config = TMLRT_CONFIG_INIT;
    config.flavor = TMLRT_FLAVOR_CURRENT_THREAD;
    status = run(s, type_of(&s), &config, 0);
    assert_int_equal(WEXITSTATUS(status), 7);
}

static int32_t wide_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)state, (void)cx;
    *(int64_t *)result = 9;
    return TMLRT_READY;
}

static void a_result_of_another_size_is_success(void **state) {
    (void)state;
    program_t         s = {0};
    tmlrt_task_type_t type = TMLRT_TASK_TYPE_RESULT(program_t, int64_t, wide_poll, NULL);
    int               status = run(s, type, NULL, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_panic_has_its_own_status(void **state) {
    (void)state;
    program_t         s = {.status = 7};
    tmlrt_task_type_t type = type_of(&s);
    type.guard = panic_guard;
    int status = run(s, type, NULL, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), TMLRT_EXIT_PANIC);
}

static void a_signal_lets_tasks_end_by_themselves(void **state) {
    (void)state;
    program_t s = {.status = 5, .waits = 2};
    int       status = run(s, type_of(&s), NULL, SIGTERM);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 5);
}

static void who_does_not_end_is_cancelled_after_the_grace(void **state) {
    (void)state;
    program_t      s = {.waits = 1};
    tmlrt_config_t config = TMLRT_CONFIG_INIT;
    config.shutdown_ms = 20;
    int status = run(s, type_of(&s), &config, SIGINT);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), TMLRT_EXIT_SIGNAL + SIGINT);
    config.flavor = TMLRT_FLAVOR_CURRENT_THREAD;
    config.shutdown_ms = UINT32_MAX; /* no grace at all */
    status = run(s, type_of(&s), &config, SIGTERM);
    assert_int_equal(WEXITSTATUS(status), TMLRT_EXIT_SIGNAL + SIGTERM);
    config.shutdown_ms = 0;
    setenv("TMLRT_SHUTDOWN_MS", "1", 1);
    status = run(s, type_of(&s), &config, SIGTERM);
    unsetenv("TMLRT_SHUTDOWN_MS");
    assert_int_equal(WEXITSTATUS(status), TMLRT_EXIT_SIGNAL + SIGTERM);
}

static void what_cannot_run_is_told(void **state) {
    (void)state;
    program_t      s = {0};
    tmlrt_config_t config = TMLRT_CONFIG_INIT;
    config.workers = TMLRT_MAX_WORKERS + 1;
    int status = run(s, type_of(&s), &config, 0);
    assert_int_equal(WEXITSTATUS(status), TMLRT_EXIT_RUNTIME);
    assert_int_equal(tmlrt_main(NULL, NULL, NULL), TMLRT_EXIT_RUNTIME);
    tmlrt_runtime_t *rt;
    assert_int_equal(tmlrt_runtime_default(&rt), TMLRT_OK);
    tmlrt_task_type_t type = type_of(&s);
    assert_int_equal(tmlrt_main(&type, &s, NULL), TMLRT_EXIT_RUNTIME); /* there is one already */
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static int32_t body_main(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    u->value = tmlrt_main(&unit_type, u, NULL);
    return TMLRT_READY;
}

static void inside_a_task_it_is_refused(void **state) {
    (void)state;
    tally_t          tally = {0};
    tmlrt_runtime_t *rt = runtime_multi(1);
    assert_int_equal(unit_run(rt, &tally, body_main, NULL), TMLRT_EXIT_RUNTIME);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_one_default_runtime_whoever_asks_first),
        cmocka_unit_test(a_forked_child_makes_its_own),
        cmocka_unit_test(the_result_is_the_exit_status),
        cmocka_unit_test(a_result_of_another_size_is_success),
        cmocka_unit_test(a_panic_has_its_own_status),
        cmocka_unit_test(a_signal_lets_tasks_end_by_themselves),
        cmocka_unit_test(who_does_not_end_is_cancelled_after_the_grace),
        cmocka_unit_test(what_cannot_run_is_told),
        cmocka_unit_test(inside_a_task_it_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
