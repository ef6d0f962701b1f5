/* SPDX-License-Identifier: MIT */
/*
 * wake_from_thread.c: a future of one's own. A plain pthread computes; the task that waits for it
 * leaves a clone of its waker, and the thread wakes the task when the value is there. This is how
 * anything that has no operation of ours (a device, another library's callback) is awaited.
 *
 * The rule of every such future: under one lock, look whether the value is there, and if it is not,
 * leave the waker of *this* poll, which need not be that of the last one.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tmlrt.h>

static void check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "wake_from_thread: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(1);
}

static void check_os(int error, const char *what) {
    if (error == 0) return;
    fprintf(stderr, "wake_from_thread: %s: %s\n", what, strerror(error));
    exit(1);
}

/* Shared by the thread and the task; everything under the lock. */
typedef struct {
    pthread_mutex_t lock;
    int             is_there;
    int             value;
    tmlrt_waker_t   waker; /* of who waits; vtable NULL: nobody */
} box_t;

static void *computer(void *arg) {
    box_t        *box = arg;
    tmlrt_waker_t waker;
    int           sum = 0;
    for (int i = 1; i <= 100; i++)
        sum += i;

    check_os(pthread_mutex_lock(&box->lock), "lock");
    box->value = sum;
    box->is_there = 1;
    waker = box->waker;
    box->waker.vtable = NULL;
    check_os(pthread_mutex_unlock(&box->lock), "unlock");

    /* Outside the lock: a wake may run code of others. It ends the waker, too. */
    if (waker.vtable != NULL) check(tmlrt_waker_wake(&waker), "wake");
    return NULL;
}

/* The future's poll. */
static int32_t box_poll(box_t *box, tmlrt_cx_t *cx, int *value) {
    tmlrt_waker_t fresh, stale;
    check(tmlrt_waker_clone(cx->waker, &fresh), "clone");

    check_os(pthread_mutex_lock(&box->lock), "lock");
    int is_there = box->is_there;
    if (is_there) {
        *value = box->value;
        stale = fresh;
    } else {
        stale = box->waker;
        box->waker = fresh;
    }
    check_os(pthread_mutex_unlock(&box->lock), "unlock");

    if (stale.vtable != NULL) check(tmlrt_waker_drop(&stale), "drop");
    return is_there ? TMLRT_READY : TMLRT_PENDING;
}

typedef struct {
    TMLRT_FRAME;
    box_t *box;
} waiter_t;

static int32_t waiter_poll(void *state, tmlrt_cx_t *cx, void *result) {
    waiter_t *s = state;
    TMLRT_BEGIN(s);
    TMLRT_AWAIT_POLL(s, cx, box_poll(s->box, cx, result));
    TMLRT_END(s);
}

static const tmlrt_task_type_t waiter_type =
    TMLRT_TASK_TYPE_RESULT(waiter_t, int, waiter_poll, NULL);

int main(void) {
    box_t            box = {PTHREAD_MUTEX_INITIALIZER, 0, 0, {NULL, NULL}};
    tmlrt_runtime_t *rt = NULL;
    tmlrt_task_t    *task = NULL;
    pthread_t        thread;
    int              value = 0;

    check(tmlrt_runtime_create(&rt, NULL), "create");
    check(tmlrt_spawn(rt, &waiter_type, &(waiter_t){.box = &box}, NULL, &task), "spawn");
    check_os(pthread_create(&thread, NULL, computer, &box), "thread");
    check(tmlrt_join(task, &value), "join");
    tmlrt_task_release(task);
    check_os(pthread_join(thread, NULL), "thread");
    check(tmlrt_runtime_destroy(rt), "destroy");
    check_os(pthread_mutex_destroy(&box.lock), "lock");

    printf("wake_from_thread: the thread says %d\n", value);
    return value == 5050 ? 0 : 1;
}
