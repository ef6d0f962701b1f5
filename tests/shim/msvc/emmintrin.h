/* SPDX-License-Identifier: MIT */
/* emmintrin.h of cmake/check_clangcl.sh: empty, as intrin.h says; only mingw's headers want it. */
