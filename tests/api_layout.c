/* SPDX-License-Identifier: MIT */
/*
 * api_layout.c: the layouts that docs/codegen.md tells compilers, on the target that this is compiled
 * for. layout.inc is made from the headers together with that document.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <tmlrt.h>
#include <tmlrt/tml.h>

#if UINTPTR_MAX == UINT64_MAX

#ifdef LAYOUT_STATIC /* a compiler that builds for another machine may say it all */

#define LAYOUT_TYPE(type, bytes, align)                                                            \
    _Static_assert(sizeof(type) == (bytes) && _Alignof(type) == (align), #type);
#define LAYOUT_FIELD(type, field, offset, bytes)                                                   \
    _Static_assert(offsetof(type, field) == (offset) && sizeof(((type *)0)->field) == (bytes),     \
                   #type "." #field);
#include "support/layout.inc"

#else

static int failed, checked;

static void check(size_t is, size_t told, const char *what) {
    checked++;
    if (is == told) return;
    failed++;
    printf("%s is %zu, and the document says %zu\n", what, is, told);
}

int main(void) {
#define LAYOUT_TYPE(type, bytes, align)                                                            \
    check(sizeof(type), bytes, "the size of " #type);                                              \
    check(_Alignof(type), align, "the alignment of " #type);
#define LAYOUT_FIELD(type, field, offset, bytes)                                                   \
    check(offsetof(type, field), offset, "the offset of " #type "." #field);                       \
    check(sizeof(((type *)0)->field), bytes, "the size of " #type "." #field);
#include "support/layout.inc"
    printf("api_layout: %d numbers\n", checked);
    return failed != 0 || checked == 0;
}

#endif
#else

int main(void) {
    printf("skipped: the document is about 64-bit targets\n");
    return 77;
}

#endif
