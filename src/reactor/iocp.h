/* SPDX-License-Identifier: MIT */
/*
 * iocp.h: the reactor of Windows: its class, for reactor.c, and what its files share.
 *
 *   iocp.c          the driver, its wait, its sources
 *   iocp_request.c  the overlapped calls, and what the system writes to meanwhile
 *   iocp_op.c       operations: made of such calls, one after another
 *   iocp_poll.c     readiness of foreign sockets, by polls of the system's socket driver (AFD)
 *   iocp_calls.c    the calls that are tried without an operation
 */
#ifndef TMLRT__IOCP_H
#define TMLRT__IOCP_H

#include "source.h"

extern const tmlrt__reactor_class_t tmlrt__reactor_iocp;

#if defined(_WIN32)

#include <mswsock.h>

#include "../os_socket.h"

/* What a completion packet is about: its key. */
#define TMLRT__IOCP_WAKE 0u
#define TMLRT__IOCP_IO   1u /* an operation; its OVERLAPPED begins a request */
#define TMLRT__IOCP_POLL 2u /* a poll; its OVERLAPPED is the status block of an iocp_poll record */

#define TMLRT__IOCP_POLLS 64u

typedef struct tmlrt__iocp {
    tmlrt__driver_t   base;
    HANDLE            port;
    HANDLE            timer;   /* of high resolution, or NULL: constant */
    bool              rung;    /* token held: the timer of this wait has gone off */
    LPFN_ACCEPTEX     accept;  /* constant */
    LPFN_CONNECTEX    connect; /* constant */
    tmlrt__atomic_u32 woken;   /* any thread; 1: a wake is in the port */
    tmlrt__atomic_u32 flights; /* any thread: packets to come of operations and polls */
    SRWLOCK           calling; /* guards `calls`, and `backend` of streams: the read in flight */
    tmlrt__list_t     calls;   /* in flight */
    SRWLOCK           lock;    /* guards what follows; held over system calls */
    HANDLE            afd;     /* or NULL: no foreign socket yet */
    tmlrt__list_t polls[TMLRT__IOCP_POLLS]; /* of the registrations of foreign sockets, by socket */
} tmlrt__iocp_t;

static inline tmlrt__iocp_t *tmlrt__iocp_of(tmlrt__driver_t *d) {
    return (tmlrt__iocp_t *)(void *)d;
}

static inline HANDLE tmlrt__iocp_handle(const tmlrt__source_t *s) {
    return (HANDLE)(intptr_t)s->fd;
}

static inline SOCKET tmlrt__iocp_socket(const tmlrt__source_t *s) {
    return (SOCKET)s->fd;
}

static inline bool tmlrt__iocp_is_pipe(const tmlrt__source_t *s) {
    return s->kind == TMLRT__SOURCE_PIPE_READ || s->kind == TMLRT__SOURCE_PIPE_WRITE;
}

/* iocp_op.c: the hooks of the class; and who reaps: the packet of an operation. */
int32_t tmlrt__iocp_op_start(tmlrt__op_t *op, tmlrt_cx_t *cx);
int32_t tmlrt__iocp_op_resume(tmlrt__op_t *op, tmlrt_cx_t *cx);
int32_t tmlrt__iocp_op_cancel(tmlrt__op_t *op, int reason);
void    tmlrt__iocp_closing(tmlrt__driver_t *base, tmlrt__source_t *s);
void    tmlrt__iocp_shut(tmlrt__driver_t *base, tmlrt__source_t *s);
void    tmlrt__iocp_op_done(tmlrt__iocp_t *d, OVERLAPPED *packet);
/* The destroy, when nobody else can come to the driver: their packets are on their way. */
void tmlrt__iocp_op_break_off_all(tmlrt__iocp_t *d);

/* iocp_poll.c: a foreign source's attach, detach, watch; and who reaps: the packet of a poll. */
int  tmlrt__iocp_poll_attach(tmlrt__iocp_t *d, tmlrt__source_t *s);
void tmlrt__iocp_poll_detach(tmlrt__iocp_t *d, tmlrt__source_t *s);
int  tmlrt__iocp_poll_watch(tmlrt__iocp_t *d, tmlrt__source_t *s, uint32_t events);
void tmlrt__iocp_poll_done(tmlrt__iocp_t *d, void *record);
/* As tmlrt__iocp_op_break_off_all: detaches what is left. */
void tmlrt__iocp_poll_detach_all(tmlrt__iocp_t *d);

/* Asks for the end of a call in flight, or (NULL) of all of a handle: each ends with its packet. */
void tmlrt__iocp_break_off(HANDLE handle, OVERLAPPED *call);

/* One flight less: its packet was dequeued. */
void tmlrt__iocp_landed(tmlrt__iocp_t *d);

#endif

#endif
