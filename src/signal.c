/* SPDX-License-Identifier: MIT */
/*
 * signal.c: listeners, registrations and the operation that waits for a signal. signal.h tells how.
 */
#include "signal.h"

#include "os_socket.h"

/* The source of a listener. */
typedef struct signal__source {
    tmlrt__source_t           source; /* first */
    tmlrt__signal_listener_t *listener;
} signal__source_t;

_Static_assert(sizeof(signal__source_t) <= TMLRT__SOURCE_SLOT, "it fits a slot");

static tmlrt__signal_listener_t *signal__listener_of(tmlrt__source_t *s) {
    return ((signal__source_t *)(void *)s)->listener;
}

/* ---- references ------------------------------------------------------------------------------ */

void tmlrt__signal_listener_unref(tmlrt__signal_listener_t *l) {
    /* release: our use is over; acquire: so is everybody's; pairs [SIG-5] */
    if (tmlrt__fetch_sub_acq_rel(&l->refs, 1) != 1) return;
    /* No handler is inside any more; the other end was closed by the source. */
    if (l->to != l->fd) tmlrt__os_file_close(l->to);
    tmlrt_allocator_t mem = l->mem;
    tmlrt__mem_put(&mem, l, sizeof *l, _Alignof(tmlrt__signal_listener_t));
}

static void signal__unref(tmlrt_signal_t *sig) {
    /* as for the listener; pairs [SIG-5] */
    if (tmlrt__fetch_sub_acq_rel(&sig->refs, 1) != 1) return;
    tmlrt__signal_listener_t *l = sig->listener;
    tmlrt__mem_put(&l->mem, sig, sizeof *sig, _Alignof(tmlrt_signal_t));
    tmlrt__signal_listener_unref(l);
}

/* ---- the source of a listener ----------------------------------------------------------------- */

static void signal__event(tmlrt__source_t *s, uint32_t events) {
    (void)events;
    tmlrt__signal_channel_empty(signal__listener_of(s));
    tmlrt__waitlist_fire_all(&signal__listener_of(s)->waiters, 0);
}

/* The last registration was closed, or the runtime ends. */
static void signal__source_closed(tmlrt__source_t *s) {
    tmlrt__signal_listener_t *l = signal__listener_of(s);
    tmlrt__signal_lock();
    tmlrt__signal_remove(l);
    tmlrt__signal_unlock();
    tmlrt__latch_lock(&l->waiters.latch);
    l->gone = true;
    tmlrt__latch_unlock(&l->waiters.latch);
    tmlrt__waitlist_fire_all(&l->waiters, 0);
}

static void signal__source_ended(tmlrt__source_t *s) {
    tmlrt__signal_listener_unref(signal__listener_of(s));
}

static const tmlrt__source_hooks_t signal__hooks = {
    .event = signal__event, .closed = signal__source_closed, .ended = signal__source_ended};

/* ---- listeners ------------------------------------------------------------------------------ */

/* Makes the channel's end a source of one of the host's drivers. On error that end is closed. */
static int signal__attach(tmlrt__signal_listener_t *l, tmlrt__host_t *host) {
    int e = tmlrt__signal_channel_open(l);
    if (e != TMLRT_OK) return e;
    e = tmlrt__source_open(&l->source, host->ops->driver(host, false), TMLRT__SOURCE_OWN, l->fd, 0,
                           &signal__hooks);
    if (e != TMLRT_OK) {
        if (l->fd >= 0) tmlrt__os_file_close(l->fd);
        return e;
    }
    ((signal__source_t *)(void *)l->source)->listener = l;
    tmlrt__fetch_add_relaxed(&l->refs, 1); /* the maker holds one */
    return tmlrt__source_attach(l->source);
}

/* Mutex held: the listener of the host, made where there is none yet; one registration more. */
static int signal__listener(tmlrt__host_t *host, tmlrt__signal_listener_t **out) {
    tmlrt__signal_listener_t *l = tmlrt__signal_find(host);
    int                       e = TMLRT_OK;
    if (l == NULL) {
        l = tmlrt__mem_zero(&host->mem, sizeof *l, _Alignof(tmlrt__signal_listener_t));
        if (l == NULL) return TMLRT_ENOMEM;
        l->mem = host->mem;
        l->host = host;
        tmlrt__atomic_make(&l->refs, 0);
        tmlrt__fetch_add_relaxed(&l->refs, 1);
        e = signal__attach(l, host);
        if (e == TMLRT_OK) e = tmlrt__signal_add(host, l);
    } else {
        tmlrt__fetch_add_relaxed(&l->refs, 1); /* its registrations hold some */
    }
    l->registrations++;
    *out = l;
    return e;
}

/* No mutex: gives up a registration's place; the last one ends the listener. */
static void signal__listener_leave(tmlrt__signal_listener_t *l) {
    tmlrt__signal_lock();
    bool last = --l->registrations == 0;
    if (last) tmlrt__signal_remove(l);
    tmlrt__signal_unlock();
    if (last && l->source != NULL) tmlrt__source_release(l->source);
}

/* ---- registrations --------------------------------------------------------------------------- */

/* Mutex held: the registration in its place; what was reached on an error is undone by the caller,
 * who sees it in *l. */
static int signal__register(tmlrt__host_t *host, tmlrt_signal_t *sig, int signo,
                            tmlrt__signal_listener_t **l) {
    int e = signal__listener(host, l);
    if (e != TMLRT_OK) return e;
    e = tmlrt__signal_listen(signo);
    sig->listener = *l;
    sig->signo = signo;
    sig->seen = tmlrt__signal_count(signo);
    tmlrt__atomic_make(&sig->refs, 1);
    return e;
}

int tmlrt_signal_open(tmlrt_runtime_t *rt, int signo, tmlrt_signal_t **out) {
    if (out == NULL || !tmlrt__signal_is_fit(signo)) return TMLRT_EINVAL;
    tmlrt__host_t *host = tmlrt__host_or_current((tmlrt__host_t *)(void *)rt);
    if (host == NULL) return TMLRT_ENORUNTIME;
    if (tmlrt__host_forked(host)) return TMLRT_EFORKED;
    if (tmlrt__load_relaxed(&host->phase) == TMLRT__HOST_STOPPED) return TMLRT_ESHUTDOWN;
    tmlrt_signal_t *sig = tmlrt__mem_zero(&host->mem, sizeof *sig, _Alignof(tmlrt_signal_t));
    if (sig == NULL) return TMLRT_ENOMEM;
    tmlrt__signal_listener_t *l = NULL;
    tmlrt__signal_lock();
    int e = signal__register(host, sig, signo, &l);
    tmlrt__signal_unlock();
    if (e == TMLRT_OK) {
        *out = sig;
        return TMLRT_OK;
    }
    if (l != NULL) {
        signal__listener_leave(l);
        tmlrt__signal_listener_unref(l);
    }
    tmlrt__mem_put(&host->mem, sig, sizeof *sig, _Alignof(tmlrt_signal_t));
    return e;
}

void tmlrt_signal_close(tmlrt_signal_t *sig) {
    if (sig == NULL || tmlrt__source_forked(sig->listener->source)) return;
    tmlrt__signal_listener_t *l = sig->listener;
    tmlrt__latch_lock(&l->waiters.latch);
    sig->closed = true;
    tmlrt__latch_unlock(&l->waiters.latch);
    tmlrt__waitlist_fire_all(&l->waiters, 0);
    tmlrt__signal_lock();
    tmlrt__signal_unlisten(sig->signo);
    tmlrt__signal_unlock();
    signal__listener_leave(l);
    signal__unref(sig);
}

/* ---- the operation ---------------------------------------------------------------------------- */

static tmlrt_signal_t *signal__of(const tmlrt__op_t *op) {
    return (tmlrt_signal_t *)(uintptr_t)op->u.wait.word;
}

/* Takes what came since the last time, or waits. */
static int32_t signal__look(tmlrt__op_t *op, int closed) {
    tmlrt_signal_t           *sig = signal__of(op);
    tmlrt__signal_listener_t *l = sig->listener;
    int32_t                   answer = TMLRT_READY;
    tmlrt__latch_lock(&l->waiters.latch);
    uint64_t count = tmlrt__signal_count(sig->signo);
    if (sig->closed || l->gone) {
        op->result = closed;
    } else if (count != sig->seen) {
        op->result = (int64_t)(count - sig->seen);
        sig->seen = count;
    } else {
        tmlrt__waitlist_add(&l->waiters, op);
        answer = TMLRT_PENDING;
    }
    tmlrt__latch_unlock(&l->waiters.latch);
    return answer;
}

static int32_t signal__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    tmlrt_signal_t *sig = signal__of(op);
    op->result = TMLRT_EFORKED;
    if (tmlrt__source_forked(sig->listener->source)) return TMLRT_READY;
    tmlrt__fetch_add_relaxed(&sig->refs, 1); /* the handle holds one */
    int32_t answer = signal__look(op, TMLRT_ECLOSED);
    if (answer == TMLRT_READY) signal__unref(sig);
    return answer;
}

static int32_t signal__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    tmlrt_signal_t *sig = signal__of(op);
    int32_t         answer = signal__look(op, TMLRT_ECANCELED);
    if (answer == TMLRT_READY) signal__unref(sig);
    return answer;
}

static int32_t signal__cancel(tmlrt__op_t *op, int reason) {
    tmlrt_signal_t *sig = signal__of(op);
    if (!tmlrt__waitlist_remove(&sig->listener->waiters, op)) tmlrt__op_ctl(op);
    op->result = reason;
    signal__unref(sig);
    return TMLRT_READY;
}

static const tmlrt__host_t *signal__about(const tmlrt__op_t *op) {
    return signal__of(op)->listener->host;
}

static const tmlrt__op_class_t signal__class = {
    .waits_for = "signal",
    .start = signal__start,
    .resume = signal__resume,
    .cancel = signal__cancel,
    .about = signal__about,
};

int tmlrt_op_signal(tmlrt_op_t *pub, tmlrt_signal_t *sig) {
    if (sig == NULL) return tmlrt__op_prepare_failed(pub, TMLRT_EINVAL);
    if (tmlrt__source_forked(sig->listener->source))
        return tmlrt__op_prepare_failed(pub, TMLRT_EFORKED);
    int e = tmlrt__op_prepare(pub, &signal__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op(pub)->u.wait.object = &sig->listener->waiters;
    tmlrt__op(pub)->u.wait.word = (uint64_t)(uintptr_t)sig;
    return TMLRT_OK;
}
