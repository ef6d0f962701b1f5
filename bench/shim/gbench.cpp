// SPDX-License-Identifier: MIT
//
// gbench.cpp: the C API of gbench.h over Google Benchmark, and its main function.
#include "gbench.h"

#include <benchmark/benchmark.h>

static benchmark::State &state(gbench_t *b) {
    return *reinterpret_cast<benchmark::State *>(b);
}

static benchmark::internal::Benchmark *add(const char *name, gbench_fn fn, void *arg) {
    return benchmark::RegisterBenchmark(
        name, [=](benchmark::State &s) { fn(reinterpret_cast<gbench_t *>(&s), arg); });
}

void gbench_add(const char *name, gbench_fn fn, void *arg) {
    add(name, fn, arg);
}

void gbench_add_threads(const char *name, gbench_fn fn, void *arg, int threads) {
    add(name, fn, arg)->Threads(threads)->UseRealTime();
}

int gbench_batch(gbench_t *b, int64_t n) {
    return state(b).KeepRunningBatch(n);
}
int gbench_thread(gbench_t *b) {
    return state(b).thread_index();
}
void gbench_pause(gbench_t *b) {
    state(b).PauseTiming();
}
void gbench_resume(gbench_t *b) {
    state(b).ResumeTiming();
}
void gbench_fail(gbench_t *b, const char *why) {
    state(b).SkipWithError(why);
}

void gbench_counter(gbench_t *b, const char *name, double value, int rate) {
    auto flags = rate ? benchmark::Counter::kIsRate : benchmark::Counter::kDefaults;
    state(b).counters[name] = benchmark::Counter(value, flags);
}

int main(int argc, char **argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    gbench_register_all();
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
