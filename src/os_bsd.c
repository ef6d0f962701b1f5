/* SPDX-License-Identifier: MIT */
/*
 * os_bsd.c: the part of os.h in which macOS, FreeBSD, OpenBSD and NetBSD differ from Linux and from
 * each other: the futex, the CPUs, a thread's name. All their differences are here, in pipe and
 * socket calls (os_socket_posix.c) and in the flags of mappings (os_map.c).
 *
 *   macOS    os_sync_wait_on_address (from 14.4), looked for at run time; before that __ulock, which
 *            every release since 10.12 has and which the C++ library of the system uses
 *   FreeBSD  _umtx_op
 *   OpenBSD  futex(2)
 *   others   mutexes and condition variables (os_futex_cond.c)
 */
#include "os.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#if defined(__FreeBSD__)
#include <sys/param.h>
/* sys/param.h first. */
#include <pthread_np.h>
#include <sys/cpuset.h>
#include <sys/umtx.h>
#elif defined(__OpenBSD__)
#include <pthread_np.h>
/* Before the header that wants their types. */
#include <sys/time.h>
#include <sys/types.h>
/* The types first. */
#include <sys/futex.h>
#endif

#include <tmlrt/error.h>

#include "fault.h"
#include "os_futex_cond.h"
#include "os_posix.h"

#define OS__NS_PER_S 1000000000

/* ---- The futex ---- */

#if defined(__APPLE__)

/* Of <os/os_sync_wait_on_address.h>, which older kits do not have. */
#define OS__SYNC_CLOCK 32u /* OS_CLOCK_MACH_ABSOLUTE_TIME */
extern int os_sync_wait_on_address(void *addr, uint64_t value, size_t size, uint32_t flags)
    __attribute__((weak_import));
extern int os_sync_wait_on_address_with_timeout(void *addr, uint64_t value, size_t size,
                                                uint32_t flags, uint32_t clock, uint64_t timeout_ns)
    __attribute__((weak_import));
extern int os_sync_wake_by_address_any(void *addr, size_t size, uint32_t flags)
    __attribute__((weak_import));
extern int os_sync_wake_by_address_all(void *addr, size_t size, uint32_t flags)
    __attribute__((weak_import));

/* Not in any header. The timeout is in microseconds, 0 for none. */
extern int __ulock_wait(uint32_t operation, void *addr, uint64_t value, uint32_t timeout_us)
    __attribute__((weak_import));
extern int __ulock_wake(uint32_t operation, void *addr, uint64_t value)
    __attribute__((weak_import));

#define OS__ULOCK_COMPARE_AND_WAIT 1u
#define OS__ULOCK_WAKE_ALL         0x00000100u
#define OS__ULOCK_NO_ERRNO         0x01000000u

/* The two kinds must not meet on one word: one choice for the process. */
static bool os__has_sync(void) {
    return os_sync_wait_on_address != NULL && os_sync_wait_on_address_with_timeout != NULL &&
           os_sync_wake_by_address_any != NULL && os_sync_wake_by_address_all != NULL;
}

static void os__ulock_wait(tmlrt__atomic_u32 *word, uint32_t expected, int64_t timeout_ns) {
    int64_t us = timeout_ns < 0 ? 0 : timeout_ns / 1000 + (timeout_ns % 1000 != 0);
    if (us > UINT32_MAX) us = UINT32_MAX; /* back early, after an hour */
    (void)__ulock_wait(OS__ULOCK_COMPARE_AND_WAIT | OS__ULOCK_NO_ERRNO, word, expected,
                       (uint32_t)us);
}

void tmlrt__futex_wait(tmlrt__atomic_u32 *word, uint32_t expected, int64_t timeout_ns) {
    if (timeout_ns == 0 || tmlrt__fault_point(TMLRT__FAULT_SYS)) return;
    if (!os__has_sync() && __ulock_wait == NULL)
        tmlrt__futex_cond_wait(word, expected, timeout_ns);
    else if (!os__has_sync())
        os__ulock_wait(word, expected, timeout_ns);
    else if (timeout_ns < 0)
        (void)os_sync_wait_on_address(word, expected, sizeof *word, 0);
    else
        (void)os_sync_wait_on_address_with_timeout(word, expected, sizeof *word, 0, OS__SYNC_CLOCK,
                                                   (uint64_t)timeout_ns);
}

void tmlrt__futex_wake(tmlrt__atomic_u32 *word, uint32_t n) {
    uint32_t all = n == 1 ? 0 : OS__ULOCK_WAKE_ALL;
    if (!os__has_sync() && __ulock_wake == NULL)
        tmlrt__futex_cond_wake(word, n);
    else if (!os__has_sync())
        (void)__ulock_wake(OS__ULOCK_COMPARE_AND_WAIT | OS__ULOCK_NO_ERRNO | all, word, 0);
    else if (n == 1)
        (void)os_sync_wake_by_address_any(word, sizeof *word, 0);
    else
        (void)os_sync_wake_by_address_all(word, sizeof *word, 0);
}

#elif defined(__FreeBSD__)

void tmlrt__futex_wait(tmlrt__atomic_u32 *word, uint32_t expected, int64_t timeout_ns) {
    struct _umtx_time limit = {
        ._timeout = {.tv_sec = (time_t)(timeout_ns / OS__NS_PER_S),
                     .tv_nsec = (long)(timeout_ns % OS__NS_PER_S)},
        ._flags = 0, /* from now on */
        ._clockid = CLOCK_MONOTONIC,
    };
    if (timeout_ns == 0) return;
    void *size = timeout_ns < 0 ? NULL : (void *)sizeof limit;
    (void)TMLRT__SYS(
        _umtx_op(word, UMTX_OP_WAIT_UINT_PRIVATE, expected, size, timeout_ns < 0 ? NULL : &limit));
}

void tmlrt__futex_wake(tmlrt__atomic_u32 *word, uint32_t n) {
    (void)_umtx_op(word, UMTX_OP_WAKE_PRIVATE, n < INT32_MAX ? n : INT32_MAX, NULL, NULL);
}

#elif defined(__OpenBSD__)

void tmlrt__futex_wait(tmlrt__atomic_u32 *word, uint32_t expected, int64_t timeout_ns) {
    struct timespec limit = {(time_t)(timeout_ns / OS__NS_PER_S),
                             (long)(timeout_ns % OS__NS_PER_S)};
    if (timeout_ns == 0) return;
    (void)TMLRT__SYS(futex((volatile uint32_t *)word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG,
                           (int)expected, timeout_ns < 0 ? NULL : &limit, NULL));
}

void tmlrt__futex_wake(tmlrt__atomic_u32 *word, uint32_t n) {
    (void)futex((volatile uint32_t *)word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG,
                n < INT32_MAX ? (int)n : INT32_MAX, NULL, NULL);
}

#else

void tmlrt__futex_wait(tmlrt__atomic_u32 *word, uint32_t expected, int64_t timeout_ns) {
    if (!tmlrt__fault_point(TMLRT__FAULT_SYS)) tmlrt__futex_cond_wait(word, expected, timeout_ns);
}

void tmlrt__futex_wake(tmlrt__atomic_u32 *word, uint32_t n) {
    tmlrt__futex_cond_wake(word, n);
}

#endif

/* ---- CPUs ---- */

static uint32_t os__cpus_online(void) {
    long online = TMLRT__SYS(sysconf(_SC_NPROCESSORS_ONLN));
    return online > 0 ? (uint32_t)online : 1;
}

#if defined(__FreeBSD__)

static int os__cpus_get(cpuset_t *set) {
    CPU_ZERO(set);
    if (TMLRT__SYS(cpuset_getaffinity(CPU_LEVEL_WHICH, CPU_WHICH_TID, -1, sizeof *set, set)) == 0)
        return TMLRT_OK;
    return tmlrt__os_error(errno);
}

uint32_t tmlrt__cpu_count(void) {
    cpuset_t set;
    int      count = os__cpus_get(&set) == TMLRT_OK ? (int)CPU_COUNT(&set) : 0;
    return count > 0 ? (uint32_t)count : os__cpus_online();
}

int tmlrt__thread_pin(uint32_t index) {
    cpuset_t set, one;
    int      e = os__cpus_get(&set);
    if (e != TMLRT_OK) return e;
    int count = (int)CPU_COUNT(&set), wanted = count > 0 ? (int)(index % (uint32_t)count) : 0;
    int cpu = 0;
    for (; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set) && wanted-- == 0) break;
    CPU_ZERO(&one);
    if (cpu < CPU_SETSIZE) CPU_SET(cpu, &one);
    if (TMLRT__SYS(cpuset_setaffinity(CPU_LEVEL_WHICH, CPU_WHICH_TID, -1, sizeof one, &one)) == 0)
        return TMLRT_OK;
    return tmlrt__os_error(errno);
}

#else

uint32_t tmlrt__cpu_count(void) {
    return os__cpus_online();
}

int tmlrt__thread_pin(uint32_t index) {
    (void)index;
    return TMLRT_ENOTSUP;
}

#endif

/* ---- A thread's name ---- */

void tmlrt__os_thread_name(const char *name) {
#if defined(__APPLE__)
    (void)pthread_setname_np(name);
#elif defined(__NetBSD__)
    (void)pthread_setname_np(pthread_self(), "%s", (void *)(uintptr_t)name);
#else
    pthread_set_name_np(pthread_self(), name);
#endif
}
