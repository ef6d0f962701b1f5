/* SPDX-License-Identifier: MIT */
/*
 * echo_server.c: a TCP echo server, a task a connection. The core is echo_poll and accept_poll.
 *
 *   echo_server PORT   serves 127.0.0.1:PORT until SIGINT or SIGTERM, then shuts down gracefully
 *   echo_server        tests itself with a client task on a port that the system picks
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tmlrt.h>

static void check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "echo_server: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(1);
}

/* One connection: what is read is written back, until the end of the stream. */
typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t    op;
    tmlrt_sock_t *sock;
    int64_t       n;
    char          buf[2048];
} echo_t;

static int32_t echo_poll(void *state, tmlrt_cx_t *cx, void *result) {
    echo_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (;;) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_read(&s->op, s->sock, s->buf, sizeof s->buf));
        if ((s->n = tmlrt_op_result(&s->op)) <= 0) break;
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_write(&s->op, s->sock, s->buf, (size_t)s->n));
        if (tmlrt_op_result(&s->op) < 0) break;
    }
    TMLRT_END(s);
}

static void echo_drop(void *state) {
    tmlrt_sock_release(((echo_t *)state)->sock);
}

static const tmlrt_task_type_t echo_type = TMLRT_TASK_TYPE(echo_t, echo_poll, echo_drop);

/* Accepts until the runtime shuts down. */
typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t    op;
    tmlrt_sock_t *listener, *sock;
} accept_t;

static int32_t accept_poll(void *state, tmlrt_cx_t *cx, void *result) {
    accept_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (;;) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_accept(&s->op, s->listener, &s->sock));
        if (tmlrt_op_result(&s->op) == TMLRT_ESHUTDOWN) break;
        if (tmlrt_op_result(&s->op) < 0) continue; /* out of descriptors: the next one waits */
        echo_t echo = {.sock = s->sock};
        if (tmlrt_spawn(NULL, &echo_type, &echo, NULL, NULL) < 0) tmlrt_sock_release(s->sock);
    }
    TMLRT_END(s);
}

static void accept_drop(void *state) {
    tmlrt_sock_release(((accept_t *)state)->listener);
}

static const tmlrt_task_type_t accept_type = TMLRT_TASK_TYPE(accept_t, accept_poll, accept_drop);

/* The client of the self-test: sends a line, ends its sending half, reads all that comes back. */
typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t    op;
    tmlrt_addr_t  addr;
    tmlrt_sock_t *sock;
    size_t        have;
    char          buf[64];
} client_t;

static const char greeting[] = "hello, echo";

static int32_t client_poll(void *state, tmlrt_cx_t *cx, void *result) {
    client_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_connect(&s->op, NULL, &s->addr, NULL, &s->sock));
    check(tmlrt_op_result(&s->op), "connect");
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_write(&s->op, s->sock, greeting, strlen(greeting)));
    check(tmlrt_op_result(&s->op), "write");
    check(tmlrt_sock_shutdown(s->sock, TMLRT_SHUT_WRITE), "shutdown");
    do {
        TMLRT_AWAIT(s, cx, &s->op,
                    tmlrt_op_read(&s->op, s->sock, s->buf + s->have, sizeof s->buf - s->have));
        check(tmlrt_op_result(&s->op), "read");
        s->have += (size_t)tmlrt_op_result(&s->op);
    } while (tmlrt_op_result(&s->op) > 0 && s->have < sizeof s->buf);
    if (s->have != strlen(greeting) || memcmp(s->buf, greeting, s->have) != 0)
        check(TMLRT_EIO, "the echo differs");
    printf("echo_server: '%.*s' came back\n", (int)s->have, s->buf);
    TMLRT_END(s);
}

static void client_drop(void *state) {
    tmlrt_sock_release(((client_t *)state)->sock);
}

static const tmlrt_task_type_t client_type = TMLRT_TASK_TYPE(client_t, client_poll, client_drop);

/* Blocks the main thread, which is none of the runtime's, until a signal comes. */
static void wait_for_signal(tmlrt_runtime_t *rt) {
    tmlrt_signal_t *sigint = NULL, *sigterm = NULL;
    tmlrt_op_t      on_int = TMLRT_OP_INIT, on_term = TMLRT_OP_INIT, any = TMLRT_OP_INIT;
    tmlrt_op_t     *either[] = {&on_int, &on_term};

    check(tmlrt_signal_open(rt, SIGINT, &sigint), "signal");
    check(tmlrt_signal_open(rt, SIGTERM, &sigterm), "signal");
    check(tmlrt_op_signal(&on_int, sigint), "signal");
    check(tmlrt_op_signal(&on_term, sigterm), "signal");
    check(tmlrt_op_any(&any, either, 2), "any");
    check(tmlrt_op_await(&any), "await");
    tmlrt_signal_close(sigint);
    tmlrt_signal_close(sigterm);
}

int main(int argc, char **argv) {
    tmlrt_runtime_t        *rt = NULL;
    tmlrt_sock_t           *listener = NULL;
    tmlrt_addr_t            addr;
    tmlrt_shutdown_report_t report = TMLRT_SHUTDOWN_REPORT_INIT;
    char                    text[72];

    snprintf(text, sizeof text, "127.0.0.1:%s", argc > 1 ? argv[1] : "0");
    check(tmlrt_addr_parse(&addr, text), text);
    check(tmlrt_runtime_create(&rt, NULL), "create");
    check(tmlrt_tcp_listen(rt, &addr, NULL, &listener), text);
    check(tmlrt_sock_local_addr(listener, &addr), "local address");
    check(tmlrt_spawn(rt, &accept_type, &(accept_t){.listener = listener}, NULL, NULL), "spawn");

    if (argc > 1) {
        check(tmlrt_addr_format(&addr, text, sizeof text), "address");
        printf("echo_server: listening on %s\n", text);
        fflush(stdout);
        wait_for_signal(rt);
    } else {
        client_t client = {.addr = addr};
        check(tmlrt_runtime_block_on(rt, &client_type, &client, NULL, NULL), "block_on");
    }

    /* Connections have a second to end by themselves. */
    int r = tmlrt_runtime_shutdown(rt, tmlrt_now(rt) + TMLRT_S, &report);
    printf("echo_server: shut down: %llu tasks ended, %llu cancelled\n",
           (unsigned long long)report.completed, (unsigned long long)report.cancelled);
    if (r != TMLRT_ETIMEDOUT) check(r, "shutdown");
    check(tmlrt_runtime_destroy(rt), "destroy");
    return argc == 1 && r != TMLRT_OK ? 1 : 0;
}
