/* SPDX-License-Identifier: MIT */
/*
 * inject.h: a lane of the global queue, for tasks that come from outside the workers: a bounded MPMC
 * ring with an unbounded list behind it. A push never fails and never waits for room. While the list
 * holds anything, pushes go to the list, so that nothing new overtakes what overflowed; pops empty
 * the ring first, which is older. So the tasks of one producer come out in its order, unless another
 * producer is in the middle of a push: then the ring looks empty from there on, and the list is
 * served meanwhile.
 */
#ifndef TMLRT__INJECT_H
#define TMLRT__INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "atomic.h"
#include "mpmc.h"
#include "task.h"

#if !defined(TMLRT__INJECT_SLOTS) /* a model has few */
#define TMLRT__INJECT_SLOTS 256u
#endif

typedef struct tmlrt__inject {
    tmlrt__mpmc_t  ring;
    tmlrt__latch_t latch;
    TMLRT__WATCHED(tmlrt_task_t *) first; /* under latch: the list, linked by next */
    TMLRT__WATCHED(tmlrt_task_t *) last;
    tmlrt__atomic_size overflow; /* written under latch; any thread: tasks in the list */
    tmlrt__mpmc_slot_t slots[TMLRT__INJECT_SLOTS];
} tmlrt__inject_t;

void tmlrt__inject_init(tmlrt__inject_t *q);

/* Any thread. */
void tmlrt__inject_push(tmlrt__inject_t *q, tmlrt_task_t *task);

/* Any thread. Up to `max` tasks, oldest first, into out; how many. 0 does not mean empty. */
size_t tmlrt__inject_pop(tmlrt__inject_t *q, tmlrt_task_t **out, size_t max);

/* Any thread. Tasks pushed or being pushed; after a full fence, 0 means that every push that came
 * before the fence has been popped. */
size_t tmlrt__inject_size(tmlrt__inject_t *q);

#endif
