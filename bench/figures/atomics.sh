#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# atomics.sh FOLDER: counts the atomic read-modify-writes and full fences in one
# task's life, by function.
#
# FOLDER/figure_atomics, linked statically, runs under callgrind, which counts
# how often each instruction is executed; objdump tells which of them are
# atomic: a lock prefix or an exchange with memory is a read-modify-write;
# mfence, and the locked "or" of 0 to the top of the stack that compilers write
# instead, is a fence. Two runs of different length are subtracted, so that
# what belongs to the process and not to a task is not counted.
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../cmake/lib.sh"
[ $# = 1 ] || die "usage: atomics.sh FOLDER"
program=$1/figure_atomics
short=1000
long=101000

if [ "$(uname -m)" != x86_64 ]; then
    echo "atomics: skipped: it knows the instructions of x86-64 only"
    exit 77
fi
need valgrind binutils
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "address rmw|fence", the address as 0x...
objdump -d --no-show-raw-insn "$program" | awk -F'\t' '
    /^ *[0-9a-f]+:\t/ {
        kind = ""
        if ($2 ~ /^lock or[lq]? +\$0x0,(0x0)?\(%[er]sp\)/ || $2 ~ /^mfence/) kind = "fence"
        else if ($2 ~ /^lock / || $2 ~ /^xchg .*\(/) kind = "rmw"
        if (kind == "") next
        gsub(/[ :]/, "", $1)
        print "0x" $1, kind
    }' >"$work/kinds"

# "address function": the innermost function that was inlined there, but not the
# wrappers of atomic.h. addr2line answers with the address, then pairs of lines
# (function, file), innermost first.
cut -d' ' -f1 "$work/kinds" | addr2line -a -f -i -e "$program" | awk '
    /^0x/            { address = $1; sub(/^0x0*/, "0x", address); named = 0; next }
    !wants_file      { name = $1; wants_file = 1; next }
                     { wants_file = 0 }
    named            { next }
    !/\/atomic\.h:/  { print address, name; named = 1 }
' >"$work/names"

# Valgrind does not need the debug information, and not every valgrind reads
# that of every compiler.
objcopy --strip-debug "$program" "$work/program"

# count MODE N FILE
count() {
    valgrind --tool=callgrind --dump-instr=yes --dump-line=no --compress-strings=no \
        --compress-pos=no --callgrind-out-file="$3" "$work/program" "$1" "$2" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        die "figure_atomics $1 $2 failed under valgrind"
    }
}

# measure MODE MOST-RMW MOST-FENCES TITLE (the limits may be "-"). A cost line
# is "0xaddress count"; the one after "calls=" belongs to what is called.
measure() {
    count "$1" $short "$work/short"
    count "$1" $long "$work/long"
    awk -v tasks=$((long - short)) -v most_rmw="$2" -v most_fence="$3" -v title="$4" '
        function text(count) { return sprintf("%.2f", count < 0.005 ? 0 : count) }
        FILENAME ~ /kinds$/ { kind[$1] = $2; next }
        FILENAME ~ /names$/ { name[$1] = $2; next }
        FNR == 1            { sign = FILENAME ~ /long$/ ? 1 : -1 }
        /^calls=/           { skip = 1; next }
        /^0x/ {
            if (skip) { skip = 0; next }
            all += sign * $2
            if (!($1 in kind)) next
            fn = name[$1]
            n[kind[$1]] += sign * $2
            by[fn, kind[$1]] += sign * $2
            seen[fn] = 1
        }
        END {
            printf "  %-46s %6s %7s\n", title, "RMW", "fences"
            for (f in seen) {
                rmw = by[f, "rmw"] / tasks
                fence = by[f, "fence"] / tasks
                if (rmw < 0.005 && fence < 0.005) continue
                printf "    %-44s %6s %7s\n", f, text(rmw), text(fence) | "sort"
            }
            close("sort")
            rmw = n["rmw"] / tasks
            fence = n["fence"] / tasks
            printf "    %-44s %6s %7s   (%.0f instructions)\n", "together", text(rmw),
                text(fence), all / tasks
            if (most_rmw == "-") exit 0
            # What comes once in 16 or 32 tasks (the pick of the oldest, a
            # batch of memory) stays under a quarter.
            broken = rmw > most_rmw + 0.25 || fence > most_fence + 0.25
            printf "  %s at most %d read-modify-writes and %d fences a task, batches apart\n",
                broken ? "BROKEN:" : "kept:  ", most_rmw, most_fence
            exit broken
        }' "$work/kinds" "$work/names" "$work/short" "$work/long"
}

status=0
echo "atomics: read-modify-writes and full fences, counted over $((long - short)) tasks"
measure late 3 2 "spawn, run, late join, release" || status=1
measure in-place - - "spawn, join that runs it in place, release"
measure detached - - "spawn detached, run"
measure wake - - "a round of two tasks that wake each other"
measure fiber - - "spawn an empty fiber, run, join, release"
measure switch - - "a fiber yields and comes back"
measure mutex - - "a free mutex locked and unlocked"
measure channel - - "an item sent and received without a wait"
exit $status
