/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/async.h: macros that let a C programmer write a stackless task as one function that reads
 * from top to bottom. They expand to a switch on a resume point that is kept in the state.
 *
 *     typedef struct { TMLRT_FRAME; tmlrt_op_t op; int i; } count_t;
 *
 *     static int32_t count_poll(void *state, tmlrt_cx_t *cx, void *result) {
 *         count_t *s = state;
 *         (void)result;
 *         TMLRT_BEGIN(s);
 *         for (s->i = 0; s->i < 3; s->i++) {
 *             TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_sleep(&s->op, NULL, TMLRT_S));
 *             printf("%d\n", s->i);
 *         }
 *         TMLRT_END(s);
 *     }
 *     static const tmlrt_task_type_t count_type = TMLRT_TASK_TYPE(count_t, count_poll, NULL);
 *
 * Rules: a local variable does not live across an await, so keep what must live in the state; no
 * await inside a nested switch; at most one await a line. The state begins as zeros (all bytes
 * but those the spawner sets). MSVC: not with /ZI (edit and continue), where a line's number is no
 * constant; /Zi and /Z7 are fine.
 * Source: the resume-by-switch idea is Tom Duff's, as used by Protothreads.
 */
#ifndef TMLRT_ASYNC_H
#define TMLRT_ASYNC_H

#include <tmlrt/op.h>
#include <tmlrt/task.h>

/* The resume point: a member of every state struct. */
#define TMLRT_FRAME uint32_t resume_point_

#if defined(__GNUC__) && (__GNUC__ >= 7 || defined(__clang__))
#define TMLRT_FALLTHROUGH_ __attribute__((fallthrough))
#else
#define TMLRT_FALLTHROUGH_ ((void)0)
#endif

/* Opens the body. `s` points to the state. */
#define TMLRT_BEGIN(s)                                                                             \
    switch ((s)->resume_point_) {                                                                  \
    case 0:

/* Closes the body: the task is READY. */
#define TMLRT_END(s)                                                                               \
    }                                                                                              \
    (s)->resume_point_ = UINT32_MAX;                                                               \
    return TMLRT_READY

/* Leaves the body early, READY. Set the result first. */
#define TMLRT_RETURN(s)                                                                            \
    do {                                                                                           \
        (s)->resume_point_ = UINT32_MAX;                                                           \
        return TMLRT_READY;                                                                        \
    } while (0)

/* Runs `prepare` once, then waits until the operation `op` is READY; go on with tmlrt_op_result.
 * `prepare` is any expression, also of type void: for several steps (a deadline, the members of an
 * any) call a function of your own. It runs before `op` is looked at, and `op` is evaluated at each
 * poll, so `prepare` may choose which operation that is. */
#define TMLRT_AWAIT(s, cx, op, prepare)                                                            \
    do {                                                                                           \
        (void)(prepare);                                                                           \
        (s)->resume_point_ = __LINE__;                                                             \
        TMLRT_FALLTHROUGH_;                                                                        \
    case __LINE__:                                                                                 \
        if (tmlrt_op_poll((op), (cx)) == TMLRT_PENDING) return TMLRT_PENDING;                      \
    } while (0)

/* Waits until the expression `poll`, evaluated at each poll, is no longer TMLRT_PENDING: an inline
 * child (child_poll(&s->child, cx, &s->value)) or tmlrt_ops_drain. */
#define TMLRT_AWAIT_POLL(s, cx, poll)                                                              \
    do {                                                                                           \
        (s)->resume_point_ = __LINE__;                                                             \
        TMLRT_FALLTHROUGH_;                                                                        \
    case __LINE__:                                                                                 \
        if ((poll) == TMLRT_PENDING) return TMLRT_PENDING;                                         \
    } while (0)

/* True once the body has ended: tells a drop whether the task finished or was cut short. */
#define TMLRT_IS_DONE(s) ((s)->resume_point_ == UINT32_MAX)

/* The alignment of a type, as C11 and C++11 both spell it. */
#ifdef __cplusplus
#define TMLRT_ALIGNOF_(type) alignof(type)
#else
#define TMLRT_ALIGNOF_(type) _Alignof(type)
#endif

/* Initialisers of a task type with state `state_type`, its poll function and its drop (or NULL);
 * the second form also has a result of type `result_type`. */
#define TMLRT_TASK_TYPE(state_type, poll_fn, drop_fn)                                              \
    {                                                                                              \
        sizeof(tmlrt_task_type_t), #poll_fn, sizeof(state_type), TMLRT_ALIGNOF_(state_type), 0, 0, \
            poll_fn, drop_fn, NULL, NULL                                                           \
    }
#define TMLRT_TASK_TYPE_RESULT(state_type, result_type, poll_fn, drop_fn)                          \
    {                                                                                              \
        sizeof(tmlrt_task_type_t), #poll_fn, sizeof(state_type), TMLRT_ALIGNOF_(state_type),       \
            sizeof(result_type), TMLRT_ALIGNOF_(result_type), poll_fn, drop_fn, NULL, NULL         \
    }

#endif
