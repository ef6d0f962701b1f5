/* SPDX-License-Identifier: MIT */
/*
 * scope.h: scopes: children that are joined before the scope's memory goes.
 *
 * A scope is a gate (gate.h) whose word counts what it waits for, and an operation, the guard, that
 * is in flight from the open on. The guard is what registers it with its task: a drain cancels the
 * guard, that cancels the children, and the guard is acknowledged when the count is zero.
 *
 * Counted are: children between enter and leave, scopes nested in it, and each canceller at work
 * (so that it may come back to the memory). All but the nested ones leave as their last touch of it.
 *
 * Cancelling marks the scope once (no child enters any more) and then goes through its children and
 * nested scopes in batches: references and holds are taken with the gate entered, tasks are aborted
 * without. Nested scopes are entered inside the entry of the outer one, never the other way round;
 * they are worked off from a list, not by recursion.
 *
 * The deadline is a counted record with a sleep of its own, whose waker cancels the scope on the
 * thread that expires the timer: nobody has to poll the owner for it. The owner takes the record
 * from the scope before the last look at the count.
 *
 * Owner: who opened it. Only the owner touches the guard's plain fields, `timer`, `counted`,
 * `detached`.
 */
#ifndef TMLRT__SCOPE_H
#define TMLRT__SCOPE_H

#include <tmlrt/scope.h>

#include "gate.h"
#include "op.h"

typedef struct tmlrt__scope tmlrt__scope_t;

struct tmlrt__scope {
    tmlrt__op_t          guard;    /* owner, and who fires it with the gate entered */
    tmlrt__gate_t        gate;     /* its queue holds the guard, while that is armed */
    tmlrt__list_t        children; /* entered: `sibling` of the tasks' extras */
    tmlrt__list_t        nested;   /* entered: `sibling` of scopes of the same owner */
    tmlrt__list_t        sibling;  /* outer entered; linked while `counted` and not `detached` */
    tmlrt__scope_t      *outer;    /* constant while open: the one around it, of the same owner */
    tmlrt__scope_t     **slot;     /* constant: the owner's innermost scope; NULL: stackless */
    tmlrt__scope_t      *todo;     /* of who marked it: its list of what is to be told */
    const tmlrt__list_t *mark;     /* entered: a canceller's own node among the children; or NULL */
    struct scope__timer *timer;    /* owner; NULL: no deadline of its own */
    TMLRT__WATCHED(int) failure;   /* entered: the first, or 0 */
    TMLRT__WATCHED(int) reason;    /* entered: ECANCELED or ETIMEDOUT, the first; or 0 */
    uint32_t shield;               /* constant: shields begun around the open */
    uint32_t forks;                /* constant: the process's fork generation */
    bool     counted;              /* owner: by the outer one, from the open to the end */
    bool     detached;             /* owner: no timer and no outer scope reaches it any more */
};

_Static_assert(sizeof(tmlrt__scope_t) <= sizeof(tmlrt_scope_t), "it fits the public type");

/* `task`, not started, becomes a child. ECLOSED, ECANCELED: it does not. */
int tmlrt__scope_enter(tmlrt__scope_t *s, tmlrt_task_t *task);

/* The child's runner, in two steps. Before it is complete: nobody finds it any more; an `outcome`
 * other than TMLRT_ECANCELED fails the scope. After its last use of anything of the owner's: it
 * counts no more. */
void tmlrt__scope_unlink(tmlrt__scope_t *s, tmlrt_task_t *task, int outcome);
void tmlrt__scope_leave(tmlrt__scope_t *s);

/* Owner: whether its waits are to end: `s` or one around it is cancelled, and no shield was begun
 * since its open (`shield`: those that are begun now). */
bool tmlrt__scope_asks(const tmlrt__scope_t *s, uint32_t shield);

/* Owner, its task is being cancelled: cancels those that were opened outside of shields. */
void tmlrt__scope_stop_all(tmlrt__scope_t *innermost);

#endif
