#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Installs into a temporary prefix, moves the prefix, and builds cmake/consumer
# against it from outside: by pkg-config and by find_package, shared and static,
# as C11 and as C++17. Each program runs, and links what it should.
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need g++ pkg-config binutils
build_release

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$BUILD/release" --prefix "$work/first" >"$work/install.log" ||
    { cat "$work/install.log" && exit 1; }
mv "$work/first" "$work/moved"
prefix=$work/moved
cp -r "$ROOT/cmake/consumer" "$work/source"

# What is installed must not name where it was built or installed.
if grep -rnI -e "$work/first" -e "$ROOT" "$prefix"; then
    die "an installed file names the build or the prefix"
fi
pc=$(find "$prefix" -name tmlrt.pc)
[ -n "$pc" ] || die "no tmlrt.pc was installed"
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
libdir=$(pkg-config --variable=libdir tmlrt)
libdir=$(cd "$libdir" && pwd)

built=0
# try PROGRAM shared|static: runs it and looks at what it links.
try() {
    local needs=no
    LD_LIBRARY_PATH=$libdir "$1" >"$work/out" || die "$(basename "$1") fails: $(cat "$work/out")"
    if readelf -d "$1" | grep 'NEEDED.*libtmlrt\.so\.' >/dev/null; then needs=yes; fi
    [ "$2-$needs" = shared-yes ] || [ "$2-$needs" = static-no ] ||
        die "$(basename "$1") is $2, but needs libtmlrt.so: $needs"
    built=$((built + 1))
    echo "consumer: $(basename "$1"): $(cat "$work/out")"
}

# by_pkg_config NAME COMPILER...
by_pkg_config() {
    local name=$1 cflags libs static_libs
    shift
    read -ra cflags <<<"$(pkg-config --cflags tmlrt)"
    read -ra libs <<<"$(pkg-config --libs tmlrt)"
    # Both forms are in one folder: -l: names the archive.
    read -ra static_libs <<<"$(pkg-config --static --libs tmlrt)"
    static_libs=("${static_libs[@]/#-ltmlrt/-l:libtmlrt.a}")
    set -- "$@" -Wall -Wextra -Werror -pedantic-errors "${cflags[@]}" "$work/source/main.c" -x none
    "$@" -o "$work/pc_shared_$name" "${libs[@]}"
    "$@" -o "$work/pc_static_$name" "${static_libs[@]}"
    try "$work/pc_shared_$name" shared
    try "$work/pc_static_$name" static
}
by_pkg_config c gcc -std=c11
by_pkg_config cxx g++ -x c++ -std=c++17

cmake -S "$work/source" -B "$work/cmake" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
    >"$work/cmake.log" 2>&1 || { cat "$work/cmake.log" && exit 1; }
cmake --build "$work/cmake" >"$work/cmake.log" 2>&1 || { cat "$work/cmake.log" && exit 1; }
for language in c cxx; do
    try "$work/cmake/tmlrt_$language" shared
    try "$work/cmake/tmlrt_static_$language" static
done
[ $built = 8 ] || die "$built programs instead of 8"
