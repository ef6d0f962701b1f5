/* SPDX-License-Identifier: MIT */
// sources:
// tags: DEF-1
/*
 * model_default.cpp: the shipping word of the default runtime under Relacy: three threads want it,
 * the first maker fails. One is made, everybody gets that one and sees what its maker wrote; nobody
 * sleeps for ever.
 */
#include "default_word.h"

#include "model_common.h"

enum { GENERATION = 7 };

struct three_want_one : rl::test_suite<three_want_one, 3> {
    tmlrt__default_word_t d;
    model_waiters         sleepers;
    tmlrt__atomic_u32     attempts, made;
    TMLRT__VAR(int) contents[3];

    void before() {
        tmlrt__store_relaxed(&d.word, 2); /* made, in another generation */
        tmlrt__store_relaxed(&d.rt, NULL);
        tmlrt__store_relaxed(&attempts, 0);
        tmlrt__store_relaxed(&made, 0);
    }

    /* False: it could not be made, and is to be tried again. */
    bool make(unsigned i) {
        void *rt = NULL;
        if (tmlrt__fetch_add_relaxed(&attempts, 1) != 0) {
            RL_ASSERT(tmlrt__fetch_add_relaxed(&made, 1) == 0);
            tmlrt__var_set(&contents[i], 42);
            rt = &contents[i];
        }
        tmlrt__default_publish(&d, GENERATION, rt);
        sleepers.wake_all();
        return rt != NULL;
    }

    void thread(unsigned i) {
        for (;;) {
            void    *rt = NULL;
            uint32_t seen;
            uint32_t state = tmlrt__default_look(&d, GENERATION, &rt, &seen);
            if (state == TMLRT__DEFAULT_MADE) {
                RL_ASSERT(tmlrt__var_get((TMLRT__VAR(int) *)rt) == 42);
                return;
            }
            if (state == TMLRT__DEFAULT_MAKING)
                model_futex_wait(&sleepers, &d.word, seen);
            else if (make(i))
                return;
        }
    }
};

int main(int argc, char **argv) {
    return holds<three_want_one>(model_iterations(argc, argv)) ? 0 : 1;
}
