"""Uploads pictures to a running image pipeline and checks the outcome of each."""

import io
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from PIL import Image

from event_pipelines.contracts.derivatives import SUFFIXES
from event_pipelines.local.demo.photographs import Photograph
from event_pipelines.stack import ignoring

# Derivatives of every kind, in addition to the defaults.
DERIVATIVES = {
    "thumbnail": {"max_width": 128, "max_height": 128},
    "mobile": {"max_width": 640, "max_height": 640},
    "mobile-webp": {"max_width": 640, "max_height": 640, "format": "webp"},
    "mobile-avif": {"max_width": 640, "max_height": 640, "format": "avif"},
    "card": {"max_width": 200, "max_height": 200, "fit": "cover", "position": "top"},
    "logo": {"max_width": 200, "max_height": 200, "format": "auto"},
}
# Generous: the whole collection takes a few seconds on two cores.
TIMEOUT_SECONDS = 180


@dataclass(frozen=True)
class Result:
    """The outcome of one upload in one derivative.

    `outcome` is "derived", "rejected", "dead letter" or "missing"; `milliseconds` is the duration
    that the function logged, None if its log line was not found.
    """

    photograph: Photograph
    derivative: str
    outcome: str
    detail: str = ""
    milliseconds: float | None = None
    content: bytes | None = None
    width: int = 0
    height: int = 0
    repaired: bool = False
    transparent: bool = False


@dataclass(frozen=True)
class Account:
    """All results, the functions' log lines by log group, and the faults that the checks found."""

    results: list[Result]
    logs: dict[str, list[dict[str, Any]]]
    dead_letters: list[dict[str, Any]]
    faults: list[str]


def run(
    pipeline: dict[str, Any],
    photographs: Sequence[Photograph],
    show: Callable[[int, int, str], None] | None = None,
) -> Account:
    """Uploads `photographs` and waits until each has an outcome in each derivative.

    `pipeline` is the root module's `image_derivatives` output. Faults are sentences: an upload
    without outcome, a derivative that does not fit its box, an unexpected rejection.
    """
    s3 = boto3.client("s3")
    for photograph in photographs:
        s3.put_object(
            Bucket=pipeline["bucket"],
            Key=pipeline["source_prefix"] + photograph.name,
            Body=photograph.content,
        )
    waiting = {(photo.name, name) for photo in photographs for name in pipeline["derivatives"]}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while waiting - found.keys() and time.monotonic() < deadline:
        found = _found(s3, pipeline)
        if show is not None:
            show(len(waiting & found.keys()), len(waiting), "")
        time.sleep(0.25)

    logs = function_logs(pipeline)
    dead = [letter for name in pipeline["derivatives"] for letter in _dead_letters(pipeline, name)]
    results = [
        _result(s3, pipeline, photo, name, found.get((photo.name, name)), logs)
        for photo in photographs
        for name in pipeline["derivatives"]
    ]
    faults = [fault for result in results for fault in faults_of(result, pipeline["derivatives"])]
    return Account(results, logs, dead, faults)


def show_a_dead_letter(pipeline: dict[str, Any]) -> dict[str, Any] | None:
    """Sends an event that always fails; returns its dead letter, None if there is none in time.

    The event names a bucket that the function's role may not read: as this is a fault of
    permissions and not of the input, the pipeline must retry it and then keep it. Meanwhile, the
    queue's visibility timeout is one second, so that retries are fast.
    """
    name = min(pipeline["derivatives"])
    queue = pipeline["derivatives"][name]["queue_url"]
    key = f"{pipeline['source_prefix']}secret.jpg"
    sqs = boto3.client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])
    with _bucket_of_somebody_else(key) as bucket:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
        try:
            sqs.send_message(QueueUrl=queue, MessageBody=_put_event(bucket, key))
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while time.monotonic() < deadline:
                letters = _dead_letters(pipeline, name)
                if letters:
                    return letters[0]
                time.sleep(0.25)
            return None
        finally:
            sqs.set_queue_attributes(QueueUrl=queue, Attributes=attributes["Attributes"])


@contextmanager
def _bucket_of_somebody_else(key: str) -> Iterator[str]:
    s3, bucket = boto3.client("s3"), f"a-bucket-of-somebody-else-{uuid.uuid4().hex[:8]}"
    # S3 does not accept us-east-1 as a location constraint.
    elsewhere = s3.meta.region_name != "us-east-1"
    place: Any = {"CreateBucketConfiguration": {"LocationConstraint": s3.meta.region_name}}
    s3.create_bucket(Bucket=bucket, **(place if elsewhere else {}))
    s3.put_object(Bucket=bucket, Key=key, Body=b"not yours")
    try:
        yield bucket
    finally:
        s3.delete_object(Bucket=bucket, Key=key)
        s3.delete_bucket(Bucket=bucket)


def _put_event(bucket: str, key: str) -> str:
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": boto3.session.Session().region_name,
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {"key": key, "size": 9, "eTag": "0" * 32, "sequencer": "0A"},
        },
    }
    return json.dumps({"Records": [record]})


def _found(s3: Any, pipeline: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Returns the outcomes that the functions wrote, by (upload's name, derivative)."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for name, derivative in pipeline["derivatives"].items():
        for key in _keys(s3, pipeline["bucket"], derivative["output_prefix"]):
            name_with_suffix = key.removeprefix(derivative["output_prefix"])
            source = name_with_suffix.removesuffix(SUFFIXES[derivative["format"]])
            found[source, name] = {"outcome": "derived", "key": key}
        for key in _keys(s3, pipeline["bucket"], f"{pipeline['rejections_prefix']}{name}/"):
            record = json.load(s3.get_object(Bucket=pipeline["bucket"], Key=key)["Body"])
            source = (record.get("key") or "").removeprefix(pipeline["source_prefix"])
            found[source, name] = {"outcome": "rejected", **record}
    return found


def _keys(s3: Any, bucket: str, prefix: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def function_logs(pipeline: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Returns the functions' structured log lines, oldest first, by log group."""
    client = boto3.client("logs")
    lines: dict[str, list[dict[str, Any]]] = {}
    for derivative in pipeline["derivatives"].values():
        group = derivative["log_group"]
        lines[group] = []
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group)
        events: list[Any] = []
        with ignoring("ResourceNotFoundException"):
            events += (event for page in pages for event in page["events"])
        for event in events:
            for line in event["message"].split("\n"):
                try:
                    parsed = json.loads(line)
                except ValueError:
                    continue  # START, END and REPORT lines are text
                if isinstance(parsed, dict) and "outcome" in parsed:
                    lines[group].append(parsed)
    return lines


def _dead_letters(pipeline: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Reads the dead-letter queue of derivative `name`, without hiding or deleting messages."""
    answer = boto3.client("sqs").receive_message(
        QueueUrl=pipeline["derivatives"][name]["dlq_url"],
        MaxNumberOfMessages=10,
        VisibilityTimeout=0,
        MessageSystemAttributeNames=["All"],
    )
    return [
        {
            "queue": f"{name} (dead letters)",
            "message_id": message["MessageId"],
            "body": message["Body"],
            "receive_count": message.get("Attributes", {}).get("ApproximateReceiveCount", ""),
        }
        for message in answer.get("Messages", [])
    ]


def _result(
    s3: Any,
    pipeline: dict[str, Any],
    photograph: Photograph,
    name: str,
    found: dict[str, Any] | None,
    logs: dict[str, list[dict[str, Any]]],
) -> Result:
    if found is None:
        return Result(photograph, name, "missing")
    key = pipeline["source_prefix"] + photograph.name
    times = [
        line["duration_ms"]
        for line in logs[pipeline["derivatives"][name]["log_group"]]
        if line.get("key") == key and "duration_ms" in line
    ]
    milliseconds = times[-1] if times else None
    if found["outcome"] == "rejected":
        return Result(photograph, name, "rejected", found["reason"], milliseconds)
    stored = s3.get_object(Bucket=pipeline["bucket"], Key=found["key"])
    content = stored["Body"].read()
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return Result(
            photograph,
            name,
            "derived",
            found["key"],
            milliseconds,
            content,
            *image.size,
            repaired=stored["Metadata"].get("repaired") == "true",
            transparent=image.has_transparency_data,
        )


def faults_of(result: Result, derivatives: dict[str, Any]) -> list[str]:
    """Returns a sentence for each difference from what the photograph should become."""
    what = f"{result.photograph.name} ({result.derivative})"
    if result.outcome == "missing":
        return [f"{what} has neither a derivative nor a rejection nor a dead letter."]
    if result.outcome == "rejected":
        wanted = result.photograph.rejection
        return (
            []
            if result.detail == wanted
            else [f"{what} was rejected as {result.detail}, not {wanted}."]
        )
    if result.photograph.rejection is not None:
        return [f"{what} should have been rejected as {result.photograph.rejection}."]
    form = derivatives[result.derivative]
    if (result.width, result.height) not in _fitting_sizes(result.photograph, form):
        return [f"{what} is {result.width}x{result.height}, which does not fit its box."]
    if result.photograph.lacks_its_end and not result.repaired:
        return [f"{what} is not marked as repaired."]
    if result.photograph.transparent and form["format"] != "jpeg" and not result.transparent:
        return [f"{what} has lost its transparency."]
    return []


def _fitting_sizes(photograph: Photograph, form: dict[str, Any]) -> set[tuple[int, int]]:
    """Returns the valid sizes of a derivative: the box, or the picture fitted into it, +/- 1 px."""
    size, box = (photograph.width, photograph.height), (form["max_width"], form["max_height"])
    scales = [there / here for there, here in zip(box, size, strict=True)]
    if form["fit"] == "cover":
        scale = min(1, *(1 / each for each in scales))
        wanted = [side * scale for side in box]
    else:
        wanted = [side * min(1, *scales) for side in size]
    width, height = (range(round(side) - 1, round(side) + 2) for side in wanted)
    return {(x, y) for x in width for y in height}
