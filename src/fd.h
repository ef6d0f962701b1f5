/* SPDX-License-Identifier: MIT */
/*
 * fd.h: a registration of a foreign descriptor.
 *
 * The waiting operations are in a list under the registration's latch. The driver is told the union
 * of what they wait for, one shot; each event takes it away again. Telling is a system call and is
 * made without the latch: whoever changed the list tells, or, where somebody is telling already,
 * leaves a note that he shall tell anew. So when nobody is telling and the list is not empty, the
 * driver was told since the last waiter came and since the last event.
 *
 * Each waiting operation holds a pin of the source until its owner has acknowledged the end.
 */
#ifndef TMLRT__FD_H
#define TMLRT__FD_H

#include <tmlrt/fd.h>

#include "reactor/source.h"

struct tmlrt_fd {
    tmlrt__source_t source;  /* first */
    tmlrt__latch_t  latch;   /* guards what follows */
    bool            telling; /* somebody is inside the system call */
    bool            again;   /* and shall do it once more */
    bool            closed;  /* no more waiters, no more telling */
    tmlrt__list_t   waiters;
};

_Static_assert(sizeof(struct tmlrt_fd) <= TMLRT__SOURCE_SLOT, "a registration fits a slot");

#endif
