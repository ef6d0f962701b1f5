/* SPDX-License-Identifier: MIT */
/*
 * arpa/inet.h for tests on Windows: see shim.h.
 */
#include "../shim.h"
