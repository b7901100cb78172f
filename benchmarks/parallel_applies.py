"""Applies the whole stack many times, several at a time, on a busy machine.

Usage: .local/venv/bin/python benchmarks/parallel_applies.py [--applies 20] [--at-a-time 4]

Every apply is that of `tests/local/test_customer_key.py`, to an engine of its own, while a process
keeps a core busy. Prints the applies that failed, and the requests that the provider repeated
because it got no response, or lost it. Exits with 1 if an apply failed.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from harness import ROOT

sys.path.append(str(ROOT / "tests"))

from event_pipelines.errors import UserError
from event_pipelines.local import engine as local_engine
from event_pipelines.local import stack
from event_pipelines.local.home import Home
from event_pipelines.local.stack import LocalStack
from support.stacks import REGION, VARIABLES

ATTEMPT = re.compile(r"Attempt \d+ of .*")


@dataclass(frozen=True)
class Apply:
    """The result of an apply: `failure` is empty on success, `repeated` are lines of the engine."""

    failure: str
    repeated: list[str]


def apply(folder: Path) -> Apply:
    home, failure = Home(folder), ""
    engine = local_engine.start(
        home.path, lambda_python=home.lambda_python, tied_to_parent=True, timeout_seconds=60
    )
    try:
        # Not by the environment, which all threads share.
        file = ConfigParser()
        file.read(engine.credentials_file)
        credentials = file["default"]
        kms = boto3.client(
            "kms",
            region_name=REGION,
            endpoint_url=engine.endpoint,
            verify=str(engine.ca_bundle),
            aws_access_key_id=credentials["aws_access_key_id"],
            aws_secret_access_key=credentials["aws_secret_access_key"],
        )
        made = kms.create_key(Description="of a customer")["KeyMetadata"]["Arn"]
        stack.up(home, region=REGION, variables=VARIABLES | {"kms_key": {"arn": made}})
        if stack.has_changes(LocalStack(home, engine, REGION, {})):
            failure = "a second plan has changes"
    except UserError as error:
        failure = str(error)
    finally:
        local_engine.stop(home.path)
    return Apply(failure, ATTEMPT.findall(engine.log.read_text()))


@contextmanager
def busy_core() -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--applies", type=int, default=20)
    parser.add_argument("--at-a-time", type=int, default=4)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="applies-") as folder,
        busy_core(),
        ThreadPoolExecutor(options.at_a_time) as pool,
    ):
        folders = (Path(folder) / str(number) for number in range(options.applies))
        done = []
        for one in pool.map(apply, folders):
            done.append(one)
            print(one.failure or "applied", *one.repeated, sep="\n  ", flush=True)
    well = sum(not one.failure for one in done)
    repeated = [line for one in done for line in one.repeated]
    answered = sum(line.endswith("gets the answer of the first") for line in repeated)
    print(
        f"{well} of {len(done)} applied; {len(repeated)} attempts repeated,"
        f" {answered} of them answered with the answer of the first"
    )
    return 0 if well == len(done) else 1


if __name__ == "__main__":
    sys.exit(main())
