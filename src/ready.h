/* SPDX-License-Identifier: MIT */
/*
 * ready.h: the ready tasks of a replayed runtime, in no order: one is taken by chance. It stands in
 * for the next slot, the deque and the fifo of the one worker, which have an order to keep.
 *
 * Owner: the runtime's thread.
 */
#ifndef TMLRT__READY_H
#define TMLRT__READY_H

#include <stdbool.h>
#include <stddef.h>

#include "chance.h"
#include "host.h"

typedef struct tmlrt__ready {
    tmlrt_task_t **slot;
    size_t         n, room;
} tmlrt__ready_t;

/* False: no memory to grow; the task is still the caller's. */
bool tmlrt__ready_put(tmlrt__ready_t *r, const tmlrt_allocator_t *mem, tmlrt_task_t *task);

/* One of them, or NULL. */
tmlrt_task_t *tmlrt__ready_take(tmlrt__ready_t *r, tmlrt__chance_t *c);

/* Takes out the one that was put last, if it is `task`. */
bool tmlrt__ready_take_if(tmlrt__ready_t *r, const tmlrt_task_t *task);

void tmlrt__ready_free(tmlrt__ready_t *r, const tmlrt_allocator_t *mem);

#endif
