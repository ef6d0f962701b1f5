/* SPDX-License-Identifier: MIT */
/*
 * common.h: what the echo servers in C share: their arguments, a listener of their own for each
 * thread, and the line that tells the port. Nothing here runs while requests are served.
 *
 * Each server: NAME --port P --threads N (port 0: the system picks one), prints one line,
 * "listening PORT NAME VERSION", then serves until it is killed.
 */
#ifndef BENCH_NET_COMMON_H
#define BENCH_NET_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4; this header comes first */
#endif

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NET_BACKLOG     4096
#define NET_BUFFER      1024 /* a read asks for so much, in every peer */
#define NET_THREADS_MAX 64

typedef struct net_options {
    int port, threads;
} net_options_t;

static inline void net_die(const char *what) {
    perror(what);
    exit(1);
}

static inline net_options_t net_arguments(int argc, char **argv) {
    net_options_t o = {.port = 0, .threads = 1};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0) o.port = atoi(argv[i + 1]);
        if (strcmp(argv[i], "--threads") == 0) o.threads = atoi(argv[i + 1]);
    }
    if (o.threads < 1 || o.threads > NET_THREADS_MAX) {
        fprintf(stderr, "usage: %s --port P --threads N\n", argv[0]);
        exit(2);
    }
    return o;
}

/* A listener on the loopback with SO_REUSEPORT; *port 0 becomes the port. Accepted sockets inherit
 * TCP_NODELAY. `type` adds SOCK_NONBLOCK and the like. */
static inline int net_listener(int *port, int type) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t          size = sizeof a;
    int                one = 1;
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) net_die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0) net_die("bind");
    if (listen(fd, NET_BACKLOG) != 0) net_die("listen");
    if (getsockname(fd, (struct sockaddr *)&a, &size) != 0) net_die("getsockname");
    *port = ntohs(a.sin_port);
    return fd;
}

static inline void net_say(int port, const char *name, const char *version) {
    printf("listening %d %s %s\n", port, name, version);
    fflush(stdout);
}

/* Opens all listeners, tells the port, and runs `serve(listener)` on each of the threads. */
static inline void net_serve(net_options_t o, int type, const char *name, const char *version,
                             void *(*serve)(void *listener)) {
    int       listener[NET_THREADS_MAX];
    pthread_t thread;
    for (int i = 0; i < o.threads; i++)
        listener[i] = net_listener(&o.port, type);
    net_say(o.port, name, version);
    for (int i = 1; i < o.threads; i++)
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)listener[i]) != 0)
            net_die("pthread_create");
    serve((void *)(intptr_t)listener[0]);
}

#endif
