"""Writes the stored results into benchmarks/README.md, between its markers."""

import json
import sys
from pathlib import Path
from typing import Any

from harness import RESULTS, ROOT

README = ROOT / "benchmarks" / "README.md"
RESULTS_MARK, CAPACITY_MARK = "RESULTS", "CAPACITY"
# Benchmarks in the order of the table; others follow.
ORDER = [
    "images",
    "cold_start",
    "csv_split",
    "csv_load",
    "cost",
    "module_comparison",
    "engine_linearity",
    "reconcile_inventory",
    "large_accounts",
    "make_targets",
    "capacity_validation",
]
CAPACITY_HEADINGS = (
    "| scenario | pipeline | drained after | oldest message | other tenants wait | at once"
    " | $ per million objects | below the alarm threshold | bottleneck |\n|" + "---|" * 9
)
MET = {True: "yes", False: "**no**", None: ""}


def results(folder: Path) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    judged = [result for result in found if isinstance(result, dict) and "verdicts" in result]
    places = {name: place for place, name in enumerate(ORDER)}
    return sorted(judged, key=lambda result: places.get(result["benchmark"], len(ORDER)))


def table(found: list[dict[str, Any]]) -> str:
    lines = ["| what | against | target | measured | met |", "|---|---|---|---|---|"]
    reasons = []
    for result in found:
        for verdict in result["verdicts"]:
            cells = [verdict[name] for name in ("what", "against", "target", "measured")]
            lines.append(f"| {' | '.join(cells)} | {MET[verdict['met']]} |")
            if verdict["why"]:
                reasons.append(
                    f"- {', against '.join(filter(None, (verdict['what'], verdict['against'])))}:"
                    f" {verdict['why']}."
                )
    if reasons:
        lines += ["", "Where the time goes in what is not met:", "", *reasons]
    return "\n".join(lines) + "\n"


def capacity_table(scenarios: list[dict[str, Any]]) -> str:
    rows = [row for scenario in scenarios for row in scenario["rows"]]
    return "\n".join([CAPACITY_HEADINGS, *rows]) + "\n"


def rewritten(text: str, mark: str, content: str) -> str:
    """Replaces the text between two markers. Raises ValueError if one is missing."""
    begin, end = f"<!-- BEGIN_{mark} -->\n", f"<!-- END_{mark} -->\n"
    before, after = text.index(begin) + len(begin), text.index(end)
    return text[:before] + content + text[after:]


def with_tables(text: str, folder: Path) -> str:
    """Returns the README's text with tables of the results in `folder`."""
    scenarios = json.loads((folder / "capacity.json").read_text())
    text = rewritten(text, RESULTS_MARK, table(results(folder)))
    return rewritten(text, CAPACITY_MARK, capacity_table(scenarios))


def main() -> int:
    README.write_text(with_tables(README.read_text(), RESULTS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
