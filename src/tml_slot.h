/* SPDX-License-Identifier: MIT */
/*
 * tml_slot.h: what a TmlWaker's data is. A waker is copied freely and never ended, so it must not
 * point to anything that is freed: it carries the number of a slot and the slot's generation. A slot
 * belongs to one task at a time; the table only grows, process-wide.
 *
 * A task holds its slot from its making to its end. Any thread.
 */
#ifndef TMLRT__TML_SLOT_H
#define TMLRT__TML_SLOT_H

struct tmlrt__tml_task;

/* Takes a slot for `task`. The data of its wakers; NULL: no memory, or no slot left. */
void *tmlrt__tml_slot_take(struct tmlrt__tml_task *task);

/* Gives it back: wakers with this data find nobody from now on. */
void tmlrt__tml_slot_give(void *data);

/* The task of this data, with a reference; NULL: it has ended. */
struct tmlrt__tml_task *tmlrt__tml_slot_find(const void *data);

#endif
