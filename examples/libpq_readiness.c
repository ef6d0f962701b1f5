/* SPDX-License-Identifier: MIT */
/*
 * libpq_readiness.c: PostgreSQL's client library on the runtime. libpq reads and writes its own
 * socket and only says what it waits for; tmlrt_fd_* waits for that, with a deadline, and no thread
 * is blocked. The same shape serves libcurl, c-ares, hiredis and OpenSSL.
 *
 * Where to connect is libpq's business: PGHOST, PGPORT, PGUSER, PGDATABASE and so on. Without
 * PGHOST the program is skipped (exit status 77). It needs libpq to build.
 */
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tmlrt.h>

static void check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "libpq_readiness: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(1);
}

static void check_pq(int ok, PGconn *conn, const char *what) {
    if (ok) return;
    fprintf(stderr, "libpq_readiness: %s: %s", what, PQerrorMessage(conn));
    exit(1);
}

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t                op;
    tmlrt_fd_t               *reg;
    PGconn                   *conn;
    PostgresPollingStatusType want;
    int64_t                   deadline;
    int                       unsent;
    int                       sum;
} query_t;

/* Prepares the wait for what libpq wants next. */
static void wait_for(query_t *s, uint32_t interest) {
    check(tmlrt_op_fd_wait(&s->op, s->reg, interest), "wait");
    check(tmlrt_op_deadline(&s->op, s->deadline), "deadline");
}

static void take_rows(query_t *s, PGresult *rows) {
    check_pq(PQresultStatus(rows) == PGRES_TUPLES_OK, s->conn, "query");
    for (int i = 0; i < PQntuples(rows); i++)
        s->sum += atoi(PQgetvalue(rows, i, 0));
    PQclear(rows);
}

static int32_t query_poll(void *state, tmlrt_cx_t *cx, void *result) {
    query_t  *s = state;
    PGresult *rows;
    TMLRT_BEGIN(s);

    s->deadline = tmlrt_now(NULL) + 10 * TMLRT_S;
    s->conn = PQconnectStart("");
    if (s->conn == NULL) check(TMLRT_ENOMEM, "connect");
    check_pq(PQstatus(s->conn) != CONNECTION_BAD, s->conn, "connect");

    /* While it connects, PQconnectPoll may close its socket and try another one, even under the
     * same number, so a registration lasts for one wait. */
    for (s->want = PGRES_POLLING_WRITING;
         s->want == PGRES_POLLING_READING || s->want == PGRES_POLLING_WRITING;
         s->want = PQconnectPoll(s->conn)) {
        check(tmlrt_fd_open(NULL, PQsocket(s->conn), &s->reg), "register");
        TMLRT_AWAIT(s, cx, &s->op,
                    wait_for(s, s->want == PGRES_POLLING_READING ? TMLRT_FD_READ : TMLRT_FD_WRITE));
        tmlrt_fd_close(s->reg);
        s->reg = NULL;
        check(tmlrt_op_result(&s->op), "connect");
    }
    check_pq(s->want == PGRES_POLLING_OK, s->conn, "connect");

    /* Connected, the socket stays, and so does the registration. */
    check(tmlrt_fd_open(NULL, PQsocket(s->conn), &s->reg), "register");
    check_pq(PQsetnonblocking(s->conn, 1) == 0, s->conn, "nonblocking");
    check_pq(PQsendQuery(s->conn, "select i from generate_series(1, 1000) i"), s->conn, "query");

    /* Send; what the server says meanwhile must be read, or both would wait for each other. */
    while ((s->unsent = PQflush(s->conn)) == 1) {
        TMLRT_AWAIT(s, cx, &s->op, wait_for(s, TMLRT_FD_READ | TMLRT_FD_WRITE));
        check(tmlrt_op_result(&s->op), "send");
        if (tmlrt_op_result(&s->op) & TMLRT_FD_READ)
            check_pq(PQconsumeInput(s->conn), s->conn, "send");
    }
    check_pq(s->unsent == 0, s->conn, "send");

    /* Receive. */
    for (;;) {
        while (PQisBusy(s->conn)) {
            TMLRT_AWAIT(s, cx, &s->op, wait_for(s, TMLRT_FD_READ));
            check(tmlrt_op_result(&s->op), "receive");
            check_pq(PQconsumeInput(s->conn), s->conn, "receive");
        }
        rows = PQgetResult(s->conn);
        if (rows == NULL) break;
        take_rows(s, rows);
    }
    *(int *)result = s->sum;
    TMLRT_END(s);
}

/* The registration ends before libpq closes its socket. */
static void query_drop(void *state) {
    query_t *s = state;
    tmlrt_fd_close(s->reg);
    PQfinish(s->conn);
}

static const tmlrt_task_type_t query_type =
    TMLRT_TASK_TYPE_RESULT(query_t, int, query_poll, query_drop);

int main(void) {
    tmlrt_runtime_t *rt = NULL;
    query_t          query;
    int              sum = 0;

    if (getenv("PGHOST") == NULL) {
        printf("skipped: no database given in PGHOST\n");
        return 77;
    }
    memset(&query, 0, sizeof query);
    check(tmlrt_runtime_create(&rt, NULL), "create");
    check(tmlrt_runtime_block_on(rt, &query_type, &query, NULL, &sum), "block_on");
    check(tmlrt_runtime_destroy(rt), "destroy");
    printf("libpq_readiness: 1 + 2 + ... + 1000 = %d, says the server\n", sum);
    return sum == 500500 ? 0 : 1;
}
