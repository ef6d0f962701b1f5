/* SPDX-License-Identifier: MIT */
/*
 * api_fiber_many.c: 40,000 fibers at once, each on a guarded stack of its own, each suspended in a
 * wait: every one is entered, and every one finishes. Where the kernel has no guards inside a
 * mapping, each guard is a mapping of its own, and a process cannot have that many: then fewer, and
 * the reason is printed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/sanitizers.h"
#include "support/threads.h"
#include "support/unit.h"

enum { MANY = 40000, FEWER = 16000 };

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

static tmlrt_notify_t go_on = TMLRT_NOTIFY_INIT;
static atomic_int     entered, finished;

/* How many fibers this kernel lets us have. */
static int how_many(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void  *probe = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(probe != MAP_FAILED);
    int r = madvise(probe, page, MADV_GUARD_INSTALL), e = errno;
    munmap(probe, page);
    if (r == 0) return scaled(MANY);
    printf("guards are mappings: MADV_GUARD_INSTALL: %s; %d fibers instead of %d\n", strerror(e),
           FEWER, MANY);
    return scaled(FEWER);
}

/* Its own place on its own stack, before and after. */
static void *fiber_waits(void *arg) {
    uint64_t own[8];
    for (uint64_t i = 0; i < 8; i++)
        own[i] = (uintptr_t)arg * 8 + i;
    atomic_fetch_add(&entered, 1);
    require(tmlrt_notified(&go_on) == TMLRT_OK);
    for (uint64_t i = 0; i < 8; i++)
        require(own[i] == (uintptr_t)arg * 8 + i);
    atomic_fetch_add(&finished, 1);
    return arg;
}

static void each_is_entered_and_finishes(tmlrt_runtime_t *rt) {
    int            n = how_many();
    tmlrt_task_t **task = calloc((size_t)n, sizeof(tmlrt_task_t *));
    require(task != NULL);
    atomic_store(&entered, 0);
    atomic_store(&finished, 0);
    for (int i = 0; i < n; i++) /* the index is the argument, and the result */
        assert_int_equal(tmlrt_go(rt, fiber_waits, (void *)(uintptr_t)i, NULL, &task[i]), TMLRT_OK);
    while (atomic_load(&entered) < n)
        assert_int_equal(tmlrt_sleep_until(tmlrt_now(rt) + TMLRT_MS), TMLRT_OK);
    assert_int_equal(atomic_load(&finished), 0); /* all at once */
    /* The last ones may have said so just before they wait. */
    while (atomic_load(&finished) < n) {
        assert_int_equal(tmlrt_notify_all(&go_on), TMLRT_OK);
        assert_int_equal(tmlrt_sleep_until(tmlrt_now(rt) + TMLRT_MS), TMLRT_OK);
    }
    for (int i = 0; i < n; i++) {
        void *result = NULL;
        assert_int_equal(tmlrt_join(task[i], &result), TMLRT_OK);
        assert_int_equal((int)(uintptr_t)result, i);
        tmlrt_task_release(task[i]);
    }
    free(task);
}

static void forty_thousand_at_once(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(2);
    for (int round = 0; round < 2; round++) /* the second time on pooled stacks */
        each_is_entered_and_finishes(rt);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void forty_thousand_at_once_on_one_thread(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    each_is_entered_and_finishes(rt);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
#if UNDER_TSAN
    puts("skipped: ThreadSanitizer maps a shadow stack of 512 KiB for each fiber");
    return 77;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forty_thousand_at_once),
        cmocka_unit_test(forty_thousand_at_once_on_one_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
