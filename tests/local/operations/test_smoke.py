"""`event-pipelines smoke` on a whole stack: every effect is reached, and nothing of it stays."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from event_pipelines.__main__ import main
from event_pipelines.local.stack import LocalStack
from event_pipelines.pipelines import PIPELINES
from support.stacks import PREFIX, eventually, messages_in, queues

pytestmark = pytest.mark.xdist_group("operate")


@pytest.fixture
def tenant(stack: LocalStack) -> Iterator[None]:
    assert stack
    assert main(["tenants", "create-group", "tried"]) == 0
    assert main(["tenants", "create", "smoke", "--group", "tried"]) == 0
    yield
    assert main(["tenants", "delete", "smoke", "--delete-data"]) == 0
    assert main(["tenants", "delete-group", "tried", "--delete-data"]) == 0


def of_smoke() -> list[str]:
    """Everything that smoke sent and is still there, by key or id."""
    s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
    found = []
    for bucket in s3.list_buckets()["Buckets"]:
        listed: Any = s3.list_object_versions(Bucket=bucket["Name"])
        found += [
            one["Key"] for kind in ("Versions", "DeleteMarkers") for one in listed.get(kind, ())
        ]
    for table in ("csv-items", "relay-items"):
        items = dynamodb.scan(TableName=f"{PREFIX}-{table}")["Items"]
        found += [json.dumps(item) for item in items]
    return [one for one in found if "smoke/" in one or "smoke-" in one or "note" in one]


def test_every_pipeline_is_tried_with_the_documented_permissions(
    run: Callable[..., int], tenant: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tenant is None
    # Other tests of this stack leave dead letters.
    before, waiting = of_smoke(), {url: messages_in(url) for url in queues()}
    capsys.readouterr()

    code = run("smoke", "--json")

    printed = capsys.readouterr()
    assert code == 0, printed.err
    found = {one["pipeline"]: one for one in json.loads(printed.out)["journeys"]}
    assert found.keys() == PIPELINES.keys()
    assert {name: (one["state"], one["left"]) for name, one in found.items()} == {
        name: ("reached", []) for name in PIPELINES
    }
    assert set(found["image-derivatives"]["hops"]) == {"mobile", "thumbnail"}
    # The tenant has folders of this name.
    assert of_smoke() == before
    eventually(
        lambda: all(messages_in(url) <= waiting.get(url, 0) for url in queues()),
        "queues without messages of smoke",
    )


def test_without_a_tenant_of_its_own_nothing_is_sent_to_tenants(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()

    assert run("smoke", "--pipeline", "tenant-routing", "--json") == 0

    (journey,) = json.loads(capsys.readouterr().out)["journeys"]
    assert journey["state"] == "skipped"
    assert "`event-pipelines tenants create smoke --group GROUP" in journey["skipped"]
