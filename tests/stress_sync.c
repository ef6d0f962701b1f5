/* SPDX-License-Identifier: MIT */
/*
 * stress_sync.c: threads, fibers and stackless tasks use the same mutex, rwlock, semaphore and
 * channels at random, with deadlines, cancels, selects and aborted tasks in between. An oracle
 * counts: nobody is inside a lock with another, no permit and no item is lost or comes twice, and
 * a receiver sees the items of each sender in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/unit.h"

enum { PERMITS = 4, CHANNELS = 3, ACTORS = 24 };

typedef struct world {
    tmlrt_mutex_t     mutex;
    tmlrt_rwlock_t    rwlock;
    tmlrt_semaphore_t sem;
    tmlrt_chan_t     *ch[CHANNELS];
    atomic_int        in_mutex, writers, readers, permits_out;
    atomic_llong      sent, received, sent_sum, received_sum;
    int               steps;
    atomic_int        next_actor;
} world_t;

/* What an item says: who sent it, to which channel, as its which one. */
typedef struct item {
    uint32_t actor, number;
} item_t;

/* One user of the world. Each keeps, for each channel, the newest number seen of each sender. */
typedef struct actor {
    world_t    *w;
    random_t    random;
    uint32_t    id, number[CHANNELS];
    uint32_t    seen[CHANNELS][ACTORS];
    tmlrt_op_t  op[4], any;
    tmlrt_op_t *ops[4];
    item_t      in[CHANNELS], out;
    int         step, channel, action;
    bool        cancel;
} actor_t;

static void actor_init(actor_t *a, world_t *w) {
    memset(a, 0, sizeof *a);
    a->w = w;
    a->id = (uint32_t)atomic_fetch_add(&w->next_actor, 1);
    require(a->id < ACTORS);
    random_seed(&a->random, test_seed() + a->id);
}

/* ---- the oracle ---------------------------------------------------------------------------- */

static void in_mutex(actor_t *a) {
    require(atomic_fetch_add(&a->w->in_mutex, 1) == 0);
    require(atomic_fetch_sub(&a->w->in_mutex, 1) == 1);
    require(tmlrt_mutex_unlock(&a->w->mutex) == TMLRT_OK);
}

static void in_read(actor_t *a) {
    atomic_fetch_add(&a->w->readers, 1);
    require(atomic_load(&a->w->writers) == 0);
    atomic_fetch_sub(&a->w->readers, 1);
    require(tmlrt_rwlock_unlock(&a->w->rwlock) == TMLRT_OK);
}

static void in_write(actor_t *a) {
    require(atomic_fetch_add(&a->w->writers, 1) == 0);
    require(atomic_load(&a->w->readers) == 0);
    atomic_fetch_sub(&a->w->writers, 1);
    require(tmlrt_rwlock_unlock(&a->w->rwlock) == TMLRT_OK);
}

static void with_permits(actor_t *a, int n) {
    require(atomic_fetch_add(&a->w->permits_out, n) + n <= PERMITS);
    atomic_fetch_sub(&a->w->permits_out, n);
    require(tmlrt_semaphore_release(&a->w->sem, n) == TMLRT_OK);
}

static void make_item(actor_t *a, int c) {
    a->out = (item_t){a->id, a->number[c] + 1};
}

static void item_sent(actor_t *a, int c) {
    a->number[c]++;
    atomic_fetch_add(&a->w->sent, 1);
    atomic_fetch_add(&a->w->sent_sum, a->out.actor * 1000003LL + a->out.number);
}

static void item_received(actor_t *a, int c) {
    item_t got = a->in[c];
    require(got.actor < ACTORS && got.number > a->seen[c][got.actor]);
    a->seen[c][got.actor] = got.number;
    atomic_fetch_add(&a->w->received, 1);
    atomic_fetch_add(&a->w->received_sum, got.actor * 1000003LL + got.number);
}

/* ---- what an actor does -------------------------------------------------------------------- */

enum { LOCK, READ, WRITE, ACQUIRE, SEND, RECV, SELECT, ACTIONS };

static void prepare(actor_t *a) {
    world_t *w = a->w;
    int      c = a->channel = (int)random_below(&a->random, CHANNELS);
    a->action = (int)random_below(&a->random, ACTIONS);
    make_item(a, c);
    switch (a->action) {
    case LOCK: tmlrt_op_lock(&a->any, &w->mutex); break;
    case READ: tmlrt_op_read_lock(&a->any, &w->rwlock); break;
    case WRITE: tmlrt_op_write_lock(&a->any, &w->rwlock); break;
    case ACQUIRE: tmlrt_op_acquire(&a->any, &w->sem, c + 1); break;
    case SEND: tmlrt_op_send(&a->any, w->ch[c], &a->out); break;
    case RECV: tmlrt_op_recv(&a->any, w->ch[c], &a->in[c]); break;
    default:
        for (int i = 0; i < 4; i++)
            a->ops[i] = &a->op[i];
        tmlrt_op_recv(&a->op[0], w->ch[(c + 1) % CHANNELS], &a->in[(c + 1) % CHANNELS]);
        tmlrt_op_send(&a->op[1], w->ch[c], &a->out);
        tmlrt_op_lock(&a->op[2], &w->mutex);
        tmlrt_op_acquire(&a->op[3], &w->sem, 2);
        tmlrt_op_any(&a->any, a->ops, 4);
        break;
    }
    /* Nobody may wait for ever: all the others may have ended. */
    int64_t ns = random_below(&a->random, 4) == 0 ? 0 : 20000 + random_below(&a->random, 300000);
    require(tmlrt_op_deadline(&a->any, tmlrt_now(NULL) + ns) == TMLRT_OK);
    a->cancel = random_below(&a->random, 8) == 0;
}

static void check_select(actor_t *a) {
    int won = 0;
    for (int i = 0; i < 4; i++) {
        int64_t r = tmlrt_op_result(&a->op[i]);
        require(r == TMLRT_OK || r == TMLRT_ECANCELED || r == TMLRT_EAGAIN);
        if (r != TMLRT_OK) continue;
        won++;
        if (i == 0) item_received(a, (a->channel + 1) % CHANNELS);
        if (i == 1) item_sent(a, a->channel);
        if (i == 2) in_mutex(a);
        if (i == 3) with_permits(a, 2);
    }
    require(won <= 1);
}

static void check(actor_t *a) {
    int64_t r = tmlrt_op_result(&a->any);
    if (a->action == SELECT) {
        check_select(a);
        return;
    }
    require(r == TMLRT_OK || r == TMLRT_ETIMEDOUT || r == TMLRT_ECANCELED);
    if (r != TMLRT_OK) return;
    switch (a->action) {
    case LOCK: in_mutex(a); break;
    case READ: in_read(a); break;
    case WRITE: in_write(a); break;
    case ACQUIRE: with_permits(a, a->channel + 1); break;
    case SEND: item_sent(a, a->channel); break;
    default: item_received(a, a->channel); break;
    }
}

static void act_by_awaits(actor_t *a) {
    for (int i = 0; i < a->w->steps; i++) {
        prepare(a);
        require(tmlrt_op_await(&a->any) == TMLRT_OK);
        check(a);
    }
}

static void *fiber_actor(void *arg) {
    actor_t *a = malloc(sizeof *a);
    require(a != NULL);
    actor_init(a, arg);
    act_by_awaits(a);
    free(a);
    return NULL;
}

static void thread_actor(void *arg, int i) {
    (void)i;
    fiber_actor(arg);
}

/* A stackless task also cancels its operation by hand, some polls after the start. */
static int32_t task_poll(void *state, tmlrt_cx_t *cx, void *result) {
    actor_t *a = state;
    (void)result;
    for (; a->step < a->w->steps; a->step++) {
        if (a->action < 0) {
            prepare(a);
            if (tmlrt_op_poll(&a->any, cx) != TMLRT_READY) {
                if (!a->cancel) return TMLRT_PENDING;
                cx->waker->vtable->wake_by_ref(cx->waker->data);
                return TMLRT_PENDING;
            }
        }
        if (a->cancel) require(tmlrt_op_cancel(&a->any) == TMLRT_OK);
        a->cancel = false;
        if (tmlrt_op_poll(&a->any, cx) != TMLRT_READY) return TMLRT_PENDING;
        check(a);
        a->action = -1;
    }
    return TMLRT_READY;
}

static const tmlrt_task_type_t task_type = {.struct_size = sizeof(tmlrt_task_type_t),
                                            .name = "actor",
                                            .state_size = sizeof(actor_t),
                                            .poll = task_poll};

static tmlrt_task_t *task_actor(tmlrt_runtime_t *rt, world_t *w) {
    tmlrt_task_t *task;
    require(tmlrt_task_new(rt, &task_type, NULL, &task) == TMLRT_OK);
    actor_t *a = tmlrt_task_state(task);
    actor_init(a, w);
    a->action = -1;
    require(tmlrt_task_start(task) == TMLRT_OK);
    return task;
}

/* Waits for everything and is aborted in the middle of it. */
static void *bystander(void *arg) {
    world_t *w = arg;
    while (tmlrt_semaphore_acquire(&w->sem, 3) == TMLRT_OK)
        require(tmlrt_semaphore_release(&w->sem, 3) == TMLRT_OK);
    return NULL;
}

static void nothing_is_lost(void **state) {
    (void)state;
    static const size_t capacity[CHANNELS] = {1, 5, TMLRT_CHAN_UNBOUNDED};
    enum { FIBERS = 4, TASKS = 4, THREADS = 3 };
    world_t w;
    memset(&w, 0, sizeof w);
    w.steps = scaled(20000);
    assert_int_equal(tmlrt_semaphore_init(&w.sem, PERMITS), TMLRT_OK);
    for (int c = 0; c < CHANNELS; c++)
        assert_int_equal(tmlrt_chan_create(&w.ch[c], sizeof(item_t), capacity[c]), TMLRT_OK);
    tmlrt_runtime_t *rt = runtime_multi(2);
    tmlrt_task_t    *tasks[FIBERS + TASKS], *by;
    for (int i = 0; i < FIBERS; i++)
        assert_int_equal(tmlrt_go(rt, fiber_actor, &w, NULL, &tasks[i]), TMLRT_OK);
    for (int i = 0; i < TASKS; i++)
        tasks[FIBERS + i] = task_actor(rt, &w);
    crew_t *crew = crew_start(THREADS, thread_actor, &w);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(tmlrt_go(rt, bystander, &w, NULL, &by), TMLRT_OK);
        tmlrt_sleep(100000);
        tmlrt_task_abort(by);
        tmlrt_join(by, NULL);
        tmlrt_task_release(by);
    }
    for (int i = 0; i < FIBERS + TASKS; i++) {
        assert_int_equal(tmlrt_join(tasks[i], NULL), TMLRT_OK);
        tmlrt_task_release(tasks[i]);
    }
    crew_join(crew);

    assert_int_equal(tmlrt_semaphore_permits(&w.sem), PERMITS);
    assert_int_equal(tmlrt_mutex_try_lock(&w.mutex), TMLRT_OK);
    assert_int_equal(tmlrt_rwlock_try_write(&w.rwlock), TMLRT_OK);
    for (int c = 0; c < CHANNELS; c++) {
        item_t got;
        assert_int_equal(tmlrt_chan_close(w.ch[c]), TMLRT_OK);
        while (tmlrt_chan_try_recv(w.ch[c], &got) == TMLRT_OK) {
            w.received++;
            w.received_sum += got.actor * 1000003LL + got.number;
        }
        tmlrt_chan_release(w.ch[c]);
    }
    printf("items: %lld\n", (long long)w.sent);
    assert_true(w.sent == w.received);
    assert_true(w.sent_sum == w.received_sum);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
