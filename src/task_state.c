/* SPDX-License-Identifier: MIT */
/*
 * task_state.c: the transitions of task_state.h. Each is one read-modify-write, or none.
 *
 * Every change of the word by a second party is an RMW, so all of them form one release sequence:
 * a begin that acquires the word observes every wake, cancel and end_poll before it, in whatever
 * order they came, and also those that found the task notified already.
 */
#include "task_state.h"

static uint64_t state__refs(uint64_t word) {
    return word / TMLRT__TASK_REF;
}

void tmlrt__state_init(tmlrt__task_state_t *s, bool handle) {
    /* release: publishes the header to a walker of the heap; pairs [TS-5] */
    tmlrt__store_release(s, TMLRT__TASK_NEW + (handle ? 2 : 1) * TMLRT__TASK_REF);
}

void tmlrt__state_init_started(tmlrt__task_state_t *s, bool handle) {
    /* release: publishes header and state; pairs [TS-1], [TS-5] */
    tmlrt__store_release(s, TMLRT__TASK_NOTIFIED + (handle ? 2 : 1) * TMLRT__TASK_REF);
}

bool tmlrt__state_start(tmlrt__task_state_t *s) {
    uint64_t word = tmlrt__load_relaxed(s);
    uint64_t next;
    do {
        if ((word & TMLRT__TASK_NEW) == 0) return false;
        next = (word & ~TMLRT__TASK_NEW) | TMLRT__TASK_NOTIFIED;
        /* release: publishes the state that the maker wrote; pairs [TS-1] */
    } while (!tmlrt__cas_weak_release(s, &word, next));
    return true;
}

bool tmlrt__state_wake(tmlrt__task_state_t *s) {
    /* release: publishes what the waker wrote, also when the task is notified already: the begin
     * that follows reads this RMW or a later one; pairs [TS-1] */
    uint64_t old = tmlrt__fetch_or_release(s, TMLRT__TASK_NOTIFIED);
    return (old & (TMLRT__TASK_NOTIFIED | TMLRT__TASK_RUNNING | TMLRT__TASK_COMPLETE |
                   TMLRT__TASK_NEW)) == 0;
}

tmlrt__cancel_t tmlrt__state_cancel(tmlrt__task_state_t *s) {
    uint64_t word = tmlrt__load_relaxed(s);
    uint64_t next;
    do {
        if ((word & TMLRT__TASK_COMPLETE) != 0) return TMLRT__CANCEL_ENDED;
        next = word | TMLRT__TASK_CANCEL;
        if ((word & TMLRT__TASK_NEW) == 0) next |= TMLRT__TASK_NOTIFIED;
        /* release: as in wake; pairs [TS-1] */
    } while (!tmlrt__cas_weak_release(s, &word, next));
    if ((word & (TMLRT__TASK_NOTIFIED | TMLRT__TASK_RUNNING | TMLRT__TASK_NEW)) != 0)
        return TMLRT__CANCEL_SET;
    return TMLRT__CANCEL_QUEUE;
}

bool tmlrt__state_begin(tmlrt__task_state_t *s) {
    /* acquire: observes what wakers and the last runner wrote; pairs [TS-1], [TS-2] */
    uint64_t old = tmlrt__fetch_sub_acquire(s, TMLRT__TASK_NOTIFIED - TMLRT__TASK_RUNNING);
    return (old & TMLRT__TASK_CANCEL) != 0;
}

bool tmlrt__state_resume(tmlrt__task_state_t *s) {
    uint64_t word = tmlrt__load_relaxed(s);
    /* A wake that this misses stays set, and is found at the end of the poll.
     * acquire: observes what the wakers wrote; pairs [TS-1] */
    if ((word & TMLRT__TASK_NOTIFIED) != 0)
        word = tmlrt__fetch_and_acquire(s, ~TMLRT__TASK_NOTIFIED);
    return (word & TMLRT__TASK_CANCEL) != 0;
}

bool tmlrt__state_end_poll(tmlrt__task_state_t *s) {
    /* release: publishes this runner's writes to the next one; pairs [TS-2] */
    uint64_t old = tmlrt__fetch_sub_release(s, TMLRT__TASK_RUNNING);
    return (old & TMLRT__TASK_NOTIFIED) != 0;
}

tmlrt__end_t tmlrt__state_complete(tmlrt__task_state_t *s) {
    uint64_t word = tmlrt__load_relaxed(s);
    uint64_t next;
    do {
        next = (word | TMLRT__TASK_COMPLETE) - TMLRT__TASK_RUNNING;
        if ((word & TMLRT__TASK_JOINED) == 0) next -= TMLRT__TASK_REF;
        /* release: publishes result and outcome; pairs [TS-3]. acquire: with the count at zero,
         * observes the last use by those who gave up their references; pairs [TS-4] */
    } while (!tmlrt__cas_weak_acq_rel(s, &word, next));
    if ((word & TMLRT__TASK_JOINED) != 0) return TMLRT__END_TOLD;
    return state__refs(next) == 0 ? TMLRT__END_FREE : TMLRT__END_GONE;
}

bool tmlrt__state_join(tmlrt__task_state_t *s) {
    /* acquire: when complete, observes result and outcome; pairs [TS-3] */
    uint64_t old = tmlrt__fetch_or_acquire(s, TMLRT__TASK_JOINED);
    return (old & TMLRT__TASK_COMPLETE) == 0;
}

bool tmlrt__state_is_complete(const tmlrt__task_state_t *s) {
    /* acquire: observes result and outcome; pairs [TS-3] */
    uint64_t word = tmlrt__load_acquire((tmlrt__task_state_t *)s);
    return (word & TMLRT__TASK_COMPLETE) != 0;
}

bool tmlrt__state_is_new(const tmlrt__task_state_t *s) {
    return (tmlrt__load_relaxed((tmlrt__task_state_t *)s) & TMLRT__TASK_NEW) != 0;
}

bool tmlrt__state_is_cancelled(const tmlrt__task_state_t *s) {
    return (tmlrt__load_relaxed((tmlrt__task_state_t *)s) & TMLRT__TASK_CANCEL) != 0;
}

bool tmlrt__state_is_running(const tmlrt__task_state_t *s) {
    return (tmlrt__load_relaxed((tmlrt__task_state_t *)s) & TMLRT__TASK_RUNNING) != 0;
}

bool tmlrt__state_is_queued(const tmlrt__task_state_t *s) {
    uint64_t word = tmlrt__load_relaxed((tmlrt__task_state_t *)s);
    return (word & TMLRT__TASK_NOTIFIED) != 0 && (word & TMLRT__TASK_RUNNING) == 0;
}

void tmlrt__state_ref(tmlrt__task_state_t *s) {
    tmlrt__fetch_add_relaxed(s, TMLRT__TASK_REF); /* the caller has one already */
}

bool tmlrt__state_unref(tmlrt__task_state_t *s) {
    /* acquire: observes the last use by the others; pairs [TS-4] */
    uint64_t word = tmlrt__load_acquire(s);
    /* Ours is the last one of a complete task: nobody can come by another any more. */
    if ((word & TMLRT__TASK_COMPLETE) != 0 && state__refs(word) == 1) return true;
    /* release: publishes our last use to whoever frees; acquire: as above; pairs [TS-4] */
    return state__refs(tmlrt__fetch_sub_acq_rel(s, TMLRT__TASK_REF)) == 1;
}

bool tmlrt__state_try_ref(tmlrt__task_state_t *s) {
    uint64_t word = tmlrt__load_relaxed(s);
    do {
        /* No references, and not 0 yet: somebody is about to free it. */
        if (state__refs(word) == 0 || (word & TMLRT__TASK_COMPLETE) != 0) return false;
        /* acquire: observes the header; pairs [TS-5] */
    } while (!tmlrt__cas_weak_acquire(s, &word, word + TMLRT__TASK_REF));
    return true;
}
