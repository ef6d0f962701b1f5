/* SPDX-License-Identifier: MIT */
/*
 * minder.c: the thread that sees to it that a stuck poll stalls nobody.
 *
 * While any worker is awake it ticks every 10 ms: a worker whose count of polls has not moved since
 * the last tick, and which is not asleep, is stuck in a poll; the minder serves what only that one
 * could (next slot, due timers, ready I/O) and wakes a sleeper for its queues. A poll that lasts
 * longer than the watchdog's limit is reported once, by name. When all workers have been asleep for
 * ten ticks it goes to sleep as well, without a limit, and the first worker to come back wakes it:
 * an idle runtime makes no system call.
 *
 * Why a thread and not one of the parked workers: it needs no hand-over when that worker gets work,
 * it also sees the case where all workers are stuck, and parked workers keep sleeping undisturbed.
 */
#include <stdio.h>

#include "minder_gate.h"
#include "runtime.h"

#define MINDER__TICK_NS INT64_C(10000000)
#define MINDER__QUIET   10u /* ticks with everybody asleep before it sleeps, too */

typedef tmlrt__watch_t minder__watch_t;

/* The name and site of the task that a worker is stuck in, found by walking the tasks, since the
 * bare pointer may be stale. */
typedef struct minder__find {
    void         *wanted;
    tmlrt_stuck_t stuck;
    tmlrt_task_t *task;
} minder__find_t;

static void minder__match(void *ctx, tmlrt_task_t *task) {
    minder__find_t *find = ctx;
    if (task != find->wanted || find->task != NULL) return;
    tmlrt__state_ref(&task->state);
    find->task = task;
}

static void minder__print(const tmlrt_stuck_t *s) {
    char line[320];
    snprintf(line, sizeof line,
             "tmlrt: worker %u has been inside one poll of task '%s' (id %llu, spawned at %s) for "
             "%lld ms%s",
             (unsigned)s->worker, s->task_name, (unsigned long long)s->task_id,
             s->task_site != NULL ? s->task_site : "?", (long long)(s->stuck_ns / 1000000),
             s->all_stuck != 0 ? "; no worker makes progress" : "");
    tmlrt__os_log(line);
}

static void minder__report(tmlrt_runtime_t *rt, tmlrt__worker_t *w, int64_t stuck_ns, bool all) {
    minder__find_t find = {.wanted = tmlrt__load_relaxed(&w->running)};
    if (find.wanted != NULL) tmlrt__runtime_walk(rt, minder__match, &find);
    if (find.task == NULL) return; /* it has just ended */
    find.stuck = (tmlrt_stuck_t){.struct_size = sizeof find.stuck,
                                 .worker = w->index,
                                 .all_stuck = all,
                                 .task_id = find.task->id,
                                 .task_name = tmlrt_task_name(find.task),
                                 .task_site = tmlrt__task_site(find.task),
                                 .stuck_ns = stuck_ns};
    if (rt->settings.on_stuck != NULL)
        rt->settings.on_stuck(rt->settings.hook_ctx, &find.stuck);
    else
        minder__print(&find.stuck);
    tmlrt__task_unref(find.task);
}

/* Is this worker inside the same poll as at the last tick? */
static bool minder__is_stuck(tmlrt_runtime_t *rt, tmlrt__worker_t *w, minder__watch_t *watch,
                             int64_t now) {
    uint64_t polls = tmlrt__load_relaxed(&w->count.polls);
    if (polls == watch->polls && tmlrt__load_relaxed(&w->running) != NULL &&
        !tmlrt__idle_is_parked(&rt->sched.idle, w->index))
        return true;
    watch->polls = polls;
    watch->since = now;
    watch->reported = false;
    return false;
}

static void minder__tick(tmlrt_runtime_t *rt, minder__watch_t *watch) {
    tmlrt__scheduler_t *s = &rt->sched;
    int64_t             now = tmlrt__os_now();
    int64_t             limit = (int64_t)rt->settings.watchdog_ms * 1000000;
    uint32_t            stuck = 0;
    for (uint32_t i = 0; i < s->workers; i++)
        if (minder__is_stuck(rt, &s->worker[i], &watch[i], now)) {
            tmlrt__scheduler_take_over(s, &s->worker[i]);
            stuck++;
        }
    if (limit == 0 || stuck == 0) return;
    for (uint32_t i = 0; i < s->workers; i++) {
        int64_t age = now - watch[i].since;
        if (age < limit || watch[i].reported) continue;
        watch[i].reported = true;
        minder__report(rt, &s->worker[i], age, stuck == s->workers);
    }
}

/* Sleeps until a worker comes back, unless one is awake. */
static void minder__sleep(tmlrt_runtime_t *rt) {
    tmlrt__scheduler_t *s = &rt->sched;
    if (!tmlrt__minder_gate_close(&s->minder_asleep, &s->idle, &rt->minder_tick)) return;
    /* acquire: what the worker did before it woke us; pairs [MD-1] */
    while (tmlrt__load_acquire(&s->minder_asleep) != 0)
        tmlrt__futex_wait(&s->minder_asleep, 1, -1);
}

static void minder__main(void *arg) {
    tmlrt_runtime_t *rt = arg;
    minder__watch_t *watch = rt->watch;
    uint32_t         quiet = 0;
    tmlrt__current()->busy = 1; /* a hook runs here; it must not block on the runtime */
    while (tmlrt__load_acquire(&rt->minder_tick) == 0) {
        if (tmlrt__idle_all_parked(&rt->sched.idle))
            quiet++;
        else
            quiet = 0;
        if (quiet > MINDER__QUIET) {
            tmlrt__stacks_trim(&rt->stacks);
            minder__sleep(rt);
            quiet = 0;
        } else {
            tmlrt__futex_wait(&rt->minder_tick, 0, MINDER__TICK_NS);
        }
        minder__tick(rt, watch);
    }
}

int tmlrt__minder_start(tmlrt_runtime_t *rt) {
    size_t bytes = rt->sched.workers * sizeof *rt->watch;
    rt->watch = tmlrt__mem_zero(&rt->sched.host.mem, bytes, _Alignof(tmlrt__watch_t));
    if (rt->watch == NULL) return TMLRT_ENOMEM;
    char name[TMLRT__NAME_MAX + 16];
    snprintf(name, sizeof name, "%s-mind", rt->settings.thread_name);
    return tmlrt__thread_create(&rt->minder, minder__main, rt, name);
}

void tmlrt__minder_stop(tmlrt_runtime_t *rt) {
    if (rt->minder.handle != 0) {
        tmlrt__store_seq(&rt->minder_tick, 1);
        tmlrt__futex_wake(&rt->minder_tick, 1);
        tmlrt__scheduler_wake_minder(&rt->sched);
        tmlrt__thread_join(&rt->minder);
    }
    if (rt->watch != NULL)
        tmlrt__mem_put(&rt->sched.host.mem, rt->watch, rt->sched.workers * sizeof *rt->watch,
                       _Alignof(tmlrt__watch_t));
    rt->watch = NULL;
}
