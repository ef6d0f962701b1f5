/* SPDX-License-Identifier: MIT */
/*
 * descriptors.h: counting what a process has open, to find what was left behind.
 */
#ifndef TESTS_SUPPORT_DESCRIPTORS_H
#define TESTS_SUPPORT_DESCRIPTORS_H

/* Descriptors below 1,024; on Windows sockets and pipes, as far as their handles lie below 4,096:
 * the count of all handles has those of threads and of the system's libraries in it. */
int open_descriptors(void);

#endif
