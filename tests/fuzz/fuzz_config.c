/* SPDX-License-Identifier: MIT */
/*
 * fuzz_config.c: any values in the config and any texts in the environment. A runtime is made and
 * ended, or the error is one that is documented and nothing is left behind (LeakSanitizer looks).
 *
 * The input: lines NAME=VALUE of the environment until an empty one, then the bytes of the config
 * behind its size. Numbers of threads are cut down, pointers are left out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tmlrt.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    "TMLRT_FLAVOR",         "TMLRT_REACTOR",     "TMLRT_CLOCK",      "TMLRT_AFFINITY",
    "TMLRT_WORKERS",        "TMLRT_WATCHDOG_MS", "TMLRT_SEED",       "TMLRT_BLOCKING_THREADS",
    "TMLRT_BLOCKING_QUEUE", "TMLRT_THREAD_NAME", "TMLRT_SHUTDOWN_MS"};

enum { NAMES = sizeof names / sizeof names[0] };

/* One line of the environment; how many bytes it took. */
static size_t set_one(const uint8_t *line, size_t size) {
    const uint8_t *end = memchr(line, '\n', size);
    size_t         length = end != NULL ? (size_t)(end - line) : size;
    char           value[64];
    if (length > 1) {
        size_t n = length - 1 < sizeof value ? length - 1 : sizeof value - 1;
        memcpy(value, line + 1, n);
        value[n] = '\0';
        /* Not thousands of threads for each input. */
        if (line[0] % NAMES == 4 && strtoull(value, NULL, 10) > 3) strcpy(value, "3");
        setenv(names[line[0] % NAMES], value, 1);
    }
    return end != NULL ? length + 1 : length;
}

static void no_line(void *ctx, const tmlrt_stuck_t *stuck) {
    (void)ctx;
    (void)stuck;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_network_t  network = TMLRT_NETWORK_INIT;
    tmlrt_runtime_t *rt = NULL;
    for (size_t i = 0; i < NAMES; i++)
        unsetenv(names[i]);
    while (size > 0 && data[0] != '\n') {
        size_t used = set_one(data, size);
        data += used;
        size -= used;
    }
    uint32_t field[16] = {0};
    if (size > 1) memcpy(field, data + 1, size - 1 < sizeof field ? size - 1 : sizeof field);
    config.flavor = field[0];
    config.workers = field[1] > 3 && field[1] <= TMLRT_MAX_WORKERS ? 3 : field[1];
    config.reactor = field[2];
    config.clock = field[3];
    config.seed = field[4];
    config.pin_workers = field[5];
    config.watchdog_ms = field[6];
    config.blocking_threads = field[7];
    config.blocking_queue = field[8];
    config.on_stuck = no_line;
    if (field[9] % 2 != 0) {
        network.delay_least = (int32_t)field[10];
        network.delay_most = (int32_t)field[11];
        network.reset = field[12];
        network.buffer = field[13];
        network.give_up = (int32_t)field[14];
        network.partition = field[15];
        config.network = &network;
    }
    if (config.workers == 0 && getenv("TMLRT_WORKERS") == NULL) config.workers = 1;
    int e = tmlrt_runtime_create(&rt, field[9] % 8 == 6 ? NULL : &config);
    if (e != TMLRT_OK && e != TMLRT_EINVAL && e != TMLRT_ENOTSUP && e != TMLRT_EAGAIN) abort();
    if ((e == TMLRT_OK) != (rt != NULL)) abort();
    if (rt != NULL && tmlrt_runtime_destroy(rt) != TMLRT_OK) abort();
    return 0;
}
