/* SPDX-License-Identifier: MIT */
/*
 * kqueue.c: see sys/event.h. A queue is an epoll instance that holds three descriptors: an epoll
 * instance for each of the two filters of descriptors, so that they fire by themselves, and an
 * eventfd for the one EVFILT_USER. The outer one's number is the queue's.
 *
 * What a filter was added with stands in a table by descriptor, under a mutex. epoll forgets closed
 * descriptors by itself, as a kqueue does; the table learns of it when the number is added anew.
 */
#include <sys/event.h>

#undef close

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

enum { READS, WRITES, SIDES };

typedef struct knote {
    bool           used;
    unsigned short flags;
    uint32_t       serial; /* of this adding: an event of an earlier one is dropped */
    void          *udata;
} knote_t;

typedef struct queue {
    struct queue *next;
    int           fd, side[SIDES], user;
    bool          user_added;
    void         *user_data;
    uint32_t      serial;
    size_t        size; /* of the table */
    knote_t (*knotes)[SIDES];
} queue_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t  once = PTHREAD_ONCE_INIT;
static queue_t        *queues; /* under the lock, as all that is in them */

/* ---- life ------------------------------------------------------------------------------------ */

static void queue_free(queue_t *q) {
    if (q->user >= 0) close(q->user);
    for (int i = 0; i < SIDES; i++)
        if (q->side[i] >= 0) close(q->side[i]);
    if (q->fd >= 0) close(q->fd);
    free(q->knotes);
    free(q);
}

static void before_fork(void) {
    pthread_mutex_lock(&lock);
}

static void after_fork(void) {
    pthread_mutex_unlock(&lock);
}

/* The child inherits no queue. */
static void in_child(void) {
    while (queues != NULL) {
        queue_t *q = queues;
        queues = q->next;
        queue_free(q);
    }
    pthread_mutex_unlock(&lock);
}

static void watch_forks(void) {
    pthread_atfork(before_fork, after_fork, in_child);
}

static int inner(int outer, int fd, uint64_t key) {
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = key};
    return fd < 0 ? -1 : epoll_ctl(outer, EPOLL_CTL_ADD, fd, &e);
}

int kqueue(void) {
    pthread_once(&once, watch_forks);
    queue_t *q = calloc(1, sizeof *q);
    if (q == NULL) return -1;
    q->fd = epoll_create1(0);
    q->side[READS] = epoll_create1(EPOLL_CLOEXEC);
    q->side[WRITES] = epoll_create1(EPOLL_CLOEXEC);
    q->user = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->fd < 0 || inner(q->fd, q->side[READS], READS) != 0 ||
        inner(q->fd, q->side[WRITES], WRITES) != 0 || inner(q->fd, q->user, SIDES) != 0) {
        int kept = errno;
        queue_free(q);
        errno = kept;
        return -1;
    }
    int fd = q->fd;
    pthread_mutex_lock(&lock);
    q->next = queues;
    queues = q;
    pthread_mutex_unlock(&lock);
    return fd;
}

/* Lock held. */
static queue_t **queue_at(int fd) {
    queue_t **at = &queues;
    while (*at != NULL && (*at)->fd != fd)
        at = &(*at)->next;
    return at;
}

int tmlrt__shim_close(int fd) {
    pthread_mutex_lock(&lock);
    queue_t **at = queue_at(fd);
    queue_t  *q = *at;
    if (q != NULL) *at = q->next;
    pthread_mutex_unlock(&lock);
    if (q == NULL) return close(fd);
    queue_free(q);
    return 0;
}

/* ---- changes --------------------------------------------------------------------------------- */

/* Lock held: the place of a filter in the table; NULL: no memory. */
static knote_t *knote_of(queue_t *q, size_t fd, int side) {
    if (fd >= q->size) {
        size_t size = fd + 64;
        void  *more = realloc(q->knotes, size * sizeof *q->knotes);
        if (more == NULL) return NULL;
        q->knotes = more;
        memset(q->knotes + q->size, 0, (size - q->size) * sizeof *q->knotes);
        q->size = size;
    }
    return &q->knotes[fd][side];
}

static uint32_t interest(const knote_t *k, int side) {
    uint32_t events = side == READS ? EPOLLIN | EPOLLRDHUP | EPOLLPRI : EPOLLOUT;
    if ((k->flags & EV_DISABLE) != 0) return EPOLLONESHOT;
    if ((k->flags & EV_ONESHOT) != 0) return events | EPOLLONESHOT;
    return events | ((k->flags & EV_CLEAR) != 0 ? EPOLLET : 0);
}

/* Lock held. Adding again what is there changes it; an edge that was told is not told again. */
static int knote_add(queue_t *q, const struct kevent *c, int side) {
    knote_t *k = knote_of(q, c->ident, side);
    if (k == NULL) return ENOMEM;
    const struct epoll_event probe = {.events = EPOLLONESHOT};
    struct epoll_event       e = probe;
    bool fresh = epoll_ctl(q->side[side], EPOLL_CTL_ADD, (int)c->ident, &e) == 0;
    if (!fresh && errno != EEXIST) return errno;
    if (fresh && k->used && (k->flags & EV_CLEAR) != 0) {
        fprintf(stderr, "kqueue: descriptor %d was closed with a filter on it\n", (int)c->ident);
        abort();
    }
    bool same = !fresh && k->used && k->flags == c->flags && (c->flags & EV_CLEAR) != 0;
    k->used = true;
    k->flags = c->flags;
    k->udata = c->udata;
    if (same) return 0;
    k->serial = ++q->serial;
    e.events = interest(k, side);
    e.data.u64 = (uint64_t)k->serial << 32 | (uint32_t)c->ident;
    return epoll_ctl(q->side[side], EPOLL_CTL_MOD, (int)c->ident, &e) == 0 ? 0 : errno;
}

static int knote_delete(queue_t *q, const struct kevent *c, int side) {
    knote_t *k = knote_of(q, c->ident, side);
    if (k == NULL) return ENOMEM;
    bool used = k->used;
    k->used = false;
    if (epoll_ctl(q->side[side], EPOLL_CTL_DEL, (int)c->ident, NULL) != 0) return errno;
    return used ? 0 : ENOENT;
}

static int change_user(queue_t *q, const struct kevent *c) {
    const uint64_t one = 1;
    if ((c->flags & EV_ADD) != 0) {
        q->user_added = true;
        q->user_data = c->udata;
    }
    if (!q->user_added) return ENOENT;
    if ((c->fflags & NOTE_TRIGGER) != 0 && write(q->user, &one, sizeof one) < 0) return errno;
    return 0;
}

static int change(queue_t *q, const struct kevent *c) {
    if (c->filter == EVFILT_USER) return change_user(q, c);
    if (c->filter != EVFILT_READ && c->filter != EVFILT_WRITE) return EINVAL;
    int side = c->filter == EVFILT_READ ? READS : WRITES;
    if ((c->flags & EV_DELETE) != 0) return knote_delete(q, c, side);
    return (c->flags & EV_ADD) != 0 ? knote_add(q, c, side) : EINVAL;
}

/* ---- events ---------------------------------------------------------------------------------- */

static int harvest_user(queue_t *q, struct kevent *out) {
    uint64_t count;
    if (read(q->user, &count, sizeof count) < 0) return 0;
    *out = (struct kevent){.filter = EVFILT_USER, .udata = q->user_data};
    return 1;
}

/* Lock held: one event of epoll as one of ours; 0 where the filter has gone meanwhile. */
static int harvest_one(queue_t *q, const struct epoll_event *e, int side, struct kevent *out) {
    size_t   fd = (uint32_t)e->data.u64;
    knote_t *k = fd < q->size ? &q->knotes[fd][side] : NULL;
    if (k == NULL || !k->used || k->serial != e->data.u64 >> 32) return 0;
    if ((k->flags & EV_DISABLE) != 0) return 0;
    *out = (struct kevent){.ident = fd, .udata = k->udata};
    out->filter = side == READS ? EVFILT_READ : EVFILT_WRITE;
    out->flags = k->flags & (EV_CLEAR | EV_ONESHOT);
    if ((e->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) out->flags |= EV_EOF;
    if ((e->events & EPOLLERR) != 0) out->fflags = EIO;
    if ((e->events & EPOLLPRI) != 0) out->flags |= EV_OOBAND;
    if ((k->flags & EV_ONESHOT) != 0) {
        k->used = false;
        epoll_ctl(q->side[side], EPOLL_CTL_DEL, (int)fd, NULL);
    }
    return 1;
}

/* Lock held. Takes at most `room` events of what is there now. */
static int harvest(queue_t *q, struct kevent *out, int room) {
    int n = room > 0 ? harvest_user(q, out) : 0;
    for (int side = 0; side < SIDES && n < room; side++) {
        struct epoll_event events[64];
        int                most = room - n < 64 ? room - n : 64;
        int                got = epoll_wait(q->side[side], events, most, 0);
        for (int i = 0; i < got; i++)
            n += harvest_one(q, &events[i], side, &out[n]);
    }
    return n;
}

/* Sleeps until something may be there; -1 with errno. */
static int queue_sleep(int fd, const struct timespec *left) {
    struct epoll_event unused;
#if defined(SYS_epoll_pwait2)
    const struct {
        int64_t sec, ns;
    } limit = {left != NULL ? left->tv_sec : 0, left != NULL ? left->tv_nsec : 0};
    int n = (int)syscall(SYS_epoll_pwait2, fd, &unused, 1, left != NULL ? &limit : NULL, NULL,
                         (size_t)0);
    if (n >= 0 || (errno != ENOSYS && errno != EPERM)) return n;
#endif
    int64_t ms = left != NULL ? left->tv_sec * 1000 + (left->tv_nsec + 999999) / 1000000 : -1;
    return epoll_wait(fd, &unused, 1, (int)ms);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int kevent(int fd, const struct kevent *changes, int n_changes, struct kevent *events, int n_events,
           const struct timespec *timeout) {
    int64_t end = timeout != NULL ? now() + timeout->tv_sec * 1000000000 + timeout->tv_nsec : 0;
    int     n = 0;
    pthread_mutex_lock(&lock);
    queue_t *q = *queue_at(fd);
    for (int i = 0; q != NULL && i < n_changes; i++) {
        int error = change(q, &changes[i]);
        if (error == 0 && (changes[i].flags & EV_RECEIPT) == 0) continue;
        if (n == n_events) { /* no room to tell */
            pthread_mutex_unlock(&lock);
            errno = error;
            return -1;
        }
        events[n] = changes[i];
        events[n].flags |= EV_ERROR;
        events[n++].data = error;
    }
    if (q != NULL && n == 0) n = harvest(q, events, n_events);
    pthread_mutex_unlock(&lock);
    if (q == NULL) {
        errno = EBADF;
        return -1;
    }
    while (n == 0 && n_events > 0) {
        int64_t         left = timeout != NULL ? end - now() : 1;
        struct timespec limit = {left / 1000000000, left % 1000000000};
        if (left <= 0) break;
        if (queue_sleep(fd, timeout != NULL ? &limit : NULL) < 0) return -1;
        pthread_mutex_lock(&lock);
        n = harvest(q, events, n_events);
        pthread_mutex_unlock(&lock);
    }
    return n;
}
