/* SPDX-License-Identifier: MIT */
/*
 * histogram.h: a log-linear histogram of times in ns, in the manner of HdrHistogram: each power of
 * two is cut into 64 equal parts, so a value is known to 1.6 %, from 1 ns to 2^40 ns (18 minutes;
 * what is longer counts as that).
 *
 * A histogram_t is written by any thread and read by any other at the same time, without a lock;
 * give each thread one of its own to keep them from sharing cache lines. A histogram_view_t is a
 * plain copy, for one thread, to add, subtract and ask.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6
#define HISTOGRAM_MAX_BITS 40
#define HISTOGRAM_BUCKETS  ((HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

typedef struct {
    atomic_uint_least64_t count[HISTOGRAM_BUCKETS]; /* any thread, relaxed: only sums matter */
} histogram_t;

typedef struct {
    uint64_t count[HISTOGRAM_BUCKETS];
    uint64_t total; /* the sum of count */
} histogram_view_t;

/* Counts one value. Threads: any. */
void histogram_record(histogram_t *h, int64_t ns);

/* Adds what `h` has counted so far to *view. Threads: any for `h`. */
void histogram_add_to(const histogram_t *h, histogram_view_t *view);

/* *out = newer - older, of two views of the same histograms. `out` may be one of them. */
void histogram_view_difference(const histogram_view_t *newer, const histogram_view_t *older,
                               histogram_view_t *out);

/* The value that `percent` % of all are not above (rounded up to the end of its part); 0 when there
 * are none. 100 gives the greatest. */
int64_t histogram_view_percentile(const histogram_view_t *view, double percent);

#endif
