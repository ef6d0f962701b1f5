/* SPDX-License-Identifier: MIT */
/*
 * cgroup.c: reads /proc/self/cgroup (in which groups the process is), /proc/self/mountinfo (where
 * their trees are mounted, and which part of them), and the quota files on the way up.
 *
 * A path in /proc/self/cgroup and the root of a mount both count from the top of the hierarchy, so
 * the group's directory is the mount point plus what follows the mount's root. In a container the
 * group may lie outside of what is mounted; then the mount point itself is the nearest ancestor.
 */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "os.h"

#define CGROUP__PATH  4096u
#define CGROUP__FIRST 8192u              /* of a file, at first */
#define CGROUP__LAST  (8u * 1024 * 1024) /* no file is larger */

typedef struct cgroup__text {
    char  *text; /* NUL at its end */
    size_t size; /* allocated */
} cgroup__text_t;

/* ---- Files ---- */

static int64_t cgroup__read_fd(int fd, char *buffer, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t n = TMLRT__SYS(read(fd, buffer + done, size - done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

/* Reads at most size - 1 bytes and ends them with NUL; how many, or -1. */
static int64_t cgroup__read(const char *path, char *buffer, size_t size) {
    int fd;
    do {
        fd = TMLRT__SYS(open(path, O_RDONLY | O_CLOEXEC));
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return -1;
    int64_t n = cgroup__read_fd(fd, buffer, size - 1);
    /* Past the seam: nothing was written, so nothing can fail that matters. */
    (void)close(fd);
    if (n >= 0) buffer[n] = '\0';
    return n;
}

static void cgroup__text_free(cgroup__text_t *t) {
    tmlrt__os_free(t->text, t->size, 1);
}

/* Reads a whole file of unknown size. */
static bool cgroup__text_read(cgroup__text_t *t, const char *root, const char *name) {
    char path[CGROUP__PATH];
    int  length = snprintf(path, sizeof path, "%s%s", root, name);
    if (length < 0 || (size_t)length >= sizeof path) return false;
    for (t->size = CGROUP__FIRST; t->size <= CGROUP__LAST; t->size *= 2) {
        t->text = tmlrt__os_alloc(t->size, 1);
        if (t->text == NULL) return false;
        int64_t n = cgroup__read(path, t->text, t->size);
        if (n >= 0 && (size_t)n < t->size - 1) return true;
        cgroup__text_free(t);
        if (n < 0) return false;
    }
    return false;
}

/* ---- Quotas ---- */

static uint32_t cgroup__min(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static uint32_t cgroup__ratio(long long quota, long long period) {
    if (quota <= 0 || period <= 0) return TMLRT__CGROUP_NO_LIMIT;
    long long cpus = quota / period + (quota % period != 0);
    return cpus < TMLRT__CGROUP_NO_LIMIT ? (uint32_t)cpus : TMLRT__CGROUP_NO_LIMIT;
}

static bool cgroup__value(const char *dir, const char *file, char *buffer, size_t size) {
    char path[CGROUP__PATH];
    int  length = snprintf(path, sizeof path, "%s/%s", dir, file);
    if (length < 0 || (size_t)length >= sizeof path) return false;
    return cgroup__read(path, buffer, size) > 0;
}

/* The quota of one directory. Version 2 says "max 100000" or "150000 100000" in one file; version 1
 * has two files, with -1 for no quota. */
static uint32_t cgroup__quota(const char *dir, bool v2) {
    char text[64], *end;
    if (!cgroup__value(dir, v2 ? "cpu.max" : "cpu.cfs_quota_us", text, sizeof text))
        return TMLRT__CGROUP_NO_LIMIT;
    long long quota = strtoll(text, &end, 10);
    if (end == text) return TMLRT__CGROUP_NO_LIMIT;
    if (v2) return cgroup__ratio(quota, strtoll(end, NULL, 10));
    if (!cgroup__value(dir, "cpu.cfs_period_us", text, sizeof text)) return TMLRT__CGROUP_NO_LIMIT;
    return cgroup__ratio(quota, strtoll(text, NULL, 10));
}

/* The least quota from `dir` up to its first `top` bytes, both included. Shortens dir. */
static uint32_t cgroup__climb(char *dir, size_t top, bool v2) {
    uint32_t least = cgroup__quota(dir, v2);
    while (strlen(dir) > top) {
        char *slash = strrchr(dir + top, '/');
        if (slash == NULL) break;
        *slash = '\0';
        least = cgroup__min(least, cgroup__quota(dir, v2));
    }
    return least;
}

/* ---- Groups and mounts ---- */

/* Is `word` one of the words of `list`, which commas divide? */
static bool cgroup__listed(const char *list, const char *word) {
    size_t length = strlen(word);
    for (;;) {
        size_t here = strcspn(list, ",");
        if (here == length && memcmp(list, word, length) == 0) return true;
        if (list[here] == '\0') return false;
        list += here + 1;
    }
}

/* Cuts the next line off *text; NULL at the end. */
static char *cgroup__line(char **text) {
    char *line = *text;
    if (*line == '\0') return NULL;
    size_t length = strcspn(line, "\n");
    *text = line + length + (line[length] != '\0');
    line[length] = '\0';
    return line;
}

/* Cuts the next word off *line; an empty one at the end. */
static char *cgroup__word(char **line) {
    char  *word = *line + strspn(*line, " ");
    size_t length = strcspn(word, " ");
    *line = word + length + (word[length] != '\0');
    word[length] = '\0';
    return word;
}

/* The process's group of either version; NULL: none. Points into `text`, which it cuts up.
 * A line is "number:controllers:path"; version 2 has no controllers. */
static void cgroup__groups(char *text, const char **v1, const char **v2) {
    *v1 = NULL;
    *v2 = NULL;
    for (char *line; (line = cgroup__line(&text)) != NULL;) {
        char *controllers = strchr(line, ':');
        char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (path == NULL) continue;
        *controllers++ = '\0';
        *path++ = '\0';
        if (*controllers == '\0' && strcmp(line, "0") == 0)
            *v2 = path;
        else if (cgroup__listed(controllers, "cpu"))
            *v1 = path;
    }
}

/* Undoes the octal escapes of mountinfo ("\040" for a space) in place. */
static void cgroup__unescape(char *path) {
    char *out = path;
    while (*path != '\0') {
        if (path[0] == '\\' && path[1] >= '0' && path[1] <= '3' && path[2] >= '0' &&
            path[2] <= '7' && path[3] >= '0' && path[3] <= '7') {
            *out++ = (char)((path[1] - '0') * 64 + (path[2] - '0') * 8 + (path[3] - '0'));
            path += 4;
        } else {
            *out++ = *path++;
        }
    }
    *out = '\0';
}

/* What of `group` lies below the mounted root; "" for the root itself and for a group outside. */
static const char *cgroup__below(const char *group, const char *mounted) {
    size_t length = strcmp(mounted, "/") == 0 ? 0 : strlen(mounted);
    if (strncmp(group, mounted, length) != 0 || group[length] != '/') return "";
    if (strcmp(group + length, "/") == 0 || strncmp(group + length, "/..", 3) == 0) return "";
    return group + length;
}

/* The least quota that one line of mountinfo leads to. The line is "id parent device root point
 * options [tags] - type source options". */
static uint32_t cgroup__mount(char *line, const char *root, const char *v1, const char *v2) {
    char *mounted = NULL, *point = NULL, *word;
    for (int i = 0; *(word = cgroup__word(&line)) != '\0' && strcmp(word, "-") != 0; i++) {
        if (i == 3) mounted = word;
        if (i == 4) point = word;
    }
    const char *type = cgroup__word(&line);
    (void)cgroup__word(&line);
    const char *options = cgroup__word(&line);
    bool        two = strcmp(type, "cgroup2") == 0;
    bool        one = strcmp(type, "cgroup") == 0 && cgroup__listed(options, "cpu");
    const char *group = two ? v2 : one ? v1 : NULL;
    if (group == NULL || point == NULL) return TMLRT__CGROUP_NO_LIMIT;

    cgroup__unescape(mounted);
    cgroup__unescape(point);
    char   dir[CGROUP__PATH];
    size_t top = strlen(root) + strlen(point);
    int    length = snprintf(dir, sizeof dir, "%s%s%s", root, point, cgroup__below(group, mounted));
    if (length < 0 || (size_t)length >= sizeof dir) return TMLRT__CGROUP_NO_LIMIT;
    return cgroup__climb(dir, top, two);
}

uint32_t tmlrt__cgroup_cpus(const char *root) {
    uint32_t       least = TMLRT__CGROUP_NO_LIMIT;
    cgroup__text_t groups, mounts;
    if (!cgroup__text_read(&groups, root, "/proc/self/cgroup")) return least;
    if (cgroup__text_read(&mounts, root, "/proc/self/mountinfo")) {
        const char *v1, *v2;
        cgroup__groups(groups.text, &v1, &v2);
        char *rest = mounts.text;
        for (char *line; (line = cgroup__line(&rest)) != NULL;)
            least = cgroup__min(least, cgroup__mount(line, root, v1, v2));
        cgroup__text_free(&mounts);
    }
    cgroup__text_free(&groups);
    return least;
}
