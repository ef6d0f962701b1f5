/* SPDX-License-Identifier: MIT */
/* winternl.h of cmake/check_clangcl.sh: Microsoft's does not declare this function. */
#define NtQueryInformationFile shim_not_in_the_headers
#include_next <winternl.h>
#undef NtQueryInformationFile
