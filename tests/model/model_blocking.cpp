/* SPDX-License-Identifier: MIT */
// sources: blocking.c
// tags: BLK-1
/*
 * model_blocking.cpp: the shipping blocking pool under Relacy: how jobs are handed to threads that
 * are made, are idle, or are about to be, and how the pool ends. Two threads from outside spawn
 * jobs; others stand for the threads that the pool makes, of which there may be fewer than it wants.
 * Each job that was taken runs once and sees what its spawner wrote; nobody sleeps for ever; the end
 * comes after every thread has left. A task here is no more than a job.
 */
#include "blocking.h"
#include "os.h"
#include "task.h"

#include "model_common.h"

enum { SPAWNERS = 2, MADE = 2, JOBS = 4, THREADS = SPAWNERS + MADE, STATE = 256 };

struct model_job {
    tmlrt_task_t task; /* first */
    uint64_t     state[STATE / 8];
    int          runs, taken; /* by who spawns it, and who runs it */
    TMLRT__VAR(int) written;  /* by who spawns it; who runs it reads and writes it */
};

static model_job         *model_jobs; /* of the suite that runs */
static tmlrt__atomic_u32 *model_ended, *model_next;
static model_waiters     *model_sleepers; /* of the pool's futexes: who is woken looks again */
static model_waiters     *model_others;   /* of the model's own words */
static uint32_t           model_most;     /* threads that can be made */
static tmlrt__current_t   model_current[THREADS];

static struct {
    void (*fn)(void *);
    void *arg;
} model_made[MADE];
static tmlrt__atomic_u32 *model_begun, *model_over; /* of each thread made */

tmlrt__current_t *tmlrt__current(void) {
    return &model_current[rl::ctx().threadx_->index_];
}

/* ---- what blocking.c calls ---- */

void *tmlrt__mem_zero(const tmlrt_allocator_t *, size_t size, size_t) {
    return memset((::malloc)(size), 0, size);
}
void tmlrt__mem_put(const tmlrt_allocator_t *, void *p, size_t, size_t) {
    (::free)(p);
}
int64_t tmlrt__os_now(void) {
    return 0;
}
extern "C" const char *tmlrt_task_name(const tmlrt_task_t *) {
    return "job";
}
void tmlrt__futex_wait(tmlrt__atomic_u32 *word, uint32_t expected, int64_t) {
    model_futex_wait(model_sleepers, word, expected);
}
void tmlrt__futex_wake(tmlrt__atomic_u32 *, uint32_t) {
    model_sleepers->wake_all();
}

int tmlrt__thread_create(tmlrt__thread_t *t, void (*fn)(void *), void *arg, const char *) {
    uint32_t i = tmlrt__fetch_add_relaxed(model_next, 1);
    if (i >= model_most) return TMLRT_EAGAIN;
    model_made[i].fn = fn;
    model_made[i].arg = arg;
    t->handle = i + 1;
    tmlrt__store_release(&model_begun[i], 1); /* as every system's does */
    model_others->wake_all();
    return TMLRT_OK;
}

void tmlrt__thread_join(tmlrt__thread_t *t) {
    while (tmlrt__load_acquire(&model_over[t->handle - 1]) == 0)
        model_futex_wait(model_others, &model_over[t->handle - 1], (uint32_t)0);
}

int tmlrt__task_create(tmlrt__host_t *host, const tmlrt_task_type_t *type,
                       const tmlrt_task_options_t *options, bool, tmlrt_task_t **out) {
    tmlrt_task_t *task = (tmlrt_task_t *)(void *)options; /* which one it shall be */
    task->type = type;
    task->host = host;
    task->flags = 0;
    *out = task;
    return TMLRT_OK;
}
int tmlrt__task_enter(tmlrt_task_t *, bool) {
    return TMLRT_OK;
}
void tmlrt__task_undo(tmlrt_task_t *, bool) {}
void tmlrt__task_publish(tmlrt_task_t *task, tmlrt_task_t **handle) {
    if (handle != NULL) *handle = task;
    tmlrt__state_init_started(&task->state, handle != NULL);
}
void *tmlrt__task_state(tmlrt_task_t *task) {
    return ((model_job *)task)->state;
}
void *tmlrt__task_result(tmlrt_task_t *) {
    abort();
}
tmlrt__host_t *tmlrt__host_or_current(tmlrt__host_t *host) {
    return host;
}
void tmlrt__state_init_started(tmlrt__task_state_t *, bool) {}

tmlrt__run_t tmlrt__task_run(tmlrt_task_t *task) {
    void *value;
    task->type->poll(tmlrt__task_state(task), NULL, &value);
    tmlrt__fetch_add_release(model_ended, 1);
    model_others->wake_all();
    return TMLRT__RUN_ENDED;
}

static void *job_runs(void *arg) {
    model_job *j = (model_job *)arg;
    RL_ASSERT(tmlrt__var_get(&j->written) == 1);
    tmlrt__var_set(&j->written, 2);
    RL_ASSERT(++j->runs == 1);
    return NULL;
}

/* ---- the suites ---- */

/* narrow: all jobs but the first are of a class that may have one thread. */
template <typename derived, int most, int limit, bool narrow>
struct pool_suite : rl::test_suite<derived, THREADS> {
    tmlrt__host_t     host;
    tmlrt__blocking_t pool;
    model_job         job[JOBS];
    tmlrt__atomic_u32 ended, next, begun[MADE], over[MADE], spawned;
    model_waiters     sleepers, others;

    void before() {
        model_jobs = job;
        model_ended = &ended;
        model_next = &next;
        model_begun = begun;
        model_over = over;
        model_sleepers = &sleepers;
        model_others = &others;
        model_most = most;
        tmlrt__store_relaxed(&ended, 0);
        tmlrt__store_relaxed(&next, 0);
        tmlrt__store_relaxed(&spawned, 0);
        for (int i = 0; i < MADE; i++) {
            tmlrt__store_relaxed(&begun[i], 0);
            tmlrt__store_relaxed(&over[i], 0);
        }
        for (int i = 0; i < JOBS; i++) {
            job[i].runs = job[i].taken = 0;
            tmlrt__var_set(&job[i].written, 0);
            tmlrt__store_relaxed(&job[i].task.waits_for, NULL);
        }
        memset(model_current, 0, sizeof model_current);
        host.blocking = &pool;
        tmlrt__store_relaxed(&pool.latch.held, 0);
        tmlrt__store_relaxed(&pool.left, 0);
        for (uint32_t i = 0; i < TMLRT__BLOCKING_CLASSES; i++)
            pool.active[i] = 0;
        pool.queued = pool.turn = pool.threads = pool.live = pool.making = pool.named = 0;
        pool.stop = false;
        tmlrt__blocking_init(&pool, &host, "model", limit, 8);
        pool.quota[TMLRT_BLOCKING_GENERAL] = limit;
        pool.quota[TMLRT_BLOCKING_NAMES] = 1;
    }

    void spawn(int i) {
        tmlrt__var_set(&job[i].written, 1);
        uint32_t cls = narrow && i != 0 ? TMLRT_BLOCKING_NAMES : TMLRT_BLOCKING_GENERAL;
        int      e = tmlrt__blocking_spawn(&host, job_runs, &job[i], NULL, cls,
                                           (tmlrt_task_options_t *)(void *)&job[i].task, NULL);
        job[i].taken = e == TMLRT_OK;
        RL_ASSERT(job[i].taken || most == 0);
        if (!job[i].taken) tmlrt__fetch_add_release(&ended, 1);
    }

    /* Waits until a word has reached `n`. */
    void reach(tmlrt__atomic_u32 *word, uint32_t n) {
        uint32_t w;
        while ((w = tmlrt__load_acquire(word)) < n)
            model_futex_wait(&others, word, w);
    }

    void outside(unsigned i) {
        spawn(2 * i);
        spawn(2 * i + 1);
        tmlrt__fetch_add_release(&spawned, 1);
        others.wake_all();
        if (i != 0) return;
        reach(&spawned, SPAWNERS); /* nobody is in the pool any more, and the jobs are over */
        reach(&ended, JOBS);
        tmlrt__blocking_end(&pool);
        RL_ASSERT(pool.threads == 0 && pool.live == 0 && pool.queued == 0);
        for (int k = 0; k < MADE; k++)
            if (tmlrt__load_relaxed(&begun[k]) == 0) tmlrt__store_release(&begun[k], 2);
        others.wake_all();
    }

    void thread(unsigned i) {
        if (i < SPAWNERS) {
            outside(i);
            return;
        }
        i -= SPAWNERS;
        reach(&begun[i], 1);
        if (tmlrt__load_acquire(&begun[i]) == 2) return; /* it was not needed */
        model_made[i].fn(model_made[i].arg);
        tmlrt__store_release(&over[i], 1);
        others.wake_all();
    }

    void after() {
        for (int i = 0; i < JOBS; i++)
            RL_ASSERT(job[i].runs == job[i].taken);
    }
};

struct two_threads : pool_suite<two_threads, 2, 2, false> {};
struct one_thread : pool_suite<one_thread, 2, 1, false> {};
/* The second one cannot be made: what it was for is served by the first. */
struct one_fails : pool_suite<one_fails, 1, 2, false> {};
struct one_of_a_class_fails : pool_suite<one_of_a_class_fails, 1, 2, true> {};
struct all_fail : pool_suite<all_fail, 0, 2, false> {};

int main(int argc, char **argv) {
    rl::iteration_t n = model_iterations(argc, argv);
    return holds<two_threads>(n) && holds<one_thread>(n) && holds<one_fails>(n) &&
                   holds<one_of_a_class_fails>(n) && holds<all_fail>(n)
               ? 0
               : 1;
}
