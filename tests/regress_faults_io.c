/* SPDX-License-Identifier: MIT */
/*
 * regress_faults_io.c: as regress_faults.c, for all that opens descriptors, threads or stacks: TCP,
 * Unix and datagram sockets, pipes, names, signals, foreign descriptors, fibers, blocking jobs,
 * channels. A scenario does the same things each time; where one of them fails with an error that
 * it may have, it gives up the rest and cleans up.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/internal_faults.h"
#include "support/random.h"
#include "support/threads.h"

#include "os.h"

/* What goes wrong is one thing only; so the errors are its own, and those that it brings with it:
 * what the other side sees, and what was closed or cancelled because of it. */
static void may_be(int64_t e) {
    if (e >= 0) return;
    bool own = faults_errno() != 0 && e == tmlrt__os_error(faults_errno());
    if (!own && e != TMLRT_ENOMEM && e != TMLRT_EAGAIN && e != TMLRT_ECANCELED &&
        e != TMLRT_ECLOSED && e != TMLRT_ECONNRESET && e != TMLRT_EPIPE && e != TMLRT_EEOF &&
        e != TMLRT_ECONNREFUSED && e != TMLRT_ENOTCONN && e != TMLRT_ENOTSUP &&
        e != TMLRT_EALREADY && e != TMLRT_ENOENT) {
        fprintf(stderr, "an error that it may not have: %s\n", tmlrt_errname((int)e));
        abort();
    }
}

/* ---- two fibers that talk --------------------------------------------------------------------- */

enum { BYTES = 200000 };

/* Whoever fails closes what the other may wait for. */
typedef struct talk {
    tmlrt_runtime_t *rt;
    tmlrt_addr_t     addr;
    bool             is_unix, failed;
    tmlrt_mutex_t    mutex;
    tmlrt_sock_t    *listener, *server, *client;
    char             out[BYTES];
    char             in[BYTES];
} talk_t;

static bool check(talk_t *t, int64_t r, int64_t want) {
    may_be(r);
    if (r == want) return true;
    require(tmlrt_mutex_lock(&t->mutex) == TMLRT_OK);
    t->failed = true;
    if (t->listener != NULL) (void)tmlrt_sock_close(t->listener);
    if (t->server != NULL) (void)tmlrt_sock_close(t->server);
    if (t->client != NULL) (void)tmlrt_sock_close(t->client);
    require(tmlrt_mutex_unlock(&t->mutex) == TMLRT_OK);
    return false;
}

/* Publishes a socket, unless the other side has failed already. */
static bool keep(talk_t *t, tmlrt_sock_t **place, tmlrt_sock_t *sock) {
    require(tmlrt_mutex_lock(&t->mutex) == TMLRT_OK);
    *place = sock;
    bool failed = t->failed;
    require(tmlrt_mutex_unlock(&t->mutex) == TMLRT_OK);
    return !failed;
}

static void *serve(void *arg) {
    talk_t       *t = arg;
    tmlrt_sock_t *sock;
    char          more[8];
    int           e = tmlrt_accept(t->listener, &sock);
    if (!check(t, e, TMLRT_OK) || !keep(t, &t->server, sock)) return NULL;
    if (!check(t, tmlrt_read_exact(sock, t->in, BYTES), BYTES)) return NULL;
    require(memcmp(t->in, t->out, BYTES) == 0);
    tmlrt_iovec_t iov[2] = {{t->in, 1000}, {t->in + 1000, BYTES - 1000}};
    if (!check(t, tmlrt_writev(sock, iov, 2), BYTES)) return NULL;
    if (!check(t, tmlrt_sock_shutdown(sock, TMLRT_SHUT_WRITE), TMLRT_OK)) return NULL;
    check(t, tmlrt_read(sock, more, sizeof more), 0);
    return NULL;
}

static void *call(void *arg) {
    talk_t       *t = arg;
    tmlrt_sock_t *sock;
    tmlrt_addr_t  peer;
    size_t        done = 0;
    int64_t       n = 1;
    if (!check(t, tmlrt_connect(NULL, &t->addr, NULL, &sock), TMLRT_OK)) return NULL;
    if (!keep(t, &t->client, sock)) return NULL;
    if (!t->is_unix && !check(t, tmlrt_sock_set(sock, TMLRT_SOCK_NODELAY, 1), TMLRT_OK))
        return NULL;
    if (!check(t, tmlrt_sock_peer_addr(sock, &peer), TMLRT_OK)) return NULL;
    if (!check(t, tmlrt_write(sock, t->out, BYTES), BYTES)) return NULL;
    while (n > 0) {
        char          in[30000];
        tmlrt_iovec_t iov[2] = {{in, 100}, {in + 100, sizeof in - 100}};
        n = tmlrt_readv(sock, iov, 2);
        if (n < 0) {
            check(t, n, 0);
            return NULL;
        }
        require(memcmp(in, t->out + done, (size_t)n) == 0);
        done += (size_t)n;
    }
    if (done != BYTES) { /* the other side gave up, and closed */
        require(tmlrt_mutex_lock(&t->mutex) == TMLRT_OK);
        require(t->failed);
        require(tmlrt_mutex_unlock(&t->mutex) == TMLRT_OK);
        return NULL;
    }
    check(t, tmlrt_sock_shutdown(sock, TMLRT_SHUT_WRITE), TMLRT_OK);
    return NULL;
}

/* A fiber that found no stack has ended with TMLRT_ENOMEM, and never ran. */
static int join(tmlrt_task_t *task) {
    int e = tmlrt_join(task, NULL);
    while (e == TMLRT_ENOMEM && !tmlrt_task_is_finished(task)) { /* the wait was struck */
        tmlrt__fault_disarm();
        e = tmlrt_join(task, NULL);
    }
    require(e == TMLRT_OK || e == TMLRT_ENOMEM);
    tmlrt_task_release(task);
    return e;
}

/* Waits for both; what the one that never ran would have done is given up by the other. */
static void join_both(talk_t *t, tmlrt_task_t *task[2]) {
    tmlrt_op_t  op[2] = {TMLRT_OP_INIT, TMLRT_OP_INIT}, any = TMLRT_OP_INIT;
    tmlrt_op_t *ops[2] = {&op[0], &op[1]};
    for (int i = 0; i < 2; i++)
        require(tmlrt_op_join(&op[i], task[i], NULL) == TMLRT_OK);
    require(tmlrt_op_any(&any, ops, 2) == TMLRT_OK);
    int e = tmlrt_op_await(&any);
    require(e == TMLRT_OK);
    for (int i = 0; i < 2; i++)
        if (tmlrt_task_is_finished(task[i])) check(t, tmlrt_join(task[i], NULL), TMLRT_OK);
    for (int i = 0; i < 2; i++)
        check(t, join(task[i]), TMLRT_OK);
}

static bool talk(talk_t *t) {
    tmlrt_task_t *tasks[2] = {NULL, NULL};
    int           e = t->is_unix ? tmlrt_unix_listen(t->rt, &t->addr, NULL, &t->listener)
                                 : tmlrt_tcp_listen(t->rt, &t->addr, NULL, &t->listener);
    if (e == TMLRT_OK) e = tmlrt_sock_local_addr(t->listener, &t->addr);
    if (check(t, e, TMLRT_OK) && check(t, tmlrt_go(t->rt, serve, t, NULL, &tasks[0]), TMLRT_OK))
        check(t, tmlrt_go(t->rt, call, t, NULL, &tasks[1]), TMLRT_OK);
    if (tasks[1] != NULL)
        join_both(t, tasks);
    else if (tasks[0] != NULL)
        (void)join(tasks[0]);
    tmlrt_sock_release(t->listener);
    tmlrt_sock_release(t->server);
    tmlrt_sock_release(t->client);
    return !t->failed;
}

static int talk_on(tmlrt_runtime_t *rt, const char *address, bool is_unix) {
    static talk_t t;
    if (rt == NULL) return 0;
    memset(&t, 0, sizeof t);
    for (size_t i = 0; i < BYTES; i++)
        t.out[i] = (char)(i * 31 >> 3);
    t.rt = rt;
    t.is_unix = is_unix;
    require(tmlrt_addr_parse(&t.addr, address) == TMLRT_OK);
    bool fine = talk(&t);
    faults_destroy(rt);
    return fine;
}

static int tcp(uint32_t flavor) {
    return talk_on(faults_runtime(flavor), "127.0.0.1:0", false);
}

/* In memory; the flavor that it has not is that of another seed. */
static int simulated(uint32_t flavor) {
    tmlrt_config_t   config = faults_config(TMLRT_FLAVOR_CURRENT_THREAD);
    tmlrt_runtime_t *rt = NULL;
    config.clock = TMLRT_CLOCK_VIRTUAL;
    config.reactor = TMLRT_REACTOR_SIMULATED;
    config.seed = flavor;
    int e = tmlrt_runtime_create(&rt, &config);
    require((e == TMLRT_OK) == (rt != NULL));
    return talk_on(rt, "127.0.0.1:0", false);
}

static int unix_stream(uint32_t flavor) {
    char address[64];
    snprintf(address, sizeof address, "unix:@tmlrt-faults-%d", (int)getpid());
    return talk_on(faults_runtime(flavor), address, true);
}

/* ---- datagrams, pipes, foreign descriptors, signals, names ------------------------------------ */

/* In the body of a fiber: leaves by its clean-up at the first error. */
#define TRY(call_, want)                                                                           \
    do {                                                                                           \
        int64_t r_ = (call_);                                                                      \
        may_be(r_);                                                                                \
        if (r_ != (want)) goto out;                                                                \
    } while (0)

static void *datagrams(void *arg) {
    tmlrt_sock_t *a = NULL, *b = NULL;
    tmlrt_addr_t  addr, from;
    char          buf[16];
    int64_t       limit = tmlrt_now(NULL) + 20 * TMLRT_S;
    require(tmlrt_addr_parse(&addr, "127.0.0.1:0") == TMLRT_OK);
    TRY(tmlrt_udp_open(NULL, &addr, NULL, &a), TMLRT_OK);
    TRY(tmlrt_udp_open(NULL, &addr, NULL, &b), TMLRT_OK);
    TRY(tmlrt_sock_local_addr(b, &addr), TMLRT_OK);
    TRY(tmlrt_send_to_until(a, "ping", 4, &addr, limit), 4);
    TRY(tmlrt_recv_from_until(b, buf, sizeof buf, &from, limit), 4);
    TRY(tmlrt_send_to_until(b, "pong", 4, &from, limit), 4);
    TRY(tmlrt_recv_from_until(a, buf, sizeof buf, &from, limit), 4);
    *(bool *)arg = true;
out:
    tmlrt_sock_release(a);
    tmlrt_sock_release(b);
    return NULL;
}

static void *pipes(void *arg) {
    tmlrt_sock_t *r = NULL, *w = NULL;
    char          buf[8];
    TRY(tmlrt_pipe(NULL, &r, &w), TMLRT_OK);
    TRY(tmlrt_write(w, "hello", 5), 5);
    TRY(tmlrt_read_exact(r, buf, 5), 5);
    require(tmlrt_sock_close(w) == TMLRT_OK);
    TRY(tmlrt_read(r, buf, 8), 0);
    *(bool *)arg = true;
out:
    tmlrt_sock_release(r);
    tmlrt_sock_release(w);
    return NULL;
}

static void *foreign(void *arg) {
    tmlrt_fd_t *fd = NULL;
    int         ends[2];
    require(pipe(ends) == 0);
    TRY(tmlrt_fd_open(NULL, ends[0], &fd), TMLRT_OK);
    require(write(ends[1], "x", 1) == 1);
    TRY(tmlrt_fd_wait(fd, TMLRT_FD_READ), TMLRT_FD_READ);
    *(bool *)arg = true;
out:
    tmlrt_fd_close(fd);
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

/* On the plain thread: a sanitizer keeps a signal until its thread makes a call that it knows. */
static int with_signals(uint32_t flavor) {
    tmlrt_runtime_t *rt = faults_runtime(flavor);
    tmlrt_signal_t  *sig = NULL;
    tmlrt_op_t       op = TMLRT_OP_INIT;
    int              fine = 0;
    if (rt == NULL) return 0;
    TRY(tmlrt_signal_open(rt, SIGUSR1, &sig), TMLRT_OK);
    require(tmlrt_op_signal(&op, sig) == TMLRT_OK);
    require(raise(SIGUSR1) == 0);
    TRY(tmlrt_op_await(&op), TMLRT_OK);
    TRY(tmlrt_op_result(&op), 1);
    fine = 1;
out:
    tmlrt_signal_close(sig);
    faults_destroy(rt);
    return fine;
}

static void *names(void *arg) {
    tmlrt_addr_t addr[4];
    int64_t      n = tmlrt_resolve(NULL, "localhost", 80, addr, 4);
    may_be(n);
    *(bool *)arg = n > 0;
    return NULL;
}

static void *blocks(void *arg) {
    return arg;
}

static void *jobs(void *arg) {
    tmlrt_task_t *task;
    void         *got = NULL;
    for (int i = 0; i < 3; i++) {
        TRY(tmlrt_spawn_blocking(NULL, blocks, arg, TMLRT_BLOCKING_GENERAL, NULL, &task), TMLRT_OK);
        int e = tmlrt_join(task, &got);
        tmlrt_task_release(task);
        TRY(e, TMLRT_OK);
        require(got == arg);
    }
    *(bool *)arg = true;
out:
    return NULL;
}

typedef struct line {
    tmlrt_chan_t *ch;
    int           sum;
} line_t;

static void *receives(void *arg) {
    line_t *line = arg;
    int     value;
    while (tmlrt_chan_recv(line->ch, &value) == TMLRT_OK)
        line->sum += value;
    return NULL;
}

static void *channels(void *arg) {
    line_t        line = {NULL, 0};
    tmlrt_task_t *task = NULL;
    int           sent = 0;
    TRY(tmlrt_chan_create(&line.ch, sizeof(int), TMLRT_CHAN_UNBOUNDED), TMLRT_OK);
    TRY(tmlrt_go(NULL, receives, &line, NULL, &task), TMLRT_OK);
    for (int i = 1; i <= 300; i++) {
        TRY(tmlrt_chan_send(line.ch, &i), TMLRT_OK);
        sent += i;
    }
    *(bool *)arg = true;
out:
    if (line.ch != NULL) require(tmlrt_chan_close(line.ch) == TMLRT_OK);
    if (task != NULL) {
        int e = tmlrt_join(task, NULL);
        tmlrt_task_release(task);
        require(e == TMLRT_OK || e == TMLRT_ENOMEM);
        require(e == TMLRT_OK ? line.sum == sent : line.sum == 0);
        if (e != TMLRT_OK) *(bool *)arg = false;
    }
    tmlrt_chan_release(line.ch);
    return NULL;
}

/* Runs a fiber; whether it came to its end unharmed. */
static int one_fiber(uint32_t flavor, void *(*fn)(void *)) {
    tmlrt_runtime_t *rt = faults_runtime(flavor);
    tmlrt_task_t    *task;
    bool             fine = false;
    if (rt == NULL) return 0;
    int e = tmlrt_go(rt, fn, &fine, NULL, &task);
    may_be(e);
    if (e == TMLRT_OK) may_be(join(task));
    faults_destroy(rt);
    return fine;
}

#define FIBER_SCENARIO(name, fn)                                                                   \
    static int name(uint32_t flavor) {                                                             \
        return one_fiber(flavor, fn);                                                              \
    }

FIBER_SCENARIO(with_datagrams, datagrams)
FIBER_SCENARIO(with_pipes, pipes)
FIBER_SCENARIO(with_a_foreign_descriptor, foreign)
FIBER_SCENARIO(with_names, names)
FIBER_SCENARIO(with_jobs, jobs)
FIBER_SCENARIO(with_channels, channels)

static const struct {
    const char *name;
    scenario_t  run;
} scenarios[] = {{"tcp", tcp},
                 {"simulated", simulated},
                 {"unix", unix_stream},
                 {"datagrams", with_datagrams},
                 {"pipes", with_pipes},
                 {"foreign", with_a_foreign_descriptor},
                 {"signals", with_signals},
                 {"names", with_names},
                 {"jobs", with_jobs},
                 {"channels", with_channels}};

enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

static void each_scenario(tmlrt__fault_kind_t kind, int err) {
    for (int i = 0; i < SCENARIOS; i++) {
        uint64_t before = faults_points(kind);
        with_each_fault(scenarios[i].run, kind, err);
        printf("%s: %llu points of %s\n", scenarios[i].name,
               (unsigned long long)(faults_points(kind) - before),
               kind == TMLRT__FAULT_ALLOC ? "memory" : strerror(err));
    }
}

static void every_failed_allocation_is_survived(void **state) {
    (void)state;
    each_scenario(TMLRT__FAULT_ALLOC, ENOMEM);
}

static void every_call_without_descriptors_is_survived(void **state) {
    (void)state;
    each_scenario(TMLRT__FAULT_SYS, EMFILE);
}

static void every_call_without_buffers_is_survived(void **state) {
    (void)state;
    each_scenario(TMLRT__FAULT_SYS, ENOBUFS);
}

static void every_interrupted_call_is_survived(void **state) {
    (void)state;
    each_scenario(TMLRT__FAULT_SYS, EINTR);
}

/* An older kernel, or a filter of system calls. */
static void every_missing_call_is_survived(void **state) {
    (void)state;
    with_each_fault(tcp, TMLRT__FAULT_SYS, ENOSYS);
}

static void every_reset_is_survived(void **state) {
    (void)state;
    each_scenario(TMLRT__FAULT_SYS, ECONNRESET);
}

static void every_aborted_connection_is_survived(void **state) {
    (void)state;
    each_scenario(TMLRT__FAULT_SYS, ECONNABORTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failed_allocation_is_survived),
        cmocka_unit_test(every_call_without_descriptors_is_survived),
        cmocka_unit_test(every_call_without_buffers_is_survived),
        cmocka_unit_test(every_interrupted_call_is_survived),
        cmocka_unit_test(every_missing_call_is_survived),
        cmocka_unit_test(every_reset_is_survived),
        cmocka_unit_test(every_aborted_connection_is_survived),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    printf("points tried: %llu allocations, %llu system calls\n",
           (unsigned long long)faults_points(TMLRT__FAULT_ALLOC),
           (unsigned long long)faults_points(TMLRT__FAULT_SYS));
    return failed;
}
