#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""coverage.py BUILD SRC: sums what gcov says of all objects of BUILD, for the files of SRC.

The same source is in several objects (the library, its test build): a line counts as reached
when any of them reached it. Writes BUILD/missed.txt.
"""
import json
import pathlib
import subprocess
import sys


def read(build):
    for data in build.rglob("*.gcda"):
        out = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout",
                              str(data)], cwd=build, capture_output=True, check=False).stdout
        for line in out.splitlines():
            if line.strip():
                yield from json.loads(line)["files"]


def main(build, src):
    lines, branches = {}, {}
    for found in read(build):
        path = pathlib.Path(found["file"])
        if src not in path.parents:
            continue
        name = str(path.relative_to(src))
        for line in found["lines"]:
            key = name, line["line_number"]
            lines[key] = lines.get(key, 0) + line["count"]
            taken = [b["count"] for b in line["branches"] if not b["throw"]]
            former = branches.get(key, [])
            if len(former) == len(taken):
                taken = [a + b for a, b in zip(former, taken)]
            if len(taken) >= len(former):
                branches[key] = taken
    names = sorted({name for name, _ in lines})
    missed = []
    whole = [0, 0, 0, 0]
    print(f"{'file':28} {'lines':>12} {'branches':>12}")
    for name in names:
        mine = [n for (f, n) in lines if f == name]
        hit = sum(lines[name, n] > 0 for n in mine)
        arms = [c for n in mine for c in branches[name, n]]
        row = [hit, len(mine), sum(c > 0 for c in arms), len(arms)]
        whole = [a + b for a, b in zip(whole, row)]
        print(f"{name:28} {row[0]:5}/{row[1]:<6} {row[2]:5}/{row[3]:<6}")
        text = (src / name).read_text().splitlines()
        missed += [f"{name}:{n}: {text[n - 1].strip()}" for n in sorted(mine)
                   if not lines[name, n]]
    print(f"{'all':28} {whole[0]:5}/{whole[1]:<6} {whole[2]:5}/{whole[3]:<6}  "
          f"{100 * whole[0] / whole[1]:.1f} % of lines, "
          f"{100 * whole[2] / max(1, whole[3]):.1f} % of branches")
    (build / "missed.txt").write_text("\n".join(missed) + "\n")
    print(f"{len(missed)} lines not reached: {build / 'missed.txt'}")


main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve())
