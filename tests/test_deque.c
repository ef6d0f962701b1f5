/* SPDX-License-Identifier: MIT */
/*
 * test_deque.c - the work-stealing deque: one thread, growth, failed growth,
 * and small thread stress. The orders themselves are checked by
 * model/model_deque.cpp; stress does not find them.
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

#include "deque.h"

struct account {
    size_t bytes;   /* held now */
    size_t gets;    /* calls so far */
    size_t fail_at; /* this call fails, counted from 1; 0 none */
};

static void *account_get(void *ctx, size_t bytes) {
    struct account *a = ctx;
    if (++a->gets == a->fail_at) return NULL;
    a->bytes += bytes;
    return malloc(bytes);
}

static void account_put(void *ctx, void *p, size_t bytes) {
    struct account *a = ctx;
    a->bytes -= bytes;
    free(p);
}

static void make(tmlrt__deque_t *d, struct account *a, size_t capacity) {
    tmlrt__deque_mem_t mem = {a, account_get, account_put};
    memset(a, 0, sizeof *a);
    assert_int_equal(tmlrt__deque_init(d, &mem, capacity), 0);
}

static void destroy(tmlrt__deque_t *d, struct account *a) {
    tmlrt__deque_destroy(d);
    assert_int_equal(a->bytes, 0);
}

static void *item(uintptr_t n) {
    return (void *)(n * 8);
}

static void a_new_deque_is_empty_from_every_side(void **state) {
    (void)state;
    tmlrt__deque_t d;
    struct account a;
    void          *got;
    make(&d, &a, 4);
    assert_null(tmlrt__deque_take(&d));
    assert_null(tmlrt__deque_take_oldest(&d));
    assert_false(tmlrt__deque_take_if(&d, item(1)));
    assert_int_equal(tmlrt__deque_steal(&d, &got), TMLRT__STEAL_EMPTY);
    assert_int_equal(tmlrt__deque_size_hint(&d), 0);
    destroy(&d, &a);
}

static void the_owner_takes_the_newest_and_a_thief_the_oldest(void **state) {
    (void)state;
    tmlrt__deque_t d;
    struct account a;
    void          *got;
    make(&d, &a, 4);
    for (uintptr_t i = 1; i <= 4; i++)
        assert_int_equal(tmlrt__deque_push(&d, item(i)), 0);
    assert_int_equal(tmlrt__deque_size_hint(&d), 4);
    assert_ptr_equal(tmlrt__deque_take(&d), item(4));
    assert_int_equal(tmlrt__deque_steal(&d, &got), TMLRT__STEAL_GOT);
    assert_ptr_equal(got, item(1));
    assert_ptr_equal(tmlrt__deque_take_oldest(&d), item(2));
    assert_ptr_equal(tmlrt__deque_take(&d), item(3));
    assert_null(tmlrt__deque_take(&d));
    destroy(&d, &a);
}

static void take_if_takes_exactly_the_newest(void **state) {
    (void)state;
    tmlrt__deque_t d;
    struct account a;
    void          *got;
    make(&d, &a, 2);
    tmlrt__deque_push(&d, item(1));
    tmlrt__deque_push(&d, item(2));
    assert_false(tmlrt__deque_take_if(&d, item(1)));
    assert_true(tmlrt__deque_take_if(&d, item(2)));
    assert_false(tmlrt__deque_take_if(&d, item(2)));
    /* Stolen already: its slot still holds it. */
    assert_int_equal(tmlrt__deque_steal(&d, &got), TMLRT__STEAL_GOT);
    assert_false(tmlrt__deque_take_if(&d, item(1)));
    assert_int_equal(tmlrt__deque_size_hint(&d), 0);
    destroy(&d, &a);
}

static void it_grows_and_keeps_every_item_in_order(void **state) {
    (void)state;
    tmlrt__deque_t d;
    struct account a;
    make(&d, &a, 1);
    uintptr_t next = 1, oldest = 1;
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 300; i++)
            assert_int_equal(tmlrt__deque_push(&d, item(next++)), 0);
        for (int i = 0; i < 50; i++)
            assert_ptr_equal(tmlrt__deque_take_oldest(&d), item(oldest++));
    }
    while (next > oldest)
        assert_ptr_equal(tmlrt__deque_take(&d), item(--next));
    assert_null(tmlrt__deque_take(&d));
    destroy(&d, &a);
}

static void a_steady_queue_never_grows(void **state) {
    (void)state;
    tmlrt__deque_t d;
    struct account a;
    void          *got;
    make(&d, &a, 8);
    for (uintptr_t i = 1; i < 10000; i++) {
        tmlrt__deque_push(&d, item(i));
        if (i >= 8) {
            assert_int_equal(tmlrt__deque_steal(&d, &got), TMLRT__STEAL_GOT);
            assert_ptr_equal(got, item(i - 7));
        }
    }
    assert_int_equal(a.gets, 1);
    destroy(&d, &a);
}

static void old_arrays_together_are_smaller_than_the_current_one(void **state) {
    (void)state;
    tmlrt__deque_t d;
    struct account a;
    make(&d, &a, 64);
    for (uintptr_t i = 1; i <= 64 * 1024; i++)
        tmlrt__deque_push(&d, item(i));
    size_t current = sizeof(tmlrt__deque_array_t) + 64 * 1024 * sizeof(void *);
    assert_true(a.bytes < 2 * current);
    destroy(&d, &a);
}

static void a_failed_growth_takes_nothing_and_changes_nothing(void **state) {
    (void)state;
    tmlrt__deque_t d;
    struct account a;
    make(&d, &a, 2);
    tmlrt__deque_push(&d, item(1));
    tmlrt__deque_push(&d, item(2));
    a.fail_at = a.gets + 1;
    assert_int_equal(tmlrt__deque_push(&d, item(3)), TMLRT__DEQUE_NOMEM);
    assert_int_equal(tmlrt__deque_size_hint(&d), 2);
    assert_int_equal(tmlrt__deque_push(&d, item(3)), 0);
    assert_ptr_equal(tmlrt__deque_take(&d), item(3));
    assert_ptr_equal(tmlrt__deque_take(&d), item(2));
    assert_ptr_equal(tmlrt__deque_take(&d), item(1));
    destroy(&d, &a);
}

static void a_deque_without_memory_is_not_made(void **state) {
    (void)state;
    tmlrt__deque_t     d;
    struct account     a = {0, 0, 1};
    tmlrt__deque_mem_t mem = {&a, account_get, account_put};
    assert_int_equal(tmlrt__deque_init(&d, &mem, 4), TMLRT__DEQUE_NOMEM);
}

/* ---- Threads: each item leaves once, whatever the interleaving ---- */

enum { THIEVES = 2, STRESS_ITEMS = 200000 };

struct stress {
    tmlrt__deque_t    d;
    tmlrt__atomic_u32 done;
    tmlrt__atomic_u8  taken[STRESS_ITEMS + 1];
    int               contents[STRESS_ITEMS + 1]; /* plain: TSan sees a missing order */
};

static void stress_got(struct stress *s, void *p) {
    uintptr_t n = (uintptr_t)p / 8;
    assert_int_equal(s->contents[n], (int)n + 1);
    assert_int_equal(tmlrt__fetch_add_relaxed(&s->taken[n], 1), 0);
}

static void *stress_thief(void *arg) {
    struct stress *s = arg;
    for (;;) {
        /* acquire: no more pushes after this was seen; pairs with the owner's end */
        uint32_t       done = tmlrt__load_acquire(&s->done);
        void          *p = NULL;
        tmlrt__steal_t r = tmlrt__deque_steal(&s->d, &p);
        if (r == TMLRT__STEAL_GOT)
            stress_got(s, p);
        else if (r == TMLRT__STEAL_EMPTY && done)
            return NULL;
        else
            sched_yield();
    }
}

static void run_stress(void (*owner)(struct stress *s)) {
    struct account a;
    pthread_t      thief[THIEVES];
    struct stress *s = calloc(1, sizeof *s);
    assert_non_null(s);
    make(&s->d, &a, 2);
    for (int i = 0; i < THIEVES; i++)
        assert_int_equal(pthread_create(&thief[i], NULL, stress_thief, s), 0);
    owner(s);
    tmlrt__store_release(&s->done, 1); /* release: all pushes come before; pairs with the thieves */
    for (int i = 0; i < THIEVES; i++)
        pthread_join(thief[i], NULL);
    assert_int_equal(tmlrt__deque_size_hint(&s->d), 0);
    for (uintptr_t n = 1; n <= STRESS_ITEMS; n++)
        assert_int_equal(tmlrt__load_relaxed(&s->taken[n]), 1);
    destroy(&s->d, &a);
    free(s);
}

static void stress_push(struct stress *s, uintptr_t n) {
    s->contents[n] = (int)n + 1;
    assert_int_equal(tmlrt__deque_push(&s->d, item(n)), 0);
}

static void owner_of_few(struct stress *s) {
    for (uintptr_t n = 1; n <= STRESS_ITEMS; n++) {
        stress_push(s, n);
        void *p = n % 3 == 0 ? NULL : tmlrt__deque_take(&s->d);
        if (p != NULL) stress_got(s, p);
    }
}

static void owner_of_both_ends(struct stress *s) {
    for (uintptr_t n = 1; n <= STRESS_ITEMS; n++) {
        stress_push(s, n);
        void *p = NULL;
        if (n % 4 == 1)
            p = tmlrt__deque_take_oldest(&s->d);
        else if (n % 4 == 2 && tmlrt__deque_take_if(&s->d, item(n)))
            p = item(n);
        else if (n % 4 == 3)
            p = tmlrt__deque_take(&s->d);
        if (p != NULL) stress_got(s, p);
    }
}

static void a_take_of_the_last_element_races_a_steal_once(void **state) {
    (void)state;
    run_stress(owner_of_few);
}

static void both_ends_of_the_owner_race_steals_once(void **state) {
    (void)state;
    run_stress(owner_of_both_ends);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_deque_is_empty_from_every_side),
        cmocka_unit_test(the_owner_takes_the_newest_and_a_thief_the_oldest),
        cmocka_unit_test(take_if_takes_exactly_the_newest),
        cmocka_unit_test(it_grows_and_keeps_every_item_in_order),
        cmocka_unit_test(a_steady_queue_never_grows),
        cmocka_unit_test(old_arrays_together_are_smaller_than_the_current_one),
        cmocka_unit_test(a_failed_growth_takes_nothing_and_changes_nothing),
        cmocka_unit_test(a_deque_without_memory_is_not_made),
        cmocka_unit_test(a_take_of_the_last_element_races_a_steal_once),
        cmocka_unit_test(both_ends_of_the_owner_race_steals_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
