/* SPDX-License-Identifier: MIT */
/*
 * signal_table.c: the process-wide part of signals: the handler, the counts, and whom it tells.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "os_socket.h"
#include "signal.h"

/* The kqueue shim of the tests goes the way of the systems that it stands for. */
#if defined(__linux__) && !defined(TMLRT_KQUEUE_SHIM)
#define TABLE__EVENTFD 1
#include <sys/eventfd.h>
#else
#define TABLE__EVENTFD 0
#endif

#define TABLE__SIGNALS   65 /* 1 to 64 */
#define TABLE__LISTENERS 64 /* runtimes that listen at the same time */

/* Whom the handler writes to. */
typedef struct table__slot {
    tmlrt__atomic_i64         fd;       /* plus 1; 0: nobody; written under the mutex */
    tmlrt__atomic_i64         pid;      /* of the process that may be written to */
    tmlrt__atomic_u32         users;    /* handlers that may be using fd */
    const tmlrt__host_t      *host;     /* mutex */
    tmlrt__signal_listener_t *listener; /* mutex */
} table__slot_t;

static struct {
    tmlrt__atomic_u64 generation; /* twice the fork generation it was made in; odd: being made */
    tmlrt__atomic_u32 mutex;      /* 0 free, 1 held, 2 held and somebody sleeps */
    tmlrt__atomic_u64 count[TABLE__SIGNALS];
    table__slot_t     slot[TABLE__LISTENERS];
    uint32_t          refs[TABLE__SIGNALS];      /* mutex: registrations of the signal */
    bool              installed[TABLE__SIGNALS]; /* mutex: the handler is ours */
    struct sigaction  former[TABLE__SIGNALS];    /* mutex: what it was before, if installed */
} table;

/* ---- the handler ----------------------------------------------------------------------------- */

static void table__tell(table__slot_t *slot, int64_t pid) {
    const uint64_t one = 1;
    /* acquire: observes the slot's process; pairs [SIG-1]. In a forked child nobody counts himself in
     * a slot of the parent, so that the table can be made new under a handler. */
    if (tmlrt__load_acquire(&slot->fd) == 0 || tmlrt__load_relaxed(&slot->pid) != pid) return;
    /* seq: either we are seen as a user, or we see that fd is gone; else fd could be written to
     * after it was closed; pairs [SIG-1] */
    tmlrt__fetch_add_seq(&slot->users, 1);
    int64_t fd = tmlrt__load_seq(&slot->fd);
    if (fd != 0 && tmlrt__load_relaxed(&slot->pid) == pid) {
        ssize_t n = write((int)fd - 1, &one, sizeof one);
        (void)n; /* full: then it is readable anyway */
    }
    /* release: the close of fd comes after our use; pairs [SIG-1] */
    tmlrt__fetch_sub_release(&slot->users, 1);
}

static void table__handler(int signo) {
    int saved = errno;
    /* release: the count comes before the wake that tells of it; pairs [SIG-2] */
    tmlrt__fetch_add_release(&table.count[signo], 1);
    int64_t pid = getpid(); /* a child before its fork handlers ran is told apart by nothing else */
    for (int i = 0; i < TABLE__LISTENERS; i++)
        table__tell(&table.slot[i], pid);
    errno = saved;
}

uint64_t tmlrt__signal_count(int signo) {
    /* acquire: pairs [SIG-2] */
    return tmlrt__load_acquire(&table.count[signo]);
}

/* ---- the mutex ------------------------------------------------------------------------------ */

/* Makes the table new in a forked child: whoever held the mutex is not there any more. */
static void table__renew(uint64_t now, uint64_t then) {
    if ((then & 1) == 0 && tmlrt__cas_strong_acquire(&table.generation, &then, now + 1)) {
        for (int i = 0; i < TABLE__LISTENERS; i++) {
            tmlrt__store_relaxed(&table.slot[i].fd, 0);
            tmlrt__store_relaxed(&table.slot[i].users, 0);
            table.slot[i].host = NULL;
            table.slot[i].listener = NULL;
        }
        memset(table.refs, 0, sizeof table.refs);
        tmlrt__store_relaxed(&table.mutex, 0);
        /* release: publishes the new table; pairs [SIG-3] */
        tmlrt__store_release(&table.generation, now);
    }
}

void tmlrt__signal_lock(void) {
    uint64_t now = 2 * (uint64_t)tmlrt__load_relaxed(&tmlrt__fork_generation);
    uint64_t then;
    /* acquire: observes the new table; pairs [SIG-3] */
    while ((then = tmlrt__load_acquire(&table.generation)) != now) {
        table__renew(now, then);
        tmlrt__latch_relax();
    }
    uint32_t c = 0;
    /* acquire: observes what the last holder did; pairs [SIG-4] */
    if (tmlrt__cas_strong_acquire(&table.mutex, &c, 1)) return;
    while (tmlrt__swap_acquire(&table.mutex, 2) != 0)
        tmlrt__futex_wait(&table.mutex, 2, -1);
}

void tmlrt__signal_unlock(void) {
    /* release: publishes what this holder did; pairs [SIG-4] */
    if (tmlrt__swap_release(&table.mutex, 0) == 2) tmlrt__futex_wake(&table.mutex, 1);
}

/* ---- handlers ------------------------------------------------------------------------------- */

bool tmlrt__signal_is_fit(int signo) {
    switch (signo) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL: return false;
    default: return signo > 0 && signo < TABLE__SIGNALS;
    }
}

int tmlrt__signal_listen(int signo) {
    if (!table.installed[signo]) {
        struct sigaction act = {.sa_handler = table__handler, .sa_flags = SA_RESTART | SA_ONSTACK};
        sigfillset(&act.sa_mask);
        if (TMLRT__SYS(sigaction(signo, &act, &table.former[signo])) != 0)
            return tmlrt__os_error(errno);
        table.installed[signo] = true;
    }
    table.refs[signo]++;
    return TMLRT_OK;
}

void tmlrt__signal_unlisten(int signo) {
    struct sigaction act;
    if (--table.refs[signo] != 0) return;
    /* Somebody may have put a handler of his own over ours: it stays. */
    if (TMLRT__SYS(sigaction(signo, NULL, &act)) == 0 && act.sa_handler == table__handler &&
        TMLRT__SYS(sigaction(signo, &table.former[signo], NULL)) != 0)
        return; /* ours stays, and counts for nobody */
    table.installed[signo] = false;
}

/* ---- listeners ------------------------------------------------------------------------------ */

#if TABLE__EVENTFD

int tmlrt__signal_channel_open(tmlrt__signal_listener_t *l) {
    l->fd = l->to = TMLRT__SYS(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return l->fd >= 0 ? TMLRT_OK : tmlrt__os_error(errno);
}

/* Each write to an eventfd is an edge, and it is never full. */
void tmlrt__signal_channel_empty(const tmlrt__signal_listener_t *l) {
    (void)l;
}

#else

int tmlrt__signal_channel_open(tmlrt__signal_listener_t *l) {
    int fds[2];
    l->fd = l->to = -1;
    if (TMLRT__SYS(tmlrt__os_pipe(fds)) != 0) return tmlrt__os_error(errno);
    l->fd = fds[0];
    l->to = fds[1];
    return TMLRT_OK;
}

/* A pipe can be full, and then the next signal writes nothing and is no event. */
void tmlrt__signal_channel_empty(const tmlrt__signal_listener_t *l) {
    char    bytes[256];
    ssize_t n;
    do
        n = read(l->fd, bytes, sizeof bytes);
    while (n > 0 || (n < 0 && errno == EINTR));
}

#endif

tmlrt__signal_listener_t *tmlrt__signal_find(const tmlrt__host_t *host) {
    for (int i = 0; i < TABLE__LISTENERS; i++)
        if (table.slot[i].listener != NULL && table.slot[i].host == host)
            return table.slot[i].listener;
    return NULL;
}

int tmlrt__signal_add(const tmlrt__host_t *host, tmlrt__signal_listener_t *l) {
    for (int i = 0; i < TABLE__LISTENERS; i++) {
        table__slot_t *slot = &table.slot[i];
        if (slot->listener != NULL) continue;
        slot->listener = l;
        slot->host = host;
        tmlrt__store_relaxed(&slot->pid, getpid());
        tmlrt__store_seq(&slot->fd, l->to + 1);
        return TMLRT_OK;
    }
    return TMLRT_ENOBUFS;
}

void tmlrt__signal_remove(const tmlrt__signal_listener_t *l) {
    for (int i = 0; i < TABLE__LISTENERS; i++) {
        table__slot_t *slot = &table.slot[i];
        if (slot->listener != l) continue;
        /* seq: as in table__tell; pairs [SIG-1] */
        tmlrt__store_seq(&slot->fd, 0);
        while (tmlrt__load_seq(&slot->users) != 0)
            tmlrt__latch_relax();
        slot->listener = NULL;
        slot->host = NULL;
    }
}
