/* SPDX-License-Identifier: MIT */
/*
 * os_map_windows.c: address space for stacks, on Windows.
 *
 * A mapping is reserved; a stack in it gets memory as the system gives it to a thread's own: the
 * pages in use are committed, the one below them has PAGE_GUARD, and touching that moves it down,
 * as long as the thread's information block names these bounds (fiber_switch_win64.S loads them).
 * So a deep stack costs what it has touched, and the overflow raises STATUS_STACK_OVERFLOW while
 * there is room left to handle it. The guard of os.h are pages that are never committed.
 */
#include <windows.h>

#include <tmlrt/error.h>

#include "fault.h"
#include "os.h"
#include "os_windows.h"

size_t tmlrt__os_page(void) {
    static tmlrt__atomic_size size; /* process-wide: a constant of the system, kept */
    size_t                    known = tmlrt__load_relaxed(&size);
    if (known == 0) {
        SYSTEM_INFO machine;
        GetSystemInfo(&machine);
        known = machine.dwPageSize;
        tmlrt__store_relaxed(&size, known);
    }
    return known;
}

void *tmlrt__os_map(size_t size) {
    if (tmlrt__fault_point(TMLRT__FAULT_ALLOC)) return NULL;
    return VirtualAlloc(NULL, size, MEM_RESERVE, PAGE_READWRITE);
}

void tmlrt__os_unmap(void *ptr, size_t size) {
    (void)size;
    (void)VirtualFree(ptr, 0, MEM_RELEASE);
}

int tmlrt__os_guard(void *ptr, size_t size) {
    /* Reserved pages fault; none is ever committed there. */
    (void)ptr, (void)size;
    return tmlrt__fault_point(TMLRT__FAULT_SYS) ? TMLRT_ENOMEM : TMLRT_OK;
}

/* The lowest is never used, two are what the system keeps back for the handlers of an overflow, and
 * the mark must lie below the stack before that. */
size_t tmlrt__os_stack_guard(void) {
    return 4 * tmlrt__os_page();
}

int tmlrt__os_stack_begin(void *low, void *high, uint16_t *pages) {
    if (*pages != 0) return TMLRT_OK;
    size_t page = tmlrt__os_page();
    char  *top = (char *)high - page;
    if (tmlrt__fault_point(TMLRT__FAULT_ALLOC)) return TMLRT_ENOMEM;
    /* Of a former use, what lies below the stack. */
    char *all = (char *)low - tmlrt__os_stack_guard();
    (void)VirtualFree(all, (size_t)((char *)high - all), MEM_DECOMMIT);
    if (VirtualAlloc(top, page, MEM_COMMIT, PAGE_READWRITE) == NULL) return TMLRT_ENOMEM;
    if (VirtualAlloc(top - page, page, MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD) == NULL) {
        (void)VirtualFree(top, page, MEM_DECOMMIT);
        return TMLRT_ENOMEM;
    }
    *pages = 1;
    return TMLRT_OK;
}

void tmlrt__os_give_back(void *ptr, size_t size) {
    (void)VirtualFree(ptr, size, MEM_DECOMMIT);
}
