/* SPDX-License-Identifier: MIT */
/*
 * long_poll.c: how long others wait while a task stays 200 ms inside one poll.
 *
 * A pinned task (the holder) keeps one of two workers. All that it measures belongs to that worker:
 * tasks that it wakes or spawns just before it spins, sleeps whose timers lie in that worker's
 * wheel (children that run in place on it), TCP sockets that were connected there and pipes that
 * were registered there, so that its driver has them. The main thread, none of the runtime's,
 * writes to the sockets and pipes while the poll goes on. Promise: nothing waits for its end, and
 * the watchdog names the task.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "figure.h"

enum { ROUNDS = 10, EACH = 20, WATCHDOG_MS = 100 };
#define SPIN_NS  (200 * TMLRT_MS)
#define FEED_NS  (50 * TMLRT_MS) /* after the poll began */
#define HOLDER   "the long poll"
#define PATIENCE (5 * TMLRT_S) /* for what comes late, after the poll */

enum { WOKEN, SPAWNED, TIMER, SOCKET, PIPE, KINDS };
static const char *const kind_text[KINDS] = {"woken by it", "spawned by it",
                                             "its worker's timers (lateness)",
                                             "its worker's sockets", "its worker's pipes"};

static figure_samples_t delay[KINDS], report_delay;
static atomic_int       too_late[KINDS]; /* went on when the poll was over */
static atomic_int       timers_elsewhere;
static atomic_int       reports, wrong_reports;

static _Atomic int64_t spin_end; /* of this round */
static _Atomic int64_t rung_at;
static atomic_int      spinning; /* the round that spins, from 1 */
static atomic_int      occupied; /* the other worker is kept busy */
static atomic_int      ready;    /* waiters that wait */
static atomic_int      holder_on = -1;
static tmlrt_notify_t  bell = TMLRT_NOTIFY_INIT, go = TMLRT_NOTIFY_INIT;

static int          pipes[EACH][2], peers[EACH];
static tmlrt_addr_t peer_addr;

/* What became ready at `since` goes on now. */
static void record(int kind, int64_t since) {
    int64_t now = tmlrt_now(NULL);
    figure_add(&delay[kind], now - since);
    if (now >= atomic_load(&spin_end)) atomic_fetch_add(&too_late[kind], 1);
}

static void on_stuck(void *ctx, const tmlrt_stuck_t *stuck) {
    (void)ctx;
    atomic_fetch_add(&reports, 1);
    figure_add(&report_delay, stuck->stuck_ns);
    if (strcmp(stuck->task_name, HOLDER) != 0 || stuck->all_stuck != 0 ||
        (int)stuck->worker != atomic_load(&holder_on))
        atomic_fetch_add(&wrong_reports, 1);
}

/* ---- who waits ------------------------------------------------------------------------------ */

typedef struct waiter {
    TMLRT_FRAME;
    tmlrt_op_t op;
} waiter_t;

static int32_t waiter_poll(void *state, tmlrt_cx_t *cx, void *result) {
    waiter_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (;;) {
        figure_check(tmlrt_op_notified(&s->op, &bell), "notified");
        atomic_fetch_add(&ready, 1);
        TMLRT_AWAIT(s, cx, &s->op, 0);
        record(WOKEN, atomic_load(&rung_at));
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t waiter_type = TMLRT_TASK_TYPE(waiter_t, waiter_poll, NULL);

typedef struct spawned {
    int64_t at;
} spawned_t;

static int32_t spawned_poll(void *state, tmlrt_cx_t *cx, void *result) {
    const spawned_t *s = state;
    (void)cx, (void)result;
    record(SPAWNED, s->at);
    return TMLRT_READY;
}

static const tmlrt_task_type_t spawned_type = TMLRT_TASK_TYPE(spawned_t, spawned_poll, NULL);

typedef struct sleeper {
    TMLRT_FRAME;
    tmlrt_op_t op;
    int64_t    until;
    bool       here; /* its timer lies in the wheel of the holder's worker */
} sleeper_t;

static int32_t sleeper_poll(void *state, tmlrt_cx_t *cx, void *result) {
    sleeper_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    s->here = figure_worker() == atomic_load(&holder_on);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_sleep_until(&s->op, NULL, s->until));
    if (s->here)
        record(TIMER, s->until);
    else
        atomic_fetch_add(&timers_elsewhere, 1);
    TMLRT_END(s);
}

static const tmlrt_task_type_t sleeper_type = TMLRT_TASK_TYPE(sleeper_t, sleeper_poll, NULL);

typedef struct reader {
    TMLRT_FRAME;
    tmlrt_op_t    op;
    tmlrt_sock_t *sock;
    int64_t       stamp; /* what is read: when it was written */
} reader_t;

static int32_t reader_poll(void *state, tmlrt_cx_t *cx, void *result) {
    reader_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (;;) {
        TMLRT_AWAIT(s, cx, &s->op,
                    tmlrt_op_read_exact(&s->op, s->sock, &s->stamp, sizeof s->stamp));
        figure_check(tmlrt_op_result(&s->op), "read");
        record(SOCKET, s->stamp);
    }
    TMLRT_END(s);
}

static void reader_drop(void *state) {
    tmlrt_sock_release(((reader_t *)state)->sock);
}

static const tmlrt_task_type_t reader_type = TMLRT_TASK_TYPE(reader_t, reader_poll, reader_drop);

typedef struct piper {
    TMLRT_FRAME;
    tmlrt_op_t  op;
    tmlrt_fd_t *reg;
    int         fd;
    int64_t     stamp;
} piper_t;

static int32_t piper_poll(void *state, tmlrt_cx_t *cx, void *result) {
    piper_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    for (;;) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_fd_wait(&s->op, s->reg, TMLRT_FD_READ));
        figure_check(tmlrt_op_result(&s->op), "wait for a pipe");
        if (read(s->fd, &s->stamp, sizeof s->stamp) != (ssize_t)sizeof s->stamp)
            figure_die("a pipe that was said to be readable is not");
        record(PIPE, s->stamp);
    }
    TMLRT_END(s);
}

static void piper_drop(void *state) {
    tmlrt_fd_close(((piper_t *)state)->reg);
}

static const tmlrt_task_type_t piper_type = TMLRT_TASK_TYPE(piper_t, piper_poll, piper_drop);

/* ---- the holder ----------------------------------------------------------------------------- */

typedef struct holder {
    TMLRT_FRAME;
    tmlrt_op_t    op;
    int           i, round;
    tmlrt_sock_t *sock;
    tmlrt_op_t    join[EACH];
    tmlrt_task_t *child[EACH];
} holder_t;

static void holder_spawn_readers(holder_t *s, int i) {
    piper_t  piper = {.fd = pipes[i][0]};
    reader_t reader = {.sock = s->sock};
    figure_check(tmlrt_fd_open(NULL, piper.fd, &piper.reg), "register a pipe");
    figure_check(tmlrt_spawn(NULL, &reader_type, &reader, NULL, NULL), "spawn");
    figure_check(tmlrt_spawn(NULL, &piper_type, &piper, NULL, NULL), "spawn");
}

/* Keeps the other worker until it is let go. */
static int32_t occupant_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)state, (void)cx, (void)result;
    atomic_store(&occupied, 1);
    while (atomic_load(&occupied) != 0) {
    }
    return TMLRT_READY;
}

static const tmlrt_task_type_t occupant_type = {
    .struct_size = sizeof(tmlrt_task_type_t), .name = "occupant", .poll = occupant_poll};

static void spin_until(int64_t when) {
    while (tmlrt_now(NULL) < when) {
    }
}

/* Starts sleeps on this worker: a child that is joined before it ran runs in place. While that
 * goes on the other worker is kept busy, so that it takes none of them; then it may fall asleep. */
static void holder_start_sleepers(holder_t *s, tmlrt_cx_t *cx) {
    figure_check(tmlrt_spawn(NULL, &occupant_type, NULL, NULL, NULL), "spawn");
    int64_t patience = tmlrt_now(NULL) + SPIN_NS;
    while (atomic_load(&occupied) == 0)
        if (tmlrt_now(NULL) > patience) figure_die("the other worker took nothing for 200 ms");
    int64_t now = tmlrt_now(NULL);
    for (int i = 0; i < EACH; i++) {
        sleeper_t sleeper = {.until = now + (20 + 6 * i) * TMLRT_MS};
        figure_check(tmlrt_spawn(NULL, &sleeper_type, &sleeper, NULL, &s->child[i]), "spawn");
        figure_check(tmlrt_op_join(&s->join[i], s->child[i], NULL), "join");
        tmlrt_op_poll(&s->join[i], cx); /* ready at once only where the machine stood still */
    }
    atomic_store(&occupied, 0);
    spin_until(tmlrt_now(NULL) + 3 * TMLRT_MS);
}

/* The poll that takes 200 ms. */
static void holder_spin(holder_t *s, tmlrt_cx_t *cx) {
    int64_t begin = tmlrt_now(NULL);
    atomic_store(&spin_end, begin + SPIN_NS);
    holder_start_sleepers(s, cx);
    for (int i = 0; i < EACH; i++) {
        spawned_t spawned = {tmlrt_now(NULL)};
        figure_check(tmlrt_spawn(NULL, &spawned_type, &spawned, NULL, NULL), "spawn");
    }
    atomic_store(&rung_at, tmlrt_now(NULL));
    figure_check(tmlrt_notify_all(&bell), "notify");
    atomic_store(&spinning, s->round);
    spin_until(begin + SPIN_NS);
    atomic_store(&spinning, 0);
}

static int32_t holder_poll(void *state, tmlrt_cx_t *cx, void *result) {
    holder_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    atomic_store(&holder_on, figure_worker());
    for (s->i = 0; s->i < EACH; s->i++) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_connect(&s->op, NULL, &peer_addr, NULL, &s->sock));
        figure_check(tmlrt_op_result(&s->op), "connect");
        holder_spawn_readers(s, s->i);
    }
    for (s->round = 1; s->round <= ROUNDS; s->round++) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_notified(&s->op, &go));
        holder_spin(s, cx);
        for (s->i = 0; s->i < EACH; s->i++) {
            TMLRT_AWAIT(s, cx, &s->join[s->i], 0);
            tmlrt_task_release(s->child[s->i]);
        }
    }
    TMLRT_END(s);
}

static const tmlrt_task_type_t holder_type = TMLRT_TASK_TYPE(holder_t, holder_poll, NULL);

/* Only a task can pin another to its worker. */
static int32_t starter_poll(void *state, tmlrt_cx_t *cx, void *result) {
    static holder_t      holder;
    tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
    (void)state, (void)cx;
    options.name = HOLDER;
    options.site = TMLRT_SITE;
    options.flags = TMLRT_TASK_PINNED;
    figure_check(tmlrt_spawn(NULL, &holder_type, &holder, &options, result), "spawn");
    return TMLRT_READY;
}

static const tmlrt_task_type_t starter_type = {.struct_size = sizeof(tmlrt_task_type_t),
                                               .name = "starter",
                                               .result_size = sizeof(tmlrt_task_t *),
                                               .poll = starter_poll};

/* ---- the main thread ------------------------------------------------------------------------ */

static int listen_here(void) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t          size = sizeof in;
    char               text[72];
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&in, size) != 0 || listen(fd, EACH) != 0 ||
        getsockname(fd, (struct sockaddr *)&in, &size) != 0)
        figure_die("cannot listen");
    snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(in.sin_port));
    figure_check(tmlrt_addr_parse(&peer_addr, text), text);
    return fd;
}

static void pause_ms(int ms) {
    figure_check(tmlrt_sleep(ms * TMLRT_MS), "sleep");
}

static void feed(int fd) {
    int64_t stamp = tmlrt_now(NULL);
    if (write(fd, &stamp, sizeof stamp) != (ssize_t)sizeof stamp) figure_die("write");
}

static void one_round(int round) {
    while (atomic_load(&ready) < round * EACH)
        pause_ms(1);
    pause_ms(20); /* everybody sleeps */
    figure_check(tmlrt_notify_one(&go), "notify");
    while (atomic_load(&spinning) != round)
        pause_ms(1);
    while (tmlrt_now(NULL) < atomic_load(&spin_end) - SPIN_NS + FEED_NS)
        pause_ms(1);
    for (int i = 0; i < EACH; i++) {
        feed(peers[i]);
        feed(pipes[i][1]);
    }
    while (atomic_load(&spinning) != 0)
        pause_ms(1);
}

static size_t wanted(int kind) {
    size_t n = ROUNDS * EACH;
    return kind == TIMER ? n - (size_t)atomic_load(&timers_elsewhere) : n;
}

/* Those that were started elsewhere are counted when they end, so look at them first. */
static bool all_went_on(void) {
    for (int i = 0; i < KINDS; i++)
        if (figure_count(&delay[i]) < wanted(i)) return false;
    return true;
}

static void print(void) {
    size_t lost = 0;
    int    late = 0;
    figure_head("while it spins: delay until it goes on");
    for (int i = 0; i < KINDS; i++) {
        figure_time_row(kind_text[i], &delay[i]);
        late += atomic_load(&too_late[i]);
        lost += wanted(i) - figure_count(&delay[i]);
    }
    figure_time_row("the watchdog's report (asked: 100 ms)", &report_delay);
    figure_note("(%d of %d timers had been started on the other worker and are not counted)",
                atomic_load(&timers_elsewhere), ROUNDS * EACH);
    figure_promise(late == 0, "nothing waited until the poll was over (%d did)", late);
    figure_promise(lost == 0, "everything went on (%zu did not)", lost);
    figure_promise(figure_at(&delay[TIMER], 0) >= 0, "no timer was early");
    if (figure_count(&delay[TIMER]) == 0) figure_die("no timer was started on the stuck worker");
    figure_promise(atomic_load(&reports) == ROUNDS && atomic_load(&wrong_reports) == 0,
                   "the watchdog named '%s' once a round (%d reports, %d of them wrong)", HOLDER,
                   atomic_load(&reports), atomic_load(&wrong_reports));
}

int main(void) {
    tmlrt_runtime_t *rt = NULL;
    tmlrt_task_t    *holder = NULL;
    tmlrt_config_t   config = figure_config(2);
    config.watchdog_ms = WATCHDOG_MS;
    config.on_stuck = on_stuck;
    for (int i = 0; i < KINDS; i++)
        figure_samples_make(&delay[i], ROUNDS * EACH);
    figure_samples_make(&report_delay, ROUNDS);
    for (int i = 0; i < EACH; i++)
        if (pipe2(pipes[i], O_CLOEXEC | O_NONBLOCK) != 0) figure_die("pipe");

    figure_title("long poll: one of 2 workers stays 200 ms in a poll, %d times; %d others of each "
                 "kind, all of that worker",
                 ROUNDS, EACH);
    int listener = listen_here();
    figure_check(tmlrt_runtime_create(&rt, &config), "create");
    figure_check(tmlrt_runtime_block_on(rt, &starter_type, NULL, NULL, &holder), "block_on");
    for (int i = 0; i < EACH; i++) {
        waiter_t waiter = {.op = TMLRT_OP_INIT};
        figure_check(tmlrt_spawn(rt, &waiter_type, &waiter, NULL, NULL), "spawn");
        peers[i] = accept(listener, NULL, NULL);
        if (peers[i] < 0) figure_die("accept");
    }
    for (int round = 1; round <= ROUNDS; round++)
        one_round(round);
    figure_check(tmlrt_join(holder, NULL), "join");
    tmlrt_task_release(holder);
    for (int64_t end = tmlrt_now(rt) + PATIENCE; !all_went_on() && tmlrt_now(rt) < end;)
        pause_ms(5);
    figure_end_runtime(rt);
    print();
    return figure_status();
}
