#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# run_ir.sh BUILD [SANITIZERS]: installs BUILD into a temporary prefix, builds the programs of
# examples/tml against the installed shared library, found by pkg-config, and runs them: not
# optimised, optimised, and under AddressSanitizer. The echo server serves real clients:
# TMLRT_IR_CONNECTIONS of them (200), for TMLRT_IR_SECONDS (0.5). SANITIZERS: what BUILD was made
# with; then the programs are built so alone.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${1:?build folder} sanitizers=${2:-}
connections=${TMLRT_IR_CONNECTIONS:-200} seconds=${TMLRT_IR_SECONDS:-0.5}

skip() {
    echo "skipped: $*"
    exit 77
}
for tool in clang opt pkg-config cmake cc; do
    command -v $tool >/dev/null || skip "no $tool"
done
[ "$sanitizers" != thread ] || skip "a thread sanitizer knows nothing of IR that it did not see"

work=$(mktemp -d)
server=
end() {
    [ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap end EXIT
cmake --install "$build" --prefix "$work/prefix" >"$work/log" 2>&1 || { cat "$work/log" && exit 1; }
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name tmlrt.pc)")
LD_LIBRARY_PATH=$(pkg-config --variable=libdir "$PKG_CONFIG_PATH/tmlrt.pc")
export PKG_CONFIG_PATH LD_LIBRARY_PATH
cc -O2 -pthread -o "$work/load" "$ROOT/bench/net/echo_load.c"

# serve PROGRAM NAME: clients, then SIGTERM, which it answers with status 0.
serve() {
    local port answer status=0 i
    "$1" 127.0.0.1:0 >"$work/out" 2>&1 &
    server=$!
    for ((i = 0; i < 600; i++)); do
        port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$work/out")
        if [ -n "$port" ] || ! kill -0 "$server" 2>/dev/null; then break; fi
        read -rt 0.05 <> <(:) || true
    done
    [ -n "$port" ] || { cat "$work/out" && exit 1; }
    answer=$("$work/load" --port "$port" --connections "$connections" --seconds "$seconds" \
        --warmup 0.2 --pid "$server")
    kill -TERM "$server"
    wait "$server" || status=$?
    server=
    echo "$2: $answer"
    [ $status = 0 ] || { cat "$work/out" && echo "$2: ended with status $status" && exit 1; }
    grep -qE '"requests_ever": [1-9]' <<<"$answer" || { echo "$2: no answers" && exit 1; }
}

# all NAME BUILD-ARGUMENT...
all() {
    local name=$1 program
    shift
    for program in fan_out drop_in echo_server; do
        bash "$ROOT/examples/tml/build.sh" $program "$work/$program" "$@"
        case $program in
        echo_server) serve "$work/$program" "$program, $name" ;;
        *)
            timeout 60 "$work/$program" >"$work/out" 2>&1 || {
                cat "$work/out"
                echo "$program, $name: failed"
                exit 1
            }
            echo "$program, $name: $(tail -n 1 "$work/out")"
            ;;
        esac
    done
}

if [ -n "$sanitizers" ]; then
    all "$sanitizers" "-fsanitize=$sanitizers"
    exit 0
fi
all "not optimised"
all "optimised" -O
all "AddressSanitizer" -O -fsanitize=address
