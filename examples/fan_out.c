/* SPDX-License-Identifier: MIT */
/*
 * fan_out.c: a crawler that has no network: each page is fetched by a fiber of its own, links lead
 * to more pages, a semaphore lets 8 fetch at a time, each fetch has a deadline, and so has the whole
 * crawl. All pages are children of one scope: with enough pages one of them cancels it, and the join
 * returns when the last of them has ended. A fetch is a sleep whose length depends on the page.
 *
 * Every permit is given back whatever happens, and the program checks that.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <tmlrt.h>

enum { AT_ONCE = 8, ENOUGH = 60 };

static struct {
    tmlrt_semaphore_t slots;
    atomic_int        fetched, late, cancelled;
} crawler = {.slots = TMLRT_SYNC_INIT};

static void check(int e, const char *what) {
    if (e == TMLRT_OK) return;
    fprintf(stderr, "fan_out: %s: %s\n", what, tmlrt_strerror(e));
    exit(1);
}

/* Stands in for a request: some pages are slow. */
static int fetch(intptr_t page, int64_t deadline) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    check(tmlrt_op_sleep(&op, NULL, (page % 10 == 0 ? 200 : 1) * TMLRT_MS), "sleep");
    check(tmlrt_op_deadline(&op, deadline), "deadline");
    check(tmlrt_op_await(&op), "await");
    return (int)tmlrt_op_result(&op);
}

static void *visit(void *arg);

static void start(tmlrt_scope_t *scope, intptr_t page) {
    tmlrt_task_options_t child = TMLRT_TASK_OPTIONS_INIT;
    child.scope = scope;
    child.name = "page";
    int e = tmlrt_go(NULL, visit, (void *)page, &child, NULL);
    if (e != TMLRT_ECANCELED) check(e, "go"); /* enough by now: there will be no more */
}

static void *visit(void *arg) {
    intptr_t page = (intptr_t)arg;
    int      result = tmlrt_semaphore_acquire(&crawler.slots, 1);
    if (result == TMLRT_OK) {
        result = fetch(page, tmlrt_now(NULL) + 20 * TMLRT_MS);
        check(tmlrt_semaphore_release(&crawler.slots, 1), "release");
    }
    if (result == TMLRT_ETIMEDOUT) crawler.late++;
    if (result == TMLRT_ECANCELED) crawler.cancelled++;
    if (result != TMLRT_OK) return NULL;
    if (++crawler.fetched >= ENOUGH) {
        tmlrt_scope_cancel(NULL); /* ours; TMLRT_EALREADY: somebody else did */
    } else {
        start(tmlrt_scope_current(), 2 * page + 1); /* its links */
        start(tmlrt_scope_current(), 2 * page + 2);
    }
    return NULL;
}

/* The root: crawls until there are enough pages, no more links, or ten seconds over. */
static void *crawl(void *arg) {
    tmlrt_scope_t scope = TMLRT_SCOPE_INIT;
    check(tmlrt_scope_open(&scope, NULL, tmlrt_now(NULL) + 10 * TMLRT_S), "open");
    start(&scope, 1);
    *(int *)arg = tmlrt_scope_join(&scope); /* nobody is left behind */
    return NULL;
}

int main(void) {
    tmlrt_runtime_t *rt = NULL;
    tmlrt_task_t    *root;
    int              end;
    check(tmlrt_runtime_create(&rt, NULL), "create");
    check(tmlrt_semaphore_init(&crawler.slots, AT_ONCE), "semaphore");
    check(tmlrt_go(rt, crawl, &end, NULL, &root), "go");
    check(tmlrt_join(root, NULL), "join");
    tmlrt_task_release(root);
    check(tmlrt_runtime_destroy(rt), "destroy");
    printf("fan_out: %d pages fetched, %d too late, %d cancelled; the crawl ended by: %s\n",
           crawler.fetched, crawler.late, crawler.cancelled, tmlrt_strerror(end));
    return end == TMLRT_ECANCELED && crawler.fetched >= ENOUGH &&
                   tmlrt_semaphore_permits(&crawler.slots) == AT_ONCE
               ? 0
               : 1;
}
