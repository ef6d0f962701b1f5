/* SPDX-License-Identifier: MIT */
/*
 * udp.c: datagram sockets: making, the fixed peer, send_to and recv_from.
 */
#include <tmlrt/udp.h>

#include <limits.h>
#include <string.h>

#include "addr.h"
#include "call.h"
#include "fault.h"
#include "os_socket.h"
#include "sized.h"
#include "tcp.h"

/* ---- making --------------------------------------------------------------------------------- */

static int udp__options(const tmlrt_udp_options_t *options, tmlrt_udp_options_t *full) {
    const uint32_t known =
        TMLRT_UDP_REUSEADDR | TMLRT_UDP_REUSEPORT | TMLRT_UDP_V6ONLY | TMLRT_UDP_BROADCAST;
    *full = (tmlrt_udp_options_t)TMLRT_UDP_OPTIONS_INIT;
    if (options == NULL) return TMLRT_OK;
    if (tmlrt__sized_check(options, sizeof *full) != 0) return TMLRT_EINVAL;
    *full = *options;
    bool bad =
        (full->flags & ~known) != 0 || full->send_buffer > INT_MAX || full->recv_buffer > INT_MAX;
    return bad ? TMLRT_EINVAL : TMLRT_OK;
}

static int udp__apply(int fd, int family, const tmlrt_udp_options_t *o) {
    const struct {
        bool wanted;
        int  level, name, value;
    } list[] = {
        {(o->flags & TMLRT_UDP_REUSEADDR) != 0, SOL_SOCKET, SO_REUSEADDR, 1},
        {(o->flags & TMLRT_UDP_REUSEPORT) != 0, SOL_SOCKET, TMLRT__SO_REUSEPORT, 1},
        {(o->flags & TMLRT_UDP_BROADCAST) != 0, SOL_SOCKET, SO_BROADCAST, 1},
        {family == AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, (o->flags & TMLRT_UDP_V6ONLY) != 0},
        {o->send_buffer != 0, SOL_SOCKET, SO_SNDBUF, (int)o->send_buffer},
        {o->recv_buffer != 0, SOL_SOCKET, SO_RCVBUF, (int)o->recv_buffer},
    };
    int e = TMLRT_OK;
    for (size_t i = 0; i < sizeof list / sizeof *list && e == TMLRT_OK; i++)
        if (list[i].wanted) e = tmlrt__sock_set(fd, list[i].level, list[i].name, list[i].value);
    return e;
}

/* A bound socket, or the error. */
static int udp__bind(const tmlrt_addr_t *addr, const tmlrt_udp_options_t *o) {
    tmlrt_addr_t copy = *addr;
    int          family = tmlrt__addr_family(addr);
    int          fd = TMLRT__SYS(tmlrt__os_socket(family, SOCK_DGRAM));
    if (fd < 0) return tmlrt__os_last_error();
    int e = udp__apply(fd, family, o);
    if (e == TMLRT_OK && TMLRT__SYS(bind(fd, tmlrt__addr_sys(&copy), (socklen_t)copy.length_)) != 0)
        e = tmlrt__os_last_error();
    if (e == TMLRT_OK) return fd;
    tmlrt__os_socket_close(fd);
    return e;
}

int tmlrt_udp_open(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr,
                   const tmlrt_udp_options_t *options, tmlrt_sock_t **sock) {
    tmlrt_udp_options_t o;
    tmlrt__host_t      *host;
    if (addr == NULL || sock == NULL || !tmlrt__addr_is_inet(addr) ||
        udp__options(options, &o) != TMLRT_OK)
        return TMLRT_EINVAL;
    int e = tmlrt__sock_host(rt, &host);
    if (e != TMLRT_OK) return e;
    int fd = udp__bind(addr, &o);
    if (fd < 0) return fd;
    return tmlrt__sock_adopt(host, fd, TMLRT__SOURCE_DATAGRAM, TMLRT__READY_WRITE, sock);
}

static int udp__connect(int fd, const tmlrt_addr_t *addr) {
    tmlrt_addr_t copy = *addr;
    if (TMLRT__SYS(connect(fd, tmlrt__addr_sys(&copy), (socklen_t)copy.length_)) == 0)
        return TMLRT_OK;
    return tmlrt__os_last_error();
}

static int udp__name(int fd, tmlrt_addr_t *addr) {
    socklen_t size;
    tmlrt__addr_blank(addr, &size);
    if (TMLRT__SYS(getsockname(fd, tmlrt__addr_sys(addr), &size)) != 0)
        return tmlrt__os_last_error();
    addr->length_ = size;
    return TMLRT_OK;
}

/* Takes the peer away. Linux takes a port that the system had picked away as well. */
static int udp__disconnect(int fd) {
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    tmlrt_addr_t          addr, before, after;
    tmlrt__addr_set(&addr, &none, sizeof none);
    int e = udp__name(fd, &before);
    if (e == TMLRT_OK) e = udp__connect(fd, &addr);
    if (e == TMLRT_EAFNOSUPPORT) e = TMLRT_OK; /* what macOS and the BSDs say when it is done */
    if (e == TMLRT_OK) e = udp__name(fd, &after);
    int port = tmlrt_addr_port(&before);
    if (e != TMLRT_OK || port <= 0 || tmlrt_addr_port(&after) != 0) return e;
    tmlrt__addr_set_port(&after, (uint16_t)port);
    if (TMLRT__SYS(bind(fd, tmlrt__addr_sys(&after), (socklen_t)after.length_)) != 0)
        e = tmlrt__os_last_error();
    return e == TMLRT_EINVAL ? TMLRT_OK : e; /* it is bound still */
}

int tmlrt_udp_connect(tmlrt_sock_t *sock, const tmlrt_addr_t *addr) {
    int e = tmlrt__sock_check(sock, TMLRT__SOURCE_DATAGRAM);
    if (e == TMLRT_OK && addr != NULL && !tmlrt__addr_is_inet(addr)) e = TMLRT_EINVAL;
    if (e != TMLRT_OK) return e;
    if (!tmlrt__source_pin(&sock->source)) return TMLRT_ECLOSED;
    int fd = (int)sock->source.fd;
    e = addr != NULL ? udp__connect(fd, addr) : udp__disconnect(fd);
    tmlrt__source_unpin(&sock->source);
    return e;
}

/* ---- sending and receiving ------------------------------------------------------------------- */

#define UDP__CLASS(name, what, direction)                                                          \
    {                                                                                              \
        .op = {.waits_for = (name),                                                                \
               .start = tmlrt__io_start,                                                           \
               .resume = tmlrt__io_resume,                                                         \
               .cancel = tmlrt__io_cancel,                                                         \
               .about = tmlrt__io_about},                                                          \
        .kind = (what), .dir = (direction)                                                         \
    }

static const tmlrt__io_class_t udp__send_to =
    UDP__CLASS("send_to", TMLRT__IO_SEND_TO, TMLRT__DIR_WRITE);
static const tmlrt__io_class_t udp__recv_from =
    UDP__CLASS("recv_from", TMLRT__IO_RECV_FROM, TMLRT__DIR_READ);

static int udp__prepare(tmlrt_op_t *pub, const tmlrt__io_class_t *cls, tmlrt_sock_t *sock,
                        const void *buf, size_t size, const tmlrt_addr_t *addr) {
    int e = tmlrt__sock_check(sock, TMLRT__SOURCE_DATAGRAM);
    if (e == TMLRT_OK && ((buf == NULL && size != 0) || size > SIZE_MAX / 2)) e = TMLRT_EINVAL;
    if (e != TMLRT_OK) return tmlrt__op_prepare_failed(pub, e);
    e = tmlrt__op_prepare(pub, &cls->op);
    if (e != TMLRT_OK) return e;
    tmlrt__op_t *op = tmlrt__op(pub);
    op->u.io.handle = &sock->source;
    op->u.io.buf = (void *)(uintptr_t)buf;
    op->u.io.len = size;
    op->u.io.u.backend[TMLRT__IO_ADDR] = (uint64_t)(uintptr_t)addr;
    return TMLRT_OK;
}

int tmlrt_op_send_to(tmlrt_op_t *op, tmlrt_sock_t *sock, const void *buf, size_t size,
                     const tmlrt_addr_t *to) {
    if (to != NULL && !tmlrt__addr_is_inet(to)) return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    return udp__prepare(op, &udp__send_to, sock, buf, size, to);
}

int tmlrt_op_recv_from(tmlrt_op_t *op, tmlrt_sock_t *sock, void *buf, size_t size,
                       tmlrt_addr_t *from) {
    return udp__prepare(op, &udp__recv_from, sock, buf, size, from);
}

int64_t tmlrt_send_to_until(tmlrt_sock_t *sock, const void *buf, size_t size,
                            const tmlrt_addr_t *to, int64_t deadline) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    int        e = tmlrt_op_send_to(&op, sock, buf, size, to);
    return e != TMLRT_OK ? e : tmlrt__call_await(&op, deadline);
}

int64_t tmlrt_send_to(tmlrt_sock_t *sock, const void *buf, size_t size, const tmlrt_addr_t *to) {
    return tmlrt_send_to_until(sock, buf, size, to, TMLRT_NEVER);
}

int64_t tmlrt_recv_from_until(tmlrt_sock_t *sock, void *buf, size_t size, tmlrt_addr_t *from,
                              int64_t deadline) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    int        e = tmlrt_op_recv_from(&op, sock, buf, size, from);
    return e != TMLRT_OK ? e : tmlrt__call_await(&op, deadline);
}

int64_t tmlrt_recv_from(tmlrt_sock_t *sock, void *buf, size_t size, tmlrt_addr_t *from) {
    return tmlrt_recv_from_until(sock, buf, size, from, TMLRT_NEVER);
}
