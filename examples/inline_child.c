/* SPDX-License-Identifier: MIT */
/*
 * inline_child.c: state machines as a compiler would emit them, without the macros of async.h.
 *
 *     async func child(naps: int, ns: int) -> int   { for i in 0..naps { await sleep(ns) } naps }
 *     async func parent() -> int                    {
 *         let a = await timeout(5 s) child(3, 1 ms)      // in time: 3
 *         let b = await timeout(10 ms) child(1, 30 s)    // dropped midway: -1
 *     }
 *
 * The child's state lies inside the parent's and is polled in place: no task, no allocation. When
 * the timeout wins, the child's state has an operation in flight; tmlrt_ops_drain cancels and
 * acknowledges it, and only then may the state be dropped and its memory be used again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <tmlrt.h>

static void check(int64_t r, const char *what) {
    if (r >= 0) return;
    fprintf(stderr, "inline_child: %s: %s\n", what, tmlrt_strerror((int)r));
    exit(1);
}

/* The child: resume points 0 (entry) and 1 (in the sleep). */
typedef struct {
    uint32_t   resume;
    int32_t    naps, i;
    int64_t    ns;
    int       *drops; /* stands for what a real child would free */
    tmlrt_op_t sleep;
} child_t;

static void child_init(child_t *c, int32_t naps, int64_t ns, int *drops) {
    static const tmlrt_op_t op_init = TMLRT_OP_INIT;
    c->resume = 0;
    c->naps = naps;
    c->i = 0;
    c->ns = ns;
    c->drops = drops;
    c->sleep = op_init;
}

static int32_t child_poll(void *state, tmlrt_cx_t *cx, void *result) {
    child_t *c = state;
    for (;;) {
        switch (c->resume) {
        case 0:
            if (c->i == c->naps) {
                *(int *)result = c->naps;
                return TMLRT_READY;
            }
            tmlrt_op_sleep(&c->sleep, NULL, c->ns);
            c->resume = 1;
            break;
        default:
            if (tmlrt_op_poll(&c->sleep, cx) == TMLRT_PENDING) return TMLRT_PENDING;
            c->i++;
            c->resume = 0;
            break;
        }
    }
}

static void child_drop(void *state) {
    ++*((child_t *)state)->drops;
}

/* The parent: one timeout block, run twice. */
enum { ENTER, RACE, DRAIN_TIMER, DRAIN_CHILD, LEAVE };

typedef struct {
    uint32_t   resume;
    int        round;
    int        value[2];
    int        drops;
    tmlrt_op_t timer;
    child_t    child;
} parent_t;

typedef struct {
    int value[2];
    int drops;
} outcome_t;

static int32_t parent_poll(void *state, tmlrt_cx_t *cx, void *result) {
    parent_t *p = state;
    for (;;) {
        switch (p->resume) {
        case ENTER:
            if (p->round == 0) {
                child_init(&p->child, 3, TMLRT_MS, &p->drops);
                tmlrt_op_sleep(&p->timer, NULL, 5 * TMLRT_S);
            } else {
                child_init(&p->child, 1, 30 * TMLRT_S, &p->drops);
                tmlrt_op_sleep(&p->timer, NULL, 10 * TMLRT_MS);
            }
            p->resume = RACE;
            break;
        case RACE:
            if (child_poll(&p->child, cx, &p->value[p->round]) == TMLRT_READY)
                p->resume = DRAIN_TIMER;
            else if (tmlrt_op_poll(&p->timer, cx) == TMLRT_READY)
                p->resume = DRAIN_CHILD;
            else
                return TMLRT_PENDING;
            break;
        case DRAIN_TIMER: /* the child won */
            if (tmlrt_ops_drain(cx, &p->timer, sizeof p->timer) == TMLRT_PENDING)
                return TMLRT_PENDING;
            p->resume = LEAVE;
            break;
        case DRAIN_CHILD: /* the timeout won: the child is midway */
            if (tmlrt_ops_drain(cx, &p->child, sizeof p->child) == TMLRT_PENDING)
                return TMLRT_PENDING;
            p->value[p->round] = -1;
            p->resume = LEAVE;
            break;
        default: /* LEAVE */
            child_drop(&p->child);
            if (++p->round == 2) {
                outcome_t *out = result;
                out->value[0] = p->value[0];
                out->value[1] = p->value[1];
                out->drops = p->drops;
                return TMLRT_READY;
            }
            p->resume = ENTER;
            break;
        }
    }
}

/* Aborted in the middle, the child is dropped with the parent; its operations have ended by then,
 * for the runtime ends all that lie in the state of a task. */
static void parent_drop(void *state) {
    parent_t *p = state;
    if (p->resume != ENTER && p->resume != LEAVE) child_drop(&p->child);
}

static const tmlrt_task_type_t parent_type = {
    .struct_size = sizeof(tmlrt_task_type_t),
    .name = "parent",
    .state_size = sizeof(parent_t),
    .state_align = _Alignof(parent_t),
    .result_size = sizeof(outcome_t),
    .result_align = _Alignof(outcome_t),
    .poll = parent_poll,
    .drop = parent_drop,
};

int main(void) {
    tmlrt_runtime_t *rt = NULL;
    parent_t         parent = {0};
    outcome_t        out = {{0, 0}, 0};

    check(tmlrt_runtime_create(&rt, NULL), "create");
    check(tmlrt_runtime_block_on(rt, &parent_type, &parent, NULL, &out), "block_on");
    check(tmlrt_runtime_destroy(rt), "destroy");

    printf("inline_child: in time: %d; timed out: %d; %d children dropped\n", out.value[0],
           out.value[1], out.drops);
    return out.value[0] == 3 && out.value[1] == -1 && out.drops == 2 ? 0 : 1;
}
