/* SPDX-License-Identifier: MIT */
/*
 * idle.h: who sleeps and who searches, and the promise that work never waits while all sleep.
 *
 * `parked` is a bit a worker; `searching` counts the workers that look for work, among them those
 * that were woken and have not run yet. A producer makes its work visible, then (full fence) looks
 * here: with a searcher it does nothing, for a searcher that stops looks at the queues again after
 * it has left the count; with a sleeper it claims that one's bit, counts it as searching and unparks
 * it. A worker that wants to sleep sets its bit, leaves the count, and then (full fence) looks at
 * the queues once more. One of the two sees the other.
 *
 * So at most one worker a burst is woken; it wakes the next one when it finds that there is more.
 *
 * Source: Go's spinning Ms and Tokio's idle set. Unlike Tokio's, a bit that was claimed is not set
 * again before its worker has run: being woken is not being available.
 */
#ifndef TMLRT__IDLE_H
#define TMLRT__IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "atomic.h"

#define TMLRT__IDLE_MAX_WORKERS 1024u
#define TMLRT__IDLE_NOBODY      UINT32_MAX

typedef struct tmlrt__idle {
    tmlrt__atomic_u32 searching;                            /* any thread */
    uint32_t          workers;                              /* constant */
    tmlrt__atomic_u64 parked[TMLRT__IDLE_MAX_WORKERS / 64]; /* any thread */
} tmlrt__idle_t;

void tmlrt__idle_init(tmlrt__idle_t *idle, uint32_t workers);

/* After work was made visible. Returns a worker to unpark, or NOBODY. `exact`: with the full fence;
 * without it a wake may be missed, which is right only for a caller that will do the work itself. */
uint32_t tmlrt__idle_notify(tmlrt__idle_t *idle, bool exact);

/* A worker begins to search. False: enough others do. */
bool tmlrt__idle_search_begin(tmlrt__idle_t *idle);
/* It found work in the look that follows tmlrt__idle_park: it searches again, whoever else does, so
 * that its search_end looks for what producers left to the search that it had given up. */
void tmlrt__idle_search_again(tmlrt__idle_t *idle);
/* It found work. True: it was the last searcher and must look whether there is more, and if so
 * notify. A full fence is included. */
bool tmlrt__idle_search_end(tmlrt__idle_t *idle);

/* A worker sets its bit and, if it was searching, leaves the count. Then it must look at all
 * queues once more (a full fence is included). */
void tmlrt__idle_park(tmlrt__idle_t *idle, uint32_t worker, bool searching);
/* It is back. True: nobody claimed it. False: it was claimed, and counts as searching. */
bool tmlrt__idle_unpark(tmlrt__idle_t *idle, uint32_t worker);

/* Hints. */
bool tmlrt__idle_is_parked(tmlrt__idle_t *idle, uint32_t worker);
bool tmlrt__idle_all_parked(tmlrt__idle_t *idle);

#endif
