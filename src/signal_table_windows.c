/* SPDX-License-Identifier: MIT */
/*
 * signal_table_windows.c: the process-wide part of signals on Windows: console control events.
 *
 *   SIGINT    CTRL_C          SIGBREAK  CTRL_BREAK
 *   SIGTERM   CTRL_CLOSE, CTRL_LOGOFF, CTRL_SHUTDOWN
 *
 * The system calls the handler on a thread of its own, so it takes the mutex as anybody does; it
 * tells the waiters without it. After one of the last three the process is ended as soon as the
 * handler returns: so it does not return, and the program has what time the system grants.
 */
#include <signal.h>
#include <string.h>
#include <windows.h>

#include "fault.h"
#include "os.h"
#include "os_windows.h"
#include "signal.h"

#define TABLE__SIGNALS   32
#define TABLE__LISTENERS 64 /* runtimes that listen at the same time */

typedef struct table__slot {
    const tmlrt__host_t      *host;     /* mutex */
    tmlrt__signal_listener_t *listener; /* mutex; NULL: free */
} table__slot_t;

static struct {
    SRWLOCK           mutex;
    tmlrt__atomic_u64 count[TABLE__SIGNALS];
    table__slot_t     slot[TABLE__LISTENERS]; /* mutex */
    uint32_t          refs[TABLE__SIGNALS];   /* mutex: registrations of the signal */
    uint32_t          all;                    /* mutex: their sum; above 0 the handler is there */
} table = {.mutex = SRWLOCK_INIT};

/* ---- the handler ----------------------------------------------------------------------------- */

static int table__signo(DWORD event) {
    switch (event) {
    case CTRL_C_EVENT: return SIGINT;
    case CTRL_BREAK_EVENT: return SIGBREAK;
    case CTRL_CLOSE_EVENT:
    case CTRL_LOGOFF_EVENT:
    case CTRL_SHUTDOWN_EVENT: return SIGTERM;
    default: return 0;
    }
}

/* Mutex taken and given: the listeners, with a reference each; false: nobody wants this signal. */
static bool table__whom(int signo, tmlrt__signal_listener_t **out, int *n) {
    *n = 0;
    tmlrt__signal_lock();
    bool wanted = table.refs[signo] != 0;
    for (int i = 0; wanted && i < TABLE__LISTENERS; i++) {
        tmlrt__signal_listener_t *l = table.slot[i].listener;
        if (l == NULL) continue;
        tmlrt__fetch_add_relaxed(&l->refs, 1); /* its source holds one while it is here */
        out[(*n)++] = l;
    }
    tmlrt__signal_unlock();
    return wanted;
}

/* From the handler: false: nobody listens for it. */
static bool table__came(int signo) {
    tmlrt__signal_listener_t *listeners[TABLE__LISTENERS];
    int                       n;
    /* release: the count comes before the wake that tells of it; pairs [SIG-2] */
    tmlrt__fetch_add_release(&table.count[signo], 1);
    if (!table__whom(signo, listeners, &n)) return false;
    for (int i = 0; i < n; i++) {
        tmlrt__waitlist_fire_all(&listeners[i]->waiters, 0);
        tmlrt__signal_listener_unref(listeners[i]);
    }
    return true;
}

static BOOL WINAPI table__handler(DWORD event) {
    int signo = table__signo(event);
    if (signo == 0 || !table__came(signo)) return FALSE; /* the next handler's */
    if (signo == SIGTERM) Sleep(INFINITE);
    return TRUE;
}

uint64_t tmlrt__signal_count(int signo) {
    /* acquire: pairs [SIG-2] */
    return tmlrt__load_acquire(&table.count[signo]);
}

/* ---- the mutex ------------------------------------------------------------------------------ */

void tmlrt__signal_lock(void) {
    AcquireSRWLockExclusive(&table.mutex);
}

void tmlrt__signal_unlock(void) {
    ReleaseSRWLockExclusive(&table.mutex);
}

/* ---- handlers ------------------------------------------------------------------------------- */

bool tmlrt__signal_is_fit(int signo) {
    return signo == SIGINT || signo == SIGTERM || signo == SIGBREAK;
}

int tmlrt__signal_listen(int signo) {
    if (table.all == 0 && !TMLRT__WIN(SetConsoleCtrlHandler(table__handler, TRUE)))
        return tmlrt__os_win_error(GetLastError());
    table.all++;
    table.refs[signo]++;
    return TMLRT_OK;
}

void tmlrt__signal_unlisten(int signo) {
    table.refs[signo]--;
    if (--table.all == 0) (void)SetConsoleCtrlHandler(table__handler, FALSE);
}

/* ---- listeners ------------------------------------------------------------------------------ */

int tmlrt__signal_channel_open(tmlrt__signal_listener_t *l) {
    l->fd = l->to = TMLRT__SIGNAL_NO_CHANNEL;
    return TMLRT_OK;
}

void tmlrt__signal_channel_empty(const tmlrt__signal_listener_t *l) {
    (void)l;
}

tmlrt__signal_listener_t *tmlrt__signal_find(const tmlrt__host_t *host) {
    for (int i = 0; i < TABLE__LISTENERS; i++)
        if (table.slot[i].listener != NULL && table.slot[i].host == host)
            return table.slot[i].listener;
    return NULL;
}

int tmlrt__signal_add(const tmlrt__host_t *host, tmlrt__signal_listener_t *l) {
    for (int i = 0; i < TABLE__LISTENERS; i++) {
        if (table.slot[i].listener != NULL) continue;
        table.slot[i].listener = l;
        table.slot[i].host = host;
        return TMLRT_OK;
    }
    return TMLRT_ENOBUFS;
}

void tmlrt__signal_remove(const tmlrt__signal_listener_t *l) {
    for (int i = 0; i < TABLE__LISTENERS; i++)
        if (table.slot[i].listener == l) table.slot[i] = (table__slot_t){NULL, NULL};
}
