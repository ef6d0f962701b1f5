/* SPDX-License-Identifier: MIT */
// sources: deque.c
// tags: DQ-1 DQ-2 DQ-3 DQ-4 DQ-5
/*
 * model_deque.cpp - the shipping deque under Relacy: every item leaves exactly
 * once, with its contents, whoever takes it.
 *
 * Usage: model_deque [iterations]. Exit 0 when no execution went wrong.
 * Thread 0 is the owner, 1 and 2 are thieves. Each item's contents are a
 * checked plain variable, written before push and read by who got the item, so
 * a missing release or acquire shows as a data race.
 */
#include "deque.h"

#include <stdlib.h>

enum { ITEMS = 3 };

struct item {
    TMLRT__VAR(int) contents;
    tmlrt__atomic_u32 taken;
};

static void *model_get(void *, size_t bytes) {
    return (::malloc)(bytes);
}
static void model_put(void *, void *p, size_t) {
    (::free)(p);
}
static void *model_get_none(void *, size_t) {
    return NULL;
}

template <typename derived> struct deque_suite : rl::test_suite<derived, 3> {
    tmlrt__deque_t d;
    item           items[ITEMS];

    void make(size_t capacity) {
        tmlrt__deque_mem_t mem = {NULL, model_get, model_put};
        RL_ASSERT(tmlrt__deque_init(&d, &mem, capacity) == 0);
        for (int i = 0; i < ITEMS; i++)
            tmlrt__store_relaxed(&items[i].taken, 0);
    }

    void push(int i) {
        tmlrt__var_set(&items[i].contents, i + 100);
        RL_ASSERT(tmlrt__deque_push(&d, &items[i]) == 0);
    }

    void got(void *p) {
        if (p == NULL) return;
        item *it = (item *)p;
        RL_ASSERT(tmlrt__var_get(&it->contents) == (int)(it - items) + 100);
        RL_ASSERT(tmlrt__fetch_add_relaxed(&it->taken, 1) == 0);
    }

    void steal(int times) {
        for (int i = 0; i < times; i++) {
            void *p = NULL;
            if (tmlrt__deque_steal(&d, &p) == TMLRT__STEAL_GOT) {
                RL_ASSERT(p != NULL);
                got(p);
            }
        }
    }

    void finish(int pushed) {
        void *p;
        while ((p = tmlrt__deque_take(&d)) != NULL)
            got(p);
        RL_ASSERT(tmlrt__deque_size_hint(&d) == 0);
        for (int i = 0; i < pushed; i++)
            RL_ASSERT(tmlrt__load_relaxed(&items[i].taken) == 1);
        tmlrt__deque_destroy(&d);
    }
};

/* The last elements: take against two thieves. */
struct take_races_steal : deque_suite<take_races_steal> {
    void before() { make(4); }
    void thread(unsigned i) {
        if (i != 0) {
            steal(2);
            return;
        }
        push(0);
        push(1);
        got(tmlrt__deque_take(&d));
        got(tmlrt__deque_take(&d));
    }
    void after() { finish(2); }
};

/* Push after take, so that a thief reads bottom from a store of take. */
struct push_take_push : deque_suite<push_take_push> {
    void before() { make(2); }
    void thread(unsigned i) {
        if (i != 0) {
            steal(1);
            return;
        }
        push(0);
        push(1);
        got(tmlrt__deque_take(&d));
        push(2);
        got(tmlrt__deque_take(&d));
    }
    void after() { finish(3); }
};

/* The array grows, and slots are used again, under thieves. */
struct grow_races_steal : deque_suite<grow_races_steal> {
    void before() { make(1); }
    void thread(unsigned i) {
        if (i != 0) {
            steal(2);
            return;
        }
        push(0);
        push(1);
        push(2);
        got(tmlrt__deque_take(&d));
    }
    void after() { finish(3); }
};

/* Both ends of the owner: the oldest and the newest. */
struct take_oldest_races_steal : deque_suite<take_oldest_races_steal> {
    void before() { make(2); }
    void thread(unsigned i) {
        if (i != 0) {
            steal(1);
            return;
        }
        push(0);
        push(1);
        got(tmlrt__deque_take_oldest(&d));
        push(2);
        if (tmlrt__deque_take_if(&d, &items[2])) got(&items[2]);
        got(tmlrt__deque_take_oldest(&d));
    }
    void after() { finish(3); }
};

/* A failed growth leaves the deque as it was. */
struct failed_growth : deque_suite<failed_growth> {
    void before() { make(1); }
    void thread(unsigned i) {
        if (i != 0) {
            steal(1);
            return;
        }
        d.mem.get = model_get_none;
        push(0);
        tmlrt__var_set(&items[1].contents, 101);
        if (tmlrt__deque_push(&d, &items[1]) != 0) got(&items[1]);
        got(tmlrt__deque_take(&d));
    }
    void after() { finish(2); }
};

template <typename suite> static bool holds(rl::iteration_t iterations) {
    rl::test_params p;
    p.iteration_count = iterations;
    p.progress_stream = &std::cout;
    return rl::simulate<suite>(p);
}

int main(int argc, char **argv) {
    rl::iteration_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
    return holds<take_races_steal>(n) && holds<push_take_push>(n) && holds<grow_races_steal>(n) &&
                   holds<take_oldest_races_steal>(n) && holds<failed_growth>(n)
               ? 0
               : 1;
}
