#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""TCP echo and HTTP, side by side: every server in turn, round after round.

Server and load run apart where the CPUs suffice (server on the first --threads CPUs, load on the
rest), else they share all. CPU time of a request is the server's. Requests/s are only comparable inside one run. With --json each run is a
record, one a line; "-" is the standard output, and the tables go to the standard error.

The 95 % interval is Student's, of the mean of the logarithms of the paired ratios.
"""
import argparse
import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PEERS = {"tmlrt": "echo_tmlrt", "epoll": "echo_epoll", "io_uring": "echo_uring",
         "libuv": "echo_uv", "tokio": "echo_tokio", "go": "echo_go"}
CALLS_OF_REQUESTS = 5000  # at least, to count the calls of one
# Student's t, two-sided 95 %, by degrees of freedom (from 31 on 1.96 and a little).
T95 = [0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179,
       2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060,
       2.056, 2.052, 2.048, 2.045, 2.042]


# ---- servers and load -----------------------------------------------------------------------------

def cpu_sets(threads):
    """(server's, load's, load's threads). Never more CPUs to the load than the server has."""
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) > threads:
        rest = mine[threads:2 * threads]
        return set(mine[:threads]), set(rest), len(rest)
    return set(mine), set(mine), min(threads, len(mine))


def on(cpus):
    return lambda: os.sched_setaffinity(0, cpus)


class Server:
    """A server process, from its first line to its end."""

    def __init__(self, command, threads, prefix=(), cpus=None):
        self.process = subprocess.Popen([*prefix, *command], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True,
                                        preexec_fn=on(cpus or cpu_sets(threads)[0]))
        line = self.process.stdout.readline()
        found = re.match(r"listening (?:on \S*:)?(\d+)\s*(.*)", line)
        if not found:
            self.process.kill()
            raise RuntimeError(f"{command[0]} does not start")
        self.port, self.version = int(found[1]), found[2]
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def program(args, peer):
    """Any other name X is a program echo_X, so that two builds can be compared."""
    return args.build / "net" / PEERS.get(peer, f"echo_{peer}")


def echo_command(args, peer, threads):
    return [str(program(args, peer)), "--port", "0", "--threads", str(threads)]


def load_command(args, port, connections, threads, seconds, warmup, pid=0):
    return [str(args.build / "net" / "echo_load"), "--port", str(port), "--connections",
            str(connections), "--threads", str(threads), "--seconds", str(seconds), "--warmup",
            str(warmup), "--pid", str(pid)]


def run_load(args, port, connections, threads, seconds, warmup, pid=0, load_cpus=None):
    _, cpus, load_threads = cpu_sets(threads)
    out = subprocess.run(load_command(args, port, connections, load_threads, seconds, warmup, pid),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         preexec_fn=on(load_cpus or cpus), timeout=seconds + 60, check=False)
    if out.returncode != 0:
        raise RuntimeError(out.stderr.strip() or "the load failed")
    return json.loads(out.stdout)


# ---- works ----------------------------------------------------------------------------------------

def run_echo(args, peer, connections, threads):
    warmup = args.warmup if connections < 8000 else max(args.warmup, 0.5)
    with Server(echo_command(args, peer, threads), threads) as server:
        r = run_load(args, server.port, connections, threads, args.seconds, warmup, server.pid)
        args.versions[peer] = server.version
    n = max(r["requests"], 1)
    others = r["machine_busy_s"] - r["server_cpu_s"] - r["load_cpu_s"]
    return {"work": "echo64", "peer": peer, "connections": connections, "threads": threads,
            "workers": threads, "rps": r["rps"], "p50_us": r["p50_us"], "p99_us": r["p99_us"],
            "p999_us": r["p999_us"], "cpu_s_per_million": r["server_cpu_s"] / n * 1e6,
            "requests": n, "steal_s": r["steal_s"],
            "others_s": max(others, 0), "seconds": r["seconds"]}


def count_calls(path):
    """The calls by name out of strace -c."""
    calls = {}
    for line in Path(path).read_text().splitlines():
        field = line.split()
        if len(field) >= 5 and field[0].replace(".", "").isdigit() and field[-1] != "total":
            calls[field[-1]] = calls.get(field[-1], 0) + int(field[3])
    return calls


def traced(args, peer, connections, threads, seconds):
    """Calls and requests of a server's whole life under strace."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "calls"
        prefix = ["strace", "-f", "-c", "-o", str(report)]
        with Server(echo_command(args, peer, threads), threads, prefix) as server:
            r = run_load(args, server.port, connections, threads, seconds, 0.1)
            children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
            for child in children:
                os.kill(int(child), signal.SIGKILL)
            server.process.wait(timeout=20)
        return count_calls(report), r["requests_ever"]


def run_calls(args, peer, connections, threads):
    """A long life less a short one: what is left belongs to the requests. Under strace a server of
    several threads is slow at times: until there is enough to divide by."""
    short, few = traced(args, peer, connections, threads, 0.2)
    for seconds in (1.0, 2.0, 4.0):
        long, many = traced(args, peer, connections, threads, seconds)
        n = many - few
        if n >= CALLS_OF_REQUESTS:
            break
    else:
        raise RuntimeError(f"{n} requests under strace tell nothing")
    each = {name: (long[name] - short.get(name, 0)) / n for name in long}
    each = {name: round(v, 4) for name, v in sorted(each.items(), key=lambda i: -i[1]) if v > 1e-3}
    return {"work": "echo64_calls", "peer": peer, "connections": connections, "threads": threads,
            "workers": threads, "calls_per_request": round(sum(each.values()), 4), "calls": each}


def run_user(args, peer, connections, threads):
    """The user's share of the server's CPU time, by perf's samples: the tick's are too few, and
    where others run it falls on the same spots."""
    with tempfile.TemporaryDirectory() as folder, \
            Server(echo_command(args, peer, threads), threads) as server:
        data = Path(folder) / "samples"
        perf = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "4999", "-p",
                                 str(server.pid), "-o", str(data), "--", "sleep", "1.5"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        r = run_load(args, server.port, connections, threads, 1.0, 0.3, server.pid)
        perf.wait()
        out = subprocess.run(["perf", "script", "-i", str(data), "-F", "ip"], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    where = [int(a, 16) >> 63 for a in out.split()]
    if not where:
        raise RuntimeError("perf has no samples")
    share = 1 - sum(where) / len(where)
    return {"work": "echo64", "peer": peer, "connections": connections, "threads": threads,
            "workers": threads, "samples": len(where), "user_share": share,
            "user_us": share * r["server_cpu_s"] / max(r["requests"], 1) * 1e6}


def resident(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Rss:\s+(\d+)", text, re.M)[1]) * 1024


class Idle:
    """Connections that each had one echo and then are silent."""

    def __init__(self, args, port, connections):
        command = [str(args.build / "net" / "echo_load"), "--port", str(port), "--connections",
                   str(connections), "--idle", "1"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        if self.process.stdout.readline().strip() != "idle":
            raise RuntimeError("the load failed")

    def end(self):
        self.process.communicate("")


def run_idle(args, peer):
    few, many = 100, args.idle
    with Server(echo_command(args, peer, 1), 1) as server:
        first = Idle(args, server.port, few)
        before = resident(server.pid)
        second = Idle(args, server.port, many)
        after = resident(server.pid)
        second.end()
        first.end()
    return {"work": "idle_connection", "peer": peer, "connections": many, "threads": 1,
            "workers": 1, "bytes": round((after - before) / many)}


HTTP = {"tmlrt": lambda args, threads: [str(args.http_server), "--port", "0", "--workers",
                                        str(threads)],
        "go": lambda args, threads: echo_command(args, "go", threads) + ["--http"]}
WRK_UNIT = {"us": 1, "ms": 1e3, "s": 1e6}


def process_cpu(pid):
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def run_http(args, peer, connections, threads):
    _, cpus, load_threads = cpu_sets(threads)
    with Server(HTTP[peer](args, threads), threads) as server:
        url = f"http://127.0.0.1:{server.port}/"
        wrk = ["wrk", f"-t{load_threads}", f"-c{connections}", "--latency"]
        subprocess.run([*wrk, "-d1s", url], stdout=subprocess.DEVNULL, preexec_fn=on(cpus),
                       check=False)
        before = process_cpu(server.pid)
        out = subprocess.run([*wrk, f"-d{max(1, round(args.seconds))}s", url],
                             stdout=subprocess.PIPE, text=True, preexec_fn=on(cpus), check=True)
        cpu = process_cpu(server.pid) - before
    n = int(re.search(r"(\d+) requests in", out.stdout)[1])
    record = {"work": "http", "peer": peer, "connections": connections, "threads": threads,
              "workers": threads, "cpu_s_per_million": cpu / max(n, 1) * 1e6,
              "rps": float(re.search(r"Requests/sec:\s+([\d.]+)", out.stdout)[1]),
              "errors": 1 if re.search(r"Socket errors|Non-2xx", out.stdout) else 0}
    for name, label in (("p50_us", "50%"), ("p99_us", "99%")):
        found = re.search(rf"^\s+{label}\s+([\d.]+)(us|ms|s)\s*$", out.stdout, re.M)
        record[name] = float(found[1]) * WRK_UNIT[found[2]] if found else 0
    return record


# ---- figures --------------------------------------------------------------------------------------

def interval(ratios):
    """(geometric mean, low, high) of paired ratios."""
    logs = [math.log(r) for r in ratios if r > 0]
    if len(logs) < 2:
        return None
    mean, n = statistics.mean(logs), len(logs)
    t = T95[n - 1] if n - 1 < len(T95) else 1.96 + 2.4 / (n - 1)
    half = t * statistics.stdev(logs) / math.sqrt(n)
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def ratios(runs, peer, base, field):
    """By round: peer's over base's."""
    both = zip(runs.get(peer, []), runs.get(base, []))
    return [a[field] / b[field] for a, b in both if a and b and b[field] > 0]


def med(rows, field):
    return statistics.median([r[field] for r in rows if r] or [0])


def table(args, title, runs, base):
    say(args, f"\n{title}")
    say(args, f"{'':10} {'req/s':>9} {'p50 us':>9} {'p99 us':>9} {'p99.9':>9} {'CPU us':>7} "
              f" req/s against {base} (95 %)      CPU against {base} (95 %)")
    for peer, rows in runs.items():
        rows = [r for r in rows if r]
        if not rows:
            continue
        line = (f"{peer:10} {med(rows, 'rps'):9.0f} {med(rows, 'p50_us'):9.0f} "
                f"{med(rows, 'p99_us'):9.0f} {med(rows, 'p999_us') if 'p999_us' in rows[0] else 0:9.0f} "
                f"{med(rows, 'cpu_s_per_million'):7.2f}")
        for field in ("rps", "cpu_s_per_million"):
            got = interval(ratios(runs, peer, base, field)) if peer != base else None
            text = f"{got[0]:.3f} ({got[1]:.3f} to {got[2]:.3f})" if got else ""
            line += f"  {text:26}"
        say(args, line.rstrip())


def paired_records(runs, work, base, connections, threads):
    """What the suite's table shows of the pairs."""
    for peer in runs:
        if peer == base:
            continue
        record = {"work": f"{work}_paired", "peer": peer, "connections": connections,
                  "threads": threads, "workers": threads, "against": base}
        for field in ("rps", "cpu_s_per_million", "p99_us"):
            got = interval(ratios(runs, peer, base, field))
            if got:
                record[f"{field}_ratio"], record[f"{field}_low"], record[f"{field}_high"] = (
                    round(v, 4) for v in got)
        yield record


# ---- the run --------------------------------------------------------------------------------------

def say(args, text):
    print(text, file=args.words, flush=True)


def emit(args, record):
    if args.records:
        args.records.write(json.dumps(record) + "\n")
        args.records.flush()


def progress(args, text):
    left = ""
    args.done += 1
    if args.total:
        spent = time.monotonic() - args.began
        rest = spent / args.done * (args.total - args.done)
        left = f" {args.done}/{args.total}, {rest:.0f} s left:"
    if sys.stderr.isatty():
        print(f"\r\033[K{left} {text}", end="", file=sys.stderr, flush=True)


def rounds(args, peers, work, run, grid, base):
    """All cells, all rounds; inside a round the peers one after the other, there and back."""
    cells = {cell: {peer: [] for peer in peers} for cell in grid}
    for number in range(args.rounds):
        for connections, threads in grid:
            for peer in peers if number % 2 == 0 else reversed(peers):
                progress(args, f"{work} {peer}, {connections} connections, {threads} threads")
                try:
                    record = run(args, peer, connections, threads)
                    emit(args, {**record, "round": number})
                except (RuntimeError, OSError, subprocess.SubprocessError) as e:
                    record = None
                    args.failures.append(f"{work} {peer} {connections} {threads}: {e}")
                cells[connections, threads][peer].append(record)
    for (connections, threads), runs in cells.items():
        for record in paired_records(runs, work, base, connections, threads):
            emit(args, record)
    return cells


def shares(cells):
    rows = [r for runs in cells.values() for rs in runs.values() for r in rs if r]
    wall = sum(r["seconds"] for r in rows) * (os.cpu_count() or 1)
    return (sum(r["steal_s"] for r in rows) / wall * 100,
            sum(r["others_s"] for r in rows) / wall * 100) if wall else (0, 0)


def singles(args, peers):
    if args.idle:
        say(args, "\nresident bytes an idle connection (its buffer of 1,024 bytes included where "
                  "the server has one a connection)")
        for peer in peers:
            progress(args, f"idle {peer}")
            record = run_idle(args, peer)
            emit(args, record)
            say(args, f"{peer:10} {record['bytes']:6}")
    if not args.calls:
        return
    if shutil.which("perf"):
        say(args, "\nuser CPU a request (perf, cpu-clock at 4,999 Hz)")
        for connections, threads in args.calls:
            for peer in peers:
                progress(args, f"user {peer}")
                try:
                    record = run_user(args, peer, connections, threads)
                except (RuntimeError, subprocess.SubprocessError) as e:
                    args.failures.append(f"user {peer}: {e}")
                    continue
                emit(args, record)
                say(args, f"{peer:10} {connections:5} conn. {threads} thr. "
                          f"{record['user_us']:6.3f} us, {record['user_share'] * 100:.1f} % of "
                          f"{record['samples']} samples")
    else:
        say(args, "\nno perf: the user's share of a request is not told")
    if not shutil.which("strace"):
        say(args, "\nno strace: system calls are not counted")
        return
    say(args, "\nsystem calls a request (strace -f -c; a long run less a short one)")
    for connections, threads in args.calls:
        for peer in peers:
            progress(args, f"calls {peer}")
            try:
                record = run_calls(args, peer, connections, threads)
            except (RuntimeError, subprocess.SubprocessError) as e:
                args.failures.append(f"calls {peer} {connections} {threads}: {e}")
                continue
            emit(args, record)
            say(args, f"{peer:10} {connections:5} conn. {threads} thr. "
                      f"{record['calls_per_request']:6.3f}  {record['calls']}")


def numbers(text):
    return [int(v) for v in text.split(",")]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--build", type=Path, required=True, help="the build folder")
    p.add_argument("--json", help="records go there, one a line; -: standard output")
    p.add_argument("--quick", action="store_true", help="under a minute")
    p.add_argument("--paired", action="store_true", help="20 rounds against the epoll loop alone")
    p.add_argument("--rounds", type=int)
    p.add_argument("--seconds", type=float, help="measured in each run")
    p.add_argument("--warmup", type=float, default=0.3)
    p.add_argument("--peers", help="names, comma between: " + ",".join(PEERS))
    p.add_argument("--connections", type=numbers)
    p.add_argument("--threads", type=numbers)
    p.add_argument("--http-server", type=Path, help="the HTTP example's program")
    p.add_argument("--only", choices=("echo", "http", "single"))
    args = p.parse_args()
    quick, paired = args.quick, args.paired
    args.rounds = args.rounds or (2 if quick else 20 if paired else 5)
    args.seconds = args.seconds or (0.4 if quick else 1.0)
    args.connections = args.connections or ([64, 1000] if quick else [64, 1000, 8000] if paired
                                            else [1, 64, 1000, 8000])
    args.threads = args.threads or ([1] if quick else [1, 2])
    args.idle = 2000 if quick else 8000
    args.calls = [] if quick else [(c, t) for t in (1, 2) for c in (64, 1000)]
    args.words = sys.stderr if args.json == "-" else sys.stdout
    args.records = None
    if args.json:
        args.records = sys.stdout if args.json == "-" else open(args.json, "w", encoding="utf-8")
    if args.http_server is None:
        found = sorted(args.build.glob("**/http_server"))
        args.http_server = found[0] if found else Path("http_server")
    return args


def own_session():
    """As the suite does: the kernel shares the CPUs between sessions first."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "suite"))
    try:
        import machine
    except ImportError:
        return "in the caller's session"
    return machine.own_session()


def main():
    args = arguments()
    session = own_session()
    args.versions, args.failures = {}, []
    names = args.peers.split(",") if args.peers else (
        ["tmlrt", "epoll"] if args.paired else list(PEERS))
    peers = [n for n in names if program(args, n).exists()]
    if not peers or (not args.peers and "tmlrt" not in peers):
        sys.exit("net.py: the servers are not built")
    base = "epoll" if "epoll" in peers else peers[-1]
    web = [p for p in HTTP if p in peers] if shutil.which("wrk") else []
    if not args.http_server.exists() or args.paired:
        web = []
    grid = [(c, t) for t in args.threads for c in args.connections]
    args.done, args.began = 0, time.monotonic()
    args.total = args.rounds * len(grid) * len(peers)

    if args.only in (None, "echo"):
        cells = rounds(args, peers, "echo64", run_echo, grid, base)
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
        say(args, "peers: " + "; ".join(args.versions.values()))
        say(args, f"{args.rounds} rounds of {args.seconds} s, {session}; steal {shares(cells)[0]:.1f} %, other "
                  f"processes {shares(cells)[1]:.1f} % of the machine")
        for (connections, threads), runs in cells.items():
            where = "apart" if cpu_sets(threads)[0].isdisjoint(cpu_sets(threads)[1]) else "shared"
            table(args, f"TCP echo of 64 bytes, {connections} connections, server of {threads} "
                        f"thread(s), CPUs of server and load {where}", runs, base)
    args.total = 0
    if args.only in (None, "single") and not args.paired:
        singles(args, peers)
    if web and args.only in (None, "http"):
        grid = [(64, t) for t in args.threads]
        cells = rounds(args, web, "http", run_http, grid, web[-1])
        for (connections, threads), runs in cells.items():
            table(args, f"HTTP keep-alive by wrk, {connections} connections, server of {threads} "
                        "thread(s)", runs, web[-1])
    for failure in args.failures:
        say(args, f"failed: {failure}")
    return 1 if args.failures else 0


if __name__ == "__main__":
    sys.exit(main())
