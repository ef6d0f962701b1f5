/* SPDX-License-Identifier: MIT */
/*
 * tcp.h: the socket handle, shared by net.c (what is done to a handle at once) and tcp.c (what is
 * waited for).
 */
#ifndef TMLRT__TCP_H
#define TMLRT__TCP_H

#include <tmlrt/net.h>

#include "reactor/source.h"

/* A stream socket or a listener: a source and nothing more. */
struct tmlrt_sock {
    tmlrt__source_t source; /* first */
};

_Static_assert(sizeof(struct tmlrt_sock) <= TMLRT__SOURCE_SLOT, "a socket fits a slot");

/* Makes a handle for `fd`, not attached; `flags` as tmlrt__source_open. On error the fd is still the
 * caller's. */
int tmlrt__sock_open(tmlrt_sock_t **out, tmlrt__driver_t *d, uint32_t kind, int64_t fd,
                     uint32_t flags);

/* The flags that a stream to or from this address has. A Unix stream's read stops behind a byte that
 * carried descriptors, whatever else has come. */
uint32_t tmlrt__sock_flags(const tmlrt_addr_t *addr);

/* TMLRT_OK for a handle of `kind` that this process may use, else EINVAL or EFORKED. */
int tmlrt__sock_check(const tmlrt_sock_t *sock, uint32_t kind);

/* The same for bytes to be moved in a direction: a stream, or that end of a pipe. */
int tmlrt__sock_check_bytes(const tmlrt_sock_t *sock, uint32_t dir);

/* Makes a socket of the family of `addr`, non-blocking and close-on-exec, with the options for
 * `listens` or not. A negative error, or the descriptor. */
int tmlrt__sock_make(const tmlrt_addr_t *addr, const tmlrt_tcp_options_t *options, bool listens);

/* The same for a driver that may have sockets of its own / ends one that has no handle yet. */
int64_t tmlrt__sock_make_on(tmlrt__driver_t *d, const tmlrt_addr_t *addr,
                            const tmlrt_tcp_options_t *options, bool listens);
void    tmlrt__sock_unmake(tmlrt__driver_t *d, int64_t fd);

/* The host that a runtime argument means: ENORUNTIME, EFORKED, ESHUTDOWN (it has stopped). */
int tmlrt__sock_host(tmlrt_runtime_t *rt, tmlrt__host_t **host);

/* Gives a descriptor its handle, attached to the caller's own driver. On error the fd is closed. */
int tmlrt__sock_adopt(tmlrt__host_t *host, int fd, uint32_t kind, uint32_t flags,
                      tmlrt_sock_t **out);

/* Binds and listens on an address of any family, as tmlrt_tcp_listen. */
int tmlrt__sock_listen(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr,
                       const tmlrt_tcp_options_t *options, tmlrt_sock_t **listener);

/* setsockopt of an int. */
int tmlrt__sock_set(int fd, int level, int name, int value);

/* Copies the user's options (NULL: all defaults) into *full, and refuses what is unknown. */
int tmlrt__tcp_options(const tmlrt_tcp_options_t *options, tmlrt_tcp_options_t *full, bool listens);

#endif
