/* SPDX-License-Identifier: MIT */
/*
 * addr.h: the inside of tmlrt_addr_t: a sockaddr of the system and its length.
 */
#ifndef TMLRT__ADDR_H
#define TMLRT__ADDR_H

#include <stdbool.h>

#include <tmlrt/net.h>

#include "os_socket.h"

_Static_assert(sizeof(((tmlrt_addr_t *)0)->storage_) >= sizeof(struct sockaddr_un) &&
                   sizeof(((tmlrt_addr_t *)0)->storage_) >= sizeof(struct sockaddr_in6),
               "an address holds every sockaddr of the kinds that there are");

static inline struct sockaddr *tmlrt__addr_sys(tmlrt_addr_t *addr) {
    return (struct sockaddr *)(void *)addr->storage_;
}

/* The family, AF_INET, AF_INET6 or AF_UNIX; AF_UNSPEC for no address and for any other. */
int tmlrt__addr_family(const tmlrt_addr_t *addr);

static inline bool tmlrt__addr_is_inet(const tmlrt_addr_t *addr) {
    int family = tmlrt__addr_family(addr);
    return family == AF_INET || family == AF_INET6;
}

/* Fills *addr with `size` bytes of a system's address. */
void tmlrt__addr_set(tmlrt_addr_t *addr, const void *sys, size_t size);

/* Gives an IPv4 or IPv6 address another port. */
void tmlrt__addr_set_port(tmlrt_addr_t *addr, uint16_t port);

/* Begins an address that the system fills in: the whole storage, *size its length. */
void tmlrt__addr_blank(tmlrt_addr_t *addr, socklen_t *size);

#endif
