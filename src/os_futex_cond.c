/* SPDX-License-Identifier: MIT */
/*
 * os_futex_cond.c: see os_futex_cond.h. A word's address picks one of a few buckets; a wait looks at
 * the word and falls asleep under the bucket's mutex, and a wake passes that mutex, so it finds the
 * sleeper or is seen by him. Whoever shares a bucket wakes for nothing now and then: all are woken,
 * since who is meant cannot be told apart.
 *
 * A forked child begins with fresh buckets: their holders were the parent's threads.
 */
#include "os_futex_cond.h"

#include <pthread.h>
#include <time.h>

#include "os.h"

#define COND__BUCKETS  64u
#define COND__NS_PER_S 1000000000
#define COND__LONGEST_S                                                                            \
    1000000 /* of one sleep: sums stay in range, and an early return is allowed */

typedef struct cond__bucket {
    pthread_mutex_t mutex;
    pthread_cond_t  cond;
    uint32_t        sleepers; /* under the mutex */
} cond__bucket_t;

static cond__bucket_t cond__buckets[COND__BUCKETS];
static pthread_once_t cond__once = PTHREAD_ONCE_INIT;

static void cond__make(void) {
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
#if !defined(__APPLE__)
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
#endif
    for (unsigned i = 0; i < COND__BUCKETS; i++) {
        (void)pthread_mutex_init(&cond__buckets[i].mutex, NULL);
        (void)pthread_cond_init(&cond__buckets[i].cond, &attr);
        cond__buckets[i].sleepers = 0;
    }
    (void)pthread_condattr_destroy(&attr);
}

static void cond__first(void) {
    cond__make();
    (void)pthread_atfork(NULL, NULL, cond__make);
}

static cond__bucket_t *cond__of(const tmlrt__atomic_u32 *word) {
    (void)pthread_once(&cond__once, cond__first);
    uintptr_t a = (uintptr_t)word;
    return &cond__buckets[(a >> 2 ^ a >> 9 ^ a >> 17) % COND__BUCKETS];
}

static void cond__sleep(cond__bucket_t *b, int64_t timeout_ns) {
    if (timeout_ns < 0) {
        (void)pthread_cond_wait(&b->cond, &b->mutex);
        return;
    }
    int64_t s = timeout_ns / COND__NS_PER_S, ns = timeout_ns % COND__NS_PER_S;
    if (s > COND__LONGEST_S) s = COND__LONGEST_S;
#if defined(__APPLE__)
    struct timespec limit = {(time_t)s, (long)ns};
    (void)pthread_cond_timedwait_relative_np(&b->cond, &b->mutex, &limit);
#else
    struct timespec limit;
    (void)clock_gettime(CLOCK_MONOTONIC, &limit);
    ns += limit.tv_nsec;
    limit.tv_sec += (time_t)(s + ns / COND__NS_PER_S);
    limit.tv_nsec = (long)(ns % COND__NS_PER_S);
    (void)pthread_cond_timedwait(&b->cond, &b->mutex, &limit);
#endif
}

void tmlrt__futex_cond_wait(tmlrt__atomic_u32 *word, uint32_t expected, int64_t timeout_ns) {
    if (timeout_ns == 0) return;
    cond__bucket_t *b = cond__of(word);
    (void)pthread_mutex_lock(&b->mutex);
    if (tmlrt__load_relaxed(word) == expected) {
        b->sleepers++;
        cond__sleep(b, timeout_ns);
        b->sleepers--;
    }
    (void)pthread_mutex_unlock(&b->mutex);
}

void tmlrt__futex_cond_wake(tmlrt__atomic_u32 *word, uint32_t n) {
    if (n == 0) return;
    cond__bucket_t *b = cond__of(word);
    (void)pthread_mutex_lock(&b->mutex);
    if (b->sleepers != 0) (void)pthread_cond_broadcast(&b->cond);
    (void)pthread_mutex_unlock(&b->mutex);
}
