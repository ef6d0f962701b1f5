/* SPDX-License-Identifier: MIT */
/*
 * figure.c: see figure.h.
 */
#include "figure.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIGURE__PATIENCE_NS (60 * TMLRT_S) /* for a shutdown */

static int               figure__broken;
static _Thread_local int figure__worker = -1;

_Noreturn void figure_die(const char *what) {
    fflush(stdout);
    fprintf(stderr, "error: %s\n", what);
    exit(2);
}

int64_t figure_check(int64_t r, const char *what) {
    if (r >= 0) return r;
    fflush(stdout);
    fprintf(stderr, "error: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(2);
}

void *figure_alloc(size_t bytes) {
    void *p = malloc(bytes != 0 ? bytes : 1);
    if (p == NULL) figure_die("out of memory");
    return p;
}

/* ---- runtimes ------------------------------------------------------------------------------- */

static void figure__thread_start(void *ctx, uint32_t worker) {
    (void)ctx;
    figure__worker = (int)worker;
}

tmlrt_config_t figure_config(uint32_t workers) {
    tmlrt_config_t config = TMLRT_CONFIG_INIT;
    config.flavor = TMLRT_FLAVOR_MULTI_THREAD;
    config.workers = workers;
    config.on_thread_start = figure__thread_start;
    return config;
}

int figure_worker(void) {
    return figure__worker;
}

int figure_cpus(void) {
    tmlrt_runtime_t *rt = NULL;
    tmlrt_config_t   config = figure_config(0);
    figure_check(tmlrt_runtime_create(&rt, &config), "create");
    int n = (int)figure_check(tmlrt_runtime_workers(rt), "workers");
    figure_end_runtime(rt);
    return n;
}

void figure_end_runtime(tmlrt_runtime_t *rt) {
    tmlrt_shutdown_report_t quiet = TMLRT_SHUTDOWN_REPORT_INIT;
    int64_t                 patience = tmlrt_now(NULL) + FIGURE__PATIENCE_NS;
    int                     e;
    /* A busy machine may need more than the second that one call gives a million tasks. */
    do
        e = tmlrt_runtime_shutdown(rt, 0, &quiet);
    while (e == TMLRT_EBUSY && tmlrt_now(NULL) < patience);
    if (e != TMLRT_ETIMEDOUT) figure_check(e, "shutdown");
    figure_check(tmlrt_runtime_destroy(rt), "destroy");
}

/* ---- samples -------------------------------------------------------------------------------- */

void figure_samples_make(figure_samples_t *s, size_t size) {
    s->value = figure_alloc(size * sizeof *s->value);
    s->size = size;
    s->sorted = false;
    atomic_init(&s->count, 0);
    /* Touched now, so that no page fault is measured. */
    for (size_t i = 0; i < size; i++)
        s->value[i] = 0;
}

void figure_samples_free(figure_samples_t *s) {
    free(s->value);
    s->value = NULL;
}

void figure_add(figure_samples_t *s, int64_t value) {
    /* Relaxed: whoever reads has joined the threads that add. */
    size_t i = atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
    if (i < s->size) s->value[i] = value;
}

size_t figure_count(const figure_samples_t *s) {
    return atomic_load_explicit(&s->count, memory_order_relaxed);
}

static int figure__compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t figure_at(figure_samples_t *s, double share) {
    size_t n = figure_count(s);
    if (n > s->size) n = s->size;
    if (n == 0) return 0;
    if (!s->sorted) qsort(s->value, n, sizeof *s->value, figure__compare);
    s->sorted = true;
    return s->value[(size_t)(share * (double)(n - 1) + 0.5)];
}

/* ---- tables --------------------------------------------------------------------------------- */

const char *figure_time_text(char *text, int64_t ns) {
    int64_t size = ns < 0 ? -ns : ns;
    if (size < 1000)
        snprintf(text, 32, "%" PRId64 " ns", ns);
    else if (size < 1000000)
        snprintf(text, 32, "%.1f us", (double)ns / 1e3);
    else if (size < INT64_C(1000000000))
        snprintf(text, 32, "%.1f ms", (double)ns / 1e6);
    else
        snprintf(text, 32, "%.2f s", (double)ns / 1e9);
    return text;
}

#define FIGURE__PRINT(format)                                                                      \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        vprintf(format, args);                                                                     \
        va_end(args);                                                                              \
        printf("\n");                                                                              \
        fflush(stdout);                                                                            \
    } while (0)

void figure_title(const char *format, ...) {
    FIGURE__PRINT(format);
}

void figure_note(const char *format, ...) {
    printf("  ");
    FIGURE__PRINT(format);
}

void figure_head(const char *what) {
    printf("  %-44s %9s %10s %10s %10s %10s\n", what, "times", "least", "p50", "p99", "max");
}

void figure_time_row(const char *what, figure_samples_t *s) {
    char text[4][32];
    printf("  %-44s %9zu %10s %10s %10s %10s\n", what, figure_count(s),
           figure_time_text(text[0], figure_at(s, 0)), figure_time_text(text[1], figure_at(s, 0.5)),
           figure_time_text(text[2], figure_at(s, 0.99)),
           figure_time_text(text[3], figure_at(s, 1)));
    fflush(stdout);
}

void figure_number_row(const char *what, figure_samples_t *s) {
    printf("  %-44s %9zu %10" PRId64 " %10" PRId64 " %10" PRId64 " %10" PRId64 "\n", what,
           figure_count(s), figure_at(s, 0), figure_at(s, 0.5), figure_at(s, 0.99),
           figure_at(s, 1));
    fflush(stdout);
}

/* ---- promises ------------------------------------------------------------------------------- */

void figure_promise(bool kept, const char *format, ...) {
    if (!kept) figure__broken++;
    printf("  %s ", kept ? "kept:  " : "BROKEN:");
    FIGURE__PRINT(format);
}

int figure_status(void) {
    return figure__broken != 0 ? 1 : 0;
}
