/* SPDX-License-Identifier: MIT */
/*
 * sized.h: structs that a caller fills begin with size_t struct_size and grow only at the end. A
 * caller built against an older header passes a shorter one: the missing tail is defaults, that is
 * zeros. One built against a newer header passes a longer one: fine as long as the tail that we do
 * not know is all zero.
 */
#ifndef TMLRT__SIZED_H
#define TMLRT__SIZED_H

#include <stddef.h>
#include <string.h>

/* 0 when the struct at `src` can be read as one of `known` bytes, its tail being zero. Those of
 * this first version may not be shorter. */
static inline int tmlrt__sized_check(const void *src, size_t known) {
    size_t size;
    memcpy(&size, src, sizeof size);
    if (size == known) return 0;
    if (size < known) return -1;
    const unsigned char *p = src;
    for (size_t i = known; i < size; i++)
        if (p[i] != 0) return -1;
    return 0;
}

#endif
