/* SPDX-License-Identifier: MIT */
/*
 * copy.h: copying the items of channels, whose size is known at run time alone. The usual small
 * sizes are a load and a store; the others cost a call.
 */
#ifndef TMLRT__COPY_H
#define TMLRT__COPY_H

#include <stddef.h>
#include <string.h>

/* `size` bytes that do not overlap; with 0 the pointers may be NULL. */
static inline void tmlrt__copy(void *to, const void *from, size_t size) {
    switch (size) {
    case 0: break;
    case 4: memcpy(to, from, 4); break;
    case 8: memcpy(to, from, 8); break;
    case 16: memcpy(to, from, 16); break;
    default: memcpy(to, from, size); break;
    }
}

#endif
