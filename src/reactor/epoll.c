/* SPDX-License-Identifier: MIT */
/*
 * epoll.c: the reactor of Linux: one epoll instance a driver. Sockets are added once, edge-triggered
 * for both directions, and served by readiness.c; foreign descriptors one shot; the wake is an
 * eventfd, edge-triggered and never read (each write is an edge).
 */
#include "epoll.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tmlrt/runtime.h>

#include "../fault.h"
#include "../os.h"
#include "readiness.h"

/* Small enough that what the dispatch touched is still in the cache when its task runs. */
#define EPOLL__BATCH    64
#define EPOLL__WAKE_KEY UINT64_MAX

typedef struct epoll__driver {
    tmlrt__driver_t base;
    int             fd;
    int             wake;
    bool            in_ms; /* token: the kernel has no epoll_pwait2 */
} epoll__driver_t;

static epoll__driver_t *epoll__of(tmlrt__driver_t *d) {
    return (epoll__driver_t *)d;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int epoll__ctl(epoll__driver_t *d, int what, int64_t fd, uint32_t events, uint64_t key) {
    struct epoll_event e = {.events = events, .data.u64 = key};
    if (TMLRT__SYS(epoll_ctl(d->fd, what, (int)fd, &e)) == 0) return TMLRT_OK;
    switch (errno) {
    case EPERM: return TMLRT_ENOTSUP;  /* a kind of file that is always ready */
    case ENOSPC: return TMLRT_ENOBUFS; /* the user's limit of watches */
    default: return tmlrt__os_error(errno);
    }
}

static int epoll__open(epoll__driver_t *d) {
    d->fd = TMLRT__SYS(epoll_create1(EPOLL_CLOEXEC));
    if (d->fd < 0)
        return errno == ENOSYS || errno == EPERM ? TMLRT_ENOTSUP : tmlrt__os_error(errno);
    d->wake = TMLRT__SYS(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (d->wake < 0) return tmlrt__os_error(errno);
    return epoll__ctl(d, EPOLL_CTL_ADD, d->wake, EPOLLIN | EPOLLET, EPOLL__WAKE_KEY);
}

static void epoll__close(epoll__driver_t *d) {
    if (d->wake >= 0) close(d->wake);
    if (d->fd >= 0) close(d->fd);
}

static int epoll__create(tmlrt__driver_t **out, tmlrt__host_t *host, uint32_t index) {
    epoll__driver_t *d = tmlrt__mem_zero(&host->mem, sizeof *d, _Alignof(epoll__driver_t));
    if (d == NULL) return TMLRT_ENOMEM;
    d->base.cls = &tmlrt__reactor_epoll;
    d->base.host = host;
    d->base.index = index;
    d->fd = d->wake = -1;
    int e = epoll__open(d);
    if (e != TMLRT_OK) {
        epoll__close(d);
        tmlrt__mem_put(&host->mem, d, sizeof *d, _Alignof(epoll__driver_t));
        return e;
    }
    *out = &d->base;
    return TMLRT_OK;
}

static void epoll__destroy(tmlrt__driver_t *base, bool forked) {
    epoll__driver_t *d = epoll__of(base);
    epoll__close(d);
    if (!forked) tmlrt__mem_put(&base->host->mem, d, sizeof *d, _Alignof(epoll__driver_t));
}

/* ---- waiting -------------------------------------------------------------------------------- */

#ifdef SYS_epoll_pwait2
/* With nanoseconds. False: the kernel (or a filter of system calls) has none. */
static bool epoll__wait_ns(epoll__driver_t *d, struct epoll_event *events, int64_t ns, int *n) {
    const struct { int64_t sec, ns; } limit = {ns / 1000000000, ns % 1000000000};
    *n = (int)TMLRT__SYS(syscall(SYS_epoll_pwait2, d->fd, events, EPOLL__BATCH,
                                 ns < 0 ? NULL : &limit, NULL, (size_t)0));
    return *n >= 0 || (errno != ENOSYS && errno != EPERM);
}
#else
static bool epoll__wait_ns(epoll__driver_t *d, struct epoll_event *events, int64_t ns, int *n) {
    (void)d, (void)events, (void)ns, (void)n;
    return false;
}
#endif

/* With milliseconds, rounded up so that no timer is early. */
static int epoll__wait_ms(epoll__driver_t *d, struct epoll_event *events, int64_t ns) {
    int64_t ms = ns < 0 ? -1 : ns / 1000000 + (ns % 1000000 != 0);
    if (ms > INT_MAX) ms = INT_MAX;
    return TMLRT__SYS(epoll_wait(d->fd, events, EPOLL__BATCH, (int)ms));
}

static uint32_t epoll__events(uint32_t said) {
    uint32_t events = 0;
    if (said & EPOLLIN) events |= TMLRT__EVENT_READ;
    if (said & EPOLLOUT) events |= TMLRT__EVENT_WRITE;
    if (said & (EPOLLERR | EPOLLHUP)) events |= TMLRT__EVENT_ERROR;
    if (said & (EPOLLRDHUP | EPOLLPRI)) events |= TMLRT__EVENT_HUP;
    return events;
}

/* The swaps of the dispatch keep the processor from looking ahead by itself. */
static void epoll__prefetch(tmlrt__source_table_t *table, const struct epoll_event *events, int n) {
    for (int i = 0; i < n; i++)
        if (events[i].data.u64 != EPOLL__WAKE_KEY)
            tmlrt__source_prefetch(table, events[i].data.u64);
    for (int i = 0; i < n; i++)
        if (events[i].data.u64 != EPOLL__WAKE_KEY)
            tmlrt__source_prefetch_waiter(table, events[i].data.u64);
}

static uint32_t epoll__wait(tmlrt__driver_t *base, int64_t timeout_ns) {
    epoll__driver_t   *d = epoll__of(base);
    struct epoll_event events[EPOLL__BATCH];
    int                n = -1;
    if (timeout_ns == 0) {
        /* Not through the libc, where it is a cancellation point; see transfer.h. */
        n = (int)TMLRT__SYS(
            syscall(SYS_epoll_pwait, d->fd, events, EPOLL__BATCH, 0, NULL, (size_t)0));
    } else {
        if (!d->in_ms) d->in_ms = !epoll__wait_ns(d, events, timeout_ns, &n);
        if (d->in_ms) n = epoll__wait_ms(d, events, timeout_ns);
    }
    uint32_t count = 0;
    epoll__prefetch(base->table, events, n);
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 == EPOLL__WAKE_KEY) continue;
        tmlrt__source_event(base->table, events[i].data.u64, epoll__events(events[i].events));
        count++;
    }
    return count;
}

static void epoll__wake(tmlrt__driver_t *base) {
    const uint64_t one = 1;
    /* The counter cannot overflow, and an interrupted write is tried again. Past the fault seam:
     * nothing else can go wrong with it, and an invented failure would be a lost wake. */
    while (write(epoll__of(base)->wake, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

static int64_t epoll__handle(tmlrt__driver_t *base) {
    return epoll__of(base)->fd;
}

/* ---- sources -------------------------------------------------------------------------------- */

static int epoll__attach(tmlrt__driver_t *base, tmlrt__source_t *s) {
    uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
    if (s->kind == TMLRT__SOURCE_FOREIGN) events = EPOLLONESHOT;
    if (s->kind == TMLRT__SOURCE_OWN || s->kind == TMLRT__SOURCE_LISTENER)
        events = EPOLLIN | EPOLLET;
    return epoll__ctl(epoll__of(base), EPOLL_CTL_ADD, s->fd, events, tmlrt__source_key(s));
}

static void epoll__detach(tmlrt__driver_t *base, tmlrt__source_t *s) {
    epoll__ctl(epoll__of(base), EPOLL_CTL_DEL, s->fd, 0, 0);
}

static int epoll__watch(tmlrt__driver_t *base, tmlrt__source_t *s, uint32_t events) {
    uint32_t want = EPOLLONESHOT;
    if (events & TMLRT__EVENT_READ) want |= EPOLLIN | EPOLLRDHUP;
    if (events & TMLRT__EVENT_WRITE) want |= EPOLLOUT;
    return epoll__ctl(epoll__of(base), EPOLL_CTL_MOD, s->fd, want, tmlrt__source_key(s));
}

const tmlrt__reactor_class_t tmlrt__reactor_epoll = {
    .name = "epoll",
    .id = TMLRT_REACTOR_EPOLL,
    .create = epoll__create,
    .destroy = epoll__destroy,
    .wait = epoll__wait,
    .wake = epoll__wake,
    .handle = epoll__handle,
    .attach = epoll__attach,
    .detach = epoll__detach,
    .watch = epoll__watch,
    .start = tmlrt__readiness_start,
    .resume = tmlrt__readiness_resume,
    .cancel = tmlrt__readiness_cancel,
};
