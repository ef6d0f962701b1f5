#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# ./dev bench [...]: the side-by-side suite (suite/suite.sh; --quick, --help).
# ./dev bench figures [NAME ...]: builds the release tree, says on what machine
# it runs, and runs the figures named, or all, one after the other. --list
# names them.
# Exit status 1 when a promise was broken.
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cmake/lib.sh"
FIGURES=$ROOT/bench/figures

if [ "${1:-}" != figures ]; then
    exec bash "$ROOT/bench/suite/suite.sh" "$@"
fi
shift

# In the order in which they run: what must hold first, then speeds.
names=(idle memory atomics lateness long_poll fairness scale)

machine() {
    local model memory
    model=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | head -n 1)
    memory=$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)
    echo "machine: ${model:-$(uname -m)}, $(nproc) cores, $memory; $(uname -sr);" \
        "load $(cut -d' ' -f1 /proc/loadavg)"
    echo "library: RelWithDebInfo, $("${CC:-cc}" --version | head -n 1)"
}

# A figure is a program, or a script that watches one from outside. None takes
# minutes; one that hangs has failed.
run_figure() {
    if [ -e "$FIGURES/$1.sh" ]; then
        timeout 300 bash "$FIGURES/$1.sh" "$BUILD/release/bench"
    else
        timeout 300 "$BUILD/release/bench/figure_$1"
    fi
}

if [ "${1:-}" = --list ]; then
    printf '%s\n' "${names[@]}"
    exit
fi
[ $# = 0 ] || names=("$@")
for name in "${names[@]}"; do
    [ -e "$FIGURES/$name.c" ] || die "no figure is called $name (--list names them)"
done

need_build
build_tree release -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTMLRT_BUILD_TESTS=OFF \
    -DTMLRT_BUILD_EXAMPLES=ON -DTMLRT_BUILD_BENCH=ON
machine
broken=()
for name in "${names[@]}"; do
    echo
    status=0
    run_figure "$name" || status=$?
    case $status in
    0 | 77) ;;
    *) broken+=("$name") ;;
    esac
done
echo
if [ ${#broken[@]} != 0 ]; then
    echo "figures: failed: ${broken[*]}"
    exit 1
fi
echo "figures: every promise was kept"
