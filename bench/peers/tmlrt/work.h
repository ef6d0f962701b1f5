/* SPDX-License-Identifier: MIT */
/*
 * work.h: the works of the libtmlrt peer, a file a group. Each makes its own runtime.
 */
#ifndef TMLRT_BENCH_WORK_H
#define TMLRT_BENCH_WORK_H

#define PEER_NAME "tmlrt"
#include "../common/peer.h"

#include <tmlrt.h>

static inline void work_check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, PEER_NAME ": %s: %s\n", what, tmlrt_strerror((int)r));
    exit(2);
}

static inline tmlrt_runtime_t *work_runtime(const peer_args_t *a) {
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_runtime_t *rt = NULL;
    config.flavor = TMLRT_FLAVOR_MULTI_THREAD;
    config.workers = (uint32_t)a->workers;
    config.watchdog_ms = UINT32_MAX;
    work_check(tmlrt_runtime_create(&rt, &config), "create");
    return rt;
}

/* Runs a root task twice (once to warm up) and returns the second one's ns. */
static inline int64_t work_time(const peer_args_t *a, tmlrt_runtime_t *rt,
                                const tmlrt_task_type_t *type, const void *state, void *result) {
    int64_t took = 0;
    for (int i = a->warm != 0 ? 0 : 1; i < 2; i++) {
        int64_t t0 = peer_now();
        work_check(tmlrt_runtime_block_on(rt, type, state, NULL, result), "block_on");
        took = peer_now() - t0;
    }
    return took;
}

/* With PEER_STATS set, the counters of every worker to standard error. */
static inline void work_stats(tmlrt_runtime_t *rt) {
    if (getenv("PEER_STATS") == NULL) return;
    for (int i = 0; i < tmlrt_runtime_workers(rt); i++) {
        tmlrt_worker_stats_t s = {.struct_size = sizeof s};
        work_check(tmlrt_runtime_stats(rt, (uint32_t)i, &s), "stats");
        fprintf(stderr,
                "worker %d: polls %llu spawned %llu completed %llu stolen %llu injected %llu parks "
                "%llu wakes_sent %llu driver_polls %llu events %llu timers_fired %llu taken_over "
                "%llu\n",
                i, (unsigned long long)s.polls, (unsigned long long)s.spawned,
                (unsigned long long)s.completed, (unsigned long long)s.stolen,
                (unsigned long long)s.injected, (unsigned long long)s.parks,
                (unsigned long long)s.wakes_sent, (unsigned long long)s.driver_polls,
                (unsigned long long)s.events, (unsigned long long)s.timers_fired,
                (unsigned long long)s.taken_over);
    }
}

/* Ends the runtime. */
static inline void work_end(tmlrt_runtime_t *rt) {
    work_stats(rt);
    work_check(tmlrt_runtime_destroy(rt), "destroy");
}

static inline long work_n(const peer_args_t *a, long n) {
    return a->n > 0 ? a->n : n;
}

void work_spawn_inside(const peer_args_t *a);
void work_spawn_outside(const peer_args_t *a, int threads);
void work_yield(const peer_args_t *a, int tasks);
void work_pingpong(const peer_args_t *a);
void work_wake(const peer_args_t *a);
void work_wake_spawn(const peer_args_t *a);
void work_fib(const peer_args_t *a);
void work_skynet(const peer_args_t *a);
void work_timer(const peer_args_t *a);
void work_sleeps(const peer_args_t *a);
void work_memory(const peer_args_t *a, int sleeping);
void work_cpu(const peer_args_t *a);
void work_memory_fiber(const peer_args_t *a);
int  work_straight(const peer_args_t *a); /* 0: no such work */

#endif
