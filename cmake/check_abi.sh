#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# check_abi.sh            the library against cmake/abi/tmlrt-0.1.abi
# check_abi.sh --update   write that file from the library as it is
#
# What the headers show is compared, internal types are not. A removed or
# changed function or type fails; an added one is told and passes. The baseline
# is provisional until the first release; afterwards it only gains additions.
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need abigail-tools binutils
build_release
library=$(readlink -f "$BUILD/release/libtmlrt.so")
baseline=$ROOT/cmake/abi/tmlrt-0.1.abi

if [ "${1:-}" = --update ]; then
    mkdir -p "$(dirname "$baseline")"
    abidw --headers-dir "$ROOT/include" --drop-private-types --no-corpus-path \
        --no-comp-dir-path --no-show-locs --type-id-style hash --out-file "$baseline" "$library"
    # Where it was built is no part of an ABI.
    sed -i "s|path='$ROOT/|path='|" "$baseline"
    say "wrote ${baseline#"$ROOT"/}"
    exit 0
fi
[ -e "$baseline" ] || die "no baseline: make one with cmake/check_abi.sh --update and commit it"

# abidiff's status is a set of bits: 1 error, 2 usage, 4 changed, 8 incompatible.
compare() {
    local status=0
    abidiff --headers-dir2 "$ROOT/include" --drop-private-types --no-show-locs "$@" \
        "$baseline" "$library" || status=$?
    return $status
}
status=0
report=$(compare) || status=$?
if [ $status = 0 ]; then
    echo "abi: as the baseline"
    exit 0
fi
printf '%s\n' "$report"
status=0
compare --no-added-syms >/dev/null || status=$?
if [ $status = 0 ]; then
    echo "abi: additions only; cmake/check_abi.sh --update takes them into the baseline"
    exit 0
fi
echo "abi: differs from the baseline (abidiff status $status);" \
    "if that is meant, cmake/check_abi.sh --update"
exit 1
