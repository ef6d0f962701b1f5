; SPDX-License-Identifier: MIT
;
; poll.x86_64-linux-gnu.ll: for drop_in.ll: poll functions that return a TmlPoll as this target passes it
; in two registers.

define internal { i64, i64 } @sleeper_poll(ptr %s, ptr %cx) #0 {
  %out = alloca %TmlPoll
  call void @sleeper_body(ptr %s, ptr %cx, ptr %out)
  %p = load { i64, i64 }, ptr %out
  ret { i64, i64 } %p
}

define internal { i64, i64 } @never_poll(ptr %s, ptr %cx) #0 {
  %out = alloca %TmlPoll
  call void @never_body(ptr %s, ptr %cx, ptr %out)
  %p = load { i64, i64 }, ptr %out
  ret { i64, i64 } %p
}

define internal { i64, i64 } @joiner_poll(ptr %s, ptr %cx) #0 {
  %out = alloca %TmlPoll
  call void @joiner_body(ptr %s, ptr %cx, ptr %out)
  %p = load { i64, i64 }, ptr %out
  ret { i64, i64 } %p
}

define internal { i64, i64 } @limited_poll(ptr %s, ptr %cx) #0 {
  %out = alloca %TmlPoll
  call void @limited_body(ptr %s, ptr %cx, ptr %out)
  %p = load { i64, i64 }, ptr %out
  ret { i64, i64 } %p
}

; The payload of a poll result that comes back by value.
define internal i64 @by_value(i64 %value) #0 {
  %p = call { i64, i64 } @tml_poll_ready_i64(i64 %value)
  %payload = extractvalue { i64, i64 } %p, 1
  ret i64 %payload
}
