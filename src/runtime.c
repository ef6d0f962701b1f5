/* SPDX-License-Identifier: MIT */
/*
 * runtime.c: create, drive, embed, count and destroy.
 */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "default.h"
#include "fiber.h"
#include "sized.h"

/* ---- create and destroy ------------------------------------------------------------------------ */

static void runtime__worker_main(void *arg) {
    tmlrt__worker_t  *w = arg;
    tmlrt_runtime_t  *rt = (tmlrt_runtime_t *)w->sched;
    tmlrt__current_t *cur = tmlrt__current();
    tmlrt__current_t  former;
    if (rt->settings.pin_workers) tmlrt__thread_pin(w->index); /* a hint: no error stops us */
    tmlrt__worker_enter(w, &former);
    cur->busy++;
    if (rt->settings.on_thread_start != NULL)
        rt->settings.on_thread_start(rt->settings.hook_ctx, w->index);
    if (!tmlrt__worker_run(w, &w->sched->stop, INT64_MAX)) {
        tmlrt__os_log("tmlrt: a task forked, and the child returned into the parent's runtime: it "
                      "has to exec or to exit");
        abort();
    }
    if (rt->settings.on_thread_stop != NULL)
        rt->settings.on_thread_stop(rt->settings.hook_ctx, w->index);
    cur->busy--;
    tmlrt__worker_leave(&former);
}

static void runtime__stop_threads(tmlrt_runtime_t *rt) {
    tmlrt__scheduler_t *s = &rt->sched;
    tmlrt__minder_stop(rt);
    tmlrt__store_seq(&s->stop, 1);
    tmlrt__scheduler_unpark_all(s);
    for (uint32_t i = 0; i < s->workers; i++)
        tmlrt__thread_join(&s->worker[i].thread);
}

static int runtime__start_threads(tmlrt_runtime_t *rt) {
    tmlrt__scheduler_t *s = &rt->sched;
    if (s->current_thread) return TMLRT_OK;
    int e = tmlrt__minder_start(rt);
    for (uint32_t i = 0; e == TMLRT_OK && i < s->workers; i++) {
        char name[TMLRT__NAME_MAX + 16];
        snprintf(name, sizeof name, "%s-%u", rt->settings.thread_name, (unsigned)i);
        e = tmlrt__thread_create(&s->worker[i].thread, runtime__worker_main, &s->worker[i], name);
    }
    if (e != TMLRT_OK) runtime__stop_threads(rt);
    return e;
}

static void runtime__free_workers(tmlrt_runtime_t *rt, uint32_t n, bool forked) {
    tmlrt__timers_ended_t ended = {.mem = &rt->sched.host.mem};
    for (uint32_t i = 0; i < n && !forked; i++)
        tmlrt__driver_bar(rt->sched.worker[i].driver);
    for (uint32_t i = 0; i < n && !forked; i++)
        tmlrt__timers_end(&rt->sched.worker[i].timers, &ended);
    tmlrt__timers_ended_run(&ended);
    for (uint32_t i = 0; i < n; i++) {
        if (!forked) tmlrt__heap_flush(rt->sched.host.tasks, &rt->sched.worker[i].cache);
        tmlrt__worker_destroy(&rt->sched.worker[i], forked);
    }
}

static int runtime__init_workers(tmlrt_runtime_t *rt) {
    tmlrt__scheduler_t *s = &rt->sched;
    size_t              bytes = s->workers * sizeof(tmlrt__worker_t);
    s->worker = tmlrt__mem_zero(&s->host.mem, bytes, TMLRT__CACHE_LINE);
    if (s->worker == NULL) return TMLRT_ENOMEM;
    for (uint32_t i = 0; i < s->workers; i++) {
        int e = tmlrt__worker_init(&s->worker[i], s, i, rt->settings.reactor, rt->settings.seed);
        if (e != TMLRT_OK) {
            runtime__free_workers(rt, i, false);
            tmlrt__mem_put(&s->host.mem, s->worker, bytes, TMLRT__CACHE_LINE);
            return e;
        }
    }
    return TMLRT_OK;
}

static void runtime__free(tmlrt_runtime_t *rt) {
    tmlrt_allocator_t mem = rt->sched.host.mem;
    tmlrt__stacks_destroy(&rt->stacks);
    tmlrt__mem_put(&mem, rt->sched.worker, rt->sched.workers * sizeof(tmlrt__worker_t),
                   TMLRT__CACHE_LINE);
    tmlrt__mem_put(&mem, rt, sizeof *rt, TMLRT__CACHE_LINE);
}

static void runtime__init(tmlrt_runtime_t *rt, const tmlrt__settings_t *settings) {
    tmlrt__scheduler_t *s = &rt->sched;
    rt->settings = *settings;
    s->host.ops = &tmlrt__scheduler_ops;
    s->host.mem = settings->mem;
    s->host.stacks = &rt->stacks;
    tmlrt__stacks_init(&rt->stacks, &s->host.mem);
    s->host.blocking = &rt->blocking;
    tmlrt__blocking_init(&rt->blocking, &s->host, rt->settings.thread_name,
                         settings->blocking_threads, settings->blocking_queue);
    s->host.fork_generation = tmlrt__load_relaxed(&tmlrt__fork_generation);
    s->workers = settings->workers;
    s->current_thread = settings->current_thread;
    s->virtual_clock = settings->virtual_clock;
    s->owner = tmlrt__thread_self();
    if (settings->replay) {
        tmlrt__chance_init(&rt->chance, settings->seed);
        rt->chance.network = &rt->settings.network;
        s->host.chance = &rt->chance;
        s->host.owner = s->owner;
        rt->blocking.go = tmlrt__fiber_job;
    }
    tmlrt__idle_init(&s->idle, s->workers);
    for (uint32_t i = 0; i < TMLRT__LANES; i++)
        tmlrt__inject_init(&s->inject[i]);
}

int tmlrt_runtime_create(tmlrt_runtime_t **out, const tmlrt_config_t *config) {
    tmlrt__settings_t settings;
    if (out == NULL) return TMLRT_EINVAL;
    int e = tmlrt__config_resolve(config, &settings);
    if (e == TMLRT_OK) e = tmlrt__fork_watch();
    if (e != TMLRT_OK) return e;

    tmlrt_runtime_t *rt = tmlrt__mem_zero(&settings.mem, sizeof *rt, TMLRT__CACHE_LINE);
    if (rt == NULL) return TMLRT_ENOMEM;
    runtime__init(rt, &settings);
    e = tmlrt__heap_create(&rt->sched.host.tasks, &settings.mem);
    if (e != TMLRT_OK) goto free_runtime;
    e = runtime__init_workers(rt);
    if (e != TMLRT_OK) goto close_heap;
    e = runtime__start_threads(rt);
    if (e != TMLRT_OK) goto free_workers;

    if (rt->sched.current_thread) {
        rt->sched.host.owned_before = tmlrt__current()->owned;
        tmlrt__current()->owned = &rt->sched.host;
        tmlrt__worker_away(&rt->sched.worker[0]);
    }
    *out = rt;
    return TMLRT_OK;

free_workers:
    runtime__free_workers(rt, rt->sched.workers, false);
    tmlrt__mem_put(&settings.mem, rt->sched.worker, rt->sched.workers * sizeof(tmlrt__worker_t),
                   TMLRT__CACHE_LINE);
close_heap:
    tmlrt__heap_close(rt->sched.host.tasks);
free_runtime:
    tmlrt__mem_put(&settings.mem, rt, sizeof *rt, TMLRT__CACHE_LINE);
    return e;
}

static void runtime__disown(tmlrt_runtime_t *rt) {
    tmlrt__host_t **link = &tmlrt__current()->owned;
    while (*link != NULL && *link != &rt->sched.host)
        link = &(*link)->owned_before;
    if (*link != NULL) *link = rt->sched.host.owned_before;
}

/* In a forked child: the threads are the parent's, and so is every byte they may have been
 * changing. Only the descriptors are ours. */
static int runtime__destroy_forked(tmlrt_runtime_t *rt) {
    runtime__free_workers(rt, rt->sched.workers, true);
    runtime__disown(rt);
    return TMLRT_OK;
}

int tmlrt_runtime_destroy(tmlrt_runtime_t *rt) {
    if (rt == NULL) return TMLRT_OK;
    if (tmlrt__host_forked(&rt->sched.host)) return runtime__destroy_forked(rt);
    int e = tmlrt__runtime_check_driver(rt);
    if (e != TMLRT_OK) return e;
    if (tmlrt__load_acquire(&rt->shutdown) != TMLRT__SHUTDOWN_ENDED) {
        e = tmlrt_runtime_shutdown(rt, 0, NULL);
        if (e != TMLRT_OK && e != TMLRT_ETIMEDOUT) return e;
    }
    tmlrt__default_forget(rt);
    tmlrt__scheduler_see_off(&rt->sched);
    tmlrt__blocking_end(&rt->blocking);
    runtime__stop_threads(rt);
    runtime__disown(rt);
    runtime__free_workers(rt, rt->sched.workers, false);
    tmlrt__heap_close(rt->sched.host.tasks);
    runtime__free(rt);
    return TMLRT_OK;
}

/* ---- the current one --------------------------------------------------------------------------- */

tmlrt_runtime_t *tmlrt_runtime_current(void) {
    return (tmlrt_runtime_t *)tmlrt__current()->host;
}

static tmlrt_runtime_t *runtime__or_current(tmlrt_runtime_t *rt) {
    return rt != NULL ? rt : tmlrt_runtime_current();
}

int tmlrt_runtime_workers(tmlrt_runtime_t *rt) {
    rt = runtime__or_current(rt);
    if (rt == NULL) return TMLRT_EINVAL;
    return tmlrt__host_forked(&rt->sched.host) ? TMLRT_EFORKED : (int)rt->sched.workers;
}

const char *tmlrt_runtime_reactor(tmlrt_runtime_t *rt) {
    rt = runtime__or_current(rt);
    return rt != NULL ? rt->sched.worker[0].driver->cls->name : NULL;
}

/* ---- driving ------------------------------------------------------------------------------------ */

int tmlrt__runtime_check_driver(const tmlrt_runtime_t *rt) {
    const tmlrt__current_t *cur = tmlrt__current();
    if (cur->busy != 0 || cur->task != NULL) return TMLRT_EDEADLK; /* a fiber, or a blocking job */
    if (rt->sched.current_thread && rt->sched.owner != tmlrt__thread_self()) return TMLRT_EDEADLK;
    return TMLRT_OK;
}

int tmlrt_runtime_block_on(tmlrt_runtime_t *rt, const tmlrt_task_type_t *type,
                           const void *init_state, const tmlrt_task_options_t *options,
                           void *result) {
    rt = runtime__or_current(rt);
    if (rt == NULL) return TMLRT_ENORUNTIME;
    if (tmlrt__host_forked(&rt->sched.host)) return TMLRT_EFORKED;
    int e = tmlrt__runtime_check_driver(rt);
    if (e != TMLRT_OK) return e;
    if (type != NULL && type->state_size != 0 && init_state == NULL) return TMLRT_EINVAL;
    tmlrt_task_t *task;
    e = tmlrt_task_new(rt, type, options, &task);
    if (e != TMLRT_OK) return e;
    if (type->state_size != 0) memcpy(tmlrt__task_state(task), init_state, type->state_size);
    /* The wait is under way before the start: afterwards the state is the task's, and no error may
     * leave it behind. */
    tmlrt_op_t join = TMLRT_OP_INIT;
    tmlrt_op_join(&join, task, result);
    e = tmlrt__await_start(&join);
    if (e == TMLRT_OK) e = tmlrt_task_start(task);
    if (e == TMLRT_OK) {
        tmlrt__thread_await(&join, false);
        e = (int)tmlrt_op_result(&join);
    } else {
        tmlrt_op_cancel(&join);
    }
    tmlrt_task_release(task);
    return e;
}

/* ---- embedding ---------------------------------------------------------------------------------- */

static int runtime__check_embedded(const tmlrt_runtime_t *rt) {
    if (rt == NULL || !rt->sched.current_thread) return TMLRT_EINVAL;
    if (tmlrt__host_forked(&rt->sched.host)) return TMLRT_EFORKED;
    return tmlrt__runtime_check_driver(rt);
}

int64_t tmlrt_runtime_run_once(tmlrt_runtime_t *rt) {
    int e = runtime__check_embedded(rt);
    if (e != TMLRT_OK) return e;
    tmlrt__current_t former;
    tmlrt__worker_enter(&rt->sched.worker[0], &former);
    tmlrt__worker_back(&rt->sched.worker[0]);
    uint64_t polls = tmlrt__worker_run_ready(&rt->sched.worker[0]);
    tmlrt__worker_away(&rt->sched.worker[0]);
    tmlrt__worker_leave(&former);
    return tmlrt__host_forked(&rt->sched.host) ? TMLRT_EFORKED : (int64_t)polls;
}

int64_t tmlrt_runtime_timeout(tmlrt_runtime_t *rt) {
    int e = runtime__check_embedded(rt);
    if (e != TMLRT_OK) return e;
    tmlrt__worker_t *w = &rt->sched.worker[0];
    if (tmlrt__scheduler_has_work(&rt->sched, w) || tmlrt__load_relaxed(&w->next) != NULL) return 0;
    int64_t due = tmlrt__timers_due(&w->timers), event = tmlrt__driver_due(w->driver);
    if (event < due) due = event;
    if (due == INT64_MAX) return TMLRT_NEVER;
    if (rt->sched.virtual_clock) return 0; /* it jumps there */
    int64_t now = tmlrt__scheduler_now(&rt->sched);
    return due > now ? due - now : 0;
}

int64_t tmlrt_runtime_handle(tmlrt_runtime_t *rt) {
    int e = runtime__check_embedded(rt);
    if (e != TMLRT_OK) return e;
    tmlrt__driver_t *d = rt->sched.worker[0].driver;
    int64_t          handle = d->cls->handle(d);
    return handle >= 0 ? handle : TMLRT_ENOTSUP;
}

/* ---- replay -------------------------------------------------------------------------------------- */

int tmlrt_runtime_replay(tmlrt_runtime_t *rt, tmlrt_replay_t *replay) {
    if (replay == NULL || tmlrt__sized_check(replay, sizeof *replay) != 0) return TMLRT_EINVAL;
    rt = runtime__or_current(rt);
    if (rt == NULL) return TMLRT_ENORUNTIME;
    if (tmlrt__host_forked(&rt->sched.host)) return TMLRT_EFORKED;
    if (!rt->settings.replay || tmlrt__host_is_foreign(&rt->sched.host)) return TMLRT_ENOTSUP;
    replay->seed = rt->chance.seed;
    replay->hash = rt->chance.hash;
    replay->steps = rt->chance.steps;
    replay->voided = tmlrt__load_relaxed(&rt->chance.voided);
    return TMLRT_OK;
}

/* ---- counters ----------------------------------------------------------------------------------- */

int tmlrt_runtime_stats(tmlrt_runtime_t *rt, uint32_t worker, tmlrt_worker_stats_t *stats) {
    if (stats == NULL || stats->struct_size < sizeof stats->struct_size) return TMLRT_EINVAL;
    rt = runtime__or_current(rt);
    if (rt == NULL) return TMLRT_ENORUNTIME;
    if (tmlrt__host_forked(&rt->sched.host)) return TMLRT_EFORKED;
    if (worker >= rt->sched.workers) return TMLRT_EINVAL;
    tmlrt__worker_t   *w = &rt->sched.worker[worker];
    tmlrt__counters_t *c = &w->count;
    size_t             size = stats->struct_size;

    tmlrt_worker_stats_t full = {
        .struct_size = size,
        .polls = tmlrt__load_relaxed(&c->polls),
        .spawned = tmlrt__load_relaxed(&c->spawned),
        .completed = tmlrt__load_relaxed(&c->completed),
        .stolen = tmlrt__load_relaxed(&c->stolen),
        .injected = tmlrt__load_relaxed(&c->injected),
        .parks = tmlrt__load_relaxed(&c->parks),
        .wakes_sent = tmlrt__load_relaxed(&c->wakes_sent),
        .driver_polls = tmlrt__load_relaxed(&c->driver_polls),
        .events = tmlrt__load_relaxed(&c->events),
        .timers_fired = tmlrt__load_relaxed(&c->timers_fired),
        .taken_over = tmlrt__load_relaxed(&w->taken_over),
        .budget_yields = tmlrt__load_relaxed(&c->budget_yields),
    };
    /* A caller built against a newer header gets zeros behind what we know. */
    if (size > sizeof full) memset((char *)stats + sizeof full, 0, size - sizeof full);
    memcpy(stats, &full, size < sizeof full ? size : sizeof full);
    return TMLRT_OK;
}
