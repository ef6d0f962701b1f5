/* SPDX-License-Identifier: MIT */
/*
 * default.h: the default runtime of the process. With the signal table and the fork generation the
 * only process-wide state of the runtime.
 */
#ifndef TMLRT__DEFAULT_H
#define TMLRT__DEFAULT_H

#include <tmlrt/main.h>

/* Makes it from `config`. TMLRT_EALREADY: there is one. */
int tmlrt__default_make(const tmlrt_config_t *config, tmlrt_runtime_t **rt);

/* `rt` is being destroyed: if it is the default, there is none from now on. Any runtime. */
void tmlrt__default_forget(const tmlrt_runtime_t *rt);

#endif
