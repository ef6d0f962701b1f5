/* SPDX-License-Identifier: MIT */
/*
 * internal_faults.h: runs a scenario again and again with its Nth allocation or system call failing,
 * once and for good (an interruption only once), until none is left to fail. After each run nothing may be left behind: no
 * memory, no descriptor, no thread; and in the end it works as if nothing had been.
 */
#ifndef TESTS_SUPPORT_INTERNAL_FAULTS_H
#define TESTS_SUPPORT_INTERNAL_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include <tmlrt.h>

#include "allocs.h"
#include "fault.h"

/* A scenario on a runtime of `flavor`: 1 when it noticed nothing, 0 when something failed in a way
 * that it may; it aborts on anything else. */
typedef int (*scenario_t)(uint32_t flavor);

/* Each n, once and for good, both flavors. `err`: what a failed system call says. */
void with_each_fault(scenario_t run, tmlrt__fault_kind_t kind, int err);

/* The errno of the system call that is armed now; 0: none is. */
int faults_errno(void);

/* A runtime with two workers (multi-thread) and the allocator that is watched, made from `config`'s
 * other fields; NULL when the fault struck there already. */
tmlrt_runtime_t *faults_runtime(uint32_t flavor);
tmlrt_config_t   faults_config(uint32_t flavor);

/* Ends a runtime whatever is armed. */
void faults_destroy(tmlrt_runtime_t *rt);

/* Points tried so far, of all scenarios. */
uint64_t faults_points(tmlrt__fault_kind_t kind);

#endif
