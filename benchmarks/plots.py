"""Draws the results in benchmarks/results as PNG files.

Usage: .local/bench/bin/python benchmarks/plots.py; `tools/environment.sh bench` makes .local/bench.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

RESULTS = Path(__file__).resolve().parent / "results"
HOUR, DAY = 3600, 86_400
WAYS = {"shipped": "here", "libvips": "libvips", "thumbnail": "thumbnail()", "tutorial": "tutorial"}


def recorded(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def saved(figure: Figure, name: str) -> None:
    # Without name and version of the software, the same figures give the same file.
    figure.savefig(RESULTS / f"{name}.png", dpi=70, metadata={"Software": None})
    plt.close(figure)


def capacity() -> None:
    """Draws the waiting messages and the executions of each scenario over time."""
    scenarios: Mapping[str, Mapping[str, Sequence[tuple[float, int, int]]]]
    scenarios = recorded("capacity_timelines")
    for scenario, timelines in scenarios.items():
        figure, axes = plt.subplots(
            len(timelines),
            1,
            figsize=(7, 0.8 + 1.5 * len(timelines)),
            squeeze=False,
            layout="constrained",
        )
        for (axis,), (pipeline, timeline) in zip(axes, timelines.items(), strict=True):
            _waiting_and_running(axis, pipeline, timeline)
        figure.suptitle(f"{scenario}: messages waiting, executions at once", fontsize=10)
        name = re.sub(r"[^a-z0-9]+", "-", scenario.lower()).strip("-")
        saved(figure, f"capacity-{name}")


def _waiting_and_running(
    axis: Axes, pipeline: str, timeline: Sequence[tuple[float, int, int]]
) -> None:
    seconds, waiting, busy = zip(*timeline, strict=True)
    unit, name = 60, "minutes"
    if seconds[-1] > 2 * HOUR:
        unit, name = HOUR, "hours"
    if seconds[-1] > 3 * DAY:
        unit, name = DAY, "days"
    times = [each / unit for each in seconds]
    axis.fill_between(times, waiting, alpha=0.4, lw=0)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(name, fontsize=7)
    axis.set_ylabel("waiting", fontsize=7, color="tab:blue")
    axis.set_title(pipeline, fontsize=8, loc="left")
    other = axis.twinx()
    other.plot(times, busy, color="tab:red", lw=0.8)
    other.set_ylim(bottom=0)
    other.set_ylabel("executions", fontsize=7, color="tab:red")
    for each in (axis, other):
        each.tick_params(labelsize=7)


def images() -> None:
    """Draws processor time and peak memory of every picture and implementation."""
    pictures = recorded("images")["figures"]["pictures"]
    figure, axes = plt.subplots(1, 2, figsize=(11, 0.4 * len(pictures)), sharey=True)
    for axis, what, label in zip(
        axes, ("cpu_seconds", "peak_mb"), ("processor seconds", "peak memory, MB"), strict=True
    ):
        for place, (way, name) in enumerate(WAYS.items()):
            values = [found[what].get(way, 0) for found in pictures.values()]
            offsets = [row + (place - 1.5) * 0.2 for row in range(len(pictures))]
            axis.barh(offsets, values, height=0.2, label=name)
        axis.set_xlabel(label, fontsize=8)
        axis.tick_params(labelsize=7)
    axes[0].set_yticks(range(len(pictures)), list(pictures))
    axes[0].invert_yaxis()
    axes[1].legend(fontsize=8)
    figure.tight_layout()
    saved(figure, "images")


def cold_start() -> None:
    """Draws the start of every function: without bytecode, as deployed, and its clients alone."""
    starts = recorded("cold_start")["figures"]
    figure, axis = plt.subplots(figsize=(8, 3), layout="constrained")
    for place, (name, label) in enumerate(
        {
            "without_bytecode_times_minimal": "the same zip without bytecode",
            "times_minimal": "as deployed",
            "clients_times_minimal": "its clients alone",
        }.items()
    ):
        values = [found[name] for found in starts.values()]
        axis.barh(
            [row + (place - 1) * 0.27 for row in range(len(starts))], values, 0.27, label=label
        )
    axis.set_yticks(range(len(starts)), list(starts), fontsize=7)
    axis.set_xlabel("times a minimal handler, processor time from the start to ready", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.invert_yaxis()
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=7)
    saved(figure, "cold_start")


def engine_linearity() -> None:
    """Draws the processor time of an event on the local engine, among few and among many."""
    pipelines = recorded("engine_linearity")["figures"]
    few, many = {}, {}
    for pipeline, found in pipelines.items():
        each = [_processor_milliseconds(fed) for fed in found["few"]]
        few[pipeline], many[pipeline] = median(each), _processor_milliseconds(found["many"])
    counts = next(iter(pipelines.values()))
    values = {
        f"among {counts['few'][0]['count']:,}": list(few.values()),
        f"among {counts['many']['count']:,}": list(many.values()),
    }
    _pairs("engine_linearity", list(pipelines), values, "processor time of an event, ms")


def _processor_milliseconds(fed: Mapping[str, Any]) -> float:
    # Unknown if the benchmark ran without /proc.
    seconds: float = sum((fed["processor"] or {}).values())
    return seconds / int(fed["count"]) * 1000


def _pairs(
    name: str, pipelines: Sequence[str], values: Mapping[str, Sequence[float]], what: str
) -> None:
    figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
    for place, (label, each) in enumerate(values.items()):
        rows = [row + (place - 0.5) * 0.4 for row in range(len(pipelines))]
        axis.barh(rows, each, 0.4, label=label)
    axis.set_yticks(range(len(pipelines)), pipelines, fontsize=7)
    axis.set_xlabel(what, fontsize=8)
    axis.tick_params(labelsize=7)
    axis.invert_yaxis()
    axis.legend(fontsize=7)
    saved(figure, name)


def main() -> int:
    for name, draw in (
        ("capacity_timelines", capacity),
        ("images", images),
        ("cold_start", cold_start),
        ("engine_linearity", engine_linearity),
    ):
        if (RESULTS / f"{name}.json").exists():
            draw()
    return 0


if __name__ == "__main__":
    sys.exit(main())
