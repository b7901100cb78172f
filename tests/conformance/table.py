"""The table of agreement in docs/local-engine.md, which `make engine-conformance` writes."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.facts import Fact

PAGE = Path(__file__).parents[2] / "docs" / "local-engine.md"
BEGIN, END = "<!-- conformance: begin -->", "<!-- conformance: end -->"


def render(facts: Sequence[Fact], differing: frozenset[str]) -> str:
    """By service: how many facts, how many agree, and the names of those that differ."""
    lines = ["| service | facts | agree | differ |", "|---|---:|---:|---|"]
    services = list(dict.fromkeys(fact.service for fact in facts))
    for service in services:
        names = [fact.identifier for fact in facts if fact.service == service]
        wrong = [name for name in names if name in differing]
        listed = ", ".join(f"`{name}`" for name in wrong) or "none"
        lines.append(f"| {service} | {len(names)} | {len(names) - len(wrong)} | {listed} |")
    agreeing = len(facts) - len(differing)
    return "\n".join([*lines, f"| all | {len(facts)} | {agreeing} | {len(differing)} |"])


def recorded(page: str) -> frozenset[str]:
    """The names of the facts that the page lists as differing. Raises ValueError."""
    _, table, _ = _parts(page)
    return frozenset(re.findall(r"`([^`]+)`", table))


def replaced(page: str, table: str) -> str:
    before, _, after = _parts(page)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _parts(page: str) -> tuple[str, str, str]:
    before, begun, rest = page.partition(BEGIN)
    table, ended, after = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"The page has no table between {BEGIN} and {END}.")
    return before, table, after


def surprise(name: str, difference: str, differing: frozenset[str]) -> str:
    """What is not as the table says; empty if it is."""
    if difference and name not in differing:
        return f"{name} is listed as agreeing, and differs: {difference}"
    if not difference and name in differing:
        return f"{name} is listed as differing, and agrees: run make engine-conformance TABLE=1"
    return ""


def counts(facts: Sequence[Fact], page: str) -> Mapping[str, bool]:
    """Whether the page has each row that the facts and its own list of differences make."""
    return {row: row in page for row in render(facts, recorded(page)).splitlines()}
