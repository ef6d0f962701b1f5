/* SPDX-License-Identifier: MIT */
/*
 * skip.h: a case that cannot be shown here says why.
 */
#ifndef TESTS_SUPPORT_SKIP_H
#define TESTS_SUPPORT_SKIP_H

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

/* In a test, on its own thread: ends it as skipped. Needs <cmocka.h>. */
#define skip_because(reason)                                                                       \
    do {                                                                                           \
        print_message("[  WHY     ] %s\n", (reason));                                              \
        skip();                                                                                    \
    } while (0)

/* Memcheck keeps the limit of descriptors itself: it accepts, then closes what is above the limit
 * and says EMFILE, so that a connection is lost which the kernel would have kept. */
static inline int limits_are_emulated(void) {
#ifdef RUNNING_ON_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return 0;
#endif
}

/* On Windows only; there under Wine only. */
#if defined(_WIN32)
#define skip_on_windows(reason) skip_because(reason)
#define skip_under_wine(reason)                                                                    \
    do {                                                                                           \
        if (shim_is_wine()) skip_because("Wine: " reason);                                         \
    } while (0)
#else
#define skip_on_windows(reason) ((void)0)
#define skip_under_wine(reason) ((void)0)
#endif

#endif
