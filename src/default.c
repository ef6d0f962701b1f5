/* SPDX-License-Identifier: MIT */
/*
 * default.c: see default.h. One word says whether it is there; who turns it from NONE to MAKING makes
 * the runtime, the others sleep on the word. The word carries the fork generation, so that a child
 * sees NONE whatever its parent was doing.
 */
#include "default.h"

#include "os.h"

enum { DEFAULT__NONE, DEFAULT__MAKING, DEFAULT__MADE, DEFAULT__STATES };

static struct {
    tmlrt__atomic_u32 word; /* DEFAULT__*, plus DEFAULT__STATES times the fork generation */
    tmlrt_runtime_t  *rt;   /* written while MAKING, read while MADE */
} the_default;

static uint32_t default__word(uint32_t state) {
    return DEFAULT__STATES * tmlrt__load_relaxed(&tmlrt__fork_generation) + state;
}

static int default__create(const tmlrt_config_t *config, tmlrt_runtime_t **rt) {
    int e = tmlrt_runtime_create(rt, config);
    if (e == TMLRT_OK) the_default.rt = *rt;
    /* release: publishes the runtime and its pointer to whoever sees MADE in default__get */
    tmlrt__store_release(&the_default.word,
                         default__word(e == TMLRT_OK ? DEFAULT__MADE : DEFAULT__NONE));
    tmlrt__futex_wake(&the_default.word, UINT32_MAX);
    return e;
}

/* `fresh`: one that is there already is TMLRT_EALREADY. */
static int default__get(const tmlrt_config_t *config, bool fresh, tmlrt_runtime_t **rt) {
    int e = tmlrt__fork_watch(); /* before the generation is looked at */
    if (e != TMLRT_OK) return e;
    for (;;) {
        /* acquire: observes what the maker wrote before MADE */
        uint32_t w = tmlrt__load_acquire(&the_default.word);
        if (w == default__word(DEFAULT__MADE)) {
            if (fresh) return TMLRT_EALREADY;
            *rt = the_default.rt;
            return TMLRT_OK;
        }
        if (w == default__word(DEFAULT__MAKING))
            tmlrt__futex_wait(&the_default.word, w, -1);
        else if (tmlrt__cas_strong_acq_rel(&the_default.word, &w, default__word(DEFAULT__MAKING)))
            return default__create(config, rt);
    }
}

int tmlrt__default_make(const tmlrt_config_t *config, tmlrt_runtime_t **rt) {
    return default__get(config, true, rt);
}

void tmlrt__default_forget(const tmlrt_runtime_t *rt) {
    /* acquire, release: as in default__get and default__create */
    if (tmlrt__load_acquire(&the_default.word) != default__word(DEFAULT__MADE)) return;
    if (the_default.rt == rt) tmlrt__store_release(&the_default.word, default__word(DEFAULT__NONE));
}

int tmlrt_runtime_default(tmlrt_runtime_t **rt) {
    return rt != NULL ? default__get(NULL, false, rt) : TMLRT_EINVAL;
}
