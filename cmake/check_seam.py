#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every system call and allocation of src/ passes the fault seam (src/fault.h).

usage: check_seam.py [--self-test | ROOT]

A call of a function named below is wrong unless it stands inside TMLRT__SYS(...),
or src/SEAM excuses it: a line `FILE: CALL CALL -- REASON`. An excuse that excuses
nothing is wrong as well.
"""
import pathlib
import re
import sys

CALLS = """
socket bind listen accept accept4 connect recv recvmsg recvfrom send sendmsg sendto getsockopt
setsockopt getsockname getpeername shutdown read readv write writev pread pwrite close open openat
fopen opendir pipe pipe2 dup dup2 dup3 fcntl ioctl poll ppoll select epoll_create epoll_create1
epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd signalfd timerfd_create timerfd_settime mmap
munmap mremap madvise mprotect mlock pthread_create pthread_join pthread_detach pthread_sigmask
pthread_key_create pthread_setspecific pthread_atfork pthread_setaffinity_np pthread_setname_np
sched_setaffinity sched_getaffinity sched_yield sigaction sigprocmask sigaltstack kill tgkill
pthread_kill sigtimedwait nanosleep clock_nanosleep clock_gettime syscall sysconf prctl getaddrinfo
getnameinfo if_nametoindex if_indextoname malloc calloc realloc aligned_alloc posix_memalign free
strdup getline fork waitpid
""".split()
PATTERN = re.compile(r"(?<![\w.>])(" + "|".join(CALLS) + r")\s*\(")
DECLARES = re.compile(r"(?:^|\n)[\w *]*$")


def strip(text):
    """Without comments, strings and preprocessor lines; lines stay where they are."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    text = re.sub(r"/\*.*?\*/|//[^\n]*", blank, text, flags=re.S)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', blank, text)
    return re.sub(r"(?m)^[ \t]*#(?:\\\n|[^\n])*", blank, text)


def inside_seam(text, at):
    depth = 0
    for i in range(at - 1, -1, -1):
        c = text[i]
        if c == ")":
            depth += 1
        elif c == "(":
            if depth:
                depth -= 1
            elif text[:i].endswith("TMLRT__SYS"):
                return True
        elif c in ";{}" and depth == 0:
            return False
    return False


def bypasses(text):
    text = strip(text)
    for m in PATTERN.finditer(text):
        line_start = text.rfind("\n", 0, m.start()) + 1
        before = text[line_start:m.start()]
        if before and not before[0].isspace() and re.fullmatch(r"[\w *]+", before):
            continue  # a function of that name is declared
        if not inside_seam(text, m.start()):
            yield text.count("\n", 0, m.start()) + 1, m.group(1)


def self_test():
    assert list(bypasses("void f(void) {\n    close(fd);\n}")) == [(2, "close")]
    assert not list(bypasses("    if (TMLRT__SYS(\n  connect(fd, g(a), b)) != 0) x();"))
    assert not list(bypasses("/* close(fd) */ x = own->send(s); net__close(d);"))
    assert list(bypasses("y = TMLRT__SYS(read(a, b)) + write(c);")) == [(1, "write")]


def main(root):
    src = root / "src"
    excuses, wrong, passed = {}, 0, 0
    for number, line in enumerate((src / "SEAM").read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        m = re.fullmatch(r"(\S+): ([\w ]+?) +-- \S.*", line)
        if not m:
            sys.exit(f"src/SEAM:{number}: not FILE: CALL... -- REASON")
        for call in m.group(2).split():
            excuses[m.group(1), call] = 0
    for path in sorted([*src.glob("*.c"), *src.glob("reactor/*.c")]):
        name = str(path.relative_to(src))
        text = path.read_text()
        passed += strip(text).count("TMLRT__SYS(")
        for line, call in bypasses(text):
            if (name, call) in excuses:
                excuses[name, call] += 1
            else:
                print(f"src/{name}:{line}: {call}() does not pass the fault seam")
                wrong += 1
    for (name, call), used in excuses.items():
        if not used:
            print(f"src/SEAM: {name}: {call} excuses nothing")
            wrong += 1
    print(f"seam: {passed} calls through it, {sum(excuses.values())} excused, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    self_test()
    if sys.argv[1:] != ["--self-test"]:
        sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
