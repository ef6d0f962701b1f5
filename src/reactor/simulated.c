/* SPDX-License-Identifier: MIT */
/*
 * simulated.c: a network in memory, for replayed runtimes (tmlrt/replay.h): streams and listeners
 * are ends that exist here alone. Bytes travel as segments with a time of arrival on the virtual
 * clock; delays, short transfers, refused connects, resets and partitions are drawn from the
 * runtime's chance. To the layers above it is a backend of readiness like any other: they try a
 * call, and are told by an event when it is worth another try.
 *
 * An event is (time, end, bits). Every change that could make a call worth trying has its event: a
 * segment when it arrives, room when it was made, the rest after a transfer that was cut short.
 * Descriptors of other kinds go to an epoll driver inside.
 *
 * Single-threaded: the runtime's thread alone, under no lock. It does not simulate datagrams, nor
 * what a program does to the bytes' order (TCP keeps it) or content.
 */
#include "simulated.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <tmlrt/replay.h>
#include <tmlrt/runtime.h>

#include "../chance.h"
#include "../list.h"
#include "epoll.h"
#include "readiness.h"

#define NET__PORT       40000u /* the first that is given away */
#define NET__PORTS      20000u
#define NET__PARTITIONS 16u /* at a time */
#define NET__BOTH       (TMLRT__EVENT_READ | TMLRT__EVENT_WRITE)

/* When to tell an end what. */
typedef struct net__event {
    tmlrt__list_t link;
    int64_t       at;
    uint32_t      index, generation, bits;
    bool          kept; /* part of its end, which lives as long as the driver */
} net__event_t;

/* Bytes on their way, or the end of them. */
typedef struct net__segment {
    tmlrt__list_t link;
    int64_t       at; /* when it arrives */
    size_t        size, done;
    bool          fin;
} net__segment_t;

typedef enum { NET__FRESH, NET__LISTENS, NET__CONNECTS, NET__STREAM } net__state_t;

/* One end: what a descriptor would name. */
typedef struct net__end {
    uint32_t         index, generation;
    bool             used;
    net__state_t     state;
    tmlrt__source_t *source; /* attached, or NULL */
    tmlrt_addr_t     local, remote;
    struct net__end *peer; /* NULL: gone, or none yet */
    tmlrt__list_t    in;   /* segments, in order */
    size_t           in_size;
    int64_t          last_at; /* no later segment arrives before it */
    int64_t          connected_at, broken_at;
    int              error; /* from broken_at on */
    uint64_t         place; /* which partitions concern it */
    bool             no_read, no_write, resets, waits_for_room;
    /* A listener's queue, linked through the waiting ends. */
    tmlrt__list_t queue, link;
    uint32_t      queued, backlog;
    int64_t       arrives_at;
    /* For what cannot fail: what can be seen already, and the break at its time. */
    net__event_t soon, broken;
} net__end_t;

typedef struct net__partition {
    uint64_t place;
    int64_t  until;
} net__partition_t;

typedef struct net__driver {
    tmlrt__driver_t        base;
    tmlrt__driver_t       *inner;
    tmlrt__chance_t       *chance;
    const tmlrt_network_t *faults;
    net__end_t           **end;
    uint32_t               ends, room, port;
    tmlrt__list_t          events; /* by time, then age */
    net__partition_t       partition[NET__PARTITIONS];
} net__driver_t;

static net__driver_t *net__of(tmlrt__driver_t *d) {
    return (net__driver_t *)d;
}

static net__driver_t *net__of_source(const tmlrt__source_t *s) {
    return net__of(s->driver);
}

static net__end_t *net__end(const tmlrt__source_t *s) {
    return net__of_source(s)->end[s->fd];
}

static int64_t net__now(const net__driver_t *d) {
    return d->base.host->ops->now(d->base.host);
}

/* ---- lots ------------------------------------------------------------------------------------ */

static bool net__unlucky(net__driver_t *d, uint32_t of_a_million) {
    return of_a_million != 0 && tmlrt__chance_below(d->chance, 1000000) < of_a_million;
}

/* A time from `least` to `most`. */
static int64_t net__between(net__driver_t *d, int64_t least, int64_t most) {
    uint64_t range = (uint64_t)(most - least) + 1;
    if (range <= UINT32_MAX) return least + tmlrt__chance_below(d->chance, (uint32_t)range);
    uint64_t high = tmlrt__chance_below(d->chance, UINT32_MAX);
    return least + (int64_t)((high << 32 | tmlrt__chance_below(d->chance, UINT32_MAX)) % range);
}

static int64_t net__delay(net__driver_t *d) {
    return net__between(d, d->faults->delay_least, d->faults->delay_most);
}

/* How much of a transfer of `size` bytes is made at once. */
static size_t net__share(net__driver_t *d, size_t size) {
    if (size < 2 || !net__unlucky(d, d->faults->short_transfers)) return size;
    return 1 + tmlrt__chance_below(d->chance, size < UINT32_MAX ? (uint32_t)size : UINT32_MAX);
}

/* ---- events ---------------------------------------------------------------------------------- */

static net__event_t *net__event_of(tmlrt__list_t *node) {
    return TMLRT__CONTAINER_OF(node, net__event_t, link);
}

static void net__queue(net__driver_t *d, const net__end_t *e, net__event_t *ev, int64_t at,
                       uint32_t bits) {
    ev->at = at;
    ev->bits = bits;
    ev->index = e->index;
    ev->generation = e->generation;
    tmlrt__list_t *after = d->events.prev;
    while (after != &d->events && net__event_of(after)->at > at)
        after = after->prev;
    tmlrt__list_insert_after(after, &ev->link);
}

/* TMLRT_ENOMEM: it will not happen; the caller's change must not either. */
static int net__tell(net__driver_t *d, const net__end_t *e, int64_t at, uint32_t bits) {
    net__event_t *ev = tmlrt__mem_get(&d->base.host->mem, sizeof *ev, _Alignof(net__event_t));
    if (ev == NULL) return TMLRT_ENOMEM;
    ev->kept = false;
    net__queue(d, e, ev, at, bits);
    return TMLRT_OK;
}

/* Of an event of the end's own; an earlier one that is queued still says both. */
static void net__tell_own(net__driver_t *d, const net__end_t *e, net__event_t *ev, int64_t at,
                          uint32_t bits) {
    if (tmlrt__list_is_linked(&ev->link)) {
        tmlrt__list_remove(&ev->link);
        if (ev->at < at) at = ev->at;
        bits |= ev->bits;
    }
    ev->kept = true;
    net__queue(d, e, ev, at, bits);
}

static void net__untell_own(net__event_t *ev) {
    if (tmlrt__list_is_linked(&ev->link)) tmlrt__list_remove(&ev->link);
}

static int64_t net__due(tmlrt__driver_t *base) {
    tmlrt__list_t *first = tmlrt__list_first(&net__of(base)->events);
    return first != NULL ? net__event_of(first)->at : INT64_MAX;
}

static uint32_t net__wait(tmlrt__driver_t *base, int64_t timeout_ns) {
    net__driver_t *d = net__of(base);
    uint32_t       count = 0;
    int64_t        now = net__now(d);
    d->inner->table = base->table;
    if (net__due(base) <= now) timeout_ns = 0;
    count += tmlrt__reactor_epoll.wait(d->inner, timeout_ns);
    while (net__due(base) <= now) {
        net__event_t     *ev = net__event_of(tmlrt__list_pop_front(&d->events));
        const net__end_t *e = d->end[ev->index];
        uint32_t          bits = ev->bits;
        bool              there = e->used && e->generation == ev->generation && e->source != NULL;
        if (!ev->kept) tmlrt__mem_put(&base->host->mem, ev, sizeof *ev, _Alignof(net__event_t));
        if (!there) continue;
        count++;
        tmlrt__source_event(base->table, tmlrt__source_key(e->source), bits);
    }
    return count;
}

/* ---- partitions ------------------------------------------------------------------------------ */

/* The address without its port, as a number: that of the listening side. */
static uint64_t net__place(const tmlrt_addr_t *addr) {
    const struct sockaddr *sys = (const void *)addr->storage_;
    const unsigned char   *bytes = (const void *)addr->storage_;
    size_t                 from = 0, size = addr->length_;
    if (sys->sa_family == AF_INET) {
        from = offsetof(struct sockaddr_in, sin_addr);
        size = sizeof(struct in_addr);
    } else if (sys->sa_family == AF_INET6) {
        from = offsetof(struct sockaddr_in6, sin6_addr);
        size = sizeof(struct in6_addr);
    }
    uint64_t h = sys->sa_family;
    for (size_t i = 0; i < size; i++)
        h = tmlrt__rand_mix(h ^ bytes[from + i]);
    return h;
}

/* Until when nothing arrives there; may begin such a time. */
static int64_t net__cut_until(net__driver_t *d, uint64_t place) {
    int64_t           now = net__now(d);
    net__partition_t *free = NULL;
    for (size_t i = 0; i < NET__PARTITIONS; i++) {
        net__partition_t *p = &d->partition[i];
        if (p->until <= now)
            free = p;
        else if (p->place == place)
            return p->until;
    }
    if (free == NULL || !net__unlucky(d, d->faults->partition)) return now;
    *free = (net__partition_t){place, now + net__between(d, 0, d->faults->partition_most)};
    return free->until;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static int net__grow(net__driver_t *d) {
    const tmlrt_allocator_t *mem = &d->base.host->mem;
    uint32_t                 room = d->room != 0 ? 2 * d->room : 16;
    net__end_t **more = tmlrt__mem_zero(mem, room * sizeof *more, _Alignof(net__end_t *));
    if (more == NULL) return TMLRT_ENOMEM;
    if (d->room != 0) memcpy(more, d->end, d->room * sizeof *more);
    if (d->end != NULL) tmlrt__mem_put(mem, d->end, d->room * sizeof *more, _Alignof(net__end_t *));
    d->end = more;
    d->room = room;
    return TMLRT_OK;
}

/* A fresh end, or NULL. */
static net__end_t *net__make_end(net__driver_t *d) {
    const tmlrt_allocator_t *mem = &d->base.host->mem;
    uint32_t                 i = 0;
    while (i < d->ends && d->end[i]->used)
        i++;
    if (i == d->ends) {
        if (d->ends == d->room && net__grow(d) != TMLRT_OK) return NULL;
        d->end[i] = tmlrt__mem_zero(mem, sizeof(net__end_t), _Alignof(net__end_t));
        if (d->end[i] == NULL) return NULL;
        d->ends++;
    }
    net__end_t *e = d->end[i];
    *e = (net__end_t){.index = i, .generation = e->generation + 1, .used = true};
    e->broken_at = INT64_MAX;
    tmlrt__list_init(&e->in);
    tmlrt__list_init(&e->queue);
    return e;
}

static void net__drop_segment(net__driver_t *d, net__end_t *e, net__segment_t *seg) {
    e->in_size -= seg->size;
    tmlrt__list_remove(&seg->link);
    tmlrt__mem_put(&d->base.host->mem, seg, sizeof *seg + seg->size, _Alignof(net__segment_t));
}

static net__segment_t *net__first(net__end_t *e) {
    tmlrt__list_t *node = tmlrt__list_first(&e->in);
    return node != NULL ? TMLRT__CONTAINER_OF(node, net__segment_t, link) : NULL;
}

/* The end learns at `at` that the connection is over. */
static void net__break(net__driver_t *d, net__end_t *e, int64_t at, int error) {
    if (e->broken_at <= at) return;
    e->broken_at = at;
    e->error = error;
    net__tell_own(d, e, &e->broken, at, NET__BOTH | TMLRT__EVENT_ERROR);
}

/* Puts bytes, or the end of the stream (data NULL), on their way to `to`. */
static int net__put(net__driver_t *d, net__end_t *to, const void *data, size_t size) {
    int64_t now = net__now(d), cut = net__cut_until(d, to->place);
    int64_t at = (cut > now ? cut : now) + net__delay(d);
    if (at < to->last_at) at = to->last_at;
    size_t          bytes = sizeof(net__segment_t) + size;
    net__segment_t *seg = tmlrt__mem_get(&d->base.host->mem, bytes, _Alignof(net__segment_t));
    if (seg == NULL) return TMLRT_ENOMEM;
    if (net__tell(d, to, at, TMLRT__EVENT_READ) != TMLRT_OK) {
        tmlrt__mem_put(&d->base.host->mem, seg, bytes, _Alignof(net__segment_t));
        return TMLRT_ENOMEM;
    }
    *seg = (net__segment_t){.at = at, .size = size, .fin = data == NULL};
    if (size != 0) memcpy(seg + 1, data, size);
    tmlrt__list_push_back(&to->in, &seg->link);
    to->in_size += size;
    to->last_at = at;
    if (at - now > d->faults->give_up) {
        net__break(d, to, now + d->faults->give_up, TMLRT_ETIMEDOUT);
        if (to->peer != NULL) net__break(d, to->peer, now + d->faults->give_up, TMLRT_ETIMEDOUT);
    }
    return TMLRT_OK;
}

/* Breaks the connection of an end, for itself now, for the other after a while. */
static int net__reset(net__driver_t *d, net__end_t *e) {
    if (e->peer != NULL) net__break(d, e->peer, net__now(d) + net__delay(d), TMLRT_ECONNRESET);
    net__break(d, e, net__now(d), TMLRT_ECONNRESET);
    return TMLRT_ECONNRESET;
}

static bool net__is_broken(const net__driver_t *d, const net__end_t *e) {
    return e->broken_at <= net__now(d);
}

static void net__free_end(net__driver_t *d, net__end_t *e) {
    net__segment_t *seg;
    while ((seg = net__first(e)) != NULL)
        net__drop_segment(d, e, seg);
    net__untell_own(&e->soon);
    net__untell_own(&e->broken);
    if (e->peer != NULL) e->peer->peer = NULL;
    e->peer = NULL;
    e->used = false;
}

static void net__close_end(net__driver_t *d, net__end_t *e) {
    tmlrt__list_t *node;
    while ((node = tmlrt__list_pop_front(&e->queue)) != NULL) {
        net__end_t *waiting = TMLRT__CONTAINER_OF(node, net__end_t, link);
        waiting->resets = true;
        net__close_end(d, waiting);
    }
    if (tmlrt__list_is_linked(&e->link)) tmlrt__list_remove(&e->link);
    net__end_t *peer = e->peer;
    bool        unread = net__first(e) != NULL || e->resets || e->state != NET__STREAM;
    if (peer != NULL && (unread || (!e->no_write && net__put(d, peer, NULL, 0) != TMLRT_OK)))
        net__break(d, peer, net__now(d) + net__delay(d), TMLRT_ECONNRESET);
    net__free_end(d, e);
}

static void net__close(tmlrt__driver_t *base, int64_t fd) {
    net__driver_t *d = net__of(base);
    net__close_end(d, d->end[fd]);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static uint16_t *net__port(tmlrt_addr_t *addr) {
    struct sockaddr *sys = (void *)addr->storage_;
    if (sys->sa_family == AF_INET) return &((struct sockaddr_in *)(void *)sys)->sin_port;
    if (sys->sa_family == AF_INET6) return &((struct sockaddr_in6 *)(void *)sys)->sin6_port;
    return NULL;
}

static bool net__is_any(const tmlrt_addr_t *addr) {
    const struct sockaddr *sys = (const void *)addr->storage_;
    if (sys->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)sys)->sin_addr.s_addr == INADDR_ANY;
    if (sys->sa_family == AF_INET6) {
        static const struct in6_addr any = IN6ADDR_ANY_INIT;
        const struct sockaddr_in6   *in6 = (const void *)sys;
        return memcmp(&in6->sin6_addr, &any, sizeof any) == 0;
    }
    return false;
}

/* What is sent to `to` reaches a listener on `on`. */
static bool net__matches(const tmlrt_addr_t *on, const tmlrt_addr_t *to) {
    tmlrt_addr_t a = *on, b = *to;
    uint16_t    *pa = net__port(&a), *pb = net__port(&b);
    if (((struct sockaddr *)(void *)a.storage_)->sa_family !=
        ((struct sockaddr *)(void *)b.storage_)->sa_family)
        return false;
    if (pa != NULL && *pa != *pb) return false;
    if (net__is_any(on) || net__is_any(to)) return true;
    return pa != NULL ? net__place(on) == net__place(to)
                      : a.length_ == b.length_ && memcmp(a.storage_, b.storage_, a.length_) == 0;
}

static net__end_t *net__listener(net__driver_t *d, const tmlrt_addr_t *to) {
    for (uint32_t i = 0; i < d->ends; i++)
        if (d->end[i]->used && d->end[i]->state == NET__LISTENS &&
            net__matches(&d->end[i]->local, to))
            return d->end[i];
    return NULL;
}

static void net__give_port(net__driver_t *d, tmlrt_addr_t *addr) {
    uint16_t *port = net__port(addr);
    if (port == NULL || *port != 0) return;
    do
        *port = htons((uint16_t)(NET__PORT + d->port++ % NET__PORTS));
    while (net__listener(d, addr) != NULL);
}

/* ---- the calls ------------------------------------------------------------------------------- */

static int64_t net__make(tmlrt__driver_t *base) {
    net__end_t *e = net__make_end(net__of(base));
    return e != NULL ? (int64_t)e->index : TMLRT_ENOMEM;
}

static int net__listen(tmlrt__driver_t *base, int64_t fd, const tmlrt_addr_t *addr,
                       uint32_t backlog) {
    net__driver_t *d = net__of(base);
    net__end_t    *e = d->end[fd];
    e->local = *addr;
    net__give_port(d, &e->local);
    if (net__listener(d, &e->local) != NULL) return TMLRT_EADDRINUSE;
    e->state = NET__LISTENS;
    e->backlog = backlog != 0 ? backlog : 4096;
    return TMLRT_OK;
}

/* Puts the other side of `e` into the listener's queue. */
static int net__offer(net__driver_t *d, net__end_t *e, net__end_t *listener, int64_t at) {
    net__end_t *other = net__make_end(d);
    if (other == NULL || net__tell(d, listener, at, TMLRT__EVENT_READ) != TMLRT_OK) {
        if (other != NULL) other->used = false;
        return TMLRT_ENOMEM;
    }
    other->state = NET__STREAM;
    other->local = e->remote;
    other->remote = e->local;
    other->place = e->place;
    other->arrives_at = at;
    other->peer = e;
    e->peer = other;
    tmlrt__list_push_back(&listener->queue, &other->link);
    listener->queued++;
    return TMLRT_OK;
}

static int net__connect(tmlrt__source_t *s, const void *sys, size_t size) {
    net__driver_t *d = net__of_source(s);
    net__end_t    *e = net__end(s), *listener;
    e->remote.length_ = (uint32_t)size;
    memcpy(e->remote.storage_, sys, size);
    e->local = e->remote;
    if (net__port(&e->local) != NULL) *net__port(&e->local) = 0;
    net__give_port(d, &e->local);
    e->place = net__place(&e->remote);
    e->state = NET__CONNECTS;
    int64_t now = net__now(d), cut = net__cut_until(d, e->place);
    int64_t at = (cut > now ? cut : now) + net__delay(d);
    bool    refused = net__unlucky(d, d->faults->refuse);
    e->connected_at = at + net__delay(d);
    if (cut - now > d->faults->give_up) {
        net__break(d, e, now + d->faults->give_up, TMLRT_ETIMEDOUT);
        return TMLRT_OK;
    }
    listener = net__listener(d, &e->remote);
    if (refused || listener == NULL || listener->queued >= listener->backlog) {
        net__break(d, e, e->connected_at, TMLRT_ECONNREFUSED);
        return TMLRT_OK;
    }
    int error = net__tell(d, e, e->connected_at, TMLRT__EVENT_WRITE);
    return error != TMLRT_OK ? error : net__offer(d, e, listener, at);
}

static int net__connected(const tmlrt__source_t *s) {
    net__driver_t *d = net__of_source(s);
    net__end_t    *e = net__end(s);
    if (net__is_broken(d, e)) return e->error;
    if (e->state == NET__CONNECTS && net__now(d) < e->connected_at) return TMLRT_EAGAIN;
    e->state = NET__STREAM;
    return TMLRT_OK;
}

static int64_t net__accept(tmlrt__source_t *s) {
    net__driver_t *d = net__of_source(s);
    net__end_t    *e = net__end(s);
    /* Delays differ, so the queue is not in the order of arrival. */
    for (tmlrt__list_t *node = e->queue.next; node != &e->queue; node = node->next) {
        net__end_t *other = TMLRT__CONTAINER_OF(node, net__end_t, link);
        if (other->arrives_at > net__now(d)) continue;
        tmlrt__list_remove(node);
        e->queued--;
        tmlrt__chance_note(d->chance, other->index);
        return other->index;
    }
    return TMLRT_EAGAIN;
}

/* What `e` (or NULL) sends has room again. */
static void net__tell_room(net__driver_t *d, net__end_t *e) {
    if (e == NULL || !e->waits_for_room) return;
    e->waits_for_room = false;
    net__tell_own(d, e, &e->soon, net__now(d) + net__delay(d), TMLRT__EVENT_WRITE);
}

static int64_t net__recv(const tmlrt__source_t *s, void *buf, size_t size) {
    net__driver_t *d = net__of_source(s);
    net__end_t    *e = net__end(s);
    if (net__is_broken(d, e)) return e->error;
    if (net__unlucky(d, d->faults->reset)) return net__reset(d, e);
    if (e->no_read) return 0;
    size_t          ask = net__share(d, size), done = 0;
    net__segment_t *seg;
    while ((seg = net__first(e)) != NULL && seg->at <= net__now(d) && !seg->fin && done < ask) {
        size_t n = seg->size - seg->done < ask - done ? seg->size - seg->done : ask - done;
        memcpy((char *)buf + done, (const char *)(seg + 1) + seg->done, n);
        seg->done += n;
        done += n;
        if (seg->done == seg->size) net__drop_segment(d, e, seg);
    }
    bool more = seg != NULL && seg->at <= net__now(d);
    if (done == 0) return more && seg->fin ? 0 : TMLRT_EAGAIN;
    /* What was cut short goes on by an event. */
    if (more && done < size) net__tell_own(d, e, &e->soon, net__now(d), TMLRT__EVENT_READ);
    net__tell_room(d, e->peer);
    tmlrt__chance_note(d->chance, done);
    return (int64_t)done;
}

static int64_t net__send(const tmlrt__source_t *s, const void *buf, size_t size) {
    net__driver_t *d = net__of_source(s);
    net__end_t    *e = net__end(s);
    if (net__is_broken(d, e)) return e->error == TMLRT_ECONNRESET ? TMLRT_EPIPE : e->error;
    if (e->no_write) return TMLRT_EPIPE;
    if (net__unlucky(d, d->faults->reset)) return net__reset(d, e);
    if (e->peer == NULL) { /* gone: these bytes are lost, and their echo is a reset */
        net__break(d, e, net__now(d) + net__delay(d), TMLRT_ECONNRESET);
        return (int64_t)size;
    }
    if (e->peer->no_read) return (int64_t)size; /* nobody looks at them */
    size_t room = d->faults->buffer > e->peer->in_size ? d->faults->buffer - e->peer->in_size : 0;
    size_t n = net__share(d, size < room ? size : room);
    if (n < size) {
        if (n == room)
            e->waits_for_room = true;
        else
            net__tell_own(d, e, &e->soon, net__now(d), TMLRT__EVENT_WRITE);
    }
    if (n == 0) return TMLRT_EAGAIN;
    int error = net__put(d, e->peer, buf, n);
    if (error != TMLRT_OK) return error;
    tmlrt__chance_note(d->chance, n);
    return (int64_t)n;
}

static int net__shutdown(const tmlrt__source_t *s, int how) {
    net__driver_t *d = net__of_source(s);
    net__end_t    *e = net__end(s);
    if (e->state != NET__STREAM || net__is_broken(d, e)) return TMLRT_ENOTCONN;
    if (how != TMLRT_SHUT_READ && !e->no_write) {
        int error = e->peer != NULL ? net__put(d, e->peer, NULL, 0) : TMLRT_OK;
        if (error != TMLRT_OK) return error;
        e->no_write = true;
    }
    if (how != TMLRT_SHUT_WRITE && !e->no_read) {
        e->no_read = true;
        net__tell_own(d, e, &e->soon, net__now(d), TMLRT__EVENT_READ);
        net__tell_room(d, e->peer); /* from now on it is thrown away */
    }
    return TMLRT_OK;
}

static int net__name(const tmlrt__source_t *s, bool peer, tmlrt_addr_t *addr) {
    const net__end_t *e = net__end(s);
    if (peer && e->state != NET__STREAM) return TMLRT_ENOTCONN;
    *addr = peer ? e->remote : e->local;
    return TMLRT_OK;
}

static int net__set(const tmlrt__source_t *s, int option, int64_t value) {
    if (option == TMLRT_SOCK_LINGER) net__end(s)->resets = value == 0;
    return TMLRT_OK;
}

static const tmlrt__sockets_t net__sockets = {
    .make = net__make,
    .listen = net__listen,
    .connect = net__connect,
    .connected = net__connected,
    .accept = net__accept,
    .recv = net__recv,
    .send = net__send,
    .shutdown = net__shutdown,
    .name = net__name,
    .set = net__set,
    .close = net__close,
};

/* ---- the driver ------------------------------------------------------------------------------ */

static int net__create(tmlrt__driver_t **out, tmlrt__host_t *host, uint32_t index) {
    if (host->chance == NULL) return TMLRT_EINVAL;
    net__driver_t *d = tmlrt__mem_zero(&host->mem, sizeof *d, TMLRT__CACHE_LINE);
    if (d == NULL) return TMLRT_ENOMEM;
    int e = tmlrt__reactor_epoll.create(&d->inner, host, index);
    if (e != TMLRT_OK) {
        tmlrt__mem_put(&host->mem, d, sizeof *d, TMLRT__CACHE_LINE);
        return e;
    }
    d->base.cls = &tmlrt__reactor_simulated;
    d->base.host = host;
    d->base.index = index;
    d->chance = host->chance;
    d->faults = host->chance->network;
    tmlrt__list_init(&d->events);
    *out = &d->base;
    return TMLRT_OK;
}

static void net__destroy(tmlrt__driver_t *base, bool forked) {
    net__driver_t *d = net__of(base);
    tmlrt__reactor_epoll.destroy(d->inner, forked);
    if (forked) return;
    const tmlrt_allocator_t *mem = &base->host->mem;
    tmlrt__list_t           *node;
    for (uint32_t i = 0; i < d->ends; i++)
        net__free_end(d, d->end[i]);
    for (uint32_t i = 0; i < d->ends; i++)
        tmlrt__mem_put(mem, d->end[i], sizeof(net__end_t), _Alignof(net__end_t));
    while ((node = tmlrt__list_pop_front(&d->events)) != NULL)
        tmlrt__mem_put(mem, net__event_of(node), sizeof(net__event_t), _Alignof(net__event_t));
    if (d->end != NULL)
        tmlrt__mem_put(mem, d->end, d->room * sizeof *d->end, _Alignof(net__end_t *));
    tmlrt__mem_put(mem, d, sizeof *d, TMLRT__CACHE_LINE);
}

static void net__wake(tmlrt__driver_t *base) {
    tmlrt__reactor_epoll.wake(net__of(base)->inner);
}

static int64_t net__handle(tmlrt__driver_t *base) {
    return tmlrt__reactor_epoll.handle(net__of(base)->inner);
}

static int net__attach(tmlrt__driver_t *base, tmlrt__source_t *s) {
    net__driver_t *d = net__of(base);
    if (tmlrt__source_sockets(s) == NULL) return tmlrt__reactor_epoll.attach(d->inner, s);
    net__end_t *e = net__end(s);
    /* What came before somebody was there to be told. */
    if (e->state != NET__CONNECTS) net__tell_own(d, e, &e->soon, net__now(d), NET__BOTH);
    e->source = s;
    return TMLRT_OK;
}

static void net__detach(tmlrt__driver_t *base, tmlrt__source_t *s) {
    if (tmlrt__source_sockets(s) == NULL)
        tmlrt__reactor_epoll.detach(net__of(base)->inner, s);
    else
        net__end(s)->source = NULL;
}

static int net__watch(tmlrt__driver_t *base, tmlrt__source_t *s, uint32_t events) {
    return tmlrt__reactor_epoll.watch(net__of(base)->inner, s, events);
}

const tmlrt__reactor_class_t tmlrt__reactor_simulated = {
    .name = "simulated",
    .id = TMLRT_REACTOR_SIMULATED,
    .create = net__create,
    .destroy = net__destroy,
    .wait = net__wait,
    .wake = net__wake,
    .due = net__due,
    .handle = net__handle,
    .attach = net__attach,
    .detach = net__detach,
    .watch = net__watch,
    .start = tmlrt__readiness_start,
    .resume = tmlrt__readiness_resume,
    .cancel = tmlrt__readiness_cancel,
    .sockets = &net__sockets,
};
