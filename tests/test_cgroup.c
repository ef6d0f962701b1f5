/* SPDX-License-Identifier: MIT */
/*
 * test_cgroup.c: CPU quotas of Linux control groups, in trees of the test's own; and each system
 * call of the reading failing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cgroup.h"
#include "fault.h"

/* ---- a tree --------------------------------------------------------------------------------- */

typedef struct tree {
    char root[64];
} tree_t;

static void tree_make(tree_t *t) {
    strcpy(t->root, "/tmp/tmlrt-cgroup-XXXXXX");
    assert_non_null(mkdtemp(t->root));
}

/* Writes a file, making the folders on its way. */
static void tree_file(tree_t *t, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s%s", t->root, name);
    for (char *slash = path + strlen(t->root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0) assert_int_equal(errno, EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void tree_remove(tree_t *t) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", t->root);
    assert_int_equal(system(command), 0);
}

#define MOUNT_V2 "30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define MOUNT_V1                                                                                   \
    "31 20 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
#define MOUNT_OTHER "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"

static uint32_t cpus_and_remove(tree_t *t) {
    uint32_t cpus = tmlrt__cgroup_cpus(t->root);
    tree_remove(t);
    return cpus;
}

static void a_system_without_cgroups_has_no_limit(void **state) {
    (void)state;
    tree_t t;
    tree_make(&t);
    assert_true(tmlrt__cgroup_cpus(t.root) == TMLRT__CGROUP_NO_LIMIT);
    tree_file(&t, "/proc/self/cgroup", "0::/a\n");
    assert_true(tmlrt__cgroup_cpus(t.root) == TMLRT__CGROUP_NO_LIMIT);
    tree_file(&t, "/proc/self/mountinfo", MOUNT_OTHER MOUNT_V2);
    assert_true(cpus_and_remove(&t) == TMLRT__CGROUP_NO_LIMIT);
}

static void a_quota_of_the_own_group_counts_rounded_up(void **state) {
    (void)state;
    tree_t t;
    tree_make(&t);
    tree_file(&t, "/proc/self/cgroup", "0::/a/b\n");
    tree_file(&t, "/proc/self/mountinfo", MOUNT_OTHER MOUNT_V2);
    tree_file(&t, "/sys/fs/cgroup/a/b/cpu.max", "250000 100000\n");
    assert_int_equal(tmlrt__cgroup_cpus(t.root), 3);
    tree_file(&t, "/sys/fs/cgroup/a/b/cpu.max", "1000 100000\n");
    assert_int_equal(tmlrt__cgroup_cpus(t.root), 1);
    tree_file(&t, "/sys/fs/cgroup/a/b/cpu.max", "200000 100000\n");
    assert_int_equal(tmlrt__cgroup_cpus(t.root), 2);
    tree_file(&t, "/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_true(cpus_and_remove(&t) == TMLRT__CGROUP_NO_LIMIT);
}

static void a_smaller_quota_of_an_ancestor_counts(void **state) {
    (void)state;
    tree_t t;
    tree_make(&t);
    tree_file(&t, "/proc/self/cgroup", "0::/a/b/c\n");
    tree_file(&t, "/proc/self/mountinfo", MOUNT_V2);
    tree_file(&t, "/sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
    tree_file(&t, "/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    tree_file(&t, "/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    assert_int_equal(tmlrt__cgroup_cpus(t.root), 2);
    tree_file(&t, "/sys/fs/cgroup/cpu.max", "50000 100000\n");
    assert_int_equal(tmlrt__cgroup_cpus(t.root), 1);
    assert_int_equal(cpus_and_remove(&t), 1);
}

static void a_quota_beside_the_way_up_does_not_count(void **state) {
    (void)state;
    tree_t t;
    tree_make(&t);
    tree_file(&t, "/proc/self/cgroup", "0::/a/b\n");
    tree_file(&t, "/proc/self/mountinfo", MOUNT_V2);
    tree_file(&t, "/sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
    tree_file(&t, "/sys/fs/cgroup/a/b/c/cpu.max", "100000 100000\n");
    tree_file(&t, "/sys/fs/cgroup/a/x/cpu.max", "100000 100000\n");
    tree_file(&t, "/sys/fs/cpu.max", "100000 100000\n");
    assert_int_equal(cpus_and_remove(&t), 4);
}

static void version_1_quotas_count_with_their_ancestors(void **state) {
    (void)state;
    tree_t t;
    tree_make(&t);
    tree_file(&t, "/proc/self/cgroup", "9:memory:/m\n4:cpu,cpuacct:/a/b\n3:cpuset:/\n0::/\n");
    tree_file(&t, "/proc/self/mountinfo", MOUNT_OTHER MOUNT_V1);
    tree_file(&t, "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
    tree_file(&t, "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
    assert_true(tmlrt__cgroup_cpus(t.root) == TMLRT__CGROUP_NO_LIMIT);
    tree_file(&t, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "120000\n");
    assert_true(tmlrt__cgroup_cpus(t.root) == TMLRT__CGROUP_NO_LIMIT);
    tree_file(&t, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "50000\n");
    assert_int_equal(cpus_and_remove(&t), 3);
}

static void the_lesser_of_both_versions_counts(void **state) {
    (void)state;
    tree_t t;
    tree_make(&t);
    tree_file(&t, "/proc/self/cgroup", "4:cpu,cpuacct:/a\n0::/b\n");
    tree_file(&t, "/proc/self/mountinfo", MOUNT_V1 MOUNT_V2);
    tree_file(&t, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "500000\n");
    tree_file(&t, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    tree_file(&t, "/sys/fs/cgroup/b/cpu.max", "200000 100000");
    assert_int_equal(cpus_and_remove(&t), 2);
}

static void a_container_that_sees_a_part_of_the_tree_finds_its_quota(void **state) {
    (void)state;
    tree_t t;
    tree_make(&t);
    tree_file(&t, "/proc/self/cgroup", "0::/docker/abc/inner\n");
    tree_file(&t, "/proc/self/mountinfo",
              "30 20 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    tree_file(&t, "/sys/fs/cgroup/cpu.max", "300000 100000\n");
    assert_int_equal(tmlrt__cgroup_cpus(t.root), 3);
    tree_file(&t, "/sys/fs/cgroup/inner/cpu.max", "200000 100000\n");
    assert_int_equal(tmlrt__cgroup_cpus(t.root), 2);
    /* A group whose name only begins alike, or one outside, is not below the mount. */
    tree_file(&t, "/proc/self/cgroup", "0::/docker/abcinner\n");
    assert_int_equal(tmlrt__cgroup_cpus(t.root), 3);
    tree_file(&t, "/proc/self/cgroup", "0::/../x\n");
    assert_int_equal(cpus_and_remove(&t), 3);
}

static void an_escaped_mount_point_is_found(void **state) {
    (void)state;
    tree_t t;
    tree_make(&t);
    tree_file(&t, "/proc/self/cgroup", "0::/a\n");
    tree_file(&t, "/proc/self/mountinfo", "30 20 0:26 / /a\\040mount rw - cgroup2 cgroup rw\n");
    tree_file(&t, "/a mount/a/cpu.max", "200000 100000\n");
    assert_int_equal(cpus_and_remove(&t), 2);
}

static void nonsense_in_the_files_limits_nothing(void **state) {
    (void)state;
    static const char *const files[] = {
        "",
        "\n",
        " - - -\n",
        "::\n",
        "0:\n",
        "0::",
        "x y z\n",
        "1 2 3 - cgroup2\n",
        "30 20 0:26 / /sys/fs/cgroup rw cgroup2 cgroup2 rw\n",
    };
    static const char *const quotas[] = {
        "",         "\n",         "max\n", "-5 100000\n",
        "100000\n", "100000 0\n", "a b\n", "99999999999999999999 1\n",
    };
    tree_t t;
    tree_make(&t);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        tree_file(&t, "/proc/self/cgroup", files[i]);
        tree_file(&t, "/proc/self/mountinfo", files[i]);
        assert_true(tmlrt__cgroup_cpus(t.root) == TMLRT__CGROUP_NO_LIMIT);
        tree_file(&t, "/proc/self/cgroup", "0::/a\n");
        assert_true(tmlrt__cgroup_cpus(t.root) == TMLRT__CGROUP_NO_LIMIT);
    }
    tree_file(&t, "/proc/self/mountinfo", MOUNT_V2);
    for (size_t i = 0; i < sizeof quotas / sizeof quotas[0]; i++) {
        tree_file(&t, "/sys/fs/cgroup/a/cpu.max", quotas[i]);
        assert_true(tmlrt__cgroup_cpus(t.root) == TMLRT__CGROUP_NO_LIMIT);
    }
    tree_remove(&t);
}

static void a_mount_table_of_any_length_is_read(void **state) {
    (void)state;
    enum { LINES = 4000 };
    tree_t t;
    tree_make(&t);
    size_t line = strlen(MOUNT_OTHER);
    char  *text = malloc(LINES * line + sizeof MOUNT_V2);
    assert_non_null(text);
    for (size_t i = 0; i < LINES; i++)
        memcpy(text + i * line, MOUNT_OTHER, line);
    memcpy(text + LINES * line, MOUNT_V2, sizeof MOUNT_V2);
    tree_file(&t, "/proc/self/cgroup", "0::/a\n");
    tree_file(&t, "/proc/self/mountinfo", text);
    tree_file(&t, "/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    free(text);
    assert_int_equal(cpus_and_remove(&t), 2);
}

static void quotas_survive_every_failed_call(void **state) {
    (void)state;
    static const tmlrt__fault_kind_t kinds[] = {TMLRT__FAULT_ALLOC, TMLRT__FAULT_SYS};
    tree_t                           t;
    tree_make(&t);
    tree_file(&t, "/proc/self/cgroup", "0::/a/b\n");
    tree_file(&t, "/proc/self/mountinfo", MOUNT_V2);
    tree_file(&t, "/sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
    tree_file(&t, "/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    for (int k = 0; k < 2; k++) {
        for (uint64_t nth = 1;; nth++) {
            tmlrt__fault_arm(kinds[k], nth, false, EIO);
            uint32_t cpus = tmlrt__cgroup_cpus(t.root);
            uint64_t fired = tmlrt__fault_fired(kinds[k]);
            tmlrt__fault_disarm();
            assert_true(cpus == 2 || cpus == 4 || cpus == TMLRT__CGROUP_NO_LIMIT);
            if (fired == 0) break;
        }
    }
    /* An interrupted call is tried again. */
    tmlrt__fault_arm(TMLRT__FAULT_SYS, 1, false, EINTR);
    assert_int_equal(tmlrt__cgroup_cpus(t.root), 2);
    tmlrt__fault_disarm();
    tree_remove(&t);
}
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_system_without_cgroups_has_no_limit),
        cmocka_unit_test(a_quota_of_the_own_group_counts_rounded_up),
        cmocka_unit_test(a_smaller_quota_of_an_ancestor_counts),
        cmocka_unit_test(a_quota_beside_the_way_up_does_not_count),
        cmocka_unit_test(version_1_quotas_count_with_their_ancestors),
        cmocka_unit_test(the_lesser_of_both_versions_counts),
        cmocka_unit_test(a_container_that_sees_a_part_of_the_tree_finds_its_quota),
        cmocka_unit_test(an_escaped_mount_point_is_found),
        cmocka_unit_test(nonsense_in_the_files_limits_nothing),
        cmocka_unit_test(a_mount_table_of_any_length_is_read),
        cmocka_unit_test(quotas_survive_every_failed_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
