/* SPDX-License-Identifier: MIT */
/*
 * content.c: the two contents. The repeated bytes lie in one constant of 16 KiB, made by the
 * compiler, so that large answers go out in large pieces.
 */
#include "content.h"

#include <string.h>

#define BYTES_64  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
#define BYTES_256 BYTES_64 BYTES_64 BYTES_64 BYTES_64
#define BYTES_1K  BYTES_256 BYTES_256 BYTES_256 BYTES_256

/* Rows, since a string constant is at most 4,095 characters long in portable C. */
static const char bytes[16][1024] = {BYTES_1K, BYTES_1K, BYTES_1K, BYTES_1K, BYTES_1K, BYTES_1K,
                                     BYTES_1K, BYTES_1K, BYTES_1K, BYTES_1K, BYTES_1K, BYTES_1K,
                                     BYTES_1K, BYTES_1K, BYTES_1K, BYTES_1K};

static const char text[] = "Hello from libtmlrt.\n";
static const char prefix[] = "/bytes/";

/* Reads 1 to 10 digits; -1 for anything else. */
static int parse_size(const char *digits, size_t length, uint64_t *size) {
    if (length == 0 || length > 10) return -1;
    *size = 0;
    for (size_t i = 0; i < length; i++) {
        if (digits[i] < '0' || digits[i] > '9') return -1;
        *size = *size * 10 + (uint64_t)(digits[i] - '0');
    }
    return *size <= CONTENT_MAX_BYTES ? 0 : -1;
}

int content_find(const char *path, size_t length, content_t *content) {
    const size_t prefix_length = sizeof prefix - 1;
    if (length == 1 && path[0] == '/') {
        content->base = text;
        content->period = sizeof text - 1;
        content->size = sizeof text - 1;
        return 0;
    }
    if (length <= prefix_length || memcmp(path, prefix, prefix_length) != 0) return -1;
    content->base = bytes[0];
    content->period = sizeof bytes;
    return parse_size(path + prefix_length, length - prefix_length, &content->size);
}

const char *content_at(const content_t *content, uint64_t offset, size_t *size) {
    size_t   start = (size_t)(offset % content->period);
    size_t   piece = content->period - start;
    uint64_t left = offset < content->size ? content->size - offset : 0;
    *size = piece < left ? piece : (size_t)left;
    return content->base + start;
}
