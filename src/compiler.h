/* SPDX-License-Identifier: MIT */
/*
 * compiler.h - what C11 has no words for, by the name of its purpose: the only
 * file (beside atomic.h, for fences and pauses) that knows GCC and Clang from
 * MSVC.
 */
#ifndef TMLRT_SRC_COMPILER_H
#define TMLRT_SRC_COMPILER_H

#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)

#define TMLRT__NOINLINE __attribute__((noinline))

/* Zero bits above the highest, or below the lowest one; `x` is not 0. */
static inline unsigned tmlrt__clz32(uint32_t x) {
    return (unsigned)__builtin_clz(x);
}

static inline unsigned tmlrt__clz64(uint64_t x) {
    return (unsigned)__builtin_clzll(x);
}

static inline unsigned tmlrt__ctz64(uint64_t x) {
    return (unsigned)__builtin_ctzll(x);
}

#elif defined(_MSC_VER)

#include <intrin.h>

#define TMLRT__NOINLINE __declspec(noinline)

static inline unsigned tmlrt__clz64(uint64_t x) {
    unsigned long at;
    _BitScanReverse64(&at, x);
    return 63u - (unsigned)at;
}

static inline unsigned tmlrt__clz32(uint32_t x) {
    return tmlrt__clz64(x) - 32u;
}

static inline unsigned tmlrt__ctz64(uint64_t x) {
    unsigned long at;
    _BitScanForward64(&at, x);
    return (unsigned)at;
}

#else
#error "tmlrt: unknown compiler (see compiler.h)"
#endif

/* Runs when the library is unloaded, or the program ends. */
#if defined(_MSC_VER)
/* A pointer among those that the C library calls at the start; named to the linker, which would leave
 * out what nobody refers to. */
#include <stdlib.h>

#if defined(_M_IX86)
#define TMLRT__KEEP_SYMBOL(name) __pragma(comment(linker, "/include:_" #name))
#else
#define TMLRT__KEEP_SYMBOL(name) __pragma(comment(linker, "/include:" #name))
#endif
#define TMLRT__AT_UNLOAD(name)                                                                     \
    static void name(void);                                                                        \
    static int __cdecl name##__set(void) {                                                         \
        return atexit(name);                                                                       \
    }                                                                                              \
    TMLRT__KEEP_SYMBOL(tmlrt__at_##name)                                                           \
    __pragma(section(".CRT$XIU", read)) __declspec(allocate(".CRT$XIU")) int(                      \
        __cdecl * tmlrt__at_##name)(void) = name##__set;                                           \
    static void name(void)
#else
#define TMLRT__AT_UNLOAD(name) __attribute__((destructor)) static void name(void)
#endif

#endif /* TMLRT_SRC_COMPILER_H */
