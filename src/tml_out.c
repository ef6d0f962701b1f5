/* SPDX-License-Identifier: MIT */
/*
 * tml_out.c: the second form of every function that returns a struct: it writes to its last argument.
 */
#include <stddef.h>

#include <tmlrt/tml.h>

/* The second form of `name`, whose result is a `type`. */
#define OUT__FORM(type, name, parameters, ...)                                                     \
    void name##_ptr parameters {                                                                   \
        type value = name(__VA_ARGS__);                                                            \
        if (out != NULL) *out = value;                                                             \
    }

OUT__FORM(TmlPoll, tml_poll_ready_i64, (int64_t v, TmlPoll *out), v)
OUT__FORM(TmlPoll, tml_poll_ready_ptr, (void *v, TmlPoll *out), v)

void tml_poll_pending_ptr(TmlPoll *out) {
    if (out != NULL) *out = tml_poll_pending();
}

OUT__FORM(TmlPoll, tml_block_on, (TmlPollFn f, void *s, size_t n, TmlPoll *out), f, s, n)
OUT__FORM(TmlWaker, tml_waker_create, (TmlExecutor * e, uint64_t id, TmlWaker *out), e, id)
OUT__FORM(TmlWaker, tml_waker_clone, (const TmlWaker *w, TmlWaker *out), w)
OUT__FORM(TmlTimerState, tml_timer_new, (int64_t ms, TmlTimerState *out), ms)
OUT__FORM(TmlPoll, tml_sleep_poll, (TmlTimerState * s, TmlContext *cx, TmlPoll *out), s, cx)
OUT__FORM(TmlPoll, tml_delay_poll, (TmlTimerState * s, TmlContext *cx, TmlPoll *out), s, cx)
OUT__FORM(TmlPoll, tml_yield_poll, (TmlYieldState * s, TmlContext *cx, TmlPoll *out), s, cx)
OUT__FORM(TmlTaskHandle, tml_spawn,
          (TmlExecutor * e, TmlPollFn f, void *s, size_t n, TmlTaskHandle *out), e, f, s, n)
OUT__FORM(TmlPoll, tml_join_poll, (TmlTaskHandle * h, TmlContext *cx, TmlPoll *out), h, cx)
OUT__FORM(TmlPoll, tml_join_all_poll, (TmlJoinAllState * s, TmlContext *cx, TmlPoll *out), s, cx)
OUT__FORM(TmlPoll, tml_select_poll, (TmlSelectState * s, TmlContext *cx, TmlPoll *out), s, cx)
OUT__FORM(TmlPoll, tml_race_poll, (TmlSelectState * s, TmlContext *cx, TmlPoll *out), s, cx)
OUT__FORM(TmlTimeoutState, tml_timeout_new,
          (TmlPollFn f, void *s, int64_t ms, TmlTimeoutState *out), f, s, ms)
OUT__FORM(TmlPoll, tml_timeout_poll, (TmlTimeoutState * s, TmlContext *cx, TmlPoll *out), s, cx)
