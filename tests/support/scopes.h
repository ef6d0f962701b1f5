/* SPDX-License-Identifier: MIT */
/*
 * scopes.h: what the tests of scopes share: children that leave marks, on the runtime of the group.
 */
#ifndef TESTS_SUPPORT_SCOPES_H
#define TESTS_SUPPORT_SCOPES_H

#include <stdatomic.h>

#include "group.h"
#include "unit.h"

#define FAR_AWAY INT64_C(3600000000000)

/* What the children of a test leave behind. */
typedef struct marks {
    tmlrt_scope_t scope, inner;
    atomic_int    begun, cancelled, ended;
    int           result, inner_result;
    atomic_int    go;
} marks_t;

/* Runs fn(arg) as a fiber and waits for it. */
void as_fiber(tmlrt_fiber_fn fn, void *arg);

/* Options of a child, and a fiber that is one. */
tmlrt_task_options_t child_of(tmlrt_scope_t *scope);
void                 go_in(tmlrt_scope_t *scope, tmlrt_fiber_fn fn, void *arg);

/* Fibers; `arg` is a marks_t. */
void *lingers(
    void *arg); /* until it is cancelled; then it yields a few times in a shield: it ends late */
void *yields_and_ends(void *arg);
void *fails_when_told(void *arg); /* by `go` */

/* A guard, what jumps there (before any wait), and a body that does. */
int32_t        landing_guard(tmlrt_poll_fn body, void *state, tmlrt_cx_t *cx, void *result);
_Noreturn void panic(void);
int32_t        body_panics(unit_t *u, tmlrt_cx_t *cx);

#endif
