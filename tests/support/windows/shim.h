/* SPDX-License-Identifier: MIT */
/*
 * shim.h: the tests are written with the calls of POSIX, and run on Windows unchanged: it is
 * included before everything else there. Only what they use is here: Winsock's calls with an int for
 * a descriptor and their error in errno, and a few others. The library does not use it.
 */
#ifndef TESTS_SUPPORT_WINDOWS_SHIM_H
#define TESTS_SUPPORT_WINDOWS_SHIM_H

#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>
/* winsock2.h first. */
#include <io.h>
#include <unistd.h>
#include <fcntl.h>
#include <netioapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <ws2tcpip.h>

/* Words that windows.h takes and tests use. */
#undef near
#undef far
#undef small

#define SOCK_CLOEXEC  0x10000
#define SOCK_NONBLOCK 0x20000
#define MSG_NOSIGNAL  0
#define MSG_DONTWAIT  0x10000
#define SHUT_RD       SD_RECEIVE
#define SHUT_WR       SD_SEND
#define SHUT_RDWR     SD_BOTH

int     shim_socket(int family, int type, int protocol);
int     shim_connect(int fd, const void *addr, int size);
int     shim_accept(int fd, void *addr, int *size);
int     shim_bind(int fd, const void *addr, int size);
int     shim_listen(int fd, int backlog);
int     shim_shutdown(int fd, int how);
int     shim_getsockname(int fd, void *addr, int *size);
int     shim_setsockopt(int fd, int level, int name, const void *value, int size);
int     shim_getsockopt(int fd, int level, int name, void *value, int *size);
int     shim_socketpair(int family, int type, int protocol, int fds[2]);
int     shim_close(int fd);
ssize_t shim_send(int fd, const void *data, size_t size, int flags);
ssize_t shim_recv(int fd, void *data, size_t size, int flags);
ssize_t shim_sendto(int fd, const void *data, size_t size, int flags, const void *to, int to_size);
ssize_t shim_write(int fd, const void *data, size_t size);
ssize_t shim_read(int fd, void *data, size_t size);

#define socket      shim_socket
#define connect     shim_connect
#define accept      shim_accept
#define bind        shim_bind
#define listen      shim_listen
#define shutdown    shim_shutdown
#define getsockname shim_getsockname
#define setsockopt  shim_setsockopt
#define getsockopt  shim_getsockopt
#define socketpair  shim_socketpair
#define close       shim_close
#define send        shim_send
#define recv        shim_recv
#define sendto      shim_sendto
#define write       shim_write
#define read        shim_read

/* More of what tests use of the C library's surroundings. */
int shim_pipe(int fds[2]);
int shim_setenv(const char *name, const char *value, int over);
int shim_unsetenv(const char *name);

/* The handle, or one more: tests use the numbers only. */
#define fileno(file) ((int)_get_osfhandle(_fileno(file)))
#define dup(fd)      shim_socket(AF_INET, SOCK_STREAM, 0)

/* True under Wine, which differs from Windows where a test says so. */
int shim_is_wine(void);

#define pipe            shim_pipe
#define pipe2(fds, how) shim_socketpair(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)
#define setenv          shim_setenv
#define unsetenv        shim_unsetenv

#define O_CLOEXEC  0
#define O_NONBLOCK 0

/* Handles are multiples of four and belong to the whole process: none of the numbers that tests
 * ask for is a descriptor that they have made. */
#define _SC_PAGESIZE  0
#define sysconf(what) (4096L + 0 * (what))

#define F_GETFD    1
#define F_SETFD    2
#define F_SETFL    4
#define FD_CLOEXEC 1
int shim_fcntl(int fd, int what, ...);
#define fcntl(...) shim_fcntl(__VA_ARGS__, 0) /* nothing blocks, and nobody inherits */

/* There is no fork, and tests that need one skip themselves (support/skip.h); this ends them. */
pid_t shim_no_fork(void);
#define fork()                        shim_no_fork()
#define waitpid(pid, status, options) ((void)(pid), *(status) = 0, (pid_t)-1)
#define WIFEXITED(status)             ((status) == 0)
#define WEXITSTATUS(status)           (status)
#define WIFSIGNALED(status)           0
#define WTERMSIG(status)              0

/* Handles have no limit that a process could set: those tests skip themselves too. */
#define RLIMIT_NOFILE 0
typedef unsigned long long rlim_t;
struct rlimit {
    rlim_t rlim_cur, rlim_max;
};
int shim_getrlimit(struct rlimit *limit);
int shim_setrlimit(const struct rlimit *limit);
#define getrlimit(what, limit) shim_getrlimit(limit)
#define setrlimit(what, limit) shim_setrlimit(limit)

#endif
