/* SPDX-License-Identifier: MIT */
/*
 * kinds.c: see kinds.h. The sync objects and the channels; the others are in kinds_io.c.
 */
#include "kinds.h"

#include <stdlib.h>
#include <string.h>

#include "kinds_io.h"
#include "net.h"
#include "threads.h"

/* Starts t->op[PROBE][0], which shall be READY at once; its result. */
static int64_t probe(thing_t *t) {
    require(start(&t->op[PROBE][0]) == 0);
    return tmlrt_op_result(&t->op[PROBE][0]);
}

/* The same of one that shall have to wait. */
static void probe_waits(thing_t *t) {
    require(start(&t->op[PROBE][0]) == 1);
    require(tmlrt_op_cancel(&t->op[PROBE][0]) == TMLRT_OK);
    require(finish(&t->op[PROBE][0]) == TMLRT_ECANCELED);
}

static void take_one(thing_t *t, int who, int64_t result) {
    (void)who;
    if (result >= 0) t->taken++;
}

/* ---- mutex, rwlock: locked by somebody; `given` are unlocks ----------------------------------- */

static int lock_try(thing_t *t) {
    return t->kind->n == 0 ? tmlrt_mutex_try_lock(&t->u.mutex)
                           : tmlrt_rwlock_try_write(&t->u.rwlock);
}

static int lock_unlock(thing_t *t) {
    return t->kind->n == 0 ? tmlrt_mutex_unlock(&t->u.mutex) : tmlrt_rwlock_unlock(&t->u.rwlock);
}

static void lock_open(thing_t *t) {
    require(lock_try(t) == TMLRT_OK);
}

static void lock_prepare(thing_t *t, int who) {
    if (lock_try(t) == TMLRT_OK) t->taken++; /* that it has to wait */
    if (t->kind->n == 0)
        tmlrt_op_lock(&t->op[who][0], &t->u.mutex);
    else
        tmlrt_op_write_lock(&t->op[who][0], &t->u.rwlock);
}

static void lock_give(thing_t *t) {
    if (t->given != t->taken) return;
    require(lock_unlock(t) == TMLRT_OK);
    t->given++;
}

static void lock_close(thing_t *t) {
    require(t->given == t->taken || t->given == t->taken + 1);
    require(lock_try(t) == (t->given > t->taken ? TMLRT_OK : TMLRT_EAGAIN));
    require(lock_unlock(t) == TMLRT_OK && lock_unlock(t) == TMLRT_EINVAL);
}

/* flag: a writer has it. Readers leave at once. */
static void read_prepare(thing_t *t, int who) {
    if (!t->flag) t->flag = tmlrt_rwlock_try_write(&t->u.rwlock) == TMLRT_OK;
    tmlrt_op_read_lock(&t->op[who][0], &t->u.rwlock);
}

static void read_give(thing_t *t) {
    if (t->flag) require(tmlrt_rwlock_unlock(&t->u.rwlock) == TMLRT_OK);
    t->flag = false;
}

static void read_ended(thing_t *t, int who, int64_t result) {
    (void)who;
    if (result == TMLRT_OK) require(tmlrt_rwlock_unlock(&t->u.rwlock) == TMLRT_OK);
}

static void read_close(thing_t *t) {
    read_give(t);
    require(tmlrt_rwlock_try_write(&t->u.rwlock) == TMLRT_OK);
    require(tmlrt_rwlock_unlock(&t->u.rwlock) == TMLRT_OK);
    require(tmlrt_rwlock_unlock(&t->u.rwlock) == TMLRT_EINVAL);
}

/* ---- semaphore: n permits at a time; `given` are releases ------------------------------------- */

static void permits_open(thing_t *t) {
    require(tmlrt_semaphore_init(&t->u.sem, 0) == TMLRT_OK);
}

static void permits_prepare(thing_t *t, int who) {
    tmlrt_op_acquire(&t->op[who][0], &t->u.sem, t->kind->n);
}

static void permits_give(thing_t *t) {
    if (t->given != t->taken) return;
    /* One by one: the waiter has to hold out for all of them. */
    for (int i = 0; i < t->kind->n; i++)
        require(tmlrt_semaphore_release(&t->u.sem, 1) == TMLRT_OK);
    t->given++;
}

static void permits_close(thing_t *t) {
    int64_t left = (t->given - t->taken) * t->kind->n;
    require(left >= 0 && tmlrt_semaphore_permits(&t->u.sem) == left);
    if (left > 0) require(tmlrt_semaphore_try_acquire(&t->u.sem, left) == TMLRT_OK);
    require(tmlrt_semaphore_try_acquire(&t->u.sem, 1) == TMLRT_EAGAIN);
}

/* ---- barrier of two: the test is the other one ------------------------------------------------ */

static void barrier_open(thing_t *t) {
    require(tmlrt_barrier_init(&t->u.barrier, 2) == TMLRT_OK);
}

static void barrier_prepare(thing_t *t, int who) {
    tmlrt_op_barrier(&t->op[who][0], &t->u.barrier);
}

static void barrier_give(thing_t *t) {
    barrier_prepare(t, PROBE);
    if (start(&t->op[PROBE][0]) == 0) return;
    tmlrt_op_cancel(&t->op[PROBE][0]); /* nobody was there */
    require(finish(&t->op[PROBE][0]) == TMLRT_ECANCELED);
}

static void barrier_close(thing_t *t) {
    barrier_prepare(t, FIRST);
    barrier_prepare(t, PROBE);
    require(start(&t->op[FIRST][0]) == 1);
    require(probe(t) == 1);
    require(finish(&t->op[FIRST][0]) == 0);
}

/* ---- once: somebody is at it; given: turns that failed, taken: turns begun -------------------- */

static void once_prepare(thing_t *t, int who) {
    tmlrt_op_once(&t->op[who][0], &t->u.once);
}

static void once_open(thing_t *t) {
    once_prepare(t, PROBE);
    require(probe(t) == 1);
}

static void once_give(thing_t *t) {
    if (t->given != t->taken) return;
    require(tmlrt_once_failed(&t->u.once) == TMLRT_OK);
    t->given++;
}

static void once_ended(thing_t *t, int who, int64_t result) {
    require(result != 0); /* it has never been done */
    take_one(t, who, result);
}

static void once_close(thing_t *t) {
    if (t->given != t->taken) {
        require(tmlrt_once_done(&t->u.once) == TMLRT_EINVAL);
        once_open(t);
    }
    require(tmlrt_once_done(&t->u.once) == TMLRT_OK);
    once_prepare(t, PROBE);
    require(probe(t) == 0);
}

/* ---- wait group; flag: its count is 1 --------------------------------------------------------- */

static void group_prepare(thing_t *t, int who) {
    if (!t->flag) require(tmlrt_wait_group_add(&t->u.group, 1) == TMLRT_OK);
    t->flag = true;
    tmlrt_op_wait_group(&t->op[who][0], &t->u.group);
}

static void group_give(thing_t *t) {
    if (t->flag) require(tmlrt_wait_group_done(&t->u.group) == TMLRT_OK);
    t->flag = false;
}

static void group_close(thing_t *t) {
    group_prepare(t, PROBE);
    probe_waits(t);
    group_give(t);
    require(tmlrt_wait_group_done(&t->u.group) == TMLRT_EINVAL);
}

/* ---- notify ----------------------------------------------------------------------------------- */

static void notify_prepare(thing_t *t, int who) {
    tmlrt_op_notified(&t->op[who][0], &t->notify);
}

static void notify_give(thing_t *t) {
    if (t->given != t->taken) return;
    require(tmlrt_notify_one(&t->notify) == TMLRT_OK);
    t->given++;
}

static void notify_close(thing_t *t) {
    notify_prepare(t, PROBE);
    require(t->given == t->taken || t->given == t->taken + 1);
    if (t->given != t->taken) require(probe(t) == TMLRT_OK);
    notify_prepare(t, PROBE);
    probe_waits(t);
}

/* ---- token: a new one when the last one was cancelled ------------------------------------------ */

static void token_prepare(thing_t *t, int who) {
    if (t->token == NULL || tmlrt_token_is_cancelled(t->token)) {
        tmlrt_token_release(t->token);
        require(tmlrt_token_create(&t->token, NULL) == TMLRT_OK);
    }
    tmlrt_op_token(&t->op[who][0], t->token);
}

static void token_give(thing_t *t) {
    tmlrt_token_cancel(t->token);
}

static void token_close(thing_t *t) {
    token_prepare(t, PROBE);
    probe_waits(t);
    token_give(t);
    tmlrt_op_token(&t->op[PROBE][0], t->token);
    require(probe(t) == TMLRT_OK);
    tmlrt_token_release(t->token);
}

/* ---- channels: receivers; n: the capacity, -1: unbounded -------------------------------------- */

static void recv_open(thing_t *t) {
    size_t capacity = t->kind->n < 0 ? TMLRT_CHAN_UNBOUNDED : (size_t)t->kind->n;
    require(tmlrt_chan_create(&t->chan, sizeof(uint64_t), capacity) == TMLRT_OK);
}

static void recv_prepare(thing_t *t, int who) {
    tmlrt_op_recv(&t->op[who][0], t->chan, &t->item[who]);
}

static void recv_give(thing_t *t) {
    uint64_t item = (uint64_t)t->given + 1;
    if (t->given != t->taken) return;
    int e = tmlrt_chan_try_send(t->chan, &item);
    require(e == TMLRT_OK || (t->kind->n == 0 && e == TMLRT_EAGAIN));
    if (e == TMLRT_OK) t->given++;
}

static void recv_ended(thing_t *t, int who, int64_t result) {
    if (result < 0) return;
    require(t->item[who] == (uint64_t)++t->taken);
}

static void recv_close(thing_t *t) {
    while (tmlrt_chan_try_recv(t->chan, &t->item[PROBE]) == TMLRT_OK)
        recv_ended(t, PROBE, TMLRT_OK);
    require(t->given == t->taken);
    require(tmlrt_chan_close(t->chan) == TMLRT_OK);
    require(tmlrt_chan_try_recv(t->chan, &t->item[PROBE]) == TMLRT_ECLOSED);
    tmlrt_chan_release(t->chan);
}

/* ---- channels: senders; a full one, or a rendezvous (n of 0) ---------------------------------- */

static uint64_t send_number(thing_t *t) {
    require(t->given + 1 < (int64_t)sizeof t->sent);
    return (uint64_t)++t->given;
}

static void send_open(thing_t *t) {
    recv_open(t);
    for (int i = 0; i < t->kind->n; i++) {
        uint64_t item = send_number(t);
        require(tmlrt_chan_try_send(t->chan, &item) == TMLRT_OK);
        t->sent[item] = 1;
    }
}

static void send_prepare(thing_t *t, int who) {
    t->item[who] = send_number(t);
    tmlrt_op_send(&t->op[who][0], t->chan, &t->item[who]);
}

static void send_take(thing_t *t) {
    t->got[t->item[PROBE]]++;
    t->taken++;
}

static void send_give(thing_t *t) {
    if (t->kind->n != 0) {
        if (tmlrt_chan_try_recv(t->chan, &t->item[PROBE]) == TMLRT_OK) send_take(t);
        return;
    }
    if (!t->probing) tmlrt_op_recv(&t->op[PROBE][0], t->chan, &t->item[PROBE]);
    t->probing = start(&t->op[PROBE][0]) == 1;
    if (!t->probing && tmlrt_op_result(&t->op[PROBE][0]) == TMLRT_OK) send_take(t);
}

static void send_ended(thing_t *t, int who, int64_t result) {
    if (result == TMLRT_OK) t->sent[t->item[who]]++;
}

static void send_close(thing_t *t) {
    if (t->probing) {
        tmlrt_op_cancel(&t->op[PROBE][0]);
        if (finish(&t->op[PROBE][0]) == TMLRT_OK) send_take(t);
    }
    while (tmlrt_chan_try_recv(t->chan, &t->item[PROBE]) == TMLRT_OK)
        send_take(t);
    require(memcmp(t->sent, t->got, sizeof t->sent) == 0);
    if (t->kind->n != 0) {
        uint64_t item = 0;
        require(tmlrt_chan_try_send(t->chan, &item) == TMLRT_OK);
    }
    tmlrt_chan_release(t->chan);
}

/* ---- oneshot, broadcast, watch ---------------------------------------------------------------- */

/* A new one when the item of the last one was taken. given: sent, taken: received. */
static void oneshot_prepare(thing_t *t, int who) {
    if (t->oneshot == NULL || t->flag) {
        tmlrt_oneshot_release(t->oneshot);
        require(tmlrt_oneshot_create(&t->oneshot, sizeof(uint64_t)) == TMLRT_OK);
        t->flag = false;
    }
    tmlrt_op_oneshot(&t->op[who][0], t->oneshot, &t->item[who]);
}

static void oneshot_give(thing_t *t) {
    uint64_t item = (uint64_t)t->given + 1;
    if (t->given != t->taken) return;
    require(tmlrt_oneshot_send(t->oneshot, &item) == TMLRT_OK);
    t->given++;
}

static void oneshot_ended(thing_t *t, int who, int64_t result) {
    if (result < 0) return;
    require(t->item[who] == (uint64_t)++t->taken);
    t->flag = true;
}

static void oneshot_close(thing_t *t) {
    oneshot_prepare(t, PROBE);
    oneshot_give(t);
    oneshot_ended(t, PROBE, probe(t));
    tmlrt_op_oneshot(&t->op[PROBE][0], t->oneshot, &t->item[PROBE]);
    require(probe(t) == TMLRT_EALREADY && t->given == t->taken);
    tmlrt_oneshot_release(t->oneshot);
}

static void broadcast_open(thing_t *t) {
    require(tmlrt_broadcast_create(&t->broadcast, sizeof(uint64_t), 64) == TMLRT_OK);
    for (int i = 0; i < 2; i++)
        require(tmlrt_broadcast_subscribe(t->broadcast, &t->sub[i]) == TMLRT_OK);
}

static void broadcast_prepare(thing_t *t, int who) {
    tmlrt_op_broadcast(&t->op[who][0], t->sub[who], &t->item[who]);
}

static void broadcast_give(thing_t *t) {
    uint64_t item = (uint64_t)t->given + 1;
    if (item > t->seen[FIRST] + 32 || item > t->seen[BEHIND] + 32) return;
    t->given++;
    require(tmlrt_broadcast_send(t->broadcast, &item) == 2);
}

static void broadcast_ended(thing_t *t, int who, int64_t result) {
    if (result < 0) return;
    require(result == 0 && t->item[who] == ++t->seen[who]);
}

static void broadcast_close(thing_t *t) {
    for (int who = FIRST; who <= BEHIND; who++) {
        while (t->seen[who] < (uint64_t)t->given) {
            broadcast_prepare(t, who);
            require(start(&t->op[who][0]) == 0);
            broadcast_ended(t, who, tmlrt_op_result(&t->op[who][0]));
        }
        tmlrt_op_broadcast(&t->op[PROBE][0], t->sub[who], &t->item[PROBE]);
        probe_waits(t);
        tmlrt_subscription_release(t->sub[who]);
    }
    tmlrt_broadcast_release(t->broadcast);
}

static void watch_open(thing_t *t) {
    uint64_t none = 0;
    require(tmlrt_watch_create(&t->watch, sizeof(uint64_t), &none) == TMLRT_OK);
    for (int i = 0; i < WHOS; i++)
        require(tmlrt_watch_get(t->watch, NULL, &t->seen[i]) == TMLRT_OK);
}

static void watch_prepare(thing_t *t, int who) {
    tmlrt_op_changed(&t->op[who][0], t->watch, &t->item[who], &t->seen[who]);
}

static void watch_give(thing_t *t) {
    uint64_t item = (uint64_t)++t->given;
    require(tmlrt_watch_set(t->watch, &item) == TMLRT_OK);
}

/* Versions count from 1, values from 0. */
static void watch_ended(thing_t *t, int who, int64_t result) {
    if (result == TMLRT_OK)
        require(t->seen[who] == t->item[who] + 1 && t->item[who] <= (uint64_t)t->given);
}

static void watch_close(thing_t *t) {
    uint64_t now = (uint64_t)t->given + 1;
    for (int who = FIRST; who <= BEHIND; who++) {
        watch_prepare(t, who);
        if (t->seen[who] != now) {
            require(start(&t->op[who][0]) == 0 && t->seen[who] == now);
            watch_prepare(t, who);
        }
        require(start(&t->op[who][0]) == 1);
        tmlrt_op_cancel(&t->op[who][0]);
        require(finish(&t->op[who][0]) == TMLRT_ECANCELED && t->seen[who] == now);
    }
    tmlrt_watch_release(t->watch);
}

/* ---- sets: an item and a notify ---------------------------------------------------------------- */

static void set_open(thing_t *t) {
    require(tmlrt_chan_create(&t->chan, sizeof(uint64_t), 4) == TMLRT_OK);
}

/* n: 1 any, 2 all. */
static void set_prepare(thing_t *t, int who) {
    tmlrt_op_recv(&t->op[who][1], t->chan, &t->item[who]);
    tmlrt_op_notified(&t->op[who][2], &t->notify);
    t->parts[who][0] = &t->op[who][1];
    t->parts[who][1] = &t->op[who][2];
    if (t->kind->n == 1)
        tmlrt_op_any(&t->op[who][0], t->parts[who], 2);
    else
        tmlrt_op_all(&t->op[who][0], t->parts[who], 2);
}

/* seen[0], seen[1]: notifies given and taken. */
static void set_give(thing_t *t) {
    recv_give(t);
    if (t->seen[0] != t->seen[1]) return;
    require(tmlrt_notify_one(&t->notify) == TMLRT_OK);
    t->seen[0]++;
}

static void set_ended(thing_t *t, int who, int64_t result) {
    int64_t item = tmlrt_op_result(&t->op[who][1]), notified = tmlrt_op_result(&t->op[who][2]);
    require(result < 0 || item == TMLRT_OK || notified == TMLRT_OK);
    if (t->kind->n == 1) require(item != TMLRT_OK || notified != TMLRT_OK);
    if (t->kind->n == 2 && result >= 0) require(item == TMLRT_OK && notified == TMLRT_OK);
    recv_ended(t, who, item);
    if (notified == TMLRT_OK) t->seen[1]++;
}

static void set_close(thing_t *t) {
    recv_close(t);
    t->given = (int64_t)t->seen[0];
    t->taken = (int64_t)t->seen[1];
    notify_close(t);
}

/* ---- the table --------------------------------------------------------------------------------- */

static void open_nothing(thing_t *t) {
    (void)t;
}

static void read_open(thing_t *t) {
    require(tmlrt_rwlock_try_write(&t->u.rwlock) == TMLRT_OK);
    t->flag = true;
}

static void end_nothing(thing_t *t, int who, int64_t result) {
    (void)t, (void)who, (void)result;
}

const kind_t kinds[] = {
    {"mutex", 0, 0, lock_open, lock_prepare, lock_give, take_one, lock_close},
    {"write lock", 0, 1, lock_open, lock_prepare, lock_give, take_one, lock_close},
    {"read lock", 0, 0, read_open, read_prepare, read_give, read_ended, read_close},
    {"semaphore of one", 0, 1, permits_open, permits_prepare, permits_give, take_one,
     permits_close},
    {"semaphore of many", 0, 5, permits_open, permits_prepare, permits_give, take_one,
     permits_close},
    {"barrier", KIND_ALONE, 0, barrier_open, barrier_prepare, barrier_give, end_nothing,
     barrier_close},
    {"once", 0, 0, once_open, once_prepare, once_give, once_ended, once_close},
    {"wait group", 0, 0, open_nothing, group_prepare, group_give, end_nothing, group_close},
    {"notify", 0, 0, open_nothing, notify_prepare, notify_give, take_one, notify_close},
    {"token", KIND_ALONE, 0, open_nothing, token_prepare, token_give, end_nothing, token_close},
    {"receive", 0, 4, recv_open, recv_prepare, recv_give, recv_ended, recv_close},
    {"receive, unbounded", 0, -1, recv_open, recv_prepare, recv_give, recv_ended, recv_close},
    {"receive, rendezvous", 0, 0, recv_open, recv_prepare, recv_give, recv_ended, recv_close},
    {"send", 0, 2, send_open, send_prepare, send_give, send_ended, send_close},
    {"send, rendezvous", 0, 0, send_open, send_prepare, send_give, send_ended, send_close},
    {"oneshot", KIND_ALONE, 0, open_nothing, oneshot_prepare, oneshot_give, oneshot_ended,
     oneshot_close},
    {"broadcast", 0, 0, broadcast_open, broadcast_prepare, broadcast_give, broadcast_ended,
     broadcast_close},
    {"watch", 0, 0, watch_open, watch_prepare, watch_give, watch_ended, watch_close},
    {"any", 0, 1, set_open, set_prepare, set_give, set_ended, set_close},
    {"all", KIND_ALONE, 2, set_open, set_prepare, set_give, set_ended, set_close},
    KINDS_IO,
};

const int kinds_count = sizeof kinds / sizeof kinds[0];

void thing_open(thing_t *t, const kind_t *kind, tmlrt_runtime_t *rt) {
    static const thing_t zero;
    *t = zero;
    t->kind = kind;
    t->rt = rt;
    kind->open(t);
}

void thing_prepare(thing_t *t, int who) {
    t->kind->prepare(t, who);
}

void thing_give(thing_t *t) {
    t->kind->give(t);
}

void thing_ended(thing_t *t, int who) {
    int64_t result = tmlrt_op_result(&t->op[who][0]);
    require(result >= 0 || result == TMLRT_ECANCELED || result == TMLRT_ETIMEDOUT);
    t->kind->ended(t, who, result);
}

void thing_close(thing_t *t) {
    t->kind->close(t);
}
