#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""count_tests.py NAME TESTS.XML: what a run of ctest came to, in a few lines.

Reads ctest's JUnit file: programs that passed, failed, were skipped (with the
line in which they say why), the cmocka cases inside of those that ran, and those of the conformance
tests for each reactor.
"""
import collections
import re
import sys
import xml.etree.ElementTree as tree


def reason(output):
    """The last line that a skipped program printed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it gave no reason"


def count_cases(name, output, cases, reactors, said):
    """Counts the cases of one program, which may run them once for each reactor."""
    reactor, why, running = None, "it gave no reason", True
    for line in output.splitlines():
        if re.match(r"\[=+\] ", line):  # at its end cmocka names some again
            running = "Running" in line
        mark = re.match(r"\[ +(OK|FAILED|SKIPPED|WHY|REACTOR) +\] (.*)$", line)
        if not mark:
            continue
        word, rest = mark.groups()
        if word == "WHY":
            why = rest
        elif word == "REACTOR":
            reactor = reactors.setdefault(rest, {"OK": 0, "FAILED": 0, "SKIPPED": 0})
        elif running and re.fullmatch(r"[a-z]\w+", rest):
            cases[word] += 1
            if reactor is not None:
                reactor[word] += 1
            if word == "SKIPPED":
                said.append(f"{name}: {rest}: {why}")
            why = "it gave no reason"


def main():
    name, path = sys.argv[1:]
    programs = {"passed": 0, "failed": 0, "skipped": 0}
    cases = {"OK": 0, "FAILED": 0, "SKIPPED": 0}
    said = []
    reactors = collections.OrderedDict()
    for test in tree.parse(path).getroot().iter("testcase"):
        output = test.findtext("system-out") or ""
        status = {"run": "passed", "notrun": "skipped"}.get(test.get("status"), "failed")
        programs[status] += 1
        if status == "skipped":
            said.append(f"{test.get('name')}: {reason(output)}")
        count_cases(test.get("name"), output, cases, reactors, said)
    print(f"{name}: {programs['passed']} programs passed, {programs['failed']} failed, "
          f"{programs['skipped']} skipped; {cases['OK']} cases passed, {cases['SKIPPED']} skipped")
    for reactor, seen in reactors.items():
        print(f"  conformance on {reactor}: {seen['OK']} passed, {seen['FAILED']} failed, "
              f"{seen['SKIPPED']} skipped")
    for line, times in collections.Counter(said).items():
        print(f"  skip: {line}" + (f" ({times} times)" if times > 1 else ""))


main()
