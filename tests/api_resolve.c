/* SPDX-License-Identifier: MIT */
/*
 * api_resolve.c: names to addresses without an outside network: numbers, names of the hosts file,
 * a name that cannot exist; cancel, deadline, shutdown; connecting by name. test_resolve.c has the
 * race of the addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/net.h"
#include "support/threads.h"
#include "support/unit.h"

static tmlrt_runtime_t *rt;

static int setup(void **state) {
    (void)state;
    rt = runtime_multi(2);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return tmlrt_runtime_destroy(rt);
}

static void a_numeric_address_is_ready_at_once(void **state) {
    (void)state;
    static const char *const hosts[][2] = {
        {"127.0.0.1", "127.0.0.1:80"}, {"::1", "[::1]:80"}, {"2001:db8::7", "[2001:db8::7]:80"}};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        tmlrt_addr_t addr[2];
        tmlrt_op_t   op = TMLRT_OP_INIT;
        char         text[72];
        assert_int_equal(tmlrt_op_resolve(&op, rt, hosts[i][0], 80, addr, 2), TMLRT_OK);
        assert_int_equal(start(&op), 0);
        assert_int_equal(tmlrt_op_result(&op), 1);
        assert_true(tmlrt_addr_format(&addr[0], text, sizeof text) > 0);
        assert_string_equal(text, hosts[i][1]);
    }
}

static bool is_loopback(const tmlrt_addr_t *addr) {
    char text[72];
    require(tmlrt_addr_format(addr, text, sizeof text) > 0);
    return strncmp(text, "127.", 4) == 0 || strncmp(text, "[::1]", 5) == 0;
}

static void *fiber_resolves(void *arg) {
    tmlrt_addr_t addr[4];
    (void)arg;
    for (int i = 0; i < 50; i++) {
        int n = tmlrt_resolve(NULL, "localhost", 443, addr, 4);
        require(n >= 1 && n <= 4);
        for (int k = 0; k < n; k++)
            require(is_loopback(&addr[k]) && tmlrt_addr_port(&addr[k]) == 443);
    }
    return NULL;
}

static int32_t body_resolves(unit_t *u, tmlrt_cx_t *cx) {
    TMLRT_BEGIN(u);
    TMLRT_AWAIT(u, cx, &u->op, tmlrt_op_resolve(&u->op, NULL, "localhost", 1, u->arg, 1));
    u->value = tmlrt_op_result(&u->op);
    TMLRT_END(u);
}

static void the_hosts_file_is_asked_from_everywhere(void **state) {
    (void)state;
    tmlrt_addr_t  addr[4];
    tmlrt_task_t *task[4];
    tally_t       tally = {0};
    assert_true(tmlrt_resolve(rt, "localhost", 0, addr, 4) >= 1);
    assert_true(is_loopback(&addr[0]));
    for (int i = 0; i < 4; i++)
        assert_int_equal(tmlrt_go(rt, fiber_resolves, NULL, NULL, &task[i]), TMLRT_OK);
    assert_int_equal(unit_run(rt, &tally, body_resolves, addr), 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(tmlrt_join(task[i], NULL), TMLRT_OK);
        tmlrt_task_release(task[i]);
    }
    tmlrt_runtime_t *own = runtime_current_thread();
    assert_true(tmlrt_resolve(own, "localhost", 0, addr, 1) == 1);
    assert_int_equal(tmlrt_runtime_destroy(own), TMLRT_OK);
}

static void a_name_that_is_none_is_an_error(void **state) {
    (void)state;
    tmlrt_addr_t  addr;
    tmlrt_sock_t *sock = NULL;
    /* Not a valid name, so that no server is asked. */
    int e = tmlrt_resolve(rt, "no..such..name", 80, &addr, 1);
    assert_true(e == TMLRT_ENOENT || e == TMLRT_EAGAIN || e == TMLRT_EIO);
    e = tmlrt_connect_host(rt, "no..such..name", 80, NULL, &sock);
    assert_true(e == TMLRT_ENOENT || e == TMLRT_EAGAIN || e == TMLRT_EIO);
    assert_null(sock);
    /* No Unix address by the way of a name. */
    e = tmlrt_resolve_until(rt, "unix", 80, &addr, 1, tmlrt_now(rt) + 5 * TMLRT_S);
    assert_true(e < 0);
}

/* The names' thread is taken by a job that waits, so a lookup stays in the queue. */
typedef struct gate {
    atomic_int inside, open;
} gate_t;

static void *job_waits(void *arg) {
    gate_t *g = arg;
    atomic_store(&g->inside, 1);
    while (atomic_load(&g->open) == 0)
        (void)sched_yield();
    return NULL;
}

static void a_lookup_in_the_queue_is_cancelled_at_once(void **state) {
    (void)state;
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_runtime_t *small = NULL;
    tmlrt_addr_t     addr;
    tmlrt_op_t       op = TMLRT_OP_INIT;
    tmlrt_sock_t    *sock = NULL;
    tmlrt_task_t    *job;
    gate_t           g = {0};
    config.workers = 1;
    config.blocking_threads = 4; /* one for names */
    config.blocking_queue = 1;
    assert_int_equal(tmlrt_runtime_create(&small, &config), TMLRT_OK);
    assert_int_equal(tmlrt_spawn_blocking(small, job_waits, &g, TMLRT_BLOCKING_NAMES, NULL, &job),
                     TMLRT_OK);
    for (int i = 0; i < 100; i++) { /* each gives its place in the queue back */
        tmlrt_op_resolve(&op, small, "localhost", 1, &addr, 1);
        assert_int_equal(start(&op), 1);
        assert_int_equal(tmlrt_op_cancel(&op), TMLRT_OK);
        assert_int_equal(tmlrt_op_result(&op), TMLRT_ECANCELED);
    }
    assert_int_equal(tmlrt_resolve_until(small, "localhost", 1, &addr, 1, 1), TMLRT_ETIMEDOUT);
    assert_int_equal(tmlrt_connect_host_until(small, "localhost", 1, NULL, &sock, 1),
                     TMLRT_ETIMEDOUT);
    tmlrt_op_resolve(&op, small, "localhost", 1, &addr, 1);
    assert_int_equal(start(&op), 1);
    assert_int_equal(tmlrt_resolve(small, "localhost", 1, &addr, 1), TMLRT_EAGAIN);
    assert_int_equal(tmlrt_resolve(small, "127.0.0.1", 1, &addr, 1), 1); /* needs no thread */
    atomic_store(&g.open, 1);
    assert_int_equal(finish(&op), 1);
    assert_int_equal(tmlrt_join(job, NULL), TMLRT_OK);
    tmlrt_task_release(job);
    assert_int_equal(tmlrt_runtime_destroy(small), TMLRT_OK);
}

static void a_shutdown_ends_lookups_that_have_not_begun(void **state) {
    (void)state;
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_runtime_t *small = NULL;
    tmlrt_addr_t     addr;
    tmlrt_op_t       op = TMLRT_OP_INIT;
    gate_t           g = {0};
    config.workers = 1;
    config.blocking_threads = 4;
    assert_int_equal(tmlrt_runtime_create(&small, &config), TMLRT_OK);
    assert_int_equal(tmlrt_spawn_blocking(small, job_waits, &g, TMLRT_BLOCKING_NAMES, NULL, NULL),
                     TMLRT_OK);
    wait_until(atomic_load(&g.inside) == 1);
    tmlrt_op_resolve(&op, small, "localhost", 1, &addr, 1);
    assert_int_equal(start(&op), 1);
    tmlrt_shutdown_report_t report = TMLRT_SHUTDOWN_REPORT_INIT;
    assert_int_equal(tmlrt_runtime_shutdown(small, 0, &report), TMLRT_EBUSY);
    assert_int_equal(finish(&op), TMLRT_ESHUTDOWN);
    atomic_store(&g.open, 1);
    while (tmlrt_runtime_destroy(small) == TMLRT_EBUSY)
        (void)sched_yield();
}

/* ---- connecting by name ------------------------------------------------------------------------ */

static void *fiber_connects(void *arg) {
    tmlrt_sock_t *sock = NULL;
    require(tmlrt_connect_host(NULL, "localhost", tmlrt_addr_port(arg), NULL, &sock) == TMLRT_OK);
    require(tmlrt_write(sock, "hi", 2) == 2);
    tmlrt_sock_release(sock);
    return NULL;
}

static void a_name_is_connected_to(void **state) {
    (void)state;
    tmlrt_addr_t  addr;
    tmlrt_sock_t *listener = listener_on(rt, &addr), *sock = NULL, *served = NULL;
    tmlrt_task_t *task;
    char          buf[2];
    assert_int_equal(tmlrt_connect_host(rt, "localhost", tmlrt_addr_port(&addr), NULL, &sock),
                     TMLRT_OK);
    assert_int_equal(tmlrt_accept(listener, &served), TMLRT_OK);
    assert_int_equal(tmlrt_write(sock, "ab", 2), 2);
    assert_int_equal(tmlrt_read_exact(served, buf, 2), 2);
    tmlrt_sock_release(sock);
    tmlrt_sock_release(served);
    assert_int_equal(tmlrt_go(rt, fiber_connects, &addr, NULL, &task), TMLRT_OK);
    assert_int_equal(tmlrt_accept(listener, &served), TMLRT_OK);
    assert_int_equal(tmlrt_read_exact(served, buf, 2), 2);
    tmlrt_sock_release(served);
    assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
    tmlrt_task_release(task);
    tmlrt_sock_release(listener);
}

static void refusal_and_deadline_are_told(void **state) {
    (void)state;
    int           fd, fds[2];
    tmlrt_sock_t *sock = NULL;
    tmlrt_addr_t  addr = refusing_addr(&fd);
    assert_int_equal(tmlrt_connect_host(rt, "127.0.0.1", tmlrt_addr_port(&addr), NULL, &sock),
                     TMLRT_ECONNREFUSED);
    assert_int_equal(tmlrt_connect_host(rt, "localhost", tmlrt_addr_port(&addr), NULL, &sock),
                     TMLRT_ECONNREFUSED);
    close(fd);
    assert_true(hanging_addr("127.0.0.1:0", &addr, fds));
    assert_int_equal(tmlrt_connect_host_until(rt, "127.0.0.1", tmlrt_addr_port(&addr), NULL, &sock,
                                              tmlrt_now(rt) + 5 * TMLRT_MS),
                     TMLRT_ETIMEDOUT);
    assert_null(sock);
    for (int i = 0; i < 2; i++)
        close(fds[i]);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    tmlrt_addr_t        addr;
    tmlrt_op_t          op = TMLRT_OP_INIT;
    tmlrt_sock_t       *sock = NULL;
    tmlrt_tcp_options_t options = TMLRT_TCP_OPTIONS_INIT;
    char                name[300];
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    assert_int_equal(tmlrt_op_resolve(NULL, rt, "localhost", 1, &addr, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_resolve(&op, rt, NULL, 1, &addr, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_resolve(&op, rt, "", 1, &addr, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_resolve(&op, rt, name, 1, &addr, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_resolve(&op, rt, "x", -1, &addr, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_resolve(&op, rt, "x", 65536, &addr, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_resolve(&op, rt, "x", 1, NULL, 1), TMLRT_EINVAL);
    assert_int_equal(tmlrt_op_resolve(&op, rt, "x", 1, &addr, 0), TMLRT_EINVAL);
    assert_int_equal(finish(&op), TMLRT_EINVAL);
    assert_int_equal(tmlrt_resolve(NULL, "localhost", 1, &addr, 1), TMLRT_ENORUNTIME);
    assert_int_equal(tmlrt_connect_host(NULL, "localhost", 1, NULL, &sock), TMLRT_ENORUNTIME);
    assert_int_equal(tmlrt_connect_host(rt, NULL, 1, NULL, &sock), TMLRT_EINVAL);
    assert_int_equal(tmlrt_connect_host(rt, "localhost", 1, NULL, NULL), TMLRT_EINVAL);
    assert_int_equal(tmlrt_connect_host(rt, "localhost", 99999, NULL, &sock), TMLRT_EINVAL);
    options.backlog = 7;
    assert_int_equal(tmlrt_connect_host(rt, "localhost", 1, &options, &sock), TMLRT_EINVAL);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_numeric_address_is_ready_at_once),
        T(the_hosts_file_is_asked_from_everywhere),
        T(a_name_that_is_none_is_an_error),
        T(a_lookup_in_the_queue_is_cancelled_at_once),
        T(a_shutdown_ends_lookups_that_have_not_begun),
        T(a_name_is_connected_to),
        T(refusal_and_deadline_are_told),
        T(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
