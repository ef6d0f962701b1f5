/* SPDX-License-Identifier: MIT */
/*
 * kinds.h: every kind of wait, one entry each, for tests that do the same to all of them.
 *
 * A thing is an object of some kind (a mutex, a channel, a socket and its peer, ...) in a state in
 * which an operation on it has to wait. It keeps books: what was given by the test, what was taken
 * by operations that succeeded. `close` is the oracle: with all operations ended it checks that
 * nothing was lost and nothing doubled, that the object is still of use, and ends it.
 *
 * Scopes are not among them: their operation is in flight from the open on, and has an owner.
 *
 * One thread alone drives a thing, but for those that go between, which are the runtime's.
 */
#ifndef TESTS_SUPPORT_KINDS_H
#define TESTS_SUPPORT_KINDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tmlrt.h>

enum { FIRST, BEHIND, PROBE, WHOS }; /* whose operation it is */

typedef struct kind  kind_t;
typedef struct thing thing_t;

#define KIND_ALONE 1u /* one operation at a time */
#define KIND_SLOW  2u /* what it waits for takes its time: other threads, the network */

struct kind {
    const char *name;
    uint32_t    flags;
    int         n; /* what it means is the kind's */
    void (*open)(thing_t *t);
    /* Prepares t->op[who][0]. */
    void (*prepare)(thing_t *t, int who);
    /* Lets who waits first go on (or everybody); does nothing when it has been done already. */
    void (*give)(thing_t *t);
    /* The operation of `who` has ended with `result`: to the books. */
    void (*ended)(thing_t *t, int who, int64_t result);
    void (*close)(thing_t *t);
};

struct thing {
    const kind_t    *kind;
    tmlrt_runtime_t *rt;
    tmlrt_op_t     op[WHOS][3]; /* the first is the one to wait for; the others may be its parts */
    tmlrt_op_t    *parts[WHOS][2];
    uint64_t       item[WHOS];
    int64_t        given, taken;
    uint64_t       seen[WHOS];
    bool           flag, probing;
    tmlrt_notify_t notify;
    union {
        tmlrt_mutex_t      mutex;
        tmlrt_rwlock_t     rwlock;
        tmlrt_semaphore_t  sem;
        tmlrt_barrier_t    barrier;
        tmlrt_once_t       once;
        tmlrt_wait_group_t group;
        tmlrt_interval_t   interval;
    } u;
    tmlrt_chan_t         *chan;
    tmlrt_oneshot_t      *oneshot;
    tmlrt_broadcast_t    *broadcast;
    tmlrt_subscription_t *sub[2];
    tmlrt_watch_t        *watch;
    tmlrt_token_t        *token;
    tmlrt_task_t         *task;
    atomic_bool           told; /* of the job that it is */
    void                 *value;
    tmlrt_sock_t         *sock, *sock2, *out[WHOS];
    tmlrt_addr_t          addr, addrs[WHOS][8];
    tmlrt_fd_t           *reg;
    int                   peer, fd[2];
    unsigned char        *buf;
    uint8_t               sent[512], got[512]; /* by item */
};

extern const kind_t kinds[];
extern const int    kinds_count;

void thing_open(thing_t *t, const kind_t *kind, tmlrt_runtime_t *rt);
void thing_prepare(thing_t *t, int who);
void thing_give(thing_t *t);
/* Enters the end of the operation of `who`. */
void thing_ended(thing_t *t, int who);
void thing_close(thing_t *t);

#endif
