/* SPDX-License-Identifier: MIT */
/*
 * worker.c: the worker's loop: pick, poll, ask the driver, search, sleep. The order of picks and
 * its bounds are in worker.h, the wake-up proof in idle.h and src/README.md.
 */
#include "worker.h"

#include "chance.h"
#include "next_slot.h"
#include "scheduler.h"

#define WORKER__NEXT_USES    3u    /* of the next slot in a row */
#define WORKER__OLDEST       16u   /* picks between two of the oldest of the deque */
#define WORKER__INJECT       32u   /* picks between two looks at the global queue */
#define WORKER__PINNED       8u    /* picks between two of the pinned queue */
#define WORKER__PINNED_AT    4u    /* which of them: no other queue's turn */
#define WORKER__DRIVER_POLLS 61u   /* polls between two asks of the driver */
#define WORKER__DRIVER_MOST  1024u /* and at the latest, with its last batch still there */
#define WORKER__DRIVER_NS    200000
#define WORKER__TIMER_NS     200000 /* between two wakes by timers */
#define WORKER__DEPTH        64u    /* joins that run their child in place, nested */
#define WORKER__INJECT_BATCH 32u
#define WORKER__STEAL_BATCH  16u
#define WORKER__FLAT         256u /* tasks in a deque that are no tree of joins: stolen in batches */
#define WORKER__AHEAD        4u   /* cache lines of the next task */
#define WORKER__DEQUE_SLOTS  256u

/* ---- set up --------------------------------------------------------------------------------- */

static void *worker__deque_get(void *ctx, size_t bytes) {
    return tmlrt__mem_get(ctx, bytes, TMLRT__CACHE_LINE);
}

static void worker__deque_put(void *ctx, void *p, size_t bytes) {
    tmlrt__mem_put(ctx, p, bytes, TMLRT__CACHE_LINE);
}

int tmlrt__worker_init(tmlrt__worker_t *w, tmlrt__scheduler_t *sched, uint32_t index,
                       uint32_t reactor, uint64_t seed) {
    tmlrt__deque_mem_t mem = {&sched->host.mem, worker__deque_get, worker__deque_put};
    w->sched = sched;
    w->index = index;
    w->lane = index;
    w->interval = WORKER__DRIVER_POLLS;
    tmlrt__rand_seed(&w->rand, seed + index);
    tmlrt__timers_init(&w->timers, tmlrt__scheduler_now(sched));
    if (tmlrt__deque_init(&w->deque, &mem, WORKER__DEQUE_SLOTS) != 0) return TMLRT_ENOMEM;
    int e = TMLRT_ENOMEM;
    if (tmlrt__deque_init(&w->fifo, &mem, WORKER__DEQUE_SLOTS) == 0) {
        e = tmlrt__driver_create(&w->driver, reactor, &sched->host, index);
        if (e == TMLRT_OK) {
            w->parker.driver = w->driver;
            return TMLRT_OK;
        }
        tmlrt__deque_destroy(&w->fifo);
    }
    tmlrt__deque_destroy(&w->deque);
    return e;
}

void tmlrt__worker_destroy(tmlrt__worker_t *w, bool forked) {
    tmlrt__driver_close_sources(w->driver, forked);
    tmlrt__driver_destroy(w->driver, forked);
    if (forked) return;
    tmlrt__deque_destroy(&w->fifo);
    tmlrt__deque_destroy(&w->deque);
    tmlrt__ready_free(&w->ready, &w->sched->host.mem);
}

void tmlrt__worker_enter(tmlrt__worker_t *w, tmlrt__current_t *former) {
    tmlrt__current_t *cur = tmlrt__current();
    *former = *cur;
    cur->host = &w->sched->host;
    cur->worker = w;
    cur->chance = w->sched->host.chance;
    cur->cache = &w->cache;
    cur->index = w->index;
    cur->task = NULL;
}

void tmlrt__worker_leave(const tmlrt__current_t *former) {
    tmlrt__current_t *cur = tmlrt__current();
    cur->host = former->host;
    cur->worker = former->worker;
    cur->chance = former->chance;
    cur->cache = former->cache;
    cur->index = former->index;
    cur->task = former->task;
}

void tmlrt__worker_away(tmlrt__worker_t *w) {
    if (tmlrt__host_forked(&w->sched->host)) return; /* the driver's handle is the parent's, too */
    tmlrt__idle_park(&w->sched->idle, w->index, w->searching);
    w->searching = false;
    tmlrt__timers_sleep(&w->timers); /* an earlier timer from outside must show at the handle */
    /* What is there already, or came just now, must show there as well. */
    if (!tmlrt__parker_begin(&w->parker) || tmlrt__scheduler_has_work(w->sched, w) ||
        tmlrt__load_relaxed(&w->next) != NULL)
        w->driver->cls->wake(w->driver);
}

void tmlrt__worker_back(tmlrt__worker_t *w) {
    tmlrt__parker_end(&w->parker);
    tmlrt__timers_awake(&w->timers);
    w->searching = !tmlrt__idle_unpark(&w->sched->idle, w->index);
}

/* What a replayed worker draws its lots from, else NULL. */
static tmlrt__chance_t *worker__chance(const tmlrt__worker_t *w) {
    return w->sched->host.chance;
}

/* ---- queues --------------------------------------------------------------------------------- */

/* Puts a task last in the fifo. Without memory to grow, the global queue takes it. */
static void worker__push_fifo(tmlrt__worker_t *w, tmlrt_task_t *task) {
    if (worker__chance(w) != NULL) {
        if (!tmlrt__ready_put(&w->ready, &w->sched->host.mem, task))
            tmlrt__scheduler_inject(w->sched, task);
        return;
    }
    if (tmlrt__deque_push(&w->fifo, task) != 0) tmlrt__scheduler_inject(w->sched, task);
}

void tmlrt__worker_push_pinned(tmlrt__worker_t *w, tmlrt_task_t *task) {
    tmlrt__latch_lock(&w->pinned_latch);
    task->next = NULL; /* under the latch, as all uses: a wake observes nothing by itself */
    if (w->pinned_last != NULL)
        w->pinned_last->next = task;
    else
        w->pinned_first = task;
    w->pinned_last = task;
    tmlrt__store_relaxed(&w->pinned_count, tmlrt__load_relaxed(&w->pinned_count) + 1);
    tmlrt__latch_unlock(&w->pinned_latch);
}

static tmlrt_task_t *worker__pop_pinned(tmlrt__worker_t *w) {
    if (tmlrt__load_relaxed(&w->pinned_count) == 0) return NULL;
    tmlrt__latch_lock(&w->pinned_latch);
    tmlrt_task_t *task = w->pinned_first;
    if (task != NULL) {
        w->pinned_first = task->next;
        if (w->pinned_first == NULL) w->pinned_last = NULL;
        tmlrt__store_relaxed(&w->pinned_count, tmlrt__load_relaxed(&w->pinned_count) - 1);
    }
    tmlrt__latch_unlock(&w->pinned_latch);
    return task;
}

void tmlrt__worker_push_woken(tmlrt__worker_t *w, tmlrt_task_t *task) {
    if (tmlrt__current()->task == NULL || worker__chance(w) != NULL) {
        /* From the driver, the timers or a hook, not from a poll: in turn. */
        worker__push_fifo(w, task);
        if (!w->dispatching) tmlrt__scheduler_notify(w->sched, true);
        return;
    }
    tmlrt_task_t *displaced = tmlrt__next_take(&w->next);
    tmlrt__next_put(&w->next, task);
    if (displaced == NULL) return;
    worker__push_fifo(w, displaced);
    tmlrt__scheduler_notify(w->sched, true);
}

void tmlrt__worker_push_spawned(tmlrt__worker_t *w, tmlrt_task_t *task) {
    if (worker__chance(w) != NULL)
        worker__push_fifo(w, task);
    else if (tmlrt__deque_push(&w->deque, task) != 0)
        tmlrt__scheduler_inject(w->sched, task);
    tmlrt__scheduler_notify(w->sched, true);
}

bool tmlrt__worker_has_work(tmlrt__worker_t *w) {
    return tmlrt__deque_size_hint(&w->deque) != 0 || tmlrt__deque_size_hint(&w->fifo) != 0 ||
           w->ready.n != 0;
}

/* ---- running one task ------------------------------------------------------------------------ */

static void worker__run_task(tmlrt__worker_t *w, tmlrt_task_t *task) {
    tmlrt__current_t *cur = tmlrt__current();
    uint64_t          exhausted = cur->exhausted;
    void             *outer = tmlrt__load_relaxed(&w->running);
    tmlrt__store_relaxed(&w->running, task);
    TMLRT__COUNT(w->count.polls, 1);
    w->since_driver++;
    tmlrt__run_t run = tmlrt__task_run(task);
    tmlrt__store_relaxed(&w->running, outer);
    if (cur->chance != NULL) {
        cur->chance->steps++;
        tmlrt__chance_note(cur->chance, (uint64_t)tmlrt__scheduler_now(w->sched) << 2 | run);
    }
    if (cur->exhausted != exhausted) {
        TMLRT__COUNT(w->count.budget_yields, cur->exhausted - exhausted);
    }
    if (run == TMLRT__RUN_ENDED) {
        TMLRT__COUNT(w->count.completed, 1);
    } else if (run == TMLRT__RUN_AGAIN) {
        if ((task->flags & TMLRT_TASK_PINNED) != 0) {
            tmlrt__worker_push_pinned(w, task);
            return;
        }
        worker__push_fifo(w, task);
        /* We serve it ourselves; a sleeper is worth waking when there is more than this one. */
        if (tmlrt__deque_size_hint(&w->fifo) > 1) tmlrt__scheduler_notify(w->sched, false);
    }
}

bool tmlrt__worker_run_inline(tmlrt__worker_t *w, tmlrt_task_t *task) {
    /* Not on the stack of a fiber, which may be small. */
    if (w->depth >= WORKER__DEPTH || tmlrt__current()->fiber != NULL) return false;
    /* A whole tree of joins may run inside one poll: back to the loop now and then. */
    if (w->since_driver >= WORKER__DRIVER_MOST) return false;
    bool here = worker__chance(w) == NULL ? tmlrt__deque_take_if(&w->deque, task)
                                          : tmlrt__chance_below(worker__chance(w), 2) != 0 &&
                                                tmlrt__ready_take_if(&w->ready, task);
    if (!here) return false;
    w->depth++;
    worker__run_task(w, task);
    w->depth--;
    return true;
}

/* ---- picking -------------------------------------------------------------------------------- */

/* Takes a batch from one lane of the global queue, the next in turn that holds anything; the first
 * is returned, the others go to the fifo. */
static tmlrt_task_t *worker__pick_inject(tmlrt__worker_t *w) {
    tmlrt_task_t *tasks[WORKER__INJECT_BATCH];
    for (uint32_t i = 0; i < TMLRT__LANES; i++) {
        tmlrt__inject_t *q = &w->sched->inject[(w->lane + i) % TMLRT__LANES];
        size_t           size = tmlrt__inject_size(q);
        if (size == 0) continue;
        size_t share = size / w->sched->workers + 1;
        if (share > WORKER__INJECT_BATCH) share = WORKER__INJECT_BATCH;
        size_t n = tmlrt__inject_pop(q, tasks, share);
        if (n == 0) continue;
        w->lane += i + 1;
        TMLRT__COUNT(w->count.injected, n);
        for (size_t k = 1; k < n; k++)
            worker__push_fifo(w, tasks[k]);
        if (n > 1) tmlrt__scheduler_notify(w->sched, false);
        return tasks[0];
    }
    return NULL;
}

/* While the oldest of the fifo runs, the one behind it comes into the cache: header and operation. */
static tmlrt_task_t *worker__pick_fifo(tmlrt__worker_t *w) {
    tmlrt_task_t *task = tmlrt__deque_take_oldest(&w->fifo);
    if (task == NULL) return NULL;
    char *next = tmlrt__deque_peek_oldest(&w->fifo);
    for (size_t i = 0; next != NULL && i < WORKER__AHEAD; i++)
        tmlrt__prefetch(next + i * TMLRT__CACHE_LINE);
    return task;
}

static tmlrt_task_t *worker__pick_queues(tmlrt__worker_t *w) {
    tmlrt_task_t *task;
    if ((w->tick & 1) != 0) {
        task = worker__pick_fifo(w);
        return task != NULL ? task : tmlrt__deque_take(&w->deque);
    }
    task = tmlrt__deque_take(&w->deque);
    return task != NULL ? task : worker__pick_fifo(w);
}

/* Of all that is ready anywhere the one that the lot falls on. */
static tmlrt_task_t *worker__pick_by_chance(tmlrt__worker_t *w) {
    tmlrt_task_t *task;
    for (;;) {
        task = worker__pop_pinned(w);
        for (uint32_t i = 0; task == NULL && i < TMLRT__LANES; i++)
            tmlrt__inject_pop(&w->sched->inject[i], &task, 1);
        if (task == NULL) break;
        if (!tmlrt__ready_put(&w->ready, &w->sched->host.mem, task)) return task;
    }
    return tmlrt__ready_take(&w->ready, worker__chance(w));
}

/* The next task by the rules of worker.h, or NULL. */
static tmlrt_task_t *worker__pick(tmlrt__worker_t *w) {
    if (worker__chance(w) != NULL) return worker__pick_by_chance(w);
    tmlrt_task_t *task = tmlrt__next_take(&w->next);
    if (task != NULL) {
        if (w->next_uses++ < WORKER__NEXT_USES) return task;
        worker__push_fifo(w, task);
    }
    w->next_uses = 0;
    w->tick++;
    task = NULL;
    if (w->tick % WORKER__PINNED == WORKER__PINNED_AT) task = worker__pop_pinned(w);
    if (task == NULL && w->tick % WORKER__INJECT == 0) task = worker__pick_inject(w);
    if (task == NULL && w->tick % WORKER__OLDEST == 1) task = tmlrt__deque_take_oldest(&w->deque);
    if (task == NULL) task = worker__pick_queues(w);
    if (task == NULL) task = worker__pop_pinned(w);
    if (task == NULL) task = worker__pick_inject(w);
    return task;
}

/* ---- the driver and the timers ---------------------------------------------------------------- */

/* After the driver or the timers brought something: marks the batch, and wakes another worker when
 * there is more than we begin with. */
static void worker__end_dispatch(tmlrt__worker_t *w) {
    w->dispatching = false;
    w->batch_end = tmlrt__load_relaxed(&w->fifo.bottom);
    if (tmlrt__deque_size_hint(&w->fifo) > 1) tmlrt__scheduler_notify(w->sched, true);
}

static uint32_t worker__expire(tmlrt__worker_t *w, int64_t now) {
    if (tmlrt__timers_due(&w->timers) > now) return 0;
    uint32_t n = tmlrt__timers_expire(&w->timers, now);
    TMLRT__COUNT(w->count.timers_fired, n);
    if (n != 0) w->fired_at = now;
    return n;
}

/* Asks the driver (without sources only when `forced`) and the timers, without waiting. */
static void worker__ask(tmlrt__worker_t *w, bool forced) {
    w->dispatching = true;
    bool any = forced || tmlrt__load_relaxed(&w->driver->sources) != 0;
    if (any && tmlrt__driver_try_enter(w->driver)) {
        uint32_t events = w->driver->cls->wait(w->driver, 0);
        tmlrt__driver_leave(w->driver);
        TMLRT__COUNT(w->count.driver_polls, 1);
        TMLRT__COUNT(w->count.events, events);
    }
    int64_t now = tmlrt__scheduler_now(w->sched);
    worker__expire(w, now);
    worker__end_dispatch(w);

    /* Long polls make the interval shorter, so that it stays near WORKER__DRIVER_NS. */
    int64_t took = now - w->asked_at;
    if (took > WORKER__DRIVER_NS) {
        int64_t fit = (int64_t)w->since_driver * WORKER__DRIVER_NS / took;
        w->interval = fit < 1                      ? 1
                      : fit > WORKER__DRIVER_POLLS ? WORKER__DRIVER_POLLS
                                                   : (uint32_t)fit;
    } else {
        w->interval =
            2 * w->interval < WORKER__DRIVER_POLLS ? 2 * w->interval : WORKER__DRIVER_POLLS;
    }
    w->asked_at = now;
    w->since_driver = 0;
}

static bool worker__driver_is_due(tmlrt__worker_t *w) {
    if (w->since_driver < w->interval) return false;
    if (w->since_driver >= WORKER__DRIVER_MOST) return true;
    return tmlrt__load_relaxed(&w->fifo.top) >= w->batch_end;
}

/* ---- searching ------------------------------------------------------------------------------ */

/* Takes the oldest of one queue, and with `batch` up to half of it, for our own. */
static tmlrt_task_t *worker__steal_queue(tmlrt__worker_t *w, tmlrt__deque_t *q, bool batch) {
    void          *item = NULL;
    tmlrt__steal_t s;
    do
        s = tmlrt__deque_steal(q, &item);
    while (s == TMLRT__STEAL_RETRY);
    if (s != TMLRT__STEAL_GOT) return NULL;
    uint64_t stolen = 1;
    if (batch) {
        size_t more = tmlrt__deque_size_hint(q) / 2;
        if (more > WORKER__STEAL_BATCH - 1) more = WORKER__STEAL_BATCH - 1;
        void *extra;
        for (; more > 0 && tmlrt__deque_steal(q, &extra) == TMLRT__STEAL_GOT; more--, stolen++)
            worker__push_fifo(w, extra);
    }
    TMLRT__COUNT(w->count.stolen, stolen);
    return item;
}

static tmlrt_task_t *worker__steal(tmlrt__worker_t *w) {
    uint32_t n = w->sched->workers;
    uint32_t first = tmlrt__rand_below(&w->rand, n);
    for (uint32_t i = 0; i < n; i++) {
        tmlrt__worker_t *victim = &w->sched->worker[(first + i) % n];
        if (victim == w) continue;
        tmlrt_task_t *task = worker__steal_queue(w, &victim->fifo, true);
        if (task == NULL) {
            bool flat = tmlrt__deque_size_hint(&victim->deque) >= WORKER__FLAT;
            task = worker__steal_queue(w, &victim->deque, flat);
        }
        if (task != NULL) return task;
    }
    return worker__pick_inject(w);
}

/* A searcher that found work leaves the count; the last one looks whether there is more. */
static void worker__end_search(tmlrt__worker_t *w) {
    if (!w->searching) return;
    w->searching = false;
    if (tmlrt__idle_search_end(&w->sched->idle) && tmlrt__scheduler_has_work(w->sched, w))
        tmlrt__scheduler_notify(w->sched, true);
}

static tmlrt_task_t *worker__search(tmlrt__worker_t *w) {
    if (w->sched->workers == 1) return NULL;
    if (!w->searching) {
        if (!tmlrt__idle_search_begin(&w->sched->idle)) return NULL;
        w->searching = true;
    }
    return worker__steal(w);
}

/* ---- sleeping ------------------------------------------------------------------------------- */

/* How long to sleep at most, on the host's clock; the virtual one jumps instead. */
static int64_t worker__timeout(tmlrt__worker_t *w, int64_t deadline) {
    int64_t until = tmlrt__timers_sleep(&w->timers);
    /* Where timers are dense, several share one wake. A lone one is not delayed. */
    if (until < w->fired_at + WORKER__TIMER_NS && !w->sched->virtual_clock)
        until = w->fired_at + WORKER__TIMER_NS;
    int64_t event = tmlrt__driver_due(w->driver);
    if (event < until) until = event;
    if (deadline < until) until = deadline;
    if (until == INT64_MAX) return -1;
    int64_t now = tmlrt__scheduler_now(w->sched);
    if (until <= now) return 0;
    if (!w->sched->virtual_clock) return until - now;
    tmlrt__store_relaxed(&w->sched->virtual_now, until);
    return 0;
}

/* Nothing is due ever; in a replay nothing comes from elsewhere, unless something is open there. */
static bool worker__is_stalled(tmlrt__worker_t *w) {
    tmlrt__chance_t *c = worker__chance(w);
    return c != NULL && tmlrt__load_relaxed(&c->outside) == 0;
}

/* Sleeps until there is something to do. False: there never will be. */
static bool worker__sleep(tmlrt__worker_t *w, tmlrt__atomic_u32 *done, int64_t deadline) {
    tmlrt__scheduler_t *s = w->sched;
    tmlrt__idle_park(&s->idle, w->index, w->searching);
    w->searching = false;
    tmlrt__scheduler_sleeping(s);
    bool again = tmlrt__scheduler_has_work(s, w) || tmlrt__load_seq(done) != 0;
    if (!again) {
        int64_t timeout = worker__timeout(w, deadline);
        if (timeout < 0 && worker__is_stalled(w)) {
            tmlrt__timers_awake(&w->timers);
            w->searching = !tmlrt__idle_unpark(&s->idle, w->index);
            return false;
        }
        w->dispatching = true;
        TMLRT__COUNT(w->count.parks, 1);
        uint32_t events = tmlrt__parker_park(&w->parker, timeout);
        tmlrt__timers_awake(&w->timers);
        TMLRT__COUNT(w->count.events, events);
    }
    w->searching = !tmlrt__idle_unpark(&s->idle, w->index);
    tmlrt__scheduler_wake_minder(s); /* also when we did not sleep: it may have seen our bit */
    if (again) {
        if (!w->searching) tmlrt__idle_search_again(&s->idle);
        w->searching = true;
        tmlrt__latch_relax(); /* what we saw may be a push that is half done, by who is not running */
        return true;
    }
    w->asked_at = tmlrt__scheduler_now(s);
    w->since_driver = 0;
    worker__expire(w, w->asked_at);
    worker__end_dispatch(w);
    return true;
}

/* ---- the loop ------------------------------------------------------------------------------- */

bool tmlrt__worker_run(tmlrt__worker_t *w, tmlrt__atomic_u32 *done, int64_t deadline) {
    bool goes_on = true;
    /* acquire: observes what was written before it was set; pairs [WK-1] */
    while (goes_on && tmlrt__load_acquire(done) == 0) {
        if (worker__driver_is_due(w)) {
            worker__ask(w, false);
            if (w->asked_at >= deadline) break; /* also while tasks never let us sleep */
        }
        tmlrt_task_t *task = worker__pick(w);
        if (task == NULL) task = worker__search(w);
        if (task != NULL) {
            worker__end_search(w);
            worker__run_task(w, task);
            if (tmlrt__host_forked(&w->sched->host)) return false; /* the rest is the parent's */
        } else {
            if (deadline != INT64_MAX && tmlrt__scheduler_now(w->sched) >= deadline) break;
            goes_on = worker__sleep(w, done, deadline);
        }
    }
    worker__end_search(w);
    return goes_on;
}

static size_t worker__ready(tmlrt__worker_t *w) {
    return tmlrt__deque_size_hint(&w->deque) + tmlrt__deque_size_hint(&w->fifo) + w->ready.n +
           tmlrt__scheduler_injected(w->sched) + tmlrt__load_relaxed(&w->pinned_count) +
           (tmlrt__load_relaxed(&w->next) != NULL);
}

uint64_t tmlrt__worker_run_ready(tmlrt__worker_t *w) {
    uint64_t before = tmlrt__load_relaxed(&w->count.polls);
    worker__ask(w, true); /* also takes the wake that made the handle readable */
    size_t ready = worker__ready(w);
    if (ready == 0 && w->sched->virtual_clock) {
        worker__timeout(w, INT64_MAX); /* the clock jumps */
        tmlrt__timers_awake(&w->timers);
        worker__ask(w, false);
        ready = worker__ready(w);
    }
    for (ready++; ready > 0; ready--) {
        tmlrt_task_t *task = worker__pick(w);
        if (task == NULL) break;
        worker__run_task(w, task);
        if (tmlrt__host_forked(&w->sched->host)) break;
    }
    return tmlrt__load_relaxed(&w->count.polls) - before;
}
