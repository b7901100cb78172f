"""`event-pipelines plan-review` as it is called: formats, exit codes, and nothing but Python."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from event_pipelines.__main__ import main
from event_pipelines.plans.review import differences, plan_values
from unit.cli.plan_review.builder import allow, change, plan, policy, queue, reviewed, shown
from unit.cli.plan_review.test_budget import large
from unit.cli.plan_review.test_event_path import subscription
from unit.cli.plan_review.test_reading import PLANS

REPOSITORY = Path(__file__).resolve().parents[4]

FORMS = [("--format", "markdown"), ("--format", "text"), ("--format", "html"), ("--json",)]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "plan.json"
    path.write_text(
        json.dumps(
            plan(
                change('aws_sqs_queue.q["a,b"]', "delete", queue("q")),
                change("module.m.aws_sns_topic_subscription.s", "delete", subscription("q")),
                change("aws_dynamodb_table.t", "replace", {"name": "t"}, {"name": "t"}),
                change("aws_sqs_queue_policy.open", "create", None,
                       {"policy": policy(allow("sqs:*", "q", Principal="*"))}),
                change("aws_sqs_queue.u", "update", queue("u"), queue("u", delay_seconds=3)),
            )
        )
    )  # fmt: skip
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["plan-review", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_review_is_markdown_by_default(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, file)

    assert (code, err) == (0, "")
    assert out.startswith("<!-- event-pipelines plan-review -->\n### Terraform plan: ")


def test_review_as_json_has_counts_and_changes(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, file, "--json")

    found = json.loads(out)
    assert found["counts"]["destroy"] == 2
    assert [each["address"] for each in found["destroys"]] == [
        "aws_dynamodb_table.t",
        'aws_sqs_queue.q["a,b"]',
        "module.m.aws_sns_topic_subscription.s",
    ]
    assert found["event_path"][0] == {
        "change": "removed",
        "from": "topic uploads",
        "to": "queue q",
        "how": "",
        "by": "module.m.aws_sns_topic_subscription.s",
    }


def test_a_name_is_in_heading_and_marker(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, file, "--name", "prod/eu-west-1")

    assert out.startswith(
        "<!-- event-pipelines plan-review: prod/eu-west-1 -->\n"
        "### Terraform plan for prod/eu-west-1: "
    )


@pytest.mark.parametrize("name", ["a--b", "-->", "<b>", "a`b", "", "a\nb", "a-"])
def test_a_name_that_would_end_the_marker(
    file: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, file, f"--name={name}")

    assert (code, out) == (2, "")
    assert "cannot stand in a comment's marker" in err


@pytest.mark.parametrize(
    ("rule", "matched"),
    [
        ("destroy", True),
        ("destroy:aws_sqs_queue", True),
        ("destroy:aws_dynamodb_table", True),
        ("delete:aws_dynamodb_table", False),
        ("replace:aws_dynamodb_*", True),
        ("replace:aws_sqs_queue", False),
        ('destroy:aws_sqs_queue.q["a,b"]', True),
        ('destroy:aws_sqs_queue.q["*"]', True),
        ("destroy:aws_sqs_queue.q[a]", False),
        ("destroy:module.m.*", True),
        ("update:aws_sqs_queue", True),
        ("create:aws_sqs_queue", False),
        ("public", True),
        ("public:aws_sqs_queue_policy", True),
        ("wildcard:aws_iam_*", False),
        ("wildcard", True),
        ("disconnect", True),
        ("disconnect:topic", True),
        ("disconnect:bucket", False),
        ("forget,move,import,deferred,drift,check,create:x", False),
        ("create:x, replace:aws_dynamodb_table", True),
    ],
)
def test_fail_on_exits_2_when_its_rule_matches(
    file: str, rule: str, matched: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, file, "--fail-on", rule)

    assert code == (1 if matched else 0)
    assert ("refused by --fail-on" in err) == ("**Refused** by" in out) == matched


def test_fail_on_names_the_rule_and_what_it_matched(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, err = run(
        capsys, file, "--fail-on", "update", "--fail-on", "destroy:aws_dynamodb_table"
    )

    assert err.splitlines() == [
        "event-pipelines: refused by --fail-on update: aws_sqs_queue.u",
        "event-pipelines: refused by --fail-on destroy:aws_dynamodb_table: aws_dynamodb_table.t",
    ]
    assert "- **Refused** by `update: aws_sqs_queue.u`" in out


@pytest.mark.parametrize("form", FORMS)
def test_review_survives_half_a_surrogate_pair(
    tmp_path: Path, form: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan(change("x_y.z", "update", {"a": "\ud800"}, {"a": "b"}))))

    code, out, _ = run(capsys, str(path), *form)

    assert code == 0
    assert "\\ud800" in out


def test_an_action_that_does_not_exist(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, file, "--fail-on", "destory:aws_sqs_queue")

    assert (code, out) == (2, "")
    assert "--fail-on knows no action 'destory': use one of destroy, delete, replace," in err


def test_negative_budget_is_refused_and_0_is_unlimited(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--budget -1 is invalid" in run(capsys, file, "--budget", "-1")[2]
    assert "Longer than the 10 characters" in run(capsys, file, "--budget", "10")[1]
    assert "Longer than" not in run(capsys, file, "--budget", "0")[1]


def test_binary_plan_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tfplan").write_bytes(b"PK\x03\x04")

    code, out, err = run(capsys, str(tmp_path / "tfplan"))

    assert (code, out) == (2, "")
    assert err.startswith("event-pipelines: ")
    assert err.count("\n") == 1


BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("boto3", "botocore", "rich", "socket", "ssl"):
            raise ImportError(f"{name} is not for this command")
sys.meta_path.insert(0, Blocker())
import runpy
sys.argv = ["event-pipelines", "plan-review", *sys.argv[1:]]
runpy.run_module("event_pipelines", run_name="__main__")
"""


@pytest.mark.parametrize("form", FORMS)
def test_bare_python_is_enough(file: str, form: tuple[str, ...]) -> None:
    """Without the packages of the other commands, without a network, without a locale."""
    finished = subprocess.run(
        [sys.executable, "-S", "-c", BLOCKER, file, *form, "--fail-on", "destroy"],
        env={"PYTHONPATH": str(REPOSITORY / "cli"), "LC_ALL": "C", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )

    assert finished.returncode == 1, finished.stderr
    assert "aws_dynamodb_table.t" in finished.stdout.decode()


def test_review_work_is_linear_in_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work grows with the plan and not with its square: ten times the plan, ten times the work."""
    calls = 0
    original = plan_values.meaning

    def counted(value: Any, depth: int = 0) -> Any:
        nonlocal calls
        calls += 1
        return original(value, depth)

    monkeypatch.setattr(plan_values, "meaning", counted)
    monkeypatch.setattr(differences, "meaning", counted)

    def work(number: int) -> int:
        nonlocal calls
        calls = 0
        shown(reviewed(*large(number)), budget=60_000)
        return calls

    small, big = work(40), work(400)
    assert 0 < big <= 11 * small


def test_the_example_in_the_documentation_is_what_the_command_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """To write it anew, put the command's output between the two comments."""
    page = (REPOSITORY / "docs" / "plan-review.md").read_text()
    example = page.split("<!-- BEGIN_EXAMPLE -->\n")[1].split("<!-- END_EXAMPLE -->")[0]

    assert run(capsys, str(PLANS / "sensitive_aws_update.json"))[1] == example
