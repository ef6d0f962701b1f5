/* SPDX-License-Identifier: MIT */
/*
 * test_source_word.c: the words of a source one transition at a time (model_source_word.cpp checks
 * their orders), and the table: generations, stale events, handles that outlive their driver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "os.h"
#include "reactor/source.h"
#include "support/threads.h"

enum { GENERATION = 9 };

static char op; /* stands for an operation */

static void fresh(tmlrt__source_word_t *w, uint64_t flags) {
    memset(w, 0, sizeof *w);
    tmlrt__sw_init(w, GENERATION, flags);
}

static bool is_ready(tmlrt__source_word_t *w) {
    return (tmlrt__load_relaxed(&w->bits) & TMLRT__SW_READY) != 0;
}

static void a_claim_excludes_others(void **state) {
    (void)state;
    tmlrt__source_word_t w;
    uint64_t             seen;
    fresh(&w, TMLRT__SW_READY);
    assert_int_equal(tmlrt__sw_claim(&w, &seen), TMLRT__SW_IS_READY);
    assert_int_equal(tmlrt__sw_claim(&w, &seen), TMLRT__SW_IS_BUSY);
    assert_false(tmlrt__sw_release(&w));
    assert_int_equal(tmlrt__sw_claim(&w, &seen), TMLRT__SW_IS_READY);
    assert_false(tmlrt__sw_release_drained(&w, seen));
    assert_int_equal(tmlrt__sw_claim(&w, &seen), TMLRT__SW_IS_WAITING);
}

static void a_short_transfer_clears_what_is_believed(void **state) {
    (void)state;
    tmlrt__source_word_t w;
    uint64_t             seen;
    fresh(&w, TMLRT__SW_READY);
    tmlrt__sw_claim(&w, &seen);
    tmlrt__sw_release_short(&w, seen);
    assert_false(is_ready(&w));
}

static void an_event_since_keeps_what_is_believed(void **state) {
    (void)state;
    tmlrt__source_word_t w;
    uint64_t             seen;
    fresh(&w, TMLRT__SW_READY);
    tmlrt__sw_claim(&w, &seen);
    assert_null(tmlrt__sw_event(&w, GENERATION, TMLRT__SW_READY));
    tmlrt__sw_release_short(&w, seen);
    assert_true(is_ready(&w));
    tmlrt__sw_claim(&w, &seen);
    assert_null(tmlrt__sw_event(&w, GENERATION, TMLRT__SW_READY));
    assert_int_equal(tmlrt__sw_arm(&w, &seen, &op, true), TMLRT__SW_IS_AGAIN);
    assert_int_equal(tmlrt__sw_arm(&w, &seen, &op, true), TMLRT__SW_IS_WAITING);
    assert_false(is_ready(&w));
}

static void after_a_hangup_only_an_empty_socket_clears(void **state) {
    (void)state;
    tmlrt__source_word_t w;
    uint64_t             seen;
    fresh(&w, 0);
    tmlrt__sw_event(&w, GENERATION, TMLRT__SW_READY | TMLRT__SW_HUP);
    assert_int_equal(tmlrt__sw_claim(&w, &seen), TMLRT__SW_IS_READY);
    assert_int_equal(tmlrt__sw_arm(&w, &seen, &op, false), TMLRT__SW_IS_AGAIN);
    tmlrt__sw_release_short(&w, seen);
    assert_true(is_ready(&w));
    tmlrt__sw_claim(&w, &seen);
    tmlrt__sw_release_drained(&w, seen);
    assert_false(is_ready(&w));
    tmlrt__sw_event(&w, GENERATION, TMLRT__SW_READY);
    tmlrt__sw_claim(&w, &seen);
    assert_int_equal(tmlrt__sw_arm(&w, &seen, &op, true), TMLRT__SW_IS_WAITING);
}

/* Of a socket whose call looks without a lock: see source_word.h. */
static void where_each_event_counts_none_is_dropped(void **state) {
    (void)state;
    tmlrt__source_word_t w;
    for (int counts = 0; counts < 2; counts++) {
        fresh(&w, TMLRT__SW_READY | (counts ? TMLRT__SW_COUNTS : 0));
        uint64_t before = tmlrt__load_relaxed(&w.bits);
        assert_null(tmlrt__sw_event(&w, GENERATION, TMLRT__SW_READY));
        assert_int_equal(before != tmlrt__load_relaxed(&w.bits), counts);
    }
}

static void an_event_takes_the_waiter_once(void **state) {
    (void)state;
    tmlrt__source_word_t w;
    uint64_t             seen;
    void                *waiter;
    fresh(&w, 0);
    tmlrt__sw_claim(&w, &seen);
    assert_int_equal(tmlrt__sw_arm(&w, &seen, &op, true), TMLRT__SW_IS_WAITING);
    assert_ptr_equal(tmlrt__sw_event(&w, GENERATION, TMLRT__SW_READY), &op);
    assert_null(tmlrt__sw_event(&w, GENERATION, TMLRT__SW_READY));
    assert_false(tmlrt__sw_cancel(&w)); /* taken: its fire will come */
    assert_int_equal(tmlrt__sw_check(&w, &seen), TMLRT__SW_IS_READY);
    assert_int_equal(tmlrt__sw_close(&w, &waiter), TMLRT__SW_CLOSE_CLAIMED);
    assert_null(waiter);
    assert_int_equal(tmlrt__sw_check(&w, &seen), TMLRT__SW_IS_CLOSED);
    assert_true(tmlrt__sw_release(&w));
}

static void a_cancel_is_definite_while_armed(void **state) {
    (void)state;
    tmlrt__source_word_t w;
    uint64_t             seen;
    fresh(&w, 0);
    tmlrt__sw_claim(&w, &seen);
    tmlrt__sw_arm(&w, &seen, &op, true);
    assert_true(tmlrt__sw_cancel(&w));
    assert_null(tmlrt__sw_event(&w, GENERATION, TMLRT__SW_READY));
    assert_int_equal(tmlrt__sw_claim(&w, &seen), TMLRT__SW_IS_READY);
}

static void close_and_stop_take_the_waiter(void **state) {
    (void)state;
    tmlrt__source_word_t w;
    uint64_t             seen;
    void                *waiter;
    fresh(&w, 0);
    tmlrt__sw_claim(&w, &seen);
    tmlrt__sw_arm(&w, &seen, &op, true);
    assert_ptr_equal(tmlrt__sw_stop(&w), &op);
    assert_null(tmlrt__sw_stop(&w));
    assert_int_equal(tmlrt__sw_check(&w, &seen), TMLRT__SW_IS_STOPPED);
    assert_false(tmlrt__sw_release(&w));
    assert_int_equal(tmlrt__sw_claim(&w, &seen), TMLRT__SW_IS_STOPPED);
    fresh(&w, 0);
    tmlrt__sw_claim(&w, &seen);
    tmlrt__sw_arm(&w, &seen, &op, true);
    assert_int_equal(tmlrt__sw_close(&w, &waiter), TMLRT__SW_CLOSE_ARMED);
    assert_ptr_equal(waiter, &op);
    assert_int_equal(tmlrt__sw_close(&w, &waiter), TMLRT__SW_CLOSE_ALREADY);
    assert_int_equal(tmlrt__sw_claim(&w, &seen), TMLRT__SW_IS_CLOSED);
    fresh(&w, 0);
    assert_int_equal(tmlrt__sw_close(&w, &waiter), TMLRT__SW_CLOSE_IDLE);
}

static void an_event_for_a_former_tenant_changes_nothing(void **state) {
    (void)state;
    tmlrt__source_word_t w;
    fresh(&w, 0);
    uint64_t before = tmlrt__load_relaxed(&w.bits);
    assert_null(tmlrt__sw_event(&w, GENERATION - 1, TMLRT__SW_READY | TMLRT__SW_HUP));
    assert_true(tmlrt__load_relaxed(&w.bits) == before);
}

static void the_tick_wraps_within_its_bits(void **state) {
    (void)state;
    tmlrt__source_word_t w;
    uint64_t             seen;
    fresh(&w, 0);
    tmlrt__sw_claim(&w, &seen);
    for (uint32_t i = 0; i < (1u << 24); i++)
        tmlrt__sw_event(&w, GENERATION, TMLRT__SW_READY);
    assert_true(tmlrt__load_relaxed(&w.bits) == (seen | TMLRT__SW_READY));
}

static void pins_and_halves_end_once(void **state) {
    (void)state;
    tmlrt__pins_t pins;
    tmlrt__life_t life;
    tmlrt__pins_init(&pins);
    assert_true(tmlrt__pins_enter(&pins) && tmlrt__pins_enter(&pins));
    assert_false(tmlrt__pins_leave(&pins));
    assert_false(tmlrt__pins_close(&pins));
    assert_false(tmlrt__pins_enter(&pins));
    assert_false(tmlrt__pins_idle(&pins));
    assert_true(tmlrt__pins_leave(&pins));
    assert_true(tmlrt__pins_idle(&pins));
    tmlrt__life_init(&life);
    assert_false(tmlrt__life_half(&life));
    assert_false(tmlrt__life_half(&life));
    assert_true(tmlrt__life_half(&life));
    assert_false(tmlrt__life_handle(&life));
    assert_true(tmlrt__life_ended(&life));
}

/* ---- the table ------------------------------------------------------------------------------ */

static int64_t bytes_out;

static void *counted_get(void *ctx, size_t size, size_t align) {
    (void)ctx;
    bytes_out += (int64_t)size;
    return tmlrt__os_alloc(size, align);
}

static void counted_put(void *ctx, void *ptr, size_t size, size_t align) {
    (void)ctx;
    bytes_out -= (int64_t)size;
    tmlrt__os_free(ptr, size, align);
}

static tmlrt__driver_t *driver_for(tmlrt__host_t *host) {
    tmlrt__driver_t *d = NULL;
    memset(host, 0, sizeof *host);
    host->mem = (tmlrt_allocator_t){counted_get, counted_put, NULL};
    host->fork_generation = tmlrt__load_relaxed(&tmlrt__fork_generation);
    require(tmlrt__driver_create(&d, TMLRT_REACTOR_AUTO, host, 0) == TMLRT_OK);
    return d;
}

/* A socket that any driver takes and that can be written to: a datagram one, its own peer. */
static int own_peer(void) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t          size = sizeof in;
    int                fd = socket(AF_INET, SOCK_DGRAM, 0);
    require(fd >= 0 && bind(fd, (void *)&in, size) == 0);
    require(getsockname(fd, (void *)&in, &size) == 0 && connect(fd, (void *)&in, size) == 0);
    return fd;
}

static tmlrt__source_t *source_in(tmlrt__driver_t *d) {
    tmlrt__source_t *s = NULL;
    int              fd = own_peer();
    require(tmlrt__source_open(&s, d, TMLRT__SOURCE_STREAM, fd, 0, NULL) == TMLRT_OK);
    return s;
}

static void a_stale_event_misses_the_new_tenant(void **state) {
    (void)state;
    tmlrt__host_t    host;
    tmlrt__driver_t *d = driver_for(&host);
    tmlrt__source_t *s = source_in(d);
    uint64_t         stale = tmlrt__source_key(s);
    tmlrt__source_release(s);
    tmlrt__source_event(d->table, stale, TMLRT__EVENT_READ | TMLRT__EVENT_ERROR);
    tmlrt__source_t *next = source_in(d);
    assert_ptr_equal(next, s);
    assert_true(tmlrt__source_key(next) != stale);
    tmlrt__source_event(d->table, stale, TMLRT__EVENT_READ | TMLRT__EVENT_ERROR);
    assert_false(is_ready(&next->word[TMLRT__DIR_READ]));
    tmlrt__source_event(d->table, tmlrt__source_key(next), TMLRT__EVENT_READ);
    assert_true(is_ready(&next->word[TMLRT__DIR_READ]));
    assert_false(is_ready(&next->word[TMLRT__DIR_WRITE]));
    tmlrt__source_release(next);
    tmlrt__driver_close_sources(d, false);
    tmlrt__driver_destroy(d, false);
    assert_int_equal(bytes_out, 0);
}

static void handles_outlive_the_driver(void **state) {
    (void)state;
    enum { MANY = 300 };
    tmlrt__host_t    host;
    tmlrt__driver_t *d = driver_for(&host);
    tmlrt__source_t *s[MANY];
    for (int i = 0; i < MANY; i++) {
        s[i] = source_in(d);
        assert_int_equal(tmlrt__source_attach(s[i]), TMLRT_OK);
    }
    assert_int_equal(tmlrt__load_relaxed(&d->sources), MANY);
    for (int i = 0; i < 10; i++)
        assert_true(tmlrt__source_close(s[i]));
    int fd = (int)s[MANY - 1]->fd;
    tmlrt__driver_close_sources(d, false);
    assert_int_equal(tmlrt__load_relaxed(&d->sources), 0);
    tmlrt__driver_destroy(d, false);
    assert_int_equal(close(fd), -1); /* it was closed */
    assert_true(bytes_out > 0);
    for (int i = 0; i < MANY; i++) {
        assert_false(tmlrt__source_close(s[i]));
        assert_false(tmlrt__source_pin(s[i]));
        tmlrt__source_release(s[i]);
    }
    assert_int_equal(bytes_out, 0);
}

static void a_pin_keeps_the_descriptor_open(void **state) {
    (void)state;
    tmlrt__host_t    host;
    tmlrt__driver_t *d = driver_for(&host);
    tmlrt__source_t *s = source_in(d);
    int              fd = (int)s->fd;
    uint64_t         one = 1;
    assert_true(tmlrt__source_pin(s));
    assert_true(tmlrt__source_close(s));
    assert_int_equal(write(fd, &one, sizeof one), sizeof one);
    tmlrt__source_unpin(s);
    assert_int_equal(write(fd, &one, sizeof one), -1);
    tmlrt__source_release(s);
    tmlrt__driver_destroy(d, false);
    assert_int_equal(bytes_out, 0);
}

static void a_listener_that_comes_after_the_stop_is_born_stopped(void **state) {
    (void)state;
    tmlrt__host_t    host;
    tmlrt__driver_t *d = driver_for(&host);
    tmlrt__source_t *s = NULL;
    uint64_t         seen;
    tmlrt__driver_stop_accepts(d);
    require(tmlrt__source_open(&s, d, TMLRT__SOURCE_LISTENER, -1, 0, NULL) == TMLRT_OK);
    assert_int_equal(tmlrt__sw_claim(&s->word[TMLRT__DIR_READ], &seen), TMLRT__SW_IS_STOPPED);
    tmlrt__source_release(s);
    tmlrt__driver_destroy(d, false);
}

static void an_unknown_reactor_is_not_supported(void **state) {
    (void)state;
    tmlrt__host_t    host;
    tmlrt__driver_t *d = driver_for(&host), *other = NULL;
    assert_int_equal(tmlrt__driver_create(&other, TMLRT_REACTOR_IOCP, &host, 0), TMLRT_ENOTSUP);
    assert_null(other);
    assert_true(tmlrt__driver_try_enter(d));
    assert_false(tmlrt__driver_try_enter(d));
    tmlrt__driver_leave(d);
    tmlrt__driver_destroy(d, false);
    assert_int_equal(bytes_out, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_claim_excludes_others),
        cmocka_unit_test(a_short_transfer_clears_what_is_believed),
        cmocka_unit_test(an_event_since_keeps_what_is_believed),
        cmocka_unit_test(after_a_hangup_only_an_empty_socket_clears),
        cmocka_unit_test(where_each_event_counts_none_is_dropped),
        cmocka_unit_test(an_event_takes_the_waiter_once),
        cmocka_unit_test(a_cancel_is_definite_while_armed),
        cmocka_unit_test(close_and_stop_take_the_waiter),
        cmocka_unit_test(an_event_for_a_former_tenant_changes_nothing),
        cmocka_unit_test(the_tick_wraps_within_its_bits),
        cmocka_unit_test(pins_and_halves_end_once),
        cmocka_unit_test(a_stale_event_misses_the_new_tenant),
        cmocka_unit_test(handles_outlive_the_driver),
        cmocka_unit_test(a_pin_keeps_the_descriptor_open),
        cmocka_unit_test(a_listener_that_comes_after_the_stop_is_born_stopped),
        cmocka_unit_test(an_unknown_reactor_is_not_supported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
