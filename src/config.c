/* SPDX-License-Identifier: MIT */
/*
 * config.c: see config.h. An environment variable is read only for a field that the program left
 * at its default; one that is set and does not parse is an error, not a default.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <tmlrt/error.h>

#include "alloc.h"
#include "os.h"
#include "sized.h"

#define CONFIG__BLOCKING_THREADS 512
#define CONFIG__BLOCKING_QUEUE   65536
#define CONFIG__SHUTDOWN_MS      1000
#define CONFIG__TIME_MAX         (INT64_C(1) << 60) /* ns; two of them still add */

typedef struct config__word {
    const char *word;
    uint32_t    value;
} config__word_t;

static const config__word_t config__flavors[] = {
    {"multi", TMLRT_FLAVOR_MULTI_THREAD}, {"current", TMLRT_FLAVOR_CURRENT_THREAD}, {NULL, 0}};
static const config__word_t config__clocks[] = {
    {"real", TMLRT_CLOCK_REAL}, {"virtual", TMLRT_CLOCK_VIRTUAL}, {NULL, 0}};
static const config__word_t config__reactors[] = {{"auto", TMLRT_REACTOR_AUTO},
                                                  {"epoll", TMLRT_REACTOR_EPOLL},
                                                  {"kqueue", TMLRT_REACTOR_KQUEUE},
                                                  {"iocp", TMLRT_REACTOR_IOCP},
                                                  {"io_uring", TMLRT_REACTOR_IO_URING},
                                                  {"simulated", TMLRT_REACTOR_SIMULATED},
                                                  {NULL, 0}};
static const config__word_t config__switches[] = {{"1", 1}, {"0", 2}, {NULL, 0}};

/* The text of a variable that is set and not empty, else NULL. */
static const char *config__env(const char *name) {
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static int config__env_word(const char *name, const config__word_t *words, uint32_t *value) {
    const char *text = *value == 0 ? config__env(name) : NULL;
    if (text == NULL) return TMLRT_OK;
    for (; words->word != NULL; words++) {
        if (strcmp(words->word, text) == 0) {
            *value = words->value;
            return TMLRT_OK;
        }
    }
    return TMLRT_EINVAL;
}

/* Decimal digits only; no sign, no blank, no overflow. */
static int config__env_number(const char *name, uint64_t most, uint64_t *value) {
    const char *text = *value == 0 ? config__env(name) : NULL;
    if (text == NULL) return TMLRT_OK;
    uint64_t n = 0;
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(unsigned char)*text - '0';
        if (digit > 9 || n > (most - digit) / 10) return TMLRT_EINVAL;
        n = 10 * n + digit;
    }
    *value = n;
    return TMLRT_OK;
}

/* A field of 32 bits, from the environment where the program left it at 0. */
static int config__env_u32(const char *name, uint32_t most, uint32_t *value) {
    uint64_t n = *value;
    int      e = config__env_number(name, most, &n);
    *value = (uint32_t)n;
    return e;
}

/* Fields as the program and the environment say; 0 where neither does. */
static int config__merge(tmlrt_config_t *c, uint64_t *workers, uint64_t *watchdog) {
    int e = config__env_word("TMLRT_FLAVOR", config__flavors, &c->flavor);
    if (e == TMLRT_OK) e = config__env_word("TMLRT_REACTOR", config__reactors, &c->reactor);
    if (e == TMLRT_OK) e = config__env_word("TMLRT_CLOCK", config__clocks, &c->clock);
    if (e == TMLRT_OK) e = config__env_word("TMLRT_AFFINITY", config__switches, &c->pin_workers);
    *workers = c->workers;
    *watchdog = c->watchdog_ms;
    if (e == TMLRT_OK) e = config__env_number("TMLRT_WORKERS", TMLRT_MAX_WORKERS, workers);
    if (e == TMLRT_OK) e = config__env_number("TMLRT_WATCHDOG_MS", UINT32_MAX, watchdog);
    if (e == TMLRT_OK) e = config__env_number("TMLRT_SEED", UINT64_MAX, &c->seed);
    if (e == TMLRT_OK)
        e = config__env_u32("TMLRT_BLOCKING_THREADS", TMLRT_MAX_BLOCKING, &c->blocking_threads);
    if (e == TMLRT_OK) e = config__env_u32("TMLRT_BLOCKING_QUEUE", UINT32_MAX, &c->blocking_queue);
    if (e == TMLRT_OK) e = config__env_u32("TMLRT_SHUTDOWN_MS", UINT32_MAX, &c->shutdown_ms);
    if (c->thread_name == NULL) c->thread_name = config__env("TMLRT_THREAD_NAME");
    return e;
}

static int config__check(const tmlrt_config_t *c, uint64_t workers) {
    if (c->flavor > TMLRT_FLAVOR_CURRENT_THREAD || c->clock > TMLRT_CLOCK_VIRTUAL)
        return TMLRT_EINVAL;
    if (workers > TMLRT_MAX_WORKERS || c->pin_workers > 2) return TMLRT_EINVAL;
    if (c->blocking_threads > TMLRT_MAX_BLOCKING) return TMLRT_EINVAL;
    if (c->thread_name != NULL && strlen(c->thread_name) > TMLRT__NAME_MAX) return TMLRT_EINVAL;
    if (c->allocator != NULL && (c->allocator->alloc == NULL || c->allocator->free == NULL))
        return TMLRT_EINVAL;
    bool current = c->flavor == TMLRT_FLAVOR_CURRENT_THREAD;
    if (c->clock == TMLRT_CLOCK_VIRTUAL && !current) return TMLRT_EINVAL;
    if (c->reactor == TMLRT_REACTOR_SIMULATED && c->clock != TMLRT_CLOCK_VIRTUAL)
        return TMLRT_EINVAL;
    return TMLRT_OK;
}

static int config__network(const tmlrt_network_t *asked, tmlrt_network_t *out) {
    const uint32_t all = 1000000;
    *out = (tmlrt_network_t)TMLRT_NETWORK_INIT;
    if (asked == NULL) return TMLRT_OK;
    if (tmlrt__sized_check(asked, sizeof *asked) != 0) return TMLRT_EINVAL;
    *out = *asked;
    bool bad = out->delay_least < 0 || out->delay_most < out->delay_least ||
               out->delay_most > CONFIG__TIME_MAX || out->partition_most < 0 ||
               out->partition_most > CONFIG__TIME_MAX || out->give_up < 1 ||
               out->give_up > CONFIG__TIME_MAX || out->buffer == 0 || out->short_transfers > all ||
               out->refuse > all || out->reset > all || out->partition > all || out->reserved != 0;
    return bad ? TMLRT_EINVAL : TMLRT_OK;
}

int tmlrt__config_resolve(const tmlrt_config_t *config, tmlrt__settings_t *out) {
    tmlrt_config_t c = TMLRT_CONFIG_INIT;
    if (config != NULL) {
        if (tmlrt__sized_check(config, sizeof *config) != 0) return TMLRT_EINVAL;
        c = *config;
    }
    uint64_t workers, watchdog;
    int      e = config__merge(&c, &workers, &watchdog);
    if (e == TMLRT_OK) e = config__check(&c, workers);
    if (e != TMLRT_OK) return e;

    memset(out, 0, sizeof *out);
    e = config__network(c.network, &out->network);
    if (e != TMLRT_OK) return e;
    out->current_thread = c.flavor == TMLRT_FLAVOR_CURRENT_THREAD;
    out->virtual_clock = c.clock == TMLRT_CLOCK_VIRTUAL;
    out->pin_workers = c.pin_workers == 1;
    out->workers = out->current_thread ? 1 : (uint32_t)workers;
    if (out->workers == 0) out->workers = tmlrt__cpu_count();
    if (out->workers > TMLRT_MAX_WORKERS) out->workers = TMLRT_MAX_WORKERS;
    out->reactor = c.reactor;
    out->watchdog_ms = watchdog == 0 ? 1000 : watchdog == UINT32_MAX ? 0 : (uint32_t)watchdog;
    out->blocking_threads = c.blocking_threads != 0 ? c.blocking_threads : CONFIG__BLOCKING_THREADS;
    out->blocking_queue = c.blocking_queue != 0 ? c.blocking_queue : CONFIG__BLOCKING_QUEUE;
    out->shutdown_ms = c.shutdown_ms == 0            ? CONFIG__SHUTDOWN_MS
                       : c.shutdown_ms == UINT32_MAX ? 0
                                                     : c.shutdown_ms;
    out->replay = out->virtual_clock && (c.seed != 0 || c.reactor == TMLRT_REACTOR_SIMULATED);
    out->seed = c.seed != 0 ? c.seed : (uint64_t)tmlrt__os_now();
    strcpy(out->thread_name, c.thread_name != NULL ? c.thread_name : "tmlrt");
    out->mem = c.allocator != NULL ? *c.allocator : tmlrt__mem_default;
    out->on_thread_start = c.on_thread_start;
    out->on_thread_stop = c.on_thread_stop;
    out->on_stuck = c.on_stuck;
    out->hook_ctx = c.hook_ctx;
    return TMLRT_OK;
}
