/* SPDX-License-Identifier: MIT */
/*
 * stack.c: see stack.h.
 */
#include "stack.h"

#include <tmlrt/error.h>

#include "fiber_switch.h"
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

#define STACK__PERIOD 1024u /* puts between two looks at how many are too many */

/* What a class keeps: in a cache; warm in the pool when little goes on; warm at most. */
static const struct {
    size_t   size;
    uint32_t cached, few, most;
} stack__class[TMLRT__STACK_CLASSES] = {{(size_t)16 << 10, 16, 64, 4096},
                                        {(size_t)64 << 10, 16, 64, 2048},
                                        {(size_t)256 << 10, 4, 16, 256},
                                        {(size_t)1 << 20, 1, 4, 64}};

size_t tmlrt__stack_size(uint32_t cls) {
    size_t page = tmlrt__os_page(), size = stack__class[cls].size;
    return (size + page - 1) / page * page;
}

void tmlrt__stacks_init(tmlrt__stacks_t *s, const tmlrt_allocator_t *mem) {
    *s = (tmlrt__stacks_t){.mem = mem};
    for (uint32_t cls = 0; cls < TMLRT__STACK_CLASSES; cls++)
        s->cls[cls].keep = stack__class[cls].few;
}

static size_t stack__record_bytes(uint32_t n) {
    return sizeof(tmlrt__stack_chunk_t) + n * sizeof(tmlrt__stack_t);
}

static void stack__free_chunk(tmlrt__stacks_t *s, tmlrt__stack_chunk_t *c) {
    for (uint32_t i = 0; i < c->n; i++)
        STACK__DEREGISTER(c->stack[i].valgrind_id);
    tmlrt__os_unmap(c->base, c->bytes);
    tmlrt__mem_put(s->mem, c, stack__record_bytes(c->n), TMLRT__ALIGN_MAX);
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
    size_t   below = tmlrt__os_stack_guard();
    size_t   slot = tmlrt__stack_size(cls) + below;
    uint32_t n = (uint32_t)(STACK__CHUNK_BYTES / slot);
    if (n < STACK__CHUNK_LEAST) n = STACK__CHUNK_LEAST;
    tmlrt__stack_chunk_t *c = tmlrt__mem_zero(s->mem, stack__record_bytes(n), TMLRT__ALIGN_MAX);
    if (c == NULL) return NULL;
    c->n = n;
    c->slot = slot;
    c->bytes = n * slot;
    c->base = tmlrt__os_map(c->bytes);
    if (c->base == NULL) {
        tmlrt__mem_put(s->mem, c, stack__record_bytes(n), TMLRT__ALIGN_MAX);
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        char *guard = c->base + i * slot;
        if (tmlrt__os_guard(guard, below) != 0) {
            stack__free_chunk(s, c);
            return NULL;
        }
        c->stack[i].low = guard + below;
        c->stack[i].high = guard + slot;
        c->stack[i].cls = (uint8_t)cls;
        c->stack[i].valgrind_id = (uint32_t)STACK__REGISTER(c->stack[i].low, c->stack[i].high);
    }
    return c;
}

/* Latch held: a warm stack, or NULL. */
static tmlrt__stack_t *stack__pop_warm(tmlrt__stacks_t *s, uint32_t cls) {
    tmlrt__stack_t *stack = s->cls[cls].warm;
    if (stack == NULL) return NULL;
    s->cls[cls].warm = stack->next;
    s->cls[cls].warm_count--;
    if (s->cls[cls].warm_count < s->cls[cls].low) s->cls[cls].low = s->cls[cls].warm_count;
    return stack;
}

/* Latch held: one without memory, or NULL. One that had some was given back too early. */
static tmlrt__stack_t *stack__pop_cold(tmlrt__stacks_t *s, uint32_t cls) {
    tmlrt__stack_t *stack = s->cls[cls].cold;
    if (stack == NULL) return NULL;
    s->cls[cls].cold = stack->next;
    if (stack->given_back && s->cls[cls].keep < stack__class[cls].most) s->cls[cls].keep++;
    return stack;
}

/* Latch held: takes what is warm beyond `keep` out, as a list. */
static tmlrt__stack_t *stack__take_excess(tmlrt__stacks_t *s, uint32_t cls) {
    tmlrt__stack_t *excess = NULL;
    while (s->cls[cls].warm_count > s->cls[cls].keep) {
        tmlrt__stack_t *stack = stack__pop_warm(s, cls);
        stack->next = excess;
        excess = stack;
    }
    return excess;
}

/* No latch held: gives the memory of a list of stacks back, and files them. */
static void stack__cool(tmlrt__stacks_t *s, tmlrt__stack_t *list) {
    while (list != NULL) {
        tmlrt__stack_t *stack = list;
        list = stack->next;
        tmlrt__os_give_back(stack->low, (size_t)(stack->high - stack->low));
        stack->pages = 0;
        tmlrt__latch_lock(&s->latch);
        stack->given_back = true;
        stack->next = s->cls[stack->cls].cold;
        s->cls[stack->cls].cold = stack;
        tmlrt__latch_unlock(&s->latch);
    }
}

/* Latch held, now and then: fewer stay warm when some of them were not needed for long. */
static void stack__end_period(tmlrt__stacks_t *s, uint32_t cls) {
    uint32_t few = stack__class[cls].few, less = s->cls[cls].low / 2;
    s->cls[cls].keep = s->cls[cls].keep > few + less ? s->cls[cls].keep - less : few;
    s->cls[cls].low = s->cls[cls].warm_count;
    s->cls[cls].puts = 0;
}

/* The cache is empty: a stack from the pool, and up to half a cache of warm ones. */
static tmlrt__stack_t *stack__get_slowly(tmlrt__stacks_t *s, tmlrt__stack_cache_t *cache,
                                         uint32_t cls) {
    tmlrt__latch_lock(&s->latch);
    tmlrt__stack_t *stack = stack__pop_warm(s, cls), *more;
    if (stack == NULL) stack = stack__pop_cold(s, cls);
    while (cache->cls[cls].count < stack__class[cls].cached / 2 &&
           (more = stack__pop_warm(s, cls)) != NULL) {
        more->next = cache->cls[cls].first;
        cache->cls[cls].first = more;
        cache->cls[cls].count++;
    }
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

static tmlrt__stack_t *stack__take(tmlrt__stacks_t *s, tmlrt__stack_cache_t *cache, uint32_t cls) {
    tmlrt__stack_t *stack = cache->cls[cls].first;
    if (stack == NULL) return stack__get_slowly(s, cache, cls);
    cache->cls[cls].first = stack->next;
    cache->cls[cls].count--;
    return stack;
}

/* The cache is full: half of it, which was put first, goes to the pool. */
static void stack__spill(tmlrt__stacks_t *s, tmlrt__stack_cache_t *cache, uint32_t cls) {
    uint32_t         stay = cache->cls[cls].count / 2, n = cache->cls[cls].count - stay;
    tmlrt__stack_t **link = &cache->cls[cls].first;
    for (uint32_t i = 0; i < stay; i++)
        link = &(*link)->next;
    tmlrt__stack_t *list = *link;
    *link = NULL;
    cache->cls[cls].count = stay;

    tmlrt__latch_lock(&s->latch);
    while (list != NULL) {
        tmlrt__stack_t *stack = list;
        list = stack->next;
        stack->next = s->cls[cls].warm;
        s->cls[cls].warm = stack;
        s->cls[cls].warm_count++;
    }
    s->cls[cls].puts += n;
    if (s->cls[cls].puts >= STACK__PERIOD) stack__end_period(s, cls);
    tmlrt__stack_t *excess = stack__take_excess(s, cls);
    tmlrt__latch_unlock(&s->latch);
    stack__cool(s, excess);
}

tmlrt__stack_t *tmlrt__stack_get(tmlrt__stacks_t *s, tmlrt__stack_cache_t *cache, uint32_t cls) {
    tmlrt__stack_t *stack = stack__take(s, cache, cls);
    if (stack == NULL || tmlrt__os_stack_begin(stack->low, stack->high, &stack->pages) == TMLRT_OK)
        return stack;
    tmlrt__stack_put(s, cache, stack);
    return NULL;
}

void tmlrt__stack_enter(const tmlrt__stack_t *stack, void *context) {
    void **limit = tmlrt__fiber_limit(context);
    if (limit != NULL) *limit = stack->high - stack->pages * tmlrt__os_page();
}

void tmlrt__stack_leave(tmlrt__stack_t *stack, void *context) {
    void **limit = tmlrt__fiber_limit(context);
    if (limit == NULL) return;
    if ((char *)*limit < stack->low) { /* it ran over, and its mark is used up: begun anew */
        stack->pages = 0;
        return;
    }
    stack->pages = (uint16_t)((size_t)(stack->high - (char *)*limit) / tmlrt__os_page());
}

void tmlrt__stack_put(tmlrt__stacks_t *s, tmlrt__stack_cache_t *cache, tmlrt__stack_t *stack) {
    uint32_t cls = stack->cls;
    if (cache->cls[cls].count >= stack__class[cls].cached) stack__spill(s, cache, cls);
    stack->next = cache->cls[cls].first;
    cache->cls[cls].first = stack;
    cache->cls[cls].count++;
}

void tmlrt__stacks_trim(tmlrt__stacks_t *s) {
    for (uint32_t cls = 0; cls < TMLRT__STACK_CLASSES; cls++) {
        tmlrt__latch_lock(&s->latch);
        s->cls[cls].keep = stack__class[cls].few;
        tmlrt__stack_t *excess = stack__take_excess(s, cls);
        tmlrt__latch_unlock(&s->latch);
        stack__cool(s, excess);
    }
}
