/* SPDX-License-Identifier: MIT */
/*
 * kinds_io.h: the part of the table of kinds.h that is not of memory alone: tasks, time, jobs,
 * sockets, descriptors. Only for kinds.c.
 */
#ifndef TESTS_SUPPORT_KINDS_IO_H
#define TESTS_SUPPORT_KINDS_IO_H

#include "kinds.h"

void join_prepare(thing_t *t, int who);
void join_give(thing_t *t);
void join_ended(thing_t *t, int who, int64_t result);
void join_close(thing_t *t);
void time_open(thing_t *t);
void time_prepare(thing_t *t, int who);
void time_close(thing_t *t);
void bytes_open(thing_t *t);
void bytes_prepare(thing_t *t, int who);
void bytes_give(thing_t *t);
void bytes_ended(thing_t *t, int who, int64_t result);
void bytes_close(thing_t *t);
void write_open(thing_t *t);
void write_prepare(thing_t *t, int who);
void write_give(thing_t *t);
void write_ended(thing_t *t, int who, int64_t result);
void write_close(thing_t *t);
void accept_open(thing_t *t);
void accept_prepare(thing_t *t, int who);
void accept_give(thing_t *t);
void accept_ended(thing_t *t, int who, int64_t result);
void accept_close(thing_t *t);
void connect_prepare(thing_t *t, int who);
void udp_open(thing_t *t);
void udp_prepare(thing_t *t, int who);
void udp_give(thing_t *t);
void udp_ended(thing_t *t, int who, int64_t result);
void udp_close(thing_t *t);
void fd_open(thing_t *t);
void fd_prepare(thing_t *t, int who);
void fd_give(thing_t *t);
void fd_ended(thing_t *t, int who, int64_t result);
void fd_close(thing_t *t);
void resolve_prepare(thing_t *t, int who);
void resolve_ended(thing_t *t, int who, int64_t result);
void nothing(thing_t *t);
void nothing_ended(thing_t *t, int who, int64_t result);

/* clang-format off */
#define KINDS_IO                                                                                   \
    {"join", KIND_ALONE, 0, nothing, join_prepare, join_give, join_ended, join_close},             \
    {"blocking job", KIND_ALONE | KIND_SLOW, 1, nothing, join_prepare, join_give, join_ended,      \
     join_close},                                                                                  \
    {"sleep", 0, 0, time_open, time_prepare, nothing, nothing_ended, time_close},                  \
    {"tick", KIND_ALONE, 1, time_open, time_prepare, nothing, nothing_ended, time_close},          \
    {"TCP read", KIND_ALONE, 1, bytes_open, bytes_prepare, bytes_give, bytes_ended, bytes_close},  \
    {"TCP read of three", KIND_ALONE, 3, bytes_open, bytes_prepare, bytes_give, bytes_ended,       \
     bytes_close},                                                                                 \
    {"pipe read", KIND_ALONE, 0, bytes_open, bytes_prepare, bytes_give, bytes_ended, bytes_close}, \
    {"TCP write", KIND_ALONE | KIND_SLOW, 0, write_open, write_prepare, write_give, write_ended,   \
     write_close},                                                                                 \
    {"accept", KIND_ALONE, 0, accept_open, accept_prepare, accept_give, accept_ended,              \
     accept_close},                                                                                \
    {"connect", KIND_ALONE | KIND_SLOW, 0, accept_open, connect_prepare, nothing, accept_ended,    \
     accept_close},                                                                                \
    {"UDP receive", KIND_ALONE, 0, udp_open, udp_prepare, udp_give, udp_ended, udp_close},         \
    {"descriptor", KIND_ALONE, 0, fd_open, fd_prepare, fd_give, fd_ended, fd_close},               \
    {"resolve", KIND_SLOW, 0, nothing, resolve_prepare, nothing, resolve_ended, nothing}
/* clang-format on */

#endif
