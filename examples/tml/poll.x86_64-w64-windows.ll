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
