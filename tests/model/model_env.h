/* SPDX-License-Identifier: MIT */
/*
 * model_env.h: included before everything when a source is built for Relacy (and precompiled by
 * run.sh): the checker itself, and the words of C11 that C++03 lacks.
 */
#ifndef TMLRT_MODEL_ENV_H
#define TMLRT_MODEL_ENV_H

#include <new>
#include <relacy/relacy.hpp>
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Checked objects are larger than real ones: what the sources say of sizes does not hold here. */
#define _Static_assert(condition, text) extern int tmlrt_model_nothing
#define static_assert(condition, text) extern int tmlrt_model_nothing
#define _Alignof __alignof__
#define _Thread_local
typedef struct {
    long long   a;
    long double b;
} max_align_t;

#endif
