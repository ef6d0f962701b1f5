#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# ./dev bench [--quick] [--only WORK ...]: builds libtmlrt and its peers for release in build/bench
# and runs them side by side (run.py --help tells all). A peer whose tools are not here is left out,
# and said so. ./dev bench micro [ARGUMENT...] runs the micro-benchmarks alone.
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../cmake/lib.sh"
PEERS=$ROOT/bench/peers

build_tokio() { # NAME CARGO-ARGUMENT...
    local name=$1
    shift
    (cd "$PEERS/tokio" && cargo build --quiet --release \
        --target-dir "$BUILD/bench/$name" "$@") || say "peer $name does not build: left out"
}

build_peers() {
    if command -v cargo >/dev/null; then
        say "building the Tokio peers"
        build_tokio tokio
        build_tokio tokio-mimalloc --features mimalloc
    else
        say "no cargo: Tokio is left out"
    fi
    if command -v go >/dev/null; then
        say "building the Go peer"
        (cd "$PEERS/go" && go build -o "$BUILD/bench/peers/peer_go" .) ||
            say "peer go does not build: left out"
    else
        say "no go: Go is left out"
    fi
    [ ! -e "$ROOT/bench/net/build.sh" ] || bash "$ROOT/bench/net/build.sh" "$BUILD/bench"
}

# Debian's plotting library is in Debian's Python.
python=python3
[ ! -x /usr/bin/python3 ] || python=/usr/bin/python3

case " $* " in
*" --help "* | *" -h "*) exec "$python" "$ROOT/bench/suite/run.py" --build "$BUILD/bench" --help ;;
esac

need_build
need g++ libbenchmark-dev liburing-dev libtbb-dev libuv1-dev python3 python3-matplotlib strace wrk
build_tree bench -DCMAKE_BUILD_TYPE=Release -DTMLRT_BUILD_TESTS=OFF -DTMLRT_BUILD_EXAMPLES=OFF \
    -DTMLRT_BUILD_BENCH=ON -DTMLRT_BENCH_PEERS=ON
if [ "${1:-}" = micro ]; then
    shift
    exec "$BUILD/bench/micro" "$@"
fi
build_peers
exec "$python" "$ROOT/bench/suite/run.py" --build "$BUILD/bench" "$@"
