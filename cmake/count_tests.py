#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""count_tests.py NAME TESTS.XML: what a run of ctest came to, in a few lines.

Reads ctest's JUnit file: programs that passed, failed, were skipped (with the
line in which they say why), and the cmocka cases inside of those that ran.
"""
import re
import sys
import xml.etree.ElementTree as tree


def reason(output):
    """The last line that a skipped program printed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it gave no reason"


def main():
    name, path = sys.argv[1:]
    programs = {"passed": 0, "failed": 0, "skipped": 0}
    cases = {"OK": 0, "FAILED": 0, "SKIPPED": 0}
    said = []
    for test in tree.parse(path).getroot().iter("testcase"):
        output = test.findtext("system-out") or ""
        status = {"run": "passed", "notrun": "skipped"}.get(test.get("status"), "failed")
        programs[status] += 1
        if status == "skipped":
            said.append(f"{test.get('name')}: {reason(output)}")
        for word in re.findall(r"^\[ +(OK|FAILED|SKIPPED) +\] [a-z]\w+$", output, re.M):
            cases[word] += 1
        said += [f"{test.get('name')}: {line}"
                 for line in re.findall(r"^skipped: .*$", output, re.M)]
    print(f"{name}: {programs['passed']} programs passed, {programs['failed']} failed, "
          f"{programs['skipped']} skipped; {cases['OK']} cases passed, {cases['SKIPPED']} skipped")
    for line in said:
        print(f"  skip: {line}")


main()
