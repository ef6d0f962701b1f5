/* SPDX-License-Identifier: MIT */
/*
 * sys/socket.h for tests on Windows: see shim.h.
 */
#include "../shim.h"
