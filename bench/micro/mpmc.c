/* SPDX-License-Identifier: MIT */
/* mpmc.c: the bounded ring, alone and contended. */
#include "mpmc.h"

#include "micro.h"

enum { BATCH = 512, SLOTS = 1024 };
static int                item;
static tmlrt__mpmc_slot_t slots[SLOTS];
static tmlrt__mpmc_t      ring;

static void push_pop(gbench_t *b, void *arg) {
    (void)arg;
    tmlrt__mpmc_init(&ring, slots, SLOTS, 0);
    while (gbench_batch(b, BATCH)) {
        for (int i = 0; i < BATCH; i++)
            GBENCH_USE(tmlrt__mpmc_try_push(&ring, &item));
        for (int i = 0; i < BATCH; i++)
            GBENCH_USE(tmlrt__mpmc_try_pop(&ring));
    }
}

static void push_pop_many(gbench_t *b, void *arg) {
    void *out[32];
    (void)arg;
    tmlrt__mpmc_init(&ring, slots, SLOTS, 0);
    while (gbench_batch(b, BATCH)) {
        for (int i = 0; i < BATCH; i++)
            GBENCH_USE(tmlrt__mpmc_try_push(&ring, &item));
        for (int i = 0; i < BATCH; i += 32)
            GBENCH_USE(tmlrt__mpmc_pop_many(&ring, out, 32));
    }
}

/* Each thread pushes one and pops one. */
static void contended(gbench_t *b, void *arg) {
    (void)arg;
    if (gbench_thread(b) == 0) tmlrt__mpmc_init(&ring, slots, SLOTS, 0);
    while (gbench_batch(b, BATCH))
        for (int i = 0; i < BATCH; i++) {
            GBENCH_USE(tmlrt__mpmc_try_push(&ring, &item));
            GBENCH_USE(tmlrt__mpmc_try_pop(&ring));
        }
}

void micro_mpmc(void) {
    gbench_add("mpmc/push_pop", push_pop, NULL);
    gbench_add("mpmc/push_pop_many", push_pop_many, NULL);
    gbench_add_threads("mpmc/contended", contended, NULL, 2);
}
