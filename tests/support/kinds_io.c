/* SPDX-License-Identifier: MIT */
/*
 * kinds_io.c: see kinds_io.h.
 */
#include "kinds_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "threads.h"

void nothing(thing_t *t) {
    (void)t;
}

void nothing_ended(thing_t *t, int who, int64_t result) {
    (void)t, (void)who, (void)result;
}

/* Waits for t->op[PROBE][0]; its result. */
static int64_t probe_ends(thing_t *t) {
    return finish(&t->op[PROBE][0]);
}

/* ---- join: of a fiber, or of a job of the blocking pool (n of 1), that ends when it is told ----- */

static void *fiber_until_told(void *arg) {
    thing_t *t = arg;
    require(tmlrt_notified(&t->notify) == TMLRT_OK);
    return &t->value;
}

static void *job_until_told(void *arg) {
    thing_t *t = arg;
    wait_until(atomic_load(&t->told));
    return &t->value;
}

/* A new task when the last one was joined; flag: it has been told. */
void join_prepare(thing_t *t, int who) {
    if (t->task == NULL) {
        t->flag = false;
        if (t->kind->n == 0) {
            require(tmlrt_go(t->rt, fiber_until_told, t, NULL, &t->task) == TMLRT_OK);
        } else {
            atomic_store(&t->told, false);
            require(tmlrt_spawn_blocking(t->rt, job_until_told, t, TMLRT_BLOCKING_GENERAL, NULL,
                                         &t->task) == TMLRT_OK);
        }
    }
    tmlrt_op_join(&t->op[who][0], t->task, &t->value);
}

void join_give(thing_t *t) {
    if (t->flag) return;
    t->flag = true;
    if (t->kind->n == 0)
        require(tmlrt_notify_one(&t->notify) == TMLRT_OK);
    else
        atomic_store(&t->told, true);
}

void join_ended(thing_t *t, int who, int64_t result) {
    (void)who;
    if (result < 0) return;
    require(t->value == &t->value);
    tmlrt_task_release(t->task);
    t->task = NULL;
    t->value = NULL;
}

void join_close(thing_t *t) {
    if (t->task == NULL) return;
    join_prepare(t, PROBE); /* the result is still there */
    join_give(t);
    join_ended(t, PROBE, probe_ends(t));
    require(t->task == NULL);
}

/* ---- sleep, tick (n of 1) ----------------------------------------------------------------------- */

void time_open(thing_t *t) {
    if (t->kind->n == 1)
        require(tmlrt_interval_init(&t->u.interval, t->rt, tmlrt_now(t->rt) + TMLRT_MS, TMLRT_MS,
                                    TMLRT_MISSED_SKIP) == TMLRT_OK);
}

void time_prepare(thing_t *t, int who) {
    if (t->kind->n == 1)
        tmlrt_op_tick(&t->op[who][0], &t->u.interval);
    else
        tmlrt_op_sleep(&t->op[who][0], t->rt, TMLRT_MS);
}

void time_close(thing_t *t) {
    time_prepare(t, PROBE);
    require(probe_ends(t) >= 0);
}

/* ---- reads: bytes that count; n: as many exactly, or 1 some; 0: of a pipe ----------------------- */

void bytes_open(thing_t *t) {
    t->buf = calloc(WHOS, 8);
    require(t->buf != NULL);
    if (t->kind->n == 0)
        require(tmlrt_pipe(t->rt, &t->sock, &t->sock2) == TMLRT_OK);
    else
        t->sock = sock_and_peer(t->rt, &t->peer);
}

void bytes_prepare(thing_t *t, int who) {
    if (t->kind->n > 1)
        tmlrt_op_read_exact(&t->op[who][0], t->sock, t->buf + 8 * who, (size_t)t->kind->n);
    else
        tmlrt_op_read(&t->op[who][0], t->sock, t->buf + 8 * who, 8);
}

void bytes_give(thing_t *t) {
    if (t->given - t->taken >= 64) return;
    unsigned char byte = (unsigned char)++t->given;
    if (t->kind->n == 0) {
        int64_t n = tmlrt_try_write(t->sock2, &byte, 1);
#if defined(_WIN32)
        if (n == TMLRT_EAGAIN && shim_is_wine()) /* Wine does not tell how much room a pipe has */
            n = tmlrt_write(t->sock2, &byte, 1);
#endif
        require(n == 1);
    } else {
        raw_send(t->peer, &byte, 1);
    }
}

void bytes_ended(thing_t *t, int who, int64_t result) {
    int64_t n = result;
    if (result < 0) n = t->kind->n > 1 ? (int64_t)tmlrt_op_transferred(&t->op[who][0]) : 0;
    if (result >= 0 && t->kind->n > 1) require(n == t->kind->n);
    for (int64_t i = 0; i < n; i++)
        require(t->buf[8 * who + i] == (unsigned char)++t->taken);
}

void bytes_close(thing_t *t) {
    int64_t n;
    if (t->kind->n == 0)
        tmlrt_sock_release(t->sock2);
    else
        raw_finish(t->peer);
    while ((n = tmlrt_read(t->sock, t->buf, 8)) > 0)
        for (int64_t i = 0; i < n; i++)
            require(t->buf[i] == (unsigned char)++t->taken);
    require(n == 0 && t->taken == t->given);
    if (t->kind->n != 0) close(t->peer);
    tmlrt_sock_release(t->sock);
    free(t->buf);
}

/* ---- writes: more than the socket takes; taken: written, given: seen by the peer ------------------ */

enum { WRITE = 3 << 16, BUFFER = 16384 };

void write_open(thing_t *t) {
    t->sock = sock_and_peer(t->rt, &t->peer);
    require(tmlrt_sock_set(t->sock, TMLRT_SOCK_SEND_BUFFER, BUFFER) == TMLRT_OK);
    t->buf = malloc(WRITE);
    require(t->buf != NULL);
}

void write_prepare(thing_t *t, int who) {
    unsigned char next = (unsigned char)(t->taken % 251);
    for (size_t i = 0; i < WRITE; i++, next = next == 250 ? 0 : (unsigned char)(next + 1))
        t->buf[i] = next;
    tmlrt_op_write(&t->op[who][0], t->sock, t->buf, WRITE);
}

static void write_see(thing_t *t, const unsigned char *bytes, size_t n) {
    unsigned char next = (unsigned char)(t->given % 251);
    for (size_t i = 0; i < n; i++, next = next == 250 ? 0 : (unsigned char)(next + 1))
        require(bytes[i] == next);
    t->given += (int64_t)n;
}

void write_give(thing_t *t) {
    unsigned char some[BUFFER];
    ssize_t       n;
    while ((n = recv(t->peer, some, sizeof some, MSG_DONTWAIT)) > 0)
        write_see(t, some, (size_t)n);
}

void write_ended(thing_t *t, int who, int64_t result) {
    size_t n = result >= 0 ? (size_t)result : tmlrt_op_transferred(&t->op[who][0]);
    require(result < 0 || result == WRITE);
    t->taken += (int64_t)n;
}

void write_close(thing_t *t) {
    unsigned char some[BUFFER];
    size_t        n;
    tmlrt_sock_release(t->sock);
    while ((n = raw_recv(t->peer, some, sizeof some)) > 0)
        write_see(t, some, n);
    require(t->given == t->taken);
    close(t->peer);
    free(t->buf);
}

/* ---- accept, connect: to a listener of the runtime ------------------------------------------------ */

void accept_open(thing_t *t) {
    t->sock = listener_on(t->rt, &t->addr);
}

void accept_prepare(thing_t *t, int who) {
    tmlrt_op_accept(&t->op[who][0], t->sock, &t->out[who]);
}

void accept_give(thing_t *t) {
    if (t->given != t->taken) return;
    close(raw_connect(&t->addr));
    t->given++;
}

void accept_ended(thing_t *t, int who, int64_t result) {
    if (result < 0) return;
    tmlrt_sock_release(t->out[who]);
    t->taken++;
}

/* A connection that nobody took is there for the next one. */
void accept_close(thing_t *t) {
    accept_prepare(t, PROBE);
    accept_give(t);
    require(probe_ends(t) == TMLRT_OK);
    tmlrt_sock_release(t->out[PROBE]);
    tmlrt_sock_release(t->sock);
}

void connect_prepare(thing_t *t, int who) {
    t->given = t->taken = 0;
    tmlrt_op_connect(&t->op[who][0], t->rt, &t->addr, NULL, &t->out[who]);
}

/* ---- datagrams --------------------------------------------------------------------------------------- */

void udp_open(thing_t *t) {
    tmlrt_addr_t addr = loopback();
    require(tmlrt_udp_open(t->rt, &addr, NULL, &t->sock) == TMLRT_OK);
    require(tmlrt_sock_local_addr(t->sock, &t->addr) == TMLRT_OK);
    t->peer = socket(AF_INET, SOCK_DGRAM, 0);
    require(t->peer >= 0);
}

void udp_prepare(thing_t *t, int who) {
    tmlrt_op_recv_from(&t->op[who][0], t->sock, &t->item[who], sizeof t->item[who], NULL);
}

void udp_give(thing_t *t) {
    uint64_t               item = (uint64_t)t->given + 1;
    const struct sockaddr *to = (const struct sockaddr *)(const void *)t->addr.storage_;
    if (t->given != t->taken) return;
    require(sendto(t->peer, &item, sizeof item, 0, to, t->addr.length_) == sizeof item);
    t->given++;
}

void udp_ended(thing_t *t, int who, int64_t result) {
    if (result < 0) return;
    require(result == sizeof t->item[who] && t->item[who] == (uint64_t)++t->taken);
}

void udp_close(thing_t *t) {
    udp_give(t);
    udp_prepare(t, PROBE);
    udp_ended(t, PROBE, probe_ends(t));
    require(t->given == t->taken);
    close(t->peer);
    tmlrt_sock_release(t->sock);
}

/* ---- a foreign descriptor ----------------------------------------------------------------------------- */

void fd_open(thing_t *t) {
    require(pipe(t->fd) == 0);
    require(tmlrt_fd_open(t->rt, t->fd[0], &t->reg) == TMLRT_OK);
}

void fd_prepare(thing_t *t, int who) {
    tmlrt_op_fd_wait(&t->op[who][0], t->reg, TMLRT_FD_READ);
}

void fd_give(thing_t *t) {
    if (t->given != t->taken) return;
    require(write(t->fd[1], "x", 1) == 1);
    t->given++;
}

void fd_ended(thing_t *t, int who, int64_t result) {
    char c;
    (void)who;
    if (result < 0) return;
    require(result == TMLRT_FD_READ);
    require(read(t->fd[0], &c, 1) == 1);
    t->taken++;
}

void fd_close(thing_t *t) {
    fd_give(t);
    fd_prepare(t, PROBE);
    fd_ended(t, PROBE, probe_ends(t));
    require(t->given == t->taken);
    tmlrt_fd_close(t->reg);
    close(t->fd[0]);
    close(t->fd[1]);
}

/* ---- names ----------------------------------------------------------------------------------------------- */

void resolve_prepare(thing_t *t, int who) {
    tmlrt_op_resolve(&t->op[who][0], t->rt, "localhost", 80, t->addrs[who], 8);
}

void resolve_ended(thing_t *t, int who, int64_t result) {
    if (result < 0) return;
    require(result >= 1 && result <= 8 && tmlrt_addr_port(&t->addrs[who][0]) == 80);
}
