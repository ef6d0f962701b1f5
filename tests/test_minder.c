/* SPDX-License-Identifier: MIT */
/*
 * test_minder.c: stuck workers are served by others, the watchdog names the task, and an idle
 * runtime does nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/unit.h"

#include "runtime.h"

/* ---- stuck workers --------------------------------------------------------------------------- */

typedef struct stuck {
    tmlrt_runtime_t *rt;
    tally_t          tally;
    tmlrt_notify_t   notify;
    tmlrt_fd_t      *fd;
    int              pipe[2];
    atomic_int       next, timer, reader, spawned, woken;
} stuck_t;

static int32_t child_next(unit_t *u, tmlrt_cx_t *cx) {
    stuck_t *s = u->arg;
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_notified(&u->op, &s->notify));
    atomic_store(&s->next, 1);
    TMLRT_END(u);
}

static int32_t child_timer(unit_t *u, tmlrt_cx_t *cx) {
    stuck_t *s = u->arg;
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep(&u->op, NULL, TMLRT_MS));
    atomic_store(&s->timer, 1);
    TMLRT_END(u);
}

static int32_t child_reader(unit_t *u, tmlrt_cx_t *cx) {
    stuck_t *s = u->arg;
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_fd_wait(&u->op, s->fd, TMLRT_FD_READ));
    atomic_store(&s->reader, 1);
    TMLRT_END(u);
}

static int32_t child_spawned(unit_t *u, tmlrt_cx_t *cx) {
    stuck_t *s = u->arg;
    (void)cx;
    atomic_store(&s->spawned, 1);
    return TMLRT_READY;
}

/* Spawns a child and has its first poll run right here, in a join that is then given up. */
static void start_here(unit_t *u, tmlrt_cx_t *cx, unit_body_t body) {
    stuck_t      *s = u->arg;
    tmlrt_op_t    join = TMLRT_OP_INIT;
    int           before = atomic_load(&s->tally.polls);
    tmlrt_task_t *child = unit_spawn(NULL, &s->tally, body, s);
    tmlrt_op_join(&join, child, NULL);
    tmlrt_op_poll(&join, cx);
    tmlrt_op_cancel(&join);
    wait_until(atomic_load(&s->tally.polls) > before); /* or a thief was quicker */
    tmlrt_task_release(child);
}

static int32_t body_gets_stuck(unit_t *u, tmlrt_cx_t *cx) {
    stuck_t *s = u->arg;
    require(tmlrt_fd_open(NULL, s->pipe[0], &s->fd) == TMLRT_OK); /* this worker's driver */
    start_here(u, cx, child_next);
    start_here(u, cx, child_timer);
    start_here(u, cx, child_reader);
    require(tmlrt_notify_one(&s->notify) == TMLRT_OK);
    require(write(s->pipe[1], "x", 1) == 1);
    tmlrt_task_release(unit_spawn(NULL, &s->tally, child_spawned, s));
    /* Nobody but other workers can make this true. */
    wait_until(atomic_load(&s->next) && atomic_load(&s->timer) && atomic_load(&s->reader) &&
               atomic_load(&s->spawned));
    return TMLRT_READY;
}

static void what_a_stuck_worker_holds_is_served_by_others(void **state) {
    (void)state;
    uint64_t taken_over = 0;
    for (int round = 0; round < 5; round++) {
        stuck_t s = {.rt = runtime_multi(2)};
        tally_t tally = {0};
        assert_int_equal(pipe(s.pipe), 0);
        assert_int_equal(unit_run(s.rt, &tally, body_gets_stuck, &s), 0);
        assert_int_equal(tmlrt_runtime_shutdown(s.rt, TMLRT_NEVER, NULL), TMLRT_OK);
        taken_over += stats_sum(s.rt, taken_over);
        tmlrt_fd_close(s.fd);
        close(s.pipe[0]);
        close(s.pipe[1]);
        assert_int_equal(tmlrt_runtime_destroy(s.rt), TMLRT_OK);
    }
    assert_true(taken_over > 0); /* in one round thieves may have been quicker with all of it */
}

typedef struct watched {
    atomic_int    told;
    tmlrt_stuck_t stuck;
    char          name[32], site[32];
} watched_t;

static void on_stuck(void *ctx, const tmlrt_stuck_t *stuck) {
    watched_t *w = ctx;
    w->stuck = *stuck;
    strncpy(w->name, stuck->task_name, sizeof w->name - 1);
    strncpy(w->site, stuck->task_site, sizeof w->site - 1);
    atomic_fetch_add(&w->told, 1);
}

static int32_t body_until_told(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    wait_until(atomic_load(&((watched_t *)u->arg)->told) != 0);
    return TMLRT_READY;
}

static void the_watchdog_names_the_task_that_is_stuck(void **state) {
    (void)state;
    watched_t        w = {.told = 0};
    tally_t          tally = {0};
    tmlrt_runtime_t *rt;
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    config.workers = 1;
    config.watchdog_ms = 20;
    config.on_stuck = on_stuck;
    config.hook_ctx = &w;
    assert_int_equal(tmlrt_runtime_create(&rt, &config), TMLRT_OK);
    tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
    options.name = "the stuck one";
    options.site = "site.c:5";
    tmlrt_task_t *task = unit_spawn_with(rt, &tally, body_until_told, &w, &options);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    assert_int_equal(w.told, 1); /* once a poll */
    assert_string_equal(w.name, "the stuck one");
    assert_string_equal(w.site, "site.c:5");
    assert_int_equal(w.stuck.task_id, tmlrt_task_id(task));
    assert_int_equal(w.stuck.worker, 0);
    assert_int_equal(w.stuck.all_stuck, 1);
    assert_true(w.stuck.stuck_ns >= 20 * TMLRT_MS);
    tmlrt_task_release(task);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- idle ------------------------------------------------------------------------------------ */

static uint64_t activity(tmlrt_runtime_t *rt) {
    return stats_sum(rt, polls) + stats_sum(rt, parks) + stats_sum(rt, driver_polls) +
           stats_sum(rt, events) + stats_sum(rt, wakes_sent) + stats_sum(rt, taken_over);
}

static void the_counters_of_an_idle_runtime_stand_still(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(3);
    tally_t          tally = {0};
    assert_int_equal(unit_run(rt, &tally, body_yield_n, &(int){100}), 0);
    tmlrt_task_release(unit_spawn(rt, &tally, body_sleep_forever, NULL));
    wait_until(tmlrt__idle_all_parked(&rt->sched.idle));
    /* The minder ticks for a while yet, and then sleeps too. */
    wait_until(tmlrt__load_relaxed(&rt->sched.minder_asleep) != 0);
    uint64_t before = activity(rt);
    assert_int_equal(tmlrt_sleep(100 * TMLRT_MS), TMLRT_OK); /* time in which nothing happens */
    assert_int_equal(activity(rt), before);
    assert_true(tmlrt__idle_all_parked(&rt->sched.idle));
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_stuck_worker_holds_is_served_by_others),
        cmocka_unit_test(the_watchdog_names_the_task_that_is_stuck),
        cmocka_unit_test(the_counters_of_an_idle_runtime_stand_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
