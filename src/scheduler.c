/* SPDX-License-Identifier: MIT */
/*
 * scheduler.c: see scheduler.h: where tasks go, whose timers and driver serve whom, the count of
 * tasks alive, and the help for a worker that is stuck.
 */
#include "scheduler.h"

#include <tmlrt/replay.h>

#include "blocking.h"
#include "chance.h"
#include "minder_gate.h"
#include "next_slot.h"

/* The worker that this thread runs, when it belongs to `s`. */
static tmlrt__worker_t *scheduler__own(tmlrt__scheduler_t *s) {
    tmlrt__current_t *cur = tmlrt__current();
    return cur->host == &s->host ? cur->worker : NULL;
}

static tmlrt__worker_t *scheduler__in_turn(tmlrt__scheduler_t *s) {
    return &s->worker[tmlrt__fetch_add_relaxed(&s->turn, 1) % s->workers];
}

/* ---- waking workers -------------------------------------------------------------------------- */

void tmlrt__scheduler_unpark(tmlrt__scheduler_t *s, uint32_t worker) {
    if (tmlrt__host_forked(&s->host)) return; /* the descriptor reaches the parent's worker */
    bool             called = tmlrt__parker_unpark(&s->worker[worker].parker);
    tmlrt__worker_t *own = scheduler__own(s);
    if (called && own != NULL) TMLRT__COUNT(own->count.wakes_sent, 1);
}

void tmlrt__scheduler_unpark_all(tmlrt__scheduler_t *s) {
    for (uint32_t i = 0; i < s->workers; i++)
        tmlrt__scheduler_unpark(s, i);
}

void tmlrt__scheduler_notify(tmlrt__scheduler_t *s, bool exact) {
    /* The only worker is awake when it pushes to itself. */
    if (s->workers == 1 && scheduler__own(s) != NULL) return;
    uint32_t worker = tmlrt__idle_notify(&s->idle, exact);
    if (worker != TMLRT__IDLE_NOBODY) tmlrt__scheduler_unpark(s, worker);
}

void tmlrt__scheduler_wake_minder(tmlrt__scheduler_t *s) {
    if (tmlrt__minder_gate_open(&s->minder_asleep)) tmlrt__futex_wake(&s->minder_asleep, 1);
}

void tmlrt__scheduler_inject(tmlrt__scheduler_t *s, tmlrt_task_t *task) {
    tmlrt__inject_push(&s->inject[tmlrt__stripe() % TMLRT__LANES], task);
}

size_t tmlrt__scheduler_injected(tmlrt__scheduler_t *s) {
    size_t n = 0;
    for (uint32_t i = 0; i < TMLRT__LANES; i++)
        n += tmlrt__inject_size(&s->inject[i]);
    return n;
}

bool tmlrt__scheduler_has_work(tmlrt__scheduler_t *s, tmlrt__worker_t *w) {
    if (tmlrt__scheduler_injected(s) != 0) return true;
    if (tmlrt__load_relaxed(&w->pinned_count) != 0) return true;
    for (uint32_t i = 0; i < s->workers; i++)
        if (tmlrt__worker_has_work(&s->worker[i])) return true;
    return false;
}

/* ---- the host's functions ---------------------------------------------------------------------- */

/* The counts of this thread, which is no worker. */
static tmlrt__outside_t *scheduler__outside(tmlrt__scheduler_t *s) {
    return &s->outside[tmlrt__stripe()];
}

/* A thread from outside comes in with a task of its own making (or waking), which keeps the runtime
 * alive only until others have run it: so it is counted from before the task is visible until it
 * touches the scheduler no more. Whoever saw the task end sees the count. */
static void scheduler__visit(tmlrt__scheduler_t *s) {
    /* Published by the push; pairs [SD-3] */
    tmlrt__fetch_add_relaxed(&scheduler__outside(s)->visitors, 1);
}

static void scheduler__part(tmlrt__scheduler_t *s) {
    /* release: our last use of the scheduler; pairs [SD-3] */
    tmlrt__fetch_sub_release(&scheduler__outside(s)->visitors, 1);
}

void tmlrt__scheduler_see_off(tmlrt__scheduler_t *s) {
    /* acquire: observes their last use; pairs [SD-3] */
    for (uint32_t i = 0; i < TMLRT__STRIPES; i++)
        while (tmlrt__load_acquire(&s->outside[i].visitors) != 0)
            tmlrt__latch_relax();
}

static void scheduler__push_outside(tmlrt__scheduler_t *s, tmlrt_task_t *task) {
    tmlrt__scheduler_inject(s, task);
    tmlrt__scheduler_notify(s, true);
}

static void scheduler__push_pinned(tmlrt__scheduler_t *s, tmlrt_task_t *task) {
    uint32_t index = task->pin;
    tmlrt__worker_push_pinned(&s->worker[index], task);
    if (scheduler__own(s) != &s->worker[index]) tmlrt__scheduler_unpark(s, index);
}

/* To another worker than the caller's own. */
static void scheduler__hand_over(tmlrt__scheduler_t *s, tmlrt_task_t *task) {
    if (tmlrt__host_forked(&s->host)) return; /* the queues may be half changed */
    scheduler__visit(s);
    if ((task->flags & TMLRT_TASK_PINNED) != 0)
        scheduler__push_pinned(s, task);
    else
        scheduler__push_outside(s, task);
    scheduler__part(s);
}

static void scheduler__schedule(tmlrt__host_t *host, tmlrt_task_t *task) {
    tmlrt__scheduler_t *s = tmlrt__scheduler(host);
    tmlrt__worker_t    *own = scheduler__own(s);
    if (tmlrt__host_is_foreign(host)) tmlrt__chance_void(host->chance, TMLRT_REPLAY_WAKE);
    if (own != NULL && (task->flags & TMLRT_TASK_PINNED) == 0)
        tmlrt__worker_push_woken(own, task);
    else
        scheduler__hand_over(s, task);
}

static void scheduler__spawned(tmlrt__host_t *host, tmlrt_task_t *task) {
    tmlrt__scheduler_t *s = tmlrt__scheduler(host);
    tmlrt__worker_t    *own = scheduler__own(s);
    if (own != NULL) TMLRT__COUNT(own->count.spawned, 1);
    if (own != NULL && (task->flags & TMLRT_TASK_PINNED) == 0)
        tmlrt__worker_push_spawned(own, task);
    else
        scheduler__hand_over(s, task);
}

static bool scheduler__run_inline(tmlrt__host_t *host, tmlrt_task_t *task) {
    tmlrt__worker_t *own = scheduler__own(tmlrt__scheduler(host));
    return own != NULL && tmlrt__worker_run_inline(own, task);
}

static bool scheduler__withdraw(tmlrt__host_t *host, tmlrt_task_t *task) {
    return tmlrt__blocking_withdraw(host->blocking, task);
}

static void scheduler__timer_start(tmlrt__host_t *host, tmlrt_op_t *op) {
    tmlrt__scheduler_t *s = tmlrt__scheduler(host);
    tmlrt__worker_t    *own = scheduler__own(s);
    tmlrt__worker_t    *w = own != NULL ? own : scheduler__in_turn(s);
    tmlrt__op(op)->wheel = (uint16_t)w->index;
    if (tmlrt__timers_start(&w->timers, tmlrt__op(op))) tmlrt__scheduler_unpark(s, w->index);
}

static bool scheduler__timer_stop(tmlrt__host_t *host, tmlrt_op_t *op) {
    tmlrt__scheduler_t *s = tmlrt__scheduler(host);
    return tmlrt__timers_stop(&s->worker[tmlrt__op(op)->wheel].timers, tmlrt__op(op));
}

int64_t tmlrt__scheduler_now(tmlrt__scheduler_t *s) {
    return s->virtual_clock ? tmlrt__load_relaxed(&s->virtual_now) : tmlrt__os_now();
}

static int64_t scheduler__now(tmlrt__host_t *host) {
    return tmlrt__scheduler_now(tmlrt__scheduler(host));
}

static tmlrt__driver_t *scheduler__driver(tmlrt__host_t *host, bool in_turn) {
    tmlrt__scheduler_t *s = tmlrt__scheduler(host);
    tmlrt__worker_t    *own = in_turn ? NULL : scheduler__own(s);
    return own != NULL ? own->driver : scheduler__in_turn(s)->driver;
}

bool tmlrt__scheduler_drive(tmlrt__scheduler_t *s, tmlrt__atomic_u32 *done, int64_t deadline) {
    tmlrt__current_t former;
    tmlrt__worker_enter(&s->worker[0], &former);
    tmlrt__worker_back(&s->worker[0]);
    bool goes_on = tmlrt__worker_run(&s->worker[0], done, deadline);
    tmlrt__worker_away(&s->worker[0]);
    tmlrt__worker_leave(&former);
    return goes_on;
}

static tmlrt__driver_t *scheduler__driver_of(tmlrt__host_t *host, uint64_t n) {
    tmlrt__scheduler_t *s = tmlrt__scheduler(host);
    return s->worker[n % s->workers].driver;
}

static bool scheduler__drive(tmlrt__host_t *host, tmlrt__atomic_u32 *done, int64_t deadline) {
    return tmlrt__scheduler_drive(tmlrt__scheduler(host), done, deadline);
}

static void scheduler__kick(tmlrt__host_t *host) {
    tmlrt__scheduler_unpark(tmlrt__scheduler(host), 0);
}

/* ---- counting tasks --------------------------------------------------------------------------- */

static int scheduler__admit(tmlrt__host_t *host, uint32_t flags) {
    tmlrt__scheduler_t *s = tmlrt__scheduler(host);
    tmlrt__worker_t    *own = scheduler__own(s);
    if (tmlrt__host_is_foreign(host)) return TMLRT_ENOTSUP;
    /* A job of the blocking pool is inside as well. */
    bool inside = own != NULL || (tmlrt__current()->host == host && tmlrt__current()->task != NULL);
    uint32_t last = inside ? TMLRT__HOST_STOPPING : TMLRT__HOST_RUNNING;
    if ((flags & TMLRT_TASK_DAEMON) != 0) {
        tmlrt__fetch_add_seq(&s->daemons, 1);
    } else if (own != NULL && tmlrt__current()->task != NULL) {
        TMLRT__COUNT(own->count.admitted, 1);
    } else {
        /* seq: counted before the phase is read; the shutdown sets the phase, then counts; one of
         * the two sees the other [SD-1]. Inside a task no such care is needed: the spawning task
         * is alive itself and counted. Not so in a worker's hook, or in a waker that its driver
         * runs. */
        tmlrt__fetch_add_seq(&scheduler__outside(s)->admitted, 1);
    }
    if (tmlrt__load_seq(&host->phase) <= last) return TMLRT_OK;
    host->ops->ended(host, flags);
    return TMLRT_ESHUTDOWN;
}

/* During a shutdown: tells who waits for the last task. */
static void scheduler__tell_quiet(tmlrt__scheduler_t *s) {
    tmlrt__fetch_add_seq(&s->quiet, 1);
    tmlrt__futex_wake(&s->quiet, 1);
    if (s->current_thread) tmlrt__scheduler_unpark(s, 0);
}

static void scheduler__ended(tmlrt__host_t *host, uint32_t flags) {
    tmlrt__scheduler_t *s = tmlrt__scheduler(host);
    tmlrt__worker_t    *own = scheduler__own(s);
    if (own == NULL) scheduler__visit(s);
    if ((flags & TMLRT_TASK_DAEMON) != 0) {
        tmlrt__fetch_sub_seq(&s->daemons, 1);
    } else if (own != NULL) {
        /* release: what the task did, before its end is counted; pairs [SD-2] */
        tmlrt__store_release(&own->count.ended, tmlrt__load_relaxed(&own->count.ended) + 1);
    } else {
        tmlrt__fetch_add_seq(&scheduler__outside(s)->ended, 1);
    }
    /* seq: counted before the phase is read, as in admit [SD-1]. A worker's own count is a store,
     * which may be late: it looks again before it sleeps, and the shutdown looks now and then. */
    if (tmlrt__load_seq(&host->phase) != TMLRT__HOST_RUNNING) scheduler__tell_quiet(s);
    if (own == NULL) scheduler__part(s);
}

void tmlrt__scheduler_sleeping(tmlrt__scheduler_t *s) {
    /* A worker that ended the last task may have read the phase before the shutdown set it; the
     * shutdown wakes all, and each looks here once more before it sleeps. A current-thread runtime
     * has no such race: who waits is who runs. */
    if (!s->current_thread && tmlrt__load_seq(&s->host.phase) != TMLRT__HOST_RUNNING)
        scheduler__tell_quiet(s);
}

uint64_t tmlrt__scheduler_ended(tmlrt__scheduler_t *s) {
    uint64_t ended = 0;
    for (uint32_t i = 0; i < TMLRT__STRIPES; i++)
        ended += tmlrt__load_seq(&s->outside[i].ended);
    for (uint32_t i = 0; i < s->workers; i++)
        ended += tmlrt__load_acquire(&s->worker[i].count.ended);
    return ended;
}

uint64_t tmlrt__scheduler_alive(tmlrt__scheduler_t *s) {
    /* First what ended, then what was admitted: both only grow, so if they are equal nobody was
     * alive when the first sum was complete, and what is admitted later comes from outside and is
     * refused, or from a task that is alive. acquire: pairs [SD-2] */
    uint64_t ended = tmlrt__scheduler_ended(s);
    uint64_t admitted = 0;
    for (uint32_t i = 0; i < TMLRT__STRIPES; i++)
        admitted += tmlrt__load_seq(&s->outside[i].admitted);
    for (uint32_t i = 0; i < s->workers; i++)
        admitted += tmlrt__load_acquire(&s->worker[i].count.admitted);
    return admitted - ended;
}

/* ---- helping a stuck worker -------------------------------------------------------------------- */

bool tmlrt__scheduler_take_over(tmlrt__scheduler_t *s, tmlrt__worker_t *w) {
    bool          any = false;
    tmlrt_task_t *next = tmlrt__next_rob(&w->next);
    if (next != NULL) {
        scheduler__push_outside(s, next);
        any = true;
    }
    if (tmlrt__timers_due(&w->timers) <= tmlrt__scheduler_now(s))
        any |= tmlrt__timers_expire(&w->timers, tmlrt__scheduler_now(s)) != 0;
    if (tmlrt__load_relaxed(&w->driver->sources) != 0 && tmlrt__driver_try_enter(w->driver)) {
        any |= w->driver->cls->wait(w->driver, 0) != 0;
        tmlrt__driver_leave(w->driver);
    }
    if (tmlrt__worker_has_work(w)) {
        tmlrt__scheduler_notify(s, true);
        any = true;
    }
    if (any) tmlrt__fetch_add_relaxed(&w->taken_over, 1);
    return any;
}

const tmlrt__host_ops_t tmlrt__scheduler_ops = {
    .schedule = scheduler__schedule,
    .spawned = scheduler__spawned,
    .run_inline = scheduler__run_inline,
    .withdraw = scheduler__withdraw,
    .admit = scheduler__admit,
    .ended = scheduler__ended,
    .timer_start = scheduler__timer_start,
    .timer_stop = scheduler__timer_stop,
    .now = scheduler__now,
    .driver = scheduler__driver,
    .driver_of = scheduler__driver_of,
    .drive = scheduler__drive,
    .kick = scheduler__kick,
};
