/* SPDX-License-Identifier: MIT */
/*
 * pipe_windows.c: the making of pipes on Windows: named pipes of one instance each, since the
 * system's anonymous ones know no overlapped calls. The name is one of the process's own, and says
 * so; nobody else can connect, because the one instance is taken at once.
 */
#include <tmlrt/pipe.h>

#include <stdio.h>

#include "fault.h"
#include "os_socket.h"
#include "os_windows.h"
#include "tcp.h"

#define PIPE__BUFFER (64u * 1024u)

/* fds[0] reads, fds[1] writes. */
static int pipe__make(int fds[2]) {
    static tmlrt__atomic_u64 next; /* process-wide: the names differ */
    char                     name[80];
    if (tmlrt__fault_point(TMLRT__FAULT_SYS)) return tmlrt__os_last_error();
    snprintf(name, sizeof name, "\\\\.\\pipe\\tmlrt.%lu.%llu.%llx",
             (unsigned long)GetCurrentProcessId(),
             (unsigned long long)tmlrt__fetch_add_relaxed(&next, 1),
             (unsigned long long)tmlrt__os_now());
    HANDLE in = CreateNamedPipeA(
        name, PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
        PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1, 0,
        PIPE__BUFFER, 0, NULL);
    if (in == INVALID_HANDLE_VALUE) return tmlrt__os_last_error();
    HANDLE out = CreateFileA(name, GENERIC_WRITE | FILE_READ_ATTRIBUTES, 0, NULL, OPEN_EXISTING,
                             FILE_FLAG_OVERLAPPED, NULL);
    if (out == INVALID_HANDLE_VALUE) {
        int e = tmlrt__os_last_error();
        (void)CloseHandle(in);
        return e;
    }
    fds[0] = (int)(intptr_t)in;
    fds[1] = (int)(intptr_t)out;
    return TMLRT_OK;
}

int tmlrt_pipe(tmlrt_runtime_t *rt, tmlrt_sock_t **read_end, tmlrt_sock_t **write_end) {
    int            fds[2] = {-1, -1};
    tmlrt__host_t *host;
    tmlrt_sock_t  *first;
    if (read_end == NULL || write_end == NULL) return TMLRT_EINVAL;
    int e = tmlrt__sock_host(rt, &host);
    if (e == TMLRT_OK) e = pipe__make(fds);
    if (e != TMLRT_OK) return e;
    e = tmlrt__sock_adopt(host, fds[0], TMLRT__SOURCE_PIPE_READ, 0, &first);
    if (e != TMLRT_OK) {
        tmlrt__os_file_close(fds[1]);
        return e;
    }
    e = tmlrt__sock_adopt(host, fds[1], TMLRT__SOURCE_PIPE_WRITE, TMLRT__READY_WRITE, write_end);
    if (e != TMLRT_OK)
        tmlrt__source_release(&first->source);
    else
        *read_end = first;
    return e;
}
