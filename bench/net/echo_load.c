/* SPDX-License-Identifier: MIT */
/*
 * echo_load.c: the load for the echo servers, on nothing but libc and epoll: a fixed number of
 * connections, each in a closed loop: 64 bytes out, the same 64 bytes back, the next. After a
 * warm-up the window is measured: answers, the latency of each in a histogram (1 % wide), the CPU
 * time of the server (--pid) and of the load, and what the machine lost to others.
 *
 *   echo_load --port P --connections N --seconds T --warmup W [--threads K] [--pid SERVER]
 *   echo_load --port P --connections N --idle 1    one echo each, says "idle", holds the
 *                                                  connections until its input ends
 *
 * Prints one line of JSON. An answer that differs from what was sent ends it with status 1.
 */
#include "common.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#define SIZE   64
#define EVENTS 256
/* Latencies in ns: SUB steps a power of two. */
#define SUB_BITS 7
#define SUB      (1 << SUB_BITS)
#define SLOTS    ((40 - SUB_BITS) * SUB)

typedef struct conn {
    int      fd;
    int      have;  /* bytes of the answer */
    int64_t  sent;  /* when */
    uint64_t count; /* what was sent, SIZE / 8 times */
} conn_t;

typedef struct load {
    pthread_t        thread;
    conn_t          *conn;
    int              conns, ep;
    _Atomic uint64_t answers;
    uint64_t         slot[SLOTS];
    int64_t          longest;
} load_t;

static struct {
    int    port, connections, threads, pid, idle;
    double seconds, warmup;
} opt = {.connections = 1, .threads = 1, .seconds = 1, .warmup = 0.3};

enum { WARM, MEASURE, END };
static atomic_int phase;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- histogram -------------------------------------------------------------------------------- */

static unsigned slot_of(int64_t ns) {
    uint64_t v = ns < 1 ? 1 : (uint64_t)ns;
    int      top = 63 - __builtin_clzll(v);
    if (top < SUB_BITS) return (unsigned)v;
    unsigned slot = (unsigned)((top - SUB_BITS + 1) << SUB_BITS) +
                    (unsigned)((v >> (top - SUB_BITS)) & (SUB - 1));
    return slot < SLOTS ? slot : SLOTS - 1;
}

/* The middle of a slot, in microseconds. */
static double slot_us(unsigned slot) {
    if (slot < SUB) return slot / 1e3;
    int shift = (int)(slot >> SUB_BITS) - 1;
    return ((double)((uint64_t)(SUB + (slot & (SUB - 1))) << shift) +
            (double)((uint64_t)1 << shift) / 2) /
           1e3;
}

static double quantile(const uint64_t *slot, uint64_t total, double q) {
    uint64_t rank = (uint64_t)((double)total * q), sum = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        sum += slot[i];
        if (sum > rank) return slot_us(i);
    }
    return 0;
}

/* ---- connections ------------------------------------------------------------------------------ */

static void conn_ask(conn_t *c, int64_t at) {
    uint64_t out[SIZE / 8];
    c->count++;
    for (int i = 0; i < SIZE / 8; i++)
        out[i] = c->count;
    c->have = 0;
    c->sent = at;
    if (send(c->fd, out, SIZE, MSG_NOSIGNAL) != SIZE) net_die("send");
}

/* Reads. True when the whole answer is there. */
static int conn_answer(conn_t *c) {
    uint64_t in[SIZE / 8];
    ssize_t  n = recv(c->fd, in, (size_t)(SIZE - c->have), 0);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n <= 0) net_die("recv");
    if (n == SIZE && in[0] != c->count) {
        fprintf(stderr, "echo_load: the answer differs\n");
        exit(1);
    }
    c->have += (int)n;
    return c->have == SIZE;
}

static void conn_open(conn_t *c, int ep) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
    int                one = 1;
    struct linger      reset = {1, 0}; /* leaves nothing in TIME_WAIT */
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) net_die("socket");
    if (connect(c->fd, (struct sockaddr *)&a, sizeof a) != 0) net_die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0) net_die("fcntl");
    struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.ptr = c};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) != 0) net_die("epoll_ctl");
}

static void *load_run(void *arg) {
    load_t            *l = arg;
    struct epoll_event events[EVENTS];
    for (int i = 0; i < l->conns; i++)
        conn_ask(&l->conn[i], now());
    for (;;) {
        int state = atomic_load_explicit(&phase, memory_order_relaxed);
        if (state == END) return NULL;
        int n = epoll_wait(l->ep, events, EVENTS, 100);
        for (int i = 0; i < n; i++) {
            conn_t *c = events[i].data.ptr;
            if (!conn_answer(c)) continue;
            int64_t at = now(), took = at - c->sent;
            atomic_store_explicit(&l->answers,
                                  atomic_load_explicit(&l->answers, memory_order_relaxed) + 1,
                                  memory_order_relaxed);
            if (state == MEASURE) {
                l->slot[slot_of(took)]++;
                if (took > l->longest) l->longest = took;
            }
            conn_ask(c, at);
        }
    }
}

/* ---- what the machine says --------------------------------------------------------------------- */

typedef struct snapshot {
    int64_t  at;
    uint64_t answers;
    double   user, sys; /* of the server, seconds, by the tick */
    double   run;       /* of the server, seconds, exact */
    double   load_cpu;
    double   steal, busy; /* of the machine */
} snapshot_t;

/* All threads' time on a CPU: the first number of schedstat, ns. */
static double server_run(int pid) {
    char   path[300];
    double ns = 0;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *d = opendir(path);
    if (d == NULL) return 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        unsigned long long one;
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", pid, e->d_name);
        FILE *f = fopen(path, "re");
        if (f == NULL) continue;
        if (fscanf(f, "%llu", &one) == 1) ns += (double)one;
        fclose(f);
    }
    closedir(d);
    return ns / 1e9;
}

static void server_ticks(int pid, snapshot_t *s) {
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) return;
    if (fgets(line, sizeof line, f) != NULL) {
        const char        *p = strrchr(line, ')');
        unsigned long long user = 0, sys = 0;
        if (p != NULL)
            sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &sys);
        s->user = (double)user / (double)sysconf(_SC_CLK_TCK);
        s->sys = (double)sys / (double)sysconf(_SC_CLK_TCK);
    }
    fclose(f);
}

static void machine_ticks(snapshot_t *s) {
    unsigned long long v[8] = {0};
    FILE              *f = fopen("/proc/stat", "re");
    if (f == NULL) return;
    if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4],
               &v[5], &v[6], &v[7]) == 8) {
        double tick = (double)sysconf(_SC_CLK_TCK);
        s->steal = (double)v[7] / tick;
        s->busy = (double)(v[0] + v[1] + v[2] + v[5] + v[6]) / tick;
    }
    fclose(f);
}

static snapshot_t snapshot(const load_t *l) {
    snapshot_t    s = {.at = now()};
    struct rusage u;
    for (int i = 0; i < opt.threads; i++)
        s.answers += atomic_load_explicit(&l[i].answers, memory_order_relaxed);
    if (opt.pid != 0) {
        s.run = server_run(opt.pid);
        server_ticks(opt.pid, &s);
    }
    getrusage(RUSAGE_SELF, &u);
    s.load_cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                 (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    machine_ticks(&s);
    return s;
}

/* ---- the run ----------------------------------------------------------------------------------- */

static void rest(double seconds) {
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

static void hold_idle(load_t *l) {
    struct timespec t = {0, 1000000};
    for (int i = 0; i < l->conns; i++) {
        conn_ask(&l->conn[i], 0);
        while (!conn_answer(&l->conn[i]))
            nanosleep(&t, NULL);
    }
    printf("idle\n");
    fflush(stdout);
    while (getchar() != EOF) {
    }
}

static void report(load_t *l, snapshot_t a, snapshot_t b) {
    uint64_t total = 0;
    for (int i = 1; i < opt.threads; i++) {
        for (unsigned k = 0; k < SLOTS; k++)
            l[0].slot[k] += l[i].slot[k];
        if (l[i].longest > l[0].longest) l[0].longest = l[i].longest;
    }
    for (unsigned k = 0; k < SLOTS; k++)
        total += l[0].slot[k];
    double   wall = (double)(b.at - a.at) / 1e9;
    uint64_t n = b.answers - a.answers;
    uint64_t all = 0;
    for (int i = 0; i < opt.threads; i++)
        all += atomic_load(&l[i].answers);
    printf("{\"connections\": %d, \"seconds\": %.3f, \"requests\": %llu, \"requests_ever\": %llu, "
           "\"rps\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, "
           "\"max_us\": %.2f, \"server_cpu_s\": %.6f, \"server_user_s\": %.2f, "
           "\"server_sys_s\": %.2f, \"load_cpu_s\": %.6f, \"machine_busy_s\": %.2f, "
           "\"steal_s\": %.2f}\n",
           opt.connections, wall, (unsigned long long)n, (unsigned long long)all, (double)n / wall,
           quantile(l[0].slot, total, 0.5), quantile(l[0].slot, total, 0.99),
           quantile(l[0].slot, total, 0.999), (double)l[0].longest / 1e3, b.run - a.run,
           b.user - a.user, b.sys - a.sys, b.load_cpu - a.load_cpu, b.busy - a.busy,
           b.steal - a.steal);
}

static void arguments(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--port") == 0)
            opt.port = atoi(value);
        else if (strcmp(name, "--connections") == 0)
            opt.connections = atoi(value);
        else if (strcmp(name, "--threads") == 0)
            opt.threads = atoi(value);
        else if (strcmp(name, "--pid") == 0)
            opt.pid = atoi(value);
        else if (strcmp(name, "--idle") == 0)
            opt.idle = atoi(value);
        else if (strcmp(name, "--seconds") == 0)
            opt.seconds = atof(value);
        else if (strcmp(name, "--warmup") == 0)
            opt.warmup = atof(value);
    }
    if (opt.threads > opt.connections) opt.threads = opt.connections;
    if (opt.port == 0 || opt.threads < 1) {
        fprintf(stderr, "echo_load: --port, --connections and --threads are needed\n");
        exit(2);
    }
}

int main(int argc, char **argv) {
    arguments(argc, argv);
    if (opt.idle) opt.threads = 1;
    load_t *l = calloc((size_t)opt.threads, sizeof *l);
    conn_t *conns = calloc((size_t)opt.connections, sizeof *conns);
    if (l == NULL || conns == NULL) net_die("calloc");
    for (int i = 0, first = 0; i < opt.threads; i++) {
        l[i].conns = opt.connections / opt.threads + (i < opt.connections % opt.threads);
        l[i].conn = conns + first;
        first += l[i].conns;
        l[i].ep = epoll_create1(EPOLL_CLOEXEC);
        for (int k = 0; k < l[i].conns; k++)
            conn_open(&l[i].conn[k], l[i].ep);
    }
    if (opt.idle) {
        hold_idle(l);
        return 0;
    }
    for (int i = 0; i < opt.threads; i++)
        if (pthread_create(&l[i].thread, NULL, load_run, &l[i]) != 0) net_die("pthread_create");
    rest(opt.warmup);
    snapshot_t a = snapshot(l);
    atomic_store(&phase, MEASURE);
    rest(opt.seconds);
    snapshot_t b = snapshot(l);
    atomic_store(&phase, END);
    for (int i = 0; i < opt.threads; i++)
        pthread_join(l[i].thread, NULL);
    report(l, a, b);
    return 0;
}
