"""The runner of facts can fail: each kind of expectation, each spelling mistake, each removal."""

from pathlib import Path
from typing import Any

import pytest

from conformance import removal, table
from conformance.facts import MisspeltFact, Step, Text, load, substitute
from conformance.runner import Difference, Run, Target, as_text, boto3_name, check, is_part, plain

ANSWER = {
    "A": "text",
    "L": [{"x": 1}, {"x": 2, "y": 3}],
    "ResponseMetadata": {"HTTPStatusCode": 200},
}
REFUSED = {
    "Error": {"Code": "Denied", "Message": "not for you"},
    "ResponseMetadata": {"HTTPStatusCode": 403},
}


def step(**expected: Any) -> Step:
    return Step("f.yaml:1", "sqs", "SendMessage", {}, **expected)


@pytest.mark.parametrize(
    ("answer", "met", "unmet"),
    [
        (ANSWER, {"expect": {"A": "text"}}, {"expect": {"A": "other"}}),
        (ANSWER, {"expect": {"L[0].x": 1}}, {"expect": {"L[0].x": True}}),
        (ANSWER, {"contains": {"L": [{"y": 3}]}}, {"contains": {"L": [{"y": 4}]}}),
        (ANSWER, {"matches": {"A": "t.*t"}}, {"matches": {"A": "t"}}),
        (ANSWER, {"absent": ["B"]}, {"absent": ["A"]}),
        (ANSWER, {"status": 200}, {"status": 201}),
        (ANSWER, {}, {"error": "Denied"}),
        (REFUSED, {"error": "Denied"}, {}),
        (REFUSED, {"error": "Denied"}, {"error": "Other"}),
        (REFUSED, {"error": "Denied", "status": 403}, {"error": "Denied", "status": 400}),
        (REFUSED, {"error": "Denied", "message": "you"}, {"error": "Denied", "message": "me"}),
    ],
)
def test_each_kind_of_expectation_can_fail(
    answer: dict[str, Any], met: dict[str, Any], unmet: dict[str, Any]
) -> None:
    check(step(**met), answer, {})
    with pytest.raises(Difference, match=r"f\.yaml:1"):
        check(step(**unmet), answer, {})


FACT = """
service: SQS
facts:
  - id: a
    states: b
    source: https://example.com
    needs: [sqs]
    steps:
      - call: sqs.CreateQueue
        with: {QueueName: "${id}"}
        expect: {QueueUrl: x}
"""


def test_fact_without_mistakes_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(FACT)
    (fact,) = load(tmp_path)
    assert (fact.identifier, fact.steps[0].operation) == ("a", "CreateQueue")


@pytest.mark.parametrize(
    ("written", "mistaken", "problem"),
    [
        ("CreateQueue", "CreateQeueu", "f.yaml:9: sqs has no operation CreateQeueu"),
        ("QueueName:", "Name:", "f.yaml:9: CreateQueue: no parameter Name"),
        ('QueueName: "${id}"', "", "parameter QueueName is missing"),
        ('"${id}"', "3", "f.yaml:9: CreateQueue.QueueName: 3 is no string"),
        ("${id}", "${other}", "f.yaml:9: unknown variable: other"),
        ("expect:", "expects:", "f.yaml:9: unknown: expects"),
        ("{QueueUrl: x}", '{"a[": x}', "f.yaml:9: not a path"),
        ("expect: {QueueUrl: x}", "", "nothing is expected"),
        ("https:", "see ", "no page and no recorded test"),
        ("needs: [sqs]", "needs: [s3]", "sqs is not among what"),
        ("CreateQueue", "StartMessageMoveTasks", "no operation"),
        ("states: b", "states: b\n    states: c", "a key is there twice"),
        ("states: b", "states: b\n    given: [none]", "nothing is given by the name none"),
    ],
)
def test_misspelt_fact_is_an_error_with_its_line(
    tmp_path: Path, written: str, mistaken: str, problem: str
) -> None:
    assert written in FACT
    (tmp_path / "f.yaml").write_text(FACT.replace(written, mistaken))
    with pytest.raises(MisspeltFact, match=problem.replace("[", r"\[")):
        load(tmp_path)


def test_variable_alone_keeps_its_type() -> None:
    text = Text("json", {"n": "${n}"})
    assert as_text(substitute([text, "${n}", "a${n}"], {"n": 1})) == ['{"n": 1}', 1, "a1"]


def test_answers_and_names_are_plain_json() -> None:
    assert plain({"a": [b"x", 1]}) == {"a": ["x", 1]}
    assert boto3_name("TransactWriteItems") == "transact_write_items"
    assert not is_part({"a": 1}, [])


class Removals:
    """Instead of services: notes what is removed, and fails for one."""

    def __init__(self) -> None:
        self.removed: list[str] = []

    def remove(self, client: Any, operation: str, asked: Any, answer: Any) -> None:
        del client, operation, answer
        self.removed.append(asked)
        if asked == "second":
            raise OSError(asked)


def test_everything_made_is_removed_although_one_removal_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    removals = Removals()
    monkeypatch.setattr(removal, "remove", removals.remove)
    run = Run(Target("1", "python3.13", {}, {}))
    run._made.extend(("CreateQueue", name, {}) for name in ("first", "second", "third"))  # type: ignore[misc]
    with pytest.raises(ExceptionGroup), run:
        raise KeyError
    assert removals.removed == ["third", "second", "first"]


def test_table_of_agreement_notices_both_surprises(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(FACT)
    facts = load(tmp_path)
    page = table.replaced(f"a {table.BEGIN}{table.END} z", table.render(facts, frozenset("a")))

    assert table.recorded(page) == {"a"}
    assert all(table.counts(facts, page).values())
    assert "agrees" in table.surprise("a", "", table.recorded(page))
    assert "differs" in table.surprise("b", "x", table.recorded(page))
    assert table.surprise("a", "x", table.recorded(page)) == ""
    assert table.surprise("b", "", table.recorded(page)) == ""
