#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The library's sources as the compilers of MSVC would read them: compiled by
# clang-cl with warnings as errors, and once more with __clang__ undefined, so
# that they take what is meant for cl. The switch of ml64 (.asm) is assembled
# and compared with that of the others (.S): code and unwind information.
#
# What it shows: that no source leans on GNU extensions or on names that
# Microsoft's headers do not have as far as tests/shim/msvc knows them, and that
# what is written for MSVC alone compiles.
# What it does not: Microsoft's own headers and cl are not here. mingw-w64's
# headers stand in, clang's <stdatomic.h> for cl's; nothing is linked or run, and
# cl's own warnings and limits are not known.
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need clang llvm cmake gcc-mingw-w64-x86-64-posix
headers=/usr/share/mingw-w64/include
[ -e "$headers/winsock2.h" ] || headers=/usr/x86_64-w64-mingw32/include
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The files are those of the build for MSVC. A script may not watch folders.
sed 's/ CONFIGURE_DEPENDS//' "$ROOT/cmake/platform.cmake" >"$work/platform.cmake"
cat >"$work/list.cmake" <<END
set(CMAKE_SYSTEM_NAME Windows)
set(WIN32 ON)
set(CMAKE_C_COMPILER_ID MSVC)
set(PROJECT_SOURCE_DIR "$ROOT")
include("$work/platform.cmake")
tmlrt_sources(list)
string(REPLACE ";" "\n" list "\${list}")
file(WRITE "$work/list" "\${list}\n")
END
cmake -P "$work/list.cmake"
mapfile -t sources < <(grep '\.c$' "$work/list")
[ ${#sources[@]} -gt 50 ] || die "${#sources[@]} sources: the list is wrong"
grep -q '\.asm$' "$work/list" || die "no switch for ml64 in the list"

base=(clang --driver-mode=cl --target=x86_64-pc-windows-msvc -fmsc-version=1938 /nologo /c
    /std:c11 /W4 /WX "-I$ROOT/tests/shim/msvc" "/imsvc$headers" "-I$ROOT/include"
    -D_WIN32_WINNT=0x0A00 -D_CRT_SECURE_NO_WARNINGS -DTMLRT_BUILDING -DTMLRT_SHARED)
# compile NAME FLAG...: all sources; each says what is wrong with it.
compile() {
    local name=$1
    shift
    mkdir "$work/$name"
    printf '%s\n' "${sources[@]}" |
        xargs -P "$JOBS" -I{} "${base[@]}" "$@" "/Fo$work/$name/" -- {} ||
        die "$name: not every source compiles"
    echo "clangcl: as $name: ${#sources[@]} sources compiled"
}
compile clang-cl
# cl knows no max_align_t in C either.
compile cl -U__clang__ -D__CLANG_MAX_ALIGN_T_DEFINED

# tool NAME: with the version of the clang that is here, where only that is installed.
tool() { command -v "$1" || command -v "$1-$(clang -dumpversion | cut -d. -f1)" || die "no $1"; }
"$(tool llvm-ml)" -m64 -c "-Fo$work/asm.obj" "$ROOT/src/fiber_switch_win64.asm"
clang --target=x86_64-pc-windows-msvc -c "$ROOT/src/fiber_switch_win64.S" -o "$work/S.obj"
for one in asm S; do
    "$(tool llvm-objdump)" -d --no-show-raw-insn --no-leading-addr "$work/$one.obj" |
        grep -vE 'file format|^$|nop' >"$work/$one.code"
    "$(tool llvm-readobj)" --unwind "$work/$one.obj" |
        grep -vE 'File:|Address|Offset' >>"$work/$one.code"
done
[ "$(wc -l <"$work/S.code")" -gt 100 ] || die "the switch was not disassembled"
diff "$work/S.code" "$work/asm.code" || die "the switch of ml64 is not that of the others"
echo "clangcl: the switch of ml64 is that of the others, $(wc -l <"$work/S.code") lines"
