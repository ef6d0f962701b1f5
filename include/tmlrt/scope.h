/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/scope.h: structured concurrency. A scope holds children (tasks, fibers, blocking jobs that
 * were spawned with options.scope) and ends only when all of them have ended and their states are
 * dropped, so that a child may use what lives in the frame or state that the scope lives in.
 *
 *     tmlrt_scope_t        scope = TMLRT_SCOPE_INIT;
 *     tmlrt_task_options_t child = TMLRT_TASK_OPTIONS_INIT;
 *     tmlrt_scope_open(&scope, NULL, tmlrt_now(NULL) + 5 * TMLRT_S);
 *     child.scope = &scope;
 *     for (int i = 0; i < n; i++)
 *         tmlrt_go(NULL, fetch, &page[i], &child, NULL);
 *     int e = tmlrt_scope_join(&scope);
 *
 * How a scope ends, its result:
 *   the first failure    if there was one, also after a cancel: tmlrt_scope_fail, or the outcome of
 *                        a child that panicked (TMLRT_EPANIC) or found no memory for its stack
 *                        (TMLRT_ENOMEM). Later ones are not kept.
 *   TMLRT_ETIMEDOUT      else, if the deadline came before any cancel,
 *   TMLRT_ECANCELED      else, if it was cancelled: tmlrt_scope_cancel, a cancelled or aborted owner;
 *   TMLRT_OK             else. What a child's result says is between the child and who looks at it,
 *                        and a child that is aborted by its handle or by its own deadline is no
 *                        failure.
 * The first of these events cancels the scope: all children are aborted, the scopes that are open
 * inside it are cancelled, spawning into it is refused, and the waits of its owner between open and
 * join end with TMLRT_ECANCELED (in a fiber or a thread, unless a shield was begun since the open).
 *
 * The owner is the fiber, plain thread or stackless task that opened it; it alone opens and joins.
 * Scopes of one owner nest: the inner one ends first. A cancel and a deadline reach all that is
 * inside, at any depth. A scope opened inside a shield is not reached by those around it.
 *
 * A scope is registered with its task like an operation in flight: when the task is aborted, panics
 * or returns, the children are cancelled and joined before its state is dropped; tmlrt_ops_drain and
 * the end of a tmlrt_op_future do the same for what lies in them. A fiber, thread or blocking job
 * joins every scope that it opened before it leaves the frame that it lies in; a fiber or job that
 * returns with a scope open is stopped with a message (a fiber that panics is not: its guard may leap
 * over the joins).
 */
#ifndef TMLRT_SCOPE_H
#define TMLRT_SCOPE_H

#include <tmlrt/base.h>
#include <tmlrt/op.h>

TMLRT_BEGIN_DECLS

/* Placed by the owner, pinned from the open to the end; may be opened again. 384 bytes, frozen. */
struct tmlrt_scope {
    uint64_t opaque_[48];
};

#define TMLRT_SCOPE_INIT                                                                           \
    {                                                                                              \
        { 0 }                                                                                      \
    }

TMLRT_STATIC_ASSERT(sizeof(struct tmlrt_scope) == 384, "the size of a scope is frozen");

/* Opens a scope in the running fiber, or on this plain thread, inside the one that it opened last.
 * `deadline`: absolute, in ns on tmlrt_now(rt), past which it is cancelled; TMLRT_NEVER: none of its
 * own. `rt` keeps the deadline, so it must not be destroyed before the scope has ended; without a
 * deadline it is not looked at; NULL: the current runtime. The children may be of any runtime.
 * Owns: the scope is the library's until it has ended.
 * Errors: TMLRT_EINVAL (also: a negative deadline), TMLRT_EBUSY (it is open), TMLRT_ENOMEM,
 * TMLRT_EDEADLK (inside a stackless poll, a drop or a hook), TMLRT_ENORUNTIME (a deadline, and no
 * runtime). On an error it is not open. */
TMLRT_API int tmlrt_scope_open(tmlrt_scope_t *scope, tmlrt_runtime_t *rt, int64_t deadline);

/* The same for a stackless task, inside its poll: `cx` is the context of the poll, `outer` the scope
 * of the same task that it lies in, or NULL. The owner is polled when the scope is cancelled; what
 * it waits for at that moment is its own to cancel (tmlrt_scope_status tells, tmlrt_ops_drain ends
 * it). Errors: as above; TMLRT_ECLOSED: `outer` is not open. */
TMLRT_API int tmlrt_scope_open_in(tmlrt_scope_t *scope, tmlrt_cx_t *cx, tmlrt_scope_t *outer,
                                  int64_t deadline);

/* The operation that ends with the scope; its result is the scope's. It is in flight from the open
 * on: poll it, await it, or put it into an any or all; to look at it is to join. Until it is READY
 * children may still be spawned, also by children. A stackless task joins by
 *     TMLRT_AWAIT(s, cx, tmlrt_scope_op(&s->scope), 0);
 * Cancel (also as the loser of an any): cancels the scope; it ends when the children have ended.
 * Threads: the owner. NULL for NULL and for a scope that was never opened. */
TMLRT_API tmlrt_op_t *tmlrt_scope_op(tmlrt_scope_t *scope);

/* Waits for the end of the scope and returns its result. Always call it, also after an error: a
 * cancel does not let it return before the children have ended.
 * Suspends: blocks a plain thread. Threads: the owner, a fiber or thread.
 * Errors, with the scope still open: TMLRT_EINVAL (opened elsewhere), TMLRT_EBUSY (one opened after it
 * is still open), TMLRT_EDEADLK (inside a stackless poll, a drop or a hook). TMLRT_ECLOSED: not open.
 * TMLRT_EFORKED, in a forked child, also where the fork was in a task that the join ran: its children
 * are the parent's, nobody waits for them here, and its memory may go. */
TMLRT_API int tmlrt_scope_join(tmlrt_scope_t *scope);

/* Records the first failure (`error`: a TMLRT_E*) and cancels the scope. NULL: the scope that the
 * running task is a child of. With TMLRT_ECANCELED it is tmlrt_scope_cancel, so that a child may
 * hand on whatever its last wait said. Never waits.
 * Threads: any, while the scope is open: the owner, its children, who has it from them.
 * Errors: TMLRT_EINVAL (NULL outside of any scope; not an error number), TMLRT_EALREADY (there is a
 * failure already), TMLRT_ECLOSED (not open). */
TMLRT_API int tmlrt_scope_fail(tmlrt_scope_t *scope, int error);

/* Cancels the scope without a failure. NULL, threads and errors as tmlrt_scope_fail;
 * TMLRT_EALREADY: it is cancelled. */
TMLRT_API int tmlrt_scope_cancel(tmlrt_scope_t *scope);

/* TMLRT_OK while it is open and not cancelled, then what its result would be now. NULL and threads
 * as tmlrt_scope_fail. Errors: TMLRT_EINVAL, TMLRT_ECLOSED (not open). */
TMLRT_API int tmlrt_scope_status(tmlrt_scope_t *scope);

/* The scope that the running task is a child of, to spawn siblings or to fail it; NULL: none. It
 * stays as long as that task. */
TMLRT_API tmlrt_scope_t *tmlrt_scope_current(void);

TMLRT_END_DECLS

#endif
