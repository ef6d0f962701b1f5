/* SPDX-License-Identifier: MIT */
/*
 * scope.c: see scope.h.
 */
#include "scope.h"

#include <string.h>

#include <tmlrt/time.h>

#include "os.h"
#include "task.h"

/* The gate's word. */
#define SCOPE__OPEN      ((uint64_t)0x04)
#define SCOPE__CANCELLED ((uint64_t)0x08) /* marked; for good, while open */
#define SCOPE__ENDING    ((uint64_t)0x10) /* the owner waits for the count */
#define SCOPE__ONE       ((uint64_t)0x100)

#define SCOPE__BATCH TMLRT__GATE_BATCH

static uint64_t scope__count(uint64_t w) {
    return w / SCOPE__ONE;
}

/* ---- cancelling ----------------------------------------------------------------------------------- */

/* Cancels for `reason`, or for a failure (reason 0). The first mark puts the scope, held, on *todo,
 * and wakes the owner unless that is who calls. */
static int scope__mark(tmlrt__scope_t *s, int reason, int failure, bool by_owner,
                       tmlrt__scope_t **todo, tmlrt__wakes_t *wakes) {
    int      e = TMLRT_OK;
    uint64_t w = tmlrt__gate_enter(&s->gate);
    if ((w & SCOPE__OPEN) == 0) {
        tmlrt__gate_leave(&s->gate, w);
        return TMLRT_ECLOSED;
    }
    if (failure != 0 ? s->failure != 0 : (w & SCOPE__CANCELLED) != 0) e = TMLRT_EALREADY;
    if (failure != 0 && s->failure == 0) s->failure = failure;
    if ((w & SCOPE__CANCELLED) == 0) {
        if (failure == 0) s->reason = reason;
        s->todo = *todo;
        *todo = s;
        w = (w | SCOPE__CANCELLED) + SCOPE__ONE;
        tmlrt__op_t *guard = tmlrt__gate_first(&s->gate);
        tmlrt__gate_show(&s->gate, w); /* an owner that runs does not wait for our leave */
        if (guard != NULL && !by_owner) tmlrt__gate_grant(guard, 1, 0, wakes);
    }
    tmlrt__gate_leave(&s->gate, w);
    return e;
}

/* Entered: moves the first child behind the others and returns it, referenced; NULL: it is `mark`. */
static tmlrt_task_t *scope__next_child(tmlrt__scope_t *s, const tmlrt__list_t *mark) {
    tmlrt__list_t *node = s->children.next;
    if (node == mark) return NULL;
    tmlrt__list_remove(node);
    tmlrt__list_push_back(&s->children, node);
    tmlrt_task_t *task = TMLRT__CONTAINER_OF(node, tmlrt__task_extra_t, sibling)->task;
    /* It is linked, so it is not complete, and the alive reference is there. */
    tmlrt__state_ref(&task->state);
    return task;
}

/* Entered: why those inside a cancelled scope are cancelled. */
static int scope__reason_inside(const tmlrt__scope_t *s) {
    return s->failure == 0 && s->reason == TMLRT_ETIMEDOUT ? TMLRT_ETIMEDOUT : TMLRT_ECANCELED;
}

/* Entered: the same for a nested scope, which is marked; false: it is `mark`. */
static bool scope__mark_next(tmlrt__scope_t *s, const tmlrt__list_t *mark, tmlrt__scope_t **todo,
                             tmlrt__wakes_t *wakes) {
    tmlrt__list_t *node = s->nested.next;
    if (node == mark) return false;
    tmlrt__list_remove(node);
    tmlrt__list_push_back(&s->nested, node);
    scope__mark(TMLRT__CONTAINER_OF(node, tmlrt__scope_t, sibling), scope__reason_inside(s), 0,
                false, todo, wakes);
    return true;
}

/* Marked and held by the caller: aborts the children, marks the nested scopes. */
static void scope__tell(tmlrt__scope_t *s, tmlrt__scope_t **todo) {
    /* What was there when we began lies before these; nothing that comes later needs to be told. */
    tmlrt__list_t children_end, nested_end;
    bool          begun = false, more = true;
    while (more) {
        tmlrt_task_t  *tasks[SCOPE__BATCH];
        tmlrt__wakes_t wakes;
        unsigned       n = 0;
        wakes.n = 0;
        uint64_t w = tmlrt__gate_enter(&s->gate);
        if (!begun) {
            tmlrt__list_push_back(&s->children, &children_end);
            tmlrt__list_push_back(&s->nested, &nested_end);
            s->mark = &children_end;
            begun = true;
        }
        while (n < SCOPE__BATCH && (tasks[n] = scope__next_child(s, &children_end)) != NULL)
            n++;
        while (!tmlrt__wakes_full(&wakes) && scope__mark_next(s, &nested_end, todo, &wakes)) {
        }
        more = s->children.next != &children_end || s->nested.next != &nested_end;
        if (!more) {
            tmlrt__list_remove(&children_end);
            tmlrt__list_remove(&nested_end);
            s->mark = NULL;
        }
        tmlrt__gate_leave(&s->gate, w);
        tmlrt__wakes_run(&wakes);
        for (unsigned i = 0; i < n; i++) {
            tmlrt_task_abort(tasks[i]);
            tmlrt__task_unref(tasks[i]);
        }
    }
}

static void scope__tell_all(tmlrt__scope_t *todo) {
    while (todo != NULL) {
        tmlrt__scope_t *s = todo;
        todo = s->todo;
        scope__tell(s, &todo);
        tmlrt__scope_leave(s);
    }
}

/* Any thread that may touch it: cancels for `reason`, or fails it (reason 0). */
static int scope__stop(tmlrt__scope_t *s, int reason, int failure, bool by_owner) {
    tmlrt__scope_t *todo = NULL;
    tmlrt__wakes_t  wakes;
    wakes.n = 0;
    int e = scope__mark(s, reason, failure, by_owner, &todo, &wakes);
    tmlrt__wakes_run(&wakes);
    scope__tell_all(todo);
    return e;
}

bool tmlrt__scope_asks(const tmlrt__scope_t *s, uint32_t shield) {
    for (; s != NULL; s = s->outer)
        if (s->shield >= shield &&
            (tmlrt__load_relaxed((tmlrt__atomic_u64 *)&s->gate.word) & SCOPE__CANCELLED) != 0)
            return true;
    return false;
}

void tmlrt__scope_stop_all(tmlrt__scope_t *innermost) {
    for (tmlrt__scope_t *s = innermost; s != NULL; s = s->outer)
        if (s->shield == 0) scope__stop(s, TMLRT_ECANCELED, 0, true);
}

/* ---- children ------------------------------------------------------------------------------------- */

/* Entered: the host of the first child, or NULL. */
static const tmlrt__host_t *scope__first_host(const tmlrt__scope_t *s) {
    const tmlrt__list_t *node = s->children.next;
    if (node == s->mark) node = node->next;
    if (node == &s->children) return NULL;
    return TMLRT__CONTAINER_OF(node, tmlrt__task_extra_t, sibling)->task->host;
}

int tmlrt__scope_enter(tmlrt__scope_t *s, tmlrt_task_t *task) {
    tmlrt__task_extra_t *x = tmlrt__task_extra(task);
    uint64_t             w = tmlrt__gate_enter(&s->gate);
    int                  e = TMLRT_OK;
    if ((w & SCOPE__CANCELLED) != 0) e = TMLRT_ECANCELED;
    if ((w & SCOPE__OPEN) == 0) e = TMLRT_ECLOSED;
    if (e == TMLRT_OK) {
        x->task = task;
        tmlrt__list_push_back(&s->children, &x->sibling);
        w += SCOPE__ONE;
    }
    tmlrt__gate_leave(&s->gate, w);
    return e;
}

void tmlrt__scope_unlink(tmlrt__scope_t *s, tmlrt_task_t *task, int outcome) {
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(&s->gate);
    tmlrt__list_remove(&tmlrt__task_extra(task)->sibling);
    /* An owner that drove our runtime for us has to look for another one. */
    const tmlrt__host_t *next = scope__first_host(s);
    tmlrt__op_t         *guard = tmlrt__gate_first(&s->gate);
    if (next != NULL && next != task->host && (w & SCOPE__ENDING) != 0 && guard != NULL)
        tmlrt__gate_grant(guard, 1, 0, &wakes);
    tmlrt__gate_leave(&s->gate, w);
    tmlrt__wakes_run(&wakes);
    if (outcome != TMLRT_OK && outcome != TMLRT_ECANCELED) scope__stop(s, 0, outcome, false);
}

void tmlrt__scope_leave(tmlrt__scope_t *s) {
    tmlrt__wakes_t wakes;
    wakes.n = 0;
    uint64_t w = tmlrt__gate_enter(&s->gate) - SCOPE__ONE;
    if (scope__count(w) == 0 && (w & SCOPE__ENDING) != 0) {
        tmlrt__op_t *guard = tmlrt__gate_first(&s->gate);
        if (guard != NULL) tmlrt__gate_grant(guard, 1, 0, &wakes);
    }
    tmlrt__gate_leave(&s->gate, w); /* the last touch: the owner enters before it ends the scope */
    tmlrt__wakes_run(&wakes);
}

/* ---- the deadline --------------------------------------------------------------------------------- */

typedef struct scope__timer {
    tmlrt__op_t       sleep; /* the scope's owner */
    tmlrt_allocator_t mem;
    tmlrt__atomic_u32 refs; /* the scope's, and one a waker of the sleep */
    tmlrt__latch_t    latch;
    tmlrt__scope_t   *scope; /* under latch; NULL: not yet, or not any more */
    bool              fired; /* under latch */
} scope__timer_t;

static void timer__unref(void *data) {
    scope__timer_t *t = data;
    /* release: our use is over; acquire: so is everybody's; pairs [SCO-1] */
    if (tmlrt__fetch_sub_acq_rel(&t->refs, 1) != 1) return;
    tmlrt_allocator_t mem = t->mem;
    tmlrt__atomic_unmake(&t->refs);
    tmlrt__atomic_unmake(&t->latch.held);
    tmlrt__mem_put(&mem, t, sizeof *t, _Alignof(scope__timer_t));
}

static void timer__wake_by_ref(void *data) {
    scope__timer_t *t = data;
    tmlrt__scope_t *todo = NULL;
    tmlrt__wakes_t  wakes;
    wakes.n = 0;
    tmlrt__latch_lock(&t->latch);
    t->fired = true;
    if (t->scope != NULL) scope__mark(t->scope, TMLRT_ETIMEDOUT, 0, false, &todo, &wakes);
    tmlrt__latch_unlock(&t->latch);
    tmlrt__wakes_run(&wakes);
    scope__tell_all(todo); /* held by the mark */
}

static void timer__wake(void *data) {
    timer__wake_by_ref(data);
    timer__unref(data);
}

static void timer__clone(void *data, tmlrt_waker_t *out);

static const tmlrt_waker_vtable_t timer__vtable = {timer__clone, timer__wake, timer__wake_by_ref,
                                                   timer__unref};

static void timer__clone(void *data, tmlrt_waker_t *out) {
    tmlrt__fetch_add_relaxed(&((scope__timer_t *)data)->refs, 1);
    out->data = data;
    out->vtable = &timer__vtable;
}

/* Starts one that no scope has yet. */
static int timer__start(scope__timer_t **out, tmlrt__host_t *host, int64_t deadline) {
    scope__timer_t *t = tmlrt__mem_zero(&host->mem, sizeof *t, _Alignof(scope__timer_t));
    if (t == NULL) return TMLRT_ENOMEM;
    t->mem = host->mem;
    tmlrt__atomic_make(&t->refs, 1);
    tmlrt__atomic_make(&t->latch.held, 0);
    tmlrt_waker_t waker = {t, &timer__vtable};
    tmlrt_cx_t    cx = {&waker, NULL, {NULL, NULL}};
    tmlrt_op_t   *sleep = (tmlrt_op_t *)(void *)&t->sleep;
    tmlrt_op_sleep_until(sleep, (tmlrt_runtime_t *)(void *)host, deadline);
    if (tmlrt__op_begin(sleep, &cx) == TMLRT_READY) {
        int e = (int)tmlrt_op_result(sleep);
        if (e != TMLRT_OK) {
            timer__unref(t);
            return e;
        }
        t->fired = true; /* it had passed */
    }
    *out = t;
    return TMLRT_OK;
}

/* Ties it to a scope, which it cancels at once when it has fired meanwhile. */
static void timer__attach(scope__timer_t *t, tmlrt__scope_t *s) {
    tmlrt__latch_lock(&t->latch);
    t->scope = s;
    bool fired = t->fired;
    tmlrt__latch_unlock(&t->latch);
    if (fired) scope__stop(s, TMLRT_ETIMEDOUT, 0, true);
}

/* On return no expiry begins to touch the scope any more; one that has begun holds it. */
static void timer__stop(scope__timer_t *t) {
    tmlrt__latch_lock(&t->latch);
    t->scope = NULL;
    tmlrt__latch_unlock(&t->latch);
    tmlrt_op_cancel((tmlrt_op_t *)(void *)&t->sleep);
    timer__unref(t);
}

/* ---- the guard ------------------------------------------------------------------------------------ */

/* Owner: cuts it off from what may mark it from outside. */
static void scope__detach(tmlrt__scope_t *s) {
    s->detached = true;
    if (s->timer != NULL) timer__stop(s->timer);
    s->timer = NULL;
    /* Not the links themselves: a canceller of the outer one is moving them, perhaps. */
    if (!s->counted) return;
    uint64_t w = tmlrt__gate_enter(&s->outer->gate);
    tmlrt__list_remove(&s->sibling);
    tmlrt__gate_leave(&s->outer->gate, w);
}

/* Owner: it has ended, so the outer one may. */
static void scope__leave_outer(tmlrt__scope_t *s) {
    if (!s->counted) return;
    s->counted = false;
    tmlrt__scope_leave(s->outer);
}

static bool scope__is_forked(const tmlrt__scope_t *s) {
    return s->forks != tmlrt__load_relaxed(&tmlrt__fork_generation);
}

/* Owner: waits of its own do not look at it any more. */
static void scope__pop(tmlrt__scope_t *s) {
    if (s->slot != NULL && *s->slot == s) *s->slot = s->outer;
}

/* Owner, in a forked child: what is counted is the parent's, and perhaps who holds the gate is. */
static int32_t scope__give_up(tmlrt__scope_t *s) {
    s->guard.result = TMLRT_EFORKED;
    scope__pop(s);
    return TMLRT_READY;
}

/* Owner: READY when nothing is counted any more; else the guard is armed. */
static int32_t scope__try_end(tmlrt__scope_t *s) {
    if (scope__is_forked(s)) return scope__give_up(s);
    for (;;) {
        uint64_t w = tmlrt__gate_enter(&s->gate);
        if (scope__count(w) != 0) {
            if (!tmlrt__list_is_linked(&s->guard.u.wait.link))
                tmlrt__gate_wait(&s->gate, &s->guard);
            tmlrt__gate_leave(&s->gate, w | SCOPE__ENDING);
            return TMLRT_PENDING;
        }
        if (s->detached) {
            s->guard.result = s->failure != 0 ? s->failure : s->reason;
            tmlrt__gate_remove(&s->guard);
            tmlrt__gate_leave(&s->gate, 0);
            break;
        }
        tmlrt__gate_leave(&s->gate, w);
        scope__detach(s); /* and look again: an expiry or a cancel may have begun meanwhile */
    }
    scope__pop(s);
    scope__leave_outer(s);
    return TMLRT_READY;
}

static tmlrt__scope_t *scope__of_guard(tmlrt__op_t *op) {
    return TMLRT__CONTAINER_OF(op, tmlrt__scope_t, guard);
}

static int32_t guard__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__scope_t *s = scope__of_guard(op);
    (void)cx;
    uint64_t w = tmlrt__gate_enter(&s->gate);
    tmlrt__gate_wait(&s->gate, op);
    tmlrt__gate_leave(&s->gate, w);
    return TMLRT_PENDING;
}

static int32_t guard__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    return scope__try_end(scope__of_guard(op));
}

/* Armed anew where it had fired: unlike with other kinds the end is still to come. */
static int32_t guard__cancel(tmlrt__op_t *op, int reason) {
    tmlrt__scope_t *s = scope__of_guard(op);
    if (!scope__is_forked(s)) scope__stop(s, reason, 0, true);
    return scope__try_end(s);
}

/* A thread that awaits it drives a runtime of its own that its children are in. */
static const tmlrt__host_t *guard__about(const tmlrt__op_t *op) {
    tmlrt__scope_t *s = scope__of_guard((tmlrt__op_t *)op);
    if (scope__is_forked(s)) return NULL;
    uint64_t             w = tmlrt__gate_enter(&s->gate);
    const tmlrt__host_t *host = scope__first_host(s);
    tmlrt__gate_leave(&s->gate, w);
    return host;
}

static const tmlrt__op_class_t guard__class = {.waits_for = "scope",
                                               .start = guard__start,
                                               .resume = guard__resume,
                                               .cancel = guard__cancel,
                                               .about = guard__about,
                                               .always = true};

/* ---- opening -------------------------------------------------------------------------------------- */

/* A nested one is counted by the outer one, and marked with it. Nobody else can reach it yet. */
static int scope__nest(tmlrt__scope_t *s, tmlrt__scope_t *outer) {
    uint64_t w = tmlrt__gate_enter(&outer->gate);
    bool     open = (w & SCOPE__OPEN) != 0;
    if (open) {
        tmlrt__list_push_back(&outer->nested, &s->sibling);
        s->counted = true;
        w += SCOPE__ONE;
    }
    if (open && (w & SCOPE__CANCELLED) != 0) {
        s->reason = scope__reason_inside(outer);
        tmlrt__store_relaxed(&s->gate.word, SCOPE__OPEN | SCOPE__CANCELLED);
    }
    tmlrt__gate_leave(&outer->gate, w);
    return open ? TMLRT_OK : TMLRT_ECLOSED;
}

/* Puts the guard in flight: it waits at once, so an end is an error. */
static int scope__begin(tmlrt_op_t *guard, tmlrt_cx_t *cx) {
    if (tmlrt__op_begin(guard, cx) == TMLRT_PENDING) return TMLRT_OK;
    return (int)tmlrt_op_result(guard);
}

/* Owner, detached before anything was in it: nobody begins to cancel it any more, and who has begun
 * (with the outer one) holds it until he has come back to it. He waits for nobody meanwhile. */
static void scope__outlast_cancellers(tmlrt__scope_t *s) {
    for (;;) {
        uint64_t w = tmlrt__gate_enter(&s->gate);
        tmlrt__gate_leave(&s->gate, w);
        if (scope__count(w) == 0) return;
        tmlrt__latch_relax();
    }
}

/* `cx`: of the owner's task; NULL: a plain thread. */
static int scope__open(tmlrt__scope_t *s, tmlrt_cx_t *cx, tmlrt__host_t *host,
                       tmlrt__scope_t *outer, tmlrt__scope_t **slot, uint32_t shield,
                       int64_t deadline) {
    if (deadline < 0) return TMLRT_EINVAL;
    if ((tmlrt__load_relaxed(&s->gate.word) & SCOPE__OPEN) != 0) return TMLRT_EBUSY;
    scope__timer_t *timer = NULL;
    if (deadline != TMLRT_NEVER) {
        if (host == NULL) return TMLRT_ENORUNTIME;
        int e = timer__start(&timer, host, deadline);
        if (e != TMLRT_OK) return e;
    }
    tmlrt__list_init(&s->gate.head);
    tmlrt__list_init(&s->children);
    tmlrt__list_init(&s->nested);
    s->sibling.prev = NULL;
    s->sibling.next = NULL;
    s->outer = outer;
    s->slot = slot;
    s->todo = NULL;
    s->mark = NULL;
    s->timer = timer;
    s->failure = 0;
    s->reason = 0;
    s->shield = shield;
    s->forks = tmlrt__load_relaxed(&tmlrt__fork_generation);
    s->detached = false;
    s->counted = false;
    tmlrt__op_prepare((tmlrt_op_t *)(void *)&s->guard, &guard__class);

    tmlrt__store_relaxed(&s->gate.word, SCOPE__OPEN); /* published by whoever passes `s` on */
    int e = TMLRT_OK;
    if (outer != NULL && shield <= outer->shield) e = scope__nest(s, outer);
    if (e == TMLRT_OK) {
        tmlrt_op_t *guard = (tmlrt_op_t *)(void *)&s->guard;
        e = cx != NULL ? scope__begin(guard, cx) : tmlrt__await_begin(guard);
    }
    if (e != TMLRT_OK) {
        scope__detach(s);
        scope__outlast_cancellers(s);
        tmlrt__store_relaxed(&s->gate.word, 0);
        scope__leave_outer(s);
        return e;
    }
    if (slot != NULL) *slot = s;
    if (timer != NULL) timer__attach(timer, s);
    return TMLRT_OK;
}

static tmlrt__scope_t *scope__of(tmlrt_scope_t *scope) {
    return (tmlrt__scope_t *)(void *)scope;
}

/* Where the innermost scope of this fiber or thread is kept. */
static tmlrt__scope_t **scope__slot(tmlrt__current_t *cur) {
    return cur->fiber != NULL ? &cur->fiber->scope : &cur->scope;
}

int tmlrt_scope_open(tmlrt_scope_t *scope, tmlrt_runtime_t *rt, int64_t deadline) {
    if (scope == NULL) return TMLRT_EINVAL;
    tmlrt__current_t *cur = tmlrt__current();
    if (cur->busy != 0) return TMLRT_EDEADLK;
    tmlrt__host_t *host = tmlrt__host_or_current((tmlrt__host_t *)(void *)rt);
    if (host == NULL) host = tmlrt__host_owned();
    tmlrt__scope_t **slot = scope__slot(cur);
    if (cur->fiber == NULL)
        return scope__open(scope__of(scope), NULL, host, *slot, slot, 0, deadline);
    return scope__open(scope__of(scope), cur->fiber->cx, host, *slot, slot, cur->fiber->shield,
                       deadline);
}

int tmlrt_scope_open_in(tmlrt_scope_t *scope, tmlrt_cx_t *cx, tmlrt_scope_t *outer,
                        int64_t deadline) {
    if (scope == NULL || cx == NULL || cx->waker == NULL || scope == outer) return TMLRT_EINVAL;
    tmlrt__host_t *host = cx->task != NULL ? cx->task->host : tmlrt__current()->host;
    return scope__open(scope__of(scope), cx, host, scope__of(outer), NULL, 0, deadline);
}

/* ---- the rest of the calls ------------------------------------------------------------------------ */

static bool scope__is_open(const tmlrt__scope_t *s) {
    return (tmlrt__load_relaxed((tmlrt__atomic_u64 *)&s->gate.word) & SCOPE__OPEN) != 0;
}

tmlrt_op_t *tmlrt_scope_op(tmlrt_scope_t *scope) {
    if (scope == NULL || scope__of(scope)->guard.phase == TMLRT__OP_IDLE) return NULL;
    return (tmlrt_op_t *)(void *)&scope__of(scope)->guard;
}

int tmlrt_scope_join(tmlrt_scope_t *scope) {
    if (scope == NULL) return TMLRT_EINVAL;
    tmlrt__scope_t   *s = scope__of(scope);
    tmlrt__current_t *cur = tmlrt__current();
    if (cur->busy != 0) return TMLRT_EDEADLK;
    if (!scope__is_open(s)) return TMLRT_ECLOSED;
    if (s->slot != scope__slot(cur)) return TMLRT_EINVAL;
    if (scope__is_forked(s)) {
        scope__pop(s);
        return TMLRT_EFORKED;
    }
    if (*s->slot != s) return TMLRT_EBUSY;
    tmlrt_op_t *guard = (tmlrt_op_t *)(void *)&s->guard;
    int         e = tmlrt_op_await(guard);
    return e != TMLRT_OK ? e : (int)tmlrt_op_result(guard);
}

tmlrt_scope_t *tmlrt_scope_current(void) {
    const tmlrt_task_t *task = tmlrt__current()->task;
    return (tmlrt_scope_t *)(void *)(task != NULL ? tmlrt__task_scope(task) : NULL);
}

/* What NULL means. */
static tmlrt__scope_t *scope__or_current(tmlrt_scope_t *scope) {
    return scope__of(scope != NULL ? scope : tmlrt_scope_current());
}

int tmlrt_scope_fail(tmlrt_scope_t *scope, int error) {
    tmlrt__scope_t *s = scope__or_current(scope);
    if (s == NULL || error >= 0 || error < TMLRT_ERROR_LAST_) return TMLRT_EINVAL;
    if (error == TMLRT_ECANCELED) return scope__stop(s, error, 0, false);
    return scope__stop(s, 0, error, false);
}

int tmlrt_scope_cancel(tmlrt_scope_t *scope) {
    tmlrt__scope_t *s = scope__or_current(scope);
    return s != NULL ? scope__stop(s, TMLRT_ECANCELED, 0, false) : TMLRT_EINVAL;
}

int tmlrt_scope_status(tmlrt_scope_t *scope) {
    tmlrt__scope_t *s = scope__or_current(scope);
    if (s == NULL) return TMLRT_EINVAL;
    uint64_t w = tmlrt__gate_enter(&s->gate);
    int      e = s->failure != 0 ? s->failure : s->reason;
    tmlrt__gate_leave(&s->gate, w);
    return (w & SCOPE__OPEN) != 0 ? e : TMLRT_ECLOSED;
}
