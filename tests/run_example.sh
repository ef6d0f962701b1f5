#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# run_example.sh PROGRAM [ARGUMENT...]: runs an example as a test. It must end in
# time (TMLRT_EXAMPLE_TIMEOUT seconds, 60 unless set), with 0, having printed
# something; 77 means skipped and is passed through, and so is any other status.
# TMLRT_EXAMPLE_LAUNCHER is put before the program (valgrind, an emulator).
set -uo pipefail

[ $# -ge 1 ] || {
    echo "usage: run_example.sh PROGRAM [ARGUMENT...]" >&2
    exit 2
}
limit=${TMLRT_EXAMPLE_TIMEOUT:-60}
read -r -a launcher <<<"${TMLRT_EXAMPLE_LAUNCHER:-}"

output=$(timeout --kill-after=5 "$limit" ${launcher[@]+"${launcher[@]}"} "$@" 2>&1 </dev/null)
status=$?
[ -z "$output" ] || printf '%s\n' "$output"

case $status in
0)
    [ -n "$output" ] && exit 0
    echo "$1: printed nothing" >&2
    exit 1
    ;;
77) exit 77 ;;
124 | 137)
    echo "$1: did not end within $limit s" >&2
    exit 1
    ;;
*)
    echo "$1: ended with status $status" >&2
    exit "$status"
    ;;
esac
