/* SPDX-License-Identifier: MIT */
/*
 * os_socket.h: the system's socket headers, and the few calls about sockets that differ between
 * POSIX (os_socket_posix.c) and Windows (os_socket_windows.c). Everything else is written with the
 * calls that both have. A descriptor is an int on Windows too: the values of handles fit one.
 *
 * Any thread. After a call that failed, tmlrt__os_last_error says why.
 */
#ifndef TMLRT__OS_SOCKET_H
#define TMLRT__OS_SOCKET_H

#if defined(_WIN32)
#include <winsock2.h>
/* winsock2.h first. */
#include <afunix.h>
#include <netioapi.h>
#include <ws2tcpip.h>
#else
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#endif

#include "os.h"

#define TMLRT__SO_NONE (-0x7fff) /* an option that the system does not have */

#if defined(_WIN32)
#define TMLRT__SHUT_READ  SD_RECEIVE
#define TMLRT__SHUT_WRITE SD_SEND
#define TMLRT__SHUT_BOTH  SD_BOTH
/* Of servers: the port may be taken again at once, and by nobody else. */
#define TMLRT__SO_SERVER    SO_EXCLUSIVEADDRUSE
#define TMLRT__SO_REUSEPORT TMLRT__SO_NONE
/* Plain numbers give 200 at most; more is asked for by SOMAXCONN_HINT. */
#define TMLRT__BACKLOG(n) ((n) > 200 ? -(n) : (n))
#else
#define TMLRT__SHUT_READ    SHUT_RD
#define TMLRT__SHUT_WRITE   SHUT_WR
#define TMLRT__SHUT_BOTH    SHUT_RDWR
#define TMLRT__SO_SERVER    SO_REUSEADDR
#define TMLRT__SO_REUSEPORT SO_REUSEPORT
#define TMLRT__BACKLOG(n)   (n)
#endif

/* AcceptEx and ConnectEx do not know Unix sockets. */
#if defined(_WIN32)
#define TMLRT__HAS_UNIX 0
#else
#define TMLRT__HAS_UNIX 1
#endif

/* What the last call of this thread that failed said (errno, or the thread's last error of Windows),
 * as TMLRT_E*; never 0. */
int tmlrt__os_last_error(void);

/* A socket that does not block and is not inherited (on Windows: for overlapped I/O); or -1. */
int tmlrt__os_socket(int family, int type);

#if !defined(_WIN32)
/* accept(2) and pipe(2) of descriptors of the same kind. */
int tmlrt__os_accept(int fd);
int tmlrt__os_pipe(int fds[2]);

/* A flag of send(2): no SIGPIPE. On macOS the sockets themselves have that (SO_NOSIGPIPE), since its
 * older kernels do not know the flag. */
#if defined(__APPLE__)
#define TMLRT__MSG_QUIET 0
#else
#define TMLRT__MSG_QUIET MSG_NOSIGNAL
#endif
#endif

/* These do not pass the fault seam: the descriptor is closed whatever they answer. The second is
 * for descriptors (on Windows: handles) that are no sockets. */
void tmlrt__os_socket_close(int fd);
void tmlrt__os_file_close(int fd);

#endif
