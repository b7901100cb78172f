"""The rules of modules/source-bucket hand each EventBridge event to the one queue that takes it."""

import itertools
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ministack.services import eventbridge

from log_object_event.settings import Route
from shared.contracts.events import EVENTBRIDGE_NAMES, object_events
from support.mocked_plans import Plan, plans

pytestmark = pytest.mark.xdist_group("mocked plans")

SEED = 20251130
GENERATED = Path("generated")
NAMES = sorted(name for name in EVENTBRIDGE_NAMES.values() if not name.endswith(":Unknown"))
TYPES = sorted({kind for kind, *_ in EVENTBRIDGE_NAMES} | {"Object Thawed"})
REASONS = sorted({names[1] for names in EVENTBRIDGE_NAMES if len(names) > 1})


def routes(chance: random.Random) -> dict[str, list[str]]:
    """Some of the names, each in one of up to four routes."""
    some = chance.sample(NAMES, chance.randint(1, len(NAMES)))
    parts: dict[str, list[str]] = {}
    for name in some:
        parts.setdefault(f"r{chance.randrange(4)}", []).append(name)
    return parts


def events() -> list[dict[str, Any]]:
    """Every type with every reason and kind of deletion, known, unknown or none."""
    return [
        event("uploads", kind, reason=reason, **{"deletion-type": deletion})
        for kind in TYPES
        for reason in (*REASONS, "Reorganisation", None)
        for deletion in ("Permanently Deleted", "Delete Marker Created", "Archived", None)
    ]


def event(bucket: str, kind: str, **detail: str | None) -> dict[str, Any]:
    return {
        "version": "0",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2025-11-30T12:00:00Z",
        "region": "eu-west-1",
        "detail-type": kind,
        "detail": {
            "bucket": {"name": bucket},
            "object": {"key": "a"},
            **{name: value for name, value in detail.items() if value is not None},
        },
    }


def takers(patterns: Mapping[str, str], event: Mapping[str, Any]) -> list[str]:
    """Queues whose rules match, as the engine reads patterns: it compiles them as AWS does."""
    asked = {
        "Source": event["source"],
        "Account": event["account"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
    }
    return [key for key, text in patterns.items() if eventbridge._matches_pattern(text, asked)]


@pytest.fixture(scope="module")
def cases(tree: Path) -> list[tuple[dict[str, list[str]], dict[str, str]]]:
    """Routes, and the patterns that are planned for them and a catch-all."""
    chance = random.Random(SEED)
    drawn = [routes(chance) for _ in range(24)]
    folder = tree / "modules/source-bucket"
    (folder / GENERATED).mkdir()
    (folder / GENERATED / "routes.tftest.hcl").write_text(
        'mock_provider "aws" {\n  source = "../../tests/terraform/mocks"\n}\n'
        + "".join(run(f"r{number}", each) for number, each in enumerate(drawn))
    )
    planned = plans(tree, GENERATED, Path("modules/source-bucket"))
    return [(each, patterns_of(planned[f"r{number}"])) for number, each in enumerate(drawn)]


def run(title: str, parts: Mapping[str, Sequence[str]]) -> str:
    queues: dict[str, Any] = {
        key: {"name": key, "dlq_name": f"{key}-dlq", "events": parts[key]} for key in parts
    }
    every = sorted(itertools.chain(*parts.values()))
    queues["other"] = {"name": "o", "dlq_name": "o-dlq", "events": every, "catch_all": True}
    given = {
        "name": "a",
        "own_bucket": "own",
        "source_bucket": {"name": "uploads"},
        "queues": queues,
    }
    lines = "".join(f"    {name} = {json.dumps(value)}\n" for name, value in given.items())
    return f'run "{title}" {{\n  command = plan\n  variables {{\n{lines}  }}\n}}\n'


def patterns_of(plan: Plan) -> dict[str, str]:
    return {
        rule.address.partition('"')[2].rstrip('"]'): rule.values["event_pattern"]
        for rule in plan.all("aws_cloudwatch_event_rule")
    }


def test_every_event_reaches_the_queue_whose_function_takes_it(
    cases: list[tuple[dict[str, list[str]], dict[str, str]]],
) -> None:
    for parts, patterns in cases:
        takes = [Route(key, frozenset(names), catch_all=False) for key, names in parts.items()]
        takes.append(Route("other", frozenset(itertools.chain(*parts.values())), catch_all=True))
        for each in events():
            [told] = object_events(each)
            meant = [route.name for route in takes if route.takes(told.event_name)]
            assert takers(patterns, each) == meant, (told.event_name, each, patterns)


def test_no_rule_takes_what_another_bucket_or_account_tells(
    cases: list[tuple[dict[str, list[str]], dict[str, str]]],
) -> None:
    for _, patterns in cases:
        for kind in TYPES:
            assert takers(patterns, event("downloads", kind, reason="PutObject")) == []
            assert takers(patterns, event("uploads", kind) | {"account": "210987654321"}) == []
