; SPDX-License-Identifier: MIT
;
; fan_out.ll: what async code does beside I/O, lowered by hand: four children whose results have 1, 8,
; 24 and 1,024 bytes (the last aligned to 64) are joined; one that panics, and one that would sleep
; for an hour and is aborted; a timeout; a select. Each step is checked: the exit status is the number
; of the step that went wrong, or 0.

; where, the operation, bytes of the result, the first of them, milliseconds to sleep
%child = type { i32, %tmlrt_op, i64, i64, i64 }
; the result of 1,024 bytes first, for its alignment; where; which child; two operations for the
; select and the one that is awaited; pointers to the two; the children; the other results
%root = type { [1024 x i8], i32, i32, %tmlrt_op, [2 x %tmlrt_op], [2 x ptr], [6 x ptr],
               [3 x i64], i64, i8 }

@child_name = private constant [6 x i8] c"child\00"
@child_1 = internal constant %tmlrt_task_type {
  i64 ptrtoint (ptr getelementptr (%tmlrt_task_type, ptr null, i32 1) to i64), ptr @child_name,
  i64 ptrtoint (ptr getelementptr (%child, ptr null, i32 1) to i64), i64 8, i64 1, i64 1,
  ptr @child_poll, ptr null, ptr null, ptr null }
@child_8 = internal constant %tmlrt_task_type {
  i64 ptrtoint (ptr getelementptr (%tmlrt_task_type, ptr null, i32 1) to i64), ptr @child_name,
  i64 ptrtoint (ptr getelementptr (%child, ptr null, i32 1) to i64), i64 8, i64 8, i64 8,
  ptr @child_poll, ptr null, ptr null, ptr null }
@child_24 = internal constant %tmlrt_task_type {
  i64 ptrtoint (ptr getelementptr (%tmlrt_task_type, ptr null, i32 1) to i64), ptr @child_name,
  i64 ptrtoint (ptr getelementptr (%child, ptr null, i32 1) to i64), i64 8, i64 24, i64 8,
  ptr @child_poll, ptr null, ptr null, ptr null }
@child_1024 = internal constant %tmlrt_task_type {
  i64 ptrtoint (ptr getelementptr (%tmlrt_task_type, ptr null, i32 1) to i64), ptr @child_name,
  i64 ptrtoint (ptr getelementptr (%child, ptr null, i32 1) to i64), i64 8, i64 1024, i64 64,
  ptr @child_poll, ptr null, ptr null, ptr null }
@panics_name = private constant [7 x i8] c"panics\00"
@panics = internal constant %tmlrt_task_type {
  i64 ptrtoint (ptr getelementptr (%tmlrt_task_type, ptr null, i32 1) to i64), ptr @panics_name,
  i64 ptrtoint (ptr getelementptr (%child, ptr null, i32 1) to i64), i64 8, i64 8, i64 8,
  ptr @panics_poll, ptr null, ptr null, ptr @guard }
@root_name = private constant [5 x i8] c"root\00"
@root_type = internal constant %tmlrt_task_type {
  i64 ptrtoint (ptr getelementptr (%tmlrt_task_type, ptr null, i32 1) to i64), ptr @root_name,
  i64 ptrtoint (ptr getelementptr (%root, ptr null, i32 1) to i64), i64 64, i64 4, i64 4,
  ptr @root_poll, ptr null, ptr null, ptr null }

@sizes = private constant [4 x i64] [ i64 1, i64 8, i64 24, i64 1024 ]
@types = private constant [6 x ptr]
  [ ptr @child_1, ptr @child_8, ptr @child_24, ptr @child_1024, ptr @panics, ptr @child_8 ]
@good = private constant [72 x i8]
  c"fan_out: four results, a panic, an abort, a timeout, a select: all good\00"

declare i32 @puts(ptr)

; ---- a child: sleeps, then writes its result ------------------------------------------------------

define internal i32 @child_poll(ptr %s, ptr %cx, ptr %result) #0 {
entry:
  %op = getelementptr %child, ptr %s, i32 0, i32 1
  %size.at = getelementptr %child, ptr %s, i32 0, i32 2
  %first.at = getelementptr %child, ptr %s, i32 0, i32 3
  %ms.at = getelementptr %child, ptr %s, i32 0, i32 4
  %where = load i32, ptr %s
  %is.begin = icmp eq i32 %where, 0
  br i1 %is.begin, label %begin, label %sleeping

begin:
  %ms = load i64, ptr %ms.at
  %ns = mul i64 %ms, 1000000
  %r0 = call i32 @tmlrt_op_sleep(ptr %op, ptr null, i64 %ns)
  store i32 1, ptr %s
  br label %sleeping

sleeping:
  %r1 = call i32 @tmlrt_op_poll(ptr %op, ptr %cx)
  %r1.pending = icmp eq i32 %r1, 1
  br i1 %r1.pending, label %pending, label %slept

pending:
  ret i32 1

slept:
  %size = load i64, ptr %size.at
  %first = load i64, ptr %first.at
  br label %fill

fill:
  %i = phi i64 [ 0, %slept ], [ %i.next, %fill ]
  %at = getelementptr i8, ptr %result, i64 %i
  %value = add i64 %first, %i
  %byte = trunc i64 %value to i8
  store i8 %byte, ptr %at
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %size
  br i1 %more, label %fill, label %done

done:
  ret i32 0
}

; ---- panics: a panic jumps to where the guard of this very poll waits ------------------------------

; Of this thread: the buffer of the innermost guard.
@catcher = internal thread_local global ptr null

; The second argument is for Windows (no unwinding); elsewhere it is not looked at.
declare i32 @_setjmp(ptr, ptr) #1
declare void @longjmp(ptr, i32) #2

define internal i32 @guard(ptr %body, ptr %s, ptr %cx, ptr %result) #0 {
entry:
  %buffer = alloca [64 x i64], align 16
  %outer.at = alloca ptr
  %outer = load ptr, ptr @catcher
  store volatile ptr %outer, ptr %outer.at
  store ptr %buffer, ptr @catcher
  %jumped = call i32 @_setjmp(ptr %buffer, ptr null) #1
  %is.jump = icmp ne i32 %jumped, 0
  br i1 %is.jump, label %caught, label %run

run:
  %r = call i32 %body(ptr %s, ptr %cx, ptr %result)
  br label %leave

caught:
  br label %leave

leave:                                  ; 2: TMLRT_PANICKED
  %answer = phi i32 [ %r, %run ], [ 2, %caught ]
  %back = load volatile ptr, ptr %outer.at
  store ptr %back, ptr @catcher
  ret i32 %answer
}

define internal void @panic() #0 {
  %buffer = load ptr, ptr @catcher
  call void @longjmp(ptr %buffer, i32 1)
  unreachable
}

; Sleeps as a child does, and panics with the operation ended; the state is dropped all the same.
define internal i32 @panics_poll(ptr %s, ptr %cx, ptr %result) #0 {
  %r = call i32 @child_poll(ptr %s, ptr %cx, ptr %result)
  %pending = icmp eq i32 %r, 1
  br i1 %pending, label %wait, label %now

wait:
  ret i32 1

now:
  call void @panic()
  unreachable
}

; ---- root ----------------------------------------------------------------------------------------

; Spawns child `i`, which sleeps `ms`; its handle goes to `out`.
define internal i32 @spawn(i32 %i, i64 %ms, ptr %out) #0 {
  %init = alloca %child, align 8
  call void @llvm.memset.p0.i64(ptr %init, i8 0, i64 ptrtoint (ptr getelementptr (%child, ptr null, i32 1) to i64), i1 false)
  %index = and i32 %i, 3
  %size.of = getelementptr [4 x i64], ptr @sizes, i32 0, i32 %index
  %is.sized = icmp ult i32 %i, 4
  %size.own = load i64, ptr %size.of
  %size = select i1 %is.sized, i64 %size.own, i64 8
  %first = zext i32 %i to i64
  %size.at = getelementptr %child, ptr %init, i32 0, i32 2
  %first.at = getelementptr %child, ptr %init, i32 0, i32 3
  %ms.at = getelementptr %child, ptr %init, i32 0, i32 4
  store i64 %size, ptr %size.at
  store i64 %first, ptr %first.at
  store i64 %ms, ptr %ms.at
  %type.of = getelementptr [6 x ptr], ptr @types, i32 0, i32 %i
  %type = load ptr, ptr %type.of
  %r = call i32 @tmlrt_spawn(ptr null, ptr %type, ptr %init, ptr null, ptr %out)
  ret i32 %r
}

; True when the bytes at `p` are those of child `i`.
define internal i1 @is_result(ptr %p, i32 %i) #0 {
entry:
  %size.at = getelementptr [4 x i64], ptr @sizes, i32 0, i32 %i
  %size = load i64, ptr %size.at
  %first = zext i32 %i to i64
  br label %look

look:
  %k = phi i64 [ 0, %entry ], [ %k.next, %same ]
  %at = getelementptr i8, ptr %p, i64 %k
  %byte = load i8, ptr %at
  %value = add i64 %first, %k
  %want = trunc i64 %value to i8
  %is.same = icmp eq i8 %byte, %want
  br i1 %is.same, label %same, label %differs

same:
  %k.next = add i64 %k, 1
  %more = icmp ult i64 %k.next, %size
  br i1 %more, label %look, label %equal

equal:
  ret i1 true

differs:
  ret i1 false
}

; Where the result of child `i` goes.
define internal ptr @place(ptr %s, i32 %i) #0 {
  %p8 = getelementptr %root, ptr %s, i32 0, i32 8
  %p24 = getelementptr %root, ptr %s, i32 0, i32 7
  %p1 = getelementptr %root, ptr %s, i32 0, i32 9
  switch i32 %i, label %is.1024 [ i32 0, label %is.1
                                  i32 1, label %is.8
                                  i32 2, label %is.24 ]
is.1:
  ret ptr %p1
is.8:
  ret ptr %p8
is.24:
  ret ptr %p24
is.1024:
  ret ptr %s
}

define internal i32 @root_poll(ptr %s, ptr %cx, ptr %result) #0 {
entry:
  %where.at = getelementptr %root, ptr %s, i32 0, i32 1
  %i.at = getelementptr %root, ptr %s, i32 0, i32 2
  %op = getelementptr %root, ptr %s, i32 0, i32 3
  %op.a = getelementptr %root, ptr %s, i32 0, i32 4, i32 0
  %op.b = getelementptr %root, ptr %s, i32 0, i32 4, i32 1
  %ptr.a = getelementptr %root, ptr %s, i32 0, i32 5, i32 0
  %ptr.b = getelementptr %root, ptr %s, i32 0, i32 5, i32 1
  %where = load i32, ptr %where.at
  switch i32 %where, label %begin [ i32 1, label %joining
                                    i32 2, label %waiting
                                    i32 3, label %selecting ]

; Children 0 to 3 have results, 4 panics, 5 would sleep for an hour.
begin:
  %i.0 = load i32, ptr %i.at
  %child.0.at = getelementptr %root, ptr %s, i32 0, i32 6, i32 %i.0
  %is.last = icmp eq i32 %i.0, 5
  %ms.short = sub i32 5, %i.0
  %ms.32 = select i1 %is.last, i32 3600000, i32 %ms.short
  %ms = zext i32 %ms.32 to i64
  %b0 = call i32 @spawn(i32 %i.0, i64 %ms, ptr %child.0.at)
  %b0.failed = icmp slt i32 %b0, 0
  br i1 %b0.failed, label %wrong.1, label %spawned

spawned:
  %i.0.next = add i32 %i.0, 1
  store i32 %i.0.next, ptr %i.at
  br i1 %is.last, label %all, label %begin

all:
  store i32 0, ptr %i.at
  br label %join

join:
  %i.1 = load i32, ptr %i.at
  %child.1.at = getelementptr %root, ptr %s, i32 0, i32 6, i32 %i.1
  %child.1 = load ptr, ptr %child.1.at
  %has.result = icmp ult i32 %i.1, 4
  %place.1 = call ptr @place(ptr %s, i32 %i.1)
  %out.1 = select i1 %has.result, ptr %place.1, ptr null
  %is.sleeper = icmp eq i32 %i.1, 5
  br i1 %is.sleeper, label %abort, label %prepare

abort:
  %ab = call i32 @tmlrt_task_abort(ptr %child.1)
  br label %prepare

prepare:
  %j0 = call i32 @tmlrt_op_join(ptr %op, ptr %child.1, ptr %out.1)
  store i32 1, ptr %where.at
  br label %joining

joining:
  %j1 = call i32 @tmlrt_op_poll(ptr %op, ptr %cx)
  %j1.pending = icmp eq i32 %j1, 1
  br i1 %j1.pending, label %pending, label %joined

joined:                                 ; -7: TMLRT_EPANIC, -6: TMLRT_ECANCELED
  %outcome = call i64 @tmlrt_op_result(ptr %op)
  %i.2 = load i32, ptr %i.at
  %child.2.at = getelementptr %root, ptr %s, i32 0, i32 6, i32 %i.2
  %child.2 = load ptr, ptr %child.2.at
  call void @tmlrt_task_release(ptr %child.2)
  %i.2.next = add i32 %i.2, 1
  store i32 %i.2.next, ptr %i.at
  switch i32 %i.2, label %with.result [ i32 4, label %panicked
                                        i32 5, label %aborted ]

with.result:
  %is.done = icmp eq i64 %outcome, 0
  br i1 %is.done, label %compare, label %wrong.2

compare:
  %place.2 = call ptr @place(ptr %s, i32 %i.2)
  %is.right = call i1 @is_result(ptr %place.2, i32 %i.2)
  br i1 %is.right, label %join, label %wrong.3

panicked:
  %is.panic = icmp eq i64 %outcome, -7
  br i1 %is.panic, label %join, label %wrong.4

aborted:
  %is.cancelled = icmp eq i64 %outcome, -6
  br i1 %is.cancelled, label %timeout, label %wrong.5

; An hour's sleep with a deadline. -5: TMLRT_ETIMEDOUT
timeout:
  %t0 = call i32 @tmlrt_op_sleep(ptr %op, ptr null, i64 3600000000000)
  %now = call i64 @tmlrt_now(ptr null)
  %deadline = add i64 %now, 2000000
  %t1 = call i32 @tmlrt_op_deadline(ptr %op, i64 %deadline)
  store i32 2, ptr %where.at
  br label %waiting

waiting:
  %t2 = call i32 @tmlrt_op_poll(ptr %op, ptr %cx)
  %t2.pending = icmp eq i32 %t2, 1
  br i1 %t2.pending, label %pending, label %waited

waited:
  %t3 = call i64 @tmlrt_op_result(ptr %op)
  %is.timeout = icmp eq i64 %t3, -5
  br i1 %is.timeout, label %select, label %wrong.6

; The first of an hour and a millisecond.
select:
  %s0 = call i32 @tmlrt_op_sleep(ptr %op.a, ptr null, i64 3600000000000)
  %s1 = call i32 @tmlrt_op_sleep(ptr %op.b, ptr null, i64 1000000)
  store ptr %op.a, ptr %ptr.a
  store ptr %op.b, ptr %ptr.b
  %s2 = call i32 @tmlrt_op_any(ptr %op, ptr %ptr.a, i64 2)
  store i32 3, ptr %where.at
  br label %selecting

selecting:
  %s3 = call i32 @tmlrt_op_poll(ptr %op, ptr %cx)
  %s3.pending = icmp eq i32 %s3, 1
  br i1 %s3.pending, label %pending, label %selected

selected:
  %winner = call i64 @tmlrt_op_result(ptr %op)
  %loser = call i64 @tmlrt_op_result(ptr %op.a)
  %is.b = icmp eq i64 %winner, 1
  %is.ended = icmp eq i64 %loser, -6
  %is.good = and i1 %is.b, %is.ended
  br i1 %is.good, label %done, label %wrong.7

done:
  %said = call i32 @puts(ptr @good)
  br label %end

pending:
  ret i32 1

wrong.1:
  br label %end
wrong.2:
  br label %end
wrong.3:
  br label %end
wrong.4:
  br label %end
wrong.5:
  br label %end
wrong.6:
  br label %end
wrong.7:
  br label %end

end:
  %status = phi i32 [ 0, %done ], [ 1, %wrong.1 ], [ 2, %wrong.2 ], [ 3, %wrong.3 ],
                    [ 4, %wrong.4 ], [ 5, %wrong.5 ], [ 6, %wrong.6 ], [ 7, %wrong.7 ]
  store i32 %status, ptr %result
  ret i32 0
}

declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

define i32 @main() #0 {
  %state = alloca %root, align 64
  call void @llvm.memset.p0.i64(ptr %state, i8 0, i64 ptrtoint (ptr getelementptr (%root, ptr null, i32 1) to i64), i1 false)
  %status = call i32 @tmlrt_main(ptr @root_type, ptr %state, ptr null)
  ret i32 %status
}

attributes #0 = { nounwind }
attributes #1 = { nounwind returns_twice }
attributes #2 = { noreturn }
