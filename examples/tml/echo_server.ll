; SPDX-License-Identifier: MIT
;
; echo_server.ll: a TCP echo server as a compiler lowers it:
;
;     async func main() { let l = bind(address); loop { let c = l.accept().await; spawn serve(c) } }
;     async func serve(c) { loop { let n = c.read(buf).await; if n <= 0 { return }
;                                  c.write_all(buf[..n]).await } }
;
; Each async function is a constant task type, a struct for what lives across an await, and a poll
; function that switches on where it stopped. Types and declarations come from
; tmlrt/codegen/tmlrt.<target>.ll, which is put before this text (see build.sh).
;
;   echo_server ADDRESS    serves, as 127.0.0.1:8080 or :0, until SIGINT or SIGTERM

; where, the operation that is awaited, the socket, the bytes read, the buffer
%serve = type { i32, %tmlrt_op, ptr, i64, [2048 x i8] }
; where, the operation that is awaited, the listener, the accepted socket, the address as text
%main = type { i32, %tmlrt_op, ptr, ptr, ptr }

@serve_name = private constant [6 x i8] c"serve\00"
@serve_type = internal constant %tmlrt_task_type {
  i64 ptrtoint (ptr getelementptr (%tmlrt_task_type, ptr null, i32 1) to i64), ptr @serve_name,
  i64 ptrtoint (ptr getelementptr (%serve, ptr null, i32 1) to i64), i64 8,
  i64 0, i64 1,
  ptr @serve_poll, ptr @serve_drop, ptr null, ptr null }

@main_name = private constant [5 x i8] c"main\00"
@main_type = internal constant %tmlrt_task_type {
  i64 ptrtoint (ptr getelementptr (%tmlrt_task_type, ptr null, i32 1) to i64), ptr @main_name,
  i64 ptrtoint (ptr getelementptr (%main, ptr null, i32 1) to i64), i64 8,
  i64 4, i64 4,
  ptr @main_poll, ptr @main_drop, ptr null, ptr null }

@default_address = private constant [12 x i8] c"127.0.0.1:0\00"
@listening = private constant [30 x i8] c"echo_server: listening on %s\0A\00"
@failure_line = private constant [21 x i8] c"echo_server: %s: %s\0A\00"

declare i32 @printf(ptr, ...)
declare i32 @fflush(ptr)

; ---- serve -------------------------------------------------------------------------------------

define internal i32 @serve_poll(ptr %s, ptr %cx, ptr %result) #0 {
entry:
  %op = getelementptr %serve, ptr %s, i32 0, i32 1
  %n.at = getelementptr %serve, ptr %s, i32 0, i32 3
  %buf = getelementptr %serve, ptr %s, i32 0, i32 4
  %sock.at = getelementptr %serve, ptr %s, i32 0, i32 2
  %sock = load ptr, ptr %sock.at
  %where = load i32, ptr %s
  switch i32 %where, label %read [ i32 1, label %reading
                                   i32 2, label %writing ]

read:
  %r0 = call i32 @tmlrt_op_read(ptr %op, ptr %sock, ptr %buf, i64 2048)
  store i32 1, ptr %s
  br label %reading

reading:
  %r1 = call i32 @tmlrt_op_poll(ptr %op, ptr %cx)
  %r1.pending = icmp eq i32 %r1, 1
  br i1 %r1.pending, label %pending, label %have

have:
  %n = call i64 @tmlrt_op_result(ptr %op)
  store i64 %n, ptr %n.at
  %more = icmp sgt i64 %n, 0
  br i1 %more, label %write, label %done

write:
  %w0 = call i32 @tmlrt_op_write(ptr %op, ptr %sock, ptr %buf, i64 %n)
  store i32 2, ptr %s
  br label %writing

writing:
  %w1 = call i32 @tmlrt_op_poll(ptr %op, ptr %cx)
  %w1.pending = icmp eq i32 %w1, 1
  br i1 %w1.pending, label %pending, label %written

written:
  %w = call i64 @tmlrt_op_result(ptr %op)
  %w.failed = icmp slt i64 %w, 0
  br i1 %w.failed, label %done, label %read

pending:
  ret i32 1

done:
  ret i32 0
}

define internal void @serve_drop(ptr %s) #0 {
  %sock.at = getelementptr %serve, ptr %s, i32 0, i32 2
  %sock = load ptr, ptr %sock.at
  call void @tmlrt_sock_release(ptr %sock)
  ret void
}

; ---- main --------------------------------------------------------------------------------------

define internal i32 @main_poll(ptr %s, ptr %cx, ptr %result) #0 {
entry:
  %child = alloca %serve, align 8
  %address = alloca %tmlrt_addr, align 8
  %text = alloca [128 x i8]
  %op = getelementptr %main, ptr %s, i32 0, i32 1
  %listener.at = getelementptr %main, ptr %s, i32 0, i32 2
  %sock.at = getelementptr %main, ptr %s, i32 0, i32 3
  %where = load i32, ptr %s
  %is.begin = icmp eq i32 %where, 0
  br i1 %is.begin, label %begin, label %accepting

begin:
  %wanted.at = getelementptr %main, ptr %s, i32 0, i32 4
  %wanted = load ptr, ptr %wanted.at
  %b0 = call i32 @tmlrt_addr_parse(ptr %address, ptr %wanted)
  %b0.failed = icmp slt i32 %b0, 0
  br i1 %b0.failed, label %failed, label %bind

bind:
  %b1 = call i32 @tmlrt_tcp_listen(ptr null, ptr %address, ptr null, ptr %listener.at)
  %b1.failed = icmp slt i32 %b1, 0
  br i1 %b1.failed, label %failed, label %bound

bound:
  %listener.new = load ptr, ptr %listener.at
  %b2 = call i32 @tmlrt_sock_local_addr(ptr %listener.new, ptr %address)
  %b3 = call i32 @tmlrt_addr_format(ptr %address, ptr %text, i64 128)
  %b4 = call i32 (ptr, ...) @printf(ptr @listening, ptr %text)
  %b5 = call i32 @fflush(ptr null)
  br label %accept

failed:
  %e = phi i32 [ %b0, %begin ], [ %b1, %bind ]
  %e.text = call ptr @tmlrt_strerror(i32 %e)
  %e.said = call i32 (ptr, ...) @printf(ptr @failure_line, ptr %wanted, ptr %e.text)
  store i32 1, ptr %result
  ret i32 0

accept:
  %listener = load ptr, ptr %listener.at
  %a0 = call i32 @tmlrt_op_accept(ptr %op, ptr %listener, ptr %sock.at)
  store i32 1, ptr %s
  br label %accepting

accepting:
  %a1 = call i32 @tmlrt_op_poll(ptr %op, ptr %cx)
  %a1.pending = icmp eq i32 %a1, 1
  br i1 %a1.pending, label %pending, label %accepted

pending:
  ret i32 1

accepted:                               ; -8: TMLRT_ESHUTDOWN; others pass by themselves
  %r = call i64 @tmlrt_op_result(ptr %op)
  %is.shutdown = icmp eq i64 %r, -8
  br i1 %is.shutdown, label %done, label %running

running:
  %r.failed = icmp slt i64 %r, 0
  br i1 %r.failed, label %accept, label %spawn

spawn:
  call void @llvm.memset.p0.i64(ptr %child, i8 0, i64 ptrtoint (ptr getelementptr (%serve, ptr null, i32 1) to i64), i1 false)
  %sock = load ptr, ptr %sock.at
  %child.sock = getelementptr %serve, ptr %child, i32 0, i32 2
  store ptr %sock, ptr %child.sock
  %sp = call i32 @tmlrt_spawn(ptr null, ptr @serve_type, ptr %child, ptr null, ptr null)
  %sp.failed = icmp slt i32 %sp, 0
  br i1 %sp.failed, label %refused, label %accept

refused:                                ; the socket is still ours
  call void @tmlrt_sock_release(ptr %sock)
  br label %accept

done:
  store i32 0, ptr %result
  ret i32 0
}

define internal void @main_drop(ptr %s) #0 {
  %listener.at = getelementptr %main, ptr %s, i32 0, i32 2
  %listener = load ptr, ptr %listener.at
  call void @tmlrt_sock_release(ptr %listener)
  ret void
}

declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

; The state is all zeros but for the address: where = 0, no listener.
define i32 @main(i32 %argc, ptr %argv) #0 {
entry:
  %state = alloca %main, align 8
  call void @llvm.memset.p0.i64(ptr %state, i8 0, i64 ptrtoint (ptr getelementptr (%main, ptr null, i32 1) to i64), i1 false)
  %has = icmp sgt i32 %argc, 1
  br i1 %has, label %given, label %run

given:
  %argv1 = getelementptr ptr, ptr %argv, i64 1
  %arg = load ptr, ptr %argv1
  br label %run

run:
  %address = phi ptr [ @default_address, %entry ], [ %arg, %given ]
  %address.at = getelementptr %main, ptr %state, i32 0, i32 4
  store ptr %address, ptr %address.at
  %status = call i32 @tmlrt_main(ptr @main_type, ptr %state, ptr null)
  ret i32 %status
}

attributes #0 = { nounwind }
