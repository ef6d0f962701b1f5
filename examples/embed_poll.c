/* SPDX-License-Identifier: MIT */
/*
 * embed_poll.c: a current-thread runtime inside an event loop that is not ours, here plain poll(2).
 * The loop waits for its own descriptor (a pipe) and for the runtime's handle, at most until the
 * runtime's next deadline; after each wait it lets the runtime run what is ready.
 *
 * Three things wake it: a timer (a task ticks and writes to the loop's pipe), the pipe itself, and
 * another thread that notifies a task while the loop sleeps without a limit.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tmlrt.h>
#include <unistd.h>

enum { TICKS = 5 };

static void check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "embed_poll: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(1);
}

static void check_os(int error, const char *what) {
    if (error == 0) return;
    fprintf(stderr, "embed_poll: %s: %s\n", what, strerror(error));
    exit(1);
}

/* Ticks into the loop's pipe, then waits for the other thread. */
typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t       op;
    tmlrt_interval_t interval;
    tmlrt_notify_t  *notify;
    int              pipe_end;
    int              i;
} ticker_t;

static int32_t ticker_poll(void *state, tmlrt_cx_t *cx, void *result) {
    ticker_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    check(tmlrt_interval_init(&s->interval, NULL, 0, 5 * TMLRT_MS, TMLRT_MISSED_DELAY), "interval");
    for (s->i = 0; s->i < TICKS; s->i++) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_tick(&s->op, &s->interval));
        check(tmlrt_op_result(&s->op), "tick");
        if (write(s->pipe_end, "t", 1) != 1) check_os(errno, "write");
    }
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_notified(&s->op, s->notify));
    check(tmlrt_op_result(&s->op), "notified");
    TMLRT_END(s);
}

static const tmlrt_task_type_t ticker_type = TMLRT_TASK_TYPE(ticker_t, ticker_poll, NULL);

static void *notifier(void *arg) {
    check(tmlrt_notify_one(arg), "notify");
    return NULL;
}

/* The argument of poll(2): milliseconds, rounded up so that no deadline is polled for early. */
static int poll_timeout(int64_t ns) {
    check(ns, "timeout");
    if (ns == TMLRT_NEVER) return -1;
    int64_t ms = ns / TMLRT_MS + (ns % TMLRT_MS != 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

int main(void) {
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_notify_t   notify = TMLRT_NOTIFY_INIT;
    tmlrt_runtime_t *rt = NULL;
    tmlrt_task_t    *task = NULL;
    pthread_t        thread;
    int              ends[2], seen = 0, has_thread = 0;

    if (pipe(ends) != 0) check_os(errno, "pipe");
    config.flavor = TMLRT_FLAVOR_CURRENT_THREAD;
    check(tmlrt_runtime_create(&rt, &config), "create");
    int64_t handle = tmlrt_runtime_handle(rt);
    check(handle, "handle");

    ticker_t ticker = {.notify = &notify, .pipe_end = ends[1]};
    check(tmlrt_spawn(rt, &ticker_type, &ticker, NULL, &task), "spawn");

    while (!tmlrt_task_is_finished(task)) {
        struct pollfd fds[2] = {{ends[0], POLLIN, 0}, {(int)handle, POLLIN, 0}};
        if (poll(fds, 2, poll_timeout(tmlrt_runtime_timeout(rt))) < 0 && errno != EINTR)
            check_os(errno, "poll");
        if (fds[0].revents & POLLIN) {
            char byte;
            if (read(ends[0], &byte, 1) != 1) check_os(errno, "read");
            seen++;
        }
        check(tmlrt_runtime_run_once(rt), "run_once");
        if (seen == TICKS && !has_thread) {
            has_thread = 1;
            check_os(pthread_create(&thread, NULL, notifier, &notify), "thread");
        }
    }

    check_os(pthread_join(thread, NULL), "thread");
    check(tmlrt_join(task, NULL), "join");
    tmlrt_task_release(task);
    check(tmlrt_runtime_destroy(rt), "destroy");
    close(ends[0]);
    close(ends[1]);
    printf("embed_poll: %d ticks and a wake from a thread, inside a foreign loop\n", seen);
    return seen == TICKS ? 0 : 1;
}
