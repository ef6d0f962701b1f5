/* SPDX-License-Identifier: MIT */
/*
 * connection.h: one connection of the server, a task from its accept to its end: it reads requests,
 * parses them with http_parser and answers each, in order, until the client closes, an error, the
 * idle time is over, or the runtime stops.
 *
 * Limits: a request line and headers of 8 KiB together (431), a target of 1 KiB (414), a body of
 * 64 KiB (413; bodies are read and thrown away), 10 s for a request to come in (408), 30 s for a
 * piece of an answer to go out.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <stdatomic.h>
#include <stdint.h>
#include <tmlrt.h>

/* What all connections share. It outlives the runtime. */
typedef struct {
    int64_t               idle_ns;  /* how long a connection may be idle; constant */
    atomic_bool           stopping; /* answers say Connection: close from now on; any thread */
    atomic_uint_least64_t opened;   /* connections; any thread */
    atomic_uint_least64_t requests; /* answers, of ended connections; any thread */
    atomic_uint_least64_t refused;  /* of those, answers with a status of 400 or above */
} server_t;

/* Settings of the parser, which it has once a process. Call it first. */
void connection_setup(void);

/* Starts the task of a new connection on the current runtime. On success it owns `sock`, on error
 * the caller still does. Returns 0 or what tmlrt_task_new said. */
int connection_spawn(server_t *server, tmlrt_sock_t *sock);

#endif
