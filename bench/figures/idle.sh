#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# idle.sh FOLDER: runs FOLDER/figure_idle under strace and counts the system
# calls between its two marks. Its main thread makes its own (the marks and the
# sleep between them); any other call, also one that only returns, breaks the
# promise that an idle runtime makes none.
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../cmake/lib.sh"
[ $# = 1 ] || die "usage: idle.sh FOLDER"
need strace

trace=$(mktemp)
trap 'rm -f "$trace"' EXIT
echo "idle: system calls of 4 workers in 5 s, 500 tasks asleep, 500 reading silent sockets"
if ! strace -qq -o "$trace" true 2>/dev/null; then
    echo "  skipped: tracing is not allowed here"
    exit 77
fi
strace -f -qq -o "$trace" "$1/figure_idle" >/dev/null || die "figure_idle failed"

# Each line is "thread call(...) = result"; of a call that another thread
# interrupts, the end is a line "thread <... call resumed> ...".
awk '
    /write\(1, "idle begins/ { on = 1; main = $1; next }
    /write\(1, "idle ends/   { on = 0; ended = 1 }
    !on                      { if (main == "") before++; next }
    $1 == main               { next }
                             { n++; print "  " $0 }
    END {
        if (!ended) { print "error: the marks are not in the trace" > "/dev/stderr"; exit 2 }
        printf "  %d calls until all waited, %d while idle\n", before, n
        printf "  %s an idle runtime makes no system call\n", n ? "BROKEN:" : "kept:  "
        exit n != 0
    }
' "$trace"
