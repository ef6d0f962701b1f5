/* SPDX-License-Identifier: MIT */
/*
 * tcp.c: what is waited for on sockets: accept, connect, read, write. The transfers themselves are
 * the backend's; here are the arguments, and what an accept or connect makes: a new handle.
 */
#include "tcp.h"

#include "addr.h"
#include "call.h"
#include "os_socket.h"

#define TCP__PIECES_MAX 1024

/* op->u.io.u.backend of one that is to start again: 1. An accept holds its claim already; the handle
 * of a connect is the closed socket of the last try. */
#define TCP__HELD 3
/* Before the start of a connect: its arguments; [0] is the backoff's. */
#define TCP__ADDR    1
#define TCP__OPTIONS 2
/* A Unix listener's queue is full, and nobody tells when it no longer is: tried again so often. */
#define TCP__QUEUE_FULL_NS INT64_C(1000000)

/* ---- reading and writing --------------------------------------------------------------------- */

#define TCP__CLASS(name, what, direction)                                                          \
    {                                                                                              \
        .op = {.waits_for = (name),                                                                \
               .start = tmlrt__io_start,                                                           \
               .resume = tmlrt__io_resume,                                                         \
               .cancel = tmlrt__io_cancel,                                                         \
               .about = tmlrt__io_about},                                                          \
        .kind = (what), .dir = (direction)                                                         \
    }

static const tmlrt__io_class_t tcp__read = TCP__CLASS("read", TMLRT__IO_READ, TMLRT__DIR_READ);
static const tmlrt__io_class_t tcp__read_exact =
    TCP__CLASS("read_exact", TMLRT__IO_READ_EXACT, TMLRT__DIR_READ);
static const tmlrt__io_class_t tcp__readv = TCP__CLASS("readv", TMLRT__IO_READV, TMLRT__DIR_READ);
static const tmlrt__io_class_t tcp__write = TCP__CLASS("write", TMLRT__IO_WRITE, TMLRT__DIR_WRITE);
static const tmlrt__io_class_t tcp__writev =
    TCP__CLASS("writev", TMLRT__IO_WRITEV, TMLRT__DIR_WRITE);

/* Prepares an operation on a socket; `wrong` is what its check said, `bad` that another argument is
 * wrong. */
static int tcp__prepare(tmlrt_op_t *pub, const tmlrt__io_class_t *cls, tmlrt_sock_t *sock,
                        int wrong, bool bad) {
    int e = bad ? TMLRT_EINVAL : wrong;
    if (e != TMLRT_OK) return tmlrt__op_prepare_failed(pub, e);
    e = tmlrt__op_prepare(pub, &cls->op);
    if (e == TMLRT_OK) tmlrt__op(pub)->u.io.handle = &sock->source;
    return e;
}

static int tcp__prepare_bytes(tmlrt_op_t *pub, const tmlrt__io_class_t *cls, tmlrt_sock_t *sock,
                              const void *buf, size_t size) {
    bool bad = (buf == NULL && size != 0) || size > SIZE_MAX / 2;
    int  e = tcp__prepare(pub, cls, sock, tmlrt__sock_check_bytes(sock, cls->dir), bad);
    if (e != TMLRT_OK) return e;
    tmlrt__op(pub)->u.io.buf = (void *)(uintptr_t)buf;
    tmlrt__op(pub)->u.io.len = size;
    return TMLRT_OK;
}

int tmlrt_op_read(tmlrt_op_t *op, tmlrt_sock_t *sock, void *buf, size_t size) {
    return tcp__prepare_bytes(op, &tcp__read, sock, buf, size);
}

int tmlrt_op_read_exact(tmlrt_op_t *op, tmlrt_sock_t *sock, void *buf, size_t size) {
    return tcp__prepare_bytes(op, &tcp__read_exact, sock, buf, size);
}

int tmlrt_op_write(tmlrt_op_t *op, tmlrt_sock_t *sock, const void *buf, size_t size) {
    return tcp__prepare_bytes(op, &tcp__write, sock, buf, size);
}

static bool tcp__pieces_are_bad(const tmlrt_iovec_t *iov, size_t n) {
    if (iov == NULL || n == 0 || n > TCP__PIECES_MAX) return true;
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        if (iov[i].base == NULL && iov[i].size != 0) return true;
        if (iov[i].size > SIZE_MAX / 2 - size) return true;
        size += iov[i].size;
    }
    return false;
}

static int tcp__prepare_pieces(tmlrt_op_t *pub, const tmlrt__io_class_t *cls, tmlrt_sock_t *sock,
                               tmlrt_iovec_t *iov, size_t n) {
    int e = tcp__prepare(pub, cls, sock, tmlrt__sock_check_bytes(sock, cls->dir),
                         tcp__pieces_are_bad(iov, n));
    if (e != TMLRT_OK) return e;
    tmlrt__op(pub)->u.io.buf = iov;
    tmlrt__op(pub)->u.io.len = n;
    return TMLRT_OK;
}

int tmlrt_op_readv(tmlrt_op_t *op, tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n) {
    return tcp__prepare_pieces(op, &tcp__readv, sock, iov, n);
}

int tmlrt_op_writev(tmlrt_op_t *op, tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n) {
    return tcp__prepare_pieces(op, &tcp__writev, sock, iov, n);
}

size_t tmlrt_op_transferred(const tmlrt_op_t *pub) {
    if (pub == NULL) return 0;
    const tmlrt__op_t *op = (const tmlrt__op_t *)(const void *)pub;
    bool               moves =
        op->phase == TMLRT__OP_ENDED &&
        (op->cls == &tcp__read.op || op->cls == &tcp__read_exact.op || op->cls == &tcp__readv.op ||
         op->cls == &tcp__write.op || op->cls == &tcp__writev.op);
    return moves ? (size_t)op->u.io.u.backend[TMLRT__IO_DONE] : 0;
}

/* ---- accept --------------------------------------------------------------------------------- */

/* What must be known of the listener before the backend answers: afterwards it may be gone. */
typedef struct tcp__listener {
    tmlrt__source_t       *source;
    tmlrt__source_table_t *table; /* NULL: its host goes, and may not be used */
    bool                   simulated;
    uint32_t               generation, stops;
} tcp__listener_t;

/* Claim held. */
static tcp__listener_t tcp__listener_begin(tmlrt__source_t *s) {
    tcp__listener_t l = {.source = s, .generation = s->generation, .stops = s->stops};
    l.simulated = tmlrt__source_sockets(s) != NULL;
    l.table = tmlrt__source_table_enter(s->table) ? s->table : NULL;
    return l;
}

static void tcp__listener_end(const tcp__listener_t *l) {
    if (l->table != NULL) tmlrt__source_table_leave(l->table);
}

/* Lack of memory is lack of memory, whoever tells it: net.h promises a rest. The slot may be another
 * tenant's by now. */
static void tcp__accepted_none(const tcp__listener_t *l, int error) {
    uint64_t bits = tmlrt__load_relaxed(&l->source->word[TMLRT__DIR_READ].bits);
    if (error != TMLRT_ENOMEM && error != TMLRT_ENOBUFS) return;
    if (tmlrt__sw_generation(bits) == l->generation) tmlrt__source_rest(l->source);
}

/* Gives an accepted descriptor its handle, on the next driver in turn: TMLRT_OK or the error. */
static int tcp__accepted(const tcp__listener_t *l, int fd, tmlrt_sock_t **out) {
    tmlrt__host_t   *host = tmlrt__source_host(l->source);
    tmlrt_sock_t    *sock;
    tmlrt__driver_t *d = host->ops->driver(host, true);
    uint32_t         flags = TMLRT__READY_WRITE | l->stops;
    int              e = tmlrt__sock_open(&sock, d, TMLRT__SOURCE_STREAM, fd, flags);
    if (e != TMLRT_OK) {
        tmlrt__sock_unmake(d, fd);
    } else {
        e = tmlrt__source_attach(&sock->source);
        if (e != TMLRT_OK) tmlrt__source_release(&sock->source);
    }
    if (e == TMLRT_OK)
        *out = sock;
    else
        tcp__accepted_none(l, e);
    return e;
}

/* The backend's answer is a descriptor. */
static int32_t tcp__accept_answer(tmlrt__op_t *op, const tcp__listener_t *l, int32_t answer) {
    if (answer != TMLRT_READY || op->result < 0) return answer;
    if (l->table != NULL) {
        op->result = tcp__accepted(l, (int)op->result, op->u.io.buf);
    } else { /* a simulated one goes with its driver */
        if (!l->simulated) tmlrt__os_socket_close((int)op->result);
        op->result = TMLRT_ECANCELED;
    }
    return answer;
}

/* True while the listener rests after a lack of descriptors or memory; the claim is kept. */
static bool tcp__accept_rests(tmlrt__op_t *op, tmlrt__source_t *s, const tcp__listener_t *l) {
    int64_t after = tmlrt__load_relaxed(&s->accept_after);
    if (after == 0 || l->table == NULL) return false;
    tmlrt__host_t *host = tmlrt__source_host(s);
    if (host->ops->now(host) >= after) {
        tmlrt__store_relaxed(&s->accept_after, 0);
        return false;
    }
    op->u.io.u.backend[TCP__HELD] = 1;
    tmlrt__op_backoff(op, after);
    return true;
}

static int32_t tcp__accept_start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__source_t *s = tmlrt__io_source(op);
    if (op->u.io.u.backend[TCP__HELD] == 0) {
        if (!tmlrt__io_claim(op)) return TMLRT_READY;
    } else { /* after a rest */
        tmlrt__sw_is_t is =
            tmlrt__sw_check(&s->word[TMLRT__DIR_READ], &op->u.io.u.backend[TMLRT__IO_SEEN]);
        if (is == TMLRT__SW_IS_CLOSED) return tmlrt__io_end(op, TMLRT_ECANCELED);
        if (is == TMLRT__SW_IS_STOPPED) return tmlrt__io_end(op, TMLRT_ESHUTDOWN);
    }
    tcp__listener_t l = tcp__listener_begin(s);
    int32_t         answer = TMLRT_PENDING;
    if (!tcp__accept_rests(op, s, &l))
        answer = tcp__accept_answer(op, &l, tmlrt__io_submit(op, cx));
    tcp__listener_end(&l);
    return answer;
}

static int32_t tcp__accept_resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tcp__listener_t l = tcp__listener_begin(tmlrt__io_source(op));
    int32_t         answer = tcp__accept_answer(op, &l, tmlrt__io_resume(op, cx));
    tcp__listener_end(&l);
    return answer;
}

static int32_t tcp__accept_cancel(tmlrt__op_t *op, int reason) {
    /* At rest it is nothing that a backend knows of. */
    if (op->phase == TMLRT__OP_BACKOFF) return tmlrt__io_end(op, reason);
    tcp__listener_t l = tcp__listener_begin(tmlrt__io_source(op));
    int32_t         answer = tcp__accept_answer(op, &l, tmlrt__io_cancel(op, reason));
    tcp__listener_end(&l);
    return answer;
}

static const tmlrt__io_class_t tcp__accept = {
    .op = {.waits_for = "accept",
           .start = tcp__accept_start,
           .resume = tcp__accept_resume,
           .cancel = tcp__accept_cancel,
           .lend = tmlrt__io_lend,
           .give = tmlrt__io_give,
           .about = tmlrt__io_about},
    .kind = TMLRT__IO_ACCEPT,
    .dir = TMLRT__DIR_READ,
};

int tmlrt_op_accept(tmlrt_op_t *op, tmlrt_sock_t *listener, tmlrt_sock_t **out) {
    int e = tcp__prepare(op, &tcp__accept, listener,
                         tmlrt__sock_check(listener, TMLRT__SOURCE_LISTENER), out == NULL);
    if (e == TMLRT_OK) tmlrt__op(op)->u.io.buf = out;
    return e;
}

/* ---- connect -------------------------------------------------------------------------------- */

/* The end of the last attempt: the handle goes to the user, or away. */
static int32_t tcp__connect_answer(tmlrt__op_t *op, int32_t answer) {
    if (answer != TMLRT_READY) return answer;
    tmlrt_sock_t  *sock = op->u.io.handle;
    tmlrt_sock_t **out = op->u.io.buf;
    if (op->result == TMLRT_OK)
        *out = sock;
    else
        tmlrt__source_release(&sock->source);
    return answer;
}

/* Makes the socket for the attempt, its write side claimed: TMLRT_OK or the error. */
static int tcp__connect_make(tmlrt__op_t *op, tmlrt__host_t *host, const tmlrt_addr_t *addr,
                             const tmlrt_tcp_options_t *options) {
    tmlrt_tcp_options_t o;
    int                 e = tmlrt__tcp_options(options, &o, false);
    if (e != TMLRT_OK) return e;
    tmlrt__driver_t *d = host->ops->driver(host, false);
    int64_t          fd = tmlrt__sock_make_on(d, addr, &o, false);
    if (fd < 0) return (int)fd;
    tmlrt_sock_t *sock;
    e = tmlrt__sock_open(&sock, d, TMLRT__SOURCE_STREAM, fd, tmlrt__sock_flags(addr));
    if (e != TMLRT_OK) {
        tmlrt__sock_unmake(d, fd);
        return e;
    }
    op->u.io.handle = sock;
    if (tmlrt__io_claim(op)) return TMLRT_OK;
    tmlrt__source_release(&sock->source); /* the runtime was destroyed under us */
    return (int)op->result;
}

static void tcp__connect_arguments(tmlrt__op_t *op, void *handle, const tmlrt_addr_t *addr,
                                   const tmlrt_tcp_options_t *options) {
    op->u.io.handle = handle;
    op->u.io.u.backend[TCP__ADDR] = (uint64_t)(uintptr_t)addr;
    op->u.io.u.backend[TCP__OPTIONS] = (uint64_t)(uintptr_t)options;
}

/* The closed socket stays the handle until the next try: it knows, also when the host is gone. */
static int32_t tcp__connect_later(tmlrt__op_t *op, tmlrt__host_t *host, const tmlrt_addr_t *addr,
                                  const tmlrt_tcp_options_t *options) {
    tmlrt_sock_t *sock = op->u.io.handle;
    tmlrt__source_close(&sock->source);
    tcp__connect_arguments(op, sock, addr, options);
    op->u.io.u.backend[TCP__HELD] = 1;
    tmlrt__op_backoff(op, host->ops->now(host) + TCP__QUEUE_FULL_NS);
    return TMLRT_PENDING;
}

static int32_t tcp__connect_try(tmlrt__op_t *op, tmlrt_runtime_t *rt, tmlrt_cx_t *cx) {
    const tmlrt_addr_t        *addr = (const void *)(uintptr_t)op->u.io.u.backend[TCP__ADDR];
    const tmlrt_tcp_options_t *options = (const void *)(uintptr_t)op->u.io.u.backend[TCP__OPTIONS];
    tmlrt__host_t             *host;
    int                        e = tmlrt__sock_host(rt, &host);
    if (e == TMLRT_OK) e = tcp__connect_make(op, host, addr, options);
    op->result = e;
    if (e != TMLRT_OK) return TMLRT_READY;

    tmlrt_addr_t copy = *addr;
    void        *out = op->u.io.buf;
    op->u.io.buf = tmlrt__addr_sys(&copy);
    op->u.io.len = copy.length_;
    int32_t answer = tmlrt__io_submit(op, cx);
    op->u.io.buf = out;
    bool later =
        answer == TMLRT_READY && op->result == TMLRT_EAGAIN && tmlrt__addr_family(&copy) == AF_UNIX;
    return later ? tcp__connect_later(op, host, addr, options) : tcp__connect_answer(op, answer);
}

static int32_t tcp__connect_start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    if (op->u.io.u.backend[TCP__HELD] == 0) return tcp__connect_try(op, op->u.io.handle, cx);
    tmlrt_sock_t          *last = op->u.io.handle;
    tmlrt__source_table_t *t = last->source.table;
    int32_t                answer = TMLRT_READY;
    op->result = TMLRT_ECANCELED; /* the runtime was destroyed meanwhile */
    if (tmlrt__source_table_enter(t)) {
        answer = tcp__connect_try(op, (tmlrt_runtime_t *)tmlrt__source_host(&last->source), cx);
        tmlrt__source_table_leave(t);
    }
    tmlrt__source_release(&last->source);
    return answer;
}

static int32_t tcp__connect_resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    return tcp__connect_answer(op, tmlrt__io_resume(op, cx));
}

static int32_t tcp__connect_cancel(tmlrt__op_t *op, int reason) {
    if (op->phase == TMLRT__OP_BACKOFF) { /* its socket is closed */
        op->result = reason;
        return tcp__connect_answer(op, TMLRT_READY);
    }
    return tcp__connect_answer(op, tmlrt__io_cancel(op, reason));
}

static const tmlrt__io_class_t tcp__connect = {
    .op = {.waits_for = "connect",
           .start = tcp__connect_start,
           .resume = tcp__connect_resume,
           .cancel = tcp__connect_cancel,
           .lend = tmlrt__io_lend,
           .give = tmlrt__io_give,
           .about = tmlrt__io_about},
    .kind = TMLRT__IO_CONNECT,
    .dir = TMLRT__DIR_WRITE,
};

int tmlrt_op_connect(tmlrt_op_t *pub, tmlrt_runtime_t *rt, const tmlrt_addr_t *addr,
                     const tmlrt_tcp_options_t *options, tmlrt_sock_t **out) {
    tmlrt_tcp_options_t o;
    if (addr == NULL || out == NULL || tmlrt__addr_family(addr) == AF_UNSPEC ||
        tmlrt__tcp_options(options, &o, false) != TMLRT_OK)
        return tmlrt__op_prepare_failed(pub, TMLRT_EINVAL);
    tmlrt__host_t *host = (tmlrt__host_t *)(void *)rt;
    if (host != NULL && tmlrt__host_forked(host))
        return tmlrt__op_prepare_failed(pub, TMLRT_EFORKED);
    int e = tmlrt__op_prepare(pub, &tcp__connect.op);
    if (e != TMLRT_OK) return e;
    tmlrt__op(pub)->u.io.buf = out;
    tcp__connect_arguments(tmlrt__op(pub), host, addr, options);
    return TMLRT_OK;
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* Waits for a prepared operation, unless that failed. */
static int64_t tcp__await(tmlrt_op_t *op, int prepared, int64_t deadline) {
    return prepared != TMLRT_OK ? prepared : tmlrt__call_await(op, deadline);
}

/* Where nobody may block a call fails also when it would not have to wait. */
static bool tcp__tries(void) {
    return tmlrt__current()->busy == 0 && tmlrt__call_tries();
}

int64_t tmlrt_read_until(tmlrt_sock_t *sock, void *buf, size_t size, int64_t deadline) {
    int64_t n = tcp__tries() ? tmlrt_try_read(sock, buf, size) : TMLRT_EAGAIN;
    if (n != TMLRT_EAGAIN) return n;
    tmlrt_op_t op = TMLRT_OP_INIT;
    return tcp__await(&op, tmlrt_op_read(&op, sock, buf, size), deadline);
}

int64_t tmlrt_read_exact_until(tmlrt_sock_t *sock, void *buf, size_t size, int64_t deadline) {
    int64_t n = tcp__tries() ? tmlrt_try_read(sock, buf, size) : TMLRT_EAGAIN;
    if (n == 0 && size != 0) return TMLRT_EEOF;
    if (n >= 0 && (size_t)n == size) return n;
    if (n < 0 && n != TMLRT_EAGAIN) return n;
    size_t     done = n > 0 ? (size_t)n : 0;
    tmlrt_op_t op = TMLRT_OP_INIT;
    n = tcp__await(&op, tmlrt_op_read_exact(&op, sock, (char *)buf + done, size - done), deadline);
    return n < 0 ? n : (int64_t)size;
}

int64_t tmlrt_write_until(tmlrt_sock_t *sock, const void *buf, size_t size, int64_t deadline) {
    int64_t n = tcp__tries() ? tmlrt_try_write(sock, buf, size) : TMLRT_EAGAIN;
    if (n >= 0 && (size_t)n == size) return n;
    if (n < 0 && n != TMLRT_EAGAIN) return n;
    size_t      done = n > 0 ? (size_t)n : 0;
    tmlrt_op_t  op = TMLRT_OP_INIT;
    const char *rest = buf;
    if (done != 0) rest += done;
    n = tcp__await(&op, tmlrt_op_write(&op, sock, rest, size - done), deadline);
    return n < 0 ? n : (int64_t)size;
}

int64_t tmlrt_readv_until(tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n, int64_t deadline) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    return tcp__await(&op, tmlrt_op_readv(&op, sock, iov, n), deadline);
}

int64_t tmlrt_writev_until(tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n, int64_t deadline) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    return tcp__await(&op, tmlrt_op_writev(&op, sock, iov, n), deadline);
}

int tmlrt_accept_until(tmlrt_sock_t *listener, tmlrt_sock_t **out, int64_t deadline) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    return (int)tcp__await(&op, tmlrt_op_accept(&op, listener, out), deadline);
}

int tmlrt_connect_until(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr,
                        const tmlrt_tcp_options_t *options, tmlrt_sock_t **out, int64_t deadline) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    return (int)tcp__await(&op, tmlrt_op_connect(&op, rt, addr, options, out), deadline);
}

int64_t tmlrt_read(tmlrt_sock_t *sock, void *buf, size_t size) {
    return tmlrt_read_until(sock, buf, size, TMLRT_NEVER);
}

int64_t tmlrt_read_exact(tmlrt_sock_t *sock, void *buf, size_t size) {
    return tmlrt_read_exact_until(sock, buf, size, TMLRT_NEVER);
}

int64_t tmlrt_write(tmlrt_sock_t *sock, const void *buf, size_t size) {
    return tmlrt_write_until(sock, buf, size, TMLRT_NEVER);
}

int64_t tmlrt_readv(tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n) {
    return tmlrt_readv_until(sock, iov, n, TMLRT_NEVER);
}

int64_t tmlrt_writev(tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n) {
    return tmlrt_writev_until(sock, iov, n, TMLRT_NEVER);
}

int tmlrt_accept(tmlrt_sock_t *listener, tmlrt_sock_t **out) {
    return tmlrt_accept_until(listener, out, TMLRT_NEVER);
}

int tmlrt_connect(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr, const tmlrt_tcp_options_t *options,
                  tmlrt_sock_t **out) {
    return tmlrt_connect_until(rt, addr, options, out, TMLRT_NEVER);
}
