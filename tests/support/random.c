/* SPDX-License-Identifier: MIT */
/*
 * random.c: see random.h.
 */
#include "random.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t test_seed(void) {
    static _Atomic uint64_t known; /* asked for by any thread; the first to ask chooses */
    uint64_t                seed = known;
    if (seed != 0) return seed;
    static _Atomic int choosing;
    while (choosing++ != 0) {
        choosing--;
        if (known != 0) return known;
    }
    const char *text = getenv("TMLRT_TEST_SEED");
    if (text != NULL) seed = strtoull(text, NULL, 10);
    if (seed == 0) seed = (uint64_t)time(NULL);
    printf("TMLRT_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    known = seed;
    return seed;
}

/* splitmix64 */
static uint64_t random__next(random_t *r) {
    uint64_t x = r->state += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

void random_seed(random_t *r, uint64_t seed) {
    r->state = seed;
}

uint32_t random_below(random_t *r, uint32_t n) {
    return (uint32_t)(((random__next(r) >> 32) * n) >> 32);
}

int scaled(int n) {
    const char *text = getenv("TMLRT_TEST_SCALE");
    int         scale = text != NULL ? atoi(text) : 1;
    return scale > 1 && n / scale > 0 ? n / scale : scale > 1 ? 1 : n;
}
