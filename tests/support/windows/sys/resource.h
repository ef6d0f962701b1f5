/* SPDX-License-Identifier: MIT */
/*
 * sys/resource.h for tests on Windows: see shim.h.
 */
#include "../shim.h"
