/* SPDX-License-Identifier: MIT */
/*
 * resolve.c: name lookup as an operation, and connecting by name.
 *
 * getaddrinfo blocks and cannot be interrupted, so it runs as a job of the blocking pool on a
 * record of its own, which belongs to two: the operation and the job. A cancelled operation leaves
 * at once; the job, if it runs, ends later and finds nobody to tell. The job is a daemon: who waits
 * for the lookup is counted himself.
 *
 * Connecting is a stackless future (RFC 8305): attempts are operations of its own, started one after
 * another and all in flight until one of them has won.
 */
#include "resolve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <tmlrt/time.h>

#include "addr.h"
#include "blocking.h"
#include "call.h"
#include "fault.h"
#include "op.h"
#include "os_socket.h"
#include "task.h"
#include "tcp.h"

#define RESOLVE__NAME_MAX 255
#define RESOLVE__MOST     64 /* addresses kept of one lookup */

#define CONNECT__MOST    8
#define CONNECT__STAGGER INT64_C(250000000)

typedef struct resolve__lookup {
    tmlrt__atomic_u32 refs;                        /* the operation, the job */
    tmlrt__latch_t    latch;                       /* guards op */
    tmlrt__op_t      *op;                          /* whom to tell; NULL: nobody (any more) */
    tmlrt_task_t     *task;                        /* the operation's owner: a handle of the job */
    tmlrt_allocator_t mem;                         /* constant; outlives the host */
    size_t            size;                        /* constant: of this record */
    size_t            max;                         /* constant: room in addr */
    int               port;                        /* constant */
    int64_t           result;                      /* the job, until it tells */
    char              name[RESOLVE__NAME_MAX + 1]; /* constant */
    tmlrt_addr_t      addr[];                      /* as result */
} resolve__lookup_t;

static void resolve__unref(resolve__lookup_t *l) {
    /* release: our use is over; acquire: so is the other's; pairs [RSV-1] */
    if (tmlrt__fetch_sub_acq_rel(&l->refs, 1) != 1) return;
    tmlrt_allocator_t mem = l->mem;
    tmlrt__mem_put(&mem, l, l->size, _Alignof(resolve__lookup_t));
}

/* ---- the job ---------------------------------------------------------------------------------- */

static int resolve__error(int code) {
    switch (code) {
    case EAI_AGAIN: return TMLRT_EAGAIN;
    case EAI_MEMORY: return TMLRT_ENOMEM;
    case EAI_FAIL: return TMLRT_EIO;
    case EAI_FAMILY: return TMLRT_EAFNOSUPPORT;
#ifdef EAI_SYSTEM
    case EAI_SYSTEM: return tmlrt__os_last_error();
#endif
    case EAI_NONAME:
        return TMLRT_ENOENT;
/* On Windows one may be another word for the other, and the answer is a third. */
#if defined(EAI_NODATA) && EAI_NODATA != EAI_NONAME
    case EAI_NODATA: return TMLRT_ENOENT;
#elif defined(WSANO_DATA)
    case WSANO_DATA: return TMLRT_ENOENT;
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY: return TMLRT_ENOENT;
#endif
    default: return TMLRT_EUNKNOWN;
    }
}

static void *resolve__run(void *arg) {
    resolve__lookup_t    *l = arg;
    struct addrinfo      *list = NULL;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char service[16];
    snprintf(service, sizeof service, "%d", l->port);
    /* -1 is the seam's; as a code it is that of wrong flags, which these are not. */
    int code = TMLRT__SYS(getaddrinfo(l->name, service, &hints, &list));
    if (code == -1) code = errno == EINTR ? EAI_AGAIN : EAI_MEMORY;
    if (code != 0) {
        l->result = resolve__error(code);
        return NULL;
    }
    size_t n = 0;
    for (const struct addrinfo *a = list; a != NULL && n < l->max; a = a->ai_next)
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6)
            tmlrt__addr_set(&l->addr[n++], a->ai_addr, a->ai_addrlen);
    freeaddrinfo(list);
    l->result = n != 0 ? (int64_t)n : TMLRT_ENOENT;
    return NULL;
}

/* The job has ended, or was taken out of its queue: tells the operation if it still waits. */
static void resolve__tell(void *arg) {
    resolve__lookup_t *l = arg;
    tmlrt__wake_t      wake = 0;
    tmlrt__latch_lock(&l->latch);
    tmlrt__op_t *op = l->op;
    l->op = NULL;
    if (op != NULL) {
        if (l->result > 0)
            memcpy(op->u.resolve.out, l->addr, (size_t)l->result * sizeof l->addr[0]);
        op->result = l->result;
        wake = tmlrt__op_fire(op, TMLRT__OP_SRC_ARMED); /* under the latch: a cancel is definite */
    }
    tmlrt__latch_unlock(&l->latch);
    tmlrt__wake_run(wake);
    resolve__unref(l);
}

/* ---- the operation ---------------------------------------------------------------------------- */

/* An address that needs no lookup: as its text with the port. */
static bool resolve__numeric(tmlrt_addr_t *out, const char *name, int port) {
    char text[RESOLVE__NAME_MAX + 16];
    snprintf(text, sizeof text, strchr(name, ':') != NULL ? "[%s]:%d" : "%s:%d", name, port);
    tmlrt_addr_t addr;
    if (tmlrt_addr_parse(&addr, text) != TMLRT_OK || !tmlrt__addr_is_inet(&addr)) return false;
    *out = addr;
    return true;
}

static int resolve__make(resolve__lookup_t **out, const tmlrt__op_t *op,
                         const tmlrt__host_t *host) {
    size_t             max = op->u.resolve.max < RESOLVE__MOST ? op->u.resolve.max : RESOLVE__MOST;
    size_t             size = sizeof(resolve__lookup_t) + max * sizeof(tmlrt_addr_t);
    resolve__lookup_t *l = tmlrt__mem_zero(&host->mem, size, _Alignof(resolve__lookup_t));
    if (l == NULL) return TMLRT_ENOMEM;
    tmlrt__atomic_make(&l->refs, 2);
    l->mem = host->mem;
    l->size = size;
    l->max = max;
    l->port = op->u.resolve.port;
    l->result = TMLRT_ESHUTDOWN; /* unless it runs: only a shutdown aborts it beside us */
    strcpy(l->name, op->u.resolve.name);
    *out = l;
    return TMLRT_OK;
}

static int resolve__begin(tmlrt__op_t *op) {
    tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
    tmlrt__host_t       *host;
    resolve__lookup_t   *l;
    int                  e = tmlrt__sock_host((tmlrt_runtime_t *)op->u.resolve.host, &host);
    if (e == TMLRT_OK) e = resolve__make(&l, op, host);
    if (e != TMLRT_OK) return e;
    options.name = "resolve";
    options.flags = TMLRT_TASK_DAEMON;
    op->u.resolve.host = host;
    op->u.resolve.lookup = l;
    l->op = op;
    tmlrt__op_arm(op, TMLRT__OP_SRC_ARMED);
    e = tmlrt__blocking_spawn(host, resolve__run, l, resolve__tell, TMLRT_BLOCKING_NAMES, &options,
                              &l->task);
    if (e == TMLRT_OK) return TMLRT_OK;
    tmlrt__op_disarm(op, TMLRT__OP_SRC_ARMED);
    resolve__unref(l);
    resolve__unref(l);
    return e;
}

static int32_t resolve__start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    if (resolve__numeric(op->u.resolve.out, op->u.resolve.name, op->u.resolve.port)) {
        op->result = 1;
        return TMLRT_READY;
    }
    int e = resolve__begin(op);
    if (e == TMLRT_OK) return TMLRT_PENDING;
    op->result = e;
    return TMLRT_READY;
}

static int32_t resolve__end(tmlrt__op_t *op) {
    resolve__lookup_t *l = op->u.resolve.lookup;
    tmlrt_task_release(l->task);
    resolve__unref(l);
    return TMLRT_READY;
}

static int32_t resolve__resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    (void)cx;
    return resolve__end(op);
}

static int32_t resolve__cancel(tmlrt__op_t *op, int reason) {
    resolve__lookup_t *l = op->u.resolve.lookup;
    tmlrt__latch_lock(&l->latch);
    bool waits = l->op != NULL;
    l->op = NULL;
    tmlrt__latch_unlock(&l->latch);
    if (waits) {
        tmlrt__op_disarm(op, TMLRT__OP_SRC_ARMED);
        op->result = reason;
        tmlrt_task_abort(l->task);
    } else {
        tmlrt__op_ctl(op); /* observes the fire */
    }
    return resolve__end(op);
}

static const tmlrt__host_t *resolve__about(const tmlrt__op_t *op) {
    return op->u.resolve.host;
}

static const tmlrt__op_class_t resolve__class = {.waits_for = "resolve",
                                                 .start = resolve__start,
                                                 .resume = resolve__resume,
                                                 .cancel = resolve__cancel,
                                                 .about = resolve__about};

static bool resolve__is_bad(const char *host, int port) {
    if (host == NULL || host[0] == '\0' || port < 0 || port > UINT16_MAX) return true;
    return memchr(host, '\0', RESOLVE__NAME_MAX + 1) == NULL;
}

int tmlrt_op_resolve(tmlrt_op_t *op, tmlrt_runtime_t *rt, const char *host, int port,
                     tmlrt_addr_t *out, size_t max) {
    if (resolve__is_bad(host, port) || out == NULL || max == 0)
        return tmlrt__op_prepare_failed(op, TMLRT_EINVAL);
    int e = tmlrt__op_prepare(op, &resolve__class);
    if (e != TMLRT_OK) return e;
    tmlrt__op_t *inside = tmlrt__op(op);
    inside->u.resolve.host = (tmlrt__host_t *)(void *)rt;
    inside->u.resolve.name = host;
    inside->u.resolve.port = port;
    inside->u.resolve.out = out;
    inside->u.resolve.max = max;
    return TMLRT_OK;
}

int tmlrt_resolve_until(tmlrt_runtime_t *rt, const char *host, int port, tmlrt_addr_t *out,
                        size_t max, int64_t deadline) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    int        e = tmlrt_op_resolve(&op, rt, host, port, out, max);
    return e != TMLRT_OK ? e : (int)tmlrt__call_await(&op, deadline);
}

int tmlrt_resolve(tmlrt_runtime_t *rt, const char *host, int port, tmlrt_addr_t *out, size_t max) {
    return tmlrt_resolve_until(rt, host, port, out, max, TMLRT_NEVER);
}

/* ---- connecting by name ------------------------------------------------------------------------ */

typedef struct connect__attempt {
    tmlrt_op_t    op;
    tmlrt_sock_t *sock; /* what it has connected */
    bool          flies;
} connect__attempt_t;

typedef struct connect__state {
    tmlrt_runtime_t           *rt;
    const tmlrt_tcp_options_t *options;
    const char                *host; /* NULL: the addresses are there */
    tmlrt_sock_t             **out;
    uint32_t                   n, next;       /* addresses; the one to be tried next */
    int                        error;         /* the one to be told, so far; 0: none */
    bool                       error_is_weak; /* it says no more than that there is no way there */
    tmlrt_op_t                 lookup, timer;
    tmlrt_addr_t               addr[CONNECT__MOST];
    connect__attempt_t         attempt[CONNECT__MOST];
} connect__state_t;

void tmlrt__connect_order(tmlrt_addr_t *addr, uint32_t n) {
    for (uint32_t at = 1; at < n; at++) {
        uint32_t from = at;
        int      before = tmlrt__addr_family(&addr[at - 1]);
        while (from < n && tmlrt__addr_family(&addr[from]) == before)
            from++;
        if (from == n) return;
        tmlrt_addr_t chosen = addr[from];
        memmove(&addr[at + 1], &addr[at], (from - at) * sizeof *addr);
        addr[at] = chosen;
    }
}

static void connect__note(connect__state_t *s, int error) {
    bool weak = error == TMLRT_ENETUNREACH || error == TMLRT_EADDRNOTAVAIL ||
                error == TMLRT_EAFNOSUPPORT || error == TMLRT_ENETDOWN;
    if (s->error != 0 && (weak || !s->error_is_weak)) return;
    s->error = error;
    s->error_is_weak = weak;
}

/* Polls the attempts. True: one has won. *flying: how many go on; *failed: one has just failed. */
static bool connect__look(connect__state_t *s, tmlrt_cx_t *cx, uint32_t *flying, bool *failed) {
    *flying = 0;
    *failed = false;
    for (uint32_t i = 0; i < s->next; i++) {
        connect__attempt_t *a = &s->attempt[i];
        if (!a->flies) continue;
        if (tmlrt_op_poll(&a->op, cx) == TMLRT_PENDING) {
            ++*flying;
            continue;
        }
        a->flies = false;
        int e = (int)tmlrt_op_result(&a->op);
        if (e == TMLRT_OK) {
            *s->out = a->sock;
            a->sock = NULL;
            return true;
        }
        connect__note(s, e);
        *failed = true;
    }
    return false;
}

static void connect__launch(connect__state_t *s, tmlrt_cx_t *cx) {
    connect__attempt_t *a = &s->attempt[s->next];
    tmlrt_op_connect(&a->op, s->rt, &s->addr[s->next], s->options, &a->sock);
    a->flies = true;
    s->next++;
    tmlrt_op_cancel(&s->timer);
    tmlrt_op_sleep(&s->timer, s->rt, CONNECT__STAGGER);
    (void)tmlrt_op_poll(&s->timer, cx);
}

/* True once the addresses are there, or the error is. */
static bool connect__resolved(connect__state_t *s, tmlrt_cx_t *cx) {
    if (s->host == NULL) return true;
    if (tmlrt_op_poll(&s->lookup, cx) == TMLRT_PENDING) return false;
    int64_t n = tmlrt_op_result(&s->lookup);
    s->host = NULL;
    if (n < 0)
        s->error = (int)n;
    else
        s->n = (uint32_t)n;
    tmlrt__connect_order(s->addr, s->n);
    return true;
}

/* The result is an int. */
static int32_t connect__poll(void *state, tmlrt_cx_t *cx, void *result) {
    connect__state_t *s = state;
    uint32_t          flying;
    bool              failed;
    if (!connect__resolved(s, cx)) return TMLRT_PENDING;
    for (;;) {
        if (connect__look(s, cx, &flying, &failed)) {
            *(int *)result = TMLRT_OK; /* the others are cancelled and acknowledged by who polls */
            return TMLRT_READY;
        }
        bool more = s->next < s->n;
        if (!more && flying == 0) {
            *(int *)result = s->error;
            return TMLRT_READY;
        }
        if (!more) return TMLRT_PENDING;
        if (flying != 0 && !failed && tmlrt_op_poll(&s->timer, cx) == TMLRT_PENDING)
            return TMLRT_PENDING;
        connect__launch(s, cx);
    }
}

/* An attempt that had connected when another won. */
static void connect__drop(void *state) {
    connect__state_t *s = state;
    for (uint32_t i = 0; i < s->next; i++)
        tmlrt_sock_release(s->attempt[i].sock);
}

static const tmlrt_task_type_t connect__type = {
    .struct_size = sizeof(tmlrt_task_type_t),
    .name = "connect_host",
    .state_size = sizeof(connect__state_t),
    .state_align = _Alignof(connect__state_t),
    .result_size = sizeof(int),
    .result_align = _Alignof(int),
    .poll = connect__poll,
    .drop = connect__drop,
};

static int connect__run(connect__state_t *s, int64_t deadline) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    int        result = TMLRT_ECANCELED;
    tmlrt_op_future(&op, &connect__type, s, &result);
    int e = (int)tmlrt__call_await(&op, deadline);
    return e != TMLRT_OK ? e : result;
}

/* Checks what both have, and makes the state. */
static int connect__init(connect__state_t *s, tmlrt_runtime_t *rt,
                         const tmlrt_tcp_options_t *options, tmlrt_sock_t **out) {
    tmlrt_tcp_options_t full;
    tmlrt__host_t      *host;
    if (out == NULL || tmlrt__tcp_options(options, &full, false) != TMLRT_OK) return TMLRT_EINVAL;
    int e = tmlrt__sock_host(rt, &host);
    if (e != TMLRT_OK) return e;
    memset(s, 0, sizeof *s);
    s->rt = (tmlrt_runtime_t *)(void *)host;
    s->options = options;
    s->out = out;
    return TMLRT_OK;
}

int tmlrt__connect_first(tmlrt_runtime_t *rt, const tmlrt_addr_t *addrs, size_t n,
                         const tmlrt_tcp_options_t *options, tmlrt_sock_t **out, int64_t deadline) {
    connect__state_t s;
    int              e = connect__init(&s, rt, options, out);
    if (e != TMLRT_OK) return e;
    s.n = n < CONNECT__MOST ? (uint32_t)n : CONNECT__MOST;
    memcpy(s.addr, addrs, s.n * sizeof *addrs);
    tmlrt__connect_order(s.addr, s.n);
    return connect__run(&s, deadline);
}

int tmlrt_connect_host_until(tmlrt_runtime_t *rt, const char *host, int port,
                             const tmlrt_tcp_options_t *options, tmlrt_sock_t **out,
                             int64_t deadline) {
    connect__state_t s;
    if (resolve__is_bad(host, port)) return TMLRT_EINVAL;
    int e = connect__init(&s, rt, options, out);
    if (e != TMLRT_OK) return e;
    s.host = host;
    tmlrt_op_resolve(&s.lookup, s.rt, host, port, s.addr, CONNECT__MOST);
    return connect__run(&s, deadline);
}

int tmlrt_connect_host(tmlrt_runtime_t *rt, const char *host, int port,
                       const tmlrt_tcp_options_t *options, tmlrt_sock_t **out) {
    return tmlrt_connect_host_until(rt, host, port, options, out, TMLRT_NEVER);
}
