#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# build.sh PROGRAM OUTPUT [-O] [--target TRIPLE] [CLANG-ARGUMENT...]
#
# Builds PROGRAM.ll of this folder: puts the declarations of its target before it, optimises with
# opt -O2 (-O) or not at all, compiles with clang and links with the libtmlrt that pkg-config finds.
# An OUTPUT that ends in .o is not linked. With -fsanitize=address among the arguments the functions
# are marked for it.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=${1:?program} output=${2:?output}
shift 2
optimise=no target=$(uname -m)-linux-gnu
if [ "${1:-}" = -O ]; then optimise=yes && shift; fi
if [ "${1:-}" = --target ]; then target=$2 && shift 2; fi
triple=$target
[ "$target" != x86_64-w64-windows ] || triple=x86_64-w64-windows-gnu

codegen=$(pkg-config --variable=includedir tmlrt)/tmlrt/codegen
# Before version 15 these tools know `ptr` only when asked.
opt_opaque=() clang_opaque=()
if [ "$(clang -dumpversion | cut -d. -f1)" -lt 15 ]; then
    opt_opaque=(-opaque-pointers) clang_opaque=(-mllvm -opaque-pointers)
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
parts=("$codegen/tmlrt.$target.ll")
[ "$program" != drop_in ] || parts=("$codegen/tml_async.$target.ll" "$HERE/poll.$target.ll")
# The layout of the target first: without it opt would compute other offsets of struct fields.
clang --target="$triple" -x c -S -emit-llvm -o "$work/empty.ll" /dev/null
{
    grep '^target ' "$work/empty.ll"
    cat "${parts[@]}" "$HERE/$program.ll"
} >"$work/program.ll"
case " $* " in
*' -fsanitize=address'*)
    sed -i 's/^attributes #0 = { /&sanitize_address /' "$work/program.ll" ;;
esac
source=$work/program.ll level=-O0
if [ $optimise = yes ]; then
    opt "${opt_opaque[@]}" -O2 -S -o "$work/optimised.ll" "$source"
    source=$work/optimised.ll level=-O2
fi
clang --target="$triple" -Wno-override-module "${clang_opaque[@]}" $level "$@" -c \
    -o "$work/program.o" "$source"
case $output in
*.o) cp "$work/program.o" "$output" ;;
*)
    read -ra libs <<<"$(pkg-config --libs tmlrt)"
    clang --target="$triple" "$@" -o "$output" "$work/program.o" "${libs[@]}"
    ;;
esac
