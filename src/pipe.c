/* SPDX-License-Identifier: MIT */
/*
 * pipe.c: the making of pipes. The transfers are those of streams (tcp.c, net.c), made by readv and
 * writev (reactor/readiness.c), the latter without SIGPIPE (reactor/quiet.h).
 */
#include <tmlrt/pipe.h>

#include <errno.h>
#include <unistd.h>

#include "fault.h"
#include "os_socket.h"
#include "tcp.h"

int tmlrt_pipe(tmlrt_runtime_t *rt, tmlrt_sock_t **read_end, tmlrt_sock_t **write_end) {
    int            fds[2];
    tmlrt__host_t *host;
    tmlrt_sock_t  *first;
    if (read_end == NULL || write_end == NULL) return TMLRT_EINVAL;
    int e = tmlrt__sock_host(rt, &host);
    if (e != TMLRT_OK) return e;
    if (TMLRT__SYS(tmlrt__os_pipe(fds)) != 0) return tmlrt__os_error(errno);
    e = tmlrt__sock_adopt(host, fds[0], TMLRT__SOURCE_PIPE_READ, 0, &first);
    if (e != TMLRT_OK) {
        close(fds[1]);
        return e;
    }
    e = tmlrt__sock_adopt(host, fds[1], TMLRT__SOURCE_PIPE_WRITE, TMLRT__READY_WRITE, write_end);
    if (e != TMLRT_OK)
        tmlrt__source_release(&first->source);
    else
        *read_end = first;
    return e;
}
