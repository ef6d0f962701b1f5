/* SPDX-License-Identifier: MIT */
/*
 * main.c: tmlrt_main, the entry point of a program whose main function is a task. The calling thread
 * waits for the end of that task and for the two signals; with a current-thread runtime that wait
 * drives it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <tmlrt/signal.h>
#include <tmlrt/time.h>

#include "default.h"
#include "os.h"
#include "runtime.h"

enum { MAIN__SIGNALS = 2 };

static const int main__signals[MAIN__SIGNALS] = {SIGINT, SIGTERM};

static int main__failed(const char *what, int error) {
    char line[160];
    snprintf(line, sizeof line, "tmlrt: main: %s: %s", what, tmlrt_strerror(error));
    tmlrt__os_log(line);
    return TMLRT_EXIT_RUNTIME;
}

/* One that cannot be listened to stays NULL, and does what it did before. */
typedef struct main__listener {
    tmlrt_signal_t *sig[MAIN__SIGNALS];
} main__listener_t;

static void main__listen(main__listener_t *l, tmlrt_runtime_t *rt) {
    *l = (main__listener_t){{NULL}};
    for (size_t i = 0; i < MAIN__SIGNALS; i++)
        tmlrt_signal_open(rt, main__signals[i], &l->sig[i]);
}

/* The former handlers are back: a second signal is not ours. */
static void main__listen_no_more(main__listener_t *l) {
    for (size_t i = 0; i < MAIN__SIGNALS; i++)
        tmlrt_signal_close(l->sig[i]);
}

/* Waits for the end of `task` (0) or for a signal (its number), whichever is first. */
static int main__wait(const main__listener_t *l, tmlrt_task_t *task) {
    tmlrt_op_t  op[1 + MAIN__SIGNALS], any = TMLRT_OP_INIT;
    tmlrt_op_t *ops[1 + MAIN__SIGNALS] = {&op[0]};
    int         signo[1 + MAIN__SIGNALS] = {0};
    size_t      n = 1;
    memset(op, 0, sizeof op);
    tmlrt_op_join(&op[0], task, NULL);
    for (size_t i = 0; i < MAIN__SIGNALS; i++) {
        if (l->sig[i] == NULL) continue;
        tmlrt_op_signal(&op[n], l->sig[i]);
        signo[n] = main__signals[i];
        ops[n] = &op[n];
        n++;
    }
    tmlrt_op_any(&any, ops, n);
    tmlrt_op_await(&any);
    int64_t winner = tmlrt_op_result(&any);
    return winner > 0 ? signo[winner] : 0;
}

static int main__status(tmlrt_task_t *task, int signo) {
    void *result = NULL;
    int   e = tmlrt_task_result(task, &result);
    if (e == TMLRT_OK) {
        int32_t status = 0;
        if (task->type->result_size == sizeof status) memcpy(&status, result, sizeof status);
        return (int)status;
    }
    if (e == TMLRT_EPANIC) {
        main__failed(tmlrt_task_name(task), e);
        return TMLRT_EXIT_PANIC;
    }
    return signo != 0 ? TMLRT_EXIT_SIGNAL + signo : main__failed(tmlrt_task_name(task), e);
}

int tmlrt_main(const tmlrt_task_type_t *type, const void *init_state,
               const tmlrt_config_t *config) {
    const tmlrt__current_t *cur = tmlrt__current();
    tmlrt_runtime_t        *rt;
    tmlrt_task_t           *task;
    if (cur->busy != 0 || cur->task != NULL) return main__failed("inside a task", TMLRT_EDEADLK);
    int e = tmlrt__default_make(config, &rt);
    if (e != TMLRT_OK) return main__failed("no runtime", e);
    main__listener_t signals;
    main__listen(&signals, rt); /* before the task can tell anybody that it is there */
    e = tmlrt_spawn(rt, type, init_state, NULL, &task);
    int signo = e == TMLRT_OK ? main__wait(&signals, task) : 0;
    main__listen_no_more(&signals);
    if (e != TMLRT_OK) {
        tmlrt_runtime_destroy(rt);
        return main__failed("spawn", e);
    }
    int64_t grace = (int64_t)rt->settings.shutdown_ms * TMLRT_MS;
    tmlrt_runtime_shutdown(rt, tmlrt_now(rt) + grace, NULL);
    int status = main__status(task, signo);
    tmlrt_task_release(task);
    /* One with tasks that cannot be ended names them; the process ends with them. */
    tmlrt_runtime_destroy(rt);
    return status;
}
