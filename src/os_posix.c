/* SPDX-License-Identifier: MIT */
/*
 * os_posix.c: the part of os.h that all POSIX systems share: threads, values run at a thread's
 * end, the fork watch, the clock, memory, the log. Beside it one os_<system>.c gives the futex and
 * the CPUs.
 *
 * Process-wide state, all of it: the fork generation, the key of the values at exit, and the lock
 * under which the two are set up once.
 */
#include "os.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <tmlrt/error.h>

#include "alloc.h"
#include "compiler.h"
#include "fault.h"
#include "os_posix.h"

#define OS__NS_PER_S 1000000000

/* Stands still while the machine is suspended. CLOCK_MONOTONIC of macOS does not, and has
 * microseconds only; this one is mach_absolute_time. */
#if defined(__APPLE__)
#define OS__CLOCK CLOCK_UPTIME_RAW
#else
#define OS__CLOCK CLOCK_MONOTONIC
#endif

tmlrt__atomic_u32 tmlrt__fork_generation;

static pthread_mutex_t os__once = PTHREAD_MUTEX_INITIALIZER;

/* What a pthread function returned, or -1 from the seam, as TMLRT_E*. */
static int os__result(int rc) {
    if (rc == 0) return 0;
    return tmlrt__os_error(rc < 0 ? errno : rc);
}

/* ---- Memory ---- */

static void *os__alloc(void *ctx, size_t size, size_t align) {
    (void)ctx;
    if (align <= TMLRT__ALIGN_MAX) return malloc(size != 0 ? size : 1);
    void *ptr = NULL;
    return posix_memalign(&ptr, align, size != 0 ? size : 1) == 0 ? ptr : NULL;
}

static void os__free(void *ctx, void *ptr, size_t size, size_t align) {
    (void)ctx;
    (void)size;
    (void)align;
    free(ptr);
}

const tmlrt_allocator_t tmlrt__mem_default = {os__alloc, os__free, NULL};

void *tmlrt__os_alloc(size_t size, size_t align) {
    return tmlrt__mem_get(&tmlrt__mem_default, size, align);
}

void tmlrt__os_free(void *ptr, size_t size, size_t align) {
    tmlrt__mem_put(&tmlrt__mem_default, ptr, size, align);
}

/* ---- The clock ---- */

int64_t tmlrt__os_now(void) {
    struct timespec t;
    /* Cannot fail with this clock and a valid pointer. */
    (void)clock_gettime(OS__CLOCK, &t);
    return (int64_t)t.tv_sec * OS__NS_PER_S + t.tv_nsec;
}

void tmlrt__os_sleep_until(int64_t abs_ns) {
    for (;;) {
        int64_t left = abs_ns - tmlrt__os_now();
        if (left <= 0) return;
        struct timespec t = {.tv_sec = left / OS__NS_PER_S, .tv_nsec = left % OS__NS_PER_S};
        /* Whatever it says, the clock decides. */
        (void)TMLRT__SYS(nanosleep(&t, NULL));
    }
}

/* ---- Threads ---- */

#define OS__NAME_SIZE 16u /* of Linux, end included */

typedef struct os__start {
    void (*fn)(void *arg);
    void *arg;
    char  name[OS__NAME_SIZE];
} os__start_t;

static void *os__thread_main(void *arg) {
    os__start_t *record = arg;
    os__start_t  start = *record;
    tmlrt__os_free(record, sizeof *record, _Alignof(os__start_t));
    if (start.name[0] != '\0') tmlrt__os_thread_name(start.name);
    start.fn(start.arg);
    return NULL;
}

/* All signals but those that a thread's own instructions raise: to block these would take the
 * program's handlers for them away, and the kernel would kill the process instead. */
static void os__blocked_signals(sigset_t *set) {
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    (void)sigfillset(set);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        (void)sigdelset(set, own[i]);
}

int tmlrt__thread_create(tmlrt__thread_t *t, void (*fn)(void *), void *arg, const char *name) {
    t->handle = 0;
    os__start_t *start = tmlrt__os_alloc(sizeof *start, _Alignof(os__start_t));
    if (start == NULL) return TMLRT_ENOMEM;
    memset(start, 0, sizeof *start);
    start->fn = fn;
    start->arg = arg;
    if (name != NULL) strncpy(start->name, name, OS__NAME_SIZE - 1);

    sigset_t  blocked, before;
    pthread_t made;
    os__blocked_signals(&blocked);
    int error = os__result(TMLRT__SYS(pthread_sigmask(SIG_SETMASK, &blocked, &before)));
    if (error == 0) {
        error = os__result(TMLRT__SYS(pthread_create(&made, NULL, os__thread_main, start)));
        /* Past the seam: it cannot fail where the call above did not. */
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (error != 0) {
        tmlrt__os_free(start, sizeof *start, _Alignof(os__start_t));
        return error;
    }
    _Static_assert(sizeof made <= sizeof t->handle, "a handle holds a pthread_t");
    t->handle = (uintptr_t)made;
    return 0;
}

void tmlrt__thread_join(tmlrt__thread_t *t) {
    if (t->handle == 0) return;
    /* Past the seam: it cannot fail for a thread of ours that nobody else joins. */
    (void)pthread_join((pthread_t)t->handle, NULL);
    t->handle = 0;
}

/* A byte of the thread's own; its address is one of a kind among live threads. Never inlined,
 * because the address must not be kept across a switch of stacks. */
TMLRT__NOINLINE uint64_t tmlrt__thread_self(void) {
    static _Thread_local char own;
    return (uint64_t)(uintptr_t)&own;
}

void tmlrt__latch_relax(void) {
    (void)sched_yield();
}

/* ---- Values run at a thread's end ---- */

typedef struct os__exit {
    void (*fn)(void *value);
    void *value;
} os__exit_t;

#define OS__EXITS 4u /* different functions that a thread may have run at its end */

static _Thread_local os__exit_t os__exit_record[OS__EXITS]; /* owner: the thread */

static pthread_key_t     os__exit_key;
static tmlrt__atomic_u32 os__exit_ready; /* any thread; 1: the key exists */

static void os__exit_run(void *arg) {
    os__exit_t *own = arg, record[OS__EXITS];
    memcpy(record, own, sizeof record);
    memset(own, 0, sizeof record);
    for (unsigned i = 0; i < OS__EXITS; i++)
        if (record[i].fn != NULL) record[i].fn(record[i].value);
}

static int os__exit_prepare(void) {
    /* acquire: observes the key; pairs [OS-1] */
    if (tmlrt__load_acquire(&os__exit_ready) != 0) return 0;
    int error = 0;
    (void)pthread_mutex_lock(&os__once);
    if (tmlrt__load_relaxed(&os__exit_ready) == 0) {
        error = os__result(TMLRT__SYS(pthread_key_create(&os__exit_key, os__exit_run)));
        /* release: publishes the key; pairs [OS-1] */
        if (error == 0) tmlrt__store_release(&os__exit_ready, 1);
    }
    (void)pthread_mutex_unlock(&os__once);
    return error;
}

int tmlrt__thread_at_exit(void (*fn)(void *), void *value) {
    int error = os__exit_prepare();
    if (error == 0)
        error = os__result(TMLRT__SYS(pthread_setspecific(os__exit_key, os__exit_record)));
    if (error != 0) return error;
    for (unsigned i = 0; i < OS__EXITS; i++) {
        os__exit_t *slot = &os__exit_record[i];
        if (slot->fn != NULL && slot->fn != fn) continue;
        slot->fn = fn;
        slot->value = value;
        return 0;
    }
    return TMLRT_ENOMEM; /* a function more than OS__EXITS: raise it */
}

/* A library that is unloaded must not leave the key's destructor behind. */
TMLRT__AT_UNLOAD(os__unload) {
    if (tmlrt__load_relaxed(&os__exit_ready) != 0) (void)pthread_key_delete(os__exit_key);
}

/* ---- Fork ---- */

static bool os__fork_watched; /* under os__once */

static void os__forked(void) {
    tmlrt__fetch_add_relaxed(&tmlrt__fork_generation, 1);
    (void)pthread_mutex_init(&os__once, NULL); /* whoever had it is not in this process */
}

int tmlrt__fork_watch(void) {
    int error = 0;
    (void)pthread_mutex_lock(&os__once);
    if (!os__fork_watched) {
        error = os__result(TMLRT__SYS(pthread_atfork(NULL, NULL, os__forked)));
        os__fork_watched = error == 0;
    }
    (void)pthread_mutex_unlock(&os__once);
    return error;
}

/* ---- The log ---- */

void tmlrt__os_log(const char *line) {
    char   end = '\n';
    size_t length = strlen(line);
    size_t done = 0;
    int    kept = errno;
    /* One call writes it all, so that lines of several threads do not mix; only a pipe that is
     * full may take it in parts. */
    while (done < length + 1) {
        size_t       left = done < length ? length - done : 0;
        struct iovec parts[2] = {
            {.iov_base = (void *)(uintptr_t)(line + length - left), .iov_len = left},
            {.iov_base = &end, .iov_len = 1},
        };
        ssize_t n = TMLRT__SYS(writev(STDERR_FILENO, parts, 2));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        done += (size_t)n;
    }
    errno = kept;
}
