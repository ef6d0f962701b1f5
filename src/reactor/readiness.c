/* SPDX-License-Identifier: MIT */
/*
 * readiness.c: the system calls of the I/O kinds, and the loop of try, sleep, try again.
 */
#include "readiness.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <tmlrt/net.h>

#include "../fault.h"
#include "../os_socket.h"
#include "quiet.h"
#include "transfer.h"

/* A call moves at most so much; Linux moves a little less than 2 GiB itself. */
#define READINESS__CALL_MAX ((size_t)1 << 30)
/* A connection that died in the queue is passed over; so many in one try, then it is told. */
#define READINESS__ABORTED_MAX 64
/* So many tries in one poll, then others have their turn: a peer may send as fast as we read. */
#define READINESS__TRIES_MAX 32

_Static_assert(sizeof(tmlrt_iovec_t) == sizeof(struct iovec) &&
                   offsetof(tmlrt_iovec_t, base) == offsetof(struct iovec, iov_base) &&
                   offsetof(tmlrt_iovec_t, size) == offsetof(struct iovec, iov_len),
               "our pieces are the system's");

static bool readiness__would_block(int sys) {
    return sys == EAGAIN || sys == EWOULDBLOCK;
}

/* ---- the calls ------------------------------------------------------------------------------ */

static int64_t readiness__answer(ssize_t n) {
    if (n >= 0) return n;
    return readiness__would_block(errno) ? TMLRT_EAGAIN : tmlrt__os_error(errno);
}

/* A pipe takes so many pieces in one call (IOV_MAX, which is ours as well). */
static int64_t readiness__pipe(int64_t fd, const void *pieces, size_t n, bool write) {
    ssize_t got;
    do
        got = write ? tmlrt__quiet_writev((int)fd, pieces, (int)n)
                    : TMLRT__SYS(readv((int)fd, pieces, (int)n));
    while (got < 0 && errno == EINTR);
    return readiness__answer(got);
}

static bool readiness__is_pipe(const tmlrt__source_t *s) {
    return s->kind == TMLRT__SOURCE_PIPE_READ || s->kind == TMLRT__SOURCE_PIPE_WRITE;
}

int64_t tmlrt__readiness_recv(const tmlrt__source_t *s, void *buf, size_t size) {
    const tmlrt__sockets_t *own = tmlrt__source_sockets(s);
    if (own != NULL) return own->recv(s, buf, size);
    if (readiness__is_pipe(s)) {
        const struct iovec piece = {buf, size};
        return readiness__pipe(s->fd, &piece, 1, false);
    }
    ssize_t n;
    do
        n = TMLRT__SYS(tmlrt__transfer_recv((int)s->fd, buf, size));
    while (n < 0 && errno == EINTR);
    return readiness__answer(n);
}

int64_t tmlrt__readiness_send(const tmlrt__source_t *s, const void *buf, size_t size) {
    const tmlrt__sockets_t *own = tmlrt__source_sockets(s);
    if (own != NULL) return own->send(s, buf, size);
    if (readiness__is_pipe(s)) {
        const struct iovec piece = {(void *)(uintptr_t)buf, size};
        return readiness__pipe(s->fd, &piece, 1, true);
    }
    ssize_t n;
    do
        n = TMLRT__SYS(tmlrt__transfer_send((int)s->fd, buf, size));
    while (n < 0 && errno == EINTR);
    return readiness__answer(n);
}

static int64_t readiness__message(int64_t fd, struct msghdr *m, bool write) {
    ssize_t got;
    do
        got = write ? TMLRT__SYS(sendmsg((int)fd, m, TMLRT__MSG_QUIET))
                    : TMLRT__SYS(recvmsg((int)fd, m, 0));
    while (got < 0 && errno == EINTR);
    return readiness__answer(got);
}

/* The same piece by piece, for sockets that are not the system's. */
static int64_t readiness__each_piece(const tmlrt__source_t *s, const tmlrt__sockets_t *own,
                                     const tmlrt_iovec_t *piece, size_t n, bool write) {
    int64_t moved = 0;
    for (size_t i = 0; i < n; i++) {
        if (piece[i].size == 0) continue;
        int64_t now = write ? own->send(s, piece[i].base, piece[i].size)
                            : own->recv(s, piece[i].base, piece[i].size);
        if (now < 0) return moved != 0 ? moved : now;
        moved += now;
        if ((size_t)now < piece[i].size) break;
    }
    return moved;
}

static int64_t readiness__pieces(const tmlrt__source_t *s, void *pieces, size_t n, bool write) {
    const tmlrt__sockets_t *own = tmlrt__source_sockets(s);
    if (own != NULL) return readiness__each_piece(s, own, pieces, n, write);
    if (readiness__is_pipe(s)) return readiness__pipe(s->fd, pieces, n, write);
    struct msghdr m = {.msg_iov = pieces, .msg_iovlen = n};
    return readiness__message(s->fd, &m, write);
}

/* ---- one try of each kind -------------------------------------------------------------------- */

static tmlrt__try_t readiness__ends(tmlrt__op_t *op, int64_t result) {
    op->result = result;
    return TMLRT__TRY_END;
}

/* What a call that moved nothing comes to. */
static tmlrt__try_t readiness__stopped(tmlrt__op_t *op, int64_t error) {
    return error == TMLRT_EAGAIN ? TMLRT__TRY_DRAINED : readiness__ends(op, error);
}

static tmlrt__try_t readiness__read(tmlrt__op_t *op, const tmlrt__source_t *s, bool exact) {
    uint64_t *done = &op->u.io.u.backend[TMLRT__IO_DONE];
    size_t    ask = op->u.io.len - (size_t)*done;
    if (ask == 0) return readiness__ends(op, (int64_t)*done);
    if (ask > READINESS__CALL_MAX) ask = READINESS__CALL_MAX;
    int64_t n = tmlrt__readiness_recv(s, (char *)op->u.io.buf + *done, ask);
    if (n < 0) return readiness__stopped(op, n);
    if (n == 0) return readiness__ends(op, exact ? TMLRT_EEOF : 0);
    *done += (uint64_t)n;
    op->result = (int64_t)*done;
    bool all = (size_t)n == ask;
    if (!exact || *done == op->u.io.len) return all ? TMLRT__TRY_END : TMLRT__TRY_END_SHORT;
    return all ? TMLRT__TRY_MORE : TMLRT__TRY_SHORT;
}

static size_t readiness__pieces_size(const tmlrt_iovec_t *iov, size_t n) {
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size = iov[i].size > SIZE_MAX - size ? SIZE_MAX : size + iov[i].size;
    return size;
}

static tmlrt__try_t readiness__readv(tmlrt__op_t *op, const tmlrt__source_t *s) {
    size_t  size = readiness__pieces_size(op->u.io.buf, op->u.io.len);
    int64_t n = size == 0 ? 0 : readiness__pieces(s, op->u.io.buf, op->u.io.len, false);
    if (n < 0) return readiness__stopped(op, n);
    op->u.io.u.backend[TMLRT__IO_DONE] = (uint64_t)n;
    op->result = n;
    return n == 0 || (size_t)n == size ? TMLRT__TRY_END : TMLRT__TRY_END_SHORT;
}

static tmlrt__try_t readiness__write(tmlrt__op_t *op, const tmlrt__source_t *s) {
    uint64_t *done = &op->u.io.u.backend[TMLRT__IO_DONE];
    size_t    ask = op->u.io.len - (size_t)*done;
    if (ask == 0) return readiness__ends(op, (int64_t)*done);
    if (ask > READINESS__CALL_MAX) ask = READINESS__CALL_MAX;
    int64_t n = tmlrt__readiness_send(s, (const char *)op->u.io.buf + *done, ask);
    if (n < 0) return readiness__stopped(op, n);
    *done += (uint64_t)n;
    if (*done == op->u.io.len) return readiness__ends(op, (int64_t)*done);
    return (size_t)n == ask ? TMLRT__TRY_MORE : TMLRT__TRY_SHORT;
}

/* Takes `n` bytes and the pieces that are empty then off the front of the array. */
static void readiness__pieces_advance(tmlrt__op_t *op, size_t n) {
    tmlrt_iovec_t *iov = op->u.io.buf;
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
}

static tmlrt__try_t readiness__writev(tmlrt__op_t *op, const tmlrt__source_t *s) {
    uint64_t *done = &op->u.io.u.backend[TMLRT__IO_DONE];
    readiness__pieces_advance(op, 0);
    if (op->u.io.len == 0) return readiness__ends(op, (int64_t)*done);
    size_t  size = readiness__pieces_size(op->u.io.buf, op->u.io.len);
    int64_t n = readiness__pieces(s, op->u.io.buf, op->u.io.len, true);
    if (n < 0) return readiness__stopped(op, n);
    *done += (uint64_t)n;
    readiness__pieces_advance(op, (size_t)n);
    if (op->u.io.len == 0) return readiness__ends(op, (int64_t)*done);
    return (size_t)n == size ? TMLRT__TRY_MORE : TMLRT__TRY_SHORT;
}

/* Errors of accept(2) that belong to the one connection, not to the listener. */
static bool readiness__of_the_connection(int sys) {
    switch (sys) {
    case ECONNABORTED:
    case EPROTO:
    case EPERM: /* a firewall's no */
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
#ifdef ENONET
    case ENONET:
#endif
        return true;
    default: return false;
    }
}

/* Lack of descriptors or memory: told once, then the listener rests for a while. The connection is
 * still in the queue, and trying at once would spin. */
static tmlrt__try_t readiness__accept_failed(tmlrt__op_t *op, tmlrt__source_t *s, int error) {
    if (error == TMLRT_EMFILE || error == TMLRT_ENFILE || error == TMLRT_ENOBUFS ||
        error == TMLRT_ENOMEM) {
        tmlrt__source_rest(s);
    }
    return readiness__ends(op, error);
}

static tmlrt__try_t readiness__accept(tmlrt__op_t *op, tmlrt__source_t *s) {
    const tmlrt__sockets_t *own = tmlrt__source_sockets(s);
    if (own != NULL) {
        int64_t fd = own->accept(s);
        return fd < 0 ? readiness__stopped(op, fd) : readiness__ends(op, fd);
    }
    for (int aborted = 0;;) {
        int got = TMLRT__SYS(tmlrt__os_accept((int)s->fd));
        if (got >= 0) return readiness__ends(op, got);
        if (errno == EINTR) continue;
        if (readiness__would_block(errno)) return TMLRT__TRY_DRAINED;
        if (!readiness__of_the_connection(errno) || ++aborted == READINESS__ABORTED_MAX)
            return readiness__accept_failed(op, s, tmlrt__os_error(errno));
    }
}

static tmlrt_addr_t *readiness__addr(const tmlrt__op_t *op) {
    return (tmlrt_addr_t *)(uintptr_t)op->u.io.u.backend[TMLRT__IO_ADDR];
}

static tmlrt__try_t readiness__send_to(tmlrt__op_t *op, int64_t fd) {
    tmlrt_addr_t *to = readiness__addr(op);
    struct iovec  piece = {op->u.io.buf, op->u.io.len};
    struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1};
    if (to != NULL) {
        m.msg_name = to->storage_;
        m.msg_namelen = (socklen_t)to->length_;
    }
    int64_t n = readiness__message(fd, &m, true);
    return n < 0 ? readiness__stopped(op, n) : readiness__ends(op, n);
}

/* One datagram; a short one says nothing about those behind it. */
static tmlrt__try_t readiness__recv_from(tmlrt__op_t *op, int64_t fd) {
    tmlrt_addr_t *from = readiness__addr(op);
    struct iovec  piece = {op->u.io.buf, op->u.io.len};
    struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1};
    if (from != NULL) {
        m.msg_name = from->storage_;
        m.msg_namelen = sizeof from->storage_;
    }
    int64_t n = readiness__message(fd, &m, false);
    if (n < 0) return readiness__stopped(op, n);
    if (from != NULL) {
        from->length_ = m.msg_namelen;
        from->reserved_ = 0;
    }
    return readiness__ends(op, (m.msg_flags & MSG_TRUNC) != 0 ? TMLRT_EMSGSIZE : n);
}

/* Asks what became of a connect. Without an error it may still be under way (the event was an older
 * one); only a connected socket has a peer. */
static tmlrt__try_t readiness__connected(tmlrt__op_t *op, const tmlrt__source_t *s) {
    const tmlrt__sockets_t *own = tmlrt__source_sockets(s);
    if (own != NULL) {
        int e = own->connected(s);
        return e < 0 ? readiness__stopped(op, e) : readiness__ends(op, e);
    }
    int                     error = 0;
    socklen_t               size = sizeof error;
    struct sockaddr_storage peer;
    if (TMLRT__SYS(getsockopt((int)s->fd, SOL_SOCKET, SO_ERROR, &error, &size)) != 0) error = errno;
    if (error != 0) return readiness__ends(op, tmlrt__os_error(error));
    size = sizeof peer;
    if (TMLRT__SYS(getpeername((int)s->fd, (struct sockaddr *)&peer, &size)) == 0)
        return readiness__ends(op, TMLRT_OK);
    if (errno == ENOTCONN) return TMLRT__TRY_DRAINED;
    return readiness__ends(op, tmlrt__os_error(errno));
}

tmlrt__try_t tmlrt__readiness_try(tmlrt__op_t *op, tmlrt__source_t *s) {
    switch (tmlrt__io_class(op)->kind) {
    case TMLRT__IO_READ: return readiness__read(op, s, false);
    case TMLRT__IO_READ_EXACT: return readiness__read(op, s, true);
    case TMLRT__IO_READV: return readiness__readv(op, s);
    case TMLRT__IO_WRITE: return readiness__write(op, s);
    case TMLRT__IO_WRITEV: return readiness__writev(op, s);
    case TMLRT__IO_ACCEPT: return readiness__accept(op, s);
    case TMLRT__IO_SEND_TO: return readiness__send_to(op, s->fd);
    case TMLRT__IO_RECV_FROM: return readiness__recv_from(op, s->fd);
    default: return readiness__connected(op, s);
    }
}

int tmlrt__readiness_connect(tmlrt__op_t *op, tmlrt__source_t *s) {
    const tmlrt__sockets_t *own = tmlrt__source_sockets(s);
    if (own != NULL) return own->connect(s, op->u.io.buf, op->u.io.len);
    int r;
    do /* one that was interrupted goes on, and the next call says so */
        r = TMLRT__SYS(connect((int)s->fd, op->u.io.buf, (socklen_t)op->u.io.len));
    while (r != 0 && errno == EINTR);
    if (r == 0 || errno == EINPROGRESS || errno == EALREADY || errno == EISCONN) return TMLRT_OK;
    return tmlrt__os_error(errno);
}

/* ---- the loop ------------------------------------------------------------------------------- */

/* Claim held: an operation ends whose source was closed (or stopped) while it was in flight. */
static int32_t readiness__turned_away(tmlrt__op_t *op, tmlrt__sw_is_t is) {
    return tmlrt__io_end(op, is == TMLRT__SW_IS_CLOSED ? TMLRT_ECANCELED : TMLRT_ESHUTDOWN);
}

/* The op has ended by a try: gives up the claim as the try says. */
static int32_t readiness__finish(tmlrt__source_t *s, tmlrt__source_word_t *w, tmlrt__try_t tried,
                                 uint64_t seen) {
    bool closed = tried == TMLRT__TRY_END ? tmlrt__sw_release(w) : tmlrt__sw_release_short(w, seen);
    if (closed) tmlrt__source_end_half(s);
    return TMLRT_READY;
}

/* Claim held, not armed: ends the poll; the next one goes on. */
static int32_t readiness__yields(tmlrt__op_t *op) {
    tmlrt__op_arm(op, TMLRT__OP_SRC_ARMED);
    tmlrt__wake_run(tmlrt__op_fire(op, TMLRT__OP_SRC_ARMED));
    return TMLRT_PENDING;
}

/* Claim held, not armed, `is` and `seen` just read off the word. */
static int32_t readiness__run(tmlrt__op_t *op, tmlrt__sw_is_t is, uint64_t seen) {
    tmlrt__source_t      *s = tmlrt__io_source(op);
    tmlrt__source_word_t *w = &s->word[tmlrt__io_class(op)->dir];
    for (int tries = 0;;) {
        bool drained = true;
        if (is >= TMLRT__SW_IS_STOPPED) return readiness__turned_away(op, is);
        if (seen & TMLRT__SW_READY) {
            if (tries++ == READINESS__TRIES_MAX) return readiness__yields(op);
            tmlrt__try_t tried = tmlrt__readiness_try(op, s);
            if (tried <= TMLRT__TRY_END_SHORT) return readiness__finish(s, w, tried, seen);
            if (tried == TMLRT__TRY_MORE) {
                is = tmlrt__sw_check(w, &seen);
                continue;
            }
            drained = tried == TMLRT__TRY_DRAINED;
        }
        /* The agent may fire as soon as the word is armed. */
        tmlrt__store_relaxed(&s->waits, op);
        tmlrt__op_arm(op, TMLRT__OP_SRC_ARMED);
        is = tmlrt__sw_arm(w, &seen, op, drained);
        if (is == TMLRT__SW_IS_WAITING) return TMLRT_PENDING;
        tmlrt__op_disarm(op, TMLRT__OP_SRC_ARMED);
    }
}

/* The attach comes after the connect: an unconnected socket would report a hang-up. */
static int32_t readiness__connect_start(tmlrt__op_t *op) {
    tmlrt__source_t *s = tmlrt__io_source(op);
    int              e = tmlrt__readiness_connect(op, s);
    if (e == TMLRT_OK) e = tmlrt__source_attach(s);
    if (e != TMLRT_OK) return tmlrt__io_end(op, e);
    uint64_t seen = op->u.io.u.backend[TMLRT__IO_SEEN];
    return readiness__run(op, TMLRT__SW_IS_WAITING, seen);
}

int32_t tmlrt__readiness_start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    if (tmlrt__io_class(op)->kind == TMLRT__IO_CONNECT) return readiness__connect_start(op);
    return readiness__run(op, TMLRT__SW_IS_READY, op->u.io.u.backend[TMLRT__IO_SEEN]);
}

int32_t tmlrt__readiness_resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    uint64_t       seen;
    tmlrt__sw_is_t is =
        tmlrt__sw_check(&tmlrt__io_source(op)->word[tmlrt__io_class(op)->dir], &seen);
    return readiness__run(op, is, seen);
}

int32_t tmlrt__readiness_cancel(tmlrt__op_t *op, int reason) {
    tmlrt__source_t *s = tmlrt__io_source(op);
    if ((tmlrt__op_ctl(op) & TMLRT__OP_SRC_ARMED) == 0) return tmlrt__io_end(op, reason);
    if (!tmlrt__sw_cancel(&s->word[tmlrt__io_class(op)->dir])) return TMLRT_PENDING;
    tmlrt__op_disarm(op, TMLRT__OP_SRC_ARMED);
    op->result = reason;
    return TMLRT_READY;
}
