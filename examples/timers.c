/* SPDX-License-Identifier: MIT */
/*
 * timers.c: the three ways to use time. A sleep; an interval, whose ticks keep their rhythm however
 * long the work between them takes; and a deadline on an operation that would wait for ever.
 * A timer never fires early: the program checks that of each. The file is C and C++ alike.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tmlrt.h>

static void check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "timers: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(1);
}

static void not_before(int64_t time, const char *what) {
    if (tmlrt_now(NULL) >= time) return;
    fprintf(stderr, "timers: %s: too early\n", what);
    exit(1);
}

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t       op;
    tmlrt_interval_t interval;
    tmlrt_notify_t   never;
    int64_t          start;
    int              tick;
} demo_t;

static int32_t demo_poll(void *state, tmlrt_cx_t *cx, void *result) {
    demo_t *s = (demo_t *)state;
    (void)result;
    TMLRT_BEGIN(s);

    s->start = tmlrt_now(NULL);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_sleep(&s->op, NULL, 20 * TMLRT_MS));
    check(tmlrt_op_result(&s->op), "sleep");
    not_before(s->start + 20 * TMLRT_MS, "sleep");
    printf("timers: slept 20 ms\n");

    s->start = tmlrt_now(NULL);
    check(tmlrt_interval_init(&s->interval, NULL, s->start, 10 * TMLRT_MS, TMLRT_MISSED_BURST),
          "interval");
    for (s->tick = 0; s->tick < 5; s->tick++) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_tick(&s->op, &s->interval));
        check(tmlrt_op_result(&s->op), "tick");
        not_before(s->start + s->tick * 10 * TMLRT_MS, "tick");
    }
    printf("timers: 5 ticks, 10 ms apart\n");

    s->start = tmlrt_now(NULL);
    TMLRT_AWAIT(s, cx, &s->op,
                (check(tmlrt_op_notified(&s->op, &s->never), "notified"),
                 check(tmlrt_op_deadline(&s->op, s->start + 15 * TMLRT_MS), "deadline")));
    if (tmlrt_op_result(&s->op) != TMLRT_ETIMEDOUT) check(TMLRT_EUNKNOWN, "deadline");
    not_before(s->start + 15 * TMLRT_MS, "deadline");
    printf("timers: a notification that never comes timed out after 15 ms\n");

    TMLRT_END(s);
}

static const tmlrt_task_type_t demo_type = TMLRT_TASK_TYPE(demo_t, demo_poll, NULL);

int main(void) {
    tmlrt_runtime_t *rt = NULL;
    demo_t           demo;

    memset(&demo, 0, sizeof demo);
    check(tmlrt_runtime_create(&rt, NULL), "create");
    check(tmlrt_runtime_block_on(rt, &demo_type, &demo, NULL, NULL), "block_on");
    check(tmlrt_runtime_destroy(rt), "destroy");
    return 0;
}
