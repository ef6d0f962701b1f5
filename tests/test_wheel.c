/* SPDX-License-Identifier: MIT */
/*
 * test_wheel.c - the timing wheel against its contract and against a reference
 * model: an array of deadlines with the order in which they were added.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "list.h"
#include "rand.h"
#include "wheel.h"

#define TICK TMLRT__WHEEL_TICK_NS

static int64_t round_up(int64_t when) {
    return when <= 0 ? 0 : (when + (TICK - 1)) / TICK * TICK;
}

static size_t chain_length(const tmlrt__timer_t *t) {
    size_t n = 0;
    for (; t != NULL; t = t->next)
        n++;
    return n;
}

static void add_at(tmlrt__wheel_t *w, tmlrt__timer_t *t, int64_t when) {
    memset(t, 0, sizeof *t);
    t->when = when;
    tmlrt__wheel_add(w, t);
}

/* ---- One behaviour each ---- */

static void a_timer_is_three_words(void **state) {
    (void)state;
    assert_int_equal(sizeof(tmlrt__timer_t), 2 * sizeof(void *) + sizeof(int64_t));
}

static void an_empty_wheel_has_no_next_and_expires_nothing(void **state) {
    (void)state;
    tmlrt__wheel_t w;
    tmlrt__wheel_init(&w, 12345);
    assert_true(tmlrt__wheel_next(&w) == INT64_MAX);
    assert_null(tmlrt__wheel_expire(&w, INT64_MAX, SIZE_MAX));
    assert_int_equal(tmlrt__wheel_count(&w), 0);
}

static void an_all_zero_timer_is_unlinked(void **state) {
    (void)state;
    tmlrt__wheel_t w;
    tmlrt__timer_t t = {0};
    tmlrt__wheel_init(&w, 0);
    assert_false(tmlrt__timer_is_linked(&t));
    assert_false(tmlrt__wheel_remove(&w, &t));
    add_at(&w, &t, 5);
    assert_true(tmlrt__timer_is_linked(&t));
    assert_true(tmlrt__wheel_remove(&w, &t));
    assert_false(tmlrt__timer_is_linked(&t));
}

static void a_timer_fires_neither_early_nor_a_tick_late(void **state) {
    (void)state;
    static const int64_t when[] = {1,        TICK - 1, TICK,       TICK + 1,
                                   3 * TICK, 1000000,  1000000000, INT64_C(3600000000000)};
    for (size_t i = 0; i < sizeof when / sizeof *when; i++) {
        tmlrt__wheel_t w;
        tmlrt__timer_t t;
        tmlrt__wheel_init(&w, 0);
        add_at(&w, &t, when[i]);
        assert_null(tmlrt__wheel_expire(&w, when[i] - 1, 1));
        assert_null(tmlrt__wheel_expire(&w, round_up(when[i]) - 1, 1));
        assert_ptr_equal(tmlrt__wheel_expire(&w, round_up(when[i]), 1), &t);
        assert_true(round_up(when[i]) - when[i] < TICK);
        assert_false(tmlrt__timer_is_linked(&t));
    }
}

static void a_past_or_negative_deadline_is_due_at_once(void **state) {
    (void)state;
    static const int64_t when[] = {INT64_MIN, -1, 0, 1, 999 * TICK, 1000 * TICK};
    tmlrt__wheel_t       w;
    tmlrt__timer_t       t;
    tmlrt__wheel_init(&w, 1000 * TICK);
    for (size_t i = 0; i < sizeof when / sizeof *when; i++) {
        add_at(&w, &t, when[i]);
        assert_true(tmlrt__wheel_next(&w) <= 1000 * TICK);
        assert_ptr_equal(tmlrt__wheel_expire(&w, 1000 * TICK, 1), &t);
    }
}

static void the_largest_deadline_never_fires_and_has_no_next(void **state) {
    (void)state;
    tmlrt__wheel_t w;
    tmlrt__timer_t never, far;
    tmlrt__wheel_init(&w, 0);
    add_at(&w, &never, INT64_MAX);
    assert_true(tmlrt__wheel_next(&w) == INT64_MAX);
    assert_null(tmlrt__wheel_expire(&w, INT64_MAX, SIZE_MAX));
    add_at(&w, &far, INT64_MAX);
    assert_null(tmlrt__wheel_expire(&w, INT64_MAX, SIZE_MAX));
    assert_int_equal(tmlrt__wheel_count(&w), 2);
    assert_true(tmlrt__wheel_remove(&w, &never));
    assert_true(tmlrt__wheel_remove(&w, &far));
    assert_int_equal(tmlrt__wheel_count(&w), 0);
}

static void a_drain_takes_also_what_never_fires(void **state) {
    (void)state;
    tmlrt__wheel_t w;
    tmlrt__timer_t never, later, soon;
    tmlrt__wheel_init(&w, 0);
    add_at(&w, &never, INT64_MAX);
    add_at(&w, &later, 5000 * TICK);
    add_at(&w, &soon, TICK);
    assert_ptr_equal(tmlrt__wheel_drain(&w, 1), &soon);
    assert_ptr_equal(tmlrt__wheel_drain(&w, SIZE_MAX), &later);
    assert_ptr_equal(later.next, &never);
    assert_null(tmlrt__wheel_drain(&w, SIZE_MAX));
    assert_int_equal(tmlrt__wheel_count(&w), 0);
}

static void the_last_deadline_that_can_fire_fires(void **state) {
    (void)state;
    tmlrt__wheel_t w;
    tmlrt__timer_t t;
    int64_t        last = INT64_MAX / TICK * TICK;
    tmlrt__wheel_init(&w, 0);
    add_at(&w, &t, last);
    assert_null(tmlrt__wheel_expire(&w, last - 1, 1));
    assert_true(tmlrt__wheel_next(&w) == last);
    assert_ptr_equal(tmlrt__wheel_expire(&w, last, 1), &t);
}

static void a_lone_far_timer_needs_one_wake(void **state) {
    (void)state;
    tmlrt__wheel_t w;
    tmlrt__timer_t t;
    int64_t        when = INT64_C(86400000000000) + 77;
    tmlrt__wheel_init(&w, 123456789);
    add_at(&w, &t, when);
    assert_true(tmlrt__wheel_next(&w) == round_up(when));
    assert_ptr_equal(tmlrt__wheel_expire(&w, tmlrt__wheel_next(&w), 1), &t);
}

static void the_same_deadline_keeps_its_order_across_cascades(void **state) {
    (void)state;
    enum { N = 40 };
    tmlrt__wheel_t w;
    tmlrt__timer_t t[N];
    int64_t        when = INT64_C(5000000000);
    tmlrt__wheel_init(&w, 0);
    /* Added ever closer to the deadline, so at every level on the way down. */
    for (int i = 0; i < N; i++) {
        assert_null(tmlrt__wheel_expire(&w, when - (when >> i) - TICK, SIZE_MAX));
        add_at(&w, &t[i], when);
    }
    tmlrt__timer_t *got = tmlrt__wheel_expire(&w, when + TICK, SIZE_MAX);
    for (int i = 0; i < N; i++, got = got->next)
        assert_ptr_equal(got, &t[i]);
    assert_null(got);
}

static void a_timer_fires_on_both_sides_of_every_level_wrap(void **state) {
    (void)state;
    for (int level = 1; level < TMLRT__WHEEL_LEVELS; level++) {
        for (int start_off = -2; start_off <= 2; start_off++) {
            for (int off = -2; off <= 66; off++) {
                int64_t wrap = (int64_t)1 << (6 * level);
                int64_t start = wrap + start_off, tick = wrap + off;
                if (tick <= start) continue;
                tmlrt__wheel_t w;
                tmlrt__timer_t t;
                tmlrt__wheel_init(&w, start * TICK);
                add_at(&w, &t, tick * TICK);
                assert_null(tmlrt__wheel_expire(&w, tick * TICK - 1, 1));
                assert_true(tmlrt__wheel_next(&w) == tick * TICK);
                assert_ptr_equal(tmlrt__wheel_expire(&w, tick * TICK, 1), &t);
            }
        }
    }
}

static void expire_hands_out_at_most_max_and_then_the_rest(void **state) {
    (void)state;
    enum { N = 10 };
    tmlrt__wheel_t w;
    tmlrt__timer_t t[N];
    tmlrt__wheel_init(&w, 0);
    for (int i = N - 1; i >= 0; i--)
        add_at(&w, &t[i], (i + 1) * 100 * TICK);
    int64_t         now = 1000 * 1000 * TICK;
    tmlrt__timer_t *got = tmlrt__wheel_expire(&w, now, 3);
    assert_int_equal(chain_length(got), 3);
    assert_ptr_equal(got, &t[0]);
    assert_true(tmlrt__wheel_next(&w) <= now);

    /* Between two batches: remove a due one, add one due before the rest. */
    assert_true(tmlrt__wheel_remove(&w, &t[4]));
    tmlrt__timer_t early;
    add_at(&w, &early, 350 * TICK);
    got = tmlrt__wheel_expire(&w, now, SIZE_MAX);
    assert_int_equal(chain_length(got), 7);
    assert_ptr_equal(got, &early);
    assert_ptr_equal(got->next, &t[3]);
    assert_ptr_equal(got->next->next, &t[5]);
    assert_null(tmlrt__wheel_expire(&w, now, SIZE_MAX));
    assert_int_equal(tmlrt__wheel_count(&w), 0);
}

static void expire_of_none_changes_nothing(void **state) {
    (void)state;
    tmlrt__wheel_t w;
    tmlrt__timer_t t;
    tmlrt__wheel_init(&w, 0);
    add_at(&w, &t, TICK);
    assert_null(tmlrt__wheel_expire(&w, 10 * TICK, 0));
    assert_int_equal(tmlrt__wheel_count(&w), 1);
}

static void a_time_that_goes_back_changes_nothing(void **state) {
    (void)state;
    tmlrt__wheel_t w;
    tmlrt__timer_t t;
    tmlrt__wheel_init(&w, 100 * TICK);
    add_at(&w, &t, 101 * TICK);
    assert_null(tmlrt__wheel_expire(&w, 5, 1));
    assert_null(tmlrt__wheel_expire(&w, INT64_MIN, 1));
    assert_true(tmlrt__wheel_next(&w) == 101 * TICK);
    assert_ptr_equal(tmlrt__wheel_expire(&w, 101 * TICK, 1), &t);
}

static void removing_the_only_timer_of_a_slot_leaves_no_next(void **state) {
    (void)state;
    tmlrt__wheel_t w;
    tmlrt__timer_t t[2];
    tmlrt__wheel_init(&w, 0);
    for (int level = 0; level < TMLRT__WHEEL_LEVELS; level++) {
        int64_t when = ((int64_t)3 << (6 * level)) * TICK;
        if (level == TMLRT__WHEEL_LEVELS - 1) when = ((int64_t)1 << 46) * TICK;
        add_at(&w, &t[0], when);
        add_at(&w, &t[1], when);
        assert_true(tmlrt__wheel_remove(&w, &t[0]));
        assert_true(tmlrt__wheel_next(&w) == when);
        assert_true(tmlrt__wheel_remove(&w, &t[1]));
        assert_true(tmlrt__wheel_next(&w) == INT64_MAX);
    }
}

/* ---- Random walks against the reference ---- */

enum { TIMERS = 300 };

typedef struct model {
    tmlrt__wheel_t w;
    struct entry {
        tmlrt__timer_t timer;
        uint64_t       added; /* 0: not linked */
    } e[TIMERS];
    uint64_t      adds;
    int64_t       now;
    tmlrt__rand_t rnd;
} model_t;

/* Deadlines of every magnitude, some in the past, some at the very end. */
static int64_t some_deadline(model_t *m) {
    unsigned bits = tmlrt__rand_below(&m->rnd, 62);
    int64_t  span = (int64_t)(tmlrt__rand_next(&m->rnd) >> 2 >> (61 - bits));
    switch (tmlrt__rand_below(&m->rnd, 12)) {
    case 0: return m->now - span;
    case 1: return INT64_MAX - (span >> 40);
    case 2:
        return m->now > INT64_MAX / 2
                   ? INT64_MAX - 1
                   : m->now / TICK * TICK + TICK * tmlrt__rand_below(&m->rnd, 130);
    default: return span > INT64_MAX - m->now ? INT64_MAX : m->now + span;
    }
}

/* The tick time at which the reference lets a timer fire; INT64_MAX for never. */
static int64_t fires_at(int64_t when) {
    return when > INT64_MAX / TICK * TICK ? INT64_MAX : round_up(when);
}

static int64_t reference_next(const model_t *m) {
    int64_t next = INT64_MAX;
    for (int i = 0; i < TIMERS; i++)
        if (m->e[i].added != 0 && fires_at(m->e[i].timer.when) < next)
            next = fires_at(m->e[i].timer.when);
    return next;
}

static void expire_and_compare(model_t *m, size_t max) {
    size_t due = 0;
    for (int i = 0; i < TIMERS; i++)
        due += m->e[i].added != 0 && fires_at(m->e[i].timer.when) <= m->now;

    tmlrt__timer_t       *t = tmlrt__wheel_expire(&m->w, m->now, max);
    size_t                got = 0;
    const tmlrt__timer_t *last = NULL;
    uint64_t              last_added = 0;
    while (t != NULL) {
        struct entry *e = TMLRT__CONTAINER_OF(t, struct entry, timer);
        assert_true(e->added != 0);
        assert_true(t->when <= m->now);
        assert_false(tmlrt__timer_is_linked(t));
        if (last != NULL && t->when == last->when) assert_true(e->added > last_added);
        last = t;
        last_added = e->added;
        e->added = 0;
        t = t->next;
        got++;
    }
    assert_int_equal(got, due < max ? due : max);
}

static void check_next(model_t *m) {
    int64_t next = tmlrt__wheel_next(&m->w), want = reference_next(m);
    if (want > m->now) {
        assert_true(next <= want);
        assert_true(next > m->now || want == INT64_MAX);
    } else {
        assert_true(next <= m->now);
    }
}

static void random_step(model_t *m) {
    struct entry *e = &m->e[tmlrt__rand_below(&m->rnd, TIMERS)];
    unsigned      what = tmlrt__rand_below(&m->rnd, 10);
    if (what < 5) {
        if (e->added == 0) {
            e->added = ++m->adds;
            add_at(&m->w, &e->timer, some_deadline(m));
        }
    } else if (what < 7) {
        assert_true(tmlrt__wheel_remove(&m->w, &e->timer) == (e->added != 0));
        e->added = 0;
    } else if (what < 8) {
        int64_t next = tmlrt__wheel_next(&m->w);
        if (next != INT64_MAX && next > m->now) m->now = next;
        expire_and_compare(m, SIZE_MAX);
        check_next(m);
    } else {
        int64_t jump = (int64_t)(tmlrt__rand_next(&m->rnd) >> 2 >> tmlrt__rand_below(&m->rnd, 62));
        if (what < 9) jump = tmlrt__rand_below(&m->rnd, 200000);
        if (m->now <= INT64_MAX - 1 - jump) m->now += jump;
        while (tmlrt__rand_below(&m->rnd, 4) != 0)
            expire_and_compare(m, tmlrt__rand_below(&m->rnd, 5));
        expire_and_compare(m, SIZE_MAX);
        check_next(m);
    }
    size_t linked = 0;
    for (int i = 0; i < TIMERS; i++)
        linked += m->e[i].added != 0;
    assert_int_equal(tmlrt__wheel_count(&m->w), linked);
}

static void random_walks_agree_with_a_sorted_reference(void **state) {
    (void)state;
    model_t *m = calloc(1, sizeof *m);
    assert_non_null(m);
    for (uint64_t seed = 0; seed < 300; seed++) {
        memset(m, 0, sizeof *m);
        tmlrt__rand_seed(&m->rnd, seed);
        m->now = seed % 3 == 0 ? 0 : (int64_t)(tmlrt__rand_next(&m->rnd) >> (1 + seed % 60));
        tmlrt__wheel_init(&m->w, m->now);
        for (int step = 0; step < 2000; step++)
            random_step(m);
    }
    free(m);
}

/* Ticks order the whole stream, not only one batch: nothing overtakes. */
static void expiry_follows_the_ticks_over_all_batches(void **state) {
    (void)state;
    enum { N = 2000 };
    tmlrt__wheel_t  w;
    tmlrt__timer_t *t = calloc(N, sizeof *t);
    tmlrt__rand_t   rnd;
    assert_non_null(t);
    tmlrt__rand_seed(&rnd, 7);
    tmlrt__wheel_init(&w, 0);
    for (int i = 0; i < N; i++)
        add_at(&w, &t[i], (int64_t)(tmlrt__rand_next(&rnd) >> 24));
    int64_t         last = 0;
    size_t          got = 0;
    tmlrt__timer_t *batch;
    while ((batch = tmlrt__wheel_expire(&w, INT64_MAX, 7)) != NULL) {
        for (; batch != NULL; batch = batch->next, got++) {
            assert_true(round_up(batch->when) >= last);
            last = round_up(batch->when);
        }
    }
    assert_int_equal(got, N);
    free(t);
}

/* Woken exactly by next, a sleeper sees each timer at the tick it should. */
static void a_sleeper_led_by_next_is_never_late(void **state) {
    (void)state;
    enum { N = 500 };
    tmlrt__wheel_t  w;
    tmlrt__timer_t *t = calloc(N, sizeof *t);
    tmlrt__rand_t   rnd;
    assert_non_null(t);
    tmlrt__rand_seed(&rnd, 99);
    tmlrt__wheel_init(&w, 0);
    for (int i = 0; i < N; i++)
        add_at(&w, &t[i], 1 + (int64_t)(tmlrt__rand_next(&rnd) >> (20 + i % 30)));
    size_t got = 0, wakes = 0;
    while (tmlrt__wheel_count(&w) > 0) {
        int64_t         now = tmlrt__wheel_next(&w);
        tmlrt__timer_t *batch = tmlrt__wheel_expire(&w, now, SIZE_MAX);
        for (; batch != NULL; batch = batch->next, got++)
            assert_true(now == round_up(batch->when));
        wakes++;
    }
    assert_int_equal(got, N);
    assert_true(wakes <= (size_t)N * TMLRT__WHEEL_LEVELS);
    free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_is_three_words),
        cmocka_unit_test(an_empty_wheel_has_no_next_and_expires_nothing),
        cmocka_unit_test(an_all_zero_timer_is_unlinked),
        cmocka_unit_test(a_timer_fires_neither_early_nor_a_tick_late),
        cmocka_unit_test(a_past_or_negative_deadline_is_due_at_once),
        cmocka_unit_test(the_largest_deadline_never_fires_and_has_no_next),
        cmocka_unit_test(a_drain_takes_also_what_never_fires),
        cmocka_unit_test(the_last_deadline_that_can_fire_fires),
        cmocka_unit_test(a_lone_far_timer_needs_one_wake),
        cmocka_unit_test(the_same_deadline_keeps_its_order_across_cascades),
        cmocka_unit_test(a_timer_fires_on_both_sides_of_every_level_wrap),
        cmocka_unit_test(expire_hands_out_at_most_max_and_then_the_rest),
        cmocka_unit_test(expire_of_none_changes_nothing),
        cmocka_unit_test(a_time_that_goes_back_changes_nothing),
        cmocka_unit_test(removing_the_only_timer_of_a_slot_leaves_no_next),
        cmocka_unit_test(random_walks_agree_with_a_sorted_reference),
        cmocka_unit_test(expiry_follows_the_ticks_over_all_batches),
        cmocka_unit_test(a_sleeper_led_by_next_is_never_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
