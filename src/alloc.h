/* SPDX-License-Identifier: MIT */
/*
 * alloc.h: memory. Two things: the user's allocator with its seam (mem), and the heap of
 * equal-sized blocks carved from slabs, from which tasks come.
 *
 * A heap has size classes. A block comes from the free list of the caller's cache (one a worker,
 * touched by its owner alone, no atomics), refilled from and spilled to a central list in batches,
 * so that blocks that are freed on another worker than they were taken on travel back in batches.
 * Threads without a cache share a few under a latch each (stripe.h).
 *
 * The heap can be walked: the first word of a block in use is non-zero (a task's state word), of a
 * free one zero. The owner keeps that. Slabs are never given back before the heap ends, so that a
 * stale pointer into a free block reads memory that is still a block of the same class.
 *
 * End: tmlrt__heap_close counts what is still out; the last tmlrt__heap_put of an orphan frees the
 * slabs and the heap itself.
 */
#ifndef TMLRT__ALLOC_H
#define TMLRT__ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tmlrt/runtime.h>

#include "atomic.h"

/* What malloc aligns to. MSVC's C has no max_align_t, and clang's says 8 there. */
#if defined(_MSC_VER)
#define TMLRT__ALIGN_MAX (2 * sizeof(void *))
#else
#define TMLRT__ALIGN_MAX _Alignof(max_align_t)
#endif

/* The C library's memory; the os layer defines it. */
extern const tmlrt_allocator_t tmlrt__mem_default;

/* Memory from `mem`; every call passes the allocation seam. align: a power of two. */
void *tmlrt__mem_get(const tmlrt_allocator_t *mem, size_t size, size_t align); /* NULL: none */
void *tmlrt__mem_zero(const tmlrt_allocator_t *mem, size_t size, size_t align);
void  tmlrt__mem_put(const tmlrt_allocator_t *mem, void *ptr, size_t size, size_t align);

#define TMLRT__HEAP_STEP    16u  /* class granularity of small blocks, and block alignment */
#define TMLRT__HEAP_SMALL   512u /* up to here a class a step */
#define TMLRT__HEAP_CLASSES 52u  /* 32 steps of 16, then four a doubling up to 16 KiB */
#define TMLRT__HEAP_BATCH                                                                          \
    32u                           /* blocks that move at once between a cache and the centre; fewer
                                     in the classes over 2 KiB, so that a batch is 64 KiB at most */
#define TMLRT__HEAP_LARGE 0xffffu /* "class" of a block that came from the allocator directly */

typedef struct tmlrt__heap tmlrt__heap_t;

/* One cache. Owner only. All zero is a valid empty cache. */
typedef struct tmlrt__heap_cache {
    struct {
        void    *free;  /* the newest, linked through the second word of each block */
        void    *full;  /* one whole batch in reserve, or NULL */
        uint32_t count; /* of `free`, at most one batch */
    } lists[TMLRT__HEAP_CLASSES];
} tmlrt__heap_cache_t;

/* Makes a heap; `mem` is copied. */
int tmlrt__heap_create(tmlrt__heap_t **heap, const tmlrt_allocator_t *mem);

/* A block of at least `size` bytes, aligned to 16; its first word is 0, the rest is undefined.
 * *cls identifies the class for the put. `cache` is the caller's own, or NULL. NULL: no memory. */
void *tmlrt__heap_get(tmlrt__heap_t *heap, tmlrt__heap_cache_t *cache, size_t size, uint16_t *cls);

/* Gives a block back. Its first word must be 0 again. */
void tmlrt__heap_put(tmlrt__heap_t *heap, tmlrt__heap_cache_t *cache, void *block, uint16_t cls);

/* Gives everything in `cache` back to the centre. */
void tmlrt__heap_flush(tmlrt__heap_t *heap, tmlrt__heap_cache_t *cache);

/* Calls fn(ctx, block) for every block carved so far whose first word is non-zero at that moment.
 * Blocks may be taken and put meanwhile, also by fn; fn runs without the heap's latch, so that its
 * block may be put and taken again under it (no block's memory goes away during the walk). */
void tmlrt__heap_walk(tmlrt__heap_t *heap, void (*fn)(void *ctx, void *block), void *ctx);

/* Ends the heap. No caches may be in use any more (all flushed), and nobody may get or walk any
 * more; puts without a cache may go on meanwhile. Frees the heap when no block is out; else it
 * lives until the last of them is put (cache NULL). Returns the blocks that were still out. */
size_t tmlrt__heap_close(tmlrt__heap_t *heap);

#endif
