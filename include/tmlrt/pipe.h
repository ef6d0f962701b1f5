/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/pipe.h: pipes. The two ends are handles like sockets (tmlrt/net.h): read, read_exact,
 * readv and the tries work on the one, write, writev and the tries on the other, close and release
 * on both; what only sockets have (addresses, options, half-close) is an error.
 * SIGPIPE never reaches the program: a write without a reader ends with TMLRT_EPIPE. On Windows a
 * pipe is a named one that nobody else can open, and a try to write may say TMLRT_EAGAIN while a read
 * waits at the other end, where a write would not wait.
 */
#ifndef TMLRT_PIPE_H
#define TMLRT_PIPE_H

#include <tmlrt/base.h>
#include <tmlrt/net.h>

TMLRT_BEGIN_DECLS

/* Makes a pipe. Owns: both ends are the caller's, each ended by tmlrt_sock_release; close-on-exec.
 * Threads: any. Errors: TMLRT_EINVAL, TMLRT_ENORUNTIME, TMLRT_ESHUTDOWN, TMLRT_ENOMEM,
 * TMLRT_EMFILE, TMLRT_ENFILE and others of the system. */
TMLRT_API int tmlrt_pipe(tmlrt_runtime_t *rt, tmlrt_sock_t **read_end, tmlrt_sock_t **write_end);

TMLRT_END_DECLS

#endif
