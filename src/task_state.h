/* SPDX-License-Identifier: MIT */
/*
 * task_state.h: the state word of a task and all of its transitions, each a named function.
 *
 * One 64-bit word: flags below, a reference count above. The alive reference is held from the
 * spawn to the end of the task by whoever has the right to run it next (a queue, a runner, or
 * nobody while it waits); a handle and each cloned waker hold one more.
 *
 *             spawn                    begin                     end of poll
 *    (new) ----------> NOTIFIED --------------------> RUNNING ----------------> idle
 *                         ^                             | woken meanwhile: NOTIFIED stays set,
 *                         |  wake: idle -> NOTIFIED     | the runner queues it again
 *                         +-----------------------------+
 *                                                       | ended
 *                                                       v
 *                                                    COMPLETE (for good)
 *
 * NOTIFIED without RUNNING: exactly one queue entry exists. RUNNING: exactly one runner exists; a
 * wake only sets NOTIFIED. Who sets NOTIFIED on an idle task gets the duty to queue it.
 * CANCEL is a request; the runner reads it. JOINED says that somebody registered to be told of the
 * end. The word is 0 exactly when the block is free.
 *
 * Source: Tokio's task state (flags and count in one word, transitions as functions).
 */
#ifndef TMLRT__TASK_STATE_H
#define TMLRT__TASK_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "atomic.h"

#define TMLRT__TASK_RUNNING  ((uint64_t)0x01)
#define TMLRT__TASK_NOTIFIED ((uint64_t)0x02)
#define TMLRT__TASK_COMPLETE ((uint64_t)0x04)
#define TMLRT__TASK_CANCEL   ((uint64_t)0x08)
#define TMLRT__TASK_JOINED   ((uint64_t)0x10)
#define TMLRT__TASK_NEW      ((uint64_t)0x20) /* made, not started: no queue entry, no runner */
#define TMLRT__TASK_REF      ((uint64_t)0x100)

typedef tmlrt__atomic_u64 tmlrt__task_state_t;

/* A fresh word: NEW, with the alive reference and, if `handle`, one more. Plain store, release:
 * a walker of the heap may see it. */
void tmlrt__state_init(tmlrt__task_state_t *s, bool handle);

/* The same for a task that is started at once: NOTIFIED; the caller queues it. */
void tmlrt__state_init_started(tmlrt__task_state_t *s, bool handle);

/* NEW -> NOTIFIED. Before anyone else knows the task, or by the holder of its handle. False when it
 * was started before. */
bool tmlrt__state_start(tmlrt__task_state_t *s);

/* Wakes. True: the task was idle and the caller must queue it. Publishes what the caller wrote
 * before, whatever it returns. */
bool tmlrt__state_wake(tmlrt__task_state_t *s);

/* Asks for cancellation. QUEUE: as wake's true. ENDED: it had completed. */
typedef enum { TMLRT__CANCEL_SET, TMLRT__CANCEL_QUEUE, TMLRT__CANCEL_ENDED } tmlrt__cancel_t;
tmlrt__cancel_t tmlrt__state_cancel(tmlrt__task_state_t *s);

/* NOTIFIED -> RUNNING, by who took it from a queue. Observes what the wakers wrote. True when
 * cancellation has been asked for. */
bool tmlrt__state_begin(tmlrt__task_state_t *s);

/* Still RUNNING: the runner goes on with a task that it, or another, had queued while it was
 * RUNNING (it wanted another turn). As begin, without a read-modify-write unless it was woken. */
bool tmlrt__state_resume(tmlrt__task_state_t *s);

/* RUNNING -> idle at the end of a poll that said PENDING. True: woken (or cancelled) meanwhile; it
 * is NOTIFIED and the caller must queue it. */
bool tmlrt__state_end_poll(tmlrt__task_state_t *s);

/* RUNNING -> COMPLETE. Publishes result and outcome.
 * FREE: nobody else knows the task; the caller frees it. TOLD: somebody is registered; the caller
 * keeps the alive reference, tells them, and then calls unref. GONE: the alive reference is given
 * up; the caller must not touch the task any more. */
typedef enum { TMLRT__END_FREE, TMLRT__END_TOLD, TMLRT__END_GONE } tmlrt__end_t;
tmlrt__end_t tmlrt__state_complete(tmlrt__task_state_t *s);

/* Registers interest in the end. False: it has completed already (and is observed). */
bool tmlrt__state_join(tmlrt__task_state_t *s);

/* True when complete; then the result and outcome are observed. */
bool tmlrt__state_is_complete(const tmlrt__task_state_t *s);

/* True once cancellation has been asked for. */
bool tmlrt__state_is_cancelled(const tmlrt__task_state_t *s);

/* True while a runner has it. A hint. */
bool tmlrt__state_is_running(const tmlrt__task_state_t *s);

/* True until the start. By the holder of the handle. */
bool tmlrt__state_is_new(const tmlrt__task_state_t *s);

/* True while a queue has it: it is NOTIFIED, not RUNNING. A hint. */
bool tmlrt__state_is_queued(const tmlrt__task_state_t *s);

void tmlrt__state_ref(tmlrt__task_state_t *s);
/* Gives up one reference; true: it was the last, the caller frees the task. */
bool tmlrt__state_unref(tmlrt__task_state_t *s);

/* A walker found the word non-zero: takes a reference unless the task is free, about to be, or
 * complete. */
bool tmlrt__state_try_ref(tmlrt__task_state_t *s);

#endif
