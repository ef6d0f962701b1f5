/* SPDX-License-Identifier: MIT */
/*
 * allocs.h: an allocator that counts, and checks that what is given back is what was given out.
 */
#ifndef TESTS_SUPPORT_ALLOCS_H
#define TESTS_SUPPORT_ALLOCS_H

#include <stdatomic.h>
#include <stddef.h>

#include <tmlrt.h>

typedef struct allocs {
    atomic_llong blocks, bytes; /* out now */
    atomic_llong calls;         /* of alloc */
    atomic_llong fail_at;       /* this call (counted from 1) and all later ones fail; 0: none */
} allocs_t;

/* An allocator whose context is `a`. */
tmlrt_allocator_t allocs_of(allocs_t *a);

#endif
