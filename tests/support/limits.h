/* SPDX-License-Identifier: MIT */
/*
 * limits.h: a process that has run out of descriptors. Not on Windows.
 */
#ifndef TESTS_SUPPORT_LIMITS_H
#define TESTS_SUPPORT_LIMITS_H

#include <sys/resource.h>

/* Takes all descriptors away, so that none can be made / gives them back. */
struct rlimit take_descriptors(void);
void          give_descriptors(struct rlimit was);

#endif
