/* SPDX-License-Identifier: MIT */
/* ws2tcpip.h of cmake/check_clangcl.sh: in Microsoft's one of these is another word for the other. */
#include_next <ws2tcpip.h>
#undef EAI_NODATA
#define EAI_NODATA EAI_NONAME
