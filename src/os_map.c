/* SPDX-License-Identifier: MIT */
/*
 * os_map.c: address space for stacks, on POSIX systems: mmap, guards, giving memory back.
 */
#include <sys/mman.h>
#include <unistd.h>

#include <tmlrt/error.h>

#include "fault.h"
#include "os.h"

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif
/* OpenBSD ends a process whose stack pointer is elsewhere; on FreeBSD the flag means something else. */
#if defined(__OpenBSD__)
#define OS__MAP_STACK MAP_STACK
#else
#define OS__MAP_STACK 0
#endif
/* On Linux this takes the memory at once; elsewhere it is only a hint that need not take any. */
#if defined(__linux__)
#define OS__GIVE_BACK MADV_DONTNEED
#else
#define OS__GIVE_BACK MADV_FREE
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13: a guard inside a mapping, without splitting it */
#endif

size_t tmlrt__os_page(void) {
    static tmlrt__atomic_size size; /* process-wide: a constant of the system, kept */
    size_t                    known = tmlrt__load_relaxed(&size);
    if (known == 0) {
        known = (size_t)sysconf(_SC_PAGESIZE);
        tmlrt__store_relaxed(&size, known);
    }
    return known;
}

void *tmlrt__os_map(size_t size) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | OS__MAP_STACK;
    if (tmlrt__fault_point(TMLRT__FAULT_ALLOC)) return NULL;
    void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (ptr == MAP_FAILED) return NULL;
#ifdef MADV_NOHUGEPAGE
    madvise(ptr, size, MADV_NOHUGEPAGE); /* a stack shall cost a page, not 2 MiB; a hint */
#endif
    return ptr;
}

void tmlrt__os_unmap(void *ptr, size_t size) {
    munmap(ptr, size);
}

int tmlrt__os_guard(void *ptr, size_t size) {
#ifdef __linux__
    if (TMLRT__SYS(madvise(ptr, size, MADV_GUARD_INSTALL)) == 0) return TMLRT_OK;
#endif
    return TMLRT__SYS(mprotect(ptr, size, PROT_NONE)) == 0 ? TMLRT_OK : TMLRT_ENOMEM;
}

/* A frame larger than the guard can leap over it, unless the compiler touches each page of it: so
 * more than most frames have, where addresses are plenty. */
size_t tmlrt__os_stack_guard(void) {
    size_t page = tmlrt__os_page(), most = sizeof(void *) >= 8 ? (size_t)64 << 10 : page;
    return most > page ? most : page;
}

int tmlrt__os_stack_begin(void *low, void *high, uint16_t *pages) {
    (void)low, (void)high, (void)pages; /* the kernel gives it pages as they are touched */
    return TMLRT_OK;
}

void tmlrt__os_give_back(void *ptr, size_t size) {
    madvise(ptr, size, OS__GIVE_BACK); /* advice: where it fails the memory just stays */
}
