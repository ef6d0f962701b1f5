/* SPDX-License-Identifier: MIT */
/*
 * echo_tmlrt.c: libtmlrt: a task a connection that awaits a read and a write, as in
 * examples/echo_server.c. TMLRT_REACTOR chooses the reactor.
 */
#include "common.h"

#include <tmlrt.h>

static void check(int r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "echo_tmlrt: %s: %s\n", what, tmlrt_strerror(r));
    exit(1);
}

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t    op;
    tmlrt_sock_t *sock;
    int64_t       n;
    char          buf[NET_BUFFER];
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

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t    op;
    tmlrt_sock_t *listener, *sock;
} accept_t;

/* The state is set in place: an echo_t on the stack would be copied, its buffer included. */
static void start_echo(tmlrt_sock_t *sock) {
    tmlrt_task_t *task;
    if (tmlrt_task_new(NULL, &echo_type, NULL, &task) < 0) {
        tmlrt_sock_release(sock);
        return;
    }
    echo_t *s = tmlrt_task_state(task);
    memset(s, 0, offsetof(echo_t, buf));
    s->sock = sock;
    check(tmlrt_task_start(task), "start");
    tmlrt_task_release(task);
}

static int32_t accept_poll(void *state, tmlrt_cx_t *cx, void *result) {
    accept_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (;;) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_accept(&s->op, s->listener, &s->sock));
        if (tmlrt_op_result(&s->op) == TMLRT_ESHUTDOWN) break;
        if (tmlrt_op_result(&s->op) >= 0) start_echo(s->sock);
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t accept_type = TMLRT_TASK_TYPE(accept_t, accept_poll, NULL);

int main(int argc, char **argv) {
    net_options_t       o = net_arguments(argc, argv);
    tmlrt_config_t      config = TMLRT_CONFIG_INIT;
    tmlrt_tcp_options_t tcp = TMLRT_TCP_OPTIONS_INIT;
    tmlrt_runtime_t    *rt;
    tmlrt_addr_t        addr;
    accept_t            accept = {.listener = NULL};
    char                text[64];

    config.flavor = TMLRT_FLAVOR_MULTI_THREAD;
    config.workers = (uint32_t)o.threads;
    tcp.flags = TMLRT_TCP_NODELAY;
    tcp.backlog = NET_BACKLOG;
    snprintf(text, sizeof text, "127.0.0.1:%d", o.port);
    check(tmlrt_addr_parse(&addr, text), text);
    check(tmlrt_runtime_create(&rt, &config), "create");
    check(tmlrt_tcp_listen(rt, &addr, &tcp, &accept.listener), text);
    check(tmlrt_sock_local_addr(accept.listener, &addr), "local address");
    snprintf(text, sizeof text, "%s %s", tmlrt_version_string(), tmlrt_runtime_reactor(rt));
    net_say(tmlrt_addr_port(&addr), "libtmlrt", text);
    check(tmlrt_runtime_block_on(rt, &accept_type, &accept, NULL, NULL), "serve");
    return 0;
}
