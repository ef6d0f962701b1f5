/* SPDX-License-Identifier: MIT */
/*
 * source.c: the tables of sources, the end of a source, the way of an event to its source, and what
 * the operations of all backends share.
 */
#include "source.h"

#include <tmlrt/net.h>
#include <tmlrt/replay.h>

#include "../chance.h"
#include "../compiler.h"
#include "../os.h"
#include "../os_socket.h"

/* Chunk k has FIRST << k slots and is made when the chunks before it are full. */
#define TABLE__FIRST  64u
#define TABLE__CHUNKS 23u

/* A listener that ran out of descriptors or memory. */
#define SOURCE__REST_NS (INT64_C(50) * 1000 * 1000)

#define KEY__HOOKED ((uint64_t)1 << 31)
#define KEY__INDEX  ((uint64_t)KEY__HOOKED - 1)

struct tmlrt__source_table {
    tmlrt__driver_t              *driver;          /* valid while `drivers` can be entered */
    const tmlrt__reactor_class_t *cls;             /* constant */
    tmlrt__host_t                *host;            /* constant; valid as long as the driver */
    tmlrt_allocator_t             mem;             /* constant */
    uint32_t                      fork_generation; /* constant */
    tmlrt__atomic_u32             refs;            /* the driver, and each slot in use */
    tmlrt__pins_t                 visitors; /* who is between enter and leave; closed: barred */
    tmlrt__pins_t                 drivers; /* uses of the driver by detaching; closed: it is gone */
    tmlrt__latch_t                latch;   /* guards the fields below and `used` of the slots */
    bool                          stopped; /* listeners are stopped, new ones too */
    uint32_t                      free;    /* index + 1 of the newest free slot, or 0 */
    uint32_t                      carved;  /* slots below were in use at least once */
    uint32_t                      chunks;
    tmlrt__atomic_ptr             chunk[TABLE__CHUNKS]; /* any thread reads; set once */
};

/* ---- slots ---------------------------------------------------------------------------------- */

static uint32_t table__chunk_of(uint32_t index, uint32_t *offset) {
    uint32_t k = 31u - tmlrt__clz32(index / TABLE__FIRST + 1);
    *offset = index - TABLE__FIRST * ((1u << k) - 1);
    return k;
}

/* The slot of an index that was carved. */
static tmlrt__source_t *table__slot(tmlrt__source_table_t *t, uint32_t index) {
    uint32_t offset;
    uint32_t k = table__chunk_of(index, &offset);
    /* acquire: observes the zeroed chunk; pairs [SRC-1] */
    char *chunk = tmlrt__load_acquire(&t->chunk[k]);
    return (tmlrt__source_t *)(void *)(chunk + (size_t)offset * TMLRT__SOURCE_SLOT);
}

static size_t table__chunk_size(uint32_t k) {
    return (size_t)(TABLE__FIRST << k) * TMLRT__SOURCE_SLOT;
}

/* Adds chunk `k` unless somebody else has. */
static int table__grow(tmlrt__source_table_t *t, uint32_t k) {
    if (k == TABLE__CHUNKS) return TMLRT_ENOMEM;
    void *chunk = tmlrt__mem_zero(&t->mem, table__chunk_size(k), TMLRT__CACHE_LINE);
    if (chunk == NULL) return TMLRT_ENOMEM;
    tmlrt__latch_lock(&t->latch);
    bool mine = t->chunks == k;
    if (mine) {
        /* release: publishes the zeroed chunk; pairs [SRC-1] */
        tmlrt__store_release(&t->chunk[k], chunk);
        t->chunks = k + 1;
    }
    tmlrt__latch_unlock(&t->latch);
    if (!mine) tmlrt__mem_put(&t->mem, chunk, table__chunk_size(k), TMLRT__CACHE_LINE);
    return TMLRT_OK;
}

/* Latch held: a slot for a new tenant, or NULL when the chunks are full. */
static tmlrt__source_t *table__take(tmlrt__source_table_t *t) {
    tmlrt__source_t *s = NULL;
    if (t->free != 0) {
        s = table__slot(t, t->free - 1);
        t->free = s->next_free;
    } else if (t->carved < TABLE__FIRST * ((1u << t->chunks) - 1)) {
        s = table__slot(t, t->carved);
        s->index = t->carved++;
        s->table = t;
    }
    return s;
}

static void table__put(tmlrt__source_t *s) {
    tmlrt__source_table_t *t = s->table;
    tmlrt__latch_lock(&t->latch);
    s->used = 0;
    s->next_free = t->free;
    t->free = s->index + 1;
    tmlrt__latch_unlock(&t->latch);
    tmlrt__source_table_unref(t);
}

/* ---- tables --------------------------------------------------------------------------------- */

int tmlrt__source_table_create(tmlrt__source_table_t **out, tmlrt__driver_t *d) {
    const tmlrt_allocator_t *mem = &d->host->mem;
    tmlrt__source_table_t   *t = tmlrt__mem_zero(mem, sizeof *t, TMLRT__CACHE_LINE);
    if (t == NULL) return TMLRT_ENOMEM;
    t->driver = d;
    t->cls = d->cls;
    t->host = d->host;
    t->mem = *mem;
    t->fork_generation = d->host->fork_generation;
    tmlrt__atomic_make(&t->refs, 1);
    tmlrt__pins_init(&t->visitors);
    tmlrt__pins_init(&t->drivers);
    *out = t;
    return TMLRT_OK;
}

bool tmlrt__source_table_enter(tmlrt__source_table_t *t) {
    return tmlrt__pins_enter(&t->visitors);
}

void tmlrt__source_table_leave(tmlrt__source_table_t *t) {
    tmlrt__pins_leave(&t->visitors);
}

/* Lets nobody enter, and waits for who is inside: each is about a system call or two. */
static void table__end_pins(tmlrt__pins_t *p) {
    if (tmlrt__pins_close(p)) return;
    while (!tmlrt__pins_idle(p))
        tmlrt__latch_relax();
}

void tmlrt__driver_bar(tmlrt__driver_t *d) {
    table__end_pins(&d->table->visitors);
}

void tmlrt__source_table_orphan(tmlrt__source_table_t *t) {
    table__end_pins(&t->drivers);
}

void tmlrt__source_table_unref(tmlrt__source_table_t *t) {
    /* release: our use is over; acquire: so is everybody's; pairs [SRC-2] */
    if (tmlrt__fetch_sub_acq_rel(&t->refs, 1) != 1) return;
    tmlrt_allocator_t mem = t->mem;
    for (uint32_t k = 0; k < t->chunks; k++)
        tmlrt__mem_put(&mem, tmlrt__load_relaxed(&t->chunk[k]), table__chunk_size(k),
                       TMLRT__CACHE_LINE);
    tmlrt__mem_put(&mem, t, sizeof *t, TMLRT__CACHE_LINE);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Latch held: makes the slot the home of a new source. */
static void source__move_in(tmlrt__source_t *s, tmlrt__driver_t *d, uint32_t kind, int64_t fd,
                            uint32_t flags, const tmlrt__source_hooks_t *hooks) {
    uint64_t always = kind == TMLRT__SOURCE_LISTENER && s->table->stopped ? TMLRT__SW_STOPPED : 0;
    if ((flags & TMLRT__READ_STOPS) != 0) always |= TMLRT__SW_HUP;
    if (kind == TMLRT__SOURCE_LISTENER || kind == TMLRT__SOURCE_DATAGRAM)
        always |= TMLRT__SW_COUNTS;
    s->driver = d;
    s->fd = fd;
    s->hooks = hooks;
    tmlrt__store_relaxed(&s->waits, NULL);
    s->backend = NULL;
    s->kind = (uint8_t)kind;
    s->attached = 0;
    s->stops = (uint8_t)(flags & TMLRT__READ_STOPS);
    tmlrt__store_relaxed(&s->accept_after, 0);
    s->generation++;
    tmlrt__life_init(&s->life);
    for (uint32_t dir = 0; dir < 2; dir++)
        tmlrt__sw_init(&s->word[dir], s->generation,
                       always | ((flags >> dir & 1) ? TMLRT__SW_READY : 0));
    tmlrt__pins_init(&s->pins);
    s->used = 1;
}

int tmlrt__source_open(tmlrt__source_t **out, tmlrt__driver_t *d, uint32_t kind, int64_t fd,
                       uint32_t flags, const tmlrt__source_hooks_t *hooks) {
    tmlrt__source_table_t *t = d->table;
    for (;;) {
        tmlrt__latch_lock(&t->latch);
        uint32_t         k = t->chunks;
        tmlrt__source_t *s = table__take(t);
        if (s != NULL) {
            tmlrt__fetch_add_relaxed(&t->refs, 1); /* the driver holds one: it is not 0 */
            source__move_in(s, d, kind, fd, flags, hooks);
        }
        tmlrt__latch_unlock(&t->latch);
        if (s != NULL) {
            *out = s;
            return TMLRT_OK;
        }
        int e = table__grow(t, k);
        if (e != TMLRT_OK) return e;
    }
}

const tmlrt__sockets_t *tmlrt__source_sockets(const tmlrt__source_t *s) {
    bool stream = s->kind == TMLRT__SOURCE_STREAM || s->kind == TMLRT__SOURCE_LISTENER;
    return stream ? s->table->cls->sockets : NULL;
}

/* In a replay, of a source whose events come from outside: one more or one less. */
static void source__is_outside(const tmlrt__source_t *s, tmlrt__chance_t *c, bool more) {
    if (c == NULL || tmlrt__source_sockets(s) != NULL) return;
    if (more) {
        tmlrt__fetch_add_relaxed(&c->outside, 1);
        tmlrt__chance_void(c, TMLRT_REPLAY_DESCRIPTOR);
    } else {
        tmlrt__fetch_sub_relaxed(&c->outside, 1);
    }
}

int tmlrt__source_attach(tmlrt__source_t *s) {
    s->attached = 1;
    if (s->hooks != NULL) tmlrt__pins_publish(&s->pins);
    tmlrt__fetch_add_relaxed(&s->driver->sources, 1);
    int e = s->driver->cls->attach(s->driver, s);
    if (e == TMLRT_OK) source__is_outside(s, s->table->host->chance, true);
    if (e != TMLRT_OK) {
        s->attached = 0;
        tmlrt__fetch_sub_relaxed(&s->driver->sources, 1);
    }
    return e;
}

void tmlrt__source_detach(tmlrt__source_t *s) {
    tmlrt__source_table_t *t = s->table;
    if (!s->attached || !tmlrt__pins_enter(&t->drivers)) return;
    s->attached = 0;
    s->driver->cls->detach(s->driver, s);
    source__is_outside(s, t->host->chance, false);
    tmlrt__fetch_sub_relaxed(&s->driver->sources, 1);
    tmlrt__pins_leave(&t->drivers);
}

/* ---- ending --------------------------------------------------------------------------------- */

void tmlrt__source_close_fd(uint32_t kind, int64_t fd) {
    bool socket = kind != TMLRT__SOURCE_OWN && kind != TMLRT__SOURCE_PIPE_READ &&
                  kind != TMLRT__SOURCE_PIPE_WRITE;
    if (kind == TMLRT__SOURCE_FOREIGN || fd < 0) return;
    if (socket)
        tmlrt__os_socket_close((int)fd);
    else
        tmlrt__os_file_close((int)fd);
}

static void source__close_fd(const tmlrt__source_t *s) {
    if (tmlrt__source_sockets(s) == NULL) {
        tmlrt__source_close_fd(s->kind, s->fd);
    } else if (!tmlrt__source_forked(s) && tmlrt__pins_enter(&s->table->drivers)) {
        s->table->cls->sockets->close(s->driver, s->fd);
        tmlrt__pins_leave(&s->table->drivers);
    }
}

void tmlrt__source_end_half(tmlrt__source_t *s) {
    if (!tmlrt__life_half(&s->life)) return;
    tmlrt__source_detach(s);
    if (s->hooks != NULL && s->hooks->ended != NULL) s->hooks->ended(s);
    source__close_fd(s);
    if (tmlrt__life_ended(&s->life)) table__put(s);
}

/* Fires a waiter that was taken off a word. */
static void source__fire(void *waiter) {
    if (waiter != NULL) tmlrt__wake_run(tmlrt__op_fire((tmlrt__op_t *)waiter, TMLRT__OP_SRC_ARMED));
}

static void source__tell_backend(tmlrt__source_t *s) {
    tmlrt__source_table_t *t = s->table;
    if (t->cls->closing == NULL || !tmlrt__pins_enter(&t->drivers)) return;
    t->cls->closing(t->driver, s);
    tmlrt__pins_leave(&t->drivers);
}

void tmlrt__source_shut(tmlrt__source_t *s) {
    tmlrt__source_table_t *t = s->table;
    if (t->cls->shut == NULL || !tmlrt__pins_enter(&t->drivers)) return;
    t->cls->shut(t->driver, s);
    tmlrt__pins_leave(&t->drivers);
}

bool tmlrt__source_close(tmlrt__source_t *s) {
    void             *waiter[2];
    tmlrt__sw_close_t found[2];
    /* The read word decides who is the closer; until we end our halves, the slot is ours. */
    found[TMLRT__DIR_READ] = tmlrt__sw_close(&s->word[TMLRT__DIR_READ], &waiter[TMLRT__DIR_READ]);
    if (found[TMLRT__DIR_READ] == TMLRT__SW_CLOSE_ALREADY) return false;
    found[TMLRT__DIR_WRITE] =
        tmlrt__sw_close(&s->word[TMLRT__DIR_WRITE], &waiter[TMLRT__DIR_WRITE]);
    if (found[0] == TMLRT__SW_CLOSE_CLAIMED || found[1] == TMLRT__SW_CLOSE_CLAIMED)
        source__tell_backend(s);
    source__fire(waiter[0]);
    source__fire(waiter[1]);
    if (s->hooks != NULL && s->hooks->closed != NULL) s->hooks->closed(s);
    if (found[0] == TMLRT__SW_CLOSE_IDLE) tmlrt__source_end_half(s);
    if (found[1] == TMLRT__SW_CLOSE_IDLE) tmlrt__source_end_half(s);
    if (tmlrt__pins_close(&s->pins)) tmlrt__source_end_half(s);
    return true;
}

void tmlrt__source_release(tmlrt__source_t *s) {
    tmlrt__source_close(s);
    if (tmlrt__life_handle(&s->life)) table__put(s);
}

bool tmlrt__source_forked(const tmlrt__source_t *s) {
    return s->table->fork_generation != tmlrt__load_relaxed(&tmlrt__fork_generation);
}

bool tmlrt__source_pin(tmlrt__source_t *s) {
    return tmlrt__pins_enter(&s->pins);
}

void tmlrt__source_unpin(tmlrt__source_t *s) {
    if (tmlrt__pins_leave(&s->pins)) tmlrt__source_end_half(s);
}

void tmlrt__source_unclaim(tmlrt__source_t *s, uint32_t dir) {
    if (tmlrt__sw_release(&s->word[dir])) tmlrt__source_end_half(s);
}

void tmlrt__source_rest(tmlrt__source_t *s) {
    tmlrt__source_table_t *t = s->table;
    if (!tmlrt__source_table_enter(t)) return;
    tmlrt__store_relaxed(&s->accept_after, t->host->ops->now(t->host) + SOURCE__REST_NS);
    tmlrt__source_table_leave(t);
}

/* ---- all sources of a driver ----------------------------------------------------------------- */

/* The source at `index` if it is in use; *end when there are no more. Latch taken and given. */
static tmlrt__source_t *table__used(tmlrt__source_table_t *t, uint32_t index, bool *end) {
    tmlrt__latch_lock(&t->latch);
    tmlrt__source_t *s = NULL;
    *end = index >= t->carved;
    if (!*end) s = table__slot(t, index);
    if (s != NULL && !s->used) s = NULL;
    tmlrt__latch_unlock(&t->latch);
    return s;
}

void tmlrt__driver_stop_accepts(tmlrt__driver_t *d) {
    tmlrt__source_table_t *t = d->table;
    bool                   end = false;
    tmlrt__latch_lock(&t->latch);
    t->stopped = true;
    tmlrt__latch_unlock(&t->latch);
    for (uint32_t i = 0; !end; i++) {
        tmlrt__source_t *s = table__used(t, i, &end);
        /* The pin keeps the tenant; a later one was born stopped, if it is a listener. */
        if (s == NULL || !tmlrt__source_pin(s)) continue;
        if (s->kind == TMLRT__SOURCE_LISTENER) {
            source__fire(tmlrt__sw_stop(&s->word[TMLRT__DIR_READ]));
            source__tell_backend(s);
        }
        tmlrt__source_unpin(s);
    }
}

void tmlrt__driver_close_sources(tmlrt__driver_t *d, bool forked) {
    tmlrt__source_table_t *t = d->table;
    if (forked) { /* no latch: a thread of the parent may have held it */
        for (uint32_t i = 0; i < t->carved; i++) {
            tmlrt__source_t *s = table__slot(t, i);
            uint64_t         bits = tmlrt__load_relaxed(&s->word[TMLRT__DIR_READ].bits);
            if (s->used && !(bits & TMLRT__SW_CLOSED)) source__close_fd(s);
        }
        return;
    }
    bool end = false;
    for (uint32_t i = 0; !end; i++) {
        /* Should it be released meanwhile, it is closed already, or a new one to be closed too. */
        tmlrt__source_t *s = table__used(t, i, &end);
        if (s != NULL) tmlrt__source_close(s);
    }
}

/* ---- events --------------------------------------------------------------------------------- */

uint64_t tmlrt__source_key(const tmlrt__source_t *s) {
    return (uint64_t)s->generation << 32 | (s->hooks != NULL ? KEY__HOOKED : 0) | s->index;
}

static void source__hooked_event(tmlrt__source_t *s, uint32_t generation, uint32_t events) {
    if (!tmlrt__source_pin(s)) return;
    uint64_t bits = tmlrt__load_relaxed(&s->word[TMLRT__DIR_READ].bits);
    if (tmlrt__sw_generation(bits) == generation) s->hooks->event(s, events);
    tmlrt__source_unpin(s);
}

void tmlrt__source_prefetch(tmlrt__source_table_t *t, uint64_t key) {
    tmlrt__prefetch(table__slot(t, (uint32_t)(key & KEY__INDEX)));
}

/* The operation, two lines, and the two before, where the header of a task is that has it near its
 * state's begin. */
void tmlrt__source_prefetch_waiter(tmlrt__source_table_t *t, uint64_t key) {
    tmlrt__source_t *s = table__slot(t, (uint32_t)(key & KEY__INDEX));
    const char      *op = tmlrt__load_relaxed(&s->waits);
    for (int line = -2; op != NULL && line < 2; line++)
        tmlrt__prefetch(op + line * TMLRT__CACHE_LINE);
}

void tmlrt__source_event(tmlrt__source_table_t *t, uint64_t key, uint32_t events) {
    uint32_t         generation = tmlrt__sw_generation(key);
    tmlrt__source_t *s = table__slot(t, (uint32_t)(key & KEY__INDEX));
    if (key & KEY__HOOKED) {
        source__hooked_event(s, generation, events);
        return;
    }
    uint32_t over = events & TMLRT__EVENT_ERROR;
    if (events & (TMLRT__EVENT_READ | TMLRT__EVENT_HUP | TMLRT__EVENT_ERROR)) {
        uint64_t hup = (over || (events & TMLRT__EVENT_HUP)) ? TMLRT__SW_HUP : 0;
        source__fire(tmlrt__sw_event(&s->word[TMLRT__DIR_READ], generation, TMLRT__SW_READY | hup));
    }
    if (events & (TMLRT__EVENT_WRITE | TMLRT__EVENT_ERROR)) {
        uint64_t hup = over ? TMLRT__SW_HUP : 0;
        source__fire(
            tmlrt__sw_event(&s->word[TMLRT__DIR_WRITE], generation, TMLRT__SW_READY | hup));
    }
}

/* ---- operations ----------------------------------------------------------------------------- */

tmlrt__host_t *tmlrt__source_host(const tmlrt__source_t *s) {
    return s->table->host;
}

bool tmlrt__source_believes(const tmlrt__source_t *s) {
    return s->table->cls->closing == NULL;
}

/* A transfer of no bytes waits for nothing. */
static bool io__is_empty(const tmlrt__op_t *op) {
    const tmlrt_iovec_t *iov = op->u.io.buf;
    switch (tmlrt__io_class(op)->kind) {
    case TMLRT__IO_READ:
    case TMLRT__IO_READ_EXACT:
    case TMLRT__IO_WRITE: return op->u.io.len == 0;
    case TMLRT__IO_READV:
    case TMLRT__IO_WRITEV:
        for (size_t i = 0; i < op->u.io.len; i++)
            if (iov[i].size != 0) return false;
        return true;
    default: return false;
    }
}

bool tmlrt__io_claim(tmlrt__op_t *op) {
    tmlrt__source_t *s = tmlrt__io_source(op);
    op->result = TMLRT_EFORKED;
    if (tmlrt__source_forked(s)) return false;
    switch (
        tmlrt__sw_claim(&s->word[tmlrt__io_class(op)->dir], &op->u.io.u.backend[TMLRT__IO_SEEN])) {
    case TMLRT__SW_IS_BUSY: op->result = TMLRT_EBUSY; return false;
    case TMLRT__SW_IS_STOPPED: op->result = TMLRT_ESHUTDOWN; return false;
    case TMLRT__SW_IS_CLOSED: op->result = TMLRT_ECLOSED; return false;
    default: return true;
    }
}

/* A readiness backend needs its driver for the attach of a connect alone; the others for all. */
int32_t tmlrt__io_submit(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__source_table_t *t = tmlrt__io_source(op)->table;
    if (io__is_empty(op)) return tmlrt__io_end(op, 0);
    if (tmlrt__source_believes(tmlrt__io_source(op)) &&
        tmlrt__io_class(op)->kind != TMLRT__IO_CONNECT)
        return t->cls->start(op, cx);
    if (!tmlrt__source_table_enter(t)) return tmlrt__io_end(op, TMLRT_ECANCELED);
    int32_t answer = t->cls->start(op, cx);
    tmlrt__source_table_leave(t);
    return answer;
}

int32_t tmlrt__io_start(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    return tmlrt__io_claim(op) ? tmlrt__io_submit(op, cx) : TMLRT_READY;
}

/* It is not armed, so where the driver goes a cancel files what it came to. */
int32_t tmlrt__io_resume(tmlrt__op_t *op, tmlrt_cx_t *cx) {
    tmlrt__source_table_t *t = tmlrt__io_source(op)->table;
    if (tmlrt__source_believes(tmlrt__io_source(op))) return t->cls->resume(op, cx);
    if (!tmlrt__source_table_enter(t)) return t->cls->cancel(op, TMLRT_ECANCELED);
    int32_t answer = t->cls->resume(op, cx);
    tmlrt__source_table_leave(t);
    return answer;
}

/* Where the driver goes, its end fires what is armed. */
int32_t tmlrt__io_cancel(tmlrt__op_t *op, int reason) {
    tmlrt__source_table_t *t = tmlrt__io_source(op)->table;
    if (tmlrt__source_believes(tmlrt__io_source(op))) return t->cls->cancel(op, reason);
    bool inside = tmlrt__source_table_enter(t);
    if (!inside && (tmlrt__op_ctl(op) & TMLRT__OP_SRC_ARMED) != 0) return TMLRT_PENDING;
    int32_t answer = t->cls->cancel(op, reason);
    if (inside) tmlrt__source_table_leave(t);
    return answer;
}

const tmlrt__host_t *tmlrt__io_about(const tmlrt__op_t *op) {
    return tmlrt__source_host(tmlrt__io_source(op));
}

tmlrt__host_t *tmlrt__io_lend(const tmlrt__op_t *op) {
    tmlrt__source_table_t *t = tmlrt__io_source(op)->table;
    return tmlrt__source_table_enter(t) ? t->host : NULL;
}

void tmlrt__io_give(const tmlrt__op_t *op) {
    tmlrt__source_table_leave(tmlrt__io_source(op)->table);
}

int32_t tmlrt__io_end(tmlrt__op_t *op, int64_t result) {
    op->result = result;
    tmlrt__source_unclaim(tmlrt__io_source(op), tmlrt__io_class(op)->dir);
    return TMLRT_READY;
}
