/* SPDX-License-Identifier: MIT */
/*
 * http_server.c: an HTTP/1.1 server on libtmlrt: a multi-threaded runtime, a stackless task a
 * connection (connection.c), one task that accepts. `/` is a short text, `/bytes/N` N bytes; GET
 * and HEAD, keep-alive, pipelined requests.
 *
 * The main thread is none of the runtime's: it waits for SIGINT or SIGTERM, then shuts down: no
 * more accepts, idle connections close, requests that have begun are answered; what is not done at
 * the end of the grace is cancelled and named. A second signal ends the process at once.
 */
#include "connection.h"
#include "process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int     port;
    int     workers;
    int64_t idle_s, grace_s;
} options_t;

static const char usage[] =
    "usage: http_server [--port P] [--workers W] [--idle SECONDS] [--grace SECONDS]\n"
    "  --port P      listen on 127.0.0.1:P; 0: the system picks one (default 8080)\n"
    "  --workers W   worker threads; 0: as many as there are CPUs (default)\n"
    "  --idle S      close a connection that was idle for S seconds (default 60)\n"
    "  --grace S     at the end, connections have S seconds to finish (default 5)\n";

/* The task that accepts. */
typedef struct {
    TMLRT_FRAME;
    server_t     *server;
    tmlrt_sock_t *listener, *sock;
    tmlrt_op_t    op;
} acceptor_t;

static int32_t acceptor_poll(void *state, tmlrt_cx_t *cx, void *result) {
    acceptor_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (;;) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_accept(&s->op, s->listener, &s->sock));
        if (tmlrt_op_result(&s->op) == TMLRT_ESHUTDOWN) break;
        if (tmlrt_op_result(&s->op) < 0) continue; /* no descriptors left: the next one waits */
        if (connection_spawn(s->server, s->sock) < 0) tmlrt_sock_release(s->sock);
    }
    TMLRT_END(s);
}

static void acceptor_drop(void *state) {
    tmlrt_sock_release(((acceptor_t *)state)->listener);
}

static const tmlrt_task_type_t acceptor_type =
    TMLRT_TASK_TYPE(acceptor_t, acceptor_poll, acceptor_drop);

static options_t parse_options(int argc, char **argv) {
    options_t o = {8080, 0, 60, 5};
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        }
        if (strcmp(name, "--port") == 0)
            o.port = (int)process_number(name, value, 0, 65535);
        else if (strcmp(name, "--workers") == 0)
            o.workers = (int)process_number(name, value, 0, TMLRT_MAX_WORKERS);
        else if (strcmp(name, "--idle") == 0)
            o.idle_s = process_number(name, value, 1, 86400);
        else if (strcmp(name, "--grace") == 0)
            o.grace_s = process_number(name, value, 0, 86400);
        else
            process_die("unknown option %s\n%s", name, usage);
    }
    return o;
}

static tmlrt_sock_t *listen_on(tmlrt_runtime_t *rt, int port) {
    tmlrt_tcp_options_t options = TMLRT_TCP_OPTIONS_INIT;
    tmlrt_sock_t       *listener = NULL;
    tmlrt_addr_t        addr;
    char                text[72];

    options.flags = TMLRT_TCP_NODELAY;
    snprintf(text, sizeof text, "127.0.0.1:%d", port);
    process_check(tmlrt_addr_parse(&addr, text), text);
    process_check(tmlrt_tcp_listen(rt, &addr, &options, &listener), text);
    process_check(tmlrt_sock_local_addr(listener, &addr), text);
    process_check(tmlrt_addr_format(&addr, text, sizeof text), text);
    printf("listening on %s\n", text);
    fflush(stdout);
    return listener;
}

/* Waits for either signal. Closing them gives the signals their former meaning back. */
static void wait_for_signal(tmlrt_signal_t *sigint, tmlrt_signal_t *sigterm) {
    tmlrt_op_t  on_int = TMLRT_OP_INIT, on_term = TMLRT_OP_INIT, any = TMLRT_OP_INIT;
    tmlrt_op_t *either[] = {&on_int, &on_term};

    process_check(tmlrt_op_signal(&on_int, sigint), "SIGINT");
    process_check(tmlrt_op_signal(&on_term, sigterm), "SIGTERM");
    process_check(tmlrt_op_any(&any, either, 2), "signals");
    process_check(tmlrt_op_await(&any), "signals");
    tmlrt_signal_close(sigint);
    tmlrt_signal_close(sigterm);
}

/* Names the first few tasks that had to be cancelled, not all ten thousand. */
static void name_straggler(void *ctx, const tmlrt_straggler_t *s) {
    int *named = ctx;
    if (++*named > 5) return;
    printf("  straggler %llu '%s' waited for %s%s\n", (unsigned long long)s->id, s->name,
           s->waits_for, s->ended ? "" : " and could not be ended");
}

static int shut_down(tmlrt_runtime_t *rt, int64_t grace_ns) {
    tmlrt_shutdown_report_t report = TMLRT_SHUTDOWN_REPORT_INIT;
    int                     named = 0;

    printf("shutting down\n");
    fflush(stdout);
    report.straggler = name_straggler;
    report.ctx = &named;
    int r = tmlrt_runtime_shutdown(rt, tmlrt_now(rt) + grace_ns, &report);
    if (named > 5) printf("  and %d more\n", named - 5);
    printf("shutdown: %s; tasks that ended by themselves %llu, cancelled %llu, stuck %llu\n",
           tmlrt_errname(r), (unsigned long long)report.completed,
           (unsigned long long)report.cancelled, (unsigned long long)report.stuck);
    return r;
}

static void print_workers(tmlrt_runtime_t *rt) {
    int workers = tmlrt_runtime_workers(rt);
    for (int i = 0; i < workers; i++) {
        tmlrt_worker_stats_t stats;
        stats.struct_size = sizeof stats;
        if (tmlrt_runtime_stats(rt, (uint32_t)i, &stats) < 0) continue;
        printf("worker %d: %llu polls, %llu stolen, %llu events in %llu driver polls, %llu parks\n",
               i, (unsigned long long)stats.polls, (unsigned long long)stats.stolen,
               (unsigned long long)stats.events, (unsigned long long)stats.driver_polls,
               (unsigned long long)stats.parks);
    }
}

static void print_server(server_t *server) {
    printf("served %llu requests on %llu connections, %llu with an error status\n",
           (unsigned long long)atomic_load(&server->requests),
           (unsigned long long)atomic_load(&server->opened),
           (unsigned long long)atomic_load(&server->refused));
}

int main(int argc, char **argv) {
    static server_t  server;
    tmlrt_runtime_t *rt = NULL;
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_signal_t  *sigint = NULL, *sigterm = NULL;
    acceptor_t       acceptor = {0};

    process_name("http_server");
    options_t options = parse_options(argc, argv);
    int64_t   descriptors = process_raise_descriptors();
    if (descriptors < 10100)
        fprintf(stderr,
                "http_server: only %lld open descriptors are allowed (ulimit -Hn): that is the "
                "most connections it can serve at a time\n",
                (long long)descriptors);

    connection_setup();
    server.idle_ns = options.idle_s * TMLRT_S;
    config.workers = (uint32_t)options.workers;
    process_check(tmlrt_runtime_create(&rt, &config), "runtime");
    process_check(tmlrt_signal_open(rt, SIGINT, &sigint), "SIGINT");
    process_check(tmlrt_signal_open(rt, SIGTERM, &sigterm), "SIGTERM");
    acceptor.server = &server;
    acceptor.listener = listen_on(rt, options.port);
    process_check(tmlrt_spawn(rt, &acceptor_type, &acceptor, NULL, NULL), "spawn");

    wait_for_signal(sigint, sigterm);
    atomic_store(&server.stopping, 1);
    int r = shut_down(rt, options.grace_s * TMLRT_S);
    print_workers(rt);
    print_server(&server);
    return r == TMLRT_EBUSY || tmlrt_runtime_destroy(rt) < 0 ? 1 : 0;
}
