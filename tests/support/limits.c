/* SPDX-License-Identifier: MIT */
/*
 * limits.c: see limits.h.
 */
#include "limits.h"

#include <unistd.h>

#include "threads.h"

struct rlimit take_descriptors(void) {
    struct rlimit was, none;
    int           next = dup(0);
    require(next >= 0 && getrlimit(RLIMIT_NOFILE, &was) == 0);
    close(next);
    none = was;
    none.rlim_cur = (rlim_t)next;
    require(setrlimit(RLIMIT_NOFILE, &none) == 0);
    return was;
}

void give_descriptors(struct rlimit was) {
    require(setrlimit(RLIMIT_NOFILE, &was) == 0);
}
