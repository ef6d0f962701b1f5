#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The library for Windows x86-64: built by mingw-w64 with warnings as errors,
# its tests run by Wine, its DLL looked at, and an outside program built against
# it in every way. No display is needed. cmocka comes from the distribution's
# source package, built here; nothing of it is kept elsewhere.
#
#   TMLRT_WINDOWS_TESTS   a regular expression: only these tests
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cmake/cross.sh
. "$(dirname "${BASH_SOURCE[0]}")/cross.sh"
need gcc-mingw-w64-x86-64-posix g++-mingw-w64-x86-64-posix wine64 wine cmake ninja-build

deps=$BUILD/windows-deps
mingw=$ROOT/cmake/mingw.cmake
mkdir -p "$deps"

build_cmocka() {
    [ ! -e "$deps/cmocka/lib/libcmocka-static.a" ] || return 0
    say "building cmocka for Windows"
    cmocka_source
    {
        cmake -S "$BUILD/cmocka/source" -B "$deps/cmocka-build" -G Ninja \
            -DCMAKE_TOOLCHAIN_FILE="$mingw" -DCMAKE_BUILD_TYPE=Release \
            -DWITH_STATIC_LIB=ON -DUNIT_TESTING=OFF -DWITH_EXAMPLES=OFF \
            -DCMAKE_POLICY_VERSION_MINIMUM=3.5 -DCMAKE_INSTALL_PREFIX="$deps/cmocka"
        cmake --build "$deps/cmocka-build"
        cmake --install "$deps/cmocka-build"
    } >"$deps/cmocka.log" 2>&1 || {
        cat "$deps/cmocka.log" >&2
        die "cmocka does not build"
    }
}

export WINEPREFIX=$deps/prefix WINEDEBUG=-all DISPLAY=
unset WAYLAND_DISPLAY
server=$(command -v wineserver || echo /usr/lib/wine/wineserver64)
start_wine() {
    # A server that stays makes a program's start quick (and one that is about to go turns a program
    # away); it ends with us. It needs the folder.
    mkdir -p "$WINEPREFIX"
    trap 'wineserver_end' EXIT
    "$server" -p >/dev/null 2>&1 </dev/null || true
    {
        wine wineboot -i
        wine reg add 'HKCU\Software\Wine' /v Version /d win10 /f
    } >"$deps/wine.log" 2>&1 </dev/null || {
        cat "$deps/wine.log" >&2
        die "Wine does not start"
    }
}
wineserver_end() {
    "$server" -k >/dev/null 2>&1 </dev/null || true
}

build_cmocka
build_tree windows -DCMAKE_TOOLCHAIN_FILE="$mingw" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DTMLRT_BUILD_EXAMPLES=OFF "-DCMOCKA_INCLUDE_DIR=$deps/cmocka/include" \
    "-DCMOCKA_LIBRARY=$deps/cmocka/lib/libcmocka-static.a" \
    "-DTMLRT_TEST_LAUNCHER=bash;$ROOT/cmake/wine.sh"
start_wine

# ---- the tests

results=$deps/results
rm -rf "$results"
mkdir -p "$results"
export TMLRT_WINE_RESULTS=$results WINEPATH=$BUILD/windows
status=0
TMLRT_TEST_SCALE=${TMLRT_TEST_SCALE:-4} run_tests windows -j1 --timeout 120 \
    -R "${TMLRT_WINDOWS_TESTS:-.}" || status=$?
unset TMLRT_WINE_RESULTS

# How many lines of the results match.
count() { cat "$results"/*.txt | grep -cE "$1" || true; }
echo
echo "windows: programs left out:"
sed 's/^/  /' "$BUILD/windows/tests_skipped.txt"
echo "windows: cases skipped, with their reasons:"
grep -hE '^\[  WHY' "$results"/*.txt | sed -E 's/^\[  WHY +\] /  /' | sort | uniq -c
echo "windows: $(find "$results" -name '*.txt' | wc -l) programs," \
    "$(count '^\[       OK') cases passed, $(count '^\[  WHY') skipped," \
    "$(count '^\[  FAILED  \] [a-z_0-9]+$') failed"
[ $status = 0 ] || die "tests failed under Wine"

# ---- the DLL: nothing but the interface, and nothing needed that is not the system's

dll=$BUILD/windows/libtmlrt.dll
x86_64-w64-mingw32-objdump -p "$dll" >"$deps/dll.txt"
needs=$(awk '/DLL Name:/ { print $3 }' "$deps/dll.txt" | sort -u)
if grep -iE 'libwinpthread|libgcc' <<<"$needs"; then die "the DLL needs the compiler's DLLs"; fi
shown=$(awk '/^\[Ordinal\/Name Pointer\]/ { on = 1; next } /^$/ { on = 0 } on { print $NF }' \
    "$deps/dll.txt")
if grep -vE '^(tmlrt|tml)_[a-z]' <<<"$shown"; then die "the DLL shows what is not its interface"; fi
echo "windows: the DLL shows $(wc -l <<<"$shown") functions and needs ${needs//$'\n'/ }"

# ---- an outside program

work=$(mktemp -d)
trap 'rm -rf "$work"; wineserver_end' EXIT
cmake --install "$BUILD/windows" --prefix "$work/first" >"$work/install.log" ||
    { cat "$work/install.log" && exit 1; }
mv "$work/first" "$work/moved"
cp -r "$ROOT/cmake/consumer" "$work/source"
cmake -S "$work/source" -B "$work/cmake" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$mingw" \
    -Dtmlrt_DIR="$work/moved/lib/cmake/tmlrt" \
    -DCMAKE_EXE_LINKER_FLAGS=-static >"$work/cmake.log" 2>&1 ||
    { cat "$work/cmake.log" && exit 1; }
cmake --build "$work/cmake" >"$work/cmake.log" 2>&1 || { cat "$work/cmake.log" && exit 1; }

export WINEPATH=$work/moved/bin
built=0
# try PROGRAM shared|static
try() {
    local needs=no
    bash "$ROOT/cmake/wine.sh" "$1" >"$work/out" || die "$(basename "$1") fails: $(cat "$work/out")"
    if x86_64-w64-mingw32-objdump -p "$1" | grep 'DLL Name: libtmlrt.dll' >/dev/null; then needs=yes; fi
    # Of the static library nothing is exported again.
    if [ "$2" = static ] && x86_64-w64-mingw32-objdump -p "$1" |
        awk '/^\[Ordinal\/Name Pointer\]/ { on = 1 } on' | grep -q tmlrt; then
        die "$(basename "$1") exports what is the library's"
    fi
    [ "$2-$needs" = shared-yes ] || [ "$2-$needs" = static-no ] ||
        die "$(basename "$1") is $2, but needs libtmlrt.dll: $needs"
    built=$((built + 1))
    echo "windows: consumer $(basename "$1"): $(cat "$work/out")"
}
for language in c cxx; do
    try "$work/cmake/tmlrt_$language.exe" shared
    try "$work/cmake/tmlrt_static_$language.exe" static
done
pc=$(find "$work/moved" -name tmlrt.pc)
[ -n "$pc" ] || die "no tmlrt.pc was installed"
read -ra flags <<<"$(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --cflags --libs tmlrt)"
x86_64-w64-mingw32-gcc -std=c11 -Wall -Wextra -Werror -o "$work/pc.exe" "$work/source/main.c" \
    "${flags[@]}"
try "$work/pc.exe" shared
[ $built = 5 ] || die "$built programs instead of 5"
