"""Measures `make demo` and `make test` on this machine, and the time of tests by folder.

Usage: .local/venv/bin/python benchmarks/make_targets.py [--quick]

Environments and packages that exist are not built again. Processor time is that of all processes
that were started and waited for. --quick runs the demo alone.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness import ROOT, Verdict, store

LIMITS = {"demo": 120, "test": 600}
PROCESSOR_LIMITS = {"test": 1080}
# A line of pytest's durations: "12.34s setup    tests/local/test_examples.py::test_all[x]".
DURATION = re.compile(r"(?m)^([0-9.]+)s (?:setup|call|teardown) +(tests/[^:]+)::")


class TargetFailed(Exception):
    """A make target failed. Has the exit code, the path of the log and its last lines."""


@dataclass(frozen=True)
class Taken:
    """Seconds of one target; `by_folder` adds up those of its tests over all workers."""

    seconds: float
    processor_seconds: float
    by_folder: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "by_folder": dict(self.longest())}

    def longest(self) -> list[tuple[str, float]]:
        return sorted(self.by_folder.items(), key=lambda one: -one[1])


def taken(target: str) -> Taken:
    """Runs a target and measures it. Raises TargetFailed."""
    before = os.times()
    started = time.monotonic()
    finished = subprocess.run(
        ["make", target],
        cwd=ROOT,
        env={**os.environ, "PYTEST_ADDOPTS": "--durations=0 --durations-min=0.5"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    after = os.times()
    if finished.returncode:
        # The whole output, because the error stands before a long list of durations.
        log = ROOT / ".local" / f"make-{target}.log"
        log.write_text(finished.stdout)
        end = "\n".join(finished.stdout.splitlines()[-30:])
        raise TargetFailed(f"make {target} ended with {finished.returncode}, see {log}:\n{end}")
    by_folder: dict[str, float] = defaultdict(float)
    for took, path in DURATION.findall(finished.stdout):
        by_folder["/".join(path.split("/")[:2])] += round(float(took), 1)
    processor = after.children_user + after.children_system
    processor -= before.children_user + before.children_system
    return Taken(seconds, processor, by_folder)


def verdicts(target: str, found: Taken) -> Iterator[Verdict]:
    """Yields verdicts on elapsed time and on processor time, where these have limits."""
    shares = ", ".join(
        f"{took / sum(found.by_folder.values()):.0%} {folder}"
        for folder, took in found.longest()[:5]
    )
    why = f"{found.processor_seconds / 60:.0f} min of processor time" + (
        f"; of the time in tests {shares}" if shares else ""
    )
    whole = f"make {target}, whole"
    for what, seconds, limits in (
        (f"{whole}, {os.cpu_count()} processors", found.seconds, LIMITS),
        (f"{whole}, processor time", found.processor_seconds, PROCESSOR_LIMITS),
    ):
        if target in limits:
            met = seconds <= limits[target]
            yield Verdict(
                what,
                "",
                f"<= {limits[target] / 60:.0f} min",
                f"{seconds / 60:.1f} min",
                met,
                "" if met else why,
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a look at the demo, not kept")
    quick = parser.parse_args().quick
    found = {target: taken(target) for target in (["demo"] if quick else LIMITS)}
    store(
        "make_targets",
        {target: each.as_dict() for target, each in found.items()},
        [verdict for target, each in found.items() for verdict in verdicts(target, each)],
        quick,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
