/* SPDX-License-Identifier: MIT */
/*
 * pipeline.c: three stages of fibers, joined by channels: one numbers the lines, three compute in
 * parallel, one adds up. A full channel holds the faster stage back; closing the channel is how a
 * stage tells the next one that it is done.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <tmlrt.h>

enum { ITEMS = 10000, COMPUTERS = 3 };

typedef struct {
    tmlrt_chan_t      *numbers, *squares;
    tmlrt_wait_group_t computers; /* still at work */
} pipeline_t;

static void check(int e, const char *what) {
    if (e == TMLRT_OK) return;
    fprintf(stderr, "pipeline: %s: %s\n", what, tmlrt_strerror(e));
    exit(1);
}

static void *produce(void *arg) {
    pipeline_t *p = arg;
    for (int64_t i = 1; i <= ITEMS; i++)
        check(tmlrt_chan_send(p->numbers, &i), "send");
    check(tmlrt_chan_close(p->numbers), "close");
    return NULL;
}

static void *compute(void *arg) {
    pipeline_t *p = arg;
    int64_t     n;
    while (tmlrt_chan_recv(p->numbers, &n) == TMLRT_OK) {
        n *= n;
        check(tmlrt_chan_send(p->squares, &n), "send");
    }
    check(tmlrt_wait_group_done(&p->computers), "done");
    return NULL;
}

static void *close_when_computed(void *arg) {
    pipeline_t *p = arg;
    check(tmlrt_wait_group_wait(&p->computers), "wait");
    check(tmlrt_chan_close(p->squares), "close");
    return NULL;
}

int main(void) {
    pipeline_t       p = {.computers = TMLRT_SYNC_INIT};
    tmlrt_runtime_t *rt = NULL;
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    check(tmlrt_runtime_create(&rt, &config), "create");
    check(tmlrt_chan_create(&p.numbers, sizeof(int64_t), 64), "channel");
    check(tmlrt_chan_create(&p.squares, sizeof(int64_t), 64), "channel");
    check(tmlrt_wait_group_add(&p.computers, COMPUTERS), "add");

    check(tmlrt_go(rt, produce, &p, NULL, NULL), "go");
    for (int i = 0; i < COMPUTERS; i++)
        check(tmlrt_go(rt, compute, &p, NULL, NULL), "go");
    check(tmlrt_go(rt, close_when_computed, &p, NULL, NULL), "go");

    /* The last stage is this plain thread: the same calls block it. */
    int64_t square, sum = 0, n = ITEMS;
    while (tmlrt_chan_recv(p.squares, &square) == TMLRT_OK)
        sum += square;
    printf("pipeline: the squares of 1 to %d add up to %lld\n", ITEMS, (long long)sum);

    check(tmlrt_runtime_destroy(rt), "destroy");
    tmlrt_chan_release(p.numbers);
    tmlrt_chan_release(p.squares);
    return sum == n * (n + 1) * (2 * n + 1) / 6 ? 0 : 1;
}
