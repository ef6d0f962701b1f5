/* SPDX-License-Identifier: MIT */
/*
 * test_fd_bits.c: the set of descriptors of a kqueue driver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <tmlrt/error.h>

#include "fault.h"
#include "reactor/fd_bits.h"
#include "support/threads.h"

/* On both sides of the ends of words and of the first chunks, and far out. */
static const int places[] = {0, 1, 63, 64, 4095, 4096, 4097, 12287, 12288, 28671, 28672, 1000000};
enum { PLACES = sizeof places / sizeof *places };

static void each_descriptor_goes_in_once_until_it_is_taken_out(void **state) {
    (void)state;
    tmlrt__fd_bits_t b = {.chunk = {NULL}};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < PLACES; i++)
            assert_int_equal(tmlrt__fd_bits_put(&b, &tmlrt__mem_default, places[i]), TMLRT_OK);
        for (int i = 0; i < PLACES; i++)
            assert_int_equal(tmlrt__fd_bits_put(&b, &tmlrt__mem_default, places[i]), TMLRT_EEXIST);
        for (int i = 0; i < PLACES; i++)
            tmlrt__fd_bits_take(&b, places[i]);
    }
    tmlrt__fd_bits_end(&b, &tmlrt__mem_default);
}

static void one_that_is_taken_out_leaves_its_neighbours(void **state) {
    (void)state;
    tmlrt__fd_bits_t b = {.chunk = {NULL}};
    for (int fd = 0; fd < 200; fd++)
        assert_int_equal(tmlrt__fd_bits_put(&b, &tmlrt__mem_default, fd), TMLRT_OK);
    tmlrt__fd_bits_take(&b, 100);
    for (int fd = 0; fd < 200; fd++)
        assert_int_equal(tmlrt__fd_bits_put(&b, &tmlrt__mem_default, fd),
                         fd == 100 ? TMLRT_OK : TMLRT_EEXIST);
    tmlrt__fd_bits_end(&b, &tmlrt__mem_default);
}

static void no_memory_is_an_error_and_changes_nothing(void **state) {
    (void)state;
    tmlrt__fd_bits_t b = {.chunk = {NULL}};
    tmlrt__fault_arm(TMLRT__FAULT_ALLOC, 1, false, 0);
    assert_int_equal(tmlrt__fd_bits_put(&b, &tmlrt__mem_default, 5), TMLRT_ENOMEM);
    tmlrt__fault_disarm();
    assert_int_equal(tmlrt__fd_bits_put(&b, &tmlrt__mem_default, 5), TMLRT_OK);
    tmlrt__fd_bits_end(&b, &tmlrt__mem_default);
}

typedef struct rush {
    tmlrt__fd_bits_t bits;
    atomic_int       won;
} rush_t;

enum { RUSHED = 20000 };

static void put_all(void *arg, int i) {
    rush_t *r = arg;
    (void)i;
    for (int fd = 0; fd < RUSHED; fd++)
        if (tmlrt__fd_bits_put(&r->bits, &tmlrt__mem_default, fd) == TMLRT_OK)
            atomic_fetch_add(&r->won, 1);
}

static void of_several_threads_one_puts_a_descriptor_in(void **state) {
    (void)state;
    static rush_t r;
    crew_join(crew_start(4, put_all, &r));
    assert_int_equal(atomic_load(&r.won), RUSHED);
    tmlrt__fd_bits_end(&r.bits, &tmlrt__mem_default);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_descriptor_goes_in_once_until_it_is_taken_out),
        cmocka_unit_test(one_that_is_taken_out_leaves_its_neighbours),
        cmocka_unit_test(no_memory_is_an_error_and_changes_nothing),
        cmocka_unit_test(of_several_threads_one_puts_a_descriptor_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
