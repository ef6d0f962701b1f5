/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/tml.h: the drop-in symbols. A program that was compiled for TML's own async runtime links
 * with libtmlrt in its place and runs. New code uses tmlrt.h instead. The names, the structs of known
 * layout and what the functions mean are TML's; here is said what libtmlrt promises about them.
 *
 * Structs by value. A compiler that writes IR must know how each target passes one; declared as
 * {i32, i32, i64}, TmlPoll is wrong on all of them. So every function that returns a struct has a
 * second form, its name followed by _ptr, that writes to its last argument (NULL: the result is lost).
 * The declarations in tmlrt/codegen/tml_async.<target>.ll are right for both.
 *
 * Who wakes whom. A poll function may return Pending without having taken a waker. Polled by an
 * executor or by tml_block_on, the functions below know for whom they run (with a NULL context too)
 * and wake it: sleep, delay, yield, join, timeout, and a channel that said "would block". Inside a
 * task of tmlrt.h they wake that task; elsewhere a context made by an executor is woken, and with
 * none nobody is: the caller polls until it is ready. A task that returned Pending with nothing
 * registered is polled again after pauses that grow from 50 us to 10 ms; one with something
 * registered after 1 s at the latest, in case that it also waits for what nobody can see.
 *
 * Wakers are values: they may be copied with or without tml_waker_clone, kept past the poll, past
 * their task and their executor, woken from any thread at any time, and need no destroy.
 *
 * Threads: where nothing else is said a function may be called from any thread; one TmlTimerState,
 * TmlTaskHandle and the like from one at a time. NULL for an object is allowed everywhere.
 */
#ifndef TMLRT_TML_H
#define TMLRT_TML_H

#include <tmlrt/base.h>

TMLRT_BEGIN_DECLS

typedef struct TmlExecutor TmlExecutor; /* opaque */
typedef struct TmlChannel  TmlChannel;  /* opaque */
typedef struct TmlContext  TmlContext;

/* The tag of a TmlPoll. */
enum { TML_POLL_READY = 0, TML_POLL_PENDING = 1 };

typedef struct TmlPoll {
    int32_t tag;
    int32_t _pad; /* written as 0 */
    union {
        int64_t i64_value;
        double  f64_value;
        void   *ptr_value;
        int32_t i32_value;
        int8_t  bytes[8];
    } value; /* of Ready; 0 when Pending */
} TmlPoll;

typedef TmlPoll (*TmlPollFn)(void *state, TmlContext *cx);
typedef void (*TmlWakeFn)(void *data);

typedef struct TmlWaker {
    TmlWakeFn wake_fn;
    void     *data;
    uint64_t  task_id;
} TmlWaker;

struct TmlContext {
    TmlWaker     waker;
    TmlExecutor *executor; /* NULL in tml_block_on */
};

typedef enum TmlTaskState {
    TML_TASK_PENDING = 0,
    TML_TASK_RUNNING = 1,
    TML_TASK_COMPLETED = 2,
    TML_TASK_FAILED = 3
} TmlTaskState;

/* A task and a queue of the caller's own making; executors keep theirs to themselves. */
typedef struct TmlTask {
    uint64_t        id;
    void           *state;
    size_t          state_size;
    TmlPollFn       poll_fn;
    TmlTaskState    task_state;
    TmlPoll         result;
    struct TmlTask *next;
} TmlTask;

typedef struct TmlTaskQueue {
    TmlTask *head;
    TmlTask *tail;
    size_t   count;
} TmlTaskQueue;

/* ---- poll results --------------------------------------------------------------------------- */

TMLRT_API TmlPoll tml_poll_ready_i64(int64_t value);
TMLRT_API void    tml_poll_ready_i64_ptr(int64_t value, TmlPoll *out);
TMLRT_API TmlPoll tml_poll_ready_ptr(void *value);
TMLRT_API void    tml_poll_ready_ptr_ptr(void *value, TmlPoll *out);
TMLRT_API TmlPoll tml_poll_pending(void);
TMLRT_API void    tml_poll_pending_ptr(TmlPoll *out);
TMLRT_API int32_t tml_poll_is_ready(const TmlPoll *poll);   /* 1 or 0 */
TMLRT_API int32_t tml_poll_is_pending(const TmlPoll *poll); /* 1 or 0; NULL is neither */

/* ---- the executor --------------------------------------------------------------------------- */

/* A set of tasks. NULL: no memory. */
TMLRT_API TmlExecutor *tml_executor_new(void);

/* Frees the executor, its tasks that were never run, and the results that it keeps. Not while it
 * runs: then it says so on standard error and does nothing. Handles of its tasks are of no use any
 * more. */
TMLRT_API void tml_executor_destroy(TmlExecutor *executor);

/* Adds a task; the state is copied, `state_size` 0 (or a NULL state) means that the function gets
 * NULL. While the executor runs the task begins at once, else with the next run. The id, from 1 on,
 * each once; 0 on failure (NULL, no memory). */
TMLRT_API uint64_t tml_executor_spawn(TmlExecutor *executor, TmlPollFn poll_fn, void *initial_state,
                                      size_t state_size);

/* Runs all tasks, and those that they spawn, on the default runtime of the process
 * (tmlrt_runtime_default: TMLRT_WORKERS and the like say how many threads), so several at the same
 * time. Returns when none is left; may be called again.
 * Suspends: blocks a plain thread, suspends a fiber.
 * Errors: TMLRT_EPANIC (the guard caught a panic), TMLRT_ECANCELED (a task was ended by the shutdown
 * of the runtime), TMLRT_EFORKED (a task forked, and this is the child: the executor is the parent's,
 * and is neither run nor freed here), TMLRT_EINVAL (NULL), TMLRT_EBUSY (it runs already), TMLRT_EDEADLK (inside a task
 * that must not block, or the default runtime is a current-thread one of another thread), or why the
 * default runtime or a task on it could not be made; what could not be started stays for the next
 * run. Otherwise 0. */
TMLRT_API int32_t tml_executor_run(TmlExecutor *executor);

/* Wakes a task; for one that has ended or never was it does nothing. */
TMLRT_API void tml_executor_wake(TmlExecutor *executor, uint64_t task_id);

/* Polls a task of the caller's own once, here: 1 when it completed, then task->result is set, else 0
 * (also for NULL). The context's waker is that of the executor's task with the same id. */
TMLRT_API int32_t tml_executor_poll_task(TmlExecutor *executor, TmlTask *task);

/* The language's own catch around each poll of tasks spawned from now on: calls body(state, cx), puts
 * what that returned to *out and returns 0; or returns something else when the body panicked. Then
 * the task alone ends, as failed. Without one (NULL, at first) a panic must not leave a poll. Not in
 * TML's header: its panics know one jump buffer a process, here each poll needs its own. */
typedef int32_t (*TmlGuardFn)(TmlPollFn body, void *state, TmlContext *cx, TmlPoll *out);
TMLRT_API void tml_executor_set_guard(TmlExecutor *executor, TmlGuardFn guard);

/* Polls one future until it is ready, on the calling thread. The state is copied when `state_size` is
 * not 0; otherwise the function gets the caller's own pointer. Pending: no memory, or NULL; or a task
 * that the thread drove meanwhile forked, and this is the child.
 * Suspends: blocks a plain thread (that which owns a current-thread runtime drives it), suspends a
 * fiber; inside a stackless poll it blocks the worker. */
TMLRT_API TmlPoll tml_block_on(TmlPollFn poll_fn, void *state, size_t state_size);
TMLRT_API void    tml_block_on_ptr(TmlPollFn poll_fn, void *state, size_t state_size, TmlPoll *out);

/* ---- wakers --------------------------------------------------------------------------------- */

/* A waker of the executor's task `task_id`; of one that is not alive: data is NULL, and it wakes
 * nobody. */
TMLRT_API TmlWaker tml_waker_create(TmlExecutor *executor, uint64_t task_id);
TMLRT_API void     tml_waker_create_ptr(TmlExecutor *executor, uint64_t task_id, TmlWaker *out);
TMLRT_API TmlWaker tml_waker_clone(const TmlWaker *waker); /* a copy; of NULL: one of nobody */
TMLRT_API void     tml_waker_clone_ptr(const TmlWaker *waker, TmlWaker *out);
TMLRT_API void     tml_waker_wake(TmlWaker *waker);    /* and leaves it as it is */
TMLRT_API void     tml_waker_destroy(TmlWaker *waker); /* data becomes NULL: it wakes nobody */

/* ---- time ----------------------------------------------------------------------------------- */

typedef struct TmlTimerState {
    int64_t start_time_ms; /* of the monotonic clock, rounded up; set by the first poll */
    int64_t duration_ms;
    int32_t started; /* non-zero once begun */
} TmlTimerState;

typedef struct TmlYieldState {
    int32_t yielded;
} TmlYieldState;

TMLRT_API TmlTimerState tml_timer_new(int64_t duration_ms);
TMLRT_API void          tml_timer_new_ptr(int64_t duration_ms, TmlTimerState *out);

/* Ready(0) once the duration has passed since the first poll, never early; 0 or less at the first
 * poll; a NULL state at once. delay is sleep. */
TMLRT_API TmlPoll tml_sleep_poll(TmlTimerState *state, TmlContext *cx);
TMLRT_API void    tml_sleep_poll_ptr(TmlTimerState *state, TmlContext *cx, TmlPoll *out);
TMLRT_API TmlPoll tml_delay_poll(TmlTimerState *state, TmlContext *cx);
TMLRT_API void    tml_delay_poll_ptr(TmlTimerState *state, TmlContext *cx, TmlPoll *out);

/* Pending once, then Ready(0); a NULL state at once. */
TMLRT_API TmlPoll tml_yield_poll(TmlYieldState *state, TmlContext *cx);
TMLRT_API void    tml_yield_poll_ptr(TmlYieldState *state, TmlContext *cx, TmlPoll *out);

/* ---- channels ------------------------------------------------------------------------------- */

/* A bounded channel of items of `item_size` bytes, for any number of senders and receivers. NULL: no
 * memory. Destroy: nobody may use it any more. */
TMLRT_API TmlChannel *tml_channel_new(size_t capacity, size_t item_size);
TMLRT_API void        tml_channel_destroy(TmlChannel *channel);

/* 1: sent or received; 0: would block, the running task will be woken; -1: closed (receive: and
 * empty), or NULL. */
TMLRT_API int32_t tml_channel_try_send(TmlChannel *channel, const void *value);
TMLRT_API int32_t tml_channel_try_recv(TmlChannel *channel, void *value_out);

/* What was sent before can still be received. */
TMLRT_API void    tml_channel_close(TmlChannel *channel);
TMLRT_API int32_t tml_channel_is_empty(const TmlChannel *channel); /* 1 or 0; NULL: 0 */
TMLRT_API int32_t tml_channel_is_full(const TmlChannel *channel);  /* the same */

/* ---- join, select, timeout ------------------------------------------------------------------ */

/* A value; it may be copied, and each copy be joined. */
typedef struct TmlTaskHandle {
    uint64_t     task_id;  /* 0: the spawn failed */
    TmlExecutor *executor; /* must stay until the last join */
    int32_t      completed;
    TmlPoll      result; /* once completed */
} TmlTaskHandle;

/* As tml_executor_spawn; the executor keeps the result until it is destroyed. */
TMLRT_API TmlTaskHandle tml_spawn(TmlExecutor *executor, TmlPollFn poll_fn, void *initial_state,
                                  size_t state_size);
TMLRT_API void          tml_spawn_ptr(TmlExecutor *executor, TmlPollFn poll_fn, void *initial_state,
                                      size_t state_size, TmlTaskHandle *out);

/* Ready with the task's result, as often as it is asked. Ready(-1) for a task that failed or was
 * cancelled, for a handle whose spawn failed, for an id whose result is not kept, and for NULL. */
TMLRT_API TmlPoll tml_join_poll(TmlTaskHandle *handle, TmlContext *cx);
TMLRT_API void    tml_join_poll_ptr(TmlTaskHandle *handle, TmlContext *cx, TmlPoll *out);

typedef struct TmlJoinAllState {
    TmlTaskHandle *handles; /* the caller's */
    size_t         count;
    size_t         completed_count;
    TmlPoll       *results; /* in the order of the handles; freed by destroy */
} TmlJoinAllState;

typedef struct TmlSelectState {
    TmlTaskHandle *handles; /* the caller's */
    size_t         count;
    size_t         winner_index;
    int32_t        found_winner;
} TmlSelectState;

/* NULL: no memory, or no handles with a count. */
TMLRT_API TmlJoinAllState *tml_join_all_new(TmlTaskHandle *handles, size_t count);
TMLRT_API void             tml_join_all_destroy(TmlJoinAllState *state);
/* Ready when all are, with a pointer to `results`; of NULL: Ready(0). */
TMLRT_API TmlPoll tml_join_all_poll(TmlJoinAllState *state, TmlContext *cx);
TMLRT_API void    tml_join_all_poll_ptr(TmlJoinAllState *state, TmlContext *cx, TmlPoll *out);

TMLRT_API TmlSelectState *tml_select_new(TmlTaskHandle *handles, size_t count);
TMLRT_API void            tml_select_destroy(TmlSelectState *state);
/* Ready with the index of the first completed task, from then on the same; race: with its result.
 * The others go on. Without handles, or for NULL: Ready(-1). */
TMLRT_API TmlPoll tml_select_poll(TmlSelectState *state, TmlContext *cx);
TMLRT_API void    tml_select_poll_ptr(TmlSelectState *state, TmlContext *cx, TmlPoll *out);
TMLRT_API TmlPoll tml_race_poll(TmlSelectState *state, TmlContext *cx);
TMLRT_API void    tml_race_poll_ptr(TmlSelectState *state, TmlContext *cx, TmlPoll *out);

typedef struct TmlTimeoutState {
    TmlPollFn     inner_poll;
    void         *inner_state; /* the caller's */
    TmlTimerState timer;
    int32_t       timed_out;
} TmlTimeoutState;

TMLRT_API TmlTimeoutState tml_timeout_new(TmlPollFn inner_poll, void *inner_state,
                                          int64_t timeout_ms);
TMLRT_API void tml_timeout_new_ptr(TmlPollFn inner_poll, void *inner_state, int64_t timeout_ms,
                                   TmlTimeoutState *out);
/* Ready with the inner result, or Ready(-1) with timed_out set; the inner future is polled first, and
 * not any more after the timeout. Of NULL, or without a function: Ready(-1). */
TMLRT_API TmlPoll tml_timeout_poll(TmlTimeoutState *state, TmlContext *cx);
TMLRT_API void    tml_timeout_poll_ptr(TmlTimeoutState *state, TmlContext *cx, TmlPoll *out);

/* ---- task queues ---------------------------------------------------------------------------- */

/* A list of the caller's tasks, oldest first. Threads: one at a time a queue. */
TMLRT_API void     tml_queue_init(TmlTaskQueue *queue);
TMLRT_API void     tml_queue_push(TmlTaskQueue *queue, TmlTask *task);
TMLRT_API TmlTask *tml_queue_pop(TmlTaskQueue *queue);                            /* NULL: empty */
TMLRT_API TmlTask *tml_queue_remove_by_id(TmlTaskQueue *queue, uint64_t task_id); /* NULL: none */
TMLRT_API int32_t  tml_queue_is_empty(const TmlTaskQueue *queue);                 /* 1 or 0 */

/* ---- the poller ----------------------------------------------------------------------------- */

/* Bits of interests and events. ERROR and HUP are always told. */
enum { TML_POLL_READABLE = 1, TML_POLL_WRITABLE = 2, TML_POLL_ERROR = 4, TML_POLL_HUP = 8 };

typedef struct TmlPollEvent {
    uint32_t token;
    uint32_t flags;
} TmlPollEvent;

/* A level-triggered poller of sockets: add, modify and remove return 0 or a negative number (there
 * already, not there, not a socket, ...). Create: -1 on failure; destroy leaves the sockets alone. */
TMLRT_API int64_t tml_poll_create(void);
TMLRT_API void    tml_poll_destroy(int64_t poller);
TMLRT_API int32_t tml_poll_add(int64_t poller, int64_t socket, uint32_t token, uint32_t interests);
TMLRT_API int32_t tml_poll_modify(int64_t poller, int64_t socket, uint32_t token,
                                  uint32_t interests);
TMLRT_API int32_t tml_poll_remove(int64_t poller, int64_t socket);

/* Waits for events, at most `timeout_ms` (0: not at all; negative: without limit), also through
 * interruptions by signals, and writes up to `max_events` TmlPollEvent to `events_out`. Returns their
 * number, 0 when the time passed, -1 on error. Where there is no epoll, a poller without sockets
 * does not wait without limit: it returns 0 at once.
 * Suspends: blocks the calling thread, of whatever kind. */
TMLRT_API int32_t tml_poll_wait(int64_t poller, void *events_out, int32_t max_events,
                                int32_t timeout_ms);

TMLRT_END_DECLS

#endif
