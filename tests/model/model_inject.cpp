/* SPDX-License-Identifier: MIT */
// sources: inject.c mpmc.c
// defines: -DTMLRT__INJECT_SLOTS=2u
// tags: MQ-1 MQ-2 LATCH-1
/*
 * model_inject.cpp: the shipping global queue under Relacy, with a ring of two: every task leaves
 * once, with its contents; what one producer pushed leaves in its order, also over the overflow,
 * as long as no other producer's push is half done.
 */
#include "inject.h"

#include "model_common.h"

enum { ITEMS = 5 };

struct item {
    tmlrt_task_t task; /* first */
    TMLRT__VAR(int) contents;
    tmlrt__atomic_u32 taken;
};

template <typename derived, int threads> struct inject_suite : rl::test_suite<derived, threads> {
    tmlrt__inject_t q;
    item            items[ITEMS];
    int             used; /* constant */

    void make(int n) {
        tmlrt__inject_init(&q);
        used = n;
        for (int i = 0; i < ITEMS; i++)
            tmlrt__store_relaxed(&items[i].taken, 0);
    }

    void push(int i) {
        tmlrt__var_set(&items[i].contents, i + 100);
        tmlrt__inject_push(&q, &items[i].task);
    }

    int got(tmlrt_task_t *t) {
        item *it = (item *)t;
        RL_ASSERT(tmlrt__var_get(&it->contents) == (int)(it - items) + 100);
        RL_ASSERT(tmlrt__fetch_add_relaxed(&it->taken, 1) == 0);
        return (int)(it - items);
    }

    /* Pops and checks that they come in order after `last`. */
    int pop(int last, size_t max) {
        tmlrt_task_t *out[ITEMS];
        size_t        n = tmlrt__inject_pop(&q, out, max);
        for (size_t k = 0; k < n; k++) {
            int which = got(out[k]);
            RL_ASSERT(which > last);
            if (last >= -1) last = which;
        }
        return last;
    }

    void finish(int last) {
        while (tmlrt__inject_size(&q) != 0)
            last = pop(last, 2);
        for (int i = 0; i < used; i++)
            RL_ASSERT(tmlrt__load_relaxed(&items[i].taken) == 1);
    }
};

struct overflow_keeps_order : inject_suite<overflow_keeps_order, 2> {
    int  last;
    void before() {
        make(ITEMS);
        last = -1;
    }
    void thread(unsigned i) {
        if (i == 0) {
            for (int k = 0; k < ITEMS; k++)
                push(k);
        } else {
            last = pop(last, 1);
            last = pop(last, 3);
        }
    }
    void after() { finish(last); }
};

struct two_and_two : inject_suite<two_and_two, 4> {
    void before() { make(4); }
    void thread(unsigned i) {
        if (i < 2) {
            push(2 * i);
            push(2 * i + 1);
        } else {
            pop(-2, 2);
            pop(-2, 2);
        }
    }
    void after() { finish(-2); }
};

int main(int argc, char **argv) {
    rl::iteration_t n = model_iterations(argc, argv);
    return holds<overflow_keeps_order>(n) && holds<two_and_two>(n) ? 0 : 1;
}
