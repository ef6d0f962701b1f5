/* SPDX-License-Identifier: MIT */
/*
 * test_error.c: numbers, names and texts of the errors, the errno table, and the version.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <tmlrt/error.h>
#include <tmlrt/version.h>

#include "os.h"

#define COUNT (-TMLRT_ERROR_LAST_)

static void every_number_from_1_to_the_last_is_one_error(void **state) {
    (void)state;
    int seen[COUNT + 1] = {0};
#define SEEN(name, number, text)                                                                   \
    assert_in_range(-(number), 1, COUNT);                                                          \
    seen[-(number)]++;
    TMLRT_ERROR_LIST(SEEN)
#undef SEEN
    for (int i = 1; i <= COUNT; i++)
        assert_int_equal(seen[i], 1);
}

static void every_error_has_a_name_and_a_text_of_its_own(void **state) {
    (void)state;
    for (int i = 0; i <= COUNT; i++) {
        assert_true(strlen(tmlrt_strerror(-i)) > 0);
        if (i > 0) assert_int_equal(strncmp(tmlrt_errname(-i), "TMLRT_E", 7), 0);
        assert_string_not_equal(tmlrt_errname(-i), "TMLRT_E?");
        assert_string_not_equal(tmlrt_strerror(-i), "unknown error");
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(tmlrt_errname(-i), tmlrt_errname(-k));
            assert_string_not_equal(tmlrt_strerror(-i), tmlrt_strerror(-k));
        }
    }
}

static void names_are_those_of_the_constants(void **state) {
    (void)state;
    assert_string_equal(tmlrt_errname(TMLRT_OK), "TMLRT_OK");
    assert_string_equal(tmlrt_errname(TMLRT_EBUSY), "TMLRT_EBUSY");
    assert_string_equal(tmlrt_errname(TMLRT_EINVAL), "TMLRT_EINVAL");
    assert_string_equal(tmlrt_errname(TMLRT_EUNKNOWN), "TMLRT_EUNKNOWN");
}

static void a_text_has_no_full_stop(void **state) {
    (void)state;
    for (int i = 0; i <= COUNT; i++) {
        const char *text = tmlrt_strerror(-i);
        assert_int_not_equal(text[strlen(text) - 1], '.');
    }
}

static void a_number_that_is_no_error_is_unknown(void **state) {
    (void)state;
    static const int foreign[] = {1, 22, TMLRT_ERROR_LAST_ - 1, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        assert_string_equal(tmlrt_strerror(foreign[i]), "unknown error");
        assert_string_equal(tmlrt_errname(foreign[i]), "TMLRT_E?");
    }
}

static void the_usual_errnos_map_to_their_namesakes(void **state) {
    (void)state;
#define SAME(name) assert_int_equal(tmlrt__os_error(name), TMLRT_##name)
    SAME(EINVAL);
    SAME(ENOMEM);
    SAME(EBUSY);
    SAME(EAGAIN);
    SAME(ETIMEDOUT);
    SAME(ECANCELED);
    SAME(EDEADLK);
    SAME(EALREADY);
    SAME(ENOTSUP);
    SAME(EBADF);
    SAME(EEXIST);
    SAME(ENOENT);
    SAME(EACCES);
    SAME(EMFILE);
    SAME(ENFILE);
    SAME(ENOBUFS);
    SAME(EOVERFLOW);
    SAME(EIO);
    SAME(EADDRINUSE);
    SAME(EADDRNOTAVAIL);
    SAME(EAFNOSUPPORT);
    SAME(ECONNREFUSED);
    SAME(ECONNRESET);
    SAME(ECONNABORTED);
    SAME(ENOTCONN);
    SAME(EISCONN);
    SAME(EPIPE);
    SAME(EHOSTUNREACH);
    SAME(ENETUNREACH);
    SAME(ENETDOWN);
    SAME(EMSGSIZE);
#undef SAME
    assert_int_equal(tmlrt__os_error(EWOULDBLOCK), TMLRT_EAGAIN);
    assert_int_equal(tmlrt__os_error(EPERM), TMLRT_EACCES);
    assert_int_equal(tmlrt__os_error(ENOSYS), TMLRT_ENOTSUP);
    assert_int_equal(tmlrt__os_error(EOPNOTSUPP), TMLRT_ENOTSUP);
    assert_int_equal(tmlrt__os_error(ENOTSOCK), TMLRT_EBADF);
}

static void any_errno_maps_to_an_error_and_never_to_0(void **state) {
    (void)state;
    for (int sys = -2; sys < 1000; sys++) {
        int error = tmlrt__os_error(sys);
        assert_true(error < 0 && error >= TMLRT_ERROR_LAST_);
    }
    assert_int_equal(tmlrt__os_error(0), TMLRT_EUNKNOWN);
    assert_int_equal(tmlrt__os_error(999), TMLRT_EUNKNOWN);
}

static void the_version_is_that_of_the_headers(void **state) {
    (void)state;
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", TMLRT_VERSION_MAJOR, TMLRT_VERSION_MINOR,
             TMLRT_VERSION_PATCH);
    assert_string_equal(tmlrt_version_string(), text);
    assert_int_equal(tmlrt_version(), TMLRT_VERSION_NUMBER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_from_1_to_the_last_is_one_error),
        cmocka_unit_test(every_error_has_a_name_and_a_text_of_its_own),
        cmocka_unit_test(names_are_those_of_the_constants),
        cmocka_unit_test(a_text_has_no_full_stop),
        cmocka_unit_test(a_number_that_is_no_error_is_unknown),
        cmocka_unit_test(the_usual_errnos_map_to_their_namesakes),
        cmocka_unit_test(any_errno_maps_to_an_error_and_never_to_0),
        cmocka_unit_test(the_version_is_that_of_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
