"""Destroys and replacements: always there, with the id, the cause and the loss."""

import html
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_pipelines.console import printable
from unit.cli.plan_review.builder import bucket, change, queue, reviewed, shown

by_property = settings(derandomize=True, deadline=None, max_examples=100)


def text_of(*changes: Any, **more: Any) -> str:
    return shown(reviewed(*changes, **more))


def test_the_real_id_the_reason_and_the_loss() -> None:
    text = text_of(
        change('module.m["a"].aws_sqs_queue.queue', "delete", queue("orders"),
               action_reason="delete_because_each_key")
    )  # fmt: skip

    assert "### Terraform plan: **1 to destroy**" in text
    assert '- **destroyed** `module.m["a"].aws_sqs_queue.queue`' in text
    assert "`arn:aws:sqs:eu-west-1:123456789012:orders`" in text
    assert "because for_each no longer has its key" in text
    assert "lost: every message in the queue" in text


def test_a_reason_of_a_newer_terraform_is_given_as_it_is() -> None:
    found = change("x_y.z", "delete", {"id": "1"}, action_reason="delete_because_of_the_moon")

    assert "because delete because of the moon" in text_of(found)


def test_the_attributes_that_force_a_replacement() -> None:
    text = text_of(
        change("aws_sqs_queue.q", "replace", queue("old", tags={"a": "1"}),
               {"name": "new", "tags": {"a": "2"}, "visibility_timeout_seconds": 30},
               unknown={"arn": True, "id": True, "url": True},
               replace_paths=[["name"], ["fifo_queue"]])
    )  # fmt: skip

    assert '**forced by** `name`: `"old"` → `"new"`' in text
    assert "**forced by** `fifo_queue`: `(sensitive" not in text
    assert '- tags.a = "1"' in text
    assert '+ tags.a = "2"' in text
    # That AWS gives it another ARN goes without saying.
    assert "arn =" not in text


def test_attribute_that_forces_replacement_is_shown_once() -> None:
    text = text_of(
        change("x_y.z", "replace", {"a": {"b": [1]}, "c": 1}, {"a": {"b": [2]}, "c": 2},
               replace_paths=[["a"]])
    )  # fmt: skip

    assert '**forced by** `a`: `{"b": [1]}` → `{"b": [2]}`' in text
    assert "a.b" not in text
    assert "+ c = 2" in text


def test_created_first_is_told_from_destroyed_first() -> None:
    first = change("x_y.a", "replace", {}, {}, actions=["create", "delete"])
    last = change("x_y.b", "replace", {}, {}, actions=["delete", "create"])

    text = text_of(first, last)

    assert "**replaced, created first** `x_y.a`" in text
    assert "**replaced** `x_y.b`" in text


def test_what_a_failed_replacement_left_behind() -> None:
    text = text_of(change("aws_sqs_queue.q", "delete", queue("q"), deposed="0a1b2c3d"))

    assert "`aws_sqs_queue.q (deposed 0a1b2c3d)`" in text
    assert "a replacement before this plan left it behind" in text


@pytest.mark.parametrize(
    ("kind", "values", "lost"),
    [
        ("aws_s3_bucket", {"force_destroy": True}, "every object in the bucket"),
        ("aws_s3_bucket", {"force_destroy": False}, "fails while an object is in it"),
        ("aws_dynamodb_table", {"deletion_protection_enabled": True}, "the apply fails"),
        ("aws_dynamodb_table", {}, "every item of the table"),
        ("aws_cloudwatch_log_group", {}, "every log line in the group"),
        ("aws_cloudwatch_log_group", {"skip_destroy": True}, "the log group stays in AWS"),
        ("aws_kms_key", {"deletion_window_in_days": 7}, "in 7 days, all that is encrypted"),
        ("aws_db_instance", {"skip_final_snapshot": True}, "without a final snapshot"),
        ("aws_db_instance", {"deletion_protection": True}, "the apply fails"),
        ("aws_db_instance", {}, "every row but for the final snapshot"),
        ("aws_secretsmanager_secret", {"recovery_window_in_days": 0}, "at once"),
        ("aws_secretsmanager_secret", {}, "it can be restored for 30 days"),
        ("aws_s3_bucket_notification", {}, "S3 sends nothing later"),
        ("aws_sns_topic", {}, "email subscribers must confirm again"),
        ("something_else", {}, "whatever it holds that the configuration does not say"),
    ],
)
def test_what_is_lost_by_type(kind: str, values: dict[str, Any], lost: str) -> None:
    for action, after in (("delete", None), ("replace", values)):
        text = text_of(change(f"{kind}.x", action, values, after))
        assert lost in text.replace("`", "")
        assert "{" not in text


def test_destroyed_data_is_listed_before_other_destroys() -> None:
    text = text_of(
        change("x_y.z", "delete", {}),
        change("aws_sns_topic.a", "delete", {}),
        change("aws_sqs_queue.b", "delete", queue("b")),
        change("aws_s3_bucket.c", "delete", bucket("c")),
    )

    found = [text.index(name) for name in ("s3_bucket.c", "queue.b", "topic.a", "x_y.z")]
    assert found == sorted(found)


def test_nothing_is_open_beyond_what_matters() -> None:
    text = text_of(
        change("aws_sqs_queue.b", "delete", queue("b")),
        change("aws_sqs_queue.c", "create", None, queue("c")),
    )

    assert text.index("#### Destroyed") < text.index("<details>")


# --- By property: at any budget, in every format, whatever is in an index key

keys = st.one_of(st.integers(0, 99), st.text(max_size=12))


@by_property
@given(
    st.lists(keys, min_size=1, max_size=12, unique_by=str),
    st.sampled_from(["delete", "replace"]),
    st.integers(1, 6_000),
    st.sampled_from(["markdown", "text", "html"]),
)
def test_every_destroy_is_in_every_output_at_any_budget(
    indexes: list[Any], action: str, budget: int, form: str
) -> None:
    addresses = [f"aws_sqs_queue.q[{json.dumps(index)}]" for index in indexes]
    gone = [
        change(
            address, action, queue("q", note="x" * 300), queue("r") if action != "delete" else None
        )
        for address in addresses
    ]
    others = [change(f"x_y.n{n}", "create", None, {"a": "y" * 80}) for n in range(20)]

    text = shown(reviewed(*gone, *others), form, budget)

    plain = html.unescape(text) if form == "html" else text
    for address in addresses:
        assert printable(address) in plain
