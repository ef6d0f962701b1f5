/* SPDX-License-Identifier: MIT */
/*
 * resolve.h: what tests need of resolve.c beside the public calls.
 */
#ifndef TMLRT__RESOLVE_H
#define TMLRT__RESOLVE_H

#include <tmlrt/resolve.h>

/* The second half of tmlrt_connect_host: `n` addresses (more than 8 are left out) are put in order
 * and tried. */
int tmlrt__connect_first(tmlrt_runtime_t *rt, const tmlrt_addr_t *addrs, size_t n,
                         const tmlrt_tcp_options_t *options, tmlrt_sock_t **out, int64_t deadline);

/* That order: the families in turn, beginning with the first address's; within one it stays. */
void tmlrt__connect_order(tmlrt_addr_t *addr, uint32_t n);

#endif
