/* SPDX-License-Identifier: MIT */
/*
 * group.c: see group.h.
 */
#include "group.h"

#include "unit.h"

tmlrt_runtime_t *rt;

int make_runtime(void **state) {
    (void)state;
    rt = runtime_multi(2);
    return 0;
}

int end_runtime(void **state) {
    (void)state;
    return tmlrt_runtime_destroy(rt);
}
