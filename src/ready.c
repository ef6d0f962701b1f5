/* SPDX-License-Identifier: MIT */
/*
 * ready.c: see ready.h.
 *
 * Half of all seeds draw each task with the same probability. The other half favours one end of the
 * list in a run of draws, so that a task may overtake or be overtaken many times in a row, which
 * even draws hardly ever show.
 */
#include "ready.h"

#include <string.h>

#define READY__FIRST 64u
#define READY__EVEN  4u /* of the lopsided draws one in so many is even all the same */

bool tmlrt__ready_put(tmlrt__ready_t *r, const tmlrt_allocator_t *mem, tmlrt_task_t *task) {
    if (r->n == r->room) {
        size_t         room = r->room != 0 ? 2 * r->room : READY__FIRST;
        tmlrt_task_t **more = tmlrt__mem_get(mem, room * sizeof *more, _Alignof(tmlrt_task_t *));
        if (more == NULL) return false;
        if (r->n != 0) memcpy(more, r->slot, r->n * sizeof *more);
        tmlrt__ready_free(r, mem);
        r->slot = more;
        r->room = room;
    }
    r->slot[r->n++] = task;
    return true;
}

static size_t ready__choose(const tmlrt__ready_t *r, tmlrt__chance_t *c) {
    uint32_t n = r->n < UINT32_MAX ? (uint32_t)r->n : UINT32_MAX;
    if ((c->seed & 1) == 0 || tmlrt__chance_below(c, READY__EVEN) == 0)
        return tmlrt__chance_below(c, n);
    return (c->seed & 2) == 0 ? 0 : r->n - 1;
}

tmlrt_task_t *tmlrt__ready_take(tmlrt__ready_t *r, tmlrt__chance_t *c) {
    if (r->n == 0) return NULL;
    size_t        i = ready__choose(r, c);
    tmlrt_task_t *task = r->slot[i];
    r->n--;
    memmove(&r->slot[i], &r->slot[i + 1], (r->n - i) * sizeof *r->slot);
    return task;
}

bool tmlrt__ready_take_if(tmlrt__ready_t *r, const tmlrt_task_t *task) {
    if (r->n == 0 || r->slot[r->n - 1] != task) return false;
    r->n--;
    return true;
}

void tmlrt__ready_free(tmlrt__ready_t *r, const tmlrt_allocator_t *mem) {
    if (r->slot != NULL)
        tmlrt__mem_put(mem, r->slot, r->room * sizeof *r->slot, _Alignof(tmlrt_task_t *));
}
