/* SPDX-License-Identifier: MIT */
/* main.c: the libtmlrt peer's front: which work. */
#include "work.h"

int main(int argc, char **argv) {
    peer_args_t a = peer_parse(argc, argv);
    if (strcmp(a.work, "version") == 0)
        printf("libtmlrt %s\n", tmlrt_version_string());
    else if (strcmp(a.work, "spawn_inside") == 0)
        work_spawn_inside(&a);
    else if (strcmp(a.work, "spawn_outside1") == 0)
        work_spawn_outside(&a, 1);
    else if (strcmp(a.work, "spawn_outside2") == 0)
        work_spawn_outside(&a, 2);
    else if (strcmp(a.work, "yield1") == 0)
        work_yield(&a, 1);
    else if (strcmp(a.work, "yield1000") == 0)
        work_yield(&a, 1000);
    else if (strcmp(a.work, "pingpong") == 0)
        work_pingpong(&a);
    else if (strcmp(a.work, "wake") == 0)
        work_wake(&a);
    else if (strcmp(a.work, "wake_spawn") == 0)
        work_wake_spawn(&a);
    else if (strcmp(a.work, "fib") == 0)
        work_fib(&a);
    else if (strcmp(a.work, "skynet") == 0)
        work_skynet(&a);
    else if (strcmp(a.work, "timer") == 0)
        work_timer(&a);
    else if (strcmp(a.work, "sleeps") == 0)
        work_sleeps(&a);
    else if (strcmp(a.work, "memory_sleeping") == 0)
        work_memory(&a, 1);
    else if (strcmp(a.work, "memory_parked") == 0)
        work_memory(&a, 0);
    else if (strcmp(a.work, "cpu") == 0)
        work_cpu(&a);
    else if (strcmp(a.work, "memory_fiber") == 0)
        work_memory_fiber(&a);
    else if (!work_straight(&a))
        peer_die("unknown work");
    return 0;
}
