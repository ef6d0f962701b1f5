/* SPDX-License-Identifier: MIT */
/*
 * fd_bits.c: see fd_bits.h.
 */
#include "fd_bits.h"

#include <tmlrt/error.h>

#include "../compiler.h"

/* Chunk k has FIRST << k bits. */
#define BITS__FIRST 4096u

typedef struct bits__place {
    uint32_t chunk, word;
    uint64_t bit;
} bits__place_t;

static bits__place_t bits__place(int fd) {
    uint32_t k = 31u - tmlrt__clz32((uint32_t)fd / BITS__FIRST + 1);
    uint32_t offset = (uint32_t)fd - BITS__FIRST * ((1u << k) - 1);
    return (bits__place_t){k, offset / 64, UINT64_C(1) << offset % 64};
}

static size_t bits__size(uint32_t k) {
    return (size_t)(BITS__FIRST << k) / 8;
}

/* The chunk, made if it is not there; NULL: no memory. */
static tmlrt__atomic_u64 *bits__chunk(tmlrt__fd_bits_t *b, const tmlrt_allocator_t *mem,
                                      uint32_t k) {
    /* acquire: observes the zeroed chunk; pairs [FDB-1] */
    void *chunk = tmlrt__load_acquire(&b->chunk[k]);
    if (chunk != NULL) return chunk;
    void *fresh = tmlrt__mem_zero(mem, bits__size(k), _Alignof(tmlrt__atomic_u64));
    if (fresh == NULL) return NULL;
    /* release: publishes the zeroed chunk; acquire: observes another's; pairs [FDB-1] */
    if (tmlrt__cas_strong_acq_rel(&b->chunk[k], &chunk, fresh)) return fresh;
    tmlrt__mem_put(mem, fresh, bits__size(k), _Alignof(tmlrt__atomic_u64));
    return chunk;
}

int tmlrt__fd_bits_put(tmlrt__fd_bits_t *b, const tmlrt_allocator_t *mem, int fd) {
    bits__place_t      at = bits__place(fd);
    tmlrt__atomic_u64 *words = bits__chunk(b, mem, at.chunk);
    if (words == NULL) return TMLRT_ENOMEM;
    /* acquire: what the last one did with the descriptor comes before; pairs [FDB-2] */
    uint64_t before = tmlrt__fetch_or_acquire(&words[at.word], at.bit);
    return (before & at.bit) != 0 ? TMLRT_EEXIST : TMLRT_OK;
}

void tmlrt__fd_bits_take(tmlrt__fd_bits_t *b, int fd) {
    bits__place_t      at = bits__place(fd);
    tmlrt__atomic_u64 *words = tmlrt__load_relaxed(&b->chunk[at.chunk]);
    /* release: our use of the descriptor is over; pairs [FDB-2] */
    tmlrt__fetch_and_release(&words[at.word], ~at.bit);
}

void tmlrt__fd_bits_end(tmlrt__fd_bits_t *b, const tmlrt_allocator_t *mem) {
    for (uint32_t k = 0; k < TMLRT__FD_BITS_CHUNKS; k++) {
        void *chunk = tmlrt__load_relaxed(&b->chunk[k]);
        if (chunk != NULL) tmlrt__mem_put(mem, chunk, bits__size(k), _Alignof(tmlrt__atomic_u64));
    }
}
