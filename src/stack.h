/* SPDX-License-Identifier: MIT */
/*
 * stack.h: the stacks of fibers: guarded, pooled, given back.
 *
 * Stacks of a class are cut from large mappings (one for many, so that the kernel's limit on
 * mappings is not met), each with a guard page below. A stack that is put back is kept warm in a
 * short list; beyond that its memory is given back to the system and only its addresses are kept.
 *
 * Any thread; one latch a class, never held across a system call that can block.
 */
#ifndef TMLRT__STACK_H
#define TMLRT__STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc.h"
#include "atomic.h"

#define TMLRT__STACK_CLASSES 4u
#define TMLRT__STACK_WARM    64u /* stacks a class that keep their memory */

/* The record of a stack; it lies outside of the stack. */
typedef struct tmlrt__stack {
    char                *low, *high; /* usable; the guard page lies below low */
    struct tmlrt__stack *next;       /* under the latch: of the free lists */
    uint32_t             cls;
    uint32_t             valgrind_id;
} tmlrt__stack_t;

typedef struct tmlrt__stack_chunk tmlrt__stack_chunk_t;

typedef struct tmlrt__stacks {
    const tmlrt_allocator_t *mem;
    tmlrt__latch_t           latch;
    tmlrt__stack_chunk_t    *chunks; /* under the latch */
    struct {
        tmlrt__stack_t *warm, *cold; /* under the latch */
        uint32_t        warm_count;
    } cls[TMLRT__STACK_CLASSES];
} tmlrt__stacks_t;

void tmlrt__stacks_init(tmlrt__stacks_t *s, const tmlrt_allocator_t *mem);
/* No stack is out any more. */
void tmlrt__stacks_destroy(tmlrt__stacks_t *s);

/* A stack of the class, or NULL: no memory. */
tmlrt__stack_t *tmlrt__stack_get(tmlrt__stacks_t *s, uint32_t cls);
void            tmlrt__stack_put(tmlrt__stacks_t *s, tmlrt__stack_t *stack);

/* Usable bytes of a class. */
size_t tmlrt__stack_size(uint32_t cls);

#endif
