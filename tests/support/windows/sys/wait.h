/* SPDX-License-Identifier: MIT */
/*
 * sys/wait.h for tests on Windows: see shim.h.
 */
#include "../shim.h"
