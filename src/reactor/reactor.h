/* SPDX-License-Identifier: MIT */
/*
 * reactor.h: the contract between the runtime and the ways an operating system tells of I/O.
 *
 * A driver is one instance of a reactor (one epoll instance, one kqueue, one port); a runtime has
 * one a worker. A source is a socket or foreign descriptor that is attached to one driver for life.
 * The contract is completion: start submits an operation, the backend ends it once, by
 * tmlrt__op_fire on its source arm. Readiness backends (epoll, kqueue) share readiness.c, which
 * tries the system call first and arms on EAGAIN.
 *
 * The token: whoever waits on or dispatches a driver holds it, so that one thread at a time reaps.
 * Normally that is the driver's worker; when it is stuck in a poll, another takes the token and
 * reaps in its place. Nothing else is ordered by it: start, cancel, attach, detach and wake come
 * from any thread at any time.
 */
#ifndef TMLRT__REACTOR_H
#define TMLRT__REACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include <tmlrt/net.h>

#include "../host.h"
#include "../op.h"

typedef struct tmlrt__driver        tmlrt__driver_t;
typedef struct tmlrt__source        tmlrt__source_t;
typedef struct tmlrt__reactor_class tmlrt__reactor_class_t;

/* Streams and listeners that are no descriptors of the system (source->fd names one). All on the
 * thread of the host. What would be errno is a TMLRT_E*. */
typedef struct tmlrt__sockets {
    /* A socket that is neither connected nor listens; negative: the error. */
    int64_t (*make)(tmlrt__driver_t *d);
    /* Gives it the address and lets it listen. */
    int (*listen)(tmlrt__driver_t *d, int64_t fd, const tmlrt_addr_t *addr, uint32_t backlog);
    /* Before the attach. Begins to connect. */
    int (*connect)(tmlrt__source_t *s, const void *sys_addr, size_t size);
    /* What became of it: TMLRT_EAGAIN while it is under way. */
    int (*connected)(const tmlrt__source_t *s);
    /* A connection off the queue, TMLRT_EAGAIN or the error. */
    int64_t (*accept)(tmlrt__source_t *s);
    /* Bytes moved, 0 at the end of the stream, TMLRT_EAGAIN or the error. */
    int64_t (*recv)(const tmlrt__source_t *s, void *buf, size_t size);
    int64_t (*send)(const tmlrt__source_t *s, const void *buf, size_t size);
    int (*shutdown)(const tmlrt__source_t *s, int how);
    int (*name)(const tmlrt__source_t *s, bool peer, tmlrt_addr_t *addr);
    /* linger 0: the close resets the connection. */
    int (*set)(const tmlrt__source_t *s, int option, int64_t value);
    void (*close)(tmlrt__driver_t *d, int64_t fd);
} tmlrt__sockets_t;

struct tmlrt__reactor_class {
    const char *name;
    uint32_t    id; /* TMLRT_REACTOR_* */

    /* Makes a driver for `host`. TMLRT_ENOTSUP: this system has no such thing (the next candidate
     * is tried). On any error nothing is left behind. */
    int (*create)(tmlrt__driver_t **out, tmlrt__host_t *host, uint32_t index);
    /* No thread is inside, every source is detached. In a forked child (`forked`): closes
     * descriptors, frees nothing, makes no system call that could reach the parent's instance. */
    void (*destroy)(tmlrt__driver_t *d, bool forked);

    /* Token held. Waits up to `timeout_ns` (0: not at all; negative: without limit) for events or
     * a wake, and fires what ended. Returns the number of events (a wake is none). Never fails:
     * an interruption is a return of 0. Reaps at most one batch. */
    uint32_t (*wait)(tmlrt__driver_t *d, int64_t timeout_ns);
    /* Any thread: makes the wait under way, or the next one, return. */
    void (*wake)(tmlrt__driver_t *d);
    /* Token held: when, on the host's clock, the next event comes by itself; INT64_MAX: never. NULL
     * where events come from outside. */
    int64_t (*due)(tmlrt__driver_t *d);
    /* A descriptor that polls readable when wait(0) has something to do; -1: none. */
    int64_t (*handle)(tmlrt__driver_t *d);

    /* Any thread, no lock held. attach: source->fd becomes known to the driver; on error the fd is
     * still the caller's. detach: before the fd is closed; afterwards no event reaches the source
     * (one that was reaped before may still be dispatched, and finds a newer generation). */
    int (*attach)(tmlrt__driver_t *d, tmlrt__source_t *s);
    void (*detach)(tmlrt__driver_t *d, tmlrt__source_t *s);
    /* The caller of a foreign source, one at a time, no lock held: from now on its next readiness
     * for any of `events` (TMLRT__EVENT_*; errors always count) is told, once. */
    int (*watch)(tmlrt__driver_t *d, tmlrt__source_t *s, uint32_t events);
    /* A source with operations in flight that are not armed on its words was closed or stopped:
     * they are to end. Any thread, no lock held. NULL for readiness backends. */
    void (*closing)(tmlrt__driver_t *d, tmlrt__source_t *s);

    /* The read half of a stream was shut down: a read in flight is to end as at the stream's end.
     * Any thread, the source pinned. NULL where the system's call sees to it. */
    void (*shut)(tmlrt__driver_t *d, tmlrt__source_t *s);

    /* The owner of the operation; as start, resume and cancel of tmlrt__op_class_t, for the kinds
     * of I/O (op->cls says which). */
    int32_t (*start)(tmlrt__op_t *op, tmlrt_cx_t *cx);
    int32_t (*resume)(tmlrt__op_t *op, tmlrt_cx_t *cx);
    int32_t (*cancel)(tmlrt__op_t *op, int reason);

    /* NULL: sockets are the system's. Else the only ones, and those of other kinds (datagrams) are
     * not supported. */
    const tmlrt__sockets_t *sockets;
};

/* The part of a driver that all backends share; theirs begins with it. */
struct tmlrt__driver {
    const tmlrt__reactor_class_t *cls;
    tmlrt__host_t                *host;
    uint32_t                      index;
    struct tmlrt__source_table   *table;   /* its sources; source.h */
    tmlrt__atomic_u32             token;   /* 1: somebody reaps */
    tmlrt__atomic_u32             sources; /* attached; 0 lets a busy worker skip the system call */
};

/* Takes the token if it is free / gives it back. */
bool tmlrt__driver_try_enter(tmlrt__driver_t *d);
void tmlrt__driver_leave(tmlrt__driver_t *d);

/* As the hook; INT64_MAX without one. */
int64_t tmlrt__driver_due(tmlrt__driver_t *d);

/* Makes a driver of the kind asked for (TMLRT_REACTOR_*), or of the first candidate that works. */
int tmlrt__driver_create(tmlrt__driver_t **out, uint32_t kind, tmlrt__host_t *host, uint32_t index);
void tmlrt__driver_destroy(tmlrt__driver_t *d, bool forked);

/* Shutdown: ends every pending and later accept on this driver's listeners with ESHUTDOWN. */
void tmlrt__driver_stop_accepts(tmlrt__driver_t *d);
/* Destroy, first of all and for each driver of the host: waits for the threads that are inside
 * (source.h), and lets nobody in any more. So what is done to one driver may make use of all. */
void tmlrt__driver_bar(tmlrt__driver_t *d);
/* Destroy: closes every source that is still open; handles stay valid until released. Nothing of
 * this driver is in flight any more. `forked`: only the descriptors. */
void tmlrt__driver_close_sources(tmlrt__driver_t *d, bool forked);

#endif
