/* SPDX-License-Identifier: MIT */
/*
 * chat.c: a chat server: what one says, all the others hear. A fiber reads each connection and sends
 * its lines to one broadcast channel, a second one writes to it what comes from there. The two are
 * children of a scope of the connection, so that either of them ends both; the connections are
 * children of the server's scope, and a token ends that.
 *
 *   chat PORT   serves 127.0.0.1:PORT until Ctrl-C
 *   chat        tests itself with three clients on a port that the system picks
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tmlrt.h>

enum { LINE = 200, BACKLOG = 256 };

typedef struct {
    uint64_t from; /* whose line it is */
    uint32_t size;
    char     text[LINE];
} message_t;

typedef struct {
    tmlrt_sock_t      *listener;
    tmlrt_broadcast_t *room;
    tmlrt_token_t     *closing;
} server_t;

/* One connection: in the frame of the fiber that serves it. */
typedef struct {
    tmlrt_sock_t         *sock;
    tmlrt_broadcast_t    *room;
    tmlrt_subscription_t *hears;
    uint64_t              id;
} talk_t;

static void check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "chat: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(1);
}

/* ---- a connection ------------------------------------------------------------------------------- */

/* Sends the whole lines of `m` to the room (one that is too long in pieces) and keeps the rest. */
static int64_t say(talk_t *t, message_t *m) {
    int64_t r = 0;
    char   *end;
    while (r >= 0 && ((end = memchr(m->text, '\n', m->size)) != NULL || m->size == LINE)) {
        message_t rest = {.from = t->id};
        uint32_t  size = end != NULL ? (uint32_t)(end - m->text) + 1 : LINE;
        rest.size = m->size - size;
        memcpy(rest.text, m->text + size, rest.size);
        m->size = size;
        r = tmlrt_broadcast_send(t->room, m);
        *m = rest;
    }
    return r;
}

/* From the client to the room. */
static void *listens(void *arg) {
    talk_t   *t = arg;
    message_t m = {.from = t->id};
    int64_t   n;
    while ((n = tmlrt_read(t->sock, m.text + m.size, LINE - m.size)) > 0) {
        m.size += (uint32_t)n;
        if (say(t, &m) < 0) break;
    }
    tmlrt_scope_cancel(
        NULL); /* the client has gone, or the room is closed: so ends the other half */
    return NULL;
}

/* Who does not read for five seconds is dropped, so that nobody holds up the end. */
static int64_t tell(talk_t *t, const char *text, size_t size) {
    return tmlrt_write_until(t->sock, text, size, tmlrt_now(NULL) + 5 * TMLRT_S);
}

/* From the room to the client. */
static void *speaks(void *arg) {
    talk_t   *t = arg;
    message_t m;
    int64_t   lost;
    while ((lost = tmlrt_broadcast_recv(t->hears, &m)) >= 0) {
        char note[64];
        int  n = lost > 0 ? snprintf(note, sizeof note, "(%lld lines lost)\n", (long long)lost) : 0;
        if (n > 0 && tell(t, note, (size_t)n) < 0) break;
        if (m.from != t->id && tell(t, m.text, m.size) < 0) break;
    }
    tmlrt_scope_cancel(NULL);
    return NULL;
}

typedef struct {
    server_t     *server;
    tmlrt_sock_t *sock;
} guest_t;

static void *serves(void *arg) {
    guest_t              guest = *(guest_t *)arg;
    talk_t               t = {.sock = guest.sock, .room = guest.server->room};
    tmlrt_scope_t        both = TMLRT_SCOPE_INIT;
    tmlrt_task_options_t half = TMLRT_TASK_OPTIONS_INIT;
    free(arg);
    t.id = tmlrt_task_id(tmlrt_task_current());
    half.scope = &both;
    check(tmlrt_scope_open(&both, NULL, TMLRT_NEVER), "open");
    if (tmlrt_broadcast_subscribe(t.room, &t.hears) == TMLRT_OK) /* else the room is closed */
        if (tell(&t, "welcome\n", 8) > 0 && tmlrt_go(NULL, listens, &t, &half, NULL) == TMLRT_OK)
            tmlrt_go(NULL, speaks, &t, &half, NULL); /* refused when the other one has ended */
    tmlrt_scope_join(&both);
    tmlrt_subscription_release(t.hears);
    tmlrt_sock_release(t.sock);
    return NULL;
}

/* ---- the server ---------------------------------------------------------------------------------- */

/* The next guest, or an error when the token is cancelled or the runtime shuts down. */
static int next_guest(server_t *s, tmlrt_sock_t **sock) {
    tmlrt_op_t  accept = TMLRT_OP_INIT, closing = TMLRT_OP_INIT, any = TMLRT_OP_INIT;
    tmlrt_op_t *ops[] = {&accept, &closing};
    tmlrt_op_accept(&accept, s->listener, sock);
    tmlrt_op_token(&closing, s->closing);
    tmlrt_op_any(&any, ops, 2);
    check(tmlrt_op_await(&any), "await");
    return (int)tmlrt_op_result(&accept); /* also when both are: nobody is left at the door */
}

static void *server(void *arg) {
    server_t            *s = arg;
    tmlrt_scope_t        guests = TMLRT_SCOPE_INIT;
    tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
    tmlrt_sock_t        *sock;
    options.scope = &guests;
    check(tmlrt_scope_open(&guests, NULL, TMLRT_NEVER), "open");
    for (int e; (e = next_guest(s, &sock)) != TMLRT_ESHUTDOWN && e != TMLRT_ECANCELED;) {
        if (e != TMLRT_OK) continue;
        guest_t *guest = malloc(sizeof *guest);
        if (guest != NULL) *guest = (guest_t){s, sock};
        if (guest == NULL || tmlrt_go(NULL, serves, guest, &options, NULL) != TMLRT_OK) {
            free(guest);
            tmlrt_sock_release(sock);
        }
    }
    /* They hear what was said, and end; a cancel would do it at once. */
    tmlrt_broadcast_close(s->room);
    tmlrt_scope_join(&guests);
    return NULL;
}

/* ---- the test of itself: three clients on this plain thread ----------------------------------------- */

enum { CLIENTS = 3 };

static tmlrt_sock_t *joins(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr) {
    tmlrt_sock_t *sock;
    char          welcome[8];
    check(tmlrt_connect(rt, addr, NULL, &sock), "connect");
    check(tmlrt_read_exact(sock, welcome, sizeof welcome), "welcome");
    return sock;
}

static void try_it(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr) {
    tmlrt_sock_t *client[CLIENTS];
    char          line[32], heard[32];
    for (int i = 0; i < CLIENTS; i++)
        client[i] = joins(rt, addr);
    for (int i = 0; i < CLIENTS; i++) {
        int n = snprintf(line, sizeof line, "this is client %d\n", i);
        check(tmlrt_write(client[i], line, (size_t)n), "write");
        for (int k = 0; k < CLIENTS; k++) {
            if (k == i) continue;
            check(tmlrt_read_exact(client[k], heard, (size_t)n), "read");
            if (memcmp(line, heard, (size_t)n) != 0) check(TMLRT_EIO, "it heard something else");
        }
    }
    tmlrt_sock_release(client[0]); /* one goes; the others stay until the end */
    printf("chat: %d clients heard each other\n", CLIENTS);
    for (int i = 1; i < CLIENTS; i++)
        tmlrt_sock_release(client[i]);
}

int main(int argc, char **argv) {
    server_t         s;
    tmlrt_runtime_t *rt;
    tmlrt_task_t    *task;
    tmlrt_addr_t     addr;
    char             text[72];

    snprintf(text, sizeof text, "127.0.0.1:%s", argc > 1 ? argv[1] : "0");
    check(tmlrt_addr_parse(&addr, text), text);
    check(tmlrt_runtime_create(&rt, NULL), "create");
    check(tmlrt_broadcast_create(&s.room, sizeof(message_t), BACKLOG), "broadcast");
    check(tmlrt_token_create(&s.closing, NULL), "token");
    check(tmlrt_tcp_listen(rt, &addr, NULL, &s.listener), text);
    check(tmlrt_sock_local_addr(s.listener, &addr), "local address");
    check(tmlrt_go(rt, server, &s, NULL, &task), "go");
    if (argc > 1) {
        tmlrt_signal_t *stop;
        tmlrt_op_t      op = TMLRT_OP_INIT;
        check(tmlrt_signal_open(rt, SIGINT, &stop), "signal");
        check(tmlrt_op_signal(&op, stop), "signal");
        check(tmlrt_op_await(&op), "wait");
        tmlrt_signal_close(stop);
    } else {
        try_it(rt, &addr);
    }
    check(tmlrt_token_cancel(s.closing), "cancel");
    check(tmlrt_join(task, NULL), "join"); /* all guests have gone */
    tmlrt_task_release(task);
    check(tmlrt_runtime_shutdown(rt, tmlrt_now(rt) + TMLRT_S, NULL), "shutdown");
    tmlrt_sock_release(s.listener);
    tmlrt_broadcast_release(s.room);
    tmlrt_token_release(s.closing);
    check(tmlrt_runtime_destroy(rt), "destroy");
    return 0;
}
