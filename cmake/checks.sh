#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# ./dev check: runs the steps, each in a process of its own with a time limit,
# goes on after a failure, and ends with a table.
#
#   checks.sh [STEP...]     all steps, or the named ones
#   checks.sh --list        their names
#   checks.sh --step STEP   one step in this process, without limit or table
#
# A step is a function step_NAME; status 77 means that it has nothing to check.
set -euo pipefail
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Name, time limit in seconds, title; the quick ones first.
STEPS='
format       60 the layout of the sources (clang-format)
layers       60 who includes whom
seam         60 every system call and allocation passes the fault seam
scripts      60 the scripts (shellcheck, where it is installed)
headers     180 each public header alone: gcc, clang, g++
clangcl     300 the sources as the compilers of MSVC would read them; nothing is linked or run
windows    1200 Windows: public headers alone; build by mingw; tests under Wine; an outside program
gcc         600 gcc, optimised and not, warnings as errors
symbols     300 what the library shows, needs and allows
abi         300 the ABI against the committed baseline
consumer    300 an outside program: pkg-config, CMake, C11, C++17, shared, static
codegen     300 what is made for code generators: up to date, and compiles for each target
irarm64     600 layouts and programs in LLVM IR on AArch64, emulated
irwin64     600 the same as a DLL under Wine, where the Windows port is
clang       900 clang: build and tests
asan       1200 AddressSanitizer, LeakSanitizer and UBSan: tests
tsan       1200 ThreadSanitizer: tests
aarch64    1500 AArch64 under emulation: tests
i386        600 32 bits: tests
musl        600 musl instead of glibc: tests
macos       900 macOS arm64 and x86-64, built and linked, not run
bsd         900 FreeBSD and OpenBSD built and linked, of NetBSD the library; not run
kqueue      600 the kqueue backend on Linux, over a shim: tests
models      600 the weak-memory models
fuzz        400 each fuzzer for a few seconds (clang, libFuzzer)
valgrind   1500 memcheck: tests'

sanitizer_scale=4
thread_scale=8
valgrind_scale=20

step_format() { bash "$ROOT/cmake/check_format.sh"; }

step_layers() {
    need python3
    python3 "$ROOT/cmake/check_layers.py" --self-test
    python3 "$ROOT/cmake/check_layers.py" "$ROOT"
}

step_seam() {
    need python3
    python3 "$ROOT/cmake/check_seam.py" "$ROOT"
}

step_scripts() {
    command -v shellcheck >/dev/null || return 77
    local folders=(.ci cmake) folder
    cd "$ROOT"
    for folder in tests bench examples; do
        [ ! -d $folder ] || folders+=("$folder")
    done
    find dev "${folders[@]}" -type f \( -name dev -o -name run -o -name '*.sh' \) -print0 |
        xargs -0 shellcheck -x
}

step_headers() { bash "$ROOT/cmake/check_headers.sh"; }
step_windows() {
    bash "$ROOT/cmake/check_headers.sh" --windows
    bash "$ROOT/cmake/check_windows.sh"
}

step_clangcl() { bash "$ROOT/cmake/check_clangcl.sh"; }

step_gcc() {
    need_test
    build_tree gcc-release -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release
    build_tree gcc-debug -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug
}

step_symbols() {
    need binutils python3
    build_release
    bash "$ROOT/cmake/check_symbols.sh" "$BUILD/release/libtmlrt.so" "$BUILD/release/libtmlrt.a"
}

step_codegen() { bash "$ROOT/cmake/check_codegen.sh"; }
step_irwin64() { bash "$ROOT/cmake/check_codegen.sh" --windows; }
step_irarm64() { bash "$ROOT/cmake/check_codegen.sh" --aarch64; }
step_abi() { bash "$ROOT/cmake/check_abi.sh"; }
step_consumer() { bash "$ROOT/cmake/check_consumer.sh"; }

step_clang() {
    need_test
    need clang
    build_tree clang -DCMAKE_C_COMPILER=clang
    run_tests clang -j2
}

step_asan() {
    need_test
    need_clang
    build_tree asan -DCMAKE_C_COMPILER=clang -DTMLRT_SANITIZE=address,undefined \
        -DTMLRT_TEST_TIMEOUT=300
    TMLRT_TEST_SCALE=${TMLRT_TEST_SCALE:-$sanitizer_scale} run_tests asan -j2
}

# Thread sanitizers of older compilers stop at once where addresses are too
# random; setarch -R gives the process fixed ones.
tsan_launcher() {
    local dir
    dir=$(mktemp -d)
    echo 'int main(void) { return 0; }' >"$dir/probe.c"
    clang -fsanitize=thread -o "$dir/probe" "$dir/probe.c"
    local try failed=0
    for try in 1 2 3 4 5 6 7 8; do
        "$dir/probe" >/dev/null 2>&1 || failed=$try
    done
    if [ $failed != 0 ]; then
        setarch -R "$dir/probe" >/dev/null 2>&1 ||
            die "a program with ThreadSanitizer does not start here, not with setarch -R either"
        echo "setarch -R"
    fi
    rm -rf "$dir"
}

step_tsan() {
    need_test
    need_clang
    local launcher
    launcher=$(tsan_launcher)
    build_tree tsan -DCMAKE_C_COMPILER=clang -DTMLRT_SANITIZE=thread -DTMLRT_TEST_TIMEOUT=300
    # shellcheck disable=SC2086
    TMLRT_TEST_SCALE=${TMLRT_TEST_SCALE:-$thread_scale} $launcher \
        ctest --test-dir "$BUILD/tsan" --output-on-failure --no-tests=error --no-label-summary -j2
}

step_valgrind() {
    need_test
    need valgrind
    local launcher="valgrind;--quiet;--fair-sched=yes;--error-exitcode=99;--leak-check=full"
    launcher+=";--errors-for-leak-kinds=definite,indirect;--show-leak-kinds=definite,indirect"
    [ ! -e "$ROOT/tests/valgrind.supp" ] || launcher+=";--suppressions=$ROOT/tests/valgrind.supp"
    build_tree valgrind -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTMLRT_TEST_TIMEOUT=300 \
        -DTMLRT_BUILD_EXAMPLES=OFF "-DTMLRT_TEST_LAUNCHER=$launcher"
    # A forked child frees nothing of its parent's, by contract, and memcheck calls that a leak:
    # tests that fork are left to the sanitizers.
    local forking
    forking=$(cd "$ROOT/tests" && grep -lE '\bfork\(\)' ./*.c | sed 's|^\./||; s|\.c$||' | paste -sd '|')
    say "left to the sanitizers, since they fork: $forking"
    TMLRT_TEST_SLOW=1 TMLRT_TEST_SCALE=${TMLRT_TEST_SCALE:-$valgrind_scale} \
        run_tests valgrind -j2 -R '^(test|api|conformance)_' -E "^($forking)\$"
}

step_models() {
    local script=$ROOT/tests/model/run.sh
    [ -e "$script" ] || return 77
    need g++ relacy-dev spin python3
    mkdir -p "$BUILD/model"
    bash "$script" "$ROOT/src" "$BUILD/model" "${TMLRT_MODEL_ITERATIONS:-20000}"
}

step_fuzz() { bash "$ROOT/tests/fuzz/run.sh" "$BUILD/fuzz" "${TMLRT_FUZZ_SECONDS:-5}"; }
# The emulator has no io_uring and no weak memory order: this judges code generation, the system
# calls' forms and the context switch. Orders are judged by the models.
step_aarch64() {
    # shellcheck source=cmake/cross.sh
    . "$ROOT/cmake/cross.sh"
    need cmake ninja-build python3 gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
    local launcher="qemu-aarch64-static;-L;/usr/aarch64-linux-gnu"
    cross_build aarch64 -DTMLRT_TEST_TIMEOUT=300 "-DTMLRT_TEST_LAUNCHER=$launcher"
    cross_check_marks
    TMLRT_TEST_SLOW=1 TMLRT_TEST_EMULATED=1 TMLRT_TEST_SCALE=${TMLRT_TEST_SCALE:-$sanitizer_scale} \
        TMLRT_EXAMPLE_LAUNCHER=${launcher//;/ } cross_counts aarch64 -j2
}

step_i386() {
    # shellcheck source=cmake/cross.sh
    . "$ROOT/cmake/cross.sh"
    # Not gcc-multilib: it would remove the compilers for other machines.
    need cmake ninja-build python3 gcc-12 gcc-12-multilib
    cross_build i386 -DCMAKE_BUILD_TYPE=RelWithDebInfo
    # The layouts that TML's compiler is told of are those of 64 bits.
    say "left out on 32 bits: the tests of TML's drop-in part"
    cross_counts i386 -j2 -E '^(api_tml_|example_tml|test_tml)'
}

step_musl() {
    # shellcheck source=cmake/cross.sh
    . "$ROOT/cmake/cross.sh"
    need cmake ninja-build python3 musl-tools
    cross_build musl -DCMAKE_BUILD_TYPE=RelWithDebInfo
    say "left out with musl: example_tml, which links with the compiler of glibc"
    cross_counts musl -j2 -E '^example_tml$'
}

# Library, tests and examples with warnings as errors. What was built: one line each.
built_only() {
    local name=$1
    cross_build "$name" -DCMAKE_BUILD_TYPE=RelWithDebInfo
    printf '%s: %s\n' "$name" "$(find "$BUILD/$name/tests" "$BUILD/$name/examples" -maxdepth 1 \
        -type f | wc -l) programs built and linked, none run"
}

step_macos() {
    # shellcheck source=cmake/cross.sh
    . "$ROOT/cmake/cross.sh"
    need cmake ninja-build
    cross_zig_install
    built_only macos_arm64
    built_only macos_x86_64
}

# The C library that the toolchain has for linking against NetBSD lacks kevent, so only the library
# is linked there.
step_bsd() {
    # shellcheck source=cmake/cross.sh
    . "$ROOT/cmake/cross.sh"
    need cmake ninja-build
    cross_zig_install
    built_only freebsd
    built_only openbsd
    cross_build netbsd -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTMLRT_BUILD_TESTS=OFF \
        -DTMLRT_BUILD_EXAMPLES=OFF
    echo "netbsd: the library built and linked"
}

# What this shows and what it does not: tests/shim/kqueue/sys/event.h.
step_kqueue() {
    # shellcheck source=cmake/cross.sh
    . "$ROOT/cmake/cross.sh"
    need_test
    build_tree kqueue -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTMLRT_KQUEUE_SHIM=ON
    cross_counts kqueue -j2
}

step_names() { awk 'NF { print $1 }' <<<"$STEPS"; }
step_limit() { awk -v n="$1" '$1 == n { print $2 }' <<<"$STEPS"; }
step_title() { awk -v n="$1" '$1 == n { $1 = $2 = ""; sub(/^ +/, ""); print }' <<<"$STEPS"; }

run_all() {
    local name status start result child='' rows=() failed=0 whole=$SECONDS
    trap '[ -z "$child" ] || kill "$child"; exit 130' INT TERM
    for name in "$@"; do
        printf '\n'
        say "[$name] $(step_title "$name")"
        start=$SECONDS status=0
        # In the background, so that an interrupt of this script reaches it.
        timeout -k 10 "$(step_limit "$name")" bash "$0" --step "$name" </dev/null &
        child=$!
        wait $child || status=$?
        case $status in
        0) result=pass ;;
        77) result=skip ;;
        124 | 137) result='FAIL (time limit)' failed=$((failed + 1)) ;;
        *) result="FAIL ($status)" failed=$((failed + 1)) ;;
        esac
        say "[$name] $result, $((SECONDS - start)) s"
        rows+=("$(printf '  %-10s %5d s  %s' "$name" $((SECONDS - start)) "$result")")
    done
    printf '\nchecks, %d s in all:\n' $((SECONDS - whole))
    printf '%s\n' "${rows[@]}"
    if [ $failed != 0 ]; then
        printf 'checks: %d of %d failed\n' $failed $#
        return 1
    fi
    printf 'checks: none of %d failed\n' $#
}

case ${1:-} in
--list)
    step_names | while read -r name; do
        printf '%-10s %s\n' "$name" "$(step_title "$name")"
    done
    ;;
--step) "step_$2" ;;
*)
    if [ $# = 0 ]; then
        mapfile -t names < <(step_names)
        set -- "${names[@]}"
    fi
    for name in "$@"; do
        [ -n "$(step_limit "$name")" ] || die "no such step: $name (see ./dev check --list)"
    done
    run_all "$@"
    ;;
esac
