#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# check_codegen.sh             what is made from the headers is up to date; the declarations and the
#                              programs of examples/tml compile for each target, optimised and not;
#                              the layouts hold for the Windows compiler
# check_codegen.sh --aarch64   the library is cross-built and installed, and the layouts and programs
#                              run on it under user-mode emulation; the server answers clients
# check_codegen.sh --windows   the same as a DLL under Wine
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need clang llvm pkg-config python3

work=$(mktemp -d)
server=
end() {
    [ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap end EXIT

# installed BUILD: into a prefix of its own, where pkg-config finds it from here on.
installed() {
    cmake --install "$1" --prefix "$work/prefix" >"$work/log" 2>&1 ||
        { cat "$work/log" && exit 1; }
    PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name tmlrt.pc)")
    export PKG_CONFIG_PATH
}

compile_all() {
    local target triple file program optimise n=0 opaque=()
    [ "$(clang -dumpversion | cut -d. -f1)" -ge 15 ] || opaque=(-mllvm -opaque-pointers)
    for target in x86_64-linux-gnu x86_64-w64-windows aarch64-linux-gnu; do
        triple=$target
        [ $target != x86_64-w64-windows ] || triple=x86_64-w64-windows-gnu
        for file in tmlrt tml_async; do
            clang --target=$triple -Wno-override-module "${opaque[@]}" -c -o "$work/declared.o" \
                "$work/prefix/include/tmlrt/codegen/$file.$target.ll"
            n=$((n + 1))
        done
        for program in echo_server fan_out drop_in; do
            for optimise in '' -O; do
                # shellcheck disable=SC2086
                bash "$ROOT/examples/tml/build.sh" $program "$work/program.o" $optimise \
                    --target $target
                n=$((n + 1))
            done
        done
    done
    echo "codegen: $n modules compiled for 3 targets"
}

native() {
    build_release
    python3 "$ROOT/cmake/codegen.py" --check "$ROOT"
    installed "$BUILD/release"
    compile_all
    need gcc-mingw-w64-x86-64-posix
    # As assertions of the compiler: nothing to run.
    x86_64-w64-mingw32-gcc -std=c11 -I"$ROOT/include" -I"$ROOT/tests" -DLAYOUT_STATIC \
        -fsyntax-only "$ROOT/tests/api_layout.c"
    echo "codegen: the layouts hold for x86_64-w64-mingw32-gcc"
}

# answers SERVER...: starts it, and clients get their bytes back; leaves it running.
answers() {
    local port i
    : >"$work/out" # the server may begin after the first look
    "$@" 127.0.0.1:0 >"$work/out" 2>&1 &
    server=$!
    for ((i = 0; i < 600; i++)); do
        port=$(tr -d '\r' <"$work/out" | sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p')
        if [ -n "$port" ] || ! kill -0 "$server" 2>/dev/null; then break; fi
        read -rt 0.05 <> <(:) || true
    done
    [ -n "$port" ] || { cat "$work/out" && exit 1; }
    gcc -O2 -pthread -o "$work/load" "$ROOT/bench/net/echo_load.c"
    "$work/load" --port "$port" --connections 50 --seconds 0.5 --warmup 0.2
}

aarch64() {
    need gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
    need_build
    build_tree ir-aarch64 -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
        -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DTMLRT_BUILD_TESTS=OFF -DTMLRT_BUILD_EXAMPLES=OFF
    installed "$BUILD/ir-aarch64"
    local libdir emulator optimise program libs
    libdir=$(cd "$(pkg-config --variable=libdir tmlrt)" && pwd)
    emulator=(qemu-aarch64-static -L /usr/aarch64-linux-gnu -E "LD_LIBRARY_PATH=$libdir")
    read -ra libs <<<"$(pkg-config --cflags --libs tmlrt)"
    aarch64-linux-gnu-gcc -std=c11 -I"$ROOT/tests" -o "$work/layout" "$ROOT/tests/api_layout.c" \
        "${libs[@]}"
    "${emulator[@]}" "$work/layout"
    for optimise in '' -O; do
        for program in fan_out drop_in echo_server; do
            # shellcheck disable=SC2086
            bash "$ROOT/examples/tml/build.sh" $program "$work/program.o" $optimise \
                --target aarch64-linux-gnu -fPIE
            aarch64-linux-gnu-gcc -pie -o "$work/$program" "$work/program.o" "${libs[@]}"
        done
        "${emulator[@]}" "$work/fan_out"
        "${emulator[@]}" "$work/drop_in"
    done
    answers "${emulator[@]}" "$work/echo_server"
    kill -TERM "$server"
    wait "$server"
    server=
    echo "codegen: layouts, fan_out, drop_in and echo_server ran on AArch64, emulated"
}

windows() {
    local toolchain=$ROOT/cmake/mingw.cmake compiler=x86_64-w64-mingw32-gcc-posix optimise program libs
    [ -e "$toolchain" ] || { echo "codegen: skipped: no Windows port here" && exit 77; }
    need gcc-mingw-w64-x86-64-posix wine64 wine
    build_tree ir-windows "-DCMAKE_TOOLCHAIN_FILE=$toolchain" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DTMLRT_BUILD_TESTS=OFF -DTMLRT_BUILD_EXAMPLES=OFF
    installed "$BUILD/ir-windows"
    export WINEPREFIX=$work/wine WINEDEBUG=-all DISPLAY=
    wineboot -i >/dev/null 2>&1
    wine winecfg -v win10 >/dev/null 2>&1
    read -ra libs <<<"$(pkg-config --cflags --libs tmlrt)"
    cp "$work"/prefix/bin/*.dll "$work"
    "$compiler" -std=c11 -I"$ROOT/tests" -o "$work/layout.exe" "$ROOT/tests/api_layout.c" \
        "${libs[@]}"
    wine "$work/layout.exe"
    for optimise in '' -O; do
        for program in fan_out drop_in echo_server; do
            # shellcheck disable=SC2086
            bash "$ROOT/examples/tml/build.sh" $program "$work/program.o" $optimise \
                --target x86_64-w64-windows
            "$compiler" -o "$work/$program.exe" "$work/program.o" "${libs[@]}"
        done
        wine "$work/fan_out.exe"
        wine "$work/drop_in.exe"
    done
    answers wine "$work/echo_server.exe"
    wineserver -k || true
    wait "$server" || true
    server=
    echo "codegen: layouts, fan_out, drop_in and echo_server ran on Windows' ABI, under Wine"
}

case ${1:-} in
--aarch64) aarch64 ;;
--windows) windows ;;
*) native ;;
esac
