/* SPDX-License-Identifier: MIT */
/*
 * net.c: sockets as handles: making, options, addresses, tries, half-close, close, release. All of
 * it may be called from any thread; a pin or a claim keeps the descriptor meanwhile.
 */
#include <limits.h>

#include "addr.h"
#include "fault.h"
#include "os_socket.h"
#include "reactor/readiness.h"
#include "sized.h"
#include "tcp.h"

#define NET__BACKLOG 4096

/* ---- making --------------------------------------------------------------------------------- */

int tmlrt__tcp_options(const tmlrt_tcp_options_t *options, tmlrt_tcp_options_t *full,
                       bool listens) {
    *full = (tmlrt_tcp_options_t)TMLRT_TCP_OPTIONS_INIT;
    if (options == NULL) return TMLRT_OK;
    if (tmlrt__sized_check(options, sizeof *full) != 0) return TMLRT_EINVAL;
    *full = *options;
    uint32_t known = TMLRT_TCP_NODELAY | TMLRT_TCP_KEEPALIVE;
    if (listens) known |= TMLRT_TCP_REUSEPORT | TMLRT_TCP_V6ONLY | TMLRT_TCP_NO_REUSEADDR;
    bool bad = (full->flags & ~known) != 0 || full->backlog > INT_MAX ||
               full->send_buffer > INT_MAX || full->recv_buffer > INT_MAX ||
               (full->backlog != 0 && !listens);
    return bad ? TMLRT_EINVAL : TMLRT_OK;
}

int tmlrt__sock_set(int fd, int level, int name, int value) {
    if (name == TMLRT__SO_NONE) return TMLRT_ENOTSUP;
    if (TMLRT__SYS(setsockopt(fd, level, name, (const void *)&value, sizeof value)) == 0)
        return TMLRT_OK;
    return tmlrt__os_last_error();
}

/* Sets what the options ask for; the rest is left alone. */
static int net__apply(int fd, int family, const tmlrt_tcp_options_t *o, bool listens) {
    const struct {
        bool wanted;
        int  level, name, value;
    } list[] = {
        {listens && family != AF_UNIX && !(o->flags & TMLRT_TCP_NO_REUSEADDR), SOL_SOCKET,
         TMLRT__SO_SERVER, 1},
        {(o->flags & TMLRT_TCP_REUSEPORT) != 0, SOL_SOCKET, TMLRT__SO_REUSEPORT, 1},
        {listens && family == AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY,
         (o->flags & TMLRT_TCP_V6ONLY) != 0},
        {(o->flags & TMLRT_TCP_NODELAY) != 0, IPPROTO_TCP, TCP_NODELAY, 1},
        {(o->flags & TMLRT_TCP_KEEPALIVE) != 0, SOL_SOCKET, SO_KEEPALIVE, 1},
        {o->send_buffer != 0, SOL_SOCKET, SO_SNDBUF, (int)o->send_buffer},
        {o->recv_buffer != 0, SOL_SOCKET, SO_RCVBUF, (int)o->recv_buffer},
    };
    int e = TMLRT_OK;
    for (size_t i = 0; i < sizeof list / sizeof *list && e == TMLRT_OK; i++)
        if (list[i].wanted) e = tmlrt__sock_set(fd, list[i].level, list[i].name, list[i].value);
    return e;
}

int64_t tmlrt__sock_make_on(tmlrt__driver_t *d, const tmlrt_addr_t *addr,
                            const tmlrt_tcp_options_t *options, bool listens) {
    if (d->cls->sockets == NULL) return tmlrt__sock_make(addr, options, listens);
    return tmlrt__addr_family(addr) == AF_UNSPEC ? TMLRT_EINVAL : d->cls->sockets->make(d);
}

void tmlrt__sock_unmake(tmlrt__driver_t *d, int64_t fd) {
    if (d->cls->sockets != NULL)
        d->cls->sockets->close(d, fd);
    else
        tmlrt__os_socket_close((int)fd);
}

int tmlrt__sock_make(const tmlrt_addr_t *addr, const tmlrt_tcp_options_t *options, bool listens) {
    int      family = tmlrt__addr_family(addr);
    uint32_t inet_only = TMLRT_TCP_REUSEPORT | TMLRT_TCP_V6ONLY | TMLRT_TCP_NODELAY |
                         TMLRT_TCP_KEEPALIVE | TMLRT_TCP_NO_REUSEADDR;
    if (family == AF_UNIX && !TMLRT__HAS_UNIX) return TMLRT_ENOTSUP;
    if (family == AF_UNSPEC || (family == AF_UNIX && (options->flags & inet_only) != 0))
        return TMLRT_EINVAL;
    int fd = TMLRT__SYS(tmlrt__os_socket(family, SOCK_STREAM));
    if (fd < 0) return tmlrt__os_last_error();
    int e = net__apply(fd, family, options, listens);
    if (e == TMLRT_OK) return fd;
    tmlrt__os_socket_close(fd);
    return e;
}

int tmlrt__sock_open(tmlrt_sock_t **out, tmlrt__driver_t *d, uint32_t kind, int64_t fd,
                     uint32_t flags) {
    tmlrt__source_t *s;
    int              e = tmlrt__source_open(&s, d, kind, fd, flags, NULL);
    if (e == TMLRT_OK) *out = (tmlrt_sock_t *)(void *)s;
    return e;
}

uint32_t tmlrt__sock_flags(const tmlrt_addr_t *addr) {
    return tmlrt__addr_family(addr) == AF_UNIX ? TMLRT__READ_STOPS : 0;
}

static int net__bind_and_listen(tmlrt__driver_t *d, int64_t made, const tmlrt_addr_t *addr,
                                uint32_t backlog) {
    if (d->cls->sockets != NULL) return d->cls->sockets->listen(d, made, addr, backlog);
    tmlrt_addr_t copy = *addr;
    int          fd = (int)made, wanted = backlog == 0 ? NET__BACKLOG : (int)backlog;
    if (TMLRT__SYS(bind(fd, tmlrt__addr_sys(&copy), (socklen_t)copy.length_)) != 0 ||
        TMLRT__SYS(listen(fd, TMLRT__BACKLOG(wanted))) != 0)
        return tmlrt__os_last_error();
    return TMLRT_OK;
}

int tmlrt__sock_host(tmlrt_runtime_t *rt, tmlrt__host_t **out) {
    tmlrt__host_t *host = tmlrt__host_or_current((tmlrt__host_t *)(void *)rt);
    if (host == NULL) return TMLRT_ENORUNTIME;
    if (tmlrt__host_forked(host)) return TMLRT_EFORKED;
    if (tmlrt__host_is_foreign(host)) return TMLRT_ENOTSUP;
    if (tmlrt__load_relaxed(&host->phase) == TMLRT__HOST_STOPPED) return TMLRT_ESHUTDOWN;
    *out = host;
    return TMLRT_OK;
}

/* Gives it a handle on `d`. On error it is closed. */
static int net__adopt(tmlrt__driver_t *d, int64_t fd, uint32_t kind, uint32_t flags,
                      tmlrt_sock_t **out) {
    tmlrt_sock_t *sock;
    int           e = tmlrt__sock_open(&sock, d, kind, fd, flags);
    if (e != TMLRT_OK) {
        if (kind == TMLRT__SOURCE_LISTENER)
            tmlrt__sock_unmake(d, fd);
        else
            tmlrt__source_close_fd(kind, fd);
        return e;
    }
    e = tmlrt__source_attach(&sock->source);
    if (e != TMLRT_OK)
        tmlrt__source_release(&sock->source);
    else
        *out = sock;
    return e;
}

int tmlrt__sock_adopt(tmlrt__host_t *host, int fd, uint32_t kind, uint32_t flags,
                      tmlrt_sock_t **out) {
    return net__adopt(host->ops->driver(host, false), fd, kind, flags, out);
}

int tmlrt__sock_listen(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr,
                       const tmlrt_tcp_options_t *options, tmlrt_sock_t **listener) {
    tmlrt_tcp_options_t o;
    if (listener == NULL || tmlrt__tcp_options(options, &o, true) != TMLRT_OK) return TMLRT_EINVAL;
    tmlrt__host_t *host;
    int            e = tmlrt__sock_host(rt, &host);
    if (e != TMLRT_OK) return e;
    if (tmlrt__load_relaxed(&host->phase) != TMLRT__HOST_RUNNING) return TMLRT_ESHUTDOWN;
    tmlrt__driver_t *d = host->ops->driver(host, false);
    int64_t          fd = tmlrt__sock_make_on(d, addr, &o, true);
    if (fd < 0) return (int)fd;
    e = net__bind_and_listen(d, fd, addr, o.backlog);
    if (e != TMLRT_OK) {
        tmlrt__sock_unmake(d, fd);
        return e;
    }
    /* What it accepts is of its kind. */
    return net__adopt(d, fd, TMLRT__SOURCE_LISTENER, tmlrt__sock_flags(addr), listener);
}

int tmlrt_tcp_listen(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr,
                     const tmlrt_tcp_options_t *options, tmlrt_sock_t **listener) {
    if (addr == NULL || !tmlrt__addr_is_inet(addr)) return TMLRT_EINVAL;
    return tmlrt__sock_listen(rt, addr, options, listener);
}

/* ---- ending --------------------------------------------------------------------------------- */

int tmlrt__sock_check(const tmlrt_sock_t *sock, uint32_t kind) {
    if (sock == NULL || sock->source.kind != kind) return TMLRT_EINVAL;
    return tmlrt__source_forked(&sock->source) ? TMLRT_EFORKED : TMLRT_OK;
}

int tmlrt__sock_check_bytes(const tmlrt_sock_t *sock, uint32_t dir) {
    uint32_t end = dir == TMLRT__DIR_READ ? TMLRT__SOURCE_PIPE_READ : TMLRT__SOURCE_PIPE_WRITE;
    bool     pipe = sock != NULL && sock->source.kind == end;
    return tmlrt__sock_check(sock, pipe ? end : TMLRT__SOURCE_STREAM);
}

int tmlrt_sock_close(tmlrt_sock_t *sock) {
    if (sock == NULL) return TMLRT_EINVAL;
    if (tmlrt__source_forked(&sock->source)) return TMLRT_EFORKED;
    return tmlrt__source_close(&sock->source) ? TMLRT_OK : TMLRT_EALREADY;
}

void tmlrt_sock_release(tmlrt_sock_t *sock) {
    if (sock != NULL && !tmlrt__source_forked(&sock->source)) tmlrt__source_release(&sock->source);
}

/* ---- uses under a pin ------------------------------------------------------------------------ */

/* Pins an open socket: TMLRT_OK, else EINVAL, EFORKED or ECLOSED. */
static int net__pin(tmlrt_sock_t *sock) {
    if (sock == NULL) return TMLRT_EINVAL;
    if (tmlrt__source_forked(&sock->source)) return TMLRT_EFORKED;
    return tmlrt__source_pin(&sock->source) ? TMLRT_OK : TMLRT_ECLOSED;
}

int tmlrt_sock_shutdown(tmlrt_sock_t *sock, int how) {
    static const int sys[] = {0, TMLRT__SHUT_READ, TMLRT__SHUT_WRITE, TMLRT__SHUT_BOTH};
    if (how < TMLRT_SHUT_READ || how > TMLRT_SHUT_BOTH) return TMLRT_EINVAL;
    int e = tmlrt__sock_check(sock, TMLRT__SOURCE_STREAM);
    if (e == TMLRT_OK) e = net__pin(sock);
    if (e != TMLRT_OK) return e;
    const tmlrt__sockets_t *own = tmlrt__source_sockets(&sock->source);
    if (own != NULL)
        e = own->shutdown(&sock->source, how);
    else if (TMLRT__SYS(shutdown((int)sock->source.fd, sys[how])) != 0)
        e = tmlrt__os_last_error();
    else if ((how & TMLRT_SHUT_READ) != 0)
        tmlrt__source_shut(&sock->source);
    tmlrt__source_unpin(&sock->source);
    return e;
}

typedef int (*net__name_fn)(int fd, struct sockaddr *addr, socklen_t *size);

static int net__own(int fd, struct sockaddr *addr, socklen_t *size) {
    return getsockname(fd, addr, size);
}

static int net__peer(int fd, struct sockaddr *addr, socklen_t *size) {
    return getpeername(fd, addr, size);
}

static int net__name(tmlrt_sock_t *sock, tmlrt_addr_t *addr, net__name_fn name) {
    if (addr == NULL) return TMLRT_EINVAL;
    int e = net__pin(sock);
    if (e != TMLRT_OK) return e;
    tmlrt_addr_t            found;
    socklen_t               size;
    const tmlrt__sockets_t *own = tmlrt__source_sockets(&sock->source);
    tmlrt__addr_blank(&found, &size);
    if (own != NULL) {
        e = own->name(&sock->source, name == net__peer, &found);
        size = found.length_;
    } else if (TMLRT__SYS(name((int)sock->source.fd, tmlrt__addr_sys(&found), &size)) != 0) {
        e = tmlrt__os_last_error();
    }
    tmlrt__source_unpin(&sock->source);
    if (e != TMLRT_OK) return e;
    found.length_ = size;
    *addr = found;
    return TMLRT_OK;
}

int tmlrt_sock_local_addr(tmlrt_sock_t *sock, tmlrt_addr_t *addr) {
    return net__name(sock, addr, net__own);
}

int tmlrt_sock_peer_addr(tmlrt_sock_t *sock, tmlrt_addr_t *addr) {
    return net__name(sock, addr, net__peer);
}

/* At once, or off. */
static int net__set_linger(int fd, int64_t seconds) {
    struct linger l = {seconds == 0, 0};
    if (TMLRT__SYS(setsockopt(fd, SOL_SOCKET, SO_LINGER, (const void *)&l, sizeof l)) == 0)
        return TMLRT_OK;
    return tmlrt__os_last_error();
}

static bool net__fits(int option, int64_t value) {
    switch (option) {
    case TMLRT_SOCK_NODELAY:
    case TMLRT_SOCK_KEEPALIVE: return value == 0 || value == 1;
    case TMLRT_SOCK_SEND_BUFFER:
    case TMLRT_SOCK_RECV_BUFFER: return value > 0 && value <= INT_MAX;
    case TMLRT_SOCK_LINGER: return value <= INT_MAX;
    default: return false;
    }
}

int tmlrt_sock_set(tmlrt_sock_t *sock, int option, int64_t value) {
    if (!net__fits(option, value)) return TMLRT_EINVAL;
    /* Its close(2) would wait, also on a socket that does not block. */
    if (option == TMLRT_SOCK_LINGER && value > 0) return TMLRT_ENOTSUP;
    int e = net__pin(sock);
    if (e != TMLRT_OK) return e;
    const tmlrt__sockets_t *own = tmlrt__source_sockets(&sock->source);
    int                     fd = (int)sock->source.fd;
    switch (own != NULL ? 0 : option) {
    case 0: e = own->set(&sock->source, option, value); break;
    case TMLRT_SOCK_NODELAY: e = tmlrt__sock_set(fd, IPPROTO_TCP, TCP_NODELAY, (int)value); break;
    case TMLRT_SOCK_KEEPALIVE: e = tmlrt__sock_set(fd, SOL_SOCKET, SO_KEEPALIVE, (int)value); break;
    case TMLRT_SOCK_SEND_BUFFER: e = tmlrt__sock_set(fd, SOL_SOCKET, SO_SNDBUF, (int)value); break;
    case TMLRT_SOCK_RECV_BUFFER: e = tmlrt__sock_set(fd, SOL_SOCKET, SO_RCVBUF, (int)value); break;
    default: e = net__set_linger(fd, value); break;
    }
    tmlrt__source_unpin(&sock->source);
    return e;
}

/* ---- tries ---------------------------------------------------------------------------------- */

/* Gives the claim up again as the call's answer says. */
static void net__try_end(tmlrt__source_t *s, uint32_t dir, uint64_t seen, int64_t n, size_t size) {
    tmlrt__source_word_t *w = &s->word[dir];
    bool                  closed;
    if (!tmlrt__source_believes(s) || n == 0 || (n < 0 && n != TMLRT_EAGAIN))
        closed = tmlrt__sw_release(w);
    else if (n < 0)
        closed = tmlrt__sw_release_drained(w, seen);
    else
        closed = (size_t)n < size ? tmlrt__sw_release_short(w, seen) : tmlrt__sw_release(w);
    if (closed) tmlrt__source_end_half(s);
}

static int64_t net__try(tmlrt_sock_t *sock, uint32_t dir, const void *out, void *in, size_t size) {
    int64_t n = tmlrt__sock_check_bytes(sock, dir);
    if (n != TMLRT_OK) return n;
    if ((out == NULL && in == NULL && size != 0) || size > SIZE_MAX / 2) return TMLRT_EINVAL;
    tmlrt__source_t *s = &sock->source;
    uint64_t         seen;
    tmlrt__sw_is_t   is = tmlrt__sw_claim(&s->word[dir], &seen);
    if (is == TMLRT__SW_IS_BUSY) return TMLRT_EBUSY;
    if (is >= TMLRT__SW_IS_STOPPED) return TMLRT_ECLOSED;
    if (size == 0)
        n = 0;
    else if (is == TMLRT__SW_IS_WAITING && tmlrt__source_believes(s))
        n = TMLRT_EAGAIN;
    else if (dir == TMLRT__DIR_READ)
        n = tmlrt__readiness_recv(s, in, size);
    else
        n = tmlrt__readiness_send(s, out, size);
    net__try_end(s, dir, seen, n, size);
    return n;
}

int64_t tmlrt_try_read(tmlrt_sock_t *sock, void *buf, size_t size) {
    return net__try(sock, TMLRT__DIR_READ, NULL, buf, size);
}

int64_t tmlrt_try_write(tmlrt_sock_t *sock, const void *buf, size_t size) {
    return net__try(sock, TMLRT__DIR_WRITE, buf, NULL, size);
}
