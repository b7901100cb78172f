"""Runs the cases of a comparison in fresh processes, one at a time, in rounds of random order.

A machine that runs benchmarks also runs other programs, so no elapsed time is a result. Results are
ratios of the processor times of two processes of one round, as the median over all rounds.
"""

import json
import os
import platform
import random
import statistics
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
# The interpreter with the packages to compare with, such as pyvips.
COMPARE_PYTHON = ROOT / ".local" / "bench" / "bin" / "python"
# The site-packages folder with the deployed packages.
RUNTIME = sysconfig.get_path("purelib", vars={"base": str(ROOT / ".local" / "lambda-runtime")})
MEGABYTE = 1_000_000


class CaseFailed(Exception):
    """A process of a comparison ended with an error. Names the case and the exit code."""


@dataclass(frozen=True)
class Case:
    """One side of a comparison: a program whose last printed line is JSON of what it measured.

    ``environment`` is its whole environment, except for PATH.
    """

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """One run of a case: processor seconds of the whole process, and the JSON that it printed."""

    cpu_seconds: float
    said: Mapping[str, Any]


Looks = dict[str, list[Look]]
Figure = Callable[[Look], float]


def look_at(case: Case) -> Look:
    """Runs a case once. Raises CaseFailed if it ends with an error."""
    with subprocess.Popen(
        [str(part) for part in case.command],
        env={"PATH": os.environ["PATH"], **case.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101 (for the type checker)
        printed = process.stdout.read()
        # wait4 counts this child alone; getrusage would add up all children that have ended.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise CaseFailed(f"{case.name} ended with {process.returncode}")
    said = json.loads(printed.splitlines()[-1]) if printed.strip() else {}
    return Look(usage.ru_utime + usage.ru_stime, said)


def interleaved(cases: Sequence[Case], rounds: int, *, warm: bool = False, seed: int = 9) -> Looks:
    """Runs every case in every round, each round in another order.

    Unless files are ``warm``, the first run of each case is discarded: it reads them from the disk.
    """
    chance = random.Random(seed)  # noqa: S311 (an order, no secret)
    looks: Looks = {case.name: [] for case in cases}
    for number in range(1 if warm else 0, rounds + 1):
        for case in chance.sample(cases, len(cases)):
            look = look_at(case)
            if number:
                looks[case.name].append(look)
    return looks


def cpu(look: Look) -> float:
    """Returns the processor seconds that the process reported, else those of the whole process."""
    return float(look.said.get("cpu_seconds", look.cpu_seconds))


def peak(look: Look) -> float:
    return float(look.said["peak_bytes"]) / MEGABYTE


def typical(looks: Iterable[Look], figure: Figure) -> float:
    return statistics.median(map(figure, looks))


def ratio(looks: Looks, one: str, other: str, figure: Figure = cpu) -> float:
    """Returns the figure of ``one`` divided by that of ``other``, as the median of the rounds."""
    pairs = zip(looks[one], looks[other], strict=True)
    return statistics.median(figure(a) / figure(b) for a, b in pairs)


def rounded(value: Any) -> Any:
    """Rounds the floats of a JSON value to three digits: a shared machine is not more precise."""
    if isinstance(value, float):
        return float(f"{value:.3g}")
    if isinstance(value, dict):
        return {key: rounded(member) for key, member in value.items()}
    if isinstance(value, list):
        return [rounded(member) for member in value]
    return value


@dataclass(frozen=True)
class Verdict:
    """A row of the table. ``met`` is None without a target; ``why`` explains a missed one."""

    what: str
    against: str
    target: str
    measured: str
    met: bool | None
    why: str = ""


def store(name: str, figures: Mapping[str, Any], verdicts: Sequence[Verdict], quick: bool) -> None:
    """Prints the result of a benchmark; writes it to benchmarks/results unless ``quick``."""
    result = {
        "benchmark": name,
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processors": os.cpu_count(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
            "load_average": [round(load, 1) for load in os.getloadavg()],
        },
        "verdicts": [vars(verdict) for verdict in verdicts],
        "figures": rounded(dict(figures)),
    }
    text = json.dumps(result, indent=2) + "\n"
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(text)
    sys.stdout.write(text)


def at_most(value: float, limit: float) -> bool:
    """Whether a value, rounded to two decimals as in the table, is within the limit."""
    return round(value, 2) <= limit
