/* SPDX-License-Identifier: MIT */
/*
 * conformance_destroy.c: the same suite on every reactor (see conformance_reactor.c): operations
 * that are no task's of the runtime whose sockets they use. Their rests end although nobody but the
 * test polls them, and a destroy of that runtime under them ends each once and leaves nothing that
 * they would still look at: AddressSanitizer tells; elsewhere what is freed is filled, also the locks.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/allocs.h"
#include "support/conformance.h"
#include "support/limits.h"
#include "support/net.h"
#include "support/polling.h"
#include "support/random.h"
#include "support/skip.h"
#include "support/threads.h"
#include "support/unit.h"

#include "op.h"

typedef struct guest {
    allocs_t         allocs;     /* of the first of these */
    tmlrt_runtime_t *rt, *other; /* the one that is destroyed; one that stays */
    tmlrt_addr_t     full;       /* a Unix address whose queue is full, while these are open: */
    int              fds[2];
    char             path[64];
    tmlrt_op_t       op;
    atomic_int       wakes;
    int              seen; /* of them, before the last poll */
    tmlrt_sock_t    *sock;
} guest_t;

static void fill_a_queue(guest_t *f) {
    snprintf(f->path, sizeof f->path, "/tmp/tmlrt-destroy-XXXXXX");
    int fd = mkstemp(f->path);
    require(fd >= 0 && close(fd) == 0 && unlink(f->path) == 0);
    require(tmlrt_addr_unix(&f->full, f->path) == TMLRT_OK);
    f->fds[0] = raw_listen(&f->full, 0);
    f->fds[1] = raw_connect(&f->full);
}

static int setup(void **state) {
    guest_t *f = calloc(1, sizeof *f);
    require(f != NULL);
    tmlrt_allocator_t allocator = allocs_of(&f->allocs);
    f->rt = reactor_runtime_on(&allocator);
    f->other = runtime_multi(1);
    f->fds[0] = f->fds[1] = -1;
    *state = f;
    return 0;
}

static void destroy(guest_t *f) {
    require(tmlrt_runtime_destroy(f->rt) == TMLRT_OK);
    f->rt = NULL;
}

static int teardown(void **state) {
    guest_t *f = *state;
    tmlrt_sock_release(f->sock);
    destroy(f);
    assert_int_equal(atomic_load(&f->allocs.blocks), 0);
    require(tmlrt_runtime_destroy(f->other) == TMLRT_OK);
    for (int i = 0; i < 2; i++)
        if (f->fds[i] >= 0) close(f->fds[i]);
    if (f->path[0] != '\0') (void)unlink(f->path);
    free(f);
    return 0;
}

/* ---- polled by hand: a waker that counts ------------------------------------------------------ */

static const tmlrt_waker_vtable_t counts;

static void count_clone(void *data, tmlrt_waker_t *out) {
    *out = (tmlrt_waker_t){data, &counts};
}

static void count_wake(void *data) {
    atomic_fetch_add((atomic_int *)data, 1);
}

static void count_drop(void *data) {
    (void)data;
}

static const tmlrt_waker_vtable_t counts = {count_clone, count_wake, count_wake, count_drop};

static int32_t poll_by_hand(guest_t *f) {
    tmlrt_waker_t waker = {&f->wakes, &counts};
    tmlrt_cx_t    cx = {&waker, NULL, {NULL, NULL}};
    f->seen = atomic_load(&f->wakes);
    return tmlrt_op_poll(&f->op, &cx);
}

static void wait_for_a_wake(guest_t *f) {
    int64_t end = tmlrt_now(f->other) + 30 * TMLRT_S;
    while (atomic_load(&f->wakes) == f->seen) {
        if (f->rt != NULL) drive(f->rt);
        require(tmlrt_now(f->other) < end); /* nobody wakes it */
        (void)sched_yield();
    }
}

/* Polls when it is woken, and then only; the result. */
static int64_t go_on(guest_t *f) {
    for (;;) {
        wait_for_a_wake(f);
        if (poll_by_hand(f) == TMLRT_READY) return tmlrt_op_result(&f->op);
    }
}

static void a_connect_polled_by_hand_gets_its_turn(void **state) {
    skip_on_windows("no Unix sockets");
    guest_t *f = *state;
    fill_a_queue(f);
    assert_int_equal(tmlrt_op_connect(&f->op, f->rt, &f->full, NULL, &f->sock), TMLRT_OK);
    assert_int_equal(poll_by_hand(f), TMLRT_PENDING);
    int first = accept(f->fds[0], NULL, NULL);
    assert_true(first >= 0);
    assert_int_equal(go_on(f), TMLRT_OK);
    assert_non_null(f->sock);
    close(first);
}

static void a_deadline_within_the_rest_is_kept(void **state) {
    skip_on_windows("no Unix sockets");
    guest_t *f = *state;
    fill_a_queue(f);
    tmlrt_op_connect(&f->op, f->rt, &f->full, NULL, &f->sock);
    tmlrt_op_deadline(&f->op, tmlrt_now(f->rt) + 5 * TMLRT_MS);
    assert_int_equal(poll_by_hand(f), TMLRT_PENDING);
    assert_int_equal(go_on(f), TMLRT_ETIMEDOUT);
    assert_null(f->sock);
}

static void an_accept_polled_by_hand_recovers(void **state) {
    skip_on_windows("a process cannot limit its handles");
    guest_t *f = *state;
    if (limits_are_emulated()) skip_because("memcheck loses what it accepts above a limit");
    tmlrt_addr_t  addr;
    tmlrt_sock_t *listener = listener_on(f->rt, &addr);
    int           peer = raw_connect(&addr);
    struct rlimit was = take_descriptors();
    tmlrt_op_accept(&f->op, listener, &f->sock);
    int64_t r = poll_by_hand(f) == TMLRT_READY ? tmlrt_op_result(&f->op) : go_on(f);
    assert_int_equal(r, TMLRT_EMFILE);
    give_descriptors(was);
    tmlrt_op_accept(&f->op, listener, &f->sock);
    if (poll_by_hand(f) != TMLRT_READY) assert_int_equal(go_on(f), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&f->op), TMLRT_OK);
    tmlrt_op_accept(&f->op, listener, &f->sock); /* a cancel in the rest gives the claim up */
    tmlrt_sock_release(f->sock);
    f->sock = NULL;
    close(peer);
    peer = raw_connect(&addr);
    was = take_descriptors();
    if (poll_by_hand(f) != TMLRT_READY) assert_int_equal(go_on(f), TMLRT_EMFILE);
    give_descriptors(was);
    for (int i = 0; i < 2; i++) {
        tmlrt_op_accept(&f->op, listener, &f->sock);
        if (poll_by_hand(f) == TMLRT_READY) break;
        tmlrt_op_cancel(&f->op);
        if (tmlrt_op_result(&f->op) == TMLRT_EBUSY) (void)go_on(f);
        assert_int_equal(tmlrt_op_result(&f->op), TMLRT_ECANCELED);
    }
    tmlrt_sock_release(listener);
    close(peer);
}

/* ---- the runtime goes ------------------------------------------------------------------------- */

static void a_rest_by_hand_ends_with_the_runtime(void **state) {
    skip_on_windows("no Unix sockets");
    guest_t *f = *state;
    fill_a_queue(f);
    tmlrt_op_connect(&f->op, f->rt, &f->full, NULL, &f->sock);
    assert_int_equal(poll_by_hand(f), TMLRT_PENDING);
    destroy(f);
    assert_int_equal(poll_by_hand(f), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&f->op), TMLRT_ECANCELED);
    assert_true(atomic_load(&f->wakes) > 0);
    assert_null(f->sock);
}

static void a_rest_can_be_cancelled_when_the_runtime_is_gone(void **state) {
    skip_on_windows("no Unix sockets");
    guest_t *f = *state;
    fill_a_queue(f);
    tmlrt_op_connect(&f->op, f->rt, &f->full, NULL, &f->sock);
    assert_int_equal(poll_by_hand(f), TMLRT_PENDING);
    destroy(f);
    assert_int_equal(tmlrt_op_cancel(&f->op), TMLRT_OK);
    assert_int_equal(tmlrt_op_result(&f->op), TMLRT_ECANCELED);
}

static void sleep_by_hand(guest_t *f, int64_t ns) {
    tmlrt_op_sleep(&f->op, f->rt, ns);
    assert_int_equal(poll_by_hand(f), TMLRT_PENDING);
    destroy(f);
    assert_int_equal(atomic_load(&f->wakes), 1);
    assert_int_equal(poll_by_hand(f), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&f->op), TMLRT_ECANCELED);
}

static void a_sleep_by_hand_ends_with_the_runtime(void **state) {
    sleep_by_hand(*state, 3600 * TMLRT_S);
}

static void so_does_one_without_an_end(void **state) {
    sleep_by_hand(*state, TMLRT_NEVER);
}

static void *fiber_connects(void *arg) {
    guest_t *f = arg;
    int      e = tmlrt_connect(f->rt, &f->full, NULL, &f->sock);
    require(e == TMLRT_ECANCELED || e == TMLRT_ESHUTDOWN);
    return NULL;
}

static void a_connect_of_another_runtimes_task_ends(void **state) {
    skip_on_windows("no Unix sockets");
    guest_t         *f = *state;
    tmlrt_runtime_t *rt = f->rt;
    tmlrt_task_t    *task;
    fill_a_queue(f);
    assert_int_equal(tmlrt_go(f->other, fiber_connects, f, NULL, &task), TMLRT_OK);
    while (stats_sum(f->other, polls) < 3) /* it has tried more than once */
        (void)sched_yield();
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
    f->rt = NULL;
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
}

/* Its registration was closed as well; who awaits asks it whom to drive. */
static void a_signal_is_about_a_runtime_that_is_gone(void **state) {
    guest_t        *f = *state;
    tmlrt_signal_t *sig;
    assert_int_equal(tmlrt_signal_open(f->rt, SIGINT, &sig), TMLRT_OK);
    assert_int_equal(tmlrt_op_signal(&f->op, sig), TMLRT_OK);
    assert_int_equal(poll_by_hand(f), TMLRT_PENDING);
    const void *rt = f->rt;
    destroy(f);
    tmlrt_signal_close(sig);
    assert_ptr_equal(tmlrt__op_about(tmlrt__op(&f->op)), rt);
    assert_int_equal(poll_by_hand(f), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&f->op), TMLRT_ECANCELED);
}

/* ---- fired before, looked at afterwards -------------------------------------------------------- */

static bool reactor_completes(void) {
#if defined(_WIN32)
    return true;
#else
    return reactor_is_sim();
#endif
}

/* A read of one byte that has come, but not been looked at; then the runtime goes. */
static void read_and_destroy(guest_t *f, char *c) {
    f->sock = sock_and_peer(f->rt, &f->fds[0]);
    assert_int_equal(tmlrt_op_read(&f->op, f->sock, c, 1), TMLRT_OK);
    assert_int_equal(poll_by_hand(f), TMLRT_PENDING);
    raw_send(f->fds[0], "x", 1);
    wait_for_a_wake(f);
    destroy(f);
}

/* Where the reactor reads itself, it had been read. */
static void expect_the_read(guest_t *f, char c) {
    int64_t r = tmlrt_op_result(&f->op);
    if (reactor_completes() || r == 1) {
        assert_int_equal(r, 1);
        assert_int_equal(c, 'x');
    } else {
        assert_int_equal(r, TMLRT_ECANCELED);
    }
}

static void a_read_that_has_fired_ends_after_the_destroy(void **state) {
    guest_t *f = *state;
    char     c = 0;
    read_and_destroy(f, &c);
    assert_int_equal(poll_by_hand(f), TMLRT_READY);
    expect_the_read(f, c);
}

static void a_read_that_has_fired_is_cancelled_after_the_destroy(void **state) {
    guest_t *f = *state;
    char     c = 0;
    read_and_destroy(f, &c);
    assert_int_equal(tmlrt_op_cancel(&f->op), TMLRT_OK);
    expect_the_read(f, c);
}

static void an_exact_read_does_not_go_on_after_the_destroy(void **state) {
    guest_t *f = *state;
    char     buf[2] = {0};
    f->sock = sock_and_peer(f->rt, &f->fds[0]);
    assert_int_equal(tmlrt_op_read_exact(&f->op, f->sock, buf, sizeof buf), TMLRT_OK);
    assert_int_equal(poll_by_hand(f), TMLRT_PENDING);
    raw_send(f->fds[0], "x", 1);
    if (!reactor_is_sim()) wait_for_a_wake(f); /* that one fires when all is there */
    destroy(f);
    assert_int_equal(poll_by_hand(f), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&f->op), TMLRT_ECANCELED);
}

static void an_accept_that_has_fired_ends_after_the_destroy(void **state) {
    guest_t      *f = *state;
    tmlrt_addr_t  addr;
    tmlrt_sock_t *listener = listener_on(f->rt, &addr);
    assert_int_equal(tmlrt_op_accept(&f->op, listener, &f->sock), TMLRT_OK);
    assert_int_equal(poll_by_hand(f), TMLRT_PENDING);
    f->fds[0] = raw_connect(&addr);
    wait_for_a_wake(f);
    destroy(f);
    assert_int_equal(poll_by_hand(f), TMLRT_READY);
    assert_int_equal(tmlrt_op_result(&f->op), TMLRT_ECANCELED);
    assert_null(f->sock);
    tmlrt_sock_release(listener);
}

/* ---- everything at once ----------------------------------------------------------------------- */

typedef struct race {
    tmlrt_sock_t *listener, *sock;
    tmlrt_fd_t   *fd;
    tmlrt_addr_t  addr;
    uint64_t      seed;
    atomic_int    begun;
} race_t;

static void accept_until_closed(race_t *r) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    int64_t    e;
    do {
        tmlrt_sock_t *sock = NULL;
        tmlrt_op_accept(&op, r->listener, &sock);
        int peer = socket(AF_INET, SOCK_STREAM, 0);
        (void)connect(peer, (const struct sockaddr *)(const void *)r->addr.storage_,
                      r->addr.length_);
        while (poll_here(&op) != TMLRT_READY)
            (void)sched_yield();
        e = tmlrt_op_result(&op);
        tmlrt_sock_release(sock);
        close(peer);
    } while (e == TMLRT_OK);
    require(e == TMLRT_ECANCELED || e == TMLRT_ESHUTDOWN || e == TMLRT_ECLOSED);
}

static void read_until_closed(race_t *r) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    char       c;
    int64_t    e;
    do {
        tmlrt_op_read(&op, r->sock, &c, 1);
        (void)poll_here(&op);
        (void)tmlrt_op_cancel(&op);
        while (poll_here(&op) != TMLRT_READY)
            (void)sched_yield();
        e = tmlrt_op_result(&op);
    } while (e != TMLRT_ECLOSED);
}

static void shut_until_closed(race_t *r) {
    while (tmlrt_sock_shutdown(r->sock, TMLRT_SHUT_READ) != TMLRT_ECLOSED)
        (void)sched_yield();
}

static void wait_until_closed(race_t *r) {
    tmlrt_op_t op = TMLRT_OP_INIT;
    do {
        tmlrt_op_fd_wait(&op, r->fd, TMLRT_FD_READ);
        (void)poll_here(&op);
        (void)tmlrt_op_cancel(&op);
        while (poll_here(&op) != TMLRT_READY)
            (void)sched_yield();
    } while (tmlrt_op_result(&op) != TMLRT_ECLOSED);
}

static void at_work(void *arg, int i) {
    static void (*const work[])(race_t *) = {accept_until_closed, read_until_closed,
                                             shut_until_closed, wait_until_closed};
    race_t *r = arg;
    atomic_fetch_add(&r->begun, 1);
    work[i](r);
}

static void threads_at_work_notice_the_end(void **state) {
    guest_t *f = *state;
    random_t random;
    random_seed(&random, test_seed());
    for (int round = 0; round < scaled(40); round++) {
        int              peer, pair[2];
        race_t           r = {.begun = 0};
        tmlrt_runtime_t *rt = reactor_runtime();
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        r.listener = listener_on(rt, &r.addr);
        r.sock = sock_and_peer(rt, &peer);
        assert_int_equal(tmlrt_fd_open(rt, pair[0], &r.fd), TMLRT_OK);
        crew_t *crew = crew_start(4, at_work, &r);
        wait_until(atomic_load(&r.begun) == 4);
        for (uint32_t n = random_below(&random, 8); n > 0; n--)
            (void)sched_yield();
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
        crew_join(crew);
        tmlrt_fd_close(r.fd);
        tmlrt_sock_release(r.sock);
        tmlrt_sock_release(r.listener);
        close(peer);
        close(pair[0]);
        close(pair[1]);
    }
    (void)f;
}

/* ---- a close beside the destroy --------------------------------------------------------------- */

typedef struct closing {
    tmlrt_sock_t *listener, *sock;
    tmlrt_fd_t   *fd;
    atomic_int    begun;
} closing_t;

static void close_all(void *arg, int i) {
    closing_t *c = arg;
    (void)i;
    atomic_store(&c->begun, 1);
    (void)tmlrt_sock_close(c->sock);
    tmlrt_fd_close(c->fd);
    (void)tmlrt_sock_close(c->listener);
}

/* Whoever closes first may be overtaken by the other before it has told the reactor. */
static void a_close_beside_the_destroy_leaves_nothing_in_flight(void **state) {
    guest_t          *f = *state;
    tmlrt_allocator_t allocator = allocs_of(&f->allocs);
    random_t          random;
    random_seed(&random, test_seed());
    for (int round = 0; round < scaled(100); round++) {
        tmlrt_runtime_t *rt = reactor_runtime_on(&allocator);
        tmlrt_op_t       op[3] = {TMLRT_OP_INIT, TMLRT_OP_INIT, TMLRT_OP_INIT};
        closing_t        c = {.begun = 0};
        tmlrt_addr_t     addr;
        tmlrt_sock_t    *none = NULL;
        int              peer, pair[2];
        char             byte;
        require(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
        c.listener = listener_on(rt, &addr);
        c.sock = sock_and_peer(rt, &peer);
        require(tmlrt_fd_open(rt, pair[0], &c.fd) == TMLRT_OK);
        tmlrt_op_read(&op[0], c.sock, &byte, 1);
        tmlrt_op_accept(&op[1], c.listener, &none);
        tmlrt_op_fd_wait(&op[2], c.fd, TMLRT_FD_READ);
        for (int i = 0; i < 3; i++)
            assert_waits(&op[i]);
        crew_t *crew = crew_start(1, close_all, &c);
        wait_until(atomic_load(&c.begun) == 1);
        for (uint32_t n = random_below(&random, 8); n > 0; n--)
            (void)sched_yield();
        assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
        crew_join(crew);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(poll_here(&op[i]), TMLRT_READY);
            int64_t e = tmlrt_op_result(&op[i]);
            if (i != 1 || e != TMLRT_ESHUTDOWN) /* the destroy stops listeners first */
                assert_int_equal(e, TMLRT_ECANCELED);
        }
        tmlrt_sock_release(c.sock);
        tmlrt_sock_release(c.listener);
        close(peer);
        close(pair[0]);
        close(pair[1]);
    }
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_connect_polled_by_hand_gets_its_turn),
        T(a_deadline_within_the_rest_is_kept),
        T(an_accept_polled_by_hand_recovers),
        T(a_rest_by_hand_ends_with_the_runtime),
        T(a_rest_can_be_cancelled_when_the_runtime_is_gone),
        T(a_sleep_by_hand_ends_with_the_runtime),
        T(so_does_one_without_an_end),
        T(a_connect_of_another_runtimes_task_ends),
        T(a_signal_is_about_a_runtime_that_is_gone),
        T(a_read_that_has_fired_ends_after_the_destroy),
        T(a_read_that_has_fired_is_cancelled_after_the_destroy),
        T(an_exact_read_does_not_go_on_after_the_destroy),
        T(an_accept_that_has_fired_ends_after_the_destroy),
        T(threads_at_work_notice_the_end),
        T(a_close_beside_the_destroy_leaves_nothing_in_flight),
    };
    RUN_ON_EACH_REACTOR(tests);
}
