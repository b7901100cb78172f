"""Measures the start of each function, from the interpreter to a handler that is ready.

The packages are the deployed ones, built for this machine and unpacked; boto3 is that of the
runtime. Usage: .local/venv/bin/python benchmarks/cold_start.py [--quick]
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from zipfile import ZipFile

from harness import (
    ROOT,
    Case,
    Looks,
    Verdict,
    at_most,
    cpu,
    interleaved,
    peak,
    ratio,
    store,
    typical,
)

PROGRAM = ROOT / "benchmarks" / "programs" / "start.py"
BUILD = ROOT / ".local" / "build"
RUNTIME = ROOT / ".local" / "lambda-runtime"
# Many rounds, because what a package adds is a small difference of two large figures.
ROUNDS = 40
AWS = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/example"
REJECTIONS = {"REJECTIONS_BUCKET": "example-rejections", "REJECTIONS_PREFIX": "rejections/"}


@dataclass(frozen=True)
class Start:
    """A function: the clients that it makes, and its limit as a multiple of a minimal handler."""

    clients: str
    environment: dict[str, str]
    times_minimal: float | None = None


FUNCTIONS = {
    "create_image_derivative": Start(
        "botocore:s3",
        {
            "DERIVATIVE": "mobile",
            "MAX_WIDTH": "640",
            "MAX_HEIGHT": "640",
            "SOURCE_PREFIX": "ingest/",
            "OUTPUT_PREFIX": "derived/mobile/",
            **REJECTIONS,
        },
        times_minimal=13,
    ),
    "split_csv": Start(
        "botocore:dynamodb,s3,sqs",
        {
            "ROWS_QUEUE_URL": QUEUE,
            "IMPORTS_QUEUE_URL": QUEUE,
            "LEDGER_TABLE": "example-ledger",
            "IMPORT_PREFIX": "import/",
            **REJECTIONS,
        },
        times_minimal=14,
    ),
    "load_csv_rows": Start(
        "botocore:dynamodb,dynamodb",
        {"TABLE_NAME": "example-items", "LEDGER_TABLE": "example-ledger", **REJECTIONS},
        times_minimal=14,
    ),
    "log_object_event": Start(
        "minimal", {"ROUTE": "upload", "ROUTE_EVENTS": "ObjectCreated:Put", **REJECTIONS}
    ),
    "route_tenant_event": Start(
        "botocore:dynamodb,sqs",
        {
            "TENANTS_TABLE": "example-tenants",
            "GROUPS_TABLE": "example-groups",
            "QUARANTINE_QUEUE_URL": QUEUE,
        },
    ),
    "process_tenant_file": Start(
        "botocore:dynamodb,sts",
        {
            "TENANTS_TABLE": "example-tenants",
            "TENANT_ROLE_ARN": "arn:aws:iam::123456789012:role/example-tenant",
            "QUEUE_PREFIX": "example-tenant-",
        },
    ),
    "update_item": Start(
        "botocore:dynamodb,s3,sqs",
        {
            "TABLE_NAME": "example-items",
            "NEXT_QUEUE_URL": f"{QUEUE}.fifo",
            "FILES_BUCKET": "example-files",
            "FILES_PREFIX": "files/",
            **REJECTIONS,
        },
    ),
}


def case(name: str, what: str, folder: Path, environment: dict[str, str]) -> Case:
    python = RUNTIME / "bin" / "python"
    # The interpreter itself, as on Lambda: the start of a virtual environment takes longer.
    real = python.resolve()
    site_packages = sysconfig.get_path("purelib", vars={"base": str(RUNTIME)})
    command: list[str | Path] = [real, "-I", "-S", "-B", PROGRAM, what, folder, site_packages]
    return Case(name, command, {**AWS, "STACK": "acme", "PIPELINE": "example", **environment})


@contextmanager
def unpacked(function: str) -> Iterator[tuple[Path, Path]]:
    """Yields the folders of the package as deployed, and of the same without its bytecode."""
    with tempfile.TemporaryDirectory() as name:
        shipped, bare = Path(name, "shipped"), Path(name, "bare")
        with ZipFile(BUILD / f"{function}.zip") as package:
            package.extractall(shipped)
        caches = shutil.ignore_patterns("__pycache__")
        shutil.copytree(shipped, bare, ignore=caches)
        yield shipped, bare


def stale_bytecode(folder: Path) -> int:
    """Counts bytecode that this Python would check against its source; 1 if there is none."""
    flag = (0b01).to_bytes(4, "little")
    heads = [path.read_bytes()[:8] for path in folder.rglob("*.pyc")]
    return sum(head != MAGIC_NUMBER + flag for head in heads) if heads else 1


def imports(case: Case) -> dict[str, int]:
    """Returns the modules that a start imports, each with its own time in microseconds."""
    python, *rest = map(str, case.command)
    said = subprocess.run(
        [python, "-X", "importtime", *rest],
        env={"PATH": os.environ["PATH"], **case.environment},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    found = re.findall(r"(?m)^import time: +(\d+) \| +\d+ \| +(\S+)$", said)
    return {module: int(microseconds) for microseconds, module in found}


def profile(function: str, shipped: Case, clients: Case) -> str:
    """Says which modules take the time of one start beyond that of the clients."""
    # The own time of the handler's module is that of its clients, which it makes at import.
    others = {*imports(clients), f"{function}.handler"}
    own = {name: took for name, took in imports(shipped).items() if name not in others}
    total = sum(own.values())
    most = sorted(own, key=own.__getitem__, reverse=True)[:5]
    shares = ", ".join(f"{own[name] / total:.0%} {name}" for name in most)
    return f"of the {len(own)} modules that it imports beyond its clients: {shares}"


def added(looks: Looks) -> float:
    """Returns what a package adds to the time of its clients, by what it adds without bytecode."""
    clients = typical(looks["clients"], cpu)
    return (typical(looks["shipped"], cpu) - clients) / (typical(looks["bare"], cpu) - clients)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look, which is not kept")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("functions", nargs="*", default=list(FUNCTIONS))
    arguments = parser.parse_args()
    rounds = 5 if arguments.quick else arguments.rounds
    figures: dict[str, object] = {}
    verdicts = []
    for name in arguments.functions:
        start = FUNCTIONS[name]
        with unpacked(name) as (shipped, bare):
            clients = case("clients", start.clients, shipped, {})
            whole = case("shipped", name, shipped, start.environment)
            looks = interleaved(
                [
                    case("minimal", "minimal", shipped, {}),
                    clients,
                    whole,
                    case("bare", name, bare, start.environment),
                ],
                rounds,
            )
            stale = stale_bytecode(shipped)
            times, share = ratio(looks, "shipped", "minimal"), added(looks)
            why = "" if at_most(share, 0.5) else profile(name, whole, clients)
        figures[name] = {
            "times_minimal": times,
            "clients_times_minimal": ratio(looks, "clients", "minimal"),
            "without_bytecode_times_minimal": ratio(looks, "bare", "minimal"),
            "added_by_added_without_bytecode": share,
            "stale_bytecode": stale,
            "peak_mb": typical(looks["shipped"], peak),
            "minimal_peak_mb": typical(looks["minimal"], peak),
        }
        verdicts.append(
            Verdict(
                f"cold start of {name}, beyond its clients",
                "the same zip without bytecode",
                "<= 0.5x",
                f"{share:.2f}x",
                at_most(share, 0.5) and not stale,
                why,
            )
        )
        if start.times_minimal is not None:
            verdicts.append(
                Verdict(
                    f"cold start of {name}, whole",
                    "a minimal handler",
                    f"<= {start.times_minimal}x",
                    f"{times:.1f}x",
                    at_most(times, start.times_minimal),
                )
            )
    store("cold_start", figures, verdicts, arguments.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
