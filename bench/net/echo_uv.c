/* SPDX-License-Identifier: MIT */
/*
 * echo_uv.c: libuv: one loop and one SO_REUSEPORT listener a thread, one read buffer a loop, the
 * answer by uv_try_write and only what is left of it by uv_write.
 */
#include "common.h"

#include <uv.h>

typedef struct rest {
    uv_write_t req;
    char       data[];
} rest_t;

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf) {
    (void)suggested;
    *buf = uv_buf_init(h->loop->data, NET_BUFFER);
}

static void on_close(uv_handle_t *h) {
    free(h);
}

static void on_written(uv_write_t *req, int status) {
    (void)status;
    free(req);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf) {
    if (n < 0) uv_close((uv_handle_t *)s, on_close);
    if (n <= 0) return;
    uv_buf_t b = uv_buf_init(buf->base, (unsigned)n);
    int      sent = uv_try_write(s, &b, 1);
    if (sent == n) return;
    if (sent == UV_EAGAIN) sent = 0;
    if (sent < 0) {
        uv_close((uv_handle_t *)s, on_close);
        return;
    }
    rest_t *r = malloc(sizeof *r + (size_t)(n - sent));
    if (r == NULL) net_die("malloc");
    memcpy(r->data, buf->base + sent, (size_t)(n - sent));
    b = uv_buf_init(r->data, (unsigned)(n - sent));
    uv_write(&r->req, s, &b, 1, on_written);
}

static void on_connection(uv_stream_t *listener, int status) {
    if (status < 0) return;
    uv_tcp_t *c = malloc(sizeof *c);
    if (c == NULL) net_die("malloc");
    uv_tcp_init(listener->loop, c);
    if (uv_accept(listener, (uv_stream_t *)c) == 0)
        uv_read_start((uv_stream_t *)c, on_alloc, on_read);
    else
        uv_close((uv_handle_t *)c, on_close);
}

static void *serve(void *arg) {
    uv_loop_t loop;
    uv_tcp_t  listener;
    char      buf[NET_BUFFER];
    uv_loop_init(&loop);
    loop.data = buf;
    uv_tcp_init(&loop, &listener);
    if (uv_tcp_open(&listener, (int)(intptr_t)arg) != 0 ||
        uv_listen((uv_stream_t *)&listener, NET_BACKLOG, on_connection) != 0)
        net_die("listen");
    uv_run(&loop, UV_RUN_DEFAULT);
    return NULL;
}

int main(int argc, char **argv) {
    net_serve(net_arguments(argc, argv), SOCK_NONBLOCK, "libuv", uv_version_string(), serve);
}
