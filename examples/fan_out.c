/* SPDX-License-Identifier: MIT */
/*
 * fan_out.c: a crawler that has no network: each page is fetched by a fiber of its own, links lead
 * to more pages, a semaphore lets 8 fetch at a time, each fetch has a deadline, and after enough
 * pages the rest is cancelled. A fetch is a sleep whose length depends on the page.
 *
 * Every permit is given back whatever happens, and the program checks that.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <tmlrt.h>

enum { AT_ONCE = 8, ENOUGH = 60, MOST = 400 };

typedef struct {
    tmlrt_semaphore_t  slots;
    tmlrt_mutex_t      lock; /* of the rest */
    tmlrt_task_t      *task[MOST];
    int                started, fetched, late, cancelled;
    tmlrt_wait_group_t running;
    tmlrt_notify_t     enough;
} crawler_t;

static crawler_t crawler = {.slots = TMLRT_SYNC_INIT,
                            .lock = TMLRT_SYNC_INIT,
                            .running = TMLRT_SYNC_INIT,
                            .enough = TMLRT_NOTIFY_INIT};

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

/* Under the lock. */
static void start(intptr_t page) {
    if (crawler.started == MOST) return;
    check(tmlrt_wait_group_add(&crawler.running, 1), "add");
    check(tmlrt_go(NULL, visit, (void *)page, NULL, &crawler.task[crawler.started]), "go");
    crawler.started++;
}

static void count(intptr_t page, int result) {
    check(tmlrt_mutex_lock(&crawler.lock), "lock"); /* also while we are being cancelled */
    if (result == TMLRT_OK) {
        crawler.fetched++;
        start(2 * page + 1); /* its links */
        start(2 * page + 2);
    }
    crawler.late += result == TMLRT_ETIMEDOUT;
    crawler.cancelled += result == TMLRT_ECANCELED;
    if (crawler.fetched == ENOUGH) tmlrt_notify_one(&crawler.enough);
    check(tmlrt_mutex_unlock(&crawler.lock), "unlock");
}

static void *visit(void *arg) {
    intptr_t page = (intptr_t)arg;
    int      result = tmlrt_semaphore_acquire(&crawler.slots, 1);
    if (result == TMLRT_OK) {
        result = fetch(page, tmlrt_now(NULL) + 20 * TMLRT_MS);
        check(tmlrt_semaphore_release(&crawler.slots, 1), "release");
    }
    count(page, result);
    check(tmlrt_wait_group_done(&crawler.running), "done");
    return NULL;
}

/* The root: crawls until there are enough pages or no more links. */
static void *crawl(void *arg) {
    (void)arg;
    tmlrt_op_t  enough = TMLRT_OP_INIT, all = TMLRT_OP_INIT, any = TMLRT_OP_INIT;
    tmlrt_op_t *ops[] = {&enough, &all};
    check(tmlrt_mutex_lock(&crawler.lock), "lock");
    start(1);
    check(tmlrt_mutex_unlock(&crawler.lock), "unlock");
    check(tmlrt_op_notified(&enough, &crawler.enough), "notified");
    check(tmlrt_op_wait_group(&all, &crawler.running), "wait group");
    check(tmlrt_op_any(&any, ops, 2), "any");
    check(tmlrt_op_await(&any), "await");

    check(tmlrt_mutex_lock(&crawler.lock), "lock");
    for (int i = 0; i < crawler.started; i++)
        tmlrt_task_abort(crawler.task[i]); /* TMLRT_EALREADY: it has ended */
    crawler.started = MOST;                /* no more */
    check(tmlrt_mutex_unlock(&crawler.lock), "unlock");
    return NULL;
}

int main(void) {
    tmlrt_runtime_t *rt = NULL;
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_task_t    *root;
    check(tmlrt_runtime_create(&rt, &config), "create");
    check(tmlrt_semaphore_init(&crawler.slots, AT_ONCE), "semaphore");
    check(tmlrt_go(rt, crawl, NULL, NULL, &root), "go");
    check(tmlrt_join(root, NULL), "join");
    tmlrt_task_release(root);
    for (int i = 0; i < MOST && crawler.task[i] != NULL; i++) {
        tmlrt_join(crawler.task[i], NULL);
        tmlrt_task_release(crawler.task[i]);
    }
    check(tmlrt_runtime_destroy(rt), "destroy");
    printf("fan_out: %d pages fetched, %d too late, %d cancelled\n", crawler.fetched, crawler.late,
           crawler.cancelled);
    return crawler.fetched >= ENOUGH && tmlrt_semaphore_permits(&crawler.slots) == AT_ONCE ? 0 : 1;
}
