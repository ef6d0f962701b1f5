/* SPDX-License-Identifier: MIT */
/*
 * load_stats.h: what the load generator counts. Latencies go to a histogram of the worker that
 * records them, so that workers share no cache lines; errors and connections, which are rare, to
 * counters that all share. Everything may be read at any time, from any thread.
 */
#ifndef LOAD_STATS_H
#define LOAD_STATS_H

#include "histogram.h"

#include <stdint.h>

/* Where a connection or an exchange went wrong. */
enum {
    LOAD_SPAWN,   /* its task could not be made */
    LOAD_CONNECT, /* with the runtime's error, as all up to LOAD_READ */
    LOAD_WRITE,
    LOAD_READ,
    LOAD_CLOSED,     /* the server closed before the end */
    LOAD_PARSE,      /* no HTTP */
    LOAD_STATUS,     /* not 200 */
    LOAD_LENGTH,     /* not the length that it must have */
    LOAD_BODY,       /* other bytes than it must have */
    LOAD_EXTRA,      /* bytes behind the answer */
    LOAD_UNFINISHED, /* did not end in time at the end of the run */
    LOAD_ERROR_KINDS
};

/* The connections, by how far they came. */
typedef struct {
    atomic_uint_least32_t started; /* their task was made */
    atomic_uint_least32_t opened;  /* connected */
    atomic_uint_least32_t open;    /* now */
    atomic_uint_least32_t served;  /* had at least one right answer */
    atomic_uint_least32_t failed;  /* met an error, each counted once */
} load_connections_t;

extern load_connections_t load_connections;

/* Gives the calling worker its histogram; for tmlrt_config_t.on_thread_start. */
void load_stats_on_thread(void *hook_ctx, uint32_t worker);

/* Counts an exchange that took `ns`. Threads: workers. */
void load_stats_latency(int64_t ns);

/* Counts an error: a LOAD_* and the TMLRT_E* (0 where the kind has none). Threads: any. */
void load_stats_error(int kind, int64_t error);

/* All errors so far. */
uint64_t load_stats_errors(void);

/* Prints a line for each kind of error that came. */
void load_stats_print_errors(void);

/* *view = all latencies so far. */
void load_stats_view(histogram_view_t *view);

#endif
