/* SPDX-License-Identifier: MIT */
/*
 * reactors.h: the kinds of runtime that a conformance suite runs on, one after another.
 */
#ifndef TESTS_SUPPORT_REACTORS_H
#define TESTS_SUPPORT_REACTORS_H

#include <stdbool.h>
#include <stddef.h>

#include <tmlrt.h>

#include "threads.h"

/* Goes to the next kind; false after the last. The first call goes to the first. */
bool        reactor_next(void);
const char *reactor_name(void);
bool        reactor_is_sim(void);
bool        reactor_is_current_thread(void);

/* A runtime of this kind. */
tmlrt_runtime_t *reactor_runtime(void);
/* The same with this allocator. */
tmlrt_runtime_t *reactor_runtime_on(const tmlrt_allocator_t *allocator);

/* A thread that reads `size` bytes from a raw socket; join it. */
crew_t *peer_reads(int fd, void *data, size_t size);

#endif
