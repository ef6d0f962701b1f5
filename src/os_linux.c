/* SPDX-License-Identifier: MIT */
/*
 * os_linux.c: the part of os.h that is Linux's own: the futex, the CPUs, a thread's name.
 */
#include "os.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <tmlrt/error.h>

#include "cgroup.h"
#include "fault.h"
#include "os_posix.h"

#define OS__NS_PER_S 1000000000

/* ---- The futex ---- */

void tmlrt__futex_wait(tmlrt__atomic_u32 *word, uint32_t expected, int64_t timeout_ns) {
    struct timespec limit = {.tv_sec = timeout_ns / OS__NS_PER_S,
                             .tv_nsec = timeout_ns % OS__NS_PER_S};
    if (timeout_ns == 0) return;
    /* Woken, timed out, interrupted, another value: the caller looks for itself. */
    (void)TMLRT__SYS(syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected,
                             timeout_ns < 0 ? NULL : &limit, NULL, 0));
}

void tmlrt__futex_wake(tmlrt__atomic_u32 *word, uint32_t n) {
    int most = n < INT_MAX ? (int)n : INT_MAX;
    /* Past the seam: it fails for memory that is gone alone, and a lost wake hangs the program. */
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, most, NULL, NULL, 0);
}

/* ---- A thread's name ---- */

/* A thread without its name works as well. */
void tmlrt__os_thread_name(const char *name) {
    (void)TMLRT__SYS(pthread_setname_np(pthread_self(), name));
}

/* ---- CPUs ---- */

#define OS__CPUS_FIRST 1024u
#define OS__CPUS_LAST  (1024u * 1024u)

typedef struct os__cpus {
    cpu_set_t *set;
    size_t     bytes;
} os__cpus_t;

static void os__cpus_free(os__cpus_t *cpus) {
    tmlrt__os_free(cpus->set, cpus->bytes, _Alignof(cpu_set_t));
}

/* The calling thread's mask. The kernel refuses a set that is smaller than its own, so it grows. */
static int os__cpus_get(os__cpus_t *cpus) {
    int error = TMLRT_EOVERFLOW;
    for (size_t count = OS__CPUS_FIRST; count <= OS__CPUS_LAST; count *= 2) {
        cpus->bytes = CPU_ALLOC_SIZE(count);
        cpus->set = tmlrt__os_alloc(cpus->bytes, _Alignof(cpu_set_t));
        if (cpus->set == NULL) return TMLRT_ENOMEM;
        CPU_ZERO_S(cpus->bytes, cpus->set);
        if (TMLRT__SYS(sched_getaffinity(0, cpus->bytes, cpus->set)) == 0) return 0;
        int sys = errno;
        os__cpus_free(cpus);
        error = tmlrt__os_error(sys);
        if (sys != EINVAL) break;
    }
    return error;
}

static uint32_t os__cpus_online(void) {
    long online = TMLRT__SYS(sysconf(_SC_NPROCESSORS_ONLN));
    return online > 0 ? (uint32_t)online : 1;
}

uint32_t tmlrt__cpu_count(void) {
    uint32_t   count;
    os__cpus_t cpus;
    if (os__cpus_get(&cpus) == 0) {
        count = (uint32_t)CPU_COUNT_S(cpus.bytes, cpus.set);
        os__cpus_free(&cpus);
    } else {
        count = os__cpus_online();
    }
    uint32_t quota = tmlrt__cgroup_cpus("");
    if (quota < count) count = quota;
    return count != 0 ? count : 1;
}

int tmlrt__thread_pin(uint32_t index) {
    os__cpus_t cpus;
    int        error = os__cpus_get(&cpus);
    if (error != 0) return error;
    size_t count = (size_t)CPU_COUNT_S(cpus.bytes, cpus.set);
    size_t wanted = count != 0 ? index % count : 0;
    size_t cpu = 0;
    for (; cpu < cpus.bytes * 8; cpu++) {
        if (CPU_ISSET_S(cpu, cpus.bytes, cpus.set) && wanted-- == 0) break;
    }
    CPU_ZERO_S(cpus.bytes, cpus.set);
    CPU_SET_S(cpu, cpus.bytes, cpus.set);
    if (TMLRT__SYS(sched_setaffinity(0, cpus.bytes, cpus.set)) != 0) error = tmlrt__os_error(errno);
    os__cpus_free(&cpus);
    return error;
}
