/* SPDX-License-Identifier: MIT */
// sources: mpmc.c
// tags: MQ-1 MQ-2
/*
 * model_mpmc.cpp - the shipping MPMC ring under Relacy: every item leaves
 * exactly once, with its contents, in the order of one producer; also over the
 * wrap of the positions.
 *
 * Usage: model_mpmc [iterations]. Exit 0 when no execution went wrong.
 */
#include "mpmc.h"

#include <stdlib.h>

enum { ITEMS = 3, CAPACITY = 2 };

struct item {
    TMLRT__VAR(int) contents;
    tmlrt__atomic_u32 taken;
};

template <typename derived, int threads> struct mpmc_suite : rl::test_suite<derived, threads> {
    tmlrt__mpmc_t      q;
    tmlrt__mpmc_slot_t slots[CAPACITY];
    item               items[ITEMS];
    tmlrt__atomic_u32  pushed;

    void before() {
        /* Starts so that the positions wrap during the run. */
        tmlrt__mpmc_init(&q, slots, CAPACITY, UINT64_MAX);
        tmlrt__store_relaxed(&pushed, 0);
        for (int i = 0; i < ITEMS; i++)
            tmlrt__store_relaxed(&items[i].taken, 0);
    }

    void push(int i) {
        tmlrt__var_set(&items[i].contents, i + 100);
        if (tmlrt__mpmc_try_push(&q, &items[i])) tmlrt__fetch_add_relaxed(&pushed, 1);
    }

    /* Which item it was, or -1. */
    int got(void *p) {
        if (p == NULL) return -1;
        item *it = (item *)p;
        RL_ASSERT(tmlrt__var_get(&it->contents) == (int)(it - items) + 100);
        RL_ASSERT(tmlrt__fetch_add_relaxed(&it->taken, 1) == 0);
        return (int)(it - items);
    }

    void after() {
        void *p;
        while ((p = tmlrt__mpmc_try_pop(&q)) != NULL)
            got(p);
        unsigned taken = 0;
        for (int i = 0; i < ITEMS; i++)
            taken += tmlrt__load_relaxed(&items[i].taken);
        RL_ASSERT(taken == tmlrt__load_relaxed(&pushed));
        RL_ASSERT(tmlrt__mpmc_size_hint(&q) == 0);
    }
};

/* Two producers, two consumers, a ring that can be full. */
struct two_and_two : mpmc_suite<two_and_two, 4> {
    void thread(unsigned i) {
        if (i == 0) {
            push(0);
            push(1);
        } else if (i == 1) {
            push(2);
        } else {
            got(tmlrt__mpmc_try_pop(&q));
            got(tmlrt__mpmc_try_pop(&q));
        }
    }
};

/* One producer over a slot's second round; batches keep its order. */
struct batches_keep_order : mpmc_suite<batches_keep_order, 3> {
    void thread(unsigned i) {
        if (i == 0) {
            push(0);
            push(1);
            push(2);
            return;
        }
        int last = -1;
        for (int round = 0; round < 2; round++) {
            void  *out[2];
            size_t n = tmlrt__mpmc_pop_many(&q, out, 2);
            for (size_t k = 0; k < n; k++) {
                int which = got(out[k]);
                RL_ASSERT(which > last);
                last = which;
            }
        }
    }
};

template <typename suite> static bool holds(rl::iteration_t iterations) {
    rl::test_params p;
    p.iteration_count = iterations;
    return rl::simulate<suite>(p);
}

int main(int argc, char **argv) {
    rl::iteration_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
    return holds<two_and_two>(n) && holds<batches_keep_order>(n) ? 0 : 1;
}
