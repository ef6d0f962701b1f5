/* SPDX-License-Identifier: MIT */
/*
 * api_replay.c: replayed runtimes: the same seed gives the same run; different seeds find planted
 * races, which their seed shows again; what comes from outside is refused or reported.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/unit.h"

enum { SEEDS = 1000 };

static tmlrt_runtime_t *replayed(uint64_t seed) {
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_runtime_t *rt = NULL;
    config.flavor = TMLRT_FLAVOR_CURRENT_THREAD;
    config.clock = TMLRT_CLOCK_VIRTUAL;
    config.seed = seed;
    require(tmlrt_runtime_create(&rt, &config) == TMLRT_OK);
    return rt;
}

static void go(void *(*fn)(void *), void *arg) {
    require(tmlrt_go(NULL, fn, arg, NULL, NULL) == TMLRT_OK);
}

/* ---- planted races ---------------------------------------------------------------------------- */

/* Each scenario keeps its state here; `fixed` runs it without the mistake. */
typedef struct world {
    bool              fixed, wrong;
    int               balance, withdrawn, counter, jobs, done, lost;
    tmlrt_semaphore_t gate;
    tmlrt_mutex_t     a, b;
    tmlrt_rwlock_t    rwlock;
    tmlrt_once_t      once;
    tmlrt_notify_t    more;
    tmlrt_chan_t     *ch;
} world_t;

/* Something that is ready at once: in a plain run nobody ever comes between. */
static void pass_gate(world_t *w) {
    require(tmlrt_semaphore_acquire(&w->gate, 1) == TMLRT_OK);
    require(tmlrt_semaphore_release(&w->gate, 1) == TMLRT_OK);
}

/* Check, then act across a wait: the money was there when it was looked for. */
static void *withdraws(void *arg) {
    world_t *w = arg;
    if (w->fixed) require(tmlrt_mutex_lock(&w->a) == TMLRT_OK);
    if (w->balance >= 100) {
        pass_gate(w);
        w->balance -= 100;
        if (w->balance < 0) w->wrong = true;
    }
    if (w->fixed) require(tmlrt_mutex_unlock(&w->a) == TMLRT_OK);
    return NULL;
}

static void check_then_act(world_t *w) {
    w->balance = 150;
    go(withdraws, w);
    go(withdraws, w);
}

/* A lost update: what was read before the wait is written after it. */
static void *counts(void *arg) {
    world_t *w = arg;
    for (int i = 0; i < 3; i++) {
        int seen = w->counter;
        if (!w->fixed) pass_gate(w);
        w->counter = seen + 1;
        pass_gate(w);
    }
    if (++w->done == 2 && w->counter != 6) w->wrong = true;
    return NULL;
}

static void lost_update(world_t *w) {
    go(counts, w);
    go(counts, w);
}

/* No look again after the notification: another consumer was quicker. */
static void *consumes(void *arg) {
    world_t   *w = arg;
    tmlrt_op_t op = TMLRT_OP_INIT;
    while (w->jobs == 0) {
        require(tmlrt_op_notified(&op, &w->more) == TMLRT_OK);
        require(tmlrt_op_await(&op) == TMLRT_OK);
        if (tmlrt_op_result(&op) != TMLRT_OK) return NULL;
        if (!w->fixed) break;
    }
    if (--w->jobs < 0) w->wrong = true;
    return NULL;
}

static void *produces(void *arg) {
    world_t *w = arg;
    for (int i = 0; i < 3; i++) {
        w->jobs++;
        tmlrt_notify_one(&w->more);
        pass_gate(w);
    }
    return NULL;
}

static void missing_recheck(world_t *w) {
    for (int i = 0; i < 3; i++)
        go(consumes, w);
    go(produces, w);
}

/* Two locks in two orders. */
static void *locks(world_t *w, tmlrt_mutex_t *first, tmlrt_mutex_t *second) {
    if (w->fixed) first = &w->a, second = &w->b;
    if (tmlrt_mutex_lock_until(first, TMLRT_NEVER) != TMLRT_OK) return NULL;
    if (tmlrt_mutex_lock_until(second, TMLRT_NEVER) == TMLRT_OK)
        require(tmlrt_mutex_unlock(second) == TMLRT_OK);
    require(tmlrt_mutex_unlock(first) == TMLRT_OK);
    return NULL;
}

static void *locks_a_b(void *arg) {
    world_t *w = arg;
    return locks(w, &w->a, &w->b);
}

static void *locks_b_a(void *arg) {
    world_t *w = arg;
    return locks(w, &w->b, &w->a);
}

static void lock_order(world_t *w) {
    go(locks_a_b, w);
    go(locks_b_a, w);
}

/* A select that takes the stop for the end, although a message is there as well. */
static void *serves(void *arg) {
    world_t    *w = arg;
    tmlrt_op_t  recv = TMLRT_OP_INIT, stop = TMLRT_OP_INIT, any = TMLRT_OP_INIT;
    tmlrt_op_t *both[] = {&recv, &stop};
    int         value;
    for (;;) {
        require(tmlrt_op_recv(&recv, w->ch, &value) == TMLRT_OK);
        require(tmlrt_op_notified(&stop, &w->more) == TMLRT_OK);
        require(tmlrt_op_any(&any, both, 2) == TMLRT_OK);
        require(tmlrt_op_await(&any) == TMLRT_OK);
        if (tmlrt_op_result(&recv) == TMLRT_OK) {
            w->done++;
            if (tmlrt_op_result(&any) == 0) continue;
        }
        while (w->fixed && tmlrt_chan_try_recv(w->ch, &value) == TMLRT_OK)
            w->done++;
        if (w->done != 2) w->wrong = true;
        return NULL;
    }
}

static void *sends_and_stops(void *arg) {
    world_t *w = arg;
    for (int i = 0; i < 2; i++)
        require(tmlrt_chan_send(w->ch, &i) == TMLRT_OK);
    tmlrt_notify_one(&w->more);
    return NULL;
}

static void forgotten_message(world_t *w) {
    go(serves, w);
    go(sends_and_stops, w);
}

/* Readers that write: a read lock lets others in. */
static void *counts_under_a_lock(void *arg) {
    world_t *w = arg;
    for (int i = 0; i < 3; i++) {
        require((w->fixed ? tmlrt_rwlock_write : tmlrt_rwlock_read)(&w->rwlock) == TMLRT_OK);
        int seen = w->counter;
        pass_gate(w);
        w->counter = seen + 1;
        require(tmlrt_rwlock_unlock(&w->rwlock) == TMLRT_OK);
    }
    if (++w->done == 2 && w->counter != 6) w->wrong = true;
    return NULL;
}

static void writing_readers(world_t *w) {
    go(counts_under_a_lock, w);
    go(counts_under_a_lock, w);
}

/* Made once by the first who needs it; the others wait for it. The mistake: used before it is. */
static int makes_it(void *arg) {
    world_t *w = arg;
    pass_gate(w);
    require(tmlrt_sleep(TMLRT_MS) == TMLRT_OK);
    w->counter++;
    return TMLRT_OK;
}

static void *makes_or_uses(void *arg) {
    world_t *w = arg;
    if (w->fixed || w->done++ == 0)
        require(tmlrt_once_call(&w->once, makes_it, w) == TMLRT_OK);
    else
        pass_gate(w);
    if (w->counter != 1) w->wrong = true;
    return NULL;
}

static void used_too_early(world_t *w) {
    for (int i = 0; i < 3; i++)
        go(makes_or_uses, w);
}

/* ---- searching -------------------------------------------------------------------------------- */

typedef void (*scenario_t)(world_t *w);

typedef struct start {
    world_t   *w;
    scenario_t run;
} start_t;

static void *start_fiber(void *arg) {
    start_t *s = arg;
    s->run(s->w);
    return NULL;
}

/* One run: true when it went wrong, or got stuck. */
static bool goes_wrong(scenario_t scenario, bool fixed, uint64_t seed, tmlrt_replay_t *trace) {
    world_t w;
    memset(&w, 0, sizeof w);
    w.fixed = fixed;
    require(tmlrt_semaphore_init(&w.gate, 4) == TMLRT_OK);
    require(tmlrt_chan_create(&w.ch, sizeof(int), 4) == TMLRT_OK);
    tmlrt_runtime_t *rt = replayed(seed);
    start_t          start = {&w, scenario};
    require(tmlrt_go(rt, start_fiber, &start, NULL, NULL) == TMLRT_OK);
    int e = tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL);
    require(e == TMLRT_OK || e == TMLRT_ETIMEDOUT);
    *trace = trace_of(rt);
    require(trace->seed == seed && trace->voided == 0 && trace->steps > 0);
    require(tmlrt_runtime_destroy(rt) == TMLRT_OK);
    tmlrt_chan_release(w.ch);
    /* Consumers that wait for a fourth job are left by design. */
    return w.wrong || (e != TMLRT_OK && scenario != missing_recheck);
}

static void finds(const char *name, scenario_t scenario) {
    tmlrt_replay_t first, again;
    uint64_t       seed = 1;
    while (seed <= SEEDS && !goes_wrong(scenario, false, seed, &first))
        seed++;
    assert_true(seed <= SEEDS);
    printf("%s: seed %llu, %llu steps\n", name, (unsigned long long)seed,
           (unsigned long long)first.steps);
    for (int i = 0; i < 3; i++) {
        assert_true(goes_wrong(scenario, false, seed, &again));
        assert_true(again.hash == first.hash && again.steps == first.steps);
    }
    for (seed = 1; seed <= (uint64_t)scaled(SEEDS); seed++)
        assert_false(goes_wrong(scenario, true, seed, &again));
}

static void a_check_then_act_is_found(void **state) {
    (void)state;
    finds("check then act", check_then_act);
}

static void a_lost_update_is_found(void **state) {
    (void)state;
    finds("lost update", lost_update);
}

static void a_missing_look_after_a_notification_is_found(void **state) {
    (void)state;
    finds("missing look", missing_recheck);
}

static void a_lock_order_deadlock_is_found(void **state) {
    (void)state;
    finds("lock order", lock_order);
}

static void a_write_under_a_read_lock_is_found(void **state) {
    (void)state;
    finds("writing readers", writing_readers);
}

static void a_use_before_it_is_made_is_found(void **state) {
    (void)state;
    finds("used too early", used_too_early);
}

static void a_forgotten_message_is_found(void **state) {
    (void)state;
    finds("forgotten message", forgotten_message);
}

/* ---- seeds and traces ------------------------------------------------------------------------- */

static void *sleeps_and_works(void *arg) {
    world_t *w = arg;
    for (int i = 0; i < 5; i++) {
        pass_gate(w);
        tmlrt_sleep((1 + w->counter++ % 3) * TMLRT_MS);
        tmlrt_yield();
    }
    return NULL;
}

static void many_sleepers(world_t *w) {
    for (int i = 0; i < 8; i++)
        go(sleeps_and_works, w);
}

static void the_same_seed_gives_the_same_trace(void **state) {
    (void)state;
    tmlrt_replay_t one, two;
    int            different = 0;
    uint64_t       last = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        assert_false(goes_wrong(many_sleepers, false, seed, &one));
        assert_false(goes_wrong(many_sleepers, false, seed, &two));
        assert_true(one.hash == two.hash && one.steps == two.steps);
        different += one.hash != last;
        last = one.hash;
    }
    assert_int_equal(different, 100);
}

/* Which of two tasks that wait for one moment goes first is drawn. */
static void seeds_differ_in_their_order(void **state) {
    (void)state;
    world_t w;
    int     rising = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        tmlrt_runtime_t *rt = replayed(seed);
        tally_t          tally = {0};
        memset(&w, 0, sizeof w);
        tmlrt_task_t *a = unit_spawn(rt, &tally, body_yield_n, &(int){2});
        tmlrt_task_t *b = unit_spawn(rt, &tally, body_yield_n, &(int){2});
        while (!tmlrt_task_is_finished(a) && !tmlrt_task_is_finished(b))
            assert_true(tmlrt_runtime_run_once(rt) >= 0);
        rising += tmlrt_task_is_finished(a);
        assert_int_equal(tmlrt_join(a, NULL), TMLRT_OK);
        assert_int_equal(tmlrt_join(b, NULL), TMLRT_OK);
        tmlrt_task_release(a);
        tmlrt_task_release(b);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
    assert_in_range(rising, 10, 90);
}

static void the_seed_comes_from_the_environment(void **state) {
    (void)state;
    setenv("TMLRT_SEED", "77", 1);
    tmlrt_runtime_t *rt = replayed(0);
    unsetenv("TMLRT_SEED");
    assert_int_equal(trace_of(rt).seed, 77);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void other_runtimes_have_no_trace(void **state) {
    (void)state;
    tmlrt_replay_t   replay = TMLRT_REPLAY_INIT;
    tmlrt_runtime_t *rt = runtime_virtual();
    assert_int_equal(tmlrt_runtime_replay(rt, &replay), TMLRT_ENOTSUP);
    assert_int_equal(tmlrt_runtime_replay(rt, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_replay(NULL, &replay), TMLRT_ENORUNTIME);
    replay.struct_size = 8;
    assert_int_equal(tmlrt_runtime_replay(rt, &replay), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* A join may run its child in place, or not. */
static int32_t body_spawns_and_joins(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    u->child = unit_spawn(NULL, u->tally, body_ready, NULL);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_join(&u->op, u->child, NULL));
    u->value = tmlrt_op_result(&u->op);
    tmlrt_task_release(u->child);
    TMLRT_END(u);
}

static void a_join_in_place_is_one_of_the_choices(void **state) {
    (void)state;
    uint64_t least = UINT64_MAX, most = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        tmlrt_runtime_t *rt = replayed(seed);
        tally_t          tally = {0};
        assert_int_equal(unit_run(rt, &tally, body_spawns_and_joins, NULL), TMLRT_OK);
        uint64_t polls = (uint64_t)tally.polls;
        if (polls < least) least = polls;
        if (polls > most) most = polls;
        assert_int_equal(tally.drops, 2);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
    assert_true(least < most);
}

/* ---- the blocking pool ------------------------------------------------------------------------ */

static void *job(void *arg) {
    world_t *w = arg;
    require(tmlrt_sleep(TMLRT_S) == TMLRT_OK);
    pass_gate(w);
    w->counter++;
    return w;
}

static void *runs_jobs(void *arg) {
    world_t      *w = arg;
    tmlrt_task_t *task[3];
    for (int i = 0; i < 3; i++)
        require(tmlrt_spawn_blocking(NULL, job, w, TMLRT_BLOCKING_GENERAL, NULL, &task[i]) ==
                TMLRT_OK);
    for (int i = 0; i < 3; i++) {
        void *got = NULL;
        require(tmlrt_join(task[i], &got) == TMLRT_OK && got == w);
        tmlrt_task_release(task[i]);
    }
    if (w->counter != 3) w->wrong = true;
    return NULL;
}

static void blocking_jobs(world_t *w) {
    go(runs_jobs, w);
}

static void blocking_jobs_run_on_the_one_thread(void **state) {
    (void)state;
    tmlrt_replay_t one, two;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        assert_false(goes_wrong(blocking_jobs, false, seed, &one));
        assert_false(goes_wrong(blocking_jobs, false, seed, &two));
        assert_true(one.hash == two.hash);
    }
}

/* ---- outside ---------------------------------------------------------------------------------- */

typedef struct visit {
    tmlrt_runtime_t *rt;
    tmlrt_task_t    *task, *fresh;
    tmlrt_notify_t   notify;
} visit_t;

static void visit_all(void *arg, int i) {
    visit_t       *v = arg;
    tally_t        tally = {0};
    unit_t         u = unit_of(&tally, body_ready, NULL);
    tmlrt_task_t  *task;
    tmlrt_sock_t  *sock;
    tmlrt_addr_t   addr;
    tmlrt_replay_t replay = TMLRT_REPLAY_INIT;
    tmlrt_op_t     op = TMLRT_OP_INIT;
    (void)i;
    require(tmlrt_spawn(v->rt, &unit_type, &u, NULL, &task) == TMLRT_ENOTSUP);
    require(tmlrt_go(v->rt, job, NULL, NULL, &task) == TMLRT_ENOTSUP);
    require(tmlrt_spawn_blocking(v->rt, job, NULL, 0, NULL, &task) == TMLRT_ENOTSUP);
    require(tmlrt_task_start(v->fresh) == TMLRT_ENOTSUP);
    require(tmlrt_task_abort(v->task) == TMLRT_ENOTSUP);
    require(tmlrt_join(v->task, NULL) == TMLRT_ENOTSUP);
    require(tmlrt_op_sleep(&op, v->rt, TMLRT_S) == TMLRT_OK);
    require(tmlrt_op_await(&op) == TMLRT_OK && tmlrt_op_result(&op) == TMLRT_ENOTSUP);
    require(tmlrt_addr_parse(&addr, "127.0.0.1:0") == TMLRT_OK);
    require(tmlrt_tcp_listen(v->rt, &addr, NULL, &sock) == TMLRT_ENOTSUP);
    require(tmlrt_runtime_replay(v->rt, &replay) == TMLRT_ENOTSUP);
    tmlrt_notify_one(&v->notify);
}

static int32_t body_awaits_notify(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_notified(&u->op, u->arg));
    TMLRT_END(u);
}

static void other_threads_are_turned_away(void **state) {
    (void)state;
    visit_t v = {.rt = replayed(5)};
    tally_t tally = {0};
    unit_t  u = unit_of(&tally, body_ready, NULL);
    assert_int_equal(tmlrt_task_new(v.rt, &unit_type, NULL, &v.fresh), TMLRT_OK);
    memcpy(tmlrt_task_state(v.fresh), &u, sizeof u);
    v.task = unit_spawn(v.rt, &tally, body_awaits_notify, &v.notify);
    while (tmlrt_runtime_run_once(v.rt) > 0) {
    }
    assert_int_equal(trace_of(v.rt).voided, 0);
    on_threads(1, visit_all, &v);
    assert_int_equal(tmlrt_join(v.task, NULL), TMLRT_OK);
    assert_int_equal(trace_of(v.rt).voided, TMLRT_REPLAY_WAKE);
    tmlrt_task_release(v.task);
    assert_int_equal(tmlrt_task_start(v.fresh), TMLRT_OK);
    assert_int_equal(tmlrt_join(v.fresh, NULL), TMLRT_OK);
    tmlrt_task_release(v.fresh);
    assert_int_equal(tmlrt_runtime_destroy(v.rt), TMLRT_OK);
}

static void a_real_descriptor_is_reported(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = replayed(5);
    tmlrt_sock_t    *r, *w;
    char             byte = 'x';
    assert_int_equal(trace_of(rt).voided, 0);
    assert_int_equal(tmlrt_pipe(rt, &r, &w), TMLRT_OK);
    assert_int_equal(trace_of(rt).voided, TMLRT_REPLAY_DESCRIPTOR);
    assert_int_equal(tmlrt_write(w, &byte, 1), 1);
    assert_int_equal(tmlrt_read(r, &byte, 1), 1);
    tmlrt_sock_release(r);
    tmlrt_sock_release(w);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_wait_that_nobody_will_end_says_so(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = replayed(9);
    tmlrt_notify_t   never;
    tally_t          tally = {0};
    memset(&never, 0, sizeof never);
    assert_int_equal(unit_run(rt, &tally, body_awaits_notify, &never), TMLRT_EDEADLK);
    tmlrt_op_t op = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_op_notified(&op, &never), TMLRT_OK);
    assert_int_equal(tmlrt_op_await(&op), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_EDEADLK);
    /* A deadline is something that will happen. */
    assert_int_equal(tmlrt_op_notified(&op, &never), TMLRT_OK);
    assert_int_equal(tmlrt_op_deadline(&op, tmlrt_now(rt) + TMLRT_S), TMLRT_OK);
    assert_int_equal(tmlrt_op_await(&op), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_ETIMEDOUT);
    assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), TMLRT_ETIMEDOUT);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    assert_int_equal(tally.drops, 1);
}

/* A plain lock is no cancellation point: the task cannot be ended, and the runtime says which. */
static void *locks_once(void *arg) {
    world_t *w = arg;
    require(tmlrt_mutex_lock(&w->a) == TMLRT_OK);
    require(tmlrt_mutex_unlock(&w->a) == TMLRT_OK);
    return NULL;
}

static void names_the_lock(void *ctx, const tmlrt_straggler_t *s) {
    ++*(int *)ctx;
    require(strcmp(s->waits_for, "mutex") == 0 && !s->ended);
}

static void a_task_that_cannot_be_ended_is_named(void **state) {
    (void)state;
    world_t                 w;
    int                     named = 0;
    tmlrt_shutdown_report_t report = TMLRT_SHUTDOWN_REPORT_INIT;
    memset(&w, 0, sizeof w);
    tmlrt_runtime_t *rt = replayed(9);
    assert_int_equal(tmlrt_mutex_try_lock(&w.a), TMLRT_OK);
    assert_int_equal(tmlrt_go(rt, locks_once, &w, NULL, NULL), TMLRT_OK);
    report.straggler = names_the_lock;
    report.ctx = &named;
    assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, &report), TMLRT_EBUSY);
    assert_int_equal(report.stuck, 1);
    assert_int_equal(named, 1);
    assert_int_equal(tmlrt_mutex_unlock(&w.a), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_then_act_is_found),
        cmocka_unit_test(a_lost_update_is_found),
        cmocka_unit_test(a_missing_look_after_a_notification_is_found),
        cmocka_unit_test(a_lock_order_deadlock_is_found),
        cmocka_unit_test(a_forgotten_message_is_found),
        cmocka_unit_test(a_write_under_a_read_lock_is_found),
        cmocka_unit_test(a_use_before_it_is_made_is_found),
        cmocka_unit_test(the_same_seed_gives_the_same_trace),
        cmocka_unit_test(seeds_differ_in_their_order),
        cmocka_unit_test(a_join_in_place_is_one_of_the_choices),
        cmocka_unit_test(the_seed_comes_from_the_environment),
        cmocka_unit_test(other_runtimes_have_no_trace),
        cmocka_unit_test(blocking_jobs_run_on_the_one_thread),
        cmocka_unit_test(other_threads_are_turned_away),
        cmocka_unit_test(a_real_descriptor_is_reported),
        cmocka_unit_test(a_wait_that_nobody_will_end_says_so),
        cmocka_unit_test(a_task_that_cannot_be_ended_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
