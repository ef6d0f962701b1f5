/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/fiber.h: fibers, tasks with a stack of their own, for straight-line code.
 *
 * A fiber is a task like any other (tmlrt/task.h: handle, join, abort, deadline, shutdown). Where it
 * waits, by tmlrt_op_await or one of the calls built on it, it gives the worker away; the same calls
 * on a plain thread block that thread. Between two waits it stays on one worker; across a wait it
 * may move to another unless it was pinned, so it must not hold across a wait: the address of a
 * thread-local variable (errno included), a pthread mutex, a C++ catch block. Nor may a destructor
 * wait that runs during an unwinding: exceptions in flight are the thread's. docs/guide.md has the
 * whole list.
 *
 * Cancelling a fiber (abort, its deadline, its scope, a shutdown) never stops it in the middle, and
 * never keeps it from beginning: its current wait and every later one end with TMLRT_ECANCELED until
 * it has returned. So a fiber ends what its argument owns, but one that gets no memory for its stack
 * when it shall begin: it is never called, its outcome is TMLRT_ENOMEM (keep the handle where that
 * matters), and the argument stays with who made it. One that neither waits nor looks at
 * tmlrt_cancelled holds up a shutdown. A shield lets its clean-up wait.
 */
#ifndef TMLRT_FIBER_H
#define TMLRT_FIBER_H

#include <tmlrt/base.h>
#include <tmlrt/task.h>

TMLRT_BEGIN_DECLS

/* What a fiber runs, as a pthread does. What it returns is the task's result: a void *, which
 * tmlrt_join moves out. */
typedef void *(*tmlrt_fiber_fn)(void *arg);

/* Spawns a fiber that runs fn(arg) on `rt` (NULL: the current runtime). Threads, options, handle
 * and errors as tmlrt_spawn; the stack's size is options->stack_class. The outcome is TMLRT_OK with
 * what fn returned, also of a fiber that was cancelled, or TMLRT_EPANIC, when options->guard caught a
 * panic: it ends the fiber alone. The stack is taken when the fiber runs first; without memory for one
 * it ends then, with TMLRT_ENOMEM: this alone says that fn was not called, and that `arg` is the
 * caller's still. A fiber that overflows its stack hits a
 * guard, 64 KiB of addresses below it (32-bit systems: a page; Windows probes each page): see
 * tmlrt_fiber_catch_overflow. A single frame that is larger can leap over it: compile what runs on
 * fibers with -fstack-clash-protection. */
TMLRT_API int tmlrt_go(tmlrt_runtime_t *rt, tmlrt_fiber_fn fn, void *arg,
                       const tmlrt_task_options_t *options, tmlrt_task_t **task);

/* Gives the other tasks of this worker a turn; on a plain thread, the other threads.
 * Errors: TMLRT_EDEADLK inside a stackless poll, a drop or a hook; TMLRT_ECANCELED. */
TMLRT_API int tmlrt_yield(void);

/* Between the two, the waits of this fiber are not cancelled; nests. What was asked meanwhile takes
 * effect at the first wait after the end. On a plain thread they do nothing.
 * Errors: TMLRT_EDEADLK inside a stackless poll; end without begin: TMLRT_EINVAL. */
TMLRT_API int tmlrt_shield_begin(void);
TMLRT_API int tmlrt_shield_end(void);

/* TMLRT_ECANCELED when the running task has been asked to end, or a scope that this fiber or thread
 * has open is cancelled (shield or not), else TMLRT_OK. For long computations between two waits. */
TMLRT_API int tmlrt_cancelled(void);

/* Installs, process-wide, a handler for SIGSEGV and SIGBUS on a stack of its own that names the
 * fiber whose guard was hit on standard error and then calls the handler that was there
 * before. Opt-in; once is enough. Errors: TMLRT_ENOTSUP, TMLRT_ENOMEM. */
TMLRT_API int tmlrt_fiber_catch_overflow(void);

TMLRT_END_DECLS

#endif
