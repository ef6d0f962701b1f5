/* SPDX-License-Identifier: MIT */
/*
 * net.c: see net.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "polling.h"
#include "threads.h"

tmlrt_addr_t loopback(void) {
    tmlrt_addr_t addr;
    require(tmlrt_addr_parse(&addr, "127.0.0.1:0") == TMLRT_OK);
    return addr;
}

tmlrt_sock_t *listener_on(tmlrt_runtime_t *rt, tmlrt_addr_t *addr) {
    tmlrt_sock_t *listener = NULL;
    *addr = loopback();
    require(tmlrt_tcp_listen(rt, addr, NULL, &listener) == TMLRT_OK);
    require(tmlrt_sock_local_addr(listener, addr) == TMLRT_OK);
    return listener;
}

static const struct sockaddr *sys_addr(const tmlrt_addr_t *addr) {
    return (const struct sockaddr *)(const void *)addr->storage_;
}

/* -1 where there is no such family. */
static int raw_socket(const tmlrt_addr_t *addr) {
    int fd = socket(sys_addr(addr)->sa_family, SOCK_STREAM, 0);
    require(fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
    return fd;
}

int raw_connect(const tmlrt_addr_t *addr) {
    int fd = raw_socket(addr);
    require(fd >= 0);
    require(connect(fd, sys_addr(addr), addr->length_) == 0);
    return fd;
}

int raw_listen(const tmlrt_addr_t *addr, int backlog) {
    int fd = raw_socket(addr);
    require(fd >= 0);
    require(bind(fd, sys_addr(addr), addr->length_) == 0 && listen(fd, backlog) == 0);
    return fd;
}

/* A raw socket bound to a port of the host, and its address; -1 where there is no such family. */
static int raw_bind(const char *host, tmlrt_addr_t *addr) {
    require(tmlrt_addr_parse(addr, host) == TMLRT_OK);
    socklen_t size = addr->length_;
    int       fd = raw_socket(addr);
    if (fd < 0 || bind(fd, sys_addr(addr), size) != 0) {
        if (fd >= 0) close(fd);
        return -1;
    }
    require(getsockname(fd, (struct sockaddr *)(void *)addr->storage_, &size) == 0);
    return fd;
}

tmlrt_addr_t refusing_addr(int *fd) {
    tmlrt_addr_t addr;
    *fd = raw_bind("127.0.0.1:0", &addr);
    require(*fd >= 0);
    return addr;
}

/* Returns once a connection waits to be accepted. */
static void await_connection(int listener) {
#if defined(_WIN32)
    (void)listener; /* the connect has returned; there is nobody to ask */
#else
    struct pollfd p = {listener, POLLIN, 0};
    while (poll(&p, 1, -1) != 1) {
    }
#endif
}

bool hanging_addr(const char *host, tmlrt_addr_t *addr, int fds[2]) {
    fds[0] = raw_bind(host, addr);
    if (fds[0] < 0) return false;
    require(listen(fds[0], 0) == 0);
    /* The queue takes one; whoever comes once it is there finds it full. */
    fds[1] = raw_connect(addr);
    await_connection(fds[0]);
    return true;
}

void raw_reset(int fd) {
    struct linger now = {1, 0};
    require(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    require(close(fd) == 0);
}

void raw_send(int fd, const void *data, size_t size) {
    const char *p = data;
    while (size > 0) {
        ssize_t n = send(fd, p, size, MSG_NOSIGNAL);
        require(n > 0);
        p += n;
        size -= (size_t)n;
    }
}

size_t raw_recv(int fd, void *data, size_t size) {
    size_t got = 0;
    while (got < size) {
        ssize_t n = recv(fd, (char *)data + got, size - got, 0);
        if (n <= 0) break;
        got += (size_t)n;
    }
    return got;
}

void raw_finish(int fd) {
    require(shutdown(fd, SHUT_WR) == 0);
}

tmlrt_sock_t *sock_and_peer(tmlrt_runtime_t *rt, int *peer) {
    tmlrt_addr_t  addr;
    tmlrt_sock_t *sock = NULL, *listener = listener_on(rt, &addr);
    tmlrt_op_t    op = TMLRT_OP_INIT;
    *peer = raw_connect(&addr);
    require(tmlrt_op_accept(&op, listener, &sock) == TMLRT_OK);
    require(finish(&op) == TMLRT_OK && sock != NULL);
    tmlrt_sock_release(listener);
    return sock;
}

int start(tmlrt_op_t *op) {
    int32_t answer = poll_here(op);
    require(answer == TMLRT_READY || answer == TMLRT_PENDING);
    return answer == TMLRT_PENDING;
}

int64_t finish(tmlrt_op_t *op) {
    require(tmlrt_op_await(op) == TMLRT_OK);
    return tmlrt_op_result(op);
}

void drive(tmlrt_runtime_t *rt) {
    int64_t n = tmlrt_runtime_run_once(rt);
    require(n >= 0 || n == TMLRT_EINVAL); /* multi-thread: it drives itself */
}
