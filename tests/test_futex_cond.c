/* SPDX-License-Identifier: MIT */
/*
 * test_futex_cond.c: the futex of systems that have none, from mutexes and condition variables; also
 * many words at once, which share its buckets, and a fork while others sleep.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os.h"
#include "os_futex_cond.h"
#include "support/threads.h"

enum { WORDS = 300, TURNS = 200 };

/* Two sides hand a word to and fro. */
static void turns(tmlrt__atomic_u32 *word, uint32_t mine) {
    for (int i = 0; i < TURNS; i++) {
        while (tmlrt__load_acquire(word) != mine)
            tmlrt__futex_cond_wait(word, 1 - mine, -1);
        tmlrt__store_release(word, 1 - mine);
        tmlrt__futex_cond_wake(word, 1);
    }
}

static void take_turns(void *arg, int i) {
    tmlrt__atomic_u32 *words = arg;
    turns(&words[i / 2], (uint32_t)i % 2);
}

static void no_wake_is_lost_between_two_who_take_turns(void **state) {
    (void)state;
    tmlrt__atomic_u32 words[2] = {0, 0};
    on_threads(4, take_turns, words);
}

typedef struct sleepers {
    tmlrt__atomic_u32 word[WORDS];
    tmlrt__atomic_u32 asleep;
} sleepers_t;

static void sleep_on(void *arg, int i) {
    sleepers_t *s = arg;
    tmlrt__fetch_add_release(&s->asleep, 1);
    while (tmlrt__load_acquire(&s->word[i]) == 0)
        tmlrt__futex_cond_wait(&s->word[i], 0, -1);
}

static void words_that_share_a_bucket_do_not_take_each_others_wakes(void **state) {
    (void)state;
    enum { N = 100 }; /* more than there are buckets */
    static sleepers_t s;
    crew_t           *crew = crew_start(N, sleep_on, &s);
    wait_until(tmlrt__load_acquire(&s.asleep) == N);
    for (int i = N - 1; i >= 0; i--) {
        tmlrt__store_release(&s.word[i], 1);
        tmlrt__futex_cond_wake(&s.word[i], 1);
    }
    crew_join(crew);
}

static void another_value_and_no_time_return_at_once(void **state) {
    (void)state;
    tmlrt__atomic_u32 word = 7;
    tmlrt__futex_cond_wait(&word, 8, -1);
    tmlrt__futex_cond_wait(&word, 7, 0);
    tmlrt__futex_cond_wake(&word, 0);
    tmlrt__futex_cond_wake(&word, UINT32_MAX);
}

static void a_wait_ends_with_its_timeout(void **state) {
    (void)state;
    tmlrt__atomic_u32 word = 7;
    int64_t           begin = tmlrt__os_now();
    while (tmlrt__os_now() - begin < 2000000)
        tmlrt__futex_cond_wait(&word, 7, 1000000);
}

static void a_forked_child_can_use_it_while_others_sleep(void **state) {
    (void)state;
    static sleepers_t s;
    int               status = 0;
    crew_t           *crew = crew_start(1, sleep_on, &s);
    wait_until(tmlrt__load_acquire(&s.asleep) == 1);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(30); /* a hang is a failure */
        tmlrt__futex_cond_wake(&s.word[0], 1);
        tmlrt__futex_cond_wait(&s.word[0], 0, 1000000);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    tmlrt__store_release(&s.word[0], 1);
    tmlrt__futex_cond_wake(&s.word[0], 1);
    crew_join(crew);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_wake_is_lost_between_two_who_take_turns),
        cmocka_unit_test(words_that_share_a_bucket_do_not_take_each_others_wakes),
        cmocka_unit_test(another_value_and_no_time_return_at_once),
        cmocka_unit_test(a_wait_ends_with_its_timeout),
        cmocka_unit_test(a_forked_child_can_use_it_while_others_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
