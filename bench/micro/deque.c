/* SPDX-License-Identifier: MIT */
/* deque.c: the owner's push and take at both ends, and thieves beside it. */
#include "deque.h"

#include <stdlib.h>

#include "micro.h"

enum { BATCH = 1024 };
static int item;

static void *mem_get(void *ctx, size_t bytes) {
    (void)ctx;
    return aligned_alloc(64, (bytes + 63) & ~(size_t)63);
}

static void mem_put(void *ctx, void *p, size_t bytes) {
    (void)ctx;
    (void)bytes;
    free(p);
}

static const tmlrt__deque_mem_t mem = {NULL, mem_get, mem_put};

/* One item in, the same out: the last-element path with its compare-and-swap. */
static void push_take_one(gbench_t *b, void *arg) {
    tmlrt__deque_t d;
    (void)arg;
    if (tmlrt__deque_init(&d, &mem, 256) != 0) return gbench_fail(b, "memory");
    while (gbench_batch(b, BATCH))
        for (int i = 0; i < BATCH; i++) {
            tmlrt__deque_push(&d, &item);
            GBENCH_USE(tmlrt__deque_take(&d));
        }
    tmlrt__deque_destroy(&d);
}

/* A batch in, then out newest first. */
static void push_take_many(gbench_t *b, void *arg) {
    tmlrt__deque_t d;
    (void)arg;
    if (tmlrt__deque_init(&d, &mem, 2 * BATCH) != 0) return gbench_fail(b, "memory");
    while (gbench_batch(b, BATCH)) {
        for (int i = 0; i < BATCH; i++)
            tmlrt__deque_push(&d, &item);
        for (int i = 0; i < BATCH; i++)
            GBENCH_USE(tmlrt__deque_take(&d));
    }
    tmlrt__deque_destroy(&d);
}

static void push_take_oldest(gbench_t *b, void *arg) {
    tmlrt__deque_t d;
    (void)arg;
    if (tmlrt__deque_init(&d, &mem, 2 * BATCH) != 0) return gbench_fail(b, "memory");
    while (gbench_batch(b, BATCH)) {
        for (int i = 0; i < BATCH; i++)
            tmlrt__deque_push(&d, &item);
        for (int i = 0; i < BATCH; i++)
            GBENCH_USE(tmlrt__deque_take_oldest(&d));
    }
    tmlrt__deque_destroy(&d);
}

static void push_steal(gbench_t *b, void *arg) {
    tmlrt__deque_t d;
    void          *got;
    (void)arg;
    if (tmlrt__deque_init(&d, &mem, 2 * BATCH) != 0) return gbench_fail(b, "memory");
    while (gbench_batch(b, BATCH)) {
        for (int i = 0; i < BATCH; i++)
            tmlrt__deque_push(&d, &item);
        for (int i = 0; i < BATCH; i++)
            GBENCH_USE(tmlrt__deque_steal(&d, &got));
    }
    tmlrt__deque_destroy(&d);
}

/* The owner pushes and takes while the others steal; an operation is one of the owner's pairs, or
 * one try of a thief. */
static tmlrt__deque_t shared;

static void with_thieves(gbench_t *b, void *arg) {
    void   *got;
    int64_t stolen = 0;
    (void)arg;
    if (gbench_thread(b) == 0 && tmlrt__deque_init(&shared, &mem, 2 * BATCH) != 0)
        return gbench_fail(b, "memory");
    if (gbench_thread(b) == 0) {
        while (gbench_batch(b, BATCH)) {
            for (int i = 0; i < BATCH; i++)
                tmlrt__deque_push(&shared, &item);
            while (tmlrt__deque_take(&shared) != NULL) {
            }
        }
        tmlrt__deque_destroy(&shared);
    } else {
        while (gbench_batch(b, BATCH))
            for (int i = 0; i < BATCH; i++)
                stolen += tmlrt__deque_steal(&shared, &got) == TMLRT__STEAL_GOT;
        gbench_counter(b, "stolen", (double)stolen, 1);
    }
}

void micro_deque(void) {
    gbench_add("deque/push_take_one", push_take_one, NULL);
    gbench_add("deque/push_take_many", push_take_many, NULL);
    gbench_add("deque/push_take_oldest", push_take_oldest, NULL);
    gbench_add("deque/push_steal", push_steal, NULL);
    gbench_add_threads("deque/with_a_thief", with_thieves, NULL, 2);
}
