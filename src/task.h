/* SPDX-License-Identifier: MIT */
/*
 * task.h: the task: header, state and result in one block; its life from spawn to free.
 *
 *     | header, 96 bytes | state, aligned as its type says | result |
 *
 * Who may touch what is said at each field. "runner" is the thread that moved the state word to
 * RUNNING; runners follow one another with acquire and release on that word.
 */
#ifndef TMLRT__TASK_H
#define TMLRT__TASK_H

#include <stdbool.h>
#include <stdint.h>

#include <tmlrt/task.h>

#include "host.h"
#include "list.h"
#include "op.h"
#include "task_state.h"

/* Internal flag beside TMLRT_TASK_*: the state is a fiber's (fiber.c). */
#define TMLRT__TASK_FIBER 0x80u
/* Two bits: its stack class, counted from 0. */
#define TMLRT__TASK_STACK 0x10u
/* The same: a job of the blocking pool (blocking.c), never queued on a worker. */
#define TMLRT__TASK_BLOCKING 0x40u
/* Of a replayed host. */
#define TMLRT__TASK_REPLAYED 0x08u

/* Internal answers of a poll beside TMLRT_READY and the like: a fiber's job was withdrawn, or a fiber
 * found no stack; it never began. */
#define TMLRT__POLL_CANCELLED 3
#define TMLRT__POLL_NOMEM     4

/* What few tasks have: names, a spawn site, a deadline, a scope, task-locals. A block of the task's
 * heap; its first word is 0 for good, so that a walk of the heap takes it for a free one. */
typedef struct tmlrt__task_extra {
    uint64_t             unused;
    const char          *name; /* NULL: the type's */
    const char          *site;
    struct tmlrt__scope *scope;       /* constant; NULL: none. Child of it from enter to leave */
    tmlrt__list_t        sibling;     /* under the scope's gate: linked from enter to unlink */
    tmlrt_task_t        *task;        /* constant from enter on: whose this is */
    struct tmlrt__local *locals;      /* runner (until the start: the maker) */
    bool                 closed;      /* runner: no locals may be set, for now or any more */
    uint16_t             cls;         /* constant: block class */
    int64_t              deadline_at; /* constant; 0: none, then the block ends here */
    tmlrt_op_t           deadline;    /* a sleep of the task's own, in its list; runner only */
} tmlrt__task_extra_t;

/* runner's progress */
#define TMLRT__STEP_POLL  0 /* poll it */
#define TMLRT__STEP_DRAIN 1 /* its operations are being ended; then drop and complete */

struct tmlrt_task {
    tmlrt__task_state_t      state; /* any thread, atomic; first: the heap's walker reads it */
    const tmlrt_task_type_t *type;  /* constant */
    tmlrt__host_t           *host;  /* constant; gone after destroy, when the task is complete */
    TMLRT__WATCHED(tmlrt_task_t *) next; /* who queued it: link of the overflow list */
    tmlrt__op_list_t ops;                /* runner: operations in flight */
    TMLRT__WATCHED(tmlrt__op_link_t *)
    joiners;                 /* under join_latch: who waits for the end, oldest first */
    uint64_t          id;    /* constant */
    tmlrt__atomic_ptr extra; /* NULL for most; set once, by the maker or the runner; any reads */
    tmlrt__heap_t    *heap;  /* constant; outlives the host */
    tmlrt__latch_t    join_latch;
    TMLRT__WATCHED(uint8_t) step;    /* runner: TMLRT__STEP_* */
    TMLRT__WATCHED(uint8_t) outcome; /* runner; published by COMPLETE: 0 or -TMLRT_E* */
    uint8_t           flags;         /* constant: TMLRT_TASK_* */
    uint16_t          cls;           /* constant: block class */
    uint16_t          pin;           /* constant: worker of a pinned task */
    tmlrt__atomic_u8  taken;         /* any thread: 1 once the result was moved out or dropped */
    uint8_t           has_result;    /* runner: poll said READY */
    uint8_t           again;     /* runner: it wants another turn, and stays RUNNING meanwhile */
    uint8_t           forks;     /* constant: the process's fork generation, low bits */
    tmlrt__atomic_ptr waits_for; /* runner writes, dumps read: a constant string or NULL */
};

_Static_assert(sizeof(struct tmlrt_task) <= 96, "a task header is at most 96 bytes");

/* TMLRT_OK, or TMLRT_EINVAL for a task type that makes no sense. */
int tmlrt__type_check(const tmlrt_task_type_t *type);

/* One poll of a future of `type`, inside its guard if it has one. */
int32_t tmlrt__type_poll(const tmlrt_task_type_t *type, void *state, tmlrt_cx_t *cx, void *result);

/* Where the state and the result lie. */
void *tmlrt__task_state(tmlrt_task_t *task);
void *tmlrt__task_result(tmlrt_task_t *task);

/* The waker vtable of tasks; data is the task. */
extern const tmlrt_waker_vtable_t tmlrt__task_waker;

/* The task's extra, or NULL. Any thread. */
static inline tmlrt__task_extra_t *tmlrt__task_extra(const tmlrt_task_t *task) {
    /* acquire: observes its names; pairs [TX-1] */
    return (tmlrt__task_extra_t *)tmlrt__load_acquire(&((tmlrt_task_t *)task)->extra);
}

/* The same, made when there is none; NULL: no memory. The maker or the runner. */
tmlrt__task_extra_t *tmlrt__task_need_extra(tmlrt_task_t *task);

/* The scope that it is, was or will be a child of, or NULL. */
static inline struct tmlrt__scope *tmlrt__task_scope(const tmlrt_task_t *task) {
    const tmlrt__task_extra_t *x = tmlrt__task_extra(task);
    return x != NULL ? x->scope : NULL;
}

/* Makes a task of `host`: state uninitialised, state word still 0, so that nobody sees it. Checks
 * type and options. `admit`: also counts it as alive, or is refused. */
int tmlrt__task_create(tmlrt__host_t *host, const tmlrt_task_type_t *type,
                       const tmlrt_task_options_t *options, bool admit, tmlrt_task_t **out);

/* An admitted task whose state is there becomes a child of its scope, if it has one. `handle`: one
 * will be wanted. On an error the task is gone (its state is the caller's), and *not* to be undone. */
int tmlrt__task_enter(tmlrt_task_t *task, bool handle);

/* Takes an admitted task back that was not submitted; entered or not, as `handle` said. */
void tmlrt__task_undo(tmlrt_task_t *task, bool handle);

/* Makes an entered task one that is started, with a handle to *handle unless that is NULL; the
 * caller queues it. In one with that: submit. */
void tmlrt__task_publish(tmlrt_task_t *task, tmlrt_task_t **handle);
void tmlrt__task_submit(tmlrt_task_t *task, tmlrt_task_t **handle);

/* Runs a task that was taken from a queue: one poll (or one step of its ending). RUN_AGAIN: it was
 * woken meanwhile and the caller queues it; otherwise the caller must not touch it any more. */
typedef enum { TMLRT__RUN_WAITS, TMLRT__RUN_AGAIN, TMLRT__RUN_ENDED } tmlrt__run_t;
tmlrt__run_t tmlrt__task_run(tmlrt_task_t *task);

/* Under join_latch: takes a registered waiter out. */
void tmlrt__task_join_remove(tmlrt_task_t *task, tmlrt__op_t *op);

/* The owner of `cx`, inside its poll: asks for another turn. Cheaper than a wake where the task
 * itself is what would be woken. */
void tmlrt__task_again(const tmlrt_cx_t *cx);

/* What join and abort ask first. The task may end and its host go meanwhile, so neither looks into the
 * host (but a replayed one, which lives on one thread). Forked: it is a task of the parent. Foreign:
 * it is replayed, on another thread than this. */
bool tmlrt__task_is_forked(const tmlrt_task_t *task);
bool tmlrt__task_is_foreign(const tmlrt_task_t *task);

/* Drops one reference, freeing the task with the last one. Any thread, also after the host. */
void tmlrt__task_unref(tmlrt_task_t *task);

const char *tmlrt__task_site(const tmlrt_task_t *task); /* or NULL */

#endif
