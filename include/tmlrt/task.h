/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/task.h: tasks. A task is a state machine that workers poll until it is ready.
 *
 * State, result and header are one allocation. The task owns its state: it is dropped exactly
 * once, on a worker, after completion, cancellation or panic, never while the task runs and never
 * while an operation that lives in the state is in flight. After a spawn the task may run on any
 * worker, one at a time, and may move between polls.
 *
 * A task ends in one of three outcomes: done (poll said READY), cancelled (abort or shutdown) or
 * panicked (the type's guard caught a panic). One that nobody can wake any more stays until it is
 * aborted or its runtime shuts down.
 */
#ifndef TMLRT_TASK_H
#define TMLRT_TASK_H

#include <tmlrt/base.h>
#include <tmlrt/waker.h>

TMLRT_BEGIN_DECLS

/* What a poll returns. */
#define TMLRT_READY    0 /* finished: the result is written; never polled again */
#define TMLRT_PENDING  1 /* waits: the waker of the context will be woken */
#define TMLRT_PANICKED 2 /* returned by a guard alone: the body panicked */

/* One step of a future. `state` is its state, `result` where its result goes (uninitialised until
 * READY). Runs on a worker and must not block it. */
typedef int32_t (*tmlrt_poll_fn)(void *state, tmlrt_cx_t *cx, void *result);

/* A task type: a constant, one an async function. It must stay as long as any handle or waker of
 * such a task does. */
typedef struct tmlrt_task_type {
    size_t        struct_size;  /* sizeof(tmlrt_task_type_t) */
    const char   *name;         /* for dumps and reports; may be NULL */
    size_t        state_size;   /* bytes; may be 0 */
    size_t        state_align;  /* a power of two up to 4,096; 0 means that of max_align_t */
    size_t        result_size;  /* bytes; may be 0 */
    size_t        result_align; /* as state_align */
    tmlrt_poll_fn poll;         /* required */
    /* Ends the state; NULL when there is nothing to do. Called exactly once for a state that the
     * task took over, whatever the outcome. */
    void (*drop)(void *state);
    /* Ends a result that nobody took; NULL when there is nothing to do. Runs where the last
     * reference goes, which may be any thread. */
    void (*drop_result)(void *result);
    /* Runs body(state, cx, result) inside the language's own catch and returns what it returned,
     * or TMLRT_PANICKED. NULL when the language has no panics. */
    int32_t (*guard)(tmlrt_poll_fn body, void *state, tmlrt_cx_t *cx, void *result);
} tmlrt_task_type_t;

/* Flags of tmlrt_task_options_t. */
#define TMLRT_TASK_PINNED 1u /* stays on the worker that spawns it; outside a worker: EINVAL */
#define TMLRT_TASK_DAEMON 2u /* shutdown does not wait for it */

/* Sizes of a fiber's stack. Below each lies a guard. */
#define TMLRT_STACK_DEFAULT 0u /* medium */
#define TMLRT_STACK_SMALL   1u /* 16 KiB */
#define TMLRT_STACK_MEDIUM  2u /* 64 KiB */
#define TMLRT_STACK_LARGE   3u /* 256 KiB */
#define TMLRT_STACK_HUGE    4u /* 1 MiB */

/* Bytes of a guarded fiber's stack above the frames of its function; see guard below. */
#define TMLRT_FIBER_CATCH_ROOM 4096

/* How to spawn. Optional; begin with TMLRT_TASK_OPTIONS_INIT. */
typedef struct tmlrt_task_options {
    size_t      struct_size;
    const char *name;        /* overrides the type's; a string that outlives the task; or NULL */
    const char *site;        /* where it was spawned, TMLRT_SITE; the same lifetime; or NULL */
    uint32_t    flags;       /* TMLRT_TASK_*; unknown bits are refused */
    uint32_t    stack_class; /* fibers: TMLRT_STACK_* */
    int64_t     deadline;    /* absolute, ns on tmlrt_now: past it the task is aborted; 0: none */
    /* Fibers: the panic guard, as of a task type, or NULL. It is called once, on the fiber's own
     * stack, and the body suspends and moves between workers inside it: after the body it may not
     * rely on the thread it was called on. It passes its arguments on and uses none of them. After a
     * catch it may use half of TMLRT_FIBER_CATCH_ROOM of the stack: below that lie the frames that
     * the panic left, with operations that are yet to be drained. */
    int32_t (*guard)(tmlrt_poll_fn body, void *state, tmlrt_cx_t *cx, void *result);
    tmlrt_scope_t *scope; /* open: the task becomes its child when it starts; NULL: none */
} tmlrt_task_options_t;

#define TMLRT_TASK_OPTIONS_INIT                                                                    \
    { sizeof(tmlrt_task_options_t), NULL, NULL, 0, 0, 0, NULL, NULL }

#define TMLRT_SITE_TEXT_(line) #line
#define TMLRT_SITE_LINE_(line) TMLRT_SITE_TEXT_(line)
#define TMLRT_SITE             __FILE__ ":" TMLRT_SITE_LINE_(__LINE__)

/* Spawns a task of `type` on `rt` (NULL: the current runtime). `init_state` (type->state_size
 * bytes; may be NULL when that is 0) is copied in. `options` may be NULL. With `task` non-NULL,
 * *task gets a handle that the caller ends by tmlrt_task_release; with NULL the task is detached.
 * Threads: any thread, any task. Owns: on success the task owns the state, on error the caller
 * still does, and *task is untouched.
 * Errors: TMLRT_EINVAL, TMLRT_ENOMEM, TMLRT_ENORUNTIME, TMLRT_ESHUTDOWN (from outside the runtime
 * once its shutdown has begun, from anywhere once it has ended), TMLRT_EFORKED; of a scope:
 * TMLRT_ECANCELED (it is cancelled), TMLRT_ECLOSED (it is not open). */
TMLRT_API int tmlrt_spawn(tmlrt_runtime_t *rt, const tmlrt_task_type_t *type,
                          const void *init_state, const tmlrt_task_options_t *options,
                          tmlrt_task_t **task);

/* The same in two steps, to build a large state in place: new, write to tmlrt_task_state(task),
 * start. The state's memory is not zeroed. Until the start it is the caller's: releasing an unstarted task frees its memory
 * without a drop. Errors of new: as tmlrt_spawn, but
 * for TMLRT_ESHUTDOWN and those of the scope, which the start tells. */
TMLRT_API int tmlrt_task_new(tmlrt_runtime_t *rt, const tmlrt_task_type_t *type,
                             const tmlrt_task_options_t *options, tmlrt_task_t **task);

/* Where the state of `task` lies, aligned as its type says; NULL for NULL. For use before the
 * start; after it the state belongs to whoever runs the task. */
TMLRT_API void *tmlrt_task_state(tmlrt_task_t *task);

/* Starts a task made by tmlrt_task_new; the handle stays the caller's.
 * After the destroy of its runtime an unstarted task may only be released.
 * Threads: the holder of the handle. Errors: TMLRT_EINVAL, TMLRT_EALREADY (started before),
 * TMLRT_ESHUTDOWN, of its scope TMLRT_ECANCELED and TMLRT_ECLOSED (the state is still the caller's).
 */
TMLRT_API int tmlrt_task_start(tmlrt_task_t *task);

/* Ends a handle. A task that still runs goes on, detached; a result that nobody took is ended by
 * drop_result. NULL is allowed and does nothing. Threads: any; using the handle afterwards is
 * undefined. */
TMLRT_API void tmlrt_task_release(tmlrt_task_t *task);

/* Asks for cancellation. The task is not polled again: its operations in flight are cancelled and
 * acknowledged, then its state is dropped, on a worker. A task that finishes first is done, not
 * cancelled. A fiber goes on, or begins, and is told by its waits. Threads: any; of a job of the
 * blocking pool not beside the destroy of its runtime. Errors: TMLRT_EINVAL, TMLRT_EALREADY (it had
 * ended). */
TMLRT_API int tmlrt_task_abort(tmlrt_task_t *task);

/* 1 when the task has ended, with any outcome, else 0; TMLRT_EINVAL for NULL. Threads: any. */
TMLRT_API int tmlrt_task_is_finished(const tmlrt_task_t *task);

/* Points *result at the result in place, valid until the handle is released; the handle keeps
 * owning it. Returns the outcome: TMLRT_OK, TMLRT_ECANCELED or TMLRT_EPANIC (then *result is NULL).
 * Threads: any that hold the handle. Errors: TMLRT_EINVAL, TMLRT_EAGAIN (not ended yet),
 * TMLRT_EALREADY (a join moved it out). */
TMLRT_API int tmlrt_task_result(tmlrt_task_t *task, void **result);

/* An id that no other task of this process has or had; at least 1; 0 for NULL. Threads: any. */
TMLRT_API uint64_t tmlrt_task_id(const tmlrt_task_t *task);

/* The task's name (of its options, else of its type, else "?"). Threads: any. Owns: as given. */
TMLRT_API const char *tmlrt_task_name(const tmlrt_task_t *task);

/* The task that this thread is running, borrowed for the length of the poll; NULL outside. */
TMLRT_API tmlrt_task_t *tmlrt_task_current(void);

/* Prepares `op` to wait for the end of `task`. When it becomes READY its result is the outcome:
 * TMLRT_OK, TMLRT_ECANCELED, TMLRT_EPANIC, or TMLRT_EALREADY when an earlier join took the result.
 * With `result` non-NULL a done task's result (type->result_size bytes) is moved there, once; with
 * NULL it stays in place (tmlrt_task_result, or a later join). Many may wait for one task. A task may be joined from
 * any runtime. A join of a task that has not run yet may run it in place, on the joiner's stack.
 * Owns: the handle stays the caller's and must outlive the operation.
 * Cancel: takes effect at once; the task goes on. Errors: TMLRT_EINVAL, TMLRT_EBUSY (op in
 * flight). Source: join of fork-join, run in place as in Cilk and TooManyCooks. */
TMLRT_API int tmlrt_op_join(tmlrt_op_t *op, tmlrt_task_t *task, void *result);

/* Waits for the end of `task` and moves its result to `result` (or leaves it, NULL), as
 * tmlrt_op_join awaited. Does not release the handle.
 * Suspends: blocks a plain thread; the thread that owns a current-thread runtime drives it.
 * Errors: the outcome, as tmlrt_op_join; TMLRT_EDEADLK inside a stackless poll, drop or hook. */
TMLRT_API int tmlrt_join(tmlrt_task_t *task, void *result);

TMLRT_END_DECLS

#endif
