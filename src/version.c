/* SPDX-License-Identifier: MIT */
/*
 * version.c: the version that the library was built as.
 */
#include <tmlrt/version.h>

#define VERSION__TEXT_(number) #number
#define VERSION__TEXT(number)  VERSION__TEXT_(number)

uint32_t tmlrt_version(void) {
    return TMLRT_VERSION_NUMBER;
}

const char *tmlrt_version_string(void) {
    return VERSION__TEXT(TMLRT_VERSION_MAJOR) "." VERSION__TEXT(
        TMLRT_VERSION_MINOR) "." VERSION__TEXT(TMLRT_VERSION_PATCH);
}
