/* SPDX-License-Identifier: MIT */
/*
 * quiet.h: writing to a pipe whose reader is gone, without SIGPIPE.
 *
 * Sockets have MSG_NOSIGNAL; write(2) has nothing like it that every kernel knows. So SIGPIPE is
 * blocked in the calling thread for the length of the call, and one that the call raised is taken
 * back before the mask is: the kernel sends it to the thread that writes. Where the thread had it
 * blocked already (all threads of the library have), it is taken back as well, so that none stays
 * pending. No handler of the program is ever touched.
 */
#ifndef TMLRT__QUIET_H
#define TMLRT__QUIET_H

#include <sys/types.h>
#include <sys/uio.h>

/* As writev; errno tells the error. */
ssize_t tmlrt__quiet_writev(int fd, const struct iovec *iov, int n);

#endif
