/* SPDX-License-Identifier: MIT */
/*
 * foreign_fd.c: waits for a descriptor that somebody else reads and writes, here a pipe. The
 * runtime tells readiness, level-triggered: with bytes left unread the next wait is ready at once,
 * so a library that reads as it likes never loses an event. The end of the stream is readable, too.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tmlrt.h>
#include <unistd.h>

static void check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "foreign_fd: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(1);
}

static void check_os(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "foreign_fd: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Writes five bytes at once, a little later, and closes its end. */
typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t op;
    int        fd;
} writer_t;

static int32_t writer_poll(void *state, tmlrt_cx_t *cx, void *result) {
    writer_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_sleep(&s->op, NULL, 5 * TMLRT_MS));
    check(tmlrt_op_result(&s->op), "sleep");
    check_os(write(s->fd, "hello", 5) == 5, "write");
    TMLRT_END(s);
}

static void writer_drop(void *state) {
    close(((writer_t *)state)->fd);
}

static const tmlrt_task_type_t writer_type = TMLRT_TASK_TYPE(writer_t, writer_poll, writer_drop);

/* Reads a byte a wait, until the end. */
typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t  op;
    tmlrt_fd_t *reg;
    int         fd;
    int         waits;
    size_t      have;
    char        text[16];
} reader_t;

static int32_t reader_poll(void *state, tmlrt_cx_t *cx, void *result) {
    reader_t *s = state;
    TMLRT_BEGIN(s);
    check(tmlrt_fd_open(NULL, s->fd, &s->reg), "open");
    for (;;) {
        TMLRT_AWAIT(s, cx, &s->op, tmlrt_op_fd_wait(&s->op, s->reg, TMLRT_FD_READ));
        check(tmlrt_op_result(&s->op), "wait");
        s->waits++;
        ssize_t n = read(s->fd, s->text + s->have, 1);
        check_os(n >= 0, "read");
        if (n == 0 || s->have == sizeof s->text - 1) break;
        s->have++;
    }
    printf("foreign_fd: read '%s' in %d waits\n", s->text, s->waits);
    *(int *)result = s->waits == 6 && strcmp(s->text, "hello") == 0;
    TMLRT_END(s);
}

/* The registration ends before the descriptor does. */
static void reader_drop(void *state) {
    reader_t *s = state;
    tmlrt_fd_close(s->reg);
    close(s->fd);
}

static const tmlrt_task_type_t reader_type =
    TMLRT_TASK_TYPE_RESULT(reader_t, int, reader_poll, reader_drop);

int main(void) {
    tmlrt_runtime_t *rt = NULL;
    int              ends[2], right = 0;

    check_os(pipe(ends) == 0, "pipe");
    check(tmlrt_runtime_create(&rt, NULL), "create");
    check(tmlrt_spawn(rt, &writer_type, &(writer_t){.fd = ends[1]}, NULL, NULL), "spawn");
    check(tmlrt_runtime_block_on(rt, &reader_type, &(reader_t){.fd = ends[0]}, NULL, &right),
          "block_on");
    check(tmlrt_runtime_destroy(rt), "destroy");
    return right ? 0 : 1;
}
