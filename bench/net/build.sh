#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# build.sh BUILD: the echo servers that CMake does not build, into BUILD/net; one whose tools are
# missing is left out, and said so. Tokio is the newest release: its lock file is made in BUILD.
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../cmake/lib.sh"
HERE=$ROOT/bench/net
OUT=$(realpath -m "${1:?build folder}")/net
mkdir -p "$OUT"

build_tokio() {
    local dir=$OUT/tokio
    mkdir -p "$dir"
    cp -rp "$HERE/echo_tokio/." "$dir/"
    (cd "$dir" && cargo build --quiet --release --target-dir target) || return
    cp "$dir/target/release/echo_tokio" "$OUT/echo_tokio"
}

if command -v cargo >/dev/null; then
    build_tokio || say "echo_tokio does not build: left out"
else
    say "no cargo: echo_tokio is left out"
fi
if command -v go >/dev/null; then
    (cd "$HERE/echo_go" && CGO_ENABLED=0 GOTOOLCHAIN=local go build -o "$OUT/echo_go" .) ||
        say "echo_go does not build: left out"
else
    say "no go: echo_go is left out"
fi
