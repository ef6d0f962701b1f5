/* SPDX-License-Identifier: MIT */
/*
 * shutdown.pml: the counting of scheduler.c (admit, ended, alive) and shutdown__wait in Promela,
 * sequentially consistent. Two workers with a counter each, tasks that spawn a
 * task which the other worker may run, and a spawn from outside that races the shutdown.
 *
 * Proves: when the shutdown finds nobody alive, nobody is, and nobody will be (safety); and it gets
 * there without a deadline (liveness: whoever ends the last task tells it, or looks before sleep).
 *
 * tags: SD-1 SD-2
 *
 * run.sh checks it clean, and with each of these, which must fail:
 *   -DSEED_PHASE_FIRST     a spawn from outside reads the phase before it counts itself
 *   -DSEED_ADMITTED_FIRST  alive() sums up what was admitted before what ended
 *   -DSEED_NO_TELL         the end of a task does not tell, nor does a worker before its sleep
 */
#define WORKERS 2
mtype = { RUNNING, STOPPING };

mtype phase = RUNNING;
byte admitted[WORKERS], ended[WORKERS]; /* of the workers, by their owner alone */
byte admitted_out, ended_out;           /* from outside */
byte queue;      /* tasks that wait to be run; parents first */
byte parents;    /* of those: how many spawn one more */
byte quiet;      /* the futex that the shutdown sleeps on */
bool over;       /* the shutdown has found nobody alive */
byte alive_truly;

inline tell() {
#ifndef SEED_NO_TELL
    if
    :: phase != RUNNING -> quiet++
    :: else
    fi
#else
    skip
#endif
}

/* A spawn from outside, refused once the shutdown has begun. */
proctype outside() {
#ifdef SEED_PHASE_FIRST
    if
    :: phase == RUNNING -> admitted_out++; atomic { assert(!over); alive_truly++; parents++; queue++ }
    :: else
    fi
#else
    admitted_out++;
    if
    :: phase == RUNNING -> atomic { assert(!over); alive_truly++; parents++; queue++ }
    :: else -> ended_out++; tell()
    fi
#endif
}

proctype worker(byte me) {
    bool parent;
end:
    do
    ::  atomic {
            queue > 0 -> queue--;
            parent = false;
            if
            :: parents > 0 -> parents--; parent = true
            :: else
            fi
        };
        if
        :: parent -> /* spawns a child, which either worker may run */
            admitted[me]++;
            atomic { assert(!over); alive_truly++; queue++ }
        :: else
        fi;
        atomic { assert(!over); alive_truly-- };
        ended[me]++;
        tell()
    od
}

proctype shutdown() {
    byte seen, e, a;
    phase = STOPPING;
    do
    ::  seen = quiet;
#ifdef SEED_ADMITTED_FIRST
        a = admitted_out; a = a + admitted[0]; a = a + admitted[1];
        e = ended_out; e = e + ended[0]; e = e + ended[1];
#else
        e = ended_out; e = e + ended[0]; e = e + ended[1];
        a = admitted_out; a = a + admitted[0]; a = a + admitted[1];
#endif
        if
        :: a == e -> atomic { assert(alive_truly == 0); over = true }; break
        :: else -> (quiet != seen)
        fi
    od
}

init {
    atomic {
        /* One parent is alive before. */
        admitted[0] = 1;
        alive_truly = 1;
        parents = 1;
        queue = 1;
        run outside();
        run worker(0);
        run worker(1);
        run shutdown()
    }
}

ltl shutdown_ends { <> over }
