"""Groups are made and deleted whatever conflict S3 answers a call about their bucket with."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from event_pipelines import tenants
from support.tenant_platform import GROUP, TENANT, Calls, Cloud, refused, run, sentence

SOURCES = sorted(Path(tenants.__file__).parent.glob("*.py"))
# A few seconds each.
TIMES = 3
NOT_FOUND_YET = "Unable to validate the following destination configurations"


def operations() -> set[str]:
    """The API's names of the calls about buckets that the code makes."""
    text = "".join(path.read_text() for path in SOURCES)
    named = re.findall(r'(?:call|_unless_gone)\(\s*"(\w+)"', text)
    return {boto3.client("s3").meta.method_to_api_mapping[name] for name in named}


CONFLICTS: dict[str, Callable[[str], bool]] = {
    "OperationAborted": lambda _: True,
    "ConflictException": lambda _: True,
    "ConditionalRequestConflict": lambda _: True,
    "409": lambda name: name == "HeadBucket",
    # Of a bucket that is new.
    "NoSuchBucket": lambda name: name.startswith("Put"),
    # Of one from which everything is removed.
    "BucketNotEmpty": lambda name: name == "DeleteBucket",
    "InvalidArgument": lambda name: name == "PutBucketNotificationConfiguration",
}


@pytest.mark.parametrize("code", CONFLICTS)
def test_a_conflict_is_waited_out_at_every_call(code: str, cloud: Cloud, calls: Calls) -> None:
    conflicting = {name for name in operations() if CONFLICTS[code](name)}
    met: Counter[str] = Counter()

    def refuse(name: str, _: dict[str, Any]) -> None:
        if name in conflicting and met[name] < TIMES:
            met[name] += 1
            raise refused(code, name, 409, NOT_FOUND_YET)

    calls.on_call = refuse
    run(*GROUP)
    run(*TENANT)
    file = Path(__file__)
    run("put-file", "acme", str(file))
    s3, bucket = boto3.client("s3"), cloud.bucket("gold")
    calls.undisturbed()
    s3.create_multipart_upload(Bucket=bucket, Key="acme/raw/never-ended.csv")
    calls.on_call = refuse
    run("delete", "acme", "--delete-data")
    run("delete-group", "gold", "--delete-data")

    assert met == dict.fromkeys(conflicting, TIMES)
    assert cloud.buckets() == set()


def test_every_call_about_a_bucket_goes_where_conflicts_are_waited_out() -> None:
    direct = [
        f"{path.name}: {name}"
        for path in SOURCES
        for name in re.findall(r"\bs3\.(\w+)\(", path.read_text())
    ]

    # Of all buckets of the account, and of a file in parts, which the SDK repeats itself.
    assert direct == ["files.py: upload_file", "verification.py: get_paginator"]
    assert len(operations()) >= 20


def test_a_conflict_that_does_not_end_is_told(
    cloud: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    calls.failing("PutBucketTagging", 1000, "OperationAborted")

    said = sentence(capsys, *GROUP, code=3)

    assert "AWS said OperationAborted" in said
    assert "run it again in a minute" in said
    assert 60 <= sum(cloud.pauses) <= 120
