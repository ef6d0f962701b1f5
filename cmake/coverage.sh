#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# coverage.sh [CTEST-ARGUMENT...]: runs the tests on a build that counts, and writes, of src/, the
# lines and branches that were reached a file (standard output) and every line that was not
# (build/coverage/missed.txt). tests/README.md says why some cannot be.
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_test
need python3
build_tree coverage -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug \
    "-DCMAKE_C_FLAGS=--coverage -O1 -fprofile-update=atomic" -DCMAKE_EXE_LINKER_FLAGS=--coverage \
    -DCMAKE_SHARED_LINKER_FLAGS=--coverage
find "$BUILD/coverage" -name '*.gcda' -delete
TMLRT_TEST_SCALE=${TMLRT_TEST_SCALE:-4} run_tests coverage -j2 "$@" >&2 || say "some tests failed"
python3 "$ROOT/cmake/coverage.py" "$BUILD/coverage" "$ROOT/src"
