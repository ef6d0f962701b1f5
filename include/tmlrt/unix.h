/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/unix.h: Unix stream sockets. Their addresses are made here; everything else is that of any
 * stream socket (tmlrt/net.h): accept, connect, read, write, close. On Windows listening and
 * connecting say TMLRT_ENOTSUP: the system's overlapped calls do not know such sockets.
 */
#ifndef TMLRT_UNIX_H
#define TMLRT_UNIX_H

#include <tmlrt/base.h>
#include <tmlrt/net.h>

TMLRT_BEGIN_DECLS

/* Makes the address of a path in the file system or, on Linux, of an abstract name: '@' and the
 * name (a path that begins with '@' is written "./@..."). tmlrt_addr_parse reads the same behind
 * "unix:", and tmlrt_addr_format writes it. Threads: any. Errors: TMLRT_EINVAL (NULL or empty),
 * TMLRT_EOVERFLOW (more than 107 bytes; 103 on macOS and the BSDs), TMLRT_ENOTSUP (no abstract names here); then *addr is
 * untouched. */
TMLRT_API int tmlrt_addr_unix(tmlrt_addr_t *addr, const char *path);

/* Binds and listens on a Unix address. Of the options only backlog and the buffers apply; flags are
 * refused. The path is made by this call and is not removed by a close: a program removes it
 * itself, before it listens (one that is there is TMLRT_EADDRINUSE) or when it is done.
 * Otherwise as tmlrt_tcp_listen. */
TMLRT_API int tmlrt_unix_listen(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr,
                                const tmlrt_tcp_options_t *options, tmlrt_sock_t **listener);

TMLRT_END_DECLS

#endif
