/* SPDX-License-Identifier: MIT */
/*
 * netinet/in.h for tests on Windows: see shim.h.
 */
#include "../shim.h"
