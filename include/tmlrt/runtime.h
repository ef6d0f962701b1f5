/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/runtime.h: create, drive, shut down and destroy a runtime; its configuration and counters.
 *
 * A runtime is a set of workers with a reactor and timers. Any number of them live in one process.
 * The multi-thread flavor has threads of its own; the current-thread flavor has none and is driven
 * by the thread that created it (block_on, run_once, or any await on that thread).
 * Where a function takes a runtime, NULL means the current one: of the running task, else of the
 * thread that drives a current-thread runtime.
 */
#ifndef TMLRT_RUNTIME_H
#define TMLRT_RUNTIME_H

#include <tmlrt/base.h>
#include <tmlrt/op.h>
#include <tmlrt/replay.h>
#include <tmlrt/task.h>

TMLRT_BEGIN_DECLS

/* Which threads run the tasks. */
#define TMLRT_FLAVOR_DEFAULT        0 /* TMLRT_FLAVOR in the environment, else multi-thread */
#define TMLRT_FLAVOR_MULTI_THREAD   1
#define TMLRT_FLAVOR_CURRENT_THREAD 2

/* How the operating system tells of I/O. */
#define TMLRT_REACTOR_AUTO     0 /* the best that works here */
#define TMLRT_REACTOR_EPOLL    1
#define TMLRT_REACTOR_KQUEUE   2
#define TMLRT_REACTOR_IOCP     3
#define TMLRT_REACTOR_IO_URING 4
/* A network in memory, for tests (tmlrt/replay.h); needs the virtual clock. Sockets are simulated,
 * other descriptors are real. Not on Windows: TMLRT_ENOTSUP. */
#define TMLRT_REACTOR_SIMULATED 5

/* Which clock timers follow. */
#define TMLRT_CLOCK_DEFAULT 0 /* TMLRT_CLOCK in the environment, else real */
#define TMLRT_CLOCK_REAL    1 /* monotonic */
#define TMLRT_CLOCK_VIRTUAL 2 /* starts at 0 and jumps to the next deadline; current-thread only */

#define TMLRT_MAX_WORKERS  1024
#define TMLRT_MAX_BLOCKING 16384

/* Where memory comes from. The runtime asks for slabs and large tasks, never per task. `size` and
 * `align` are given back on free. The context must outlive the last handle and waker, also past
 * tmlrt_runtime_destroy. Called from any thread, at the same time. */
typedef struct tmlrt_allocator {
    void *(*alloc)(void *ctx, size_t size, size_t align); /* NULL when out of memory */
    void (*free)(void *ctx, void *ptr, size_t size, size_t align);
    void *ctx;
} tmlrt_allocator_t;

/* What the watchdog found: a worker that has been inside one poll for `stuck_ns`. */
typedef struct tmlrt_stuck {
    size_t      struct_size;
    uint32_t    worker;    /* its index */
    uint32_t    all_stuck; /* 1 when no worker makes progress */
    uint64_t    task_id;
    const char *task_name;
    const char *task_site; /* NULL when the spawn did not say */
    int64_t     stuck_ns;
} tmlrt_stuck_t;

/* How to make a runtime. Begin with TMLRT_CONFIG_INIT. A field left at 0 or NULL takes its value
 * from the environment variable named beside it where that is set, else the default. */
typedef struct tmlrt_config {
    size_t   struct_size;
    uint32_t flavor;  /* TMLRT_FLAVOR_*; TMLRT_FLAVOR=multi|current */
    uint32_t workers; /* 1..TMLRT_MAX_WORKERS; 0: the CPUs that this process may use (affinity mask
                         and cgroup quotas); TMLRT_WORKERS */
    uint32_t reactor; /* TMLRT_REACTOR_*; TMLRT_REACTOR=auto|epoll|kqueue|iocp|io_uring|
                         simulated */
    uint32_t clock;   /* TMLRT_CLOCK_*; TMLRT_CLOCK=real|virtual */
    uint64_t seed;    /* of every pseudo-random choice; 0: from the clock; TMLRT_SEED. With the
                         virtual clock: the run is replayed, see tmlrt/replay.h */
    uint32_t pin_workers; /* 1: worker i stays on the i-th CPU of the process's mask, 2: not;
                             TMLRT_AFFINITY=1|0; default not. A hint: no effect on macOS, OpenBSD
                             and NetBSD */
    uint32_t watchdog_ms; /* report a poll that lasts longer; UINT32_MAX: never; default 1,000;
                             TMLRT_WATCHDOG_MS */
    const char              *thread_name; /* prefix of at most 10 bytes; TMLRT_THREAD_NAME;
                                             default "tmlrt" */
    const tmlrt_allocator_t *allocator;   /* copied; NULL: the C library's */
    void (*on_thread_start)(void *hook_ctx, uint32_t worker); /* on each worker thread, first */
    void (*on_thread_stop)(void *hook_ctx, uint32_t worker);  /* the same, last */
    /* Called by the watchdog's thread, once a stuck poll; NULL: one line to standard error. */
    void (*on_stuck)(void *hook_ctx, const tmlrt_stuck_t *stuck);
    void    *hook_ctx;
    uint32_t blocking_threads; /* of the blocking pool, at most: 1..TMLRT_MAX_BLOCKING; default 512;
                                  TMLRT_BLOCKING_THREADS */
    uint32_t blocking_queue;   /* jobs that may wait for one of them; default 65,536;
                                  TMLRT_BLOCKING_QUEUE */
    uint32_t shutdown_ms;      /* tmlrt_main: how long tasks have to end by themselves; UINT32_MAX:
                                  not at all; default 1,000; TMLRT_SHUTDOWN_MS */
    const tmlrt_network_t
        *network; /* of TMLRT_REACTOR_SIMULATED; copied; NULL: TMLRT_NETWORK_INIT */
} tmlrt_config_t;

#define TMLRT_CONFIG_INIT                                                                          \
    {                                                                                              \
        sizeof(tmlrt_config_t), 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0,  \
            NULL                                                                                   \
    }

/* Makes a runtime. `config` may be NULL (all defaults). Owns: *rt is the caller's until
 * tmlrt_runtime_destroy; strings and structs of the config are copied.
 * Errors: TMLRT_EINVAL (an unknown value, an unknown non-zero tail, or an environment variable that
 * does not parse), TMLRT_ENOMEM, TMLRT_ENOTSUP (the asked reactor does not work here), TMLRT_EAGAIN
 * (no more threads), TMLRT_EMFILE, TMLRT_ENFILE. On error nothing is left behind. */
TMLRT_API int tmlrt_runtime_create(tmlrt_runtime_t **rt, const tmlrt_config_t *config);

/* The runtime of the running task or of the thread that drives one; NULL elsewhere. */
TMLRT_API tmlrt_runtime_t *tmlrt_runtime_current(void);

/* The number of workers; TMLRT_EINVAL for NULL without a current runtime. Threads: any. */
TMLRT_API int tmlrt_runtime_workers(tmlrt_runtime_t *rt);

/* The name of the reactor in use, "epoll" and so on; NULL for NULL without a current runtime. */
TMLRT_API const char *tmlrt_runtime_reactor(tmlrt_runtime_t *rt);

/* Spawns a root task as tmlrt_spawn does and waits for its end; its result goes to `result` (may be
 * NULL). The owner of a current-thread runtime drives it meanwhile. Returns the outcome: TMLRT_OK,
 * TMLRT_ECANCELED or TMLRT_EPANIC.
 * Suspends: blocks the calling thread. Threads: any plain thread; current-thread: its owner.
 * Errors: as tmlrt_spawn; TMLRT_EDEADLK inside a task or hook, or for a current-thread runtime on
 * a thread that is not its owner. */
TMLRT_API int tmlrt_runtime_block_on(tmlrt_runtime_t *rt, const tmlrt_task_type_t *type,
                                     const void *init_state, const tmlrt_task_options_t *options,
                                     void *result);

/* Embedding: a current-thread runtime inside a foreign event loop.
 *   run_once  runs what is ready now (due timers, ready I/O, ready tasks, each at most once more
 *             than was ready at the call) without waiting; returns the number of polls.
 *   timeout   how long the loop may wait: ns to the next deadline, 0 when something is ready,
 *             TMLRT_NEVER when nothing is due.
 *   handle    a descriptor that becomes readable when run_once has something to do (an I/O event or
 *             a wake from any thread). Poll it, do not read it. It is the runtime's. On Windows
 *             there is none (TMLRT_ENOTSUP): a completion port cannot be waited for by others.
 * Threads: the thread that created the runtime. Between calls the runtime counts as parked.
 * Errors (negative): TMLRT_EINVAL (not a current-thread runtime), TMLRT_EDEADLK (inside a task, or
 * not the owning thread), TMLRT_ENOTSUP (handle: the reactor has none). */
TMLRT_API int64_t tmlrt_runtime_run_once(tmlrt_runtime_t *rt);
TMLRT_API int64_t tmlrt_runtime_timeout(tmlrt_runtime_t *rt);
TMLRT_API int64_t tmlrt_runtime_handle(tmlrt_runtime_t *rt);

/* One task that a shutdown had to cancel or could not end. The strings live as long as the task's
 * options and type do. */
typedef struct tmlrt_straggler {
    size_t      struct_size;
    uint64_t    id;
    const char *name;
    const char *site;      /* NULL when the spawn did not say */
    const char *waits_for; /* "sleep", "read", ...; "running"; "nothing it told us" */
    int         ended;     /* 1: it was cancelled and ended; 0: it could not be ended */
} tmlrt_straggler_t;

/* What a shutdown did. The caller fills struct_size, straggler and ctx; the rest is filled in. */
typedef struct tmlrt_shutdown_report {
    size_t struct_size;
    /* Called on the thread that shuts down, once a task left at the deadline; may be NULL. */
    void (*straggler)(void *ctx, const tmlrt_straggler_t *s);
    void    *ctx;
    uint64_t completed; /* tasks that ended by themselves after the call */
    uint64_t cancelled; /* tasks that were cancelled at the deadline */
    uint64_t stuck;     /* tasks that could not be ended */
} tmlrt_shutdown_report_t;

#define TMLRT_SHUTDOWN_REPORT_INIT                                                                 \
    { sizeof(tmlrt_shutdown_report_t), NULL, NULL, 0, 0, 0 }

/* Shuts down in phases. At once: spawns from outside get TMLRT_ESHUTDOWN, pending and new accepts
 * end with TMLRT_ESHUTDOWN, tmlrt_op_stopping becomes ready. Tasks go on and may spawn until all
 * but daemons have ended or `deadline` (absolute, ns on tmlrt_now; TMLRT_NEVER: none; 0: now) has
 * passed. Then all that is left is cancelled, in two phases (request, acknowledgement); once no task
 * has ended for a second, what is left counts as stuck. `report` may be NULL.
 * Returns TMLRT_OK (all ended by themselves, daemons were cancelled), TMLRT_ETIMEDOUT (some had to
 * be cancelled) or TMLRT_EBUSY (some are stuck; calling again tries again).
 * Suspends: blocks the calling thread. Threads: any plain thread, one at a time; current-thread:
 * its owner. Errors: TMLRT_EINVAL, TMLRT_EDEADLK (inside a task or hook, or not the owner),
 * TMLRT_EALREADY (another call is under way), TMLRT_EFORKED. After an end with TMLRT_OK or
 * TMLRT_ETIMEDOUT a further call returns TMLRT_OK. */
TMLRT_API int tmlrt_runtime_shutdown(tmlrt_runtime_t *rt, int64_t deadline,
                                     tmlrt_shutdown_report_t *report);

/* Ends a runtime: shuts it down with the deadline now where that has not been done, joins every
 * thread, closes every descriptor that is still open (sockets whose handles were not released
 * included), and frees everything except headers that foreign wakers or handles still hold; their
 * last release frees those. NULL is allowed and does nothing.
 * In a forked child: closes the descriptors, frees nothing, returns TMLRT_OK.
 * Suspends: blocks the calling thread, also with stuck tasks for a bounded time. Threads: any plain
 * thread, as the last call on `rt`; current-thread: its owner.
 * Errors: TMLRT_EBUSY (stuck tasks, named on standard error unless a shutdown has reported them;
 * nothing is freed; may be called again), TMLRT_EDEADLK (inside a task or hook, or not the owner).
 */
TMLRT_API int tmlrt_runtime_destroy(tmlrt_runtime_t *rt);

/* Prepares `op` to become ready, with TMLRT_OK, when the shutdown of `rt` begins. For tasks that
 * want to say goodbye. Cancel: takes effect at once. Errors: TMLRT_EINVAL, TMLRT_EBUSY,
 * TMLRT_ENORUNTIME. */
TMLRT_API int tmlrt_op_stopping(tmlrt_op_t *op, tmlrt_runtime_t *rt);

/* Counters of one worker since its start. Read without stopping anything: each is exact, together
 * they are not a snapshot. */
typedef struct tmlrt_worker_stats {
    size_t   struct_size;
    uint64_t polls;        /* polls of tasks */
    uint64_t spawned;      /* tasks spawned by tasks on this worker */
    uint64_t completed;    /* tasks that ended on this worker, with any outcome */
    uint64_t stolen;       /* tasks taken from other workers */
    uint64_t injected;     /* tasks taken from the global queue */
    uint64_t parks;        /* times it went to sleep */
    uint64_t wakes_sent;   /* other workers that it woke by a system call */
    uint64_t driver_polls; /* times it asked the operating system for events */
    uint64_t events;       /* events that it got */
    uint64_t timers_fired;
    uint64_t taken_over;    /* times its queues or driver were served by others, it being stuck */
    uint64_t budget_yields; /* times a task was made to yield by its cooperative budget */
} tmlrt_worker_stats_t;

/* Fills *stats (its struct_size set by the caller) for worker `worker` of `rt`.
 * Threads: any. Errors: TMLRT_EINVAL (also: no such worker), TMLRT_ENORUNTIME. */
TMLRT_API int tmlrt_runtime_stats(tmlrt_runtime_t *rt, uint32_t worker,
                                  tmlrt_worker_stats_t *stats);

TMLRT_END_DECLS

#endif
