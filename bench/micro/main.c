/* SPDX-License-Identifier: MIT */
#include "micro.h"

void gbench_register_all(void) {
    micro_deque();
    micro_mpmc();
    micro_wheel();
    micro_heap();
    micro_task();
    micro_fiber();
}
