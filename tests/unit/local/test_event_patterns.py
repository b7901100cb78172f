"""The matcher behind SNS payload filters and event source filters."""

from typing import Any

import pytest

from event_pipelines.local.corrections import _event_patterns
from event_pipelines.local.corrections._event_patterns import InvalidPattern

S3_EVENT = {
    "Records": [
        {
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "a"}, "object": {"key": "ingest/Cat.JPG", "size": 7}},
        },
        {
            "eventName": "ObjectRemoved:Delete",
            "s3": {"bucket": {"name": "b"}, "object": {"key": "ingest/dog.png", "size": 900}},
        },
    ]
}


def records(**pattern: Any) -> dict[str, Any]:
    return {"Records": pattern}


MATCHING = [
    {},
    records(eventName=["ObjectCreated:Put"]),
    records(eventName=[{"prefix": "ObjectRemoved:"}]),
    records(s3={"object": {"size": [{"numeric": [">", 0, "<=", 7]}]}}),
    records(s3={"bucket": {"name": ["z", "b"]}}, eventName=[{"suffix": ":Delete"}]),
    {"$or": [records(eventName=["no"]), records(eventName=["ObjectCreated:Put"])]},
    {"Service": [{"exists": False}]},
    {"Records.eventName": ["ObjectCreated:Put"]},
    records(**{"s3.object.size": [7]}),
    {"Records.s3.object.none": [{"exists": False}]},
    records(s3={"object": {"key": [{"exists": True}]}}),
    records(s3={"object": {"versionId": [{"exists": False}]}}),
]

NOT_MATCHING = [
    {"Records.eventName": ["no"]},
    records(**{"s3.object.size": [8]}),
    records(eventName=["ObjectCreated:Copy"]),
    # The created object is in bucket a: what is asked of one element must hold in one element.
    records(eventName=["ObjectCreated:Put"], s3={"bucket": {"name": ["b"]}}),
    records(s3={"object": {"size": [{"numeric": [">", 7, "<", 900]}]}}),
    records(s3={"object": {"size": ["7"]}}),
    {"$or": [records(eventName=["no"]), records(eventName=["neither"])]},
    {"Service": ["Amazon S3"]},
    # `exists` is about values; Records has elements, not a value.
    {"Records": [{"exists": True}]},
    records(s3={"object": {"key": [{"exists": False}]}}),
]


@pytest.mark.parametrize("pattern", MATCHING)
def test_an_s3_event_matches(pattern: dict[str, Any]) -> None:
    _event_patterns.validate(pattern)
    assert _event_patterns.matches(pattern, S3_EVENT)


@pytest.mark.parametrize("pattern", NOT_MATCHING)
def test_an_s3_event_does_not_match(pattern: dict[str, Any]) -> None:
    _event_patterns.validate(pattern)
    assert not _event_patterns.matches(pattern, S3_EVENT)


# A rule, values it accepts, and values it does not.
RULES: list[tuple[Any, list[Any], list[Any]]] = [
    ("a", ["a", ["b", "a"]], ["A", "ab", ["b"], None, []]),
    ("", [""], [None, "a", []]),
    (1, [1, 1.0], ["1", True, 2]),
    (0, [0], [False, None, ""]),
    (True, [True], [1, "true", False]),
    (None, [None], ["", 0, False]),
    ({"prefix": "ab"}, ["ab", "abc"], ["Ab", "cab", 1, None]),
    ({"prefix": {"equals-ignore-case": "AB"}}, ["abc", "ABC"], ["cab"]),
    ({"suffix": ".jpg"}, [".jpg", "a.jpg"], ["a.JPG", "a.jpg.txt"]),
    ({"suffix": {"equals-ignore-case": ".jpg"}}, ["a.JPG"], ["a.png"]),
    ({"equals-ignore-case": "Alice"}, ["alice", "ALICE"], ["alice2", 1]),
    (
        {"wildcard": "in*/*.jpg"},
        ["ingest/a.jpg", "in/.jpg", "in/\n.jpg"],
        ["ingest/a.png", "x/a.jpg"],
    ),
    ({"wildcard": r"a\*b\\*"}, [r"a*b\c", "a*b\\"], ["aXb\\c", "a*bc"]),
    ({"wildcard": "a.c"}, ["a.c"], ["abc"]),
    ({"numeric": ["=", 3]}, [3, 3.0], ["3", 4, True]),
    ({"numeric": [">=", -1.5, "<", 2]}, [-1.5, 0, 1.99], [2, -2]),
    ({"cidr": "10.0.0.0/24"}, ["10.0.0.7"], ["10.0.1.7", "not an address", "::1"]),
    ({"cidr": "2001:db8::/32"}, ["2001:db8::1"], ["10.0.0.1"]),
    ({"anything-but": "a"}, ["b", 1, ["a", "b"]], ["a", ["a"]]),
    ({"anything-but": ["a", 1]}, ["b", 2, True], ["a", 1]),
    ({"anything-but": {"prefix": "tmp/"}}, ["ingest/"], ["tmp/a"]),
    ({"anything-but": {"suffix": [".tmp", ".bak"]}}, ["a.jpg"], ["a.tmp", "a.bak"]),
    ({"anything-but": {"wildcard": "*/tmp/*"}}, ["a/b"], ["a/tmp/b"]),
    ({"anything-but": {"equals-ignore-case": "a"}}, ["b"], ["A"]),
    ({"exists": True}, ["", None, 0, [1]], [[], {"nested": 1}]),
]


@pytest.mark.parametrize(("rule", "accepted", "refused"), RULES)
def test_a_rule_accepts_and_refuses(rule: Any, accepted: list[Any], refused: list[Any]) -> None:
    pattern = {"field": [rule]}
    _event_patterns.validate(pattern)

    assert [
        value for value in accepted if not _event_patterns.matches(pattern, {"field": value})
    ] == []
    assert [value for value in refused if _event_patterns.matches(pattern, {"field": value})] == []
    assert not _event_patterns.matches(pattern, {"another": "field"})


def test_one_rule_of_a_field_is_enough() -> None:
    pattern = {"size": [{"exists": False}, {"numeric": [">", 5]}]}

    assert _event_patterns.matches(pattern, {})
    assert _event_patterns.matches(pattern, {"size": 6})
    assert not _event_patterns.matches(pattern, {"size": 5})


@pytest.mark.parametrize(
    "pattern",
    [
        [],
        {"a": "text"},
        {"a": []},
        {"a": {"b": 1}},
        {"a": [["b"]]},
        {"a": [{}]},
        {"a": [{"prefix": "x", "suffix": "y"}]},
        {"a": [{"prefixx": "x"}]},
        {"a": [{"prefix": 1}]},
        {"a": [{"prefix": {"wildcard": "x"}}]},
        {"a": [{"exists": "true"}]},
        {"a": [{"numeric": [">"]}]},
        {"a": [{"numeric": ["~", 1]}]},
        {"a": [{"numeric": [">", "1"]}]},
        {"a": [{"anything-but": []}]},
        {"a": [{"anything-but": {"numeric": [">", 1]}}]},
        {"a": [{"anything-but": {"prefix": 1}}]},
        {"$or": [{"a": "text"}]},
    ],
)
def test_a_malformed_pattern_is_refused(pattern: Any) -> None:
    with pytest.raises(InvalidPattern):
        _event_patterns.validate(pattern)
