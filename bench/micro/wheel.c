/* SPDX-License-Identifier: MIT */
/* wheel.c: the timing wheel: add and remove, one and many, and expiry with its cascades. */
#include "wheel.h"

#include <stdlib.h>
#include <string.h>

#include "micro.h"

enum { BATCH = 1024, MANY = 100000 };

static int64_t soon(uint64_t *s) {
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return (int64_t)(*s % 1000 + 1) * 1000000;
}

static void add_remove(gbench_t *b, void *arg) {
    tmlrt__wheel_t w;
    tmlrt__timer_t t = {0};
    uint64_t       seed = 1;
    (void)arg;
    tmlrt__wheel_init(&w, 0);
    while (gbench_batch(b, BATCH))
        for (int i = 0; i < BATCH; i++) {
            t.when = soon(&seed);
            tmlrt__wheel_add(&w, &t);
            tmlrt__wheel_remove(&w, &t);
        }
}

/* MANY timers are in; an operation takes one out and puts it in elsewhere. */
static void restart_among_many(gbench_t *b, void *arg) {
    tmlrt__wheel_t  w;
    tmlrt__timer_t *t = calloc(MANY, sizeof *t);
    uint64_t        seed = 1;
    int             at = 0;
    (void)arg;
    if (t == NULL) return gbench_fail(b, "memory");
    tmlrt__wheel_init(&w, 0);
    for (int i = 0; i < MANY; i++) {
        t[i].when = soon(&seed);
        tmlrt__wheel_add(&w, &t[i]);
    }
    while (gbench_batch(b, BATCH))
        for (int i = 0; i < BATCH; i++) {
            tmlrt__wheel_remove(&w, &t[at]);
            t[at].when = soon(&seed);
            tmlrt__wheel_add(&w, &t[at]);
            at = at + 1 < MANY ? at + 1 : 0;
        }
    free(t);
}

/* MANY timers over a second, added and expired tick by tick. */
static void add_expire(gbench_t *b, void *arg) {
    tmlrt__wheel_t  w;
    tmlrt__timer_t *t = calloc(MANY, sizeof *t);
    uint64_t        seed = 1;
    int64_t         now = 0;
    (void)arg;
    if (t == NULL) return gbench_fail(b, "memory");
    tmlrt__wheel_init(&w, 0);
    while (gbench_batch(b, MANY)) {
        for (int i = 0; i < MANY; i++) {
            t[i].when = now + soon(&seed);
            tmlrt__wheel_add(&w, &t[i]);
        }
        while (tmlrt__wheel_count(&w) != 0) {
            now += TMLRT__WHEEL_TICK_NS;
            GBENCH_USE(tmlrt__wheel_expire(&w, now, SIZE_MAX));
            /* What was handed out is unlinked. */
        }
    }
    free(t);
}

void micro_wheel(void) {
    gbench_add("wheel/add_remove", add_remove, NULL);
    gbench_add("wheel/restart_among_100000", restart_among_many, NULL);
    gbench_add("wheel/add_expire", add_expire, NULL);
}
