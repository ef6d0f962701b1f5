/* SPDX-License-Identifier: MIT */
/*
 * unix.c: Unix stream sockets. They differ from TCP by their addresses (addr.c) and by a connect
 * that has to be tried again while the listener's queue is full (tcp.c).
 */
#include <tmlrt/unix.h>

#include "addr.h"
#include "tcp.h"

int tmlrt_unix_listen(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr,
                      const tmlrt_tcp_options_t *options, tmlrt_sock_t **listener) {
    if (addr == NULL || tmlrt__addr_family(addr) != AF_UNIX) return TMLRT_EINVAL;
    return tmlrt__sock_listen(rt, addr, options, listener);
}
