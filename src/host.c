/* SPDX-License-Identifier: MIT */
/*
 * host.c: the record of what a thread runs, and the two questions that every public call asks.
 */
#include "host.h"

#include "os.h"

_Thread_local tmlrt__current_t tmlrt__current_record;

bool tmlrt__host_forked(const tmlrt__host_t *host) {
    return host->fork_generation != tmlrt__load_relaxed(&tmlrt__fork_generation);
}

bool tmlrt__host_is_foreign(const tmlrt__host_t *host) {
    return host->chance != NULL && host->owner != tmlrt__thread_self();
}

tmlrt__host_t *tmlrt__host_owned(void) {
    tmlrt__host_t *h = tmlrt__current()->owned;
    while (h != NULL && tmlrt__host_forked(h))
        h = h->owned_before;
    return h;
}

tmlrt__host_t *tmlrt__host_or_current(tmlrt__host_t *host) {
    return host != NULL ? host : tmlrt__current()->host;
}
