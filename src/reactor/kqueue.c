/* SPDX-License-Identifier: MIT */
/*
 * kqueue.c: the reactor of macOS and the BSDs: one kqueue a driver. A kqueue watches pairs of a
 * descriptor and a filter. Sockets get a reading and a writing one when they are attached, both with
 * EV_CLEAR (edges), and are served by readiness.c; foreign descriptors get theirs each time somebody
 * waits, with EV_ONESHOT. The wake is an EVFILT_USER of the kqueue's own: no descriptor, and several
 * triggers before a wait are one.
 *
 * Changes are made one source at a time, with EV_RECEIPT: each is answered by itself, so the failure
 * of one does not stop the next, and no event of the queue is taken along. A filter is deleted
 * before its descriptor is closed: the kernel would do that too, but not where the descriptor was
 * duplicated.
 *
 * A kqueue is not inherited by a forked child; its number there is anybody's.
 */
#include "kqueue.h"

#include <sys/types.h>
/* sys/types.h first. */
#include <sys/event.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <tmlrt/runtime.h>

#include "../fault.h"
#include "../os.h"
#include "fd_bits.h"
#include "readiness.h"

/* Small enough that what the dispatch touched is still in the cache when its task runs. */
#define KQUEUE__BATCH 64
/* A wait lasts so long at most; kernels differ in what they take, and a wait too short is harmless. */
#define KQUEUE__WAIT_MAX (INT64_C(86400) * 1000000000)

_Static_assert(sizeof(((struct kevent *)0)->udata) == sizeof(uint64_t),
               "the key of a source, generation included, fits an event: 64-bit systems");

typedef struct kqueue__driver {
    tmlrt__driver_t  base;
    int              fd;
    tmlrt__fd_bits_t foreign; /* any thread: which foreign descriptors it has */
} kqueue__driver_t;

static kqueue__driver_t *kqueue__of(tmlrt__driver_t *d) {
    return (kqueue__driver_t *)d;
}

/* ---- changes -------------------------------------------------------------------------------- */

typedef struct kqueue__changes {
    struct kevent list[2];
    int           n;
} kqueue__changes_t;

static void kqueue__add(kqueue__changes_t *c, int64_t fd, int filter, unsigned flags,
                        uint64_t key) {
    struct kevent *e = &c->list[c->n++];
    *e = (struct kevent){.ident = (uintptr_t)fd};
    e->filter = filter;
    e->flags = (unsigned short)(flags | EV_RECEIPT);
    e->udata = (void *)(uintptr_t)key;
}

/* Makes the changes; the first error that any of them had. */
static int kqueue__apply(kqueue__driver_t *d, const kqueue__changes_t *c) {
    const struct timespec at_once = {0, 0};
    struct kevent         answer[2];
    int                   n;
    do /* interrupted: made or not, to make them again does no harm */
        n = TMLRT__SYS(kevent(d->fd, c->list, c->n, answer, c->n, &at_once));
    while (n < 0 && errno == EINTR);
    if (n < 0) return tmlrt__os_error(errno);
    for (int i = 0; i < n; i++)
        if ((answer[i].flags & EV_ERROR) != 0 && answer[i].data != 0)
            return tmlrt__os_error((int)answer[i].data);
    return TMLRT_OK;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int kqueue__open(kqueue__driver_t *d) {
    d->fd = TMLRT__SYS(kqueue());
    if (d->fd < 0) return errno == ENOSYS ? TMLRT_ENOTSUP : tmlrt__os_error(errno);
    if (TMLRT__SYS(fcntl(d->fd, F_SETFD, FD_CLOEXEC)) != 0) return tmlrt__os_error(errno);
    kqueue__changes_t c = {.n = 0};
    kqueue__add(&c, 0, EVFILT_USER, EV_ADD | EV_CLEAR, 0);
    return kqueue__apply(d, &c);
}

static void kqueue__free(kqueue__driver_t *d) {
    const tmlrt_allocator_t *mem = &d->base.host->mem;
    if (d->fd >= 0) close(d->fd);
    tmlrt__fd_bits_end(&d->foreign, mem);
    tmlrt__mem_put(mem, d, sizeof *d, _Alignof(kqueue__driver_t));
}

static int kqueue__create(tmlrt__driver_t **out, tmlrt__host_t *host, uint32_t index) {
    kqueue__driver_t *d = tmlrt__mem_zero(&host->mem, sizeof *d, _Alignof(kqueue__driver_t));
    if (d == NULL) return TMLRT_ENOMEM;
    d->base.cls = &tmlrt__reactor_kqueue;
    d->base.host = host;
    d->base.index = index;
    int e = kqueue__open(d);
    if (e == TMLRT_OK)
        *out = &d->base;
    else
        kqueue__free(d);
    return e;
}

static void kqueue__destroy(tmlrt__driver_t *base, bool forked) {
    if (!forked) kqueue__free(kqueue__of(base));
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* The end of a foreign descriptor's stream: of one half, or of both? */
static bool kqueue__is_over(const struct kevent *e) {
    struct pollfd p = {.fd = (int)e->ident, .events = POLLIN};
    return (e->flags & EV_ONESHOT) != 0 && poll(&p, 1, 0) == 1 &&
           (p.revents & (POLLHUP | POLLERR)) != 0;
}

static uint32_t kqueue__events(const struct kevent *e) {
    bool     read = e->filter == EVFILT_READ;
    uint32_t events = read ? TMLRT__EVENT_READ : TMLRT__EVENT_WRITE;
    if ((e->flags & EV_EOF) != 0) {
        /* Nobody reads what would be written, or the socket has an error. */
        if (!read || e->fflags != 0 || kqueue__is_over(e)) events |= TMLRT__EVENT_ERROR;
        if (read) events |= TMLRT__EVENT_HUP;
    }
#if defined(EV_OOBAND)
    if (read && (e->flags & EV_OOBAND) != 0) events |= TMLRT__EVENT_HUP;
#else
    /* A read stops short at urgent data, of which nothing tells here: only EAGAIN says that nothing
     * is left. */
    if (read) events |= TMLRT__EVENT_HUP;
#endif
    return events;
}

static uint32_t kqueue__wait(tmlrt__driver_t *base, int64_t timeout_ns) {
    struct kevent   events[KQUEUE__BATCH];
    int64_t         ns = timeout_ns > KQUEUE__WAIT_MAX ? KQUEUE__WAIT_MAX : timeout_ns;
    struct timespec limit = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    int             n = TMLRT__SYS(
                    kevent(kqueue__of(base)->fd, NULL, 0, events, KQUEUE__BATCH, ns < 0 ? NULL : &limit));
    uint32_t count = 0;
    for (int i = 0; i < n; i++) {
        if (events[i].filter != EVFILT_READ && events[i].filter != EVFILT_WRITE) continue;
        tmlrt__source_event(base->table, (uint64_t)(uintptr_t)events[i].udata,
                            kqueue__events(&events[i]));
        count++;
    }
    return count;
}

static void kqueue__wake(tmlrt__driver_t *base) {
    struct kevent e = {.ident = 0};
    e.filter = EVFILT_USER;
    e.fflags = NOTE_TRIGGER;
    /* Past the fault seam: nothing but an interruption can go wrong with it, and an invented failure
     * would be a lost wake. */
    while (kevent(kqueue__of(base)->fd, &e, 1, NULL, 0, NULL) < 0 && errno == EINTR) {
    }
}

static int64_t kqueue__handle(tmlrt__driver_t *base) {
    return kqueue__of(base)->fd;
}

/* ---- sources -------------------------------------------------------------------------------- */

static bool kqueue__reads(const tmlrt__source_t *s) {
    return s->kind != TMLRT__SOURCE_PIPE_WRITE;
}

static bool kqueue__writes(const tmlrt__source_t *s) {
    return s->kind != TMLRT__SOURCE_PIPE_READ && s->kind != TMLRT__SOURCE_LISTENER &&
           s->kind != TMLRT__SOURCE_OWN;
}

/* The filters of a source, with these flags. */
static kqueue__changes_t kqueue__filters(const tmlrt__source_t *s, unsigned flags) {
    kqueue__changes_t c = {.n = 0};
    uint64_t          key = tmlrt__source_key(s);
    if (kqueue__reads(s)) kqueue__add(&c, s->fd, EVFILT_READ, flags, key);
    if (kqueue__writes(s)) kqueue__add(&c, s->fd, EVFILT_WRITE, flags, key);
    return c;
}

/* One that was told once, or that nobody waited for, is not there: that is fine. Past the fault seam:
 * nothing else can go wrong with it but an interruption. */
static void kqueue__delete(kqueue__driver_t *d, const tmlrt__source_t *s) {
    const struct timespec at_once = {0, 0};
    kqueue__changes_t     c = kqueue__filters(s, EV_DELETE);
    struct kevent         answer[2];
    while (kevent(d->fd, c.list, c.n, answer, c.n, &at_once) < 0 && errno == EINTR) {
    }
}

/* Files are always ready: there would be nothing to wait for. Whether the kernel takes the other
 * kinds, it says to a filter that is disabled and goes at once. */
static int kqueue__probe(kqueue__driver_t *d, int64_t fd) {
    struct stat       what;
    kqueue__changes_t c = {.n = 0};
    if (TMLRT__SYS(fstat((int)fd, &what)) != 0) return tmlrt__os_error(errno);
    if (S_ISREG(what.st_mode) || S_ISDIR(what.st_mode) || S_ISBLK(what.st_mode))
        return TMLRT_ENOTSUP;
    kqueue__add(&c, fd, EVFILT_READ, EV_ADD | EV_DISABLE, 0);
    kqueue__add(&c, fd, EVFILT_READ, EV_DELETE, 0);
    int e = kqueue__apply(d, &c);
    return e == TMLRT_EINVAL || e == TMLRT_EACCES || e == TMLRT_ENOENT ? TMLRT_ENOTSUP : e;
}

static int kqueue__attach_foreign(kqueue__driver_t *d, const tmlrt__source_t *s) {
    int e = tmlrt__fd_bits_put(&d->foreign, &d->base.host->mem, (int)s->fd);
    if (e != TMLRT_OK) return e;
    e = kqueue__probe(d, s->fd);
    if (e != TMLRT_OK) tmlrt__fd_bits_take(&d->foreign, (int)s->fd);
    return e;
}

static int kqueue__attach(tmlrt__driver_t *base, tmlrt__source_t *s) {
    if (s->kind == TMLRT__SOURCE_FOREIGN) return kqueue__attach_foreign(kqueue__of(base), s);
    kqueue__changes_t c = kqueue__filters(s, EV_ADD | EV_CLEAR);
    int               e = kqueue__apply(kqueue__of(base), &c);
    if (e != TMLRT_OK) kqueue__delete(kqueue__of(base), s); /* one of the two may be there */
    return e;
}

static void kqueue__detach(tmlrt__driver_t *base, tmlrt__source_t *s) {
    kqueue__delete(kqueue__of(base), s);
    if (s->kind == TMLRT__SOURCE_FOREIGN)
        tmlrt__fd_bits_take(&kqueue__of(base)->foreign, (int)s->fd);
}

/* What was watched before and is no more may still be told once; nobody waits for it then. */
static int kqueue__watch(tmlrt__driver_t *base, tmlrt__source_t *s, uint32_t events) {
    kqueue__changes_t c = {.n = 0};
    uint64_t          key = tmlrt__source_key(s);
    if (events & TMLRT__EVENT_READ) kqueue__add(&c, s->fd, EVFILT_READ, EV_ADD | EV_ONESHOT, key);
    if (events & TMLRT__EVENT_WRITE) kqueue__add(&c, s->fd, EVFILT_WRITE, EV_ADD | EV_ONESHOT, key);
    return kqueue__apply(kqueue__of(base), &c);
}

const tmlrt__reactor_class_t tmlrt__reactor_kqueue = {
    .name = "kqueue",
    .id = TMLRT_REACTOR_KQUEUE,
    .create = kqueue__create,
    .destroy = kqueue__destroy,
    .wait = kqueue__wait,
    .wake = kqueue__wake,
    .handle = kqueue__handle,
    .attach = kqueue__attach,
    .detach = kqueue__detach,
    .watch = kqueue__watch,
    .start = tmlrt__readiness_start,
    .resume = tmlrt__readiness_resume,
    .cancel = tmlrt__readiness_cancel,
};
