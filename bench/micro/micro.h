/* SPDX-License-Identifier: MIT */
/* micro.h: the groups of micro-benchmarks, a file each. They see the library's internals. */
#ifndef TMLRT_BENCH_MICRO_H
#define TMLRT_BENCH_MICRO_H

#include "../shim/gbench.h"

void micro_deque(void);
void micro_mpmc(void);
void micro_wheel(void);
void micro_heap(void);
void micro_task(void);
void micro_fiber(void);

#endif
