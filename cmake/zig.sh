#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# zig.sh TARGET TOOL [ARGUMENT...]: zig's C compiler or archiver as CMake wants
# them: one program without words of its own. TMLRT_ZIG is the python that has
# the package ziglang. What CMake always says for macOS and zig's linker does
# not know is left out.
set -euo pipefail
target=$1 tool=$2
shift 2
arguments=()
for argument in "$@"; do
    case $argument in
    -Wl,-search_paths_first | -Wl,-headerpad_max_install_names) ;;
    *) arguments+=("$argument") ;;
    esac
done
case $tool in
cc) exec "$TMLRT_ZIG" -m ziglang cc -target "$target" "${arguments[@]}" ;;
*) exec "$TMLRT_ZIG" -m ziglang "$tool" "${arguments[@]}" ;;
esac
