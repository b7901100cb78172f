"""Updates: the leaves that change, JSON by meaning, and the same update only once."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_pipelines.plans.review.differences import Difference, differences
from event_pipelines.plans.review.plan import plan_of
from unit.cli.plan_review.builder import change, plan, queue, reviewed, shown

by_property = settings(derandomize=True, deadline=None, max_examples=100)


def masked(value: Any) -> Any:
    """As a value comes out of a plan."""
    return (
        plan_of(plan(change("x_y.z", "create", None, {"value": value}))).changes[0].after["value"]
    )


def found(before: Any, after: Any) -> list[tuple[str, Any, Any, str]]:
    return [
        (each.path, each.before, each.after, each.kind)
        for each in differences(masked({"v": before}), masked({"v": after}))
    ]


def paths(before: Any, after: Any) -> list[str]:
    return [path for path, *_ in found(before, after)]


def test_only_leaves_that_differ() -> None:
    before = {"same": 1, "other": {"a": [1, {"b": "x", "c": "y"}]}}
    after = {"same": 1.0, "other": {"a": [1, {"b": "x", "c": "z"}]}}

    assert found(before, after) == [("v.other.a[1].c", "y", "z", "changed")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, {}),
        ({"a": None}, {}),
        ([], None),
        ("", None),
        ({"a": {"b": []}}, {"a": {}}),
        (1, 1.0),
    ],
)
def test_values_of_equal_meaning_are_no_change(before: Any, after: Any) -> None:
    assert found(before, after) == []


def test_true_and_one_are_different_values() -> None:
    assert paths(True, 1) == ["v"]
    assert paths({"a": "1"}, {"a": 1}) == ["v.a"]


def test_elements_of_lists_are_matched() -> None:
    assert paths([1, 2, 3], [1, 3, 4, 5]) == ["v[]"] * 3
    assert [kind for *_, kind in found(["a", "b"], ["b", "a"])] == ["order"]
    named = [{"name": "x", "size": 1}, {"name": "y", "size": 2}, {"name": "gone", "size": 0}]
    other = [{"name": "y", "size": 3}, {"name": "x", "size": 9}]
    assert sorted(paths(named, other)) == ["v[]", 'v[name="x"].size', 'v[name="y"].size']


def test_json_is_compared_by_meaning() -> None:
    one, other = {"a": 1, "b": [{"c": "x"}]}, {"b": [{"c": "x"}], "a": 1}

    assert [kind for *_, kind in found(json.dumps(one), json.dumps(other, indent=4))] == [
        "formatting"
    ]
    assert found(json.dumps(one), json.dumps({**other, "a": 2})) == [("v.a", 1, 2, "changed")]
    assert found(json.dumps(one), json.dumps(one)) == []
    # A text that is no JSON any more is another text.
    assert len(found(json.dumps(one), "{broken")) == 1


def test_json_within_json_is_compared_by_meaning() -> None:
    one = json.dumps({"body": json.dumps({"a": 1, "b": 2})})
    other = json.dumps({"body": json.dumps({"b": 2, "a": 1})})
    third = json.dumps({"body": json.dumps({"b": 3, "a": 1})})

    assert [kind for *_, kind in found(one, other)] == ["formatting"]
    assert paths(one, third) == ["v.body.b"]


def test_formatting_only_is_named_as_such() -> None:
    text = shown(
        reviewed(
            change("aws_sqs_queue.q", "update", queue("q", redrive_policy='{"a":1,"b":2}'),
                   queue("q", redrive_policy='{ "b": 2, "a": 1 }'))
        )
    )  # fmt: skip

    assert "`aws_sqs_queue.q` only in formatting, which means the same: `redrive_policy`" in text


def test_the_same_update_of_many_is_shown_once() -> None:
    same = [
        change(f"aws_sqs_queue.q[{n}]", "update", queue(f"q{n}", tags={"team": "a"},
               tags_all={"team": "a"}), queue(f"q{n}", tags={"team": "b"}, tags_all={"team": "b"}))
        for n in range(5)
    ]  # fmt: skip

    text = shown(reviewed(*same))

    assert "**5 times** `aws_sqs_queue`, alike" in text
    assert text.count('+ tags.team = "b"') == 1
    assert "tags_all" not in text
    assert all(f"`aws_sqs_queue.q[{n}]`" in text for n in range(5))


def test_what_only_the_apply_will_know_is_one_line() -> None:
    text = shown(
        reviewed(
            change("aws_lambda_function.f", "update", {"runtime": "a", "version": "1", "arn": "x"},
                   {"runtime": "b", "arn": "x"}, unknown={"version": True, "last_modified": True})
        )
    )  # fmt: skip

    assert "known after apply: `last_modified, version`" in text
    assert '+ runtime = "b"' in text
    assert "- version" not in text


def test_long_values_are_cut_where_they_still_differ() -> None:
    text = shown(
        reviewed(
            change("x_y.z", "update", {"a": "x" * 5000 + "old"}, {"a": "x" * 5000 + "new"})
        )
    )  # fmt: skip

    assert len(text) < 1_000
    assert 'xold"' in text
    assert 'xnew"' in text


def test_outputs_and_creates_are_folded() -> None:
    text = shown(
        reviewed(
            change(
                "aws_sqs_queue.q", "create", None, queue("q", nothing=None, empty=[], off=False)
            ),
            output_changes={
                "url": {"actions": ["update"], "before": "a", "after": "b"},
                "later": {"actions": ["create"], "before": None, "after_unknown": True},
                "same": {"actions": ["no-op"], "before": "a", "after": "a"},
            },
        )
    )

    created = text[text.index("<details><summary>Created (1)") :]
    assert '+ name = "q"' in created
    assert "nothing" not in created
    assert "empty" not in created
    assert "<summary>Outputs (2)</summary>" in created
    assert "`later` (known after apply)" in created
    assert "`same`" not in created


# --- By property

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", '{"k": 1}', "[1]"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        | inner.map(json.dumps)
    ),
    max_leaves=12,
)


@by_property
@given(values)
def test_value_has_no_difference_from_itself(value: Any) -> None:
    assert found(value, json.loads(json.dumps(value))) == []


@by_property
@given(values, values)
def test_differences_are_those_of_the_other_way_round(one: Any, other: Any) -> None:
    def count(found: list[Difference]) -> int:
        return len(found)

    before, after = masked({"v": one}), masked({"v": other})
    assert bool(count(differences(before, after))) == bool(count(differences(after, before)))
