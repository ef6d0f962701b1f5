/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/net.h: addresses and stream sockets (TCP over IPv4 and IPv6). Unix sockets (tmlrt/unix.h),
 * datagrams (tmlrt/udp.h) and pipes (tmlrt/pipe.h) are handles of the same kind.
 *
 * A socket handle has two ends of life: close ends the I/O (each operation in flight completes
 * once, with TMLRT_ECANCELED, and the descriptor is closed when none is left), release ends the
 * handle (and closes where that has not been done). One operation at a time reads a socket, one at
 * a time writes it, one at a time accepts from a listener; a second one ends with TMLRT_EBUSY.
 * Reading and writing at the same time, from two tasks, is fine.
 * SIGPIPE never reaches the program. Every descriptor is close-on-exec.
 */
#ifndef TMLRT_NET_H
#define TMLRT_NET_H

#include <tmlrt/base.h>
#include <tmlrt/op.h>

TMLRT_BEGIN_DECLS

/* An address: a value, copied freely. It holds the platform's sockaddr in `storage_`. */
typedef struct tmlrt_addr {
    uint32_t length_; /* bytes used of storage_; 0: no address */
    uint32_t reserved_;
    uint64_t storage_[16];
} tmlrt_addr_t;

/* Parses "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", ":80" (any IPv4 address) or "unix:" and
 * what tmlrt_addr_unix takes into *addr. No names are looked up. Errors: TMLRT_EINVAL (then *addr is untouched). Threads: any. */
TMLRT_API int tmlrt_addr_parse(tmlrt_addr_t *addr, const char *text);

/* Writes the address as text, as parse reads it, NUL-terminated, to text[size]. (Bytes of an abstract
 * Unix name that are NUL become '@': such a name, of another program, cannot be parsed.)
 * Returns its length without the NUL. Errors: TMLRT_EINVAL (no address, or an unknown family),
 * TMLRT_EOVERFLOW (does not fit; 72 bytes always suffice for IP, 128 for any). Threads: any. */
TMLRT_API int tmlrt_addr_format(const tmlrt_addr_t *addr, char *text, size_t size);

/* The port, 0..65535; TMLRT_EINVAL when there is none. Threads: any. */
TMLRT_API int tmlrt_addr_port(const tmlrt_addr_t *addr);

/* Flags of a socket. */
#define TMLRT_TCP_REUSEPORT    1u  /* listen: several listeners share the port; Windows: ENOTSUP */
#define TMLRT_TCP_V6ONLY       2u  /* listen: an IPv6 listener takes no IPv4 */
#define TMLRT_TCP_NODELAY      4u  /* no Nagle delay; accepted sockets inherit it */
#define TMLRT_TCP_KEEPALIVE    8u  /* probes on idle connections; accepted sockets inherit it */
#define TMLRT_TCP_NO_REUSEADDR 16u /* listen: without SO_REUSEADDR, which is on by default */

/* How to make a socket. Optional; begin with TMLRT_TCP_OPTIONS_INIT. */
typedef struct tmlrt_tcp_options {
    size_t   struct_size;
    uint32_t flags;                    /* TMLRT_TCP_*; unknown bits are refused */
    uint32_t backlog;                  /* listen; 0: 4,096 */
    uint32_t send_buffer, recv_buffer; /* bytes; 0: the system's */
} tmlrt_tcp_options_t;

#define TMLRT_TCP_OPTIONS_INIT                                                                     \
    { sizeof(tmlrt_tcp_options_t), 0, 0, 0, 0 }

/* Binds and listens on `addr` (port 0: the system picks one, see tmlrt_sock_local_addr).
 * `options` may be NULL. Owns: *listener is the caller's, ended by tmlrt_sock_release.
 * Threads: any. Errors: TMLRT_EINVAL, TMLRT_ENOMEM, TMLRT_ENORUNTIME, TMLRT_ESHUTDOWN,
 * TMLRT_EADDRINUSE, TMLRT_EADDRNOTAVAIL, TMLRT_EACCES, TMLRT_EMFILE and others of the system. */
TMLRT_API int tmlrt_tcp_listen(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr,
                               const tmlrt_tcp_options_t *options, tmlrt_sock_t **listener);

/* Prepares `op` to accept one connection. READY with TMLRT_OK: *out is a socket of the caller's.
 * TMLRT_ESHUTDOWN when the runtime shuts down, TMLRT_ECANCELED when the listener was closed.
 * Errors of one connection (TMLRT_ECONNABORTED) are passed over. TMLRT_EMFILE, TMLRT_ENFILE,
 * TMLRT_ENOBUFS and TMLRT_ENOMEM are told; the next accept on this listener then waits up to 50 ms
 * before it tries, so that a loop neither spins nor hangs and recovers by itself.
 * Cancel: a connection that had been taken is kept (success) and is the caller's.
 * Errors: TMLRT_EINVAL (also: no listener), TMLRT_EBUSY. */
TMLRT_API int tmlrt_op_accept(tmlrt_op_t *op, tmlrt_sock_t *listener, tmlrt_sock_t **out);

/* Prepares `op` to connect to `addr`, IP (copied at the start; must stay until then) or Unix (must
 * stay until READY, and `options` as well; while the listener's queue is full it tries again). READY with
 * TMLRT_OK: *out is a connected socket of the caller's; on error *out is untouched. `options` may
 * be NULL and must stay until the start. Cancel and deadline: the attempt is closed.
 * Errors: TMLRT_EINVAL, TMLRT_EBUSY; as the result TMLRT_ECONNREFUSED and others of the system. */
TMLRT_API int tmlrt_op_connect(tmlrt_op_t *op, tmlrt_runtime_t *rt, const tmlrt_addr_t *addr,
                               const tmlrt_tcp_options_t *options, tmlrt_sock_t **out);

/* Prepares `op` to read some: 1 to `size` bytes into `buf`; the result is their number, 0 at the
 * end of the stream (and for size 0). The buffer belongs to the operation until READY.
 * Cancel: bytes that had come are success, none are lost. Errors: TMLRT_EINVAL, TMLRT_EBUSY;
 * as the result also TMLRT_ECONNRESET, TMLRT_ECANCELED (closed), TMLRT_ECLOSED (closed before). */
TMLRT_API int tmlrt_op_read(tmlrt_op_t *op, tmlrt_sock_t *sock, void *buf, size_t size);

/* Prepares `op` to read exactly `size` bytes; the result is `size`, or an error: TMLRT_EEOF when
 * the stream ends before, or what stopped it. tmlrt_op_transferred tells how many bytes came.
 * Cancel and deadline: what had come is in the buffer and is counted. */
TMLRT_API int tmlrt_op_read_exact(tmlrt_op_t *op, tmlrt_sock_t *sock, void *buf, size_t size);

/* Prepares `op` to write all `size` bytes; the result is `size`, or the error that stopped it
 * (TMLRT_EPIPE, TMLRT_ECONNRESET, ...). tmlrt_op_transferred tells how many bytes went out.
 * The buffer belongs to the operation until READY. Errors: TMLRT_EINVAL, TMLRT_EBUSY. */
TMLRT_API int tmlrt_op_write(tmlrt_op_t *op, tmlrt_sock_t *sock, const void *buf, size_t size);

/* A piece of memory for vectored I/O. */
typedef struct tmlrt_iovec {
    void  *base;
    size_t size;
} tmlrt_iovec_t;

/* As read and write with `n` pieces (1 to 1,024), in order; the array and the pieces belong to the
 * operation until READY, and a write may change the array's entries. */
TMLRT_API int tmlrt_op_readv(tmlrt_op_t *op, tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n);
TMLRT_API int tmlrt_op_writev(tmlrt_op_t *op, tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n);

/* Tries at once, without an operation: the bytes read (0 at the end of the stream) or written (some
 * of `size`), TMLRT_EAGAIN when it would have to wait, TMLRT_EBUSY when an operation of the same
 * direction is in flight, or the error. Threads: any. */
TMLRT_API int64_t tmlrt_try_read(tmlrt_sock_t *sock, void *buf, size_t size);
TMLRT_API int64_t tmlrt_try_write(tmlrt_sock_t *sock, const void *buf, size_t size);

/* The same as calls, with one name for fibers and threads: each tries at once, and where that would
 * have to wait it suspends the fiber or blocks the thread until the end, or until `deadline`
 * (absolute, on tmlrt_now; TMLRT_NEVER: none). What they return is the operation's result. Where it
 * matters how much of a write had gone out before its error, use the operation; so also where a read
 * goes on after tmlrt_read_exact failed (a deadline, a cancel): the bytes that had come are in the
 * buffer, are not counted, and are not read again.
 * Suspends. Errors: those of the operation; TMLRT_EDEADLK inside a stackless poll, a drop or a
 * hook; TMLRT_ETIMEDOUT; TMLRT_ECANCELED in a fiber that was asked to end. */
TMLRT_API int64_t tmlrt_read(tmlrt_sock_t *sock, void *buf, size_t size);
TMLRT_API int64_t tmlrt_read_until(tmlrt_sock_t *sock, void *buf, size_t size, int64_t deadline);
TMLRT_API int64_t tmlrt_read_exact(tmlrt_sock_t *sock, void *buf, size_t size);
TMLRT_API int64_t tmlrt_read_exact_until(tmlrt_sock_t *sock, void *buf, size_t size,
                                         int64_t deadline);
TMLRT_API int64_t tmlrt_write(tmlrt_sock_t *sock, const void *buf, size_t size);
TMLRT_API int64_t tmlrt_write_until(tmlrt_sock_t *sock, const void *buf, size_t size,
                                    int64_t deadline);
TMLRT_API int64_t tmlrt_readv(tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n);
TMLRT_API int64_t tmlrt_readv_until(tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n,
                                    int64_t deadline);
TMLRT_API int64_t tmlrt_writev(tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n);
TMLRT_API int64_t tmlrt_writev_until(tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n,
                                     int64_t deadline);
TMLRT_API int     tmlrt_accept(tmlrt_sock_t *listener, tmlrt_sock_t **out);
TMLRT_API int     tmlrt_accept_until(tmlrt_sock_t *listener, tmlrt_sock_t **out, int64_t deadline);
TMLRT_API int     tmlrt_connect(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr,
                                const tmlrt_tcp_options_t *options, tmlrt_sock_t **out);
TMLRT_API int     tmlrt_connect_until(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr,
                                      const tmlrt_tcp_options_t *options, tmlrt_sock_t **out,
                                      int64_t deadline);

/* Which half to end. */
#define TMLRT_SHUT_READ  1
#define TMLRT_SHUT_WRITE 2 /* the peer reads the end of the stream */
#define TMLRT_SHUT_BOTH  3

/* Half-close. Threads: any. Errors: TMLRT_EINVAL, TMLRT_ECLOSED, TMLRT_ENOTCONN. */
TMLRT_API int tmlrt_sock_shutdown(tmlrt_sock_t *sock, int how);

/* Ends the I/O: operations in flight complete with TMLRT_ECANCELED, later ones with TMLRT_ECLOSED.
 * Threads: any, also while operations run. Errors: TMLRT_EINVAL, TMLRT_EALREADY. */
TMLRT_API int tmlrt_sock_close(tmlrt_sock_t *sock);

/* Ends the handle, closing it first where that has not been done. NULL is allowed and does nothing.
 * Operations in flight keep what they need. Threads: any; using the handle afterwards is undefined.
 */
TMLRT_API void tmlrt_sock_release(tmlrt_sock_t *sock);

/* The addresses of the two ends. Threads: any. Errors: TMLRT_EINVAL, TMLRT_ECLOSED, TMLRT_ENOTCONN.
 */
TMLRT_API int tmlrt_sock_local_addr(tmlrt_sock_t *sock, tmlrt_addr_t *addr);
TMLRT_API int tmlrt_sock_peer_addr(tmlrt_sock_t *sock, tmlrt_addr_t *addr);

/* The options that change on an open socket. */
#define TMLRT_SOCK_NODELAY     1 /* 0 or 1 */
#define TMLRT_SOCK_KEEPALIVE   2 /* 0 or 1 */
#define TMLRT_SOCK_SEND_BUFFER 3 /* bytes */
#define TMLRT_SOCK_RECV_BUFFER 4 /* bytes */
#define TMLRT_SOCK_LINGER      5 /* negative: off; 0: close resets the connection */

/* Sets an option. A linger of some seconds is TMLRT_ENOTSUP: the close would block its thread for so
 * long. What it is for is done by a half-close and a read until the end of the stream.
 * Threads: any. Errors: TMLRT_EINVAL, TMLRT_ENOTSUP, TMLRT_ECLOSED and others of the system. */
TMLRT_API int tmlrt_sock_set(tmlrt_sock_t *sock, int option, int64_t value);

TMLRT_END_DECLS

#endif
