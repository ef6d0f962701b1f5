# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Sourced after lib.sh by the checks that build for another machine or another C
# library: cmocka for it, and the counts of a test run.

# The source of cmocka, from Debian's or Ubuntu's own source package, unpacked
# once in build/cmocka/source. The machine's lists of packages are not touched:
# those of the sources are kept in the build folder.
cmocka_source() {
    local dir=$BUILD/cmocka file lists=() got
    [ ! -e "$dir/source/CMakeLists.txt" ] || return 0
    command -v apt-get >/dev/null ||
        die "needs the source of cmocka in $dir/source, and there is no apt-get to fetch it"
    need xz-utils
    rm -rf "$dir/apt" "$dir/source"
    mkdir -p "$dir/apt/sources" "$dir/apt/lists/partial" "$dir/source"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        [ -e "$file" ] || continue
        grep -qE 'debian\.org|ubuntu\.com' "$file" || continue
        sed -E 's/^Types:.*/Types: deb-src/; s/^deb /deb-src /' "$file" \
            >"$dir/apt/sources/$(basename "$file")"
    done
    lists=(-o "Dir::Etc::sourcelist=-" -o "Dir::Etc::sourceparts=$dir/apt/sources"
        -o "Dir::State::lists=$dir/apt/lists" -o "Dir::Cache=$dir/apt" -o "APT::Sandbox::User=root")
    say "fetching the source of cmocka"
    apt-get "${lists[@]}" update -qq >&2 || die "cannot read the lists of source packages"
    (cd "$dir/apt" && apt-get "${lists[@]}" source -qq --download-only cmocka >&2) ||
        die "cannot fetch the source package of cmocka"
    got=$(find "$dir/apt" -maxdepth 1 -name 'cmocka_*.orig.tar.*' | head -n 1)
    [ -n "$got" ] || die "the source package of cmocka has no .orig.tar"
    tar -xf "$got" -C "$dir/source" --strip-components=1
    rm -rf "$dir/apt"
}

# cross_cmocka NAME CMAKE-ARGUMENT...: compiles it for the toolchain of the
# arguments, in build/cmocka/NAME, and prints the arguments that make the tests'
# build find it. It is one object file, which is linked as it is.
cross_cmocka() {
    local name=$1 dir=$BUILD/cmocka/$1 object=src/CMakeFiles/cmocka.dir/cmocka.c.o
    shift
    if [ ! -e "$dir/$object" ]; then
        cmocka_source
        mkdir -p "$dir"
        say "building cmocka for $name"
        if ! { cmake -S "$BUILD/cmocka/source" -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=Release \
            -DUNIT_TESTING=OFF -DWITH_EXAMPLES=OFF -DCMAKE_POLICY_VERSION_MINIMUM=3.5 "$@" &&
            cmake --build "$dir" --target "$object"; } >"$dir/build.log" 2>&1; then
            cat "$dir/build.log" >&2
            die "cmocka does not build for $name"
        fi
    fi
    printf '%s\n' "-DCMOCKA_INCLUDE_DIR=$BUILD/cmocka/source/include" "-DCMOCKA_LIBRARY=$dir/$object"
}

# cross_counts NAME CTEST-ARGUMENT...: runs the tests of build/NAME and prints how
# many programs passed, failed and were skipped, and why; and the same of the
# cases inside of them. Status as ctest's.
cross_counts() {
    local name=$1 dir=$BUILD/$1 status=0 log=$BUILD/$1/tests.log
    shift
    ctest --test-dir "$dir" --output-on-failure --no-tests=error --no-label-summary \
        --output-junit "$dir/tests.xml" \
        --test-output-size-passed 10000000 "$@" >"$log" 2>&1 || status=$?
    [ $status = 0 ] || cat "$log" >&2
    python3 "$ROOT/cmake/count_tests.py" "$name" "$dir/tests.xml"
    return $status
}

# ---- toolchains: each prints CMake's arguments, one a line ---------------------

# Nothing of this machine's own libraries is found.
cross_common() {
    printf '%s\n' -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY \
        -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY "-DCMAKE_FIND_ROOT_PATH=$1"
}

cross_aarch64() {
    cross_common /usr/aarch64-linux-gnu
    printf '%s\n' -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
        -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc
}

# The 32-bit libraries of this machine's own compiler; the kernel's headers are those of 64 bits.
cross_i386() {
    local flags="-m32 -march=i686 -msse2 -mfpmath=sse -Wno-psabi -idirafter /usr/include/x86_64-linux-gnu"
    cross_common "$BUILD/i386"
    printf '%s\n' -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=i686 -DCMAKE_C_COMPILER=gcc-12 \
        "-DCMAKE_C_FLAGS=$flags" "-DCMAKE_ASM_FLAGS=$flags"
}

# musl's headers first; the kernel's are where glibc's are.
cross_musl() {
    local flags
    flags="-idirafter /usr/include -idirafter /usr/include/$(uname -m)-linux-gnu"
    cross_common "$BUILD/musl"
    printf '%s\n' -DCMAKE_SYSTEM_NAME=Linux "-DCMAKE_SYSTEM_PROCESSOR=$(uname -m)" \
        -DCMAKE_C_COMPILER=musl-gcc "-DCMAKE_C_FLAGS=$flags" "-DCMAKE_ASM_FLAGS=$flags"
}

# cross_build NAME CMAKE-ARGUMENT...: the tree for the toolchain cross_NAME, with cmocka for it.
cross_build() {
    local name=$1 text toolchain cmocka
    shift
    text=$("cross_$name")
    mapfile -t toolchain <<<"$text"
    text=$(cross_cmocka "$name" "${toolchain[@]}")
    mapfile -t cmocka <<<"$text"
    build_tree "$name" "${toolchain[@]}" "${cmocka[@]}" "$@"
}

# The marks that BTI and PAC hold: in every object of the library, for the linker asks all of them.
cross_check_marks() {
    local file bad=0
    while IFS= read -r file; do
        aarch64-linux-gnu-readelf -n "$file" 2>/dev/null | grep -q 'BTI, PAC' && continue
        echo "no mark of BTI and PAC: $file" >&2
        bad=1
    done < <(find "$BUILD/aarch64/CMakeFiles/tmlrt_objects.dir" -name '*.o')
    return $bad
}

# ---- zig: a C compiler with the headers and libraries of macOS and the BSDs --------

# In a virtual environment of the build folder; nothing of it runs but the compiler.
cross_zig_install() {
    local dir=$BUILD/zig
    export TMLRT_ZIG=$dir/venv/bin/python ZIG_GLOBAL_CACHE_DIR=$dir/cache ZIG_LOCAL_CACHE_DIR=$dir/cache
    [ ! -e "$dir/done" ] || return 0
    need python3 python3-venv
    say "installing ziglang"
    python3 -m venv "$dir/venv" >&2 || die "python3 -m venv does not work"
    "$TMLRT_ZIG" -m pip install -q --disable-pip-version-check 'ziglang>=0.16' >&2 ||
        die "pip cannot install ziglang"
    touch "$dir/done"
}

# cross_zig TARGET SYSTEM PROCESSOR: CMake's arguments for it. The tools are programs of their own
# there, so each target has some in build/zig.
cross_zig() {
    local target=$1 dir=$BUILD/zig/$1 tool
    mkdir -p "$dir"
    for tool in cc ar ranlib; do
        printf '#!/bin/sh\nexec bash "%s" %s %s "$@"\n' "$ROOT/cmake/zig.sh" "$target" $tool >"$dir/$tool"
        chmod +x "$dir/$tool"
    done
    cross_common "$dir"
    printf '%s\n' "-DCMAKE_SYSTEM_NAME=$2" "-DCMAKE_SYSTEM_PROCESSOR=$3" \
        "-DCMAKE_C_COMPILER=$dir/cc" "-DCMAKE_ASM_COMPILER=$dir/cc" \
        "-DCMAKE_AR=$dir/ar" "-DCMAKE_RANLIB=$dir/ranlib" \
        -DCMAKE_INSTALL_NAME_TOOL=/bin/true -DCMAKE_SKIP_RPATH=ON -DCMAKE_C_COMPILER_WORKS=ON
    [ "$2" != Darwin ] || printf '%s\n' -DCMAKE_OSX_SYSROOT= -DCMAKE_OSX_DEPLOYMENT_TARGET=
}

# The oldest systems that are meant: what is newer must be looked for at run time.
cross_macos_arm64() { cross_zig aarch64-macos.11.0 Darwin arm64; }
cross_macos_x86_64() { cross_zig x86_64-macos.10.15 Darwin x86_64; }
cross_freebsd() { cross_zig x86_64-freebsd FreeBSD amd64; }
cross_netbsd() { cross_zig x86_64-netbsd NetBSD amd64; }
cross_openbsd() { cross_zig x86_64-openbsd OpenBSD amd64; }
