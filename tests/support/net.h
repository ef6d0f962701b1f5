/* SPDX-License-Identifier: MIT */
/*
 * net.h: the network for tests: runtimes on each reactor, raw blocking peers that do exactly what a
 * test says, and operations in two steps on a plain thread.
 */
#ifndef TESTS_SUPPORT_NET_H
#define TESTS_SUPPORT_NET_H

#include <stddef.h>
#include <stdint.h>

#include <stdbool.h>

#include <tmlrt.h>

/* The loopback with a port that the system picks. */
tmlrt_addr_t loopback(void);

/* A listener on the loopback, and its address. */
tmlrt_sock_t *listener_on(tmlrt_runtime_t *rt, tmlrt_addr_t *addr);

/* Raw blocking sockets: connected to `addr`; listening on it; bound to nothing that listens; closed by a reset. */
int          raw_connect(const tmlrt_addr_t *addr);
int          raw_listen(const tmlrt_addr_t *addr, int backlog);
tmlrt_addr_t refusing_addr(int *fd); /* *fd keeps the port */
void         raw_reset(int fd);
void         raw_send(int fd, const void *data, size_t size);
size_t       raw_recv(int fd, void *data, size_t size); /* until `size` or the end */
void         raw_finish(int fd);                        /* half-close */

/* An address at `host` ("127.0.0.1:0") to which a connect does not end, while fds are open; false
 * where the machine has no such host. */
bool hanging_addr(const char *host, tmlrt_addr_t *addr, int fds[2]);

/* An accepted socket of the runtime and its raw peer. */
tmlrt_sock_t *sock_and_peer(tmlrt_runtime_t *rt, int *peer);

/* Starts a prepared operation on this plain thread. 1: PENDING, 0: READY at once. */
int start(tmlrt_op_t *op);
/* Waits for its end; the result. */
int64_t finish(tmlrt_op_t *op);

/* Lets a current-thread runtime of this thread do what it can now. */
void drive(tmlrt_runtime_t *rt);

#endif
