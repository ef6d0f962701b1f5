#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Each public header compiles alone, twice included, and defines no macro
# outside TMLRT_.
#
#   check_headers.sh             gcc and clang as C11, g++ as C++17
#   check_headers.sh --windows   the mingw cross compiler as C11
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

WARNINGS=(-Wall -Wextra -Wundef -Wshadow -Werror -pedantic-errors)
C11=(-x c -std=c11 -Wstrict-prototypes)
CXX17=(-x c++ -std=c++17)
failed=0 compiled=0

# alone HEADER COMPILER FLAG...
alone() {
    local header=$1
    shift
    compiled=$((compiled + 1))
    printf '#include <%s>\n#include <%s>\nint tmlrt_check_header;\n' "$header" "$header" |
        "$@" "${WARNINGS[@]}" -I"$ROOT/include" -fsyntax-only - || {
        printf 'include/%s:1: does not compile alone: %s\n' "$header" "$*"
        failed=$((failed + 1))
    }
}

mapfile -t headers < <(cd "$ROOT/include" && find . -name '*.h' | sed 's|^\./||' | sort)
[ ${#headers[@]} != 0 ] || die "no public headers in include/"

if [ "${1:-}" = --windows ]; then
    need gcc-mingw-w64-x86-64-posix
    for header in "${headers[@]}"; do
        alone "$header" x86_64-w64-mingw32-gcc "${C11[@]}"
    done
else
    need gcc g++ clang libc6-dev
    for header in "${headers[@]}"; do
        alone "$header" gcc "${C11[@]}"
        alone "$header" clang "${C11[@]}"
        alone "$header" g++ "${CXX17[@]}"
    done
    if grep -rnE '^[[:space:]]*#[[:space:]]*define[[:space:]]+' "$ROOT/include" --include='*.h' |
        grep -vE 'define[[:space:]]+TMLRT_' | sed "s|^$ROOT/||; s|\$| <- macro outside TMLRT_|"; then
        failed=$((failed + 1))
    fi
fi
echo "headers: ${#headers[@]} headers, $compiled compilations, $failed failures"
[ $failed = 0 ]
