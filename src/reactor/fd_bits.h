/* SPDX-License-Identifier: MIT */
/*
 * fd_bits.h: a set of descriptors: which foreign ones a driver has. epoll knows that itself; a kqueue
 * takes a second registration of the same descriptor for a change of the first one.
 *
 * Bits in chunks that double in size and are made when a descriptor first falls into them; they stay
 * until the set ends. Any thread, without a lock.
 */
#ifndef TMLRT__FD_BITS_H
#define TMLRT__FD_BITS_H

#include "../alloc.h"
#include "../atomic.h"

#define TMLRT__FD_BITS_CHUNKS 20u /* room for every int */

/* All-zero is the empty set. */
typedef struct tmlrt__fd_bits {
    tmlrt__atomic_ptr chunk[TMLRT__FD_BITS_CHUNKS]; /* any thread; set once */
} tmlrt__fd_bits_t;

/* Puts `fd` (not negative) in: TMLRT_OK, TMLRT_EEXIST, TMLRT_ENOMEM. */
int tmlrt__fd_bits_put(tmlrt__fd_bits_t *b, const tmlrt_allocator_t *mem, int fd);
/* Takes it out; it is in. */
void tmlrt__fd_bits_take(tmlrt__fd_bits_t *b, int fd);
/* Nobody uses the set any more. */
void tmlrt__fd_bits_end(tmlrt__fd_bits_t *b, const tmlrt_allocator_t *mem);

#endif
