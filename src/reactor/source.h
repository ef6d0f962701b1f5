/* SPDX-License-Identifier: MIT */
/*
 * source.h: a source is a socket, a listener, a foreign descriptor or a descriptor of our own that
 * is attached to one driver for life. Here: where sources live, how an event finds one, how one
 * ends; and what the operations of all backends share (claim, kinds).
 *
 * Memory: each driver has a table of slots of one size. A slot is never given back while the table
 * lives, so whoever holds a stale index reads a source, if perhaps another tenant's; the generation
 * in the key tells. The table lives until its driver is gone and the last slot is free: handles
 * outlive the runtime.
 *
 * Life: open -> attach -> ... -> close (any thread, once) -> the descriptor is closed by whoever
 * gives up the last claim or pin -> release of the handle. Descriptors are only used under a claim
 * (operations, tries) or a pin (options, addresses), so never after close(2).
 *
 * Lock order: nothing is taken under a table's latch, and no system call is made there.
 */
#ifndef TMLRT__SOURCE_H
#define TMLRT__SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "../alloc.h"
#include "../host.h"
#include "../op.h"
#include "reactor.h"
#include "source_word.h"

/* What a source is. FOREIGN and OWN have hooks; the others have the direction words served by
 * events. A pipe's end moves bytes as a stream does, but one way, and is no socket. */
#define TMLRT__SOURCE_STREAM     0u
#define TMLRT__SOURCE_LISTENER   1u
#define TMLRT__SOURCE_FOREIGN    2u /* watched one shot, level-triggered; never closed by us */
#define TMLRT__SOURCE_OWN        3u /* watched for input, edge-triggered */
#define TMLRT__SOURCE_DATAGRAM   4u
#define TMLRT__SOURCE_PIPE_READ  5u
#define TMLRT__SOURCE_PIPE_WRITE 6u

/* The directions. */
#define TMLRT__DIR_READ  0u
#define TMLRT__DIR_WRITE 1u

/* Of a new source: that a call is worth trying in a direction, and that its reads may stop short of
 * what is there. */
#define TMLRT__READY_READ  (1u << TMLRT__DIR_READ)
#define TMLRT__READY_WRITE (1u << TMLRT__DIR_WRITE)
#define TMLRT__READ_STOPS  4u

/* What an event says, whatever the backend. */
#define TMLRT__EVENT_READ  1u
#define TMLRT__EVENT_WRITE 2u
#define TMLRT__EVENT_ERROR 4u /* error, or both halves are ended */
#define TMLRT__EVENT_HUP   8u /* the read half ends, or urgent data: see source_word.h */

/* Of sources with hooks; run without a lock held. The last two may be NULL. */
typedef struct tmlrt__source_hooks {
    void (*event)(tmlrt__source_t *s, uint32_t events); /* who reaps; s is pinned */
    void (*closed)(tmlrt__source_t *s);                 /* the closer, once: tells who waits */
    void (*ended)(tmlrt__source_t *s); /* the last user is gone; just before close(2) */
} tmlrt__source_hooks_t;

typedef struct tmlrt__source_table tmlrt__source_table_t;

struct tmlrt__source {
    /* The first line is what a read or a write touches. */
    tmlrt__source_word_t         word[2];  /* by TMLRT__DIR_*: any thread */
    tmlrt__source_table_t       *table;    /* constant for the slot */
    int64_t                      fd;       /* constant for a tenant; valid under a claim or pin */
    tmlrt__atomic_ptr            waits;    /* any thread: who waited last; an address to prefetch */
    uint8_t                      kind;     /* constant for a tenant */
    uint8_t                      used;     /* under the table's latch */
    uint8_t                      attached; /* the opener; then the closer */
    uint8_t                      stops;    /* constant for a tenant: TMLRT__READ_STOPS or 0 */
    tmlrt__driver_t             *driver;   /* as fd */
    const tmlrt__source_hooks_t *hooks;    /* the same; NULL for sockets */
    tmlrt__pins_t                pins;     /* any thread */
    tmlrt__life_t                life;     /* any thread */
    void                        *backend;  /* the driver's, from attach to detach */
    tmlrt__atomic_i64            accept_after; /* claim held: no accept before this time, or 0 */
    uint32_t                     index;        /* constant for the slot */
    uint32_t                     generation;   /* under the table's latch; constant for a tenant */
    uint32_t                     next_free;    /* under the table's latch: index + 1, or 0 */
};

/* A slot: a source and what is derived from it. */
#define TMLRT__SOURCE_SLOT 192
_Static_assert(sizeof(tmlrt__source_t) <= 128, "a slot has 64 bytes for what is derived");

/* ---- tables --------------------------------------------------------------------------------- */

/* The table of a driver that was just made. */
int tmlrt__source_table_create(tmlrt__source_table_t **out, tmlrt__driver_t *d);
/* Until the leave the host, all its drivers and their tables stay: for threads that need not be the
 * runtime's, and may be at work on a source of it while it is destroyed. A claim, a pin or a handle
 * keeps the table for the enter. Short: no waiting inside. False: the host goes. */
bool tmlrt__source_table_enter(tmlrt__source_table_t *t);
void tmlrt__source_table_leave(tmlrt__source_table_t *t);
/* The driver goes: waits for the detaches under way, later ones are left out. */
void tmlrt__source_table_orphan(tmlrt__source_table_t *t);
/* Gives up the driver's reference. */
void tmlrt__source_table_unref(tmlrt__source_table_t *t);

/* ---- sources -------------------------------------------------------------------------------- */

/* Takes a slot for `fd`, not attached yet; `flags`: TMLRT__READY_*, TMLRT__READ_STOPS. The rest of
 * the slot is the caller's, undefined. Errors: ENOMEM. */
int tmlrt__source_open(tmlrt__source_t **out, tmlrt__driver_t *d, uint32_t kind, int64_t fd,
                       uint32_t flags, const tmlrt__source_hooks_t *hooks);

/* Closes a descriptor as a source of this kind would. */
void tmlrt__source_close_fd(uint32_t kind, int64_t fd);

/* Makes it known to its driver. On error it is still open and not attached. */
int tmlrt__source_attach(tmlrt__source_t *s);

/* Detaches at once, before the end of a foreign source. */
void tmlrt__source_detach(tmlrt__source_t *s);

/* Ends the I/O: operations in flight are told, the descriptor is closed now or by its last user.
 * False: it was closed before. Any thread, under the handle. */
bool tmlrt__source_close(tmlrt__source_t *s);

/* Ends the handle; closes where that has not been done. */
void tmlrt__source_release(tmlrt__source_t *s);

/* True in a child forked since the driver was made; valid for every handle. */
bool tmlrt__source_forked(const tmlrt__source_t *s);

/* The host of its driver; it may be used between enter and leave. */
tmlrt__host_t *tmlrt__source_host(const tmlrt__source_t *s);

/* True where the direction words say what is believed (readiness backends); else they say nothing
 * about it, and a try always makes the call. */
bool tmlrt__source_believes(const tmlrt__source_t *s);

/* Tells the backend that the read half was shut down. */
void tmlrt__source_shut(tmlrt__source_t *s);

/* Its calls where it is no descriptor of the system; else NULL. */
const tmlrt__sockets_t *tmlrt__source_sockets(const tmlrt__source_t *s);

/* A pin for a short use of s->fd and s->driver from any thread. False: closed. */
bool tmlrt__source_pin(tmlrt__source_t *s);
void tmlrt__source_unpin(tmlrt__source_t *s);

/* Gives up a claim, and with a closed word what hangs on it. The source may be gone on return. */
void tmlrt__source_unclaim(tmlrt__source_t *s, uint32_t dir);

/* Follow a release of source_word.h that said true. */
void tmlrt__source_end_half(tmlrt__source_t *s);

/* After a lack of descriptors or memory: no accept on the listener for a while (accept_after). Needs
 * no claim, only that the slot stays. */
void tmlrt__source_rest(tmlrt__source_t *s);

/* ---- events --------------------------------------------------------------------------------- */

/* The key of an event for `s`: generation, kind and index. Never UINT64_MAX. */
uint64_t tmlrt__source_key(const tmlrt__source_t *s);

/* Hints that the event of `key` will be handed over soon: first for the source, then, once that is
 * near, for who waits there. */
void tmlrt__source_prefetch(tmlrt__source_table_t *t, uint64_t key);
void tmlrt__source_prefetch_waiter(tmlrt__source_table_t *t, uint64_t key);

/* Hands an event to the source that `key` names, if it still exists; wakes who waits. */
void tmlrt__source_event(tmlrt__source_table_t *t, uint64_t key, uint32_t events);

/* ---- operations ----------------------------------------------------------------------------- */

typedef enum {
    TMLRT__IO_READ,
    TMLRT__IO_READ_EXACT,
    TMLRT__IO_READV,
    TMLRT__IO_WRITE,
    TMLRT__IO_WRITEV,
    TMLRT__IO_ACCEPT,
    TMLRT__IO_CONNECT,
    TMLRT__IO_SEND_TO,
    TMLRT__IO_RECV_FROM
} tmlrt__io_kind_t;

/* The class of an operation on a stream or listener: op->cls points to `op`.
 *
 *   op->u.io.handle   the source
 *   op->u.io.buf      READ*, WRITE, SEND_TO, RECV_FROM: the buffer; *V: the array; CONNECT: where *out lies
 *   op->u.io.len      its size; *V: its pieces
 *   op->u.io.u.backend[TMLRT__IO_*] as below; the others are the backend's, and before the start
 *                     of a connect its address and options
 */
typedef struct tmlrt__io_class {
    tmlrt__op_class_t op;
    tmlrt__io_kind_t  kind;
    uint32_t          dir;
} tmlrt__io_class_t;

#define TMLRT__IO_SEEN 0 /* at the start: the word that the claim found */
#define TMLRT__IO_DONE 2 /* bytes moved so far */
#define TMLRT__IO_ADDR 2 /* SEND_TO, RECV_FROM: the tmlrt_addr_t, or 0 */

static inline const tmlrt__io_class_t *tmlrt__io_class(const tmlrt__op_t *op) {
    return (const tmlrt__io_class_t *)(const void *)op->cls;
}

static inline tmlrt__source_t *tmlrt__io_source(const tmlrt__op_t *op) {
    return op->u.io.handle;
}

/* Claims the direction. False: the result is set: EBUSY, ECLOSED, ESHUTDOWN or EFORKED. */
bool tmlrt__io_claim(tmlrt__op_t *op);

/* start, resume and cancel of the I/O kinds: claim, then hand on to the backend. submit is start
 * with the claim held. The result of an accept is the new descriptor. The address of a connect is
 * passed in buf, its length in len; its source is not attached yet. */
int32_t              tmlrt__io_submit(tmlrt__op_t *op, tmlrt_cx_t *cx);
int32_t              tmlrt__io_start(tmlrt__op_t *op, tmlrt_cx_t *cx);
int32_t              tmlrt__io_resume(tmlrt__op_t *op, tmlrt_cx_t *cx);
int32_t              tmlrt__io_cancel(tmlrt__op_t *op, int reason);
const tmlrt__host_t *tmlrt__io_about(const tmlrt__op_t *op);
tmlrt__host_t       *tmlrt__io_lend(const tmlrt__op_t *op);
void                 tmlrt__io_give(const tmlrt__op_t *op);

/* For a backend's start and resume: gives up the claim and ends the operation with `result`. */
int32_t tmlrt__io_end(tmlrt__op_t *op, int64_t result);

#endif
