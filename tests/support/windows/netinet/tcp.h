/* SPDX-License-Identifier: MIT */
/*
 * netinet/tcp.h for tests on Windows: see shim.h.
 */
#include "../shim.h"
