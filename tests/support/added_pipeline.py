"""Carries out the steps of docs/adding-a-pipeline.md in a copy of the repository."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-pipeline.md"
BLOCK = re.compile(r"(At the end of )?`([\w./-]+)`:\n\n```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\| `([\w./]+)` \| `([^`]+)` \| `([^`]+)` \|$", re.MULTILINE)


def add_to(repository: Path) -> None:
    """Writes the files of the page into a copy of the repository, and edits the files it names."""
    page = PAGE.read_text()
    for end, file, text in BLOCK.findall(page):
        path = repository / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{path.read_text()}\n{text}" if end else text)
    for file, after, insert in ROW.findall(page):
        path = repository / file
        if path.exists():  # a copy of Terraform's files alone
            before = path.read_text()
            assert after in before, f"{file}: {after}"
            path.write_text(before.replace(after, after + insert))
