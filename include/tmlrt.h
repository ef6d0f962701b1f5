/* SPDX-License-Identifier: MIT */
/*
 * tmlrt.h: the umbrella of libtmlrt's public headers, one header a subject.
 *
 * libtmlrt is a multi-threaded async runtime with a stable C ABI. Tasks are state machines that a
 * worker polls; everything that can be waited for is one type, the operation (tmlrt_op_t). Every
 * function takes and returns scalars and pointers only, so that a compiler can call it from IR.
 *
 * How to read the doc blocks: each says what the function does and then, where it is not obvious,
 *   Threads   who may call it and at the same time as what
 *   Suspends  whether it may suspend a task or block a thread (a block without it never does)
 *   Owns      who owns each pointer, before and after
 *   Cancel    what cancelling does
 *   Errors    the negative TMLRT_E* that it returns
 *   Since     the first version that has it (0.1 where it is not said)
 * Two errors are documented here, once: after fork, in the child, every call that reaches a
 * runtime returns TMLRT_EFORKED; a NULL where a pointer is required returns TMLRT_EINVAL and
 * changes nothing.
 */
#ifndef TMLRT_H
#define TMLRT_H

#include <tmlrt/async.h>
#include <tmlrt/base.h>
#include <tmlrt/chan.h>
#include <tmlrt/blocking.h>
#include <tmlrt/error.h>
#include <tmlrt/fd.h>
#include <tmlrt/fiber.h>
#include <tmlrt/local.h>
#include <tmlrt/main.h>
#include <tmlrt/net.h>
#include <tmlrt/notify.h>
#include <tmlrt/op.h>
#include <tmlrt/pipe.h>
#include <tmlrt/replay.h>
#include <tmlrt/resolve.h>
#include <tmlrt/runtime.h>
#include <tmlrt/scope.h>
#include <tmlrt/signal.h>
#include <tmlrt/sync.h>
#include <tmlrt/task.h>
#include <tmlrt/time.h>
#include <tmlrt/token.h>
#include <tmlrt/udp.h>
#include <tmlrt/unix.h>
#include <tmlrt/version.h>
#include <tmlrt/waker.h>

#endif
