/* SPDX-License-Identifier: MIT */
/*
 * api_shutdown.c: the phases of a shutdown, its report, stuck tasks, and destroy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/allocs.h"
#include "support/random.h"
#include "support/unit.h"

/* What a report said of its stragglers. */
typedef struct told {
    int              n, ended;
    tmlrt_runtime_t *rt;
    int              reentered;
    char             name[8][32], site[8][64], waits_for[8][32];
} told_t;

static void copy(char *to, size_t size, const char *from) {
    strncpy(to, from != NULL ? from : "(null)", size - 1);
}

static void note(void *ctx, const tmlrt_straggler_t *s) {
    told_t *t = ctx;
    if (t->n < 8) {
        copy(t->name[t->n], sizeof t->name[0], s->name);
        copy(t->site[t->n], sizeof t->site[0], s->site);
        copy(t->waits_for[t->n], sizeof t->waits_for[0], s->waits_for);
    }
    t->n++;
    t->ended += s->ended;
    if (t->rt != NULL) t->reentered = tmlrt_runtime_shutdown(t->rt, 0, NULL);
}

static tmlrt_shutdown_report_t report_to(told_t *told) {
    tmlrt_shutdown_report_t report = TMLRT_SHUTDOWN_REPORT_INIT;
    report.straggler = note;
    report.ctx = told;
    return report;
}

static tmlrt_runtime_t *make(int flavor) {
    return flavor == 0 ? runtime_multi(2) : runtime_current_thread();
}

/* ---- phase by phase -------------------------------------------------------------------------- */

/* Says goodbye in its own time: waits for the stopping event, then spawns and sleeps. */
static int32_t body_goodbye(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    atomic_fetch_add((atomic_int *)u->arg, 1);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_stopping(&u->op, NULL));
    require(tmlrt_op_result(&u->op) == TMLRT_OK);
    u->child = unit_spawn(NULL, u->tally, body_ready, NULL);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep(&u->op, NULL, TMLRT_MS));
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_join(&u->op, u->child, NULL));
    tmlrt_task_release(u->child);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_stopping(&u->op, NULL)); /* ready at once by now */
    TMLRT_END(u);
}

static void tasks_go_on_and_may_spawn_until_they_have_ended(void **state) {
    (void)state;
    for (int flavor = 0; flavor < 2; flavor++) {
        tmlrt_runtime_t        *rt = make(flavor);
        tally_t                 tally = {0};
        atomic_int              ready = 0;
        told_t                  told = {0};
        tmlrt_shutdown_report_t report = report_to(&told);
        for (int i = 0; i < 3; i++)
            tmlrt_task_release(unit_spawn(rt, &tally, body_goodbye, &ready));
        wait_until(atomic_load(&ready) == 3 || (flavor == 1 && tmlrt_runtime_run_once(rt) < 0));
        assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, &report), TMLRT_OK);
        assert_int_equal(tally.ready, 6);
        assert_int_equal(tally.drops, 6);
        assert_int_equal(told.n, 0);
        assert_int_equal(report.completed, 6);
        assert_int_equal(report.cancelled, 0);
        assert_int_equal(report.stuck, 0);
        assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), TMLRT_OK); /* again */
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

typedef struct shut {
    tmlrt_runtime_t *rt;
    atomic_int       release, stopping;
    atomic_int       result;
} shut_t;

/* Ready once it is let go; tells when the shutdown has begun. */
static int32_t body_holds(unit_t *u, tmlrt_cx_t *cx) {
    shut_t *s = u->arg;
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_stopping(&u->op, NULL));
    atomic_store(&s->stopping, 1);
    while (atomic_load(&s->release) == 0)
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
    TMLRT_END(u);
}

static void shut_down(void *arg, int i) {
    shut_t *s = arg;
    (void)i;
    atomic_store(&s->result, tmlrt_runtime_shutdown(s->rt, TMLRT_NEVER, NULL));
}

static void a_shutdown_refuses_spawns_from_outside_and_a_second_call(void **state) {
    (void)state;
    shut_t               s = {.rt = runtime_multi(2), .result = 1};
    tally_t              tally = {0};
    unit_t               u = unit_of(&tally, body_ready, NULL);
    tmlrt_task_t        *task = NULL, *early;
    tmlrt_task_options_t daemon = TMLRT_TASK_OPTIONS_INIT;
    daemon.flags = TMLRT_TASK_DAEMON;
    tmlrt_task_release(unit_spawn(s.rt, &tally, body_holds, &s));
    assert_int_equal(tmlrt_task_new(s.rt, &unit_type, NULL, &early), TMLRT_OK);
    *(unit_t *)tmlrt_task_state(early) = u;
    crew_t *crew = crew_start(1, shut_down, &s);
    wait_until(atomic_load(&s.stopping) == 1);
    assert_int_equal(tmlrt_spawn(s.rt, &unit_type, &u, NULL, &task), TMLRT_ESHUTDOWN);
    assert_int_equal(tmlrt_spawn(s.rt, &unit_type, &u, &daemon, &task), TMLRT_ESHUTDOWN);
    assert_int_equal(tmlrt_runtime_block_on(s.rt, &unit_type, &u, NULL, NULL), TMLRT_ESHUTDOWN);
    assert_null(task);
    assert_int_equal(tmlrt_runtime_shutdown(s.rt, 0, NULL), TMLRT_EALREADY);
    assert_int_equal(tmlrt_runtime_destroy(s.rt), TMLRT_EALREADY);
    assert_int_equal(tmlrt_task_start(early), TMLRT_ESHUTDOWN); /* still ours */
    assert_int_equal(tmlrt_task_start(early), TMLRT_ESHUTDOWN);
    tmlrt_task_release(early);
    atomic_store(&s.release, 1);
    crew_join(crew);
    assert_int_equal(s.result, TMLRT_OK);
    assert_int_equal(tally.drops, 1);
    assert_int_equal(tmlrt_spawn(s.rt, &unit_type, &u, NULL, NULL), TMLRT_ESHUTDOWN);
    assert_int_equal(tmlrt_runtime_destroy(s.rt), TMLRT_OK);
}

static void daemons_are_not_waited_for(void **state) {
    (void)state;
    for (int flavor = 0; flavor < 2; flavor++) {
        tmlrt_runtime_t        *rt = make(flavor);
        tally_t                 tally = {0};
        told_t                  told = {0};
        tmlrt_shutdown_report_t report = report_to(&told);
        tmlrt_task_options_t    daemon = TMLRT_TASK_OPTIONS_INIT;
        daemon.flags = TMLRT_TASK_DAEMON;
        for (int i = 0; i < 4; i++)
            tmlrt_task_release(unit_spawn_with(
                rt, &tally, i % 2 == 0 ? body_sleep_forever : body_never, NULL, &daemon));
        assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, &report), TMLRT_OK);
        assert_int_equal(tally.drops, 4);
        assert_int_equal(told.n, 0);
        assert_int_equal(report.cancelled, 0);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

/* ---- stragglers ------------------------------------------------------------------------------ */

static int32_t body_waits_for_notify(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_notified(&u->op, u->arg));
    TMLRT_END(u);
}

static int find(const told_t *told, const char *name) {
    for (int i = 0; i < told->n; i++)
        if (strcmp(told->name[i], name) == 0) return i;
    return -1;
}

static void each_task_left_at_the_deadline_is_named_and_cancelled(void **state) {
    (void)state;
    for (int flavor = 0; flavor < 2; flavor++) {
        tmlrt_runtime_t        *rt = make(flavor);
        tally_t                 tally = {0};
        tmlrt_notify_t          notify = TMLRT_NOTIFY_INIT;
        told_t                  told = {.rt = rt};
        tmlrt_shutdown_report_t report = report_to(&told);
        tmlrt_task_options_t    o = TMLRT_TASK_OPTIONS_INIT;
        o.site = "here.c:1";
        o.name = "sleeper";
        tmlrt_task_release(unit_spawn_with(rt, &tally, body_sleep_forever, NULL, &o));
        o.name = "silent";
        tmlrt_task_release(unit_spawn_with(rt, &tally, body_never, NULL, &o));
        o.name = "waiter";
        o.site = NULL;
        tmlrt_task_release(unit_spawn_with(rt, &tally, body_waits_for_notify, &notify, &o));
        tmlrt_task_release(unit_spawn(rt, &tally, body_ready, NULL));
        wait_until(atomic_load(&tally.polls) == 4 ||
                   (flavor == 1 && tmlrt_runtime_run_once(rt) < 0));
        int64_t deadline = tmlrt_now(rt) + 2 * TMLRT_MS;
        assert_int_equal(tmlrt_runtime_shutdown(rt, deadline, &report), TMLRT_ETIMEDOUT);
        assert_true(tmlrt_now(rt) >= deadline);
        assert_int_equal(report.cancelled, 3);
        assert_int_equal(report.stuck, 0);
        assert_int_equal(told.n, 3);
        assert_int_equal(told.ended, 3);
        assert_int_equal(told.reentered, TMLRT_EALREADY);
        int i = find(&told, "sleeper");
        assert_true(i >= 0);
        assert_string_equal(told.site[i], "here.c:1");
        assert_string_equal(told.waits_for[i], "sleep");
        i = find(&told, "silent");
        assert_true(i >= 0);
        assert_string_equal(told.waits_for[i], "nothing it told us");
        i = find(&told, "waiter");
        assert_true(i >= 0);
        assert_string_equal(told.site[i], "(null)");
        assert_string_equal(told.waits_for[i], "notify");
        assert_int_equal(tally.drops, 4);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

static void the_deadline_holds_also_when_a_task_is_always_ready(void **state) {
    (void)state;
    for (int flavor = 0; flavor < 2; flavor++) {
        tmlrt_runtime_t  *rt = make(flavor);
        tally_t           tally = {0};
        static atomic_int never;
        tmlrt_task_release(unit_spawn(rt, &tally, body_yield_until, &never));
        int64_t deadline = tmlrt_now(rt) + 2 * TMLRT_MS;
        assert_int_equal(tmlrt_runtime_shutdown(rt, deadline, NULL), TMLRT_ETIMEDOUT);
        assert_int_equal(tally.drops, 1);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

static void a_report_of_another_size_is_refused(void **state) {
    (void)state;
    tmlrt_runtime_t        *rt = runtime_current_thread();
    tmlrt_shutdown_report_t report = TMLRT_SHUTDOWN_REPORT_INIT;
    report.struct_size = 8;
    assert_int_equal(tmlrt_runtime_shutdown(rt, 0, &report), TMLRT_EINVAL);
    tally_t tally = {0};
    assert_int_equal(unit_run(rt, &tally, body_ready, NULL), 0); /* nothing had changed */
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- stuck ----------------------------------------------------------------------------------- */

static int32_t body_stuck(unit_t *u, tmlrt_cx_t *cx) {
    shut_t *s = u->arg;
    (void)cx;
    atomic_store(&s->stopping, 1);
    wait_until(atomic_load(&s->release) == 1);
    return TMLRT_PENDING;
}

static void a_poll_that_does_not_return_makes_destroy_say_busy(void **state) {
    (void)state;
    shut_t                  s = {.rt = runtime_multi(2)};
    tally_t                 tally = {0};
    told_t                  told = {0};
    tmlrt_shutdown_report_t report = report_to(&told);
    tmlrt_task_options_t    o = TMLRT_TASK_OPTIONS_INIT;
    o.name = "stuck";
    tmlrt_task_t *task = unit_spawn_with(s.rt, &tally, body_stuck, &s, &o);
    tmlrt_task_t *other = unit_spawn(s.rt, &tally, body_sleep_forever, NULL);
    wait_until(atomic_load(&s.stopping) == 1 && atomic_load(&tally.polls) == 2);
    assert_int_equal(tmlrt_runtime_shutdown(s.rt, 0, &report), TMLRT_EBUSY);
    assert_int_equal(report.stuck, 1);
    assert_int_equal(report.cancelled, 1);
    assert_int_equal(told.n, 2);
    assert_int_equal(told.ended, 1);
    assert_string_equal(told.waits_for[find(&told, "stuck")], "running");
    assert_int_equal(tmlrt_join(other, NULL), TMLRT_ECANCELED);
    tmlrt_task_release(other);
    assert_int_equal(tmlrt_runtime_destroy(s.rt), TMLRT_EBUSY);
    assert_int_equal(tmlrt_task_is_finished(task), 0);
    assert_int_equal(tally.drops, 1);
    atomic_store(&s.release, 1);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_runtime_destroy(s.rt), TMLRT_OK);
    assert_int_equal(tally.drops, 2);
    assert_int_equal(tally.polls, 2);
    tmlrt_task_release(task);
}

static void an_unstarted_task_is_its_makers_and_outlives_the_runtime(void **state) {
    (void)state;
    for (uint32_t flavor = 1; flavor <= 2; flavor++) {
        allocs_t          allocs = {0};
        tmlrt_allocator_t allocator = allocs_of(&allocs);
        tmlrt_config_t    config = TMLRT_CONFIG_INIT;
        config.flavor = flavor;
        config.workers = 1;
        config.allocator = &allocator;
        tmlrt_runtime_t        *rt;
        tmlrt_task_t           *task;
        tally_t                 tally = {0};
        told_t                  told = {0};
        tmlrt_shutdown_report_t report = report_to(&told);
        assert_int_equal(tmlrt_runtime_create(&rt, &config), TMLRT_OK);
        assert_int_equal(tmlrt_task_new(rt, &unit_type, NULL, &task), TMLRT_OK);
        *(unit_t *)tmlrt_task_state(task) = unit_of(&tally, body_ready, NULL);
        assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, &report), TMLRT_OK);
        assert_int_equal(told.n, 0);
        assert_int_equal(tmlrt_task_start(task), TMLRT_ESHUTDOWN);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
        assert_int_equal(((unit_t *)tmlrt_task_state(task))->tally == &tally, 1);
        tmlrt_task_release(task);
        assert_int_equal(tally.drops, 0);
        assert_int_equal(allocs.blocks, 0);
    }
}

/* ---- drops that make trouble ----------------------------------------------------------------- */

typedef struct knot {
    tmlrt_task_t *task[2];
    tmlrt_waker_t waker[2];
    atomic_int    wakers, refused;
} knot_t;

/* Two tasks that join each other; each drop wakes, aborts and spawns. */
static int32_t body_knot(unit_t *u, tmlrt_cx_t *cx) {
    knot_t *k = u->arg;
    TMLRT_BEGIN(u);
    require(tmlrt_waker_clone(cx->waker, &k->waker[u->n]) == TMLRT_OK);
    atomic_fetch_add(&k->wakers, 1);
    while (atomic_load(&k->wakers) < 2)
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_join(&u->op, k->task[1 - u->n], NULL));
    TMLRT_END(u);
}

static void drop_knot(unit_t *u) {
    knot_t *k = u->arg;
    unit_t  child = unit_of(u->tally, body_ready, NULL);
    require(tmlrt_waker_wake_by_ref(&k->waker[0]) == TMLRT_OK);
    require(tmlrt_waker_wake_by_ref(&k->waker[1]) == TMLRT_OK);
    int e = tmlrt_task_abort(k->task[1 - u->n]);
    require(e == TMLRT_OK || e == TMLRT_EALREADY);
    e = tmlrt_spawn(NULL, &unit_type, &child, NULL, NULL);
    require(e == TMLRT_ESHUTDOWN);
    require(tmlrt_runtime_destroy(tmlrt_runtime_current()) == TMLRT_EDEADLK);
    atomic_fetch_add(&k->refused, 1);
}

static void tasks_that_join_each_other_are_ended_by_destroy(void **state) {
    (void)state;
    for (int flavor = 0; flavor < 2; flavor++) {
        tmlrt_runtime_t *rt = make(flavor);
        tally_t          tally = {0};
        knot_t           k = {.wakers = 0};
        for (int i = 0; i < 2; i++) {
            assert_int_equal(tmlrt_task_new(rt, &unit_type, NULL, &k.task[i]), TMLRT_OK);
            unit_t *u = tmlrt_task_state(k.task[i]);
            *u = unit_of(&tally, body_knot, &k);
            u->on_drop = drop_knot;
            u->n = i;
        }
        for (int i = 0; i < 2; i++)
            assert_int_equal(tmlrt_task_start(k.task[i]), TMLRT_OK);
        wait_until(atomic_load(&k.wakers) == 2 || (flavor == 1 && tmlrt_runtime_run_once(rt) < 0));
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
        assert_int_equal(tally.drops, 2);
        assert_int_equal(k.refused, 2);
        for (int i = 0; i < 2; i++) {
            tmlrt_waker_drop(&k.waker[i]);
            tmlrt_task_release(k.task[i]);
        }
    }
}

/* Spawns a successor for as long as it may; a chain that never ends by itself. */
static int32_t body_chain(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    unit_t next = unit_of(u->tally, body_chain, u->arg);
    int    e = tmlrt_spawn(NULL, &unit_type, &next, NULL, NULL);
    require(e == TMLRT_OK || e == TMLRT_ESHUTDOWN);
    if (e == TMLRT_OK) atomic_fetch_add((atomic_int *)u->arg, 1);
    return TMLRT_READY;
}

static void a_chain_of_spawns_ends_at_the_deadline(void **state) {
    (void)state;
    for (int flavor = 0; flavor < 2; flavor++) {
        tmlrt_runtime_t *rt = make(flavor);
        tally_t          tally = {0};
        atomic_int       spawned = 5;
        for (int i = 0; i < 5; i++)
            tmlrt_task_release(unit_spawn(rt, &tally, body_chain, &spawned));
        int e = tmlrt_runtime_shutdown(rt, tmlrt_now(rt) + TMLRT_MS, NULL);
        assert_true(e == TMLRT_OK || e == TMLRT_ETIMEDOUT);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
        assert_int_equal(tally.drops, spawned);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_go_on_and_may_spawn_until_they_have_ended),
        cmocka_unit_test(a_shutdown_refuses_spawns_from_outside_and_a_second_call),
        cmocka_unit_test(daemons_are_not_waited_for),
        cmocka_unit_test(each_task_left_at_the_deadline_is_named_and_cancelled),
        cmocka_unit_test(the_deadline_holds_also_when_a_task_is_always_ready),
        cmocka_unit_test(a_report_of_another_size_is_refused),
        cmocka_unit_test(a_poll_that_does_not_return_makes_destroy_say_busy),
        cmocka_unit_test(an_unstarted_task_is_its_makers_and_outlives_the_runtime),
        cmocka_unit_test(tasks_that_join_each_other_are_ended_by_destroy),
        cmocka_unit_test(a_chain_of_spawns_ends_at_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
