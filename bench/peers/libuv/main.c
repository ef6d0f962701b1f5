/* SPDX-License-Identifier: MIT */
/* main.c: libuv: timers, sleeps, and the wake of a parked loop by uv_async_send. One loop. */
#define PEER_NAME "libuv"
#include "../common/peer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

static void check(int r, const char *what) {
    if (r < 0) {
        fprintf(stderr, PEER_NAME ": %s: %s\n", what, uv_strerror(r));
        exit(2);
    }
}

static void never(uv_timer_t *t) {
    (void)t;
    peer_die("fired");
}

static void timer(const peer_args_t *a) {
    long        n = a->n > 0 ? a->n : 1000000;
    uv_timer_t *timers = calloc((size_t)n, sizeof *timers);
    uv_loop_t  *loop = uv_default_loop();
    int64_t     t0 = 0, t1 = 0, t2 = 0, t3 = 0;
    for (int round = a->warm != 0 ? 0 : 1; round < 2; round++) {
        uint64_t seed = PEER_SEED;
        uv_update_time(loop);
        t0 = peer_now();
        for (long i = 0; i < n; i++) {
            check(uv_timer_init(loop, &timers[i]), "init");
            check(uv_timer_start(&timers[i], never, 10000 + peer_rand(&seed) % 60000, 0), "start");
        }
        t1 = peer_now();
        for (long i = 0; i < n; i++)
            check(uv_timer_stop(&timers[i]), "stop");
        t2 = peer_now();
        for (long i = 0; i < n; i++) {
            check(uv_timer_start(&timers[0], never, 10000 + peer_rand(&seed) % 60000, 0), "start");
            check(uv_timer_stop(&timers[0]), "stop");
        }
        t3 = peer_now();
        for (long i = 0; i < n; i++)
            uv_close((uv_handle_t *)&timers[i], NULL);
        uv_run(loop, UV_RUN_DEFAULT);
    }
    peer_emit(a, "timer_create", (double)(t1 - t0) / (double)n, "ns");
    peer_emit(a, "timer_cancel", (double)(t2 - t1) / (double)n, "ns");
    peer_emit(a, "timer_create_cancel", (double)(t3 - t2) / (double)n, "ns");
}

typedef struct {
    uv_timer_t timer;
    int64_t    until, late;
} sleeper_t;

static void wakes(uv_timer_t *t) {
    sleeper_t *s = (sleeper_t *)t;
    s->late = peer_now() - s->until;
}

static void sleeps(const peer_args_t *a) {
    long       n = a->n > 0 ? a->n : 100000;
    sleeper_t *s = calloc((size_t)n, sizeof *s);
    int64_t   *late = calloc((size_t)n, sizeof *late);
    uv_loop_t *loop = uv_default_loop();
    uint64_t   seed = PEER_SEED;
    double     cpu = peer_cpu_seconds();
    for (long i = 0; i < n; i++) {
        uint64_t ms = 1 + peer_rand(&seed) % 1000;
        uv_update_time(loop); /* else the time since the last turn of the loop is missing */
        s[i].until = peer_now() + (int64_t)ms * 1000000;
        check(uv_timer_init(loop, &s[i].timer), "init");
        check(uv_timer_start(&s[i].timer, wakes, ms, 0), "start");
    }
    uv_run(loop, UV_RUN_DEFAULT);
    cpu = peer_cpu_seconds() - cpu;
    for (long i = 0; i < n; i++)
        late[i] = s[i].late;
    peer_emit_latency(a, "sleeps", late, n, 1e6, "ms", cpu);
}

static struct {
    uv_loop_t       loop;
    uv_async_t      async;
    _Atomic int64_t sent;
    _Atomic long    seen;
    int64_t        *took;
    long            n;
} wake_state;

static void on_async(uv_async_t *h) {
    long i = atomic_load_explicit(&wake_state.seen, memory_order_relaxed);
    wake_state.took[i] = peer_now() - atomic_load_explicit(&wake_state.sent, memory_order_relaxed);
    atomic_store_explicit(&wake_state.seen, i + 1, memory_order_release);
    if (i + 1 == wake_state.n) uv_close((uv_handle_t *)h, NULL);
}

static void *loop_thread(void *arg) {
    (void)arg;
    uv_run(&wake_state.loop, UV_RUN_DEFAULT);
    return NULL;
}

static void wake(const peer_args_t *a) {
    pthread_t thread;
    wake_state.n = a->n > 0 ? a->n : 1000;
    wake_state.took = calloc((size_t)wake_state.n, sizeof *wake_state.took);
    check(uv_loop_init(&wake_state.loop), "loop");
    check(uv_async_init(&wake_state.loop, &wake_state.async, on_async), "async");
    if (pthread_create(&thread, NULL, loop_thread, NULL) != 0) peer_die("thread");
    peer_pin_self(a->pin);
    for (long i = 0; i < wake_state.n; i++) {
        do
            peer_sleep(1000000);
        while (atomic_load_explicit(&wake_state.seen, memory_order_acquire) < i);
        atomic_store_explicit(&wake_state.sent, peer_now(), memory_order_relaxed);
        check(uv_async_send(&wake_state.async), "send");
    }
    pthread_join(thread, NULL);
    peer_emit_latency(a, a->pin >= 0 ? "wake_pinned" : "wake_unpinned", wake_state.took,
                      wake_state.n, 1e3, "us", -1);
}

int main(int argc, char **argv) {
    peer_args_t a = peer_parse(argc, argv);
    a.workers = 1;
    if (strcmp(a.work, "version") == 0)
        printf("libuv %s\n", uv_version_string());
    else if (strcmp(a.work, "timer") == 0)
        timer(&a);
    else if (strcmp(a.work, "sleeps") == 0)
        sleeps(&a);
    else if (strcmp(a.work, "wake") == 0)
        wake(&a);
    else
        peer_die("unknown work");
    return 0;
}
