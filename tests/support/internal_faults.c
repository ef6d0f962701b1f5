/* SPDX-License-Identifier: MIT */
/*
 * internal_faults.c: see internal_faults.h.
 */
#include "internal_faults.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "descriptors.h"
#include "random.h"
#include "threads.h"

#define MOST 4000 /* points that a scenario may pass */

static allocs_t allocs;
static int      armed_errno;
static uint64_t points[TMLRT__FAULT_KINDS];

int faults_errno(void) {
    return armed_errno;
}

uint64_t faults_points(tmlrt__fault_kind_t kind) {
    return points[kind];
}

tmlrt_config_t faults_config(uint32_t flavor) {
    static tmlrt_allocator_t allocator;
    allocator = allocs_of(&allocs);
    tmlrt_config_t config = TMLRT_CONFIG_INIT;
    config.flavor = flavor;
    config.workers = 2;
    config.allocator = &allocator;
    return config;
}

tmlrt_runtime_t *faults_runtime(uint32_t flavor) {
    tmlrt_config_t   config = faults_config(flavor);
    tmlrt_runtime_t *rt = NULL;
    int              e = tmlrt_runtime_create(&rt, &config);
    require((e == TMLRT_OK) == (rt != NULL));
    return rt;
}

void faults_destroy(tmlrt_runtime_t *rt) {
    require(tmlrt_runtime_destroy(rt) == TMLRT_OK);
}

/* One run with point n failing; how many failed. */
static uint64_t strike(scenario_t run, uint32_t flavor, tmlrt__fault_kind_t kind, uint64_t n,
                       bool for_good, int err) {
    armed_errno = kind == TMLRT__FAULT_SYS ? err : 0;
    tmlrt__fault_arm(kind, n, for_good, err);
    int      unharmed = run(flavor);
    uint64_t fired = tmlrt__fault_fired(kind);
    tmlrt__fault_disarm();
    armed_errno = 0;
    points[kind] += fired != 0;
    if (fired == 0) assert_int_equal(unharmed, 1);
    return fired;
}

void with_each_fault(scenario_t run, tmlrt__fault_kind_t kind, int err) {
    for (uint32_t flavor = 1; flavor <= 2; flavor++) {
        assert_int_equal(run(flavor), 1); /* also warms up what is made once a thread */
        int descriptors = open_descriptors(), threads = running_threads();
        for (int for_good = 0; for_good < 2; for_good++) {
            /* What is interrupted is tried again, for ever. */
            if (for_good && kind == TMLRT__FAULT_SYS && err == EINTR) continue;
            uint64_t n = 1, fired = 1;
            for (; fired != 0 && n < MOST; n += 1 + n / 64 * (uint64_t)(scaled(64) < 64)) {
                fired = strike(run, flavor, kind, n, for_good != 0, err);
                assert_int_equal(allocs.blocks, 0);
                assert_int_equal(open_descriptors(), descriptors);
                wait_until(running_threads() <= threads); /* a joined one may linger */
            }
            assert_int_equal(fired, 0); /* we came to the end */
        }
        assert_int_equal(run(flavor), 1);
    }
}
