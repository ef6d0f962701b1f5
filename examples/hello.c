/* SPDX-License-Identifier: MIT */
/*
 * hello.c: the smallest useful program. It makes a runtime, spawns a task and joins its result from
 * a plain thread, then runs a root task that spawns two more and joins them itself.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <tmlrt.h>

static void check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "hello: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(1);
}

/* A task that adds two numbers. It never waits, so its state needs no resume point. */
typedef struct {
    int a, b;
} add_t;

static int32_t add_poll(void *state, tmlrt_cx_t *cx, void *result) {
    const add_t *s = state;
    (void)cx;
    *(int *)result = s->a + s->b;
    return TMLRT_READY;
}

static const tmlrt_task_type_t add_type = TMLRT_TASK_TYPE_RESULT(add_t, int, add_poll, NULL);

/* A task that spawns two adders and waits for both. */
typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t    join;
    tmlrt_task_t *left, *right;
    int           left_sum, right_sum;
} root_t;

static int32_t root_poll(void *state, tmlrt_cx_t *cx, void *result) {
    root_t *s = state;
    TMLRT_BEGIN(s);
    check(tmlrt_spawn(NULL, &add_type, &(add_t){1, 2}, NULL, &s->left), "spawn");
    check(tmlrt_spawn(NULL, &add_type, &(add_t){3, 4}, NULL, &s->right), "spawn");
    TMLRT_AWAIT(s, cx, &s->join, tmlrt_op_join(&s->join, s->left, &s->left_sum));
    check(tmlrt_op_result(&s->join), "join");
    TMLRT_AWAIT(s, cx, &s->join, tmlrt_op_join(&s->join, s->right, &s->right_sum));
    check(tmlrt_op_result(&s->join), "join");
    *(int *)result = s->left_sum + s->right_sum;
    TMLRT_END(s);
}

/* Runs once, however the task ends. */
static void root_drop(void *state) {
    root_t *s = state;
    tmlrt_task_release(s->left);
    tmlrt_task_release(s->right);
}

static const tmlrt_task_type_t root_type =
    TMLRT_TASK_TYPE_RESULT(root_t, int, root_poll, root_drop);

int main(void) {
    tmlrt_runtime_t *rt = NULL;
    tmlrt_task_t    *task = NULL;
    root_t           root = {0};
    int              sum = 0, total = 0;

    check(tmlrt_runtime_create(&rt, NULL), "create");
    check(tmlrt_spawn(rt, &add_type, &(add_t){20, 22}, NULL, &task), "spawn");
    check(tmlrt_join(task, &sum), "join");
    tmlrt_task_release(task);
    check(tmlrt_runtime_block_on(rt, &root_type, &root, NULL, &total), "block_on");
    check(tmlrt_runtime_destroy(rt), "destroy");

    printf("hello: 20 + 22 = %d, (1 + 2) + (3 + 4) = %d\n", sum, total);
    return sum == 42 && total == 10 ? 0 : 1;
}
