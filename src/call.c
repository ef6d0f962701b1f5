/* SPDX-License-Identifier: MIT */
/*
 * call.c: see call.h.
 */
#include "call.h"

#include "fiber.h"
#include "scope.h"
#include "task.h"

bool tmlrt__call_tries(void) {
    tmlrt__current_t *cur = tmlrt__current();
    /* Nobody may wait here: the try is all there is, and what runs is neither the fiber nor the owner
     * of the scope below. */
    if (cur->busy != 0) return true;
    if (cur->fiber == NULL) return !tmlrt__scope_asks(cur->scope, 0);
    if (cur->budget == 0 || tmlrt__state_is_cancelled(&cur->task->state)) return false;
    if (tmlrt__scope_asks(cur->fiber->scope, cur->fiber->shield)) return false;
    cur->budget--;
    return true;
}

int64_t tmlrt__call_await(tmlrt_op_t *op, int64_t deadline) {
    tmlrt_op_deadline(op, deadline);
    int e = tmlrt_op_await(op);
    return e != TMLRT_OK ? e : tmlrt_op_result(op);
}

int64_t tmlrt__call_await_always(tmlrt_op_t *op) {
    int e = tmlrt__await_always(op);
    return e != TMLRT_OK ? e : tmlrt_op_result(op);
}
