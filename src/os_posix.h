/* SPDX-License-Identifier: MIT */
/*
 * os_posix.h: what os_posix.c wants from the file of its system (os_linux.c, os_bsd.c), beside the
 * futex and the CPUs of os.h.
 */
#ifndef TMLRT__OS_POSIX_H
#define TMLRT__OS_POSIX_H

/* Names the calling thread, as far as the system takes it. */
void tmlrt__os_thread_name(const char *name);

#endif
