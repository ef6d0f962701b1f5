/* SPDX-License-Identifier: MIT */
/*
 * shim.c: see shim.h.
 */
#include "shim.h"

#undef socket
#undef connect
#undef accept
#undef bind
#undef listen
#undef shutdown
#undef getsockname
#undef setsockopt
#undef getsockopt
#undef close
#undef send
#undef recv
#undef sendto
#undef write
#undef read

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* Passes on what a call said, its error in errno. */
static int shim__said(int rc) {
    if (rc != SOCKET_ERROR) return rc;
    switch (WSAGetLastError()) {
    case WSAEWOULDBLOCK: errno = EWOULDBLOCK; break;
    case WSAECONNRESET: errno = ECONNRESET; break;
    case WSAECONNABORTED: errno = ECONNABORTED; break;
    case WSAECONNREFUSED: errno = ECONNREFUSED; break;
    case WSAENOTSOCK: errno = ENOTSOCK; break;
    case WSAENOTCONN: errno = ENOTCONN; break;
    case WSAEMSGSIZE: errno = EMSGSIZE; break;
    case WSAEMFILE: errno = EMFILE; break;
    default: errno = EIO; break;
    }
    return -1;
}

static void shim__begin(void) {
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) abort();
}

/* Tests run on the runtime's own threads too, so each socket is one that both kinds of call take. */
int shim_socket(int family, int type, int protocol) {
    u_long yes = 1;
    shim__begin();
    SOCKET s = WSASocketW(family, type & 0xf, protocol, NULL, 0,
                          WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (s == INVALID_SOCKET) return shim__said(SOCKET_ERROR);
    if (type & SOCK_NONBLOCK) (void)ioctlsocket(s, (long)FIONBIO, &yes);
    return (int)s;
}

int shim_connect(int fd, const void *addr, int size) {
    int rc = shim__said(connect((SOCKET)fd, addr, size));
    if (rc != 0 && errno == EWOULDBLOCK) errno = EINPROGRESS;
    return rc;
}

int shim_accept(int fd, void *addr, int *size) {
    SOCKET s = accept((SOCKET)fd, addr, size);
    return s == INVALID_SOCKET ? shim__said(SOCKET_ERROR) : (int)s;
}

int shim_bind(int fd, const void *addr, int size) {
    return shim__said(bind((SOCKET)fd, addr, size));
}

int shim_listen(int fd, int backlog) {
    return shim__said(listen((SOCKET)fd, backlog));
}

int shim_shutdown(int fd, int how) {
    return shim__said(shutdown((SOCKET)fd, how));
}

int shim_getsockname(int fd, void *addr, int *size) {
    return shim__said(getsockname((SOCKET)fd, addr, size));
}

int shim_setsockopt(int fd, int level, int name, const void *value, int size) {
    return shim__said(setsockopt((SOCKET)fd, level, name, value, size));
}

int shim_getsockopt(int fd, int level, int name, void *value, int *size) {
    return shim__said(getsockopt((SOCKET)fd, level, name, value, size));
}

int shim_pipe(int fds[2]) {
    return shim_socketpair(AF_INET, SOCK_STREAM, 0, fds);
}

int shim_setenv(const char *name, const char *value, int over) {
    (void)over;
    return _putenv_s(name, value);
}

int shim_unsetenv(const char *name) {
    return _putenv_s(name, "");
}

int shim_fcntl(int fd, int what, ...) {
    (void)fd;
    if (what != F_GETFD) return 0;
    errno = EBADF;
    return -1;
}

int shim_is_wine(void) {
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    return ntdll != NULL && GetProcAddress(ntdll, "wine_get_version") != NULL;
}

/* What a process may have is by far more than tests need. */
int shim_getrlimit(struct rlimit *limit) {
    limit->rlim_cur = limit->rlim_max = 1u << 20;
    return 0;
}

int shim_setrlimit(const struct rlimit *limit) {
    (void)limit;
    return 0;
}

pid_t shim_no_fork(void) {
    abort();
}

/* Two ends of a connection over the loopback. */
int shim_socketpair(int family, int type, int protocol, int fds[2]) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    int                size = sizeof at;
    (void)family, (void)protocol;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = shim_socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0) return -1;
    fds[0] = shim_socket(AF_INET, SOCK_STREAM, 0);
    if (shim_bind(listener, &at, size) != 0 || shim_listen(listener, 1) != 0 ||
        shim_getsockname(listener, &at, &size) != 0 || shim_connect(fds[0], &at, size) != 0)
        return -1;
    fds[1] = shim_accept(listener, NULL, NULL);
    (void)shim_close(listener);
    u_long yes = (type & SOCK_NONBLOCK) != 0;
    (void)ioctlsocket((SOCKET)fds[0], (long)FIONBIO, &yes);
    (void)ioctlsocket((SOCKET)fds[1], (long)FIONBIO, &yes);
    return fds[1] < 0 ? -1 : 0;
}

int shim_close(int fd) {
    return shim__said(closesocket((SOCKET)fd));
}

static ssize_t shim__moved(int fd, int flags, int n) {
    u_long no = 0;
    int    said = shim__said(n);
    int    kept = errno;
    if (flags & MSG_DONTWAIT) (void)ioctlsocket((SOCKET)fd, (long)FIONBIO, &no);
    errno = kept;
    return said;
}

static void shim__prepare(int fd, int flags) {
    u_long yes = 1;
    if (flags & MSG_DONTWAIT) (void)ioctlsocket((SOCKET)fd, (long)FIONBIO, &yes);
}

ssize_t shim_send(int fd, const void *data, size_t size, int flags) {
    shim__prepare(fd, flags);
    return shim__moved(fd, flags, send((SOCKET)fd, data, (int)size, flags & ~MSG_DONTWAIT));
}

ssize_t shim_recv(int fd, void *data, size_t size, int flags) {
    shim__prepare(fd, flags);
    return shim__moved(fd, flags, recv((SOCKET)fd, data, (int)size, flags & ~MSG_DONTWAIT));
}

ssize_t shim_sendto(int fd, const void *data, size_t size, int flags, const void *to, int to_size) {
    return shim__said(sendto((SOCKET)fd, data, (int)size, flags, to, to_size));
}

ssize_t shim_write(int fd, const void *data, size_t size) {
    return shim_send(fd, data, size, 0);
}

ssize_t shim_read(int fd, void *data, size_t size) {
    return shim_recv(fd, data, size, 0);
}
