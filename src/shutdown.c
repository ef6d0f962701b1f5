/* SPDX-License-Identifier: MIT */
/*
 * shutdown.c: the end of a runtime, in phases:
 *
 *   1  STOPPING: spawns from outside refused, accepts ended, stopping operations fired
 *   2  wait until no task but daemons is alive, or the deadline
 *   3  name who is left; STOPPED: every spawn refused
 *   4  cancel all that is alive, daemons too, again and again (a task that was just being spawned
 *      is found the next time), until none is, or none has ended for the grace time
 */
#include "runtime.h"

#include <stdio.h>
#include <string.h>

#include "sized.h"

#define SHUTDOWN__GRACE_NS  INT64_C(1000000000)
#define SHUTDOWN__LOG_LINES 16u
#define SHUTDOWN__SLICE_NS  INT64_C(5000000)   /* between two rounds of cancelling */
#define SHUTDOWN__LOOK_NS   INT64_C(100000000) /* between two looks at the counts, if nobody tells */

/* ---- stopping operations ------------------------------------------------------------------------ */

static int32_t stopping__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__host_t *host = op->u.wait.object;
    if (host == NULL) host = cx->task != NULL ? cx->task->host : tmlrt__current()->host;
    if (host == NULL || tmlrt__host_forked(host)) {
        op->result = host == NULL ? TMLRT_ENORUNTIME : TMLRT_EFORKED;
        return TMLRT_READY;
    }
    /* One list a worker, so that servers that wait for it beside every read do not meet there. */
    tmlrt__scheduler_t *s = tmlrt__scheduler(host);
    tmlrt__current_t   *cur = tmlrt__current();
    tmlrt__waitlist_t  *wl = &s->worker[cur->host == host ? cur->index : 0].stopping;
    op->result = TMLRT_OK;
    tmlrt__latch_lock(&wl->latch);
    /* The phase is set before the lists are fired under their latches: who registers either sees
     * the phase or is found. */
    bool waits = tmlrt__load_relaxed(&host->phase) == TMLRT__HOST_RUNNING;
    if (waits) tmlrt__waitlist_add(wl, op);
    tmlrt__latch_unlock(&wl->latch);
    return waits ? TMLRT_PENDING : TMLRT_READY;
}

static int32_t stopping__cancel(tmlrt__op_t *op, int reason) {
    if (tmlrt__waitlist_remove(op->u.wait.object, op))
        op->result = reason;
    else
        tmlrt__op_ctl(op); /* observes the fire: it had won */
    return TMLRT_READY;
}

static const tmlrt__op_class_t stopping__class = {
    .waits_for = "stopping", .start = stopping__start, .cancel = stopping__cancel};

int tmlrt_op_stopping(tmlrt_op_t *op, tmlrt_runtime_t *rt) {
    int e = tmlrt__op_prepare(op, &stopping__class);
    if (e == TMLRT_OK) tmlrt__op(op)->u.wait.object = rt;
    return e;
}

/* ---- waiting for the last task ------------------------------------------------------------------- */

static uint64_t shutdown__alive(tmlrt_runtime_t *rt, bool daemons) {
    uint64_t n = tmlrt__scheduler_alive(&rt->sched);
    return daemons ? n + tmlrt__load_seq(&rt->sched.daemons) : n;
}

/* Waits (a current-thread runtime: runs) until nobody is alive, or until `deadline`. */
static uint64_t shutdown__wait(tmlrt_runtime_t *rt, bool daemons, int64_t deadline) {
    tmlrt__scheduler_t *s = &rt->sched;
    for (;;) {
        uint32_t seen = tmlrt__load_seq(&s->quiet);
        if (s->current_thread) tmlrt__store_seq(&s->quiet, 0);
        uint64_t alive = shutdown__alive(rt, daemons);
        int64_t  left = -1;
        if (deadline != TMLRT_NEVER) {
            left = deadline - tmlrt__scheduler_now(s);
            if (left < 0) left = 0;
        }
        if (alive == 0 || left == 0) return alive;
        if (s->current_thread) {
            /* A replayed one where nothing will ever happen: as if the deadline had passed. */
            if (!tmlrt__scheduler_drive(s, &s->quiet, deadline))
                return tmlrt__host_forked(&s->host) ? 0 : shutdown__alive(rt, daemons);
        } else {
            /* Daemons may keep a worker from its sleep, where it would tell us for certain. */
            if (left < 0 || left > SHUTDOWN__LOOK_NS) left = SHUTDOWN__LOOK_NS;
            tmlrt__futex_wait(&s->quiet, seen, left);
        }
    }
}

/* ---- walking the tasks --------------------------------------------------------------------------- */

typedef struct shutdown__walk {
    void (*fn)(void *ctx, tmlrt_task_t *task);
    void *ctx;
} shutdown__walk_t;

static void shutdown__visit(void *ctx, void *block) {
    shutdown__walk_t *walk = ctx;
    tmlrt_task_t     *task = block;
    if (!tmlrt__state_try_ref(&task->state)) return;
    walk->fn(walk->ctx, task);
    tmlrt__task_unref(task);
}

void tmlrt__runtime_walk(tmlrt_runtime_t *rt, void (*fn)(void *, tmlrt_task_t *), void *ctx) {
    shutdown__walk_t walk = {fn, ctx};
    tmlrt__heap_walk(rt->sched.host.tasks, shutdown__visit, &walk);
}

static void shutdown__abort_one(void *ctx, tmlrt_task_t *task) {
    (void)ctx;
    /* Unstarted ones belong to their maker still; they end by its release. */
    if (!tmlrt__state_is_new(&task->state)) tmlrt_task_abort(task);
}

/* ---- stragglers ----------------------------------------------------------------------------------- */

typedef struct shutdown__list {
    tmlrt_allocator_t *mem;
    struct {
        tmlrt_task_t *task; /* a reference */
        const char   *waits_for;
    } * entry;
    size_t   n, room;
    uint64_t left_out; /* no memory to name them */
    bool     daemons;  /* collect those, instead of the others */
} shutdown__list_t;

static bool shutdown__grow(shutdown__list_t *l) {
    size_t room = l->room != 0 ? 2 * l->room : 64;
    void  *more = tmlrt__mem_get(l->mem, room * sizeof *l->entry, TMLRT__ALIGN_MAX);
    if (more == NULL) return false;
    if (l->n != 0) memcpy(more, l->entry, l->n * sizeof *l->entry);
    if (l->entry != NULL)
        tmlrt__mem_put(l->mem, l->entry, l->room * sizeof *l->entry, TMLRT__ALIGN_MAX);
    l->entry = more;
    l->room = room;
    return true;
}

static void shutdown__note(void *ctx, tmlrt_task_t *task) {
    shutdown__list_t *l = ctx;
    bool              daemon = (task->flags & TMLRT_TASK_DAEMON) != 0;
    if (daemon != l->daemons || tmlrt__state_is_new(&task->state)) return;
    if (l->n == l->room && !shutdown__grow(l)) {
        l->left_out++;
        return;
    }
    const char *waits_for = tmlrt__load_relaxed(&task->waits_for);
    if (tmlrt__state_is_running(&task->state)) waits_for = "running";
    tmlrt__state_ref(&task->state);
    l->entry[l->n].task = task;
    l->entry[l->n].waits_for = waits_for != NULL ? waits_for : "nothing it told us";
    l->n++;
}

/* Tells the report about each, and ends the list. */
static void shutdown__tell(shutdown__list_t *l, const tmlrt_shutdown_report_t *report) {
    for (size_t i = 0; i < l->n; i++) {
        tmlrt_task_t     *task = l->entry[i].task;
        tmlrt_straggler_t s = {.struct_size = sizeof s,
                               .id = task->id,
                               .name = tmlrt_task_name(task),
                               .site = tmlrt__task_site(task),
                               .waits_for = l->entry[i].waits_for,
                               .ended = tmlrt__state_is_complete(&task->state)};
        if (report != NULL && report->straggler != NULL) report->straggler(report->ctx, &s);
        tmlrt__task_unref(task);
    }
    if (l->entry != NULL)
        tmlrt__mem_put(l->mem, l->entry, l->room * sizeof *l->entry, TMLRT__ALIGN_MAX);
}

/* ---- the phases ------------------------------------------------------------------------------------ */

static void shutdown__begin(tmlrt_runtime_t *rt) {
    tmlrt__scheduler_t *s = &rt->sched;
    if (tmlrt__load_relaxed(&s->host.phase) == TMLRT__HOST_RUNNING)
        tmlrt__store_seq(&s->host.phase, TMLRT__HOST_STOPPING); /* pairs [SD-1] */
    for (uint32_t i = 0; i < s->workers; i++) {
        tmlrt__driver_stop_accepts(s->worker[i].driver);
        tmlrt__waitlist_fire_all(&s->worker[i].stopping, TMLRT_OK);
    }
    tmlrt__scheduler_unpark_all(s);
}

/* Cancels everything until nobody is alive; the number of those who still are. */
static uint64_t shutdown__cancel(tmlrt_runtime_t *rt) {
    int64_t  end = tmlrt__os_now() + SHUTDOWN__GRACE_NS;
    uint64_t alive = UINT64_MAX, before;
    tmlrt__store_seq(&rt->sched.host.phase, TMLRT__HOST_STOPPED);
    do {
        before = alive;
        tmlrt__runtime_walk(rt, shutdown__abort_one, NULL);
        alive = shutdown__wait(rt, true, tmlrt__scheduler_now(&rt->sched) + SHUTDOWN__SLICE_NS);
        if (alive < before) end = tmlrt__os_now() + SHUTDOWN__GRACE_NS;
        /* Replayed, with nothing left to happen: a round that ends nobody is the last. */
        if (rt->settings.replay && alive == before) break;
    } while (alive != 0 && tmlrt__os_now() < end);
    return alive;
}

/* The straggler hook of a destroy that nobody asked for a report: names the first few. */
static void shutdown__log_straggler(void *ctx, const tmlrt_straggler_t *s) {
    uint64_t *told = ctx;
    if (s->ended || ++*told > SHUTDOWN__LOG_LINES) return;
    char line[256];
    snprintf(line, sizeof line,
             "tmlrt: shutdown: task '%s' (id %llu, spawned at %s) does not end; it waits for: %s",
             s->name, (unsigned long long)s->id, s->site != NULL ? s->site : "?", s->waits_for);
    tmlrt__os_log(line);
}

static void shutdown__log_rest(uint64_t told) {
    if (told <= SHUTDOWN__LOG_LINES) return;
    char line[80];
    snprintf(line, sizeof line, "tmlrt: shutdown: and %llu more",
             (unsigned long long)(told - SHUTDOWN__LOG_LINES));
    tmlrt__os_log(line);
}

static int shutdown__run(tmlrt_runtime_t *rt, int64_t deadline, tmlrt_shutdown_report_t *report) {
    tmlrt__scheduler_t *s = &rt->sched;
    uint64_t            before = tmlrt__scheduler_ended(s);
    shutdown__begin(rt);
    uint64_t left = shutdown__wait(rt, false, deadline);
    if (tmlrt__host_forked(&s->host)) return TMLRT_EFORKED; /* a task forked: this is the child */
    uint64_t completed = tmlrt__scheduler_ended(s) - before;

    shutdown__list_t list = {.mem = &s->host.mem};
    if (left != 0) tmlrt__runtime_walk(rt, shutdown__note, &list);
    left = list.n + list.left_out;
    uint64_t stuck = shutdown__cancel(rt);
    if (tmlrt__host_forked(&s->host)) return TMLRT_EFORKED;
    uint64_t stuck_tasks = shutdown__alive(rt, false);
    list.daemons = true;
    if (stuck != stuck_tasks) tmlrt__runtime_walk(rt, shutdown__note, &list);
    shutdown__tell(&list, report);
    if (report != NULL) {
        report->completed = completed;
        report->cancelled = left > stuck_tasks ? left - stuck_tasks : 0;
        report->stuck = stuck;
        rt->reported = true;
    }
    if (stuck != 0) return TMLRT_EBUSY;
    return left != 0 ? TMLRT_ETIMEDOUT : TMLRT_OK;
}

int tmlrt_runtime_shutdown(tmlrt_runtime_t *rt, int64_t deadline, tmlrt_shutdown_report_t *report) {
    if (rt == NULL || deadline < 0) return TMLRT_EINVAL;
    if (report != NULL && tmlrt__sized_check(report, sizeof *report) != 0) return TMLRT_EINVAL;
    if (tmlrt__host_forked(&rt->sched.host)) return TMLRT_EFORKED;
    int e = tmlrt__runtime_check_driver(rt);
    if (e != TMLRT_OK) return e;
    uint32_t none = TMLRT__SHUTDOWN_NONE;
    if (!tmlrt__cas_strong_acq_rel(&rt->shutdown, &none, TMLRT__SHUTDOWN_BUSY))
        return none == TMLRT__SHUTDOWN_ENDED ? TMLRT_OK : TMLRT_EALREADY;

    tmlrt_shutdown_report_t own = TMLRT_SHUTDOWN_REPORT_INIT;
    uint64_t                told = 0;
    own.straggler = shutdown__log_straggler;
    own.ctx = &told;
    bool quiet = report != NULL || rt->reported || deadline != 0;
    e = shutdown__run(rt, deadline, quiet ? report : &own);
    shutdown__log_rest(told);
    /* release: what the tasks did, to whoever finds it ended; pairs with the acquire of destroy */
    tmlrt__store_release(&rt->shutdown,
                         e == TMLRT_EBUSY ? TMLRT__SHUTDOWN_NONE : TMLRT__SHUTDOWN_ENDED);
    return e;
}
