/* SPDX-License-Identifier: MIT */
/*
 * config.h: from what the program asked for, the environment and the defaults to the settings that
 * a runtime is made with. Every value is checked here and nowhere else.
 */
#ifndef TMLRT__CONFIG_H
#define TMLRT__CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <tmlrt/replay.h>
#include <tmlrt/runtime.h>

#define TMLRT__NAME_MAX 10 /* bytes of the thread name's prefix */

typedef struct tmlrt__settings {
    bool              current_thread;
    bool              virtual_clock;
    bool              pin_workers;
    uint32_t          workers;
    uint32_t          reactor;
    uint32_t          watchdog_ms; /* 0: off */
    uint32_t          blocking_threads, blocking_queue;
    uint32_t          shutdown_ms; /* the grace of tmlrt_main */
    uint64_t          seed;
    bool              replay; /* the seed decides every choice */
    tmlrt_network_t   network;
    char              thread_name[TMLRT__NAME_MAX + 1];
    tmlrt_allocator_t mem;
    void (*on_thread_start)(void *hook_ctx, uint32_t worker);
    void (*on_thread_stop)(void *hook_ctx, uint32_t worker);
    void (*on_stuck)(void *hook_ctx, const tmlrt_stuck_t *stuck);
    void *hook_ctx;
} tmlrt__settings_t;

/* Fills *out. `config` may be NULL. TMLRT_EINVAL: a value, or an environment variable, is wrong. */
int tmlrt__config_resolve(const tmlrt_config_t *config, tmlrt__settings_t *out);

#endif
