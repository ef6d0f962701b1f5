; SPDX-License-Identifier: MIT
;
; tmlrt.h for x86_64-linux-gnu: types and declarations for LLVM IR, to be put into a module
; as text or by llvm-link. Made from the headers by cmake/codegen.py; the words are there.

; Constants
; TMLRT_BLOCKING_FILE = 1
; TMLRT_BLOCKING_GENERAL = 0
; TMLRT_BLOCKING_NAMES = 2
; TMLRT_CLOCK_DEFAULT = 0
; TMLRT_CLOCK_REAL = 1
; TMLRT_CLOCK_VIRTUAL = 2
; TMLRT_EACCES = -20
; TMLRT_EADDRINUSE = -26
; TMLRT_EADDRNOTAVAIL = -27
; TMLRT_EAFNOSUPPORT = -28
; TMLRT_EAGAIN = -4
; TMLRT_EALREADY = -14
; TMLRT_EBADF = -17
; TMLRT_EBUSY = -3
; TMLRT_ECANCELED = -6
; TMLRT_ECLOSED = -13
; TMLRT_ECONNABORTED = -31
; TMLRT_ECONNREFUSED = -29
; TMLRT_ECONNRESET = -30
; TMLRT_EDEADLK = -10
; TMLRT_EEOF = -16
; TMLRT_EEXIST = -18
; TMLRT_EFOREIGN = -12
; TMLRT_EFORKED = -9
; TMLRT_EHOSTUNREACH = -35
; TMLRT_EINVAL = -1
; TMLRT_EIO = -25
; TMLRT_EISCONN = -33
; TMLRT_EMFILE = -21
; TMLRT_EMSGSIZE = -38
; TMLRT_ENETDOWN = -37
; TMLRT_ENETUNREACH = -36
; TMLRT_ENFILE = -22
; TMLRT_ENOBUFS = -23
; TMLRT_ENOENT = -19
; TMLRT_ENOMEM = -2
; TMLRT_ENORUNTIME = -11
; TMLRT_ENOTCONN = -32
; TMLRT_ENOTSUP = -15
; TMLRT_EOVERFLOW = -24
; TMLRT_EPANIC = -7
; TMLRT_EPIPE = -34
; TMLRT_ESHUTDOWN = -8
; TMLRT_ETIMEDOUT = -5
; TMLRT_EUNKNOWN = -39
; TMLRT_EXIT_PANIC = 101
; TMLRT_EXIT_RUNTIME = 70
; TMLRT_EXIT_SIGNAL = 128
; TMLRT_FD_ERROR = 4
; TMLRT_FD_READ = 1
; TMLRT_FD_WRITE = 2
; TMLRT_FIBER_CATCH_ROOM = 4096
; TMLRT_FLAVOR_CURRENT_THREAD = 2
; TMLRT_FLAVOR_DEFAULT = 0
; TMLRT_FLAVOR_MULTI_THREAD = 1
; TMLRT_MAX_BLOCKING = 16384
; TMLRT_MAX_WORKERS = 1024
; TMLRT_MISSED_BURST = 0
; TMLRT_MISSED_DELAY = 1
; TMLRT_MISSED_SKIP = 2
; TMLRT_MS = 1000000
; TMLRT_NEVER = 9223372036854775807
; TMLRT_OK = 0
; TMLRT_PANICKED = 2
; TMLRT_PENDING = 1
; TMLRT_REACTOR_AUTO = 0
; TMLRT_REACTOR_EPOLL = 1
; TMLRT_REACTOR_IOCP = 3
; TMLRT_REACTOR_IO_URING = 4
; TMLRT_REACTOR_KQUEUE = 2
; TMLRT_REACTOR_SIMULATED = 5
; TMLRT_READY = 0
; TMLRT_REPLAY_DESCRIPTOR = 2
; TMLRT_REPLAY_WAKE = 1
; TMLRT_SHUT_BOTH = 3
; TMLRT_SHUT_READ = 1
; TMLRT_SHUT_WRITE = 2
; TMLRT_SOCK_KEEPALIVE = 2
; TMLRT_SOCK_LINGER = 5
; TMLRT_SOCK_NODELAY = 1
; TMLRT_SOCK_RECV_BUFFER = 4
; TMLRT_SOCK_SEND_BUFFER = 3
; TMLRT_STACK_DEFAULT = 0
; TMLRT_STACK_HUGE = 4
; TMLRT_STACK_LARGE = 3
; TMLRT_STACK_MEDIUM = 2
; TMLRT_STACK_SMALL = 1
; TMLRT_TASK_DAEMON = 2
; TMLRT_TASK_PINNED = 1
; TMLRT_TCP_KEEPALIVE = 8
; TMLRT_TCP_NODELAY = 4
; TMLRT_TCP_NO_REUSEADDR = 16
; TMLRT_TCP_REUSEPORT = 1
; TMLRT_TCP_V6ONLY = 2
; TMLRT_UDP_BROADCAST = 8
; TMLRT_UDP_REUSEADDR = 1
; TMLRT_UDP_REUSEPORT = 2
; TMLRT_UDP_V6ONLY = 4
; TMLRT_US = 1000

; Types
%tmlrt_local_key = type { ptr, ptr }
%tmlrt_addr = type { i32, i32, [16 x i64] }
%tmlrt_tcp_options = type { i64, i32, i32, i32, i32 }
%tmlrt_iovec = type { ptr, i64 }
%tmlrt_notify = type { [4 x i64] }
%tmlrt_op = type { [16 x i64] }
%tmlrt_replay = type { i64, i64, i64, i64, i32, i32 }
%tmlrt_network = type { i64, i64, i64, i32, i32, i32, i32, i64, i64, i32, i32 }
%tmlrt_allocator = type { ptr, ptr, ptr }
%tmlrt_stuck = type { i64, i32, i32, i64, ptr, ptr, i64 }
%tmlrt_config = type { i64, i32, i32, i32, i32, i64, i32, i32, ptr, ptr, ptr, ptr, ptr, ptr, i32, i32, i32, ptr }
%tmlrt_straggler = type { i64, i64, ptr, ptr, ptr, i32 }
%tmlrt_shutdown_report = type { i64, ptr, ptr, i64, i64, i64 }
%tmlrt_worker_stats = type { i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64 }
%tmlrt_scope = type { [48 x i64] }
%tmlrt_mutex = type { [4 x i64] }
%tmlrt_rwlock = type { [6 x i64] }
%tmlrt_semaphore = type { [6 x i64] }
%tmlrt_barrier = type { [6 x i64] }
%tmlrt_once = type { [6 x i64] }
%tmlrt_wait_group = type { [6 x i64] }
%tmlrt_task_type = type { i64, ptr, i64, i64, i64, i64, ptr, ptr, ptr, ptr }
%tmlrt_task_options = type { i64, ptr, ptr, i32, i32, i64, ptr, ptr }
%tmlrt_interval = type { [6 x i64] }
%tmlrt_udp_options = type { i64, i32, i32, i32 }
%tmlrt_waker_vtable = type { ptr, ptr, ptr, ptr }
%tmlrt_waker = type { ptr, ptr }
%tmlrt_cx = type { ptr, ptr, [2 x ptr] }

; Functions of the program's own: how this target passes what C writes so
; tmlrt_poll_fn: int32_t tmlrt_poll_fn(void *state, tmlrt_cx_t *cx, void *result)
;     define i32 @f(ptr, ptr, ptr)

; Functions
; int tmlrt_spawn_blocking(tmlrt_runtime_t *rt, void *(*fn)(void *arg), void *arg, uint32_t blocking_class, const tmlrt_task_options_t *options, tmlrt_task_t **task)
declare i32 @tmlrt_spawn_blocking(ptr, ptr, ptr, i32, ptr, ptr)
; int tmlrt_chan_create(tmlrt_chan_t **chan, size_t item_size, size_t capacity)
declare i32 @tmlrt_chan_create(ptr, i64, i64)
; tmlrt_chan_t *tmlrt_chan_retain(tmlrt_chan_t *chan)
declare ptr @tmlrt_chan_retain(ptr)
; void tmlrt_chan_release(tmlrt_chan_t *chan)
declare void @tmlrt_chan_release(ptr)
; int tmlrt_chan_close(tmlrt_chan_t *chan)
declare i32 @tmlrt_chan_close(ptr)
; int tmlrt_op_send(tmlrt_op_t *op, tmlrt_chan_t *chan, const void *item)
declare i32 @tmlrt_op_send(ptr, ptr, ptr)
; int tmlrt_op_recv(tmlrt_op_t *op, tmlrt_chan_t *chan, void *item)
declare i32 @tmlrt_op_recv(ptr, ptr, ptr)
; int tmlrt_chan_send(tmlrt_chan_t *chan, const void *item)
declare i32 @tmlrt_chan_send(ptr, ptr)
; int tmlrt_chan_recv(tmlrt_chan_t *chan, void *item)
declare i32 @tmlrt_chan_recv(ptr, ptr)
; int tmlrt_chan_send_until(tmlrt_chan_t *chan, const void *item, int64_t deadline)
declare i32 @tmlrt_chan_send_until(ptr, ptr, i64)
; int tmlrt_chan_recv_until(tmlrt_chan_t *chan, void *item, int64_t deadline)
declare i32 @tmlrt_chan_recv_until(ptr, ptr, i64)
; int tmlrt_chan_try_send(tmlrt_chan_t *chan, const void *item)
declare i32 @tmlrt_chan_try_send(ptr, ptr)
; int tmlrt_chan_try_recv(tmlrt_chan_t *chan, void *item)
declare i32 @tmlrt_chan_try_recv(ptr, ptr)
; int64_t tmlrt_chan_length(tmlrt_chan_t *chan)
declare i64 @tmlrt_chan_length(ptr)
; int tmlrt_oneshot_create(tmlrt_oneshot_t **oneshot, size_t item_size)
declare i32 @tmlrt_oneshot_create(ptr, i64)
; tmlrt_oneshot_t *tmlrt_oneshot_retain(tmlrt_oneshot_t *oneshot)
declare ptr @tmlrt_oneshot_retain(ptr)
; void tmlrt_oneshot_release(tmlrt_oneshot_t *oneshot)
declare void @tmlrt_oneshot_release(ptr)
; int tmlrt_oneshot_close(tmlrt_oneshot_t *oneshot)
declare i32 @tmlrt_oneshot_close(ptr)
; int tmlrt_oneshot_send(tmlrt_oneshot_t *oneshot, const void *item)
declare i32 @tmlrt_oneshot_send(ptr, ptr)
; int tmlrt_op_oneshot(tmlrt_op_t *op, tmlrt_oneshot_t *oneshot, void *item)
declare i32 @tmlrt_op_oneshot(ptr, ptr, ptr)
; int tmlrt_oneshot_recv(tmlrt_oneshot_t *oneshot, void *item)
declare i32 @tmlrt_oneshot_recv(ptr, ptr)
; int tmlrt_oneshot_recv_until(tmlrt_oneshot_t *oneshot, void *item, int64_t deadline)
declare i32 @tmlrt_oneshot_recv_until(ptr, ptr, i64)
; int tmlrt_broadcast_create(tmlrt_broadcast_t **bc, size_t item_size, size_t capacity)
declare i32 @tmlrt_broadcast_create(ptr, i64, i64)
; tmlrt_broadcast_t *tmlrt_broadcast_retain(tmlrt_broadcast_t *bc)
declare ptr @tmlrt_broadcast_retain(ptr)
; void tmlrt_broadcast_release(tmlrt_broadcast_t *bc)
declare void @tmlrt_broadcast_release(ptr)
; int tmlrt_broadcast_close(tmlrt_broadcast_t *bc)
declare i32 @tmlrt_broadcast_close(ptr)
; int64_t tmlrt_broadcast_send(tmlrt_broadcast_t *bc, const void *item)
declare i64 @tmlrt_broadcast_send(ptr, ptr)
; int tmlrt_broadcast_subscribe(tmlrt_broadcast_t *bc, tmlrt_subscription_t **sub)
declare i32 @tmlrt_broadcast_subscribe(ptr, ptr)
; void tmlrt_subscription_release(tmlrt_subscription_t *sub)
declare void @tmlrt_subscription_release(ptr)
; int tmlrt_op_broadcast(tmlrt_op_t *op, tmlrt_subscription_t *sub, void *item)
declare i32 @tmlrt_op_broadcast(ptr, ptr, ptr)
; int64_t tmlrt_broadcast_recv(tmlrt_subscription_t *sub, void *item)
declare i64 @tmlrt_broadcast_recv(ptr, ptr)
; int64_t tmlrt_broadcast_recv_until(tmlrt_subscription_t *sub, void *item, int64_t deadline)
declare i64 @tmlrt_broadcast_recv_until(ptr, ptr, i64)
; int tmlrt_watch_create(tmlrt_watch_t **watch, size_t item_size, const void *initial)
declare i32 @tmlrt_watch_create(ptr, i64, ptr)
; tmlrt_watch_t *tmlrt_watch_retain(tmlrt_watch_t *watch)
declare ptr @tmlrt_watch_retain(ptr)
; void tmlrt_watch_release(tmlrt_watch_t *watch)
declare void @tmlrt_watch_release(ptr)
; int tmlrt_watch_close(tmlrt_watch_t *watch)
declare i32 @tmlrt_watch_close(ptr)
; int tmlrt_watch_set(tmlrt_watch_t *watch, const void *item)
declare i32 @tmlrt_watch_set(ptr, ptr)
; int tmlrt_watch_get(tmlrt_watch_t *watch, void *item, uint64_t *seen)
declare i32 @tmlrt_watch_get(ptr, ptr, ptr)
; int tmlrt_op_changed(tmlrt_op_t *op, tmlrt_watch_t *watch, void *item, uint64_t *seen)
declare i32 @tmlrt_op_changed(ptr, ptr, ptr, ptr)
; int tmlrt_watch_changed(tmlrt_watch_t *watch, void *item, uint64_t *seen)
declare i32 @tmlrt_watch_changed(ptr, ptr, ptr)
; int tmlrt_watch_changed_until(tmlrt_watch_t *watch, void *item, uint64_t *seen, int64_t deadline)
declare i32 @tmlrt_watch_changed_until(ptr, ptr, ptr, i64)
; const char *tmlrt_strerror(int error)
declare ptr @tmlrt_strerror(i32)
; const char *tmlrt_errname(int error)
declare ptr @tmlrt_errname(i32)
; int tmlrt_fd_open(tmlrt_runtime_t *rt, intptr_t fd, tmlrt_fd_t **reg)
declare i32 @tmlrt_fd_open(ptr, i64, ptr)
; void tmlrt_fd_close(tmlrt_fd_t *reg)
declare void @tmlrt_fd_close(ptr)
; int tmlrt_op_fd_wait(tmlrt_op_t *op, tmlrt_fd_t *reg, uint32_t interest)
declare i32 @tmlrt_op_fd_wait(ptr, ptr, i32)
; int64_t tmlrt_fd_wait(tmlrt_fd_t *reg, uint32_t interest)
declare i64 @tmlrt_fd_wait(ptr, i32)
; int64_t tmlrt_fd_wait_until(tmlrt_fd_t *reg, uint32_t interest, int64_t deadline)
declare i64 @tmlrt_fd_wait_until(ptr, i32, i64)
; int tmlrt_go(tmlrt_runtime_t *rt, tmlrt_fiber_fn fn, void *arg, const tmlrt_task_options_t *options, tmlrt_task_t **task)
declare i32 @tmlrt_go(ptr, ptr, ptr, ptr, ptr)
; int tmlrt_yield(void)
declare i32 @tmlrt_yield()
; int tmlrt_shield_begin(void)
declare i32 @tmlrt_shield_begin()
; int tmlrt_shield_end(void)
declare i32 @tmlrt_shield_end()
; int tmlrt_cancelled(void)
declare i32 @tmlrt_cancelled()
; int tmlrt_fiber_catch_overflow(void)
declare i32 @tmlrt_fiber_catch_overflow()
; int tmlrt_local_set(const tmlrt_local_key_t *key, void *value)
declare i32 @tmlrt_local_set(ptr, ptr)
; void *tmlrt_local_get(const tmlrt_local_key_t *key)
declare ptr @tmlrt_local_get(ptr)
; int tmlrt_main(const tmlrt_task_type_t *type, const void *init_state, const tmlrt_config_t *config)
declare i32 @tmlrt_main(ptr, ptr, ptr)
; int tmlrt_runtime_default(tmlrt_runtime_t **rt)
declare i32 @tmlrt_runtime_default(ptr)
; int tmlrt_addr_parse(tmlrt_addr_t *addr, const char *text)
declare i32 @tmlrt_addr_parse(ptr, ptr)
; int tmlrt_addr_format(const tmlrt_addr_t *addr, char *text, size_t size)
declare i32 @tmlrt_addr_format(ptr, ptr, i64)
; int tmlrt_addr_port(const tmlrt_addr_t *addr)
declare i32 @tmlrt_addr_port(ptr)
; int tmlrt_tcp_listen(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr, const tmlrt_tcp_options_t *options, tmlrt_sock_t **listener)
declare i32 @tmlrt_tcp_listen(ptr, ptr, ptr, ptr)
; int tmlrt_op_accept(tmlrt_op_t *op, tmlrt_sock_t *listener, tmlrt_sock_t **out)
declare i32 @tmlrt_op_accept(ptr, ptr, ptr)
; int tmlrt_op_connect(tmlrt_op_t *op, tmlrt_runtime_t *rt, const tmlrt_addr_t *addr, const tmlrt_tcp_options_t *options, tmlrt_sock_t **out)
declare i32 @tmlrt_op_connect(ptr, ptr, ptr, ptr, ptr)
; int tmlrt_op_read(tmlrt_op_t *op, tmlrt_sock_t *sock, void *buf, size_t size)
declare i32 @tmlrt_op_read(ptr, ptr, ptr, i64)
; int tmlrt_op_read_exact(tmlrt_op_t *op, tmlrt_sock_t *sock, void *buf, size_t size)
declare i32 @tmlrt_op_read_exact(ptr, ptr, ptr, i64)
; int tmlrt_op_write(tmlrt_op_t *op, tmlrt_sock_t *sock, const void *buf, size_t size)
declare i32 @tmlrt_op_write(ptr, ptr, ptr, i64)
; int tmlrt_op_readv(tmlrt_op_t *op, tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n)
declare i32 @tmlrt_op_readv(ptr, ptr, ptr, i64)
; int tmlrt_op_writev(tmlrt_op_t *op, tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n)
declare i32 @tmlrt_op_writev(ptr, ptr, ptr, i64)
; int64_t tmlrt_try_read(tmlrt_sock_t *sock, void *buf, size_t size)
declare i64 @tmlrt_try_read(ptr, ptr, i64)
; int64_t tmlrt_try_write(tmlrt_sock_t *sock, const void *buf, size_t size)
declare i64 @tmlrt_try_write(ptr, ptr, i64)
; int64_t tmlrt_read(tmlrt_sock_t *sock, void *buf, size_t size)
declare i64 @tmlrt_read(ptr, ptr, i64)
; int64_t tmlrt_read_until(tmlrt_sock_t *sock, void *buf, size_t size, int64_t deadline)
declare i64 @tmlrt_read_until(ptr, ptr, i64, i64)
; int64_t tmlrt_read_exact(tmlrt_sock_t *sock, void *buf, size_t size)
declare i64 @tmlrt_read_exact(ptr, ptr, i64)
; int64_t tmlrt_read_exact_until(tmlrt_sock_t *sock, void *buf, size_t size, int64_t deadline)
declare i64 @tmlrt_read_exact_until(ptr, ptr, i64, i64)
; int64_t tmlrt_write(tmlrt_sock_t *sock, const void *buf, size_t size)
declare i64 @tmlrt_write(ptr, ptr, i64)
; int64_t tmlrt_write_until(tmlrt_sock_t *sock, const void *buf, size_t size, int64_t deadline)
declare i64 @tmlrt_write_until(ptr, ptr, i64, i64)
; int64_t tmlrt_readv(tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n)
declare i64 @tmlrt_readv(ptr, ptr, i64)
; int64_t tmlrt_readv_until(tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n, int64_t deadline)
declare i64 @tmlrt_readv_until(ptr, ptr, i64, i64)
; int64_t tmlrt_writev(tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n)
declare i64 @tmlrt_writev(ptr, ptr, i64)
; int64_t tmlrt_writev_until(tmlrt_sock_t *sock, tmlrt_iovec_t *iov, size_t n, int64_t deadline)
declare i64 @tmlrt_writev_until(ptr, ptr, i64, i64)
; int tmlrt_accept(tmlrt_sock_t *listener, tmlrt_sock_t **out)
declare i32 @tmlrt_accept(ptr, ptr)
; int tmlrt_accept_until(tmlrt_sock_t *listener, tmlrt_sock_t **out, int64_t deadline)
declare i32 @tmlrt_accept_until(ptr, ptr, i64)
; int tmlrt_connect(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr, const tmlrt_tcp_options_t *options, tmlrt_sock_t **out)
declare i32 @tmlrt_connect(ptr, ptr, ptr, ptr)
; int tmlrt_connect_until(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr, const tmlrt_tcp_options_t *options, tmlrt_sock_t **out, int64_t deadline)
declare i32 @tmlrt_connect_until(ptr, ptr, ptr, ptr, i64)
; int tmlrt_sock_shutdown(tmlrt_sock_t *sock, int how)
declare i32 @tmlrt_sock_shutdown(ptr, i32)
; int tmlrt_sock_close(tmlrt_sock_t *sock)
declare i32 @tmlrt_sock_close(ptr)
; void tmlrt_sock_release(tmlrt_sock_t *sock)
declare void @tmlrt_sock_release(ptr)
; int tmlrt_sock_local_addr(tmlrt_sock_t *sock, tmlrt_addr_t *addr)
declare i32 @tmlrt_sock_local_addr(ptr, ptr)
; int tmlrt_sock_peer_addr(tmlrt_sock_t *sock, tmlrt_addr_t *addr)
declare i32 @tmlrt_sock_peer_addr(ptr, ptr)
; int tmlrt_sock_set(tmlrt_sock_t *sock, int option, int64_t value)
declare i32 @tmlrt_sock_set(ptr, i32, i64)
; int tmlrt_notify_one(tmlrt_notify_t *notify)
declare i32 @tmlrt_notify_one(ptr)
; int tmlrt_notify_all(tmlrt_notify_t *notify)
declare i32 @tmlrt_notify_all(ptr)
; int tmlrt_op_notified(tmlrt_op_t *op, tmlrt_notify_t *notify)
declare i32 @tmlrt_op_notified(ptr, ptr)
; int tmlrt_notified(tmlrt_notify_t *notify)
declare i32 @tmlrt_notified(ptr)
; int tmlrt_notified_until(tmlrt_notify_t *notify, int64_t deadline)
declare i32 @tmlrt_notified_until(ptr, i64)
; int tmlrt_op_deadline(tmlrt_op_t *op, int64_t abs_ns)
declare i32 @tmlrt_op_deadline(ptr, i64)
; int32_t tmlrt_op_poll(tmlrt_op_t *op, tmlrt_cx_t *cx)
declare i32 @tmlrt_op_poll(ptr, ptr)
; int tmlrt_op_await(tmlrt_op_t *op)
declare i32 @tmlrt_op_await(ptr)
; int tmlrt_op_cancel(tmlrt_op_t *op)
declare i32 @tmlrt_op_cancel(ptr)
; int64_t tmlrt_op_result(const tmlrt_op_t *op)
declare i64 @tmlrt_op_result(ptr)
; size_t tmlrt_op_transferred(const tmlrt_op_t *op)
declare i64 @tmlrt_op_transferred(ptr)
; int tmlrt_op_any(tmlrt_op_t *op, tmlrt_op_t *const *ops, size_t n)
declare i32 @tmlrt_op_any(ptr, ptr, i64)
; int tmlrt_op_all(tmlrt_op_t *op, tmlrt_op_t *const *ops, size_t n)
declare i32 @tmlrt_op_all(ptr, ptr, i64)
; int tmlrt_op_future(tmlrt_op_t *op, const tmlrt_task_type_t *type, void *state, void *result)
declare i32 @tmlrt_op_future(ptr, ptr, ptr, ptr)
; int tmlrt_op_yield(tmlrt_op_t *op)
declare i32 @tmlrt_op_yield(ptr)
; int32_t tmlrt_ops_drain(tmlrt_cx_t *cx, const void *base, size_t size)
declare i32 @tmlrt_ops_drain(ptr, ptr, i64)
; int tmlrt_pipe(tmlrt_runtime_t *rt, tmlrt_sock_t **read_end, tmlrt_sock_t **write_end)
declare i32 @tmlrt_pipe(ptr, ptr, ptr)
; int tmlrt_runtime_replay(tmlrt_runtime_t *rt, tmlrt_replay_t *replay)
declare i32 @tmlrt_runtime_replay(ptr, ptr)
; int tmlrt_op_resolve(tmlrt_op_t *op, tmlrt_runtime_t *rt, const char *host, int port, tmlrt_addr_t *out, size_t max)
declare i32 @tmlrt_op_resolve(ptr, ptr, ptr, i32, ptr, i64)
; int tmlrt_resolve(tmlrt_runtime_t *rt, const char *host, int port, tmlrt_addr_t *out, size_t max)
declare i32 @tmlrt_resolve(ptr, ptr, i32, ptr, i64)
; int tmlrt_resolve_until(tmlrt_runtime_t *rt, const char *host, int port, tmlrt_addr_t *out, size_t max, int64_t deadline)
declare i32 @tmlrt_resolve_until(ptr, ptr, i32, ptr, i64, i64)
; int tmlrt_connect_host(tmlrt_runtime_t *rt, const char *host, int port, const tmlrt_tcp_options_t *options, tmlrt_sock_t **out)
declare i32 @tmlrt_connect_host(ptr, ptr, i32, ptr, ptr)
; int tmlrt_connect_host_until(tmlrt_runtime_t *rt, const char *host, int port, const tmlrt_tcp_options_t *options, tmlrt_sock_t **out, int64_t deadline)
declare i32 @tmlrt_connect_host_until(ptr, ptr, i32, ptr, ptr, i64)
; int tmlrt_runtime_create(tmlrt_runtime_t **rt, const tmlrt_config_t *config)
declare i32 @tmlrt_runtime_create(ptr, ptr)
; tmlrt_runtime_t *tmlrt_runtime_current(void)
declare ptr @tmlrt_runtime_current()
; int tmlrt_runtime_workers(tmlrt_runtime_t *rt)
declare i32 @tmlrt_runtime_workers(ptr)
; const char *tmlrt_runtime_reactor(tmlrt_runtime_t *rt)
declare ptr @tmlrt_runtime_reactor(ptr)
; int tmlrt_runtime_block_on(tmlrt_runtime_t *rt, const tmlrt_task_type_t *type, const void *init_state, const tmlrt_task_options_t *options, void *result)
declare i32 @tmlrt_runtime_block_on(ptr, ptr, ptr, ptr, ptr)
; int64_t tmlrt_runtime_run_once(tmlrt_runtime_t *rt)
declare i64 @tmlrt_runtime_run_once(ptr)
; int64_t tmlrt_runtime_timeout(tmlrt_runtime_t *rt)
declare i64 @tmlrt_runtime_timeout(ptr)
; int64_t tmlrt_runtime_handle(tmlrt_runtime_t *rt)
declare i64 @tmlrt_runtime_handle(ptr)
; int tmlrt_runtime_shutdown(tmlrt_runtime_t *rt, int64_t deadline, tmlrt_shutdown_report_t *report)
declare i32 @tmlrt_runtime_shutdown(ptr, i64, ptr)
; int tmlrt_runtime_destroy(tmlrt_runtime_t *rt)
declare i32 @tmlrt_runtime_destroy(ptr)
; int tmlrt_op_stopping(tmlrt_op_t *op, tmlrt_runtime_t *rt)
declare i32 @tmlrt_op_stopping(ptr, ptr)
; int tmlrt_runtime_stats(tmlrt_runtime_t *rt, uint32_t worker, tmlrt_worker_stats_t *stats)
declare i32 @tmlrt_runtime_stats(ptr, i32, ptr)
; int tmlrt_scope_open(tmlrt_scope_t *scope, tmlrt_runtime_t *rt, int64_t deadline)
declare i32 @tmlrt_scope_open(ptr, ptr, i64)
; int tmlrt_scope_open_in(tmlrt_scope_t *scope, tmlrt_cx_t *cx, tmlrt_scope_t *outer, int64_t deadline)
declare i32 @tmlrt_scope_open_in(ptr, ptr, ptr, i64)
; tmlrt_op_t *tmlrt_scope_op(tmlrt_scope_t *scope)
declare ptr @tmlrt_scope_op(ptr)
; int tmlrt_scope_join(tmlrt_scope_t *scope)
declare i32 @tmlrt_scope_join(ptr)
; int tmlrt_scope_fail(tmlrt_scope_t *scope, int error)
declare i32 @tmlrt_scope_fail(ptr, i32)
; int tmlrt_scope_cancel(tmlrt_scope_t *scope)
declare i32 @tmlrt_scope_cancel(ptr)
; int tmlrt_scope_status(tmlrt_scope_t *scope)
declare i32 @tmlrt_scope_status(ptr)
; tmlrt_scope_t *tmlrt_scope_current(void)
declare ptr @tmlrt_scope_current()
; int tmlrt_signal_open(tmlrt_runtime_t *rt, int signo, tmlrt_signal_t **sig)
declare i32 @tmlrt_signal_open(ptr, i32, ptr)
; void tmlrt_signal_close(tmlrt_signal_t *sig)
declare void @tmlrt_signal_close(ptr)
; int tmlrt_op_signal(tmlrt_op_t *op, tmlrt_signal_t *sig)
declare i32 @tmlrt_op_signal(ptr, ptr)
; int tmlrt_op_lock(tmlrt_op_t *op, tmlrt_mutex_t *mutex)
declare i32 @tmlrt_op_lock(ptr, ptr)
; int tmlrt_mutex_lock(tmlrt_mutex_t *mutex)
declare i32 @tmlrt_mutex_lock(ptr)
; int tmlrt_mutex_lock_until(tmlrt_mutex_t *mutex, int64_t deadline)
declare i32 @tmlrt_mutex_lock_until(ptr, i64)
; int tmlrt_mutex_try_lock(tmlrt_mutex_t *mutex)
declare i32 @tmlrt_mutex_try_lock(ptr)
; int tmlrt_mutex_unlock(tmlrt_mutex_t *mutex)
declare i32 @tmlrt_mutex_unlock(ptr)
; int tmlrt_op_read_lock(tmlrt_op_t *op, tmlrt_rwlock_t *rwlock)
declare i32 @tmlrt_op_read_lock(ptr, ptr)
; int tmlrt_op_write_lock(tmlrt_op_t *op, tmlrt_rwlock_t *rwlock)
declare i32 @tmlrt_op_write_lock(ptr, ptr)
; int tmlrt_rwlock_read(tmlrt_rwlock_t *rwlock)
declare i32 @tmlrt_rwlock_read(ptr)
; int tmlrt_rwlock_write(tmlrt_rwlock_t *rwlock)
declare i32 @tmlrt_rwlock_write(ptr)
; int tmlrt_rwlock_read_until(tmlrt_rwlock_t *rwlock, int64_t deadline)
declare i32 @tmlrt_rwlock_read_until(ptr, i64)
; int tmlrt_rwlock_write_until(tmlrt_rwlock_t *rwlock, int64_t deadline)
declare i32 @tmlrt_rwlock_write_until(ptr, i64)
; int tmlrt_rwlock_try_read(tmlrt_rwlock_t *rwlock)
declare i32 @tmlrt_rwlock_try_read(ptr)
; int tmlrt_rwlock_try_write(tmlrt_rwlock_t *rwlock)
declare i32 @tmlrt_rwlock_try_write(ptr)
; int tmlrt_rwlock_unlock(tmlrt_rwlock_t *rwlock)
declare i32 @tmlrt_rwlock_unlock(ptr)
; int tmlrt_semaphore_init(tmlrt_semaphore_t *sem, int64_t permits)
declare i32 @tmlrt_semaphore_init(ptr, i64)
; int tmlrt_op_acquire(tmlrt_op_t *op, tmlrt_semaphore_t *sem, int64_t n)
declare i32 @tmlrt_op_acquire(ptr, ptr, i64)
; int tmlrt_semaphore_acquire(tmlrt_semaphore_t *sem, int64_t n)
declare i32 @tmlrt_semaphore_acquire(ptr, i64)
; int tmlrt_semaphore_acquire_until(tmlrt_semaphore_t *sem, int64_t n, int64_t deadline)
declare i32 @tmlrt_semaphore_acquire_until(ptr, i64, i64)
; int tmlrt_semaphore_try_acquire(tmlrt_semaphore_t *sem, int64_t n)
declare i32 @tmlrt_semaphore_try_acquire(ptr, i64)
; int tmlrt_semaphore_release(tmlrt_semaphore_t *sem, int64_t n)
declare i32 @tmlrt_semaphore_release(ptr, i64)
; int64_t tmlrt_semaphore_permits(tmlrt_semaphore_t *sem)
declare i64 @tmlrt_semaphore_permits(ptr)
; int tmlrt_barrier_init(tmlrt_barrier_t *barrier, uint32_t n)
declare i32 @tmlrt_barrier_init(ptr, i32)
; int tmlrt_op_barrier(tmlrt_op_t *op, tmlrt_barrier_t *barrier)
declare i32 @tmlrt_op_barrier(ptr, ptr)
; int tmlrt_barrier_wait(tmlrt_barrier_t *barrier)
declare i32 @tmlrt_barrier_wait(ptr)
; int tmlrt_op_once(tmlrt_op_t *op, tmlrt_once_t *once)
declare i32 @tmlrt_op_once(ptr, ptr)
; int tmlrt_once_done(tmlrt_once_t *once)
declare i32 @tmlrt_once_done(ptr)
; int tmlrt_once_failed(tmlrt_once_t *once)
declare i32 @tmlrt_once_failed(ptr)
; int tmlrt_once_call(tmlrt_once_t *once, int (*fn)(void *arg), void *arg)
declare i32 @tmlrt_once_call(ptr, ptr, ptr)
; int tmlrt_wait_group_add(tmlrt_wait_group_t *group, int64_t n)
declare i32 @tmlrt_wait_group_add(ptr, i64)
; int tmlrt_wait_group_done(tmlrt_wait_group_t *group)
declare i32 @tmlrt_wait_group_done(ptr)
; int tmlrt_op_wait_group(tmlrt_op_t *op, tmlrt_wait_group_t *group)
declare i32 @tmlrt_op_wait_group(ptr, ptr)
; int tmlrt_wait_group_wait(tmlrt_wait_group_t *group)
declare i32 @tmlrt_wait_group_wait(ptr)
; int tmlrt_wait_group_wait_until(tmlrt_wait_group_t *group, int64_t deadline)
declare i32 @tmlrt_wait_group_wait_until(ptr, i64)
; int tmlrt_spawn(tmlrt_runtime_t *rt, const tmlrt_task_type_t *type, const void *init_state, const tmlrt_task_options_t *options, tmlrt_task_t **task)
declare i32 @tmlrt_spawn(ptr, ptr, ptr, ptr, ptr)
; int tmlrt_task_new(tmlrt_runtime_t *rt, const tmlrt_task_type_t *type, const tmlrt_task_options_t *options, tmlrt_task_t **task)
declare i32 @tmlrt_task_new(ptr, ptr, ptr, ptr)
; void *tmlrt_task_state(tmlrt_task_t *task)
declare ptr @tmlrt_task_state(ptr)
; int tmlrt_task_start(tmlrt_task_t *task)
declare i32 @tmlrt_task_start(ptr)
; void tmlrt_task_release(tmlrt_task_t *task)
declare void @tmlrt_task_release(ptr)
; int tmlrt_task_abort(tmlrt_task_t *task)
declare i32 @tmlrt_task_abort(ptr)
; int tmlrt_task_is_finished(const tmlrt_task_t *task)
declare i32 @tmlrt_task_is_finished(ptr)
; int tmlrt_task_result(tmlrt_task_t *task, void **result)
declare i32 @tmlrt_task_result(ptr, ptr)
; uint64_t tmlrt_task_id(const tmlrt_task_t *task)
declare i64 @tmlrt_task_id(ptr)
; const char *tmlrt_task_name(const tmlrt_task_t *task)
declare ptr @tmlrt_task_name(ptr)
; tmlrt_task_t *tmlrt_task_current(void)
declare ptr @tmlrt_task_current()
; int tmlrt_op_join(tmlrt_op_t *op, tmlrt_task_t *task, void *result)
declare i32 @tmlrt_op_join(ptr, ptr, ptr)
; int tmlrt_join(tmlrt_task_t *task, void *result)
declare i32 @tmlrt_join(ptr, ptr)
; int64_t tmlrt_now(tmlrt_runtime_t *rt)
declare i64 @tmlrt_now(ptr)
; int tmlrt_op_sleep(tmlrt_op_t *op, tmlrt_runtime_t *rt, int64_t ns)
declare i32 @tmlrt_op_sleep(ptr, ptr, i64)
; int tmlrt_op_sleep_until(tmlrt_op_t *op, tmlrt_runtime_t *rt, int64_t abs_ns)
declare i32 @tmlrt_op_sleep_until(ptr, ptr, i64)
; int tmlrt_sleep(int64_t ns)
declare i32 @tmlrt_sleep(i64)
; int tmlrt_sleep_until(int64_t abs_ns)
declare i32 @tmlrt_sleep_until(i64)
; int tmlrt_interval_init(tmlrt_interval_t *interval, tmlrt_runtime_t *rt, int64_t first_ns, int64_t period_ns, int missed)
declare i32 @tmlrt_interval_init(ptr, ptr, i64, i64, i32)
; int tmlrt_op_tick(tmlrt_op_t *op, tmlrt_interval_t *interval)
declare i32 @tmlrt_op_tick(ptr, ptr)
; int64_t tmlrt_tick(tmlrt_interval_t *interval)
declare i64 @tmlrt_tick(ptr)
; int64_t tmlrt_tick_until(tmlrt_interval_t *interval, int64_t deadline)
declare i64 @tmlrt_tick_until(ptr, i64)
; int tmlrt_token_create(tmlrt_token_t **token, tmlrt_token_t *parent)
declare i32 @tmlrt_token_create(ptr, ptr)
; tmlrt_token_t *tmlrt_token_retain(tmlrt_token_t *token)
declare ptr @tmlrt_token_retain(ptr)
; void tmlrt_token_release(tmlrt_token_t *token)
declare void @tmlrt_token_release(ptr)
; int tmlrt_token_cancel(tmlrt_token_t *token)
declare i32 @tmlrt_token_cancel(ptr)
; int tmlrt_token_is_cancelled(const tmlrt_token_t *token)
declare i32 @tmlrt_token_is_cancelled(ptr)
; int tmlrt_op_token(tmlrt_op_t *op, tmlrt_token_t *token)
declare i32 @tmlrt_op_token(ptr, ptr)
; int tmlrt_token_wait(tmlrt_token_t *token)
declare i32 @tmlrt_token_wait(ptr)
; int tmlrt_token_wait_until(tmlrt_token_t *token, int64_t deadline)
declare i32 @tmlrt_token_wait_until(ptr, i64)
; int tmlrt_udp_open(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr, const tmlrt_udp_options_t *options, tmlrt_sock_t **sock)
declare i32 @tmlrt_udp_open(ptr, ptr, ptr, ptr)
; int tmlrt_udp_connect(tmlrt_sock_t *sock, const tmlrt_addr_t *addr)
declare i32 @tmlrt_udp_connect(ptr, ptr)
; int tmlrt_op_send_to(tmlrt_op_t *op, tmlrt_sock_t *sock, const void *buf, size_t size, const tmlrt_addr_t *to)
declare i32 @tmlrt_op_send_to(ptr, ptr, ptr, i64, ptr)
; int tmlrt_op_recv_from(tmlrt_op_t *op, tmlrt_sock_t *sock, void *buf, size_t size, tmlrt_addr_t *from)
declare i32 @tmlrt_op_recv_from(ptr, ptr, ptr, i64, ptr)
; int64_t tmlrt_send_to(tmlrt_sock_t *sock, const void *buf, size_t size, const tmlrt_addr_t *to)
declare i64 @tmlrt_send_to(ptr, ptr, i64, ptr)
; int64_t tmlrt_send_to_until(tmlrt_sock_t *sock, const void *buf, size_t size, const tmlrt_addr_t *to, int64_t deadline)
declare i64 @tmlrt_send_to_until(ptr, ptr, i64, ptr, i64)
; int64_t tmlrt_recv_from(tmlrt_sock_t *sock, void *buf, size_t size, tmlrt_addr_t *from)
declare i64 @tmlrt_recv_from(ptr, ptr, i64, ptr)
; int64_t tmlrt_recv_from_until(tmlrt_sock_t *sock, void *buf, size_t size, tmlrt_addr_t *from, int64_t deadline)
declare i64 @tmlrt_recv_from_until(ptr, ptr, i64, ptr, i64)
; int tmlrt_addr_unix(tmlrt_addr_t *addr, const char *path)
declare i32 @tmlrt_addr_unix(ptr, ptr)
; int tmlrt_unix_listen(tmlrt_runtime_t *rt, const tmlrt_addr_t *addr, const tmlrt_tcp_options_t *options, tmlrt_sock_t **listener)
declare i32 @tmlrt_unix_listen(ptr, ptr, ptr, ptr)
; uint32_t tmlrt_version(void)
declare i32 @tmlrt_version()
; const char *tmlrt_version_string(void)
declare ptr @tmlrt_version_string()
; int tmlrt_waker_clone(const tmlrt_waker_t *waker, tmlrt_waker_t *out)
declare i32 @tmlrt_waker_clone(ptr, ptr)
; int tmlrt_waker_wake(tmlrt_waker_t *waker)
declare i32 @tmlrt_waker_wake(ptr)
; int tmlrt_waker_wake_by_ref(const tmlrt_waker_t *waker)
declare i32 @tmlrt_waker_wake_by_ref(ptr)
; int tmlrt_waker_drop(tmlrt_waker_t *waker)
declare i32 @tmlrt_waker_drop(ptr)
