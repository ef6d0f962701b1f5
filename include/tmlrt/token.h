/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/token.h: cancellation tokens: a flag that is set once, from anywhere, and can be waited for
 * like anything else. A token asks; what is done about it is up to who holds it. To bound the life
 * of tasks use a scope (tmlrt/scope.h).
 *
 * A token may have a parent: it is cancelled with it, and may be cancelled alone. Counted: created
 * with one reference, _retain adds one, _release drops one (NULL is allowed in both). A child keeps
 * its parent. A call needs a reference that somebody holds until it returns, an operation one until
 * it ends. Bound to no runtime.
 */
#ifndef TMLRT_TOKEN_H
#define TMLRT_TOKEN_H

#include <tmlrt/base.h>
#include <tmlrt/op.h>

TMLRT_BEGIN_DECLS

typedef struct tmlrt_token tmlrt_token_t;

/* Makes a token; `parent` may be NULL. A child of a cancelled parent is born cancelled.
 * Threads: any. Errors: TMLRT_EINVAL, TMLRT_ENOMEM. */
TMLRT_API int            tmlrt_token_create(tmlrt_token_t **token, tmlrt_token_t *parent);
TMLRT_API tmlrt_token_t *tmlrt_token_retain(tmlrt_token_t *token); /* returns `token` */
TMLRT_API void           tmlrt_token_release(tmlrt_token_t *token);

/* Cancels the token and all its descendants: who waits for one goes on, oldest first. What was
 * written before is visible to who finds it cancelled. Never waits. Threads: any.
 * Errors: TMLRT_EINVAL, TMLRT_EALREADY (it was cancelled before). */
TMLRT_API int tmlrt_token_cancel(tmlrt_token_t *token);

/* 1 when it is cancelled, else 0; TMLRT_EINVAL for NULL. Threads: any. */
TMLRT_API int tmlrt_token_is_cancelled(const tmlrt_token_t *token);

/* Prepares `op` to become ready, with TMLRT_OK, when the token is cancelled (at once, when it is).
 * Cancel: at once. Errors: TMLRT_EINVAL, TMLRT_EBUSY (in flight). */
TMLRT_API int tmlrt_op_token(tmlrt_op_t *op, tmlrt_token_t *token);

/* Wait until the token is cancelled; `_until` with an absolute deadline in ns on tmlrt_now.
 * Suspends: blocks a plain thread. Errors: TMLRT_EINVAL; TMLRT_EDEADLK where it would wait inside a
 * stackless poll, a drop or a hook; TMLRT_ECANCELED; TMLRT_ETIMEDOUT. */
TMLRT_API int tmlrt_token_wait(tmlrt_token_t *token);
TMLRT_API int tmlrt_token_wait_until(tmlrt_token_t *token, int64_t deadline);

TMLRT_END_DECLS

#endif
