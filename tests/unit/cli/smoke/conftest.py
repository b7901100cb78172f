"""Stacks in moto with something that works in them whenever the command waits."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from event_pipelines.__main__ import main
from event_pipelines.smoke import journeys
from unit.cli.reconcile.cloud import Cloud
from unit.cli.reconcile.conftest import cloud as cloud_of_reconcile

cloud = cloud_of_reconcile

Work = Callable[[], object]


@dataclass
class Smoke:
    """Runs the command. `work` is done in each wait, after which `now` is a second later."""

    cloud: Cloud
    work: Work = lambda: None
    now: float = 0.0

    def run(self, *arguments: str, code: int = 0) -> tuple[list[dict[str, Any]], str]:
        """The journeys, and the last line on standard error."""
        self.cloud.capsys.readouterr()
        assert main(["smoke", *arguments, "--json"]) == code
        printed = self.cloud.capsys.readouterr()
        return json.loads(printed.out)["journeys"], printed.err.strip().splitlines()[-1]

    def wait(self, _: float) -> None:
        self.work()
        self.now += 1


@pytest.fixture
def smoke(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Smoke:
    made = Smoke(cloud)
    monkeypatch.setattr(journeys, "pause", made.wait)
    monkeypatch.setattr(journeys, "monotonic", lambda: made.now)
    return made


def versions(bucket: str) -> list[str]:
    """Keys of all that a bucket has, deletion markers among it."""
    found = boto3.client("s3").list_object_versions(Bucket=bucket)
    return [one["Key"] for one in (*found.get("Versions", []), *found.get("DeleteMarkers", []))]
