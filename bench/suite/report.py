# SPDX-License-Identifier: MIT
"""Medians, spread, ratios and targets, as Markdown."""
import statistics

import rows

ORDER = ["tmlrt", "tokio", "tokio-mimalloc", "go", "onetbb", "libuv", "epoll", "futex", "io_uring"]


class Table:
    """The samples, and what is derived from them."""

    def __init__(self, result):
        self.values = {}
        for work, peer, workers, fields in result["samples"]:
            for field, values in fields.items():
                self.values[work, peer, workers, field] = values
        self.cpus = result["cpus"]

    def peers(self, work, workers, field):
        have = {p for w, p, k, f in self.values if (w, k, f) == (work, workers, field)}
        return sorted(have, key=lambda p: ORDER.index(p) if p in ORDER else len(ORDER))

    def workers(self, work):
        return sorted({k for w, _, k, _ in self.values if w == work}, key=str)

    def all(self, work, peer, workers, field="value"):
        if field == "efficiency":
            one = self.all(work, peer, 1)
            many = self.all(work, peer, "all")
            return [a / (b * self.cpus) for a, b in zip(one, many)]  # of one round
        return self.values.get((work, peer, workers, field), [])

    def median(self, *key):
        values = self.all(*key)
        return statistics.median(values) if values else None

    def spread(self, *key):
        """Half of the distance between the least and the greatest, of the median."""
        values = self.all(*key)
        middle = statistics.median(values)
        return (max(values) - min(values)) / 2 / abs(middle) if middle else 0.0


def number(x):
    if x is None:
        return "–"
    if abs(x) >= 100:
        return f"{x:,.0f}"
    return f"{x:.3g}" if abs(x) < 10 else f"{x:.1f}"


def judge(table, target):
    """(target in words, measured in words, met or None)"""
    mine = table.median(target.work, "tmlrt", target.workers, target.field)
    if target.kind == "abs":
        return f"≤ {target.limit:g}", number(mine), None if mine is None else mine <= target.limit
    if target.kind == "least":
        # The least of all rounds where it must never be less.
        values = table.all(target.work, "tmlrt", target.workers, target.field)
        if not values:
            return f"≥ {target.limit:g}", "–", None
        worst = min(values) if target.field == "min" else statistics.median(values)
        return f"≥ {target.limit:g}", number(worst), worst >= target.limit
    best = [m for p in target.against
            if (m := table.median(target.work, p, target.workers, target.field)) is not None]
    words = f"≤ {target.limit:g} of {' and '.join(target.against)}"
    if target.kind == "more":
        words = f"≤ {target.limit:g} more than {' and '.join(target.against)}"
    if mine is None or len(best) < len(target.against) or min(best) <= 0:
        return words, "–", None
    if target.kind == "more":
        return words, f"{mine - min(best):.3f}", mine - min(best) <= target.limit
    return words, f"{mine / min(best):.3f}", mine / min(best) <= target.limit


def target_lines(table, result):
    lines = ["| work | workers | target | measured | |", "| --- | --- | --- | --- | --- |"]
    met = missed = 0
    for target in rows.TARGETS:
        words, measured, ok = judge(table, target)
        met, missed = met + (ok is True), missed + (ok is False)
        say = {True: "met", False: "**missed**", None: "not measured"}[ok]
        lines.append(f"| {title_of(target, result)} | {target.workers} | {words} | {measured} | "
                     f"{say} |")
    return [f"{met} met, {missed} missed.", ""] + lines


def title_of(item, result):
    if item.field == "efficiency":
        return "efficiency of CPU-bound tasks, 1 worker to all"
    for row in rows.ROWS:
        if (row.work, row.field) == (item.work, item.field):
            title = result["quick"] and rows.QUICK_TITLES.get(row.work)
            return title or row.title
    kind, _, connections = item.work.rpartition("_")
    return f"{kind.split('_')[0]}, {connections} connections: " + \
        rows.NET_TITLES.get(item.field, item.field)


def row_lines(table, row, workers, title):
    lines = []
    key = (workers, row.field)
    mine = table.median(row.work, "tmlrt", *key)
    for peer in table.peers(row.work, *key):
        value = table.median(row.work, peer, *key)
        spread = table.spread(row.work, peer, *key)
        relation = "" if peer == "tmlrt" or not mine or not value or value < 0 \
            else f"{mine / value:.2f}"
        lines.append(f"| {title} | {workers} | {peer} | {number(value)} {row.unit} | "
                     f"±{spread * 100:.0f} % | {relation} |")
    return lines


def figure_lines(table, result):
    lines = ["| work | workers | peer | median | spread | tmlrt : peer |",
             "| --- | --- | --- | --- | --- | --- |"]
    for row in rows.ROWS:
        for workers in table.workers(row.work):
            lines += row_lines(table, row, workers, title_of(row, result))
    return lines


NET_TABLES = [
    (("echo64_", "http_"), ["rps", "p50_us", "p99_us", "p999_us", "cpu_s_per_million", "user_us"],
     ["requests/s", "p50 us", "p99 us", "p99.9 us", "CPU us a request", "user us a request"]),
    (("echo64_paired_", "http_paired_"), ["rps", "cpu_s_per_million", "p99_us"],
     ["requests/s to the base (95 %)", "CPU a request (95 %)", "p99 (95 %)"]),
    (("echo64_calls_",), ["calls_per_request"], ["system calls a request"]),
    (("idle_connection_",), ["bytes"], ["resident bytes"]),
]


def net_cell(table, key, field):
    low, high = (table.median(*key, f"{field}_{end}") for end in ("low", "high"))
    if low is None:
        return number(table.median(*key, field))
    return f"{table.median(*key, f'{field}_ratio'):.3f} ({low:.3f} to {high:.3f})"


def net_lines(table):
    lines = []
    works = {(w, k, p) for w, p, k, _ in table.values}
    for prefixes, fields, titles in NET_TABLES:
        keys = [(w, p, k) for w, k, p in works if w.startswith(prefixes)
                and w.rsplit("_", 1)[0] + "_" in prefixes]
        if not keys:
            continue
        keys.sort(key=lambda i: (i[0].split("_")[0], int(i[0].rsplit("_", 1)[1]), i[2],
                                 ORDER.index(i[1]) if i[1] in ORDER else len(ORDER)))
        lines += ["| work, connections | threads | peer | " + " | ".join(titles) + " |",
                  "|" + " --- |" * (3 + len(fields))]
        for work, peer, workers in keys:
            cells = " | ".join(net_cell(table, (work, peer, workers), f) for f in fields)
            lines.append(f"| {work.rpartition('_')[0]}, {work.rpartition('_')[2]} | {workers} | "
                         f"{peer} | {cells} |")
        lines.append("")
    return ["## Net", "", "The base of the pairs is the epoll loop (HTTP: Go).", "", *lines] \
        if lines else []


def markdown(result):
    table, share = Table(result), result["share"]
    minutes = share["seconds"] / 60
    lines = [
        "# Measured side by side", "",
        "Written by `./dev bench`" + (" --quick" if result["quick"] else "") +
        f" on {result['date']}: {result['rounds']} rounds, the peers in turn within each; medians; "
        "spread is half the distance between the least and the greatest round. Lower is better "
        "but for requests/s; tmlrt : peer below 1 means that tmlrt is better.", "",
        f"- Machine: {result['machine']}.",
        f"- Run: {result['session']}; {minutes:.1f} minutes; steal {share['steal'] * 100:.1f} %, "
        f"background of others {share['background'] * 100:.1f} % of all CPU time; load at the end "
        f"{share['load']:.1f}.",
        *busy_lines(share),
        f"- Peers: {'; '.join(result['versions'])}. epoll and futex are written by hand.",
        "", "## Targets", "", *target_lines(table, result), "",
        "## Figures", "", *figure_lines(table, result), "", *net_lines(table),
    ]
    if result["micro"]:
        lines += ["## Micro-benchmarks", "", "| benchmark | ns |", "| --- | --- |"]
        lines += [f"| {name} | {number(ns)} |" for name, ns in result["micro"]]
        lines.append("")
    if result["failures"]:
        lines += ["## Failed runs", "", *[f"- {text}" for text in result["failures"]], ""]
    lines += ["## Plots", ""]
    have = {work for work, _, _, _ in table.values}
    lines += [f"![{name}](plots/{name}.svg)" for name in groups()
              if any(row.group == name and row.work in have for row in rows.ROWS)]
    return "\n".join(lines) + "\n"


def busy_lines(share):
    if share["background"] + share["steal"] < 0.1:
        return []
    return ["- **Others took a tenth or more of the machine: trust ratios of many rounds only.**"]


def groups():
    return list(dict.fromkeys(row.group for row in rows.ROWS))
