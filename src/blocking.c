/* SPDX-License-Identifier: MIT */
/*
 * blocking.c: see blocking.h.
 */
#include "blocking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"
#include "task.h"

#define BLOCKING__IDLE_NS INT64_C(10000000000)
#define BLOCKING__NAME    32 /* bytes; the system cuts it */

/* The state of a job's task. */
typedef struct blocking__job {
    tmlrt__list_t link; /* pool's latch: in a queue */
    tmlrt_task_t *task; /* constant: whose state this is */
    uint32_t      cls;  /* constant */
    void *(*fn)(void *);
    void *arg;
    void (*drop)(void *);
} blocking__job_t;

/* What a thread is told through its word. */
#define BLOCKING__WAIT 0u
#define BLOCKING__RUN  1u /* `job` is set */
#define BLOCKING__END  2u

typedef struct blocking__thread {
    tmlrt__list_t      link; /* pool's latch: idle or dead */
    tmlrt__blocking_t *pool;
    tmlrt__thread_t    thread; /* its maker; then who joins it */
    tmlrt_task_t      *job;    /* before RUN: who gives it; then the thread */
    tmlrt__atomic_u32  word;   /* futex; any thread, while the thread is idle or was just made */
} blocking__thread_t;

static blocking__job_t *blocking__job(tmlrt_task_t *task) {
    return tmlrt__task_state(task);
}

static blocking__thread_t *blocking__thread_of(tmlrt__list_t *node) {
    return TMLRT__CONTAINER_OF(node, blocking__thread_t, link);
}

/* ---- the task type ---------------------------------------------------------------------------- */

/* As of a fiber that returns: a scope that it did not join lies in frames that are gone. */
static void blocking__check_end(const tmlrt__current_t *cur, const tmlrt_task_t *task) {
    if (cur->scope == NULL) return;
    fprintf(stderr, "tmlrt: blocking job '%s' returned with a scope open\n", tmlrt_task_name(task));
    abort();
}

/* The job's one poll. It may block: it is no worker that runs it. */
static int32_t blocking__poll(void *state, tmlrt_cx_t *cx, void *result) {
    blocking__job_t  *j = state;
    tmlrt__current_t *cur = tmlrt__current();
    uint32_t          busy = cur->busy;
    (void)cx;
    cur->busy = 0;
    void *value = j->fn(j->arg);
    cur->busy = busy;
    blocking__check_end(cur, j->task);
    memcpy(result, &value, sizeof value);
    return TMLRT_READY;
}

static void blocking__drop(void *state) {
    blocking__job_t *j = state;
    if (j->drop != NULL) j->drop(j->arg);
}

static const tmlrt_task_type_t blocking__type = {
    .struct_size = sizeof(tmlrt_task_type_t),
    .name = "blocking",
    .state_size = sizeof(blocking__job_t),
    .state_align = _Alignof(blocking__job_t),
    .result_size = sizeof(void *),
    .result_align = _Alignof(void *),
    .poll = blocking__poll,
    .drop = blocking__drop,
};

/* ---- threads ----------------------------------------------------------------------------------- */

/* Latch held: the oldest job of a class that may have another thread, classes in turn; or NULL. */
static tmlrt_task_t *blocking__pick(tmlrt__blocking_t *b) {
    for (uint32_t i = 0; i < TMLRT__BLOCKING_CLASSES; i++) {
        uint32_t cls = (b->turn + i) % TMLRT__BLOCKING_CLASSES;
        if (b->active[cls] >= b->quota[cls]) continue;
        tmlrt__list_t *node = tmlrt__list_pop_front(&b->queue[cls]);
        if (node == NULL) continue;
        b->turn = cls + 1;
        b->active[cls]++;
        b->queued--;
        return TMLRT__CONTAINER_OF(node, blocking__job_t, link)->task;
    }
    return NULL;
}

/* Latch held: tells a thread that waits. Follow it by a futex_wake without the latch. */
static void blocking__tell(blocking__thread_t *t, tmlrt_task_t *job, uint32_t word) {
    t->job = job;
    /* release: publishes the job; pairs [BLK-1] */
    tmlrt__store_release(&t->word, word);
}

/* After a job of class `cls`: the next one, or NULL; then the thread counts as idle. */
static tmlrt_task_t *blocking__next(blocking__thread_t *t, uint32_t cls) {
    tmlrt__blocking_t *b = t->pool;
    tmlrt__latch_lock(&b->latch);
    b->active[cls]--;
    tmlrt_task_t *task = blocking__pick(b);
    if (task == NULL) {
        tmlrt__store_relaxed(&t->word, b->stop ? BLOCKING__END : BLOCKING__WAIT);
        if (!b->stop) tmlrt__list_push_front(&b->idle, &t->link);
    }
    tmlrt__latch_unlock(&b->latch);
    return task;
}

/* An idle thread has waited long enough: false when it was given something in this moment. */
static bool blocking__too_old(blocking__thread_t *t) {
    tmlrt__blocking_t *b = t->pool;
    tmlrt__latch_lock(&b->latch);
    /* With jobs queued somebody is at work on the room for them, and may want us. */
    bool old = tmlrt__list_is_linked(&t->link) && b->queued == 0;
    if (old) tmlrt__list_remove(&t->link);
    tmlrt__latch_unlock(&b->latch);
    return old;
}

/* True: there is a job; false: the thread is to end. */
static bool blocking__wait(blocking__thread_t *t) {
    int64_t  end = tmlrt__os_now() + t->pool->idle_ns;
    uint32_t word;
    /* acquire: observes the job; pairs [BLK-1] */
    while ((word = tmlrt__load_acquire(&t->word)) == BLOCKING__WAIT) {
        int64_t left = end - tmlrt__os_now();
        if (left > 0)
            tmlrt__futex_wait(&t->word, BLOCKING__WAIT, left);
        else if (blocking__too_old(t))
            return false;
        else
            end += t->pool->idle_ns;
    }
    return word == BLOCKING__RUN;
}

static void blocking__bury(tmlrt__list_t *dead, const tmlrt_allocator_t *mem) {
    tmlrt__list_t *node;
    while ((node = tmlrt__list_pop_front(dead)) != NULL) {
        blocking__thread_t *t = blocking__thread_of(node);
        tmlrt__thread_join(&t->thread);
        tmlrt__atomic_unmake(&t->word);
        tmlrt__mem_put(mem, t, sizeof *t, _Alignof(blocking__thread_t));
    }
}

/* The last thing that a thread does; it joins those that left before, so that few are unjoined. */
static void blocking__leave(blocking__thread_t *t) {
    tmlrt__blocking_t *b = t->pool;
    tmlrt__list_t      dead;
    tmlrt__list_init(&dead);
    tmlrt__latch_lock(&b->latch);
    tmlrt__list_splice_back(&dead, &b->dead);
    tmlrt__list_push_back(&b->dead, &t->link);
    b->threads--;
    b->live--;
    tmlrt__fetch_add_relaxed(&b->left, 1);
    tmlrt__latch_unlock(&b->latch);
    tmlrt__futex_wake(&b->left, 1);
    blocking__bury(&dead, &b->host->mem);
}

static void blocking__main(void *arg) {
    blocking__thread_t *t = arg;
    tmlrt__blocking_t  *b = t->pool;
    tmlrt__current()->host = b->host; /* what NULL means to the jobs */
    while (blocking__wait(t)) {
        for (tmlrt_task_t *task = t->job; task != NULL;) {
            uint32_t cls = blocking__job(task)->cls;
            tmlrt__task_run(task);
            task = blocking__next(t, cls);
        }
    }
    blocking__leave(t);
}

/* A thread that waits for its first job; NULL: it could not be made. */
static blocking__thread_t *blocking__make(tmlrt__blocking_t *b, uint32_t number) {
    const tmlrt_allocator_t *mem = &b->host->mem;
    blocking__thread_t      *t = tmlrt__mem_zero(mem, sizeof *t, _Alignof(blocking__thread_t));
    if (t == NULL) return NULL;
    char name[BLOCKING__NAME];
    snprintf(name, sizeof name, "%s-b%u", b->name, (unsigned)number);
    t->pool = b;
    tmlrt__atomic_make(&t->word, BLOCKING__WAIT);
    if (tmlrt__thread_create(&t->thread, blocking__main, t, name) == TMLRT_OK) return t;
    tmlrt__atomic_unmake(&t->word);
    tmlrt__mem_put(mem, t, sizeof *t, _Alignof(blocking__thread_t));
    return NULL;
}

/* ---- jobs -------------------------------------------------------------------------------------- */

/* Latch held: from here on the task is there for all to see. */
static void blocking__publish(tmlrt_task_t *task, tmlrt_task_t **handle) {
    tmlrt__store_relaxed(&task->waits_for, (void *)(uintptr_t) "a thread of the blocking pool");
    tmlrt__task_publish(task, handle);
}

/* Latch held, a thread and a place of the class reserved; gives the latch up while it makes the
 * thread. NULL: the reservations are taken back, and what they kept waiting has been served. */
static blocking__thread_t *blocking__grow(tmlrt__blocking_t *b, uint32_t cls) {
    uint32_t            number = b->named++;
    blocking__thread_t *other = NULL;
    b->threads++;
    b->active[cls]++;
    b->making++;
    tmlrt__latch_unlock(&b->latch);
    blocking__thread_t *t = blocking__make(b, number);
    tmlrt__latch_lock(&b->latch);
    b->making--;
    tmlrt__fetch_add_relaxed(&b->left, 1);
    if (t != NULL) {
        b->live++; /* it waits for what we give it, so it has not left yet */
        return t;
    }
    b->threads--;
    b->active[cls]--;
    tmlrt_task_t *task = tmlrt__list_is_empty(&b->idle) ? NULL : blocking__pick(b);
    if (task != NULL) {
        other = blocking__thread_of(tmlrt__list_pop_front(&b->idle));
        blocking__tell(other, task, BLOCKING__RUN);
        tmlrt__futex_wake(&other->word, 1); /* under the latch, this once */
    }
    return NULL;
}

/* Latch held: an idle thread with a place of the class reserved, or NULL. */
static blocking__thread_t *blocking__take_idle(tmlrt__blocking_t *b, uint32_t cls) {
    if (b->active[cls] >= b->quota[cls] || tmlrt__list_is_empty(&b->idle)) return NULL;
    b->active[cls]++;
    return blocking__thread_of(tmlrt__list_pop_front(&b->idle));
}

/* Latch held, given up meanwhile: a thread for a job of the class, old or new; NULL: none now. What
 * is queued needs a thread that will look there, so the making of the first one is waited for. */
static blocking__thread_t *blocking__take(tmlrt__blocking_t *b, uint32_t cls, bool *made) {
    for (;;) {
        blocking__thread_t *t = blocking__take_idle(b, cls);
        if (t != NULL) return t;
        if (!*made && b->active[cls] < b->quota[cls] && b->threads < b->threads_max) {
            *made = true;
            t = blocking__grow(b, cls);
            if (t != NULL) return t;
        } else if (b->live == 0 && b->making != 0) {
            uint32_t seen = tmlrt__load_relaxed(&b->left);
            tmlrt__latch_unlock(&b->latch);
            tmlrt__futex_wait(&b->left, seen, -1);
            tmlrt__latch_lock(&b->latch);
        } else {
            return NULL;
        }
    }
}

/* Gives the task to a thread or puts it in its queue. EAGAIN: neither could be. */
static int blocking__submit(tmlrt__blocking_t *b, tmlrt_task_t *task, tmlrt_task_t **handle) {
    blocking__job_t *j = blocking__job(task);
    bool             made = false;
    tmlrt__latch_lock(&b->latch);
    blocking__thread_t *t = blocking__take(b, j->cls, &made);
    bool                fits = t != NULL || (b->live != 0 && b->queued < b->queue_max);
    if (fits) blocking__publish(task, handle);
    if (t != NULL) {
        blocking__tell(t, task, BLOCKING__RUN);
    } else if (fits) {
        tmlrt__list_push_back(&b->queue[j->cls], &j->link);
        b->queued++;
    }
    tmlrt__latch_unlock(&b->latch);
    /* From here on all may be gone, the pool, too: a wake needs but the address. */
    if (t != NULL) tmlrt__futex_wake(&t->word, 1);
    if (made) tmlrt__futex_wake(&b->left, INT32_MAX);
    return fits ? TMLRT_OK : TMLRT_EAGAIN;
}

bool tmlrt__blocking_withdraw(tmlrt__blocking_t *b, tmlrt_task_t *task) {
    blocking__job_t *j = blocking__job(task);
    tmlrt__latch_lock(&b->latch);
    bool queued = tmlrt__list_is_linked(&j->link);
    if (queued) {
        tmlrt__list_remove(&j->link);
        b->queued--;
    }
    tmlrt__latch_unlock(&b->latch);
    return queued;
}

int tmlrt__blocking_spawn(tmlrt__host_t *host, void *(*fn)(void *), void *arg, void (*drop)(void *),
                          uint32_t cls, const tmlrt_task_options_t *options, tmlrt_task_t **out) {
    tmlrt_task_t *task;
    if (fn == NULL || cls >= TMLRT__BLOCKING_CLASSES) return TMLRT_EINVAL;
    if (host != NULL && host->blocking->go != NULL)
        return host->blocking->go(host, fn, arg, drop, options, out);
    int e = tmlrt__task_create(host, &blocking__type, options, true, &task);
    if (e != TMLRT_OK) return e;
    task->flags |= TMLRT__TASK_BLOCKING;
    *blocking__job(task) =
        (blocking__job_t){.task = task, .cls = cls, .fn = fn, .arg = arg, .drop = drop};
    e = tmlrt__task_enter(task, out != NULL);
    if (e != TMLRT_OK) return e;
    e = (task->flags & TMLRT_TASK_PINNED) != 0 ? TMLRT_EINVAL
                                               : blocking__submit(host->blocking, task, out);
    if (e != TMLRT_OK) tmlrt__task_undo(task, out != NULL);
    return e;
}

int tmlrt_spawn_blocking(tmlrt_runtime_t *rt, void *(*fn)(void *arg), void *arg,
                         uint32_t blocking_class, const tmlrt_task_options_t *options,
                         tmlrt_task_t **task) {
    tmlrt__host_t *host = tmlrt__host_or_current((tmlrt__host_t *)(void *)rt);
    return tmlrt__blocking_spawn(host, fn, arg, NULL, blocking_class, options, task);
}

/* ---- life -------------------------------------------------------------------------------------- */

void tmlrt__blocking_init(tmlrt__blocking_t *b, tmlrt__host_t *host, const char *name,
                          uint32_t threads, uint32_t queue) {
    b->host = host;
    b->name = name;
    b->threads_max = threads;
    b->queue_max = queue;
    b->quota[TMLRT_BLOCKING_GENERAL] = threads - threads / 4;
    b->quota[TMLRT_BLOCKING_FILE] = threads - threads / 2;
    b->quota[TMLRT_BLOCKING_NAMES] = threads / 4 + (threads % 4 != 0);
    b->idle_ns = BLOCKING__IDLE_NS;
    for (uint32_t i = 0; i < TMLRT__BLOCKING_CLASSES; i++)
        tmlrt__list_init(&b->queue[i]);
    tmlrt__list_init(&b->idle);
    tmlrt__list_init(&b->dead);
}

void tmlrt__blocking_end(tmlrt__blocking_t *b) {
    tmlrt__list_t *node;
    bool           gone;
    tmlrt__latch_lock(&b->latch);
    b->stop = true;
    while ((node = tmlrt__list_pop_front(&b->idle)) != NULL) {
        blocking__thread_t *t = blocking__thread_of(node);
        blocking__tell(t, NULL, BLOCKING__END);
        tmlrt__futex_wake(&t->word, 1); /* nobody is kept waiting by the latch any more */
    }
    do {
        uint32_t seen = tmlrt__load_relaxed(&b->left);
        gone = b->threads == 0 && b->making == 0;
        tmlrt__latch_unlock(&b->latch);
        if (!gone) tmlrt__futex_wait(&b->left, seen, -1);
        tmlrt__latch_lock(&b->latch);
    } while (!gone);
    tmlrt__latch_unlock(&b->latch);
    blocking__bury(&b->dead, &b->host->mem);
}
