/* SPDX-License-Identifier: MIT */
/*
 * connection.c: see connection.h. From top to bottom: the state, the parser's callbacks, the
 * answer, and the task itself, connection_poll.
 *
 * The input is parsed as it comes: nothing of a request is kept but the beginning of its target, so
 * an idle connection costs its state alone (under 2 KiB). The parser pauses after each request; what
 * came behind it (a pipelined request) stays in the buffer until the answer is out.
 */
#include "connection.h"

#include "content.h"

#include <http_parser.h>
#include <stdio.h>
#include <string.h>

enum {
    HEADER_LIMIT = 8192,
    TARGET_LIMIT = 1024,
    BODY_LIMIT = 65536,
};

#define REQUEST_NS (10 * TMLRT_S)
#define WRITE_NS   (30 * TMLRT_S)
#define LINGER_NS  (1 * TMLRT_S)

typedef struct {
    TMLRT_FRAME;
    server_t     *server;
    tmlrt_sock_t *sock;
    uint64_t      requests, refused;

    /* The request that is being read; all zeros before its first byte. */
    struct {
        uint32_t target_length; /* also beyond what `target` holds */
        uint32_t body;
        uint32_t hosts;                            /* Host headers */
        uint8_t  begun;                            /* its first byte was seen */
        uint8_t name_length, in_value, keep_alive; /* of a header's name: bytes that match "host" */
        uint16_t status;                           /* of the answer; 0: not known yet */
        char     target[128];
    } request;
    int64_t     deadline; /* of the request, or of the idle time */
    http_parser parser;

    /* The answer that is being written. */
    content_t     content;
    uint64_t      sent;
    size_t        piece;
    tmlrt_iovec_t iov[2];
    char          head[192];

    /* What is waited for: the input alone, or the input and the end of the runtime. */
    tmlrt_op_t  io, stop, any;
    tmlrt_op_t *either[2], *wait;

    /* Input that came and is not parsed yet: [used, have). Last: it is not cleared at the start. */
    size_t used, have;
    char   buf[1024];
} connection_t;

TMLRT_STATIC_ASSERT(sizeof(connection_t) <= 2048, "what an idle connection costs");

/* The parser's callbacks. A non-zero return stops it with an error of that callback. */

static int on_message_begin(http_parser *p) {
    connection_t *s = p->data;
    s->request.begun = 1;
    s->deadline = tmlrt_now(NULL) + REQUEST_NS;
    return 0;
}

static int on_target(http_parser *p, const char *at, size_t n) {
    connection_t *s = p->data;
    size_t        have = s->request.target_length;
    if (have + n > TARGET_LIMIT) return 1;
    s->request.target_length += (uint32_t)n;
    if (have >= sizeof s->request.target) return 0;
    if (n > sizeof s->request.target - have) n = sizeof s->request.target - have;
    memcpy(s->request.target + have, at, n);
    return 0;
}

/* A name comes in pieces. name_length counts while it is a beginning of "host"; 0xff: it is not. */
static int on_header_name(http_parser *p, const char *at, size_t n) {
    static const char host[] = "host";
    connection_t     *s = p->data;
    if (s->request.in_value) s->request.in_value = s->request.name_length = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t k = s->request.name_length;
        int     same = k < 4 && (at[i] | 0x20) == host[k];
        s->request.name_length = same ? (uint8_t)(k + 1) : 0xff;
    }
    return 0;
}

static int on_header_value(http_parser *p, const char *at, size_t n) {
    connection_t *s = p->data;
    (void)at;
    (void)n;
    if (!s->request.in_value && s->request.name_length == 4) s->request.hosts++;
    s->request.in_value = 1;
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t n) {
    connection_t *s = p->data;
    (void)at;
    if (n > BODY_LIMIT - s->request.body) return 1;
    s->request.body += (uint32_t)n;
    return 0;
}

/* Pauses, so that the parser returns before a request that follows. */
static int on_message_complete(http_parser *p) {
    connection_t *s = p->data;
    s->request.keep_alive = http_should_keep_alive(p) != 0;
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings parser_settings = {
    .on_message_begin = on_message_begin,
    .on_url = on_target,
    .on_header_field = on_header_name,
    .on_header_value = on_header_value,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void connection_setup(void) {
    http_parser_set_max_header_size(HEADER_LIMIT);
}

/* The request. */

static void begin_request(connection_t *s) {
    memset(&s->request, 0, sizeof s->request);
    s->deadline = tmlrt_now(NULL) + s->server->idle_ns;
}

/* Between requests a connection also listens for the end of the runtime; within one it does not. */
static void prepare_read(connection_t *s) {
    s->wait = s->request.begun ? &s->io : &s->any;
    tmlrt_op_read(&s->io, s->sock, s->buf, sizeof s->buf);
    if (!s->request.begun) {
        tmlrt_op_stopping(&s->stop, NULL);
        tmlrt_op_any(&s->any, s->either, 2);
    }
    tmlrt_op_deadline(s->wait, s->deadline);
}

/* Takes what the read brought, whoever won: bytes that came are not lost. Returns 0 when there is
 * nothing more to do for this connection. */
static int take_input(connection_t *s) {
    int64_t n = tmlrt_op_result(&s->io);
    if (n > 0) {
        s->used = 0;
        s->have = (size_t)n;
        return 1;
    }
    if (n != TMLRT_ETIMEDOUT || !s->request.begun) return 0;
    s->request.status = 408;
    return 1;
}

/* A target in the absolute form, http://host/path, is as good as /path. The query is ignored. */
static int find_content(connection_t *s) {
    const char *path = s->request.target, *end, *query;
    size_t      n = s->request.target_length;
    if (n > sizeof s->request.target) return -1;
    end = path + n;
    if (n > 7 && memcmp(path, "http://", 7) == 0) path = memchr(path + 7, '/', n - 7);
    if (path == NULL) return -1;
    query = memchr(path, '?', (size_t)(end - path));
    return content_find(path, (size_t)((query != NULL ? query : end) - path), &s->content);
}

static uint16_t status_of_request(connection_t *s) {
    const http_parser *p = &s->parser;
    if (p->http_major != 1) return 505;
    if (p->http_minor >= 1 && s->request.hosts != 1) return 400;
    if (p->method != HTTP_GET && p->method != HTTP_HEAD) return 405;
    return find_content(s) == 0 ? 200 : 404;
}

static uint16_t status_of_error(enum http_errno error) {
    switch (error) {
    case HPE_CB_url: return 414;
    case HPE_CB_body: return 413;
    case HPE_HEADER_OVERFLOW: return 431;
    default: return 400;
    }
}

/* Parses what is in the buffer, at most to the end of a request; then its status is set. */
static void parse_input(connection_t *s) {
    http_parser *p = &s->parser;
    s->used += http_parser_execute(p, &parser_settings, s->buf + s->used, s->have - s->used);
    switch (HTTP_PARSER_ERRNO(p)) {
    case HPE_OK: break;
    case HPE_PAUSED:
        http_parser_pause(p, 0);
        s->request.status = status_of_request(s);
        if (p->upgrade || s->request.status == 400 || s->request.status == 505)
            s->request.keep_alive = 0;
        break;
    default:
        s->request.status = status_of_error(HTTP_PARSER_ERRNO(p));
        s->request.keep_alive = 0;
        break;
    }
}

/* The answer. */

static const char *reason_of(uint16_t status) {
    switch (status) {
    case 200: return "OK";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 431: return "Request Header Fields Too Large";
    case 505: return "HTTP Version Not Supported";
    default: return "Bad Request";
    }
}

static const char *connection_header(const connection_t *s) {
    if (!s->request.keep_alive) return "Connection: close\r\n";
    return s->parser.http_minor == 0 ? "Connection: keep-alive\r\n" : "";
}

/* Prepares to write the head and, with it, the first piece of the body. */
static void prepare_answer(connection_t *s) {
    uint16_t    status = s->request.status;
    const char *reason = reason_of(status);
    int         length;

    if (status != 200) {
        s->content.base = reason;
        s->content.size = s->content.period = strlen(reason);
        s->refused++;
    }
    if (atomic_load_explicit(&s->server->stopping, memory_order_relaxed)) s->request.keep_alive = 0;
    length =
        snprintf(s->head, sizeof s->head,
                 "HTTP/1.1 %u %s\r\nContent-Type: text/plain\r\nContent-Length: %llu\r\n%s%s\r\n",
                 (unsigned)status, reason, (unsigned long long)s->content.size,
                 status == 405 ? "Allow: GET, HEAD\r\n" : "", connection_header(s));
    s->requests++;

    if (s->parser.method == HTTP_HEAD) s->content.size = 0;
    s->sent = 0;
    s->iov[0].base = s->head;
    s->iov[0].size = (size_t)length;
    s->iov[1].base = (void *)(uintptr_t)content_at(&s->content, 0, &s->piece);
    s->iov[1].size = s->piece;
    tmlrt_op_writev(&s->io, s->sock, s->iov, s->piece > 0 ? 2 : 1);
    tmlrt_op_deadline(&s->io, tmlrt_now(NULL) + WRITE_NS);
}

static void prepare_piece(connection_t *s) {
    const char *at = content_at(&s->content, s->sent, &s->piece);
    tmlrt_op_write(&s->io, s->sock, at, s->piece);
    tmlrt_op_deadline(&s->io, tmlrt_now(NULL) + WRITE_NS);
}

/* The piece is out: is there more to write? */
static int has_more(connection_t *s) {
    if (tmlrt_op_result(&s->io) < 0) return 0;
    s->sent += s->piece;
    return s->sent < s->content.size;
}

/* Closing with input unread would reset the connection, and the client might never see why. */
static int must_linger(const connection_t *s) {
    return s->requests > 0 && tmlrt_op_result(&s->io) >= 0 && !s->request.keep_alive &&
           (s->request.status >= 400 || s->used < s->have);
}

static void prepare_linger(connection_t *s) {
    tmlrt_op_read(&s->io, s->sock, s->buf, sizeof s->buf);
    tmlrt_op_deadline(&s->io, s->deadline);
}

/* The task. */

static int32_t connection_poll(void *state, tmlrt_cx_t *cx, void *result) {
    connection_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    http_parser_init(&s->parser, HTTP_REQUEST);
    s->parser.data = s;
    s->either[0] = &s->io;
    s->either[1] = &s->stop;

    for (;;) {
        begin_request(s);
        while (s->request.status == 0) {
            if (s->used == s->have) {
                TMLRT_AWAIT(s, cx, s->wait, prepare_read(s));
                if (!take_input(s)) TMLRT_RETURN(s);
            }
            if (s->used < s->have) parse_input(s);
        }

        TMLRT_AWAIT(s, cx, &s->io, prepare_answer(s));
        while (has_more(s)) {
            TMLRT_AWAIT(s, cx, &s->io, prepare_piece(s));
        }
        if (tmlrt_op_result(&s->io) < 0 || !s->request.keep_alive) break;
    }

    if (must_linger(s)) {
        tmlrt_sock_shutdown(s->sock, TMLRT_SHUT_WRITE);
        s->deadline = tmlrt_now(NULL) + LINGER_NS;
        do {
            TMLRT_AWAIT(s, cx, &s->io, prepare_linger(s));
        } while (tmlrt_op_result(&s->io) > 0);
    }
    TMLRT_END(s);
}

static void connection_drop(void *state) {
    connection_t *s = state;
    atomic_fetch_add_explicit(&s->server->requests, s->requests, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->server->refused, s->refused, memory_order_relaxed);
    tmlrt_sock_release(s->sock);
}

static const tmlrt_task_type_t connection_type = {
    .struct_size = sizeof(tmlrt_task_type_t),
    .name = "http connection",
    .state_size = sizeof(connection_t),
    .state_align = _Alignof(connection_t),
    .poll = connection_poll,
    .drop = connection_drop,
};

/* In two steps, for the buffer need not be cleared. */
int connection_spawn(server_t *server, tmlrt_sock_t *sock) {
    tmlrt_task_t *task = NULL;
    connection_t *s;
    int           r = tmlrt_task_new(NULL, &connection_type, NULL, &task);
    if (r < 0) return r;
    s = tmlrt_task_state(task);
    memset(s, 0, offsetof(connection_t, buf));
    s->server = server;
    s->sock = sock;
    r = tmlrt_task_start(task);
    tmlrt_task_release(task);
    if (r == 0) atomic_fetch_add_explicit(&server->opened, 1, memory_order_relaxed);
    return r;
}
