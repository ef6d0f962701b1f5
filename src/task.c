/* SPDX-License-Identifier: MIT */
/*
 * task.c: tasks from spawn to free: making, running one poll, ending, handles and wakers.
 * The state word's transitions are in task_state.c; who queues and when is the scheduler's.
 */
#include "task.h"

#include <string.h>

#include <tmlrt/time.h>

#include "local.h"
#include "chance.h"
#include "os.h"
#include "scope.h"
#include "sized.h"

#define TASK__MAX_ALIGN 4096u
#define TASK__ID_BLOCK  1024u

/* ---- types and layout ----------------------------------------------------------------------- */

static size_t task__align(size_t align) {
    return align != 0 ? align : TMLRT__ALIGN_MAX;
}

static bool task__align_is_valid(size_t align) {
    return align <= TASK__MAX_ALIGN && (align & (align - 1)) == 0;
}

int tmlrt__type_check(const tmlrt_task_type_t *type) {
    if (type == NULL || tmlrt__sized_check(type, sizeof *type) != 0 || type->poll == NULL)
        return TMLRT_EINVAL;
    if (!task__align_is_valid(type->state_align) || !task__align_is_valid(type->result_align))
        return TMLRT_EINVAL;
    if (type->state_size > SIZE_MAX / 4 || type->result_size > SIZE_MAX / 4) return TMLRT_EINVAL;
    return TMLRT_OK;
}

int32_t tmlrt__type_poll(const tmlrt_task_type_t *type, void *state, tmlrt_cx_t *cx, void *result) {
    if (type->guard != NULL) return type->guard(type->poll, state, cx, result);
    return type->poll(state, cx, result);
}

static uintptr_t task__round_up(uintptr_t at, size_t align) {
    return (at + align - 1) & ~(uintptr_t)(align - 1);
}

void *tmlrt__task_state(tmlrt_task_t *task) {
    return (void *)task__round_up((uintptr_t)(task + 1), task__align(task->type->state_align));
}

void *tmlrt__task_result(tmlrt_task_t *task) {
    uintptr_t end = (uintptr_t)tmlrt__task_state(task) + task->type->state_size;
    return (void *)task__round_up(end, task__align(task->type->result_align));
}

/* Bytes of a block (aligned to 16) that surely holds header, state and result. */
static size_t task__block_size(const tmlrt_task_type_t *type) {
    size_t size = sizeof(tmlrt_task_t);
    size_t sa = task__align(type->state_align), ra = task__align(type->result_align);
    if (type->state_size == 0 && type->result_size == 0) return size;
    if (sa <= TMLRT__HEAP_STEP && ra <= TMLRT__HEAP_STEP)
        return task__round_up(task__round_up(size, sa) + type->state_size, ra) + type->result_size;
    return size + sa + type->state_size + ra + type->result_size;
}

/* ---- making --------------------------------------------------------------------------------- */

/* Ids come in blocks a thread, so that a spawn touches no shared counter. */
static uint64_t task__next_id(void) {
    static tmlrt__atomic_u64      next_block; /* process-wide: ids are unique in the process */
    static _Thread_local uint64_t id, left;
    if (left == 0) {
        id = tmlrt__fetch_add_relaxed(&next_block, 1) * TASK__ID_BLOCK;
        left = TASK__ID_BLOCK;
    }
    left--;
    return ++id;
}

static int task__check_options(const tmlrt_task_options_t *o) {
    if (o == NULL) return TMLRT_OK;
    if (tmlrt__sized_check(o, sizeof *o) != 0 || o->stack_class > TMLRT_STACK_HUGE ||
        o->deadline < 0)
        return TMLRT_EINVAL;
    if ((o->flags & ~(TMLRT_TASK_PINNED | TMLRT_TASK_DAEMON)) != 0) return TMLRT_EINVAL;
    return TMLRT_OK;
}

/* `size`: with or without room for a deadline. */
static tmlrt__task_extra_t *task__new_extra(tmlrt_task_t *task, size_t size) {
    tmlrt__current_t    *cur = tmlrt__current();
    bool                 inside = cur->host == task->host;
    uint16_t             cls;
    tmlrt__task_extra_t *x = tmlrt__heap_get(task->heap, inside ? cur->cache : NULL, size, &cls);
    if (x == NULL) return NULL;
    /* All but the first word, which is 0 and which a walk of the heap may read right now. */
    memset(&x->name, 0, size - offsetof(tmlrt__task_extra_t, name));
    x->cls = cls;
    return x;
}

tmlrt__task_extra_t *tmlrt__task_need_extra(tmlrt_task_t *task) {
    tmlrt__task_extra_t *x = tmlrt__load_relaxed(&task->extra);
    if (x != NULL) return x;
    x = task__new_extra(task, offsetof(tmlrt__task_extra_t, deadline));
    /* release: its zeros, to who asks for a name; pairs [TX-1] */
    if (x != NULL) tmlrt__store_release(&task->extra, x);
    return x;
}

static int task__make_extra(tmlrt_task_t *task, const tmlrt_task_options_t *o) {
    if (o != NULL && (o->name != NULL || o->site != NULL || o->deadline != 0 || o->scope != NULL)) {
        size_t               all = sizeof(tmlrt__task_extra_t);
        size_t               most = offsetof(tmlrt__task_extra_t, deadline);
        tmlrt__task_extra_t *x = task__new_extra(task, o->deadline != 0 ? all : most);
        if (x == NULL) return TMLRT_ENOMEM;
        x->name = o->name;
        x->site = o->site;
        x->scope = (struct tmlrt__scope *)(void *)o->scope;
        x->deadline_at = o->deadline;
        tmlrt__store_relaxed(&task->extra, x); /* published with the task */
    }
    return tmlrt__locals_inherit(task);
}

static void task__free(tmlrt_task_t *task) {
    tmlrt__heap_t       *heap = task->heap;
    uint16_t             cls = task->cls;
    tmlrt__task_extra_t *x = tmlrt__load_relaxed(&task->extra);
    if (x != NULL) tmlrt__locals_drop(x); /* of one that was never run */
    tmlrt__current_t    *cur = tmlrt__current();
    bool                 mine = cur->cache != NULL && cur->host != NULL && cur->host->tasks == heap;
    tmlrt__heap_cache_t *cache = mine ? cur->cache : NULL;
    if (x != NULL) tmlrt__heap_put(heap, cache, x, x->cls);
    tmlrt__store_relaxed(&task->state, 0);
    tmlrt__heap_put(heap, cache, task, cls);
}

int tmlrt__task_create(tmlrt__host_t *host, const tmlrt_task_type_t *type,
                       const tmlrt_task_options_t *options, bool admit, tmlrt_task_t **out) {
    int e = tmlrt__type_check(type);
    if (e == TMLRT_OK) e = task__check_options(options);
    if (e != TMLRT_OK) return e;
    if (host == NULL) return TMLRT_ENORUNTIME;
    if (tmlrt__host_forked(host)) return TMLRT_EFORKED;

    tmlrt__current_t *cur = tmlrt__current();
    uint32_t          flags = options != NULL ? options->flags : 0;
    bool              inside = cur->host == host;
    if ((flags & TMLRT_TASK_PINNED) != 0 && (!inside || cur->worker == NULL)) return TMLRT_EINVAL;
    if (admit) e = host->ops->admit(host, flags);
    if (e != TMLRT_OK) return e;

    uint16_t      cls;
    tmlrt_task_t *task =
        tmlrt__heap_get(host->tasks, inside ? cur->cache : NULL, task__block_size(type), &cls);
    if (task == NULL) {
        if (admit) host->ops->ended(host, flags);
        return TMLRT_ENOMEM;
    }
    task->type = type;
    task->host = host;
    task->next = NULL;
    task->ops.first = NULL;
    task->joiners = NULL;
    task->id = task__next_id();
    task->heap = host->tasks;
    tmlrt__store_relaxed(&task->join_latch.held, 0);
    task->step = TMLRT__STEP_POLL;
    task->outcome = 0;
    task->flags = (uint8_t)(flags | (host->chance != NULL ? TMLRT__TASK_REPLAYED : 0));
    task->cls = cls;
    task->pin = (uint16_t)cur->index;
    task->has_result = 0;
    task->again = 0;
    task->forks = (uint8_t)host->fork_generation;
    tmlrt__store_relaxed(&task->taken, 0);
    tmlrt__store_relaxed(&task->waits_for, NULL);
    tmlrt__store_relaxed(&task->extra, NULL);
    e = task__make_extra(task, options);
    if (e != TMLRT_OK) {
        task__free(task);
        if (admit) host->ops->ended(host, flags);
        return e;
    }
    *out = task;
    return TMLRT_OK;
}

void tmlrt__task_undo(tmlrt_task_t *task, bool handle) {
    tmlrt__host_t       *host = task->host;
    uint32_t             flags = task->flags;
    struct tmlrt__scope *scope = tmlrt__task_scope(task);
    if (scope == NULL) {
        task__free(task);
    } else {
        tmlrt__scope_unlink(scope, task, TMLRT_OK);
        if (handle) tmlrt__task_unref(task);
        tmlrt__task_unref(task);
        tmlrt__scope_leave(scope);
    }
    host->ops->ended(host, flags);
}

int tmlrt__task_enter(tmlrt_task_t *task, bool handle) {
    struct tmlrt__scope *scope = tmlrt__task_scope(task);
    if (scope == NULL) return TMLRT_OK;
    tmlrt__host_t *host = task->host;
    uint32_t       flags = task->flags;
    /* From here on a canceller may find it: it waits for its start, with a request to end. */
    tmlrt__state_init(&task->state, handle);
    int e = tmlrt__scope_enter(scope, task);
    if (e == TMLRT_OK) return e;
    if (handle) tmlrt__task_unref(task);
    tmlrt__task_unref(task);
    host->ops->ended(host, flags);
    return e;
}

void tmlrt__task_publish(tmlrt_task_t *task, tmlrt_task_t **handle) {
    if (handle != NULL) *handle = task;
    if (tmlrt__task_scope(task) != NULL)
        tmlrt__state_start(&task->state);
    else
        tmlrt__state_init_started(&task->state, handle != NULL);
}

void tmlrt__task_submit(tmlrt_task_t *task, tmlrt_task_t **handle) {
    tmlrt__host_t *host = task->host;
    tmlrt__task_publish(task, handle);
    host->ops->spawned(host, task); /* once it is queued it may end, and be gone */
}

int tmlrt_spawn(tmlrt_runtime_t *rt, const tmlrt_task_type_t *type, const void *init_state,
                const tmlrt_task_options_t *options, tmlrt_task_t **out) {
    tmlrt_task_t *task;
    if (type != NULL && type->state_size != 0 && init_state == NULL) return TMLRT_EINVAL;
    tmlrt__host_t *host = tmlrt__host_or_current((tmlrt__host_t *)rt);
    int            e = tmlrt__task_create(host, type, options, true, &task);
    if (e != TMLRT_OK) return e;
    if (type->state_size != 0) memcpy(tmlrt__task_state(task), init_state, type->state_size);
    e = tmlrt__task_enter(task, out != NULL);
    if (e == TMLRT_OK) tmlrt__task_submit(task, out);
    return e;
}

int tmlrt_task_new(tmlrt_runtime_t *rt, const tmlrt_task_type_t *type,
                   const tmlrt_task_options_t *options, tmlrt_task_t **out) {
    tmlrt_task_t *task;
    if (out == NULL) return TMLRT_EINVAL;
    int e = tmlrt__task_create(tmlrt__host_or_current((tmlrt__host_t *)rt), type, options, false,
                               &task);
    if (e != TMLRT_OK) return e;
    tmlrt__state_init(&task->state, true);
    *out = task;
    return TMLRT_OK;
}

void *tmlrt_task_state(tmlrt_task_t *task) {
    return task != NULL ? tmlrt__task_state(task) : NULL;
}

int tmlrt_task_start(tmlrt_task_t *task) {
    if (task == NULL) return TMLRT_EINVAL;
    tmlrt__host_t *host = task->host;
    if (tmlrt__host_forked(host)) return TMLRT_EFORKED;
    if (!tmlrt__state_is_new(&task->state)) return TMLRT_EALREADY;
    int e = host->ops->admit(host, task->flags);
    if (e != TMLRT_OK) return e;
    struct tmlrt__scope *scope = tmlrt__task_scope(task);
    if (scope != NULL) e = tmlrt__scope_enter(scope, task);
    if (e == TMLRT_OK && tmlrt__state_start(&task->state)) {
        host->ops->spawned(host, task);
        return TMLRT_OK;
    }
    host->ops->ended(host, task->flags);
    return e != TMLRT_OK ? e : TMLRT_EALREADY;
}

/* ---- running -------------------------------------------------------------------------------- */

void tmlrt__cx_init(tmlrt_cx_t *cx, tmlrt_waker_t *waker, tmlrt_task_t *task) {
    waker->data = task;
    waker->vtable = &tmlrt__task_waker;
    cx->waker = waker;
    cx->task = task;
    cx->reserved[0] = &task->ops;
    cx->reserved[1] = NULL;
}

/* The task's own deadline is a sleep in its list. True once it has passed. */
static bool task__deadline_passed(tmlrt_task_t *task, tmlrt_cx_t *cx) {
    tmlrt__task_extra_t *x = tmlrt__load_relaxed(&task->extra);
    if (x == NULL || x->deadline_at == 0) return false;
    if (tmlrt_op_result(&x->deadline) == TMLRT_EINVAL)
        tmlrt_op_sleep_until(&x->deadline, NULL, x->deadline_at);
    return tmlrt_op_poll(&x->deadline, cx) == TMLRT_READY;
}

/* The outcome of a poll that is over and did not say READY. */
static uint8_t task__outcome_of(int32_t answer) {
    switch (answer) {
    case TMLRT__POLL_CANCELLED: return (uint8_t)-TMLRT_ECANCELED;
    case TMLRT__POLL_NOMEM: return (uint8_t)-TMLRT_ENOMEM;
    default: return (uint8_t)-TMLRT_EPANIC;
    }
}

static void task__step_poll(tmlrt_task_t *task, tmlrt_cx_t *cx, bool cancelled) {
    bool fiber = (task->flags & TMLRT__TASK_FIBER) != 0;
    if (task__deadline_passed(task, cx)) {
        tmlrt__state_cancel(&task->state); /* running: it only becomes visible */
        cancelled = true;
    }
    /* A fiber is told by its waits, and leaves by its own path. */
    if (cancelled && !fiber) {
        task->outcome = (uint8_t)-TMLRT_ECANCELED;
        task->step = TMLRT__STEP_DRAIN;
        return;
    }
    int32_t r = tmlrt__type_poll(task->type, tmlrt__task_state(task), cx, tmlrt__task_result(task));
    if (r == TMLRT_PENDING) return;
    task->step = TMLRT__STEP_DRAIN;
    if (r == TMLRT_READY)
        task->has_result = 1;
    else
        task->outcome = task__outcome_of(r);
}

static void task__drop_result(tmlrt_task_t *task) {
    if (task->has_result == 0 || task->type->drop_result == NULL) return;
    if (tmlrt__swap_acq_rel(&task->taken, 1) == 0)
        task->type->drop_result(tmlrt__task_result(task));
}

/* Frees what nobody refers to any more. An unstarted task has neither result nor end. */
static void task__destroy(tmlrt_task_t *task) {
    task__drop_result(task);
    task__free(task);
}

static void task__tell_joiners(tmlrt_task_t *task) {
    tmlrt__latch_lock(&task->join_latch);
    while (task->joiners != NULL) {
        tmlrt__op_link_t *first = task->joiners;
        tmlrt__op_t      *op = TMLRT__CONTAINER_OF(first, tmlrt__op_t, u.join.link);
        tmlrt__task_join_remove(task, op);
        tmlrt__wake_t wake = tmlrt__op_fire(op, TMLRT__OP_SRC_ARMED);
        tmlrt__latch_unlock(&task->join_latch);
        tmlrt__wake_run(wake);
        tmlrt__latch_lock(&task->join_latch);
    }
    tmlrt__latch_unlock(&task->join_latch);
}

/* The operations have ended: drops the state and completes. The task may be gone on return. */
static void task__finish(tmlrt_task_t *task) {
    tmlrt__host_t       *host = task->host;
    uint32_t             flags = task->flags;
    tmlrt__task_extra_t *x = tmlrt__load_relaxed(&task->extra);
    struct tmlrt__scope *scope = NULL;
    if (task->type->drop != NULL) task->type->drop(tmlrt__task_state(task));
    if (x != NULL) {
        tmlrt__locals_drop(x);
        scope = x->scope;
        if (scope != NULL) tmlrt__scope_unlink(scope, task, -(int)task->outcome);
    }
    switch (tmlrt__state_complete(&task->state)) {
    case TMLRT__END_TOLD:
        task__tell_joiners(task);
        tmlrt__task_unref(task);
        break;
    case TMLRT__END_FREE: task__destroy(task); break;
    case TMLRT__END_GONE: break;
    }
    if (scope != NULL) tmlrt__scope_leave(scope);
    host->ops->ended(host, flags);
}

void tmlrt__task_again(const tmlrt_cx_t *cx) {
    tmlrt_task_t *task = cx->task;
    if (task != NULL && task == tmlrt__current()->task && cx->waker->data == task &&
        cx->waker->vtable == &tmlrt__task_waker)
        task->again = 1;
    else
        cx->waker->vtable->wake_by_ref(cx->waker->data);
}

tmlrt__run_t tmlrt__task_run(tmlrt_task_t *task) {
    bool cancelled;
    /* The word, not `again`: a wake that brought the task here observes nothing of its last runner.
     * RUNNING still: that runner queued it itself. */
    if (tmlrt__state_is_running(&task->state)) {
        task->again = 0;
        cancelled = tmlrt__state_resume(&task->state);
    } else {
        cancelled = tmlrt__state_begin(&task->state);
    }
    tmlrt__current_t *cur = tmlrt__current();
    tmlrt_task_t     *outer = cur->task;
    uint32_t          busy = cur->busy, budget = cur->budget;
    tmlrt_waker_t     waker;
    tmlrt_cx_t        cx;
    tmlrt__cx_init(&cx, &waker, task);
    cur->task = task;
    cur->busy = busy + 1;
    cur->budget = tmlrt__chance_budget(cur->chance, TMLRT__BUDGET);

    if (task->step == TMLRT__STEP_POLL) task__step_poll(task, &cx, cancelled);
    tmlrt__run_t run;
    if (task->step == TMLRT__STEP_DRAIN &&
        tmlrt__op_list_drain(&task->ops, &cx, NULL, 0) == TMLRT_READY) {
        task__finish(task);
        run = TMLRT__RUN_ENDED;
    } else {
        const char *waits_for = tmlrt__op_list_waits_for(&task->ops);
        tmlrt__store_relaxed(&task->waits_for, (void *)(uintptr_t)waits_for);
        run = task->again != 0 || tmlrt__state_end_poll(&task->state) ? TMLRT__RUN_AGAIN
                                                                      : TMLRT__RUN_WAITS;
    }
    cur = tmlrt__current();
    cur->task = outer;
    cur->busy = busy; /* a panic may have jumped over the end of an inner count */
    cur->budget = budget;
    return run;
}

/* ---- handles -------------------------------------------------------------------------------- */

bool tmlrt__task_is_forked(const tmlrt_task_t *task) {
    return task->forks != (uint8_t)tmlrt__load_relaxed(&tmlrt__fork_generation);
}

bool tmlrt__task_is_foreign(const tmlrt_task_t *task) {
    return (task->flags & TMLRT__TASK_REPLAYED) != 0 && tmlrt__host_is_foreign(task->host);
}

void tmlrt__task_unref(tmlrt_task_t *task) {
    if (!tmlrt__state_unref(&task->state)) return;
    /* In a forked child the heap may be as another thread of the parent left it: leave it so. */
    if (tmlrt__task_is_forked(task)) return;
    task__destroy(task);
}

void tmlrt_task_release(tmlrt_task_t *task) {
    if (task == NULL) return;
    /* Unstarted: nobody will run it, so the alive reference goes as well. */
    if (tmlrt__state_is_new(&task->state)) tmlrt__task_unref(task);
    tmlrt__task_unref(task);
}

int tmlrt_task_abort(tmlrt_task_t *task) {
    if (task == NULL) return TMLRT_EINVAL;
    if (tmlrt__state_is_complete(&task->state)) return TMLRT_EALREADY;
    if (tmlrt__task_is_forked(task)) return TMLRT_EFORKED;
    if (tmlrt__task_is_foreign(task)) return TMLRT_ENOTSUP;
    switch (tmlrt__state_cancel(&task->state)) {
    case TMLRT__CANCEL_ENDED: return TMLRT_EALREADY;
    case TMLRT__CANCEL_QUEUE: task->host->ops->schedule(task->host, task); break;
    case TMLRT__CANCEL_SET:
        if ((task->flags & TMLRT__TASK_BLOCKING) != 0 &&
            task->host->ops->withdraw(task->host, task))
            tmlrt__task_run(task);
        break;
    }
    return TMLRT_OK;
}

int tmlrt_task_is_finished(const tmlrt_task_t *task) {
    return task != NULL ? tmlrt__state_is_complete(&task->state) : TMLRT_EINVAL;
}

int tmlrt_task_result(tmlrt_task_t *task, void **result) {
    if (task == NULL || result == NULL) return TMLRT_EINVAL;
    if (!tmlrt__state_is_complete(&task->state)) return TMLRT_EAGAIN;
    *result = NULL;
    if (task->outcome != 0) return -(int)task->outcome;
    if (tmlrt__load_relaxed(&task->taken) != 0) return TMLRT_EALREADY;
    *result = tmlrt__task_result(task);
    return TMLRT_OK;
}

uint64_t tmlrt_task_id(const tmlrt_task_t *task) {
    return task != NULL ? task->id : 0;
}

const char *tmlrt_task_name(const tmlrt_task_t *task) {
    if (task == NULL) return "?";
    const tmlrt__task_extra_t *x = tmlrt__task_extra(task);
    if (x != NULL && x->name != NULL) return x->name;
    return task->type->name != NULL ? task->type->name : "?";
}

const char *tmlrt__task_site(const tmlrt_task_t *task) {
    const tmlrt__task_extra_t *x = tmlrt__task_extra(task);
    return x != NULL ? x->site : NULL;
}

tmlrt_task_t *tmlrt_task_current(void) {
    return tmlrt__current()->task;
}
