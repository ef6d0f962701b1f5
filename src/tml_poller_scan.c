/* SPDX-License-Identifier: MIT */
/*
 * tml_poller_scan.c: the level-triggered poller where there is no epoll: a table of sockets that each
 * wait hands to poll (WSAPoll on Windows). Its handle is its address. A change during a wait by
 * another thread counts from the next wait on.
 */
#ifdef _WIN32
#include <winsock2.h>
#else
#include <errno.h>
#include <poll.h>
#endif

#include <stdalign.h>
#include <stdbool.h>
#include <string.h>

#include <tmlrt/time.h>
#include <tmlrt/tml.h>

#include "alloc.h"
#include "atomic.h"
#include "fault.h"
#include "os.h"

#ifdef _WIN32
typedef WSAPOLLFD poller__fd_t;
#define POLLER__POLL(fd, n, ms)  WSAPoll(fd, (ULONG)(n), ms)
#define POLLER__INTERRUPTED()    false
#define POLLER__SOCKET(handle)   ((SOCKET)(handle))
#define POLLER__IS_SOCKET(value) ((value) >= 0)
#else
typedef struct pollfd poller__fd_t;
#define POLLER__POLL(fd, n, ms)  poll(fd, (nfds_t)(n), ms)
#define POLLER__INTERRUPTED()    (errno == EINTR)
#define POLLER__SOCKET(handle)   ((int)(handle))
#define POLLER__IS_SOCKET(value) ((value) >= 0 && (value) <= INT32_MAX)
#endif

typedef struct poller__entry {
    poller__fd_t fd;
    uint32_t     token;
} poller__entry_t;

typedef struct poller__table {
    tmlrt__latch_t   latch; /* guards all below */
    poller__entry_t *entry;
    size_t           n, room;
} poller__table_t;

static poller__table_t *poller__of(int64_t handle) {
    return handle > 0 ? (poller__table_t *)(uintptr_t)handle : NULL;
}

int64_t tml_poll_create(void) {
    poller__table_t *p = tmlrt__mem_zero(&tmlrt__mem_default, sizeof *p, alignof(poller__table_t));
    return p != NULL ? (int64_t)(uintptr_t)p : -1;
}

static void poller__put(poller__entry_t *entry, size_t room) {
    if (entry != NULL)
        tmlrt__mem_put(&tmlrt__mem_default, entry, room * sizeof *entry, alignof(poller__entry_t));
}

void tml_poll_destroy(int64_t handle) {
    poller__table_t *p = poller__of(handle);
    if (p == NULL) return;
    poller__put(p->entry, p->room);
    tmlrt__mem_put(&tmlrt__mem_default, p, sizeof *p, alignof(poller__table_t));
}

static short poller__events(uint32_t interests) {
    return (short)(((interests & TML_POLL_READABLE) != 0 ? POLLIN : 0) |
                   ((interests & TML_POLL_WRITABLE) != 0 ? POLLOUT : 0));
}

static uint32_t poller__flags(short events) {
    return ((events & POLLIN) != 0 ? (uint32_t)TML_POLL_READABLE : 0) |
           ((events & POLLOUT) != 0 ? (uint32_t)TML_POLL_WRITABLE : 0) |
           ((events & (POLLERR | POLLNVAL)) != 0 ? (uint32_t)TML_POLL_ERROR : 0) |
           ((events & POLLHUP) != 0 ? (uint32_t)TML_POLL_HUP : 0);
}

/* Under the latch. */
static poller__entry_t *poller__find(const poller__table_t *p, int64_t socket) {
    for (size_t i = 0; i < p->n; i++)
        if (p->entry[i].fd.fd == POLLER__SOCKET(socket)) return &p->entry[i];
    return NULL;
}

/* Makes room for one more; false: no memory. */
static bool poller__grow(poller__table_t *p) {
    tmlrt__latch_lock(&p->latch);
    size_t had = p->room;
    bool   full = p->n == had;
    tmlrt__latch_unlock(&p->latch);
    if (!full) return true;
    size_t           room = had != 0 ? 2 * had : 16, give = room;
    poller__entry_t *more =
        tmlrt__mem_get(&tmlrt__mem_default, room * sizeof *more, alignof(poller__entry_t));
    if (more == NULL) return false;
    tmlrt__latch_lock(&p->latch);
    if (p->room == had) {
        poller__entry_t *old = p->entry;
        if (p->n != 0) memcpy(more, old, p->n * sizeof *more);
        p->entry = more;
        p->room = room;
        more = old;
        give = had;
    }
    tmlrt__latch_unlock(&p->latch);
    poller__put(more, give);
    return true;
}

int32_t tml_poll_add(int64_t handle, int64_t socket, uint32_t token, uint32_t interests) {
    poller__table_t *p = poller__of(handle);
    if (p == NULL || !POLLER__IS_SOCKET(socket) || !poller__grow(p)) return -1;
    tmlrt__latch_lock(&p->latch);
    bool good = p->n < p->room && poller__find(p, socket) == NULL;
    if (good) {
        poller__entry_t *e = &p->entry[p->n++];
        memset(e, 0, sizeof *e);
        e->fd.fd = POLLER__SOCKET(socket);
        e->fd.events = poller__events(interests);
        e->token = token;
    }
    tmlrt__latch_unlock(&p->latch);
    return good ? 0 : -1;
}

int32_t tml_poll_modify(int64_t handle, int64_t socket, uint32_t token, uint32_t interests) {
    poller__table_t *p = poller__of(handle);
    if (p == NULL || !POLLER__IS_SOCKET(socket)) return -1;
    tmlrt__latch_lock(&p->latch);
    poller__entry_t *e = poller__find(p, socket);
    if (e != NULL) {
        e->fd.events = poller__events(interests);
        e->token = token;
    }
    tmlrt__latch_unlock(&p->latch);
    return e != NULL ? 0 : -1;
}

int32_t tml_poll_remove(int64_t handle, int64_t socket) {
    poller__table_t *p = poller__of(handle);
    if (p == NULL || !POLLER__IS_SOCKET(socket)) return -1;
    tmlrt__latch_lock(&p->latch);
    poller__entry_t *e = poller__find(p, socket);
    if (e != NULL) *e = p->entry[--p->n];
    tmlrt__latch_unlock(&p->latch);
    return e != NULL ? 0 : -1;
}

/* ---- wait -------------------------------------------------------------------------------------- */

/* What one wait looks at: a copy, so that no latch is held meanwhile. One block. */
typedef struct poller__scan {
    size_t        n, bytes;
    poller__fd_t *fd;
    uint32_t     *token;
} poller__scan_t;

static bool poller__copy(poller__table_t *p, poller__scan_t *s) {
    for (size_t room = 0;;) {
        tmlrt__latch_lock(&p->latch);
        size_t n = p->n;
        bool   fits = n <= room;
        for (size_t i = 0; fits && i < n; i++) {
            s->fd[i] = p->entry[i].fd;
            s->token[i] = p->entry[i].token;
        }
        tmlrt__latch_unlock(&p->latch);
        s->n = n;
        if (fits) return true;
        if (room != 0) tmlrt__mem_put(&tmlrt__mem_default, s->fd, s->bytes, TMLRT__ALIGN_MAX);
        room = n + 8;
        s->bytes = room * (sizeof *s->fd + sizeof *s->token);
        s->fd = tmlrt__mem_get(&tmlrt__mem_default, s->bytes, TMLRT__ALIGN_MAX);
        if (s->fd == NULL) return false;
        s->token = (uint32_t *)(void *)(s->fd + room);
    }
}

/* Milliseconds from now to `end`, rounded up; negative: no limit. */
static int poller__left(int32_t timeout_ms, int64_t end) {
    if (timeout_ms <= 0) return timeout_ms;
    int64_t left = (end - tmlrt__os_now() + TMLRT_MS - 1) / TMLRT_MS;
    return left > 0 ? (int)left : 0;
}

/* True: there is nothing to wait for, and the time has passed. */
static bool poller__empty(const poller__scan_t *s, int32_t timeout_ms, int64_t end) {
    if (s->n != 0) return false;
    if (timeout_ms > 0) tmlrt__os_sleep_until(end);
    return true;
}

int32_t tml_poll_wait(int64_t handle, void *events_out, int32_t max_events, int32_t timeout_ms) {
    poller__table_t *p = poller__of(handle);
    TmlPollEvent    *out = events_out;
    poller__scan_t   s = {0, 0, NULL, NULL};
    int64_t          end = tmlrt__os_now() + timeout_ms * TMLRT_MS;
    int32_t          told = 0, n;
    if (p == NULL || out == NULL || max_events <= 0 || !poller__copy(p, &s)) return -1;
    bool empty = poller__empty(&s, timeout_ms, end);
    do {
        n = empty ? 0 : TMLRT__SYS(POLLER__POLL(s.fd, s.n, poller__left(timeout_ms, end)));
    } while (n < 0 && POLLER__INTERRUPTED());
    for (size_t i = 0; n > 0 && i < s.n && told < max_events; i++) {
        if (s.fd[i].revents == 0) continue;
        out[told++] = (TmlPollEvent){s.token[i], poller__flags(s.fd[i].revents)};
    }
    if (s.fd != NULL) tmlrt__mem_put(&tmlrt__mem_default, s.fd, s.bytes, TMLRT__ALIGN_MAX);
    return n < 0 ? -1 : told;
}
