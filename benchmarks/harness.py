"""What all comparisons share: fresh processes, one after the other, in rounds of random order.

A machine that runs benchmarks also runs other things. So no figure here is a time: what is kept is
processor time of a process, and what is told of it is the ratio of two processes of one round,
of which the median over all rounds is taken.
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
# Has what is compared with; the functions and all else are run by the interpreter of the project.
COMPARE_PYTHON = ROOT / ".local" / "bench" / "bin" / "python"
# Has the packages that are deployed.
RUNTIME = sysconfig.get_path("purelib", vars={"base": str(ROOT / ".local" / "lambda-runtime")})
MEGABYTE = 1_000_000


class CaseFailed(Exception):
    """A process of a comparison ended with an error. Says which, and how it ended."""


@dataclass(frozen=True)
class Case:
    """One side of a comparison: a program whose last printed line is JSON of what it measured.

    ``environment`` is all that it sees, but for the path.
    """

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """One run of a case: processor seconds of the whole process, and what it said itself."""

    cpu_seconds: float
    said: Mapping[str, Any]


Looks = dict[str, list[Look]]
Figure = Callable[[Look], float]


def look_at(case: Case) -> Look:
    """Raises CaseFailed."""
    with subprocess.Popen(
        [str(part) for part in case.command],
        env={"PATH": os.environ["PATH"], **case.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101 (for the type checker)
        printed = process.stdout.read()
        # Of this child alone, where getrusage would add up all there ever were.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise CaseFailed(f"{case.name} ended with {process.returncode}")
    said = json.loads(printed.splitlines()[-1]) if printed.strip() else {}
    return Look(usage.ru_utime + usage.ru_stime, said)


def interleaved(cases: Sequence[Case], rounds: int, *, warm: bool = False, seed: int = 9) -> Looks:
    """Look at every case in every round, each time in another order.

    Unless files are ``warm``, a first look at each is thrown away: it reads them from the disk.
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
    """Processor seconds that the process counted itself; those of all of it where it did not."""
    return float(look.said.get("cpu_seconds", look.cpu_seconds))


def peak(look: Look) -> float:
    return float(look.said["peak_bytes"]) / MEGABYTE


def typical(looks: Iterable[Look], figure: Figure) -> float:
    return statistics.median(map(figure, looks))


def ratio(looks: Looks, one: str, other: str, figure: Figure = cpu) -> float:
    """How many times ``other`` it takes ``one``: the median of what each round says."""
    pairs = zip(looks[one], looks[other], strict=True)
    return statistics.median(figure(a) / figure(b) for a, b in pairs)


def rounded(value: Any) -> Any:
    """Three digits are more than a shared machine can say."""
    if isinstance(value, float):
        return float(f"{value:.3g}")
    if isinstance(value, dict):
        return {key: rounded(member) for key, member in value.items()}
    if isinstance(value, list):
        return [rounded(member) for member in value]
    return value


@dataclass(frozen=True)
class Verdict:
    """A line of the table: a target and what was found, as text; ``why`` where it is not met."""

    what: str
    against: str
    target: str
    measured: str
    met: bool | None
    why: str = ""


def store(name: str, figures: Mapping[str, Any], verdicts: Sequence[Verdict], quick: bool) -> None:
    """Print the result of a benchmark; keep it, unless it is only a quick look."""
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
    """As the table shows it: what reads as the limit has not missed it."""
    return round(value, 2) <= limit
