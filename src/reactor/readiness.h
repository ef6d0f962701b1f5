/* SPDX-License-Identifier: MIT */
/*
 * readiness.h: the completion contract over system calls that would block: start tries the call
 * while readiness is believed, sleeps on the source's word otherwise, and resume tries again. For
 * backends that tell of readiness, edge-triggered (epoll, kqueue): they use these three as their
 * class's, and report events by tmlrt__source_event.
 *
 * Also the calls themselves, one try each, for tries without an operation and for the simulation.
 */
#ifndef TMLRT__READINESS_H
#define TMLRT__READINESS_H

#include "source.h"

int32_t tmlrt__readiness_start(tmlrt__op_t *op, tmlrt_cx_t *cx);
int32_t tmlrt__readiness_resume(tmlrt__op_t *op, tmlrt_cx_t *cx);
int32_t tmlrt__readiness_cancel(tmlrt__op_t *op, int reason);

/* What one try of an operation came to. */
typedef enum {
    TMLRT__TRY_END,       /* op->result is set; more may be there */
    TMLRT__TRY_END_SHORT, /* the same after a short transfer: probably nothing is left */
    TMLRT__TRY_MORE,      /* moved on; try again */
    TMLRT__TRY_SHORT,     /* moved on by a short transfer: probably has to wait */
    TMLRT__TRY_DRAINED    /* EAGAIN: has to wait */
} tmlrt__try_t;

/* Claim held: one system call for `op`. Of a connect: asks what became of it. */
tmlrt__try_t tmlrt__readiness_try(tmlrt__op_t *op, tmlrt__source_t *s);

/* Begins a connect to the address in op->u.io: TMLRT_OK (under way or done) or the error. */
int tmlrt__readiness_connect(tmlrt__op_t *op, tmlrt__source_t *s);

/* One call without an operation: bytes, TMLRT_EAGAIN or the error. Claim or pin held. */
int64_t tmlrt__readiness_recv(const tmlrt__source_t *s, void *buf, size_t size);
int64_t tmlrt__readiness_send(const tmlrt__source_t *s, const void *buf, size_t size);

#endif
