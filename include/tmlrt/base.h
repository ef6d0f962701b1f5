/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/base.h: what every other public header needs: fixed-size types, the export mark, C++
 * linkage, and the forward declarations of the opaque types. It declares no function.
 */
#ifndef TMLRT_BASE_H
#define TMLRT_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(TMLRT_SHARED)
#ifdef TMLRT_BUILDING
#define TMLRT_API __declspec(dllexport)
#else
#define TMLRT_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define TMLRT_API __attribute__((visibility("default")))
#else
#define TMLRT_API
#endif

#ifdef __cplusplus
#define TMLRT_BEGIN_DECLS extern "C" {
#define TMLRT_END_DECLS   }
#else
#define TMLRT_BEGIN_DECLS
#define TMLRT_END_DECLS
#endif

#ifdef __cplusplus
#define TMLRT_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define TMLRT_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

/* Opaque: made and ended by the library. */
typedef struct tmlrt_runtime tmlrt_runtime_t; /* tmlrt/runtime.h */
typedef struct tmlrt_task    tmlrt_task_t;    /* tmlrt/task.h */
typedef struct tmlrt_sock    tmlrt_sock_t;    /* tmlrt/net.h */
typedef struct tmlrt_fd      tmlrt_fd_t;      /* tmlrt/fd.h */
typedef struct tmlrt_signal  tmlrt_signal_t;  /* tmlrt/signal.h */

/* Placed by the caller: complete types in their headers. */
typedef struct tmlrt_waker tmlrt_waker_t; /* tmlrt/waker.h */
typedef struct tmlrt_cx    tmlrt_cx_t;    /* tmlrt/waker.h */
typedef struct tmlrt_op    tmlrt_op_t;    /* tmlrt/op.h */
typedef struct tmlrt_scope tmlrt_scope_t; /* tmlrt/scope.h */

#endif
