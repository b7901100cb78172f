"""No log line repeats what is in a file, a row, a message or a key of access."""

import json
import re
from collections.abc import Iterator

import boto3
import pytest

from event_pipelines.local.stack import LocalStack
from security.operations import MARKER, Done

pytestmark = pytest.mark.xdist_group("security")

# How access keys begin, and what stands beside a secret one.
SECRET = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{12,}|aws_secret|SecretAccessKey|SessionToken", re.I)

# What has to have happened to something that holds MARKER.
ENDS = {
    "broken_header",
    "broken_json",
    "duplicate_column",
    "failed",
    "file_changed",
    "file_missing",
    "not_a_row_message",
    "not_an_image",
    "not_an_item_message",
    "not_an_object_event",
    "truncated",
    "unreadable",
}


@pytest.fixture
def lines(here: LocalStack, done: Done) -> dict[str, list[str]]:
    """Every line of every log, by log group; that of the items' service is `service`."""
    groups = boto3.client("logs").describe_log_groups()["logGroups"]
    functions = {group["logGroupName"]: list(messages(group["logGroupName"])) for group in groups}
    assert here.outputs["name_prefix"]
    return functions | {"service": done.service_log.splitlines()}


def messages(group: str) -> Iterator[str]:
    pages = boto3.client("logs").get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=group):
        for event in page["events"]:
            yield from event["message"].splitlines()


def test_every_function_has_logged_an_outcome(lines: dict[str, list[str]]) -> None:
    """Without this, the others would be satisfied with empty logs."""
    silent = {
        group for group, said in lines.items() if not any('"outcome"' in line for line in said)
    }
    assert silent == set()
    assert len(lines) >= 12


def test_what_is_refused_and_what_fails_is_in_there(lines: dict[str, list[str]]) -> None:
    """It is these that like to quote."""
    ends = {
        str(line.get("reason") or line["outcome"])
        for said in lines.values()
        for line in map(json.loads, filter(lambda text: '"outcome"' in text, said))
    }
    assert ends >= ENDS, ENDS - ends


def test_keys_of_access_would_be_told(lines: dict[str, list[str]]) -> None:
    assert lines
    for secret in ("AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "{'SessionToken': 'x'}"):
        assert SECRET.search(f'{{"detail": "{secret}"}}')


def test_no_line_has_contents_in_it(lines: dict[str, list[str]]) -> None:
    marked = [(group, line) for group, said in lines.items() for line in said if MARKER in line]
    assert marked == []


def test_no_line_has_a_secret_in_it(lines: dict[str, list[str]]) -> None:
    secret = [
        (group, line) for group, said in lines.items() for line in said if SECRET.search(line)
    ]
    assert secret == []
