"""A review within a budget: detail goes first, and a destroy never."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.cli.plan_review.builder import allow, change, policy, queue, reviewed, shown
from unit.cli.plan_review.test_event_path import subscription

by_property = settings(derandomize=True, deadline=None, max_examples=100)


def large(number: int) -> list[Any]:
    """A plan of all sorts of changes, `number` of each."""
    return [
        entry
        for n in range(number)
        for entry in (
            change(f"aws_sqs_queue.gone[{n}]", "delete", queue(f"gone-{n}")),
            change(f"aws_sqs_queue.again[{n}]", "replace", queue(f"a-{n}"), queue(f"b-{n}"),
                   replace_paths=[["name"]]),
            change(f"aws_iam_role_policy.p[{n}]", "update",
                   {"role": "r", "policy": policy(allow("a:B", f"x{n}"))},
                   {"role": "r", "policy": policy(allow("a:*", f"y{n}"))}),
            change(f"aws_sns_topic_subscription.s[{n}]", "create", None, subscription(f"q{n}")),
            change(f"aws_sqs_queue.changed[{n}]", "update", queue(f"c{n}", delay_seconds=n),
                   queue(f"c{n}", delay_seconds=n + 1)),
        )
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["markdown", "text", "html"])
def test_a_page_is_no_longer_than_its_budget(form: str) -> None:
    found = reviewed(*large(40))
    whole = len(shown(found, form))

    for budget in (14_000, 20_000, 30_000, whole - 1):
        assert len(shown(found, form, budget)) <= budget
    assert len(shown(found, form, whole)) == whole


def test_detail_goes_before_lines_and_lines_before_sections() -> None:
    found = reviewed(*large(40))

    roomy, tight = shown(found, budget=40_000), shown(found, budget=14_000)

    # All destroys with a line, as many as there is room for with more.
    for text in (roomy, tight):
        assert text.count("**destroyed**") == text.count("**replaced**") == 40
    assert 0 < tight.count("lost:") < roomy.count("lost:")
    assert "more, left out for lack of room" in tight
    assert "Updated (80)" in roomy


def test_when_destroys_alone_are_too_many_the_review_says_so() -> None:
    found = reviewed(*large(100))

    text = shown(found, budget=3_000)

    assert text.count("**destroyed**") == text.count("**replaced**") == 100
    assert "Longer than the 3,000 characters asked for" in text
    assert "Left out for lack of room: " in text
    assert "lost:" not in text


def test_review_without_a_budget_is_complete() -> None:
    text = shown(reviewed(*large(300)))

    assert text.count("lost:") == 600
    assert "left out" not in text.lower()


@by_property
@given(st.integers(0, 8), st.integers(1, 15_000), st.sampled_from(["markdown", "text", "html"]))
def test_more_room_never_shows_less(number: int, budget: int, form: str) -> None:
    found = reviewed(*large(number))

    text = shown(found, form, budget)

    assert len(text) <= budget or "Longer than the" in text
    assert text.count("replaced") >= number
