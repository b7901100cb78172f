"""Counts the lines of a pipeline's Terraform code that occur in another pipeline, too.

Usage: .local/venv/bin/python tools/shared_lines.py

Runs of five or more lines count. Blank lines and comments are left out, and so are variables.tf,
outputs.tf and versions.tf, in which the pipelines have to be alike. Prints a share for each
pipeline and for all of them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
SHORTEST_RUN = 5
LEFT_OUT = frozenset({"outputs.tf", "variables.tf", "versions.tf"})


def written(folder: Path) -> list[list[str]]:
    """Returns the lines of each file that count, with single spaces between words."""
    files = sorted(path for path in folder.glob("*.tf") if path.name not in LEFT_OUT)
    return [
        [line for each in path.read_text(encoding="utf-8").splitlines() if (line := _bare(each))]
        for path in files
    ]


def _bare(line: str) -> str:
    words = line.split()
    return "" if not words or words[0].startswith("#") else " ".join(words)


def shares(pipelines: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, tuple[int, int]]:
    """Returns for each pipeline the number of its lines in shared runs, and of all its lines.

    `pipelines` has the files of each by its name, as `written` returns them.
    """
    runs = defaultdict[tuple[str, ...], set[str]](set)
    for name, files in pipelines.items():
        for lines in files:
            for start in range(len(lines) - SHORTEST_RUN + 1):
                runs[tuple(lines[start : start + SHORTEST_RUN])].add(name)
    return {
        name: (sum(len(_shared(lines, runs)) for lines in files), sum(map(len, files)))
        for name, files in pipelines.items()
    }


def _shared(lines: Sequence[str], runs: Mapping[tuple[str, ...], set[str]]) -> set[int]:
    return {
        start + offset
        for start in range(len(lines) - SHORTEST_RUN + 1)
        if len(runs[tuple(lines[start : start + SHORTEST_RUN])]) > 1
        for offset in range(SHORTEST_RUN)
    }


def main(repository: Path = REPOSITORY) -> float:
    """Prints the shares and returns that of all pipelines, from 0 to 1."""
    folders = sorted(path.parent for path in repository.glob("pipelines/*/main.tf"))
    found = shares({folder.name: written(folder) for folder in folders})
    found["all"] = (
        sum(shared for shared, _ in found.values()),
        sum(lines for _, lines in found.values()),
    )
    for name, (shared, lines) in found.items():
        print(f"{name:20}{shared:6} of {lines:5} lines  {shared / lines:4.0%}")
    shared, lines = found["all"]
    return shared / lines


if __name__ == "__main__":
    main()
