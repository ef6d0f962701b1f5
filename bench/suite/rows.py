# SPDX-License-Identifier: MIT
"""What the suite runs, what it compares, and which targets it holds the results to."""
from collections import namedtuple

# A program run: `work` on each peer in turn. n and quick_n: operations (None: the work's default).
# pin: the runtime on the last CPU, the waking thread on the first.
Job = namedtuple("Job", "work peers workers quick_workers n quick_n pin")

RUNTIMES = ["tmlrt", "tokio", "tokio-mimalloc", "go"]
ONE_LOOP = {"libuv", "epoll", "futex"}  # peers of one thread, whatever --workers says


def job(work, peers, n=None, quick_n=None, workers=(1, 2), quick_workers=(2,), pin=False):
    return Job(work, peers, workers, quick_workers, n, quick_n, pin)


JOBS = [
    job("spawn_inside", RUNTIMES + ["onetbb"], 1000000, 300000, quick_workers=(1, 2)),
    job("spawn_outside1", RUNTIMES + ["onetbb"], 1000000, 200000),
    job("spawn_outside2", RUNTIMES + ["onetbb"], 1000000, 200000),
    job("fib", RUNTIMES + ["onetbb"], 30, 27),
    job("skynet", RUNTIMES + ["onetbb"], 1000000, 1000000),
    job("yield1", RUNTIMES, 1000000, 500000),
    job("yield1000", RUNTIMES, 1000000, 500000),
    job("pingpong", RUNTIMES, 1000000, 200000, quick_workers=(1, 2)),
    job("wake", RUNTIMES + ["onetbb", "libuv", "epoll", "futex"], 1000, 300),
    job("wake", RUNTIMES + ["onetbb", "libuv", "epoll", "futex"], 1000, 300, pin=True),
    job("timer", RUNTIMES + ["libuv"], 1000000, 200000),
    job("sleeps", RUNTIMES + ["libuv", "epoll"], 100000, 100000),
    job("memory_sleeping", RUNTIMES, 200000, 100000),
    job("memory_parked", RUNTIMES, 200000, 100000),
    job("fiber_spawn", ["tmlrt", "go"], 1000000, 300000),
    job("fiber_spawn_one", ["tmlrt", "go"], 1000000, 200000),
    job("fiber_yield", ["tmlrt", "go"], 1000000, 500000),
    job("chan1", RUNTIMES, 2000000, 500000, quick_workers=(1, 2)),
    job("chan4", RUNTIMES, 2000000, 500000, quick_workers=(1, 2)),
    job("oneshot", RUNTIMES, 1000000, 300000),
    job("broadcast", ["tmlrt", "tokio", "tokio-mimalloc"], 500000, 200000),
    job("mutex1", RUNTIMES, 2000000, 1000000),
    job("mutex4", RUNTIMES, 2000000, 500000),
    job("semaphore1", RUNTIMES, 2000000, 1000000),
    job("semaphore4", RUNTIMES, 1000000, 300000),
    job("blocking", ["tmlrt", "tokio", "tokio-mimalloc"], 20000, 10000),
    job("memory_fiber", ["tmlrt", "go"], 20000, 10000),
    job("cpu", RUNTIMES + ["onetbb"], 500000, 250000, workers=(1, "all"),
        quick_workers=(1, "all")),
]

# A line of the tables: the record's name and field, and what a person calls it.
Row = namedtuple("Row", "group work field title unit")

ROWS = [
    Row("spawn", "spawn_inside", "value", "spawn, then join, from inside", "ns a task"),
    Row("spawn", "spawn_outside1", "value", "spawn and join from 1 outside thread", "ns a task"),
    Row("spawn", "spawn_outside2", "value", "spawn and join from 2 outside threads", "ns a task"),
    Row("fork-join", "fib", "value", "fib(30), a spawn and a join a call", "ms"),
    Row("fork-join", "skynet", "value", "skynet, 1,000,000 leaves", "ms"),
    Row("turns", "yield1", "value", "yield, 1 task", "ns"),
    Row("turns", "yield1000", "value", "yield, 1,000 tasks", "ns"),
    Row("turns", "pingpong", "value", "ping-pong, round trip", "ns"),
    Row("wake", "wake_pinned", "p50", "wake a parked runtime, pinned apart, p50", "us"),
    Row("wake", "wake_pinned", "p99", "wake a parked runtime, pinned apart, p99", "us"),
    Row("wake", "wake_unpinned", "p50", "wake a parked runtime, unpinned, p50", "us"),
    Row("wake", "wake_unpinned", "p99", "wake a parked runtime, unpinned, p99", "us"),
    Row("timers", "timer_create", "value", "timer create", "ns"),
    Row("timers", "timer_cancel", "value", "timer cancel", "ns"),
    Row("timers", "timer_create_cancel", "value", "timer create and cancel", "ns"),
    Row("sleeps", "sleeps", "p50", "100,000 sleeps, late p50", "ms"),
    Row("sleeps", "sleeps", "p99", "100,000 sleeps, late p99", "ms"),
    Row("sleeps", "sleeps", "min", "100,000 sleeps, the earliest", "ms"),
    Row("sleeps", "sleeps", "cpu_s", "100,000 sleeps, CPU", "s"),
    Row("memory", "memory_sleeping", "value", "resident, a sleeping task", "bytes"),
    Row("memory", "memory_parked", "value", "resident, a parked task", "bytes"),
    Row("fibers", "fiber_spawn", "value", "spawn 1,000,000 empty fibers, then join", "ns a fiber"),
    Row("fibers", "fiber_spawn_one", "value", "spawn and join one fiber after the other", "ns"),
    Row("fibers", "fiber_yield", "value", "yield of a fiber", "ns"),
    Row("fibers", "memory_fiber", "value", "resident, a sleeping fiber", "bytes"),
    Row("channels", "chan1", "value", "channel of 1,024, one sender", "ns an item"),
    Row("channels", "chan4", "value", "channel of 1,024, four senders", "ns an item"),
    Row("channels", "oneshot", "value", "oneshot: make, send, receive", "ns"),
    Row("channels", "broadcast", "value", "broadcast to four", "ns an item"),
    Row("locks", "mutex1", "value", "mutex, uncontended", "ns a lock"),
    Row("locks", "mutex4", "value", "mutex, four contenders", "ns a lock"),
    Row("locks", "semaphore1", "value", "semaphore, uncontended", "ns a permit"),
    Row("locks", "semaphore4", "value", "semaphore of 2, four contenders", "ns a permit"),
    Row("blocking", "blocking", "value", "blocking job, there and back", "ns"),
    Row("cpu", "cpu", "value", "256 CPU-bound tasks", "ms"),
]

QUICK_TITLES = {"fib": "fib(27), a spawn and a join a call"}

# tmlrt's figure is at most `limit` times the best of `against`, or at most `limit` more (kind
# "more"), or at most ("abs") or at least ("least") `limit` itself. "beats" is 0.9: at least 10 % better.
Target = namedtuple("Target", "work field workers kind limit against")


def ratio(work, limit, *against, field="value", workers=2):
    return Target(work, field, workers, "ratio", limit, against)


TARGETS = [
    ratio("spawn_inside", 0.30, "tokio"),
    ratio("spawn_inside", 0.70, "tokio-mimalloc"),
    ratio("spawn_inside", 1.00, "onetbb"),
    ratio("spawn_inside", 0.15, "tokio", workers=1),
    ratio("spawn_outside1", 0.40, "tokio"),
    ratio("spawn_outside1", 0.90, "go"),
    ratio("spawn_outside1", 0.90, "onetbb"),
    ratio("spawn_outside2", 0.40, "tokio"),
    ratio("spawn_outside2", 0.90, "go"),
    ratio("spawn_outside2", 0.90, "onetbb"),
    ratio("fib", 0.15, "tokio"),
    ratio("fib", 1.20, "onetbb"),
    ratio("skynet", 0.05, "tokio"),
    ratio("yield1", 0.70, "tokio", "go"),
    ratio("yield1000", 0.70, "tokio", "go"),
    ratio("pingpong", 0.60, "tokio"),
    ratio("pingpong", 0.60, "tokio", workers=1),
    ratio("wake_pinned", 1.15, "futex", field="p50"),
    ratio("wake_pinned", 2.00, "futex", field="p99"),
    ratio("wake_unpinned", 1.50, "epoll", field="p50"),
    ratio("wake_unpinned", 3.00, "epoll", field="p99"),
    ratio("timer_create", 0.50, "tokio"),
    ratio("timer_cancel", 0.50, "tokio"),
    ratio("timer_cancel", 0.90, "go"),
    ratio("timer_create_cancel", 0.50, "tokio"),
    Target("sleeps", "p50", 2, "abs", 0.25, ()),
    Target("sleeps", "p99", 2, "abs", 1.0, ()),
    Target("sleeps", "min", 2, "least", 0.0, ()),
    ratio("sleeps", 1.00, "tokio", field="cpu_s"),
    Target("memory_sleeping", "value", 2, "abs", 256, ()),
    Target("memory_parked", "value", 2, "abs", 128, ()),
    ratio("fiber_spawn", 0.60, "go"),
    ratio("chan1", 0.70, "tokio"),
    ratio("chan1", 1.00, "go"),
    ratio("chan1", 0.50, "tokio", workers=1),
    ratio("chan4", 0.70, "tokio"),
    ratio("chan4", 1.00, "go"),
    ratio("chan4", 0.50, "tokio", workers=1),
    ratio("oneshot", 0.90, "tokio"),
    ratio("broadcast", 0.90, "tokio"),
    Target("mutex1", "value", 2, "abs", 8.0, ()),
    ratio("mutex4", 0.25, "tokio"),
    ratio("semaphore1", 0.90, "tokio"),
    ratio("semaphore4", 0.90, "tokio"),
    ratio("blocking", 0.90, "tokio"),
    Target("memory_fiber", "value", 2, "abs", 4608, ()),
    Target("cpu", "efficiency", "all", "least", 0.95, ()),
]

# The net rows: fields of the records of bench/net/net.py, here with their connections in the
# work's name. "_low" is the lower end of the 95 % interval of the paired ratios to epoll.
for k in (1, 2):
    for c in (64, 1000, 8000):
        TARGETS.append(Target(f"echo64_paired_{c}", "rps_low", k, "least", 0.95, ()))
    for c, limit in ((64, 1.03), (1000, 1.05)):
        TARGETS.append(Target(f"echo64_paired_{c}", "cpu_s_per_million_ratio", k, "abs", limit, ()))
    for c in (1000, 8000):
        TARGETS.append(Target(f"echo64_paired_{c}", "p99_us_ratio", k, "abs", 1.2, ()))
    for c in (64, 1000):
        TARGETS.append(Target(f"echo64_{c}", "user_us", k, "abs", 0.25, ()))
        # No extra call a request; what a pause or a connect costs falls on thousands of them.
        TARGETS.append(Target(f"echo64_calls_{c}", "calls_per_request", k, "more", 0.05,
                              ("epoll",)))

NET_TITLES = {
    "rps_low": "requests/s against epoll, lower end of 95 %",
    "cpu_s_per_million_ratio": "CPU a request against epoll",
    "p99_us_ratio": "p99 against epoll",
    "user_us": "user CPU a request, us",
    "calls_per_request": "system calls a request",
}
