; SPDX-License-Identifier: MIT
;
; tmlrt/tml.h for aarch64-linux-gnu: types and declarations for LLVM IR, to be put into a module
; as text or by llvm-link. Made from the headers by cmake/codegen.py; the words are there.

; Constants
; TML_POLL_ERROR = 4
; TML_POLL_HUP = 8
; TML_POLL_PENDING = 1
; TML_POLL_READABLE = 1
; TML_POLL_READY = 0
; TML_POLL_WRITABLE = 2
; TML_TASK_COMPLETED = 2
; TML_TASK_FAILED = 3
; TML_TASK_PENDING = 0
; TML_TASK_RUNNING = 1

; Types
%TmlPoll = type { i32, i32, %tmlrt.union.anon }
%tmlrt.union.anon = type { i64 }
%TmlWaker = type { ptr, ptr, i64 }
%TmlContext = type { %TmlWaker, ptr }
%TmlTask = type { i64, ptr, i64, ptr, i32, %TmlPoll, ptr }
%TmlTaskQueue = type { ptr, ptr, i64 }
%TmlTimerState = type { i64, i64, i32 }
%TmlYieldState = type { i32 }
%TmlTaskHandle = type { i64, ptr, i32, %TmlPoll }
%TmlJoinAllState = type { ptr, i64, i64, ptr }
%TmlSelectState = type { ptr, i64, i64, i32 }
%TmlTimeoutState = type { ptr, ptr, %TmlTimerState, i32 }
%TmlPollEvent = type { i32, i32 }

; Functions of the program's own: how this target passes what C writes so
; TmlPollFn: TmlPoll TmlPollFn(void *state, TmlContext *cx)
;     define [2 x i64] @f(ptr, ptr)
; TmlWakeFn: void TmlWakeFn(void *data)
;     define void @f(ptr)
; TmlGuardFn: int32_t TmlGuardFn(TmlPollFn body, void *state, TmlContext *cx, TmlPoll *out)
;     define i32 @f(ptr, ptr, ptr, ptr)

; Functions
; TmlPoll tml_poll_ready_i64(int64_t value)
declare [2 x i64] @tml_poll_ready_i64(i64)
; void tml_poll_ready_i64_ptr(int64_t value, TmlPoll *out)
declare void @tml_poll_ready_i64_ptr(i64, ptr)
; TmlPoll tml_poll_ready_ptr(void *value)
declare [2 x i64] @tml_poll_ready_ptr(ptr)
; void tml_poll_ready_ptr_ptr(void *value, TmlPoll *out)
declare void @tml_poll_ready_ptr_ptr(ptr, ptr)
; TmlPoll tml_poll_pending(void)
declare [2 x i64] @tml_poll_pending()
; void tml_poll_pending_ptr(TmlPoll *out)
declare void @tml_poll_pending_ptr(ptr)
; int32_t tml_poll_is_ready(const TmlPoll *poll)
declare i32 @tml_poll_is_ready(ptr)
; int32_t tml_poll_is_pending(const TmlPoll *poll)
declare i32 @tml_poll_is_pending(ptr)
; TmlExecutor *tml_executor_new(void)
declare ptr @tml_executor_new()
; void tml_executor_destroy(TmlExecutor *executor)
declare void @tml_executor_destroy(ptr)
; uint64_t tml_executor_spawn(TmlExecutor *executor, TmlPollFn poll_fn, void *initial_state, size_t state_size)
declare i64 @tml_executor_spawn(ptr, ptr, ptr, i64)
; int32_t tml_executor_run(TmlExecutor *executor)
declare i32 @tml_executor_run(ptr)
; void tml_executor_wake(TmlExecutor *executor, uint64_t task_id)
declare void @tml_executor_wake(ptr, i64)
; int32_t tml_executor_poll_task(TmlExecutor *executor, TmlTask *task)
declare i32 @tml_executor_poll_task(ptr, ptr)
; void tml_executor_set_guard(TmlExecutor *executor, TmlGuardFn guard)
declare void @tml_executor_set_guard(ptr, ptr)
; TmlPoll tml_block_on(TmlPollFn poll_fn, void *state, size_t state_size)
declare [2 x i64] @tml_block_on(ptr, ptr, i64)
; void tml_block_on_ptr(TmlPollFn poll_fn, void *state, size_t state_size, TmlPoll *out)
declare void @tml_block_on_ptr(ptr, ptr, i64, ptr)
; TmlWaker tml_waker_create(TmlExecutor *executor, uint64_t task_id)
declare void @tml_waker_create(ptr sret(%TmlWaker) align 8, ptr, i64)
; void tml_waker_create_ptr(TmlExecutor *executor, uint64_t task_id, TmlWaker *out)
declare void @tml_waker_create_ptr(ptr, i64, ptr)
; TmlWaker tml_waker_clone(const TmlWaker *waker)
declare void @tml_waker_clone(ptr sret(%TmlWaker) align 8, ptr)
; void tml_waker_clone_ptr(const TmlWaker *waker, TmlWaker *out)
declare void @tml_waker_clone_ptr(ptr, ptr)
; void tml_waker_wake(TmlWaker *waker)
declare void @tml_waker_wake(ptr)
; void tml_waker_destroy(TmlWaker *waker)
declare void @tml_waker_destroy(ptr)
; TmlTimerState tml_timer_new(int64_t duration_ms)
declare void @tml_timer_new(ptr sret(%TmlTimerState) align 8, i64)
; void tml_timer_new_ptr(int64_t duration_ms, TmlTimerState *out)
declare void @tml_timer_new_ptr(i64, ptr)
; TmlPoll tml_sleep_poll(TmlTimerState *state, TmlContext *cx)
declare [2 x i64] @tml_sleep_poll(ptr, ptr)
; void tml_sleep_poll_ptr(TmlTimerState *state, TmlContext *cx, TmlPoll *out)
declare void @tml_sleep_poll_ptr(ptr, ptr, ptr)
; TmlPoll tml_delay_poll(TmlTimerState *state, TmlContext *cx)
declare [2 x i64] @tml_delay_poll(ptr, ptr)
; void tml_delay_poll_ptr(TmlTimerState *state, TmlContext *cx, TmlPoll *out)
declare void @tml_delay_poll_ptr(ptr, ptr, ptr)
; TmlPoll tml_yield_poll(TmlYieldState *state, TmlContext *cx)
declare [2 x i64] @tml_yield_poll(ptr, ptr)
; void tml_yield_poll_ptr(TmlYieldState *state, TmlContext *cx, TmlPoll *out)
declare void @tml_yield_poll_ptr(ptr, ptr, ptr)
; TmlChannel *tml_channel_new(size_t capacity, size_t item_size)
declare ptr @tml_channel_new(i64, i64)
; void tml_channel_destroy(TmlChannel *channel)
declare void @tml_channel_destroy(ptr)
; int32_t tml_channel_try_send(TmlChannel *channel, const void *value)
declare i32 @tml_channel_try_send(ptr, ptr)
; int32_t tml_channel_try_recv(TmlChannel *channel, void *value_out)
declare i32 @tml_channel_try_recv(ptr, ptr)
; void tml_channel_close(TmlChannel *channel)
declare void @tml_channel_close(ptr)
; int32_t tml_channel_is_empty(const TmlChannel *channel)
declare i32 @tml_channel_is_empty(ptr)
; int32_t tml_channel_is_full(const TmlChannel *channel)
declare i32 @tml_channel_is_full(ptr)
; TmlTaskHandle tml_spawn(TmlExecutor *executor, TmlPollFn poll_fn, void *initial_state, size_t state_size)
declare void @tml_spawn(ptr sret(%TmlTaskHandle) align 8, ptr, ptr, ptr, i64)
; void tml_spawn_ptr(TmlExecutor *executor, TmlPollFn poll_fn, void *initial_state, size_t state_size, TmlTaskHandle *out)
declare void @tml_spawn_ptr(ptr, ptr, ptr, i64, ptr)
; TmlPoll tml_join_poll(TmlTaskHandle *handle, TmlContext *cx)
declare [2 x i64] @tml_join_poll(ptr, ptr)
; void tml_join_poll_ptr(TmlTaskHandle *handle, TmlContext *cx, TmlPoll *out)
declare void @tml_join_poll_ptr(ptr, ptr, ptr)
; TmlJoinAllState *tml_join_all_new(TmlTaskHandle *handles, size_t count)
declare ptr @tml_join_all_new(ptr, i64)
; void tml_join_all_destroy(TmlJoinAllState *state)
declare void @tml_join_all_destroy(ptr)
; TmlPoll tml_join_all_poll(TmlJoinAllState *state, TmlContext *cx)
declare [2 x i64] @tml_join_all_poll(ptr, ptr)
; void tml_join_all_poll_ptr(TmlJoinAllState *state, TmlContext *cx, TmlPoll *out)
declare void @tml_join_all_poll_ptr(ptr, ptr, ptr)
; TmlSelectState *tml_select_new(TmlTaskHandle *handles, size_t count)
declare ptr @tml_select_new(ptr, i64)
; void tml_select_destroy(TmlSelectState *state)
declare void @tml_select_destroy(ptr)
; TmlPoll tml_select_poll(TmlSelectState *state, TmlContext *cx)
declare [2 x i64] @tml_select_poll(ptr, ptr)
; void tml_select_poll_ptr(TmlSelectState *state, TmlContext *cx, TmlPoll *out)
declare void @tml_select_poll_ptr(ptr, ptr, ptr)
; TmlPoll tml_race_poll(TmlSelectState *state, TmlContext *cx)
declare [2 x i64] @tml_race_poll(ptr, ptr)
; void tml_race_poll_ptr(TmlSelectState *state, TmlContext *cx, TmlPoll *out)
declare void @tml_race_poll_ptr(ptr, ptr, ptr)
; TmlTimeoutState tml_timeout_new(TmlPollFn inner_poll, void *inner_state, int64_t timeout_ms)
declare void @tml_timeout_new(ptr sret(%TmlTimeoutState) align 8, ptr, ptr, i64)
; void tml_timeout_new_ptr(TmlPollFn inner_poll, void *inner_state, int64_t timeout_ms, TmlTimeoutState *out)
declare void @tml_timeout_new_ptr(ptr, ptr, i64, ptr)
; TmlPoll tml_timeout_poll(TmlTimeoutState *state, TmlContext *cx)
declare [2 x i64] @tml_timeout_poll(ptr, ptr)
; void tml_timeout_poll_ptr(TmlTimeoutState *state, TmlContext *cx, TmlPoll *out)
declare void @tml_timeout_poll_ptr(ptr, ptr, ptr)
; void tml_queue_init(TmlTaskQueue *queue)
declare void @tml_queue_init(ptr)
; void tml_queue_push(TmlTaskQueue *queue, TmlTask *task)
declare void @tml_queue_push(ptr, ptr)
; TmlTask *tml_queue_pop(TmlTaskQueue *queue)
declare ptr @tml_queue_pop(ptr)
; TmlTask *tml_queue_remove_by_id(TmlTaskQueue *queue, uint64_t task_id)
declare ptr @tml_queue_remove_by_id(ptr, i64)
; int32_t tml_queue_is_empty(const TmlTaskQueue *queue)
declare i32 @tml_queue_is_empty(ptr)
; int64_t tml_poll_create(void)
declare i64 @tml_poll_create()
; void tml_poll_destroy(int64_t poller)
declare void @tml_poll_destroy(i64)
; int32_t tml_poll_add(int64_t poller, int64_t socket, uint32_t token, uint32_t interests)
declare i32 @tml_poll_add(i64, i64, i32, i32)
; int32_t tml_poll_modify(int64_t poller, int64_t socket, uint32_t token, uint32_t interests)
declare i32 @tml_poll_modify(i64, i64, i32, i32)
; int32_t tml_poll_remove(int64_t poller, int64_t socket)
declare i32 @tml_poll_remove(i64, i64)
; int32_t tml_poll_wait(int64_t poller, void *events_out, int32_t max_events, int32_t timeout_ms)
declare i32 @tml_poll_wait(i64, ptr, i32, i32)
