/* SPDX-License-Identifier: MIT */
/*
 * stress_scope.c: random trees of fibers, stackless tasks and blocking jobs in nested scopes, with
 * deadlines, failures, cancels, aborts, shields and early returns, from several threads at once.
 *
 * The oracle: every task keeps, as task-locals that it inherited, a count on its parent's and its
 * grandparent's node, from its spawn to after the drop of its state, also when it never ran. A node
 * lies in the frame or the state of its task, and when that ends its count must be zero: then nobody
 * is left who could look at it.
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

enum { DEPTH = 4, ROOTS = 3, SPAWNED_MOST = 3 };

#define FAR_AWAY INT64_C(3600000000000)

static tmlrt_runtime_t *rt;

/* One tree. */
typedef struct root {
    atomic_int living;  /* nodes that have begun */
    atomic_int drops;   /* of states */
    atomic_int states;  /* that a spawn took over */
    int        spawned; /* at the top */
} root_t;

static atomic_llong nodes, jobs, results[4];

typedef struct node {
    TMLRT_FRAME;
    root_t       *root;
    random_t      random;
    uint32_t      depth;
    bool          entered;
    int           i;
    atomic_int    alive; /* values of task-locals that point here */
    tmlrt_scope_t outer, inner;
    tmlrt_op_t    op;
} node_t;

static bool one_in(node_t *n, uint32_t of) {
    return random_below(&n->random, of) == 0;
}

/* ---- the oracle's task-locals ------------------------------------------------------------------- */

static void *keep(void *value) {
    atomic_fetch_add(&((node_t *)value)->alive, 1);
    return value;
}

static void let_go(void *value) {
    require(atomic_fetch_sub(&((node_t *)value)->alive, 1) > 0);
}

/* A node sets the one of its depth; that of its parent, and in turn of its grandparent, is the other. */
static const tmlrt_local_key_t key[2] = {{keep, let_go}, {keep, let_go}};

static void enter(node_t *n) {
    atomic_fetch_add(&n->root->living, 1);
    atomic_fetch_add(&nodes, 1);
    n->entered = true;
    require(tmlrt_local_set(&key[n->depth % 2], keep(n)) == TMLRT_OK);
}

static void leave(node_t *n) {
    require(n->entered);
    require(tmlrt_local_set(&key[n->depth % 2], NULL) == TMLRT_OK);
    require(atomic_load(&n->alive) == 0);
    atomic_fetch_sub(&n->root->living, 1);
}

/* ---- what nodes do -------------------------------------------------------------------------------- */

static const tmlrt_task_type_t node_type;

static void *fiber_node(void *arg);

static void *job(void *arg) {
    (void)arg;
    atomic_fetch_add(&jobs, 1);
    (void)tmlrt_scope_status(NULL);
    return NULL;
}

static int64_t some_deadline(node_t *n) {
    if (one_in(n, 2)) return TMLRT_NEVER;
    return tmlrt_now(rt) + random_below(&n->random, 400000);
}

/* What is copied to a child: who it is, from random numbers of its own. */
static node_t node_of(node_t *parent, root_t *root) {
    node_t n;
    memset(&n, 0, sizeof n);
    n.root = root;
    n.depth = parent->depth + 1;
    random_seed(&n.random, (uint64_t)random_below(&parent->random, UINT32_MAX) << 8 | n.depth);
    return n;
}

/* What a fiber is given, in the pointer itself: its depth in the low bits, a seed above. Its node is in
 * its own frame, and its root it has from its parent's node. */
enum { DEPTH_BITS = 3 };

static void *fiber_argument(uint32_t seed, uint32_t depth) {
    return (void *)((uintptr_t)seed << DEPTH_BITS | depth);
}

static void spawn_one(node_t *n, root_t *root, tmlrt_scope_t *scope) {
    tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
    tmlrt_task_t        *task = NULL, **handle = one_in(n, 4) ? &task : NULL;
    int                  e;
    o.scope = scope;
    if (one_in(n, 8)) o.deadline = tmlrt_now(rt) + 1 + random_below(&n->random, 200000);
    switch (random_below(&n->random, 8)) {
    case 0: e = tmlrt_spawn_blocking(rt, job, NULL, 0, &o, handle); break;
    case 1:
    case 2:
    case 3:
        if (tmlrt_task_current() != NULL) {
            void *arg = fiber_argument(random_below(&n->random, UINT32_MAX), n->depth + 1);
            e = tmlrt_go(rt, fiber_node, arg, &o, handle);
            break;
        } /* fall through */
    default: {
        node_t child = node_of(n, root);
        atomic_fetch_add(&root->states, 1); /* before it may be dropped */
        e = tmlrt_spawn(rt, &node_type, &child, &o, handle);
        if (e != TMLRT_OK) atomic_fetch_sub(&root->states, 1);
        break;
    }
    }
    require(e == TMLRT_OK || e == TMLRT_ECANCELED || e == TMLRT_EAGAIN);
    if (task != NULL && one_in(n, 2)) tmlrt_task_abort(task);
    tmlrt_task_release(task);
}

static void spawn_some(node_t *n, tmlrt_scope_t *scope) {
    if (n->depth >= DEPTH) return;
    for (uint32_t k = random_below(&n->random, SPAWNED_MOST + 1); k > 0; k--)
        spawn_one(n, n->root, scope);
}

static int64_t some_sleep(node_t *n) {
    return one_in(n, 6) ? FAR_AWAY : random_below(&n->random, 100000);
}

/* Cancels or fails this or that. */
static void meddle(node_t *n, tmlrt_scope_t *own) {
    int e = TMLRT_OK;
    switch (random_below(&n->random, 12)) {
    case 0: e = tmlrt_scope_cancel(own); break;
    case 1: e = tmlrt_scope_fail(own, TMLRT_EIO); break;
    case 2: e = tmlrt_scope_fail(NULL, TMLRT_EIO); break;
    default: break;
    }
    require(e == TMLRT_OK || e == TMLRT_EALREADY || e == TMLRT_EINVAL);
}

static void count_result(int64_t r) {
    require(r == TMLRT_OK || r == TMLRT_EIO || r == TMLRT_ECANCELED || r == TMLRT_ETIMEDOUT);
    atomic_fetch_add(&results[r == TMLRT_OK          ? 0
                              : r == TMLRT_EIO       ? 1
                              : r == TMLRT_ECANCELED ? 2
                                                     : 3],
                     1);
}

/* ---- with a stack: fibers and threads -------------------------------------------------------------- */

static void run_node(node_t *n) {
    bool shielded = one_in(n, 6);
    require(tmlrt_scope_open(&n->outer, rt, some_deadline(n)) == TMLRT_OK);
    spawn_some(n, &n->outer);
    if (shielded) require(tmlrt_shield_begin() == TMLRT_OK);
    if (one_in(n, 2)) {
        /* In a shield nobody else would end it. */
        int64_t deadline = shielded ? tmlrt_now(rt) + 100000 : some_deadline(n);
        require(tmlrt_scope_open(&n->inner, rt, deadline) == TMLRT_OK);
        spawn_some(n, &n->inner);
        meddle(n, &n->inner);
        if (one_in(n, 2)) (void)tmlrt_sleep(some_sleep(n));
        spawn_some(n, &n->inner);
        count_result(tmlrt_scope_join(&n->inner));
    }
    if (shielded) require(tmlrt_shield_end() == TMLRT_OK);
    if (one_in(n, 2)) (void)tmlrt_sleep(some_sleep(n));
    meddle(n, &n->outer);
    spawn_some(n, &n->outer);
    count_result(tmlrt_scope_join(&n->outer));
}

static void *fiber_node(void *arg) {
    uint32_t depth = (uint32_t)((uintptr_t)arg & ((1u << DEPTH_BITS) - 1));
    node_t   n;
    node_t  *parent = tmlrt_local_get(&key[(depth + 1) % 2]);
    memset(&n, 0, sizeof n);
    n.root = parent->root; /* it is there: we have a count on it */
    n.depth = depth;
    random_seed(&n.random, (uintptr_t)arg >> DEPTH_BITS);
    enter(&n);
    run_node(&n);
    leave(&n);
    return NULL;
}

/* ---- without ---------------------------------------------------------------------------------------- */

static int32_t node_poll(void *state, tmlrt_cx_t *cx, void *result) {
    node_t *n = state;
    (void)result;
    TMLRT_BEGIN(n);
    enter(n);
    require(tmlrt_scope_open_in(&n->outer, cx, NULL, some_deadline(n)) == TMLRT_OK);
    spawn_some(n, &n->outer);
    if (one_in(n, 2)) {
        require(tmlrt_scope_open_in(&n->inner, cx, &n->outer, some_deadline(n)) == TMLRT_OK);
        spawn_some(n, &n->inner);
        spawn_some(n, &n->outer);
        meddle(n, &n->inner);
        if (one_in(n, 3)) TMLRT_AWAIT(n, cx, &n->op, tmlrt_op_sleep(&n->op, NULL, some_sleep(n)));
        if (one_in(n, 8)) TMLRT_RETURN(n); /* what is open is ended all the same */
        TMLRT_AWAIT(n, cx, tmlrt_scope_op(&n->inner), 0);
        count_result(tmlrt_op_result(tmlrt_scope_op(&n->inner)));
    }
    meddle(n, &n->outer);
    if (one_in(n, 3)) TMLRT_AWAIT(n, cx, &n->op, tmlrt_op_sleep(&n->op, NULL, some_sleep(n)));
    if (one_in(n, 8)) TMLRT_RETURN(n);
    TMLRT_AWAIT(n, cx, tmlrt_scope_op(&n->outer), 0);
    count_result(tmlrt_op_result(tmlrt_scope_op(&n->outer)));
    TMLRT_END(n);
}

static void node_drop(void *state) {
    node_t *n = state;
    if (n->entered) leave(n);
    atomic_fetch_add(&n->root->drops, 1);
}

static const tmlrt_task_type_t node_type = TMLRT_TASK_TYPE(node_t, node_poll, node_drop);

/* ---- the roots --------------------------------------------------------------------------------------- */

static int rounds;

static void grow_trees(void *arg, int thread) {
    (void)arg;
    for (int round = 0; round < rounds; round++) {
        root_t root = {0};
        node_t top;
        memset(&top, 0, sizeof top);
        top.root = &root;
        random_seed(&top.random, test_seed() + (uint64_t)(round * ROOTS + thread));
        tmlrt_scope_t all = TMLRT_SCOPE_INIT;
        /* The bound of every wait inside. */
        int64_t end = tmlrt_now(rt) + 100000 + random_below(&top.random, 2000000);
        require(tmlrt_scope_open(&all, rt, end) == TMLRT_OK);
        for (int k = 0; k < SPAWNED_MOST; k++)
            spawn_one(&top, &root, &all);
        if (one_in(&top, 2)) run_node(&top);
        meddle(&top, &all);
        count_result(tmlrt_scope_join(&all));
        require(atomic_load(&root.living) == 0);
        require(atomic_load(&root.drops) == atomic_load(&root.states));
    }
}

static void nobody_outlives_the_scope_it_is_in(void **state) {
    (void)state;
    rt = runtime_multi(4);
    rounds = scaled(300);
    on_threads(ROOTS, grow_trees, NULL);
    assert_int_equal(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    printf("stress_scope: %lld nodes, %lld jobs; scopes: %lld ok, %lld failed, %lld cancelled, "
           "%lld late\n",
           atomic_load(&nodes), atomic_load(&jobs), atomic_load(&results[0]),
           atomic_load(&results[1]), atomic_load(&results[2]), atomic_load(&results[3]));
    assert_true(nodes > 0);
}

/* The runtime is shut down with the trees in full leaf: their threads are told by refused spawns. */
static atomic_int stopped;

static void grow_until_shutdown(void *arg, int thread) {
    (void)arg;
    if (thread == 0) {
        wait_until(atomic_load(&nodes) > 50);
        int e = tmlrt_runtime_shutdown(rt, 0, NULL);
        require(e == TMLRT_OK || e == TMLRT_ETIMEDOUT);
        atomic_store(&stopped, 1);
        return;
    }
    for (int e = TMLRT_OK; e == TMLRT_OK;) {
        tmlrt_scope_t        all = TMLRT_SCOPE_INIT;
        tmlrt_task_options_t o = TMLRT_TASK_OPTIONS_INIT;
        root_t               root = {0};
        node_t               top, child;
        memset(&top, 0, sizeof top);
        random_seed(&top.random, test_seed() + (uint64_t)thread);
        top.depth = DEPTH - 1; /* leaves: inside a task a spawn may be refused as well */
        require(tmlrt_scope_open(&all, NULL, TMLRT_NEVER) == TMLRT_OK);
        o.scope = &all;
        for (int k = 0; k < 20 && e == TMLRT_OK; k++) {
            child = node_of(&top, &root);
            e = tmlrt_spawn(rt, &node_type, &child, &o, NULL);
            if (e == TMLRT_OK) root.spawned++;
        }
        require(e == TMLRT_OK || e == TMLRT_ESHUTDOWN || e == TMLRT_ECANCELED);
        tmlrt_scope_join(&all);
        require(atomic_load(&root.living) == 0 && atomic_load(&root.drops) == root.spawned);
        if (e == TMLRT_ECANCELED) e = TMLRT_OK;
    }
}

static void a_shutdown_ends_every_scope(void **state) {
    (void)state;
    for (int round = 0; round < scaled(30); round++) {
        nodes = 0;
        stopped = 0;
        rt = runtime_multi(3);
        on_threads(3, grow_until_shutdown, NULL);
        assert_int_equal(stopped, 1);
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_outlives_the_scope_it_is_in),
        cmocka_unit_test(a_shutdown_ends_every_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
