/* SPDX-License-Identifier: MIT */
/*
 * threads.c: see threads.h.
 */
#include "threads.h"

#include <pthread.h>

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t  all_here;
    int             n, here;
    void (*fn)(void *arg, int i);
    void *arg;
    struct member {
        crew_t   *crew;
        int       i;
        pthread_t thread;
    } member[];
};

static void *crew__main(void *arg) {
    struct member *m = arg;
    crew_t        *crew = m->crew;
    pthread_mutex_lock(&crew->lock);
    if (++crew->here == crew->n) pthread_cond_broadcast(&crew->all_here);
    while (crew->here < crew->n)
        pthread_cond_wait(&crew->all_here, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
    crew->fn(crew->arg, m->i);
    return NULL;
}

crew_t *crew_start(int n, void (*fn)(void *arg, int i), void *arg) {
    crew_t *crew = calloc(1, sizeof *crew + (size_t)n * sizeof crew->member[0]);
    require(crew != NULL);
    require(pthread_mutex_init(&crew->lock, NULL) == 0);
    require(pthread_cond_init(&crew->all_here, NULL) == 0);
    crew->n = n;
    crew->fn = fn;
    crew->arg = arg;
    for (int i = 0; i < n; i++) {
        struct member *m = &crew->member[i];
        m->crew = crew;
        m->i = i;
        require(pthread_create(&m->thread, NULL, crew__main, m) == 0);
    }
    return crew;
}

void crew_join(crew_t *crew) {
    for (int i = 0; i < crew->n; i++)
        require(pthread_join(crew->member[i].thread, NULL) == 0);
    pthread_cond_destroy(&crew->all_here);
    pthread_mutex_destroy(&crew->lock);
    free(crew);
}

void on_threads(int n, void (*fn)(void *arg, int i), void *arg) {
    crew_join(crew_start(n, fn, arg));
}
