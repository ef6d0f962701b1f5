/* SPDX-License-Identifier: MIT */
/*
 * os.h: what the rest needs from the operating system: threads, a futex, the clock, CPUs, fork,
 * and the table that maps the system's errors to TMLRT_E*. One file a system implements it
 * (os_linux.c or os_bsd.c on os_posix.c; os_windows.c); nobody above includes a system header for these.
 *
 * Everything here may be called from any thread. Functions that can fail return 0 or TMLRT_E*.
 * Every call that can fail passes the seam of fault.h.
 */
#ifndef TMLRT__OS_H
#define TMLRT__OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "atomic.h"

/* Errors: the system's number (errno) as TMLRT_E*; never 0. */
int tmlrt__os_error(int sys);

/* The real monotonic clock, ns. */
int64_t tmlrt__os_now(void);

/* Sleeps until `abs_ns` on tmlrt__os_now, through interruptions; never returns early. */
void tmlrt__os_sleep_until(int64_t abs_ns);

/* Threads. The name is cut to what the system takes; NULL: none. All signals but those that a
 * thread's own instructions raise (SIGSEGV and the like) are blocked while the thread is made and
 * stay blocked in it: signals of the process go to the program's own threads. */
typedef struct tmlrt__thread {
    uintptr_t handle; /* 0: none */
} tmlrt__thread_t;

int  tmlrt__thread_create(tmlrt__thread_t *t, void (*fn)(void *), void *arg, const char *name);
void tmlrt__thread_join(tmlrt__thread_t *t); /* then t->handle is 0; fine for none */
/* Binds the calling thread to the `index`-th CPU (modulo their number) of the mask it has, which is
 * its creator's until it is pinned. */
int tmlrt__thread_pin(uint32_t index);
/* A number that no other live thread of the process has; never 0. */
uint64_t tmlrt__thread_self(void);

/* Futex: sleeps while *word == expected, until woken or `timeout_ns` from now passed (negative:
 * no limit; 0: returns at once). May return spuriously. wake wakes up to `n` sleepers; the word's
 * memory may be gone by then. */
void tmlrt__futex_wait(tmlrt__atomic_u32 *word, uint32_t expected, int64_t timeout_ns);
void tmlrt__futex_wake(tmlrt__atomic_u32 *word, uint32_t n);

/* CPUs that this process may use: its affinity mask and the quotas of its cgroup and all the
 * cgroup's ancestors, rounded up; at least 1. */
uint32_t tmlrt__cpu_count(void);

/* The fork generation: 0 at first, one more in each forked child. Compare with the generation kept
 * at creation. fork_watch installs the handler, once a process. */
extern tmlrt__atomic_u32 tmlrt__fork_generation;
int                      tmlrt__fork_watch(void);

/* Runs `fn(value)` at the end of the calling thread, for one value a function and thread (a later
 * call with the same function replaces it); not at the return of main. For a few functions. */
int tmlrt__thread_at_exit(void (*fn)(void *), void *value);

/* The C library's memory, aligned (align: a power of two). Passes the allocation seam. */
void *tmlrt__os_alloc(size_t size, size_t align);
void  tmlrt__os_free(void *ptr, size_t size, size_t align);

/* Address space for stacks: readable and writable, no memory until touched. */
size_t tmlrt__os_page(void);
void  *tmlrt__os_map(size_t size); /* NULL: no room */
void   tmlrt__os_unmap(void *ptr, size_t size);
/* Makes whole pages fault on any access, for good. As a marker inside the mapping where the kernel
 * has that, else as a mapping of their own. */
int tmlrt__os_guard(void *ptr, size_t size);
/* Bytes to guard below each stack, whole pages: 64 KiB; one page where addresses have 32 bits; on
 * Windows some, for the exception of an overflow is raised on them. */
size_t tmlrt__os_stack_guard(void);
/* Before a context runs on [low, high), whole pages of a mapping with a guard below: makes them fit
 * for a stack. On Windows a mapping is reserved address space; here the first page gets memory, and
 * the one below the mark by which the system lets the stack grow. *pages: how many have memory, from
 * the top on; 0, or what it had grown to when it was used before, which it keeps. */
int tmlrt__os_stack_begin(void *low, void *high, uint16_t *pages);
/* Gives the memory of whole pages back; what they read as afterwards is undefined. */
void tmlrt__os_give_back(void *ptr, size_t size);

/* Prints one line to standard error, atomically; for the watchdog and fatal errors. */
void tmlrt__os_log(const char *line);

#endif
