"""Every link between the pages of this repository leads somewhere."""

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

REPOSITORY = Path(__file__).parents[3]
README_WORDS = 1_200
FENCED = re.compile(r"^(`{3,}|~{3,}).*?^\1[`~]*\s*$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\s*\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [REPOSITORY / name for name in listed.stdout.splitlines()]


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives to headings; repeated ones are numbered."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCED.sub("", page)):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        number = 0
        while (name := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found


def broken_links(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    prose = INLINE_CODE.sub("", FENCED.sub("", text))
    broken = []
    for link in LINK.findall(prose):
        if EXTERNAL.match(link):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = path.parent / name if name else path
        to_heading = anchor and target.suffix == ".md"
        if not target.exists() or (to_heading and anchor not in anchors(target.read_text())):
            broken.append(link)
    return broken


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    assert broken_links(path) == []


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[a](other.md) [b](other.md#two-words) [c](#here)\n# Here\n", []),
        ("[a](missing.md)", ["missing.md"]),
        ("[a](other.md#two)", ["other.md#two"]),
        ("[a](#there)\n# Here\n", ["#there"]),
        ("[a](https://example.com/missing.md) [m](mailto:a@example.com)", []),
        ("`[a](missing.md)`\n```\n[b](missing.md)\n# Not\n```\n[c](#not)", ["#not"]),
        ("[a](other.md#two-words-1) [b](other.md#two-words-2)", ["other.md#two-words-2"]),
        ("![a picture](missing.png)", ["missing.png"]),
    ],
)
def test_a_link_is_broken_without_its_file_or_its_heading(
    tmp_path: Path, text: str, broken: list[str]
) -> None:
    (tmp_path / "other.md").write_text("# Other\n\n## `Two` words!\n\n## Two words\n")
    page = tmp_path / "page.md"
    page.write_text(text)

    assert broken_links(page) == broken


def test_readme_is_read_in_a_few_minutes() -> None:
    assert len((REPOSITORY / "README.md").read_text().split()) <= README_WORDS


def test_every_page_of_the_documentation_is_linked_from_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text()

    unlinked = [page.name for page in (REPOSITORY / "docs").glob("*.md") if page.name not in readme]

    assert unlinked == []
