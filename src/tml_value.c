/* SPDX-License-Identifier: MIT */
/*
 * tml_value.c: what holds no state of ours: poll results, wakers as values, and queues of tasks that
 * belong to the caller.
 */
#include "tml_task.h"

/* ---- poll results --------------------------------------------------------------------------- */

TmlPoll tml_poll_ready_i64(int64_t value) {
    TmlPoll p = {.tag = TML_POLL_READY, .value = {.i64_value = value}};
    return p;
}

TmlPoll tml_poll_ready_ptr(void *value) {
    TmlPoll p = tml_poll_ready_i64(0);
    p.value.ptr_value = value;
    return p;
}

TmlPoll tml_poll_pending(void) {
    TmlPoll p = {.tag = TML_POLL_PENDING};
    return p;
}

int32_t tml_poll_is_ready(const TmlPoll *poll) {
    return poll != NULL && poll->tag == TML_POLL_READY;
}

int32_t tml_poll_is_pending(const TmlPoll *poll) {
    return poll != NULL && poll->tag == TML_POLL_PENDING;
}

/* ---- wakers --------------------------------------------------------------------------------- */

TmlWaker tml_waker_clone(const TmlWaker *waker) {
    return waker != NULL ? *waker : (TmlWaker){tmlrt__tml_wake, NULL, 0};
}

void tml_waker_wake(TmlWaker *waker) {
    if (waker != NULL && waker->wake_fn != NULL) waker->wake_fn(waker->data);
}

void tml_waker_destroy(TmlWaker *waker) {
    if (waker != NULL) waker->data = NULL;
}

/* ---- queues --------------------------------------------------------------------------------- */

void tml_queue_init(TmlTaskQueue *queue) {
    if (queue != NULL) *queue = (TmlTaskQueue){NULL, NULL, 0};
}

void tml_queue_push(TmlTaskQueue *queue, TmlTask *task) {
    if (queue == NULL || task == NULL) return;
    task->next = NULL;
    if (queue->tail != NULL)
        queue->tail->next = task;
    else
        queue->head = task;
    queue->tail = task;
    queue->count++;
}

/* Takes out the task behind `before`, or the first one. */
static TmlTask *queue__take(TmlTaskQueue *queue, TmlTask *before) {
    TmlTask **link = before != NULL ? &before->next : &queue->head;
    TmlTask  *task = *link;
    *link = task->next;
    if (queue->tail == task) queue->tail = before;
    task->next = NULL;
    queue->count--;
    return task;
}

TmlTask *tml_queue_pop(TmlTaskQueue *queue) {
    return queue != NULL && queue->head != NULL ? queue__take(queue, NULL) : NULL;
}

TmlTask *tml_queue_remove_by_id(TmlTaskQueue *queue, uint64_t task_id) {
    TmlTask *before = NULL;
    if (queue == NULL) return NULL;
    for (TmlTask *t = queue->head; t != NULL; before = t, t = t->next)
        if (t->id == task_id) return queue__take(queue, before);
    return NULL;
}

int32_t tml_queue_is_empty(const TmlTaskQueue *queue) {
    return queue != NULL && queue->count == 0;
}
