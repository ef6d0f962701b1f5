/* SPDX-License-Identifier: MIT */
/*
 * straight.c: straight-line code on fibers: spawn and join, channels, oneshot, broadcast, mutex,
 * semaphore, the blocking pool, and what an idle fiber keeps.
 */
#include <stdatomic.h>

#include "work.h"

typedef struct {
    const peer_args_t *a;
    long               n;       /* operations of the whole work */
    int                actors;  /* fibers that do the same thing */
    int64_t            checked; /* what the work computed */
    tmlrt_chan_t      *chan;
    tmlrt_broadcast_t *broadcast;
    tmlrt_mutex_t      mutex;
    tmlrt_semaphore_t  sem;
    int64_t            counter; /* under the mutex */
} straight_t;

static tmlrt_task_t *straight_go(tmlrt_fiber_fn fn, void *arg) {
    tmlrt_task_t *task;
    work_check(tmlrt_go(NULL, fn, arg, NULL, &task), "go");
    return task;
}

static void *straight_join(tmlrt_task_t *task) {
    void *result = NULL;
    work_check(tmlrt_join(task, &result), "join");
    tmlrt_task_release(task);
    return result;
}

/* Starts `actors` fibers of fn and waits for all. */
static void straight_crew(straight_t *s, tmlrt_fiber_fn fn) {
    tmlrt_task_t *task[16];
    for (int i = 0; i < s->actors; i++)
        task[i] = straight_go(fn, s);
    for (int i = 0; i < s->actors; i++)
        straight_join(task[i]);
}

/* ---- spawn ---------------------------------------------------------------------------------- */

static void *nothing(void *arg) {
    return arg;
}

static void *spawn_all(void *arg) {
    straight_t    *s = arg;
    tmlrt_task_t **task = malloc((size_t)s->n * sizeof(tmlrt_task_t *));
    if (task == NULL) peer_die("memory");
    for (long i = 0; i < s->n; i++)
        task[i] = straight_go(nothing, NULL);
    for (long i = 0; i < s->n; i++)
        straight_join(task[i]);
    free(task);
    return NULL;
}

static void *spawn_each(void *arg) {
    straight_t *s = arg;
    for (long i = 0; i < s->n; i++)
        straight_join(straight_go(nothing, NULL));
    return NULL;
}

/* ---- channels ------------------------------------------------------------------------------- */

static void *sends(void *arg) {
    straight_t *s = arg;
    for (int64_t i = 0; i < s->n / s->actors; i++)
        work_check(tmlrt_chan_send(s->chan, &i), "send");
    return NULL;
}

static void *receives(void *arg) {
    straight_t *s = arg;
    int64_t     item, sum = 0;
    for (long i = 0; i < s->n / s->actors * s->actors; i++) {
        work_check(tmlrt_chan_recv(s->chan, &item), "recv");
        sum += item;
    }
    s->checked = sum;
    return NULL;
}

static void *channel(void *arg) {
    straight_t *s = arg;
    work_check(tmlrt_chan_create(&s->chan, sizeof(int64_t), 1024), "channel");
    tmlrt_task_t *receiver = straight_go(receives, s);
    straight_crew(s, sends);
    straight_join(receiver);
    tmlrt_chan_release(s->chan);
    long each = s->n / s->actors;
    if (s->checked != (int64_t)s->actors * each * (each - 1) / 2) peer_die("chan: wrong sum");
    return NULL;
}

static void *oneshot(void *arg) {
    straight_t *s = arg;
    int64_t     sum = 0, item;
    for (int64_t i = 0; i < s->n; i++) {
        tmlrt_oneshot_t *one;
        work_check(tmlrt_oneshot_create(&one, sizeof item), "oneshot");
        work_check(tmlrt_oneshot_send(one, &i), "send");
        work_check(tmlrt_oneshot_recv(one, &item), "recv");
        tmlrt_oneshot_release(one);
        sum += item;
    }
    if (sum != (int64_t)s->n * (s->n - 1) / 2) peer_die("oneshot: wrong sum");
    return NULL;
}

enum { LISTENERS = 4, ROUND = 512 };

static void *listens(void *arg) {
    straight_t           *s = arg;
    tmlrt_subscription_t *sub;
    int64_t               item;
    work_check(tmlrt_broadcast_subscribe(s->broadcast, &sub), "subscribe");
    work_check(tmlrt_semaphore_release(&s->sem, 1), "release"); /* it listens */
    for (long i = 1; i <= s->n / ROUND * ROUND; i++) {
        if (tmlrt_broadcast_recv(sub, &item) != 0) peer_die("broadcast: lag or error");
        if (i % ROUND == 0) work_check(tmlrt_semaphore_release(&s->sem, 1), "release");
    }
    tmlrt_subscription_release(sub);
    return NULL;
}

/* In rounds, so that nobody lags: the figures are of delivery, not of loss. */
static void *broadcasts(void *arg) {
    straight_t   *s = arg;
    tmlrt_task_t *task[LISTENERS];
    work_check(tmlrt_broadcast_create(&s->broadcast, sizeof(int64_t), 1024), "broadcast");
    work_check(tmlrt_semaphore_init(&s->sem, 0), "semaphore");
    for (int i = 0; i < LISTENERS; i++)
        task[i] = straight_go(listens, s);
    for (int64_t i = 0; i < s->n / ROUND * ROUND; i++) {
        if (i % ROUND == 0) work_check(tmlrt_semaphore_acquire(&s->sem, LISTENERS), "acquire");
        work_check(tmlrt_broadcast_send(s->broadcast, &i), "send");
    }
    for (int i = 0; i < LISTENERS; i++)
        straight_join(task[i]);
    tmlrt_broadcast_release(s->broadcast);
    return NULL;
}

/* ---- mutex and semaphore --------------------------------------------------------------------- */

static void *locks(void *arg) {
    straight_t *s = arg;
    for (long i = 0; i < s->n / s->actors; i++) {
        work_check(tmlrt_mutex_lock(&s->mutex), "lock");
        s->counter++;
        work_check(tmlrt_mutex_unlock(&s->mutex), "unlock");
    }
    return NULL;
}

static void *mutex(void *arg) {
    straight_t *s = arg;
    s->counter = 0;
    straight_crew(s, locks);
    if (s->counter != s->n / s->actors * s->actors) peer_die("mutex: lost count");
    return NULL;
}

static void *acquires(void *arg) {
    straight_t *s = arg;
    for (long i = 0; i < s->n / s->actors; i++) {
        work_check(tmlrt_semaphore_acquire(&s->sem, 1), "acquire");
        work_check(tmlrt_semaphore_release(&s->sem, 1), "release");
    }
    return NULL;
}

static void *semaphore(void *arg) {
    straight_t *s = arg;
    work_check(tmlrt_semaphore_init(&s->sem, 2), "semaphore");
    straight_crew(s, acquires);
    if (tmlrt_semaphore_permits(&s->sem) != 2) peer_die("semaphore: lost a permit");
    return NULL;
}

/* ---- blocking pool and yield ------------------------------------------------------------------ */

static void *blocking(void *arg) {
    straight_t *s = arg;
    for (long i = 0; i < s->n; i++) {
        tmlrt_task_t *task;
        work_check(tmlrt_spawn_blocking(NULL, nothing, NULL, TMLRT_BLOCKING_GENERAL, NULL, &task),
                   "spawn_blocking");
        straight_join(task);
    }
    return NULL;
}

static void *yields(void *arg) {
    straight_t *s = arg;
    for (long i = 0; i < s->n; i++)
        work_check(tmlrt_yield(), "yield");
    return NULL;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static _Atomic long idle_started;

static void *idles(void *arg) {
    (void)arg;
    atomic_fetch_add_explicit(&idle_started, 1, memory_order_relaxed);
    tmlrt_sleep(1000 * TMLRT_S);
    return NULL;
}

static void idle_add(tmlrt_runtime_t *rt, long n) {
    long want = atomic_load(&idle_started) + n;
    for (long i = 0; i < n; i++)
        work_check(tmlrt_go(rt, idles, NULL, NULL, NULL), "go");
    while (atomic_load(&idle_started) < want)
        peer_sleep(10000000);
    peer_sleep(50000000);
}

void work_memory_fiber(const peer_args_t *a) {
    tmlrt_runtime_t *rt = work_runtime(a);
    long             n = work_n(a, 20000);
    idle_add(rt, 100);
    int64_t before = peer_resident();
    idle_add(rt, n);
    peer_emit(a, a->work, (double)(peer_resident() - before) / (double)n, "bytes");
    (void)tmlrt_runtime_shutdown(rt, 0, NULL);
    work_end(rt);
}

/* ---- which ---------------------------------------------------------------------------------- */

static const struct {
    const char    *work;
    tmlrt_fiber_fn root;
    long           n;
    int            actors;
} straight_works[] = {
    {"fiber_spawn", spawn_all, 1000000, 1}, {"fiber_spawn_one", spawn_each, 1000000, 1},
    {"fiber_yield", yields, 1000000, 1},    {"chan1", channel, 2000000, 1},
    {"chan4", channel, 2000000, 4},         {"oneshot", oneshot, 1000000, 1},
    {"broadcast", broadcasts, 500000, 1},   {"mutex1", mutex, 2000000, 1},
    {"mutex4", mutex, 2000000, 4},          {"semaphore1", semaphore, 2000000, 1},
    {"semaphore4", semaphore, 1000000, 4},  {"blocking", blocking, 50000, 1},
};

int work_straight(const peer_args_t *a) {
    for (size_t i = 0; i < sizeof straight_works / sizeof *straight_works; i++) {
        if (strcmp(a->work, straight_works[i].work) != 0) continue;
        straight_t s = {.a = a, .n = work_n(a, straight_works[i].n)};
        s.actors = straight_works[i].actors;
        tmlrt_runtime_t *rt = work_runtime(a);
        int64_t          took = 0;
        for (int round = a->warm != 0 ? 0 : 1; round < 2; round++) {
            tmlrt_task_t *root;
            int64_t       t0 = peer_now();
            work_check(tmlrt_go(rt, straight_works[i].root, &s, NULL, &root), "go");
            straight_join(root);
            took = peer_now() - t0;
        }
        peer_emit(a, a->work, (double)took / (double)s.n, "ns");
        work_end(rt);
        return 1;
    }
    return 0;
}
