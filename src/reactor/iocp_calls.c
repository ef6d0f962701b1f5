/* SPDX-License-Identifier: MIT */
/*
 * iocp_calls.c: one call without an operation, for tries: the two of readiness.h that every system
 * has. Sockets do not block, so a plain recv or send says at once; a pipe's handle knows overlapped
 * calls only, so here the call is made with an event of its own and broken off if it would wait.
 */
#include "iocp.h"

#include <winternl.h>

#include "../fault.h"
#include "../os_windows.h"
#include "readiness.h"

#define CALLS__MAX ((size_t)1 << 30)

static int calls__clip(size_t size) {
    return (int)(size < CALLS__MAX ? size : CALLS__MAX);
}

/* The end of an overlapped call that was just made; broken off where it would wait. */
static int64_t calls__pipe_end(HANDLE pipe, OVERLAPPED *ov, bool ok) {
    DWORD n = 0;
    if (!ok && GetLastError() != ERROR_IO_PENDING) return tmlrt__os_last_error();
    if (!ok) tmlrt__iocp_break_off(pipe, ov);
    if (GetOverlappedResult(pipe, ov, &n, TRUE)) return n;
    if (n > 0) return n;
    return GetLastError() == ERROR_OPERATION_ABORTED ? TMLRT_EAGAIN : tmlrt__os_last_error();
}

static int64_t calls__pipe(const tmlrt__source_t *s, void *buf, size_t size, bool write) {
    HANDLE     pipe = (HANDLE)(intptr_t)s->fd;
    OVERLAPPED ov = {0};
    HANDLE     event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (event == NULL) return tmlrt__os_last_error();
    ov.hEvent = (HANDLE)((uintptr_t)event | 1); /* the bit: no packet for the port */
    bool    ok = write ? TMLRT__WIN(WriteFile(pipe, buf, (DWORD)calls__clip(size), NULL, &ov))
                       : TMLRT__WIN(ReadFile(pipe, buf, (DWORD)calls__clip(size), NULL, &ov));
    int64_t n = calls__pipe_end(pipe, &ov, ok);
    (void)CloseHandle(event);
    return n;
}

#if !defined(__MINGW32__)
/* In ntdll, but not in the headers of the system. */
NTSTATUS NTAPI NtQueryInformationFile(HANDLE file, PIO_STATUS_BLOCK status, PVOID info, ULONG size,
                                      FILE_INFORMATION_CLASS what);
#endif

/* What a write may have without waiting. */
typedef struct calls__pipe_info {
    ULONG type, configuration, max_instances, instances, in_quota, read_there, out_quota, room,
        state, end;
} calls__pipe_info_t;

#define CALLS__PIPE_CONNECTED 3                            /* else the reader is gone */
#define CALLS__PIPE_INFO      ((FILE_INFORMATION_CLASS)24) /* FilePipeLocalInformation */

/* No overlapped write that is broken off where it waits: what the reader took of it meanwhile may
 * not be told. So the room is asked for first. The system takes from it what reads that wait at the
 * other end are going to have; while they wait for a whole buffer, a try says TMLRT_EAGAIN although a
 * write, which goes to them at once, would not wait. */
static int64_t calls__pipe_write(const tmlrt__source_t *s, const void *buf, size_t size) {
    IO_STATUS_BLOCK    status;
    calls__pipe_info_t info = {0};
    HANDLE             pipe = (HANDLE)(intptr_t)s->fd;
    if (NtQueryInformationFile(pipe, &status, &info, sizeof info, CALLS__PIPE_INFO) < 0)
        return TMLRT_EAGAIN;
    if (info.state != CALLS__PIPE_CONNECTED) return TMLRT_EPIPE;
    if (info.room == 0) return TMLRT_EAGAIN;
    return calls__pipe(s, (void *)(uintptr_t)buf, size < info.room ? size : info.room, true);
}

static int64_t calls__pipe_read(const tmlrt__source_t *s, void *buf, size_t size) {
    DWORD there = 0;
    if (TMLRT__WIN(PeekNamedPipe((HANDLE)(intptr_t)s->fd, NULL, 0, NULL, &there, NULL)) &&
        there == 0)
        return TMLRT_EAGAIN;
    int64_t n = calls__pipe(s, buf, size, false);
    return n == TMLRT_EPIPE ? 0 : n; /* the end of the stream */
}

int64_t tmlrt__readiness_recv(const tmlrt__source_t *s, void *buf, size_t size) {
    if (tmlrt__iocp_is_pipe(s)) return calls__pipe_read(s, buf, size);
    int n = TMLRT__SYS(recv((SOCKET)s->fd, buf, calls__clip(size), 0));
    if (n >= 0) return n;
    int e = tmlrt__os_last_error();
    return e == TMLRT_EPIPE ? 0 : e; /* the half was shut down */
}

int64_t tmlrt__readiness_send(const tmlrt__source_t *s, const void *buf, size_t size) {
    if (tmlrt__iocp_is_pipe(s)) return calls__pipe_write(s, buf, size);
    int n = TMLRT__SYS(send((SOCKET)s->fd, buf, calls__clip(size), 0));
    return n >= 0 ? n : tmlrt__os_last_error();
}
