/* SPDX-License-Identifier: MIT */
/*
 * transfer.h: recv(2) and send(2) on a non-blocking socket, without what glibc adds in a process of
 * several threads: as cancellation points they change the thread's state before and after with
 * atomic read-modify-writes, four a request, though a call that never blocks needs no such point.
 * A thread of the library is never cancelled by pthread_cancel.
 *
 * Sanitizers intercept the libc's functions to learn what the kernel wrote, and get those.
 */
#ifndef TMLRT__TRANSFER_H
#define TMLRT__TRANSFER_H

#include "../os_socket.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TMLRT__TRANSFER_LIBC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define TMLRT__TRANSFER_LIBC 1
#endif
#endif

#if defined(__linux__) && !defined(TMLRT__TRANSFER_LIBC)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(SYS_recvfrom) && defined(SYS_sendto)

static inline ssize_t tmlrt__transfer_recv(int fd, void *buf, size_t size) {
    return (ssize_t)syscall(SYS_recvfrom, fd, buf, size, 0, NULL, NULL);
}

static inline ssize_t tmlrt__transfer_send(int fd, const void *buf, size_t size) {
    return (ssize_t)syscall(SYS_sendto, fd, buf, size, MSG_NOSIGNAL, NULL, 0);
}

#else

static inline ssize_t tmlrt__transfer_recv(int fd, void *buf, size_t size) {
    return recv(fd, buf, size, 0);
}

static inline ssize_t tmlrt__transfer_send(int fd, const void *buf, size_t size) {
    return send(fd, buf, size, TMLRT__MSG_QUIET);
}

#endif
#endif
