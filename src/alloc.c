/* SPDX-License-Identifier: MIT */
/*
 * alloc.c: the heap of alloc.h: caches, the centre, slabs, large blocks, orphans.
 *
 * A free block sits in exactly one of: a cache, a shared cache, a batch at the centre. The latch
 * guards the centre and the list of large blocks, a shared cache has one of its own, taken before the
 * heap's; both are held for a few instructions and never while the allocator or a caller's function
 * runs. Taking from and giving to one's own cache takes no latch and no atomic operation.
 *
 * A slab is carved from its start, a batch at a time, by one thread: who carves takes the slab out
 * of its class's open list and puts it back when something is left. So no page fault of fresh
 * memory happens under the latch.
 *
 * Nothing counts the blocks in use: when all caches are flushed, those are the blocks carved less
 * the free ones at the centre.
 *
 * The caches are the magazines of Bonwick and Adams, "Magazines and Vmem" (2001): two batches, so
 * that a thread that takes and gives in turn at a boundary does not go to the centre each time.
 */
#include "alloc.h"

#include <assert.h>
#include <string.h>

#include <tmlrt/error.h>

#include "compiler.h"
#include "fault.h"
#include "stripe.h"

#define HEAP__SLAB_SIZE   (64u * 1024u)
#define HEAP__SLAB_BLOCKS 8u /* at least, in slabs of large classes */
#define HEAP__MAX_SIZE    (16u * 1024u)
#define HEAP__WORD_SIZE   32u /* the smallest block: holds all words of a free one */

/* The words of a free block. The first is the walker's; a block in use gives it its own meaning. */
typedef struct heap__block {
    tmlrt__atomic_u64   word;  /* any thread, atomic; 0: free */
    struct heap__block *next;  /* who owns the list: next block of a list or batch */
    struct heap__block *batch; /* under the latch, first of a batch: next batch at the centre */
    uint32_t            count; /* under the latch, first of a batch: blocks in it */
} heap__block_t;

_Static_assert(sizeof(heap__block_t) <= HEAP__WORD_SIZE, "a free block holds its links");

/* A slab: this header in 64 bytes, then blocks. Never freed before the heap. */
typedef struct heap__slab {
    struct heap__slab *next;   /* constant once the slab is in heap->slabs */
    struct heap__slab *open;   /* under the latch: next slab of the class with room */
    size_t             bytes;  /* constant: of the slab, header included */
    uint32_t           size;   /* constant: of a block */
    uint32_t           blocks; /* constant: how many fit */
    tmlrt__atomic_u32  carved; /* written by who took the slab from the open list; any reads */
} heap__slab_t;

#define HEAP__SLAB_HEADER TMLRT__CACHE_LINE

_Static_assert(sizeof(heap__slab_t) <= HEAP__SLAB_HEADER, "a slab's header is one cache line");

/* A large block: this header, then the block. It stays listed while anybody walks, even when it
 * has been put. */
typedef struct heap__large {
    struct heap__large *next;  /* under the latch; stable while anybody walks */
    struct heap__large *prev;  /* under the latch */
    struct heap__large *dying; /* under the latch: next of those put during a walk */
    size_t              bytes; /* constant: header included */
} heap__large_t;

_Static_assert(sizeof(heap__large_t) % TMLRT__HEAP_STEP == 0, "large blocks keep their alignment");

typedef struct heap__class {
    heap__block_t *batches; /* under the latch: stack of batches */
    heap__slab_t  *open;    /* under the latch: slabs with room that nobody is carving */
    size_t         free;    /* under the latch: blocks in `batches` */
    size_t         carved;  /* under the latch: blocks ever carved */
} heap__class_t;

/* A cache for the threads of a stripe that have none of their own. */
typedef struct heap__shared {
    tmlrt__latch_t      latch;
    tmlrt__heap_cache_t cache; /* under the latch */
    char                pad[TMLRT__CACHE_LINE];
} heap__shared_t;

struct tmlrt__heap {
    tmlrt_allocator_t mem;     /* constant */
    tmlrt__atomic_ptr slabs;   /* written under the latch, append-only; any reads: newest slab */
    tmlrt__latch_t    latch;   /* for everything below */
    uint32_t          walkers; /* walks in progress */
    heap__large_t    *large;   /* all large blocks, newest first */
    heap__large_t    *dying;   /* those put during a walk */
    size_t            large_out;
    bool              orphan; /* closed with blocks out; written under all latches */
    size_t            out;    /* of an orphan: blocks still to be put */
    heap__class_t     classes[TMLRT__HEAP_CLASSES];
    char              pad[TMLRT__CACHE_LINE];
    heap__shared_t    shared[TMLRT__STRIPES];
};

/* ---- The allocator and its seam ---- */

void *tmlrt__mem_get(const tmlrt_allocator_t *mem, size_t size, size_t align) {
    if (tmlrt__fault_point(TMLRT__FAULT_ALLOC)) return NULL;
    return mem->alloc(mem->ctx, size, align);
}

void *tmlrt__mem_zero(const tmlrt_allocator_t *mem, size_t size, size_t align) {
    void *ptr = tmlrt__mem_get(mem, size, align);
    if (ptr != NULL) memset(ptr, 0, size);
    return ptr;
}

void tmlrt__mem_put(const tmlrt_allocator_t *mem, void *ptr, size_t size, size_t align) {
    if (ptr != NULL) mem->free(mem->ctx, ptr, size, align);
}

/* ---- Classes ---- */

/* The class of up to TMLRT__HEAP_SMALL bytes. */
static inline uint32_t heap__small_class_of(size_t size) {
    size_t held = size < HEAP__WORD_SIZE ? HEAP__WORD_SIZE : size;
    return (uint32_t)((held - 1) / TMLRT__HEAP_STEP);
}

/* The class of up to 16 KiB. */
static inline uint32_t heap__class_of(size_t size) {
    if (size <= TMLRT__HEAP_SMALL) return heap__small_class_of(size);
    /* Above, the two bits behind the leading one of size - 1 tell the quarter of its doubling. */
    uint32_t last = (uint32_t)size - 1;
    uint32_t log = 9;
    while (last >> (log + 1) != 0)
        log++;
    uint32_t quarter = (last >> (log - 2)) & 3;
    return TMLRT__HEAP_SMALL / TMLRT__HEAP_STEP + (log - 9) * 4 + quarter;
}

static uint32_t heap__class_size(uint32_t cls) {
    uint32_t small = TMLRT__HEAP_SMALL / TMLRT__HEAP_STEP;
    if (cls < small) return (cls + 1) * TMLRT__HEAP_STEP;
    uint32_t doubling = TMLRT__HEAP_SMALL << ((cls - small) / 4);
    return doubling + doubling / 4 * ((cls - small) % 4 + 1);
}

/* Blocks in a batch: TMLRT__HEAP_BATCH up to 2 KiB, half of it for each doubling above. */
static inline uint32_t heap__batch_of(uint32_t cls) {
    uint32_t two_kib = TMLRT__HEAP_SMALL / TMLRT__HEAP_STEP + 8;
    return cls < two_kib ? TMLRT__HEAP_BATCH : TMLRT__HEAP_BATCH >> ((cls - two_kib) / 4 + 1);
}

/* ---- The centre; all under the latch ---- */

static void heap__centre_push(heap__class_t *c, heap__block_t *batch, uint32_t count) {
    batch->count = count;
    batch->batch = c->batches;
    c->batches = batch;
    c->free += count;
}

static heap__block_t *heap__centre_pop(heap__class_t *c, uint32_t *count) {
    heap__block_t *batch = c->batches;
    if (batch == NULL) return NULL;
    c->batches = batch->batch;
    c->free -= batch->count;
    *count = batch->count;
    return batch;
}

/* The same without it. */
static void heap__centre_give(tmlrt__heap_t *heap, uint32_t cls, heap__block_t *batch,
                              uint32_t count) {
    tmlrt__latch_lock(&heap->latch);
    heap__centre_push(&heap->classes[cls], batch, count);
    tmlrt__latch_unlock(&heap->latch);
}

static void heap__flush_locked(tmlrt__heap_t *heap, tmlrt__heap_cache_t *cache) {
    for (uint32_t cls = 0; cls < TMLRT__HEAP_CLASSES; cls++) {
        heap__class_t *c = &heap->classes[cls];
        if (cache->lists[cls].free != NULL)
            heap__centre_push(c, cache->lists[cls].free, cache->lists[cls].count);
        if (cache->lists[cls].full != NULL)
            heap__centre_push(c, cache->lists[cls].full, heap__batch_of(cls));
    }
    memset(cache, 0, sizeof *cache);
}

void tmlrt__heap_flush(tmlrt__heap_t *heap, tmlrt__heap_cache_t *cache) {
    tmlrt__latch_lock(&heap->latch);
    heap__flush_locked(heap, cache);
    tmlrt__latch_unlock(&heap->latch);
}

/* ---- Slabs ---- */

static heap__slab_t *heap__slab_new(tmlrt__heap_t *heap, uint32_t cls) {
    uint32_t size = heap__class_size(cls);
    size_t   bytes = HEAP__SLAB_SIZE;
    if (bytes < HEAP__SLAB_HEADER + (size_t)HEAP__SLAB_BLOCKS * size)
        bytes = HEAP__SLAB_HEADER + (size_t)HEAP__SLAB_BLOCKS * size;
    heap__slab_t *slab = tmlrt__mem_get(&heap->mem, bytes, TMLRT__CACHE_LINE);
    if (slab == NULL) return NULL;
    slab->next = NULL;
    slab->open = NULL;
    slab->bytes = bytes;
    slab->size = size;
    slab->blocks = (uint32_t)((bytes - HEAP__SLAB_HEADER) / size);
    tmlrt__atomic_make(&slab->carved, 0);
    return slab;
}

static heap__block_t *heap__slab_block(heap__slab_t *slab, uint32_t i) {
    return (heap__block_t *)(void *)((char *)slab + HEAP__SLAB_HEADER + (size_t)i * slab->size);
}

/* Carves a batch from a slab with room that is the caller's alone. */
static heap__block_t *heap__slab_carve(heap__slab_t *slab, uint32_t batch, uint32_t *count) {
    uint32_t begin = tmlrt__load_relaxed(&slab->carved);
    uint32_t end = slab->blocks - begin < batch ? slab->blocks : begin + batch;
    for (uint32_t i = begin; i < end; i++) {
        heap__block_t *block = heap__slab_block(slab, i);
        tmlrt__atomic_make(&block->word, 0);
        block->next = i + 1 < end ? heap__slab_block(slab, i + 1) : NULL;
    }
    /* release: publishes the zero first words to walkers; pairs [HEAP-1] */
    tmlrt__store_release(&slab->carved, end);
    *count = end - begin;
    return heap__slab_block(slab, begin);
}

/* Gives a slab back after carving `count` blocks from it. */
static void heap__slab_return(tmlrt__heap_t *heap, uint32_t cls, heap__slab_t *slab, uint32_t count,
                              bool fresh) {
    heap__class_t *c = &heap->classes[cls];
    bool           room = tmlrt__load_relaxed(&slab->carved) < slab->blocks;
    tmlrt__latch_lock(&heap->latch);
    c->carved += count;
    if (room) {
        slab->open = c->open;
        c->open = slab;
    }
    if (fresh) {
        slab->next = tmlrt__load_relaxed(&heap->slabs);
        /* release: publishes the slab's constants and link to walkers; pairs [HEAP-2] */
        tmlrt__store_release(&heap->slabs, slab);
    }
    tmlrt__latch_unlock(&heap->latch);
}

/* A batch from the centre, else a carved one; NULL: no memory. */
static heap__block_t *heap__refill(tmlrt__heap_t *heap, uint32_t cls, uint32_t *count) {
    heap__class_t *c = &heap->classes[cls];
    tmlrt__latch_lock(&heap->latch);
    heap__block_t *batch = heap__centre_pop(c, count);
    heap__slab_t  *slab = NULL;
    if (batch == NULL && c->open != NULL) {
        slab = c->open;
        c->open = slab->open;
    }
    tmlrt__latch_unlock(&heap->latch);
    if (batch != NULL) return batch;

    bool fresh = slab == NULL;
    if (fresh) slab = heap__slab_new(heap, cls);
    if (slab == NULL) return NULL;
    batch = heap__slab_carve(slab, heap__batch_of(cls), count);
    heap__slab_return(heap, cls, slab, *count, fresh);
    return batch;
}

/* ---- Blocks through the caller's cache ---- */

/* Makes the batch in reserve the list, when the list is empty; false when there is none. */
static bool heap__cache_reserve(tmlrt__heap_cache_t *cache, uint32_t cls) {
    if (cache->lists[cls].full == NULL) return false;
    cache->lists[cls].free = cache->lists[cls].full;
    cache->lists[cls].full = NULL;
    cache->lists[cls].count = heap__batch_of(cls);
    return true;
}

/* The same, else from the centre; false: no memory. */
static bool heap__cache_fill(tmlrt__heap_t *heap, tmlrt__heap_cache_t *cache, uint32_t cls) {
    if (heap__cache_reserve(cache, cls)) return true;
    uint32_t       count = 0;
    heap__block_t *batch = heap__refill(heap, cls, &count);
    if (batch == NULL) return false;
    cache->lists[cls].free = batch;
    cache->lists[cls].count = count;
    return true;
}

static inline heap__block_t *heap__cache_pop(tmlrt__heap_cache_t *cache, uint32_t cls) {
    heap__block_t *block = cache->lists[cls].free;
    cache->lists[cls].free = block->next;
    cache->lists[cls].count--;
    return block;
}

static inline bool heap__cache_has_room(const tmlrt__heap_cache_t *cache, uint32_t cls) {
    return cache->lists[cls].count != heap__batch_of(cls);
}

/* Pushes a block; returns a whole batch that has to go to the centre, or NULL. */
static inline heap__block_t *heap__cache_push(tmlrt__heap_cache_t *cache, uint32_t cls,
                                              heap__block_t *block) {
    heap__block_t *spilt = NULL;
    if (!heap__cache_has_room(cache, cls)) {
        spilt = cache->lists[cls].full;
        cache->lists[cls].full = cache->lists[cls].free;
        cache->lists[cls].free = NULL;
        cache->lists[cls].count = 0;
    }
    block->next = cache->lists[cls].free;
    cache->lists[cls].free = block;
    cache->lists[cls].count++;
    return spilt;
}

/* ---- Blocks of threads without a cache ---- */

static heap__block_t *heap__shared_get(tmlrt__heap_t *heap, uint32_t cls) {
    heap__shared_t *own = &heap->shared[tmlrt__stripe()];
    heap__block_t  *block = NULL;
    tmlrt__latch_lock(&own->latch);
    if (own->cache.lists[cls].free != NULL || heap__cache_reserve(&own->cache, cls))
        block = heap__cache_pop(&own->cache, cls);
    tmlrt__latch_unlock(&own->latch);
    if (block != NULL) return block;

    uint32_t count = 0;
    block = heap__refill(heap, cls, &count);
    if (block == NULL || count == 1) return block;
    /* Others may have filled the list meanwhile: then the rest goes to the centre. */
    heap__block_t *rest = block->next;
    tmlrt__latch_lock(&own->latch);
    bool empty = own->cache.lists[cls].free == NULL;
    if (empty) {
        own->cache.lists[cls].free = rest;
        own->cache.lists[cls].count = count - 1;
    }
    tmlrt__latch_unlock(&own->latch);
    if (!empty) heap__centre_give(heap, cls, rest, count - 1);
    return block;
}

static void heap__free(tmlrt__heap_t *heap);

/* A block of an orphan came back; frees the heap with the last one. Unlocks. */
static void heap__orphan_unlock(tmlrt__heap_t *heap) {
    bool last = --heap->out == 0;
    /* Unlocking is one store, and the last touch of everyone but the last. */
    tmlrt__latch_unlock(&heap->latch);
    if (last) heap__free(heap);
}

static void heap__shared_put(tmlrt__heap_t *heap, uint32_t cls, heap__block_t *block) {
    heap__shared_t *own = &heap->shared[tmlrt__stripe()];
    tmlrt__latch_lock(&own->latch);
    if (heap->orphan) {
        tmlrt__latch_unlock(&own->latch); /* our block is out, so the heap stays */
        tmlrt__latch_lock(&heap->latch);
        heap__orphan_unlock(heap);
        return;
    }
    /* A batch on its way is in nobody's count: a close must not come in between. */
    heap__block_t *spilt = heap__cache_push(&own->cache, cls, block);
    if (spilt != NULL) heap__centre_give(heap, cls, spilt, heap__batch_of(cls));
    tmlrt__latch_unlock(&own->latch);
}

/* ---- Large blocks ---- */

static void *heap__large_get(tmlrt__heap_t *heap, size_t size) {
    if (size > SIZE_MAX - sizeof(heap__large_t)) return NULL;
    size_t         bytes = sizeof(heap__large_t) + size;
    heap__large_t *large = tmlrt__mem_get(&heap->mem, bytes, TMLRT__HEAP_STEP);
    if (large == NULL) return NULL;
    tmlrt__atomic_u64 *word = (tmlrt__atomic_u64 *)(void *)(large + 1);
    tmlrt__atomic_make(word, 0);
    large->prev = NULL;
    large->dying = NULL;
    large->bytes = bytes;
    tmlrt__latch_lock(&heap->latch);
    large->next = heap->large;
    if (large->next != NULL) large->next->prev = large;
    heap->large = large;
    heap->large_out++;
    tmlrt__latch_unlock(&heap->latch);
    return large + 1;
}

/* Under the latch. */
static void heap__large_unlink(tmlrt__heap_t *heap, heap__large_t *large) {
    if (large->prev != NULL)
        large->prev->next = large->next;
    else
        heap->large = large->next;
    if (large->next != NULL) large->next->prev = large->prev;
}

/* The block is counted after it has gone, so that nobody finds the heap empty, and ends it, while
 * the allocator is still at work. */
static void heap__large_put(tmlrt__heap_t *heap, void *block) {
    heap__large_t *large = (heap__large_t *)block - 1;
    tmlrt__latch_lock(&heap->latch);
    if (heap->walkers != 0) {
        large->dying = heap->dying;
        heap->dying = large;
        heap->large_out--;
        tmlrt__latch_unlock(&heap->latch);
        return;
    }
    heap__large_unlink(heap, large);
    tmlrt__latch_unlock(&heap->latch);
    tmlrt__mem_put(&heap->mem, large, large->bytes, TMLRT__HEAP_STEP);

    tmlrt__latch_lock(&heap->latch);
    if (heap->orphan) {
        heap__orphan_unlock(heap);
        return;
    }
    heap->large_out--;
    tmlrt__latch_unlock(&heap->latch);
}

/* ---- Get and put ---- */

/* Kept out of line, so that the quick ways below save no registers. */
static TMLRT__NOINLINE void *heap__get_slowly(tmlrt__heap_t *heap, tmlrt__heap_cache_t *cache,
                                              size_t size, uint16_t *cls) {
    if (size > HEAP__MAX_SIZE) {
        *cls = TMLRT__HEAP_LARGE;
        return heap__large_get(heap, size);
    }
    uint32_t c = heap__class_of(size);
    *cls = (uint16_t)c;
    if (cache == NULL) return heap__shared_get(heap, c);
    if (cache->lists[c].free == NULL && !heap__cache_fill(heap, cache, c)) return NULL;
    return heap__cache_pop(cache, c);
}

void *tmlrt__heap_get(tmlrt__heap_t *heap, tmlrt__heap_cache_t *cache, size_t size, uint16_t *cls) {
    if (cache != NULL && size <= TMLRT__HEAP_SMALL) {
        uint32_t c = heap__small_class_of(size);
        if (cache->lists[c].free != NULL) {
            *cls = (uint16_t)c;
            return heap__cache_pop(cache, c);
        }
    }
    return heap__get_slowly(heap, cache, size, cls);
}

static TMLRT__NOINLINE void heap__put_slowly(tmlrt__heap_t *heap, tmlrt__heap_cache_t *cache,
                                             void *block, uint16_t cls) {
    if (cls == TMLRT__HEAP_LARGE) {
        heap__large_put(heap, block);
        return;
    }
    if (cache == NULL) {
        heap__shared_put(heap, cls, block);
        return;
    }
    heap__block_t *spilt = heap__cache_push(cache, cls, block);
    if (spilt != NULL) heap__centre_give(heap, cls, spilt, heap__batch_of(cls));
}

void tmlrt__heap_put(tmlrt__heap_t *heap, tmlrt__heap_cache_t *cache, void *block, uint16_t cls) {
    assert(tmlrt__load_relaxed((tmlrt__atomic_u64 *)block) == 0);
    if (cache != NULL && cls != TMLRT__HEAP_LARGE && heap__cache_has_room(cache, cls))
        (void)heap__cache_push(cache, cls, block);
    else
        heap__put_slowly(heap, cache, block, cls);
}

/* ---- Walking ---- */

static void heap__visit(void *block, void (*fn)(void *ctx, void *block), void *ctx) {
    /* acquire: observes what the owner of the block wrote before it made the word non-zero; pairs
     * with the owner's release store of it */
    if (tmlrt__load_acquire((tmlrt__atomic_u64 *)block) != 0) fn(ctx, block);
}

static void heap__walk_slabs(tmlrt__heap_t *heap, void (*fn)(void *ctx, void *block), void *ctx) {
    /* acquire: observes the slab's constants and link; pairs [HEAP-2] */
    heap__slab_t *slab = tmlrt__load_acquire(&heap->slabs);
    for (; slab != NULL; slab = slab->next) {
        /* acquire: observes the zero first words; pairs [HEAP-1] */
        uint32_t carved = tmlrt__load_acquire(&slab->carved);
        for (uint32_t i = 0; i < carved; i++)
            heap__visit(heap__slab_block(slab, i), fn, ctx);
    }
}

/* While anybody walks, large blocks are only added, in front of all others: what follows a listed
 * block stays as it is and needs no latch. */
static void heap__walk_large(tmlrt__heap_t *heap, void (*fn)(void *ctx, void *block), void *ctx) {
    tmlrt__latch_lock(&heap->latch);
    heap->walkers++;
    heap__large_t *large = heap->large;
    tmlrt__latch_unlock(&heap->latch);

    for (; large != NULL; large = large->next)
        heap__visit(large + 1, fn, ctx);

    heap__large_t *dying = NULL;
    tmlrt__latch_lock(&heap->latch);
    if (--heap->walkers == 0) {
        dying = heap->dying;
        heap->dying = NULL;
        for (heap__large_t *d = dying; d != NULL; d = d->dying)
            heap__large_unlink(heap, d);
    }
    tmlrt__latch_unlock(&heap->latch);
    while (dying != NULL) {
        heap__large_t *next = dying->dying;
        tmlrt__mem_put(&heap->mem, dying, dying->bytes, TMLRT__HEAP_STEP);
        dying = next;
    }
}

void tmlrt__heap_walk(tmlrt__heap_t *heap, void (*fn)(void *ctx, void *block), void *ctx) {
    heap__walk_slabs(heap, fn, ctx);
    heap__walk_large(heap, fn, ctx);
}

/* ---- Beginning and end ---- */

int tmlrt__heap_create(tmlrt__heap_t **heap, const tmlrt_allocator_t *mem) {
    tmlrt__heap_t *h = tmlrt__mem_zero(mem, sizeof *h, TMLRT__CACHE_LINE);
    if (h == NULL) return TMLRT_ENOMEM;
    h->mem = *mem;
    *heap = h;
    return 0;
}

static void heap__free(tmlrt__heap_t *heap) {
    tmlrt_allocator_t mem = heap->mem;
    heap__slab_t     *slab = tmlrt__load_relaxed(&heap->slabs);
    while (slab != NULL) {
        heap__slab_t *next = slab->next;
        tmlrt__mem_put(&mem, slab, slab->bytes, TMLRT__CACHE_LINE);
        slab = next;
    }
    tmlrt__mem_put(&mem, heap, sizeof *heap, TMLRT__CACHE_LINE);
}

size_t tmlrt__heap_close(tmlrt__heap_t *heap) {
    for (uint32_t i = 0; i < TMLRT__STRIPES; i++)
        tmlrt__latch_lock(&heap->shared[i].latch);
    tmlrt__latch_lock(&heap->latch);
    for (uint32_t i = 0; i < TMLRT__STRIPES; i++)
        heap__flush_locked(heap, &heap->shared[i].cache);
    size_t out = heap->large_out;
    for (uint32_t cls = 0; cls < TMLRT__HEAP_CLASSES; cls++)
        out += heap->classes[cls].carved - heap->classes[cls].free;
    heap->orphan = true;
    heap->out = out;
    /* The heap's own latch last: whoever puts the last block needs it to free the heap. */
    for (uint32_t i = 0; i < TMLRT__STRIPES; i++)
        tmlrt__latch_unlock(&heap->shared[i].latch);
    tmlrt__latch_unlock(&heap->latch);
    if (out == 0) heap__free(heap);
    return out;
}
