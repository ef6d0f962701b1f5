/* SPDX-License-Identifier: MIT */
/*
 * http_load.c: a load generator on libtmlrt: it opens thousands of connections (client.c), checks
 * every answer, and shows what happens, a line a second.
 *
 * The ramp opens the connections, so many at a time; each exchanges one request and waits at a
 * gate. Then the gate opens and all exchange requests, one at a time each, for the given time: that
 * is what the summary measures. Ctrl-C ends it early, with the summary.
 *
 * The exit status is 0 when every connection was served and nothing went wrong, else 1; 2 for a
 * mistake in the arguments or a limit that is too low.
 */
#include "client.h"
#include "load_stats.h"
#include "process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IN_RAMP_LIMIT = 256 };

static const char usage[] =
    "usage: http_load --target ADDRESS:PORT [--connections N] [--seconds S] [--path P]\n"
    "                 [--workers W]\n"
    "  --target A:P      the server, as 127.0.0.1:8080\n"
    "  --connections N   connections at the same time (default 10000)\n"
    "  --seconds S       how long the load lasts (default 10)\n"
    "  --path P          / or /bytes/N, as http_server serves them (default /)\n"
    "  --workers W       worker threads; 0: as many as there are CPUs (default)\n";

typedef struct {
    const char *target, *path;
    int64_t     connections, seconds, workers;
} options_t;

/* The run. `load` is shared as client.h says; the rest has one owner. */
static struct {
    load_t           load;
    options_t        options; /* constant */
    int64_t          start;   /* constant */
    tmlrt_notify_t   is_over; /* the conductor tells main */
    int64_t          window;  /* when the gate was opened, 0 before; the conductor's, then main's */
    histogram_view_t before;  /* the latencies until then; likewise */
    histogram_view_t last, now; /* the reporter's */
    histogram_view_t total;     /* main's */
} run;

/* A time with a unit, in four figures. Returns `text`. */
static const char *time_text(char text[16], int64_t ns) {
    if (ns < 10 * TMLRT_MS)
        snprintf(text, 16, "%.0f us", (double)ns / (double)TMLRT_US);
    else if (ns < 10 * TMLRT_S)
        snprintf(text, 16, "%.1f ms", (double)ns / (double)TMLRT_MS);
    else
        snprintf(text, 16, "%.1f s", (double)ns / (double)TMLRT_S);
    return text;
}

/* The conductor: the ramp, the gate, the time. */
typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t  sleep, stopping, any;
    tmlrt_op_t *either[2];
    int64_t     i;
} conductor_t;

static void open_gate(void) {
    load_stats_view(&run.before);
    run.window = tmlrt_now(NULL);
    client_open_gate(&run.load);
}

static void prepare_end(conductor_t *s) {
    s->either[0] = &s->sleep;
    s->either[1] = &s->stopping;
    tmlrt_op_sleep(&s->sleep, NULL, run.options.seconds * TMLRT_S);
    tmlrt_op_stopping(&s->stopping, NULL);
    tmlrt_op_any(&s->any, s->either, 2);
}

static int32_t conductor_poll(void *state, tmlrt_cx_t *cx, void *result) {
    conductor_t *s = state;
    int          r;
    (void)result;
    TMLRT_BEGIN(s);
    for (s->i = 0; s->i < run.options.connections && !atomic_load(&run.load.stop); s->i++) {
        while (atomic_load(&run.load.in_ramp) >= IN_RAMP_LIMIT) {
            TMLRT_AWAIT(s, cx, &s->any, tmlrt_op_notified(&s->any, &run.load.ramp));
        }
        r = client_spawn(&run.load);
        if (r < 0) load_stats_error(LOAD_SPAWN, r);
    }
    while (atomic_load(&run.load.in_ramp) > 0) {
        TMLRT_AWAIT(s, cx, &s->any, tmlrt_op_notified(&s->any, &run.load.ramp));
    }
    open_gate();
    TMLRT_AWAIT(s, cx, &s->any, prepare_end(s));
    tmlrt_notify_one(&run.is_over);
    TMLRT_END(s);
}

static const tmlrt_task_type_t conductor_type = TMLRT_TASK_TYPE(conductor_t, conductor_poll, NULL);

/* The reporter: a line a second, over itself on a terminal. A daemon: the shutdown ends it. */
typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t       op;
    tmlrt_interval_t interval;
    int64_t          last;
} reporter_t;

static void print_second(int64_t now, int64_t since) {
    char p50[16], p99[16], p999[16];
    int  is_tty = isatty(STDOUT_FILENO);

    load_stats_view(&run.now);
    histogram_view_difference(&run.now, &run.last, &run.last);
    printf("%s%s %5.1f s  %8.0f req/s  p50 %9s  p99 %9s  p99.9 %9s  open %5u  errors %llu%s",
           is_tty ? "\r" : "", atomic_load(&run.load.is_open) ? "load" : "ramp",
           (double)(now - run.start) / (double)TMLRT_S,
           (double)run.last.total * (double)TMLRT_S / (double)(now - since),
           time_text(p50, histogram_view_percentile(&run.last, 50)),
           time_text(p99, histogram_view_percentile(&run.last, 99)),
           time_text(p999, histogram_view_percentile(&run.last, 99.9)),
           (unsigned)atomic_load(&load_connections.open), (unsigned long long)load_stats_errors(),
           is_tty ? "\033[K" : "\n");
    fflush(stdout);
    run.last = run.now;
}

static int32_t reporter_poll(void *state, tmlrt_cx_t *cx, void *result) {
    reporter_t *s = state;
    int64_t     now;
    (void)result;
    TMLRT_BEGIN(s);
    s->last = run.start;
    tmlrt_interval_init(&s->interval, NULL, run.start + TMLRT_S, TMLRT_S, TMLRT_MISSED_SKIP);
    for (;;) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_tick(&s->op, &s->interval));
        if (tmlrt_op_result(&s->op) < 0) break;
        now = tmlrt_now(NULL);
        print_second(now, s->last);
        s->last = now;
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t reporter_type = TMLRT_TASK_TYPE(reporter_t, reporter_poll, NULL);

/* The main thread. */

static options_t parse_options(int argc, char **argv) {
    options_t o = {NULL, "/", 10000, 10, 0};
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        }
        if (strcmp(name, "--target") == 0)
            o.target = value;
        else if (strcmp(name, "--path") == 0)
            o.path = value;
        else if (strcmp(name, "--connections") == 0)
            o.connections = process_number(name, value, 1, 1000000);
        else if (strcmp(name, "--seconds") == 0)
            o.seconds = process_number(name, value, 1, 86400);
        else if (strcmp(name, "--workers") == 0)
            o.workers = process_number(name, value, 0, TMLRT_MAX_WORKERS);
        else
            process_die("unknown option %s\n%s", name, usage);
    }
    if (o.target == NULL || o.path == NULL)
        process_die("--target ADDRESS:PORT is needed\n%s", usage);
    return o;
}

static void prepare_load(load_t *load, const options_t *o) {
    int length;
    if (tmlrt_addr_parse(&load->addr, o->target) < 0)
        process_die("--target: '%s' is not an address and a port", o->target);
    if (content_find(o->path, strlen(o->path), &load->expected) < 0)
        process_die("--path: '%s' is neither / nor /bytes/N", o->path);
    length = snprintf(load->request, sizeof load->request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n",
                      o->path, o->target);
    if (length >= (int)sizeof load->request) process_die("--path or --target is too long");
    load->request_size = (size_t)length;
}

/* One descriptor a connection and a few for the runtime. */
static void check_descriptors(const options_t *o) {
    const int64_t others = 100;
    int64_t       limit = process_raise_descriptors();
    if (o->connections + others <= limit) return;
    process_die("%lld connections need %lld open descriptors, but the hard limit is %lld: raise it "
                "(ulimit -Hn) or ask for fewer --connections",
                (long long)o->connections, (long long)(o->connections + others), (long long)limit);
}

/* Until the time is over (0) or a signal came (1). A second signal ends the process. */
static int wait_for_end(tmlrt_signal_t *sigint, tmlrt_signal_t *sigterm) {
    tmlrt_op_t over = TMLRT_OP_INIT, on_int = TMLRT_OP_INIT, on_term = TMLRT_OP_INIT;
    tmlrt_op_t any = TMLRT_OP_INIT, *each[] = {&over, &on_int, &on_term};

    process_check(tmlrt_op_notified(&over, &run.is_over), "wait");
    process_check(tmlrt_op_signal(&on_int, sigint), "SIGINT");
    process_check(tmlrt_op_signal(&on_term, sigterm), "SIGTERM");
    process_check(tmlrt_op_any(&any, each, 3), "wait");
    process_check(tmlrt_op_await(&any), "wait");
    tmlrt_signal_close(sigint);
    tmlrt_signal_close(sigterm);
    return tmlrt_op_result(&over) < 0;
}

static void print_summary(int64_t end, uint32_t open_at_end, uint64_t errors) {
    static const double percents[] = {50, 90, 99, 99.9, 99.99, 100};
    const int64_t       from = run.window != 0 ? run.window : run.start;
    const double        seconds = (double)(end - from) / (double)TMLRT_S;
    char                text[16];

    histogram_view_difference(&run.total, &run.before, &run.total);
    printf(
        "\nconnections  %u of %lld started, %u opened, %u served, %u failed; %u open at the end\n",
        (unsigned)atomic_load(&load_connections.started), (long long)run.options.connections,
        (unsigned)atomic_load(&load_connections.opened),
        (unsigned)atomic_load(&load_connections.served),
        (unsigned)atomic_load(&load_connections.failed), (unsigned)open_at_end);
    if (run.window != 0)
        printf("ramp         %.2f s, %llu requests\n", (double)(from - run.start) / (double)TMLRT_S,
               (unsigned long long)run.before.total);
    printf("requests     %llu in %.2f s: %.0f requests/s\n", (unsigned long long)run.total.total,
           seconds, (double)run.total.total / seconds);
    printf("latency     ");
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++)
        printf(" p%g %s%s", percents[i],
               time_text(text, histogram_view_percentile(&run.total, percents[i])),
               percents[i] < 100 ? "," : "\n");
    printf("errors       %llu\n", (unsigned long long)errors);
    load_stats_print_errors();
}

int main(int argc, char **argv) {
    tmlrt_config_t       config = TMLRT_CONFIG_INIT;
    tmlrt_task_options_t daemon = TMLRT_TASK_OPTIONS_INIT;
    tmlrt_runtime_t     *rt = NULL;
    tmlrt_signal_t      *sigint = NULL, *sigterm = NULL;

    process_name("http_load");
    run.options = parse_options(argc, argv);
    prepare_load(&run.load, &run.options);
    check_descriptors(&run.options);

    config.workers = (uint32_t)run.options.workers;
    config.on_thread_start = load_stats_on_thread;
    daemon.flags = TMLRT_TASK_DAEMON;
    process_check(tmlrt_runtime_create(&rt, &config), "runtime");
    process_check(tmlrt_signal_open(rt, SIGINT, &sigint), "SIGINT");
    process_check(tmlrt_signal_open(rt, SIGTERM, &sigterm), "SIGTERM");
    printf("%lld connections to http://%s%s, %lld s, %d workers, %s\n",
           (long long)run.options.connections, run.options.target, run.options.path,
           (long long)run.options.seconds, tmlrt_runtime_workers(rt), tmlrt_runtime_reactor(rt));
    run.start = tmlrt_now(rt);
    process_check(tmlrt_spawn(rt, &reporter_type, &(reporter_t){0}, &daemon, NULL), "spawn");
    process_check(tmlrt_spawn(rt, &conductor_type, &(conductor_t){0}, NULL, NULL), "spawn");

    int      was_interrupted = wait_for_end(sigint, sigterm);
    int64_t  end = tmlrt_now(rt);
    uint32_t open_at_end = atomic_load(&load_connections.open);
    load_stats_view(&run.total);
    atomic_store(&run.load.stop, 1);
    client_open_gate(&run.load);

    /* Exchanges that are under way end by themselves, at their deadline at the latest. */
    int      r = tmlrt_runtime_shutdown(rt, end + (was_interrupted ? 2 : 11) * TMLRT_S, NULL);
    uint64_t errors = load_stats_errors();
    uint32_t started = atomic_load(&load_connections.started);
    print_summary(end, open_at_end, errors);
    int is_good = r >= 0 && errors == 0 && atomic_load(&load_connections.failed) == 0 &&
                  atomic_load(&load_connections.served) == started && started > 0;
    printf("%s%s\n", was_interrupted ? "interrupted: " : "", is_good ? "all well" : "NOT all well");
    return tmlrt_runtime_destroy(rt) < 0 || !is_good ? 1 : 0;
}
