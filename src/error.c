/* SPDX-License-Identifier: MIT */
/*
 * error.c: names and texts of the errors, made from TMLRT_ERROR_LIST, and the one table that maps
 * the C library's errno to them.
 */
#include <tmlrt/error.h>

#include <errno.h>

#include "os.h"

const char *tmlrt_strerror(int error) {
    switch (error) {
    case TMLRT_OK: return "success";
#define ERROR__TEXT(name, number, text)                                                            \
    case TMLRT_##name: return text;
        TMLRT_ERROR_LIST(ERROR__TEXT)
#undef ERROR__TEXT
    default: return "unknown error";
    }
}

/* Pasted and made a string at once, so that errno.h's macros of the same names stay unexpanded. */
const char *tmlrt_errname(int error) {
    switch (error) {
    case TMLRT_OK: return "TMLRT_OK";
#define ERROR__NAME(name, number, text)                                                            \
    case TMLRT_##name: return "TMLRT_" #name;
        TMLRT_ERROR_LIST(ERROR__NAME)
#undef ERROR__NAME
    default: return "TMLRT_E?";
    }
}

/* In order of how often they come; several of the system's may share a number. */
static const struct {
    int sys;
    int error;
} error__table[] = {
    {EAGAIN, TMLRT_EAGAIN},
    {EWOULDBLOCK, TMLRT_EAGAIN},
    {EINTR, TMLRT_EAGAIN},
    {EINPROGRESS, TMLRT_EAGAIN},
    {ECONNRESET, TMLRT_ECONNRESET},
    {ENETRESET, TMLRT_ECONNRESET},
    {EPIPE, TMLRT_EPIPE},
#if defined(ESHUTDOWN)
    {ESHUTDOWN, TMLRT_EPIPE},
#endif
    {ECONNREFUSED, TMLRT_ECONNREFUSED},
    {ECONNABORTED, TMLRT_ECONNABORTED},
    {ETIMEDOUT, TMLRT_ETIMEDOUT},
#if defined(ETIME)
    {ETIME, TMLRT_ETIMEDOUT},
#endif
    {EMFILE, TMLRT_EMFILE},
    {ENFILE, TMLRT_ENFILE},
    {ENOMEM, TMLRT_ENOMEM},
    {ENOBUFS, TMLRT_ENOBUFS},
    {ENOSPC, TMLRT_ENOBUFS},
    {EINVAL, TMLRT_EINVAL},
    {EFAULT, TMLRT_EINVAL},
    {EDOM, TMLRT_EINVAL},
    {EISDIR, TMLRT_EINVAL},
    {ESPIPE, TMLRT_EINVAL},
    {ELOOP, TMLRT_EINVAL},
    {ENAMETOOLONG, TMLRT_EINVAL},
    {EDESTADDRREQ, TMLRT_EINVAL},
    {EPROTOTYPE, TMLRT_EINVAL},
    {EBADF, TMLRT_EBADF},
    {ENOTSOCK, TMLRT_EBADF},
    {EBUSY, TMLRT_EBUSY},
#if defined(ETXTBSY)
    {ETXTBSY, TMLRT_EBUSY},
#endif
    {ECANCELED, TMLRT_ECANCELED},
    {EDEADLK, TMLRT_EDEADLK},
    {EALREADY, TMLRT_EALREADY},
    {ENOTSUP, TMLRT_ENOTSUP},
    {EOPNOTSUPP, TMLRT_ENOTSUP},
    {ENOSYS, TMLRT_ENOTSUP},
    {ENOTTY, TMLRT_ENOTSUP},
    {ENOPROTOOPT, TMLRT_ENOTSUP},
    {EPROTONOSUPPORT, TMLRT_ENOTSUP},
#if defined(ESOCKTNOSUPPORT)
    {ESOCKTNOSUPPORT, TMLRT_ENOTSUP},
#endif
    {EEXIST, TMLRT_EEXIST},
    {ENOENT, TMLRT_ENOENT},
    {ENOTDIR, TMLRT_ENOENT},
    {ENODEV, TMLRT_ENOENT},
    {ENXIO, TMLRT_ENOENT},
    {ESRCH, TMLRT_ENOENT},
    {EACCES, TMLRT_EACCES},
    {EPERM, TMLRT_EACCES},
    {EROFS, TMLRT_EACCES},
    {EOVERFLOW, TMLRT_EOVERFLOW},
    {EFBIG, TMLRT_EOVERFLOW},
    {ERANGE, TMLRT_EOVERFLOW},
    {EIO, TMLRT_EIO},
    {EPROTO, TMLRT_EIO},
    {EADDRINUSE, TMLRT_EADDRINUSE},
    {EADDRNOTAVAIL, TMLRT_EADDRNOTAVAIL},
    {EAFNOSUPPORT, TMLRT_EAFNOSUPPORT},
#if defined(EPFNOSUPPORT)
    {EPFNOSUPPORT, TMLRT_EAFNOSUPPORT},
#endif
    {ENOTCONN, TMLRT_ENOTCONN},
    {EISCONN, TMLRT_EISCONN},
    {EHOSTUNREACH, TMLRT_EHOSTUNREACH},
#if defined(EHOSTDOWN)
    {EHOSTDOWN, TMLRT_EHOSTUNREACH},
#endif
    {ENETUNREACH, TMLRT_ENETUNREACH},
    {ENETDOWN, TMLRT_ENETDOWN},
    {EMSGSIZE, TMLRT_EMSGSIZE},
};

int tmlrt__os_error(int sys) {
    for (size_t i = 0; i < sizeof error__table / sizeof error__table[0]; i++) {
        if (error__table[i].sys == sys) return error__table[i].error;
    }
    return TMLRT_EUNKNOWN;
}
