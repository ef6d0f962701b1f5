# SPDX-License-Identifier: MIT
"""The machine in words, what others took of it, and a session of one's own."""
import os
import platform
import resource
import signal
import time


def cpus():
    return len(os.sched_getaffinity(0))


def words():
    model, memory = platform.machine(), "?"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        text = f.read()
    for line in text.splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    with open("/proc/meminfo", encoding="ascii") as f:
        memory = round(int(f.readline().split()[1]) / 1048576)
    kind = "a virtual machine" if " hypervisor" in text else "a machine"
    release = ".".join(platform.release().split(".")[:2])
    return f"{kind} with {cpus()} CPUs ({model}), {memory} GiB of memory, Linux {release}"


class Share:
    """Steal and background since the start: what this run did not get, or others took."""

    def __init__(self):
        self.stat, self.own, self.start = self._stat(), self._own(), time.time()

    @staticmethod
    def _stat():
        with open("/proc/stat", encoding="ascii") as f:
            v = [int(x) for x in f.readline().split()[1:9]]
        busy = v[0] + v[1] + v[2] + v[5] + v[6]
        return sum(v), busy, v[7]

    @staticmethod
    def _own():
        seconds = 0
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            r = resource.getrusage(who)
            seconds += r.ru_utime + r.ru_stime
        return seconds * os.sysconf("SC_CLK_TCK")

    def read(self):
        total, busy, steal = (b - a for a, b in zip(self.stat, self._stat()))
        other = max(0, busy - (self._own() - self.own))
        total = max(1, total)
        return {"seconds": time.time() - self.start, "steal": steal / total,
                "background": other / total, "load": os.getloadavg()[0]}


def own_session():
    """Goes on in a child that leads a session of its own: the kernel shares the CPUs between
    sessions first. Returns what could be had, in words. The parent ends with the child."""
    child = os.fork()
    if child != 0:
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(s, lambda number, _: os.kill(child, number))
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xff)
    os.setsid()
    try:
        with open("/proc/self/autogroup", "w", encoding="ascii") as f:
            f.write("-15")
        return "in a session of its own, its group's nice value -15"
    except OSError:
        pass
    try:
        os.nice(-15)
        return "in a session of its own, nice -15 (no session groups here)"
    except OSError:
        return "in a session of its own, its nice value not lowered (not allowed)"
