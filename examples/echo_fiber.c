/* SPDX-License-Identifier: MIT */
/*
 * echo_fiber.c: the TCP echo server as straight-line code: a fiber a connection. The server is
 * echo and serve; the client of the self-test calls the same functions from a plain thread.
 *
 *   echo_fiber PORT   serves 127.0.0.1:PORT for ever
 *   echo_fiber        tests itself on a port that the system picks
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tmlrt.h>

static void check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "echo_fiber: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(1);
}

static void *echo(void *arg) {
    tmlrt_sock_t *sock = arg;
    char          buf[4096];
    int64_t       n;
    while ((n = tmlrt_read(sock, buf, sizeof buf)) > 0)
        if (tmlrt_write(sock, buf, (size_t)n) < 0) break;
    tmlrt_sock_release(sock);
    return NULL;
}

static void *serve(void *arg) {
    tmlrt_sock_t *sock;
    int           e;
    while ((e = tmlrt_accept(arg, &sock)) != TMLRT_ESHUTDOWN && e != TMLRT_ECANCELED)
        if (e == TMLRT_OK && tmlrt_go(NULL, echo, sock, NULL, NULL) < 0) tmlrt_sock_release(sock);
    tmlrt_sock_release(arg);
    return NULL;
}

static void try_it(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr) {
    static const char greeting[] = "hello, fiber";
    char              back[sizeof greeting] = "";
    tmlrt_sock_t     *sock;
    check(tmlrt_connect(rt, addr, NULL, &sock), "connect");
    check(tmlrt_write(sock, greeting, sizeof greeting), "write");
    check(tmlrt_read_exact(sock, back, sizeof back), "read");
    if (strcmp(back, greeting) != 0) check(TMLRT_EIO, "the echo differs");
    printf("echo_fiber: '%s' came back\n", back);
    tmlrt_sock_release(sock);
}

int main(int argc, char **argv) {
    tmlrt_runtime_t *rt;
    tmlrt_sock_t    *listener;
    tmlrt_task_t    *server;
    tmlrt_addr_t     addr;
    char             text[72];

    snprintf(text, sizeof text, "127.0.0.1:%s", argc > 1 ? argv[1] : "0");
    check(tmlrt_addr_parse(&addr, text), text);
    check(tmlrt_runtime_create(&rt, NULL), "create");
    check(tmlrt_tcp_listen(rt, &addr, NULL, &listener), text);
    check(tmlrt_sock_local_addr(listener, &addr), "local address");
    check(tmlrt_go(rt, serve, listener, NULL, &server), "go");
    if (argc > 1)
        check(tmlrt_join(server, NULL), "join");
    else
        try_it(rt, &addr);

    /* Connections have a second to end by themselves. */
    check(tmlrt_runtime_shutdown(rt, tmlrt_now(rt) + TMLRT_S, NULL), "shutdown");
    tmlrt_task_release(server);
    check(tmlrt_runtime_destroy(rt), "destroy");
    return 0;
}
