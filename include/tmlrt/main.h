/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/main.h: the default runtime of the process, and the entry point of a program whose main
 * function is a task.
 */
#ifndef TMLRT_MAIN_H
#define TMLRT_MAIN_H

#include <tmlrt/base.h>
#include <tmlrt/runtime.h>
#include <tmlrt/task.h>

TMLRT_BEGIN_DECLS

/* Exit statuses of tmlrt_main beside the program's own. A signal number is added to the last. */
#define TMLRT_EXIT_RUNTIME 70  /* no runtime, no memory for the task; its line says why */
#define TMLRT_EXIT_PANIC   101 /* the task panicked */
#define TMLRT_EXIT_SIGNAL  128 /* + 2 for SIGINT, + 15 for SIGTERM: it was cancelled after one */

/* Runs a program: makes the default runtime from `config` (may be NULL), spawns a task of `type` on
 * it (`init_state` as tmlrt_spawn), waits for its end, shuts down, destroys the runtime. What main
 * returns is the exit status: the result where type->result_size is that of int32_t, else 0 for a
 * task that is done; otherwise one of TMLRT_EXIT_*.
 * SIGINT or SIGTERM, or the end of the task, begins a graceful shutdown (tmlrt_runtime_shutdown):
 * all tasks have config.shutdown_ms to end by themselves, then they are cancelled. A task that wants
 * to know waits for tmlrt_op_stopping. A second signal then does what it did before the call (as a
 * rule it ends the process).
 * Suspends: blocks the calling thread. Threads: a plain thread, the program's main one as a rule;
 * with a current-thread runtime the tasks run on it.
 * Errors, each with a line on standard error: TMLRT_EXIT_RUNTIME, also when there is a default
 * runtime already, or inside a task. */
TMLRT_API int tmlrt_main(const tmlrt_task_type_t *type, const void *init_state,
                         const tmlrt_config_t *config);

/* The default runtime: one a process, made at the first call (or by tmlrt_main) with nothing but
 * defaults and the environment, TMLRT_WORKERS and the like. It lives until tmlrt_runtime_destroy,
 * which the process may leave out; a later call makes a new one, and so does a forked child.
 * Threads: any; a current-thread one (TMLRT_FLAVOR=current) belongs to the thread that made it.
 * Owns: *rt is everybody's; who destroys it sees to it that nobody uses it.
 * Errors: those of tmlrt_runtime_create; then *rt is untouched. */
TMLRT_API int tmlrt_runtime_default(tmlrt_runtime_t **rt);

TMLRT_END_DECLS

#endif
