/* SPDX-License-Identifier: MIT */
/*
 * local.h: task-locals: a short list that hangs on the task's extra. The runner's alone; before the
 * start, the maker's.
 */
#ifndef TMLRT__LOCAL_H
#define TMLRT__LOCAL_H

#include <tmlrt/local.h>

#include "task.h"

/* The maker of `task`: gives it what the running task hands on. TMLRT_OK or TMLRT_ENOMEM; what it
 * was given goes with its extra either way. */
int tmlrt__locals_inherit(tmlrt_task_t *task);

/* Ends all values; none can be set any more. */
void tmlrt__locals_drop(tmlrt__task_extra_t *x);

#endif
