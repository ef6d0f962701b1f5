/* SPDX-License-Identifier: MIT */
// sources:
// tags: NX-1
/*
 * model_next_slot.cpp: the shipping next slot under Relacy: an owner that puts and takes, against
 * one who robs it: each task leaves once, with its contents.
 */
#include "next_slot.h"

#include "model_common.h"

enum { ITEMS = 3 };

struct item {
    TMLRT__VAR(int) contents;
    tmlrt__atomic_u32 taken;
};

struct owner_races_robber : rl::test_suite<owner_races_robber, 3> {
    tmlrt__atomic_ptr slot;
    item              items[ITEMS];

    void before() {
        tmlrt__store_relaxed(&slot, NULL);
        for (int i = 0; i < ITEMS; i++)
            tmlrt__store_relaxed(&items[i].taken, 0);
    }

    void got(void *p) {
        if (p == NULL) return;
        item *it = (item *)p;
        RL_ASSERT(tmlrt__var_get(&it->contents) == (int)(it - items) + 100);
        RL_ASSERT(tmlrt__fetch_add_relaxed(&it->taken, 1) == 0);
    }

    void thread(unsigned i) {
        if (i != 0) {
            got(tmlrt__next_rob(&slot));
            got(tmlrt__next_rob(&slot));
            return;
        }
        for (int k = 0; k < ITEMS; k++) {
            tmlrt__var_set(&items[k].contents, k + 100);
            got(tmlrt__next_take(&slot)); /* displaced, as in push_woken */
            tmlrt__next_put(&slot, &items[k]);
        }
        got(tmlrt__next_take(&slot));
    }

    void after() {
        got(tmlrt__next_take(&slot));
        for (int k = 0; k < ITEMS; k++)
            RL_ASSERT(tmlrt__load_relaxed(&items[k].taken) == 1);
    }
};

int main(int argc, char **argv) {
    return holds<owner_races_robber>(model_iterations(argc, argv)) ? 0 : 1;
}
