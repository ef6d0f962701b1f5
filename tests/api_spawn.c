/* SPDX-License-Identifier: MIT */
/*
 * api_spawn.c: spawning from everywhere, what the options do, and panics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/unit.h"

static tmlrt_runtime_t  *rt;           /* two workers; of the group */
static tmlrt_task_type_t guarded_type; /* unit_type with the guard below */

static int32_t guard(tmlrt_poll_fn body, void *state, tmlrt_cx_t *cx, void *result);

static int make_runtime(void **state) {
    (void)state;
    rt = runtime_multi(2);
    guarded_type = unit_type;
    guarded_type.guard = guard;
    return 0;
}

static int end_runtime(void **state) {
    (void)state;
    return tmlrt_runtime_destroy(rt);
}

/* ---- from everywhere ------------------------------------------------------------------------- */

typedef struct tree {
    tally_t tally;
    int     depth;
} tree_t;

/* Spawns two of its own kind and joins them: counts the leaves. */
static int32_t body_tree(unit_t *u, tmlrt_cx_t *cx) {
    tree_t *tree = u->arg;
    TMLRT_BEGIN(u);
    if (u->n == 0) {
        u->value = 1;
        TMLRT_RETURN(u);
    }
    for (u->i = 0; u->i < 2; u->i++) {
        unit_t child = unit_of(&tree->tally, body_tree, tree);
        child.n = u->n - 1;
        require(tmlrt_spawn(NULL, &unit_type, &child, NULL, &u->child) == TMLRT_OK);
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_join(&u->op, u->child, &u->got));
        require(tmlrt_op_result(&u->op) == TMLRT_OK);
        u->value += u->got;
        tmlrt_task_release(u->child);
    }
    TMLRT_END(u);
}

static void grow_tree(void *arg, int i) {
    tree_t *tree = arg;
    (void)i;
    unit_t  root = unit_of(&tree->tally, body_tree, tree);
    int64_t leaves = 0;
    root.n = tree->depth;
    tmlrt_task_t *task;
    require(tmlrt_spawn(rt, &unit_type, &root, NULL, &task) == TMLRT_OK);
    require(tmlrt_join(task, &leaves) == TMLRT_OK);
    require(leaves == 1 << tree->depth);
    tmlrt_task_release(task);
}

static void tasks_are_spawned_from_threads_and_from_tasks(void **state) {
    (void)state;
    tree_t tree = {.depth = scaled(10) > 4 ? 10 : 6};
    int    tasks = (2 << tree.depth) - 1;
    on_threads(4, grow_tree, &tree);
    assert_int_equal(tree.tally.ready, 4 * tasks);
    assert_int_equal(tree.tally.drops, 4 * tasks);
}

typedef struct ids {
    uint64_t id[4][2000];
} ids_t;

static void collect_ids(void *arg, int i) {
    ids_t         *ids = arg;
    static tally_t tally;
    for (int k = 0; k < 2000; k++) {
        tmlrt_task_t *task = unit_spawn(rt, &tally, body_ready, NULL);
        ids->id[i][k] = tmlrt_task_id(task);
        require(tmlrt_task_id(task) == ids->id[i][k]);
        tmlrt_task_release(task);
    }
}

static int compare_ids(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void no_two_tasks_have_the_same_id(void **state) {
    (void)state;
    static ids_t ids;
    uint64_t    *all = &ids.id[0][0];
    on_threads(4, collect_ids, &ids);
    qsort(all, 8000, sizeof all[0], compare_ids);
    assert_true(all[0] >= 1);
    for (int i = 1; i < 8000; i++)
        assert_true(all[i] != all[i - 1]);
}

/* ---- what a task knows of itself ------------------------------------------------------------- */

static int32_t body_knows_itself(unit_t *u, tmlrt_cx_t *cx) {
    require(tmlrt_task_current() == cx->task);
    require(tmlrt_runtime_current() == rt);
    require(tmlrt_runtime_workers(NULL) == 2);
    require(tmlrt_runtime_reactor(NULL) != NULL);
    require(strcmp(tmlrt_task_name(cx->task), u->arg) == 0);
    return TMLRT_READY;
}

static void a_task_has_the_name_of_its_options_or_of_its_type(void **state) {
    (void)state;
    static tally_t       tally;
    tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
    options.name = "my own";
    options.site = TMLRT_SITE;
    tmlrt_task_t *task = unit_spawn_with(rt, &tally, body_knows_itself, "my own", &options);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    assert_string_equal(tmlrt_task_name(task), "my own");
    tmlrt_task_release(task);
    task = unit_spawn_with(rt, &tally, body_knows_itself, "unit", NULL);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);

    static tmlrt_task_type_t nameless; /* outlives its tasks */
    nameless = unit_type;
    nameless.name = NULL;
    unit_t u = unit_of(&tally, body_knows_itself, "?");
    assert_int_equal(tmlrt_runtime_block_on(rt, &nameless, &u, NULL, NULL), TMLRT_OK);
    assert_int_equal(atoi(strrchr(TMLRT_SITE, ':') + 1), __LINE__);
    assert_null(tmlrt_task_current());
    assert_null(tmlrt_runtime_current());
}

/* ---- deadline, pinned ------------------------------------------------------------------------ */

static void a_task_is_aborted_at_its_deadline(void **state) {
    (void)state;
    unit_body_t bodies[] = {body_never, body_sleep_forever};
    for (int i = 0; i < 4; i++) {
        tally_t              tally = {0};
        tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
        int64_t until = i < 2 ? tmlrt_now(NULL) + 2 * TMLRT_MS : 1; /* the others: passed already */
        options.deadline = until;
        tmlrt_task_t *task = unit_spawn_with(rt, &tally, bodies[i % 2], NULL, &options);
        assert_int_equal(tmlrt_join(task, NULL), TMLRT_ECANCELED);
        assert_true(tmlrt_now(NULL) >= until);
        assert_int_equal(tally.drops, 1);
        assert_true(tally.polls <= (i < 2)); /* a slow machine comes too late for its only poll */
        tmlrt_task_release(task);
    }
}

static void a_task_that_ends_before_its_deadline_is_done(void **state) {
    (void)state;
    tally_t              tally = {0};
    tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
    options.deadline = tmlrt_now(NULL) + 1000 * TMLRT_S;
    tmlrt_task_t *task = unit_spawn_with(rt, &tally, body_yield_n, &(int){10}, &options);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
    assert_int_equal(tally.drops, 1);
}

static _Thread_local int this_thread;
static atomic_int        moved;

static int32_t body_stays(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    u->arg = &this_thread;
    for (u->n = 0; u->n < 200; u->n++) {
        TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_yield(&u->op));
        if (u->arg != (void *)&this_thread) atomic_fetch_add(&moved, 1);
        if (u->n % 20 == 0) {
            TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_sleep(&u->op, NULL, 1000));
            if (u->arg != (void *)&this_thread) atomic_fetch_add(&moved, 1);
        }
    }
    TMLRT_END(u);
}

static int32_t body_spawns_pinned(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
    options.flags = TMLRT_TASK_PINNED;
    u->child = unit_spawn_with(NULL, u->tally, body_stays, NULL, &options);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_join(&u->op, u->child, NULL));
    require(tmlrt_op_result(&u->op) == TMLRT_OK);
    tmlrt_task_release(u->child);
    TMLRT_END(u);
}

static void a_pinned_task_never_moves(void **state) {
    (void)state;
    tally_t       tally = {0};
    tmlrt_task_t *tasks[20];
    for (int i = 0; i < 20; i++)
        tasks[i] = unit_spawn(rt, &tally, body_spawns_pinned, NULL);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(tmlrt_join(tasks[i], NULL), TMLRT_OK);
        tmlrt_task_release(tasks[i]);
    }
    assert_int_equal(moved, 0);
}

static int32_t body_spawns_a_busy_pinned(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
    options.flags = TMLRT_TASK_PINNED;
    tmlrt_task_release(unit_spawn_with(NULL, u->tally, body_yield_until, u->arg, &options));
    return TMLRT_READY;
}

static int32_t body_sets(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    atomic_store((atomic_int *)u->arg, 1);
    return TMLRT_READY;
}

/* One on each worker: what comes from outside must get in between their turns. */
static void pinned_tasks_that_are_always_ready_keep_nobody_out(void **state) {
    (void)state;
    for (uint32_t workers = 0; workers <= 2; workers++) {
        tmlrt_runtime_t *own = workers == 0 ? runtime_current_thread() : runtime_multi(workers);
        tally_t          tally = {0};
        atomic_int       end = 0;
        for (uint32_t i = 0; i < 4 * workers + 1; i++)
            unit_run(own, &tally, body_spawns_a_busy_pinned, &end);
        assert_int_equal(unit_run(own, &tally, body_sets, &end), 0); /* else hangs */
        assert_int_equal(tmlrt_runtime_shutdown(own, TMLRT_NEVER, NULL), TMLRT_OK);
        assert_int_equal(tmlrt_runtime_destroy(own), TMLRT_OK);
    }
}

/* ---- panics ---------------------------------------------------------------------------------- */

static _Thread_local jmp_buf *catcher;

static int32_t guard(tmlrt_poll_fn body, void *state, tmlrt_cx_t *cx, void *result) {
    jmp_buf here, *volatile outer = catcher;
    int32_t r;
    if (setjmp(here) == 0) {
        catcher = &here;
        r = body(state, cx, result);
    } else {
        r = TMLRT_PANICKED;
    }
    catcher = outer;
    return r;
}

static void panic(void) {
    longjmp(*catcher, 1);
}

/* Panics in its poll number arg, with operations in flight. */
static int32_t body_panics(unit_t *u, tmlrt_cx_t *cx) {
    if (u->n++ == *(int *)u->arg) panic();
    if (u->n == 1) {
        tmlrt_op_sleep(&u->op, NULL, 1000 * TMLRT_S);
        tmlrt_op_sleep(&u->op2, NULL, 1000 * TMLRT_S);
        u->ops[0] = &u->op2;
        tmlrt_op_any(&u->op3, u->ops, 1);
        require(tmlrt_op_poll(&u->op, cx) == TMLRT_PENDING);
        require(tmlrt_op_poll(&u->op3, cx) == TMLRT_PENDING);
    }
    require(tmlrt_waker_wake_by_ref(cx->waker) == TMLRT_OK);
    return TMLRT_PENDING;
}

static void drop_after_panic(unit_t *u) {
    if (*(int *)u->arg == 0) return;
    require(tmlrt_op_result(&u->op) == TMLRT_ECANCELED);
    require(tmlrt_op_result(&u->op2) == TMLRT_ECANCELED);
    require(tmlrt_op_result(&u->op3) == TMLRT_ECANCELED);
}

static void a_panic_ends_the_task_alone(void **state) {
    (void)state;
    for (int when = 0; when < 3; when++) {
        tally_t       tally = {0};
        void         *p = &tally;
        tmlrt_task_t *task, *sibling = unit_spawn(rt, &tally, body_yield_n, &(int){50});
        unit_t        u = unit_of(&tally, body_panics, &when);
        u.on_drop = drop_after_panic;
        assert_int_equal(tmlrt_spawn(rt, &guarded_type, &u, NULL, &task), TMLRT_OK);
        assert_int_equal(tmlrt_join(task, &(int64_t){0}), TMLRT_EPANIC);
        assert_int_equal(tmlrt_task_result(task, &p), TMLRT_EPANIC);
        assert_null(p);
        assert_int_equal(tmlrt_task_abort(task), TMLRT_EALREADY);
        assert_int_equal(tmlrt_join(sibling, NULL), TMLRT_OK);
        assert_int_equal(tally.drops, 2);
        assert_int_equal(tally.ready, 1);
        tmlrt_task_release(task);
        tmlrt_task_release(sibling);
    }
}

static void block_on_tells_of_a_panic(void **state) {
    (void)state;
    tally_t tally = {0};
    unit_t  u = unit_of(&tally, body_panics, &(int){0});
    assert_int_equal(tmlrt_runtime_block_on(rt, &guarded_type, &u, NULL, &(int64_t){0}),
                     TMLRT_EPANIC);
    assert_int_equal(tally.drops, 1);
}

/* A future inside the state: its own guard catches (arg non-zero), or only the task's does. */
typedef struct nest {
    int               when;
    int               own_guard;
    tally_t           inner_tally;
    unit_t            inner;
    int64_t           value, result;
    tmlrt_task_type_t type;
} nest_t;

static int32_t body_nest(unit_t *u, tmlrt_cx_t *cx) {
    nest_t *n = u->arg;
    TMLRT_BEGIN(u);
    n->inner = unit_of(&n->inner_tally, body_panics, &n->when);
    n->inner.on_drop = drop_after_panic;
    n->type = unit_type;
    n->type.guard = n->own_guard ? guard : NULL;
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_future(&u->op, &n->type, &n->inner, &n->value));
    n->result = tmlrt_op_result(&u->op);
    TMLRT_END(u);
}

static void a_panic_in_an_inline_future_ends_its_operations_first(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        tally_t tally = {0};
        nest_t  nest = {.when = i % 2, .own_guard = i < 2};
        unit_t  u = unit_of(&tally, body_nest, &nest);
        int     r = tmlrt_runtime_block_on(rt, &guarded_type, &u, NULL, NULL);
        assert_int_equal(r, nest.own_guard ? TMLRT_OK : TMLRT_EPANIC);
        if (nest.own_guard) assert_int_equal(nest.result, TMLRT_EPANIC);
        assert_int_equal(nest.inner_tally.drops, 1);
        assert_int_equal(tally.drops, 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_are_spawned_from_threads_and_from_tasks),
        cmocka_unit_test(no_two_tasks_have_the_same_id),
        cmocka_unit_test(a_task_has_the_name_of_its_options_or_of_its_type),
        cmocka_unit_test(a_task_is_aborted_at_its_deadline),
        cmocka_unit_test(a_task_that_ends_before_its_deadline_is_done),
        cmocka_unit_test(a_pinned_task_never_moves),
        cmocka_unit_test(pinned_tasks_that_are_always_ready_keep_nobody_out),
        cmocka_unit_test(a_panic_ends_the_task_alone),
        cmocka_unit_test(block_on_tells_of_a_panic),
        cmocka_unit_test(a_panic_in_an_inline_future_ends_its_operations_first),
    };
    return cmocka_run_group_tests(tests, make_runtime, end_runtime);
}
