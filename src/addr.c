/* SPDX-License-Identifier: MIT */
/*
 * addr.c: addresses as text and back, without any lookup of names.
 */
#include "addr.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <tmlrt/unix.h>

#include "fault.h"

#define ADDR__HOST_MAX 64 /* the longest IPv6 text is 45 bytes, a zone's name 15 */

int tmlrt__addr_family(const tmlrt_addr_t *addr) {
    struct sockaddr s;
    if (addr->length_ < offsetof(struct sockaddr, sa_data) || addr->length_ > sizeof addr->storage_)
        return AF_UNSPEC;
    memcpy(&s, addr->storage_, sizeof s);
    if (s.sa_family == AF_INET && addr->length_ == sizeof(struct sockaddr_in)) return AF_INET;
    if (s.sa_family == AF_INET6 && addr->length_ == sizeof(struct sockaddr_in6)) return AF_INET6;
    if (s.sa_family == AF_UNIX && addr->length_ <= sizeof(struct sockaddr_un)) return AF_UNIX;
    return AF_UNSPEC;
}

void tmlrt__addr_blank(tmlrt_addr_t *addr, socklen_t *size) {
    memset(addr, 0, sizeof *addr);
    *size = sizeof addr->storage_;
}

void tmlrt__addr_set(tmlrt_addr_t *addr, const void *sys, size_t size) {
    memset(addr, 0, sizeof *addr);
    memcpy(addr->storage_, sys, size);
#if !defined(__linux__) && !defined(_WIN32)
    struct sockaddr s; /* an address knows its own length there, as the kernel will say it too */
    memcpy(&s, addr->storage_, sizeof s);
    s.sa_len = (unsigned char)size;
    memcpy(addr->storage_, &s, sizeof s);
#endif
    addr->length_ = (uint32_t)size;
}

void tmlrt__addr_set_port(tmlrt_addr_t *addr, uint16_t port) {
    struct sockaddr_in  in;
    struct sockaddr_in6 in6;
    if (tmlrt__addr_family(addr) == AF_INET) {
        memcpy(&in, addr->storage_, sizeof in);
        in.sin_port = htons(port);
        memcpy(addr->storage_, &in, sizeof in);
    } else {
        memcpy(&in6, addr->storage_, sizeof in6);
        in6.sin6_port = htons(port);
        memcpy(addr->storage_, &in6, sizeof in6);
    }
}

/* ---- Unix ------------------------------------------------------------------------------------ */

#define ADDR__UNIX      "unix:"
#define ADDR__UNIX_PATH offsetof(struct sockaddr_un, sun_path)

int tmlrt_addr_unix(tmlrt_addr_t *addr, const char *path) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (addr == NULL || path == NULL || path[0] == '\0') return TMLRT_EINVAL;
    size_t size = strlen(path);
    if (size >= sizeof un.sun_path) return TMLRT_EOVERFLOW;
    memcpy(un.sun_path, path, size);
    if (path[0] != '@') {
        tmlrt__addr_set(addr, &un, ADDR__UNIX_PATH + size + 1);
        return TMLRT_OK;
    }
#if defined(__linux__)
    un.sun_path[0] = '\0'; /* an abstract name has a length and no end mark */
    tmlrt__addr_set(addr, &un, ADDR__UNIX_PATH + size);
    return TMLRT_OK;
#else
    return TMLRT_ENOTSUP;
#endif
}

/* An unnamed socket has no path; in an abstract name, bytes that are no text stand as they are, but
 * for NUL, which is an '@' as in the system's own tables. */
static void addr__format_unix(const tmlrt_addr_t *addr, char *text, size_t size) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t length = addr->length_ > ADDR__UNIX_PATH ? addr->length_ - ADDR__UNIX_PATH : 0;
    memcpy(&un, addr->storage_, addr->length_);
    bool abstract = length > 0 && un.sun_path[0] == '\0';
    for (size_t i = 0; i < length && abstract; i++)
        if (un.sun_path[i] == '\0') un.sun_path[i] = '@';
    snprintf(text, size, ADDR__UNIX "%.*s", (int)length, un.sun_path);
}

/* ---- parsing -------------------------------------------------------------------------------- */

/* A decimal number up to `max` that is the whole text; -1 otherwise. */
static int64_t addr__number(const char *text, uint32_t max) {
    uint64_t n = 0;
    if (*text == '\0') return -1;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return -1;
        n = n * 10 + (uint64_t)(*text - '0');
        if (n > max) return -1;
    }
    return (int64_t)n;
}

/* 0: there is none. */
static int64_t addr__zone_named(const char *zone) {
    int64_t index = TMLRT__SYS((int64_t)if_nametoindex(zone));
    return index > 0 ? index : 0;
}

/* The index that a zone names, by interface or by number; 0: there is none. */
static uint32_t addr__zone(const char *zone) {
    int64_t n = addr__number(zone, UINT32_MAX);
    return n >= 0 ? (uint32_t)n : (uint32_t)addr__zone_named(zone);
}

static int addr__parse_v4(tmlrt_addr_t *addr, const char *host, uint16_t port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (*host != '\0' && inet_pton(AF_INET, host, &in.sin_addr) != 1) return TMLRT_EINVAL;
    tmlrt__addr_set(addr, &in, sizeof in);
    return TMLRT_OK;
}

static int addr__parse_v6(tmlrt_addr_t *addr, char *host, uint16_t port) {
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    char               *zone = strchr(host, '%');
    if (zone != NULL) {
        *zone++ = '\0';
        in.sin6_scope_id = addr__zone(zone);
        if (in.sin6_scope_id == 0) return TMLRT_EINVAL;
    }
    if (inet_pton(AF_INET6, host, &in.sin6_addr) != 1) return TMLRT_EINVAL;
    tmlrt__addr_set(addr, &in, sizeof in);
    return TMLRT_OK;
}

int tmlrt_addr_parse(tmlrt_addr_t *addr, const char *text) {
    if (addr == NULL || text == NULL) return TMLRT_EINVAL;
    if (strncmp(text, ADDR__UNIX, strlen(ADDR__UNIX)) == 0)
        return tmlrt_addr_unix(addr, text + strlen(ADDR__UNIX)) == TMLRT_OK ? TMLRT_OK
                                                                            : TMLRT_EINVAL;
    const char *colon = strrchr(text, ':');
    if (colon == NULL) return TMLRT_EINVAL;
    int64_t port = addr__number(colon + 1, UINT16_MAX);
    bool    v6 = text[0] == '[';
    /* The host is what stands before the colon, less the brackets. */
    const char *host = v6 ? text + 1 : text;
    const char *end = v6 ? colon - 1 : colon;
    if (port < 0 || end < host || (v6 && *end != ']') || end - host >= ADDR__HOST_MAX)
        return TMLRT_EINVAL;
    char copy[ADDR__HOST_MAX];
    memcpy(copy, host, (size_t)(end - host));
    copy[end - host] = '\0';
    return v6 ? addr__parse_v6(addr, copy, (uint16_t)port)
              : addr__parse_v4(addr, copy, (uint16_t)port);
}

/* ---- formatting ------------------------------------------------------------------------------ */

static void addr__format_v4(const tmlrt_addr_t *addr, char *text, size_t size) {
    struct sockaddr_in in;
    char               host[INET_ADDRSTRLEN];
    memcpy(&in, addr->storage_, sizeof in);
    inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
    snprintf(text, size, "%s:%u", host, (unsigned)ntohs(in.sin_port));
}

static void addr__format_v6(const tmlrt_addr_t *addr, char *text, size_t size) {
    struct sockaddr_in6 in;
    char                host[INET6_ADDRSTRLEN];
    char                name[IF_NAMESIZE];
    char                zone[IF_NAMESIZE + 16] = "";
    memcpy(&in, addr->storage_, sizeof in);
    inet_ntop(AF_INET6, &in.sin6_addr, host, sizeof host);
    if (in.sin6_scope_id != 0 && if_indextoname(in.sin6_scope_id, name) != NULL)
        snprintf(zone, sizeof zone, "%%%s", name);
    else if (in.sin6_scope_id != 0)
        snprintf(zone, sizeof zone, "%%%u", (unsigned)in.sin6_scope_id);
    snprintf(text, size, "[%s%s]:%u", host, zone, (unsigned)ntohs(in.sin6_port));
}

int tmlrt_addr_format(const tmlrt_addr_t *addr, char *text, size_t size) {
    if (addr == NULL || (text == NULL && size != 0)) return TMLRT_EINVAL;
    char full[128] = "";
    switch (tmlrt__addr_family(addr)) {
    case AF_INET: addr__format_v4(addr, full, sizeof full); break;
    case AF_INET6: addr__format_v6(addr, full, sizeof full); break;
    case AF_UNIX: addr__format_unix(addr, full, sizeof full); break;
    default: return TMLRT_EINVAL;
    }
    size_t length = strlen(full);
    if (length >= size) return TMLRT_EOVERFLOW;
    memcpy(text, full, length + 1);
    return (int)length;
}

int tmlrt_addr_port(const tmlrt_addr_t *addr) {
    if (addr == NULL) return TMLRT_EINVAL;
    struct sockaddr_in  in;
    struct sockaddr_in6 in6;
    switch (tmlrt__addr_family(addr)) {
    case AF_INET: memcpy(&in, addr->storage_, sizeof in); return ntohs(in.sin_port);
    case AF_INET6: memcpy(&in6, addr->storage_, sizeof in6); return ntohs(in6.sin6_port);
    default: return TMLRT_EINVAL;
    }
}
