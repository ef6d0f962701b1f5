/* SPDX-License-Identifier: MIT */
/*
 * test_alloc.c: the heap of blocks: classes, caches and the centre, walking, orphans, failures.
 *
 * Every heap here has a counting allocator: what it gave and has not got back is `live`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tmlrt/error.h>

#include "alloc.h"
#include "fault.h"
#include "os.h"
#include "rand.h"

#define BATCH TMLRT__HEAP_BATCH
#define LARGE (16u * 1024u + 1u)

typedef struct counting {
    tmlrt__atomic_size live;
    tmlrt__atomic_size bytes;
    tmlrt__atomic_size calls;
} counting_t;

static void *counting_alloc(void *ctx, size_t size, size_t align) {
    counting_t *c = ctx;
    void       *p = tmlrt__mem_default.alloc(NULL, size, align);
    if (p != NULL) {
        /* Nobody may rely on zeroed memory. */
        memset(p, 0xa5, size < 4096 ? size : 4096);
        tmlrt__fetch_add_relaxed(&c->live, 1);
        tmlrt__fetch_add_relaxed(&c->calls, 1);
        tmlrt__fetch_add_relaxed(&c->bytes, size);
    }
    return p;
}

static void counting_free(void *ctx, void *ptr, size_t size, size_t align) {
    counting_t *c = ctx;
    tmlrt__fetch_sub_relaxed(&c->live, 1);
    tmlrt__fetch_sub_relaxed(&c->bytes, size);
    tmlrt__mem_default.free(NULL, ptr, size, align);
}

static tmlrt__heap_t *heap_of(counting_t *c) {
    memset(c, 0, sizeof *c);
    tmlrt_allocator_t mem = {counting_alloc, counting_free, c};
    tmlrt__heap_t    *heap = NULL;
    assert_int_equal(tmlrt__heap_create(&heap, &mem), 0);
    return heap;
}

static void assert_closes_clean(tmlrt__heap_t *heap, counting_t *c) {
    assert_int_equal(tmlrt__heap_close(heap), 0);
    assert_int_equal(tmlrt__load_relaxed(&c->live), 0);
    assert_int_equal(tmlrt__load_relaxed(&c->bytes), 0);
}

/* A block's first word, as its owner sets it. */
static void mark(void *block, uint64_t value) {
    /* release: publishes the block to the walker */
    tmlrt__store_release((tmlrt__atomic_u64 *)block, value);
}

static uint64_t marked(void *block) {
    return tmlrt__load_relaxed((tmlrt__atomic_u64 *)block);
}

static void put(tmlrt__heap_t *heap, tmlrt__heap_cache_t *cache, void *block, uint16_t cls) {
    mark(block, 0);
    tmlrt__heap_put(heap, cache, block, cls);
}

/* ---- Blocks ---- */

static void a_block_holds_its_size_is_aligned_and_begins_with_zero(void **state) {
    (void)state;
    counting_t          c;
    tmlrt__heap_t      *heap = heap_of(&c);
    tmlrt__heap_cache_t cache = {0};
    for (size_t size = 0; size < 20000; size += size < 600 ? 1 : 61) {
        uint16_t  a, b;
        uint64_t *p = tmlrt__heap_get(heap, &cache, size, &a);
        uint64_t *q = tmlrt__heap_get(heap, NULL, size, &b);
        assert_non_null(p);
        assert_non_null(q);
        assert_int_equal(a, b);
        assert_int_equal(a == TMLRT__HEAP_LARGE, size > 16384);
        assert_true((uintptr_t)p % 16 == 0 && (uintptr_t)q % 16 == 0);
        assert_true(*p == 0 && *q == 0);
        /* All of it is the caller's: a neighbour's write would show. */
        memset(p, 1, size > 8 ? size : 8);
        memset(q, 2, size > 8 ? size : 8);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(((char *)p)[i], 1);
        put(heap, &cache, p, a);
        put(heap, NULL, q, b);
    }
    tmlrt__heap_flush(heap, &cache);
    assert_closes_clean(heap, &c);
}

static void blocks_out_at_once_never_overlap(void **state) {
    (void)state;
    enum { N = 3000 };
    static const size_t sizes[] = {16, 48, 224, 512, 513, 1000, 4097, 16384, 16385};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        counting_t          c;
        tmlrt__heap_t      *heap = heap_of(&c);
        tmlrt__heap_cache_t cache = {0};
        void              **blocks = calloc(N, sizeof *blocks);
        uint16_t            cls = 0;
        assert_non_null(blocks);
        for (int i = 0; i < N; i++) {
            blocks[i] = tmlrt__heap_get(heap, i % 2 != 0 ? &cache : NULL, sizes[s], &cls);
            assert_non_null(blocks[i]);
            memset(blocks[i], i & 0xff, sizes[s]);
        }
        for (int i = 0; i < N; i++) {
            unsigned char *p = blocks[i];
            assert_int_equal(p[0], i & 0xff);
            assert_int_equal(p[sizes[s] / 2], i & 0xff);
            assert_int_equal(p[sizes[s] - 1], i & 0xff);
            put(heap, i % 3 != 0 ? &cache : NULL, p, cls);
        }
        tmlrt__heap_flush(heap, &cache);
        free(blocks);
        assert_closes_clean(heap, &c);
    }
}

static void the_newest_block_comes_back_first(void **state) {
    (void)state;
    counting_t          c;
    tmlrt__heap_t      *heap = heap_of(&c);
    tmlrt__heap_cache_t cache = {0};
    uint16_t            cls;
    void               *p = tmlrt__heap_get(heap, &cache, 224, &cls);
    void               *q = tmlrt__heap_get(heap, &cache, 224, &cls);
    put(heap, &cache, p, cls);
    put(heap, &cache, q, cls);
    assert_ptr_equal(tmlrt__heap_get(heap, &cache, 224, &cls), q);
    assert_ptr_equal(tmlrt__heap_get(heap, &cache, 224, &cls), p);
    put(heap, &cache, p, cls);
    put(heap, &cache, q, cls);
    tmlrt__heap_flush(heap, &cache);
    assert_closes_clean(heap, &c);
}

static void a_size_that_overflows_is_no_memory(void **state) {
    (void)state;
    counting_t     c;
    tmlrt__heap_t *heap = heap_of(&c);
    uint16_t       cls;
    assert_null(tmlrt__heap_get(heap, NULL, SIZE_MAX, &cls));
    assert_null(tmlrt__heap_get(heap, NULL, SIZE_MAX - 15, &cls));
    assert_closes_clean(heap, &c);
}

static void a_million_small_blocks_cost_little_more_than_their_size(void **state) {
    (void)state;
    enum { N = 1000000 };
    counting_t          c;
    tmlrt__heap_t      *heap = heap_of(&c);
    tmlrt__heap_cache_t cache = {0};
    void               *list = NULL;
    uint16_t            cls = 0;
    for (int i = 0; i < N; i++) {
        void **block = tmlrt__heap_get(heap, &cache, 224, &cls);
        assert_non_null(block);
        block[2] = list;
        list = block;
    }
    assert_true(tmlrt__load_relaxed(&c.bytes) < 226 * (size_t)N);
    while (list != NULL) {
        void **block = list;
        list = block[2];
        tmlrt__heap_put(heap, &cache, block, cls);
    }
    tmlrt__heap_flush(heap, &cache);
    assert_closes_clean(heap, &c);
}

/* ---- Caches and the centre ---- */

static void blocks_travel_back_in_batches_between_two_caches(void **state) {
    (void)state;
    enum { N = 64 * BATCH };
    counting_t          c;
    tmlrt__heap_t      *heap = heap_of(&c);
    tmlrt__heap_cache_t taker = {0}, giver = {0};
    uint16_t            cls = 0;
    void               *blocks[N];
    size_t              calls = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < N; i++) {
            blocks[i] = tmlrt__heap_get(heap, &taker, 128, &cls);
            assert_non_null(blocks[i]);
        }
        for (int i = 0; i < N; i++) {
            put(heap, &giver, blocks[i], cls);
            assert_true(giver.lists[cls].count <= BATCH);
        }
        /* Two batches at most stay with the giver: from the second round on nothing is asked for,
         * but for what those hold back. */
        if (round == 1) calls = tmlrt__load_relaxed(&c.calls);
        if (round > 1) assert_int_equal(tmlrt__load_relaxed(&c.calls), calls);
    }
    tmlrt__heap_flush(heap, &taker);
    tmlrt__heap_flush(heap, &giver);
    assert_closes_clean(heap, &c);
}

static void a_cache_keeps_at_most_two_batches(void **state) {
    (void)state;
    counting_t          c;
    tmlrt__heap_t      *heap = heap_of(&c);
    tmlrt__heap_cache_t a = {0}, b = {0};
    uint16_t            cls = 0;
    void               *blocks[4 * BATCH];
    for (size_t i = 0; i < 4 * BATCH; i++)
        blocks[i] = tmlrt__heap_get(heap, &a, 64, &cls);
    tmlrt__heap_flush(heap, &a);
    for (size_t i = 0; i < 4 * BATCH; i++)
        put(heap, &b, blocks[i], cls);
    /* The oldest two went to the centre, the newest two stayed. */
    assert_int_equal(b.lists[cls].count, BATCH);
    assert_non_null(b.lists[cls].full);
    void *got[2 * BATCH];
    for (size_t i = 0; i < 2 * BATCH; i++) {
        got[i] = tmlrt__heap_get(heap, &a, 64, &cls);
        bool old = false;
        for (size_t k = 0; k < 2 * BATCH; k++)
            old |= got[i] == blocks[k];
        assert_true(old);
    }
    for (size_t i = 0; i < 2 * BATCH; i++)
        put(heap, &a, got[i], cls);
    tmlrt__heap_flush(heap, &a);
    tmlrt__heap_flush(heap, &b);
    assert_closes_clean(heap, &c);
}

/* One thread takes, the other gives back; a slot a block between them. */
#define SLOTS  256
#define PASSES 200000

typedef struct relay {
    tmlrt__heap_t    *heap;
    uint16_t          cls;
    bool              cached; /* the giver has a cache */
    tmlrt__atomic_ptr slots[SLOTS];
} relay_t;

static int passes(void) {
    return getenv("TMLRT_TEST_SLOW") != NULL ? PASSES / 20 : PASSES;
}

static void relay_gives(void *arg) {
    relay_t            *r = arg;
    tmlrt__heap_cache_t cache = {0};
    for (int i = 0, n = passes(); i < n; i++) {
        void *block;
        /* acquire: observes the block; pairs with the taker's release */
        while ((block = tmlrt__swap_acquire(&r->slots[i % SLOTS], NULL)) == NULL)
            tmlrt__latch_relax();
        put(r->heap, r->cached ? &cache : NULL, block, r->cls);
    }
    tmlrt__heap_flush(r->heap, &cache);
}

static void run_relay(bool taker_cached, bool giver_cached) {
    counting_t          c;
    tmlrt__heap_cache_t cache = {0};
    relay_t             r;
    tmlrt__thread_t     giver;
    memset(&r, 0, sizeof r);
    r.heap = heap_of(&c);
    r.cached = giver_cached;
    void *first = tmlrt__heap_get(r.heap, NULL, 224, &r.cls);
    tmlrt__heap_put(r.heap, NULL, first, r.cls);
    assert_int_equal(tmlrt__thread_create(&giver, relay_gives, &r, "giver"), 0);
    for (int i = 0, n = passes(); i < n; i++) {
        uint16_t cls;
        void    *block = tmlrt__heap_get(r.heap, taker_cached ? &cache : NULL, 224, &cls);
        assert_non_null(block);
        mark(block, 1);
        while (tmlrt__load_relaxed(&r.slots[i % SLOTS]) != NULL)
            tmlrt__latch_relax();
        /* release: publishes the block; pairs with the giver's acquire */
        tmlrt__store_release(&r.slots[i % SLOTS], block);
    }
    tmlrt__thread_join(&giver);
    /* What is out at most at once fits in a few slabs. */
    assert_true(tmlrt__load_relaxed(&c.calls) < 8);
    tmlrt__heap_flush(r.heap, &cache);
    assert_closes_clean(r.heap, &c);
}

static void a_stream_from_one_thread_to_another_reuses_its_blocks(void **state) {
    (void)state;
    run_relay(true, true);
    run_relay(true, false);
    run_relay(false, true);
    run_relay(false, false);
}

/* ---- Walking ---- */

typedef struct walked {
    size_t   count;
    uint64_t sum;
} walked_t;

static void counts_block(void *ctx, void *block) {
    walked_t *w = ctx;
    w->count++;
    w->sum += marked(block);
}

static void a_walk_sees_every_live_block_and_no_free_one(void **state) {
    (void)state;
    enum { N = 2000 };
    counting_t          c;
    tmlrt__heap_t      *heap = heap_of(&c);
    tmlrt__heap_cache_t cache = {0};
    tmlrt__rand_t       rnd;
    void               *blocks[N] = {NULL};
    uint16_t            cls[N];
    walked_t            want = {0, 0};
    tmlrt__rand_seed(&rnd, 42);
    for (uint64_t step = 0; step < 20000; step++) {
        size_t               i = tmlrt__rand_next(&rnd) % N;
        tmlrt__heap_cache_t *mine = tmlrt__rand_next(&rnd) % 4 != 0 ? &cache : NULL;
        if (blocks[i] == NULL) {
            size_t size = tmlrt__rand_next(&rnd) % 18000;
            blocks[i] = tmlrt__heap_get(heap, mine, size, &cls[i]);
            assert_non_null(blocks[i]);
            mark(blocks[i], step + 1);
            want.count++;
            want.sum += step + 1;
        } else {
            want.count--;
            want.sum -= marked(blocks[i]);
            put(heap, mine, blocks[i], cls[i]);
            blocks[i] = NULL;
        }
        if (step % 500 == 0) {
            walked_t got = {0, 0};
            tmlrt__heap_walk(heap, counts_block, &got);
            assert_int_equal(got.count, want.count);
            assert_int_equal(got.sum, want.sum);
        }
    }
    for (size_t i = 0; i < N; i++) {
        if (blocks[i] != NULL) put(heap, &cache, blocks[i], cls[i]);
    }
    walked_t none = {0, 0};
    tmlrt__heap_walk(heap, counts_block, &none);
    assert_int_equal(none.count, 0);
    tmlrt__heap_flush(heap, &cache);
    assert_closes_clean(heap, &c);
}

static void a_block_taken_but_not_marked_is_not_seen(void **state) {
    (void)state;
    counting_t     c;
    tmlrt__heap_t *heap = heap_of(&c);
    uint16_t       small, large;
    void          *p = tmlrt__heap_get(heap, NULL, 100, &small);
    void          *q = tmlrt__heap_get(heap, NULL, LARGE, &large);
    walked_t       w = {0, 0};
    tmlrt__heap_walk(heap, counts_block, &w);
    assert_int_equal(w.count, 0);
    put(heap, NULL, p, small);
    put(heap, NULL, q, large);
    assert_closes_clean(heap, &c);
}

typedef struct putter {
    tmlrt__heap_t *heap;
    counting_t    *c;
    void          *large[4];
    size_t         count;
    size_t         live; /* at the first call */
} putter_t;

/* Puts all large blocks at the first call, takes another, and walks again: the memory stays. */
static void puts_all(void *ctx, void *block) {
    putter_t *p = ctx;
    (void)block;
    if (p->count++ != 0) return;
    p->live = tmlrt__load_relaxed(&p->c->live);
    for (int i = 0; i < 4; i++)
        put(p->heap, NULL, p->large[i], TMLRT__HEAP_LARGE);
    uint16_t cls;
    void    *more = tmlrt__heap_get(p->heap, NULL, LARGE, &cls);
    mark(more, 1);
    walked_t w = {0, 0};
    tmlrt__heap_walk(p->heap, counts_block, &w);
    assert_int_equal(w.count, 1);
    put(p->heap, NULL, more, cls);
    assert_int_equal(tmlrt__load_relaxed(&p->c->live), p->live + 1);
}

static void large_blocks_put_during_a_walk_go_at_its_end(void **state) {
    (void)state;
    counting_t     c;
    tmlrt__heap_t *heap = heap_of(&c);
    putter_t       p = {heap, &c, {NULL}, 0, 0};
    uint16_t       cls;
    for (int i = 0; i < 4; i++) {
        p.large[i] = tmlrt__heap_get(heap, NULL, LARGE, &cls);
        mark(p.large[i], 1);
    }
    tmlrt__heap_walk(heap, puts_all, &p);
    assert_int_equal(p.count, 1);
    assert_int_equal(tmlrt__load_relaxed(&c.live), p.live - 4);
    assert_closes_clean(heap, &c);
}

typedef struct churn {
    tmlrt__heap_t    *heap;
    tmlrt__atomic_u32 stop;
    uint64_t          seed;
} churn_t;

static void churns(void *arg) {
    churn_t            *ch = arg;
    tmlrt__heap_cache_t cache = {0};
    tmlrt__rand_t       rnd;
    enum { N = 64 };
    void    *blocks[N] = {NULL};
    uint16_t cls[N];
    tmlrt__rand_seed(&rnd, ch->seed);
    while (tmlrt__load_relaxed(&ch->stop) == 0) {
        size_t i = tmlrt__rand_next(&rnd) % N;
        if (blocks[i] != NULL) {
            put(ch->heap, i % 2 != 0 ? &cache : NULL, blocks[i], cls[i]);
            blocks[i] = NULL;
            continue;
        }
        size_t size = tmlrt__rand_next(&rnd) % 8 == 0 ? LARGE : 32 + i * 8;
        blocks[i] = tmlrt__heap_get(ch->heap, i % 2 != 0 ? &cache : NULL, size, &cls[i]);
        if (blocks[i] != NULL) mark(blocks[i], 1);
    }
    for (size_t i = 0; i < N; i++) {
        if (blocks[i] != NULL) put(ch->heap, &cache, blocks[i], cls[i]);
    }
    tmlrt__heap_flush(ch->heap, &cache);
}

static void walks_among_threads_that_take_and_give_see_what_stays(void **state) {
    (void)state;
    enum { THREADS = 2, STAY = 500, WALKS = 300 };
    counting_t      c;
    churn_t         ch = {heap_of(&c), 0, 7};
    tmlrt__thread_t t[THREADS];
    void           *stay[STAY];
    uint16_t        cls[STAY];
    churn_t         each[THREADS];
    for (size_t i = 0; i < STAY; i++) {
        stay[i] = tmlrt__heap_get(ch.heap, NULL, i % 10 == 0 ? LARGE : 224, &cls[i]);
        mark(stay[i], 1000000);
    }
    for (int i = 0; i < THREADS; i++) {
        each[i] = ch;
        each[i].seed += (uint64_t)i;
        assert_int_equal(tmlrt__thread_create(&t[i], churns, &each[i], "churn"), 0);
    }
    for (int i = 0; i < WALKS; i++) {
        walked_t w = {0, 0};
        tmlrt__heap_walk(ch.heap, counts_block, &w);
        assert_true(w.sum / 1000000 == STAY);
    }
    for (int i = 0; i < THREADS; i++)
        tmlrt__store_relaxed(&each[i].stop, 1);
    for (int i = 0; i < THREADS; i++)
        tmlrt__thread_join(&t[i]);
    for (size_t i = 0; i < STAY; i++)
        put(ch.heap, NULL, stay[i], cls[i]);
    assert_closes_clean(ch.heap, &c);
}

/* ---- The end ---- */

static void the_last_put_of_an_orphan_frees_everything(void **state) {
    (void)state;
    enum { N = 300 };
    counting_t          c;
    tmlrt__heap_t      *heap = heap_of(&c);
    tmlrt__heap_cache_t cache = {0};
    void               *blocks[N];
    uint16_t            cls[N];
    for (size_t i = 0; i < N; i++)
        blocks[i] = tmlrt__heap_get(heap, &cache, i % 7 == 0 ? LARGE : i * 9, &cls[i]);
    put(heap, &cache, blocks[0], cls[0]);
    put(heap, &cache, blocks[1], cls[1]);
    put(heap, NULL, blocks[2], cls[2]);
    tmlrt__heap_flush(heap, &cache);
    assert_int_equal(tmlrt__heap_close(heap), N - 3);
    for (size_t i = 3; i < N; i++) {
        assert_true(tmlrt__load_relaxed(&c.live) > 0);
        put(heap, NULL, blocks[i], cls[i]);
    }
    assert_int_equal(tmlrt__load_relaxed(&c.live), 0);
}

static void an_orphan_may_end_with_a_large_block(void **state) {
    (void)state;
    counting_t     c;
    tmlrt__heap_t *heap = heap_of(&c);
    uint16_t       cls;
    void          *p = tmlrt__heap_get(heap, NULL, LARGE, &cls);
    assert_int_equal(tmlrt__heap_close(heap), 1);
    put(heap, NULL, p, cls);
    assert_int_equal(tmlrt__load_relaxed(&c.live), 0);
}

typedef struct holder {
    tmlrt__heap_t *heap;
    void          *blocks[64];
    uint16_t       cls[64];
} holder_t;

static void puts_what_it_holds(void *arg) {
    holder_t *h = arg;
    for (int i = 0; i < 64; i++)
        put(h->heap, NULL, h->blocks[i], h->cls[i]);
}

static void a_close_may_race_with_the_last_puts(void **state) {
    (void)state;
    enum { THREADS = 3, ROUNDS = 200 };
    for (int round = 0; round < ROUNDS; round++) {
        counting_t      c;
        tmlrt__heap_t  *heap = heap_of(&c);
        holder_t        h[THREADS];
        tmlrt__thread_t t[THREADS];
        for (int i = 0; i < THREADS; i++) {
            h[i].heap = heap;
            for (int k = 0; k < 64; k++)
                h[i].blocks[k] = tmlrt__heap_get(heap, NULL, k % 8 == 0 ? LARGE : 96, &h[i].cls[k]);
        }
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(tmlrt__thread_create(&t[i], puts_what_it_holds, &h[i], "h"), 0);
        assert_true(tmlrt__heap_close(heap) <= THREADS * 64);
        for (int i = 0; i < THREADS; i++)
            tmlrt__thread_join(&t[i]);
        assert_int_equal(tmlrt__load_relaxed(&c.live), 0);
    }
}

/* ---- The Nth failure ---- */

/* Takes many blocks of three sizes and gives them back; how many it could not get. */
static size_t fill_and_empty(tmlrt__heap_t *heap, tmlrt__heap_cache_t *cache) {
    enum { N = 1200 };
    static const size_t sizes[] = {200, 5000, LARGE};
    void               *blocks[N];
    uint16_t            cls[N];
    size_t              missing = 0;
    for (size_t i = 0; i < N; i++) {
        blocks[i] = tmlrt__heap_get(heap, cache, sizes[i % 60 == 0 ? i / 60 % 3 : 0], &cls[i]);
        missing += blocks[i] == NULL;
    }
    for (size_t i = 0; i < N; i++) {
        if (blocks[i] != NULL) put(heap, cache, blocks[i], cls[i]);
    }
    return missing;
}

static void every_failed_allocation_gives_null_and_changes_nothing(void **state) {
    (void)state;
    for (int how = 0; how < 4; how++) {
        for (uint64_t nth = 1;; nth++) {
            counting_t          c;
            tmlrt__heap_t      *heap = heap_of(&c);
            tmlrt__heap_cache_t cache = {0}, *mine = how / 2 != 0 ? &cache : NULL;
            tmlrt__fault_arm(TMLRT__FAULT_ALLOC, nth, how % 2 != 0, 0);
            size_t   missing = fill_and_empty(heap, mine);
            uint64_t fired = tmlrt__fault_fired(TMLRT__FAULT_ALLOC);
            tmlrt__fault_disarm();
            assert_int_equal(missing, fired);
            assert_int_equal(fill_and_empty(heap, mine), 0);
            tmlrt__heap_flush(heap, &cache);
            assert_closes_clean(heap, &c);
            if (fired == 0) break;
        }
    }
}

static void a_heap_without_memory_is_an_error(void **state) {
    (void)state;
    counting_t        c = {0, 0, 0};
    tmlrt_allocator_t mem = {counting_alloc, counting_free, &c};
    tmlrt__heap_t    *heap = NULL;
    tmlrt__fault_arm(TMLRT__FAULT_ALLOC, 1, false, 0);
    assert_int_equal(tmlrt__heap_create(&heap, &mem), TMLRT_ENOMEM);
    tmlrt__fault_disarm();
    assert_null(heap);
    assert_int_equal(tmlrt__load_relaxed(&c.live), 0);
}

static void zeroed_memory_is_zero_and_goes_through_the_allocator(void **state) {
    (void)state;
    counting_t        c = {0, 0, 0};
    tmlrt_allocator_t mem = {counting_alloc, counting_free, &c};
    unsigned char    *p = tmlrt__mem_zero(&mem, 1000, 64);
    assert_non_null(p);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    assert_int_equal(tmlrt__load_relaxed(&c.live), 1);
    tmlrt__mem_put(&mem, p, 1000, 64);
    tmlrt__mem_put(&mem, NULL, 1000, 64);
    assert_int_equal(tmlrt__load_relaxed(&c.live), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_holds_its_size_is_aligned_and_begins_with_zero),
        cmocka_unit_test(blocks_out_at_once_never_overlap),
        cmocka_unit_test(the_newest_block_comes_back_first),
        cmocka_unit_test(a_size_that_overflows_is_no_memory),
        cmocka_unit_test(a_million_small_blocks_cost_little_more_than_their_size),
        cmocka_unit_test(blocks_travel_back_in_batches_between_two_caches),
        cmocka_unit_test(a_cache_keeps_at_most_two_batches),
        cmocka_unit_test(a_stream_from_one_thread_to_another_reuses_its_blocks),
        cmocka_unit_test(a_walk_sees_every_live_block_and_no_free_one),
        cmocka_unit_test(a_block_taken_but_not_marked_is_not_seen),
        cmocka_unit_test(large_blocks_put_during_a_walk_go_at_its_end),
        cmocka_unit_test(walks_among_threads_that_take_and_give_see_what_stays),
        cmocka_unit_test(the_last_put_of_an_orphan_frees_everything),
        cmocka_unit_test(an_orphan_may_end_with_a_large_block),
        cmocka_unit_test(a_close_may_race_with_the_last_puts),
        cmocka_unit_test(every_failed_allocation_gives_null_and_changes_nothing),
        cmocka_unit_test(a_heap_without_memory_is_an_error),
        cmocka_unit_test(zeroed_memory_is_zero_and_goes_through_the_allocator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
