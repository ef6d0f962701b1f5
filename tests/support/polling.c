/* SPDX-License-Identifier: MIT */
/*
 * polling.c: see polling.h.
 */
#include "polling.h"

static void nop_clone(void *data, tmlrt_waker_t *out) {
    *out = (tmlrt_waker_t){data, &nop_vtable};
}

static void nop(void *data) {
    (void)data;
}

const tmlrt_waker_vtable_t nop_vtable = {nop_clone, nop, nop, nop};

int32_t poll_here(tmlrt_op_t *op) {
    tmlrt_waker_t waker = {NULL, &nop_vtable};
    tmlrt_cx_t    cx = {&waker, NULL, {NULL, NULL}};
    return tmlrt_op_poll(op, &cx);
}
