/* SPDX-License-Identifier: MIT */
/*
 * gbench.h: Google Benchmark for C. A benchmark is a function that is registered by name and runs
 * its work in batches, so that the call into C++ is paid once a batch:
 *
 *     static void push_take(gbench_t *b, void *arg) {
 *         while (gbench_batch(b, 1024))
 *             for (int i = 0; i < 1024; i++) …;
 *     }
 *     void gbench_register_all(void) { gbench_add("deque/push_take", push_take, NULL); }
 *
 * gbench.cpp has the main function; it calls gbench_register_all, which lists the groups.
 */
#ifndef TMLRT_BENCH_GBENCH_H
#define TMLRT_BENCH_GBENCH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbench gbench_t;
typedef void (*gbench_fn)(gbench_t *b, void *arg);

/* Registers a benchmark; with threads, it runs on that many at once (each calls fn with its own
 * gbench_t; the first gbench_batch and the last are barriers). `name` and `arg` outlive the run. */
void gbench_add(const char *name, gbench_fn fn, void *arg);
void gbench_add_threads(const char *name, gbench_fn fn, void *arg, int threads);

/* True while another batch of n operations is to be run. n is the same in every call of a run. */
int gbench_batch(gbench_t *b, int64_t n);

int gbench_thread(gbench_t *b); /* 0 is the first */

/* Time between the two does not count. It costs some 100 ns: for batches only. */
void gbench_pause(gbench_t *b);
void gbench_resume(gbench_t *b);

/* A figure of its own in the report, as a rate a second when `rate` is not 0. */
void gbench_counter(gbench_t *b, const char *name, double value, int rate);

/* Ends the benchmark with an error. */
void gbench_fail(gbench_t *b, const char *why);

/* Keeps a value from being optimised away. */
#define GBENCH_USE(x) __asm__ volatile("" : : "r,m"(x) : "memory")

/* Defined by the benchmarks. */
void gbench_register_all(void);

#ifdef __cplusplus
}
#endif

#endif
