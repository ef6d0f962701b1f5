/* SPDX-License-Identifier: MIT */
/*
 * allocs.c: see allocs.h. In front of each block lie its size and alignment.
 */
#include "allocs.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "threads.h"

typedef struct allocs__head {
    void  *base;
    size_t size, align;
} allocs__head_t;

static void *allocs__alloc(void *ctx, size_t size, size_t align) {
    allocs_t *a = ctx;
    require(align != 0 && (align & (align - 1)) == 0);
    long long call = atomic_fetch_add(&a->calls, 1) + 1;
    long long fail_at = atomic_load(&a->fail_at);
    if (fail_at != 0 && call >= fail_at) return NULL;

    size_t room = size + align + sizeof(allocs__head_t) + _Alignof(allocs__head_t);
    char  *base = malloc(room);
    if (base == NULL) return NULL;
    size_t step = align > _Alignof(allocs__head_t) ? align : _Alignof(allocs__head_t);
    char  *p = base + sizeof(allocs__head_t);
    size_t off = (uintptr_t)p % step;
    if (off != 0) p += step - off;
    allocs__head_t head = {base, size, align};
    memcpy(p - sizeof head, &head, sizeof head);
    memset(p, 0xa5, size);
    atomic_fetch_add(&a->blocks, 1);
    atomic_fetch_add(&a->bytes, (long long)size);
    return p;
}

static void allocs__free(void *ctx, void *ptr, size_t size, size_t align) {
    allocs_t      *a = ctx;
    allocs__head_t head;
    memcpy(&head, (char *)ptr - sizeof head, sizeof head);
    require(head.size == size);
    require(head.align == align);
    memset(ptr, 0x5a, size);
    atomic_fetch_sub(&a->blocks, 1);
    atomic_fetch_sub(&a->bytes, (long long)size);
    free(head.base);
}

tmlrt_allocator_t allocs_of(allocs_t *a) {
    return (tmlrt_allocator_t){allocs__alloc, allocs__free, a};
}
