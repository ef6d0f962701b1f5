/* SPDX-License-Identifier: MIT */
/*
 * shutdown_report.c: a graceful shutdown and its report. Of three tasks one hears that the runtime
 * stops and says goodbye; two do not care and are cancelled at the deadline. The report names them,
 * with the place where they were spawned and what they wait for.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tmlrt.h>

static void check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "shutdown_report: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(1);
}

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t     op;
    tmlrt_notify_t never;
} task_t;

static int32_t polite_poll(void *state, tmlrt_cx_t *cx, void *result) {
    task_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_stopping(&s->op, NULL));
    printf("shutdown_report: polite says goodbye\n");
    TMLRT_END(s);
}

static int32_t sleeper_poll(void *state, tmlrt_cx_t *cx, void *result) {
    task_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_sleep(&s->op, NULL, 3600 * TMLRT_S));
    TMLRT_END(s);
}

static int32_t forgotten_poll(void *state, tmlrt_cx_t *cx, void *result) {
    task_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_notified(&s->op, &s->never));
    TMLRT_END(s);
}

static const tmlrt_task_type_t polite_type = TMLRT_TASK_TYPE(task_t, polite_poll, NULL);
static const tmlrt_task_type_t sleeper_type = TMLRT_TASK_TYPE(task_t, sleeper_poll, NULL);
static const tmlrt_task_type_t forgotten_type = TMLRT_TASK_TYPE(task_t, forgotten_poll, NULL);

typedef struct {
    int sleeper, forgotten, others;
} seen_t;

/* Called by the shutdown, once a straggler. */
static void on_straggler(void *ctx, const tmlrt_straggler_t *s) {
    seen_t *seen = ctx;
    printf("shutdown_report: straggler '%s', spawned at %s, waits for %s: %s\n", s->name,
           s->site != NULL ? s->site : "?", s->waits_for, s->ended ? "ended" : "STUCK");
    if (strcmp(s->name, "sleeper") == 0)
        seen->sleeper++;
    else if (strcmp(s->name, "forgotten") == 0)
        seen->forgotten++;
    else
        seen->others++;
}

static void spawn(tmlrt_runtime_t *rt, const tmlrt_task_type_t *type, const char *name,
                  const char *site) {
    tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
    task_t               state = {0};
    options.name = name;
    options.site = site;
    check(tmlrt_spawn(rt, type, &state, &options, NULL), "spawn");
}

int main(void) {
    tmlrt_runtime_t        *rt = NULL;
    tmlrt_shutdown_report_t report = TMLRT_SHUTDOWN_REPORT_INIT;
    seen_t                  seen = {0, 0, 0};

    check(tmlrt_runtime_create(&rt, NULL), "create");
    spawn(rt, &polite_type, "polite", TMLRT_SITE);
    spawn(rt, &sleeper_type, "sleeper", TMLRT_SITE);
    spawn(rt, &forgotten_type, "forgotten", TMLRT_SITE);

    report.straggler = on_straggler;
    report.ctx = &seen;
    int r = tmlrt_runtime_shutdown(rt, tmlrt_now(rt) + 200 * TMLRT_MS, &report);
    if (r != TMLRT_ETIMEDOUT) check(r, "shutdown");
    printf("shutdown_report: %llu ended by themselves, %llu cancelled, %llu stuck\n",
           (unsigned long long)report.completed, (unsigned long long)report.cancelled,
           (unsigned long long)report.stuck);
    check(tmlrt_runtime_destroy(rt), "destroy");

    int right = r == TMLRT_ETIMEDOUT && report.completed == 1 && report.cancelled == 2 &&
                report.stuck == 0 && seen.sleeper == 1 && seen.forgotten == 1 && seen.others == 0;
    return right ? 0 : 1;
}
