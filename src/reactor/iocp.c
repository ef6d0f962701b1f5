/* SPDX-License-Identifier: MIT */
/*
 * iocp.c: the reactor of Windows: one completion port a driver. Here: the driver, its wait, its
 * sources. iocp.h names the files of the others.
 */
#include "iocp.h"

#include <stdio.h>

#include <tmlrt/runtime.h>

#include "../fault.h"
#include "../os_windows.h"

#define IOCP__BATCH 64
/* Threads that a port lets run at a time. It holds packets back while that many of those that reaped
 * it last are running: a worker that is stuck in a poll, whose packets another has come for, or a
 * thread that reaped it once and now does something else. The token keeps the order; so no limit. */
#define IOCP__THREADS 1024

/* ---- life ----------------------------------------------------------------------------------- */

static bool iocp__extension(SOCKET s, GUID id, void *out, DWORD size) {
    DWORD got = 0;
    return TMLRT__SYS(WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, out, size,
                               &got, NULL, NULL)) == 0;
}

/* The two calls that no library exports for every kind of socket. */
static int iocp__extensions(tmlrt__iocp_t *d) {
    const GUID accept_id = WSAID_ACCEPTEX, connect_id = WSAID_CONNECTEX;
    int        fd = TMLRT__SYS(tmlrt__os_socket(AF_INET, SOCK_STREAM));
    if (fd < 0) return tmlrt__os_last_error();
    int e = TMLRT_OK;
    if (!iocp__extension((SOCKET)fd, accept_id, &d->accept, sizeof d->accept) ||
        !iocp__extension((SOCKET)fd, connect_id, &d->connect, sizeof d->connect))
        e = tmlrt__os_last_error();
    tmlrt__os_socket_close(fd);
    return e;
}

static int iocp__open(tmlrt__iocp_t *d) {
    if (!tmlrt__fault_point(TMLRT__FAULT_SYS))
        d->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, IOCP__THREADS);
    if (d->port == NULL) return tmlrt__os_last_error();
    d->timer = tmlrt__os_timer();
    return iocp__extensions(d);
}

static void iocp__free(tmlrt__iocp_t *d) {
    if (d->afd != NULL) (void)CloseHandle(d->afd);
    if (d->timer != NULL) (void)CloseHandle(d->timer);
    if (d->port != NULL) (void)CloseHandle(d->port);
    tmlrt__mem_put(&d->base.host->mem, d, sizeof *d, TMLRT__CACHE_LINE);
}

static int iocp__create(tmlrt__driver_t **out, tmlrt__host_t *host, uint32_t index) {
    tmlrt__iocp_t *d = tmlrt__mem_zero(&host->mem, sizeof *d, TMLRT__CACHE_LINE);
    if (d == NULL) return TMLRT_ENOMEM;
    d->base.cls = &tmlrt__reactor_iocp;
    d->base.host = host;
    d->base.index = index;
    InitializeSRWLock(&d->calling);
    tmlrt__list_init(&d->calls);
    InitializeSRWLock(&d->lock);
    for (uint32_t i = 0; i < TMLRT__IOCP_POLLS; i++)
        tmlrt__list_init(&d->polls[i]);
    int e = iocp__open(d);
    if (e != TMLRT_OK) {
        iocp__free(d);
        return e;
    }
    *out = &d->base;
    return TMLRT_OK;
}

static uint32_t iocp__reap(tmlrt__iocp_t *d, uint32_t ms, bool alertable);

static void iocp__destroy(tmlrt__driver_t *base, bool forked) {
    tmlrt__iocp_t *d = tmlrt__iocp_of(base);
    (void)forked; /* there is no fork here */
    /* All sources are closed, but a closer that came before us may have been too late to tell. */
    tmlrt__iocp_op_break_off_all(d);
    tmlrt__iocp_poll_detach_all(d);
    /* acquire: we come after their last use; pairs [IOCP-1] */
    while (tmlrt__load_acquire(&d->flights) != 0)
        (void)iocp__reap(d, INFINITE, false);
    iocp__free(d);
}

/* ---- waiting -------------------------------------------------------------------------------- */

void tmlrt__iocp_break_off(HANDLE handle, OVERLAPPED *call) {
    if (CancelIoEx(handle, call)) return;
    DWORD code = GetLastError();
    if (code == ERROR_NOT_FOUND) return; /* it has ended */
    char line[96];
    snprintf(line, sizeof line, "tmlrt: CancelIoEx says %lu: a call may wait for ever", code);
    tmlrt__os_log(line);
}

void tmlrt__iocp_landed(tmlrt__iocp_t *d) {
    /* release: the destroy comes after our use; pairs [IOCP-1] */
    tmlrt__fetch_sub_release(&d->flights, 1);
}

/* What a packet brings; false for a wake. */
static bool iocp__dispatch(tmlrt__iocp_t *d, const OVERLAPPED_ENTRY *entry) {
    switch (entry->lpCompletionKey) {
    case TMLRT__IOCP_IO: tmlrt__iocp_op_done(d, entry->lpOverlapped); return true;
    case TMLRT__IOCP_POLL: tmlrt__iocp_poll_done(d, entry->lpOverlapped); return true;
    default:
        /* acquire: observes what those wrote who found the wake in the port; pairs [IOCP-2] */
        (void)tmlrt__swap_acquire(&d->woken, 0);
        return false;
    }
}

static uint32_t iocp__reap(tmlrt__iocp_t *d, uint32_t ms, bool alertable) {
    OVERLAPPED_ENTRY entries[IOCP__BATCH];
    ULONG            n = 0;
    uint32_t         count = 0;
    if (!GetQueuedCompletionStatusEx(d->port, entries, IOCP__BATCH, &n, ms, alertable)) return 0;
    for (ULONG i = 0; i < n; i++)
        if (iocp__dispatch(d, &entries[i])) count++;
    return count;
}

/* Run by the system in the wait, which then returns. */
static void CALLBACK iocp__rings(void *arg, DWORD low, DWORD high) {
    tmlrt__iocp_t *d = arg;
    (void)low, (void)high;
    d->rung = true;
}

static uint32_t iocp__wait(tmlrt__driver_t *base, int64_t timeout_ns) {
    tmlrt__iocp_t *d = tmlrt__iocp_of(base);
    uint32_t       ms = tmlrt__os_milliseconds(timeout_ns);
    if (timeout_ns <= 0 || d->timer == NULL) return iocp__reap(d, ms, false);
    /* The port's own timeouts are as coarse as the system's clock ticks (15 ms), however long. */
    LARGE_INTEGER due; /* negative: from now, in 100 ns */
    due.QuadPart = -(timeout_ns / 100 + 1);
    d->rung = false;
    bool     set = TMLRT__WIN(SetWaitableTimer(d->timer, &due, 0, iocp__rings, d, FALSE));
    uint32_t count = iocp__reap(d, ms, set);
    /* One that goes off later would end a wait of this thread that is none of ours. */
    if (set && !d->rung) (void)CancelWaitableTimer(d->timer);
    return count;
}

static void iocp__wake(tmlrt__driver_t *base) {
    tmlrt__iocp_t *d = tmlrt__iocp_of(base);
    /* acq_rel: who dequeues the wake that is in the port comes after us; pairs [IOCP-2] */
    if (tmlrt__swap_acq_rel(&d->woken, 1) != 0) return;
    /* Past the seam; it fails for want of kernel memory alone, and a lost wake hangs the program. */
    while (!PostQueuedCompletionStatus(d->port, 0, TMLRT__IOCP_WAKE, NULL))
        tmlrt__latch_relax();
}

static int64_t iocp__pollable(tmlrt__driver_t *base) {
    (void)base; /* a port can be waited for by its own calls only */
    return -1;
}

/* ---- sources -------------------------------------------------------------------------------- */

/* The family of a listener, which its accepts need. */
static int iocp__family(tmlrt__source_t *s) {
    SOCKADDR_STORAGE own;
    int              size = sizeof own;
    if (TMLRT__SYS(getsockname(tmlrt__iocp_socket(s), (struct sockaddr *)&own, &size)) != 0)
        return tmlrt__os_last_error();
    s->backend = (void *)(intptr_t)own.ss_family;
    return TMLRT_OK;
}

static int iocp__attach(tmlrt__driver_t *base, tmlrt__source_t *s) {
    tmlrt__iocp_t *d = tmlrt__iocp_of(base);
    if (s->kind == TMLRT__SOURCE_FOREIGN) return tmlrt__iocp_poll_attach(d, s);
    if (s->kind == TMLRT__SOURCE_OWN) return TMLRT_OK; /* its events come without us */
    if (!TMLRT__WIN(CreateIoCompletionPort(tmlrt__iocp_handle(s), d->port, TMLRT__IOCP_IO, 0) !=
                    NULL))
        return tmlrt__os_last_error();
    return s->kind == TMLRT__SOURCE_LISTENER ? iocp__family(s) : TMLRT_OK;
}

/* A handle stays with its port until it is closed; nothing is in flight any more. */
static void iocp__detach(tmlrt__driver_t *base, tmlrt__source_t *s) {
    if (s->kind == TMLRT__SOURCE_FOREIGN) tmlrt__iocp_poll_detach(tmlrt__iocp_of(base), s);
}

static int iocp__watch(tmlrt__driver_t *base, tmlrt__source_t *s, uint32_t events) {
    return tmlrt__iocp_poll_watch(tmlrt__iocp_of(base), s, events);
}

const tmlrt__reactor_class_t tmlrt__reactor_iocp = {
    .name = "iocp",
    .id = TMLRT_REACTOR_IOCP,
    .create = iocp__create,
    .destroy = iocp__destroy,
    .wait = iocp__wait,
    .wake = iocp__wake,
    .handle = iocp__pollable,
    .attach = iocp__attach,
    .detach = iocp__detach,
    .watch = iocp__watch,
    .closing = tmlrt__iocp_closing,
    .shut = tmlrt__iocp_shut,
    .start = tmlrt__iocp_op_start,
    .resume = tmlrt__iocp_op_resume,
    .cancel = tmlrt__iocp_op_cancel,
};
