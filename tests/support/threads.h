/* SPDX-License-Identifier: MIT */
/*
 * threads.h: threads for tests: one function on many at once, and waiting without sleeping.
 */
#ifndef TESTS_SUPPORT_THREADS_H
#define TESTS_SUPPORT_THREADS_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* An assertion for code that runs on other threads than the test's own, where cmocka's may not. */
#define require(cond)                                                                              \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond);                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Gives the CPU away until `cond` holds; a test that hangs here is ended by its time limit. */
#define wait_until(cond)                                                                           \
    do {                                                                                           \
        while (!(cond))                                                                            \
            (void)sched_yield();                                                                   \
    } while (0)

/* Runs fn(arg, i) for each i below n on a thread of its own, all released at once, and waits for
 * them. */
void on_threads(int n, void (*fn)(void *arg, int i), void *arg);

/* The same in two steps. */
typedef struct crew crew_t;
crew_t             *crew_start(int n, void (*fn)(void *arg, int i), void *arg);
void                crew_join(crew_t *crew);

#endif
