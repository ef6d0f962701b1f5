/* SPDX-License-Identifier: MIT */
/*
 * scopes.c: see scopes.h.
 */
#include "scopes.h"

#include <setjmp.h>

void as_fiber(tmlrt_fiber_fn fn, void *arg) {
    tmlrt_task_t *task;
    require(tmlrt_go(rt, fn, arg, NULL, &task) == TMLRT_OK);
    require(tmlrt_join(task, NULL) == TMLRT_OK);
    tmlrt_task_release(task);
}

tmlrt_task_options_t child_of(tmlrt_scope_t *scope) {
    tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
    o.scope = scope;
    return o;
}

void go_in(tmlrt_scope_t *scope, tmlrt_fiber_fn fn, void *arg) {
    tmlrt_task_options_t o = child_of(scope);
    require(tmlrt_go(rt, fn, arg, &o, NULL) == TMLRT_OK);
}

void *lingers(void *arg) {
    marks_t *m = arg;
    atomic_fetch_add(&m->begun, 1);
    if (tmlrt_sleep(FAR_AWAY) == TMLRT_ECANCELED) atomic_fetch_add(&m->cancelled, 1);
    require(tmlrt_cancelled() == TMLRT_ECANCELED);
    require(tmlrt_shield_begin() == TMLRT_OK);
    for (int i = 0; i < 20; i++)
        require(tmlrt_yield() == TMLRT_OK);
    require(tmlrt_shield_end() == TMLRT_OK);
    atomic_fetch_add(&m->ended, 1);
    return NULL;
}

void *yields_and_ends(void *arg) {
    marks_t *m = arg;
    for (int i = 0; i < 50; i++)
        require(tmlrt_yield() == TMLRT_OK);
    atomic_fetch_add(&m->ended, 1);
    return NULL;
}

void *fails_when_told(void *arg) {
    marks_t *m = arg;
    while (atomic_load(&m->go) == 0)
        if (tmlrt_yield() != TMLRT_OK) return NULL;
    require(tmlrt_scope_fail(NULL, TMLRT_EIO) == TMLRT_OK);
    return NULL;
}

static _Thread_local jmp_buf *landing; /* a body that jumps there has not waited */

int32_t landing_guard(tmlrt_poll_fn body, void *state, tmlrt_cx_t *cx, void *result) {
    jmp_buf here;
    landing = &here;
    if (setjmp(here) != 0) return TMLRT_PANICKED;
    return body(state, cx, result);
}

void panic(void) {
    longjmp(*landing, 1);
}

int32_t body_panics(unit_t *u, tmlrt_cx_t *cx) {
    (void)u;
    (void)cx;
    panic();
}
