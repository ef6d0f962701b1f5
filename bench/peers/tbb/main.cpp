// SPDX-License-Identifier: MIT
//
// main.cpp: oneTBB: spawn, fork-join, scaling, and the wake of a parked arena. The workers are an
// arena of that many slots; outside threads enter it as oneTBB has it, so that they help.
#define PEER_NAME "onetbb"
#include "../common/peer.h"

#include <atomic>
#include <cinttypes>
#include <memory>
#include <thread>
#include <vector>

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <tbb/version.h>

static long count_of(const peer_args_t &a, long n) {
    return a.n > 0 ? a.n : n;
}

template <class F> static int64_t timed(const peer_args_t &a, F &&f) {
    if (a.warm) f();
    int64_t t0 = peer_now();
    f();
    return peer_now() - t0;
}

static void spawn_inside(const peer_args_t &a, tbb::task_arena &arena) {
    long    n = count_of(a, 1000000);
    int64_t ns = timed(a, [&] {
        arena.execute([&] {
            tbb::task_group group;
            for (long i = 0; i < n; i++)
                group.run([] {});
            group.wait();
        });
    });
    peer_emit(&a, "spawn_inside", double(ns) / double(n), "ns");
}

static void spawn_outside(const peer_args_t &a, int threads) {
    long            n = count_of(a, 1000000) / threads;
    tbb::task_arena arena(a.workers + threads, unsigned(threads));
    auto            one = [&] {
        arena.execute([&] {
            tbb::task_group group;
            for (long i = 0; i < n; i++)
                group.run([] {});
            group.wait();
        });
    };
    int64_t ns = timed(a, [&] {
        std::vector<std::thread> outside;
        for (int i = 0; i < threads; i++)
            outside.emplace_back(one);
        for (auto &t : outside)
            t.join();
    });
    peer_emit(&a, a.work, double(ns) / double(n * threads), "ns");
}

static uint64_t fib(int n) {
    if (n < 2) return uint64_t(n);
    uint64_t        x, y;
    tbb::task_group group;
    group.run([&x, n] { x = fib(n - 1); });
    y = fib(n - 2);
    group.wait();
    return x + y;
}

static void run_fib(const peer_args_t &a, tbb::task_arena &arena) {
    int      n = int(count_of(a, 30));
    uint64_t result = 0;
    int64_t  ns = timed(a, [&] { arena.execute([&] { result = fib(n); }); });
    if (n == 30 && result != 832040) peer_die("fib: wrong result");
    peer_emit(&a, "fib", double(ns) / 1e6, "ms");
}

static uint64_t skynet(uint64_t num, uint64_t size) {
    if (size == 1) return num;
    uint64_t        part[10], sum = 0, step = size / 10;
    tbb::task_group group;
    for (unsigned i = 0; i < 10; i++)
        group.run([&part, i, num, step] { part[i] = skynet(num + i * step, step); });
    group.wait();
    for (uint64_t p : part)
        sum += p;
    return sum;
}

static void run_skynet(const peer_args_t &a, tbb::task_arena &arena) {
    uint64_t n = uint64_t(count_of(a, 1000000)), result = 0;
    int64_t  ns = timed(a, [&] { arena.execute([&] { result = skynet(0, n); }); });
    if (result != n * (n - 1) / 2) peer_die("skynet: wrong result");
    peer_emit(&a, "skynet", double(ns) / 1e6, "ms");
}

static void cpu(const peer_args_t &a, tbb::task_arena &arena) {
    int                   rounds = int(count_of(a, PEER_BURN_ROUNDS));
    std::vector<uint64_t> part(PEER_BURN_TASKS);
    int64_t               ns = timed(a, [&] {
        arena.execute([&] {
            tbb::task_group group;
            for (size_t i = 0; i < PEER_BURN_TASKS; i++)
                group.run([&, i] { part[i] = peer_burn(PEER_SEED + i, rounds); });
            group.wait();
        });
    });
    uint64_t              sum = 0;
    for (uint64_t p : part)
        sum ^= p;
    if (sum == 0) peer_die("cpu: no result");
    peer_emit(&a, "cpu", double(ns) / 1e6, "ms");
}

static void wake(const peer_args_t &a) {
    long                 n = count_of(a, 1000);
    std::vector<int64_t> took(static_cast<size_t>(n));
    std::atomic<int64_t> sent{0};
    std::atomic<long>    seen{0};
    tbb::task_arena      arena(a.workers, 0); // no slot for the waking thread: workers only
    arena.initialize();
    auto sample = [&] {
        long i = seen.load(std::memory_order_relaxed);
        took[size_t(i)] = peer_now() - sent.load(std::memory_order_relaxed);
        seen.store(i + 1, std::memory_order_release);
    };
    sent.store(peer_now());
    arena.enqueue(sample); // starts the worker threads, with the process's affinity
    while (seen.load() < 1)
        peer_sleep(1000000);
    seen.store(0);
    peer_pin_self(a.pin);
    for (long i = 0; i < n; i++) {
        do
            peer_sleep(1000000);
        while (seen.load(std::memory_order_acquire) < i);
        sent.store(peer_now(), std::memory_order_relaxed);
        arena.enqueue(sample);
    }
    while (seen.load(std::memory_order_acquire) < n)
        peer_sleep(1000000);
    char name[40];
    snprintf(name, sizeof name, "%s_%s", a.work, a.pin >= 0 ? "pinned" : "unpinned");
    peer_emit_latency(&a, name, took.data(), n, 1e3, "us", -1);
}

int main(int argc, char **argv) {
    peer_args_t a = peer_parse(argc, argv);
    if (strcmp(a.work, "version") == 0) {
        printf("oneTBB %d.%d\n", TBB_VERSION_MAJOR, TBB_VERSION_MINOR);
        return 0;
    }
    bool outside = strncmp(a.work, "spawn_outside", 13) == 0,
         wakes = strncmp(a.work, "wake", 4) == 0;
    // The calling thread counts; it is one of the workers only in the works that run inside.
    size_t              threads = size_t(a.workers) + (outside || wakes ? 1 : 0);
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
    if (strcmp(a.work, "spawn_outside1") == 0) {
        spawn_outside(a, 1);
    } else if (strcmp(a.work, "spawn_outside2") == 0) {
        spawn_outside(a, 2);
    } else if (wakes) {
        wake(a);
    } else {
        tbb::task_arena arena(a.workers);
        if (strcmp(a.work, "spawn_inside") == 0)
            spawn_inside(a, arena);
        else if (strcmp(a.work, "fib") == 0)
            run_fib(a, arena);
        else if (strcmp(a.work, "skynet") == 0)
            run_skynet(a, arena);
        else if (strcmp(a.work, "cpu") == 0)
            cpu(a, arena);
        else
            peer_die("unknown work");
    }
    return 0;
}
