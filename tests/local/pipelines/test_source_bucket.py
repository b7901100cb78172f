"""A bucket that the stack does not own is watched by EventBridge, each event by its own route."""

from functools import partial
from typing import Any

import boto3
import pytest

from support.stacks import eventually, messages_in, running_stack

FOREIGN = "documents-of-somebody-else"


def logged(pipeline: dict[str, Any], route: str) -> str:
    pages = boto3.client("logs").get_paginator("filter_log_events")
    found = pages.paginate(logGroupName=pipeline["routes"][route]["log_group"])
    return "".join(event["message"] for page in found for event in page["events"])


def is_logged(pipeline: dict[str, Any], route: str, name: str) -> bool:
    return name in logged(pipeline, route)


def test_events_of_a_foreign_bucket_reach_their_routes_through_eventbridge(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    settings = {
        "source_bucket": {"name": FOREIGN, "via": "eventbridge"},
        "routes": {
            "upload": {"events": ["ObjectCreated:Put"]},
            "copy": {"events": ["ObjectCreated:Copy"]},
        },
    }
    keys = {"upload": "put me+here.txt", "copy": "copied.txt", "other": "put me+here.txt"}
    with running_stack(
        tmp_path_factory.mktemp("foreign"),
        "eu-west-1",
        pipelines=["event-audit"],
        event_audit=settings,
    ) as stack:
        pipeline, s3 = stack.outputs["event_audit"], boto3.client("s3")
        place: Any = {"LocationConstraint": "eu-west-1"}
        s3.create_bucket(Bucket=FOREIGN, CreateBucketConfiguration=place)
        # All that the owner does, once.
        s3.put_bucket_notification_configuration(
            Bucket=FOREIGN, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        s3.put_object(Bucket=FOREIGN, Key=keys["upload"], Body=b"1")
        s3.copy_object(
            Bucket=FOREIGN,
            Key=keys["copy"],
            CopySource={"Bucket": FOREIGN, "Key": keys["upload"]},
        )
        s3.delete_object(Bucket=FOREIGN, Key=keys["upload"])
        names = {
            "upload": "ObjectCreated:Put",
            "copy": "ObjectCreated:Copy",
            "other": "ObjectRemoved:Delete",
        }
        for route, name in names.items():
            eventually(partial(is_logged, pipeline, route, name), f"{name} in {route}")
        for route, name in names.items():
            text = logged(pipeline, route)
            assert f'"key":"{keys[route]}"' in text.replace('": "', '":"')
            assert [other for other in names.values() if other in text] == [name]
            assert messages_in(pipeline["routes"][route]["dlq_url"]) == 0
        s3.delete_object(Bucket=FOREIGN, Key=keys["copy"])
        s3.delete_bucket(Bucket=FOREIGN)
