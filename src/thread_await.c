/* SPDX-License-Identifier: MIT */
/*
 * thread_await.c: tmlrt_op_await on a plain thread: it polls the operation with a waker of the
 * thread's own and blocks in between, or drives the current-thread runtime that it owns.
 *
 * The record behind that waker is counted, because a clone may be kept past the await (a compiled
 * future may hold it). It is made once a thread and kept for its life.
 */
#include "host.h"
#include "op.h"
#include "os.h"
#include "scope.h"

typedef struct await__record {
    tmlrt__atomic_u32 woken; /* any thread sets it; the thread waits on it */
    tmlrt__atomic_u32 refs;
    tmlrt__latch_t    latch;
    tmlrt__host_t    *driven; /* under latch: what the thread drives meanwhile, or NULL */
} await__record_t;

static _Thread_local await__record_t *await__own;
static _Thread_local uint32_t         await__forks; /* the fork generation that it was made in */

static void await__unref(void *data) {
    await__record_t *r = data;
    /* release: our use is over; acquire: so is everybody's; pairs [AW-2] */
    if (tmlrt__fetch_sub_acq_rel(&r->refs, 1) != 1) return;
    tmlrt__atomic_unmake(&r->woken);
    tmlrt__atomic_unmake(&r->refs);
    tmlrt__atomic_unmake(&r->latch.held);
    tmlrt__mem_put(&tmlrt__mem_default, r, sizeof *r, _Alignof(await__record_t));
}

static void await__wake_by_ref(void *data) {
    await__record_t *r = data;
    tmlrt__latch_lock(&r->latch);
    /* release: publishes what the waker wrote; pairs [AW-1] */
    tmlrt__store_release(&r->woken, 1);
    if (r->driven != NULL) r->driven->ops->kick(r->driven);
    tmlrt__latch_unlock(&r->latch);
    tmlrt__futex_wake(&r->woken, 1);
}

/* At the thread's end. A later destructor of the thread may still await: it makes a new record. */
static void await__forget(void *data) {
    await__own = NULL;
    await__unref(data);
}

static void await__wake(void *data) {
    await__wake_by_ref(data);
    await__unref(data);
}

static void await__clone(void *data, tmlrt_waker_t *out);

static const tmlrt_waker_vtable_t await__vtable = {await__clone, await__wake, await__wake_by_ref,
                                                   await__unref};

static void await__clone(void *data, tmlrt_waker_t *out) {
    await__record_t *r = data;
    tmlrt__fetch_add_relaxed(&r->refs, 1);
    out->data = data;
    out->vtable = &await__vtable;
}

static await__record_t *await__get(void) {
    uint32_t forks = tmlrt__load_relaxed(&tmlrt__fork_generation);
    /* One of the parent may be under the latch of a waker that is not in this process. */
    if (await__own != NULL && await__forks == forks) return await__own;
    if (await__own != NULL) await__forget(await__own);
    await__record_t *r = tmlrt__mem_zero(&tmlrt__mem_default, sizeof *r, _Alignof(await__record_t));
    if (r == NULL) return NULL;
    tmlrt__atomic_make(&r->woken, 0);
    tmlrt__atomic_make(&r->refs, 1);
    tmlrt__atomic_make(&r->latch.held, 0);
    if (tmlrt__thread_at_exit(await__forget, r) != TMLRT_OK) {
        tmlrt__mem_put(&tmlrt__mem_default, r, sizeof *r, _Alignof(await__record_t));
        return NULL;
    }
    await__own = r;
    await__forks = forks;
    return r;
}

/* Blocks until woken; with nobody to keep the operation's deadline (no host), until then. */
static void await__block(await__record_t *r, int64_t deadline) {
    /* acquire: observes what the waker wrote; pairs [AW-1] */
    while (tmlrt__load_acquire(&r->woken) == 0) {
        int64_t left = -1;
        if (deadline != TMLRT_NEVER) {
            int64_t now = tmlrt__os_now();
            if (deadline <= now) return;
            left = deadline - now;
        }
        tmlrt__futex_wait(&r->woken, 0, left);
    }
}

static bool await__drive(await__record_t *r, tmlrt__host_t *host, int64_t deadline) {
    tmlrt__latch_lock(&r->latch);
    r->driven = host;
    tmlrt__latch_unlock(&r->latch);
    bool goes_on = host->ops->drive(host, &r->woken, deadline);
    tmlrt__latch_lock(&r->latch);
    r->driven = NULL;
    tmlrt__latch_unlock(&r->latch);
    return goes_on;
}

/* Which of this thread's current-thread hosts to drive: the one that the operation is about, else
 * the newest; NULL when it has none. In a forked child those of the parent do not count. */
static tmlrt__host_t *await__choose(const tmlrt__op_t *op) {
    const tmlrt__host_t *about = tmlrt__op_about(op);
    tmlrt__host_t       *newest = tmlrt__host_owned();
    for (tmlrt__host_t *h = newest; h != NULL; h = h->owned_before)
        if (h == about && !tmlrt__host_forked(h)) return h;
    return newest;
}

int tmlrt__await_start(tmlrt_op_t *pub) {
    await__record_t *r = await__get();
    if (r == NULL) return TMLRT_ENOMEM;
    tmlrt_waker_t waker = {r, &await__vtable};
    tmlrt_cx_t    cx = {&waker, NULL, {NULL, r}};
    return tmlrt_op_poll(pub, &cx) == TMLRT_PENDING ? TMLRT_OK : (int)tmlrt_op_result(pub);
}

int tmlrt__await_begin(tmlrt_op_t *pub) {
    await__record_t *r = await__get();
    if (r == NULL) return TMLRT_ENOMEM;
    tmlrt_waker_t waker = {r, &await__vtable};
    tmlrt_cx_t    cx = {&waker, NULL, {NULL, r}};
    return tmlrt__op_begin(pub, &cx) == TMLRT_PENDING ? TMLRT_OK : (int)tmlrt_op_result(pub);
}

int tmlrt_op_await(tmlrt_op_t *pub) {
    if (pub == NULL) return TMLRT_EINVAL;
    tmlrt__current_t *cur = tmlrt__current();
    if (cur->busy != 0) return TMLRT_EDEADLK;
    return cur->fiber != NULL ? cur->await(pub) : tmlrt__thread_await(pub, true);
}

int tmlrt__thread_await(tmlrt_op_t *pub, bool cancellable) {
    tmlrt__current_t *cur = tmlrt__current();
    await__record_t  *r = await__get();
    if (r == NULL) return TMLRT_ENOMEM;

    tmlrt__op_t  *op = tmlrt__op(pub);
    tmlrt_waker_t waker = {r, &await__vtable};
    tmlrt_cx_t    cx = {&waker, NULL, {NULL, r}}; /* TMLRT__CX_CLOCK */
    bool          asked = false;                  /* a scope of ours has asked us to end the wait */
    for (;;) {
        /* A swap, because a store could go over a wake that the poll below has not seen yet, or go
         * into effect after that poll. acquire: observes what that waker wrote; pairs [AW-1] */
        tmlrt__swap_acquire(&r->woken, 0);
        cur->budget = TMLRT__BUDGET; /* of a blocking job: it has a thread of its own */
        if (cancellable && !asked && tmlrt__scope_asks(cur->scope, 0)) {
            asked = true;
            tmlrt_op_cancel(pub);
        }
        if (tmlrt_op_poll(pub, &cx) == TMLRT_READY) return TMLRT_OK;
        /* Where no host keeps the time, we do, on the clock of what we drive; until it is told. */
        int64_t        deadline = tmlrt__op_due(op);
        tmlrt__host_t *host = await__choose(op);
        bool           stalled = false;
        if (host != NULL)
            stalled = !await__drive(r, host, deadline);
        else
            await__block(r, deadline);
        if (stalled) /* nobody will ever end it */
            tmlrt__op_give_up(op, tmlrt__host_forked(host) ? TMLRT_EFORKED : TMLRT_EDEADLK);
        if (deadline == TMLRT_NEVER) continue;
        int64_t now = host != NULL ? host->ops->now(host) : tmlrt__os_now();
        tmlrt__op_expire_due(op, now);
    }
}
