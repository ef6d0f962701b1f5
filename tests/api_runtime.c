/* SPDX-License-Identifier: MIT */
/*
 * api_runtime.c: create with every knob and environment variable, block_on, counters, hooks, the
 * allocator, several runtimes at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/allocs.h"
#include "support/random.h"
#include "support/unit.h"

/* Creates with `config`, destroys what came, and says how it went. */
static int try_config(const tmlrt_config_t *config) {
    tmlrt_runtime_t *rt = NULL;
    int              e = tmlrt_runtime_create(&rt, config);
    if (e == TMLRT_OK) require(tmlrt_runtime_destroy(rt) == TMLRT_OK);
    require((e == TMLRT_OK) == (rt != NULL));
    return e;
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_runtime_t     *rt = runtime_multi(1);
    tmlrt_worker_stats_t stats = {.struct_size = sizeof stats};
    tally_t              tally = {0};
    unit_t               u = unit_of(&tally, body_ready, NULL);
    assert_int_equal(tmlrt_runtime_create(NULL, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_destroy(NULL), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_workers(NULL), TMLRT_EINVAL);
    assert_null(tmlrt_runtime_reactor(NULL));
    assert_null(tmlrt_runtime_current());
    assert_int_equal(tmlrt_runtime_stats(NULL, 0, &stats), TMLRT_ENORUNTIME);
    assert_int_equal(tmlrt_runtime_stats(rt, 1, &stats), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_stats(rt, 0, NULL), TMLRT_EINVAL);
    stats.struct_size = 0;
    assert_int_equal(tmlrt_runtime_stats(rt, 0, &stats), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_block_on(NULL, &unit_type, &u, NULL, NULL), TMLRT_ENORUNTIME);
    assert_int_equal(tmlrt_runtime_block_on(rt, NULL, &u, NULL, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_block_on(rt, &unit_type, NULL, NULL, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_shutdown(NULL, 0, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_shutdown(rt, -1, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_run_once(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_timeout(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_handle(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_run_once(rt), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_timeout(rt), TMLRT_EINVAL);
    assert_int_equal(tmlrt_runtime_handle(rt), TMLRT_EINVAL);
    assert_int_equal(tally.drops, 0);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_config_that_makes_no_sense_is_refused(void **state) {
    (void)state;
    allocs_t          allocs = {0};
    tmlrt_allocator_t no_alloc = allocs_of(&allocs), no_free = no_alloc;
    no_alloc.alloc = NULL;
    no_free.free = NULL;
    struct {
        tmlrt_config_t known;
        uint64_t       newer;
    } c;
    for (int i = 0; i < 12; i++) {
        c.known = (tmlrt_config_t)TMLRT_CONFIG_INIT;
        c.newer = 0;
        switch (i) {
        case 0: c.known.struct_size = 0; break;
        case 1: c.known.struct_size -= 8; break;
        case 2:
            c.known.struct_size = sizeof c;
            c.newer = 1;
            break;
        case 3: c.known.flavor = 3; break;
        case 4: c.known.workers = TMLRT_MAX_WORKERS + 1; break;
        case 5: c.known.reactor = 5; break;
        case 6: c.known.clock = 3; break;
        case 7: c.known.clock = TMLRT_CLOCK_VIRTUAL; break; /* with threads */
        case 8: c.known.pin_workers = 3; break;
        case 9: c.known.thread_name = "elevenbytes"; break;
        case 10: c.known.allocator = &no_alloc; break;
        case 11: c.known.allocator = &no_free; break;
        }
        assert_int_equal(try_config(&c.known), TMLRT_EINVAL);
    }
    c.known = (tmlrt_config_t)TMLRT_CONFIG_INIT;
    c.known.struct_size = sizeof c; /* a newer header whose tail says nothing is fine */
    c.newer = 0;
    assert_int_equal(try_config(&c.known), TMLRT_OK);
    assert_int_equal(allocs.calls, 0);
}

static void a_reactor_of_another_system_is_not_supported(void **state) {
    (void)state;
    tmlrt_config_t config = TMLRT_CONFIG_INIT;
#if defined(TMLRT_KQUEUE_SHIM)
    const uint32_t not_here[] = {TMLRT_REACTOR_IO_URING, TMLRT_REACTOR_IOCP};
#elif defined(__linux__)
    const uint32_t not_here[] = {TMLRT_REACTOR_KQUEUE, TMLRT_REACTOR_IOCP};
#elif defined(_WIN32)
    const uint32_t not_here[] = {TMLRT_REACTOR_KQUEUE, TMLRT_REACTOR_EPOLL};
#else
    const uint32_t not_here[] = {TMLRT_REACTOR_EPOLL, TMLRT_REACTOR_IOCP};
#endif
    for (int i = 0; i < 2; i++) {
        config.reactor = not_here[i];
        assert_int_equal(try_config(&config), TMLRT_ENOTSUP);
    }
}

static void every_knob_of_the_config_is_taken(void **state) {
    (void)state;
    tmlrt_runtime_t *rt;
    assert_int_equal(try_config(NULL), TMLRT_OK);
    tmlrt_config_t config = TMLRT_CONFIG_INIT;
    config.workers = 3;
    config.seed = 7;
    config.pin_workers = 1;
    config.watchdog_ms = UINT32_MAX;
    config.thread_name = "tenbytes10";
    assert_int_equal(tmlrt_runtime_create(&rt, &config), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_workers(rt), 3);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    config.pin_workers = 2;
    config.thread_name = "";
    assert_int_equal(try_config(&config), TMLRT_OK);
    config.flavor = TMLRT_FLAVOR_CURRENT_THREAD;
    config.workers = 0;
    assert_int_equal(tmlrt_runtime_create(&rt, &config), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_workers(rt), 1);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- the environment ------------------------------------------------------------------------- */

static void the_environment_fills_in_what_the_program_left_open(void **state) {
    (void)state;
    static const struct {
        const char *name, *value;
        int         expect;
    } cases[] = {
        {"TMLRT_FLAVOR", "multi", TMLRT_OK},
        {"TMLRT_FLAVOR", "current", TMLRT_OK},
        {"TMLRT_FLAVOR", "", TMLRT_OK},
        {"TMLRT_FLAVOR", "Multi", TMLRT_EINVAL},
        {"TMLRT_WORKERS", "2", TMLRT_OK},
        {"TMLRT_WORKERS", "0", TMLRT_OK},
        {"TMLRT_WORKERS", "", TMLRT_OK},
        {"TMLRT_WORKERS", "1025", TMLRT_EINVAL},
        {"TMLRT_WORKERS", "-1", TMLRT_EINVAL},
        {"TMLRT_WORKERS", "2 ", TMLRT_EINVAL},
        {"TMLRT_WORKERS", "two", TMLRT_EINVAL},
        {"TMLRT_WORKERS", "0x2", TMLRT_EINVAL},
        {"TMLRT_WORKERS", "18446744073709551617", TMLRT_EINVAL},
        {"TMLRT_REACTOR", "auto", TMLRT_OK},
        {"TMLRT_REACTOR", "select", TMLRT_EINVAL},
        {"TMLRT_CLOCK", "real", TMLRT_OK},
        {"TMLRT_CLOCK", "virtual", TMLRT_EINVAL},
        {"TMLRT_CLOCK", "unreal", TMLRT_EINVAL},
        {"TMLRT_SEED", "12345", TMLRT_OK},
        {"TMLRT_SEED", "18446744073709551615", TMLRT_OK},
        {"TMLRT_SEED", "18446744073709551616", TMLRT_EINVAL},
        {"TMLRT_SEED", "x", TMLRT_EINVAL},
        {"TMLRT_AFFINITY", "1", TMLRT_OK},
        {"TMLRT_AFFINITY", "0", TMLRT_OK},
        {"TMLRT_AFFINITY", "yes", TMLRT_EINVAL},
        {"TMLRT_WATCHDOG_MS", "100", TMLRT_OK},
        {"TMLRT_WATCHDOG_MS", "4294967295", TMLRT_OK},
        {"TMLRT_WATCHDOG_MS", "4294967296", TMLRT_EINVAL},
        {"TMLRT_WATCHDOG_MS", "1s", TMLRT_EINVAL},
        {"TMLRT_THREAD_NAME", "worker", TMLRT_OK},
        {"TMLRT_THREAD_NAME", "elevenbytes", TMLRT_EINVAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(setenv(cases[i].name, cases[i].value, 1), 0);
        int e = try_config(NULL);
        if (e != cases[i].expect) print_error("%s=%s\n", cases[i].name, cases[i].value);
        assert_int_equal(e, cases[i].expect);
        assert_int_equal(unsetenv(cases[i].name), 0);
    }
}

static void the_program_beats_the_environment(void **state) {
    (void)state;
    static const char *const names[] = {"TMLRT_FLAVOR",     "TMLRT_WORKERS",  "TMLRT_CLOCK",
                                        "TMLRT_SEED",       "TMLRT_AFFINITY", "TMLRT_WATCHDOG_MS",
                                        "TMLRT_THREAD_NAME"};
    tmlrt_config_t           config = TMLRT_CONFIG_INIT;
    tmlrt_runtime_t         *rt;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        setenv(names[i], "nonsense, which nobody reads", 1);
    config.flavor = TMLRT_FLAVOR_MULTI_THREAD;
    config.workers = 3;
    config.clock = TMLRT_CLOCK_REAL;
    config.seed = 1;
    config.pin_workers = 2;
    config.watchdog_ms = 1000;
    config.thread_name = "mine";
    assert_int_equal(tmlrt_runtime_create(&rt, &config), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_workers(rt), 3);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);

    setenv("TMLRT_FLAVOR", "current", 1);
    setenv("TMLRT_CLOCK", "virtual", 1);
    setenv("TMLRT_REACTOR", "auto", 1);
    assert_int_equal(tmlrt_runtime_create(&rt, NULL), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_run_once(rt), 0);
    assert_int_equal(tmlrt_now(rt), 0);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    unsetenv("TMLRT_FLAVOR");
    unsetenv("TMLRT_CLOCK");
    unsetenv("TMLRT_REACTOR");
    setenv("TMLRT_WORKERS", "5", 1);
    assert_int_equal(tmlrt_runtime_create(&rt, NULL), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_workers(rt), 5);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    unsetenv("TMLRT_WORKERS");
}

/* ---- hooks ----------------------------------------------------------------------------------- */

typedef struct hooks {
    atomic_int  starts, stops, refused;
    atomic_uint seen; /* a bit a worker */
} hooks_t;

static void on_start(void *ctx, uint32_t worker) {
    hooks_t *h = ctx;
    atomic_fetch_add(&h->starts, 1);
    atomic_fetch_or(&h->seen, 1u << worker);
    tmlrt_runtime_t *rt = tmlrt_runtime_current();
    if (rt != NULL && tmlrt_sleep(1) == TMLRT_EDEADLK &&
        tmlrt_runtime_destroy(rt) == TMLRT_EDEADLK &&
        tmlrt_runtime_shutdown(rt, 0, NULL) == TMLRT_EDEADLK &&
        tmlrt_runtime_block_on(rt, &unit_type, h, NULL, NULL) == TMLRT_EDEADLK)
        atomic_fetch_add(&h->refused, 1);
}

static void on_stop(void *ctx, uint32_t worker) {
    hooks_t *h = ctx;
    atomic_fetch_add(&h->stops, 1);
    atomic_fetch_and(&h->seen, ~(1u << worker));
}

static void hooks_run_on_each_worker_and_may_not_block(void **state) {
    (void)state;
    hooks_t        hooks = {0};
    tmlrt_config_t config = TMLRT_CONFIG_INIT;
    config.workers = 4;
    config.on_thread_start = on_start;
    config.on_thread_stop = on_stop;
    config.hook_ctx = &hooks;
    tmlrt_runtime_t *rt;
    assert_int_equal(tmlrt_runtime_create(&rt, &config), TMLRT_OK);
    wait_until(atomic_load(&hooks.starts) == 4);
    assert_int_equal(hooks.seen, 15);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    assert_int_equal(hooks.stops, 4);
    assert_int_equal(hooks.seen, 0);
    assert_int_equal(hooks.refused, 4);
}

/* ---- block_on, destroy, current -------------------------------------------------------------- */

static int32_t body_blocks(unit_t *u, tmlrt_cx_t *cx) {
    tmlrt_runtime_t *rt = tmlrt_runtime_current(), *other = u->arg;
    unit_t           child = unit_of(u->tally, body_ready, NULL);
    (void)cx;
    for (int i = 0; i < 2; i++) {
        tmlrt_runtime_t *r = i == 0 ? rt : other;
        require(tmlrt_runtime_block_on(r, &unit_type, &child, NULL, NULL) == TMLRT_EDEADLK);
        require(tmlrt_runtime_destroy(r) == TMLRT_EDEADLK);
        require(tmlrt_runtime_shutdown(r, 0, NULL) == TMLRT_EDEADLK);
    }
    u->value = 1;
    return TMLRT_READY;
}

static void blocking_calls_inside_a_task_are_refused(void **state) {
    (void)state;
    tally_t          tally = {0};
    tmlrt_runtime_t *multi = runtime_multi(1), *current = runtime_current_thread();
    assert_int_equal(unit_run(multi, &tally, body_blocks, current), 1);
    assert_int_equal(unit_run(current, &tally, body_blocks, multi), 1);
    assert_int_equal(tmlrt_runtime_destroy(current), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_destroy(multi), TMLRT_OK);
}

static void use_foreign(void *arg, int i) {
    tmlrt_runtime_t *rt = arg;
    tally_t          tally = {0};
    unit_t           u = unit_of(&tally, body_ready, NULL);
    (void)i;
    require(tmlrt_runtime_block_on(rt, &unit_type, &u, NULL, NULL) == TMLRT_EDEADLK);
    require(tmlrt_runtime_run_once(rt) == TMLRT_EDEADLK);
    require(tmlrt_runtime_timeout(rt) == TMLRT_EDEADLK);
    require(tmlrt_runtime_handle(rt) == TMLRT_EDEADLK);
    require(tmlrt_runtime_shutdown(rt, 0, NULL) == TMLRT_EDEADLK);
    require(tmlrt_runtime_destroy(rt) == TMLRT_EDEADLK);
    require(tally.drops == 0);
}

static void a_current_thread_runtime_is_driven_by_its_owner_alone(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    on_threads(1, use_foreign, rt);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void block_some(void *arg, int i) {
    tally_t tally = {0};
    for (int k = 0; k < scaled(300); k++)
        require(unit_run(arg, &tally, k % 2 == 0 ? body_ready : body_yield_n, &i) == 0);
}

static void many_threads_block_on_one_runtime(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(2);
    on_threads(4, block_some, rt);
    /* A task is counted just after those who wait for it have been told. */
    wait_until(stats_sum(rt, completed) == 4 * (uint64_t)scaled(300));
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static int32_t body_current_is(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    for (u->n = 0; u->n < 20; u->n++) {
        require(tmlrt_runtime_current() == u->arg);
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep(&u->op, NULL, u->n % 2 * 1000));
    }
    TMLRT_END(u);
}

static void several_runtimes_live_beside_each_other(void **state) {
    (void)state;
    static tally_t   tally;
    tmlrt_runtime_t *rts[5];
    for (int i = 0; i < 5; i++)
        rts[i] = i == 4 ? runtime_current_thread() : runtime_multi(1 + (uint32_t)i % 2);
    for (int i = 0; i < 200; i++)
        tmlrt_task_release(unit_spawn(rts[i % 5], &tally, body_current_is, rts[i % 5]));
    for (int i = 0; i < 5; i++)
        assert_int_equal(tmlrt_runtime_shutdown(rts[i], TMLRT_NEVER, NULL), TMLRT_OK);
    assert_int_equal(tally.ready, 200);
    for (int i = 5; i-- > 0;)
        assert_int_equal(tmlrt_runtime_destroy(rts[i]), TMLRT_OK);
}

/* ---- memory and counters --------------------------------------------------------------------- */

static void every_byte_comes_from_the_allocator_and_returns_to_it(void **state) {
    (void)state;
    tmlrt_allocator_t allocator;
    allocs_t          allocs = {0};
    allocator = allocs_of(&allocs);
    for (uint32_t flavor = 1; flavor <= 2; flavor++) {
        tmlrt_config_t config = TMLRT_CONFIG_INIT;
        config.flavor = flavor;
        config.workers = 2;
        config.allocator = &allocator;
        tmlrt_runtime_t *rt;
        static tally_t   tally;
        assert_int_equal(tmlrt_runtime_create(&rt, &config), TMLRT_OK);
        tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
        options.name = "with a name";
        for (int i = 0; i < 3000; i++)
            tmlrt_task_release(unit_spawn_with(rt, &tally,
                                               i % 3 == 0 ? body_sleep_forever : body_ready, NULL,
                                               i % 2 == 0 ? &options : NULL));
        int e = tmlrt_runtime_shutdown(rt, tmlrt_now(rt) + TMLRT_MS, NULL);
        assert_int_equal(e, TMLRT_ETIMEDOUT);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
        assert_int_equal(allocs.blocks, 0);
        assert_int_equal(allocs.bytes, 0);
    }
}

static void the_counters_count(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tally_t          tally = {0};
    assert_int_equal(unit_run(rt, &tally, body_yield_n, &(int){9}), 0);
    assert_int_equal(stats_sum(rt, polls), 10);
    assert_int_equal(stats_sum(rt, completed), 1);
    assert_int_equal(stats_sum(rt, injected), 1);
    assert_int_equal(stats_sum(rt, spawned), 0);
    assert_int_equal(unit_run(rt, &tally, body_current_is, rt), 0);
    assert_int_equal(stats_sum(rt, timers_fired), 10);
    assert_true(stats_sum(rt, parks) >= 1);

    struct {
        tmlrt_worker_stats_t known;
        uint64_t             newer;
    } s = {.known.struct_size = sizeof s, .newer = 5};
    assert_int_equal(tmlrt_runtime_stats(rt, 0, &s.known), TMLRT_OK);
    assert_int_equal(s.newer, 0); /* what we do not know of is 0 */
    assert_int_equal(s.known.struct_size, sizeof s);
    s.known = (tmlrt_worker_stats_t){.struct_size = offsetof(tmlrt_worker_stats_t, spawned),
                                     .spawned = 77};
    assert_int_equal(tmlrt_runtime_stats(rt, 0, &s.known), TMLRT_OK);
    assert_true(s.known.polls > 10);
    assert_int_equal(s.known.spawned, 77); /* an older caller's struct ends before it */
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(a_config_that_makes_no_sense_is_refused),
        cmocka_unit_test(a_reactor_of_another_system_is_not_supported),
        cmocka_unit_test(every_knob_of_the_config_is_taken),
        cmocka_unit_test(the_environment_fills_in_what_the_program_left_open),
        cmocka_unit_test(the_program_beats_the_environment),
        cmocka_unit_test(hooks_run_on_each_worker_and_may_not_block),
        cmocka_unit_test(blocking_calls_inside_a_task_are_refused),
        cmocka_unit_test(a_current_thread_runtime_is_driven_by_its_owner_alone),
        cmocka_unit_test(many_threads_block_on_one_runtime),
        cmocka_unit_test(several_runtimes_live_beside_each_other),
        cmocka_unit_test(every_byte_comes_from_the_allocator_and_returns_to_it),
        cmocka_unit_test(the_counters_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
