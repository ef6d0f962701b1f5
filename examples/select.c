/* SPDX-License-Identifier: MIT */
/*
 * select.c: a task waits for the first of three things, a read, a notification and a timer, three
 * times, so that each of them wins once. Operations compose: `any` and `all` are operations too.
 *
 * The losers are cancelled before `any` is READY, and a loser may still have succeeded, so the
 * program looks at every result.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tmlrt.h>

enum { READ, NOTIFIED, TIMER, EVENTS };

static const char *const event_name[EVENTS] = {"read", "notified", "timer"};

static void check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "select: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(1);
}

typedef struct {
    TMLRT_FRAME;
    tmlrt_op_t     group;       /* the any, the all */
    tmlrt_op_t     op[EVENTS];  /* its members */
    tmlrt_op_t    *ptr[EVENTS]; /* set in the poll: the state moves once, at the spawn */
    tmlrt_addr_t   addr;
    tmlrt_sock_t  *listener, *here, *there;
    tmlrt_notify_t notify;
    char           buf[16];
    int            round;
    int            won[EVENTS];
} demo_t;

/* Makes event `round` happen; the timer comes by itself. */
static void provoke(demo_t *s) {
    if (s->round == READ && tmlrt_try_write(s->there, "x", 1) != 1) check(TMLRT_EIO, "write");
    if (s->round == NOTIFIED) check(tmlrt_notify_one(&s->notify), "notify");
}

static void prepare(demo_t *s) {
    check(tmlrt_op_read(&s->op[READ], s->here, s->buf, sizeof s->buf), "read");
    check(tmlrt_op_notified(&s->op[NOTIFIED], &s->notify), "notified");
    check(tmlrt_op_sleep(&s->op[TIMER], NULL, s->round == TIMER ? 20 * TMLRT_MS : 30 * TMLRT_S),
          "sleep");
    check(tmlrt_op_any(&s->group, s->ptr, EVENTS), "any");
}

static void look_at_all(demo_t *s) {
    check(tmlrt_op_result(&s->group), "any");
    for (int i = 0; i < EVENTS; i++) {
        if (tmlrt_op_result(&s->op[i]) == TMLRT_ECANCELED) continue;
        check(tmlrt_op_result(&s->op[i]), event_name[i]);
        s->won[i]++;
        printf("select: round %d: %s\n", s->round, event_name[i]);
    }
}

static int32_t demo_poll(void *state, tmlrt_cx_t *cx, void *result) {
    demo_t *s = state;
    TMLRT_BEGIN(s);
    for (int i = 0; i < EVENTS; i++)
        s->ptr[i] = &s->op[i];

    /* Both ends of one connection, at the same time. */
    check(tmlrt_tcp_listen(NULL, &s->addr, NULL, &s->listener), "listen");
    check(tmlrt_sock_local_addr(s->listener, &s->addr), "local address");
    check(tmlrt_op_accept(&s->op[0], s->listener, &s->here), "accept");
    check(tmlrt_op_connect(&s->op[1], NULL, &s->addr, NULL, &s->there), "connect");
    TMLRT_AWAIT(s, cx, &s->group, tmlrt_op_all(&s->group, s->ptr, 2));
    check(tmlrt_op_result(&s->op[0]), "accept");
    check(tmlrt_op_result(&s->op[1]), "connect");

    for (s->round = 0; s->round < EVENTS; s->round++) {
        provoke(s);
        TMLRT_AWAIT(s, cx, &s->group, prepare(s));
        look_at_all(s);
    }
    *(int *)result = s->won[READ] == 1 && s->won[NOTIFIED] == 1 && s->won[TIMER] == 1;
    TMLRT_END(s);
}

static void demo_drop(void *state) {
    demo_t *s = state;
    tmlrt_sock_release(s->here);
    tmlrt_sock_release(s->there);
    tmlrt_sock_release(s->listener);
}

static const tmlrt_task_type_t demo_type =
    TMLRT_TASK_TYPE_RESULT(demo_t, int, demo_poll, demo_drop);

int main(void) {
    tmlrt_runtime_t *rt = NULL;
    demo_t           demo;
    int              each_won_once = 0;

    memset(&demo, 0, sizeof demo);
    check(tmlrt_addr_parse(&demo.addr, "127.0.0.1:0"), "address");
    check(tmlrt_runtime_create(&rt, NULL), "create");
    check(tmlrt_runtime_block_on(rt, &demo_type, &demo, NULL, &each_won_once), "block_on");
    check(tmlrt_runtime_destroy(rt), "destroy");
    return each_won_once ? 0 : 1;
}
