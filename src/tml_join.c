/* SPDX-License-Identifier: MIT */
/*
 * tml_join.c: handles of executor tasks, and waiting for one, all or the first of them.
 */
#include <stdalign.h>
#include <stddef.h>

#include "alloc.h"
#include "tml_executor.h"

TmlTaskHandle tml_spawn(TmlExecutor *e, TmlPollFn poll, void *state, size_t size) {
    TmlTaskHandle h = {0, e, 0, tml_poll_pending()};
    h.task_id = tmlrt__tml_executor_spawn(e, poll, state, size, true);
    return h;
}

/* Under the latch: the end of the task if it has ended, else false, and `waiter` (may be NULL) is on
 * its list, or not needed there. *held: a task to be let go without the latch, which may free it. */
static bool join__look(TmlTaskHandle *h, tmlrt__tml_waiter_t **waiter, tmlrt__tml_task_t **held) {
    tmlrt__tml_task_t *t = tmlrt__tml_executor_find(h->executor, h->task_id);
    if (t == NULL || t->ended) {
        h->result = t != NULL ? t->result : tml_poll_ready_i64(-1);
        h->completed = 1;
        return true;
    }
    if (*waiter != NULL && tmlrt__tml_waiter_add(&t->joiners, *waiter)) {
        *waiter = NULL;
        tmlrt__tml_task_ref(t); /* it may end while the latch is not held */
        tmlrt__tml_waiters_sweep(&t->joiners, &h->executor->latch);
        *held = t;
    }
    return false;
}

TmlPoll tml_join_poll(TmlTaskHandle *h, TmlContext *cx) {
    if (h == NULL) return tml_poll_ready_i64(-1);
    if (h->completed != 0) return h->result;
    if (h->executor == NULL || h->task_id == 0) {
        h->result = tml_poll_ready_i64(-1);
        h->completed = 1;
        return h->result;
    }
    tmlrt__tml_waiter_t *waiter = NULL;
    for (;;) {
        tmlrt__latch_lock(&h->executor->latch);
        bool               asked = waiter != NULL;
        tmlrt__tml_task_t *held = NULL;
        bool               done = join__look(h, &waiter, &held);
        tmlrt__latch_unlock(&h->executor->latch);
        if (held != NULL) tmlrt__tml_task_unref(held);
        if (!done && !asked) waiter = tmlrt__tml_waiter_new(cx);
        if (done || asked || waiter == NULL) break;
    }
    tmlrt__tml_waiter_free(waiter);
    return h->completed != 0 ? h->result : tml_poll_pending();
}

/* ---- all ------------------------------------------------------------------------------------- */

TmlJoinAllState *tml_join_all_new(TmlTaskHandle *handles, size_t count) {
    if ((handles == NULL && count != 0) || count > PTRDIFF_MAX / sizeof(TmlPoll)) return NULL;
    TmlJoinAllState *s = tmlrt__mem_zero(&tmlrt__mem_default, sizeof *s, alignof(TmlJoinAllState));
    if (s == NULL) return NULL;
    s->handles = handles;
    s->count = count;
    if (count == 0) return s;
    s->results = tmlrt__mem_zero(&tmlrt__mem_default, count * sizeof *s->results, alignof(TmlPoll));
    if (s->results != NULL) return s;
    tml_join_all_destroy(s);
    return NULL;
}

void tml_join_all_destroy(TmlJoinAllState *s) {
    if (s == NULL) return;
    if (s->results != NULL)
        tmlrt__mem_put(&tmlrt__mem_default, s->results, s->count * sizeof *s->results,
                       alignof(TmlPoll));
    tmlrt__mem_put(&tmlrt__mem_default, s, sizeof *s, alignof(TmlJoinAllState));
}

TmlPoll tml_join_all_poll(TmlJoinAllState *s, TmlContext *cx) {
    if (s == NULL) return tml_poll_ready_i64(0);
    size_t completed = 0;
    for (size_t i = 0; i < s->count; i++) {
        s->results[i] = tml_join_poll(&s->handles[i], cx);
        completed += s->results[i].tag == TML_POLL_READY;
    }
    s->completed_count = completed;
    return completed == s->count ? tml_poll_ready_ptr(s->results) : tml_poll_pending();
}

/* ---- the first ------------------------------------------------------------------------------- */

TmlSelectState *tml_select_new(TmlTaskHandle *handles, size_t count) {
    if (handles == NULL && count != 0) return NULL;
    TmlSelectState *s = tmlrt__mem_zero(&tmlrt__mem_default, sizeof *s, alignof(TmlSelectState));
    if (s == NULL) return NULL;
    s->handles = handles;
    s->count = count;
    return s;
}

void tml_select_destroy(TmlSelectState *s) {
    if (s != NULL) tmlrt__mem_put(&tmlrt__mem_default, s, sizeof *s, alignof(TmlSelectState));
}

/* Whether there is a winner, or nobody who could be one. */
static bool select__look(TmlSelectState *s, TmlContext *cx) {
    for (size_t i = 0; i < s->count && s->found_winner == 0; i++) {
        if (tml_join_poll(&s->handles[i], cx).tag != TML_POLL_READY) continue;
        s->winner_index = i;
        s->found_winner = 1;
    }
    return s->found_winner != 0 || s->count == 0;
}

TmlPoll tml_select_poll(TmlSelectState *s, TmlContext *cx) {
    if (s == NULL) return tml_poll_ready_i64(-1);
    if (!select__look(s, cx)) return tml_poll_pending();
    return tml_poll_ready_i64(s->found_winner != 0 ? (int64_t)s->winner_index : -1);
}

TmlPoll tml_race_poll(TmlSelectState *s, TmlContext *cx) {
    if (s == NULL) return tml_poll_ready_i64(-1);
    if (!select__look(s, cx)) return tml_poll_pending();
    return s->found_winner != 0 ? s->handles[s->winner_index].result : tml_poll_ready_i64(-1);
}
