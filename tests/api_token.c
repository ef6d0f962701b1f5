/* SPDX-License-Identifier: MIT */
/*
 * api_token.c: cancellation tokens: waiting, trees, counts, races, bad input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/group.h"
#include "support/net.h"
#include "support/random.h"
#include "support/unit.h"

static tally_t tally;

static tmlrt_token_t *token_of(tmlrt_token_t *parent) {
    tmlrt_token_t *t = NULL;
    require(tmlrt_token_create(&t, parent) == TMLRT_OK);
    return t;
}

static void a_cancelled_token_is_ready_for_all_who_ask(void **state) {
    (void)state;
    tmlrt_token_t *t = token_of(NULL);
    tmlrt_op_t     before = TMLRT_OP_INIT, gone = TMLRT_OP_INIT, after = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_token_is_cancelled(t), 0);
    tmlrt_op_token(&before, t);
    tmlrt_op_token(&gone, t);
    assert_int_equal(start(&before), 1);
    assert_int_equal(start(&gone), 1);
    assert_int_equal(tmlrt_op_cancel(&gone), TMLRT_OK);
    assert_int_equal(finish(&gone), TMLRT_ECANCELED);
    assert_int_equal(tmlrt_token_wait_until(t, 1), TMLRT_ETIMEDOUT);
    assert_int_equal(tmlrt_token_cancel(t), TMLRT_OK);
    assert_int_equal(tmlrt_token_cancel(t), TMLRT_EALREADY);
    assert_int_equal(tmlrt_token_is_cancelled(t), 1);
    assert_int_equal(finish(&before), TMLRT_OK);
    tmlrt_op_token(&after, t);
    assert_int_equal(start(&after), 0);
    assert_int_equal(tmlrt_op_result(&after), TMLRT_OK);
    assert_int_equal(tmlrt_token_wait(t), TMLRT_OK);
    assert_int_equal(tmlrt_token_wait_until(t, 1), TMLRT_OK);
    tmlrt_token_release(t);
}

static void a_cancel_reaches_all_descendants_and_nobody_else(void **state) {
    (void)state;
    tmlrt_token_t *root = token_of(NULL), *a = token_of(root), *b = token_of(root);
    tmlrt_token_t *aa = token_of(a), *gone = token_of(a);
    tmlrt_token_release(gone);
    assert_int_equal(tmlrt_token_cancel(a), TMLRT_OK);
    assert_int_equal(tmlrt_token_is_cancelled(aa), 1);
    assert_int_equal(tmlrt_token_is_cancelled(b), 0);
    assert_int_equal(tmlrt_token_is_cancelled(root), 0);
    tmlrt_token_t *late = token_of(aa); /* born cancelled */
    assert_int_equal(tmlrt_token_is_cancelled(late), 1);
    assert_int_equal(tmlrt_token_cancel(late), TMLRT_EALREADY);
    tmlrt_token_release(root); /* its children keep it */
    assert_int_equal(tmlrt_token_cancel(b), TMLRT_OK);
    tmlrt_token_release(late);
    tmlrt_token_release(aa);
    tmlrt_token_release(b);
    tmlrt_token_release(a);
}

static void a_deep_tree_needs_no_stack(void **state) {
    (void)state;
    enum { DEPTH = 100000 };
    tmlrt_token_t *root = token_of(NULL), *t = root;
    for (int i = 0; i < DEPTH; i++) {
        tmlrt_token_t *child = token_of(t);
        if (t != root) tmlrt_token_release(t);
        t = child;
    }
    assert_int_equal(tmlrt_token_cancel(root), TMLRT_OK);
    assert_int_equal(tmlrt_token_is_cancelled(t), 1);
    tmlrt_token_release(root);
    tmlrt_token_release(t); /* and all of them */
}

static void *fiber_waits(void *arg) {
    return (void *)(intptr_t)tmlrt_token_wait(arg);
}

static int32_t body_waits(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_token(&u->op, u->arg));
    u->value = tmlrt_op_result(&u->op);
    require(tmlrt_token_wait(u->arg) == TMLRT_OK); /* it would not wait */
    TMLRT_END(u);
}

static int32_t body_must_not_wait(unit_t *u, tmlrt_cx_t *cx) {
    (void)cx;
    require(tmlrt_token_wait(u->arg) == TMLRT_EDEADLK);
    return TMLRT_READY;
}

static void fibers_tasks_and_threads_wait_for_a_token(void **state) {
    (void)state;
    tmlrt_token_t *t = token_of(NULL), *child = token_of(t);
    tmlrt_task_t  *fiber, *aborted, *task;
    void          *got;
    int64_t        value = -1;
    assert_int_equal(unit_run(rt, &tally, body_must_not_wait, t), 0);
    assert_int_equal(tmlrt_go(rt, fiber_waits, child, NULL, &fiber), TMLRT_OK);
    assert_int_equal(tmlrt_go(rt, fiber_waits, child, NULL, &aborted), TMLRT_OK);
    task = unit_spawn(rt, &tally, body_waits, child);
    assert_int_equal(tmlrt_task_abort(aborted), TMLRT_OK);
    int e = tmlrt_join(aborted, &got);
    assert_true(e == TMLRT_ECANCELED || (intptr_t)got == TMLRT_ECANCELED);
    assert_int_equal(tmlrt_token_cancel(t), TMLRT_OK);
    assert_int_equal(tmlrt_join(fiber, &got), TMLRT_OK);
    assert_int_equal((intptr_t)got, TMLRT_OK);
    assert_int_equal(tmlrt_join(task, &value), TMLRT_OK);
    assert_int_equal(value, TMLRT_OK);
    tmlrt_task_release(fiber);
    tmlrt_task_release(aborted);
    tmlrt_task_release(task);
    tmlrt_token_release(child);
    tmlrt_token_release(t);
}

/* ---- races ---------------------------------------------------------------------------------------- */

enum { BRANCHES = 4 };

typedef struct tree {
    tmlrt_token_t *root, *branch[BRANCHES];
    atomic_int     cancels;
} tree_t;

static void grow_wait_or_cancel(void *arg, int i) {
    tree_t *tree = arg;
    if (i == 0) {
        require(tmlrt_token_cancel(tree->root) == TMLRT_OK);
    } else if (i == 1) {
        for (int k = 0; k < BRANCHES; k++)
            if (tmlrt_token_cancel(tree->branch[k]) == TMLRT_OK)
                atomic_fetch_add(&tree->cancels, 1);
    } else {
        for (int k = 0; k < 40; k++) {
            tmlrt_token_t *t = token_of(tree->branch[k % BRANCHES]);
            if (k % 3 == 0) require(tmlrt_token_wait(t) == TMLRT_OK);
            if (k % 3 == 1) tmlrt_token_cancel(t);
            tmlrt_token_release(t);
        }
        require(tmlrt_token_is_cancelled(tree->branch[i % BRANCHES]) <= 1);
    }
}

static void cancels_race_with_children_that_come_and_go(void **state) {
    (void)state;
    for (int round = 0; round < scaled(100); round++) {
        tree_t tree = {.root = token_of(NULL)};
        for (int k = 0; k < BRANCHES; k++)
            tree.branch[k] = token_of(tree.root);
        on_threads(4, grow_wait_or_cancel, &tree);
        for (int k = 0; k < BRANCHES; k++) {
            assert_int_equal(tmlrt_token_is_cancelled(tree.branch[k]), 1);
            tmlrt_token_release(tree.branch[k]);
        }
        tmlrt_token_release(tree.root);
    }
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_token_t *t = token_of(NULL);
    tmlrt_op_t     op = TMLRT_OP_INIT;
    assert_int_equal(tmlrt_token_create(NULL, t), TMLRT_EINVAL);
    assert_int_equal(tmlrt_token_cancel(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_token_is_cancelled(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_token(&op, NULL), TMLRT_EINVAL);
    assert_int_equal(start(&op), 0);
    assert_int_equal(tmlrt_op_result(&op), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_token(NULL, t), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_token(&op, t), TMLRT_OK);
    assert_int_equal(start(&op), 1);
    assert_int_equal(tmlrt_op_token(&op, t), TMLRT_EBUSY);
    tmlrt_op_cancel(&op);
    assert_int_equal(tmlrt_token_wait(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_token_wait_until(NULL, 1), TMLRT_EINVAL);
    assert_null(tmlrt_token_retain(NULL));
    assert_ptr_equal(tmlrt_token_retain(t), t);
    tmlrt_token_release(t);
    tmlrt_token_release(t);
    tmlrt_token_release(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancelled_token_is_ready_for_all_who_ask),
        cmocka_unit_test(a_cancel_reaches_all_descendants_and_nobody_else),
        cmocka_unit_test(a_deep_tree_needs_no_stack),
        cmocka_unit_test(fibers_tasks_and_threads_wait_for_a_token),
        cmocka_unit_test(cancels_race_with_children_that_come_and_go),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, make_runtime, end_runtime);
}
