/* SPDX-License-Identifier: MIT */
/*
 * stripe.c: see stripe.h.
 */
#include "stripe.h"

#include "atomic.h"

static tmlrt__atomic_u32 stripe__next;

static _Thread_local uint32_t stripe__mine; /* 1 more than the number; 0: none yet */

uint32_t tmlrt__stripe(void) {
    if (stripe__mine == 0)
        stripe__mine = tmlrt__fetch_add_relaxed(&stripe__next, 1) % TMLRT__STRIPES + 1;
    return stripe__mine - 1;
}
