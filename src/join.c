/* SPDX-License-Identifier: MIT */
/*
 * join.c: waiting for the end of a task, as an operation.
 *
 * The waiters of a task are a circular list in its header under a latch. JOINED in the state word
 * tells the last runner to look at it; a waiter that registers after COMPLETE sees that in the
 * same read-modify-write and does not wait. An unstarted child at the end of this worker's deque is
 * run right here, which makes fork-join a call.
 */
#include <string.h>

#include "task.h"

static void join__insert(tmlrt_task_t *task, tmlrt__op_t *op) {
    tmlrt__list_t *node = &op->u.join.link;
    if (task->joiners == NULL) {
        tmlrt__list_init(node);
        task->joiners = node;
    } else {
        tmlrt__list_push_back(task->joiners, node);
    }
}

void tmlrt__task_join_remove(tmlrt_task_t *task, tmlrt__op_t *op) {
    tmlrt__list_t *node = &op->u.join.link;
    if (task->joiners == node) task->joiners = node->next != node ? node->next : NULL;
    tmlrt__list_remove(node);
}

/* The task is complete: takes its outcome and, if wanted, its result. */
static int32_t join__take(tmlrt__op_t *op) {
    tmlrt_task_t *task = op->u.join.task;
    op->result = -(int64_t)task->outcome;
    if (task->outcome != 0 || op->u.join.out == NULL) return TMLRT_READY;
    if (tmlrt__swap_acq_rel(&task->taken, 1) != 0)
        op->result = TMLRT_EALREADY;
    else if (task->type->result_size != 0)
        memcpy(op->u.join.out, tmlrt__task_result(task), task->type->result_size);
    return TMLRT_READY;
}

static int32_t join__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt_task_t *task = op->u.join.task;
    if (tmlrt__state_is_complete(&task->state)) return join__take(op);
    if (task == cx->task ||
        task == tmlrt__current()->task) { /* a job waits as a thread: no cx->task */
        op->result = TMLRT_EDEADLK;
        return TMLRT_READY;
    }
    if (tmlrt__task_is_forked(task)) {
        op->result = TMLRT_EFORKED;
        return TMLRT_READY;
    }
    if (tmlrt__task_is_foreign(task)) {
        op->result = TMLRT_ENOTSUP;
        return TMLRT_READY;
    }
    if (tmlrt__state_is_queued(&task->state) && tmlrt__current()->host == task->host &&
        task->host->ops->run_inline(task->host, task) && tmlrt__state_is_complete(&task->state))
        return join__take(op);

    tmlrt__op_arm(op, TMLRT__OP_SRC_ARMED);
    tmlrt__latch_lock(&task->join_latch);
    bool waits = tmlrt__state_join(&task->state);
    if (waits) join__insert(task, op);
    tmlrt__latch_unlock(&task->join_latch);
    if (waits) return TMLRT_PENDING;
    tmlrt__op_disarm(op, TMLRT__OP_SRC_ARMED);
    return join__take(op);
}

static int32_t join__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    return join__take(op);
}

static int32_t join__cancel(tmlrt__op_t *op, int reason) {
    tmlrt_task_t *task = op->u.join.task;
    uint32_t      c = tmlrt__op_ctl(op);
    if ((c & TMLRT__OP_SRC_ARMED) != 0) {
        /* The last runner fires under the latch, so with it held the arm is armed or fired. */
        tmlrt__latch_lock(&task->join_latch);
        bool linked = tmlrt__list_is_linked(&op->u.join.link);
        if (linked) tmlrt__task_join_remove(task, op);
        tmlrt__latch_unlock(&task->join_latch);
        if (linked) {
            tmlrt__op_disarm(op, TMLRT__OP_SRC_ARMED);
            op->result = reason;
            return TMLRT_READY;
        }
        tmlrt__op_ctl(op); /* observes the fire */
    }
    return join__take(op);
}

static const tmlrt__host_t *join__about(const tmlrt__op_t *op) {
    return op->u.join.task->host;
}

static const tmlrt__op_class_t join__class = {.waits_for = "join",
                                              .start = join__start,
                                              .resume = join__resume,
                                              .cancel = join__cancel,
                                              .about = join__about};

int tmlrt_op_join(tmlrt_op_t *op, tmlrt_task_t *task, void *result) {
    if (task == NULL) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &join__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(op)->u.join.task = task;
    tmlrt__op(op)->u.join.out = result;
    return TMLRT_OK;
}

int tmlrt_join(tmlrt_task_t *task, void *result) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    int        e = tmlrt_op_join(&op, task, result);
    if (e != TMLRT_OK) return e;
    if (tmlrt__current()->busy == 0 && tmlrt__state_is_complete(&task->state)) {
        join__take(tmlrt__op(&op)); /* nothing to wait for */
        return (int)tmlrt__op(&op)->result;
    }
    e = tmlrt_op_await(&op);
    return e != TMLRT_OK ? e : (int)tmlrt_op_result(&op);
}
