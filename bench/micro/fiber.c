/* SPDX-License-Identifier: MIT */
/* fiber.c: the context switch alone, there and back. */
#include <stdlib.h>

#include "fiber_switch.h"
#include "micro.h"

enum { BATCH = 1000, STACK = 64 * 1024 };

typedef struct {
    void *here, *there;
} contexts_t;

static void switches_back(void *arg) {
    contexts_t *c = arg;
    for (;;)
        tmlrt__fiber_switch(&c->there, c->here);
}

static void there_and_back(gbench_t *b, void *arg) {
    (void)arg;
    char *stack = aligned_alloc(4096, STACK);
    if (stack == NULL) {
        gbench_fail(b, "no memory");
        return;
    }
    contexts_t c = {NULL, NULL};
    c.there = tmlrt__fiber_make(stack, stack + STACK, switches_back, &c);
    while (gbench_batch(b, BATCH))
        for (int i = 0; i < BATCH; i++)
            tmlrt__fiber_switch(&c.here, c.there);
    free(stack);
}

void micro_fiber(void) {
    gbench_add("fiber/switch_there_and_back", there_and_back, NULL);
}
