/* SPDX-License-Identifier: MIT */
/*
 * load_stats.c: see load_stats.h. A worker's histogram is made on its own thread, before it runs
 * anything, and lives as long as the process; a reader sees it once its pointer is published.
 */
#include "load_stats.h"

#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tmlrt.h>

enum { ERROR_NUMBERS = 64 };

load_connections_t load_connections;

static _Atomic(histogram_t *)     histograms[TMLRT_MAX_WORKERS];
static _Thread_local histogram_t *mine;
static atomic_uint_least64_t      errors[LOAD_ERROR_KINDS][ERROR_NUMBERS];

static const char *const kind_text[LOAD_ERROR_KINDS] = {
    "spawn",
    "connect",
    "write",
    "read",
    "closed by the server",
    "not HTTP",
    "wrong status",
    "wrong length",
    "wrong body",
    "bytes behind the answer",
    "unfinished at the end",
};

void load_stats_on_thread(void *hook_ctx, uint32_t worker) {
    (void)hook_ctx;
    mine = calloc(1, sizeof *mine);
    if (mine == NULL) process_die("out of memory");
    atomic_store_explicit(&histograms[worker], mine, memory_order_release);
}

void load_stats_latency(int64_t ns) {
    histogram_record(mine, ns);
}

void load_stats_error(int kind, int64_t error) {
    int64_t number = -error < ERROR_NUMBERS ? -error : ERROR_NUMBERS - 1;
    atomic_fetch_add_explicit(&errors[kind][number], 1, memory_order_relaxed);
}

uint64_t load_stats_errors(void) {
    uint64_t sum = 0;
    for (int kind = 0; kind < LOAD_ERROR_KINDS; kind++)
        for (int i = 0; i < ERROR_NUMBERS; i++)
            sum += atomic_load_explicit(&errors[kind][i], memory_order_relaxed);
    return sum;
}

void load_stats_print_errors(void) {
    for (int kind = 0; kind < LOAD_ERROR_KINDS; kind++) {
        for (int i = 0; i < ERROR_NUMBERS; i++) {
            uint64_t n = atomic_load_explicit(&errors[kind][i], memory_order_relaxed);
            if (n == 0) continue;
            printf("  %llu x %s", (unsigned long long)n, kind_text[kind]);
            if (i != 0) printf(": %s", tmlrt_strerror(-i));
            printf("\n");
        }
    }
}

void load_stats_view(histogram_view_t *view) {
    memset(view, 0, sizeof *view);
    for (int i = 0; i < TMLRT_MAX_WORKERS; i++) {
        const histogram_t *h = atomic_load_explicit(&histograms[i], memory_order_acquire);
        if (h != NULL) histogram_add_to(h, view);
    }
}
