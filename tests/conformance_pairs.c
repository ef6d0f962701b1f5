/* SPDX-License-Identifier: MIT */
/*
 * conformance_pairs.c: any and all over every pair of kinds of wait, on every backend: the first is
 * ready first, the second is, both are cancelled, both have deadlines; polled and awaited. After
 * each the books of both kinds must be right (support/kinds.h): a loser has taken nothing, and both
 * objects are still of use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/conformance.h"
#include "support/kinds.h"
#include "support/net.h"
#include "support/random.h"
#include "support/threads.h"

enum { FIRST_READY, SECOND_READY, CANCELLED, DEADLINES, CASES };
static const char *const case_name[CASES] = {"the first ready", "the second ready", "cancelled",
                                             "with deadlines"};

typedef struct pair {
    thing_t     thing[2];
    tmlrt_op_t  set;
    tmlrt_op_t *ops[2];
    bool        all;
    int         which; /* case */
} pair_t;

static tmlrt_op_t *op_of(pair_t *p, int i) {
    return &p->thing[i].op[FIRST][0];
}

/* Polls the set and lets `first` go on, and the other one too where all are wanted, until it is
 * ready. */
static void let_go_on(pair_t *p, int first) {
    for (int turn = 0; start(&p->set) == 1; turn++) {
        int other = turn > 0 && p->all;
        thing_give(&p->thing[other ? 1 - first : first]);
        if (other) thing_give(&p->thing[first]); /* it may take more than one */
        drive(p->thing[0].rt);
        (void)sched_yield();
    }
}

static void check_result(pair_t *p) {
    int64_t result = tmlrt_op_result(&p->set);
    if (p->which == CANCELLED && result == TMLRT_ECANCELED) return;
    require(p->all ? result == TMLRT_OK : result == 0 || result == 1);
    for (int i = 0; i < 2; i++) {
        int64_t own = tmlrt_op_result(op_of(p, i));
        bool    won = p->all || result == i;
        /* It is ready by itself, or by its deadline, but not by a cancel. */
        if (won && p->which != CANCELLED) require(own != TMLRT_ECANCELED);
        if (own == TMLRT_ETIMEDOUT) require(p->which == DEADLINES);
    }
}

static void one_pair(tmlrt_runtime_t *rt, const kind_t *a, const kind_t *b, bool all, int which) {
    static pair_t pair;
    pair_t       *p = &pair;
    p->all = all;
    p->which = which;
    thing_open(&p->thing[0], a, rt);
    thing_open(&p->thing[1], b, rt);
    for (int i = 0; i < 2; i++) {
        thing_prepare(&p->thing[i], FIRST);
        p->ops[i] = op_of(p, i);
        if (which == DEADLINES) tmlrt_op_deadline(p->ops[i], tmlrt_now(rt));
    }
    p->set = (tmlrt_op_t)TMLRT_OP_INIT;
    if (all)
        tmlrt_op_all(&p->set, p->ops, 2);
    else
        tmlrt_op_any(&p->set, p->ops, 2);
    switch (which) {
    case FIRST_READY:
    case SECOND_READY: let_go_on(p, which == SECOND_READY); break;
    case CANCELLED:
        start(&p->set);
        require(tmlrt_op_cancel(&p->set) == TMLRT_OK);
        finish(&p->set);
        break;
    default: finish(&p->set);
    }
    check_result(p);
    for (int i = 0; i < 2; i++)
        thing_ended(&p->thing[i], FIRST);
    for (int i = 0; i < 2; i++)
        thing_close(&p->thing[i]);
}

/* On a current-thread runtime every pair; elsewhere a part of them, another one each time. */
static bool chosen(random_t *r) {
    uint32_t share = reactor_is_current_thread() ? 1 : 4;
    return random_below(r, share * (uint32_t)(getenv("TMLRT_TEST_SCALE") != NULL ? 8 : 1)) == 0;
}

static void any_and_all_over_every_pair_of_kinds(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = reactor_runtime();
    random_t         random;
    int              runs = 0;
    bool             verbose = getenv("TMLRT_TEST_VERBOSE") != NULL;
    random_seed(&random, test_seed());
    for (int a = 0; a < kinds_count; a++)
        for (int b = 0; b < kinds_count; b++)
            for (int all = 0; all < 2; all++)
                for (int which = 0; which < CASES; which++) {
                    if (!chosen(&random)) continue;
                    if (verbose)
                        fprintf(stderr, "%s of %s and %s, %s\n", all ? "all" : "any", kinds[a].name,
                                kinds[b].name, case_name[which]);
                    one_pair(rt, &kinds[a], &kinds[b], all != 0, which);
                    runs++;
                }
    printf("%d kinds, %d runs\n", kinds_count, runs);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_and_all_over_every_pair_of_kinds),
    };
    RUN_ON_EACH_REACTOR(tests);
}
