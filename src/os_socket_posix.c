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

#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
int tmlrt__os_socket(int family, int type) {
    return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}
#else
/* Another thread may fork in between; there is no better call. */
int tmlrt__os_socket(int family, int type) {
    int fd = socket(family, type, 0);
    if (fd < 0) return -1;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0) return fd;
    int kept = errno;
    close(fd);
    errno = kept;
    return -1;
}
#endif

void tmlrt__os_socket_close(int fd) {
    close(fd);
}

void tmlrt__os_file_close(int fd) {
    close(fd);
}
