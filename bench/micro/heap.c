/* SPDX-License-Identifier: MIT */
/* heap.c: blocks of 112 bytes, as an empty task takes: by turns, and a thousand at a time. */
#include "alloc.h"

#include <string.h>

#include "micro.h"

enum { BATCH = 1024, SIZE = 112 };

static void get_put(gbench_t *b, void *arg) {
    tmlrt__heap_t      *heap;
    tmlrt__heap_cache_t cache;
    uint16_t            cls = 0;
    (void)arg;
    memset(&cache, 0, sizeof cache);
    if (tmlrt__heap_create(&heap, &tmlrt__mem_default) != 0) return gbench_fail(b, "memory");
    while (gbench_batch(b, BATCH))
        for (int i = 0; i < BATCH; i++) {
            void *p = tmlrt__heap_get(heap, &cache, SIZE, &cls);
            GBENCH_USE(p);
            tmlrt__heap_put(heap, &cache, p, cls);
        }
    tmlrt__heap_flush(heap, &cache);
    tmlrt__heap_close(heap);
}

static void get_put_many(gbench_t *b, void *arg) {
    tmlrt__heap_t      *heap;
    tmlrt__heap_cache_t cache;
    void               *p[BATCH];
    uint16_t            cls = 0;
    (void)arg;
    memset(&cache, 0, sizeof cache);
    if (tmlrt__heap_create(&heap, &tmlrt__mem_default) != 0) return gbench_fail(b, "memory");
    while (gbench_batch(b, BATCH)) {
        for (int i = 0; i < BATCH; i++)
            p[i] = tmlrt__heap_get(heap, &cache, SIZE, &cls);
        for (int i = 0; i < BATCH; i++)
            tmlrt__heap_put(heap, &cache, p[i], cls);
    }
    tmlrt__heap_flush(heap, &cache);
    tmlrt__heap_close(heap);
}

void micro_heap(void) {
    gbench_add("heap/get_put", get_put, NULL);
    gbench_add("heap/get_put_1024", get_put_many, NULL);
}
