/* SPDX-License-Identifier: MIT */
/* x86intrin.h of cmake/check_clangcl.sh: empty, as intrin.h says; only mingw's headers want it. */
