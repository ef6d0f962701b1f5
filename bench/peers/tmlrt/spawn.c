/* SPDX-License-Identifier: MIT */
/* spawn.c: empty tasks with their handles, spawned and joined, from inside and from outside. */
#include <pthread.h>

#include "work.h"

static int32_t empty_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)state;
    (void)cx;
    (void)result;
    return TMLRT_READY;
}

static const tmlrt_task_type_t empty_type = {
    sizeof(tmlrt_task_type_t), "empty", 0, 0, 0, 0, empty_poll, NULL, NULL, NULL};

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t     op;
    tmlrt_task_t **tasks;
    long           n, i;
} inside_t;

static int32_t inside_poll(void *state, tmlrt_cx_t *cx, void *result) {
    inside_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (s->i = 0; s->i < s->n; s->i++)
        work_check(tmlrt_spawn(NULL, &empty_type, NULL, NULL, &s->tasks[s->i]), "spawn");
    for (s->i = 0; s->i < s->n; s->i++) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_join(&s->op, s->tasks[s->i], NULL));
        tmlrt_task_release(s->tasks[s->i]);
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t inside_type = TMLRT_TASK_TYPE(inside_t, inside_poll, NULL);

void work_spawn_inside(const peer_args_t *a) {
    inside_t         s = {.n = work_n(a, 1000000)};
    tmlrt_runtime_t *rt = work_runtime(a);
    s.tasks = calloc((size_t)s.n, sizeof *s.tasks);
    int64_t ns = work_time(a, rt, &inside_type, &s, NULL);
    peer_emit(a, "spawn_inside", (double)ns / (double)s.n, "ns");
    work_end(rt);
    free(s.tasks);
}

typedef struct {
    tmlrt_runtime_t   *rt;
    tmlrt_task_t     **tasks;
    long               n;
    pthread_barrier_t *start;
} outside_t;

static void *outside_thread(void *arg) {
    outside_t *s = arg;
    pthread_barrier_wait(s->start);
    for (long i = 0; i < s->n; i++)
        work_check(tmlrt_spawn(s->rt, &empty_type, NULL, NULL, &s->tasks[i]), "spawn");
    for (long i = 0; i < s->n; i++) {
        work_check(tmlrt_join(s->tasks[i], NULL), "join");
        tmlrt_task_release(s->tasks[i]);
    }
    return NULL;
}

static int64_t outside_run(tmlrt_runtime_t *rt, tmlrt_task_t **tasks, long n, int threads) {
    pthread_t         thread[2];
    outside_t         arg[2];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)threads + 1);
    for (int i = 0; i < threads; i++) {
        arg[i] = (outside_t){rt, tasks + n / threads * i, n / threads, &start};
        if (pthread_create(&thread[i], NULL, outside_thread, &arg[i]) != 0) peer_die("thread");
    }
    pthread_barrier_wait(&start);
    int64_t t0 = peer_now();
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    int64_t took = peer_now() - t0;
    pthread_barrier_destroy(&start);
    return took;
}

void work_spawn_outside(const peer_args_t *a, int threads) {
    long             n = work_n(a, 1000000);
    tmlrt_runtime_t *rt = work_runtime(a);
    tmlrt_task_t   **tasks = calloc((size_t)n, sizeof *tasks);
    if (a->warm) outside_run(rt, tasks, n, threads);
    int64_t ns = outside_run(rt, tasks, n, threads);
    peer_emit(a, a->work, (double)ns / (double)n, "ns");
    work_end(rt);
    free(tasks);
}
