/* SPDX-License-Identifier: MIT */
/*
 * stack.c: see stack.h.
 */
#include "stack.h"

#include "os.h"

/* Valgrind takes a switch to memory that it does not know as a stack for a wild stack pointer. Told
 * of each stack, it follows; outside of it the requests are a few instructions at a chunk's making. */
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define STACK__REGISTER(low, high) VALGRIND_STACK_REGISTER(low, (high)-1)
#define STACK__DEREGISTER(id)      VALGRIND_STACK_DEREGISTER(id)
#endif
#endif
#ifndef STACK__REGISTER
#define STACK__REGISTER(low, high) 0
#define STACK__DEREGISTER(id)      ((void)(id))
#endif

#define STACK__CHUNK_BYTES ((size_t)8 << 20)
#define STACK__CHUNK_LEAST 8u

struct tmlrt__stack_chunk {
    tmlrt__stack_chunk_t *next;
    char                 *base;
    size_t                bytes;
    size_t                slot; /* bytes from one stack to the next, its guard included */
    uint32_t              n;
    tmlrt__stack_t        stack[];
};

static const size_t stack__sizes[TMLRT__STACK_CLASSES] = {(size_t)16 << 10, (size_t)64 << 10,
                                                          (size_t)256 << 10, (size_t)1 << 20};

size_t tmlrt__stack_size(uint32_t cls) {
    size_t page = tmlrt__os_page(), size = stack__sizes[cls];
    return (size + page - 1) / page * page;
}

void tmlrt__stacks_init(tmlrt__stacks_t *s, const tmlrt_allocator_t *mem) {
    *s = (tmlrt__stacks_t){.mem = mem};
}

static size_t stack__record_bytes(uint32_t n) {
    return sizeof(tmlrt__stack_chunk_t) + n * sizeof(tmlrt__stack_t);
}

static void stack__free_chunk(tmlrt__stacks_t *s, tmlrt__stack_chunk_t *c) {
    for (uint32_t i = 0; i < c->n; i++)
        STACK__DEREGISTER(c->stack[i].valgrind_id);
    tmlrt__os_unmap(c->base, c->bytes);
    tmlrt__mem_put(s->mem, c, stack__record_bytes(c->n), _Alignof(max_align_t));
}

void tmlrt__stacks_destroy(tmlrt__stacks_t *s) {
    while (s->chunks != NULL) {
        tmlrt__stack_chunk_t *c = s->chunks;
        s->chunks = c->next;
        stack__free_chunk(s, c);
    }
}

/* Maps a chunk of stacks and guards each. No latch held. */
static tmlrt__stack_chunk_t *stack__new_chunk(tmlrt__stacks_t *s, uint32_t cls) {
    size_t   page = tmlrt__os_page();
    size_t   slot = tmlrt__stack_size(cls) + page;
    uint32_t n = (uint32_t)(STACK__CHUNK_BYTES / slot);
    if (n < STACK__CHUNK_LEAST) n = STACK__CHUNK_LEAST;
    tmlrt__stack_chunk_t *c =
        tmlrt__mem_zero(s->mem, stack__record_bytes(n), _Alignof(max_align_t));
    if (c == NULL) return NULL;
    c->n = n;
    c->slot = slot;
    c->bytes = n * slot;
    c->base = tmlrt__os_map(c->bytes);
    if (c->base == NULL) {
        tmlrt__mem_put(s->mem, c, stack__record_bytes(n), _Alignof(max_align_t));
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        char *guard = c->base + i * slot;
        if (tmlrt__os_guard(guard, page) != 0) {
            stack__free_chunk(s, c);
            return NULL;
        }
        c->stack[i].low = guard + page;
        c->stack[i].high = guard + slot;
        c->stack[i].cls = cls;
        c->stack[i].valgrind_id = (uint32_t)STACK__REGISTER(c->stack[i].low, c->stack[i].high);
    }
    return c;
}

/* Latch held. */
static tmlrt__stack_t *stack__pop(tmlrt__stacks_t *s, uint32_t cls) {
    tmlrt__stack_t *stack = s->cls[cls].warm;
    if (stack != NULL) {
        s->cls[cls].warm = stack->next;
        s->cls[cls].warm_count--;
        return stack;
    }
    stack = s->cls[cls].cold;
    if (stack != NULL) s->cls[cls].cold = stack->next;
    return stack;
}

tmlrt__stack_t *tmlrt__stack_get(tmlrt__stacks_t *s, uint32_t cls) {
    tmlrt__latch_lock(&s->latch);
    tmlrt__stack_t *stack = stack__pop(s, cls);
    tmlrt__latch_unlock(&s->latch);
    if (stack != NULL) return stack;

    tmlrt__stack_chunk_t *c = stack__new_chunk(s, cls);
    if (c == NULL) return NULL;
    tmlrt__latch_lock(&s->latch);
    for (uint32_t i = c->n - 1; i > 0; i--) {
        c->stack[i].next = s->cls[cls].cold;
        s->cls[cls].cold = &c->stack[i];
    }
    c->next = s->chunks;
    s->chunks = c;
    tmlrt__latch_unlock(&s->latch);
    return &c->stack[0];
}

void tmlrt__stack_put(tmlrt__stacks_t *s, tmlrt__stack_t *stack) {
    uint32_t cls = stack->cls;
    tmlrt__latch_lock(&s->latch);
    bool warm = s->cls[cls].warm_count < TMLRT__STACK_WARM;
    if (warm) {
        stack->next = s->cls[cls].warm;
        s->cls[cls].warm = stack;
        s->cls[cls].warm_count++;
    }
    tmlrt__latch_unlock(&s->latch);
    if (warm) return;
    tmlrt__os_give_back(stack->low, (size_t)(stack->high - stack->low));
    tmlrt__latch_lock(&s->latch);
    stack->next = s->cls[cls].cold;
    s->cls[cls].cold = stack;
    tmlrt__latch_unlock(&s->latch);
}
