#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The side-by-side suite: runs every work on every peer, interleaved, and reports.

bench/run.sh builds and then calls this with the build folder. Samples are kept as
samples[(work, peer, workers)][field] = [a value a round]; a net record (of bench/net/net.py) has
its connections in the work's name.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import machine
import report
import rows

HERE = Path(__file__).resolve().parent
NET = HERE.parent / "net" / "net.py"
TIMEOUT = 120
IGNORED = {"workers", "connections", "threads", "round"}


def programs(build):
    found = {name: build / "peers" / f"peer_{name}"
             for name in ("tmlrt", "go", "onetbb", "libuv", "epoll", "futex")}
    found["tokio"] = build / "tokio" / "release" / "peer_tokio"
    found["tokio-mimalloc"] = build / "tokio-mimalloc" / "release" / "peer_tokio"
    return {name: path for name, path in found.items() if path.exists()}


def plan(peers, args):
    """One round: (job, peer, workers) in the order A B C … of each work."""
    one = []
    for job in rows.JOBS:
        if args.only and job.work not in args.only:
            continue
        for workers in job.quick_workers if args.quick else job.workers:
            for peer in job.peers:
                if peer in peers and not (peer in rows.ONE_LOOP and workers == 1
                                          and len(job.workers) > 1 and not args.quick):
                    one.append((job, peer, workers))
    return one


def run_one(program, job, workers, quick):
    command = [str(program), job.work, "--workers",
               str(machine.cpus() if workers == "all" else workers)]
    n = job.quick_n if quick else job.n
    if n is not None:
        command += ["--n", str(n)]
    prepare = None
    if job.pin:
        mine = sorted(os.sched_getaffinity(0))
        command += ["--pin", str(mine[0])]
        prepare = lambda: os.sched_setaffinity(0, {mine[-1]})  # noqa: E731
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         timeout=TIMEOUT, preexec_fn=prepare, check=False)
    if out.returncode != 0:
        raise RuntimeError(out.stderr.strip().splitlines()[-1] if out.stderr.strip()
                           else f"exit status {out.returncode}")
    return [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]


class Progress:
    def __init__(self, total):
        self.total, self.done, self.start, self.said = total, 0, time.time(), 0.0

    def step(self, what):
        self.done += 1
        now = time.time()
        left = (now - self.start) / self.done * (self.total - self.done)
        text = f"{self.done}/{self.total}  {int(left) // 60}:{int(left) % 60:02d} left  {what}"
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="\n" if self.done == self.total else "",
                  file=sys.stderr, flush=True)
        elif now - self.said > 15 or self.done == self.total:
            self.said = now
            print(text, file=sys.stderr, flush=True)


def add(samples, record, workers):
    key = (record["work"], record["peer"], workers)
    if "connections" in record:
        key = (f'{record["work"]}_{record["connections"]}', record["peer"], workers)
    fields = samples.setdefault(key, {})
    for name, value in record.items():
        if isinstance(value, (int, float)) and name not in IGNORED:
            fields.setdefault(name, []).append(value)


def run_rounds(peers, args, samples, failures):
    one = plan(peers, args)
    progress = Progress(len(one) * args.rounds)
    for number in range(args.rounds):
        for job, peer, workers in one:
            progress.step(f"round {number + 1}: {job.work} {peer} {workers}w")
            try:
                for record in run_one(peers[peer], job, workers, args.quick):
                    add(samples, record, 2 if peer in rows.ONE_LOOP else workers)
            except (RuntimeError, subprocess.TimeoutExpired, ValueError) as e:
                failures.append(f"{job.work}, {peer}, {workers} workers: {e}")


def net_records(args, failures, *more):
    """The records of bench/net/net.py; its tables go to the standard error."""
    command = [sys.executable, str(NET), "--build", str(args.build), "--json", "-", *more]
    out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if out.returncode != 0:
        failures.append(f"net.py {' '.join(more)}: exit status {out.returncode}")
    return [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]


def run_net(args, samples, failures):
    if args.no_net or args.only or not NET.exists():
        return
    print("net", file=sys.stderr)
    records = net_records(args, failures, *(["--quick"] if args.quick else []))
    if not args.quick:
        # The interval of many pairs replaces that of the few.
        pairs = [r for r in net_records(args, failures, "--paired") if "against" in r]
        replaced = {(r["work"], r["peer"], r["connections"], r["workers"]) for r in pairs}
        records = [r for r in records if (r["work"], r["peer"], r["connections"], r["workers"])
                   not in replaced] + pairs
    for record in records:
        add(samples, record, record["workers"])


def run_micro(args):
    program = args.build / "micro"
    if args.only or not program.exists():
        return []
    print("micro-benchmarks", file=sys.stderr)
    out = subprocess.run([str(program), "--benchmark_format=json",
                          f"--benchmark_min_time={0.02 if args.quick else 0.3}"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    try:
        return [(b["name"].replace("/real_time", ""), b["real_time"])
                for b in json.loads(out.stdout)["benchmarks"] if "real_time" in b]
    except (ValueError, KeyError):
        return []


def versions(peers):
    return [subprocess.run([str(p), "version"], stdout=subprocess.PIPE, text=True,
                           check=False).stdout.strip() for p in peers.values()]


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true",
                        help="3 rounds of smaller counts, about two minutes")
    parser.add_argument("--rounds", type=int, help="rounds (5, or 3 with --quick)")
    parser.add_argument("--only", action="append", metavar="WORK", help="this work (repeatable)")
    parser.add_argument("--no-net", action="store_true", help="without the net rows")
    parser.add_argument("--out", type=Path, help="where RESULTS.md and plots/ go (bench/; "
                        "with --quick or --only the build folder)")
    args = parser.parse_args()
    args.rounds = args.rounds or (3 if args.quick else 5)
    args.out = args.out or (args.build if args.quick or args.only else HERE.parent)

    session = machine.own_session()
    peers = programs(args.build)
    if "tmlrt" not in peers:
        sys.exit("the peers are not built")
    samples, failures, share = {}, [], machine.Share()
    run_rounds(peers, args, samples, failures)
    run_net(args, samples, failures)
    micro = run_micro(args)
    result = {
        "quick": args.quick, "rounds": args.rounds, "machine": machine.words(),
        "session": session, "share": share.read(), "versions": versions(peers),
        "cpus": machine.cpus(), "failures": failures, "micro": micro,
        "samples": [[*key, fields] for key, fields in sorted(samples.items(), key=str)],
        "date": time.strftime("%Y-%m-%d"),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.build / "results.json").write_text(json.dumps(result))
    text = report.markdown(result)
    (args.out / "RESULTS.md").write_text(text)
    print(text)
    try:
        import plots
        plots.draw(result, args.out / "plots")
    except ImportError as e:
        print(f"no plots: {e}", file=sys.stderr)


if __name__ == "__main__":
    main()
