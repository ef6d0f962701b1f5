/* SPDX-License-Identifier: MIT */
/*
 * fairness.c: are I/O and timers served beside 100 tasks that are always ready, and after how many
 * polls?
 *
 * Three kinds of always-ready load: tasks that yield, pairs that wake each other (the next slot),
 * chains in which each task spawns its successor (the deque, newest first). Each poll of the load
 * counts in a counter of its worker. Beside it two tasks send a word over a TCP connection to and
 * fro, and one sleeps again and again. The distance is the number of polls that the worker with
 * the socket (or the timer) made between "ready" and "served": since the write, and since the tick
 * after the deadline had passed. The bound is the one of src/worker.h: at the latest after 1,024
 * polls the driver is asked, and what it brings stands in the fifo behind at most what is there,
 * place k being served within 2k + 2 picks of at most 4 polls.
 */
#include <string.h>

#include "figure.h"

enum { LOAD = 100, MOST = 2, SAMPLES = 1000000 };
enum { YIELD, PAIR, CHAIN, LOADS };
#define TICK_NS 65536 /* of the timer wheel, include/tmlrt/time.h */
#define RUN_NS  (TMLRT_S)
#define REST_NS (200 * TMLRT_US) /* the sleep */

static const char *const load_text[LOADS] = {
    "100 tasks that yield", "50 pairs that wake each other", "100 chains of spawns"};

#define ASK_BOUND 1024
#define PLACES    (LOAD + 3) /* who may stand in the fifo: the load and the three served */
#define BOUND     (ASK_BOUND + 4 * (2 * PLACES + 2))

static struct { _Alignas(64) _Atomic uint64_t n; /* written by its worker alone */ } polls[MOST];

static atomic_int       stop;
static figure_samples_t sock_polls, sock_time, timer_polls, timer_time;

static uint64_t polls_of(int worker) {
    return atomic_load_explicit(&polls[worker].n, memory_order_relaxed);
}

/* ---- the timer ------------------------------------------------------------------------------ */

/* The sleep under way. The load of the worker that has the timer marks its first poll after the
 * deadline and the tick: mark is (round << 40 | polls). One that is late with its mark, having lost
 * its CPU, marks an old round, which does not count. */
static struct {
    _Atomic int64_t  due;
    _Atomic uint64_t round, mark;
    atomic_int       worker;
} rest;

#define ROUND_SHIFT 40

static void mark_rest(int worker, uint64_t n) {
    uint64_t round = atomic_load(&rest.round); /* first: what belongs to it was written before */
    if (atomic_load(&rest.worker) != worker) return;
    if (atomic_load(&rest.mark) >> ROUND_SHIFT == round) return;
    if (tmlrt_now(NULL) <= atomic_load(&rest.due) + TICK_NS) return;
    atomic_store(&rest.mark, round << ROUND_SHIFT | n);
}

static void load_counts(void) {
    int      worker = figure_worker();
    uint64_t n = polls_of(worker) + 1;
    atomic_store_explicit(&polls[worker].n, n, memory_order_relaxed);
    mark_rest(worker, n);
}

typedef struct sleeper {
    TMLRT_FRAME;
    tmlrt_op_t op;
    int64_t    due;
} sleeper_t;

static void sleeper_begin(sleeper_t *s) {
    s->due = tmlrt_now(NULL) + REST_NS;
    atomic_store(&rest.worker, figure_worker());
    atomic_store(&rest.due, s->due);
    atomic_fetch_add(&rest.round, 1);
    figure_check(tmlrt_op_sleep_until(&s->op, NULL, s->due), "sleep");
}

static void sleeper_end(const sleeper_t *s) {
    uint64_t mark = atomic_load(&rest.mark), n = polls_of(atomic_load(&rest.worker));
    bool     marked = mark >> ROUND_SHIFT == atomic_load(&rest.round);
    mark &= (UINT64_C(1) << ROUND_SHIFT) - 1;
    figure_add(&timer_time, tmlrt_now(NULL) - s->due);
    figure_add(&timer_polls, marked ? (int64_t)(n - mark) : 0);
}

static int32_t sleeper_poll(void *state, tmlrt_cx_t *cx, void *result) {
    sleeper_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    while (atomic_load(&stop) == 0) {
        TMLRT_AWAIT(s, cx, &s->op, sleeper_begin(s));
        sleeper_end(s);
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t sleeper_type = TMLRT_TASK_TYPE(sleeper_t, sleeper_poll, NULL);

/* ---- the connection ------------------------------------------------------------------------- */

typedef struct word {
    int64_t  at;
    uint64_t polls[MOST];
} word_t;

typedef struct end {
    TMLRT_FRAME;
    tmlrt_op_t    op;
    tmlrt_sock_t *sock, *listener;
    tmlrt_addr_t  addr;
    int           worker; /* whose driver has the socket */
    word_t        word;
} end_t;

static void word_fill(word_t *w) {
    w->at = tmlrt_now(NULL);
    for (int i = 0; i < MOST; i++)
        w->polls[i] = polls_of(i);
}

/* At the end either side may close first. */
static bool ended(end_t *s, const char *what) {
    if (atomic_load(&stop) != 0) return true;
    figure_check(tmlrt_op_result(&s->op), what);
    return false;
}

/* The accepting end sends; the connecting end, whose driver is known, measures and answers. */
static int32_t sender_poll(void *state, tmlrt_cx_t *cx, void *result) {
    end_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_accept(&s->op, s->listener, &s->sock));
    figure_check(tmlrt_op_result(&s->op), "accept");
    while (atomic_load(&stop) == 0) {
        TMLRT_AWAIT(
            s, cx, &s->op,
            (word_fill(&s->word), tmlrt_op_write(&s->op, s->sock, &s->word, sizeof s->word)));
        if (ended(s, "write")) break;
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_read_exact(&s->op, s->sock, &s->word, 1));
        if (ended(s, "read")) break;
    }
    TMLRT_END(s);
}

static void measure(const end_t *s) {
    figure_add(&sock_time, tmlrt_now(NULL) - s->word.at);
    figure_add(&sock_polls, (int64_t)(polls_of(s->worker) - s->word.polls[s->worker]));
}

static int32_t receiver_poll(void *state, tmlrt_cx_t *cx, void *result) {
    end_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    s->worker = figure_worker();
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_connect(&s->op, NULL, &s->addr, NULL, &s->sock));
    figure_check(tmlrt_op_result(&s->op), "connect");
    while (atomic_load(&stop) == 0) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_read_exact(&s->op, s->sock, &s->word, sizeof s->word));
        if (ended(s, "read")) break;
        measure(s);
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_write(&s->op, s->sock, &s->word, 1));
        if (ended(s, "write")) break;
    }
    TMLRT_END(s);
}

static void end_drop(void *state) {
    end_t *s = state;
    tmlrt_sock_release(s->sock);
    tmlrt_sock_release(s->listener);
}

static const tmlrt_task_type_t sender_type = TMLRT_TASK_TYPE(end_t, sender_poll, end_drop);
static const tmlrt_task_type_t receiver_type = TMLRT_TASK_TYPE(end_t, receiver_poll, end_drop);

static void start_served(tmlrt_runtime_t *rt) {
    end_t     sender = {.op = TMLRT_OP_INIT}, receiver = {.op = TMLRT_OP_INIT};
    sleeper_t sleeper = {.op = TMLRT_OP_INIT};
    figure_check(tmlrt_addr_parse(&receiver.addr, "127.0.0.1:0"), "address");
    figure_check(tmlrt_tcp_listen(rt, &receiver.addr, NULL, &sender.listener), "listen");
    figure_check(tmlrt_sock_local_addr(sender.listener, &receiver.addr), "address");
    figure_check(tmlrt_spawn(rt, &sender_type, &sender, NULL, NULL), "spawn");
    figure_check(tmlrt_spawn(rt, &receiver_type, &receiver, NULL, NULL), "spawn");
    figure_check(tmlrt_spawn(rt, &sleeper_type, &sleeper, NULL, NULL), "spawn");
}

/* ---- the load ------------------------------------------------------------------------------- */

typedef struct load {
    TMLRT_FRAME;
    tmlrt_op_t op;
    int        index;
} load_t;

static int32_t yield_poll(void *state, tmlrt_cx_t *cx, void *result) {
    load_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    while (atomic_load_explicit(&stop, memory_order_relaxed) == 0) {
        load_counts();
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_yield(&s->op));
    }
    TMLRT_END(s);
}

static tmlrt_notify_t pair_bell[LOAD];

static int32_t pair_poll(void *state, tmlrt_cx_t *cx, void *result) {
    load_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    while (atomic_load_explicit(&stop, memory_order_relaxed) == 0) {
        load_counts();
        figure_check(tmlrt_notify_one(&pair_bell[s->index ^ 1]), "notify");
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_notified(&s->op, &pair_bell[s->index]));
    }
    tmlrt_notify_one(&pair_bell[s->index ^ 1]);
    TMLRT_END(s);
}

static int32_t chain_poll(void *state, tmlrt_cx_t *cx, void *result);

static const tmlrt_task_type_t load_type[LOADS] = {TMLRT_TASK_TYPE(load_t, yield_poll, NULL),
                                                   TMLRT_TASK_TYPE(load_t, pair_poll, NULL),
                                                   TMLRT_TASK_TYPE(load_t, chain_poll, NULL)};

static int32_t chain_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)cx, (void)result;
    if (atomic_load_explicit(&stop, memory_order_relaxed) != 0) return TMLRT_READY;
    load_counts();
    figure_check(tmlrt_spawn(NULL, &load_type[CHAIN], state, NULL, NULL), "spawn");
    return TMLRT_READY;
}

/* ---- runs ----------------------------------------------------------------------------------- */

static void run(uint32_t workers, int kind) {
    tmlrt_runtime_t  *rt = NULL;
    tmlrt_config_t    config = figure_config(workers);
    figure_samples_t *all[] = {&sock_polls, &sock_time, &timer_polls, &timer_time};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        figure_samples_make(all[i], SAMPLES);
    for (int i = 0; i < MOST; i++)
        atomic_store(&polls[i].n, 0);
    memset(pair_bell, 0, sizeof pair_bell);
    atomic_store(&stop, 0);
    atomic_store(&rest.round, 0);
    atomic_store(&rest.mark, 0);
    atomic_store(&rest.worker, -1);

    figure_check(tmlrt_runtime_create(&rt, &config), "create");
    for (int i = 0; i < LOAD; i++) {
        load_t load = {.index = i};
        figure_check(tmlrt_spawn(rt, &load_type[kind], &load, NULL, NULL), "spawn");
    }
    start_served(rt);
    figure_check(tmlrt_sleep(RUN_NS), "sleep");
    uint64_t total = 0;
    for (int i = 0; i < MOST; i++)
        total += polls_of(i);
    atomic_store(&stop, 1);
    /* All end by themselves now. */
    if (tmlrt_runtime_shutdown(rt, tmlrt_now(rt) + 5 * TMLRT_S, NULL) != TMLRT_OK)
        figure_promise(false, "every task had its turn at the end");
    figure_check(tmlrt_runtime_destroy(rt), "destroy");

    figure_head("");
    figure_number_row("polls until the socket is served", &sock_polls);
    figure_number_row("polls until the timer is served", &timer_polls);
    figure_time_row("time until the socket is served", &sock_time);
    figure_time_row("time until the timer is served", &timer_time);
    figure_note("%.1f million polls of the load in %.1f s", (double)total / 1e6,
                (double)RUN_NS / 1e9);
    figure_promise(figure_count(&sock_polls) >= 20 && figure_count(&timer_polls) >= 20,
                   "both are served");
    /* A thread that stole the served task may lose its CPU while the other goes on, so with two
     * workers the furthest hundredth says more about the system than about the order. */
    double share = workers == 1 ? 1 : 0.99;
    figure_promise(figure_at(&sock_polls, share) <= BOUND &&
                       figure_at(&timer_polls, share) <= BOUND,
                   "%s within the bound of %d polls", workers == 1 ? "all" : "99 of 100", BOUND);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        figure_samples_free(all[i]);
}

int main(void) {
    for (uint32_t workers = 1; workers <= MOST; workers++)
        for (int kind = 0; kind < LOADS; kind++) {
            figure_title("fairness: %s on %u worker%s", load_text[kind], (unsigned)workers,
                         workers == 1 ? "" : "s");
            run(workers, kind);
        }
    return figure_status();
}
