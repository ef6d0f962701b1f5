# SPDX-License-Identifier: MIT
"""One SVG a group of rows: a bar a peer, the rounds as points. Needs Debian's matplotlib."""
import statistics

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "tmlrt"  # the same drawing, the same file
import matplotlib.pyplot as plt  # noqa: E402

import report  # noqa: E402
import rows  # noqa: E402

COLOURS = {"tmlrt": "#c0392b", "tokio": "#2c3e50", "tokio-mimalloc": "#7f8c8d", "go": "#2980b9",
           "onetbb": "#8e44ad", "libuv": "#27ae60", "epoll": "#d4ac0d", "futex": "#a04000",
           "io_uring": "#16a085"}


def draw(result, folder):
    folder.mkdir(parents=True, exist_ok=True)
    table = report.Table(result)
    for group in report.groups():
        panels = [(row, workers) for row in rows.ROWS if row.group == group
                  for workers in table.workers(row.work)
                  if table.peers(row.work, workers, row.field)]
        if panels:
            draw_group(table, result, panels, folder / f"{group}.svg")


def draw_group(table, result, panels, path):
    across = min(3, len(panels))
    down = -(-len(panels) // across)
    figure, axes = plt.subplots(down, across, figsize=(4.2 * across, 2.6 * down), squeeze=False)
    for axis in axes.flat[len(panels):]:
        axis.set_visible(False)
    for axis, (row, workers) in zip(axes.flat, panels):
        draw_panel(axis, table, row, workers, report.title_of(row, result))
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)


def draw_panel(axis, table, row, workers, title):
    peers = table.peers(row.work, workers, row.field)
    for i, peer in enumerate(peers):
        values = table.all(row.work, peer, workers, row.field)
        axis.barh(i, statistics.median(values), color=COLOURS.get(peer, "#555555"), height=0.7)
        axis.plot(values, [i] * len(values), "o", color="white", markeredgecolor="black",
                  markersize=3, markeredgewidth=0.5)
    medians = [m for p in peers if (m := table.median(row.work, p, workers, row.field)) > 0]
    if medians and max(medians) > 20 * min(medians):
        axis.set_xscale("log")
    axis.set_yticks(range(len(peers)))
    axis.set_yticklabels(peers, fontsize=8)
    axis.invert_yaxis()
    axis.set_title(f"{title}\n{workers} worker{'' if workers == 1 else 's'}", fontsize=8)
    axis.set_xlabel(row.unit, fontsize=8)
    axis.tick_params(axis="x", labelsize=7)
