/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/local.h: task-locals: values that belong to a task (a fiber, a stackless task, a blocking
 * job) and follow it from thread to thread, as a thread-local follows a thread: a request id, a
 * tracing span. What calls them is the running task; on a plain thread there are none.
 *
 * A key is an object of the program's, usually constant and static; its address is the key. A task
 * inherits what its spawner holds where the key says how (`inherit`); so the request is made once,
 * at the key, and no spawn can forget it.
 */
#ifndef TMLRT_LOCAL_H
#define TMLRT_LOCAL_H

#include <tmlrt/base.h>

TMLRT_BEGIN_DECLS

typedef struct tmlrt_local_key {
    /* The value of a new task, made of that of the task that spawns it, inside the spawn (a copy, a
     * counted reference); NULL returned: none. A NULL function: new tasks begin without one. */
    void *(*inherit)(void *value);
    /* Ends a value: when another one is set, and at the end of the task, on the worker, after the
     * drop of its state. NULL: nothing to do. */
    void (*drop)(void *value);
} tmlrt_local_key_t;

/* Sets the running task's value (NULL removes it) and drops the former one.
 * Owns: on success the task owns `value`, on an error the caller still does.
 * Errors: TMLRT_EINVAL, TMLRT_ENORUNTIME (no task runs here), TMLRT_ENOMEM, TMLRT_ECLOSED (the task
 * is ending its values, or handing them on: inside `inherit`). */
TMLRT_API int tmlrt_local_set(const tmlrt_local_key_t *key, void *value);

/* The running task's value; NULL when there is none, or no task. Owns: it stays the task's. */
TMLRT_API void *tmlrt_local_get(const tmlrt_local_key_t *key);

TMLRT_END_DECLS

#endif
