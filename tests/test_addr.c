/* SPDX-License-Identifier: MIT */
/*
 * test_addr.c: addresses as text and back.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/skip.h"

#include "addr.h"

static void what_is_parsed_formats_the_same(void **state) {
    static const char *const texts[] = {"127.0.0.1:80",      "0.0.0.0:0", "255.255.255.255:65535",
                                        "[::1]:80",          "[::]:0",    "[2001:db8::1]:443",
                                        "[::ffff:1.2.3.4]:5"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        tmlrt_addr_t addr;
        char         text[72];
        assert_int_equal(tmlrt_addr_parse(&addr, texts[i]), TMLRT_OK);
        assert_int_equal(tmlrt_addr_format(&addr, text, sizeof text), strlen(texts[i]));
        assert_string_equal(text, texts[i]);
    }
}

static void no_host_is_any_ipv4_address(void **state) {
    (void)state;
    tmlrt_addr_t addr;
    char         text[72];
    assert_int_equal(tmlrt_addr_parse(&addr, ":8080"), TMLRT_OK);
    tmlrt_addr_format(&addr, text, sizeof text);
    assert_string_equal(text, "0.0.0.0:8080");
    assert_int_equal(tmlrt_addr_port(&addr), 8080);
    assert_int_equal(tmlrt__addr_family(&addr), AF_INET);
}

static void zones_are_names_or_numbers(void **state) {
    (void)state;
    char name[IF_NAMESIZE], in[72], out[72];
    if (if_indextoname(1, name) == NULL) skip_because("no network interface with index 1");
    tmlrt_addr_t by_name, by_number;
    snprintf(in, sizeof in, "[fe80::1%%%s]:80", name);
    assert_int_equal(tmlrt_addr_parse(&by_name, in), TMLRT_OK);
    assert_int_equal(tmlrt_addr_parse(&by_number, "[fe80::1%1]:80"), TMLRT_OK);
    assert_memory_equal(&by_name, &by_number, sizeof by_name);
    tmlrt_addr_format(&by_number, out, sizeof out);
    assert_string_equal(out, in);
    assert_int_equal(tmlrt_addr_parse(&by_number, "[fe80::1%4000000000]:80"), TMLRT_OK);
    tmlrt_addr_format(&by_number, out, sizeof out);
    assert_string_equal(out, "[fe80::1%4000000000]:80");
}

static void what_is_no_address_is_refused_and_changes_nothing(void **state) {
    static const char *const texts[] = {
        "",
        ":",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1: 1",
        "127.0.0.1:1x",
        "127.0.0.1:99999999999999999999",
        "localhost:80",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[::1:80",
        "[]:80",
        "[1.2.3.4]:80",
        "[fe80::1%]:80",
        "[fe80::1%nosuchif0]:80",
        "[fe80::1%0]:80",
        "[:80",
        "]:80",
        "[::1]:",
        "[::1]x:80",
        "0x7f.1:80",
        "[0000000000000000000000000000000000000000000000000000000000000000000000000000::1]:80"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        tmlrt_addr_t addr, before;
        memset(&addr, 0x5a, sizeof addr);
        before = addr;
        if (tmlrt_addr_parse(&addr, texts[i]) != TMLRT_EINVAL) fail_msg("accepted: %s", texts[i]);
        assert_memory_equal(&addr, &before, sizeof addr);
    }
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_addr_t addr = {0};
    char         text[72];
    assert_int_equal(tmlrt_addr_parse(NULL, ":1"), TMLRT_EINVAL);
    assert_int_equal(tmlrt_addr_parse(&addr, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_addr_format(NULL, text, sizeof text), TMLRT_EINVAL);
    assert_int_equal(tmlrt_addr_format(&addr, text, sizeof text), TMLRT_EINVAL);
    assert_int_equal(tmlrt_addr_port(NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_addr_port(&addr), TMLRT_EINVAL);
    addr.length_ = 1000;
    assert_int_equal(tmlrt_addr_port(&addr), TMLRT_EINVAL);
    assert_int_equal(tmlrt_addr_parse(&addr, "127.0.0.1:80"), TMLRT_OK);
    assert_int_equal(tmlrt_addr_format(&addr, NULL, 72), TMLRT_EINVAL);
    assert_int_equal(tmlrt_addr_format(&addr, text, 12), TMLRT_EOVERFLOW);
    assert_int_equal(tmlrt_addr_format(&addr, NULL, 0), TMLRT_EOVERFLOW);
    assert_int_equal(tmlrt_addr_format(&addr, text, 13), 12);
}

/* Only another program makes one, byte by byte. */
static void a_nul_in_an_abstract_name_hides_nothing(void **state) {
    (void)state;
    tmlrt_addr_t       addr;
    char               text[128];
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, "\0one\0two", 8);
    tmlrt__addr_set(&addr, &un, offsetof(struct sockaddr_un, sun_path) + 8);
    assert_int_equal(tmlrt_addr_format(&addr, text, sizeof text), 13);
    assert_string_equal(text, "unix:@one@two");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_parsed_formats_the_same),
        cmocka_unit_test(no_host_is_any_ipv4_address),
        cmocka_unit_test(zones_are_names_or_numbers),
        cmocka_unit_test(what_is_no_address_is_refused_and_changes_nothing),
        cmocka_unit_test(a_nul_in_an_abstract_name_hides_nothing),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
