/* SPDX-License-Identifier: MIT */
/*
 * atomic.h - named atomic operations; the only file that includes <stdatomic.h>.
 *
 * An operation's name says its order: tmlrt__load_acquire, tmlrt__store_release,
 * tmlrt__fetch_add_acq_rel. There is no default order. All are macros, so that
 * one source compiles three ways:
 *
 *   plain         C11 <stdatomic.h>.
 *   TMLRT_MODEL   C++03 under the Relacy race detector: each operation is a
 *                 scheduling point and each order is checked.
 *   TSan          ThreadSanitizer does not understand fences. There each fence
 *                 is a seq_cst read-modify-write of one dummy word: two fences
 *                 are then ordered by that word, which gives the checker every
 *                 happens-before edge between a fence and a fence. An edge from
 *                 a fence to an acquire load (or from a release store to a
 *                 fence) would be missed, so code here does not rely on those.
 *
 * All-zero memory is a valid initial state (value 0 or NULL, latch free) for
 * every type in C. Raw memory that holds atomics goes through
 * tmlrt__atomic_make / _unmake, which the model checker needs.
 *
 * A failed compare-and-swap has the order acquire (acquire, acq_rel), relaxed
 * (relaxed, release) or seq_cst (seq).
 */
#ifndef TMLRT_SRC_ATOMIC_H
#define TMLRT_SRC_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TMLRT__CACHE_LINE 64

#if defined(TMLRT_MODEL)

/* ---- Relacy: C++03, every operation carries its place in the source ($) ---- */

#include <new>
#include <relacy/relacy.hpp>
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free

typedef rl::atomic<uint8_t>  tmlrt__atomic_u8;
typedef rl::atomic<uint32_t> tmlrt__atomic_u32;
typedef rl::atomic<uint64_t> tmlrt__atomic_u64;
typedef rl::atomic<int64_t>  tmlrt__atomic_i64;
typedef rl::atomic<size_t>   tmlrt__atomic_size;
typedef rl::atomic<void *>   tmlrt__atomic_ptr;

template <typename T, typename V> inline void tmlrt__model_make(rl::atomic<T> *p, V v) {
    ::new ((void *)p) rl::atomic<T>();
    p->store((T)v, rl::mo_relaxed, $);
}
template <typename T> inline void tmlrt__model_unmake(rl::atomic<T> *p) {
    p->~atomic();
}

#define tmlrt__atomic_make(p, v) tmlrt__model_make((p), (v))
#define tmlrt__atomic_unmake(p)  tmlrt__model_unmake(p)

#define TMLRT__OP_LOAD(p, mo)       (p)->load(rl::mo, $)
#define TMLRT__OP_STORE(p, v, mo)   (p)->store((v), rl::mo, $)
#define TMLRT__OP_SWAP(p, v, mo)    (p)->exchange((v), rl::mo, $)
#define TMLRT__OP_RMW(op, p, v, mo) (p)->fetch_##op((v), rl::mo, $)
#define TMLRT__OP_CAS(how, p, e, d, mo, fail)                                                      \
    (p)->compare_exchange_##how(*(e), (d), rl::mo, $, rl::fail, $)
#define TMLRT__OP_FENCE(mo) rl::atomic_thread_fence(rl::mo, $)

#define TMLRT__MO_RELAXED mo_relaxed
#define TMLRT__MO_ACQUIRE mo_acquire
#define TMLRT__MO_RELEASE mo_release
#define TMLRT__MO_ACQ_REL mo_acq_rel
#define TMLRT__MO_SEQ     mo_seq_cst

/* A spinning thread must hand the turn to the others, or the search never ends. */
#define tmlrt__cpu_pause() rl::yield(1, $)
#define tmlrt__prefetch(p) ((void)(p))

/* Plain shared data: the checker reports a race on it. */
#define TMLRT__VAR(T)        rl::var<T>
#define tmlrt__var_get(p)    ((*(p))($).load())
#define tmlrt__var_set(p, v) ((*(p))($).store(v))

/* The same for a field that the code uses as if it were a bare T. */
template <typename T> struct tmlrt__model_watched {
    mutable rl::var<T> var;
    tmlrt__model_watched() {}
    tmlrt__model_watched(T v) { var($).store(v); }
      operator T() const { return var($).load(); }
    T operator->() const { return var($).load(); }
    T operator=(T v) {
        var($).store(v);
        return v;
    }
    T operator=(const tmlrt__model_watched &other) { return *this = (T)other; }
};
#define TMLRT__WATCHED(T) tmlrt__model_watched<T>

/* Checked objects are larger than real ones; padding would mean nothing. */
#define TMLRT__PAD(used) 1

#else /* !TMLRT_MODEL */

/* ---- C11 ---- */

#include <stdatomic.h>

typedef _Atomic(uint8_t)  tmlrt__atomic_u8;
typedef _Atomic(uint32_t) tmlrt__atomic_u32;
typedef _Atomic(uint64_t) tmlrt__atomic_u64;
typedef _Atomic(int64_t)  tmlrt__atomic_i64;
typedef _Atomic(size_t)   tmlrt__atomic_size;
typedef _Atomic(void *)   tmlrt__atomic_ptr;

#define tmlrt__atomic_make(p, v) atomic_init((p), (v))
#define tmlrt__atomic_unmake(p)  ((void)(p))

#define TMLRT__OP_LOAD(p, mo)       atomic_load_explicit((p), mo)
#define TMLRT__OP_STORE(p, v, mo)   atomic_store_explicit((p), (v), mo)
#define TMLRT__OP_SWAP(p, v, mo)    atomic_exchange_explicit((p), (v), mo)
#define TMLRT__OP_RMW(op, p, v, mo) atomic_fetch_##op##_explicit((p), (v), mo)
#define TMLRT__OP_CAS(how, p, e, d, mo, fail)                                                      \
    atomic_compare_exchange_##how##_explicit((p), (e), (d), mo, fail)

#define TMLRT__MO_RELAXED memory_order_relaxed
#define TMLRT__MO_ACQUIRE memory_order_acquire
#define TMLRT__MO_RELEASE memory_order_release
#define TMLRT__MO_ACQ_REL memory_order_acq_rel
#define TMLRT__MO_SEQ     memory_order_seq_cst

#if defined(__SANITIZE_THREAD__)
#define TMLRT__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TMLRT__TSAN 1
#endif
#endif

#if defined(TMLRT__TSAN)
/* One word for the whole program: weak, so that every file may define it. */
__attribute__((weak, visibility("hidden"))) _Atomic(uint32_t) tmlrt__tsan_fence_word;
#define TMLRT__OP_FENCE(mo)                                                                        \
    ((void)atomic_fetch_add_explicit(&tmlrt__tsan_fence_word, 1, memory_order_seq_cst))
#else
#define TMLRT__OP_FENCE(mo) atomic_thread_fence(mo)
#endif

#if defined(_MSC_VER)
#include <intrin.h>
#endif
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#define tmlrt__cpu_pause() _mm_pause()
#elif defined(_MSC_VER) && defined(_M_ARM64)
#define tmlrt__cpu_pause() __yield()
#elif defined(__x86_64__) || defined(__i386__)
#define tmlrt__cpu_pause() __builtin_ia32_pause()
#elif defined(__aarch64__) || defined(__arm__)
#define tmlrt__cpu_pause() __asm__ __volatile__("yield" ::: "memory")
#else
#define tmlrt__cpu_pause() ((void)0)
#endif

/* A hint: the line at `p`, which may be stale or nothing, will be written soon. */
#if defined(__GNUC__) || defined(__clang__)
#define tmlrt__prefetch(p) __builtin_prefetch((p), 1)
#else
#define tmlrt__prefetch(p) ((void)(p))
#endif

#define TMLRT__WATCHED(T)    T
#define TMLRT__VAR(T)        T
#define tmlrt__var_get(p)    (*(p))
#define tmlrt__var_set(p, v) ((void)(*(p) = (v)))

/* Bytes that move the next field a cache line away from one of `used` bytes. */
#define TMLRT__PAD(used)     (TMLRT__CACHE_LINE - (used))

#endif /* TMLRT_MODEL */

/* ---- The named operations ---- */

#define tmlrt__load_relaxed(p) TMLRT__OP_LOAD(p, TMLRT__MO_RELAXED)
#define tmlrt__load_acquire(p) TMLRT__OP_LOAD(p, TMLRT__MO_ACQUIRE)
#define tmlrt__load_seq(p)     TMLRT__OP_LOAD(p, TMLRT__MO_SEQ)

#define tmlrt__store_relaxed(p, v) TMLRT__OP_STORE(p, v, TMLRT__MO_RELAXED)
#define tmlrt__store_release(p, v) TMLRT__OP_STORE(p, v, TMLRT__MO_RELEASE)
#define tmlrt__store_seq(p, v)     TMLRT__OP_STORE(p, v, TMLRT__MO_SEQ)

#define tmlrt__swap_relaxed(p, v) TMLRT__OP_SWAP(p, v, TMLRT__MO_RELAXED)
#define tmlrt__swap_acquire(p, v) TMLRT__OP_SWAP(p, v, TMLRT__MO_ACQUIRE)
#define tmlrt__swap_release(p, v) TMLRT__OP_SWAP(p, v, TMLRT__MO_RELEASE)
#define tmlrt__swap_acq_rel(p, v) TMLRT__OP_SWAP(p, v, TMLRT__MO_ACQ_REL)
#define tmlrt__swap_seq(p, v)     TMLRT__OP_SWAP(p, v, TMLRT__MO_SEQ)

#define tmlrt__fetch_add_relaxed(p, v) TMLRT__OP_RMW(add, p, v, TMLRT__MO_RELAXED)
#define tmlrt__fetch_add_acquire(p, v) TMLRT__OP_RMW(add, p, v, TMLRT__MO_ACQUIRE)
#define tmlrt__fetch_add_release(p, v) TMLRT__OP_RMW(add, p, v, TMLRT__MO_RELEASE)
#define tmlrt__fetch_add_acq_rel(p, v) TMLRT__OP_RMW(add, p, v, TMLRT__MO_ACQ_REL)
#define tmlrt__fetch_add_seq(p, v)     TMLRT__OP_RMW(add, p, v, TMLRT__MO_SEQ)

#define tmlrt__fetch_sub_relaxed(p, v) TMLRT__OP_RMW(sub, p, v, TMLRT__MO_RELAXED)
#define tmlrt__fetch_sub_acquire(p, v) TMLRT__OP_RMW(sub, p, v, TMLRT__MO_ACQUIRE)
#define tmlrt__fetch_sub_release(p, v) TMLRT__OP_RMW(sub, p, v, TMLRT__MO_RELEASE)
#define tmlrt__fetch_sub_acq_rel(p, v) TMLRT__OP_RMW(sub, p, v, TMLRT__MO_ACQ_REL)
#define tmlrt__fetch_sub_seq(p, v)     TMLRT__OP_RMW(sub, p, v, TMLRT__MO_SEQ)

#define tmlrt__fetch_or_relaxed(p, v) TMLRT__OP_RMW(or, p, v, TMLRT__MO_RELAXED)
#define tmlrt__fetch_or_acquire(p, v) TMLRT__OP_RMW(or, p, v, TMLRT__MO_ACQUIRE)
#define tmlrt__fetch_or_release(p, v) TMLRT__OP_RMW(or, p, v, TMLRT__MO_RELEASE)
#define tmlrt__fetch_or_acq_rel(p, v) TMLRT__OP_RMW(or, p, v, TMLRT__MO_ACQ_REL)
#define tmlrt__fetch_or_seq(p, v)     TMLRT__OP_RMW(or, p, v, TMLRT__MO_SEQ)

#define tmlrt__fetch_and_relaxed(p, v) TMLRT__OP_RMW(and, p, v, TMLRT__MO_RELAXED)
#define tmlrt__fetch_and_acquire(p, v) TMLRT__OP_RMW(and, p, v, TMLRT__MO_ACQUIRE)
#define tmlrt__fetch_and_release(p, v) TMLRT__OP_RMW(and, p, v, TMLRT__MO_RELEASE)
#define tmlrt__fetch_and_acq_rel(p, v) TMLRT__OP_RMW(and, p, v, TMLRT__MO_ACQ_REL)
#define tmlrt__fetch_and_seq(p, v)     TMLRT__OP_RMW(and, p, v, TMLRT__MO_SEQ)

#define tmlrt__fetch_xor_relaxed(p, v) TMLRT__OP_RMW(xor, p, v, TMLRT__MO_RELAXED)
#define tmlrt__fetch_xor_acquire(p, v) TMLRT__OP_RMW(xor, p, v, TMLRT__MO_ACQUIRE)
#define tmlrt__fetch_xor_release(p, v) TMLRT__OP_RMW(xor, p, v, TMLRT__MO_RELEASE)
#define tmlrt__fetch_xor_acq_rel(p, v) TMLRT__OP_RMW(xor, p, v, TMLRT__MO_ACQ_REL)
#define tmlrt__fetch_xor_seq(p, v)     TMLRT__OP_RMW(xor, p, v, TMLRT__MO_SEQ)

/* Compare-and-swap: true on success; on failure *e holds what was found. */
#define tmlrt__cas_weak_relaxed(p, e, d)                                                           \
    TMLRT__OP_CAS(weak, p, e, d, TMLRT__MO_RELAXED, TMLRT__MO_RELAXED)
#define tmlrt__cas_weak_acquire(p, e, d)                                                           \
    TMLRT__OP_CAS(weak, p, e, d, TMLRT__MO_ACQUIRE, TMLRT__MO_ACQUIRE)
#define tmlrt__cas_weak_release(p, e, d)                                                           \
    TMLRT__OP_CAS(weak, p, e, d, TMLRT__MO_RELEASE, TMLRT__MO_RELAXED)
#define tmlrt__cas_weak_acq_rel(p, e, d)                                                           \
    TMLRT__OP_CAS(weak, p, e, d, TMLRT__MO_ACQ_REL, TMLRT__MO_ACQUIRE)
#define tmlrt__cas_weak_seq(p, e, d) TMLRT__OP_CAS(weak, p, e, d, TMLRT__MO_SEQ, TMLRT__MO_SEQ)

#define tmlrt__cas_strong_relaxed(p, e, d)                                                         \
    TMLRT__OP_CAS(strong, p, e, d, TMLRT__MO_RELAXED, TMLRT__MO_RELAXED)
#define tmlrt__cas_strong_acquire(p, e, d)                                                         \
    TMLRT__OP_CAS(strong, p, e, d, TMLRT__MO_ACQUIRE, TMLRT__MO_ACQUIRE)
#define tmlrt__cas_strong_release(p, e, d)                                                         \
    TMLRT__OP_CAS(strong, p, e, d, TMLRT__MO_RELEASE, TMLRT__MO_RELAXED)
#define tmlrt__cas_strong_acq_rel(p, e, d)                                                         \
    TMLRT__OP_CAS(strong, p, e, d, TMLRT__MO_ACQ_REL, TMLRT__MO_ACQUIRE)
#define tmlrt__cas_strong_seq(p, e, d) TMLRT__OP_CAS(strong, p, e, d, TMLRT__MO_SEQ, TMLRT__MO_SEQ)

#define tmlrt__fence_acquire() TMLRT__OP_FENCE(TMLRT__MO_ACQUIRE)
#define tmlrt__fence_release() TMLRT__OP_FENCE(TMLRT__MO_RELEASE)
#define tmlrt__fence_seq()     TMLRT__OP_FENCE(TMLRT__MO_SEQ)

/* ---- A tiny spin latch: for a few instructions, never across a system call ---- */

#define TMLRT__LATCH_SPINS 100

typedef struct tmlrt__latch {
    tmlrt__atomic_u32 held; /* any thread; 0 = free, 1 = held */
} tmlrt__latch_t;

#define TMLRT__LATCH_INIT                                                                          \
    { 0 }

#if defined(TMLRT_MODEL)
#define tmlrt__latch_relax() rl::yield(1, $)
#else
/* Gives the processor away, as sched_yield does; the os layer provides it. */
void tmlrt__latch_relax(void);
#endif

static inline bool tmlrt__latch_trylock(tmlrt__latch_t *l) {
    /* acquire: observes what the last holder wrote; pairs [LATCH-1] */
    return tmlrt__swap_acquire(&l->held, 1) == 0;
}

static inline void tmlrt__latch_lock(tmlrt__latch_t *l) {
    unsigned spins = 0, pauses = 1;
    while (!tmlrt__latch_trylock(l)) {
        /* Waits on a plain read, so that the line stays shared meanwhile. */
        while (tmlrt__load_relaxed(&l->held) != 0) {
            if (++spins < TMLRT__LATCH_SPINS) {
                for (unsigned i = 0; i < pauses; i++)
                    tmlrt__cpu_pause();
                if (pauses < 16) pauses *= 2;
            } else {
                tmlrt__latch_relax();
            }
        }
    }
}

static inline void tmlrt__latch_unlock(tmlrt__latch_t *l) {
    /* release: publishes what this holder wrote; pairs [LATCH-1] */
    tmlrt__store_release(&l->held, 0);
}

#endif /* TMLRT_SRC_ATOMIC_H */
