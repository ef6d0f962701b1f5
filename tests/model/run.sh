#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh - checks the lock-free code under Relacy and SPIN, clean and with seeded bugs.
#
#   run.sh SRC_DIR BUILD_DIR [ITERATIONS]
#
# First check_tags.py: every tag of the sources is in a model or in exceptions.txt.
# Then every model_<name>.cpp beside this script is built with the sources of
# SRC_DIR that its line "// sources: a.c b.c" names (and the flags of a line
# "// defines:"), and must pass; and each line of seeds.txt is applied to a copy of
# the sources, and its model must fail there. Every <name>.pml must hold its ltl
# property in all states, and must not with each -DSEED_* that its head lists.
# A new model needs a file, and lines in seeds.txt; nothing here changes.
#
# Jobs run two at a time (MODEL_JOBS). Exit: 0 all as it should be; 1 a clean model
# failed, a seed was missed, changed nothing or did not build, or there is no SPIN;
# 77 no Relacy here. MODEL_ONLY=<name> runs one model. Runs longer than
# MODEL_TIMEOUT seconds (120) count as failed.
# shellcheck disable=SC2013,SC2086,SC2317
set -u

here=$(cd "$(dirname "$0")" && pwd)
cxx=${CXX:-g++}
cc=${CC:-cc}
# -fno-lifetime-dse: else gcc drops the mark by which Relacy knows an atomic that was destroyed.
flags="-std=c++03 -fpermissive -w -O1 -fno-lifetime-dse -DTMLRT_MODEL"
limit=${MODEL_TIMEOUT:-120}

# ---- one job: run.sh --job KIND ARGUMENT..., its result is one line in BUILD/result ----

# compile NAME FILE OBJECT SRC: with the flags of the model, the headers of SRC.
compile() {
    defines=$(sed -n 's|^// defines:||p' "$here/model_$1.cpp")
    $cxx $flags $defines -include "$MODEL_BUILD/model_env.h" -I"$4" -I"$here" \
        -I"$MODEL_SRC/../include" -x c++ -c "$2" -o "$3"
}

# build_model NAME SRC FOLDER [CHANGED]: builds FOLDER/model against a source folder. With CHANGED
# only that file is compiled; the other objects are those of the clean model.
build_model() {
    mkdir -p "$3"
    objects=
    for f in "$here/model_$1.cpp" $(sed -n 's|^// sources:||p' "$here/model_$1.cpp"); do
        object=$(basename "$f").o
        case $f in /*) ;; *) f=$2/$f ;; esac
        if [ -n "${4:-}" ] && [ "$f" != "$2/$4" ]; then
            object=$MODEL_BUILD/clean_$1/$object
        else
            object=$3/$object
            compile "$1" "$f" "$object" "$2" || return 1
        fi
        objects="$objects $object"
    done
    $cxx -o "$3/model" $objects
}

# run_timed COMMAND...: sets result (its exit status) and seconds.
run_timed() {
    started=$(date +%s.%N)
    timeout "$limit" "$@"
    result=$?
    seconds=$(echo "$started $(date +%s.%N)" | awk '{printf "%.2f", $2 - $1}')
}

# tell ORDER BAD LINE: the line goes into the table at its place.
tell() {
    printf '%s\n' "$3" >"$MODEL_BUILD/result/$1.$2"
}

# row NAME ITERATIONS SECONDS RESULT
row() { printf '%-14s %10s %8s  %s' "$1" "$2" "$3" "$4"; }

# seed_row TAG MODEL RESULT SECONDS WHAT
seed_row() { printf '%-8s %-12s %-10s %8s  %s' "$1" "$2" "$3" "$4" "$5"; }

job_model() {
    order=$1 name=$2 exe=$MODEL_BUILD/clean_$2/model
    mkdir -p "$MODEL_BUILD/clean_$2"
    if ! build_model "$name" "$MODEL_SRC" "$MODEL_BUILD/clean_$2" >"$exe.log" 2>&1; then
        tell "$order" bad "$(row "$name" - - "DOES NOT BUILD, see $exe.log")"
        return
    fi
    run_timed "$exe" "$MODEL_ITERATIONS" >"$exe.out" 2>&1
    total=$(awk '/^iterations:/ { n += $2 } END { print n + 0 }' "$exe.out")
    if [ $result -eq 0 ]; then
        tell "$order" ok "$(row "$name" "$total" "$seconds" clean)"
    else
        tell "$order" bad "$(row "$name" - "$seconds" "FAILED ($result), see $exe.out")"
    fi
}

job_seed() {
    order=$1 line=$(sed -n "$2p" "$here/seeds.txt")
    tag=$(echo "$line" | awk -F ' :: ' '{print $1}')
    file=$(echo "$line" | awk -F ' :: ' '{print $2}')
    name=$(echo "$line" | awk -F ' :: ' '{print $3}')
    what=$(echo "$line" | awk -F ' :: ' '{print $5}')
    copy=$MODEL_BUILD/seed_$2
    rm -rf "$copy"
    mkdir -p "$copy/reactor"
    cp "$MODEL_SRC"/*.h "$MODEL_SRC"/*.c "$copy"
    cp "$MODEL_SRC"/reactor/*.h "$MODEL_SRC"/reactor/*.c "$copy/reactor"
    printf '%s\n' "$line" | awk -F ' :: ' '{print $4}' >"$copy/seed.sed"
    sed -f "$copy/seed.sed" "$MODEL_SRC/$file" >"$copy/$file"
    seconds=- changed=
    case " $(sed -n 's|^// sources:||p' "$here/model_$name.cpp" 2>/dev/null) " in
    *" $file "*) changed=$file ;;
    esac
    if cmp -s "$MODEL_SRC/$file" "$copy/$file"; then
        verdict='NO CHANGE'
    elif [ "$name" = none ]; then
        verdict=unjudged
    elif ! build_model "$name" "$copy" "$copy/out" "$changed" >"$copy/model.log" 2>&1; then
        verdict='NO BUILD'
    else
        run_timed "$copy/out/model" "$MODEL_ITERATIONS" >"$copy/model.out" 2>&1
        case $result in
        0) verdict='NOT FOUND' ;;
        124) verdict='TIMEOUT' ;;
        *) verdict=found ;;
        esac
    fi
    case $verdict in
    found | unjudged) tell "$order" ok "$(seed_row "$tag" "$name" "$verdict" "$seconds" "$what")" ;;
    *) tell "$order" bad "$(seed_row "$tag" "$name" "$verdict" "$seconds" "$what")" ;;
    esac
    rm -rf "$copy/reactor" "$copy/out" "$copy"/*.c "$copy"/*.h
}

# check_pml NAME FOLDER DEFINE: 0 the property holds, 1 it does not, 2 it does not build.
check_pml() {
    rm -rf "$2"
    mkdir -p "$2"
    (
        cd "$2" || exit 2
        spin $3 -a "$here/$1.pml" >spin.log 2>&1 || exit 2
        $cc -O2 -w -DNFAIR=6 -DMEMLIM=2000 -o pan pan.c >>spin.log 2>&1 || exit 2
        timeout "$limit" ./pan -a -f -m100000 >pan.out 2>&1
        grep -q 'errors: 0$' pan.out && ! grep -qE 'max search depth too small|out of memory' pan.out
    )
}

job_pml() {
    order=$1 name=$2 define=$3
    folder=$MODEL_BUILD/pml_$name$define
    run_started=$(date +%s.%N)
    check_pml "$name" "$folder" "$define"
    result=$?
    seconds=$(echo "$run_started $(date +%s.%N)" | awk '{printf "%.2f", $2 - $1}')
    if [ -z "$define" ]; then
        states=$(awk '/states, stored/ { print $1; exit }' "$folder/pan.out" 2>/dev/null)
        if [ $result -eq 0 ]; then
            tell "$order" ok "$(row "$name.pml" "$states" "$seconds" 'clean (states)')"
        else
            tell "$order" bad "$(row "$name.pml" - "$seconds" "FAILED, see $folder")"
        fi
        return
    fi
    what=$(sed -n "s|^ \* *$define  *||p" "$here/$name.pml")
    if [ $result -eq 1 ] && grep -qE 'errors: [1-9]' "$folder/pan.out"; then
        tell "$order" ok "$(seed_row SPIN "$name" found "$seconds" "$what")"
    else
        tell "$order" bad "$(seed_row SPIN "$name" 'NOT FOUND' "$seconds" "$what")"
    fi
}

if [ "${1:-}" = --job ]; then
    kind=$2
    shift 2
    "job_$kind" "$@"
    exit 0
fi

# ---- the whole ----

[ $# -ge 2 ] || { echo "usage: run.sh SRC_DIR BUILD_DIR [ITERATIONS]" >&2; exit 2; }
MODEL_SRC=$(cd "$1" && pwd)
mkdir -p "$2"
MODEL_BUILD=$(cd "$2" && pwd)
MODEL_ITERATIONS=${3:-20000}
export MODEL_SRC MODEL_BUILD MODEL_ITERATIONS
only=${MODEL_ONLY:-}
bad=0

echo '#include <relacy/relacy.hpp>' | $cxx -std=c++03 -fpermissive -w -fsyntax-only -x c++ - 2>/dev/null || {
    echo "skipped: no Relacy (Debian: relacy-dev)"
    exit 77
}

python3 "$here/check_tags.py" "$MODEL_SRC" || bad=1

rm -rf "$MODEL_BUILD/result"
mkdir -p "$MODEL_BUILD/result"
cp "$here/model_env.h" "$MODEL_BUILD"
$cxx $flags -x c++-header "$MODEL_BUILD/model_env.h" -o "$MODEL_BUILD/model_env.h.gch" || exit 1

wanted() { [ -z "$only" ] || [ "$only" = "$1" ]; }

# The jobs, one a line, each with its place in the tables: 1xxx clean, 2xxx seeded.
jobs=$MODEL_BUILD/jobs
: >"$jobs"
clean=1000 seeded=2000
if command -v spin >/dev/null; then
    for file in "$here"/*.pml; do
        name=$(basename "$file" .pml)
        wanted "$name" || continue
        clean=$((clean + 1))
        echo "pml $clean $name ''" >>"$jobs"
        for define in $(sed -n 's|^ \* *\(-DSEED_[A-Z_]*\).*|\1|p' "$file"); do
            seeded=$((seeded + 1))
            echo "pml $seeded $name $define" >>"$jobs"
        done
    done
else
    echo "the models in Promela are NOT checked: no SPIN (Debian: spin)"
    bad=1
fi
for file in "$here"/model_*.cpp; do
    name=$(basename "$file" .cpp)
    name=${name#model_}
    wanted "$name" || continue
    clean=$((clean + 1))
    echo "model $clean $name" >>"$jobs"
done
number=0
while IFS= read -r line; do
    number=$((number + 1))
    case $line in '#'* | '') continue ;; esac
    wanted "$(echo "$line" | awk -F ' :: ' '{print $3}')" || continue
    seeded=$((seeded + 1))
    echo "seed $seeded $number" >>"$jobs"
done <"$here/seeds.txt"

# The clean ones first: the seeded ones link with their objects.
for kind in 1 2; do
    grep -E "^[a-z]+ $kind" "$jobs" | xargs -r -P "${MODEL_JOBS:-2}" -L 1 "$here/run.sh" --job || bad=1
done

# results FIRST-DIGIT
results() {
    for file in "$MODEL_BUILD"/result/"$1"*; do
        [ -e "$file" ] || continue
        cat "$file"
        case $file in *.bad) bad=1 ;; esac
    done
}

row model iterations seconds result
echo
results 1
echo
seed_row tag model result seconds 'seeded bug'
echo
results 2
[ "$(find "$MODEL_BUILD/result" -type f | wc -l)" -eq "$(wc -l <"$jobs")" ] || {
    echo "some jobs gave no result"
    bad=1
}
exit $bad
