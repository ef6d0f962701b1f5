/* SPDX-License-Identifier: MIT */
/*
 * rand.h - a small pseudo-random generator for choices that need not be secret:
 * which worker to rob first, jitter, the order of tests.
 *
 * xorshift64* (Marsaglia; Vigna, "An experimental exploration of Marsaglia's
 * xorshift generators, scrambled"), seeded through splitmix64, so that seeds
 * 0, 1, 2, ... give unrelated streams. One thread owns a state. The same seed
 * gives the same stream on every platform.
 */
#ifndef TMLRT_SRC_RAND_H
#define TMLRT_SRC_RAND_H

#include <stdint.h>

typedef struct tmlrt__rand {
    uint64_t state; /* owner only; never 0 once seeded */
} tmlrt__rand_t;

/* One step of splitmix64: a bijection that mixes every bit. */
static inline uint64_t tmlrt__rand_mix(uint64_t x) {
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static inline void tmlrt__rand_seed(tmlrt__rand_t *r, uint64_t seed) {
    r->state = tmlrt__rand_mix(seed);
    if (r->state == 0) r->state = 1;
}

static inline uint64_t tmlrt__rand_next(tmlrt__rand_t *r) {
    uint64_t x = r->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    r->state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

/* Uniform in [0, n), but for a bias below n / 2^32; 0 for n = 0. */
static inline uint32_t tmlrt__rand_below(tmlrt__rand_t *r, uint32_t n) {
    return (uint32_t)(((tmlrt__rand_next(r) >> 32) * n) >> 32);
}

#endif /* TMLRT_SRC_RAND_H */
