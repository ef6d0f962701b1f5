/* SPDX-License-Identifier: MIT */
/*
 * group.h: the runtime of two workers that all tests of a group share, and the fixtures that make
 * and end it.
 */
#ifndef TESTS_SUPPORT_GROUP_H
#define TESTS_SUPPORT_GROUP_H

#include <tmlrt.h>

extern tmlrt_runtime_t *rt;

int make_runtime(void **state);
int end_runtime(void **state);

#endif
