/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/signal.h: signals of the process as operations. Opening a signal for the first time
 * installs a handler for it, process-wide; closing the last one puts the former handler back.
 * Signals are counted from the open on, so that none is missed between two waits; the operating
 * system itself may merge several into one.
 * On Windows these are console control events: SIGINT (Ctrl+C), SIGBREAK (Ctrl+Break), and SIGTERM,
 * which stands for the closing of the console, the logoff and the shutdown; after it the system ends
 * the process in a few seconds. Every other number is TMLRT_EINVAL there.
 */
#ifndef TMLRT_SIGNAL_H
#define TMLRT_SIGNAL_H

#include <tmlrt/base.h>
#include <tmlrt/op.h>

TMLRT_BEGIN_DECLS

/* Begins to listen for signal `signo` (SIGINT, SIGTERM, SIGHUP, SIGUSR1, ... of <signal.h>; not
 * SIGKILL, SIGSTOP, nor the synchronous SIGSEGV, SIGBUS, SIGFPE, SIGILL). Several runtimes and
 * several registrations may listen for the same one; each sees every delivery.
 * Owns: *sig is the caller's, ended by tmlrt_signal_close. Threads: any.
 * Errors: TMLRT_EINVAL, TMLRT_ENOMEM, TMLRT_ENORUNTIME, TMLRT_ESHUTDOWN, TMLRT_EMFILE,
 * TMLRT_ENOBUFS (more than 64 runtimes of the process listen). */
TMLRT_API int tmlrt_signal_open(tmlrt_runtime_t *rt, int signo, tmlrt_signal_t **sig);

/* Ends a registration; waits in flight complete with TMLRT_ECANCELED. NULL is allowed and does
 * nothing. Threads: any. */
TMLRT_API void tmlrt_signal_close(tmlrt_signal_t *sig);

/* Prepares `op` to become ready when the signal has come; the result is how often since the last
 * time that an operation of this registration was ready (at least 1). Cancel: at once, nothing is
 * lost. Errors: TMLRT_EINVAL, TMLRT_EBUSY. */
TMLRT_API int tmlrt_op_signal(tmlrt_op_t *op, tmlrt_signal_t *sig);

TMLRT_END_DECLS

#endif
