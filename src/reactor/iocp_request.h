/* SPDX-License-Identifier: MIT */
/*
 * iocp_request.h: what the system writes to while an operation is in flight, and the overlapped call
 * of each kind of operation.
 *
 * A request belongs to the owner of its operation but for the time between the call and its packet;
 * the owner frees it. So the system never writes to the operation itself.
 */
#ifndef TMLRT__IOCP_REQUEST_H
#define TMLRT__IOCP_REQUEST_H

#include "iocp.h"

/* op->u.io.u.backend; 2 is DONE or ADDR. */
#define TMLRT__IOCP_REQUEST 0
#define TMLRT__IOCP_REASON  1 /* -TMLRT_E* of a cancel while armed, or 0 */

typedef struct tmlrt__iocp_request {
    OVERLAPPED        ov;   /* first; the system's while in flight */
    tmlrt__list_t     link; /* in flight: in the driver's calls */
    tmlrt__op_t      *op;
    tmlrt_allocator_t mem;         /* outlives the host */
    size_t            size;        /* of this record */
    DWORD             flags;       /* of a receive: the system's while in flight */
    INT               from_len;    /* the same */
    SOCKET            accepted;    /* the socket that an accept is to fill, or INVALID_SOCKET */
    char              addresses[]; /* of an accept: the system's while in flight */
} tmlrt__iocp_request_t;

static inline tmlrt__iocp_request_t *tmlrt__iocp_request(const tmlrt__op_t *op) {
    return (tmlrt__iocp_request_t *)(uintptr_t)op->u.io.u.backend[TMLRT__IOCP_REQUEST];
}

/* A request of `op`, which it then has. False: no memory. */
bool tmlrt__iocp_request_make(tmlrt__op_t *op, const tmlrt__source_t *s, bool accepts);
void tmlrt__iocp_request_free(tmlrt__op_t *op);
/* Closes the socket that nobody is to have. */
void tmlrt__iocp_drop_accepted(tmlrt__iocp_request_t *r);

/* Makes the call of `op`, for what is left of it. TMLRT_OK: its packet comes; else the error, and
 * none does. */
int tmlrt__iocp_call(tmlrt__op_t *op, tmlrt__source_t *s);

/* What a packet that failed says. */
int tmlrt__iocp_error(const tmlrt__source_t *s, tmlrt__iocp_request_t *r);

/* Of a receive or send of a datagram: the address, or NULL. */
static inline tmlrt_addr_t *tmlrt__iocp_addr(const tmlrt__op_t *op) {
    return (tmlrt_addr_t *)(uintptr_t)op->u.io.u.backend[TMLRT__IO_ADDR];
}

#endif
