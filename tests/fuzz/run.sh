#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# run.sh BUILD_DIR SECONDS [NAME]: builds the fuzzers with libFuzzer, AddressSanitizer and UBSan,
# and runs each (or fuzz_NAME) for SECONDS, starting from its corpus here and what earlier runs
# found. An input that fails is kept in BUILD_DIR and named; BUILD_DIR/fuzz_NAME FILE plays it.
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../cmake/lib.sh"
here=$ROOT/tests/fuzz
dir=$1 seconds=$2 only=${3:-}
need_build
need_clang

flags=(-std=c11 -g -O1 -D_GNU_SOURCE -I"$ROOT/include")
(
    BUILD=$dir
    build_tree library -DCMAKE_C_COMPILER=clang -DTMLRT_SANITIZE=fuzzer-no-link,address,undefined \
        -DTMLRT_BUILD_TESTS=OFF -DTMLRT_BUILD_EXAMPLES=OFF
)
[ -z "$only" ] || [ -e "$here/fuzz_$only.c" ] || die "no such fuzzer: $only"
for source in "$here"/fuzz_${only:-*}.c; do
    name=$(basename "$source" .c)
    clang "${flags[@]}" -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
        -o "$dir/$name" "$source" "$dir/library/libtmlrt.a" -lpthread
    mkdir -p "$dir/corpus_${name#fuzz_}"
    say "$name for $seconds s"
    (cd "$dir" && "./$name" -max_total_time="$seconds" -timeout=20 -max_len=600 -print_final_stats=1 \
        -verbosity=0 "corpus_${name#fuzz_}" "$here/corpus_${name#fuzz_}") 2>&1 |
        grep -vE '^(stat::(average|slowest|peak|new)|INFO|#####|"|[[:space:]]NEW_FUNC)' >&2 ||
        die "$name found something (see above)"
done
