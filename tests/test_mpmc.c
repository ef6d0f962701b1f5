/* SPDX-License-Identifier: MIT */
/*
 * test_mpmc.c - the bounded ring: order, full, empty, wrap of the positions,
 * batches, and small thread stress (model/model_mpmc.cpp checks the orders).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "mpmc.h"

enum { CAPACITY = 8 };

static const uint64_t starts[] = {0,
                                  1,
                                  5,
                                  UINT64_MAX,
                                  UINT64_MAX - 3,
                                  UINT64_MAX - CAPACITY,
                                  (uint64_t)INT64_MAX,
                                  (uint64_t)INT64_MAX - 3};
enum { STARTS = sizeof starts / sizeof *starts };

static void *item(uintptr_t n) {
    return (void *)(n * 8);
}

static void an_empty_ring_gives_nothing(void **state) {
    (void)state;
    tmlrt__mpmc_t      q;
    tmlrt__mpmc_slot_t slots[CAPACITY];
    void              *out[2];
    for (int i = 0; i < STARTS; i++) {
        tmlrt__mpmc_init(&q, slots, CAPACITY, starts[i]);
        assert_null(tmlrt__mpmc_try_pop(&q));
        assert_int_equal(tmlrt__mpmc_pop_many(&q, out, 2), 0);
        assert_int_equal(tmlrt__mpmc_size_hint(&q), 0);
    }
}

static void a_full_ring_refuses_and_keeps_its_order_over_the_wrap(void **state) {
    (void)state;
    tmlrt__mpmc_t      q;
    tmlrt__mpmc_slot_t slots[CAPACITY];
    for (int i = 0; i < STARTS; i++) {
        tmlrt__mpmc_init(&q, slots, CAPACITY, starts[i]);
        for (uintptr_t n = 1; n <= CAPACITY; n++)
            assert_true(tmlrt__mpmc_try_push(&q, item(n)));
        assert_int_equal(tmlrt__mpmc_size_hint(&q), CAPACITY);
        assert_false(tmlrt__mpmc_try_push(&q, item(99)));
        for (uintptr_t n = 1; n <= CAPACITY; n++)
            assert_ptr_equal(tmlrt__mpmc_try_pop(&q), item(n));
        assert_null(tmlrt__mpmc_try_pop(&q));
    }
}

static void the_smallest_ring_has_two_slots(void **state) {
    (void)state;
    tmlrt__mpmc_t      q;
    tmlrt__mpmc_slot_t slots[2];
    tmlrt__mpmc_init(&q, slots, 2, UINT64_MAX - 1);
    for (uintptr_t n = 1; n < 20; n += 2) {
        assert_true(tmlrt__mpmc_try_push(&q, item(n)));
        assert_true(tmlrt__mpmc_try_push(&q, item(n + 1)));
        assert_false(tmlrt__mpmc_try_push(&q, item(99)));
        assert_ptr_equal(tmlrt__mpmc_try_pop(&q), item(n));
        assert_ptr_equal(tmlrt__mpmc_try_pop(&q), item(n + 1));
    }
}

static void a_ring_that_is_never_full_goes_round_for_ever(void **state) {
    (void)state;
    tmlrt__mpmc_t      q;
    tmlrt__mpmc_slot_t slots[CAPACITY];
    tmlrt__mpmc_init(&q, slots, CAPACITY, UINT64_MAX - 500);
    for (uintptr_t n = 1; n < 1000; n++) {
        assert_true(tmlrt__mpmc_try_push(&q, item(n)));
        if (n >= 4) assert_ptr_equal(tmlrt__mpmc_try_pop(&q), item(n - 3));
    }
}

static void a_batch_takes_what_is_there_in_order(void **state) {
    (void)state;
    tmlrt__mpmc_t      q;
    tmlrt__mpmc_slot_t slots[CAPACITY];
    void              *out[2 * CAPACITY];
    tmlrt__mpmc_init(&q, slots, CAPACITY, UINT64_MAX - 2);
    for (uintptr_t n = 1; n <= CAPACITY; n++)
        tmlrt__mpmc_try_push(&q, item(n));
    assert_int_equal(tmlrt__mpmc_pop_many(&q, out, 0), 0);
    assert_int_equal(tmlrt__mpmc_pop_many(&q, out, 3), 3);
    assert_ptr_equal(out[0], item(1));
    assert_ptr_equal(out[2], item(3));
    assert_true(tmlrt__mpmc_try_push(&q, item(9)));
    assert_int_equal(tmlrt__mpmc_pop_many(&q, out, 2 * CAPACITY), CAPACITY - 2);
    assert_ptr_equal(out[0], item(4));
    assert_ptr_equal(out[CAPACITY - 3], item(9));
    assert_int_equal(tmlrt__mpmc_size_hint(&q), 0);
}

/* ---- Threads ---- */

enum { PRODUCERS = 2, CONSUMERS = 2, EACH = 50000 };

struct stress {
    tmlrt__mpmc_t      q;
    tmlrt__mpmc_slot_t slots[CAPACITY];
    tmlrt__atomic_u32  left; /* items not yet popped */
    tmlrt__atomic_u8   taken[PRODUCERS * EACH + 1];
    int                contents[PRODUCERS * EACH + 1]; /* plain: TSan sees a missing order */
    tmlrt__atomic_u32  producers;                      /* numbers given out */
};

static void *stress_producer(void *arg) {
    struct stress *s = arg;
    uintptr_t      first = (uintptr_t)tmlrt__fetch_add_relaxed(&s->producers, 1) * EACH + 1;
    for (uintptr_t n = first; n < first + EACH; n++) {
        s->contents[n] = (int)n + 1;
        while (!tmlrt__mpmc_try_push(&s->q, item(n)))
            sched_yield();
    }
    return NULL;
}

static void *stress_consumer(void *arg) {
    struct stress *s = arg;
    uintptr_t      last[PRODUCERS] = {0};
    while (tmlrt__load_relaxed(&s->left) > 0) {
        void  *out[3];
        size_t got = tmlrt__mpmc_pop_many(&s->q, out, 3);
        if (got == 0) sched_yield();
        for (size_t i = 0; i < got; i++) {
            uintptr_t n = (uintptr_t)out[i] / 8;
            assert_int_equal(s->contents[n], (int)n + 1);
            assert_int_equal(tmlrt__fetch_add_relaxed(&s->taken[n], 1), 0);
            assert_true(n > last[(n - 1) / EACH]);
            last[(n - 1) / EACH] = n;
            tmlrt__fetch_sub_relaxed(&s->left, 1);
        }
    }
    return NULL;
}

static void every_item_passes_a_small_ring_once_and_in_order(void **state) {
    (void)state;
    pthread_t      thread[PRODUCERS + CONSUMERS];
    struct stress *s = calloc(1, sizeof *s);
    assert_non_null(s);
    tmlrt__mpmc_init(&s->q, s->slots, CAPACITY, UINT64_MAX - EACH);
    tmlrt__store_relaxed(&s->left, PRODUCERS * EACH);
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        assert_int_equal(
            pthread_create(&thread[i], NULL, i < PRODUCERS ? stress_producer : stress_consumer, s),
            0);
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        pthread_join(thread[i], NULL);
    for (int n = 1; n <= PRODUCERS * EACH; n++)
        assert_int_equal(tmlrt__load_relaxed(&s->taken[n]), 1);
    assert_int_equal(tmlrt__mpmc_size_hint(&s->q), 0);
    free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_ring_gives_nothing),
        cmocka_unit_test(a_full_ring_refuses_and_keeps_its_order_over_the_wrap),
        cmocka_unit_test(the_smallest_ring_has_two_slots),
        cmocka_unit_test(a_ring_that_is_never_full_goes_round_for_ever),
        cmocka_unit_test(a_batch_takes_what_is_there_in_order),
        cmocka_unit_test(every_item_passes_a_small_ring_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
