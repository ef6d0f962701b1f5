/* SPDX-License-Identifier: MIT */
/*
 * client.c: see client.h. From top to bottom: the state, the parser's callbacks, which check the
 * answer as it comes, and the task, client_poll.
 */
#include "client.h"

#include "load_stats.h"

#include <http_parser.h>
#include <string.h>

#define EXCHANGE_NS (10 * TMLRT_S) /* for a connect, a write, a read */

typedef struct {
    TMLRT_FRAME;
    load_t       *load;
    tmlrt_sock_t *sock;
    tmlrt_op_t    op;
    int64_t       start; /* of the exchange */
    uint64_t      seen;  /* bytes of the body */
    http_parser   parser;
    uint8_t       in_ramp, is_open, was_served; /* what it counts as */
    uint8_t       complete, wrong;              /* the answer; wrong is a LOAD_* or 0 */
    char          buf[1024];
} client_t;

/* The parser's callbacks. A non-zero return stops it. */

static int on_headers_complete(http_parser *p) {
    client_t *s = p->data;
    if (p->status_code != 200)
        s->wrong = LOAD_STATUS;
    else if (p->content_length != s->load->expected.size)
        s->wrong = LOAD_LENGTH;
    return s->wrong ? -1 : 0;
}

static int on_body(http_parser *p, const char *at, size_t n) {
    client_t *s = p->data;
    while (n > 0) {
        size_t      piece;
        const char *want = content_at(&s->load->expected, s->seen, &piece);
        if (piece > n) piece = n;
        if (piece == 0 || memcmp(at, want, piece) != 0) {
            s->wrong = LOAD_BODY;
            return 1;
        }
        s->seen += piece;
        at += piece;
        n -= piece;
    }
    return 0;
}

static int on_message_complete(http_parser *p) {
    client_t *s = p->data;
    s->complete = 1;
    if (s->seen != s->load->expected.size) s->wrong = LOAD_LENGTH;
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings parser_settings = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* The exchange. */

static int must_stop(const client_t *s) {
    return atomic_load_explicit(&s->load->stop, memory_order_relaxed);
}

static void prepare_connect(client_t *s) {
    tmlrt_op_connect(&s->op, NULL, &s->load->addr, NULL, &s->sock);
    tmlrt_op_deadline(&s->op, tmlrt_now(NULL) + EXCHANGE_NS);
}

static void prepare_request(client_t *s) {
    s->seen = 0;
    s->complete = 0;
    tmlrt_op_write(&s->op, s->sock, s->load->request, s->load->request_size);
    tmlrt_op_deadline(&s->op, s->start + EXCHANGE_NS);
}

static void prepare_read(client_t *s) {
    tmlrt_op_read(&s->op, s->sock, s->buf, sizeof s->buf);
    tmlrt_op_deadline(&s->op, s->start + EXCHANGE_NS);
}

/* Is the connection still good? Counts the error of `kind` when the operation had one. */
static int went_well(client_t *s, int kind) {
    int64_t r = tmlrt_op_result(&s->op);
    if (r >= 0) return 1;
    s->wrong = (uint8_t)kind;
    load_stats_error(kind, r);
    return 0;
}

/* Takes what was read into the answer; returns 0 when the connection is no longer good. */
static int take_input(client_t *s) {
    size_t n, parsed;
    if (!went_well(s, LOAD_READ)) return 0;
    n = (size_t)tmlrt_op_result(&s->op);
    if (n == 0) {
        s->wrong = LOAD_CLOSED;
    } else {
        parsed = http_parser_execute(&s->parser, &parser_settings, s->buf, n);
        if (s->complete && !s->wrong)
            s->wrong = parsed < n ? LOAD_EXTRA : 0;
        else if (!s->wrong && HTTP_PARSER_ERRNO(&s->parser) != HPE_OK)
            s->wrong = LOAD_PARSE;
    }
    if (s->wrong) load_stats_error(s->wrong, 0);
    return !s->wrong;
}

/* The answer is right and whole. Returns 0 when it is the last one. */
static int end_exchange(client_t *s) {
    int64_t now = tmlrt_now(NULL);
    load_stats_latency(now - s->start);
    s->start = now;
    if (!s->was_served) {
        s->was_served = 1;
        atomic_fetch_add(&load_connections.served, 1);
    }
    http_parser_pause(&s->parser, 0);
    if (http_should_keep_alive(&s->parser)) return !must_stop(s);
    if (must_stop(s)) return 0;
    s->wrong = LOAD_CLOSED;
    load_stats_error(LOAD_CLOSED, 0);
    return 0;
}

static void count_open(client_t *s) {
    s->is_open = 1;
    atomic_fetch_add(&load_connections.opened, 1);
    atomic_fetch_add(&load_connections.open, 1);
}

/* Makes room in the ramp for the next one, once. */
static void leave_ramp(client_t *s) {
    if (!s->in_ramp) return;
    s->in_ramp = 0;
    atomic_fetch_sub(&s->load->in_ramp, 1);
    tmlrt_notify_one(&s->load->ramp);
}

/* notify_one leaves a permit when nobody waits, so none is missed between a look at is_open and the
 * wait; whoever comes through hands the permit on. */
void client_open_gate(load_t *load) {
    atomic_store(&load->is_open, 1);
    tmlrt_notify_one(&load->gate);
}

/* The task. */

static int32_t client_poll(void *state, tmlrt_cx_t *cx, void *result) {
    client_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    http_parser_init(&s->parser, HTTP_RESPONSE);
    s->parser.data = s;
    TMLRT_AWAIT(s, cx, &s->op, prepare_connect(s));
    if (!went_well(s, LOAD_CONNECT)) TMLRT_RETURN(s);
    count_open(s);

    s->start = tmlrt_now(NULL);
    do {
        TMLRT_AWAIT(s, cx, &s->op, prepare_request(s));
        if (!went_well(s, LOAD_WRITE)) TMLRT_RETURN(s);
        while (!s->complete) {
            TMLRT_AWAIT(s, cx, &s->op, prepare_read(s));
            if (!take_input(s)) TMLRT_RETURN(s);
        }
        if (!end_exchange(s)) TMLRT_RETURN(s);

        if (s->in_ramp) {
            leave_ramp(s);
            while (!atomic_load(&s->load->is_open)) {
                TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_notified(&s->op, &s->load->gate));
            }
            tmlrt_notify_one(&s->load->gate);
            s->start = tmlrt_now(NULL);
        }
    } while (!must_stop(s));
    TMLRT_END(s);
}

/* However it ended: a task that was cancelled has neither finished its exchange nor failed in it. */
static void client_drop(void *state) {
    client_t *s = state;
    int       was_cancelled = s->resume_point_ != UINT32_MAX;
    if (was_cancelled) load_stats_error(LOAD_UNFINISHED, 0);
    if (was_cancelled || s->wrong) atomic_fetch_add(&load_connections.failed, 1);
    if (s->is_open) atomic_fetch_sub(&load_connections.open, 1);
    tmlrt_sock_release(s->sock);
    leave_ramp(s);
}

static const tmlrt_task_type_t client_type = {
    .struct_size = sizeof(tmlrt_task_type_t),
    .name = "http client",
    .state_size = sizeof(client_t),
    .state_align = _Alignof(client_t),
    .poll = client_poll,
    .drop = client_drop,
};

int client_spawn(load_t *load) {
    tmlrt_task_t *task = NULL;
    client_t     *s;
    int           r = tmlrt_task_new(NULL, &client_type, NULL, &task);
    if (r < 0) return r;
    s = tmlrt_task_state(task);
    memset(s, 0, offsetof(client_t, buf));
    s->load = load;
    s->in_ramp = 1;
    atomic_fetch_add(&load->in_ramp, 1);
    atomic_fetch_add(&load_connections.started, 1);
    r = tmlrt_task_start(task);
    tmlrt_task_release(task);
    if (r < 0) {
        atomic_fetch_sub(&load->in_ramp, 1);
        atomic_fetch_sub(&load_connections.started, 1);
    }
    return r;
}
