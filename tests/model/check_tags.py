#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the tags of memory orders: each tag [XX-n] in SRC_DIR stands in the line "tags:" of a
model beside this script, or in exceptions.txt with a reason; and nothing is listed that is gone.

usage: check_tags.py SRC_DIR

Exit status 1 if a tag is not covered, or is listed and not in the sources.
"""
import os
import re
import sys

TAG = re.compile(r"\[([A-Z]+-[0-9]+)\]")
HEADER = re.compile(r"^(?://| \*) tags:(.*)$", re.M)
HERE = os.path.dirname(os.path.abspath(__file__))


def tags_of_sources(src):
    """tag -> the first place where it stands."""
    found = {}
    for folder, _, names in os.walk(src):
        for name in sorted(names):
            if not name.endswith((".c", ".h", ".S")):
                continue
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as text:
                for number, line in enumerate(text, 1):
                    for tag in TAG.findall(line):
                        found.setdefault(tag, "%s:%d" % (os.path.relpath(path, src), number))
    return found


def tags_of_models():
    """tag -> the models that cover it."""
    covered = {}
    for name in sorted(os.listdir(HERE)):
        if not name.endswith((".cpp", ".pml")):
            continue
        with open(os.path.join(HERE, name), encoding="utf-8") as text:
            for line in HEADER.findall(text.read()):
                for tag in line.split():
                    covered.setdefault(tag, []).append(name)
    return covered


def exceptions():
    """tag -> reason."""
    table = {}
    with open(os.path.join(HERE, "exceptions.txt"), encoding="utf-8") as text:
        for line in text:
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            tag, _, reason = line.partition(" :: ")
            table[tag] = reason.strip()
    return table


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    sources, models, excused = tags_of_sources(sys.argv[1]), tags_of_models(), exceptions()
    bad = []
    for tag, place in sorted(sources.items()):
        if tag not in models and not excused.get(tag):
            bad.append("%s: [%s] is in no model, and in exceptions.txt without a reason or not at all"
                       % (place, tag))
    for tag in sorted(models):
        if tag not in sources:
            bad.append("%s: covers %s, which is in no source" % (models[tag][0], tag))
    for tag in sorted(excused):
        if tag not in sources:
            bad.append("exceptions.txt: %s is in no source" % tag)
        elif tag in models:
            bad.append("exceptions.txt: %s is covered by %s" % (tag, models[tag][0]))
    print("\n".join(bad + ["tags: %d in the sources, %d in models, %d excused, %d wrong" % (
        len(sources), len(set(models) & set(sources)), len(set(excused) & set(sources)), len(bad))]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
