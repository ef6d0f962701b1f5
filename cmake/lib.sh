# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Sourced by dev, .ci/run and the checks: messages, missing packages, builds.
# Sets ROOT (the tree) and BUILD (where everything is built).

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${TMLRT_BUILD_ROOT:-$ROOT/build}
JOBS=${TMLRT_JOBS:-$(nproc 2>/dev/null || echo 2)}

say() { printf '==> %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# Is what a Debian package brings here, from whatever source?
have_package() {
    case $1 in
    cmake | gcc | g++ | clang | clang-format | valgrind | python3 | curl | wrk | strace | spin)
        command -v "$1" >/dev/null ;;
    libc6-dev) [ -e /usr/include/stdio.h ] ;;
    ninja-build) command -v ninja >/dev/null ;;
    pkg-config) command -v pkg-config >/dev/null ;;
    binutils) command -v nm >/dev/null && command -v readelf >/dev/null ;;
    llvm) compgen -c llvm-symbolizer >/dev/null ;;
    abigail-tools) command -v abidw >/dev/null && command -v abidiff >/dev/null ;;
    gcc-mingw-w64-x86-64-posix) command -v x86_64-w64-mingw32-gcc >/dev/null ;;
    g++-mingw-w64-x86-64-posix) command -v x86_64-w64-mingw32-g++ >/dev/null ;;
    libcmocka-dev) [ -e /usr/include/cmocka.h ] ;;
    relacy-dev) [ -d /usr/include/relacy ] ;;
    libhttp-parser-dev) [ -e /usr/include/http_parser.h ] ;;
    libclang-rt-*-dev | libclang-common-*-dev) clang_has_sanitizers ;;
    *) dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed ;;
    esac
}

clang_has_sanitizers() {
    command -v clang >/dev/null || return 1
    local file
    file=$(clang -print-file-name=libclang_rt.tsan-"$(uname -m)".a)
    [ -e "$file" ] || [ -e "$(clang -print-runtime-dir)/libclang_rt.tsan.a" ]
}

# The package with the sanitizers of the clang that is here: its name has the
# version, and older releases have it under another name.
clang_rt_package() {
    local version name
    version=$(clang -dumpversion | cut -d. -f1)
    name=libclang-rt-$version-dev
    if command -v apt-cache >/dev/null && ! apt-cache show "$name" >/dev/null 2>&1; then
        update_lists
        apt-cache show "$name" >/dev/null 2>&1 || name=libclang-common-$version-dev
    fi
    echo "$name"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root or sudo for: $*"
    fi
}

lists_updated=no
update_lists() {
    [ $lists_updated = yes ] && return
    say "apt-get update"
    as_root apt-get update -qq >&2 || die "apt-get update failed"
    lists_updated=yes
}

# need PACKAGE...: installs those that are missing.
need() {
    local package missing=()
    for package in "$@"; do
        have_package "$package" || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    if ! command -v apt-get >/dev/null; then
        die "these are missing, and there is no apt-get to install them (Debian's names):" \
            "${missing[*]}"
    fi
    update_lists
    say "installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >&2 || die "apt-get could not install: ${missing[*]}"
}

need_build() { need cmake ninja-build gcc libc6-dev pkg-config libhttp-parser-dev libpq-dev; }
need_test() {
    need_build
    need libcmocka-dev python3 curl wrk strace gdb
}
need_clang() {
    need clang libc6-dev llvm
    need "$(clang_rt_package)"
}

# build_tree NAME CMAKE-ARGUMENT...: configures build/NAME and builds it.
build_tree() {
    local name=$1 dir=$BUILD/$1 log
    shift
    mkdir -p "$dir"
    log=$dir/configure.log
    say "building $name"
    if ! cmake -S "$ROOT" -B "$dir" -G Ninja -DTMLRT_WERROR=ON "$@" >"$log" 2>&1; then
        cat "$log" >&2
        die "CMake could not configure $name"
    fi
    # A terminal shows the progress; a log wants only what went wrong.
    if [ -t 2 ]; then
        cmake --build "$dir" -j "$JOBS" >&2 || die "$name does not build"
    elif ! cmake --build "$dir" -j "$JOBS" -- -k 20 >"$dir/build.log" 2>&1; then
        grep -vE '^\[[0-9]+/[0-9]+\] ' "$dir/build.log" >&2 || true
        die "$name does not build"
    fi
}

# The tree that is installed, shown and measured.
build_release() {
    need_build
    build_tree release -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTMLRT_BUILD_TESTS=OFF \
        -DTMLRT_BUILD_EXAMPLES=ON
}

# run_tests NAME CTEST-ARGUMENT...
run_tests() {
    local dir=$BUILD/$1
    shift
    ctest --test-dir "$dir" --output-on-failure --no-tests=error --no-label-summary "$@"
}
