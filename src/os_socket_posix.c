/* SPDX-License-Identifier: MIT */
/*
 * os_socket_posix.c: os_socket.h for POSIX systems.
 */
#include "os_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int tmlrt__os_last_error(void) {
    return tmlrt__os_error(errno);
}

/* Nobody is inherited and nobody blocks. Where these are calls of their own another thread may fork
 * in between; there is no better way. */
#if defined(__APPLE__)
static int socket__prepare(int fd) {
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return -1;
    return fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* On a kind of descriptor that does not know it, it fails; its writes are quiet otherwise. */
static void socket__no_signal(int fd) {
#if defined(SO_NOSIGPIPE)
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#else
    (void)fd;
#endif
}

/* `fd` made ready for use, or -1 and closed. */
static int socket__finish(int fd) {
    if (fd < 0) return -1;
    socket__no_signal(fd);
    if (socket__prepare(fd) == 0) return fd;
    int kept = errno;
    close(fd);
    errno = kept;
    return -1;
}

int tmlrt__os_socket(int family, int type) {
    return socket__finish(socket(family, type, 0));
}

int tmlrt__os_accept(int fd) {
    return socket__finish(accept(fd, NULL, NULL));
}

int tmlrt__os_pipe(int fds[2]) {
    if (pipe(fds) != 0) return -1;
    if (socket__prepare(fds[0]) == 0 && socket__prepare(fds[1]) == 0) return 0;
    int kept = errno;
    close(fds[0]);
    close(fds[1]);
    errno = kept;
    return -1;
}
#else
int tmlrt__os_socket(int family, int type) {
    return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int tmlrt__os_accept(int fd) {
    return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int tmlrt__os_pipe(int fds[2]) {
    return pipe2(fds, O_NONBLOCK | O_CLOEXEC);
}
#endif

void tmlrt__os_socket_close(int fd) {
    close(fd);
}

void tmlrt__os_file_close(int fd) {
    close(fd);
}
