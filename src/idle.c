/* SPDX-License-Identifier: MIT */
/*
 * idle.c: see idle.h for the protocol. The pairs: [ID-1] producer's fence and sleeper's fence.
 */
#include "idle.h"

static uint32_t idle__words(const tmlrt__idle_t *idle) {
    return (idle->workers + 63) / 64;
}

void tmlrt__idle_init(tmlrt__idle_t *idle, uint32_t workers) {
    idle->workers = workers;
    tmlrt__atomic_make(&idle->searching, 0);
    for (uint32_t i = 0; i < idle__words(idle); i++)
        tmlrt__atomic_make(&idle->parked[i], 0);
}

/* Takes one bit out of the set; NOBODY when it is empty. */
static uint32_t idle__claim(tmlrt__idle_t *idle) {
    for (uint32_t i = 0; i < idle__words(idle); i++) {
        uint64_t word = tmlrt__load_relaxed(&idle->parked[i]);
        while (word != 0) {
            uint64_t rest = word & (word - 1);
            /* The unpark that follows publishes the work; the claim itself orders nothing. */
            if (tmlrt__cas_weak_relaxed(&idle->parked[i], &word, rest)) {
                uint32_t bit = 0;
                for (uint64_t lowest = word ^ rest; lowest > 1; lowest >>= 1)
                    bit++;
                return i * 64 + bit;
            }
        }
    }
    return TMLRT__IDLE_NOBODY;
}

static bool idle__any_parked(tmlrt__idle_t *idle) {
    for (uint32_t i = 0; i < idle__words(idle); i++)
        if (tmlrt__load_relaxed(&idle->parked[i]) != 0) return true;
    return false;
}

uint32_t tmlrt__idle_notify(tmlrt__idle_t *idle, bool exact) {
    /* Full fence, pairs [ID-1]. Forbids that we miss a sleeper's bit (or its leaving the count)
     * while that sleeper misses the work we just made visible: it would sleep, with work there. */
    if (exact) tmlrt__fence_seq(); /* [ID-1] producer */
    for (;;) {
        if (tmlrt__load_relaxed(&idle->searching) != 0) return TMLRT__IDLE_NOBODY;
        if (!idle__any_parked(idle)) return TMLRT__IDLE_NOBODY;
        /* One producer counts the sleeper in; the others see a searcher. seq: in one order with
         * the fences, so that a search that ends later sees this producer's work [ID-1]. */
        uint32_t none = 0;
        if (!tmlrt__cas_strong_seq(&idle->searching, &none, 1)) return TMLRT__IDLE_NOBODY;
        uint32_t worker = idle__claim(idle);
        if (worker != TMLRT__IDLE_NOBODY) return worker;
        /* The sleeper has come back by itself. Another producer may have taken our count for a
         * searcher while that worker went to sleep again, so we look again in its place. */
        tmlrt__fetch_sub_seq(&idle->searching, 1);
        tmlrt__fence_seq(); /* [ID-1] claimer */
    }
}

bool tmlrt__idle_search_begin(tmlrt__idle_t *idle) {
    if (2 * tmlrt__load_relaxed(&idle->searching) >= idle->workers) return false;
    tmlrt__fetch_add_seq(&idle->searching, 1);
    return true;
}

void tmlrt__idle_search_again(tmlrt__idle_t *idle) {
    tmlrt__fetch_add_seq(&idle->searching, 1);
}

bool tmlrt__idle_search_end(tmlrt__idle_t *idle) {
    bool last = tmlrt__fetch_sub_seq(&idle->searching, 1) == 1;
    /* Full fence, pairs [ID-1]: a producer that saw us searching made its work visible before. */
    if (last) tmlrt__fence_seq(); /* [ID-1] searcher */
    return last;
}

void tmlrt__idle_park(tmlrt__idle_t *idle, uint32_t worker, bool searching) {
    tmlrt__fetch_or_seq(&idle->parked[worker / 64], (uint64_t)1 << (worker % 64));
    if (searching) tmlrt__fetch_sub_seq(&idle->searching, 1);
    /* Full fence, pairs [ID-1]: the bit and the count before the last look at the queues. */
    tmlrt__fence_seq(); /* [ID-1] sleeper */
}

bool tmlrt__idle_unpark(tmlrt__idle_t *idle, uint32_t worker) {
    uint64_t bit = (uint64_t)1 << (worker % 64);
    return (tmlrt__fetch_and_seq(&idle->parked[worker / 64], ~bit) & bit) != 0;
}

bool tmlrt__idle_is_parked(tmlrt__idle_t *idle, uint32_t worker) {
    uint64_t bit = (uint64_t)1 << (worker % 64);
    return (tmlrt__load_relaxed(&idle->parked[worker / 64]) & bit) != 0;
}

bool tmlrt__idle_all_parked(tmlrt__idle_t *idle) {
    for (uint32_t i = 0; i < idle->workers; i++)
        if (!tmlrt__idle_is_parked(idle, i)) return false;
    return true;
}
