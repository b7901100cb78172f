"""`event-pipelines capacity` as people call it."""

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from event_pipelines import times
from event_pipelines.__main__ import main
from event_pipelines.errors import UserError
from event_pipelines.plans.capacity import quantities, report

REPOSITORY = Path(__file__).parents[4]
PLAN = str(REPOSITORY / "benchmarks" / "plans" / "defaults.json")
SMALL = ("--plan", PLAN, "--pipeline", "event-audit")


def ask(*arguments: str) -> int:
    return main(["capacity", *arguments])


def test_the_answer_to_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(*SMALL, "--rate", "20/s", "--backlog", "10,000", "--for", "2m") == 0

    said = capsys.readouterr().out
    assert said.startswith("event-audit: below the alarm threshold\n")
    for part in ("time to drain", "keeps up", "p99", "per million objects", "bottleneck", "15m ok"):
        assert part in said
    assert "a backlog of 10,000, 20/s for 2m and until it is drained;" in said
    assert "event_audit.max_receive_count = 5" in said


def test_the_answer_to_a_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(*SMALL, "--backlog", "1000", "--json") == 0

    (found,) = json.loads(capsys.readouterr().out)["pipelines"]
    assert (found["pipeline"], found["within_max_age"], found["objects"]) == (
        "event-audit",
        True,
        1000,
    )
    (stage,) = found["stages"]
    assert stage["done"] == 1000
    assert stage["max_age_seconds"] == 900
    assert found["dollars"]["per_million_objects"] > 0


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param("2", id="the oldest waits too long"),
        pytest.param("20", id="no batch ends within the timeout"),
    ],
)
def test_an_exceeded_alarm_threshold_is_an_exit_code(
    seconds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--seconds", f"log_object_event={seconds}", "--account-concurrency", "50")

    code = ask(*SMALL, "--backlog", "40000", *given)

    assert code == 1
    assert "ALARM THRESHOLD EXCEEDED" in capsys.readouterr().out


def test_what_is_deleted_unread_is_said_first(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--plan", PLAN, "--pipeline", "tenant-routing", "--object-size", "1GB")

    assert ask(*given, "--backlog", "100000", "--seconds", "process_tenant_file=50") == 1

    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("tenant-routing: no age alarm in the plan; ")
    assert first.endswith(" MESSAGES ARE DELETED UNREAD")


def test_a_plan_on_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = SimpleNamespace(buffer=io.BytesIO(Path(PLAN).read_bytes()))
    monkeypatch.setattr("sys.stdin", stream)

    assert ask("--plan", "-", "--pipeline", "event-audit", "--backlog", "10") == 0
    assert "event-audit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give --rate, such as 500/s, or --backlog"),
        (("--rate", "500"), "--rate '500' is an invalid rate: use a number, / and s, m, h or d"),
        (("--rate=-5/s",), "is an invalid rate"),
        (("--rate", "5000000/s"), "at most 1,000,000/s"),
        (("--rate", "0/s"), "nothing would happen"),
        (("--backlog", "many"), "--backlog 'many' is no number of objects"),
        (("--backlog", "0"), "is no number of objects"),
        (("--backlog", "10", "--burst", "100x"), "--burst multiplies the rate"),
        (("--rate", "5/s", "--burst", "100"), "write a number above 1 and x, such as 100x"),
        (("--rate", "5/s", "--burst", "1x"), "above 1"),
        (("--rate", "5/s", "--for", "soon"), "Invalid duration"),
        (("--rate", "5/s", "--object-size", "big"), "--object-size 'big' is no size"),
        (("--rate", "5/s", "--failures", "200%"), "--failures '200%' is no share"),
        (("--rate", "5/s", "--poison", "x"), "--poison 'x' is no share"),
        (("--rate", "5/s", "--seconds", "lambda=3"), "functions are create_image_derivative,"),
        (("--rate", "5/s", "--seconds", "split_csv=0"), "names no function and its seconds"),
        (("--rate", "5/s", "--tenants", "0"), "--tenants 0 is out of range: 1 to 200"),
        (("--rate", "5/s", "--service-workers", "0"), "--service-workers 0 is out of range"),
        (("--rate", "5/s", "--account-concurrency", "0"), "--account-concurrency 0 is out of"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(*SMALL, *arguments) == 2

    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out


def test_a_plan_without_pipelines_and_one_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = json.loads(Path(PLAN).read_text()) | {"resource_changes": []}
    (tmp_path / "plan.json").write_text(json.dumps(plan))

    assert ask("--plan", str(tmp_path / "plan.json"), "--rate", "5/s") == 2
    assert "none of this project's pipelines" in capsys.readouterr().err
    assert ask("--plan", str(tmp_path / "none.json"), "--rate", "5/s") == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_pipeline_that_the_plan_has_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = json.loads(Path(PLAN).read_text())
    plan["resource_changes"] = [
        entry for entry in plan["resource_changes"] if "event_audit" in entry["address"]
    ]
    (tmp_path / "plan.json").write_text(json.dumps(plan))

    code = ask("--plan", str(tmp_path / "plan.json"), "--rate", "5/s", "--pipeline", "csv-import")

    assert code == 2
    assert "The plan has no csv-import: it has event-audit." in capsys.readouterr().err


def test_it_needs_nothing_but_python() -> None:
    """No package, no credentials and no network: the interpreter sees no site-packages."""
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _ISOLATED, *SMALL, "--backlog", "100"],
        capture_output=True,
        text=True,
        env={},
    )

    assert finished.returncode == 0, finished.stderr
    assert "event-audit: below the alarm threshold" in finished.stdout


_ISOLATED = f"""
import runpy, sys
sys.path.insert(0, {str(REPOSITORY / "cli")!r})
sys.argv[:1] = ["event-pipelines", "capacity"]
runpy.run_module("event_pipelines", run_name="__main__", alter_sys=False)
"""


def test_help_says_what_it_answers_and_how_to_ask(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ask("--help")

    said = " ".join(capsys.readouterr().out.split())
    for part in (
        "which setting is in the way",
        "terraform show -json",
        "--tenants",
        "1MB",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0s"),
        (9.94, "9.9s"),
        (59.4, "59s"),
        (60, "1m"),
        (3599, "59m 59s"),
        (3600, "1h"),
        (86_399, "23h 59m"),
        (90_000, "1d 1h"),
        (1_209_600, "14d"),
    ],
)
def test_spans_are_written_as_people_say_them(seconds: float, said: str) -> None:
    assert report.span(seconds) == said


def test_rates_and_sizes_in_their_units() -> None:
    assert times.rate("30/m") == 0.5
    assert times.rate("86400/d") == 1.0
    assert quantities.megabytes("800KB") == pytest.approx(0.8)
    assert quantities.megabytes("1.5gb") == 1500.0
    assert quantities.share("--failures", "0.01") == 0.01
    with pytest.raises(UserError, match="5 TB"):
        quantities.megabytes("6000GB")
