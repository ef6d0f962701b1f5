/* SPDX-License-Identifier: MIT */
/*
 * signal.h: signals as operations.
 *
 *   handler       counts the signal in a process-wide table and writes to the channel of every
 *                 listener; async-signal-safe, takes no lock
 *   listener      one a runtime that listens: a channel (an eventfd; a pipe where there is none), whose
 *                 end to read from is a source of one of its drivers; when that has an event,
 *                 everybody who waits on the listener is woken
 *                 (On Windows handlers are threads of the system: they wake the waiters themselves,
 *                 and the source has no descriptor.)
 *   registration  (tmlrt_signal_t) one an open: which signal, and the count it has seen
 *
 * A waiter compares counts when it is resumed and waits on where nothing came, so a wake too many
 * does no harm, and a count is taken only by an operation that is READY with it: a cancel loses
 * nothing.
 *
 * Fork: a listener says which process it belongs to; the handler in a child passes over those of
 * the parent. The child's first use of the table begins it anew, keeping the handlers.
 *
 * Locks: the table's mutex is held over system calls and is taken first; the latch of a listener's
 * waitlist guards its registrations.
 */
#ifndef TMLRT__SIGNAL_H
#define TMLRT__SIGNAL_H

#include <tmlrt/signal.h>

#include "reactor/source.h"
#include "waitlist.h"

/* Of one runtime. Freed with its last reference: one a registration, one of its source. */
typedef struct tmlrt__signal_listener {
    tmlrt__waitlist_t    waiters; /* any thread; its latch guards the registrations' fields too */
    tmlrt__source_t     *source;  /* constant; the handle is the listener's */
    const tmlrt__host_t *host;    /* constant: whose it is; only compared, it may be gone */
    tmlrt_allocator_t    mem;     /* constant */
    tmlrt__atomic_u32    refs;
    uint32_t             registrations; /* under the table's mutex */
    int                  fd;            /* constant: of the channel; closed by its source */
    int                  to;   /* constant: what the handler writes to; fd if it is the same */
    bool                 gone; /* latch: the source was closed (its runtime ended) */
} tmlrt__signal_listener_t;

struct tmlrt_signal {
    tmlrt__signal_listener_t *listener; /* constant */
    uint64_t                  seen;     /* latch: the count at the last READY */
    int                       signo;    /* constant */
    bool                      closed;   /* latch */
    tmlrt__atomic_u32         refs;     /* the handle, and each operation in flight */
};

/* Gives up a reference. */
void tmlrt__signal_listener_unref(tmlrt__signal_listener_t *l);

/* ---- the process-wide table (signal_table.c; signal_table_windows.c) -------------------------------------------------- */

/* The mutex of the table; the first call in a forked child makes the table new. */
void tmlrt__signal_lock(void);
void tmlrt__signal_unlock(void);

/* Mutex held: one more, one less who listens for `signo`; the first installs the handler, the last
 * puts the former one back. */
int  tmlrt__signal_listen(int signo);
void tmlrt__signal_unlisten(int signo);

/* Mutex held: the listener of a runtime of this process, or NULL. */
tmlrt__signal_listener_t *tmlrt__signal_find(const tmlrt__host_t *host);

#define TMLRT__SIGNAL_NO_CHANNEL INT32_MIN
/* Opens l->fd and l->to, neither blocks: TMLRT_OK or the error, and then both are -1.
 * Where the handler may wake the waiters itself there are none: NO_CHANNEL in both. */
int tmlrt__signal_channel_open(tmlrt__signal_listener_t *l);
/* After an event: takes out what was written, where more would not be an event else. */
void tmlrt__signal_channel_empty(const tmlrt__signal_listener_t *l);

/* Mutex held: makes the handler write to l->to. ENOBUFS: too many runtimes listen. */
int tmlrt__signal_add(const tmlrt__host_t *host, tmlrt__signal_listener_t *l);
/* Mutex held: it does not any more, no handler is inside. Nothing if it is not there. */
void tmlrt__signal_remove(const tmlrt__signal_listener_t *l);

/* How often the signal came to this process. */
uint64_t tmlrt__signal_count(int signo);

/* True for signals that can be listened for. */
bool tmlrt__signal_is_fit(int signo);

#endif
