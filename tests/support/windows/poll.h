/* SPDX-License-Identifier: MIT */
/*
 * poll.h for tests on Windows: see shim.h.
 */
#include "shim.h"
