/* SPDX-License-Identifier: MIT */
/*
 * internal_reactors.c: see reactors.h. The simulation is in the test build of the library alone.
 */
#include "reactors.h"

#include "net.h"

#define SIM 100 /* TMLRT__REACTOR_SIM */

static const struct kind {
    const char *name;
    uint32_t    reactor, flavor, workers;
} kinds[] = {
#if defined(_WIN32)
    {"iocp, current thread", TMLRT_REACTOR_IOCP, TMLRT_FLAVOR_CURRENT_THREAD, 0},
    {"iocp, two workers", TMLRT_REACTOR_IOCP, TMLRT_FLAVOR_MULTI_THREAD, 2},
#else
#if !defined(__linux__) || defined(TMLRT_KQUEUE_SHIM)
    {"kqueue, current thread", TMLRT_REACTOR_KQUEUE, TMLRT_FLAVOR_CURRENT_THREAD, 0},
    {"kqueue, two workers", TMLRT_REACTOR_KQUEUE, TMLRT_FLAVOR_MULTI_THREAD, 2},
#endif
#if defined(__linux__)
    {"epoll, current thread", TMLRT_REACTOR_EPOLL, TMLRT_FLAVOR_CURRENT_THREAD, 0},
    {"epoll, two workers", TMLRT_REACTOR_EPOLL, TMLRT_FLAVOR_MULTI_THREAD, 2},
#endif
    {"sim, current thread", SIM, TMLRT_FLAVOR_CURRENT_THREAD, 0},
    {"sim, two workers", SIM, TMLRT_FLAVOR_MULTI_THREAD, 2},
#endif
};

static int current = -1;

bool reactor_next(void) {
    if (++current >= (int)(sizeof kinds / sizeof *kinds)) return false;
    printf("[ REACTOR  ] %s\n", reactor_name());
    return true;
}

const char *reactor_name(void) {
    return kinds[current].name;
}

bool reactor_is_sim(void) {
    return kinds[current].reactor == SIM;
}

bool reactor_is_current_thread(void) {
    return kinds[current].flavor == TMLRT_FLAVOR_CURRENT_THREAD;
}

tmlrt_runtime_t *reactor_runtime(void) {
    return reactor_runtime_on(NULL);
}

tmlrt_runtime_t *reactor_runtime_on(const tmlrt_allocator_t *allocator) {
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_runtime_t *rt = NULL;
    config.allocator = allocator;
    config.reactor = kinds[current].reactor;
    config.flavor = kinds[current].flavor;
    config.workers = kinds[current].workers;
    require(tmlrt_runtime_create(&rt, &config) == TMLRT_OK);
    return rt;
}

typedef struct reading {
    int    fd;
    void  *data;
    size_t size;
} reading_t;

static void read_all(void *arg, int i) {
    reading_t *r = arg;
    (void)i;
    require(raw_recv(r->fd, r->data, r->size) == r->size);
    free(r);
}

crew_t *peer_reads(int fd, void *data, size_t size) {
    reading_t *r = malloc(sizeof *r);
    require(r != NULL);
    *r = (reading_t){fd, data, size};
    return crew_start(1, read_all, r);
}
