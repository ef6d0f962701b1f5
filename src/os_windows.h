/* SPDX-License-Identifier: MIT */
/*
 * os_windows.h: what the files for Windows share: the system's other two kinds of error numbers,
 * timers, and the fault seam for its functions.
 */
#ifndef TMLRT__OS_WINDOWS_H
#define TMLRT__OS_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "fault.h"

/* A function that says BOOL, through the seam: true when it succeeded. */
#define TMLRT__WIN(call) (TMLRT__SYS((call) ? 0 : -1) == 0)

/* A number of GetLastError or WSAGetLastError, and an NTSTATUS, as TMLRT_E*; never 0. */
int tmlrt__os_win_error(uint32_t code);
int tmlrt__os_nt_error(int32_t status);

/* Begins Winsock, once; done by the first socket. False: the last error says why. */
bool tmlrt__os_sockets_begin(void);

/* A timeout of the runtime as one of the system: rounded up, so that nothing is early; negative:
 * without limit. */
uint32_t tmlrt__os_milliseconds(int64_t ns);

/* A waitable timer of high resolution, or NULL: the system has none. Closed by CloseHandle. */
void *tmlrt__os_timer(void);

#endif
