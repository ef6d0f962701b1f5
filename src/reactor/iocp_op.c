/* SPDX-License-Identifier: MIT */
/*
 * iocp_op.c: the life of an operation on the reactor of Windows: start, the packet, what is left to
 * do, the end; cancel and close.
 *
 * Nothing of the user's is written to after READY: a cancel or close asks by CancelIoEx, and the
 * operation ends with its packet, whatever CancelIoEx says.
 *
 * Close: the closer sets CLOSED and then cancels what is in flight; a start makes its call and then
 * looks at the word. So one of the two sees the other.
 *
 * Owners need not be the runtime's, and may come while it is destroyed or later. A call is made under
 * the gate of the source's table (source.h). What has fired ends without the driver: its packet is in
 * the request, which knows its allocator. The destroy breaks off all that flies itself: a closer that
 * came first may not have got so far.
 */
#include <string.h>

#include <tmlrt/net.h>

#include "../fault.h"
#include "../os_windows.h"
#include "iocp_request.h"
#include "readiness.h"

#define IOCP_OP__PASSED_MAX 64 /* errors that concern nobody who waits, passed over in one call */

/* ---- calls in flight ------------------------------------------------------------------------- */

static bool iocp_op__reads(const tmlrt__op_t *op) {
    tmlrt__io_kind_t kind = tmlrt__io_class(op)->kind;
    return kind == TMLRT__IO_READ || kind == TMLRT__IO_READ_EXACT || kind == TMLRT__IO_READV;
}

/* Makes a call known to the destroy, a read to who may shut its half down. */
static void iocp_op__takes_off(tmlrt__iocp_t *d, tmlrt__iocp_request_t *r) {
    tmlrt__fetch_add_relaxed(&d->flights, 1);
    AcquireSRWLockExclusive(&d->calling);
    tmlrt__list_push_back(&d->calls, &r->link);
    if (iocp_op__reads(r->op)) tmlrt__io_source(r->op)->backend = r;
    ReleaseSRWLockExclusive(&d->calling);
}

/* Its claim is held. */
static void iocp_op__lands(tmlrt__iocp_t *d, tmlrt__iocp_request_t *r) {
    AcquireSRWLockExclusive(&d->calling);
    tmlrt__list_remove(&r->link);
    if (iocp_op__reads(r->op)) tmlrt__io_source(r->op)->backend = NULL;
    ReleaseSRWLockExclusive(&d->calling);
    tmlrt__iocp_landed(d);
}

void tmlrt__iocp_op_done(tmlrt__iocp_t *d, OVERLAPPED *packet) {
    tmlrt__iocp_request_t *r = (tmlrt__iocp_request_t *)(void *)packet;
    iocp_op__lands(d, r);
    tmlrt__wake_run(tmlrt__op_fire(r->op, TMLRT__OP_SRC_ARMED));
}

void tmlrt__iocp_op_break_off_all(tmlrt__iocp_t *d) {
    tmlrt__list_t *all = &d->calls;
    for (tmlrt__list_t *n = tmlrt__list_first(all); n != NULL; n = tmlrt__list_next(all, n)) {
        tmlrt__iocp_request_t *r = TMLRT__CONTAINER_OF(n, tmlrt__iocp_request_t, link);
        tmlrt__iocp_break_off(tmlrt__iocp_handle(tmlrt__io_source(r->op)), &r->ov);
    }
}

/* ---- submitting ----------------------------------------------------------------------------- */

static bool iocp_op__is_shut(const tmlrt__op_t *op, tmlrt__source_t *s) {
    return iocp_op__reads(op) &&
           (tmlrt__load_relaxed(&s->word[TMLRT__DIR_READ].bits) & TMLRT__SW_HUP) != 0;
}

static uint64_t iocp_op__turned_away(const tmlrt__op_t *op, tmlrt__source_t *s) {
    return tmlrt__load_relaxed(&s->word[tmlrt__io_class(op)->dir].bits) &
           (TMLRT__SW_CLOSED | TMLRT__SW_STOPPED);
}

static int32_t iocp_op__end(tmlrt__op_t *op, int64_t result) {
    tmlrt__iocp_request_free(op);
    return tmlrt__io_end(op, result);
}

/* Claim held, gate entered, request made, nothing armed: makes the call. TMLRT_OK: armed, its packet
 * will come; else the error. */
static int iocp_op__submit(tmlrt__op_t *op, tmlrt__source_t *s) {
    tmlrt__iocp_request_t *r = tmlrt__iocp_request(op);
    tmlrt__iocp_t         *d = tmlrt__iocp_of(s->driver);
    memset(&r->ov, 0, sizeof r->ov);
    r->flags = 0;
    tmlrt__op_arm(op, TMLRT__OP_SRC_ARMED);
    iocp_op__takes_off(d, r);
    int e = tmlrt__iocp_call(op, s);
    if (e != TMLRT_OK) {
        iocp_op__lands(d, r);
        tmlrt__op_disarm(op, TMLRT__OP_SRC_ARMED);
        return e;
    }
    /* seq: a close that we do not see here sees our call; pairs [IOCP-3] */
    tmlrt__fence_seq();
    if (iocp_op__turned_away(op, s) || iocp_op__is_shut(op, s))
        tmlrt__iocp_break_off(tmlrt__iocp_handle(s), &r->ov);
    return TMLRT_OK;
}

/* What the end of a transfer means that moved nothing: of a read from a pipe whose other end is gone,
 * or from a half that was shut down, the end of the stream. */
static int64_t iocp_op__failed(const tmlrt__op_t *op, int error) {
    if (!iocp_op__reads(op) || error != TMLRT_EPIPE) return error;
    return tmlrt__io_class(op)->kind == TMLRT__IO_READ_EXACT ? TMLRT_EEOF : 0;
}

/* Lack of descriptors or memory: told once, then the listener rests for a while. */
static void iocp_op__rest_after(tmlrt__op_t *op, tmlrt__source_t *s, int error) {
    bool lack = error == TMLRT_EMFILE || error == TMLRT_ENFILE || error == TMLRT_ENOBUFS ||
                error == TMLRT_ENOMEM;
    if (!lack || tmlrt__io_class(op)->kind != TMLRT__IO_ACCEPT) return;
    tmlrt__source_rest(s);
}

/* A connection that died in the queue belongs to nobody: the accept waits for the next one. */
static bool iocp_op__of_the_connection(const tmlrt__op_t *op, int error) {
    if (tmlrt__io_class(op)->kind != TMLRT__IO_ACCEPT) return false;
    return error == TMLRT_ECONNRESET || error == TMLRT_ECONNABORTED || error == TMLRT_ENOTCONN ||
           error == TMLRT_ETIMEDOUT || error == TMLRT_EHOSTUNREACH || error == TMLRT_ENETUNREACH ||
           error == TMLRT_ENETDOWN || error == TMLRT_EIO;
}

static bool iocp_op__has_peer(const tmlrt__source_t *s) {
    SOCKADDR_STORAGE peer;
    int              size = sizeof peer;
    return getpeername(tmlrt__iocp_socket(s), (struct sockaddr *)&peer, &size) == 0;
}

/* A datagram sent before found nobody: told where there is but one peer, as elsewhere. */
static bool iocp_op__of_a_datagram_before(tmlrt__source_t *s, int *error) {
    if (s->kind != TMLRT__SOURCE_DATAGRAM) return false;
    if (*error != TMLRT_ECONNRESET && *error != TMLRT_ECONNREFUSED) return false;
    *error = TMLRT_ECONNREFUSED;
    return !iocp_op__has_peer(s);
}

/* True where an error concerns nobody who waits, so that the call is made again. */
static bool iocp_op__is_passed_over(const tmlrt__op_t *op, tmlrt__source_t *s, int *error) {
    return iocp_op__of_the_connection(op, *error) || iocp_op__of_a_datagram_before(s, error);
}

static int32_t iocp_op__launch(tmlrt__op_t *op, tmlrt__source_t *s) {
    int e = iocp_op__submit(op, s);
    for (int i = 0; iocp_op__is_passed_over(op, s, &e) && i < IOCP_OP__PASSED_MAX; i++)
        e = iocp_op__submit(op, s);
    if (e == TMLRT_OK) return TMLRT_PENDING;
    iocp_op__rest_after(op, s, e);
    return iocp_op__end(op, iocp_op__failed(op, e));
}

int32_t tmlrt__iocp_op_start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    tmlrt__source_t *s = tmlrt__io_source(op);
    tmlrt__io_kind_t kind = tmlrt__io_class(op)->kind;
    if (!tmlrt__iocp_request_make(op, s, kind == TMLRT__IO_ACCEPT)) {
        iocp_op__rest_after(op, s, TMLRT_ENOMEM);
        return tmlrt__io_end(op, TMLRT_ENOMEM);
    }
    if (kind == TMLRT__IO_CONNECT) {
        int e = tmlrt__source_attach(s);
        if (e != TMLRT_OK) return iocp_op__end(op, e);
    }
    return iocp_op__launch(op, s);
}

/* ---- ending --------------------------------------------------------------------------------- */

/* Why an operation whose call was broken off ends: the close, the stop, the cancel. */
static int iocp_op__why(const tmlrt__op_t *op, tmlrt__source_t *s, int reason) {
    uint64_t bits = iocp_op__turned_away(op, s);
    if (bits & TMLRT__SW_CLOSED) return TMLRT_ECANCELED;
    if (bits & TMLRT__SW_STOPPED) return TMLRT_ESHUTDOWN;
    return reason != 0 ? reason : TMLRT_ECANCELED;
}

/* The call went well: goes on with what is left unless something asks for the end. */
static int32_t iocp_op__more(tmlrt__op_t *op, tmlrt__source_t *s, int reason) {
    if (reason != 0 || iocp_op__turned_away(op, s))
        return iocp_op__end(op, iocp_op__why(op, s, reason));
    return iocp_op__launch(op, s);
}

static int32_t iocp_op__ended_read(tmlrt__op_t *op, tmlrt__source_t *s, size_t n, int reason) {
    bool exact = tmlrt__io_class(op)->kind == TMLRT__IO_READ_EXACT;
    if (n == 0) return iocp_op__end(op, exact ? TMLRT_EEOF : 0);
    uint64_t *done = &op->u.io.u.backend[TMLRT__IO_DONE];
    *done += n;
    if (!exact || *done == op->u.io.len) return iocp_op__end(op, (int64_t)*done);
    return iocp_op__more(op, s, reason);
}

/* A pipe filled the first piece: what else is there goes to the others at once. */
static int32_t iocp_op__ended_readv(tmlrt__op_t *op, tmlrt__source_t *s, size_t n) {
    const tmlrt_iovec_t *iov = op->u.io.buf;
    size_t               all = n, at = 0;
    while (at < op->u.io.len && iov[at].size == 0)
        at++;
    int64_t got = tmlrt__iocp_is_pipe(s) && n > 0 ? (int64_t)n : 0;
    while (got > 0 && (size_t)got == iov[at].size && ++at < op->u.io.len) {
        got = (int64_t)iov[at].size;
        if (got > 0) got = tmlrt__readiness_recv(s, iov[at].base, iov[at].size);
        if (got > 0) all += (size_t)got;
        if (iov[at].size == 0) break;
    }
    op->u.io.u.backend[TMLRT__IO_DONE] = all;
    return iocp_op__end(op, (int64_t)all);
}

static int32_t iocp_op__ended_write(tmlrt__op_t *op, tmlrt__source_t *s, size_t n, int reason) {
    uint64_t *done = &op->u.io.u.backend[TMLRT__IO_DONE];
    *done += n;
    if (*done == op->u.io.len) return iocp_op__end(op, (int64_t)*done);
    return iocp_op__more(op, s, reason);
}

static int32_t iocp_op__ended_writev(tmlrt__op_t *op, tmlrt__source_t *s, size_t n, int reason) {
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
    if (op->u.io.len == 0) return iocp_op__end(op, (int64_t)*done);
    return iocp_op__more(op, s, reason);
}

static int32_t iocp_op__ended_badly(tmlrt__op_t *op, tmlrt__source_t *s, int error, int reason);

/* A connection that came too late has nobody to take it. */
static int32_t iocp_op__ended_accept(tmlrt__op_t *op, tmlrt__source_t *s, int reason) {
    tmlrt__iocp_request_t *r = tmlrt__iocp_request(op);
    SOCKET                 listener = tmlrt__iocp_socket(s);
    if (iocp_op__turned_away(op, s)) return iocp_op__end(op, iocp_op__why(op, s, reason));
    if (TMLRT__SYS(setsockopt(r->accepted, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                              (const char *)&listener, sizeof listener)) != 0)
        return iocp_op__ended_badly(op, s, tmlrt__os_last_error(), reason);
    int fd = (int)r->accepted;
    r->accepted = INVALID_SOCKET;
    return iocp_op__end(op, fd);
}

static int32_t iocp_op__ended_connect(tmlrt__op_t *op, tmlrt__source_t *s) {
    int rc = TMLRT__SYS(
        setsockopt(tmlrt__iocp_socket(s), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0));
    return iocp_op__end(op, rc == 0 ? TMLRT_OK : tmlrt__os_last_error());
}

static int32_t iocp_op__ended_recv_from(tmlrt__op_t *op, size_t n) {
    tmlrt_addr_t *from = tmlrt__iocp_addr(op);
    if (from != NULL) {
        from->length_ = (uint32_t)tmlrt__iocp_request(op)->from_len;
        from->reserved_ = 0;
    }
    return iocp_op__end(op, (int64_t)n);
}

static int32_t iocp_op__ended_badly(tmlrt__op_t *op, tmlrt__source_t *s, int error, int reason) {
    tmlrt__io_kind_t kind = tmlrt__io_class(op)->kind;
    size_t           n = tmlrt__iocp_request(op)->ov.InternalHigh;
    if (kind == TMLRT__IO_WRITE || kind == TMLRT__IO_WRITEV)
        op->u.io.u.backend[TMLRT__IO_DONE] += n; /* what was moved before */
    bool ends = reason != 0 || iocp_op__turned_away(op, s);
    if (error == TMLRT_ECANCELED && !ends && iocp_op__is_shut(op, s))
        return iocp_op__end(op, iocp_op__failed(op, TMLRT_EPIPE));
    if (error == TMLRT_ECANCELED) return iocp_op__end(op, iocp_op__why(op, s, reason));
    if (kind == TMLRT__IO_RECV_FROM && error == TMLRT_EMSGSIZE) {
        iocp_op__ended_recv_from(op, n);
        op->result = error;
        return TMLRT_READY;
    }
    if (iocp_op__is_passed_over(op, s, &error)) {
        tmlrt__iocp_drop_accepted(tmlrt__iocp_request(op));
        return iocp_op__more(op, s, reason);
    }
    iocp_op__rest_after(op, s, error);
    return iocp_op__end(op, iocp_op__failed(op, error));
}

/* Fired: its packet has come. `reason`: of the cancel, or 0; never 0 where the gate is closed, so that
 * no call follows. */
static int32_t iocp_op__complete(tmlrt__op_t *op, int reason) {
    tmlrt__source_t       *s = tmlrt__io_source(op);
    tmlrt__iocp_request_t *r = tmlrt__iocp_request(op);
    int32_t                status = (int32_t)r->ov.Internal;
    size_t                 n = r->ov.InternalHigh;
    if (status < 0) return iocp_op__ended_badly(op, s, tmlrt__iocp_error(s, r), reason);
    switch (tmlrt__io_class(op)->kind) {
    case TMLRT__IO_READ:
    case TMLRT__IO_READ_EXACT: return iocp_op__ended_read(op, s, n, reason);
    case TMLRT__IO_READV: return iocp_op__ended_readv(op, s, n);
    case TMLRT__IO_WRITE: return iocp_op__ended_write(op, s, n, reason);
    case TMLRT__IO_WRITEV: return iocp_op__ended_writev(op, s, n, reason);
    case TMLRT__IO_ACCEPT: return iocp_op__ended_accept(op, s, reason);
    case TMLRT__IO_SEND_TO: return iocp_op__end(op, (int64_t)n);
    case TMLRT__IO_RECV_FROM: return iocp_op__ended_recv_from(op, n);
    default: return iocp_op__ended_connect(op, s);
    }
}

int32_t tmlrt__iocp_op_resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    return iocp_op__complete(op, 0);
}

int32_t tmlrt__iocp_op_cancel(tmlrt__op_t *op, int reason) {
    uint32_t ctl = tmlrt__op_ctl(op);
    if ((ctl & TMLRT__OP_SRC_ARMED) == 0) return iocp_op__complete(op, reason);
    /* Asked once is enough: it ends with its packet. */
    if (op->u.io.u.backend[TMLRT__IOCP_REASON] == 0)
        tmlrt__iocp_break_off(tmlrt__iocp_handle(tmlrt__io_source(op)),
                              &tmlrt__iocp_request(op)->ov);
    op->u.io.u.backend[TMLRT__IOCP_REASON] = (uint64_t)-reason;
    return TMLRT_PENDING;
}

/* The closer holds the source; the claim holds the handle. */
void tmlrt__iocp_closing(tmlrt__driver_t *base, tmlrt__source_t *s) {
    (void)base;
    /* seq: a start that does not see the word changed has made its call; pairs [IOCP-3] */
    tmlrt__fence_seq();
    tmlrt__iocp_break_off(tmlrt__iocp_handle(s), NULL);
}

void tmlrt__iocp_shut(tmlrt__driver_t *base, tmlrt__source_t *s) {
    tmlrt__iocp_t *d = tmlrt__iocp_of(base);
    (void)tmlrt__sw_event(&s->word[TMLRT__DIR_READ], s->generation, TMLRT__SW_HUP);
    /* seq: as in closing; pairs [IOCP-3] */
    tmlrt__fence_seq();
    AcquireSRWLockExclusive(&d->calling);
    tmlrt__iocp_request_t *r = s->backend;
    if (r != NULL) tmlrt__iocp_break_off(tmlrt__iocp_handle(s), &r->ov);
    ReleaseSRWLockExclusive(&d->calling);
}
