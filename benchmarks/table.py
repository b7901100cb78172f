"""Writes what the benchmarks found into benchmarks/README.md, between its markers."""

import json
import sys
from pathlib import Path
from typing import Any

from harness import RESULTS, ROOT

README = ROOT / "benchmarks" / "README.md"
BEGIN, END = "<!-- BEGIN_RESULTS -->\n", "<!-- END_RESULTS -->\n"
# In the order of the table; others follow.
ORDER = ["images", "cold_start", "csv_split", "csv_load", "cost"]
MET = {True: "yes", False: "**no**", None: ""}


def results(folder: Path) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    judged = [result for result in found if "verdicts" in result]
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
                    f"- {verdict['what']}, against {verdict['against']}: {verdict['why']}."
                )
    if reasons:
        lines += ["", "Where the time goes in what is not met:", "", *reasons]
    return "\n".join(lines) + "\n"


def rewritten(text: str, content: str) -> str:
    """Raises ValueError where the markers are missing."""
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return text[:start] + content + text[end:]


def main() -> int:
    README.write_text(rewritten(README.read_text(), table(results(RESULTS))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
