/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/version.h: the version of the headers (macros) and of the library that is loaded
 * (functions). While the major version is 0, two libraries are compatible when major and minor
 * agree; the SONAME says the same.
 */
#ifndef TMLRT_VERSION_H
#define TMLRT_VERSION_H

#include <tmlrt/base.h>

TMLRT_BEGIN_DECLS

#define TMLRT_VERSION_MAJOR 0
#define TMLRT_VERSION_MINOR 1
#define TMLRT_VERSION_PATCH 0

/* 0x00MMmmpp, so that versions compare as numbers. */
#define TMLRT_VERSION_NUMBER                                                                       \
    ((TMLRT_VERSION_MAJOR << 16) | (TMLRT_VERSION_MINOR << 8) | TMLRT_VERSION_PATCH)

/* The version of the loaded library, as TMLRT_VERSION_NUMBER. Threads: any. */
TMLRT_API uint32_t tmlrt_version(void);

/* The same as text, "0.1.0". Threads: any. Owns: a static string. */
TMLRT_API const char *tmlrt_version_string(void);

TMLRT_END_DECLS

#endif
