/* SPDX-License-Identifier: MIT */
/*
 * waker.c: the wakers of tasks, and the public calls on any waker.
 *
 * A task's waker is {task, the vtable below}; each clone holds a reference of the task, so that it
 * may outlive the task's run, its runtime and everything but the header.
 */

#include "task.h"

static void waker__clone(void *data, tmlrt_waker_t *out) {
    tmlrt__state_ref(&((tmlrt_task_t *)data)->state);
    out->data = data;
    out->vtable = &tmlrt__task_waker;
}

static void waker__wake_by_ref(void *data) {
    tmlrt_task_t *task = data;
    if (tmlrt__state_wake(&task->state)) task->host->ops->schedule(task->host, task);
}

static void waker__drop(void *data) {
    tmlrt__task_unref(data);
}

static void waker__wake(void *data) {
    waker__wake_by_ref(data);
    waker__drop(data);
}

const tmlrt_waker_vtable_t tmlrt__task_waker = {waker__clone, waker__wake, waker__wake_by_ref,
                                                waker__drop};

int tmlrt_waker_clone(const tmlrt_waker_t *waker, tmlrt_waker_t *out) {
    if (waker == NULL || waker->vtable == NULL || out == NULL) return TMLRT_EINVAL;
    tmlrt_waker_t copy = {NULL, NULL};
    waker->vtable->clone(waker->data, &copy);
    if (copy.vtable == NULL) return TMLRT_ENOMEM;
    *out = copy;
    return TMLRT_OK;
}

int tmlrt_waker_wake(tmlrt_waker_t *waker) {
    if (waker == NULL || waker->vtable == NULL) return TMLRT_EINVAL;
    tmlrt_waker_t w = *waker;
    *waker = (tmlrt_waker_t){NULL, NULL};
    w.vtable->wake(w.data);
    return TMLRT_OK;
}

int tmlrt_waker_wake_by_ref(const tmlrt_waker_t *waker) {
    if (waker == NULL || waker->vtable == NULL) return TMLRT_EINVAL;
    waker->vtable->wake_by_ref(waker->data);
    return TMLRT_OK;
}

int tmlrt_waker_drop(tmlrt_waker_t *waker) {
    if (waker == NULL || waker->vtable == NULL) return TMLRT_EINVAL;
    tmlrt_waker_t w = *waker;
    *waker = (tmlrt_waker_t){NULL, NULL};
    w.vtable->drop(w.data);
    return TMLRT_OK;
}
