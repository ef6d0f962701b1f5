/* SPDX-License-Identifier: MIT */
/*
 * fault.c - counters behind the fault seam (fault.h); empty without TMLRT_FAULTS.
 *
 * The only globals of the test build. A thread that passes a point while
 * another arms may see either plan, never a mixture that fails unarmed: `nth`
 * is cleared first and set last.
 */
#include "fault.h"

#if defined(TMLRT_FAULTS)

#include <string.h>

#include "atomic.h"

struct fault__plan {
    tmlrt__atomic_u64 nth;    /* 0: nothing fails */
    tmlrt__atomic_u64 count;  /* points passed since armed */
    tmlrt__atomic_u64 fired;  /* points failed since armed */
    tmlrt__atomic_u32 sticky; /* fail the later ones too */
    tmlrt__atomic_u32 err;    /* errno of a failed point */
    tmlrt__atomic_ptr call;   /* of system calls: the text of the one that failed for good */
};

static struct fault__plan fault__plans[TMLRT__FAULT_KINDS];

void tmlrt__fault_arm(tmlrt__fault_kind_t kind, uint64_t nth, bool sticky, int err) {
    struct fault__plan *p = &fault__plans[kind];
    tmlrt__store_relaxed(&p->nth, 0);
    tmlrt__store_relaxed(&p->sticky, sticky ? 1 : 0);
    tmlrt__store_relaxed(&p->err, (uint32_t)err);
    tmlrt__store_relaxed(&p->call, NULL);
    tmlrt__store_relaxed(&p->count, 0);
    tmlrt__store_relaxed(&p->fired, 0);
    /* release: publishes the plan; pairs [FAULT-1] */
    tmlrt__store_release(&p->nth, nth);
}

void tmlrt__fault_disarm(void) {
    for (int kind = 0; kind < TMLRT__FAULT_KINDS; kind++)
        tmlrt__store_relaxed(&fault__plans[kind].nth, 0);
}

uint64_t tmlrt__fault_count(tmlrt__fault_kind_t kind) {
    return tmlrt__load_relaxed(&fault__plans[kind].count);
}

uint64_t tmlrt__fault_fired(tmlrt__fault_kind_t kind) {
    return tmlrt__load_relaxed(&fault__plans[kind].fired);
}

static bool fault__strike(struct fault__plan *p) {
    tmlrt__fetch_add_relaxed(&p->fired, 1);
    errno = (int)tmlrt__load_relaxed(&p->err);
#if defined(_WIN32)
    tmlrt__fault_last_error(errno);
#endif
    return true;
}

bool tmlrt__fault_point(tmlrt__fault_kind_t kind) {
    struct fault__plan *p = &fault__plans[kind];
    /* acquire: observes the plan that goes with nth; pairs [FAULT-1] */
    uint64_t nth = tmlrt__load_acquire(&p->nth);
    uint64_t mine = tmlrt__fetch_add_relaxed(&p->count, 1) + 1;
    if (nth == 0 || mine < nth) return false;
    if (mine > nth && tmlrt__load_relaxed(&p->sticky) == 0) return false;
    return fault__strike(p);
}

/* The length of the function's name; 0 for one that waits. */
static size_t fault__name(const char *call) {
    size_t n = strcspn(call, "(");
    bool   waits = strncmp(call, "epoll_", 6) == 0 && strncmp(call, "epoll_c", 7) != 0;
    return waits || strncmp(call, "syscall", 7) == 0 || strncmp(call, "kevent", 6) == 0 ||
                   strncmp(call, "ppoll", 5) == 0 || strncmp(call, "nanosleep", 9) == 0
               ? 0
               : n;
}

bool tmlrt__fault_call(const char *call) {
    struct fault__plan *p = &fault__plans[TMLRT__FAULT_SYS];
    /* acquire: observes the plan that goes with nth; pairs [FAULT-1] */
    uint64_t    nth = tmlrt__load_acquire(&p->nth);
    uint64_t    mine = tmlrt__fetch_add_relaxed(&p->count, 1) + 1;
    const char *failed = tmlrt__load_relaxed(&p->call);
    size_t      n = fault__name(call);
    if (nth == 0 || mine < nth) return false;
    if (mine > nth && (n == 0 || failed == NULL || strncmp(failed, call, n + 1) != 0)) return false;
    if (mine == nth && tmlrt__load_relaxed(&p->sticky) != 0)
        tmlrt__store_relaxed(&p->call, (void *)(uintptr_t)call);
    return fault__strike(p);
}

#endif
