"""Helpers of the tests of the examples."""

import re
from pathlib import Path

from support.mocked_plans import REPOSITORY

EXAMPLES = sorted(path.parent.name for path in REPOSITORY.glob("examples/*/main.tf"))


def declared(kind: str, file: Path) -> set[str]:
    """Returns the names of the variables or outputs (`kind`) that a file declares."""
    return set(re.findall(rf'^{kind} "(\w+)"', file.read_text(encoding="utf-8"), re.MULTILINE))


def packing_command(example: str) -> str:
    """Returns the command by which an example's README makes the zip of its function."""
    readme = (REPOSITORY / "examples" / example / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^mkdir .* python3 -m zipfile .*$", readme, re.MULTILINE)
    return str(command)
