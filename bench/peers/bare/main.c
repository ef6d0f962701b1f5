/* SPDX-License-Identifier: MIT */
/*
 * main.c: the practical limits, by hand: a thread parked on a futex, a thread in epoll_wait with an
 * eventfd, and 100,000 sleeps as a binary heap over epoll_pwait2. Compiled once for each: BARE_FUTEX
 * or BARE_EPOLL.
 */
#ifdef BARE_FUTEX
#define PEER_NAME "futex"
#else
#define PEER_NAME "epoll"
#endif
#include "../common/peer.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

typedef struct {
    _Atomic int64_t  sent;
    _Atomic long     seen;
    _Atomic uint32_t word; /* futex */
    int              event, epoll;
    int64_t         *took;
    long             n;
} wake_t;

#ifdef BARE_FUTEX
static void wait_one(wake_t *w) {
    while (atomic_exchange_explicit(&w->word, 0, memory_order_acquire) == 0)
        syscall(SYS_futex, &w->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void wake_one(wake_t *w) {
    if (atomic_exchange_explicit(&w->word, 1, memory_order_release) == 0)
        syscall(SYS_futex, &w->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
#else
static void wait_one(wake_t *w) {
    struct epoll_event e;
    uint64_t           count;
    while (epoll_wait(w->epoll, &e, 1, -1) != 1) {
    }
    if (read(w->event, &count, sizeof count) != sizeof count) peer_die("eventfd");
}

static void wake_one(wake_t *w) {
    uint64_t one = 1;
    if (write(w->event, &one, sizeof one) != sizeof one) peer_die("eventfd");
}
#endif

static void *waiter(void *arg) {
    wake_t *w = arg;
    for (long i = 0; i < w->n; i++) {
        wait_one(w);
        w->took[i] = peer_now() - atomic_load_explicit(&w->sent, memory_order_relaxed);
        atomic_store_explicit(&w->seen, i + 1, memory_order_release);
    }
    return NULL;
}

static void wake(const peer_args_t *a) {
    wake_t    w = {.n = a->n > 0 ? a->n : 1000};
    pthread_t thread;
    w.took = calloc((size_t)w.n, sizeof *w.took);
    w.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    w.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN};
    if (epoll_ctl(w.epoll, EPOLL_CTL_ADD, w.event, &e) != 0) peer_die("epoll_ctl");
    if (pthread_create(&thread, NULL, waiter, &w) != 0) peer_die("thread");
    peer_pin_self(a->pin);
    for (long i = 0; i < w.n; i++) {
        do
            peer_sleep(1000000);
        while (atomic_load_explicit(&w.seen, memory_order_acquire) < i);
        atomic_store_explicit(&w.sent, peer_now(), memory_order_relaxed);
        wake_one(&w);
    }
    pthread_join(thread, NULL);
    peer_emit_latency(a, a->pin >= 0 ? "wake_pinned" : "wake_unpinned", w.took, w.n, 1e3, "us", -1);
}

#ifndef BARE_FUTEX
/* A binary heap of deadlines, the least first. */
static void sift_down(int64_t *h, long n, long i) {
    int64_t v = h[i];
    for (long c; (c = 2 * i + 1) < n; i = c) {
        if (c + 1 < n && h[c + 1] < h[c]) c++;
        if (h[c] >= v) break;
        h[i] = h[c];
    }
    h[i] = v;
}

static void sift_up(int64_t *h, long i) {
    int64_t v = h[i];
    for (long p; i > 0 && h[p = (i - 1) / 2] > v; i = p)
        h[i] = h[p];
    h[i] = v;
}

static void sleeps(const peer_args_t *a) {
    long     n = a->n > 0 ? a->n : 100000, left = 0, done = 0;
    int64_t *heap = calloc((size_t)n, sizeof *heap), *late = calloc((size_t)n, sizeof *late);
    uint64_t seed = PEER_SEED;
    double   cpu = peer_cpu_seconds();
    int      ep = epoll_create1(EPOLL_CLOEXEC);
    for (long i = 0; i < n; i++) {
        heap[left] = peer_now() + (int64_t)(1 + peer_rand(&seed) % 1000) * 1000000;
        sift_up(heap, left++);
    }
    while (left > 0) {
        int64_t now = peer_now();
        while (left > 0 && heap[0] <= now) {
            late[done++] = peer_now() - heap[0];
            heap[0] = heap[--left];
            sift_down(heap, left, 0);
        }
        if (left == 0) break;
        int64_t            wait = heap[0] - peer_now();
        struct timespec    t = {wait / 1000000000, wait % 1000000000};
        struct epoll_event e;
        if (wait > 0) syscall(SYS_epoll_pwait2, ep, &e, 1, &t, NULL, 0);
    }
    cpu = peer_cpu_seconds() - cpu;
    peer_emit_latency(a, "sleeps", late, n, 1e6, "ms", cpu);
}
#endif

int main(int argc, char **argv) {
    peer_args_t a = peer_parse(argc, argv);
    a.workers = 1;
    if (strcmp(a.work, "version") == 0) {
        struct utsname u;
        uname(&u);
        printf("bare " PEER_NAME " on Linux %.*s\n", (int)strspn(u.release, "0123456789."),
               u.release);
    } else if (strcmp(a.work, "wake") == 0) {
        wake(&a);
#ifndef BARE_FUTEX
    } else if (strcmp(a.work, "sleeps") == 0) {
        sleeps(&a);
#endif
    } else {
        peer_die("unknown work");
    }
    return 0;
}
