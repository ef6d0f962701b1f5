/* SPDX-License-Identifier: MIT */
/*
 * process.c: see process.h. The only file of the demo, besides the two main functions, that knows
 * the operating system.
 */
#define _POSIX_C_SOURCE 200809L
#include "process.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <tmlrt.h>

static const char *process__name = "?";

void process_name(const char *program) {
    process__name = program;
}

void process_die(const char *format, ...) {
    va_list args;
    fflush(stdout);
    fprintf(stderr, "%s: ", process__name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

void process_check(int64_t result, const char *what) {
    if (result < 0) process_die("%s: %s", what, tmlrt_strerror((int)result));
}

int64_t process_number(const char *name, const char *text, int64_t least, int64_t most) {
    char     *end = NULL;
    long long value;
    if (text == NULL) process_die("%s needs a number", name);
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < least || value > most)
        process_die("%s: '%s' is not a number from %lld to %lld", name, text, (long long)least,
                    (long long)most);
    return value;
}

int64_t process_raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return INT64_MAX;
    if (limit.rlim_cur != limit.rlim_max) {
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
    }
    return limit.rlim_cur == RLIM_INFINITY ? INT64_MAX : (int64_t)limit.rlim_cur;
}
