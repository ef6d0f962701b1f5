/* SPDX-License-Identifier: MIT */
/*
 * test_blocking.c: the blocking pool and what stands on it where something fails: idle threads grow
 * old and end; every allocation and system call fails in turn, and nothing hangs or stays behind.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "runtime.h"
#include "support/descriptors.h"
#include "support/net.h"
#include "support/random.h"
#include "support/threads.h"
#include "support/unit.h"

static void *job_return(void *arg) {
    return arg;
}

static uint32_t threads_of(tmlrt__blocking_t *b, uint32_t *idle) {
    tmlrt__latch_lock(&b->latch);
    uint32_t n = b->threads;
    *idle = 0;
    for (tmlrt__list_t *l = tmlrt__list_first(&b->idle); l != NULL;
         l = tmlrt__list_next(&b->idle, l))
        ++*idle;
    tmlrt__latch_unlock(&b->latch);
    return n;
}

static void idle_threads_grow_old_and_end(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(1);
    uint32_t         idle;
    rt->blocking.idle_ns = TMLRT_MS;
    for (int round = 0; round < 3; round++) {
        tmlrt_task_t *task[5];
        for (int i = 0; i < 5; i++)
            assert_int_equal(tmlrt_spawn_blocking(rt, job_return, rt, 0, NULL, &task[i]), 0);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(tmlrt_join(task[i], NULL), TMLRT_OK);
            tmlrt_task_release(task[i]);
        }
        wait_until(threads_of(&rt->blocking, &idle) == 0);
    }
    assert_int_equal(rt->blocking.live, 0);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

static void a_thread_is_used_again_while_it_is_young(void **state) {
    (void)state;
    tmlrt_runtime_t *rt = runtime_multi(1);
    uint32_t         idle;
    for (int i = 0; i < 20; i++) {
        tmlrt_task_t *task = NULL;
        assert_int_equal(tmlrt_spawn_blocking(rt, job_return, rt, 0, NULL, &task), TMLRT_OK);
        assert_int_equal(tmlrt_join(task, NULL), TMLRT_OK);
        tmlrt_task_release(task);
        wait_until((threads_of(&rt->blocking, &idle), idle == 1));
    }
    assert_int_equal(threads_of(&rt->blocking, &idle), 1);
    assert_int_equal(tmlrt_runtime_destroy(rt), TMLRT_OK);
}

/* ---- failures --------------------------------------------------------------------------------- */

/* One of each; each may fail, and then leaves nothing behind. */
static void scenario(tmlrt_runtime_t *rt) {
    tmlrt_addr_t  addr = loopback(), found[2];
    tmlrt_sock_t *a = NULL, *b = NULL;
    tmlrt_task_t *task = NULL;
    void         *value = NULL;
    char          byte = 0;
    if (tmlrt_spawn_blocking(rt, job_return, rt, 0, NULL, &task) == TMLRT_OK) {
        int e = tmlrt_join(task, &value);
        require(e != TMLRT_OK || value == rt);
        if (e != TMLRT_OK) /* the wait found no memory; the job goes on */
            while (tmlrt_task_is_finished(task) == 0)
                (void)sched_yield();
        tmlrt_task_release(task);
    }
    if (tmlrt_pipe(rt, &a, &b) == TMLRT_OK) {
        if (tmlrt_write(b, "x", 1) == 1) require(tmlrt_read(a, &byte, 1) != 0);
        tmlrt_sock_release(a);
        tmlrt_sock_release(b);
    }
    if (tmlrt_udp_open(rt, &addr, NULL, &a) == TMLRT_OK) {
        if (tmlrt_sock_local_addr(a, &addr) == TMLRT_OK && tmlrt_send_to(a, "y", 1, &addr) == 1)
            (void)tmlrt_recv_from_until(a, &byte, 1, NULL, tmlrt_now(rt) + 5 * TMLRT_MS);
        tmlrt_sock_release(a);
    }
    (void)tmlrt_resolve(rt, "localhost", 1, found, 2);
    require(tmlrt_connect_host(rt, "127.0.0.1", 1, NULL, &a) < 0);
}

static void fail_each(tmlrt__fault_kind_t kind, int error) {
    uint64_t         points = UINT64_MAX;
    tmlrt_runtime_t *warm = runtime_multi(1); /* what the system makes once a process */
    scenario(warm);
    require(tmlrt_runtime_destroy(warm) == TMLRT_OK);
    for (int sticky = 0; sticky < 2; sticky++) {
        /* With every system call failing, the one that waits for events among them, what is waited
         * for never comes. */
        if (sticky != 0 && kind == TMLRT__FAULT_SYS) break;
        for (uint64_t n = 1; n <= points && n < (uint64_t)scaled(100); n++) {
            tmlrt_runtime_t *rt = runtime_multi(1);
            int              before = open_descriptors();
            tmlrt__fault_arm(kind, n, sticky != 0, error);
            scenario(rt);
            bool fired = tmlrt__fault_fired(kind) != 0;
            tmlrt__fault_disarm();
            if (!fired) points = n;
            wait_until(open_descriptors() == before);
            require(tmlrt_runtime_destroy(rt) == TMLRT_OK);
        }
    }
}

static void no_memory(void **state) {
    (void)state;
    fail_each(TMLRT__FAULT_ALLOC, 0);
}

static void no_system_call(void **state) {
    (void)state;
    fail_each(TMLRT__FAULT_SYS, EMFILE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_threads_grow_old_and_end),
        cmocka_unit_test(a_thread_is_used_again_while_it_is_young),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(no_system_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
