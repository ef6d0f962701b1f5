/* SPDX-License-Identifier: MIT */
/*
 * tml_slot.c: see tml_slot.h. Chunks of slots that are never freed, and a list of the free ones.
 * One latch for all of it: a slot is looked at for a few instructions.
 */
#include "tml_slot.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc.h"
#include "tml_task.h"

#define SLOT__CHUNK  1024u                                    /* slots */
#define SLOT__CHUNKS (UINTPTR_MAX > UINT32_MAX ? 4096u : 63u) /* what half a pointer can number */
/* The lower half of the data is the number plus 1, the upper half the generation. */
#define SLOT__SHIFT ((unsigned)(sizeof(uintptr_t) * 4))
#define SLOT__MASK  (((uintptr_t)1 << SLOT__SHIFT) - 1)

typedef struct slot__entry {
    tmlrt__tml_task_t *task; /* NULL: free */
    uintptr_t          generation;
    uint32_t           next; /* of the free list: number plus 1, 0 ends it */
} slot__entry_t;

static struct {
    tmlrt__latch_t latch; /* guards everything here */
    slot__entry_t *chunk[SLOT__CHUNKS];
    uint32_t       chunks;
    uint32_t       free; /* number plus 1 of the first free slot */
} slots;

static slot__entry_t *slot__at(uint32_t number) {
    return &slots.chunk[number / SLOT__CHUNK][number % SLOT__CHUNK];
}

static void *slot__data(uint32_t number, const slot__entry_t *entry) {
    return (void *)((entry->generation & SLOT__MASK) << SLOT__SHIFT | (number + 1));
}

/* Under the latch: the entry of a waker's data, or NULL when it has another tenant by now. */
static slot__entry_t *slot__of(const void *data) {
    uint32_t number = (uint32_t)((uintptr_t)data & SLOT__MASK) - 1;
    if (number >= slots.chunks * SLOT__CHUNK) return NULL;
    slot__entry_t *entry = slot__at(number);
    return entry->task != NULL && slot__data(number, entry) == data ? entry : NULL;
}

/* Under the latch: adds a chunk, unless another thread has done so meanwhile. */
static bool slot__add(slot__entry_t *chunk) {
    if (slots.free != 0 || slots.chunks == SLOT__CHUNKS) return false;
    uint32_t first = slots.chunks * SLOT__CHUNK;
    for (uint32_t i = 0; i < SLOT__CHUNK; i++)
        chunk[i].next = i + 1 < SLOT__CHUNK ? first + i + 2 : 0;
    slots.chunk[slots.chunks++] = chunk;
    slots.free = first + 1;
    return true;
}

void *tmlrt__tml_slot_take(tmlrt__tml_task_t *task) {
    const size_t   size = SLOT__CHUNK * sizeof(slot__entry_t);
    slot__entry_t *more = NULL;
    void          *data = NULL;
    for (;;) {
        tmlrt__latch_lock(&slots.latch);
        if (more != NULL && slot__add(more)) more = NULL;
        if (slots.free != 0) {
            uint32_t       number = slots.free - 1;
            slot__entry_t *entry = slot__at(number);
            slots.free = entry->next;
            entry->task = task;
            data = slot__data(number, entry);
        }
        bool full = slots.chunks == SLOT__CHUNKS;
        tmlrt__latch_unlock(&slots.latch);
        if (data != NULL || full || more != NULL) break;
        more = tmlrt__mem_zero(&tmlrt__mem_default, size, alignof(slot__entry_t));
        if (more == NULL) break;
    }
    if (more != NULL) tmlrt__mem_put(&tmlrt__mem_default, more, size, alignof(slot__entry_t));
    return data;
}

void tmlrt__tml_slot_give(void *data) {
    tmlrt__latch_lock(&slots.latch);
    slot__entry_t *entry = slot__of(data);
    if (entry != NULL) {
        entry->task = NULL;
        entry->generation++;
        entry->next = slots.free;
        slots.free = (uint32_t)((uintptr_t)data & SLOT__MASK);
    }
    tmlrt__latch_unlock(&slots.latch);
}

tmlrt__tml_task_t *tmlrt__tml_slot_find(const void *data) {
    if (data == NULL) return NULL;
    tmlrt__latch_lock(&slots.latch);
    slot__entry_t     *entry = slot__of(data);
    tmlrt__tml_task_t *task = entry != NULL ? entry->task : NULL;
    if (task != NULL) tmlrt__tml_task_ref(task);
    tmlrt__latch_unlock(&slots.latch);
    return task;
}
