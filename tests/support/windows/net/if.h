/* SPDX-License-Identifier: MIT */
/*
 * net/if.h for tests on Windows: see shim.h.
 */
#include "../shim.h"
