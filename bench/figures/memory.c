/* SPDX-License-Identifier: MIT */
/*
 * memory.c: resident bytes a task, everything counted: header, state, operation, timer, queues.
 *
 *   figure_memory            runs itself once a case, each in a fresh process, and prints a table
 *   figure_memory CASE       one case: the difference in resident memory (/proc/self/statm), with
 *                            1,000,000 tasks asleep, divided by them
 *
 * Cases: `sleep`, a state of an operation and a resume point, in a sleep of an hour; `parked`, a
 * state of one waker (16 bytes), a clone of the task's own; `empty`, no state, the clone kept
 * in memory that is not counted: what remains is the header. Each task has been polled once. In the
 * end every task is woken or cancelled, and all end. `fiber`: 40,000 fibers in a sleep of an hour;
 * their share of the page tables is counted as well, since a stack takes more of these than a task.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "figure.h"

enum { TASKS = 1000000, FIBERS = 40000, SLEEP_MOST = 256, PARKED_MOST = 128, FIBER_MOST = 4608 };

static atomic_int polled, ended;

/* ---- the tasks ------------------------------------------------------------------------------ */

typedef struct sleeper {
    tmlrt_op_t op;
    TMLRT_FRAME;
} sleeper_t;

static int32_t sleeper_poll(void *state, tmlrt_cx_t *cx, void *result) {
    sleeper_t *s = state;
    (void)result;
    TMLRT_BEGIN(s);
    figure_check(tmlrt_op_sleep(&s->op, NULL, 3600 * TMLRT_S), "sleep");
    atomic_fetch_add(&polled, 1);
    TMLRT_AWAIT(s, cx, &s->op, 0);
    TMLRT_END(s);
}

static void ended_drop(void *state) {
    (void)state;
    atomic_fetch_add(&ended, 1);
}

static const tmlrt_task_type_t sleeper_type = TMLRT_TASK_TYPE(sleeper_t, sleeper_poll, ended_drop);

static tmlrt_waker_t **parked; /* where each task's state lies */

/* The state is zeros until the first poll. */
static int32_t parked_poll(void *state, tmlrt_cx_t *cx, void *result) {
    tmlrt_waker_t *own = state;
    (void)result;
    if (own->vtable != NULL) return TMLRT_READY;
    parked[atomic_fetch_add(&polled, 1)] = own;
    figure_check(tmlrt_waker_clone(cx->waker, own), "clone");
    return TMLRT_PENDING;
}

static const tmlrt_task_type_t parked_type =
    TMLRT_TASK_TYPE(tmlrt_waker_t, parked_poll, ended_drop);

static tmlrt_waker_t *kept;
static atomic_int     waking;

static int32_t empty_poll(void *state, tmlrt_cx_t *cx, void *result) {
    (void)state, (void)result;
    if (atomic_load(&waking) != 0) return TMLRT_READY;
    figure_check(tmlrt_waker_clone(cx->waker, &kept[atomic_fetch_add(&polled, 1)]), "clone");
    return TMLRT_PENDING;
}

static const tmlrt_task_type_t empty_type = {.struct_size = sizeof(tmlrt_task_type_t),
                                             .name = "empty",
                                             .poll = empty_poll,
                                             .drop = ended_drop};

/* ---- one case ------------------------------------------------------------------------------- */

static int64_t resident(void) {
    long  pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%*s %ld", &pages) != 1) figure_die("cannot read /proc/self/statm");
    fclose(f);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

/* The same and the page tables, where the system tells their size. */
static int64_t resident_with_tables(void) {
    char  line[256];
    long  kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmPTE: %ld", &kib) == 1) break;
    if (f != NULL) fclose(f);
    return resident() + 1024 * (int64_t)kib;
}

static void wait_for(atomic_int *count, int n) {
    while (atomic_load(count) < n)
        figure_check(tmlrt_sleep(5 * TMLRT_MS), "sleep");
}

static void wake_all(void) {
    atomic_store(&waking, 1);
    for (int i = 0; i < TASKS; i++) {
        /* A copy: with the wake the state may be gone. */
        tmlrt_waker_t waker = parked != NULL ? *parked[i] : kept[i];
        figure_check(tmlrt_waker_wake(&waker), "wake");
    }
    wait_for(&ended, TASKS);
}

static void *touched(size_t bytes) {
    return memset(figure_alloc(bytes), 1, bytes);
}

static int one_case(const char *name) {
    static const sleeper_t   zeros;
    const tmlrt_task_type_t *type = &sleeper_type;
    tmlrt_runtime_t         *rt = NULL;
    if (strcmp(name, "parked") == 0) {
        type = &parked_type;
        parked = touched(TASKS * sizeof *parked);
    } else if (strcmp(name, "empty") == 0) {
        type = &empty_type;
        kept = touched(TASKS * sizeof *kept);
    } else if (strcmp(name, "sleep") != 0) {
        figure_die("figure_memory [sleep | parked | empty | fiber]");
    }
    figure_check(tmlrt_runtime_create(&rt, NULL), "create");
    /* The threads are up and have touched what they need. */
    figure_check(tmlrt_sleep(200 * TMLRT_MS), "sleep");
    int64_t before = resident();
    for (int i = 0; i < TASKS; i++)
        figure_check(tmlrt_spawn(rt, type, &zeros, NULL, NULL), "spawn");
    wait_for(&polled, TASKS);
    figure_check(tmlrt_sleep(200 * TMLRT_MS), "sleep");
    int64_t after = resident();
    printf("%.1f\n", (double)(after - before) / TASKS);
    if (type != &sleeper_type) wake_all();
    figure_end_runtime(rt);
    if (atomic_load(&ended) != TASKS) figure_die("not every task ended");
    return 0;
}

static void *fiber_sleeps(void *arg) {
    atomic_fetch_add(&polled, 1);
    int e = tmlrt_sleep(3600 * TMLRT_S);
    if (e != TMLRT_ECANCELED) figure_die("a fiber slept for an hour");
    atomic_fetch_add(&ended, 1);
    return arg;
}

static int fiber_case(void) {
    tmlrt_runtime_t *rt = NULL;
    figure_check(tmlrt_runtime_create(&rt, NULL), "create");
    figure_check(tmlrt_sleep(200 * TMLRT_MS), "sleep");
    int64_t before = resident_with_tables();
    for (int i = 0; i < FIBERS; i++)
        figure_check(tmlrt_go(rt, fiber_sleeps, NULL, NULL, NULL), "go");
    wait_for(&polled, FIBERS);
    figure_check(tmlrt_sleep(200 * TMLRT_MS), "sleep");
    int64_t after = resident_with_tables();
    printf("%.1f\n", (double)(after - before) / FIBERS);
    figure_end_runtime(rt);
    if (atomic_load(&ended) != FIBERS) figure_die("not every fiber ended");
    return 0;
}

/* ---- all cases ------------------------------------------------------------------------------ */

static double measure(const char *self, const char *name) {
    int    out[2], status = 0;
    double bytes = -1;
    if (pipe(out) != 0) figure_die("pipe");
    pid_t pid = fork();
    if (pid < 0) figure_die("fork");
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execl("/proc/self/exe", self, name, (char *)NULL);
        _exit(2);
    }
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    if (f == NULL || fscanf(f, "%lf", &bytes) != 1) bytes = -1;
    if (f != NULL) fclose(f);
    if (waitpid(pid, &status, 0) != pid || status != 0 || bytes < 0) figure_die(name);
    return bytes;
}

static void print(const char *what, size_t state, double bytes) {
    printf("  %-52s %7zu %9.1f\n", what, state, bytes);
}

int main(int argc, char **argv) {
    if (argc > 1) return strcmp(argv[1], "fiber") == 0 ? fiber_case() : one_case(argv[1]);
    figure_title("memory: resident bytes a task, %d tasks, a process for each case", TASKS);
    double sleeping = measure(argv[0], "sleep"), waiting = measure(argv[0], "parked"),
           header = measure(argv[0], "empty"), fiber = measure(argv[0], "fiber");
    printf("  %-52s %7s %9s\n", "", "state", "resident");
    print("asleep (an operation and a resume point)", sizeof(sleeper_t), sleeping);
    print("parked on its own waker", sizeof(tmlrt_waker_t), waiting);
    print("parked, no state: the header", 0, header);
    printf("  %-52s %7s %9.1f\n", "a fiber asleep, its page tables counted", "-", fiber);
    figure_promise(sleeping <= SLEEP_MOST, "a sleeping task takes at most %d bytes", SLEEP_MOST);
    figure_promise(waiting <= PARKED_MOST, "a parked task takes at most %d bytes", PARKED_MOST);
    figure_promise(fiber <= FIBER_MOST, "an idle fiber takes at most %d bytes", FIBER_MOST);
    return figure_status();
}
