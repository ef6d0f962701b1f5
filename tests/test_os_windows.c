/* SPDX-License-Identifier: MIT */
/*
 * test_os_windows.c: the os layer of Windows: waits on addresses, clock, threads, values at exit,
 * CPUs, the tables of error numbers, stacks that grow, and an overflow that is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tmlrt.h>

#include "compiler.h"
#include "fault.h"
#include "os.h"
#include "os_windows.h"
#include "support/threads.h"
#include "support/unit.h"

/* ---- waits ---------------------------------------------------------------------------------- */

static tmlrt__atomic_u32 word;
static atomic_int        ended;

static void waits_for_the_word(void *arg) {
    (void)arg;
    while (tmlrt__load_acquire(&word) == 0)
        tmlrt__futex_wait(&word, 0, -1);
    atomic_fetch_add(&ended, 1);
}

static void one_wake_can_end_all_waits(void **state) {
    (void)state;
    tmlrt__thread_t t[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(tmlrt__thread_create(&t[i], waits_for_the_word, NULL, "waits"), TMLRT_OK);
    tmlrt__store_release(&word, 1);
    tmlrt__futex_wake(&word, UINT32_MAX);
    for (int i = 0; i < 3; i++)
        tmlrt__thread_join(&t[i]);
    assert_int_equal(atomic_load(&ended), 3);
    tmlrt__thread_join(&t[0]); /* none: nothing happens */
}

static void a_wait_ends_with_its_timeout_or_another_value(void **state) {
    (void)state;
    tmlrt__atomic_u32 own = 7;
    tmlrt__futex_wait(&own, 6, -1);
    tmlrt__futex_wait(&own, 7, 0);
    int64_t end = tmlrt__os_now() + TMLRT_MS;
    while (tmlrt__os_now() < end)
        tmlrt__futex_wait(&own, 7, TMLRT_MS);
}

static void a_sleep_never_ends_early(void **state) {
    (void)state;
    for (int64_t ns = 1; ns < 20 * TMLRT_MS; ns *= 7) {
        int64_t end = tmlrt__os_now() + ns;
        tmlrt__os_sleep_until(end);
        assert_true(tmlrt__os_now() >= end);
    }
    assert_int_equal(tmlrt__os_milliseconds(1), 1);
    assert_int_equal(tmlrt__os_milliseconds(TMLRT_MS), 1);
    assert_int_equal(tmlrt__os_milliseconds(TMLRT_MS + 1), 2);
    assert_int_equal(tmlrt__os_milliseconds(-1), UINT32_MAX);
    assert_int_equal(tmlrt__os_milliseconds(INT64_MAX), UINT32_MAX - 1);
}

/* ---- threads -------------------------------------------------------------------------------- */

static int first_runs, second_runs;

static void counts(void *value) {
    ++*(int *)value;
}

static void counts_too(void *value) {
    ++*(int *)value;
}

static void leaves_values(void *arg) {
    (void)arg;
    require(tmlrt__thread_at_exit(counts, &second_runs) == TMLRT_OK);
    require(tmlrt__thread_at_exit(counts, &first_runs) == TMLRT_OK); /* replaces it */
    require(tmlrt__thread_at_exit(counts_too, &first_runs) == TMLRT_OK);
}

static void a_value_is_run_once_at_its_threads_end(void **state) {
    (void)state;
    tmlrt__thread_t t;
    assert_int_equal(tmlrt__thread_create(&t, leaves_values, NULL, NULL), TMLRT_OK);
    tmlrt__thread_join(&t);
    assert_int_equal(first_runs, 2);
    assert_int_equal(second_runs, 0);
}

static void pins_itself(void *arg) {
    for (uint32_t i = 0; i < 2 * tmlrt__cpu_count(); i++)
        require(tmlrt__thread_pin(i) == TMLRT_OK);
    *(uint64_t *)arg = tmlrt__thread_self();
}

static void a_thread_has_a_number_and_is_pinned(void **state) {
    (void)state;
    tmlrt__thread_t t;
    uint64_t        other = 0;
    assert_true(tmlrt__cpu_count() >= 1);
    assert_int_equal(tmlrt__thread_create(&t, pins_itself, &other, NULL), TMLRT_OK);
    assert_true(tmlrt__thread_self() != 0);
    tmlrt__thread_join(&t);
    assert_true(other != 0 && other != tmlrt__thread_self());
}

/* ---- errors --------------------------------------------------------------------------------- */

static void numbers_of_the_system_are_ours(void **state) {
    (void)state;
    assert_int_equal(tmlrt__os_win_error(WSAECONNREFUSED), TMLRT_ECONNREFUSED);
    assert_int_equal(tmlrt__os_win_error(ERROR_OPERATION_ABORTED), TMLRT_ECANCELED);
    assert_int_equal(tmlrt__os_win_error(1234567), TMLRT_EUNKNOWN);
    assert_int_equal(tmlrt__os_nt_error((int32_t)0xC000020D), TMLRT_ECONNRESET);
    assert_int_equal(tmlrt__os_nt_error((int32_t)0xC0000120), TMLRT_ECANCELED);
    assert_int_equal(tmlrt__os_nt_error((int32_t)0xC000014B), TMLRT_EPIPE);
    tmlrt__fault_arm(TMLRT__FAULT_SYS, 1, false, EMFILE);
    assert_true(tmlrt__fault_point(TMLRT__FAULT_SYS));
    assert_int_equal(tmlrt__os_win_error(GetLastError()), TMLRT_EMFILE);
    tmlrt__fault_disarm();
}

static void every_failed_call_leaves_an_error_or_a_fallback(void **state) {
    (void)state;
    for (int kind = 0; kind < TMLRT__FAULT_KINDS; kind++) {
        for (uint64_t nth = 1; nth < 8; nth++) {
            tmlrt__thread_t t;
            tmlrt__fault_arm((tmlrt__fault_kind_t)kind, nth, false, ENOMEM);
            assert_true(tmlrt__cpu_count() >= 1);
            int e = tmlrt__thread_create(&t, leaves_values, NULL, NULL);
            tmlrt__fault_disarm();
            assert_true(e == TMLRT_OK || e == TMLRT_ENOMEM);
            tmlrt__thread_join(&t);
        }
    }
}

/* ---- stacks --------------------------------------------------------------------------------- */

/* Uses about `depth` pages of stack. */
static TMLRT__NOINLINE int deep(int depth) {
    volatile char frame[4000];
    memset((void *)(uintptr_t)frame, depth & 1, sizeof frame);
    int below = depth > 0 ? deep(depth - 1) : 0;
    return below + frame[17];
}

static void *fiber_goes_deep(void *arg) {
    double before = *(volatile double *)arg;
    int    n = deep(10) + deep(2) + deep(11);
    require(tmlrt_yield() == TMLRT_OK);
    n += deep(13);
    require(before == *(volatile double *)arg);
    return (void *)(intptr_t)n;
}

static void a_stack_grows_as_it_is_used(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(2);
    for (int round = 0; round < 200; round++) { /* also on stacks that were used before */
        tmlrt_task_t *task;
        void         *value = NULL;
        double        number = round;
        assert_int_equal(tmlrt_go(rt, fiber_goes_deep, &number, NULL, &task), TMLRT_OK);
        assert_int_equal(tmlrt_join(task, &value), TMLRT_OK);
        assert_int_equal((intptr_t)value, 5 + 1 + 6 + 7);
        tmlrt_task_release(task);
    }
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* The system believes of the stack what is there: memory down to the limit, the mark below. */
static void require_true_limit(void) {
    MEMORY_BASIC_INFORMATION at, below;
    char                    *limit;
    __asm__("movq %%gs:0x10, %0" : "=r"(limit));
    require(VirtualQuery(limit, &at, sizeof at) != 0);
    require(at.State == MEM_COMMIT && (at.Protect & PAGE_GUARD) == 0);
    require(VirtualQuery(limit - 1, &below, sizeof below) != 0);
    require(below.State == MEM_COMMIT && (below.Protect & PAGE_GUARD) != 0);
}

static void *fiber_grows_to(void *arg) {
    require_true_limit();
    (void)deep((int)(intptr_t)arg);
    require_true_limit();
    require(tmlrt_yield() == TMLRT_OK);
    require_true_limit();
    return NULL;
}

static void a_stack_used_before_is_known_to_have_grown(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    for (intptr_t round = 0; round < 40; round++) {
        tmlrt_task_t *task[20]; /* more than are kept warm, now and then */
        for (int i = 0; i < 20; i++)
            assert_int_equal(tmlrt_go(rt, fiber_grows_to, (void *)(round * 7 % 13), NULL, &task[i]),
                             TMLRT_OK);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(tmlrt_join(task[i], NULL), TMLRT_OK);
            tmlrt_task_release(task[i]);
        }
    }
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* Where the fiber goes on after its overflow: what an own handler of the program may do, without
 * unwinding. */
static CONTEXT    resume_at;
static atomic_int overflows;

static LONG CALLBACK on_overflow(EXCEPTION_POINTERS *info) {
    if (info->ExceptionRecord->ExceptionCode != EXCEPTION_STACK_OVERFLOW)
        return EXCEPTION_CONTINUE_SEARCH;
    atomic_fetch_add(&overflows, 1);
    *info->ContextRecord = resume_at;
    return EXCEPTION_CONTINUE_EXECUTION;
}

static void *fiber_overflows(void *arg) {
    RtlCaptureContext(&resume_at);
    if (atomic_load(&overflows) == *(int *)arg) (void)deep(1 << 20);
    *(int *)arg = atomic_load(&overflows);
    return NULL;
}

static void an_overflow_is_an_exception_of_the_fibers_stack(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tmlrt_task_t    *task;
    int              told = 0;
    void            *handler = AddVectoredExceptionHandler(0, on_overflow);
    assert_non_null(handler);
    assert_int_equal(tmlrt_fiber_catch_overflow(), TMLRT_OK);
    for (int i = 1; i <= 3; i++) { /* on the same stack, whose mark is used up each time */
        assert_int_equal(tmlrt_go(rt, fiber_overflows, &told, NULL, &task), TMLRT_OK);
        assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
        assert_int_equal(told, i);
        tmlrt_task_release(task);
    }
    (void)RemoveVectoredExceptionHandler(handler);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_wake_can_end_all_waits),
        cmocka_unit_test(a_wait_ends_with_its_timeout_or_another_value),
        cmocka_unit_test(a_sleep_never_ends_early),
        cmocka_unit_test(a_value_is_run_once_at_its_threads_end),
        cmocka_unit_test(a_thread_has_a_number_and_is_pinned),
        cmocka_unit_test(numbers_of_the_system_are_ours),
        cmocka_unit_test(every_failed_call_leaves_an_error_or_a_fallback),
        cmocka_unit_test(a_stack_grows_as_it_is_used),
        cmocka_unit_test(a_stack_used_before_is_known_to_have_grown),
        cmocka_unit_test(an_overflow_is_an_exception_of_the_fibers_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
