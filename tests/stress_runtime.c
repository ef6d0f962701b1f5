/* SPDX-License-Identifier: MIT */
/*
 * stress_runtime.c: whole runtimes, made, used in every way at once and ended at any moment. Each
 * round is drawn from the seed: the kind of runtime, the actors and what each does (tasks that
 * foreign threads wake, children that are joined, aborted or left alone, timers, channels, jobs,
 * sockets that echo), and when the shutdown comes. An oracle counts: every state is dropped once,
 * every fiber that began has ended, every message and byte arrived once or is still there, and
 * afterwards no block of memory, no descriptor and no thread is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/allocs.h"
#include "support/net.h"
#include "support/descriptors.h"
#include "support/random.h"
#include "support/threads.h"

#include "os.h"

enum { SLOTS = 16, ACTORS = 12, WAKERS = 2, CHUNK = 3000 };

typedef struct world {
    tmlrt_runtime_t *rt;
    tmlrt_chan_t    *ch;
    tmlrt_notify_t   notify;
    tmlrt_sock_t    *listener;
    tmlrt_addr_t     addr;
    uint64_t         seed;
    atomic_uint      next_id;
    atomic_bool      ending; /* from here on every wait may fail */
    atomic_bool      over;   /* the threads that wake are to leave */

    /* The oracle. */
    atomic_llong made, dropped;   /* states of tasks */
    atomic_llong spawned, ended;  /* fibers */
    atomic_llong jobs, jobs_done; /* given to the pool, run */
    atomic_llong sent, received, sent_sum, received_sum;
    atomic_llong echoed;

    atomic_flag   lock[SLOTS];
    tmlrt_waker_t slot[SLOTS]; /* under its lock; vtable NULL: empty */
} world_t;

static random_t stream_of(world_t *w) {
    random_t r;
    random_seed(&r, w->seed + 7919u * atomic_fetch_add(&w->next_id, 1));
    return r;
}

/* An error is allowed once the end has begun. */
static bool fine(world_t *w, int64_t r) {
    if (r >= 0) return true;
    require(atomic_load(&w->ending) || r == TMLRT_ETIMEDOUT || r == TMLRT_ECANCELED);
    return false;
}

/* ---- tasks that others wake ------------------------------------------------------------------- */

/* Puts a waker into a slot and returns what was there. */
static tmlrt_waker_t exchange(world_t *w, uint32_t i, tmlrt_waker_t waker) {
    while (atomic_flag_test_and_set_explicit(&w->lock[i], memory_order_acquire))
        tmlrt__latch_relax();
    tmlrt_waker_t former = w->slot[i];
    w->slot[i] = waker;
    atomic_flag_clear_explicit(&w->lock[i], memory_order_release);
    return former;
}

static void wake_slot(world_t *w, uint32_t i, tmlrt_waker_t put) {
    tmlrt_waker_t former = exchange(w, i, put);
    if (former.vtable != NULL) tmlrt_waker_wake(&former);
}

static const tmlrt_waker_t no_waker = {NULL, NULL};

static void wakes_all_the_time(void *arg, int i) {
    world_t *w = arg;
    random_t r;
    random_seed(&r, w->seed + 104729u * (uint32_t)(i + 1));
    while (!atomic_load(&w->over)) {
        wake_slot(w, random_below(&r, SLOTS), no_waker);
        if (random_below(&r, 4) == 0) tmlrt__latch_relax();
    }
}

typedef struct sleeper {
    world_t   *w;
    random_t   random;
    uint32_t   wakes; /* that it still waits for */
    bool       timing;
    tmlrt_op_t op;
    uint32_t   magic;
} sleeper_t;

static int32_t sleeper_poll(void *state, tmlrt_cx_t *cx, void *result) {
    sleeper_t    *s = state;
    tmlrt_waker_t mine;
    (void)result;
    require(s->magic == 0x51ee9);
    if (s->timing) {
        if (tmlrt_op_poll(&s->op, cx) == TMLRT_PENDING) {
            if (random_below(&s->random, 8) != 0) return TMLRT_PENDING;
            tmlrt_op_cancel(&s->op);
            if (tmlrt_op_poll(&s->op, cx) == TMLRT_PENDING) return TMLRT_PENDING;
        }
        s->timing = false;
    }
    while (s->wakes != 0) {
        s->wakes--;
        if (random_below(&s->random, 3) == 0) {
            tmlrt_op_sleep(&s->op, NULL, 1 + random_below(&s->random, 300000));
            s->timing = true;
            if (tmlrt_op_poll(&s->op, cx) == TMLRT_PENDING) return TMLRT_PENDING;
            s->timing = false;
            continue;
        }
        require(tmlrt_waker_clone(cx->waker, &mine) == TMLRT_OK);
        wake_slot(s->w, random_below(&s->random, SLOTS), mine);
        return TMLRT_PENDING;
    }
    return TMLRT_READY;
}

static void sleeper_drop(void *state) {
    sleeper_t *s = state;
    require(s->magic == 0x51ee9);
    s->magic = 0;
    atomic_fetch_add(&s->w->dropped, 1);
}

static const tmlrt_task_type_t sleeper_type = {.struct_size = sizeof(tmlrt_task_type_t),
                                               .name = "sleeper",
                                               .state_size = sizeof(sleeper_t),
                                               .poll = sleeper_poll,
                                               .drop = sleeper_drop};

/* From anywhere: a task, with its handle or without. */
static bool spawn_sleeper(world_t *w, random_t *r, tmlrt_runtime_t *rt, tmlrt_task_t **task) {
    sleeper_t s;
    memset(&s, 0, sizeof s);
    s.w = w;
    s.random = stream_of(w);
    s.wakes = random_below(r, 4);
    s.magic = 0x51ee9;
    if (!fine(w, tmlrt_spawn(rt, &sleeper_type, &s, NULL, task))) return false;
    atomic_fetch_add(&w->made, 1);
    return true;
}

/* ---- what a fiber does ------------------------------------------------------------------------ */

static void does_children(world_t *w, random_t *r) {
    tmlrt_task_t *task[4];
    uint32_t      n = 0;
    while (n < 4 && spawn_sleeper(w, r, NULL, &task[n]))
        n++;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t what = random_below(r, 4);
        if (what == 0) (void)tmlrt_task_abort(task[i]);
        if (what <= 1) (void)fine(w, tmlrt_join(task[i], NULL));
        tmlrt_task_release(task[i]);
    }
}

static void does_channel(world_t *w, random_t *r) {
    int64_t limit = tmlrt_now(NULL) + 1000 + random_below(r, 500000);
    int     value = (int)random_below(r, 1000000);
    if (random_below(r, 2) == 0) {
        if (!fine(w, tmlrt_chan_send_until(w->ch, &value, limit))) return;
        atomic_fetch_add(&w->sent, 1);
        atomic_fetch_add(&w->sent_sum, value);
    } else if (fine(w, tmlrt_chan_recv_until(w->ch, &value, limit))) {
        atomic_fetch_add(&w->received, 1);
        atomic_fetch_add(&w->received_sum, value);
    }
}

static void does_select(world_t *w, random_t *r) {
    tmlrt_op_t  recv = TMLRT_OP_INIT, told = TMLRT_OP_INIT, any = TMLRT_OP_INIT;
    tmlrt_op_t *ops[] = {&recv, &told};
    int         value;
    require(tmlrt_op_recv(&recv, w->ch, &value) == TMLRT_OK);
    require(tmlrt_op_notified(&told, &w->notify) == TMLRT_OK);
    require(tmlrt_op_any(&any, ops, 2) == TMLRT_OK);
    require(tmlrt_op_deadline(&any, tmlrt_now(NULL) + random_below(r, 300000)) == TMLRT_OK);
    require(tmlrt_op_await(&any) == TMLRT_OK);
    (void)fine(w, tmlrt_op_result(&any));
    if (tmlrt_op_result(&recv) != TMLRT_OK) return;
    atomic_fetch_add(&w->received, 1);
    atomic_fetch_add(&w->received_sum, value);
}

static void *job(void *arg) {
    world_t *w = arg;
    tmlrt_notify_one(&w->notify);
    atomic_fetch_add(&w->jobs_done, 1);
    return NULL;
}

static void does_job(world_t *w, random_t *r) {
    tmlrt_task_t *task;
    if (!fine(w, tmlrt_spawn_blocking(NULL, job, w, random_below(r, 3), NULL, &task))) return;
    atomic_fetch_add(&w->jobs, 1);
    if (random_below(r, 4) == 0) (void)tmlrt_task_abort(task);
    (void)fine(w, tmlrt_join(task, NULL));
    tmlrt_task_release(task);
}

static void does_echo(world_t *w, random_t *r) {
    unsigned char out[CHUNK], in[CHUNK];
    tmlrt_sock_t *sock = NULL;
    int64_t       limit = tmlrt_now(NULL) + 60 * TMLRT_S;
    if (!fine(w, tmlrt_connect_until(NULL, &w->addr, NULL, &sock, limit))) return;
    for (uint32_t rounds = random_below(r, 4); rounds != 0; rounds--) {
        size_t n = 1 + random_below(r, CHUNK);
        for (size_t i = 0; i < n; i++)
            out[i] = (unsigned char)random_below(r, 256);
        if (!fine(w, tmlrt_write_until(sock, out, n, limit))) break;
        if (!fine(w, tmlrt_read_exact_until(sock, in, n, limit))) break;
        require(memcmp(in, out, n) == 0);
        atomic_fetch_add(&w->echoed, (long long)n);
    }
    if (random_below(r, 4) == 0) (void)tmlrt_sock_set(sock, TMLRT_SOCK_LINGER, 0);
    tmlrt_sock_release(sock);
}

static void *actor(void *arg) {
    world_t *w = arg;
    random_t r = stream_of(w);
    for (uint32_t steps = random_below(&r, 30); steps != 0; steps--) {
        switch (random_below(&r, 8)) {
        case 0: does_children(w, &r); break;
        case 1: (void)spawn_sleeper(w, &r, NULL, NULL); break;
        case 2: does_select(w, &r); break;
        case 3: does_job(w, &r); break;
        case 4: does_echo(w, &r); break;
        case 5: (void)fine(w, tmlrt_sleep(random_below(&r, 200000))); break;
        case 6: tmlrt_notify_one(&w->notify); break;
        default: does_channel(w, &r); break;
        }
    }
    atomic_fetch_add(&w->ended, 1);
    return NULL;
}

/* A connection of the server: its fiber's, which begins also when it is cancelled before. */
typedef struct session {
    world_t      *w;
    tmlrt_sock_t *sock;
} session_t;

static void *echoes(void *arg) {
    session_t     s = *(session_t *)arg;
    unsigned char buf[700];
    int64_t       n;
    free(arg);
    while ((n = tmlrt_read(s.sock, buf, sizeof buf)) > 0)
        if (tmlrt_write(s.sock, buf, (size_t)n) != n) break;
    tmlrt_sock_release(s.sock);
    atomic_fetch_add(&s.w->ended, 1);
    return NULL;
}

static void *accepts(void *arg) {
    world_t      *w = arg;
    tmlrt_sock_t *sock;
    while (tmlrt_accept(w->listener, &sock) == TMLRT_OK) {
        session_t *s = calloc(1, sizeof *s);
        require(s != NULL);
        *s = (session_t){w, sock};
        if (fine(w, tmlrt_go(NULL, echoes, s, NULL, NULL))) {
            atomic_fetch_add(&w->spawned, 1);
            continue;
        }
        free(s);
        tmlrt_sock_release(sock);
    }
    atomic_fetch_add(&w->ended, 1);
    return NULL;
}

/* ---- one round -------------------------------------------------------------------------------- */

static allocs_t allocs;

static void world_begin(world_t *w, random_t *r, uint64_t seed) {
    tmlrt_allocator_t allocator = allocs_of(&allocs);
    tmlrt_config_t    config = TMLRT_CONFIG_INIT;
    uint32_t          workers = random_below(r, 4);
    memset(w, 0, sizeof *w);
    w->seed = seed;
    config.flavor = workers == 0 ? TMLRT_FLAVOR_CURRENT_THREAD : TMLRT_FLAVOR_MULTI_THREAD;
    config.workers = workers;
    config.allocator = &allocator;
    config.blocking_threads = 1 + random_below(r, 4);
    require(tmlrt_runtime_create(&w->rt, &config) == TMLRT_OK);
    require(tmlrt_chan_create(&w->ch, sizeof(int), random_below(r, 5)) == TMLRT_OK);
    w->addr = loopback();
    require(tmlrt_tcp_listen(w->rt, &w->addr, NULL, &w->listener) == TMLRT_OK);
    require(tmlrt_sock_local_addr(w->listener, &w->addr) == TMLRT_OK);
}

/* After the runtime: what was left behind is counted, and given back. */
static void world_end(world_t *w) {
    int value;
    atomic_store(&w->over, true);
    for (uint32_t i = 0; i < SLOTS; i++) /* wakers that outlived their runtime */
        wake_slot(w, i, no_waker);
    tmlrt_sock_release(w->listener);
    while (tmlrt_chan_try_recv(w->ch, &value) == TMLRT_OK) {
        atomic_fetch_add(&w->received, 1);
        atomic_fetch_add(&w->received_sum, value);
    }
    tmlrt_chan_release(w->ch);
}

static struct { long long tasks, fibers, jobs, messages, bytes; } total;

static void one_round(uint64_t seed) {
    static world_t w;
    random_t       r;
    random_seed(&r, seed);
    int descriptors = open_descriptors(), threads = running_threads();
    world_begin(&w, &r, seed);
    crew_t  *crew = crew_start(WAKERS, wakes_all_the_time, &w);
    uint32_t actors = 1 + random_below(&r, ACTORS);
    atomic_fetch_add(&w.spawned, 1 + actors);
    require(tmlrt_go(w.rt, accepts, &w, NULL, NULL) == TMLRT_OK);
    for (uint32_t i = 0; i < actors; i++) {
        require(tmlrt_go(w.rt, actor, &w, NULL, NULL) == TMLRT_OK);
        require(spawn_sleeper(&w, &r, w.rt, NULL));
    }
    if (random_below(&r, 2) == 0) tmlrt_sleep(random_below(&r, 10000000)); /* or at once */
    int64_t deadline = random_below(&r, 3) == 0 ? 0 : tmlrt_now(w.rt) + random_below(&r, 10000000);
    atomic_store(&w.ending, true);
    if (random_below(&r, 4) != 0) {
        tmlrt_shutdown_report_t report = TMLRT_SHUTDOWN_REPORT_INIT;
        int                     e = tmlrt_runtime_shutdown(w.rt, deadline, &report);
        require(e == TMLRT_OK || e == TMLRT_ETIMEDOUT);
        require(report.stuck == 0 && (e == TMLRT_OK) == (report.cancelled == 0));
    }
    require(tmlrt_runtime_destroy(w.rt) == TMLRT_OK);
    world_end(&w);
    crew_join(crew);

    assert_true(w.made == w.dropped);
    assert_true(w.spawned == w.ended);
    assert_true(w.jobs_done <= w.jobs);
    assert_true(w.sent == w.received);
    assert_true(w.sent_sum == w.received_sum);
    total.tasks += w.dropped;
    total.fibers += w.ended;
    total.jobs += w.jobs_done;
    total.messages += w.received;
    total.bytes += w.echoed;
    assert_int_equal(allocs.blocks, 0);
    assert_int_equal(open_descriptors(), descriptors);
    wait_until(running_threads() <= threads); /* a joined one may linger */
}

static void does_nothing(void *arg, int i) {
    (void)arg;
    (void)i;
}

/* A round that fails says its seed, and is played again alone by TMLRT_TEST_SEED. */
static void rounds_of_everything_lose_nothing(void **state) {
    (void)state;
    uint64_t seed = test_seed();
    int      rounds = scaled(300);
    on_threads(1, does_nothing,
               NULL); /* a sanitizer may begin a thread of its own with the first */
    for (int i = 0; i < rounds; i++) {
        fprintf(stderr, "\rround %d, seed %llu ", i, (unsigned long long)seed + (uint64_t)i);
        one_round(seed + (uint64_t)i);
    }
    fprintf(stderr, "\n");
    printf("tasks %lld, fibers %lld, jobs %lld, messages %lld, bytes %lld\n", total.tasks,
           total.fibers, total.jobs, total.messages, total.bytes);
    assert_true(total.tasks > 0 && total.fibers > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rounds_of_everything_lose_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
