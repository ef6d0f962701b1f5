/* SPDX-License-Identifier: MIT */
/*
 * default.c: see default.h and, for who makes it, default_word.h.
 */
#include "default.h"

#include "default_word.h"
#include "os.h"

static tmlrt__default_word_t the_default;

static uint32_t default__generation(void) {
    return tmlrt__load_relaxed(&tmlrt__fork_generation);
}

/* `fresh`: one that is there already is TMLRT_EALREADY. */
static int default__get(const tmlrt_config_t *config, bool fresh, tmlrt_runtime_t **rt) {
    int e = tmlrt__fork_watch(); /* before the generation is looked at */
    if (e != TMLRT_OK) return e;
    for (;;) {
        void    *there = NULL;
        uint32_t seen, generation = default__generation();
        switch (tmlrt__default_look(&the_default, generation, &there, &seen)) {
        case TMLRT__DEFAULT_MADE:
            if (fresh) return TMLRT_EALREADY;
            *rt = there;
            return TMLRT_OK;
        case TMLRT__DEFAULT_MAKING: tmlrt__futex_wait(&the_default.word, seen, -1); break;
        default:
            e = tmlrt_runtime_create(rt, config);
            tmlrt__default_publish(&the_default, generation, e == TMLRT_OK ? *rt : NULL);
            tmlrt__futex_wake(&the_default.word, UINT32_MAX);
            return e;
        }
    }
}

int tmlrt__default_make(const tmlrt_config_t *config, tmlrt_runtime_t **rt) {
    return default__get(config, true, rt);
}

void tmlrt__default_forget(const tmlrt_runtime_t *rt) {
    tmlrt__default_take_out(&the_default, default__generation(), rt);
}

int tmlrt_runtime_default(tmlrt_runtime_t **rt) {
    return rt != NULL ? default__get(NULL, false, rt) : TMLRT_EINVAL;
}
