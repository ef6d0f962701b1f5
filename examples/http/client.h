/* SPDX-License-Identifier: MIT */
/*
 * client.h: one connection of the load generator, a task: it connects, exchanges one request, waits
 * at the gate until all others have come as far, and then exchanges requests, one at a time, until
 * the load stops or something is wrong. Each answer is checked: status, length, every byte.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "content.h"

#include <stdatomic.h>
#include <stdint.h>
#include <tmlrt.h>

/* What all connections share; it outlives the runtime. */
typedef struct {
    tmlrt_addr_t addr; /* constant, up to expected */
    char         request[256];
    size_t       request_size;
    content_t    expected;

    atomic_uint    in_ramp; /* connections between their spawn and the gate; any thread */
    tmlrt_notify_t ramp;    /* notified when in_ramp went down */
    atomic_bool    is_open; /* the gate; any thread */
    tmlrt_notify_t gate;    /* notified when is_open was set */
    atomic_bool    stop;    /* end after the exchange under way; any thread */
} load_t;

/* Starts the task of one connection on the current runtime; it is in the ramp until it reaches the
 * gate or ends. Returns 0 or what tmlrt_spawn said. */
int client_spawn(load_t *load);

/* Opens the gate, for those that wait and those that come. Threads: any. */
void client_open_gate(load_t *load);

#endif
