/* SPDX-License-Identifier: MIT */
/*
 * test_stack.c: the pool of stacks: caches, what stays warm, what is given back, guards, and what
 * becomes of a fiber that gets none.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "os.h"
#include "stack.h"
#include "support/skip.h"
#include "support/threads.h"
#include "support/unit.h"

enum { CLS = 1, MANY = 500 };

static tmlrt__stacks_t      pool;
static tmlrt__stack_cache_t cache;
static tmlrt__stack_t      *out[MANY];

static int set_up(void **state) {
    (void)state;
    memset(&cache, 0, sizeof cache);
    tmlrt__stacks_init(&pool, &tmlrt__mem_default);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    tmlrt__stacks_destroy(&pool);
    return 0;
}

static void take(int n) {
    for (int i = 0; i < n; i++) {
        out[i] = tmlrt__stack_get(&pool, &cache, CLS);
        assert_non_null(out[i]);
        out[i]->high[-1] = 1; /* it has memory now */
    }
}

static void put(int n) {
    for (int i = 0; i < n; i++)
        tmlrt__stack_put(&pool, &cache, out[i]);
}

/* How many of the stacks in out[0..n) have memory. */
static int with_memory(int n) {
    int    count = 0;
    size_t page = tmlrt__os_page();
    for (int i = 0; i < n; i++) {
        unsigned char in = 0;
#if !defined(__OpenBSD__)
        require(mincore(out[i]->high - page, page, (void *)&in) == 0);
#else
        (void)page, (void)out; /* main skips */
#endif
        count += in & 1;
    }
    return count;
}

static void stacks_are_apart_and_of_their_size(void **state) {
    (void)state;
    for (uint32_t cls = 0; cls < TMLRT__STACK_CLASSES; cls++) {
        tmlrt__stack_t *a = tmlrt__stack_get(&pool, &cache, cls);
        tmlrt__stack_t *b = tmlrt__stack_get(&pool, &cache, cls);
        assert_true(a != NULL && b != NULL && a != b);
        assert_int_equal(a->high - a->low, tmlrt__stack_size(cls));
        assert_int_equal(b->high - b->low, tmlrt__stack_size(cls));
        assert_true(a->high < b->low || b->high < a->low); /* a guard between them */
        memset(a->low, 1, tmlrt__stack_size(cls));
        memset(b->low, 2, tmlrt__stack_size(cls));
        tmlrt__stack_put(&pool, &cache, a);
        assert_ptr_equal(tmlrt__stack_get(&pool, &cache, cls), a); /* the warmest first */
        tmlrt__stack_put(&pool, &cache, b);
        tmlrt__stack_put(&pool, &cache, a);
    }
}

static void below_a_stack_lies_a_guard(void **state) {
    (void)state;
    if (getenv("TMLRT_TEST_EMULATED") != NULL)
        skip_because("the emulator says yes to advice that it does not know, and makes no guard");
    int   status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        tmlrt__stack_t *s = tmlrt__stack_get(&pool, &cache, CLS);
        *(volatile char *)s->low = 1;
        *(volatile char *)(s->low - 1) = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0); /* or a sanitizer's exit */
}

/* A load that comes and goes: the first time what is over is given back, then it stays. */
static void a_load_that_comes_again_finds_its_stacks_warm(void **state) {
    (void)state;
    take(MANY);
    put(MANY);
    assert_true(with_memory(MANY) < 150);
    take(MANY);
    put(MANY);
    for (int round = 0; round < 5; round++) {
        int warm = with_memory(MANY);
        assert_true(warm > MANY - 32);
        take(MANY);
        put(MANY);
    }
}

static void what_is_not_needed_for_long_is_given_back(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        take(MANY);
        put(MANY);
    }
    assert_true(with_memory(MANY) > MANY - 32);
    tmlrt__stack_t *all[MANY];
    memcpy(all, out, sizeof all);
    for (int round = 0; round < 1000; round++) { /* forty at once are enough now */
        take(40);
        put(40);
    }
    memcpy(out, all, sizeof all);
    assert_true(with_memory(MANY) < 200);
}

static void a_trim_leaves_few(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        take(MANY);
        put(MANY);
    }
    tmlrt__stacks_trim(&pool);
    assert_true(with_memory(MANY) <= 64 + 16);
    take(MANY); /* all of them are there still */
    for (int i = 0; i < MANY; i++)
        for (int k = i + 1; k < MANY; k++)
            assert_ptr_not_equal(out[i], out[k]);
    put(MANY);
}

/* Taken here, put there, as by fibers that move: none is lost. */
static void stacks_that_wander_between_caches_come_back(void **state) {
    (void)state;
    tmlrt__stack_cache_t other;
    memset(&other, 0, sizeof other);
    for (int round = 0; round < 50; round++) {
        take(100);
        for (int i = 0; i < 100; i++)
            tmlrt__stack_put(&pool, &other, out[i]);
    }
    tmlrt__stack_chunk_t *chunks = pool.chunks;
    take(100);
    assert_ptr_equal(pool.chunks, chunks); /* the first mapping is enough */
    put(100);
}

/* Every allocation of a new chunk fails once; nothing is left behind, and the next try succeeds. */
static void without_memory_there_is_none_and_then_there_is(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth <= 2; nth++) {
        tmlrt__fault_arm(TMLRT__FAULT_ALLOC, nth, false, 0);
        assert_null(tmlrt__stack_get(&pool, &cache, CLS));
        assert_int_equal(tmlrt__fault_fired(TMLRT__FAULT_ALLOC), 1);
        tmlrt__fault_disarm();
    }
    take(1);
    put(1);
}

static void *fiber_counts(void *arg) {
    ++*(int *)arg;
    return NULL;
}

/* Its end says so, and fn was not called; the runtime goes on. */
static void a_fiber_without_a_stack_ends_with_enomem(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tmlrt_task_t    *task = NULL;
    int              count = 0;
    assert_int_equal(tmlrt_go(rt, fiber_counts, &count, NULL, &task), TMLRT_OK);
    tmlrt__fault_arm(TMLRT__FAULT_ALLOC, 1, true, 0);
    while (tmlrt_task_is_finished(task) == 0)
        assert_true(tmlrt_runtime_run_once(rt) >= 0);
    tmlrt__fault_disarm();
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_ENOMEM);
    tmlrt_task_release(task);
    assert_int_equal(count, 0);
    assert_int_equal(tmlrt_go(rt, fiber_counts, &count, NULL, &task), TMLRT_OK);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
    assert_int_equal(count, 1);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
#if defined(__OpenBSD__)
    puts("skipped: the system cannot be asked which pages are resident");
    return 77;
#endif
#define stack_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        stack_test(stacks_are_apart_and_of_their_size),
        stack_test(below_a_stack_lies_a_guard),
        stack_test(a_load_that_comes_again_finds_its_stacks_warm),
        stack_test(what_is_not_needed_for_long_is_given_back),
        stack_test(a_trim_leaves_few),
        stack_test(stacks_that_wander_between_caches_come_back),
        stack_test(without_memory_there_is_none_and_then_there_is),
        cmocka_unit_test(a_fiber_without_a_stack_ends_with_enomem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
