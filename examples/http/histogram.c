/* SPDX-License-Identifier: MIT */
/*
 * histogram.c: a bucket's number is, for values below 2 * 64, the value; above, 64 times the number
 * of binary places beyond seven, plus the seven leading bits. Numbers are dense and monotonic.
 */
#include "histogram.h"

enum { SUB = 1 << HISTOGRAM_SUB_BITS };

static int highest_bit(uint64_t v) {
    int bit = 0;
    for (int step = 32; step > 0; step /= 2) {
        if (v >> step == 0) continue;
        v >>= step;
        bit += step;
    }
    return bit;
}

static uint32_t bucket_of(int64_t ns) {
    uint64_t v = ns < 0 ? 0 : (uint64_t)ns;
    uint64_t limit = UINT64_C(1) << HISTOGRAM_MAX_BITS;
    if (v >= limit) v = limit - 1;
    int shift = highest_bit(v | SUB) - HISTOGRAM_SUB_BITS;
    return (uint32_t)shift * SUB + (uint32_t)(v >> shift);
}

static int64_t bucket_end(uint32_t bucket) {
    if (bucket < 2 * SUB) return bucket;
    uint32_t shift = bucket / SUB - 1;
    uint64_t lead = bucket - shift * SUB;
    return (int64_t)(((lead + 1) << shift) - 1);
}

void histogram_record(histogram_t *h, int64_t ns) {
    atomic_fetch_add_explicit(&h->count[bucket_of(ns)], 1, memory_order_relaxed);
}

void histogram_add_to(const histogram_t *h, histogram_view_t *view) {
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t n = atomic_load_explicit(&h->count[i], memory_order_relaxed);
        view->count[i] += n;
        view->total += n;
    }
}

void histogram_view_difference(const histogram_view_t *newer, const histogram_view_t *older,
                               histogram_view_t *out) {
    out->total = newer->total - older->total;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        out->count[i] = newer->count[i] - older->count[i];
}

int64_t histogram_view_percentile(const histogram_view_t *view, double percent) {
    double   wanted = (double)view->total * percent / 100.0;
    uint64_t seen = 0;
    int64_t  end = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (view->count[i] == 0) continue;
        seen += view->count[i];
        end = bucket_end(i);
        if ((double)seen >= wanted) break;
    }
    return end;
}
