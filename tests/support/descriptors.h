/* SPDX-License-Identifier: MIT */
/*
 * descriptors.h: counting what a process has, to find what was left behind.
 */
#ifndef TESTS_SUPPORT_DESCRIPTORS_H
#define TESTS_SUPPORT_DESCRIPTORS_H

/* Descriptors; on Windows sockets and pipes whose handles lie below 4,096: the count of all handles
 * has those of threads and of the system's libraries in it. */
int open_descriptors(void);

/* 0 where they cannot be counted. */
int running_threads(void);

#endif
