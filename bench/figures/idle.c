/* SPDX-License-Identifier: MIT */
/*
 * idle.c: an idle runtime, to be watched from outside by idle.sh.
 *
 * 4 workers and 1,000 tasks: half of them sleep for an hour and more, half read TCP connections on
 * which nothing comes. When all have been waiting for a second, the main thread, none of the
 * runtime's, writes "idle begins" to standard output, sleeps 5 s in one system call and writes
 * "idle ends". Between these lines no other thread may make a system call.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "figure.h"

enum { SLEEPERS = 500, PAIRS = 250, SETTLE_S = 1, IDLE_S = 5 };

static atomic_int waiting;

typedef struct sleeper {
    TMLRT_FRAME;
    tmlrt_op_t op;
    int64_t    ns;
} sleeper_t;

static int32_t sleeper_poll(void *state, tmlrt_cx_t *cx, void *result) {
    sleeper_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    atomic_fetch_add(&waiting, 1);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_sleep(&s->op, NULL, s->ns));
    TMLRT_END(s);
}

static const tmlrt_task_type_t sleeper_type = TMLRT_TASK_TYPE(sleeper_t, sleeper_poll, NULL);

/* One end of a connection: accepts or connects, then reads what never comes. */
typedef struct end {
    TMLRT_FRAME;
    tmlrt_op_t          op;
    tmlrt_sock_t       *sock, *listener;
    const tmlrt_addr_t *to;
    char                byte;
} end_t;

static void end_open(end_t *s) {
    if (s->to != NULL)
        figure_check(tmlrt_op_connect(&s->op, NULL, s->to, NULL, &s->sock), "connect");
    else
        figure_check(tmlrt_op_accept(&s->op, s->listener, &s->sock), "accept");
}

static int32_t end_poll(void *state, tmlrt_cx_t *cx, void *result) {
    end_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    TMLRT_AWAIT(s, cx, &s->op, end_open(s));
    figure_check(tmlrt_op_result(&s->op), "open a connection");
    atomic_fetch_add(&waiting, 1);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_read(&s->op, s->sock, &s->byte, 1));
    TMLRT_END(s);
}

static void end_drop(void *state) {
    tmlrt_sock_release(((end_t *)state)->sock);
}

static const tmlrt_task_type_t end_type = TMLRT_TASK_TYPE(end_t, end_poll, end_drop);

/* One accept at a time is allowed on a listener, so each pair has one of its own. */
static void spawn_pair(tmlrt_runtime_t *rt, tmlrt_sock_t **listener, tmlrt_addr_t *addr) {
    figure_check(tmlrt_addr_parse(addr, "127.0.0.1:0"), "address");
    figure_check(tmlrt_tcp_listen(rt, addr, NULL, listener), "listen");
    figure_check(tmlrt_sock_local_addr(*listener, addr), "address");
    end_t accepts = {.listener = *listener}, connects = {.to = addr};
    figure_check(tmlrt_spawn(rt, &end_type, &accepts, NULL, NULL), "spawn");
    figure_check(tmlrt_spawn(rt, &end_type, &connects, NULL, NULL), "spawn");
}

static void raise_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void rest(int seconds) {
    const struct timespec t = {.tv_sec = seconds};
    if (nanosleep(&t, NULL) != 0) figure_die("the sleep was interrupted");
}

static void mark(const char *line) {
    if (write(STDOUT_FILENO, line, strlen(line)) < 0) figure_die("write");
}

int main(void) {
    static tmlrt_sock_t *listener[PAIRS];
    static tmlrt_addr_t  addr[PAIRS];
    tmlrt_runtime_t     *rt = NULL;
    tmlrt_config_t       config = figure_config(4);
    raise_limit();
    figure_check(tmlrt_runtime_create(&rt, &config), "create");
    for (int i = 0; i < SLEEPERS; i++) {
        sleeper_t sleeper = {.ns = (3600 + 7 * i) * TMLRT_S};
        figure_check(tmlrt_spawn(rt, &sleeper_type, &sleeper, NULL, NULL), "spawn");
    }
    for (int i = 0; i < PAIRS; i++)
        spawn_pair(rt, &listener[i], &addr[i]);
    while (atomic_load(&waiting) < SLEEPERS + 2 * PAIRS)
        figure_check(tmlrt_sleep(TMLRT_MS), "sleep");
    rest(SETTLE_S);
    mark("idle begins\n");
    rest(IDLE_S);
    mark("idle ends\n");
    for (int i = 0; i < PAIRS; i++)
        tmlrt_sock_release(listener[i]);
    figure_end_runtime(rt);
    return 0;
}
