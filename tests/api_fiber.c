/* SPDX-License-Identifier: MIT */
/*
 * api_fiber.c: fibers themselves: panics, an overflow, unstarted ones, shields, and what a move to
 * another worker must not disturb.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/sanitizers.h"
#include "support/skip.h"
#include "support/net.h"
#include "support/skip.h"
#include "support/random.h"
#include "support/threads.h"
#include "support/unit.h"

static tmlrt_task_t *go(tmlrt_runtime_t *rt, tmlrt_fiber_fn fn, void *arg,
                        const tmlrt_task_options_t *options) {
    tmlrt_task_t *task = NULL;
    require(tmlrt_go(rt, fn, arg, options, &task) == TMLRT_OK);
    return task;
}

static int join(tmlrt_task_t *task, void *result) {
    int e = tmlrt_join(task, result);
    tmlrt_task_release(task);
    return e;
}

/* ---- panics ----------------------------------------------------------------------------------- */

/* A language whose panic is a longjmp: to where the record says, which lies on the fiber's stack. */
typedef struct language {
    jmp_buf catch;
    char           *frame; /* an address in the guard's frame */
    char           *body;  /* one in the body's */
    int             guards, ends;
    int             deep;
    tmlrt_notify_t *notify;
} language_t;

static language_t language; /* one panic at a time: current-thread runtimes */

static int32_t language_guard(tmlrt_poll_fn body, void *state, tmlrt_cx_t *cx, void *result) {
    char here = 0;
    language.frame = &here;
    language.guards++;
    if (setjmp(language.catch) != 0) return TMLRT_PANICKED;
    int32_t r = body(state, cx, result);
    language.ends++;
    return r;
}

static tmlrt_task_options_t guarded(void) {
    tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
    options.guard = language_guard;
    return options;
}

static void *fiber_panics(void *arg) {
    char here = 0;
    language.body = &here;
    if (arg != NULL) require(tmlrt_sleep(TMLRT_MS) == TMLRT_OK);
    longjmp(language.catch, 1);
}

static void *fiber_counts(void *arg) {
    require(tmlrt_yield() == TMLRT_OK);
    ++*(int *)arg;
    return arg;
}

static void a_panic_ends_the_fiber_alone(void **state) {
    (void)state;
    tmlrt_runtime_t     *rt = runtime_current_thread();
    tmlrt_task_options_t options = guarded();
    int                  count = 0;
    for (int round = 0; round < 50; round++) {
        void         *result = &result;
        tmlrt_task_t *other = go(rt, fiber_counts, &count, NULL);
        tmlrt_task_t *task = go(rt, fiber_panics, round % 2 != 0 ? &count : NULL, &options);
        assert_int_equal(join(task, &result), TMLRT_EPANIC);
        assert_ptr_equal(result, &result);
        assert_int_equal(join(other, NULL), TMLRT_OK);
    }
    assert_int_equal(count, 50);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void the_guard_runs_on_the_fibers_own_stack(void **state) {
    (void)state;
    tmlrt_runtime_t     *rt = runtime_current_thread();
    tmlrt_task_options_t options = guarded();
    char                 here = 0;
    assert_int_equal(join(go(rt, fiber_panics, NULL, &options), NULL), TMLRT_EPANIC);
#if !UNDER_ASAN /* its frames are elsewhere */
    assert_true(language.body < language.frame &&
                language.frame - language.body < 2 * TMLRT_FIBER_CATCH_ROOM);
#endif
    assert_true(llabs(&here - language.frame) > 65536);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_guard_is_called_once_and_passes_the_result_on(void **state) {
    (void)state;
    tmlrt_runtime_t     *rt = runtime_current_thread();
    tmlrt_task_options_t options = guarded();
    int                  count = 0;
    void                *result = NULL;
    language = (language_t){.guards = 0};
    assert_int_equal(join(go(rt, fiber_counts, &count, &options), &result), TMLRT_OK);
    assert_ptr_equal(result, &count);
    assert_int_equal(language.guards, 1);
    assert_int_equal(language.ends, 1);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* A future that panics inside the wait of a fiber, whose other operations are in flight then. */
static int32_t panicking_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)cx, (void)result;
    if (++*(int *)state == 1) {
        cx->waker->vtable->wake_by_ref(cx->waker->data);
        return TMLRT_PENDING;
    }
    longjmp(language.catch, 1);
}

static const tmlrt_task_type_t panicking_type = {.struct_size = sizeof(tmlrt_task_type_t),
                                                 .name = "panicking",
                                                 .state_size = sizeof(int),
                                                 .poll = panicking_poll};

static void *fiber_panics_in_a_wait(void *arg) {
    tmlrt_op_t  op[4] = {TMLRT_OP_INIT, TMLRT_OP_INIT, TMLRT_OP_INIT, TMLRT_OP_INIT};
    tmlrt_op_t *all[3] = {&op[0], &op[1], &op[2]};
    int         polls = 0;
    tmlrt_op_sleep(&op[0], NULL, 3600 * TMLRT_S);
    tmlrt_op_notified(&op[1], arg);
    tmlrt_op_future(&op[2], &panicking_type, &polls, NULL);
    tmlrt_op_any(&op[3], all, 3);
    tmlrt_op_await(&op[3]);
    require(!"it has panicked");
    return NULL;
}

static void operations_on_the_stack_end_before_it_goes(void **state) {
    (void)state;
    if (getenv("TMLRT_TEST_SLOW") != NULL) {
        printf("skipped: memcheck takes the frames that a panic left for gone\n");
        skip();
    }
    tmlrt_runtime_t     *rt = runtime_current_thread();
    tmlrt_task_options_t options = guarded();
    tmlrt_notify_t       notify = TMLRT_NOTIFY_INIT;
    int                  count = 0;
    for (int round = 0; round < 20; round++) {
        assert_int_equal(join(go(rt, fiber_panics_in_a_wait, &notify, &options), NULL),
                         TMLRT_EPANIC);
        /* Nobody waits there any more; the stack is somebody else's now. */
        assert_int_equal(join(go(rt, fiber_counts, &count, NULL), NULL), TMLRT_OK);
        assert_int_equal(tmlrt_notify_all(&notify), TMLRT_OK);
    }
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- unstarted ones --------------------------------------------------------------------------- */

static void *fiber_adds(void *arg) {
    atomic_fetch_add((atomic_int *)arg, 1);
    return NULL;
}

static size_t mapped(void) {
    unsigned long pages = 0;
    FILE         *f = fopen("/proc/self/statm", "r");
    if (f == NULL) return 0;
    require(fscanf(f, "%lu", &pages) == 1);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void fibers_that_wait_for_their_turn_share_few_stacks(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    atomic_int       count;
    const int        n = scaled(1000000);
    atomic_init(&count, 0);
    assert_int_equal(join(go(rt, fiber_adds, &count, NULL), NULL), TMLRT_OK);
    size_t before = mapped();
    for (int i = 0; i < n; i++)
        require(tmlrt_go(rt, fiber_adds, &count, NULL, NULL) == TMLRT_OK);
    assert_int_equal(join(go(rt, fiber_adds, &count, NULL), NULL), TMLRT_OK);
    while (atomic_load(&count) < n + 2)
        drive(rt);
    /* Headers alone: a stack each would have been 64 GiB. */
    assert_true(mapped() - before < ((size_t)n << 10) + ((size_t)256 << 20));
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* Owns its argument; one that was cancelled before it began is told by each of its waits. */
static void *fiber_frees(void *arg) {
    int           *owned = arg, n = *owned;
    tmlrt_notify_t never = TMLRT_NOTIFY_INIT;
    tmlrt_op_t     op = TMLRT_OP_INIT;
    free(owned);
    require(tmlrt_cancelled() == TMLRT_ECANCELED);
    require(tmlrt_notified(&never) == TMLRT_ECANCELED);
    require(tmlrt_yield() == TMLRT_ECANCELED);
    tmlrt_op_sleep(&op, NULL, 3600 * TMLRT_S);
    require(tmlrt_op_await(&op) == TMLRT_OK && tmlrt_op_result(&op) == TMLRT_ECANCELED);
    require(tmlrt_shield_begin() == TMLRT_OK);
    require(tmlrt_sleep(1) == TMLRT_OK);
    require(tmlrt_shield_end() == TMLRT_OK);
    return (void *)(uintptr_t)n;
}

static int *owned_number(int n) {
    int *owned = malloc(sizeof *owned);
    require(owned != NULL);
    *owned = n;
    return owned;
}

static void a_fiber_that_is_aborted_before_it_began_begins(void **state) {
    (void)state;
    tmlrt_runtime_t     *rt = runtime_current_thread();
    tmlrt_task_options_t late = TMLRT_TASK_OPTIONS_INIT;
    void                *result = NULL;
    tmlrt_task_t        *task = go(rt, fiber_frees, owned_number(7), NULL);
    assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
    assert_int_equal(join(task, &result), TMLRT_OK); /* done, with its value */
    assert_int_equal((int)(uintptr_t)result, 7);
    late.deadline = 1; /* long past */
    assert_int_equal(join(go(rt, fiber_frees, owned_number(8), &late), &result), TMLRT_OK);
    assert_int_equal((int)(uintptr_t)result, 8);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void children_of_a_cancelled_scope_begin(void **state) {
    (void)state;
    tmlrt_runtime_t     *rt = runtime_current_thread();
    tmlrt_scope_t        scope = TMLRT_SCOPE_INIT;
    tmlrt_task_options_t child = TMLRT_TASK_OPTIONS_INIT;
    tmlrt_task_t        *task[40];
    child.scope = &scope;
    assert_int_equal(tmlrt_scope_open(&scope, rt, TMLRT_NEVER), TMLRT_OK);
    for (int i = 0; i < 40; i++)
        task[i] = go(rt, fiber_frees, owned_number(i), &child);
    assert_int_equal(tmlrt_scope_cancel(&scope), TMLRT_OK);
    assert_int_equal(tmlrt_scope_join(&scope), TMLRT_ECANCELED);
    for (int i = 0; i < 40; i++) {
        void *result = NULL;
        assert_int_equal(join(task[i], &result), TMLRT_OK);
        assert_int_equal((int)(uintptr_t)result, i);
    }
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* At a shutdown all that are left begin, one after the other on the same few stacks. */
static struct {
    int    begun;
    size_t most;
} leftover;

static void *fiber_left(void *arg) {
    if (++leftover.begun % 1024 == 0 && mapped() > leftover.most) leftover.most = mapped();
    require(tmlrt_sleep(TMLRT_S) == TMLRT_ECANCELED);
    return arg;
}

static void a_shutdown_lets_unstarted_fibers_begin_on_few_stacks(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    const int        n = scaled(100000);
    for (int i = 0; i < n; i++)
        require(tmlrt_go(rt, fiber_left, NULL, NULL, NULL) == TMLRT_OK);
    size_t before = mapped();
    leftover.begun = 0;
    leftover.most = before;
    assert_int_equal(tmlrt_runtime_shutdown(rt, 0, NULL), TMLRT_ETIMEDOUT);
    assert_int_equal(leftover.begun, n);
    assert_true(leftover.most - before < (size_t)256 << 20); /* each one on its own: 6 GiB */
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- shields ---------------------------------------------------------------------------------- */

static void *fiber_under_shields(void *arg) {
    atomic_int *told = arg;
    require(tmlrt_shield_end() == TMLRT_EINVAL);
    require(tmlrt_shield_begin() == TMLRT_OK && tmlrt_shield_begin() == TMLRT_OK);
    atomic_store(told, 1);
    while (tmlrt_cancelled() == TMLRT_OK)
        require(tmlrt_yield() == TMLRT_OK);
    require(tmlrt_sleep(TMLRT_MS) == TMLRT_OK);
    require(tmlrt_shield_end() == TMLRT_OK);
    require(tmlrt_sleep(TMLRT_MS) == TMLRT_OK); /* one is left */
    require(tmlrt_yield() == TMLRT_OK);
    require(tmlrt_shield_end() == TMLRT_OK);
    require(tmlrt_sleep(TMLRT_S) == TMLRT_ECANCELED);
    require(tmlrt_yield() == TMLRT_ECANCELED);
    return arg;
}

static void a_request_takes_effect_when_the_last_shield_ends(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(2);
    atomic_int       told;
    void            *result = NULL;
    atomic_init(&told, 0);
    tmlrt_task_t *task = go(rt, fiber_under_shields, &told, NULL);
    wait_until(atomic_load(&told) != 0);
    assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
    assert_int_equal(join(task, &result), TMLRT_OK); /* it left by its own path, with a result */
    assert_ptr_equal(result, &told);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void *fiber_waits_in_a_shield(void *arg) {
    require(tmlrt_shield_begin() == TMLRT_OK);
    require(tmlrt_notified(arg) == TMLRT_OK);
    require(tmlrt_shield_end() == TMLRT_OK);
    require(tmlrt_notified(arg) == TMLRT_ECANCELED);
    return NULL;
}

/* The wait that is under way when the request comes. */
static void a_shielded_wait_goes_on_through_an_abort(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_current_thread();
    tmlrt_notify_t   notify = TMLRT_NOTIFY_INIT;
    tmlrt_task_t    *task = go(rt, fiber_waits_in_a_shield, &notify, NULL);
    drive(rt);
    assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
    drive(rt);
    assert_int_equal(tmlrt_task_is_finished(task), 0);
    assert_int_equal(tmlrt_notify_one(&notify), TMLRT_OK);
    assert_int_equal(join(task, NULL), TMLRT_OK);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- moving to another worker ----------------------------------------------------------------- */

static _Thread_local int thread_number;

__attribute__((noinline)) static int *own_number(void) {
    __asm__ volatile("" ::: "memory"); /* asked anew, not kept across a wait */
    return &thread_number;
}

__attribute__((noinline)) static int *own_errno(void) {
    __asm__ volatile("" ::: "memory");
    return &errno;
}

enum { MOVES = 20 };

typedef struct mover {
    tmlrt_runtime_t *rt;
    tmlrt_sock_t    *sock;
    int              peer;
    atomic_int       resumed;
} mover_t;

/* Stays on the worker that the mover has left and keeps it, until the mover goes on elsewhere. All
 * the while this thread's errno says what no call of the mover's returns. */
static void *fiber_keeps_the_worker(void *arg) {
    mover_t *m = arg;
    int      before = atomic_load(&m->resumed);
    raw_send(m->peer, "x", 1);
    while (atomic_load(&m->resumed) == before) {
        *own_errno() = EBADF;
        sched_yield();
    }
    return NULL;
}

static void *fiber_moves(void *arg) {
    static atomic_int    next_number;
    mover_t             *m = arg;
    tmlrt_task_t        *self = tmlrt_task_current();
    tmlrt_task_options_t pinned = TMLRT_TASK_OPTIONS_INIT;
    pinned.flags = TMLRT_TASK_PINNED;
    for (int i = 0; i < MOVES; i++) {
        char c = 0;
        if (*own_number() == 0) *own_number() = atomic_fetch_add(&next_number, 1) + 1;
        int           number = *own_number();
        tmlrt_task_t *keeper = go(NULL, fiber_keeps_the_worker, m, &pinned);
        require(tmlrt_read(m->sock, &c, 1) == 1 && c == 'x');
        require(*own_number() != number);
        require(tmlrt_task_current() == self);
        /* The calls see this thread's errno, EAGAIN, while the other's is EBADF. */
        *own_errno() = 0;
        require(tmlrt_read_until(m->sock, &c, 1, tmlrt_now(NULL)) == TMLRT_ETIMEDOUT);
        require(*own_errno() != EBADF);
        require(tmlrt_cancelled() == TMLRT_OK);
        atomic_fetch_add(&m->resumed, 1);
        require(join(keeper, NULL) == TMLRT_OK); /* on "the current runtime": this thread's */
    }
    return NULL;
}

static void a_move_across_a_wait_keeps_no_address_of_the_old_thread(void **state) {
    (void)state;
    mover_t m = {.rt = runtime_multi(2)};
    atomic_init(&m.resumed, 0);
    m.sock = sock_and_peer(m.rt, &m.peer);
    assert_int_equal(join(go(m.rt, fiber_moves, &m, NULL), NULL), TMLRT_OK);
    close(m.peer);
    tmlrt_sock_release(m.sock);
    assert_int_equal(tmlrt_runtime_destroy(m.rt), TMLRT_OK);
}

/* ---- overflow --------------------------------------------------------------------------------- */

#if !UNDER_ASAN && !UNDER_TSAN && !defined(_WIN32)
__attribute__((noinline)) static int recurse(volatile int *n) {
    volatile int frame[64];
    frame[0] = *n + 1;
    return *n < 0 ? 0 : recurse(frame) + frame[0];
}

static void *fiber_recurses(void *arg) {
    int n = 0;
    require(tmlrt_yield() == TMLRT_OK);
    *(int *)arg = recurse(&n);
    return NULL;
}

static void former_handler(int signo) {
    _exit(signo == SIGSEGV || signo == SIGBUS ? 3 : 4);
}

static void overflowing_child(int to, void (*former)(int), tmlrt_fiber_fn deep, uint32_t cls) {
    tmlrt_task_options_t options = TMLRT_TASK_OPTIONS_INIT;
    int                  sum;
    options.name = "the deep one";
    options.stack_class = cls;
    dup2(to, STDERR_FILENO);
    signal(SIGSEGV, former);
    signal(SIGBUS, former);
    require(tmlrt_fiber_catch_overflow() == TMLRT_OK);
    tmlrt_runtime_t *rt = runtime_multi(1);
    join(go(rt, deep, &sum, &options), NULL);
    _exit(0);
}

/* A process whose fiber overflows: what it says, and how it ends. */
static int overflow(char *said, size_t size, void (*former)(int), tmlrt_fiber_fn deep,
                    uint32_t cls) {
    int to[2], status = 0;
    assert_int_equal(pipe(to), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) overflowing_child(to[1], former, deep, cls);
    close(to[1]);
    size_t  n = 0;
    ssize_t got;
    while (n < size - 1 && (got = read(to[0], said + n, size - 1 - n)) > 0)
        n += (size_t)got;
    said[n] = '\0';
    close(to[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void an_overflow_names_the_fiber(void **state) {
    (void)state;
    char said[1024];
    if (getenv("TMLRT_TEST_SLOW") != NULL) skip_because("memcheck has words of its own for it");
    int status = overflow(said, sizeof said, SIG_DFL, fiber_recurses, TMLRT_STACK_DEFAULT);
    assert_true(WIFSIGNALED(status)); /* as without us */
    assert_non_null(strstr(said, "stack overflow of fiber 'the deep one'"));
    status = overflow(said, sizeof said, former_handler, fiber_recurses, TMLRT_STACK_DEFAULT);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    assert_non_null(strstr(said, "stack overflow of fiber 'the deep one'"));
}

/* How a process ends that is sent the signal instead, `former` being what it did before. */
static int killed(void (*former)(int)) {
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, former);
        require(tmlrt_fiber_catch_overflow() == TMLRT_OK);
        kill(getpid(), SIGSEGV);
        struct sigaction now;
        sigaction(SIGSEGV, NULL, &now);
        _exit((now.sa_flags & SA_SIGINFO) != 0 ? 0 : 9); /* still there */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_signal_that_is_sent_does_what_it_did_before(void **state) {
    (void)state;
    int status = killed(SIG_DFL);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_int_equal(killed(SIG_IGN), 0);
    status = killed(former_handler);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

/* One frame that is larger than the stack, touched at its far end alone. */
__attribute__((noinline)) static int leap(void) {
    static volatile size_t far_end; /* a constant would let the compiler keep that byte alone */
    volatile char          buffer[48 << 10];
    buffer[far_end] = 1;
    return buffer[far_end];
}

static void *fiber_leaps(void *arg) {
    *(int *)arg = leap();
    return NULL;
}

static void a_large_frame_does_not_leap_over_the_guard(void **state) {
    (void)state;
    char said[1024];
    if (getenv("TMLRT_TEST_SLOW") != NULL) skip_because("memcheck has words of its own for it");
    if (getenv("TMLRT_TEST_EMULATED") != NULL) skip_because("the emulator makes no guards");
    if (sizeof(void *) < 8) skip_because("guards are a page where addresses are scarce");
    int status = overflow(said, sizeof said, SIG_DFL, fiber_leaps, TMLRT_STACK_SMALL);
    assert_true(WIFSIGNALED(status));
    assert_non_null(strstr(said, "stack overflow of fiber 'the deep one'"));
}
#else
static void an_overflow_names_the_fiber(void **state) {
    (void)state;
    skip_on_windows("needs fork; test_os_windows has its like");
    skip_because("the sanitizer has that signal");
}

static void a_signal_that_is_sent_does_what_it_did_before(void **state) {
    (void)state;
    skip_on_windows("there is no kill");
    skip_because("the sanitizer has that signal");
}

static void a_large_frame_does_not_leap_over_the_guard(void **state) {
    (void)state;
    skip_on_windows("every compiler there touches each page of a large frame");
    skip_because("the sanitizer has that signal");
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_panic_ends_the_fiber_alone),
        cmocka_unit_test(the_guard_runs_on_the_fibers_own_stack),
        cmocka_unit_test(a_guard_is_called_once_and_passes_the_result_on),
        cmocka_unit_test(operations_on_the_stack_end_before_it_goes),
        cmocka_unit_test(fibers_that_wait_for_their_turn_share_few_stacks),
        cmocka_unit_test(a_fiber_that_is_aborted_before_it_began_begins),
        cmocka_unit_test(children_of_a_cancelled_scope_begin),
        cmocka_unit_test(a_shutdown_lets_unstarted_fibers_begin_on_few_stacks),
        cmocka_unit_test(a_request_takes_effect_when_the_last_shield_ends),
        cmocka_unit_test(a_shielded_wait_goes_on_through_an_abort),
        cmocka_unit_test(a_move_across_a_wait_keeps_no_address_of_the_old_thread),
        cmocka_unit_test(an_overflow_names_the_fiber),
        cmocka_unit_test(a_signal_that_is_sent_does_what_it_did_before),
        cmocka_unit_test(a_large_frame_does_not_leap_over_the_guard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
