/* SPDX-License-Identifier: MIT
 *
 * A program outside the library's tree: built by cmake/check_consumer.sh as C11
 * and as C++17, against the installed shared and static library. It makes a
 * runtime, waits for a task's result and ends it. */
#include <tmlrt.h>

#include <stdio.h>

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t nap;
} answer_t;

static int32_t answer_poll(void *state, tmlrt_cx_t *cx, void *result) {
    answer_t *s = (answer_t *)state;

    TMLRT_BEGIN(s);
    TMLRT_AWAIT(s, cx, &s->nap, tmlrt_op_sleep(&s->nap, NULL, TMLRT_MS));
    *(int *)result = 42;
    TMLRT_END(s);
}

static const tmlrt_task_type_t answer_type =
    TMLRT_TASK_TYPE_RESULT(answer_t, int, answer_poll, NULL);

int main(void) {
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_runtime_t *rt;
    answer_t         state = {0, TMLRT_OP_INIT};
    int              answer = 0;

    config.workers = 2;
    int error = tmlrt_runtime_create(&rt, &config);
    if (error == TMLRT_OK) {
        error = tmlrt_runtime_block_on(rt, &answer_type, &state, NULL, &answer);
        if (tmlrt_runtime_destroy(rt) != TMLRT_OK) error = TMLRT_EBUSY;
    }
    printf("tmlrt %s: %s, the answer is %d\n", tmlrt_version_string(), tmlrt_errname(error),
           answer);
    return error == TMLRT_OK && answer == 42 && tmlrt_version() == TMLRT_VERSION_NUMBER ? 0 : 1;
}
