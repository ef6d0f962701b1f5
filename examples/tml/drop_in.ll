; SPDX-License-Identifier: MIT
;
; drop_in.ll: a program as a compiler emits it for TML's old runtime, on the drop-in symbols: futures
; that take no waker, poll sleep and yield with a NULL context, are spawned on an executor and
; joined, under a timeout, and by block_on. _ptr forms return structs. A poll function returns one by
; value; how, depends on the target: the adapters of poll.<target>.ll do it, and call the @..._body
; functions here, which write to a pointer. Types and declarations come from
; tmlrt/codegen/tml_async.<target>.ll. The exit status is the number of the step that went wrong.

%sleeper = type { %TmlTimerState, %TmlYieldState, i64 }

@good = private constant [54 x i8] c"drop_in: spawn, join, timeout, block_on: all are good\00"

declare i32 @puts(ptr)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

; Sleeps, yields, and is ready with its value.
define internal void @sleeper_body(ptr %s, ptr %cx, ptr %out) #0 {
  %yield = getelementptr %sleeper, ptr %s, i32 0, i32 1
  %value.at = getelementptr %sleeper, ptr %s, i32 0, i32 2
  call void @tml_sleep_poll_ptr(ptr %s, ptr null, ptr %out)
  %slept = call i32 @tml_poll_is_ready(ptr %out)
  %is.slept = icmp eq i32 %slept, 1
  br i1 %is.slept, label %yields, label %leave

yields:
  call void @tml_yield_poll_ptr(ptr %yield, ptr null, ptr %out)
  %yielded = call i32 @tml_poll_is_ready(ptr %out)
  %is.yielded = icmp eq i32 %yielded, 1
  br i1 %is.yielded, label %ready, label %leave

ready:
  %value = load i64, ptr %value.at
  call void @tml_poll_ready_i64_ptr(i64 %value, ptr %out)
  br label %leave

leave:
  ret void
}

; Never ready, never registers anything.
define internal void @never_body(ptr %s, ptr %cx, ptr %out) #0 {
  call void @tml_poll_pending_ptr(ptr %out)
  ret void
}

; The state is a handle: waits for its task.
define internal void @joiner_body(ptr %s, ptr %cx, ptr %out) #0 {
  call void @tml_join_poll_ptr(ptr %s, ptr %cx, ptr %out)
  ret void
}

; The state is a TmlTimeoutState.
define internal void @limited_body(ptr %s, ptr %cx, ptr %out) #0 {
  call void @tml_timeout_poll_ptr(ptr %s, ptr %cx, ptr %out)
  ret void
}

; The value of a handle's task, joined outside of any task.
define internal i64 @value_of(ptr %handle) #0 {
  %p = alloca %TmlPoll
  call void @tml_join_poll_ptr(ptr %handle, ptr null, ptr %p)
  %at = getelementptr %TmlPoll, ptr %p, i32 0, i32 2
  %value = load i64, ptr %at
  ret i64 %value
}

define i32 @main() #0 {
entry:
  %a = alloca %sleeper
  %h.a = alloca %TmlTaskHandle
  %h.b = alloca %TmlTaskHandle
  %h.c = alloca %TmlTaskHandle
  %limit = alloca %TmlTimeoutState
  %p = alloca %TmlPoll
  %waker = alloca %TmlWaker
  %e = call ptr @tml_executor_new()
  call void @llvm.memset.p0.i64(ptr %a, i8 0, i64 ptrtoint (ptr getelementptr (%sleeper, ptr null, i32 1) to i64), i1 false)
  call void @tml_timer_new_ptr(i64 5, ptr %a)
  %value.at = getelementptr %sleeper, ptr %a, i32 0, i32 2
  store i64 42, ptr %value.at
  call void @tml_spawn_ptr(ptr %e, ptr @sleeper_poll, ptr %a, i64 ptrtoint (ptr getelementptr (%sleeper, ptr null, i32 1) to i64), ptr %h.a)
  call void @tml_spawn_ptr(ptr %e, ptr @joiner_poll, ptr %h.a, i64 40, ptr %h.b)
  call void @tml_timeout_new_ptr(ptr @never_poll, ptr null, i64 3, ptr %limit)
  call void @tml_spawn_ptr(ptr %e, ptr @limited_poll, ptr %limit, i64 48, ptr %h.c)
  call void @tml_waker_create_ptr(ptr %e, i64 1, ptr %waker)
  call void @tml_waker_wake(ptr %waker)
  %run = call i32 @tml_executor_run(ptr %e)
  %ran = icmp eq i32 %run, 0
  br i1 %ran, label %step.2, label %end

step.2:
  %v.a = call i64 @value_of(ptr %h.a)
  %is.a = icmp eq i64 %v.a, 42
  br i1 %is.a, label %step.3, label %end

step.3:
  %v.b = call i64 @value_of(ptr %h.b)
  %is.b = icmp eq i64 %v.b, 42
  br i1 %is.b, label %step.4, label %end

step.4:
  %v.c = call i64 @value_of(ptr %h.c)
  %is.c = icmp eq i64 %v.c, -1
  br i1 %is.c, label %step.5, label %end

step.5:
  call void @tml_waker_wake(ptr %waker) ; its task has ended
  call void @tml_executor_destroy(ptr %e)
  call void @tml_waker_wake(ptr %waker) ; and its executor
  call void @tml_block_on_ptr(ptr @sleeper_poll, ptr %a, i64 ptrtoint (ptr getelementptr (%sleeper, ptr null, i32 1) to i64), ptr %p)
  %d.at = getelementptr %TmlPoll, ptr %p, i32 0, i32 2
  %d = load i64, ptr %d.at
  %is.d = icmp eq i64 %d, 42
  br i1 %is.d, label %step.6, label %end

step.6:
  %f = call i64 @by_value(i64 42)
  %is.f = icmp eq i64 %f, 42
  br i1 %is.f, label %step.7, label %end

; 24 bytes come back through a pointer on each of these targets.
step.7:
  %timer = alloca %TmlTimerState, align 8
  call void @tml_timer_new(ptr sret(%TmlTimerState) align 8 %timer, i64 42)
  %ms.at = getelementptr %TmlTimerState, ptr %timer, i32 0, i32 1
  %ms = load i64, ptr %ms.at
  %is.ms = icmp eq i64 %ms, 42
  br i1 %is.ms, label %step.8, label %end

step.8:
  %said = call i32 @puts(ptr @good)
  br label %end

end:
  %status = phi i32 [ 1, %entry ], [ 2, %step.2 ], [ 3, %step.3 ], [ 4, %step.4 ], [ 5, %step.5 ],
                    [ 6, %step.6 ], [ 7, %step.7 ], [ 0, %step.8 ]
  ret i32 %status
}

attributes #0 = { nounwind }
