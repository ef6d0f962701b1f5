/* SPDX-License-Identifier: MIT */
/*
 * op.h: the inside of an operation, and how one ends across threads.
 *
 * Owner: the task (or plain thread) that polls it. Only the owner touches the plain fields. An
 * operation waits through at most two arms: the source (a socket, a task's end, a notify, ...) and
 * the timer (a sleep or a deadline). Each arm has one agent, which ends it by tmlrt__op_fire from
 * any thread. An arm that is ARMED pins the operation: the owner may not end it until the arm is
 * FIRED or was disarmed with its agent's lock held.
 *
 * Fire is three steps, under the operation's latch bit: notify the task (or take the waker), publish
 * FIRED and drop the latch in one release store, and only then queue the task. After the store the
 * operation may be gone; the task cannot be, because an idle task that was notified does not run
 * before it is queued, and a running one keeps itself. So the agent needs no reference.
 *
 * Everything else happens in the owner: it tries again, compares deadline with result, cancels.
 *
 * Wakers: the task's own waker is stored as the bare task pointer and needs no count. Any other is
 * cloned into a cell of its own.
 */
#ifndef TMLRT__OP_H
#define TMLRT__OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tmlrt/op.h>

#include "atomic.h"
#include "host.h"
#include "list.h"
#include "wheel.h"

typedef struct tmlrt__op       tmlrt__op_t;
typedef struct tmlrt__op_class tmlrt__op_class_t;

typedef void (*tmlrt__op_visit_t)(tmlrt__op_t *op, void *ctx);

/* What a kind of operation does. All run in the owner, inside a poll (or an await). */
struct tmlrt__op_class {
    const char *waits_for; /* for reports: "read", "sleep" */
    /* Tries, and arms what it needs. READY: op->result is set and nothing is armed. PENDING: the
     * source arm is set (or `always` is), its agent will fire. */
    int32_t (*start)(tmlrt__op_t *op, tmlrt_cx_t *cx);
    /* The source fired (or `always`): as start. NULL: firing is the end, the agent set result. */
    int32_t (*resume)(tmlrt__op_t *op, tmlrt_cx_t *cx);
    /* Ends the wait. READY: the source is disarmed, op->result is `reason` or, where the operation
     * had already succeeded, its success. PENDING: the source is still armed and will fire. Also
     * called with the source fired and not resumed: then it must not be armed again (but by a
     * scope's guard, whose end takes several fires). NULL: there is no source (timers alone). */
    int32_t (*cancel)(tmlrt__op_t *op, int reason);
    /* The host whose timers serve it; NULL hook or NULL: that of the task or thread. It must stay
     * while the operation is in flight. */
    tmlrt__host_t *(*host)(const tmlrt__op_t *op);
    /* Of one that backs off, where there is no other host: one that keeps the time of its rest. It
     * stays until the give. NULL: it goes, having fired what it keeps. NULL hook: it never backs
     * off. */
    tmlrt__host_t *(*lend)(const tmlrt__op_t *op);
    void (*give)(const tmlrt__op_t *op);
    /* The host that has to run for it to end, or NULL: an owner that awaits drives that one of its
     * own. It may be gone: not to be looked into. NULL hook: as host. */
    const tmlrt__host_t *(*about)(const tmlrt__op_t *op);
    /* One made of others: visits those. NULL: it is not. */
    void (*each)(const tmlrt__op_t *op, tmlrt__op_visit_t visit, void *ctx);
    bool always;       /* resume at every poll: it waits through operations of its own */
    bool timer_is_end; /* the timer arm is the purpose (sleep), not a deadline; with a resume it
                          takes effect only there, and a cancel before leaves things as they were */
};

/* ctl: shared with the agents. */
#define TMLRT__OP_LATCH     0x01u
#define TMLRT__OP_SRC_ARMED 0x02u
#define TMLRT__OP_SRC_FIRED 0x04u
#define TMLRT__OP_TMR_ARMED 0x08u
#define TMLRT__OP_TMR_FIRED 0x10u

/* phase: owner only. */
#define TMLRT__OP_IDLE     0 /* never prepared */
#define TMLRT__OP_PREPARED 1
#define TMLRT__OP_FLIGHT   2
#define TMLRT__OP_ENDED    3
#define TMLRT__OP_BACKOFF  4 /* started, its source is not armed; starts again with its timer */

/* The operations in flight of one task (or one nested future), newest first. Owner only. */
typedef struct tmlrt__op_list {
    tmlrt__op_t *first;
} tmlrt__op_list_t;

/* A link in the queue of a source; under the source's lock. */
typedef tmlrt__list_t tmlrt__op_link_t;

struct tmlrt__op {
    tmlrt__atomic_u32        ctl;    /* any thread, atomic */
    uint8_t                  phase;  /* owner only, as all below where not said */
    uint8_t                  reason; /* 0, or -TMLRT_E* of the cancellation under way */
    uint16_t                 wheel;  /* which wheel holds the timer; written by timer_start */
    const tmlrt__op_class_t *cls;
    TMLRT__WATCHED(int64_t) result;  /* agent before FIRED; owner after */
    tmlrt__op_t  *next;              /* the task's list of operations in flight */
    tmlrt__op_t **pprev;             /* NULL: not linked */
    TMLRT__WATCHED(uintptr_t) waker; /* under the latch while an arm is armed: task, cell|1, or 0 */
    tmlrt__timer_t timer;            /* under the wheel's latch while armed; when: the deadline */
    union {                          /* 56 bytes a kind may use */
        struct {                     /* read, write, accept, connect, fd: reactor/reactor.h */
            void  *handle;
            void  *buf;
            size_t len;
            union { /* what a backend keeps while the operation is in flight */
                tmlrt__op_link_t link;
                uint64_t         backend[4]; /* OVERLAPPED of Windows is 32 bytes */
            } u;
        } io;
        struct { /* join */
            tmlrt_task_t    *task;
            void            *out;
            tmlrt__op_link_t link;
        } join;
        struct { /* any, all */
            tmlrt_op_t *const *ops;
            size_t             n;
            size_t             left, winner;
        } set;
        struct { /* future */
            const tmlrt_task_type_t *type;
            void                    *state, *value;
            tmlrt__op_list_t         ops;   /* of the future, where no task's list is at hand */
            uint32_t                 stage; /* op_compose.c */
        } future;
        struct { /* sleep, tick, yield */
            tmlrt__host_t *host;
            int64_t        ns;
            void          *object;
            uint32_t       stage;
        } time;
        struct {                   /* resolve */
            void          *lookup; /* while in flight */
            tmlrt__host_t *host;
            const char    *name;
            void          *out;
            size_t         max;
            int            port;
        } resolve;
        struct { /* notify, stopping, signal: an object with a queue of waiters */
            void            *object;
            tmlrt__op_link_t link;
            uint64_t         word;
            uint64_t         more; /* gate.h, chan.c: the object's, as word */
            void            *item;
            uint32_t         granted; /* 0, or what the object gave it */
        } wait;
    } u;
};

_Static_assert(sizeof(tmlrt__op_t) <= sizeof(tmlrt_op_t), "the inside fits the public operation");

static inline tmlrt__op_t *tmlrt__op(tmlrt_op_t *op) {
    return (tmlrt__op_t *)(void *)op;
}

/* ---- for the kinds: preparing --------------------------------------------------------------- */

/* Makes `op` a prepared operation of `cls` with its kind's fields zeroed. TMLRT_EINVAL for NULL,
 * TMLRT_EBUSY in flight (then untouched). */
int tmlrt__op_prepare(tmlrt_op_t *op, const tmlrt__op_class_t *cls);

/* Prepares `op` to end with `error` at its first poll, and returns `error`: for bad arguments. */
int tmlrt__op_prepare_failed(tmlrt_op_t *op, int error);

/* Owner, in start or resume, with nothing armed: makes the operation start again at `abs_ns` (its
 * deadline still counts); the caller then returns PENDING. For operations of the io kinds. */
void tmlrt__op_backoff(tmlrt__op_t *op, int64_t abs_ns);

/* ---- for the agents: ending an arm ---------------------------------------------------------- */

/* What a fire leaves to do once no lock is held: nothing, a task to queue, or a waker to wake. */
typedef uintptr_t tmlrt__wake_t;

/* Owner, before the agent can know the operation: marks the source armed. */
void tmlrt__op_arm(tmlrt__op_t *op, uint32_t armed_bit);

/* Owner, with the agent's lock held or the agent never told: takes the mark back. */
void tmlrt__op_disarm(tmlrt__op_t *op, uint32_t armed_bit);

/* Agent: ends the arm (`armed_bit` becomes the fired bit beside it) with what it wrote to
 * op->result. Calls no user code, so a lock may be held. The operation may be gone on return. */
tmlrt__wake_t tmlrt__op_fire(tmlrt__op_t *op, uint32_t armed_bit);

/* Agent, without any lock: carries out what the fire left. */
void tmlrt__wake_run(tmlrt__wake_t wake);

/* Owner: starts a prepared operation as the poll does, but whatever the turn's budget says. */
int32_t tmlrt__op_begin(tmlrt_op_t *op, tmlrt_cx_t *cx);

/* Owner: what the arms say now (waits out a fire that is half done). */
uint32_t tmlrt__op_ctl(tmlrt__op_t *op);

/* Owner, in flight without a host: op->timer.when has passed, by a clock of the owner's own; begins
 * the cancellation, or ends the backoff. */
void tmlrt__op_expire(tmlrt__op_t *op);
/* Owner: as a cancel, with `reason` as the result. */
void tmlrt__op_give_up(tmlrt__op_t *op, int reason);

/* A plain thread that is going to await `op`: starts it, which is all that can fail for want of
 * memory. TMLRT_OK: in flight; else how it ended. */
int tmlrt__await_start(tmlrt_op_t *op);

/* The same as tmlrt__op_begin. */
int tmlrt__await_begin(tmlrt_op_t *op);

/* tmlrt_op_await of a plain thread. cancellable: a cancelled scope of its own cancels the wait. */
int tmlrt__thread_await(tmlrt_op_t *op, bool cancellable);

/* Owner, a plain thread: the first deadline in the operation and those it is made of that no host
 * keeps, or TMLRT_NEVER; and the expiry of those that are due at `now`. */
int64_t tmlrt__op_due(tmlrt__op_t *op);
void    tmlrt__op_expire_due(tmlrt__op_t *op, int64_t now);

/* Owner, in flight: as `about` of the class. */
const tmlrt__host_t *tmlrt__op_about(const tmlrt__op_t *op);

/* Owner, in flight: the host that serves the operation's timer and its deadline, or NULL. */
tmlrt__host_t *tmlrt__op_host(const tmlrt__op_t *op);

/* ---- for whoever runs futures --------------------------------------------------------------- */

/* The list that operations polled with `cx` are linked into; NULL: none. */
tmlrt__op_list_t *tmlrt__op_list_of(const tmlrt_cx_t *cx);

/* Cancels all in `list` whose address lies in [base, base + size) (NULL: all) and polls them.
 * READY: none is in flight any more. `cx` tells whom to wake. */
int32_t tmlrt__op_list_drain(tmlrt__op_list_t *list, tmlrt_cx_t *cx, const void *base, size_t size);

/* In a context: who polls keeps the time of what has no host (an awaiting thread), unless NULL. */
#define TMLRT__CX_CLOCK 1

/* Makes a context for polling as `task`. */
void tmlrt__cx_init(tmlrt_cx_t *cx, tmlrt_waker_t *waker, tmlrt_task_t *task);

/* The name of what the list's newest operation waits for, or NULL. */
const char *tmlrt__op_list_waits_for(const tmlrt__op_list_t *list);

#endif
