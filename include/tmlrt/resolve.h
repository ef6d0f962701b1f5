/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/resolve.h: from names to addresses, and connecting by name. A lookup is the system's
 * (getaddrinfo: hosts file, DNS, whatever is set up) on a thread of the blocking pool, class
 * TMLRT_BLOCKING_NAMES; a numeric address needs none and is ready at once.
 */
#ifndef TMLRT_RESOLVE_H
#define TMLRT_RESOLVE_H

#include <tmlrt/base.h>
#include <tmlrt/net.h>
#include <tmlrt/op.h>

TMLRT_BEGIN_DECLS

/* Prepares `op` to look up `host` (a name, or an address as "127.0.0.1", "::1", "fe80::1%eth0") for
 * stream sockets and to write at most `max` addresses with `port` to out[], best first as the
 * system ranks them. The result is their number, at least 1. `rt` NULL: the current runtime.
 * Owns: `host` is copied at the start; `out` belongs to the operation until READY.
 * Cancel and deadline: at once; a lookup that runs goes on unheard, and delays no shutdown but the
 * last second of a destroy.
 * Errors: TMLRT_EINVAL (also: an empty name, one over 255 bytes, a port outside 0..65535, max 0),
 * TMLRT_EBUSY; as the result TMLRT_ENOENT (no such name, or no address), TMLRT_EAGAIN (the name
 * server did not answer, or the pool is full; trying later may help), TMLRT_EIO (it failed),
 * TMLRT_ENOMEM, TMLRT_ENORUNTIME, TMLRT_ESHUTDOWN. */
TMLRT_API int tmlrt_op_resolve(tmlrt_op_t *op, tmlrt_runtime_t *rt, const char *host, int port,
                               tmlrt_addr_t *out, size_t max);

/* The same as a call, from a fiber or a plain thread; with an absolute deadline on tmlrt_now.
 * Suspends. Errors: also TMLRT_EDEADLK inside a stackless poll, a drop or a hook; TMLRT_ETIMEDOUT. */
TMLRT_API int tmlrt_resolve(tmlrt_runtime_t *rt, const char *host, int port, tmlrt_addr_t *out,
                            size_t max);
TMLRT_API int tmlrt_resolve_until(tmlrt_runtime_t *rt, const char *host, int port,
                                  tmlrt_addr_t *out, size_t max, int64_t deadline);

/* Connects to a name, from a fiber or a plain thread: looks it up, then tries its addresses (at
 * most 8), the families in turn, each 250 ms after the one before or as soon as that one has
 * failed, all of them at the same time; the first to connect wins, the others are closed.
 * `options` as tmlrt_op_connect. On success *out is the caller's; on error it is untouched.
 * Suspends. Errors: as tmlrt_resolve and, when no address connects, the error of the first that was
 * reachable at all (else of the first). Source: RFC 8305, Happy Eyeballs. */
TMLRT_API int tmlrt_connect_host(tmlrt_runtime_t *rt, const char *host, int port,
                                 const tmlrt_tcp_options_t *options, tmlrt_sock_t **out);
TMLRT_API int tmlrt_connect_host_until(tmlrt_runtime_t *rt, const char *host, int port,
                                       const tmlrt_tcp_options_t *options, tmlrt_sock_t **out,
                                       int64_t deadline);

TMLRT_END_DECLS

#endif
