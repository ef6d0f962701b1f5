#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# check_format.sh         C and C++ sources have the layout of .clang-format
# check_format.sh --fix   give it to them
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need clang-format
mode=(--dry-run -Werror --ferror-limit=3)
[ "${1:-}" != --fix ] || mode=(-i)

cd "$ROOT"
folders=()
for folder in include src tests examples bench cmake; do
    [ ! -d $folder ] || folders+=("$folder")
done
find "${folders[@]}" -type f \( -name '*.c' -o -name '*.h' -o -name '*.cc' -o -name '*.cpp' \
    -o -name '*.hpp' \) -print0 | sort -z | xargs -0 -r clang-format "${mode[@]}"
echo "format: done"
