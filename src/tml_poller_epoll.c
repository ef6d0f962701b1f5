/* SPDX-License-Identifier: MIT */
/*
 * tml_poller_epoll.c: the level-triggered poller, on epoll; its handle is the descriptor. It has nothing to
 * do with the reactors: it blocks its caller.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <tmlrt/time.h>
#include <tmlrt/tml.h>

#include "fault.h"
#include "os.h"

#define POLLER__BATCH 256

static uint32_t poller__events(uint32_t interests) {
    return ((interests & TML_POLL_READABLE) != 0 ? (uint32_t)EPOLLIN : 0) |
           ((interests & TML_POLL_WRITABLE) != 0 ? (uint32_t)EPOLLOUT : 0);
}

static uint32_t poller__flags(uint32_t events) {
    return ((events & EPOLLIN) != 0 ? (uint32_t)TML_POLL_READABLE : 0) |
           ((events & EPOLLOUT) != 0 ? (uint32_t)TML_POLL_WRITABLE : 0) |
           ((events & EPOLLERR) != 0 ? (uint32_t)TML_POLL_ERROR : 0) |
           ((events & EPOLLHUP) != 0 ? (uint32_t)TML_POLL_HUP : 0);
}

/* A number that is no descriptor must not become one by being cut. */
static int poller__fd(int64_t handle) {
    return handle >= 0 && handle <= INT32_MAX ? (int)handle : -1;
}

static int32_t poller__control(int64_t poller, int how, int64_t socket, uint32_t token,
                               uint32_t interests) {
    struct epoll_event ev;
    memset(&ev, 0, sizeof ev);
    ev.events = poller__events(interests);
    ev.data.u32 = token;
    return TMLRT__SYS(epoll_ctl(poller__fd(poller), how, poller__fd(socket), &ev)) == 0 ? 0 : -1;
}

int64_t tml_poll_create(void) {
    return TMLRT__SYS(epoll_create1(EPOLL_CLOEXEC));
}

void tml_poll_destroy(int64_t poller) {
    if (poller__fd(poller) >= 0) close(poller__fd(poller));
}

int32_t tml_poll_add(int64_t poller, int64_t socket, uint32_t token, uint32_t interests) {
    return poller__control(poller, EPOLL_CTL_ADD, socket, token, interests);
}

int32_t tml_poll_modify(int64_t poller, int64_t socket, uint32_t token, uint32_t interests) {
    return poller__control(poller, EPOLL_CTL_MOD, socket, token, interests);
}

int32_t tml_poll_remove(int64_t poller, int64_t socket) {
    return poller__control(poller, EPOLL_CTL_DEL, socket, 0, 0);
}

/* Milliseconds from now to `end`, rounded up; negative: no limit. */
static int poller__left(int32_t timeout_ms, int64_t end) {
    if (timeout_ms <= 0) return timeout_ms;
    int64_t left = (end - tmlrt__os_now() + TMLRT_MS - 1) / TMLRT_MS;
    return left > 0 ? (int)left : 0;
}

int32_t tml_poll_wait(int64_t poller, void *events_out, int32_t max_events, int32_t timeout_ms) {
    struct epoll_event ev[POLLER__BATCH];
    TmlPollEvent      *out = events_out;
    if (out == NULL || max_events <= 0) return -1;
    int     most = max_events < POLLER__BATCH ? max_events : POLLER__BATCH;
    int64_t end = tmlrt__os_now() + timeout_ms * TMLRT_MS;
    int     n;
    do {
        n = TMLRT__SYS(epoll_wait(poller__fd(poller), ev, most, poller__left(timeout_ms, end)));
    } while (n < 0 && errno == EINTR);
    for (int i = 0; i < n; i++)
        out[i] = (TmlPollEvent){ev[i].data.u32, poller__flags(ev[i].events)};
    return n;
}
