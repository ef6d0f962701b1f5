/* SPDX-License-Identifier: MIT */
/*
 * stack.h: the stacks of fibers: guarded, pooled, given back.
 *
 * Stacks of a class are cut from large mappings (one for many, so that the kernel's limit on
 * mappings is not met), each with a guard below.
 *
 * A stack that is put back goes to the caller's cache (one a worker, touched by its owner alone),
 * from there in batches to the shared pool. The pool keeps as many warm as were lately in use at
 * once, so that a load that comes and goes makes no system calls; what is more, its memory is given
 * back to the system and its addresses alone are kept. `trim`, for when all are idle, gives back
 * all but a few.
 *
 * The pool: any thread; one latch, never held across a system call.
 */
#ifndef TMLRT__STACK_H
#define TMLRT__STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc.h"
#include "atomic.h"

#define TMLRT__STACK_CLASSES 4u
/* The record of a stack; it lies outside of the stack. */
typedef struct tmlrt__stack {
    char                *low, *high; /* usable; the guard lies below low */
    struct tmlrt__stack *next;       /* under the latch, or the cache's owner: of the free lists */
    uint32_t             valgrind_id;
    uint16_t             pages; /* who has it: as tmlrt__os_stack_begin keeps it */
    uint8_t              cls;
    bool                 given_back; /* under the latch: its memory was; it was warm once */
} tmlrt__stack_t;

/* Free stacks of one worker. Owner only. All zero is a valid empty cache. */
typedef struct tmlrt__stack_cache {
    struct {
        tmlrt__stack_t *first; /* the one put last is taken first */
        uint32_t        count;
    } cls[TMLRT__STACK_CLASSES];
} tmlrt__stack_cache_t;

typedef struct tmlrt__stack_chunk tmlrt__stack_chunk_t;

typedef struct tmlrt__stacks {
    const tmlrt_allocator_t *mem;
    tmlrt__latch_t           latch;
    tmlrt__stack_chunk_t    *chunks; /* under the latch, as all below */
    struct {
        tmlrt__stack_t *warm, *cold;
        uint32_t        warm_count;
        uint32_t        keep; /* stay warm, at most */
        uint32_t        low;  /* the least that was warm in this period: that many are too many */
        uint32_t        puts; /* in this period */
    } cls[TMLRT__STACK_CLASSES];
} tmlrt__stacks_t;

void tmlrt__stacks_init(tmlrt__stacks_t *s, const tmlrt_allocator_t *mem);
/* No stack is out any more, and no cache is used any more: what is in them goes as well. */
void tmlrt__stacks_destroy(tmlrt__stacks_t *s);

/* A stack of the class, or NULL: no memory. `cache` is the caller's own. */
tmlrt__stack_t *tmlrt__stack_get(tmlrt__stacks_t *s, tmlrt__stack_cache_t *cache, uint32_t cls);
/* A context is about to run on it for the first time / is left for good, suspended: what the system
 * has to know of the stack while it runs on it. */
void tmlrt__stack_enter(const tmlrt__stack_t *stack, void *context);
void tmlrt__stack_leave(tmlrt__stack_t *stack, void *context);
void tmlrt__stack_put(tmlrt__stacks_t *s, tmlrt__stack_cache_t *cache, tmlrt__stack_t *stack);

/* Any thread: gives the memory of all but a few warm stacks back. */
void tmlrt__stacks_trim(tmlrt__stacks_t *s);

/* Usable bytes of a class. */
size_t tmlrt__stack_size(uint32_t cls);

#endif
