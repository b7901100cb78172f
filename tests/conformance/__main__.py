"""python -m conformance: runs the facts, on the local engine or with --aws on a real account.

Exits with 1 if a fact is not as the table of agreement says; with --aws if AWS contradicts one.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from conformance import facts as written
from conformance import table
from conformance.runner import Run, Target
from event_pipelines.local import engine
from event_pipelines.local.home import Home

# The engine delivers at once; AWS takes its time.
ENGINE_SECONDS = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="make engine-conformance", description=__doc__)
    parser.add_argument("--aws", action="store_true", help="the account of boto3's credentials")
    parser.add_argument("--write-table", action="store_true", help="into docs/local-engine.md")
    parser.add_argument("--only", default="", help="facts whose id begins so")
    parser.add_argument("--lambda-python", type=Path, default=Home().lambda_python)
    asked = parser.parse_args()
    if asked.write_table and (asked.aws or asked.only):
        parser.error("the table is of all facts on the local engine")
    facts = [fact for fact in written.load() if fact.identifier.startswith(asked.only)]
    if asked.aws:
        # Ended as by Ctrl-C, it removes what it has made; killed, the next run does.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        Home().path.mkdir(exist_ok=True)
        differences = run(Target.aws(), facts, Home().path / "conformance-made.jsonl")
    else:
        with tempfile.TemporaryDirectory() as home:
            started = engine.start(
                Path(home), lambda_python=asked.lambda_python, tied_to_parent=True
            )
            try:
                differences = run(Target.engine(started), facts)
            finally:
                engine.stop(Path(home))
    print(f"{len(facts) - len(differences)} of {len(facts)} facts agree.")
    page = table.PAGE.read_text(encoding="utf-8")
    if asked.write_table:
        drawn = table.render(facts, frozenset(differences))
        table.PAGE.write_text(table.replaced(page, drawn), encoding="utf-8")
        return 0
    listed = frozenset() if asked.aws else table.recorded(page)
    surprises = [
        table.surprise(fact.identifier, differences.get(fact.identifier, ""), listed)
        for fact in facts
    ]
    return 1 if any(surprises) else 0


def run(target: Target, facts: list[written.Fact], journal: Path | None = None) -> dict[str, str]:
    """The difference of each fact that differs, by its id; they are printed as they are found."""
    differences = {}
    with Run(target, journal) as running:
        for fact in facts:
            patience = None if target.is_aws else ENGINE_SECONDS
            if difference := running.difference(fact, patience_seconds=patience):
                print(f"{fact.identifier}: {fact.states}\n  {difference}", flush=True)
                differences[fact.identifier] = difference
    return differences


if __name__ == "__main__":
    sys.exit(main())
