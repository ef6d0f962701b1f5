#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the layers of src/: who may include whom.

usage: check_layers.py [ROOT]        check ROOT/src against ROOT/src/LAYERS
       check_layers.py --self-test   plant each kind of violation, expect it found

Prints each violation as file:line: text. Exit status 1 if there was one.
"""
import fnmatch
import os
import re
import sys
import tempfile

SOURCE_ENDINGS = (".c", ".h", ".S", ".cc", ".cpp", ".hpp")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LAYER = re.compile(r"^(\d+)\s+(\w+)\s*:\s*(.*)$")
OS_EXCEPTION = re.compile(r"^os-headers\s*:\s*(.*?)\s+--\s+(\S.*)$")
OS_HEADERS = [
    "unistd.h", "pthread.h", "fcntl.h", "sched.h", "signal.h", "poll.h", "time.h", "netdb.h",
    "dlfcn.h", "termios.h", "dirent.h", "ucontext.h", "ifaddrs.h", "semaphore.h", "spawn.h",
    "sys/*", "netinet/*", "arpa/*", "net/*", "linux/*", "mach/*", "asm/*",
    "windows.h", "winsock2.h", "ws2tcpip.h", "mswsock.h", "winternl.h", "process.h", "io.h",
    "synchapi.h", "windef.h", "winbase.h",
]
OS_FILES = ["os_*", "reactor/*"]
ATOMIC_OWNER = "atomic.h"


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, p) for p in patterns)


class Checker:
    def __init__(self, root):
        self.src = os.path.normpath(os.path.join(root, "src"))
        self.table = os.path.join(self.src, "LAYERS")
        self.layers = []          # (number, name, pattern, line of the table)
        self.os_files = list(OS_FILES)
        self.violations = []
        self.includes_seen = 0

    def report(self, path, line, text):
        self.violations.append("%s:%d: %s" % (path, line, text))

    def read_table(self):
        with open(self.table, encoding="utf-8") as table:
            for number, text in enumerate(table, 1):
                text = text.strip()
                if not text or text.startswith("#"):
                    continue
                layer, exception = LAYER.match(text), OS_EXCEPTION.match(text)
                if layer:
                    for pattern in layer.group(3).split():
                        self.layers.append((int(layer.group(1)), layer.group(2), pattern, number))
                elif exception:
                    self.os_files += exception.group(1).split()
                else:
                    self.report(self.table, number, "neither a layer nor an exception with a reason")

    def layer_of(self, stem):
        """(number, name) of a stem, None if it is in no layer, or in several."""
        exact = [l for l in self.layers if l[2] == stem]
        found = exact or [l for l in self.layers if fnmatch.fnmatchcase(stem, l[2])]
        return found[0][:2] if len({l[:2] for l in found}) == 1 else None

    def files(self):
        for folder, _, names in os.walk(self.src):
            for name in sorted(names):
                if name.endswith(SOURCE_ENDINGS):
                    yield os.path.relpath(os.path.join(folder, name), self.src)

    def resolve(self, file, target):
        """The path below src/ of a quoted include, or None."""
        for base in (os.path.dirname(file), ""):
            path = os.path.normpath(os.path.join(base, target))
            if not path.startswith("..") and os.path.isfile(os.path.join(self.src, path)):
                return path
        return None

    def check_include(self, file, line, quote, target, layer):
        path = os.path.join(self.src, file)
        stem = os.path.splitext(file)[0]
        self.includes_seen += 1
        if target.endswith((".c", ".cc", ".cpp")):
            self.report(path, line, "includes a source file: %s" % target)
            return
        if target == "tmlrt.h" or target.startswith("tmlrt/"):
            return
        if quote == "<":
            if target == "stdatomic.h" and file != ATOMIC_OWNER:
                self.report(path, line, "<stdatomic.h> belongs to %s alone" % ATOMIC_OWNER)
            if matches(target.lower(), OS_HEADERS) and not matches(stem, self.os_files):
                self.report(path, line, "operating-system header <%s> outside os_* and reactor/*"
                            % target)
            return
        found = self.resolve(file, target)
        if not found:
            self.report(path, line, 'no such file below src/: "%s"' % target)
            return
        other = self.layer_of(os.path.splitext(found)[0])
        if layer and other and other[0] > layer[0]:
            self.report(path, line, "layer %d (%s) includes %s of layer %d (%s)"
                        % (layer[0], layer[1], found, other[0], other[1]))

    def run(self):
        self.read_table()
        count = 0
        for file in self.files():
            count += 1
            path = os.path.join(self.src, file)
            layer = self.layer_of(os.path.splitext(file)[0])
            if layer is None:
                self.report(path, 1, "in no layer of %s, or in several" % self.table)
            with open(path, encoding="utf-8") as source:
                for number, text in enumerate(source, 1):
                    include = INCLUDE.match(text)
                    if include:
                        self.check_include(file, number, include.group(1), include.group(2), layer)
        return count


PLANTED = {
    # file: (text, what must be said of it; None for nothing)
    "src/atomic.h": ("#include <stdatomic.h>\n", None),
    "src/list.h": ('#include "atomic.h"\n#include <tmlrt/base.h>\n', None),
    "src/os_linux.c": ('#include "list.h"\n#include <sys/epoll.h>\n', None),
    "src/reactor/epoll.c": ('#include "../list.h"\n#include "epoll.h"\n#include <unistd.h>\n', None),
    "src/reactor/epoll.h": ("", None),
    "src/net.c": ("#include <netinet/in.h>\n", None),
    "src/rand.c": ('#include "reactor/epoll.h"\n', "src/rand.c:1: layer 1 (base) includes"),
    "src/reactor/bad.c": ('\n# include "worker.h"\n', "src/reactor/bad.c:2: layer 3 (drivers) includes"),
    "src/worker.h": ("#include <stdatomic.h>\n", "src/worker.h:1: <stdatomic.h>"),
    "src/worker.c": ("#include <pthread.h>\n", "src/worker.c:1: operating-system header <pthread.h>"),
    "src/stray.c": ("", "src/stray.c:1: in no layer"),
    "src/alloc.c": ('#include "rand.c"\n', "src/alloc.c:1: includes a source file"),
    "src/fault.c": ('#include "nowhere.h"\n', "src/fault.c:1: no such file"),
}
PLANTED_TABLE = """# a comment
1 base: atomic list alloc rand fault
2 os: os_linux
3 drivers: reactor/*
4 waits: net worker
os-headers: net -- addresses
os-headers: worker
"""


def self_test():
    with tempfile.TemporaryDirectory() as root:
        for name, (text, _) in PLANTED.items():
            os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
            with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                file.write(text)
        with open(os.path.join(root, "src/LAYERS"), "w", encoding="utf-8") as file:
            file.write(PLANTED_TABLE)
        checker = Checker(root)
        checker.run()
        said = [v.replace(root + os.sep, "") for v in checker.violations]
    wanted = [w for _, w in PLANTED.values() if w] + ["src/LAYERS:7: neither"]
    missing = [w for w in wanted if not any(s.startswith(w) for s in said)]
    extra = [s for s in said if not any(s.startswith(w) for w in wanted)]
    for text in missing:
        print("self-test: not found: " + text)
    for text in extra:
        print("self-test: false report: " + text)
    if missing or extra:
        return 1
    print("layers: self-test found all %d planted violations and no other" % len(wanted))
    return 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    root = arguments[0] if arguments else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    checker = Checker(os.path.relpath(root))
    count = checker.run()
    for text in checker.violations:
        print(text)
    print("layers: %d files, %d includes, %d violations"
          % (count, checker.includes_seen, len(checker.violations)))
    return 1 if checker.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
