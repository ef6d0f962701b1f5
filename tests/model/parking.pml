/* SPDX-License-Identifier: MIT */
/*
 * parking.pml: the protocol of idle.c and worker__sleep in Promela, sequentially consistent; what
 * the weak orders do to it is model_parking.cpp's. Proves, over all interleavings of two producers
 * and two workers whose sleeps may also end by themselves: no deadlock (a sleep that nothing ends
 * with work in the queue), and the liveness property: work is eventually taken.
 *
 * run.sh checks it clean, and with each of these, which must fail:
 *   -DSEED_NO_RECHECK   a sleeper does not look at the queue after it has set its bit
 *   -DSEED_NO_LOOK      a producer that found no bit after all does not look again
 *   -DSEED_NO_RECOUNT   a sleeper that found work in that last look is not a searcher again
 *   -DSEED_NO_HANDOVER  the last searcher that finds work does not wake another
 */
#define WORKERS   2
#define PRODUCERS 2
#define SELF      1 /* sleeps that end by themselves, of each worker */

byte queue, searching, taken;
bool parked[WORKERS];
bool token[WORKERS]; /* the parker: notified */
byte blocked;        /* workers that are inside a long poll, serving nobody */

/* idle__claim and unpark; found is NOBODY = 255 when no bit was set. */
inline claim(found) {
    found = 255;
    if
    :: atomic { parked[0] -> parked[0] = false; found = 0 }
    :: atomic { parked[1] -> parked[1] = false; found = 1 }
    :: atomic { !parked[0] && !parked[1] -> skip }
    fi
}

inline notify(found) {
    do
    :: searching != 0 -> break
    :: else ->
        if
        :: !parked[0] && !parked[1] -> break
        :: else -> skip
        fi;
        atomic {
            if
            :: searching != 0 -> break
            :: else -> searching = 1
            fi
        };
        claim(found);
        if
        :: found != 255 -> token[found] = true; break
        :: else -> searching--;
#ifdef SEED_NO_LOOK
            break
#endif
        fi
    od
}

proctype producer() {
    byte found;
    queue++;
    notify(found)
}

proctype worker(byte me) {
    byte found, own = 0;
    bool looks = false, got, again;
    do
    ::  got = false;
        atomic { if :: queue > 0 -> queue--; got = true :: else fi };
        if
        :: !got && !looks ->
            atomic {
                if
                :: 2 * searching < WORKERS -> searching++; looks = true
                :: else
                fi
            };
            atomic { if :: looks && queue > 0 -> queue--; got = true :: else fi }
        :: else
        fi;
        if
        :: got ->
            if
            :: looks ->
                looks = false;
                atomic { searching--; again = (searching == 0) };
#ifndef SEED_NO_HANDOVER
                if
                :: again && queue > 0 -> notify(found)
                :: else
                fi
#endif
            :: else
            fi;
            taken++;
            /* The first to run blocks until the other item has been taken, too. */
            if
            :: blocked == 0 -> blocked = 1; (taken == PRODUCERS)
            :: else
            fi
        :: else -> /* worker__sleep */
            parked[me] = true;
            if
            :: looks -> looks = false; searching--
            :: else
            fi;
#ifdef SEED_NO_RECHECK
            again = false;
#else
            again = (queue > 0);
#endif
            if
            :: !again ->
                if
                :: token[me] -> skip
                :: own < SELF -> own++
                :: taken == PRODUCERS -> goto done
                fi;
                token[me] = false
            :: else
            fi;
            atomic { looks = !parked[me]; parked[me] = false };
#ifndef SEED_NO_RECOUNT
            if
            :: again && !looks -> looks = true; searching++
            :: else
            fi
#endif
        fi
    od;
done:
    skip
}

init {
    atomic {
        run producer();
        run producer();
        run worker(0);
        run worker(1)
    }
}

/* With fairness between processes. */
ltl work_is_taken { <> (taken == PRODUCERS) }
