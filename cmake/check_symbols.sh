#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# check_symbols.sh LIBTMLRT.SO LIBTMLRT.A
# The shared library shows what the headers declare and nothing else, needs
# libc only, has the right SONAME and no executable stack; the archive has no
# extern symbol without the prefix.
set -euo pipefail
shopt -s lastpipe # the last part of a pipe may set failed
# shellcheck source=cmake/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# = 2 ] || die "usage: check_symbols.sh LIBTMLRT.SO LIBTMLRT.A"
shared=$1 static=$2 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bad() {
    printf 'symbols: %s:\n' "$1"
    sed 's/^/    /'
    failed=1
}
# quiet TEXT: what stands on standard input is wrong; nothing there is right.
quiet() {
    local text
    text=$(cat)
    [ -z "$text" ] || bad "$1" <<<"$text"
}

nm -D --defined-only "$shared" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    sort -u >"$work/exported"
{ grep -vE '^(tmlrt|tml)_[a-z]' "$work/exported" || true; } | quiet "exported, but not the API's"
# Names of TML's own primitives of the operating system.
{ grep -E '^tml_(mutex|rwlock|condvar|thread)_' "$work/exported" || true; } | quiet "TML's own name"
nm -g --defined-only "$static" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u |
    { grep -vE '^(tmlrt_|tml_[a-z])' || true; } | quiet "extern without the prefix in $(basename "$static")"

python3 - "$ROOT/include" >"$work/declared" <<'END'
import pathlib, re, sys
names = set()
for header in pathlib.Path(sys.argv[1]).rglob("*.h"):
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", header.read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*", " ", text, flags=re.M)
    for declaration in re.findall(r"\bTMLRT_API\b([^;{]*)", text):
        name = re.search(r"\b((?:tmlrt|tml)_\w+)\s*[(\[]", declaration + "(")
        if name:
            names.add(name.group(1))
print("\n".join(sorted(names)))
END
LC_ALL=C sort -u -o "$work/declared" "$work/declared"
LC_ALL=C sort -u -o "$work/exported" "$work/exported"
LC_ALL=C comm -23 "$work/declared" "$work/exported" | quiet "declared in include/, but not exported"
LC_ALL=C comm -13 "$work/declared" "$work/exported" | quiet "exported, but declared in no public header"

dynamic=$(readelf -dW "$shared")
soname=$(sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p' <<<"$dynamic")
[[ $soname == libtmlrt.so.[0-9]* ]] || bad "the SONAME" <<<"$soname"
sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic" |
    { grep -vE '^(libc\.so\.|libc\.musl|libpthread\.so\.|ld-linux)' || true; } |
    quiet "needed besides libc"
readelf -lW "$shared" | { grep 'GNU_STACK.*RWE' || true; } | quiet "an executable stack"
# Else a program that is linked with -flto merges waits into its fibers (cmake/library.cmake).
readelf -SW "$static" 2>/dev/null | { grep -o '\.gnu\.lto_[^. ]*' || true; } | sort -u |
    quiet "code for link-time optimisation in $(basename "$static")"
sed -n '/TEXTREL/p' <<<"$dynamic" | quiet "relocations in the code"

# Each drop-in symbol has a test.
{ grep '^tml_' "$work/exported" || true; } | while read -r name; do
    grep -qE "\\b$name\\b *\\(" "$ROOT"/tests/api_tml_*.c || echo "$name"
done | quiet "in no test (tests/api_tml_*.c)"

echo "symbols: $(wc -l <"$work/exported") exported, SONAME $soname"
exit $failed
