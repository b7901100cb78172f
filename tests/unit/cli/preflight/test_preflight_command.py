"""The command says what was found with its remedy, and tells what it could not ask."""

import json
from pathlib import Path
from typing import Any

import pytest

from event_pipelines.__main__ import main
from event_pipelines.preflight import commands
from event_pipelines.preflight.checks import Finding
from unit.cli.plan_review.builder import plan

FINDING = Finding("name", "aws_sqs_queue.a", "a\u202e is there already", "choose another")


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, answer: Any, *options: str) -> int:
    monkeypatch.setattr(commands, "all_checks", lambda *_: answer)
    path = folder / "plan.json"
    path.write_text(json.dumps(plan()))
    return main(["preflight", "--plan", str(path), "--region", "eu-west-1", *options])


@pytest.mark.parametrize(
    ("answer", "code", "printed"),
    [
        (([], {}), 0, "The account takes the plan, by 7 checks."),
        (([FINDING], {}), 1, "name, aws_sqs_queue.a: a\\u202e is there already.\n  Remedy: choose"),
        (([FINDING], {"quota": "AccessDenied"}), 1, "name, aws_sqs_queue.a"),
        (([], {"quota": "AccessDenied"}), 3, ""),
    ],
)
def test_preflight_ends_with_what_was_found_or_could_not_be_asked(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    answer: Any,
    code: int,
    printed: str,
) -> None:
    assert run(monkeypatch, tmp_path, answer) == code

    said = capsys.readouterr()
    assert printed in said.out
    assert ("quota: not asked: AccessDenied" in said.err) == bool(answer[1])


def test_preflight_as_json_has_findings_and_what_was_not_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ([FINDING], {"quota": "AccessDenied"})

    assert run(monkeypatch, tmp_path, answer, "--json") == 1

    document = json.loads(capsys.readouterr().out)
    assert document["findings"][0]["remedy"] == "choose another"
    assert document["not_asked"] == {"quota": "AccessDenied"}


def test_what_is_no_plan_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("{}")

    assert main(["preflight", "--plan", str(path), "--region", "eu-west-1"]) == 2
