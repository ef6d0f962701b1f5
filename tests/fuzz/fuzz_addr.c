/* SPDX-License-Identifier: MIT */
/*
 * fuzz_addr.c: any text as an address, any bytes as a tmlrt_addr_t. What can be parsed can be
 * written, and what was written parses to the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tmlrt.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define require(cond)                                                                              \
    do {                                                                                           \
        if (!(cond)) abort();                                                                      \
    } while (0)

static void as_text(const uint8_t *data, size_t size) {
    tmlrt_addr_t addr, again;
    char         written[160], tiny[8];
    char        *text = malloc(size + 1);
    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    memset(&addr, 0, sizeof addr);
    memset(&again, 0, sizeof again);
    int e = tmlrt_addr_parse(&addr, text);
    require(e == TMLRT_OK || e == TMLRT_EINVAL);
    if (e == TMLRT_OK) {
        int n = tmlrt_addr_format(&addr, written, sizeof written);
        require(n > 0 && (size_t)n == strlen(written));
        require(tmlrt_addr_format(&addr, tiny, sizeof tiny) ==
                (n < (int)sizeof tiny ? n : TMLRT_EOVERFLOW));
        require(tmlrt_addr_parse(&again, written) == TMLRT_OK);
        require(memcmp(&addr, &again, sizeof addr) == 0);
        int port = tmlrt_addr_port(&addr);
        require(port == TMLRT_EINVAL || (port >= 0 && port <= 65535));
    } else {
        require(addr.length_ == 0);
    }
    (void)tmlrt_addr_unix(&addr, text);
    free(text);
}

static void as_bytes(const uint8_t *data, size_t size) {
    tmlrt_addr_t addr;
    char         text[160];
    memset(&addr, 0, sizeof addr);
    memcpy(&addr, data, size < sizeof addr ? size : sizeof addr);
    int n = tmlrt_addr_format(&addr, text, sizeof text);
    require(n == TMLRT_EINVAL || n == TMLRT_EOVERFLOW || (size_t)n == strlen(text));
    (void)tmlrt_addr_port(&addr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    as_text(data, size);
    as_bytes(data, size);
    return 0;
}
