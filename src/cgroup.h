/* SPDX-License-Identifier: MIT */
/*
 * cgroup.h: how many CPUs the quotas of Linux control groups leave to this process.
 *
 * Looks at both versions: cpu.max of version 2, cpu.cfs_quota_us and cpu.cfs_period_us of version
 * 1; at the process's own group and at every ancestor that is mounted here, because each limits all
 * that is below it. The least wins. What cannot be read or does not parse limits nothing.
 */
#ifndef TMLRT__CGROUP_H
#define TMLRT__CGROUP_H

#include <stdint.h>

#define TMLRT__CGROUP_NO_LIMIT UINT32_MAX

/* CPUs, rounded up, at least 1; TMLRT__CGROUP_NO_LIMIT where there is no quota. `root` stands in
 * front of every path that is opened: "" for the real system, a directory for a test's tree.
 * Threads: any. */
uint32_t tmlrt__cgroup_cpus(const char *root);

#endif
