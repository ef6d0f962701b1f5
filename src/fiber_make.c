/* SPDX-License-Identifier: MIT */
/*
 * fiber_make.c: lays out the first frame of a context, as the switch of this machine
 * (fiber_switch_*.S) will load it; and, where there is no assembly, the whole switch on ucontext.
 */
#include <stdint.h>
#include <string.h>

#include "fiber_switch.h"

#if defined(__x86_64__) && !defined(_WIN32)

void tmlrt__fiber_start(void); /* fiber_switch_x86_64.S */

typedef struct fiber__frame {
    uint32_t mxcsr;
    uint16_t x87_control, unused;
    void    *r15, *r14, *r13, *r12, *rbx, *rbp;
    void (*resume)(void);
} fiber__frame_t;

_Static_assert(sizeof(fiber__frame_t) == 64, "as fiber_switch_x86_64.S pops it");

void *tmlrt__fiber_make(void *low, void *high, void (*entry)(void *arg), void *arg) {
    (void)low;
    /* fiber_start begins with rsp just above its frame, aligned to 16. */
    fiber__frame_t *f = (fiber__frame_t *)(((uintptr_t)high & ~(uintptr_t)15) - sizeof *f);
    memset(f, 0, sizeof *f);
    f->mxcsr = 0x1f80;       /* the ABI's initial state: all exceptions masked, round to nearest */
    f->x87_control = 0x037f; /* the same, extended precision */
    memcpy(&f->r12, &entry, sizeof entry);
    f->r13 = arg;
    f->resume = tmlrt__fiber_start;
    return f;
}

#elif defined(__x86_64__) || defined(_M_X64)

#include "os.h"

void tmlrt__fiber_start(void); /* fiber_switch_win64.S */

typedef struct fiber__frame {
    uint8_t  xmm6_to_xmm15[160];
    uint32_t mxcsr;
    uint16_t x87_control, unused;
    void    *base, *limit, *allocation; /* of the stack, in the thread's information block */
    uint64_t guaranteed;
    void    *r15, *r14, *r13, *r12, *rdi, *rsi, *rbx, *rbp;
    void (*resume)(void);
    void *stop; /* the return address of the start: 0, there is no caller */
} fiber__frame_t;

_Static_assert(sizeof(fiber__frame_t) == 280, "as fiber_switch_win64.S pops it");

void *tmlrt__fiber_make(void *low, void *high, void (*entry)(void *arg), void *arg) {
    uintptr_t       top = (uintptr_t)high & ~(uintptr_t)15;
    fiber__frame_t *f = (fiber__frame_t *)((top - sizeof *f) & ~(uintptr_t)15);
    memset(f, 0, sizeof *f);
    f->mxcsr = 0x1f80;       /* the ABI's initial state: all exceptions masked, round to nearest */
    f->x87_control = 0x027f; /* the same, double precision */
    f->base = high;
    f->limit = low;
    f->allocation = (char *)low - tmlrt__os_stack_guard();
    memcpy(&f->r12, &entry, sizeof entry);
    f->r13 = arg;
    f->resume = tmlrt__fiber_start;
    return f;
}

void **tmlrt__fiber_limit(void *context) {
    return &((fiber__frame_t *)context)->limit;
}

#elif defined(__aarch64__)

typedef struct fiber__frame {
    void    *x19_to_x30[12];
    uint64_t d8_to_d15[8];
    uint64_t fpcr, unused;
} fiber__frame_t;

_Static_assert(sizeof(fiber__frame_t) == 176, "as fiber_switch_aarch64.S loads it");

void *tmlrt__fiber_make(void *low, void *high, void (*entry)(void *arg), void *arg) {
    (void)low;
    fiber__frame_t *f = (fiber__frame_t *)(((uintptr_t)high & ~(uintptr_t)15) - sizeof *f);
    memset(f, 0, sizeof *f); /* x30 of 0 says that it is fresh */
    memcpy(&f->x19_to_x30[0], &entry, sizeof entry);
    f->x19_to_x30[1] = arg;
    return f;
}

#else

#include <ucontext.h>

typedef struct fiber__context {
    ucontext_t context;
    void (*entry)(void *arg);
    void *arg;
} fiber__context_t;

/* makecontext passes ints only. */
static void fiber__enter(unsigned high, unsigned low) {
    uintptr_t         bits = ((uintptr_t)high << 16 << 16) | low;
    fiber__context_t *c = (fiber__context_t *)bits;
    c->entry(c->arg);
}

void *tmlrt__fiber_make(void *low, void *high, void (*entry)(void *arg), void *arg) {
    uintptr_t         top = ((uintptr_t)high - sizeof(fiber__context_t)) & ~(uintptr_t)63;
    fiber__context_t *c = (fiber__context_t *)top;
    getcontext(&c->context);
    c->entry = entry;
    c->arg = arg;
    c->context.uc_stack.ss_sp = low;
    c->context.uc_stack.ss_size = top - (uintptr_t)low;
    c->context.uc_link = NULL;
    uintptr_t bits = (uintptr_t)c;
    makecontext(&c->context, (void (*)(void))fiber__enter, 2, (unsigned)(bits >> 16 >> 16),
                (unsigned)bits);
    return c;
}

void tmlrt__fiber_switch(void **from, void *to) {
    fiber__context_t here;
    *from = &here;
    swapcontext(&here.context, &((fiber__context_t *)to)->context);
}

#endif

#if !defined(_WIN32)
void **tmlrt__fiber_limit(void *context) {
    (void)context;
    return NULL;
}
#endif
