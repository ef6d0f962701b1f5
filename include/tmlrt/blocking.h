/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/blocking.h: code that blocks, on threads of its own: an elastic, bounded pool a runtime.
 */
#ifndef TMLRT_BLOCKING_H
#define TMLRT_BLOCKING_H

#include <tmlrt/base.h>
#include <tmlrt/task.h>

TMLRT_BEGIN_DECLS

/* Classes of blocking work. Each has a quota of the pool's threads, so that one class that is slow
 * never starves the others. A quota is rounded up, and at least 1. */
#define TMLRT_BLOCKING_GENERAL 0u /* at most three quarters of the threads */
#define TMLRT_BLOCKING_FILE    1u /* at most half */
#define TMLRT_BLOCKING_NAMES   2u /* name lookups: at most a quarter */

/* Runs fn(arg) on a thread of the pool of `rt` (NULL: the current runtime). The task's result is
 * what fn returns, a void *. It is joined, awaited and released like any task; inside it `rt` is
 * the current runtime and the calls that wait block the thread. Aborting one that has not begun
 * takes it out of the queue, and it ends at once; one that runs is not interrupted
 * (tmlrt_cancelled tells it) and is done when it returns. A deadline in the options counts when its
 * turn comes. Shutdown waits for those that run, as for tasks; one that never returns is named in
 * the report.
 * The pool has at most config.blocking_threads threads (default 512), made when they are needed;
 * idle ones end after 10 s. Jobs beyond wait in order, each class in a queue of its own; together
 * the queues hold at most config.blocking_queue jobs (default 65,536).
 * Threads: any thread, any task. Owns: `arg` stays the caller's when the job is aborted before it
 * began (the outcome is TMLRT_ECANCELED) and on error.
 * Errors: as tmlrt_spawn; TMLRT_EINVAL also for an unknown class and for TMLRT_TASK_PINNED;
 * TMLRT_EAGAIN (the queue is full, or no thread can be made). */
TMLRT_API int tmlrt_spawn_blocking(tmlrt_runtime_t *rt, void *(*fn)(void *arg), void *arg,
                                   uint32_t blocking_class, const tmlrt_task_options_t *options,
                                   tmlrt_task_t **task);

TMLRT_END_DECLS

#endif
