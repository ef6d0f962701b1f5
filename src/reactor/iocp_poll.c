/* SPDX-License-Identifier: MIT */
/*
 * iocp_poll.c: readiness of foreign sockets. The system's socket driver (AFD) has a request that
 * ends as soon as one of the states asked for is there; select() is made of it, and so is this: a
 * poll is one such request, whose packet comes to the driver's port.
 *
 * A registration has one record, which the request in flight writes to, so it lives until the
 * packet came, also after a detach. A record knows what is wanted (one shot) and what the request in
 * flight asked for; where more is wanted the request is broken off, and its packet starts it anew.
 *
 * A socket, or the next one with its handle, may be registered again while a request of a former
 * registration is on its way: requests of one socket do not meet (none is exclusive), each is broken
 * off by its own status block, and a detached record tells nobody.
 *
 * The interface of AFD is not in the headers of the system but has not changed since Windows NT;
 * what is declared here is what the request takes.
 *
 * Locks: the driver's `lock` guards every record; it is held over the requests, which do not wait.
 */
#include "iocp.h"

#include <winternl.h>

#include <tmlrt/error.h>

#include "../fault.h"
#include "../os_windows.h"

/* ---- AFD ------------------------------------------------------------------------------------ */

#define AFD__IOCTL_POLL    0x00012024u
#define AFD__RECEIVE       0x0001u
#define AFD__SEND          0x0004u
#define AFD__DISCONNECT    0x0008u /* the peer has ended its half */
#define AFD__ABORT         0x0010u
#define AFD__LOCAL_CLOSE   0x0020u
#define AFD__ACCEPT        0x0080u
#define AFD__CONNECT_FAIL  0x0100u
#define AFD__STATUS_FINE   0
#define AFD__STATUS_FLIGHT 0x00000103             /* STATUS_PENDING */
#define AFD__STATUS_BROKEN ((NTSTATUS)0xC0000120) /* STATUS_CANCELLED */

typedef struct afd__poll_info {
    LARGE_INTEGER timeout;
    ULONG         handles;
    ULONG         exclusive;
    struct {
        HANDLE   handle;
        ULONG    events;
        NTSTATUS status;
    } entry[1];
} afd__poll_info_t;

typedef struct iocp__poll {
    IO_STATUS_BLOCK  status; /* first; the system's while in flight */
    afd__poll_info_t info;   /* the same */
    tmlrt__list_t    link;   /* in a list of the driver's polls; unlinked: detached */
    SOCKET           socket; /* constant: what is registered */
    SOCKET           base;   /* constant: the same below all layers of providers */
    uint64_t         key;    /* constant: the source's */
    uint32_t         wanted; /* events to be told once; 0: none */
    uint32_t         asked;  /* events of the request in flight */
    bool             flies;
    bool             broken_off;
} iocp__poll_t;

static int afd__open(HANDLE *out, HANDLE port) {
    static WCHAR      path[] = L"\\Device\\Afd\\tmlrt";
    UNICODE_STRING    name = {sizeof path - sizeof path[0], sizeof path, path};
    OBJECT_ATTRIBUTES object;
    IO_STATUS_BLOCK   status;
    HANDLE            afd = NULL;
    InitializeObjectAttributes(&object, &name, 0, NULL, NULL);
    if (tmlrt__fault_point(TMLRT__FAULT_SYS)) return tmlrt__os_last_error();
    NTSTATUS answer = NtCreateFile(&afd, SYNCHRONIZE, &object, &status, NULL, 0,
                                   FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, 0, NULL, 0);
    if (answer != AFD__STATUS_FINE) return tmlrt__os_nt_error(answer);
    if (!TMLRT__WIN(CreateIoCompletionPort(afd, port, TMLRT__IOCP_POLL, 0) != NULL)) {
        int e = tmlrt__os_last_error();
        (void)CloseHandle(afd);
        return e;
    }
    *out = afd;
    return TMLRT_OK;
}

static uint32_t afd__events(uint32_t wanted) {
    uint32_t events = AFD__ABORT | AFD__LOCAL_CLOSE | AFD__CONNECT_FAIL;
    if (wanted & TMLRT__EVENT_READ) events |= AFD__RECEIVE | AFD__DISCONNECT | AFD__ACCEPT;
    if (wanted & TMLRT__EVENT_WRITE) events |= AFD__SEND;
    return events;
}

static uint32_t afd__said(uint32_t events) {
    uint32_t said = 0;
    if (events & (AFD__RECEIVE | AFD__ACCEPT)) said |= TMLRT__EVENT_READ;
    if (events & AFD__DISCONNECT) said |= TMLRT__EVENT_HUP;
    if (events & AFD__SEND) said |= TMLRT__EVENT_WRITE;
    if (events & (AFD__ABORT | AFD__LOCAL_CLOSE | AFD__CONNECT_FAIL)) said |= TMLRT__EVENT_ERROR;
    return said;
}

/* ---- requests ------------------------------------------------------------------------------- */

/* Lock held, nothing in flight: asks for what is wanted. */
static int poll__ask(tmlrt__iocp_t *d, iocp__poll_t *p) {
    p->info.timeout.QuadPart = INT64_MAX;
    p->info.handles = 1;
    p->info.exclusive = FALSE;
    p->info.entry[0].handle = (HANDLE)p->base;
    p->info.entry[0].events = afd__events(p->wanted);
    p->info.entry[0].status = 0;
    p->asked = p->wanted;
    p->status.Status = AFD__STATUS_FLIGHT;
    if (tmlrt__fault_point(TMLRT__FAULT_SYS)) return tmlrt__os_last_error();
    tmlrt__fetch_add_relaxed(&d->flights, 1);
    NTSTATUS answer = NtDeviceIoControlFile(d->afd, NULL, NULL, p, &p->status, AFD__IOCTL_POLL,
                                            &p->info, sizeof p->info, &p->info, sizeof p->info);
    p->flies = answer == AFD__STATUS_FINE || answer == AFD__STATUS_FLIGHT;
    if (p->flies) return TMLRT_OK;
    tmlrt__iocp_landed(d);
    return tmlrt__os_nt_error(answer);
}

/* Lock held: the request in flight is not what is wanted any more. */
static void poll__break_off(tmlrt__iocp_t *d, iocp__poll_t *p) {
    if (!p->flies || p->broken_off) return;
    p->broken_off = true;
    tmlrt__iocp_break_off(d->afd, (OVERLAPPED *)(void *)&p->status);
}

static void poll__free(tmlrt__iocp_t *d, iocp__poll_t *p) {
    tmlrt__mem_put(&d->base.host->mem, p, sizeof *p, _Alignof(iocp__poll_t));
}

void tmlrt__iocp_poll_done(tmlrt__iocp_t *d, void *record) {
    iocp__poll_t *p = record;
    uint32_t      tell = 0;
    AcquireSRWLockExclusive(&d->lock);
    p->flies = p->broken_off = false;
    bool detached = !tmlrt__list_is_linked(&p->link);
    if (!detached) {
        uint32_t said = 0;
        if (p->status.Status < 0 && p->status.Status != AFD__STATUS_BROKEN)
            said = TMLRT__EVENT_ERROR;
        else if (p->status.Status >= 0 && p->info.handles > 0)
            said = afd__said(p->info.entry[0].events);
        uint32_t its = p->wanted | TMLRT__EVENT_ERROR;
        if (p->wanted & TMLRT__EVENT_READ) its |= TMLRT__EVENT_HUP;
        if (p->wanted != 0) tell = said & its;
        if (tell == 0 && p->wanted != 0 && poll__ask(d, p) != TMLRT_OK) tell = TMLRT__EVENT_ERROR;
        if (tell != 0) p->wanted = 0;
    }
    uint64_t key = p->key;
    ReleaseSRWLockExclusive(&d->lock);
    tmlrt__iocp_landed(d);
    if (detached)
        poll__free(d, p);
    else if (tell != 0)
        tmlrt__source_event(d->base.table, key, tell);
}

/* ---- sources -------------------------------------------------------------------------------- */

/* What lies below the layers that others may have put over the system's sockets. */
static int poll__base(SOCKET s, SOCKET *out) {
    DWORD got = 0;
    int   type, size = sizeof type;
    if (TMLRT__SYS(getsockopt(s, SOL_SOCKET, SO_TYPE, (char *)&type, &size)) == 0 &&
        TMLRT__SYS(WSAIoctl(s, SIO_BASE_HANDLE, NULL, 0, out, sizeof *out, &got, NULL, NULL)) == 0)
        return TMLRT_OK;
    int  e = tmlrt__os_last_error();
    bool file = e == TMLRT_EBADF && GetFileType((HANDLE)s) != FILE_TYPE_UNKNOWN;
    return file ? TMLRT_ENOTSUP : e; /* a handle that is no socket */
}

/* Where a socket's registration is; handles are multiples of four. */
static tmlrt__list_t *poll__list(tmlrt__iocp_t *d, SOCKET s) {
    return &d->polls[s / 4 % TMLRT__IOCP_POLLS];
}

/* Lock held. */
static bool poll__is_registered(tmlrt__iocp_t *d, SOCKET s) {
    tmlrt__list_t *list = poll__list(d, s);
    for (tmlrt__list_t *n = tmlrt__list_first(list); n != NULL; n = tmlrt__list_next(list, n))
        if (TMLRT__CONTAINER_OF(n, iocp__poll_t, link)->socket == s) return true;
    return false;
}

int tmlrt__iocp_poll_attach(tmlrt__iocp_t *d, tmlrt__source_t *s) {
    SOCKET base;
    int    e = poll__base((SOCKET)s->fd, &base);
    if (e != TMLRT_OK) return e;
    iocp__poll_t *p = tmlrt__mem_zero(&d->base.host->mem, sizeof *p, _Alignof(iocp__poll_t));
    if (p == NULL) return TMLRT_ENOMEM;
    p->socket = (SOCKET)s->fd;
    p->base = base;
    p->key = tmlrt__source_key(s);
    AcquireSRWLockExclusive(&d->lock);
    if (d->afd == NULL) e = afd__open(&d->afd, d->port);
    if (e == TMLRT_OK && poll__is_registered(d, p->socket)) e = TMLRT_EEXIST;
    if (e == TMLRT_OK) tmlrt__list_push_back(poll__list(d, p->socket), &p->link);
    ReleaseSRWLockExclusive(&d->lock);
    if (e == TMLRT_OK)
        s->backend = p;
    else
        poll__free(d, p);
    return e;
}

static void poll__detach(tmlrt__iocp_t *d, iocp__poll_t *p) {
    AcquireSRWLockExclusive(&d->lock);
    tmlrt__list_remove(&p->link);
    bool flies = p->flies;
    poll__break_off(d, p); /* its packet frees it */
    ReleaseSRWLockExclusive(&d->lock);
    if (!flies) poll__free(d, p);
}

void tmlrt__iocp_poll_detach(tmlrt__iocp_t *d, tmlrt__source_t *s) {
    poll__detach(d, s->backend);
}

void tmlrt__iocp_poll_detach_all(tmlrt__iocp_t *d) {
    for (size_t i = 0; i < TMLRT__IOCP_POLLS; i++)
        while (!tmlrt__list_is_empty(&d->polls[i]))
            poll__detach(d, TMLRT__CONTAINER_OF(d->polls[i].next, iocp__poll_t, link));
}

int tmlrt__iocp_poll_watch(tmlrt__iocp_t *d, tmlrt__source_t *s, uint32_t events) {
    iocp__poll_t *p = s->backend;
    int           e = TMLRT_OK;
    AcquireSRWLockExclusive(&d->lock);
    p->wanted = events;
    if (!p->flies)
        e = poll__ask(d, p);
    else if (events & ~p->asked)
        poll__break_off(d, p);
    if (e != TMLRT_OK) p->wanted = 0;
    ReleaseSRWLockExclusive(&d->lock);
    return e;
}
