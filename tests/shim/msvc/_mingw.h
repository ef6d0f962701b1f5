/* SPDX-License-Identifier: MIT */
/*
 * _mingw.h, first in the path of cmake/check_clangcl.sh: the headers of mingw-w64 in the place of
 * Microsoft's. They know a compiler without GNU extensions in principle; here and beside it is what
 * keeps them from being read, and what Microsoft's have otherwise (ws2tcpip.h, winternl.h).
 */
#include_next <_mingw.h>
/* These come behind the declaration, where __declspec may not. */
#undef __MINGW_ATTRIB_NORETURN
#define __MINGW_ATTRIB_NORETURN
#undef __MINGW_ATTRIB_DEPRECATED
#define __MINGW_ATTRIB_DEPRECATED
