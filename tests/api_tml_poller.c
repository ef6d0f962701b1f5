/* SPDX-License-Identifier: MIT */
/*
 * api_tml_poller.c: the level-triggered poller of tmlrt/tml.h. On Linux the build makes a second
 * program of it, with the poller of systems without epoll.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <tmlrt.h>
#include <tmlrt/tml.h>

static void the_poller_is_level_triggered(void **state) {
    (void)state;
    int          s[2];
    char         byte = 1;
    TmlPollEvent ev[4];
    int64_t      p = tml_poll_create();
    assert_true(p >= 0);
    assert_int_equal(sizeof(TmlPollEvent), 8);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    assert_int_equal(tml_poll_add(p, s[0], 11, TML_POLL_READABLE), 0);
    assert_true(tml_poll_add(p, s[0], 11, TML_POLL_READABLE) < 0); /* it is there */
    assert_int_equal(tml_poll_wait(p, ev, 4, 0), 0);
    assert_int_equal(write(s[1], &byte, 1), 1);
    for (int i = 0; i < 2; i++) { /* as long as nobody reads */
        assert_int_equal(tml_poll_wait(p, ev, 4, -1), 1);
        assert_true(ev[0].token == 11 && ev[0].flags == TML_POLL_READABLE);
    }
    assert_int_equal(tml_poll_modify(p, s[0], 12, TML_POLL_READABLE | TML_POLL_WRITABLE), 0);
    assert_int_equal(tml_poll_wait(p, ev, 4, 1000), 1);
    assert_true(ev[0].token == 12 && ev[0].flags == (TML_POLL_READABLE | TML_POLL_WRITABLE));
    assert_int_equal(tml_poll_modify(p, s[0], 13, 0), 0);
    close(s[1]);
    assert_int_equal(tml_poll_wait(p, ev, 4, 1000), 1);
    assert_true((ev[0].flags & TML_POLL_HUP) != 0);
    assert_int_equal(tml_poll_remove(p, s[0]), 0);
    assert_true(tml_poll_remove(p, s[0]) < 0);
    assert_true(tml_poll_modify(p, s[0], 1, 1) < 0);
    int64_t begin = tmlrt_now(NULL);
    assert_int_equal(tml_poll_wait(p, ev, 4, 5), 0);
    assert_true(tmlrt_now(NULL) - begin >= 5 * TMLRT_MS);
    assert_int_equal(tml_poll_wait(p, NULL, 4, 0), -1);
    assert_int_equal(tml_poll_wait(p, ev, 0, 0), -1);
    assert_int_equal(tml_poll_wait(-1, ev, 4, 0), -1);
    assert_int_equal(tml_poll_add(-1, s[0], 1, 1), -1);
    assert_int_equal(tml_poll_add(p, (INT64_C(1) << 32) + s[0], 1, 1), -1);
    tml_poll_destroy(p);
    tml_poll_destroy(-1);
    close(s[0]);
}

/* More sockets than a first table holds, in any order of leaving. */
static void many_sockets_come_and_go(void **state) {
    (void)state;
    enum { N = 40 };
    int          s[N][2];
    char         byte = 1;
    TmlPollEvent ev[N];
    int64_t      p = tml_poll_create();
    for (int i = 0; i < N; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s[i]), 0);
        assert_int_equal(tml_poll_add(p, s[i][0], (uint32_t)i, TML_POLL_READABLE), 0);
        assert_int_equal(write(s[i][1], &byte, 1), 1);
    }
    assert_int_equal(tml_poll_wait(p, ev, N, 1000), N);
    assert_int_equal(tml_poll_wait(p, ev, 3, 1000), 3); /* no more than there is room for */
    for (int i = 0; i < N; i += 2)
        assert_int_equal(tml_poll_remove(p, s[i][0]), 0);
    assert_int_equal(tml_poll_wait(p, ev, N, 1000), N / 2);
    uint64_t seen = 0;
    for (int i = 0; i < N / 2; i++)
        seen |= UINT64_C(1) << ev[i].token;
    assert_true(seen == UINT64_C(0xaaaaaaaaaa));
    tml_poll_destroy(p);
    for (int i = 0; i < N; i++) {
        close(s[i][0]);
        close(s[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_poller_is_level_triggered),
        cmocka_unit_test(many_sockets_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
