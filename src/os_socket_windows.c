/* SPDX-License-Identifier: MIT */
/*
 * os_socket_windows.c: os_socket.h for Windows, and the tables of its error numbers. Winsock is
 * begun with the first socket and never ended: others in the process may use it.
 */
#include "os_socket.h"

#include <windows.h>
#include <winternl.h>

#include <tmlrt/error.h>

#include "os_windows.h"

/* ---- errors --------------------------------------------------------------------------------- */

/* The system leaves this bit to programs; here it marks an errno. */
#define SOCKET__ERRNO 0x20000000u

/* Winsock's numbers and those of the system that come from sockets, pipes and files. */
static const struct {
    uint32_t code;
    int      error;
} socket__table[] = {
    {WSAEWOULDBLOCK, TMLRT_EAGAIN},
    {WSAEINPROGRESS, TMLRT_EAGAIN},
    {WSAEINTR, TMLRT_EAGAIN},
    {ERROR_NO_DATA, TMLRT_EPIPE}, /* of a pipe: it is being closed */
    {ERROR_OPERATION_ABORTED, TMLRT_ECANCELED},
    {WSAECONNRESET, TMLRT_ECONNRESET},
    {WSAENETRESET, TMLRT_ECONNRESET},
    {ERROR_NETNAME_DELETED, TMLRT_ECONNRESET},
    {ERROR_PORT_UNREACHABLE, TMLRT_ECONNREFUSED}, /* of a datagram sent before */
    {WSAESHUTDOWN, TMLRT_EPIPE},
    {WSAEDISCON, TMLRT_EPIPE},
    {ERROR_BROKEN_PIPE, TMLRT_EPIPE},
    {ERROR_PIPE_NOT_CONNECTED, TMLRT_EPIPE},
    {ERROR_GRACEFUL_DISCONNECT, TMLRT_EPIPE},
    {WSAECONNREFUSED, TMLRT_ECONNREFUSED},
    {ERROR_CONNECTION_REFUSED, TMLRT_ECONNREFUSED},
    {WSAECONNABORTED, TMLRT_ECONNABORTED},
    {ERROR_CONNECTION_ABORTED, TMLRT_ECONNABORTED},
    {WSAETIMEDOUT, TMLRT_ETIMEDOUT},
    {ERROR_SEM_TIMEOUT, TMLRT_ETIMEDOUT},
    {WAIT_TIMEOUT, TMLRT_ETIMEDOUT},
    {WSAEMFILE, TMLRT_EMFILE},
    {ERROR_TOO_MANY_OPEN_FILES, TMLRT_EMFILE},
    {ERROR_NO_MORE_FILES, TMLRT_ENFILE},
    {ERROR_NOT_ENOUGH_MEMORY, TMLRT_ENOMEM},
    {ERROR_OUTOFMEMORY, TMLRT_ENOMEM},
    {ERROR_COMMITMENT_LIMIT, TMLRT_ENOMEM},
    {WSAENOBUFS, TMLRT_ENOBUFS},
    {ERROR_NO_SYSTEM_RESOURCES, TMLRT_ENOBUFS},
    {ERROR_WORKING_SET_QUOTA, TMLRT_ENOBUFS},
    {ERROR_NOT_ENOUGH_QUOTA, TMLRT_ENOBUFS},
    {WSAEINVAL, TMLRT_EINVAL},
    {WSAEFAULT, TMLRT_EINVAL},
    {WSAEDESTADDRREQ, TMLRT_EINVAL},
    {WSAEPROTOTYPE, TMLRT_EINVAL},
    {WSAENAMETOOLONG, TMLRT_EINVAL},
    {ERROR_INVALID_PARAMETER, TMLRT_EINVAL},
    {ERROR_NOACCESS, TMLRT_EINVAL},
    {WSAENOTSOCK, TMLRT_EBADF},
    {WSAEBADF, TMLRT_EBADF},
    {ERROR_INVALID_HANDLE, TMLRT_EBADF},
    {ERROR_BUSY, TMLRT_EBUSY},
    {ERROR_PIPE_BUSY, TMLRT_EBUSY},
    {WSAEALREADY, TMLRT_EALREADY},
    {WSAEOPNOTSUPP, TMLRT_ENOTSUP},
    {WSAENOPROTOOPT, TMLRT_ENOTSUP},
    {WSAEPROTONOSUPPORT, TMLRT_ENOTSUP},
    {WSAESOCKTNOSUPPORT, TMLRT_ENOTSUP},
    {ERROR_NOT_SUPPORTED, TMLRT_ENOTSUP},
    {ERROR_INVALID_FUNCTION, TMLRT_ENOTSUP},
    {ERROR_CALL_NOT_IMPLEMENTED, TMLRT_ENOTSUP},
    {ERROR_ALREADY_EXISTS, TMLRT_EEXIST},
    {ERROR_FILE_EXISTS, TMLRT_EEXIST},
    {ERROR_FILE_NOT_FOUND, TMLRT_ENOENT},
    {ERROR_PATH_NOT_FOUND, TMLRT_ENOENT},
    {ERROR_NOT_FOUND, TMLRT_ENOENT},
    {WSAEACCES, TMLRT_EACCES},
    {ERROR_ACCESS_DENIED, TMLRT_EACCES},
    {WSAEADDRINUSE, TMLRT_EADDRINUSE},
    {ERROR_ADDRESS_ALREADY_ASSOCIATED, TMLRT_EADDRINUSE},
    {WSAEADDRNOTAVAIL, TMLRT_EADDRNOTAVAIL},
    {ERROR_INCORRECT_ADDRESS, TMLRT_EADDRNOTAVAIL},
    {WSAEAFNOSUPPORT, TMLRT_EAFNOSUPPORT},
    {WSAEPFNOSUPPORT, TMLRT_EAFNOSUPPORT},
    {WSAENOTCONN, TMLRT_ENOTCONN},
    {WSAEISCONN, TMLRT_EISCONN},
    {WSAEHOSTUNREACH, TMLRT_EHOSTUNREACH},
    {WSAEHOSTDOWN, TMLRT_EHOSTUNREACH},
    {ERROR_HOST_UNREACHABLE, TMLRT_EHOSTUNREACH},
    {ERROR_PROTOCOL_UNREACHABLE, TMLRT_EHOSTUNREACH},
    {WSAENETUNREACH, TMLRT_ENETUNREACH},
    {ERROR_NETWORK_UNREACHABLE, TMLRT_ENETUNREACH},
    {WSAENETDOWN, TMLRT_ENETDOWN},
    {WSAEMSGSIZE, TMLRT_EMSGSIZE},
    {ERROR_MORE_DATA, TMLRT_EMSGSIZE},
    {ERROR_INSUFFICIENT_BUFFER, TMLRT_EMSGSIZE},
    {ERROR_UNEXP_NET_ERR, TMLRT_EIO},
    {ERROR_IO_DEVICE, TMLRT_EIO},
    {ERROR_GEN_FAILURE, TMLRT_EIO},
};

int tmlrt__os_win_error(uint32_t code) {
    if (code & SOCKET__ERRNO) return tmlrt__os_error((int)(code & ~SOCKET__ERRNO));
    for (size_t i = 0; i < sizeof socket__table / sizeof socket__table[0]; i++)
        if (socket__table[i].code == code) return socket__table[i].error;
    return TMLRT_EUNKNOWN;
}

int tmlrt__os_nt_error(int32_t status) {
    return tmlrt__os_win_error(RtlNtStatusToDosError(status));
}

int tmlrt__os_last_error(void) {
    return tmlrt__os_win_error(GetLastError());
}

#if defined(TMLRT_FAULTS)
void tmlrt__fault_last_error(int err) {
    SetLastError(SOCKET__ERRNO | (DWORD)err);
}
#endif

/* ---- sockets -------------------------------------------------------------------------------- */

static BOOL CALLBACK socket__startup(PINIT_ONCE once, PVOID arg, PVOID *context) {
    WSADATA data;
    (void)once, (void)arg, (void)context;
    int error = WSAStartup(MAKEWORD(2, 2), &data);
    if (error != 0) SetLastError((DWORD)error);
    return error == 0;
}

bool tmlrt__os_sockets_begin(void) {
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    return InitOnceExecuteOnce(&once, socket__startup, NULL, NULL);
}

int tmlrt__os_socket(int family, int type) {
    u_long yes = 1;
    if (!tmlrt__os_sockets_begin()) return -1;
    SOCKET s =
        WSASocketW(family, type, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (s == INVALID_SOCKET) return -1;
    if (ioctlsocket(s, (long)FIONBIO, &yes) == 0) return (int)s;
    int kept = WSAGetLastError();
    (void)closesocket(s);
    WSASetLastError(kept);
    return -1;
}

void tmlrt__os_socket_close(int fd) {
    (void)closesocket((SOCKET)fd);
}

void tmlrt__os_file_close(int fd) {
    (void)CloseHandle((HANDLE)(intptr_t)fd);
}
