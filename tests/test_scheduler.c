/* SPDX-License-Identifier: MIT */
/*
 * test_scheduler.c: order and fairness as worker.h states them, fork-join in place, and the overflow
 * of the global queue.
 *
 * Time is counted in polls, never in seconds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/unit.h"

#include "runtime.h"

/* Of worker.h: polls between two picks at most; the k-th of the fifo runs within 2k + 2 picks. */
#define PICK    4
#define FIFO(k) (PICK * (2 * (k) + 2))
#define DRIVER  1024
#define NESTED  64 /* polls inside of the one that is under way when it is time to look */
#define CROWD   100

/* ---- fairness under full load ---------------------------------------------------------------- */

/* A crowd that is always ready, beside one that waits for something. */
typedef struct load {
    tmlrt_runtime_t *rt;
    tally_t          crowd, other;
    atomic_int       stop;
    int              kind; /* what is waited for */
    tmlrt_notify_t   notify;
    tmlrt_fd_t      *fd;
    int              pipe[2];
    int64_t          due;
    int64_t          happened; /* polls when it happened; -1: not yet */
    int64_t          longest;  /* polls until it was served, at most */
    int              rounds;
} load_t;

enum { NOTIFY, TIMER, PIPE, KINDS };

static int64_t polls_of(load_t *l) {
    return atomic_load(&l->crowd.polls) + atomic_load(&l->other.polls);
}

/* The wheel's tick that `due` is in has ended: from then on a timer may fire. */
static bool tick_ended(int64_t due) {
    int64_t tick = TMLRT__WHEEL_TICK_NS;
    return tmlrt_now(NULL) >= (due + tick - 1) / tick * tick;
}

/* Each of the crowd makes it happen, when the other one waits for it. */
static int32_t body_crowd(unit_t *u, tmlrt_cx_t *cx) {
    load_t *l = u->arg;
    if (atomic_load(&l->stop) != 0) return TMLRT_READY;
    if (l->happened < 0) {
        if (l->kind == TIMER) {
            if (tick_ended(l->due)) l->happened = polls_of(l);
        } else {
            l->happened = polls_of(l);
            if (l->kind == NOTIFY) require(tmlrt_notify_one(&l->notify) == TMLRT_OK);
            if (l->kind == PIPE) require(write(l->pipe[1], "x", 1) == 1);
        }
    }
    require(tmlrt_waker_wake_by_ref(cx->waker) == TMLRT_OK);
    return TMLRT_PENDING;
}

static int32_t body_waits(unit_t *u, tmlrt_cx_t *cx) {
    load_t *l = u->arg;
    char    byte;
    TMLRT_BEGIN(u);
    for (u->n = 0; u->n < l->rounds; u->n++) {
        if (l->kind == NOTIFY) tmlrt_op_notified(&u->op, &l->notify);
        if (l->kind == PIPE) tmlrt_op_fd_wait(&u->op, l->fd, TMLRT_FD_READ);
        if (l->kind == TIMER) {
            l->due = tmlrt_now(NULL) + 20 * TMLRT_MS;
            tmlrt_op_sleep_until(&u->op, NULL, l->due);
        }
        l->happened = -1;
        TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, cx));
        require(tmlrt_op_result(&u->op) >= 0);
        if (l->kind == PIPE) require(read(l->pipe[0], &byte, 1) == 1);
        if (l->happened >= 0 && polls_of(l) - l->happened > l->longest)
            l->longest = polls_of(l) - l->happened;
        l->happened = 0;
    }
    atomic_store(&l->stop, 1);
    TMLRT_END(u);
}

static int64_t longest_wait(int kind) {
    load_t l = {.rt = runtime_current_thread(), .kind = kind, .rounds = scaled(40), .happened = 0};
    require(pipe(l.pipe) == 0);
    require(tmlrt_fd_open(l.rt, l.pipe[0], &l.fd) == TMLRT_OK);
    for (int i = 0; i < CROWD; i++)
        tmlrt_task_release(unit_spawn(l.rt, &l.crowd, body_crowd, &l));
    tmlrt_task_release(unit_spawn(l.rt, &l.other, body_waits, &l));
    assert_int_equal(tmlrt_runtime_shutdown(l.rt, TMLRT_NEVER, NULL), TMLRT_OK);
    assert_int_equal(l.other.ready, 1);
    tmlrt_fd_close(l.fd);
    close(l.pipe[0]);
    close(l.pipe[1]);
    assert_int_equal(tmlrt_runtime_destroy(l.rt), TMLRT_OK);
    return l.longest;
}

static void a_notified_task_is_served_beside_a_crowd(void **state) {
    (void)state;
    assert_in_range(longest_wait(NOTIFY), 0, FIFO(CROWD + 1));
}

static void a_timer_is_served_beside_a_crowd(void **state) {
    (void)state;
    assert_in_range(longest_wait(TIMER), 0, DRIVER + FIFO(CROWD + 1));
}

static void a_descriptor_is_served_beside_a_crowd(void **state) {
    (void)state;
    assert_in_range(longest_wait(PIPE), 0, DRIVER + FIFO(CROWD + 1));
}

/* ---- order ----------------------------------------------------------------------------------- */

typedef struct order {
    int            n, seen[4000];
    tmlrt_notify_t notify;
} order_t;

static int32_t body_noted(unit_t *u, tmlrt_cx_t *cx) {
    order_t *o = u->arg;
    (void)cx;
    o->seen[o->n++] = (int)u->n;
    return TMLRT_READY;
}

static void spawn_noted(tmlrt_runtime_t *rt, tally_t *tally, unit_body_t body, order_t *o, int n) {
    for (int i = 0; i < n; i++) {
        unit_t u = unit_of(tally, body, o);
        u.i = u.n = i;
        require(tmlrt_spawn(rt, &unit_type, &u, NULL, NULL) == TMLRT_OK);
    }
}

static int32_t body_spawns_three(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    spawn_noted(NULL, u->tally, body_noted, u->arg, 3);
    return TMLRT_READY;
}

static void a_worker_runs_the_newest_of_its_spawned_tasks_first(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tally_t          tally = {0};
    order_t          o = {.n = 0};
    unit_run(rt, &tally, body_spawns_three, &o);
    assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), TMLRT_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(o.seen[i], 2 - i);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static int32_t body_noted_when_told(unit_t *u, tmlrt_cx_t *cx) {
    order_t *o = u->arg;
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_notified(&u->op, &o->notify));
    o->seen[o->n++] = (int)u->n;
    TMLRT_END(u);
}

static int32_t body_tells_all(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    require(tmlrt_notify_all(&((order_t *)u->arg)->notify) == TMLRT_OK);
    return TMLRT_READY;
}

static void woken_tasks_run_in_the_order_of_their_wakes(void **state) {
    (void)state;
    enum { N = 20 };
    for (int inside = 0; inside < 2; inside++) {
        tmlrt_runtime_t *rt = runtime_current_thread();
        tally_t          tally = {0};
        order_t          o = {.n = 0};
        spawn_noted(rt, &tally, body_noted_when_told, &o, N);
        wait_until(tmlrt_runtime_run_once(rt) == 0);
        if (inside)
            unit_run(rt, &tally, body_tells_all, &o);
        else
            tmlrt_notify_all(&o.notify);
        assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), TMLRT_OK);
        assert_int_equal(o.n, N);
        /* The one that a poll woke last goes first: the next slot. */
        for (int i = inside; i < N; i++)
            assert_int_equal(o.seen[i], i - inside);
        assert_int_equal(o.seen[0], inside ? N - 1 : 0);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

static void the_global_queue_keeps_the_order_also_when_it_overflows(void **state) {
    (void)state;
    enum { N = 3 * TMLRT__INJECT_SLOTS };
    static tmlrt__inject_t   q;
    static struct tmlrt_task tasks[N];
    tmlrt_task_t            *out[7];
    size_t                   pushed = 0, popped = 0;
    tmlrt__inject_init(&q);
    for (int round = 0; popped < N; round++) {
        for (int i = 0; i < 40 && pushed < N; i++)
            tmlrt__inject_push(&q, &tasks[pushed++]);
        assert_int_equal(tmlrt__inject_size(&q), pushed - popped);
        size_t n = tmlrt__inject_pop(&q, out, 1 + (size_t)round % 7);
        assert_true(n > 0);
        for (size_t i = 0; i < n; i++)
            assert_ptr_equal(out[i], &tasks[popped++]);
    }
    assert_int_equal(tmlrt__inject_size(&q), 0);
    assert_int_equal(tmlrt__inject_pop(&q, out, 7), 0);
}

static void nothing_from_outside_is_lost_when_the_global_queue_overflows(void **state) {
    (void)state;
    enum { N = 3 * TMLRT__INJECT_SLOTS };
    tmlrt_runtime_t *rt = runtime_current_thread();
    static tally_t   tally;
    static order_t   o;
    spawn_noted(rt, &tally, body_noted, &o, N);
    assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), TMLRT_OK);
    assert_int_equal(o.n, N);
    for (int i = 0; i < N; i++) /* they come in batches, which may overlap by one */
        assert_in_range(o.seen[i] + 64, i, i + 128);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* Two that wake each other through the next slot all the time, beside a third. */
typedef struct pair {
    tmlrt_notify_t n[2];
    tally_t        tally;
    int64_t        last, longest;
    int            rounds;
    atomic_int     stop;
} pair_t;

static int32_t body_ping(unit_t *u, tmlrt_cx_t *cx) {
    pair_t *p = u->arg;
    TMLRT_BEGIN(u);
    while (atomic_load(&p->stop) == 0) {
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_notified(&u->op, &p->n[u->n]));
        tmlrt_notify_one(&p->n[1 - u->n]);
    }
    tmlrt_notify_one(&p->n[1 - u->n]);
    TMLRT_END(u);
}

static int32_t body_third(unit_t *u, tmlrt_cx_t *cx) {
    pair_t *p = u->arg;
    TMLRT_BEGIN(u);
    p->last = p->tally.polls;
    for (u->n = 0; u->n < p->rounds; u->n++) {
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
        int64_t gap = p->tally.polls - p->last;
        if (gap > p->longest) p->longest = gap;
        p->last = p->tally.polls;
    }
    atomic_store(&p->stop, 1);
    TMLRT_END(u);
}

static void the_next_slot_starves_nobody(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    pair_t           p = {.rounds = scaled(1000)};
    for (int i = 0; i < 2; i++) {
        unit_t u = unit_of(&p.tally, body_ping, &p);
        u.n = i;
        assert_int_equal(tmlrt_spawn(rt, &unit_type, &u, NULL, NULL), TMLRT_OK);
    }
    tmlrt_notify_one(&p.n[0]);
    tmlrt_task_release(unit_spawn(rt, &p.tally, body_third, &p));
    assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), TMLRT_OK);
    assert_in_range(p.longest, 1, FIFO(3));
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- fork-join ------------------------------------------------------------------------------- */

typedef struct forest {
    tally_t tally;
    int     alive, most;
    int64_t due, happened, longest;
} forest_t;

static void tree_dropped(unit_t *u) {
    ((forest_t *)u->arg)->alive--;
}

static int32_t body_tree(unit_t *u, tmlrt_cx_t *cx) {
    forest_t *f = u->arg;
    if (f->happened < 0 && tick_ended(f->due)) f->happened = f->tally.polls;
    TMLRT_BEGIN(u);
    if (++f->alive > f->most) f->most = f->alive;
    u->value = 1;
    for (u->i = 0; u->i < 2 && u->n > 0; u->i++) {
        unit_t child = unit_of(&f->tally, body_tree, f);
        child.n = u->n - 1;
        child.on_drop = tree_dropped;
        require(tmlrt_spawn(NULL, &unit_type, &child, NULL, &u->child) == TMLRT_OK);
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_join(&u->op, u->child, &u->got));
        u->value += u->got;
        tmlrt_task_release(u->child);
    }
    TMLRT_END(u);
}

static int32_t body_timer_beside(unit_t *u, tmlrt_cx_t *cx) {
    forest_t *f = u->arg;
    TMLRT_BEGIN(u);
    for (;;) {
        f->due = tmlrt_now(NULL) + 50 * TMLRT_US;
        f->happened = -1;
        tmlrt_op_sleep_until(&u->op, NULL, f->due);
        TMLRT_AWAIT_POLL(u, cx, tmlrt_op_poll(&u->op, cx));
        int64_t waited = f->happened >= 0 ? f->tally.polls - f->happened : 0;
        if (waited > f->longest) f->longest = waited;
    }
    TMLRT_END(u);
}

static void a_joined_child_runs_in_place_and_timers_are_served_meanwhile(void **state) {
    (void)state;
    tmlrt_runtime_t     *rt = runtime_current_thread();
    static forest_t      f;
    tally_t              timer = {0};
    int                  depth = scaled(16) >= 16 ? 16 : 12;
    tmlrt_task_options_t daemon = TMLRT_TASK_OPTIONS_INIT;
    daemon.flags = TMLRT_TASK_DAEMON;
    unit_t root = unit_of(&f.tally, body_tree, &f);
    root.n = depth;
    root.on_drop = tree_dropped;
    tmlrt_task_release(unit_spawn_with(rt, &timer, body_timer_beside, &f, &daemon));
    int64_t nodes = 0;
    assert_int_equal(tmlrt_runtime_block_on(rt, &unit_type, &root, NULL, &nodes), TMLRT_OK);
    assert_int_equal(nodes, (2 << depth) - 1);
    assert_int_equal(f.alive, 0);
    assert_in_range(f.most, depth + 1, 4 * depth);
    if (f.happened >= 0 && f.tally.polls - f.happened > f.longest)
        f.longest = f.tally.polls - f.happened; /* due, and not served to the end */
    assert_in_range(f.longest, 0, 2 * (DRIVER + NESTED));
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_notified_task_is_served_beside_a_crowd),
        cmocka_unit_test(a_timer_is_served_beside_a_crowd),
        cmocka_unit_test(a_descriptor_is_served_beside_a_crowd),
        cmocka_unit_test(a_worker_runs_the_newest_of_its_spawned_tasks_first),
        cmocka_unit_test(woken_tasks_run_in_the_order_of_their_wakes),
        cmocka_unit_test(the_global_queue_keeps_the_order_also_when_it_overflows),
        cmocka_unit_test(nothing_from_outside_is_lost_when_the_global_queue_overflows),
        cmocka_unit_test(the_next_slot_starves_nobody),
        cmocka_unit_test(a_joined_child_runs_in_place_and_timers_are_served_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
