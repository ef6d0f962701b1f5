/* SPDX-License-Identifier: MIT */
/*
 * test_os.c: the os layer: futex, clock, threads, values at exit, CPUs, fork, memory,
 * the log; and each of them with its Nth allocation or system call failing.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__FreeBSD__) || defined(__OpenBSD__)
#include <pthread_np.h>
#endif

#include <cmocka.h>

#include <tmlrt/error.h>

#include "fault.h"
#include "os.h"

/* ---- The futex ---- */

typedef struct flag {
    tmlrt__atomic_u32 go;
    tmlrt__atomic_u32 done;
} flag_t;

static void waits_then_says_done(void *arg) {
    flag_t *f = arg;
    while (tmlrt__load_acquire(&f->go) == 0)
        tmlrt__futex_wait(&f->go, 0, -1);
    tmlrt__store_release(&f->done, 1);
    tmlrt__futex_wake(&f->done, 1);
}

static void a_wake_ends_a_wait(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        flag_t          f = {0, 0};
        tmlrt__thread_t t;
        assert_int_equal(tmlrt__thread_create(&t, waits_then_says_done, &f, "waiter"), 0);
        if (i % 2 != 0) sched_yield();
        tmlrt__store_release(&f.go, 1);
        tmlrt__futex_wake(&f.go, 1);
        while (tmlrt__load_acquire(&f.done) == 0)
            tmlrt__futex_wait(&f.done, 0, -1);
        tmlrt__thread_join(&t);
    }
}

static void one_wake_can_end_all_waits(void **state) {
    (void)state;
    enum { N = 4 };
    flag_t          f = {0, 0};
    tmlrt__thread_t t[N];
    for (int i = 0; i < N; i++)
        assert_int_equal(tmlrt__thread_create(&t[i], waits_then_says_done, &f, "waiter"), 0);
    tmlrt__store_release(&f.go, 1);
    tmlrt__futex_wake(&f.go, UINT32_MAX);
    for (int i = 0; i < N; i++)
        tmlrt__thread_join(&t[i]);
    assert_int_equal(tmlrt__load_relaxed(&f.done), 1);
}

static void a_wait_for_another_value_returns_at_once(void **state) {
    (void)state;
    tmlrt__atomic_u32 word = 7;
    tmlrt__futex_wait(&word, 8, -1);
    tmlrt__futex_wait(&word, 7, 0);
}

static void a_wait_ends_with_its_timeout(void **state) {
    (void)state;
    tmlrt__atomic_u32 word = 7;
    int64_t           begin = tmlrt__os_now();
    while (tmlrt__os_now() - begin < 2000000)
        tmlrt__futex_wait(&word, 7, 1000000);
}

/* ---- The clock ---- */

static void the_clock_never_goes_back(void **state) {
    (void)state;
    int64_t last = tmlrt__os_now();
    for (int i = 0; i < 10000; i++) {
        int64_t now = tmlrt__os_now();
        assert_true(now >= last);
        last = now;
    }
}

static void a_sleep_never_ends_early(void **state) {
    (void)state;
    for (int64_t ns = 1; ns < 10000000; ns *= 3) {
        int64_t until = tmlrt__os_now() + ns;
        tmlrt__os_sleep_until(until);
        assert_true(tmlrt__os_now() >= until);
    }
    tmlrt__os_sleep_until(0);
    tmlrt__os_sleep_until(-1);
}

static void on_signal(int number) {
    (void)number;
}

static void sends_signals(void *arg) {
    pthread_t sleeper = *(pthread_t *)arg;
    for (int i = 0; i < 50; i++) {
        pthread_kill(sleeper, SIGUSR1);
        sched_yield();
    }
}

static void an_interrupted_sleep_goes_on(void **state) {
    (void)state;
    struct sigaction act, before;
    memset(&act, 0, sizeof act);
    act.sa_handler = on_signal;
    assert_int_equal(sigaction(SIGUSR1, &act, &before), 0);
    pthread_t       self = pthread_self();
    tmlrt__thread_t t;
    assert_int_equal(tmlrt__thread_create(&t, sends_signals, &self, NULL), 0);
    int64_t until = tmlrt__os_now() + 20000000;
    tmlrt__os_sleep_until(until);
    assert_true(tmlrt__os_now() >= until);
    tmlrt__thread_join(&t);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
}

/* ---- Threads ---- */

typedef struct seen {
    char     name[32];
    sigset_t blocked;
    uint64_t self;
    int      pinned;
    int      cpus;
} seen_t;

/* How many CPUs this thread may use; 0: the system does not say. */
static int cpus_of_the_mask(void) {
#if defined(__linux__)
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    return CPU_COUNT(&set);
#else
    return 0;
#endif
}

static void looks_at_itself(void *arg) {
    seen_t *s = arg;
#if defined(__OpenBSD__)
    pthread_get_name_np(pthread_self(), s->name, sizeof s->name);
#else
    pthread_getname_np(pthread_self(), s->name, sizeof s->name);
#endif
    pthread_sigmask(SIG_SETMASK, NULL, &s->blocked);
    s->self = tmlrt__thread_self();
    s->pinned = tmlrt__thread_pin(1000003);
    s->cpus = cpus_of_the_mask();
}

static void a_thread_has_its_name_cut_to_what_fits(void **state) {
    (void)state;
    seen_t          s;
    tmlrt__thread_t t;
    assert_int_equal(tmlrt__thread_create(&t, looks_at_itself, &s, "a-name-that-is-too-long"), 0);
    tmlrt__thread_join(&t);
    assert_string_equal(s.name, "a-name-that-is-");
    assert_true(t.handle == 0);
}

static void a_thread_blocks_signals_except_its_own_faults(void **state) {
    (void)state;
    seen_t          s;
    tmlrt__thread_t t;
    sigset_t        before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(tmlrt__thread_create(&t, looks_at_itself, &s, "x"), 0);
    tmlrt__thread_join(&t);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_true(sigismember(&s.blocked, SIGTERM));
    assert_true(sigismember(&s.blocked, SIGINT));
    assert_true(sigismember(&s.blocked, SIGUSR1));
    assert_false(sigismember(&s.blocked, SIGSEGV));
    for (int i = 1; i < 32; i++)
        assert_int_equal(sigismember(&before, i), sigismember(&after, i));
}

static void two_threads_have_two_numbers(void **state) {
    (void)state;
    seen_t          s;
    tmlrt__thread_t t;
    assert_int_equal(tmlrt__thread_create(&t, looks_at_itself, &s, "x"), 0);
    tmlrt__thread_join(&t);
    assert_true(s.self != 0);
    assert_true(s.self != tmlrt__thread_self());
    assert_true(tmlrt__thread_self() == tmlrt__thread_self());
}

static void a_pinned_thread_has_one_cpu(void **state) {
    (void)state;
    seen_t          s;
    tmlrt__thread_t t;
    assert_int_equal(tmlrt__thread_create(&t, looks_at_itself, &s, "x"), 0);
    tmlrt__thread_join(&t);
    if (s.pinned == TMLRT_ENOTSUP) skip();
    assert_int_equal(s.pinned, 0);
    if (s.cpus != 0) assert_int_equal(s.cpus, 1);
}

static void joining_no_thread_does_nothing(void **state) {
    (void)state;
    tmlrt__thread_t t = {0};
    tmlrt__thread_join(&t);
    assert_true(t.handle == 0);
}

/* ---- Values at exit ---- */

typedef struct at_exit {
    uint32_t runs[2];
    int      error;
    bool     replace;
} at_exit_t;

static void counts_a_run(void *value) {
    (*(uint32_t *)value)++;
}

static void sets_values(void *arg) {
    at_exit_t *a = arg;
    a->error = tmlrt__thread_at_exit(counts_a_run, &a->runs[0]);
    if (a->error == 0 && a->replace) a->error = tmlrt__thread_at_exit(counts_a_run, &a->runs[1]);
}

static void a_value_is_run_once_at_its_threads_end(void **state) {
    (void)state;
    at_exit_t       a = {{0, 0}, 0, false};
    tmlrt__thread_t t;
    assert_int_equal(tmlrt__thread_create(&t, sets_values, &a, "x"), 0);
    tmlrt__thread_join(&t);
    assert_int_equal(a.error, 0);
    assert_int_equal(a.runs[0], 1);
}

static void a_later_value_replaces_an_earlier_one(void **state) {
    (void)state;
    at_exit_t       a = {{0, 0}, 0, true};
    tmlrt__thread_t t;
    assert_int_equal(tmlrt__thread_create(&t, sets_values, &a, "x"), 0);
    tmlrt__thread_join(&t);
    assert_int_equal(a.runs[0], 0);
    assert_int_equal(a.runs[1], 1);
}

/* ---- CPUs ---- */

static void the_cpu_count_is_within_the_mask(void **state) {
    (void)state;
    int most = cpus_of_the_mask();
    assert_in_range(tmlrt__cpu_count(), 1, most != 0 ? most : INT_MAX);
}

static void counts_one_cpu(void *arg) {
    if (tmlrt__thread_pin(0) == 0) *(uint32_t *)arg = tmlrt__cpu_count();
}

static void a_mask_smaller_than_the_machine_counts(void **state) {
    (void)state;
    uint32_t        count = 0;
    tmlrt__thread_t t;
    assert_int_equal(tmlrt__thread_create(&t, counts_one_cpu, &count, "x"), 0);
    tmlrt__thread_join(&t);
    assert_int_equal(count, 1);
}

/* ---- Fork ---- */

static void a_forked_child_sees_the_next_generation(void **state) {
    (void)state;
    assert_int_equal(tmlrt__fork_watch(), 0);
    assert_int_equal(tmlrt__fork_watch(), 0);
    uint32_t before = tmlrt__load_relaxed(&tmlrt__fork_generation);
    pid_t    child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit((int)(tmlrt__load_relaxed(&tmlrt__fork_generation) - before));
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_int_equal(tmlrt__load_relaxed(&tmlrt__fork_generation), before);
}

/* ---- Memory and the log ---- */

static void memory_is_aligned_as_asked(void **state) {
    (void)state;
    for (size_t align = 1; align <= 8192; align *= 2) {
        char *p = tmlrt__os_alloc(align + 3, align);
        assert_non_null(p);
        assert_true((uintptr_t)p % align == 0);
        memset(p, 1, align + 3);
        tmlrt__os_free(p, align + 3, align);
    }
    tmlrt__os_free(NULL, 1, 1);
}

static void a_logged_line_arrives_whole(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int kept = dup(STDERR_FILENO);
    assert_true(kept >= 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    errno = 12345;
    tmlrt__os_log("one line");
    int after = errno;
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    close(ends[1]);
    char text[64];
    assert_int_equal(read(ends[0], text, sizeof text), 9);
    assert_memory_equal(text, "one line\n", 9);
    assert_int_equal(after, 12345);
    close(ends[0]);
}

/* ---- The Nth failure ---- */

static void does_nothing(void *arg) {
    (void)arg;
}

/* Runs all that can fail; returns the first error. */
static int try_all(void) {
    tmlrt__thread_t t;
    int             error = tmlrt__thread_create(&t, does_nothing, NULL, "x");
    assert_true((error == 0) == (t.handle != 0));
    tmlrt__thread_join(&t);
    if (error == 0) error = tmlrt__thread_at_exit(NULL, NULL);
    if (error == 0) error = tmlrt__fork_watch();
    assert_true(tmlrt__cpu_count() >= 1);
    return error;
}

static void fail_every_point(tmlrt__fault_kind_t kind, int sys) {
    for (int sticky = 0; sticky < 2; sticky++) {
        for (uint64_t nth = 1;; nth++) {
            tmlrt__fault_arm(kind, nth, sticky != 0, sys);
            int      error = try_all();
            uint64_t fired = tmlrt__fault_fired(kind);
            tmlrt__fault_disarm();
            if (error != 0) assert_int_equal(error, tmlrt__os_error(sys));
            if (fired == 0) break;
            assert_true(nth < 1000);
        }
    }
    assert_int_equal(try_all(), 0);
}

static void every_failed_call_leaves_an_error_or_a_fallback(void **state) {
    (void)state;
    fail_every_point(TMLRT__FAULT_SYS, EAGAIN);
    fail_every_point(TMLRT__FAULT_SYS, EINVAL);
    fail_every_point(TMLRT__FAULT_SYS, ENOMEM);
}

static void every_failed_allocation_is_out_of_memory_or_a_fallback(void **state) {
    (void)state;
    fail_every_point(TMLRT__FAULT_ALLOC, ENOMEM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        /* First, while nothing process-wide is set up yet. */
        cmocka_unit_test(every_failed_call_leaves_an_error_or_a_fallback),
        cmocka_unit_test(every_failed_allocation_is_out_of_memory_or_a_fallback),
        cmocka_unit_test(a_wake_ends_a_wait),
        cmocka_unit_test(one_wake_can_end_all_waits),
        cmocka_unit_test(a_wait_for_another_value_returns_at_once),
        cmocka_unit_test(a_wait_ends_with_its_timeout),
        cmocka_unit_test(the_clock_never_goes_back),
        cmocka_unit_test(a_sleep_never_ends_early),
        cmocka_unit_test(an_interrupted_sleep_goes_on),
        cmocka_unit_test(a_thread_has_its_name_cut_to_what_fits),
        cmocka_unit_test(a_thread_blocks_signals_except_its_own_faults),
        cmocka_unit_test(two_threads_have_two_numbers),
        cmocka_unit_test(a_pinned_thread_has_one_cpu),
        cmocka_unit_test(joining_no_thread_does_nothing),
        cmocka_unit_test(a_value_is_run_once_at_its_threads_end),
        cmocka_unit_test(a_later_value_replaces_an_earlier_one),
        cmocka_unit_test(the_cpu_count_is_within_the_mask),
        cmocka_unit_test(a_mask_smaller_than_the_machine_counts),
        cmocka_unit_test(a_forked_child_sees_the_next_generation),
        cmocka_unit_test(memory_is_aligned_as_asked),
        cmocka_unit_test(a_logged_line_arrives_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
