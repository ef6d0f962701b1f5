/* SPDX-License-Identifier: MIT */
/*
 * tmlrt/replay.h: running a program again exactly as it ran before.
 *
 * A runtime made with a seed and the virtual clock (config.seed or TMLRT_SEED; TMLRT_CLOCK_VIRTUAL)
 * is replayed: everything runs on the thread that made it, and whatever order the runtime leaves
 * open is drawn by lot from the seed: which ready task runs, where a task that could go on has to
 * yield, which of several operations is looked at first. Time stands still while anything is ready
 * and then jumps to the next deadline. So a test that tries a thousand seeds meets a thousand
 * interleavings, in no time, and the seed that fails fails again.
 *
 *   - Jobs of the blocking pool become fibers (TMLRT_STACK_HUGE unless their options say another);
 *     there are no threads.
 *   - Another thread that spawns, starts, aborts or joins a task, sleeps on the runtime or opens
 *     something there gets TMLRT_ENOTSUP. Its wakes arrive, and void the trace.
 *   - When nothing is ready, no deadline is ahead and nothing can come from outside, nobody will
 *     ever go on: the waiting call of the plain thread returns TMLRT_EDEADLK, and a shutdown goes
 *     over to cancelling, and names who is stuck and what each waits for.
 *   - With TMLRT_REACTOR_SIMULATED the network is part of it: sockets in memory, with delays,
 *     short transfers, resets and partitions drawn from the same seed (tmlrt_network_t).
 */
#ifndef TMLRT_REPLAY_H
#define TMLRT_REPLAY_H

#include <tmlrt/base.h>

TMLRT_BEGIN_DECLS

/* What came from outside, so that the seed no longer decides everything. */
#define TMLRT_REPLAY_WAKE       1u /* a wake from another thread */
#define TMLRT_REPLAY_DESCRIPTOR 2u /* a real descriptor was used: a socket, a pipe, a signal */

/* What a replayed runtime did so far. */
typedef struct tmlrt_replay {
    size_t   struct_size;
    uint64_t seed;
    uint64_t hash;   /* of every choice and what came of it: same hash, same run */
    uint64_t steps;  /* polls of tasks */
    uint32_t voided; /* TMLRT_REPLAY_*; non-zero: the hash of another run may differ */
    uint32_t reserved;
} tmlrt_replay_t;

#define TMLRT_REPLAY_INIT                                                                          \
    { sizeof(tmlrt_replay_t), 0, 0, 0, 0, 0 }

/* Fills *replay (its struct_size set by the caller). Threads: the one that made the runtime.
 * Errors: TMLRT_EINVAL, TMLRT_ENORUNTIME, TMLRT_ENOTSUP (not a replayed runtime, or another
 * thread). */
TMLRT_API int tmlrt_runtime_replay(tmlrt_runtime_t *rt, tmlrt_replay_t *replay);

/* The faults of the simulated network (config.network), each drawn from the seed. Begin with
 * TMLRT_NETWORK_INIT: delays from 0.1 to 10 ms, short transfers often, no faults. Probabilities are
 * of a million. The struct is copied. */
typedef struct tmlrt_network {
    size_t   struct_size;
    int64_t  delay_least, delay_most; /* ns from one end to the other */
    uint32_t short_transfers;         /* of reads and writes that move less than they could */
    uint32_t refuse;                  /* of connects that end with TMLRT_ECONNREFUSED */
    uint32_t reset;                   /* of transfers that break the connection: ECONNRESET */
    uint32_t partition;      /* of transfers and connects that cut the network in two: until
                                         it heals nothing arrives between the two addresses */
    int64_t  partition_most; /* ns that it lasts at most */
    int64_t  give_up;        /* ns after which bytes that do not arrive, or a connect, end
                                         with TMLRT_ETIMEDOUT */
    uint32_t buffer;         /* bytes under way in one direction, at most */
    uint32_t reserved;
} tmlrt_network_t;

#define TMLRT_NETWORK_INIT                                                                         \
    {                                                                                              \
        sizeof(tmlrt_network_t), 100000, 10000000, 300000, 0, 0, 0, INT64_C(2000000000),           \
            INT64_C(30000000000), 65536, 0                                                         \
    }

TMLRT_END_DECLS

#endif
