"""modules/sns-filtered-fanout takes the filter policies that SNS takes, and plans no other."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from event_pipelines.local.corrections.topic_requests import validate
from support.mocked_plans import terraform_test

pytestmark = pytest.mark.xdist_group("mocked plans")

SEED = 20251130
MODULE = Path("modules/sns-filtered-fanout")
TEXTS = ("x", "ObjectCreated:Put", 'quo"te', "back\\\\slash", "[{,}]", "<&>", "ü", "\\u003e")


def text(chance: random.Random) -> str:
    return chance.choice(TEXTS)


def number(chance: random.Random) -> float:
    return chance.choice((0, 1, -1, 2.5, 1e9, -1e9, 1e-5))


def comparison(chance: random.Random) -> dict[str, Any]:
    low, high = sorted(chance.sample((-1e9, -2, 0, 0.5, 7, 1e9), 2))
    word = chance.choice(("prefix", "suffix", "equals-ignore-case", "wildcard"))
    above, below = chance.choice((">", ">=")), chance.choice(("<", "<="))
    return chance.choice(
        [
            {"exists": chance.choice((True, False))},
            {word: text(chance)},
            {"prefix": {"equals-ignore-case": text(chance)}},
            {"cidr": "10.0.0.0/24"},
            {"numeric": [chance.choice(("=", ">", ">=", "<", "<=")), number(chance)]},
            {"numeric": [above, low, below, high]},
            {"anything-but": chance.choice((text(chance), number(chance)))},
            {"anything-but": [text(chance), text(chance)]},
            {"anything-but": [number(chance), number(chance)]},
            {"anything-but": {word: chance.choice((text(chance), [text(chance)] * 2))}},
        ]
    )


def values(chance: random.Random) -> list[Any]:
    scalars = (text(chance), number(chance), True, False, None, comparison(chance))
    return [chance.choice(scalars) for _ in range(chance.randint(1, 2))]


def policy(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    """Of at most three lists with two values each, on four levels: 150 combinations are enough."""
    kind = chance.random()
    if depth == 3 or kind < 0.4:
        return {chance.choice("abc"): values(chance)}
    if kind < 0.6:
        return {chance.choice("de"): policy(chance, depth + 1)}
    if kind < 0.8:
        return {"f": values(chance), "g": values(chance)[:1]}
    return {"$or": [{"h": values(chance)[:1]}, {"i": values(chance)[:1]}]}


# What makes a value, or the object that has it, one that SNS refuses.
BAD_VALUES: tuple[Any, ...] = (
    [],
    "x",
    1,
    None,
    {},
    [["x"]],
    [{}],
    [{"begins-with": "x"}],
    [{"prefix": 1}],
    [{"prefix": "x", "suffix": "y"}],
    [{"exists": "true"}],
    [{"exists": None}],
    [{"numeric": []}],
    [{"numeric": [">"]}],
    [{"numeric": ["=>", 1]}],
    [{"numeric": [">", "1"]}],
    [{"numeric": [">", 1, "<", 1]}],
    [{"numeric": [">", 2, "<=", -1]}],
    [{"numeric": ["<", 1, ">", 0]}],
    [{"numeric": [">", 1, "<", 2, "=", 1]}],
    [{"numeric": ["=", 1e9 + 1]}],
    [-1e10],
    [{"anything-but": []}],
    [{"anything-but": ["x", 1]}],
    [{"anything-but": [True]}],
    [{"anything-but": {"exists": True}}],
    [{"anything-but": {"prefix": [1]}}],
    [{"cidr": ["10.0.0.0/24"]}],
    [{"wildcard": None}],
    ["x", {"a": ["x"]}],
)
BAD_ALTERNATIVES: tuple[Any, ...] = ([], [{"a": ["x"]}], [{"a": ["x"]}, {}], [{"a": ["x"]}, "b"])


def broken(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Every bad value somewhere in a policy that is right without it."""
    for bad in BAD_VALUES:
        yield within(chance, {"a": [text(chance)], "z": bad})
    for bad in BAD_ALTERNATIVES:
        yield within(chance, {"a": [text(chance)], "$or": bad})


def within(chance: random.Random, part: dict[str, Any]) -> dict[str, Any]:
    return chance.choice([part, {"d": part}, {"$or": [part, {"k": ["x"]}]}, {"d": {"e": part}}])


def runs_of(policies: list[Any], refused: bool) -> str:
    runs = []
    for index, each in enumerate(policies):
        queue = f'"arn:aws:sqs:eu-west-1:123456789012:q{index}"'
        wanted = '  expect_failures = [aws_sns_topic_subscription.queue["q"]]\n' if refused else ""
        # Twice: the text of the policy, and that as a text of HCL.
        written = json.dumps(json.dumps(each)).replace("${", "$${").replace("%{", "%%{")
        runs.append(
            f'run "r{index}" {{\n  command = plan\n  variables {{\n    name = "t"\n'
            f"    subscriptions = {{ q = {{ queue_arn = {queue}, filter_policy = {written} }} }}\n"
            f"  }}\n{wanted}}}\n"
        )
    return 'mock_provider "aws" {\n  source = "../../tests/terraform/mocks"\n}\n' + "".join(runs)


@pytest.mark.parametrize("refused", [False, True], ids=["taken", "refused"])
def test_filter_policies_of_all_forms(tree: Path, refused: bool) -> None:
    chance = random.Random(SEED)
    policies = list(broken(chance)) if refused else [policy(chance) for _ in range(80)]
    if not refused:
        for each in policies:
            validate(json.dumps(each), "MessageBody")
    folder = tree / MODULE / f"generated-{refused}"
    folder.mkdir()
    (folder / "policies.tftest.hcl").write_text(runs_of(policies, refused))

    terraform_test(tree, MODULE, Path(folder.name))
