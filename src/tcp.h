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

/* Makes a handle for `fd`, not attached; `ready` as tmlrt__source_open. On error the fd is still the
 * caller's. */
int tmlrt__sock_open(tmlrt_sock_t **out, tmlrt__driver_t *d, uint32_t kind, int fd, uint32_t ready);

/* TMLRT_OK for a handle of `kind` that this process may use, else EINVAL or EFORKED. */
int tmlrt__sock_check(const tmlrt_sock_t *sock, uint32_t kind);

/* Makes a socket of the family of `addr`, non-blocking and close-on-exec, with the options for
 * `listens` or not. A negative error, or the descriptor. */
int tmlrt__sock_make(const tmlrt_addr_t *addr, const tmlrt_tcp_options_t *options, bool listens);

/* Copies the user's options (NULL: all defaults) into *full, and refuses what is unknown. */
int tmlrt__tcp_options(const tmlrt_tcp_options_t *options, tmlrt_tcp_options_t *full, bool listens);

#endif
