; SPDX-License-Identifier: MIT
;
; poll.x86_64-w64-windows.ll: for drop_in.ll: poll functions that return a TmlPoll as this target passes it
; through a pointer that the caller gives first.

define internal void @sleeper_poll(ptr sret(%TmlPoll) align 8 %out, ptr %s, ptr %cx) #0 {
  call void @sleeper_body(ptr %s, ptr %cx, ptr %out)
  ret void
}

define internal void @never_poll(ptr sret(%TmlPoll) align 8 %out, ptr %s, ptr %cx) #0 {
  call void @never_body(ptr %s, ptr %cx, ptr %out)
  ret void
}

define internal void @joiner_poll(ptr sret(%TmlPoll) align 8 %out, ptr %s, ptr %cx) #0 {
  call void @joiner_body(ptr %s, ptr %cx, ptr %out)
  ret void
}

define internal void @limited_poll(ptr sret(%TmlPoll) align 8 %out, ptr %s, ptr %cx) #0 {
  call void @limited_body(ptr %s, ptr %cx, ptr %out)
  ret void
}

; The payload of a poll result that comes back by value.
define internal i64 @by_value(i64 %value) #0 {
  %p = alloca %TmlPoll, align 8
  call void @tml_poll_ready_i64(ptr sret(%TmlPoll) align 8 %p, i64 %value)
  %at = getelementptr %TmlPoll, ptr %p, i32 0, i32 2
  %payload = load i64, ptr %at
  ret i64 %payload
}
