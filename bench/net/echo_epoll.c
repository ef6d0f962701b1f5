/* SPDX-License-Identifier: MIT */
/*
 * echo_epoll.c: the practical limit of epoll: one loop and one SO_REUSEPORT listener a thread, no
 * sharing, edge-triggered, one read and one write a request (a short read is the last one), one
 * buffer a thread. What the socket does not take at once is kept and sent when it can be.
 */
#include "common.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/utsname.h>

#define EVENTS 256

typedef struct conn {
    int    fd;
    size_t from, size; /* of what waits in `rest` */
    char  *rest;
} conn_t;

static void conn_end(conn_t *c) {
    close(c->fd);
    free(c->rest);
    free(c);
}

/* Sends; keeps what does not go. False: the connection is broken. */
static int conn_send(conn_t *c, const char *data, size_t size) {
    ssize_t n = send(c->fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return 0;
    if (n < 0) n = 0;
    if ((size_t)n == size) return 1;
    if (c->rest == NULL) c->rest = malloc(NET_BUFFER);
    if (c->rest == NULL) return 0;
    c->from = 0;
    c->size = size - (size_t)n;
    memcpy(c->rest, data + n, c->size);
    return 1;
}

/* Sends what was kept. 1: all of it, 0: not yet, -1: broken. */
static int conn_flush(conn_t *c) {
    while (c->from < c->size) {
        ssize_t n = send(c->fd, c->rest + c->from, c->size - c->from, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN ? 0 : -1;
        c->from += (size_t)n;
    }
    c->from = c->size = 0;
    return 1;
}

/* One event. False: the connection has ended. */
static int conn_event(conn_t *c, char *buf) {
    for (;;) {
        if (c->size != 0) {
            int r = conn_flush(c);
            if (r <= 0) return r == 0;
        }
        ssize_t n = recv(c->fd, buf, NET_BUFFER, 0);
        if (n < 0) return errno == EAGAIN;
        if (n == 0 || !conn_send(c, buf, (size_t)n)) return 0;
        if (n < NET_BUFFER) return 1;
    }
}

static void accept_all(int ep, int listener) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        conn_t *c = calloc(1, sizeof *c);
        if (c == NULL) net_die("calloc");
        c->fd = fd;
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
        if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) != 0) net_die("epoll_ctl");
    }
}

static void *serve(void *arg) {
    int                listener = (int)(intptr_t)arg, ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    char               buf[NET_BUFFER];
    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e) != 0) net_die("epoll");
    for (;;) {
        int n = epoll_wait(ep, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            conn_t *c = events[i].data.ptr;
            if (c == NULL)
                accept_all(ep, listener);
            else if (!conn_event(c, buf))
                conn_end(c);
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    struct utsname u;
    uname(&u);
    net_serve(net_arguments(argc, argv), SOCK_NONBLOCK, "epoll", u.release, serve);
}
