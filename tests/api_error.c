/* SPDX-License-Identifier: MIT */
/*
 * api_error.c: the errors and the version as an outside program sees them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <string.h>

#include <cmocka.h>

#include <tmlrt.h>

static void the_numbers_are_those_that_the_header_fixes(void **state) {
    (void)state;
    assert_int_equal(TMLRT_OK, 0);
    assert_int_equal(TMLRT_EINVAL, -1);
    assert_int_equal(TMLRT_ENOMEM, -2);
    assert_int_equal(TMLRT_EBUSY, -3);
    assert_int_equal(TMLRT_EAGAIN, -4);
    assert_int_equal(TMLRT_ETIMEDOUT, -5);
    assert_int_equal(TMLRT_ECANCELED, -6);
    assert_int_equal(TMLRT_EPANIC, -7);
    assert_int_equal(TMLRT_ESHUTDOWN, -8);
    assert_int_equal(TMLRT_EFORKED, -9);
    assert_int_equal(TMLRT_EDEADLK, -10);
    assert_int_equal(TMLRT_ENORUNTIME, -11);
    assert_int_equal(TMLRT_EUNKNOWN, -39);
}

static void every_error_of_the_list_has_its_name_and_text(void **state) {
    (void)state;
#define CHECK(name, number, text)                                                                  \
    assert_string_equal(tmlrt_errname(number), "TMLRT_" #name);                                    \
    assert_string_equal(tmlrt_strerror(number), text);
    TMLRT_ERROR_LIST(CHECK)
#undef CHECK
    assert_string_equal(tmlrt_errname(TMLRT_OK), "TMLRT_OK");
    assert_true(strlen(tmlrt_strerror(TMLRT_OK)) > 0);
}

static void a_number_that_is_no_error_is_said_to_be_unknown(void **state) {
    (void)state;
    const int numbers[] = {1, 2, 100, TMLRT_ERROR_LAST_ - 1, INT_MIN, INT_MIN + 1, INT_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_string_equal(tmlrt_errname(numbers[i]), "TMLRT_E?");
        assert_string_equal(tmlrt_strerror(numbers[i]), "unknown error");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_those_that_the_header_fixes),
        cmocka_unit_test(every_error_of_the_list_has_its_name_and_text),
        cmocka_unit_test(a_number_that_is_no_error_is_said_to_be_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
