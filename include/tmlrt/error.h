/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/error.h: the errors. A function returns 0 or a negative TMLRT_E*; a count is an int64_t,
 * negative on error. The numbers are the same on every platform and never change; what the
 * operating system says (errno, WSAGetLastError, NTSTATUS) is mapped to them in one table.
 * TMLRT_EFOREIGN is reserved: handles are used from every runtime's tasks, and nothing says it now.
 */
#ifndef TMLRT_ERROR_H
#define TMLRT_ERROR_H

#include <tmlrt/base.h>

TMLRT_BEGIN_DECLS

/* X(name, number, text): the one list from which the enum, the names and the texts are made. */
#define TMLRT_ERROR_LIST(X)                                                                        \
    X(EINVAL, -1, "invalid argument")                                                              \
    X(ENOMEM, -2, "out of memory")                                                                 \
    X(EBUSY, -3, "busy: in flight, in use, or not ended yet")                                      \
    X(EAGAIN, -4, "would have to wait")                                                            \
    X(ETIMEDOUT, -5, "the deadline passed")                                                        \
    X(ECANCELED, -6, "cancelled")                                                                  \
    X(EPANIC, -7, "the task panicked")                                                             \
    X(ESHUTDOWN, -8, "the runtime is shutting down")                                               \
    X(EFORKED, -9, "the runtime belongs to the parent of this forked process")                     \
    X(EDEADLK, -10, "would block where blocking is not allowed")                                   \
    X(ENORUNTIME, -11, "no runtime is current on this thread")                                     \
    X(EFOREIGN, -12, "belongs to another runtime")                                                 \
    X(ECLOSED, -13, "closed")                                                                      \
    X(EALREADY, -14, "already done")                                                               \
    X(ENOTSUP, -15, "not supported here")                                                          \
    X(EEOF, -16, "the stream ended before all bytes came")                                         \
    X(EBADF, -17, "bad descriptor")                                                                \
    X(EEXIST, -18, "exists already")                                                               \
    X(ENOENT, -19, "no such file or object")                                                       \
    X(EACCES, -20, "permission denied")                                                            \
    X(EMFILE, -21, "too many open descriptors in this process")                                    \
    X(ENFILE, -22, "too many open descriptors in the system")                                      \
    X(ENOBUFS, -23, "no buffer space")                                                             \
    X(EOVERFLOW, -24, "value too large")                                                           \
    X(EIO, -25, "input/output error")                                                              \
    X(EADDRINUSE, -26, "address in use")                                                           \
    X(EADDRNOTAVAIL, -27, "address not available")                                                 \
    X(EAFNOSUPPORT, -28, "address family not supported")                                           \
    X(ECONNREFUSED, -29, "connection refused")                                                     \
    X(ECONNRESET, -30, "connection reset by peer")                                                 \
    X(ECONNABORTED, -31, "connection aborted")                                                     \
    X(ENOTCONN, -32, "not connected")                                                              \
    X(EISCONN, -33, "already connected")                                                           \
    X(EPIPE, -34, "the other end is closed")                                                       \
    X(EHOSTUNREACH, -35, "host unreachable")                                                       \
    X(ENETUNREACH, -36, "network unreachable")                                                     \
    X(ENETDOWN, -37, "network down")                                                               \
    X(EMSGSIZE, -38, "message too long")                                                           \
    X(EUNKNOWN, -39, "an error that has no name here")

enum {
    TMLRT_OK = 0,
#define TMLRT_ERROR_ENUM_(name, number, text) TMLRT_##name = number,
    TMLRT_ERROR_LIST(TMLRT_ERROR_ENUM_)
#undef TMLRT_ERROR_ENUM_
        TMLRT_ERROR_LAST_ = -39
};

/* What `error` means, as a sentence without a full stop; for a number that is no error of ours
 * "unknown error". Threads: any. Owns: a static string. */
TMLRT_API const char *tmlrt_strerror(int error);

/* The name of `error`, as "TMLRT_EBUSY"; "TMLRT_OK" for 0; for a number that is no error of ours
 * "TMLRT_E?". Threads: any. Owns: a static string. */
TMLRT_API const char *tmlrt_errname(int error);

TMLRT_END_DECLS

#endif
