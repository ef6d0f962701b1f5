/* SPDX-License-Identifier: MIT */
/*
 * iocp.c: the reactor of Windows: one completion port a driver; operations are overlapped calls.
 *
 * An operation in flight has a request, which holds what the system writes to: the OVERLAPPED and,
 * for an accept, the addresses. The request belongs to the owner of the operation but for the time
 * between the call and its packet; the owner frees it when it resumes. So the system never writes
 * to the operation itself, and nothing of the user's after READY: a cancel or close asks by
 * CancelIoEx, and the operation ends with its packet, whatever CancelIoEx says.
 *
 * A call that fails at once has no packet; every other has one, also where it succeeded at once.
 *
 * Close: the closer sets CLOSED and then cancels what is in flight; a start makes its call and then
 * looks at the word. So one of the two sees the other.
 */
#include "iocp.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <tmlrt/net.h>
#include <tmlrt/runtime.h>

#include "../fault.h"
#include "../os_windows.h"
#include "readiness.h"

#define IOCP__BATCH  64
#define IOCP__PIECES 64 /* of a vectored call at most; the others have their turn later */
#define IOCP__PIPE_MAX                                                                             \
    ((size_t)64 << 10)      /* a write that is broken off may not say how far it came */
#define IOCP__PASSED_MAX 64 /* errors that concern nobody who waits, passed over in one call */
#define IOCP__CALL_MAX   ((size_t)1 << 30)
/* Threads that a port lets run at a time. It holds packets back while that many of those that reaped
 * it last are running: a worker that is stuck in a poll, whose packets another has come for, or a
 * thread that reaped it once and now does something else. The token keeps the order; so no limit. */
#define IOCP__THREADS   1024
#define IOCP__REST      (INT64_C(50) * 1000 * 1000)
#define IOCP__ADDR_ROOM (sizeof(SOCKADDR_STORAGE) + 16)

/* op->u.io.u.backend; 2 is DONE or ADDR. */
#define IOCP__REQUEST 0
#define IOCP__REASON  1 /* -TMLRT_E* of a cancel while armed, or 0 */

typedef struct iocp__request {
    OVERLAPPED        ov; /* first; the system's while in flight */
    tmlrt__op_t      *op;
    tmlrt_allocator_t mem;         /* outlives the host */
    size_t            size;        /* of this record */
    DWORD             flags;       /* of a receive: the system's while in flight */
    INT               from_len;    /* the same */
    SOCKET            accepted;    /* the socket that an accept is to fill, or INVALID_SOCKET */
    char              addresses[]; /* of an accept: the system's while in flight */
} iocp__request_t;

static iocp__request_t *iocp__request(const tmlrt__op_t *op) {
    return (iocp__request_t *)(uintptr_t)op->u.io.u.backend[IOCP__REQUEST];
}

static HANDLE iocp__handle_of(const tmlrt__source_t *s) {
    return (HANDLE)(intptr_t)s->fd;
}

static SOCKET iocp__socket(const tmlrt__source_t *s) {
    return (SOCKET)s->fd;
}

static bool iocp__is_pipe(const tmlrt__source_t *s) {
    return s->kind == TMLRT__SOURCE_PIPE_READ || s->kind == TMLRT__SOURCE_PIPE_WRITE;
}

/* ---- life ----------------------------------------------------------------------------------- */

static bool iocp__extension(SOCKET s, GUID id, void *out, DWORD size) {
    DWORD got = 0;
    return TMLRT__SYS(WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, out, size,
                               &got, NULL, NULL)) == 0;
}

/* The two calls that no library exports for every kind of socket. */
static int iocp__extensions(tmlrt__iocp_t *d) {
    const GUID accept_id = WSAID_ACCEPTEX, connect_id = WSAID_CONNECTEX;
    int        fd = TMLRT__SYS(tmlrt__os_socket(AF_INET, SOCK_STREAM));
    if (fd < 0) return tmlrt__os_last_error();
    int e = TMLRT_OK;
    if (!iocp__extension((SOCKET)fd, accept_id, &d->accept, sizeof d->accept) ||
        !iocp__extension((SOCKET)fd, connect_id, &d->connect, sizeof d->connect))
        e = tmlrt__os_last_error();
    tmlrt__os_socket_close(fd);
    return e;
}

static int iocp__open(tmlrt__iocp_t *d) {
    if (!tmlrt__fault_point(TMLRT__FAULT_SYS))
        d->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, IOCP__THREADS);
    if (d->port == NULL) return tmlrt__os_last_error();
    d->timer = tmlrt__os_timer();
    return iocp__extensions(d);
}

static void iocp__free(tmlrt__iocp_t *d) {
    if (d->afd != NULL) (void)CloseHandle(d->afd);
    if (d->timer != NULL) (void)CloseHandle(d->timer);
    if (d->port != NULL) (void)CloseHandle(d->port);
    tmlrt__mem_put(&d->base.host->mem, d, sizeof *d, TMLRT__CACHE_LINE);
}

static int iocp__create(tmlrt__driver_t **out, tmlrt__host_t *host, uint32_t index) {
    tmlrt__iocp_t *d = tmlrt__mem_zero(&host->mem, sizeof *d, TMLRT__CACHE_LINE);
    if (d == NULL) return TMLRT_ENOMEM;
    d->base.cls = &tmlrt__reactor_iocp;
    d->base.host = host;
    d->base.index = index;
    InitializeSRWLock(&d->reading);
    InitializeSRWLock(&d->lock);
    for (uint32_t i = 0; i < TMLRT__IOCP_POLLS; i++)
        tmlrt__list_init(&d->polls[i]);
    int e = iocp__open(d);
    if (e != TMLRT_OK) {
        iocp__free(d);
        return e;
    }
    *out = &d->base;
    return TMLRT_OK;
}

static uint32_t iocp__reap(tmlrt__iocp_t *d, uint32_t ms, bool alertable);

static void iocp__destroy(tmlrt__driver_t *base, bool forked) {
    tmlrt__iocp_t *d = tmlrt__iocp_of(base);
    (void)forked; /* there is no fork here */
    /* All sources are closed, so every packet is on its way.
     * acquire: we come after their last use; pairs [IOCP-1] */
    while (tmlrt__load_acquire(&d->flights) != 0)
        (void)iocp__reap(d, INFINITE, false);
    iocp__free(d);
}

/* ---- reads in flight ------------------------------------------------------------------------- */

static bool iocp__reads(const tmlrt__op_t *op) {
    tmlrt__io_kind_t kind = tmlrt__io_class(op)->kind;
    return kind == TMLRT__IO_READ || kind == TMLRT__IO_READ_EXACT || kind == TMLRT__IO_READV;
}

/* Makes a read known to who may shut its half down, or unknown. */
static void iocp__reading(tmlrt__op_t *op, tmlrt__source_t *s, iocp__request_t *r) {
    if (!iocp__reads(op)) return;
    tmlrt__iocp_t *d = tmlrt__iocp_of(s->driver);
    AcquireSRWLockExclusive(&d->reading);
    s->backend = r;
    ReleaseSRWLockExclusive(&d->reading);
}

/* ---- waiting -------------------------------------------------------------------------------- */

void tmlrt__iocp_break_off(HANDLE handle, OVERLAPPED *call) {
    if (CancelIoEx(handle, call)) return;
    DWORD code = GetLastError();
    if (code == ERROR_NOT_FOUND) return; /* it has ended */
    char line[96];
    snprintf(line, sizeof line, "tmlrt: CancelIoEx says %lu: a call may wait for ever", code);
    tmlrt__os_log(line);
}

void tmlrt__iocp_landed(tmlrt__iocp_t *d) {
    /* release: the destroy comes after our use; pairs [IOCP-1] */
    tmlrt__fetch_sub_release(&d->flights, 1);
}

/* What a packet brings; false for a wake. */
static bool iocp__dispatch(tmlrt__iocp_t *d, const OVERLAPPED_ENTRY *entry) {
    switch (entry->lpCompletionKey) {
    case TMLRT__IOCP_IO: {
        tmlrt__op_t *op = ((iocp__request_t *)(void *)entry->lpOverlapped)->op;
        iocp__reading(op, tmlrt__io_source(op), NULL); /* its claim is held until it was fired */
        tmlrt__iocp_landed(d);
        tmlrt__wake_run(tmlrt__op_fire(op, TMLRT__OP_SRC_ARMED));
        return true;
    }
    case TMLRT__IOCP_POLL: tmlrt__iocp_poll_done(d, entry->lpOverlapped); return true;
    default:
        /* acquire: observes what those wrote who found the wake in the port; pairs [IOCP-2] */
        (void)tmlrt__swap_acquire(&d->woken, 0);
        return false;
    }
}

static uint32_t iocp__reap(tmlrt__iocp_t *d, uint32_t ms, bool alertable) {
    OVERLAPPED_ENTRY entries[IOCP__BATCH];
    ULONG            n = 0;
    uint32_t         count = 0;
    if (!GetQueuedCompletionStatusEx(d->port, entries, IOCP__BATCH, &n, ms, alertable)) return 0;
    for (ULONG i = 0; i < n; i++)
        if (iocp__dispatch(d, &entries[i])) count++;
    return count;
}

/* Run by the system in the wait, which then returns. */
static void CALLBACK iocp__rings(void *arg, DWORD low, DWORD high) {
    tmlrt__iocp_t *d = arg;
    (void)low, (void)high;
    d->rung = true;
}

static uint32_t iocp__wait(tmlrt__driver_t *base, int64_t timeout_ns) {
    tmlrt__iocp_t *d = tmlrt__iocp_of(base);
    uint32_t       ms = tmlrt__os_milliseconds(timeout_ns);
    if (timeout_ns <= 0 || d->timer == NULL) return iocp__reap(d, ms, false);
    /* The port's own timeouts are as coarse as the system's clock ticks (15 ms), however long. */
    LARGE_INTEGER due; /* negative: from now, in 100 ns */
    due.QuadPart = -(timeout_ns / 100 + 1);
    d->rung = false;
    bool     set = TMLRT__WIN(SetWaitableTimer(d->timer, &due, 0, iocp__rings, d, FALSE));
    uint32_t count = iocp__reap(d, ms, set);
    /* One that goes off later would end a wait of this thread that is none of ours. */
    if (set && !d->rung) (void)CancelWaitableTimer(d->timer);
    return count;
}

static void iocp__wake(tmlrt__driver_t *base) {
    tmlrt__iocp_t *d = tmlrt__iocp_of(base);
    /* acq_rel: who dequeues the wake that is in the port comes after us; pairs [IOCP-2] */
    if (tmlrt__swap_acq_rel(&d->woken, 1) != 0) return;
    /* Past the seam; it fails for want of kernel memory alone, and a lost wake hangs the program. */
    while (!PostQueuedCompletionStatus(d->port, 0, TMLRT__IOCP_WAKE, NULL))
        tmlrt__latch_relax();
}

static int64_t iocp__pollable(tmlrt__driver_t *base) {
    (void)base; /* a port can be waited for by its own calls only */
    return -1;
}

/* ---- requests ------------------------------------------------------------------------------- */

static bool iocp__request_make(tmlrt__op_t *op, const tmlrt__source_t *s, bool accepts) {
    const tmlrt_allocator_t *mem = &s->driver->host->mem;
    size_t                   size = sizeof(iocp__request_t) + (accepts ? 2 * IOCP__ADDR_ROOM : 0);
    iocp__request_t         *r = tmlrt__mem_zero(mem, size, TMLRT__ALIGN_MAX);
    if (r == NULL) return false;
    r->op = op;
    r->mem = *mem;
    r->size = size;
    r->accepted = INVALID_SOCKET;
    op->u.io.u.backend[IOCP__REQUEST] = (uintptr_t)r;
    op->u.io.u.backend[IOCP__REASON] = 0;
    return true;
}

/* Closes the socket that nobody is to have. */
static void iocp__drop_accepted(iocp__request_t *r) {
    if (r->accepted != INVALID_SOCKET) tmlrt__os_socket_close((int)r->accepted);
    r->accepted = INVALID_SOCKET;
}

static void iocp__request_free(tmlrt__op_t *op) {
    iocp__request_t  *r = iocp__request(op);
    tmlrt_allocator_t mem = r->mem;
    iocp__drop_accepted(r);
    tmlrt__mem_put(&mem, r, r->size, TMLRT__ALIGN_MAX);
    op->u.io.u.backend[IOCP__REQUEST] = 0;
}

static int32_t iocp__end(tmlrt__op_t *op, int64_t result) {
    iocp__request_free(op);
    return tmlrt__io_end(op, result);
}

/* ---- the calls ------------------------------------------------------------------------------ */

/* What a call said: TMLRT_OK, it has a packet; or the error, it has none. What the system calls a
 * warning (a datagram was cut) is told as an error, but has one. */
static int iocp__answer(const iocp__request_t *r, bool ok) {
    if (ok) return TMLRT_OK;
    DWORD code = GetLastError();
    bool  warned = ((uint32_t)r->ov.Internal >> 30) == 2; /* of an NTSTATUS: its severity */
    return code == ERROR_IO_PENDING || warned ? TMLRT_OK : tmlrt__os_win_error(code);
}

/* Our pieces as the system's; the empty ones are left out. */
static DWORD iocp__pieces(const tmlrt__op_t *op, WSABUF *out) {
    const tmlrt_iovec_t *iov = op->u.io.buf;
    DWORD                n = 0;
    for (size_t i = 0; i < op->u.io.len && n < IOCP__PIECES; i++) {
        if (iov[i].size == 0) continue;
        out[n].buf = iov[i].base;
        out[n++].len = (ULONG)(iov[i].size < IOCP__CALL_MAX ? iov[i].size : IOCP__CALL_MAX);
        if (iov[i].size > IOCP__CALL_MAX) break; /* what comes behind it must wait */
    }
    return n;
}

/* What is left of a plain buffer, as one piece. */
static DWORD iocp__rest(const tmlrt__op_t *op, WSABUF *out) {
    size_t done = (size_t)op->u.io.u.backend[TMLRT__IO_DONE];
    size_t left = op->u.io.len - done;
    out->buf = (char *)op->u.io.buf + done;
    out->len = (ULONG)(left < IOCP__CALL_MAX ? left : IOCP__CALL_MAX);
    return 1;
}

/* A pipe takes one piece a call. */
static int iocp__call_pipe(const tmlrt__source_t *s, iocp__request_t *r, const WSABUF *piece,
                           bool write) {
    HANDLE h = iocp__handle_of(s);
    DWORD  len = write && piece->len > IOCP__PIPE_MAX ? (DWORD)IOCP__PIPE_MAX : piece->len;
    bool   ok = write ? TMLRT__WIN(WriteFile(h, piece->buf, len, NULL, &r->ov))
                      : TMLRT__WIN(ReadFile(h, piece->buf, len, NULL, &r->ov));
    return iocp__answer(r, ok);
}

static int iocp__call_bytes(tmlrt__op_t *op, const tmlrt__source_t *s, bool vectored, bool write) {
    iocp__request_t *r = iocp__request(op);
    WSABUF           pieces[IOCP__PIECES];
    DWORD            n = vectored ? iocp__pieces(op, pieces) : iocp__rest(op, pieces);
    if (iocp__is_pipe(s)) return iocp__call_pipe(s, r, pieces, write);
    SOCKET sock = iocp__socket(s);
    /* The array of pieces is copied before the call returns. */
    int rc = write ? TMLRT__SYS(WSASend(sock, pieces, n, NULL, 0, &r->ov, NULL))
                   : TMLRT__SYS(WSARecv(sock, pieces, n, NULL, &r->flags, &r->ov, NULL));
    return iocp__answer(r, rc == 0);
}

static int iocp__call_accept(tmlrt__op_t *op, tmlrt__source_t *s) {
    iocp__request_t *r = iocp__request(op);
    tmlrt__iocp_t   *d = tmlrt__iocp_of(s->driver);
    DWORD            got;
    int              fd = TMLRT__SYS(tmlrt__os_socket((int)(intptr_t)s->backend, SOCK_STREAM));
    if (fd < 0) return tmlrt__os_last_error();
    r->accepted = (SOCKET)fd;
    int e = iocp__answer(r, TMLRT__WIN(d->accept(iocp__socket(s), r->accepted, r->addresses, 0,
                                                 IOCP__ADDR_ROOM, IOCP__ADDR_ROOM, &got, &r->ov)));
    if (e != TMLRT_OK) iocp__drop_accepted(r);
    return e;
}

#ifndef SO_REUSE_UNICASTPORT
#define SO_REUSE_UNICASTPORT 0x3007
#endif

/* The socket must be bound before, to any address of the family. That would take one of the ports
 * of the machine for itself, whatever the peer; shared they suffice for many more connections. */
static int iocp__call_connect(tmlrt__op_t *op, tmlrt__source_t *s) {
    const struct sockaddr *to = op->u.io.buf;
    SOCKADDR_STORAGE       any;
    memset(&any, 0, sizeof any);
    any.ss_family = to->sa_family;
    DWORD yes = 1; /* systems without the option take a port for each, as before */
    (void)TMLRT__SYS(setsockopt(iocp__socket(s), SOL_SOCKET, SO_REUSE_UNICASTPORT,
                                (const char *)&yes, sizeof yes));
    if (TMLRT__SYS(bind(iocp__socket(s), (struct sockaddr *)&any, (int)op->u.io.len)) != 0)
        return tmlrt__os_last_error();
    iocp__request_t *r = iocp__request(op);
    tmlrt__iocp_t   *d = tmlrt__iocp_of(s->driver);
    return iocp__answer(
        r, TMLRT__WIN(d->connect(iocp__socket(s), to, (int)op->u.io.len, NULL, 0, NULL, &r->ov)));
}

static tmlrt_addr_t *iocp__addr(const tmlrt__op_t *op) {
    return (tmlrt_addr_t *)(uintptr_t)op->u.io.u.backend[TMLRT__IO_ADDR];
}

static WSABUF iocp__datagram(const tmlrt__op_t *op) {
    size_t len = op->u.io.len < IOCP__CALL_MAX ? op->u.io.len : IOCP__CALL_MAX;
    return (WSABUF){.len = (ULONG)len, .buf = op->u.io.buf};
}

static int iocp__call_send_to(tmlrt__op_t *op, const tmlrt__source_t *s) {
    iocp__request_t *r = iocp__request(op);
    tmlrt_addr_t    *to = iocp__addr(op);
    WSABUF           piece = iocp__datagram(op);
    const void      *name = to != NULL ? to->storage_ : NULL;
    int              size = to != NULL ? (int)to->length_ : 0;
    return iocp__answer(r, TMLRT__SYS(WSASendTo(iocp__socket(s), &piece, 1, NULL, 0, name, size,
                                                &r->ov, NULL)) == 0);
}

static int iocp__call_recv_from(tmlrt__op_t *op, const tmlrt__source_t *s) {
    iocp__request_t *r = iocp__request(op);
    tmlrt_addr_t    *from = iocp__addr(op);
    WSABUF           piece = iocp__datagram(op);
    void            *name = from != NULL ? from->storage_ : NULL;
    r->from_len = from != NULL ? (INT)sizeof from->storage_ : 0;
    int rc = TMLRT__SYS(WSARecvFrom(iocp__socket(s), &piece, 1, NULL, &r->flags, name,
                                    from != NULL ? &r->from_len : NULL, &r->ov, NULL));
    return iocp__answer(r, rc == 0);
}

static int iocp__call(tmlrt__op_t *op, tmlrt__source_t *s) {
    switch (tmlrt__io_class(op)->kind) {
    case TMLRT__IO_READ:
    case TMLRT__IO_READ_EXACT: return iocp__call_bytes(op, s, false, false);
    case TMLRT__IO_READV: return iocp__call_bytes(op, s, true, false);
    case TMLRT__IO_WRITE: return iocp__call_bytes(op, s, false, true);
    case TMLRT__IO_WRITEV: return iocp__call_bytes(op, s, true, true);
    case TMLRT__IO_ACCEPT: return iocp__call_accept(op, s);
    case TMLRT__IO_SEND_TO: return iocp__call_send_to(op, s);
    case TMLRT__IO_RECV_FROM: return iocp__call_recv_from(op, s);
    default: return iocp__call_connect(op, s);
    }
}

/* ---- submitting ----------------------------------------------------------------------------- */

static bool iocp__is_shut(const tmlrt__op_t *op, tmlrt__source_t *s) {
    return iocp__reads(op) &&
           (tmlrt__load_relaxed(&s->word[TMLRT__DIR_READ].bits) & TMLRT__SW_HUP) != 0;
}

static uint64_t iocp__turned_away(const tmlrt__op_t *op, tmlrt__source_t *s) {
    return tmlrt__load_relaxed(&s->word[tmlrt__io_class(op)->dir].bits) &
           (TMLRT__SW_CLOSED | TMLRT__SW_STOPPED);
}

/* Claim held, request made, nothing armed: makes the call. TMLRT_OK: armed, its packet will come;
 * else the error. */
static int iocp__submit(tmlrt__op_t *op, tmlrt__source_t *s) {
    iocp__request_t *r = iocp__request(op);
    tmlrt__iocp_t   *d = tmlrt__iocp_of(s->driver);
    memset(&r->ov, 0, sizeof r->ov);
    r->flags = 0;
    tmlrt__op_arm(op, TMLRT__OP_SRC_ARMED);
    tmlrt__fetch_add_relaxed(&d->flights, 1); /* our claim keeps the driver */
    iocp__reading(op, s, r);
    int e = iocp__call(op, s);
    if (e != TMLRT_OK) {
        iocp__reading(op, s, NULL);
        tmlrt__op_disarm(op, TMLRT__OP_SRC_ARMED);
        tmlrt__iocp_landed(d);
        return e;
    }
    /* seq: a close that we do not see here sees our call; pairs [IOCP-3] */
    tmlrt__fence_seq();
    if (iocp__turned_away(op, s) || iocp__is_shut(op, s))
        tmlrt__iocp_break_off(iocp__handle_of(s), &r->ov);
    return TMLRT_OK;
}

/* What the end of a transfer means that moved nothing: of a read from a pipe whose other end is gone,
 * or from a half that was shut down, the end of the stream. */
static int64_t iocp__failed(const tmlrt__op_t *op, int error) {
    if (!iocp__reads(op) || error != TMLRT_EPIPE) return error;
    return tmlrt__io_class(op)->kind == TMLRT__IO_READ_EXACT ? TMLRT_EEOF : 0;
}

/* Lack of descriptors or memory: told once, then the listener rests for a while. */
static void iocp__rest_after(tmlrt__op_t *op, tmlrt__source_t *s, int error) {
    bool lack = error == TMLRT_EMFILE || error == TMLRT_ENFILE || error == TMLRT_ENOBUFS ||
                error == TMLRT_ENOMEM;
    if (!lack || tmlrt__io_class(op)->kind != TMLRT__IO_ACCEPT) return;
    tmlrt__host_t *host = tmlrt__source_host(s);
    tmlrt__store_relaxed(&s->accept_after, host->ops->now(host) + IOCP__REST);
}

/* A connection that died in the queue belongs to nobody: the accept waits for the next one. */
static bool iocp__of_the_connection(const tmlrt__op_t *op, int error) {
    if (tmlrt__io_class(op)->kind != TMLRT__IO_ACCEPT) return false;
    return error == TMLRT_ECONNRESET || error == TMLRT_ECONNABORTED || error == TMLRT_ENOTCONN ||
           error == TMLRT_ETIMEDOUT || error == TMLRT_EHOSTUNREACH || error == TMLRT_ENETUNREACH ||
           error == TMLRT_ENETDOWN || error == TMLRT_EIO;
}

static bool iocp__has_peer(const tmlrt__source_t *s) {
    SOCKADDR_STORAGE peer;
    int              size = sizeof peer;
    return getpeername(iocp__socket(s), (struct sockaddr *)&peer, &size) == 0;
}

/* A datagram sent before found nobody: told where there is but one peer, as elsewhere. */
static bool iocp__of_a_datagram_before(tmlrt__source_t *s, int *error) {
    if (s->kind != TMLRT__SOURCE_DATAGRAM) return false;
    if (*error != TMLRT_ECONNRESET && *error != TMLRT_ECONNREFUSED) return false;
    *error = TMLRT_ECONNREFUSED;
    return !iocp__has_peer(s);
}

/* True where an error concerns nobody who waits, so that the call is made again. */
static bool iocp__is_passed_over(const tmlrt__op_t *op, tmlrt__source_t *s, int *error) {
    return iocp__of_the_connection(op, *error) || iocp__of_a_datagram_before(s, error);
}

static int32_t iocp__launch(tmlrt__op_t *op, tmlrt__source_t *s) {
    int e = iocp__submit(op, s);
    for (int i = 0; iocp__is_passed_over(op, s, &e) && i < IOCP__PASSED_MAX; i++)
        e = iocp__submit(op, s);
    if (e == TMLRT_OK) return TMLRT_PENDING;
    iocp__rest_after(op, s, e);
    return iocp__end(op, iocp__failed(op, e));
}

static int32_t iocp__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    tmlrt__source_t *s = tmlrt__io_source(op);
    tmlrt__io_kind_t kind = tmlrt__io_class(op)->kind;
    if (!iocp__request_make(op, s, kind == TMLRT__IO_ACCEPT)) {
        iocp__rest_after(op, s, TMLRT_ENOMEM);
        return tmlrt__io_end(op, TMLRT_ENOMEM);
    }
    if (kind == TMLRT__IO_CONNECT) {
        int e = tmlrt__source_attach(s);
        if (e != TMLRT_OK) return iocp__end(op, e);
    }
    return iocp__launch(op, s);
}

/* ---- ending --------------------------------------------------------------------------------- */

/* Why an operation whose call was broken off ends: the close, the stop, the cancel. */
static int iocp__why(const tmlrt__op_t *op, tmlrt__source_t *s, int reason) {
    uint64_t bits = iocp__turned_away(op, s);
    if (bits & TMLRT__SW_CLOSED) return TMLRT_ECANCELED;
    if (bits & TMLRT__SW_STOPPED) return TMLRT_ESHUTDOWN;
    return reason != 0 ? reason : TMLRT_ECANCELED;
}

/* The call went well: goes on with what is left unless something asks for the end. */
static int32_t iocp__more(tmlrt__op_t *op, tmlrt__source_t *s, int reason) {
    if (reason != 0 || iocp__turned_away(op, s)) return iocp__end(op, iocp__why(op, s, reason));
    return iocp__launch(op, s);
}

static int32_t iocp__ended_read(tmlrt__op_t *op, tmlrt__source_t *s, size_t n, int reason) {
    bool exact = tmlrt__io_class(op)->kind == TMLRT__IO_READ_EXACT;
    if (n == 0) return iocp__end(op, exact ? TMLRT_EEOF : 0);
    uint64_t *done = &op->u.io.u.backend[TMLRT__IO_DONE];
    *done += n;
    if (!exact || *done == op->u.io.len) return iocp__end(op, (int64_t)*done);
    return iocp__more(op, s, reason);
}

/* A pipe filled the first piece: what else is there goes to the others at once. */
static int32_t iocp__ended_readv(tmlrt__op_t *op, tmlrt__source_t *s, size_t n) {
    const tmlrt_iovec_t *iov = op->u.io.buf;
    size_t               all = n, at = 0;
    while (at < op->u.io.len && iov[at].size == 0)
        at++;
    int64_t got = iocp__is_pipe(s) && n > 0 ? (int64_t)n : 0;
    while (got > 0 && (size_t)got == iov[at].size && ++at < op->u.io.len) {
        got = (int64_t)iov[at].size;
        if (got > 0) got = tmlrt__readiness_recv(s, iov[at].base, iov[at].size);
        if (got > 0) all += (size_t)got;
        if (iov[at].size == 0) break;
    }
    op->u.io.u.backend[TMLRT__IO_DONE] = all;
    return iocp__end(op, (int64_t)all);
}

static int32_t iocp__ended_write(tmlrt__op_t *op, tmlrt__source_t *s, size_t n, int reason) {
    uint64_t *done = &op->u.io.u.backend[TMLRT__IO_DONE];
    *done += n;
    if (*done == op->u.io.len) return iocp__end(op, (int64_t)*done);
    return iocp__more(op, s, reason);
}

static int32_t iocp__ended_writev(tmlrt__op_t *op, tmlrt__source_t *s, size_t n, int reason) {
    tmlrt_iovec_t *iov = op->u.io.buf;
    uint64_t      *done = &op->u.io.u.backend[TMLRT__IO_DONE];
    *done += n;
    while (op->u.io.len > 0 && n >= iov->size) {
        n -= iov->size;
        iov++;
        op->u.io.len--;
    }
    if (n > 0) {
        iov->base = (char *)iov->base + n;
        iov->size -= n;
    }
    op->u.io.buf = iov;
    if (op->u.io.len == 0) return iocp__end(op, (int64_t)*done);
    return iocp__more(op, s, reason);
}

static int32_t iocp__ended_badly(tmlrt__op_t *op, tmlrt__source_t *s, int error, int reason);

/* A connection that came too late has nobody to take it. */
static int32_t iocp__ended_accept(tmlrt__op_t *op, tmlrt__source_t *s, int reason) {
    iocp__request_t *r = iocp__request(op);
    SOCKET           listener = iocp__socket(s);
    if (iocp__turned_away(op, s)) return iocp__end(op, iocp__why(op, s, reason));
    if (TMLRT__SYS(setsockopt(r->accepted, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                              (const char *)&listener, sizeof listener)) != 0)
        return iocp__ended_badly(op, s, tmlrt__os_last_error(), reason);
    int fd = (int)r->accepted;
    r->accepted = INVALID_SOCKET;
    return iocp__end(op, fd);
}

static int32_t iocp__ended_connect(tmlrt__op_t *op, tmlrt__source_t *s) {
    int rc =
        TMLRT__SYS(setsockopt(iocp__socket(s), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0));
    return iocp__end(op, rc == 0 ? TMLRT_OK : tmlrt__os_last_error());
}

static int32_t iocp__ended_recv_from(tmlrt__op_t *op, size_t n) {
    tmlrt_addr_t *from = iocp__addr(op);
    if (from != NULL) {
        from->length_ = (uint32_t)iocp__request(op)->from_len;
        from->reserved_ = 0;
    }
    return iocp__end(op, (int64_t)n);
}

static int32_t iocp__ended_badly(tmlrt__op_t *op, tmlrt__source_t *s, int error, int reason) {
    tmlrt__io_kind_t kind = tmlrt__io_class(op)->kind;
    size_t           n = iocp__request(op)->ov.InternalHigh;
    if (kind == TMLRT__IO_WRITE || kind == TMLRT__IO_WRITEV)
        op->u.io.u.backend[TMLRT__IO_DONE] += n; /* what was moved before */
    bool ends = reason != 0 || iocp__turned_away(op, s);
    if (error == TMLRT_ECANCELED && !ends && iocp__is_shut(op, s))
        return iocp__end(op, iocp__failed(op, TMLRT_EPIPE));
    if (error == TMLRT_ECANCELED) return iocp__end(op, iocp__why(op, s, reason));
    if (kind == TMLRT__IO_RECV_FROM && error == TMLRT_EMSGSIZE) {
        iocp__ended_recv_from(op, n);
        op->result = error;
        return TMLRT_READY;
    }
    if (iocp__is_passed_over(op, s, &error)) {
        iocp__drop_accepted(iocp__request(op));
        return iocp__more(op, s, reason);
    }
    iocp__rest_after(op, s, error);
    return iocp__end(op, iocp__failed(op, error));
}

/* What a packet that failed says. How a driver's NTSTATUS is meant for a socket is Winsock's to say;
 * a pipe's is the system's own, as is one that Winsock has no number for. */
static int iocp__error(const tmlrt__source_t *s, iocp__request_t *r) {
    int   kept = tmlrt__os_nt_error((int32_t)r->ov.Internal);
    DWORD n = 0, flags = 0;
    if (iocp__is_pipe(s) ||
        TMLRT__WIN(WSAGetOverlappedResult(iocp__socket(s), &r->ov, &n, FALSE, &flags)))
        return kept;
    int e = tmlrt__os_last_error();
    return e != TMLRT_EUNKNOWN ? e : kept;
}

/* Fired: its packet has come. `reason`: of the cancel, or 0. */
static int32_t iocp__complete(tmlrt__op_t *op, int reason) {
    tmlrt__source_t *s = tmlrt__io_source(op);
    iocp__request_t *r = iocp__request(op);
    iocp__reading(op, s, NULL);
    int32_t status = (int32_t)r->ov.Internal;
    size_t  n = r->ov.InternalHigh;
    if (status < 0) return iocp__ended_badly(op, s, iocp__error(s, r), reason);
    switch (tmlrt__io_class(op)->kind) {
    case TMLRT__IO_READ:
    case TMLRT__IO_READ_EXACT: return iocp__ended_read(op, s, n, reason);
    case TMLRT__IO_READV: return iocp__ended_readv(op, s, n);
    case TMLRT__IO_WRITE: return iocp__ended_write(op, s, n, reason);
    case TMLRT__IO_WRITEV: return iocp__ended_writev(op, s, n, reason);
    case TMLRT__IO_ACCEPT: return iocp__ended_accept(op, s, reason);
    case TMLRT__IO_SEND_TO: return iocp__end(op, (int64_t)n);
    case TMLRT__IO_RECV_FROM: return iocp__ended_recv_from(op, n);
    default: return iocp__ended_connect(op, s);
    }
}

static int32_t iocp__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    return iocp__complete(op, 0);
}

static int32_t iocp__cancel(tmlrt__op_t *op, int reason) {
    uint32_t ctl = tmlrt__op_ctl(op);
    if ((ctl & TMLRT__OP_SRC_ARMED) == 0) return iocp__complete(op, reason);
    /* Asked once is enough: it ends with its packet. */
    if (op->u.io.u.backend[IOCP__REASON] == 0)
        tmlrt__iocp_break_off(iocp__handle_of(tmlrt__io_source(op)), &iocp__request(op)->ov);
    op->u.io.u.backend[IOCP__REASON] = (uint64_t)-reason;
    return TMLRT_PENDING;
}

/* The closer holds the source; the claim holds the handle. */
static void iocp__closing(tmlrt__driver_t *base, tmlrt__source_t *s) {
    (void)base;
    /* seq: a start that does not see the word changed has made its call; pairs [IOCP-3] */
    tmlrt__fence_seq();
    tmlrt__iocp_break_off(iocp__handle_of(s), NULL);
}

static void iocp__shut(tmlrt__driver_t *base, tmlrt__source_t *s) {
    tmlrt__iocp_t *d = tmlrt__iocp_of(base);
    (void)tmlrt__sw_event(&s->word[TMLRT__DIR_READ], s->generation, TMLRT__SW_HUP);
    /* seq: as in closing; pairs [IOCP-3] */
    tmlrt__fence_seq();
    AcquireSRWLockExclusive(&d->reading);
    iocp__request_t *r = s->backend;
    if (r != NULL) tmlrt__iocp_break_off(iocp__handle_of(s), &r->ov);
    ReleaseSRWLockExclusive(&d->reading);
}

/* ---- sources -------------------------------------------------------------------------------- */

/* The family of a listener, which its accepts need. */
static int iocp__family(tmlrt__source_t *s) {
    SOCKADDR_STORAGE own;
    int              size = sizeof own;
    if (TMLRT__SYS(getsockname(iocp__socket(s), (struct sockaddr *)&own, &size)) != 0)
        return tmlrt__os_last_error();
    s->backend = (void *)(intptr_t)own.ss_family;
    return TMLRT_OK;
}

static int iocp__attach(tmlrt__driver_t *base, tmlrt__source_t *s) {
    tmlrt__iocp_t *d = tmlrt__iocp_of(base);
    if (s->kind == TMLRT__SOURCE_FOREIGN) return tmlrt__iocp_poll_attach(d, s);
    if (s->kind == TMLRT__SOURCE_OWN) return TMLRT_OK; /* its events come without us */
    if (!TMLRT__WIN(CreateIoCompletionPort(iocp__handle_of(s), d->port, TMLRT__IOCP_IO, 0) != NULL))
        return tmlrt__os_last_error();
    return s->kind == TMLRT__SOURCE_LISTENER ? iocp__family(s) : TMLRT_OK;
}

/* A handle stays with its port until it is closed; nothing is in flight any more. */
static void iocp__detach(tmlrt__driver_t *base, tmlrt__source_t *s) {
    if (s->kind == TMLRT__SOURCE_FOREIGN) tmlrt__iocp_poll_detach(tmlrt__iocp_of(base), s);
}

static int iocp__watch(tmlrt__driver_t *base, tmlrt__source_t *s, uint32_t events) {
    return tmlrt__iocp_poll_watch(tmlrt__iocp_of(base), s, events);
}

const tmlrt__reactor_class_t tmlrt__reactor_iocp = {
    .name = "iocp",
    .id = TMLRT_REACTOR_IOCP,
    .create = iocp__create,
    .destroy = iocp__destroy,
    .wait = iocp__wait,
    .wake = iocp__wake,
    .handle = iocp__pollable,
    .attach = iocp__attach,
    .detach = iocp__detach,
    .watch = iocp__watch,
    .closing = iocp__closing,
    .shut = iocp__shut,
    .start = iocp__start,
    .resume = iocp__resume,
    .cancel = iocp__cancel,
};
