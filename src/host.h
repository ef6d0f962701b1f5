/* SPDX-License-Identifier: MIT */
/*
 * host.h: what tasks and operations need from the runtime above them, as a small struct of
 * functions, so that this layer calls upward without knowing who is there. A runtime begins with
 * a host; tests make one of their own.
 *
 * It also declares the "current" record of a thread: which host, worker and task it is running.
 */
#ifndef TMLRT__HOST_H
#define TMLRT__HOST_H

#include <stdbool.h>
#include <stdint.h>

#include <tmlrt/op.h>
#include <tmlrt/task.h>

#include "alloc.h"
#include "atomic.h"

typedef struct tmlrt__host tmlrt__host_t;

typedef struct tmlrt__host_ops {
    /* Queues a task that has just become notified; the queue's turn to run it is handed over.
     * Any thread. Never fails. */
    void (*schedule)(tmlrt__host_t *host, tmlrt_task_t *task);
    /* Queues a task that was just spawned: newest first. Any thread. Never fails. */
    void (*spawned)(tmlrt__host_t *host, tmlrt_task_t *task);
    /* Takes `task` off the end of the caller's deque and runs it here, if it lies there. */
    bool (*run_inline)(tmlrt__host_t *host, tmlrt_task_t *task);
    /* A job of the blocking pool was asked to end: true when it waited in the queue, and is now the
     * caller's to run (which ends it). */
    bool (*withdraw)(tmlrt__host_t *host, tmlrt_task_t *task);
    /* Counts a task that is about to be made (`flags`: TMLRT_TASK_*), or refuses it: ESHUTDOWN. */
    int (*admit)(tmlrt__host_t *host, uint32_t flags);
    /* Takes an admitted task off the count: it has ended, or was never made. Once a task. */
    void (*ended)(tmlrt__host_t *host, uint32_t flags);
    /* Arms the operation's timer for op->timer.when; the timer arm is set on return. Any thread. */
    void (*timer_start)(tmlrt__host_t *host, tmlrt_op_t *op);
    /* Takes the timer out. On return it has either been taken out (true) or had fired (false). */
    bool (*timer_stop)(tmlrt__host_t *host, tmlrt_op_t *op);
    int64_t (*now)(tmlrt__host_t *host);
    /* The driver that a new source shall belong to: the next in turn, or the caller's own (the
     * next in turn where the caller is no worker). */
    struct tmlrt__driver *(*driver)(tmlrt__host_t *host, bool in_turn);
    /* The driver of number n, modulo how many there are: the same for the same n. */
    struct tmlrt__driver *(*driver_of)(tmlrt__host_t *host, uint64_t n);
    /* Drives the host, a current-thread one of this thread, until *done is non-zero or `deadline`
     * (on its clock) has passed. False: it is replayed, and nothing will ever happen there; or one
     * of its tasks forked, and this is the child. */
    bool (*drive)(tmlrt__host_t *host, tmlrt__atomic_u32 *done, int64_t deadline);
    /* Any thread: makes a drive look at its *done again. */
    void (*kick)(tmlrt__host_t *host);
} tmlrt__host_ops_t;

struct tmlrt__host {
    const tmlrt__host_ops_t *ops;
    tmlrt__heap_t           *tasks;        /* blocks of tasks; walked by shutdown and dumps */
    tmlrt_allocator_t        mem;          /* for everything that is rare */
    tmlrt__host_t           *owned_before; /* the owner's: the next of its `owned` */
    struct tmlrt__stacks    *stacks;       /* of fibers */
    struct tmlrt__blocking  *blocking;     /* the pool for code that blocks */
    struct tmlrt__chance    *chance;       /* of a replayed host (chance.h), else NULL */
    uint64_t                 owner;        /* then: the one thread that may call */
    uint32_t                 fork_generation;
    tmlrt__atomic_u32        phase; /* TMLRT__HOST_*, only ever grows */
};

#define TMLRT__HOST_RUNNING  0u
#define TMLRT__HOST_STOPPING 1u /* spawns from outside are refused */
#define TMLRT__HOST_STOPPED  2u /* every spawn is refused */

/* What others than fiber.c know of a fiber: its first member. Owner: the fiber. */
struct tmlrt__fiber {
    struct tmlrt__scope *scope;  /* the one that it opened last; NULL: none */
    tmlrt_cx_t          *cx;     /* of the poll under way */
    void                *here;   /* tml_task.h's: the future that it polls; NULL: none */
    uint32_t             shield; /* shields begun */
};

/* What this thread is running. Owner: the thread. `busy` is non-zero while user code that must not
 * block runs: a stackless poll, a drop, a hook. */
typedef struct tmlrt__current {
    tmlrt__host_t        *host;   /* of a worker, or of whoever drives; else NULL */
    tmlrt_task_t         *task;   /* being polled; else NULL */
    void                 *worker; /* the worker.h worker; else NULL */
    struct tmlrt__chance *chance; /* of a replayed host; else NULL */
    tmlrt__heap_cache_t  *cache;  /* of that worker; else NULL */
    tmlrt__host_t        *owned;  /* the current-thread hosts made on this thread, newest first */
    uint32_t              index;  /* of that worker */
    struct tmlrt__fiber  *fiber;  /* that runs on this thread now; else NULL */
    int (*await)(tmlrt_op_t *op); /* of that fiber */
    struct tmlrt__scope *scope;   /* the one opened last by what runs on the thread's own stack */
    uint32_t             busy;
    uint32_t             budget;    /* operations that may still be READY at once in this poll */
    uint64_t             exhausted; /* times a task was made to yield by its budget */
} tmlrt__current_t;

/* The record's address must be asked for anew after anything that may switch stacks. */
#if defined(TMLRT_MODEL)
tmlrt__current_t *tmlrt__current(void); /* the model's: its threads are fibers of one */
#else
extern _Thread_local tmlrt__current_t tmlrt__current_record;

static inline tmlrt__current_t *tmlrt__current(void) {
    return &tmlrt__current_record;
}
#endif

#define TMLRT__BUDGET 128u

/* True in a child forked since the host was made. */
bool tmlrt__host_forked(const tmlrt__host_t *host);

/* True on any thread but the one that a replayed host runs on. */
bool tmlrt__host_is_foreign(const tmlrt__host_t *host);

/* The newest current-thread host of this thread that was not left behind by a fork, or NULL. */
tmlrt__host_t *tmlrt__host_owned(void);

/* The host that a NULL runtime means here, or NULL. */
tmlrt__host_t *tmlrt__host_or_current(tmlrt__host_t *host);

#endif
