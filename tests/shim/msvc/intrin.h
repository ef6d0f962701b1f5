/* SPDX-License-Identifier: MIT */
/*
 * intrin.h of cmake/check_clangcl.sh: what the library uses of it; clang's own needs __attribute__,
 * which mingw's headers define away.
 */
#ifndef SHIM_MSVC_INTRIN_H
#define SHIM_MSVC_INTRIN_H

unsigned char _BitScanReverse64(unsigned long *at, unsigned long long x);
unsigned char _BitScanForward64(unsigned long *at, unsigned long long x);
void          _mm_pause(void);

#endif
