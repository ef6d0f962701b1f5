/* SPDX-License-Identifier: MIT */
/*
 * content.h: what the server serves and the load generator expects.
 *
 *   /          a short text
 *   /bytes/N   N bytes (up to CONTENT_MAX_BYTES): the 64 characters 0-9 A-Z a-z - _, repeated
 *
 * A content is a view into constant memory that repeats, so it costs no memory of its own. All
 * functions may be called from any thread.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include <stddef.h>
#include <stdint.h>

#define CONTENT_MAX_BYTES (UINT64_C(1) << 30)

typedef struct {
    const char *base;   /* `period` bytes */
    size_t      period; /* a multiple of the pattern */
    uint64_t    size;
} content_t;

/* Finds what `path` (`length` bytes, without a query) names. Returns 0, or -1 when there is no such
 * content. */
int content_find(const char *path, size_t length, content_t *content);

/* The bytes from `offset` on: a pointer to them and, in *size, how many lie there in one piece (0
 * at the end). */
const char *content_at(const content_t *content, uint64_t offset, size_t *size);

#endif
