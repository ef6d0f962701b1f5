/* SPDX-License-Identifier: MIT */
/*
 * fiber.c: fibers: tasks whose poll switches to a stack of their own. The scheduler knows tasks
 * only: a poll resumes the fiber, a wait inside it switches back and the poll says PENDING.
 *
 * A fiber may come back from a wait on another thread. So nothing here looks at a thread-local
 * record after a suspension: what is needed then hangs on the fiber. This file is compiled apart
 * from the whole-library optimisation, so that no caller's view of it can be kept across a switch.
 *
 * A fiber that has not begun is three words in its task. The stack is taken by the first poll and
 * given back with the drop, so that many that wait for their turn share few; everything else about
 * the fiber lies at the top of its stack.
 *
 * Cancellation: the request is a bit of the task's state word. A wait that sees it cancels its
 * operation and still waits for the acknowledgement; then the fiber goes on with TMLRT_ECANCELED.
 */
#include <tmlrt/fiber.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "fiber.h"
#include "fiber_fault.h"
#include "fiber_switch.h"
#include "op.h"
#include "os.h"
#include "scope.h"
#include "stack.h"
#include "task.h"
#include "worker.h"

#if defined(__SANITIZE_ADDRESS__)
#define FIBER__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER__ASAN 1
#endif
#endif
#if defined(FIBER__ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(TMLRT__TSAN)
#include <sanitizer/tsan_interface.h>
#endif

typedef int32_t (*fiber__guard_t)(tmlrt_poll_fn body, void *state, tmlrt_cx_t *cx, void *result);

/* At the top of the stack. Who runs the task touches it: the worker, or the fiber itself. */
typedef struct fiber {
    struct tmlrt__fiber head;    /* first */
    void               *context; /* the fiber's, while it is suspended */
    void               *worker;  /* the worker's, while the fiber runs */
    tmlrt_task_t       *task;
    tmlrt__stack_t     *stack;
    tmlrt_fiber_fn      fn;
    void               *arg;
    fiber__guard_t      guard;  /* or NULL */
    void               *value;  /* what fn returned */
    int32_t             answer; /* of the poll: PENDING until it has ended */
#if defined(FIBER__ASAN)
    void       *fake_stack, *worker_fake_stack;
    const void *worker_low;
    size_t      worker_size;
    bool        over; /* it will not be resumed: its fake stack goes */
#endif
#if defined(TMLRT__TSAN)
    void *tsan_fiber, *tsan_worker;
#endif
} fiber_t;

/* The state of the task. */
typedef struct fiber__state {
    tmlrt_fiber_fn fn; /* NULL: it has begun */
    void          *arg;
    union {
        fiber__guard_t guard; /* before that */
        fiber_t       *fiber; /* after */
    } u;
} fiber__state_t;

/* ---- the two directions of the switch, with what the sanitizers want to be told ------------------- */

static void fiber__enter_fiber(fiber_t *f) {
#if defined(FIBER__ASAN)
    __sanitizer_start_switch_fiber(&f->worker_fake_stack, f->stack->low,
                                   (size_t)(f->stack->high - f->stack->low));
#endif
#if defined(TMLRT__TSAN)
    f->tsan_worker = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(f->tsan_fiber, 0);
#endif
    tmlrt__fiber_switch(&f->worker, f->context);
#if defined(FIBER__ASAN)
    __sanitizer_finish_switch_fiber(f->worker_fake_stack, NULL, NULL);
#endif
}

/* On the fiber's stack: back to the worker; returns when the fiber is resumed. */
static void fiber__leave_fiber(fiber_t *f) {
#if defined(FIBER__ASAN)
    __sanitizer_start_switch_fiber(f->over ? NULL : &f->fake_stack, f->worker_low, f->worker_size);
#endif
#if defined(TMLRT__TSAN)
    __tsan_switch_to_fiber(f->tsan_worker, 0);
#endif
    tmlrt__fiber_switch(&f->context, f->worker);
#if defined(FIBER__ASAN)
    __sanitizer_finish_switch_fiber(f->fake_stack, &f->worker_low, &f->worker_size);
#endif
}

/* What a guard calls. A panic jumps over the frames of fn, and operations that are in flight in them
 * are drained afterwards, from outside: until then what runs on this stack must not reach down to
 * them. So they begin below the room that the guard has for what it does after its catch. */
static int32_t fiber__guarded_body(void *state, tmlrt_cx_t *cx, void *result) {
    const fiber_t *f = state;
    char           room[TMLRT_FIBER_CATCH_ROOM];
    char *volatile kept = room; /* its address is seen: no compiler makes it smaller */
    (void)kept;
    (void)cx;
    *(void **)result = f->fn(f->arg);
    return TMLRT_READY;
}

/* A scope that it did not join lies in frames that it has left: nothing can be done any more. */
static void fiber__check_end(const fiber_t *f) {
    if (f->head.scope == NULL) return;
    fprintf(stderr, "tmlrt: fiber '%s' returned with a scope open\n", tmlrt_task_name(f->task));
    abort();
}

static void fiber__entry(void *arg) {
    fiber_t *f = arg;
#if defined(FIBER__ASAN)
    __sanitizer_finish_switch_fiber(NULL, &f->worker_low, &f->worker_size);
#endif
    int32_t r = TMLRT_READY;
    if (f->guard == NULL)
        f->value = f->fn(f->arg);
    else
        r = f->guard(fiber__guarded_body, f, f->head.cx, &f->value);
    if (r == TMLRT_READY) fiber__check_end(f);
    f->answer = r == TMLRT_READY ? TMLRT_READY : TMLRT_PANICKED;
#if defined(FIBER__ASAN)
    /* Operations in flight may lie in frames of the fake stack: that goes with the drop. */
    if (r != TMLRT_READY) fiber__leave_fiber(f);
    f->over = true;
#endif
    fiber__leave_fiber(f);
}

/* ---- waiting -------------------------------------------------------------------------------------- */

static fiber_t *fiber__of(struct tmlrt__fiber *head) {
    return (fiber_t *)(void *)head;
}

/* Whether the waits of the fiber are to end. */
static bool fiber__is_asked(const fiber_t *f) {
    if (f->head.shield == 0 && tmlrt__state_is_cancelled(&f->task->state)) {
        /* The children of its scopes need not wait until it joins them. */
        if (f->head.scope != NULL) tmlrt__scope_stop_all(f->head.scope);
        return true;
    }
    return f->head.scope != NULL && tmlrt__scope_asks(f->head.scope, f->head.shield);
}

/* Waits for the end of `op`. cancellable: a request to end the fiber cancels it. */
static int fiber__wait(fiber_t *f, tmlrt_op_t *op, bool cancellable) {
    bool asked = false;
    for (;;) {
        if (cancellable && !asked && fiber__is_asked(f)) {
            tmlrt_op_cancel(op);
            asked = true;
        }
        int32_t r = tmlrt_op_poll(op, f->head.cx);
        if (r != TMLRT_PENDING) return r == TMLRT_READY ? TMLRT_OK : r;
        fiber__leave_fiber(f);
    }
}

static int fiber__await(tmlrt_op_t *op) {
    return fiber__wait(fiber__of(tmlrt__current()->fiber), op, true);
}

int tmlrt__await_always(tmlrt_op_t *op) {
    tmlrt__current_t *cur = tmlrt__current();
    if (cur->busy != 0) return TMLRT_EDEADLK;
    if (cur->fiber == NULL) return tmlrt__thread_await(op, false);
    return fiber__wait(fiber__of(cur->fiber), op, false);
}

/* ---- the task type -------------------------------------------------------------------------------- */

/* What the fiber's own record takes of its stack, so that the first frame begins a line. */
#define FIBER__ROOM ((sizeof(fiber_t) + 63u) & ~(size_t)63u)

/* Takes a stack and lays the fiber out on it. NULL: no memory. */
static fiber_t *fiber__begin(fiber__state_t *s, tmlrt_task_t *task, tmlrt__worker_t *w) {
    uint32_t        cls = task->flags / TMLRT__TASK_STACK % TMLRT__STACK_CLASSES;
    tmlrt__stack_t *stack = tmlrt__stack_get(task->host->stacks, &w->stacks, cls);
    if (stack == NULL) return NULL;
    fiber_t *f = (fiber_t *)(void *)(stack->high - FIBER__ROOM);
    f->task = task;
    f->stack = stack;
    f->fn = s->fn;
    f->arg = s->arg;
    f->guard = s->u.guard;
    f->head.shield = 0;
    f->head.scope = NULL;
    f->head.here = NULL;
    f->answer = TMLRT_PENDING;
#if defined(FIBER__ASAN)
    f->over = false;
#endif
    f->context = tmlrt__fiber_make(stack->low, f, fiber__entry, f);
    tmlrt__stack_enter(stack, f->context);
#if defined(TMLRT__TSAN)
    f->tsan_fiber = __tsan_create_fiber(0);
#endif
    s->fn = NULL;
    s->u.fiber = f;
    return f;
}

static int32_t fiber__poll(void *state, tmlrt_cx_t *cx, void *result) {
    fiber__state_t   *s = state;
    tmlrt__current_t *cur = tmlrt__current(); /* this frame stays on this thread */
    fiber_t          *f = s->u.fiber;
    if (s->fn != NULL) {
        /* One that was asked to end begins, too: what its argument owns is its to end. */
        f = fiber__begin(s, cx->task, cur->worker);
        if (f == NULL) return TMLRT__POLL_NOMEM;
    }
    tmlrt__fiber_fault_thread();
    f->head.cx = cx;
    struct tmlrt__fiber *outer = cur->fiber;
    int (*outer_await)(tmlrt_op_t *) = cur->await;
    uint32_t busy = cur->busy;
    cur->fiber = &f->head;
    cur->await = fiber__await;
    cur->busy = 0;
    fiber__enter_fiber(f);
    cur->fiber = outer;
    cur->await = outer_await;
    cur->busy = busy;
    if (f->answer == TMLRT_READY) *(void **)result = f->value;
    return f->answer;
}

/* Not before: after a panic operations on the stack may have been in flight still. */
static void fiber__drop(void *state) {
    const fiber__state_t *s = state;
    if (s->fn != NULL) return; /* it never began */
    fiber_t         *f = s->u.fiber;
    tmlrt__worker_t *w = tmlrt__current()->worker;
    tmlrt__stack_t  *stack = f->stack;
#if defined(TMLRT__TSAN)
    __tsan_destroy_fiber(f->tsan_fiber);
#endif
#if defined(FIBER__ASAN)
    if (f->answer != TMLRT_READY) fiber__enter_fiber(f); /* to end its fake stack */
    ASAN_UNPOISON_MEMORY_REGION(stack->low, (size_t)(stack->high - stack->low));
#endif
    tmlrt__stack_leave(stack, f->context);
    tmlrt__stack_put(f->task->host->stacks, &w->stacks, stack);
}

static const tmlrt_task_type_t fiber__type = {
    .struct_size = sizeof(tmlrt_task_type_t),
    .name = "fiber",
    .state_size = sizeof(fiber__state_t),
    .state_align = _Alignof(fiber__state_t),
    .result_size = sizeof(void *),
    .result_align = _Alignof(void *),
    .poll = fiber__poll,
    .drop = fiber__drop,
};

/* Makes the task of a fiber, not queued yet. */
static int fiber__make(tmlrt__host_t *host, const tmlrt_task_type_t *type, uint32_t usual_class,
                       tmlrt_fiber_fn fn, void *arg, const tmlrt_task_options_t *options,
                       tmlrt_task_t **task) {
    int e = tmlrt__task_create(host, type, options, true, task);
    if (e != TMLRT_OK) return e;
    uint32_t        cls = usual_class;
    fiber__state_t *s = tmlrt__task_state(*task);
    s->fn = fn;
    s->arg = arg;
    s->u.guard = NULL;
    if (options != NULL) {
        if (options->stack_class != TMLRT_STACK_DEFAULT) cls = options->stack_class;
        s->u.guard = options->guard;
    }
    (*task)->flags |= (uint8_t)(TMLRT__TASK_FIBER | (cls - TMLRT_STACK_SMALL) * TMLRT__TASK_STACK);
    return TMLRT_OK;
}

int tmlrt_go(tmlrt_runtime_t *rt, tmlrt_fiber_fn fn, void *arg, const tmlrt_task_options_t *options,
             tmlrt_task_t **out) {
    if (fn == NULL) return TMLRT_EINVAL;
    tmlrt_task_t  *task;
    tmlrt__host_t *host = tmlrt__host_or_current((tmlrt__host_t *)rt);
    int            e = fiber__make(host, &fiber__type, TMLRT_STACK_MEDIUM, fn, arg, options, &task);
    if (e == TMLRT_OK) e = tmlrt__task_enter(task, out != NULL);
    if (e == TMLRT_OK) tmlrt__task_submit(task, out);
    return e;
}

/* A job of the blocking pool, with what ends it. */
typedef struct fiber__job {
    fiber__state_t fiber; /* first */
    void          *arg;
    void (*drop)(void *arg); /* or NULL */
} fiber__job_t;

/* As on the pool's threads: a job that was aborted in the queue is not begun. */
static int32_t fiber__poll_job(void *state, tmlrt_cx_t *cx, void *result) {
    const fiber__job_t *job = state;
    if (job->fiber.fn != NULL && tmlrt__state_is_cancelled(&cx->task->state))
        return TMLRT__POLL_CANCELLED;
    return fiber__poll(state, cx, result);
}

static void fiber__drop_job(void *state) {
    const fiber__job_t *job = state;
    fiber__drop(state);
    if (job->drop != NULL) job->drop(job->arg);
}

static const tmlrt_task_type_t fiber__job_type = {
    .struct_size = sizeof(tmlrt_task_type_t),
    .name = "blocking",
    .state_size = sizeof(fiber__job_t),
    .state_align = _Alignof(fiber__job_t),
    .result_size = sizeof(void *),
    .result_align = _Alignof(void *),
    .poll = fiber__poll_job,
    .drop = fiber__drop_job,
};

int tmlrt__fiber_job(tmlrt__host_t *host, void *(*fn)(void *), void *arg, void (*drop)(void *),
                     const tmlrt_task_options_t *options, tmlrt_task_t **out) {
    tmlrt_task_t *task;
    int e = fiber__make(host, &fiber__job_type, TMLRT_STACK_HUGE, fn, arg, options, &task);
    if (e != TMLRT_OK) return e;
    fiber__job_t *job = tmlrt__task_state(task);
    job->arg = arg;
    job->drop = drop;
    e = tmlrt__task_enter(task, out != NULL);
    if (e == TMLRT_OK) tmlrt__task_submit(task, out);
    return e;
}

/* ---- calls on the running fiber --------------------------------------------------------------------- */

/* As an operation of that kind, without one. */
static int fiber__yield(fiber_t *f) {
    if (fiber__is_asked(f)) return TMLRT_ECANCELED;
    f->task->again = 1;
    fiber__leave_fiber(f);
    return fiber__is_asked(f) ? TMLRT_ECANCELED : TMLRT_OK;
}

int tmlrt_yield(void) {
    tmlrt__current_t *cur = tmlrt__current();
    if (cur->busy != 0) return TMLRT_EDEADLK;
    if (cur->fiber == NULL && tmlrt__host_owned() == NULL) {
        tmlrt__latch_relax();
        return TMLRT_OK;
    }
    if (cur->fiber != NULL) return fiber__yield(fiber__of(cur->fiber));
    tmlrt_op_t op = TMLRT_OP_INIT;
    tmlrt_op_yield(&op);
    int e = tmlrt_op_await(&op);
    return e != TMLRT_OK ? e : (int)tmlrt_op_result(&op);
}

int tmlrt_shield_begin(void) {
    tmlrt__current_t *cur = tmlrt__current();
    if (cur->busy != 0) return TMLRT_EDEADLK;
    if (cur->fiber != NULL) cur->fiber->shield++;
    return TMLRT_OK;
}

int tmlrt_shield_end(void) {
    tmlrt__current_t *cur = tmlrt__current();
    if (cur->busy != 0) return TMLRT_EDEADLK;
    if (cur->fiber == NULL) return TMLRT_OK;
    if (cur->fiber->shield == 0) return TMLRT_EINVAL;
    cur->fiber->shield--;
    return TMLRT_OK;
}

int tmlrt_cancelled(void) {
    const tmlrt__current_t *cur = tmlrt__current();
    if (cur->task != NULL && tmlrt__state_is_cancelled(&cur->task->state)) return TMLRT_ECANCELED;
    if (cur->busy != 0) return TMLRT_OK;
    bool asked = tmlrt__scope_asks(cur->fiber != NULL ? cur->fiber->scope : cur->scope, 0);
    return asked ? TMLRT_ECANCELED : TMLRT_OK;
}

/* ---- overflow ---------------------------------------------------------------------------------------- */

/* Async-signal-safe: snprintf with %s is not guaranteed to be, so the line is put together here. */
static void fiber__report_overflow(const fiber_t *f) {
    char        line[200] = "tmlrt: stack overflow of fiber '";
    size_t      n = strlen(line);
    const char *name = tmlrt_task_name(f->task);
    for (; *name != '\0' && n < sizeof line - 2; name++)
        line[n++] = *name;
    line[n++] = '\'';
    line[n] = '\0';
    tmlrt__os_log(line);
}

void tmlrt__fiber_fault_at(uintptr_t at, size_t above) {
    const fiber_t *f = fiber__of(tmlrt__current()->fiber);
    if (f == NULL) return;
    uintptr_t low = (uintptr_t)f->stack->low;
    if (at >= low - tmlrt__os_stack_guard() && at < low + above) fiber__report_overflow(f);
}
