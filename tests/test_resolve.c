/* SPDX-License-Identifier: MIT */
/*
 * test_resolve.c: the race of the addresses of one name (happy eyeballs), with loopback addresses
 * that answer, refuse or hang.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolve.h"
#include "support/descriptors.h"
#include "support/net.h"
#include "support/threads.h"
#include "support/unit.h"

static tmlrt_runtime_t *rt;
static tmlrt_addr_t     good, bad, hung;
static tmlrt_sock_t    *listener;
static int              bad_fd, hung_fds[2];

static int setup(void **state) {
    (void)state;
    rt = runtime_multi(2);
    listener = listener_on(rt, &good);
    bad = refusing_addr(&bad_fd);
    require(hanging_addr("127.0.0.1:0", &hung, hung_fds));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    tmlrt_sock_release(listener);
    close(bad_fd);
    for (int i = 0; i < 2; i++)
        close(hung_fds[i]);
    return tmlrt_runtime_destroy(rt);
}

static tmlrt_addr_t of(const char *text) {
    tmlrt_addr_t addr;
    require(tmlrt_addr_parse(&addr, text) == TMLRT_OK);
    return addr;
}

/* Connects to one of `n`, by a deadline; the peer must be `good`, and nothing else may stay open. */
static int race(const tmlrt_addr_t *addrs, size_t n, int64_t deadline) {
    tmlrt_sock_t *sock = NULL, *served = NULL;
    tmlrt_addr_t  peer;
    int           before = open_descriptors();
    int           e = tmlrt__connect_first(rt, addrs, n, NULL, &sock, deadline);
    if (e == TMLRT_OK) {
        require(tmlrt_sock_peer_addr(sock, &peer) == TMLRT_OK);
        require(tmlrt_addr_port(&peer) == tmlrt_addr_port(&good));
        require(tmlrt_accept(listener, &served) == TMLRT_OK);
        tmlrt_sock_release(served);
        tmlrt_sock_release(sock);
    } else {
        require(sock == NULL);
    }
    wait_until(open_descriptors() == before);
    return e;
}

static void the_first_that_answers_wins(void **state) {
    (void)state;
    assert_int_equal(race((tmlrt_addr_t[]){good}, 1, TMLRT_NEVER), TMLRT_OK);
    assert_int_equal(race((tmlrt_addr_t[]){good, hung, bad}, 3, TMLRT_NEVER), TMLRT_OK);
}

static void a_refusal_starts_the_next_at_once(void **state) {
    (void)state;
    tmlrt_addr_t addrs[8];
    for (int i = 0; i < 7; i++)
        addrs[i] = bad;
    addrs[7] = good;
    assert_int_equal(race(addrs, 8, TMLRT_NEVER), TMLRT_OK);
}

static void one_that_hangs_is_passed_by_after_the_stagger(void **state) {
    (void)state;
    int64_t before = tmlrt_now(rt);
    assert_int_equal(race((tmlrt_addr_t[]){hung, good}, 2, TMLRT_NEVER), TMLRT_OK);
    assert_true(tmlrt_now(rt) >= before + 250 * TMLRT_MS); /* never early */
    assert_int_equal(race((tmlrt_addr_t[]){hung, bad, good}, 3, TMLRT_NEVER), TMLRT_OK);
}

static void the_error_is_the_first_that_says_something(void **state) {
    (void)state;
    tmlrt_addr_t nowhere = of("255.255.255.255:1");
    assert_int_equal(race((tmlrt_addr_t[]){bad, bad}, 2, TMLRT_NEVER), TMLRT_ECONNREFUSED);
    int e = race((tmlrt_addr_t[]){nowhere}, 1, TMLRT_NEVER);
    assert_true(e < 0);
    if (e == TMLRT_ENETUNREACH || e == TMLRT_EADDRNOTAVAIL)
        assert_int_equal(race((tmlrt_addr_t[]){nowhere, bad}, 2, TMLRT_NEVER), TMLRT_ECONNREFUSED);
}

static void a_deadline_closes_every_attempt(void **state) {
    (void)state;
    tmlrt_addr_t addrs[] = {hung, hung, hung};
    assert_int_equal(race(addrs, 3, tmlrt_now(rt) + 5 * TMLRT_MS), TMLRT_ETIMEDOUT);
    assert_int_equal(race(addrs, 3, tmlrt_now(rt) + 300 * TMLRT_MS), TMLRT_ETIMEDOUT);
}

static void *fiber_races(void *arg) {
    tmlrt_addr_t  addrs[] = {hung, hung};
    tmlrt_sock_t *sock = NULL;
    (void)arg;
    require(tmlrt__connect_first(NULL, addrs, 2, NULL, &sock, TMLRT_NEVER) == TMLRT_ECANCELED);
    return NULL;
}

static void a_cancelled_fiber_closes_every_attempt(void **state) {
    (void)state;
    tmlrt_task_t *task;
    int           before = open_descriptors();
    assert_int_equal(tmlrt_go(rt, fiber_races, NULL, NULL, &task), TMLRT_OK);
    wait_until(open_descriptors() > before);
    assert_int_equal(tmlrt_task_abort(task), TMLRT_OK);
    (void)tmlrt_join(task, NULL);
    tmlrt_task_release(task);
    wait_until(open_descriptors() == before);
}

/* The first address decides who begins; within a family the order stays. */
static void the_families_take_turns(void **state) {
    (void)state;
    static const char *const given[] = {"[::1]:1",     "[::1]:2", "[::1]:3", "127.0.0.1:4",
                                        "127.0.0.1:5", "[::1]:6", "[::1]:7", "[::1]:8"};
    static const int         order[] = {1, 4, 2, 5, 3, 6, 7, 8};
    tmlrt_addr_t             addrs[8];
    for (int i = 0; i < 8; i++)
        addrs[i] = of(given[i]);
    tmlrt__connect_order(addrs, 8);
    for (int i = 0; i < 8; i++)
        assert_int_equal(tmlrt_addr_port(&addrs[i]), order[i]);
    tmlrt__connect_order(addrs, 0);
    tmlrt__connect_order(&addrs[1], 3); /* 4, 2, 5 */
    assert_int_equal(tmlrt_addr_port(&addrs[1]), 4);
    assert_int_equal(tmlrt_addr_port(&addrs[2]), 2);
    assert_int_equal(tmlrt_addr_port(&addrs[3]), 5);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_first_that_answers_wins),
        T(a_refusal_starts_the_next_at_once),
        T(one_that_hangs_is_passed_by_after_the_stagger),
        T(the_error_is_the_first_that_says_something),
        T(a_deadline_closes_every_attempt),
        T(a_cancelled_fiber_closes_every_attempt),
        T(the_families_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
