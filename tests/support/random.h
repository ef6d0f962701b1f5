/* SPDX-License-Identifier: MIT */
/*
 * random.h: random numbers that can be had again (TMLRT_TEST_SEED; the seed of a run is printed),
 * and the scale of a test (TMLRT_TEST_SCALE divides its counts, for slow machines and checkers).
 */
#ifndef TESTS_SUPPORT_RANDOM_H
#define TESTS_SUPPORT_RANDOM_H

#include <stdint.h>

typedef struct random {
    uint64_t state;
} random_t;

/* The seed of this run: from the environment, else from the clock; printed the first time. */
uint64_t test_seed(void);

void     random_seed(random_t *r, uint64_t seed);
uint32_t random_below(random_t *r, uint32_t n);

/* `n` divided by the scale, at least 1. */
int scaled(int n);

#endif
