/* SPDX-License-Identifier: MIT */
/*
 * reactor.c: which reactor a driver gets, and who may reap it.
 */
#include "reactor.h"

#include <stdlib.h>
#include <string.h>

#include <tmlrt/runtime.h>

#include "epoll.h"
#include "iocp.h"
#include "kqueue.h"
#include "sim.h"
#include "simulated.h"
#include "source.h"

/* Best first. The simulations are taken only when they are asked for. */
static const tmlrt__reactor_class_t *const reactor__candidates[] = {
#if TMLRT__HAS_KQUEUE
    &tmlrt__reactor_kqueue,
#endif
#if defined(__linux__)
    &tmlrt__reactor_epoll,  &tmlrt__reactor_simulated,
#endif
#if defined(_WIN32)
    &tmlrt__reactor_iocp,
#endif
#if defined(TMLRT_TEST_BACKENDS) && !defined(_WIN32)
    &tmlrt__reactor_sim,
#endif
};

#define REACTOR__CANDIDATES (sizeof reactor__candidates / sizeof *reactor__candidates)

/* ---- the token ------------------------------------------------------------------------------ */

bool tmlrt__driver_try_enter(tmlrt__driver_t *d) {
    if (tmlrt__load_relaxed(&d->token) != 0) return false;
    /* acquire: observes what the last holder did to the driver; pairs [DRV-1] */
    return tmlrt__swap_acquire(&d->token, 1) == 0;
}

void tmlrt__driver_leave(tmlrt__driver_t *d) {
    /* release: publishes what this holder did; pairs [DRV-1] */
    tmlrt__store_release(&d->token, 0);
}

int64_t tmlrt__driver_due(tmlrt__driver_t *d) {
    return d->cls->due != NULL ? d->cls->due(d) : INT64_MAX;
}

/* ---- the choice ----------------------------------------------------------------------------- */

static uint32_t reactor__asked(uint32_t kind) {
#if defined(TMLRT_TEST_BACKENDS) && !defined(_WIN32)
    const char *test = getenv("TMLRT_TEST_REACTOR");
    if (kind == TMLRT_REACTOR_AUTO && test != NULL && strcmp(test, "sim") == 0)
        return TMLRT__REACTOR_SIM;
#endif
    return kind;
}

static bool reactor__fits(const tmlrt__reactor_class_t *cls, uint32_t kind) {
    if (kind != TMLRT_REACTOR_AUTO) return cls->id == kind;
    return cls->id != TMLRT__REACTOR_SIM && cls->id != TMLRT_REACTOR_SIMULATED;
}

/* Makes the driver and gives it its table. */
static int reactor__make(tmlrt__driver_t **out, const tmlrt__reactor_class_t *cls,
                         tmlrt__host_t *host, uint32_t index) {
    tmlrt__driver_t *d;
    int              e = cls->create(&d, host, index);
    if (e != TMLRT_OK) return e;
    e = tmlrt__source_table_create(&d->table, d);
    if (e != TMLRT_OK) {
        cls->destroy(d, false);
        return e;
    }
    *out = d;
    return TMLRT_OK;
}

int tmlrt__driver_create(tmlrt__driver_t **out, uint32_t kind, tmlrt__host_t *host,
                         uint32_t index) {
    uint32_t asked = reactor__asked(kind);
    int      e = TMLRT_ENOTSUP;
    for (size_t i = 0; i < REACTOR__CANDIDATES && e == TMLRT_ENOTSUP; i++)
        if (reactor__fits(reactor__candidates[i], asked))
            e = reactor__make(out, reactor__candidates[i], host, index);
    /* A number that is no reactor's at all. */
    return e == TMLRT_ENOTSUP && asked > TMLRT_REACTOR_SIMULATED ? TMLRT_EINVAL : e;
}

void tmlrt__driver_destroy(tmlrt__driver_t *d, bool forked) {
    tmlrt__source_table_t *t = d->table;
    if (!forked) tmlrt__source_table_orphan(t);
    d->cls->destroy(d, forked);
    if (!forked) tmlrt__source_table_unref(t);
}
