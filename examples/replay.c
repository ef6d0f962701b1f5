/* SPDX-License-Identifier: MIT */
/*
 * replay.c: finding a race and playing it again. Two fibers reserve the last seat: each looks
 * whether one is free, pays, and takes it. In a plain run the payment never lets another come
 * between, so that every test passes. A replayed runtime draws the order of everything from its
 * seed: the program tries seeds until one shows the mistake, and plays that one again, with the
 * same trace. TMLRT_SEED=n plays seed n alone.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tmlrt.h>

typedef struct show {
    int               seats;
    tmlrt_semaphore_t payments; /* so many at a time */
} show_t;

static void *reserve(void *arg) {
    show_t *show = arg;
    if (show->seats > 0) {
        tmlrt_semaphore_acquire(&show->payments, 1); /* others may run from here on */
        tmlrt_semaphore_release(&show->payments, 1);
        show->seats--;
    }
    return NULL;
}

/* Plays one seed (0: that of the environment); the number of seats at the end. */
static int play(uint64_t seed, tmlrt_replay_t *trace) {
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_runtime_t *rt;
    show_t           show;
    memset(&show, 0, sizeof show);
    show.seats = 1;
    tmlrt_semaphore_init(&show.payments, 10);
    config.flavor = TMLRT_FLAVOR_CURRENT_THREAD;
    config.clock = TMLRT_CLOCK_VIRTUAL;
    config.seed = seed;
    *trace = (tmlrt_replay_t)TMLRT_REPLAY_INIT;
    if (tmlrt_runtime_create(&rt, &config) != TMLRT_OK) exit(1);
    for (int i = 0; i < 2; i++)
        if (tmlrt_go(rt, reserve, &show, NULL, NULL) != TMLRT_OK) exit(1);
    if (tmlrt_runtime_shutdown(rt, TMLRT_NEVER, NULL) != TMLRT_OK) exit(1);
    if (tmlrt_runtime_replay(rt, trace) != TMLRT_OK) exit(1);
    tmlrt_runtime_destroy(rt);
    return show.seats;
}

int main(void) {
    tmlrt_replay_t first, again;
    uint64_t       seed = 0;
    if (getenv("TMLRT_SEED") == NULL) do
            seed++;
        while (seed <= 1000 && play(seed, &first) == 0);
    if (seed > 1000) return 1;
    int seats = play(seed, &first);
    printf("replay: seed %" PRIu64 " ends with %d seats after %" PRIu64 " steps\n", first.seed,
           seats, first.steps);
    if (play(first.seed, &again) != seats || again.hash != first.hash) return 1;
    printf("replay: and again, with the same trace\n");
    return 0;
}
