/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/udp.h: datagrams over IPv4 and IPv6. A handle is a tmlrt_sock_t: its close, release,
 * addresses and options are those of tmlrt/net.h; one operation at a time receives, one sends.
 */
#ifndef TMLRT_UDP_H
#define TMLRT_UDP_H

#include <tmlrt/base.h>
#include <tmlrt/net.h>
#include <tmlrt/op.h>

TMLRT_BEGIN_DECLS

#define TMLRT_UDP_REUSEADDR 1u
#define TMLRT_UDP_REUSEPORT 2u /* several sockets share the port; Windows: ENOTSUP */
#define TMLRT_UDP_V6ONLY    4u /* an IPv6 socket takes no IPv4 */
#define TMLRT_UDP_BROADCAST 8u /* may send to a broadcast address */

/* How to make a socket. Optional; begin with TMLRT_UDP_OPTIONS_INIT. */
typedef struct tmlrt_udp_options {
    size_t   struct_size;
    uint32_t flags;                    /* TMLRT_UDP_*; unknown bits are refused */
    uint32_t send_buffer, recv_buffer; /* bytes; 0: the system's */
} tmlrt_udp_options_t;

#define TMLRT_UDP_OPTIONS_INIT                                                                     \
    { sizeof(tmlrt_udp_options_t), 0, 0, 0 }

/* Makes a socket bound to `addr` (":0" for a client). `options` may be NULL. Owns: *sock is the
 * caller's, ended by tmlrt_sock_release. Threads: any. Errors: as tmlrt_tcp_listen; it may be made
 * until the shutdown has ended. */
TMLRT_API int tmlrt_udp_open(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr,
                             const tmlrt_udp_options_t *options, tmlrt_sock_t **sock);

/* Fixes the peer: datagrams of others are not received, and send_to takes NULL. `addr` NULL: any
 * peer again; the address that the socket was bound to stays. Threads: any. Errors: TMLRT_EINVAL, TMLRT_ECLOSED and others of the system. */
TMLRT_API int tmlrt_udp_connect(tmlrt_sock_t *sock, const tmlrt_addr_t *addr);

/* Prepares `op` to send one datagram of `size` bytes (may be 0) to `to`, or to the fixed peer
 * (NULL). The result is `size`. Buffer and address belong to the operation until READY.
 * Cancel: at once; a datagram goes whole or not at all. Errors: TMLRT_EINVAL, TMLRT_EBUSY; as the
 * result TMLRT_EMSGSIZE, TMLRT_ENOTCONN or TMLRT_EINVAL (no peer), TMLRT_ECONNREFUSED (a fixed peer
 * has refused an earlier one) and others of the system. */
TMLRT_API int tmlrt_op_send_to(tmlrt_op_t *op, tmlrt_sock_t *sock, const void *buf, size_t size,
                               const tmlrt_addr_t *to);

/* Prepares `op` to receive one datagram. The result is its size (it may be 0), or TMLRT_EMSGSIZE
 * when it was longer than `size`: its beginning is in the buffer, the rest is lost. *from (may be
 * NULL) is the sender, also then. Buffer and address belong to the operation until READY.
 * Cancel: a datagram that had come is success. Errors: TMLRT_EINVAL, TMLRT_EBUSY; as the result
 * also TMLRT_ECONNREFUSED (as send_to), TMLRT_ECANCELED, TMLRT_ECLOSED. */
TMLRT_API int tmlrt_op_recv_from(tmlrt_op_t *op, tmlrt_sock_t *sock, void *buf, size_t size,
                                 tmlrt_addr_t *from);

/* The same as calls, from a fiber or a plain thread; with an absolute deadline on tmlrt_now.
 * Errors: also TMLRT_EDEADLK inside a stackless poll, a drop or a hook; TMLRT_ETIMEDOUT. */
TMLRT_API int64_t tmlrt_send_to(tmlrt_sock_t *sock, const void *buf, size_t size,
                                const tmlrt_addr_t *to);
TMLRT_API int64_t tmlrt_send_to_until(tmlrt_sock_t *sock, const void *buf, size_t size,
                                      const tmlrt_addr_t *to, int64_t deadline);
TMLRT_API int64_t tmlrt_recv_from(tmlrt_sock_t *sock, void *buf, size_t size, tmlrt_addr_t *from);
TMLRT_API int64_t tmlrt_recv_from_until(tmlrt_sock_t *sock, void *buf, size_t size,
                                        tmlrt_addr_t *from, int64_t deadline);

TMLRT_END_DECLS

#endif
