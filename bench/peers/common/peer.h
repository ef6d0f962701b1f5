/* SPDX-License-Identifier: MIT */
/*
 * peer.h: what the C and C++ programs of the side-by-side suite share: the command line, the clock,
 * percentiles, resident memory, and the one-line JSON record. The Rust and Go peers do the same in
 * their language.
 *
 *   PROGRAM WORK [--workers N] [--n N] [--warm 0|1] [--pin CPU]
 *   PROGRAM version
 *
 * A record: {"work":…, "peer":…, "workers":…, "value":…, "unit":…} and what a work adds. A work may
 * print several. --warm 1 (the default) runs the work once, untimed, before. --pin: the outside
 * thread of the wake works stays on that CPU; where the rest stays is the process's affinity.
 */
#ifndef TMLRT_BENCH_PEER_H
#define TMLRT_BENCH_PEER_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#ifndef PEER_NAME
#define PEER_NAME "?"
#endif

typedef struct peer_args {
    const char *work;
    int         workers;
    long        n; /* 0: the work's own */
    int         warm;
    int         pin; /* -1: not */
} peer_args_t;

static inline void peer_die(const char *what) {
    fprintf(stderr, PEER_NAME ": %s\n", what);
    exit(2);
}

static inline int64_t peer_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void peer_sleep(int64_t ns) {
    struct timespec t;
    t.tv_sec = (time_t)(ns / 1000000000);
    t.tv_nsec = (long)(ns % 1000000000);
    nanosleep(&t, NULL);
}

static inline double peer_cpu_seconds(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

static inline int64_t peer_resident(void) {
    long  pages = 0, all = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%ld %ld", &all, &pages) != 2) peer_die("/proc/self/statm");
    fclose(f);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

/* The same sequence in every peer. */
static inline uint64_t peer_rand(uint64_t *s) {
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}
#define PEER_SEED UINT64_C(0x9e3779b97f4a7c15)

static inline int peer_compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static inline int64_t peer_percentile(const int64_t *sorted, long n, double p) {
    long i = (long)((double)n * p);
    return sorted[i < n ? i : n - 1];
}

static inline void peer_emit(const peer_args_t *a, const char *work, double value,
                             const char *unit) {
    printf("{\"work\":\"%s\",\"peer\":\"" PEER_NAME
           "\",\"workers\":%d,\"value\":%.6g,\"unit\":\"%s\"}\n",
           work, a->workers, value, unit);
    fflush(stdout);
}

/* Latencies in ns, reported in `unit` of `scale` ns; value is the median. cpu < 0: left out. */
static inline void peer_emit_latency(const peer_args_t *a, const char *work, int64_t *ns, long n,
                                     double scale, const char *unit, double cpu) {
    qsort(ns, (size_t)n, sizeof *ns, peer_compare);
    double p50 = (double)peer_percentile(ns, n, 0.5) / scale;
    printf("{\"work\":\"%s\",\"peer\":\"" PEER_NAME "\",\"workers\":%d,\"value\":%.6g,"
           "\"unit\":\"%s\",\"p50\":%.6g,\"p99\":%.6g,\"min\":%.6g,\"max\":%.6g",
           work, a->workers, p50, unit, p50, (double)peer_percentile(ns, n, 0.99) / scale,
           (double)ns[0] / scale, (double)ns[n - 1] / scale);
    if (cpu >= 0) printf(",\"cpu_s\":%.6g", cpu);
    printf("}\n");
    fflush(stdout);
}

static inline void peer_pin_self(int cpu) {
    if (cpu < 0) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) peer_die("sched_setaffinity");
}

/* About a millisecond of arithmetic that no compiler removes: one unit of CPU-bound work. */
static inline uint64_t peer_burn(uint64_t x, int rounds) {
    for (int i = 0; i < rounds; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    return x;
}
#define PEER_BURN_ROUNDS 500000
#define PEER_BURN_TASKS  256

static inline peer_args_t peer_parse(int argc, char **argv) {
    peer_args_t a = {NULL, 2, 0, 1, -1};
    if (argc < 2) peer_die("usage: WORK [--workers N] [--n N] [--warm 0|1] [--pin CPU]");
    a.work = argv[1];
    for (int i = 2; i < argc; i += 2) {
        if (i + 1 == argc) peer_die("an option needs a value");
        long v = strtol(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--workers") == 0)
            a.workers = (int)v;
        else if (strcmp(argv[i], "--n") == 0)
            a.n = v;
        else if (strcmp(argv[i], "--warm") == 0)
            a.warm = (int)v;
        else if (strcmp(argv[i], "--pin") == 0)
            a.pin = (int)v;
        else
            peer_die("unknown option");
    }
    return a;
}

#endif
