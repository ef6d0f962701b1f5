/* SPDX-License-Identifier: MIT */
/*
 * figure.h: what the programs of bench/figures share: checked calls, samples with percentiles, a
 * table of times, and promises. A promise is something that must hold on every machine; a broken
 * one makes the program's exit status 1. A speed is printed and never judged.
 */
#ifndef FIGURE_H
#define FIGURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tmlrt.h>

#if defined(__GNUC__)
#define FIGURE_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define FIGURE_PRINTF(text, first)
#endif

/* Ends the program, status 2, when `r` is an error. Returns `r`. Any thread. */
int64_t figure_check(int64_t r, const char *what);
/* Ends the program, status 2, with the reason. Any thread. */
_Noreturn void figure_die(const char *what);
/* malloc that never returns NULL. */
void *figure_alloc(size_t bytes);

/* A configuration of `workers` workers (0: the default) whose threads know their index. */
tmlrt_config_t figure_config(uint32_t workers);
/* The index of the worker whose thread this is, -1 on others. */
int figure_worker(void);
/* How many workers a runtime has by default on this machine. */
int figure_cpus(void);
/* Cancels what is left and ends the runtime. */
void figure_end_runtime(tmlrt_runtime_t *rt);

/* Numbers, collected by any threads, read when these have stopped. What does not fit is counted and
 * not kept. */
typedef struct figure_samples {
    int64_t      *value;
    size_t        size;
    atomic_size_t count;
    bool          sorted;
} figure_samples_t;

void   figure_samples_make(figure_samples_t *s, size_t size);
void   figure_samples_free(figure_samples_t *s);
void   figure_add(figure_samples_t *s, int64_t value);
size_t figure_count(const figure_samples_t *s);
/* The value below which this share (0..1) lies; 0 without samples. */
int64_t figure_at(figure_samples_t *s, double share);

/* Tables. Times are given in ns and printed in fitting units; numbers as they are. */
void figure_title(const char *format, ...) FIGURE_PRINTF(1, 2);
void figure_note(const char *format, ...) FIGURE_PRINTF(1, 2);
void figure_head(const char *what);
void figure_time_row(const char *what, figure_samples_t *s);
void figure_number_row(const char *what, figure_samples_t *s);

/* Writes "12.3 us" to text[32]; returns text. */
const char *figure_time_text(char *text, int64_t ns);

/* Says whether a promise was kept; a broken one counts. */
void figure_promise(bool kept, const char *format, ...) FIGURE_PRINTF(2, 3);
/* The exit status of the program. */
int figure_status(void);

/* Pseudo-random numbers (xorshift64*); *seed is not 0. */
static inline uint64_t figure_random(uint64_t *seed) {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(0x2545f4914f6cdd1d);
}

#endif
