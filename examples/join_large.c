/* SPDX-License-Identifier: MIT */
/*
 * join_large.c: a result of 1 KiB that must lie on a multiple of 64 bytes. The task writes it once,
 * in place. It is looked at there without a copy (tmlrt_task_result) or moved out (tmlrt_join), and
 * one that nobody takes is ended by the type's drop_result.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <tmlrt.h>

typedef struct {
    _Alignas(64) unsigned char bytes[1024];
} block_t;

typedef struct {
    unsigned char first;
} fill_t;

static atomic_int unclaimed; /* results that drop_result ended */

static void check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "join_large: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(1);
}

static int32_t fill_poll(void *state, tmlrt_cx_t *cx, void *result) {
    const fill_t *s = state;
    block_t      *block = result;
    (void)cx;
    for (size_t i = 0; i < sizeof block->bytes; i++)
        block->bytes[i] = (unsigned char)(s->first + i);
    return TMLRT_READY;
}

static void fill_drop_result(void *result) {
    (void)result;
    atomic_fetch_add(&unclaimed, 1);
}

static const tmlrt_task_type_t fill_type = {
    .struct_size = sizeof(tmlrt_task_type_t),
    .name = "fill",
    .state_size = sizeof(fill_t),
    .state_align = _Alignof(fill_t),
    .result_size = sizeof(block_t),
    .result_align = _Alignof(block_t),
    .poll = fill_poll,
    .drop_result = fill_drop_result,
};

/* Is *block what a task with `first` writes, and does it lie where it must? */
static int is_right(const block_t *block, unsigned char first) {
    if ((uintptr_t)block % _Alignof(block_t) != 0) return 0;
    for (size_t i = 0; i < sizeof block->bytes; i++)
        if (block->bytes[i] != (unsigned char)(first + i)) return 0;
    return 1;
}

int main(void) {
    tmlrt_runtime_t *rt = NULL;
    tmlrt_task_t    *task = NULL;
    void            *in_place = NULL;
    block_t          moved;
    int              right = 1;

    check(tmlrt_runtime_create(&rt, NULL), "create");

    check(tmlrt_spawn(rt, &fill_type, &(fill_t){7}, NULL, &task), "spawn");
    check(tmlrt_join(task, NULL), "join"); /* NULL: the result stays where it is */
    check(tmlrt_task_result(task, &in_place), "result");
    right = right && is_right(in_place, 7);
    check(tmlrt_join(task, &moved), "join"); /* and now it is moved out */
    right = right && is_right(&moved, 7);
    right = right && tmlrt_task_result(task, &in_place) == TMLRT_EALREADY;
    tmlrt_task_release(task);
    right = right && atomic_load(&unclaimed) == 0;

    check(tmlrt_spawn(rt, &fill_type, &(fill_t){8}, NULL, NULL), "spawn"); /* nobody takes it */
    check(tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL), "shutdown");
    check(tmlrt_runtime_destroy(rt), "destroy");
    right = right && atomic_load(&unclaimed) == 1;

    printf("join_large: %u bytes aligned to %u %s\n", (unsigned)sizeof(block_t),
           (unsigned)_Alignof(block_t), right ? "came through whole" : "are WRONG");
    return right ? 0 : 1;
}
