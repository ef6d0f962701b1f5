/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/fd.h: readiness of descriptors that other libraries own (libpq, c-ares, libcurl, hiredis,
 * OpenSSL). The descriptor stays theirs: libtmlrt never reads, writes or closes it. A wait is
 * level-triggered and one shot: it is ready when the descriptor is ready now or becomes so. Any
 * number of waits may be in flight on one registration. It may be ready although the descriptor is
 * not (any more): another wait's reader was faster, or what came was withdrawn. So what is done then
 * must not block: the descriptor is in non-blocking mode, and one that would block is waited for
 * again.
 */
#ifndef TMLRT_FD_H
#define TMLRT_FD_H

#include <tmlrt/base.h>
#include <tmlrt/op.h>

TMLRT_BEGIN_DECLS

#define TMLRT_FD_READ  1u /* readable, or at its end */
#define TMLRT_FD_WRITE 2u /* writable */
#define TMLRT_FD_ERROR 4u /* in results only: error or hang-up; always waited for */

/* Registers `fd` (a descriptor; on Windows a SOCKET) with `rt` (NULL: the current runtime).
 * Owns: *reg is the caller's, ended by tmlrt_fd_close; `fd` must stay open until then.
 * Threads: any. Errors: TMLRT_EINVAL, TMLRT_EBADF, TMLRT_ENOTSUP (a kind of file that is always
 * ready, as regular files), TMLRT_EEXIST (`fd` is registered already), TMLRT_ENOMEM,
 * TMLRT_ENORUNTIME, TMLRT_ESHUTDOWN. */
TMLRT_API int tmlrt_fd_open(tmlrt_runtime_t *rt, intptr_t fd, tmlrt_fd_t **reg);

/* Ends a registration. Waits in flight complete with TMLRT_ECANCELED. Call it before the descriptor
 * is closed. NULL is allowed and does nothing. Threads: any; using `reg` afterwards is undefined. */
TMLRT_API void tmlrt_fd_close(tmlrt_fd_t *reg);

/* Prepares `op` to wait until the descriptor is ready for any of `interest` (TMLRT_FD_READ and/or
 * TMLRT_FD_WRITE). The result is what it is ready for, TMLRT_FD_* bits. Cancel: at once.
 * Errors: TMLRT_EINVAL, TMLRT_EBUSY. */
TMLRT_API int tmlrt_op_fd_wait(tmlrt_op_t *op, tmlrt_fd_t *reg, uint32_t interest);

/* The same as a call, from a fiber or a plain thread; with an absolute deadline on tmlrt_now.
 * Suspends. Errors: as the operation; TMLRT_EDEADLK inside a stackless poll, a drop or a hook;
 * TMLRT_ETIMEDOUT. */
TMLRT_API int64_t tmlrt_fd_wait(tmlrt_fd_t *reg, uint32_t interest);
TMLRT_API int64_t tmlrt_fd_wait_until(tmlrt_fd_t *reg, uint32_t interest, int64_t deadline);

TMLRT_END_DECLS

#endif
