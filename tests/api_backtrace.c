/* SPDX-License-Identifier: MIT */
/*
 * api_backtrace.c: a debugger's view of a fiber. The test runs itself under gdb, with a breakpoint
 * in a function that a fiber calls before and after a wait, and looks at the back traces: they show
 * the fiber's functions and end at the bottom of the fiber's stack, cleanly. Skipped without gdb,
 * where a process may not be traced, and under checkers that are a debugger's target themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/sanitizers.h"
#include "support/skip.h"
#include "support/threads.h"
#include "support/unit.h"

static atomic_int stops;

/* ---- what is debugged ------------------------------------------------------------------------- */

__attribute__((noinline)) static void stop_here(void) {
    atomic_fetch_add(&stops, 1);
}

__attribute__((noinline)) static int inner_function(int n) {
    stop_here();
    require(tmlrt_sleep(TMLRT_MS) == TMLRT_OK);
    stop_here(); /* the fiber may have moved to another worker */
    return n + 1;
}

__attribute__((noinline)) static int outer_function(int n) {
    return inner_function(n + 1) + 1;
}

static void *debugged_fiber(void *arg) {
    *(int *)arg = outer_function(*(int *)arg);
    return NULL;
}

static int debuggee(void) {
    tmlrt_runtime_t *rt = runtime_multi(2);
    tmlrt_task_t    *task;
    int              n = 0;
    require(tmlrt_go(rt, debugged_fiber, &n, NULL, &task) == TMLRT_OK);
    require(tmlrt_join(task, NULL) == TMLRT_OK);
    tmlrt_task_release(task);
    require(tmlrt_runtime_destroy(rt) == TMLRT_OK);
    require(n == 3 && atomic_load(&stops) == 2);
    return 0;
}

/* ---- the debugger ----------------------------------------------------------------------------- */

static char output[1 << 16];

/* Runs gdb on this program; all that it prints goes to `output`. */
static bool run_gdb(void) {
    char    self[4096], command[8192];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    require(n > 0);
    self[n] = '\0';
    snprintf(command, sizeof command,
             "gdb --batch -nx -ex 'set pagination off' -ex 'set debuginfod enabled off'"
             " -ex 'set breakpoint pending on' -ex 'break stop_here' -ex run -ex bt -ex continue"
             " -ex bt -ex continue --args '%s' debuggee </dev/null 2>&1",
             self);
    FILE *gdb = popen(command, "r");
    require(gdb != NULL);
    size_t got = fread(output, 1, sizeof output - 1, gdb);
    output[got] = '\0';
    return pclose(gdb) == 0;
}

/* Each frame in turn, after `at`; the end of the last one. */
static const char *expect_frames(const char *at) {
    static const char *const frames[] = {
        "stop_here",      "inner_function", "outer_function",
        "debugged_fiber", "fiber__entry",   "fiber_s"}; /* _start, _switch; gdb may write tmlrt. */
    for (size_t i = 0; at != NULL && i < sizeof frames / sizeof frames[0]; i++) {
        const char *found = strstr(at, frames[i]);
        if (found == NULL) printf("no frame '%s' in:\n%s\n", frames[i], output);
        at = found;
    }
    return at;
}

static void a_back_trace_shows_the_fiber_and_ends(void **state) {
    (void)state;
    if (!run_gdb()) printf("gdb's status is not 0\n");
    if (strstr(output, "exited normally") == NULL) {
        printf("gdb cannot run the program:\n%s\n", output);
        if (strstr(output, "ptrace") != NULL || strstr(output, "not permitted") != NULL)
            skip_because("this system lets no debugger in");
        fail();
    }
    const char *first = strstr(output, "\n#0 ");
    assert_non_null(first);
    const char *end = expect_frames(first);
    assert_non_null(end);
    /* Between the bottom of the stack and the second stop there is no further frame. */
    const char *second = strstr(end, "\n#0 "), *more = strstr(end, "\n#");
    assert_non_null(second);
    assert_ptr_equal(more, second);
    end = expect_frames(second);
    assert_non_null(end);
    assert_null(strstr(end, "\n#"));
    assert_null(strstr(output, "Backtrace stopped"));
    assert_null(strstr(output, "corrupt"));
}

static const char *why_not(void) {
#if UNDER_ASAN || UNDER_TSAN
    return "under a sanitizer a debugger changes what it sees";
#elif !defined(__x86_64__) && !defined(__aarch64__)
    return "there is no switch of our own on this machine";
#else
    if (getenv("TMLRT_TEST_SLOW") != NULL) return "not under memcheck";
    return system("gdb --version >/dev/null 2>&1") == 0 ? NULL : "gdb is not installed";
#endif
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "debuggee") == 0) return debuggee();
    const char *reason = why_not();
    if (reason != NULL) {
        printf("skipped: %s\n", reason);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_back_trace_shows_the_fiber_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
