/* SPDX-License-Identifier: MIT */
/*
 * iocp_request.c: see iocp_request.h. A call that fails at once has no packet; every other has one,
 * also where it succeeded at once.
 */
#include "iocp_request.h"

#include <string.h>

#include <tmlrt/error.h>

#include "../fault.h"
#include "../os_windows.h"

#define REQUEST__PIECES    64 /* of a vectored call at most; the others have their turn later */
#define REQUEST__PIPE_MAX  ((size_t)64 << 10) /* one broken off may not say how far it came */
#define REQUEST__CALL_MAX  ((size_t)1 << 30)
#define REQUEST__ADDR_ROOM (sizeof(SOCKADDR_STORAGE) + 16)

/* ---- requests ------------------------------------------------------------------------------- */

bool tmlrt__iocp_request_make(tmlrt__op_t *op, const tmlrt__source_t *s, bool accepts) {
    const tmlrt_allocator_t *mem = &s->driver->host->mem;
    size_t size = sizeof(tmlrt__iocp_request_t) + (accepts ? 2 * REQUEST__ADDR_ROOM : 0);
    tmlrt__iocp_request_t *r = tmlrt__mem_zero(mem, size, TMLRT__ALIGN_MAX);
    if (r == NULL) return false;
    r->op = op;
    r->mem = *mem;
    r->size = size;
    r->accepted = INVALID_SOCKET;
    op->u.io.u.backend[TMLRT__IOCP_REQUEST] = (uintptr_t)r;
    op->u.io.u.backend[TMLRT__IOCP_REASON] = 0;
    return true;
}

void tmlrt__iocp_drop_accepted(tmlrt__iocp_request_t *r) {
    if (r->accepted != INVALID_SOCKET) tmlrt__os_socket_close((int)r->accepted);
    r->accepted = INVALID_SOCKET;
}

void tmlrt__iocp_request_free(tmlrt__op_t *op) {
    tmlrt__iocp_request_t *r = tmlrt__iocp_request(op);
    tmlrt_allocator_t      mem = r->mem;
    tmlrt__iocp_drop_accepted(r);
    tmlrt__mem_put(&mem, r, r->size, TMLRT__ALIGN_MAX);
    op->u.io.u.backend[TMLRT__IOCP_REQUEST] = 0;
}

/* ---- the calls ------------------------------------------------------------------------------ */

/* What a call said: TMLRT_OK, it has a packet; or the error, it has none. What the system calls a
 * warning (a datagram was cut) is told as an error, but has one. */
static int request__answer(const tmlrt__iocp_request_t *r, bool ok) {
    if (ok) return TMLRT_OK;
    DWORD code = GetLastError();
    bool  warned = ((uint32_t)r->ov.Internal >> 30) == 2; /* of an NTSTATUS: its severity */
    return code == ERROR_IO_PENDING || warned ? TMLRT_OK : tmlrt__os_win_error(code);
}

/* Our pieces as the system's; the empty ones are left out. */
static DWORD request__pieces(const tmlrt__op_t *op, WSABUF *out) {
    const tmlrt_iovec_t *iov = op->u.io.buf;
    DWORD                n = 0;
    for (size_t i = 0; i < op->u.io.len && n < REQUEST__PIECES; i++) {
        if (iov[i].size == 0) continue;
        out[n].buf = iov[i].base;
        out[n++].len = (ULONG)(iov[i].size < REQUEST__CALL_MAX ? iov[i].size : REQUEST__CALL_MAX);
        if (iov[i].size > REQUEST__CALL_MAX) break; /* what comes behind it must wait */
    }
    return n;
}

/* What is left of a plain buffer, as one piece. */
static DWORD request__rest(const tmlrt__op_t *op, WSABUF *out) {
    size_t done = (size_t)op->u.io.u.backend[TMLRT__IO_DONE];
    size_t left = op->u.io.len - done;
    out->buf = (char *)op->u.io.buf + done;
    out->len = (ULONG)(left < REQUEST__CALL_MAX ? left : REQUEST__CALL_MAX);
    return 1;
}

/* A pipe takes one piece a call. */
static int request__call_pipe(const tmlrt__source_t *s, tmlrt__iocp_request_t *r,
                              const WSABUF *piece, bool write) {
    HANDLE h = tmlrt__iocp_handle(s);
    DWORD  len = write && piece->len > REQUEST__PIPE_MAX ? (DWORD)REQUEST__PIPE_MAX : piece->len;
    bool   ok = write ? TMLRT__WIN(WriteFile(h, piece->buf, len, NULL, &r->ov))
                      : TMLRT__WIN(ReadFile(h, piece->buf, len, NULL, &r->ov));
    return request__answer(r, ok);
}

static int request__call_bytes(tmlrt__op_t *op, const tmlrt__source_t *s, bool vectored,
                               bool write) {
    tmlrt__iocp_request_t *r = tmlrt__iocp_request(op);
    WSABUF                 pieces[REQUEST__PIECES];
    DWORD                  n = vectored ? request__pieces(op, pieces) : request__rest(op, pieces);
    if (tmlrt__iocp_is_pipe(s)) return request__call_pipe(s, r, pieces, write);
    SOCKET sock = tmlrt__iocp_socket(s);
    /* The array of pieces is copied before the call returns. */
    int rc = write ? TMLRT__SYS(WSASend(sock, pieces, n, NULL, 0, &r->ov, NULL))
                   : TMLRT__SYS(WSARecv(sock, pieces, n, NULL, &r->flags, &r->ov, NULL));
    return request__answer(r, rc == 0);
}

static int request__call_accept(tmlrt__op_t *op, tmlrt__source_t *s) {
    tmlrt__iocp_request_t *r = tmlrt__iocp_request(op);
    tmlrt__iocp_t         *d = tmlrt__iocp_of(s->driver);
    DWORD                  got;
    int fd = TMLRT__SYS(tmlrt__os_socket((int)(intptr_t)s->backend, SOCK_STREAM));
    if (fd < 0) return tmlrt__os_last_error();
    r->accepted = (SOCKET)fd;
    int e = request__answer(
        r, TMLRT__WIN(d->accept(tmlrt__iocp_socket(s), r->accepted, r->addresses, 0,
                                REQUEST__ADDR_ROOM, REQUEST__ADDR_ROOM, &got, &r->ov)));
    if (e != TMLRT_OK) tmlrt__iocp_drop_accepted(r);
    return e;
}

#ifndef SO_REUSE_UNICASTPORT
#define SO_REUSE_UNICASTPORT 0x3007
#endif

/* The socket must be bound before, to any address of the family. That would take one of the ports
 * of the machine for itself, whatever the peer; shared they suffice for many more connections. */
static int request__call_connect(tmlrt__op_t *op, tmlrt__source_t *s) {
    const struct sockaddr *to = op->u.io.buf;
    SOCKADDR_STORAGE       any;
    memset(&any, 0, sizeof any);
    any.ss_family = to->sa_family;
    DWORD yes = 1; /* systems without the option take a port for each, as before */
    (void)TMLRT__SYS(setsockopt(tmlrt__iocp_socket(s), SOL_SOCKET, SO_REUSE_UNICASTPORT,
                                (const char *)&yes, sizeof yes));
    if (TMLRT__SYS(bind(tmlrt__iocp_socket(s), (struct sockaddr *)&any, (int)op->u.io.len)) != 0)
        return tmlrt__os_last_error();
    tmlrt__iocp_request_t *r = tmlrt__iocp_request(op);
    tmlrt__iocp_t         *d = tmlrt__iocp_of(s->driver);
    return request__answer(r, TMLRT__WIN(d->connect(tmlrt__iocp_socket(s), to, (int)op->u.io.len,
                                                    NULL, 0, NULL, &r->ov)));
}

static WSABUF request__datagram(const tmlrt__op_t *op) {
    size_t len = op->u.io.len < REQUEST__CALL_MAX ? op->u.io.len : REQUEST__CALL_MAX;
    return (WSABUF){.len = (ULONG)len, .buf = op->u.io.buf};
}

static int request__call_send_to(tmlrt__op_t *op, const tmlrt__source_t *s) {
    tmlrt__iocp_request_t *r = tmlrt__iocp_request(op);
    tmlrt_addr_t          *to = tmlrt__iocp_addr(op);
    WSABUF                 piece = request__datagram(op);
    const void            *name = to != NULL ? to->storage_ : NULL;
    int                    size = to != NULL ? (int)to->length_ : 0;
    return request__answer(r, TMLRT__SYS(WSASendTo(tmlrt__iocp_socket(s), &piece, 1, NULL, 0, name,
                                                   size, &r->ov, NULL)) == 0);
}

static int request__call_recv_from(tmlrt__op_t *op, const tmlrt__source_t *s) {
    tmlrt__iocp_request_t *r = tmlrt__iocp_request(op);
    tmlrt_addr_t          *from = tmlrt__iocp_addr(op);
    WSABUF                 piece = request__datagram(op);
    void                  *name = from != NULL ? from->storage_ : NULL;
    r->from_len = from != NULL ? (INT)sizeof from->storage_ : 0;
    int rc = TMLRT__SYS(WSARecvFrom(tmlrt__iocp_socket(s), &piece, 1, NULL, &r->flags, name,
                                    from != NULL ? &r->from_len : NULL, &r->ov, NULL));
    return request__answer(r, rc == 0);
}

int tmlrt__iocp_call(tmlrt__op_t *op, tmlrt__source_t *s) {
    switch (tmlrt__io_class(op)->kind) {
    case TMLRT__IO_READ:
    case TMLRT__IO_READ_EXACT: return request__call_bytes(op, s, false, false);
    case TMLRT__IO_READV: return request__call_bytes(op, s, true, false);
    case TMLRT__IO_WRITE: return request__call_bytes(op, s, false, true);
    case TMLRT__IO_WRITEV: return request__call_bytes(op, s, true, true);
    case TMLRT__IO_ACCEPT: return request__call_accept(op, s);
    case TMLRT__IO_SEND_TO: return request__call_send_to(op, s);
    case TMLRT__IO_RECV_FROM: return request__call_recv_from(op, s);
    default: return request__call_connect(op, s);
    }
}

/* How a driver's NTSTATUS is meant for a socket is Winsock's to say;
 * a pipe's is the system's own, as is one that Winsock has no number for. */
int tmlrt__iocp_error(const tmlrt__source_t *s, tmlrt__iocp_request_t *r) {
    int   kept = tmlrt__os_nt_error((int32_t)r->ov.Internal);
    DWORD n = 0, flags = 0;
    if (tmlrt__iocp_is_pipe(s) ||
        TMLRT__WIN(WSAGetOverlappedResult(tmlrt__iocp_socket(s), &r->ov, &n, FALSE, &flags)))
        return kept;
    int e = tmlrt__os_last_error();
    return e != TMLRT_EUNKNOWN ? e : kept;
}
