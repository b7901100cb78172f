"""What is read as a plan, and the one sentence for everything else."""

import io
import json
import sys
from pathlib import Path

import pytest

from event_pipelines.plans.review.plan import NotAPlan, document, plan_of, read
from unit.cli.plan_review.builder import change, every_format, plan, queue, reviewed, shown

PLANS = Path(__file__).parent / "plans"


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"PK\x03\x04tfplan", "terraform show -json plan.json > plan.json"),
        (b"", "is empty: run `terraform plan -out=tfplan`"),
        (b" \n", "is empty"),
        (b'{"@level":"info","type":"version"}\n{"@level":"info"}', "add `-out=tfplan`"),
        (b'{"@level":"info","@message":"one line only"}', "add `-out=tfplan`"),
        (b"Terraform will perform the following actions:", "is not JSON but text"),
        (b"[command]/usr/bin/terraform show -json\n{}", "terraform_wrapper: false"),
        (json.dumps(plan()).encode()[:-30], "is cut off at line 1: write it again"),
        (b'{"format_version": "1.2', "is cut off"),
        (b'{"format_version" "1.2"}', "is broken JSON at line 1, column 19"),
        (b'{"version": 4, "serial": 3, "lineage": "x"}', "is a state file, not a plan"),
        (b'{"format_version": "1.0", "values": {}}', "is a state but no plan"),
        (b'{"format_version": "1.0", "provider_schemas": {}}', "JSON of Terraform but no plan"),
        (b'{"serial": 1, "encrypted_data": "x"}', "is encrypted by OpenTofu"),
        (b'{"format_version": "2.0", "resource_changes": []}', "has plan format 2.0"),
        (b'{"format_version": "0.2", "resource_changes": []}', "has plan format 0.2"),
        (b'{"hello": "world"}', "is JSON but no plan"),
        (b"[1, 2]", "is JSON but no plan"),
        (b"\x80\x81\x82", "is no text"),
        (b"[" * 100_000, "nests deeper than any plan"),
    ],
)
def test_what_is_no_plan_is_said_in_a_sentence(content: bytes, remedy: str) -> None:
    with pytest.raises(NotAPlan) as refused:
        document("plan.json", content)

    assert remedy in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "broken",
    [
        {"resource_changes": {"a": 1}},
        {"resource_changes": [{"address": "a.b"}]},
        {"resource_changes": ["a"]},
        {"resource_changes": [{"address": "a.b", "type": "a", "name": "b", "change": None}]},
        {"output_changes": []},
        {"output_changes": [1]},
        {"configuration": {"root_module": {"module_calls": {"a": 1}}}},
        {"prior_state": {"values": {"root_module": {"resources": [{"mode": "managed"}]}}}},
        {
            "variables": 7,
            "configuration": {"root_module": {"variables": {"a": {"sensitive": True}}}},
        },
    ],
)
def test_a_plan_of_another_shape_is_refused(broken: dict[str, object]) -> None:
    found = plan(**broken)
    if broken == {"output_changes": []}:
        assert plan_of(found).outputs == ()
        return
    with pytest.raises(NotAPlan, match="does not have the shape of one"):
        plan_of(found)


def test_a_value_deeper_than_any_is_refused() -> None:
    deep: object = "end"
    for _ in range(300):
        deep = [deep]

    with pytest.raises(NotAPlan, match="nests deeper"):
        plan_of(plan(change("a.b", "create", None, {"x": deep})))


def test_missing_plan_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotAPlan, match="cannot be read: No such file"):
        read(str(tmp_path / "plan.json"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_powershell_writes_is_read(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan(change("aws_sqs_queue.q", "delete", queue("q")))), encoding)

    assert [each.action for each in read(str(file)).changes] == ["delete"]


def test_plan_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.dumps(plan(change("aws_sqs_queue.q", "delete", queue("q")))).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    assert read("-").changes[0].address == "aws_sqs_queue.q"


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.99"])
def test_a_plan_without_the_newer_keys(version: str) -> None:
    """What Terraform 1.5 leaves out: errored, complete, applyable, checks, relevant attributes."""
    old = {
        "format_version": version,
        "resource_changes": [change("aws_sqs_queue.q", "delete", queue("q"))],
    }

    assert not plan_of(old).errored
    assert plan_of(old).complete
    assert plan_of(old).relevant is None


def test_empty_plan_is_reviewed_as_no_changes() -> None:
    text = shown(reviewed())

    assert text.startswith("<!-- event-pipelines plan-review -->\n### Terraform plan: no changes\n")
    assert "####" not in text


def test_an_errored_plan_says_so_first() -> None:
    changes = [change("aws_sqs_queue.q", "delete", queue("q"))]
    for form, text in every_format(*changes, errored=True, complete=False).items():
        said = '"errored": true' if form == "json" else "Planning failed."
        assert text.index(said) < text.index("aws_sqs_queue.q")


def test_a_plan_of_a_target_says_that_it_is_not_complete() -> None:
    assert "not complete" in shown(reviewed(complete=False))


def test_changes_that_are_left_to_a_later_plan() -> None:
    found = reviewed(
        deferred_changes=[
            {
                "reason": "provider_config_unknown",
                "resource_change": change("aws_sqs_queue.late", "create", None, queue("late")),
            },
            {
                "reason": "instance_count_unknown",
                "resource_change": change("aws_sqs_queue.gone", "delete", queue("gone")),
            },
        ]
    )

    text = shown(found)
    assert found.counts["destroy"] == found.counts["create"] == 0
    assert "create `aws_sqs_queue.late`: provider config unknown" in text
    assert "**destroyed** `aws_sqs_queue.gone` by a later plan (instance count unknown)" in text


def test_failing_checks_are_shown_and_passing_ones_are_not() -> None:
    def check(name: str, status: str, *problems: str) -> object:
        return {
            "address": {"kind": "check", "to_display": name},
            "status": status,
            "instances": [
                {
                    "address": {"to_display": name},
                    "status": status,
                    "problems": [{"message": problem} for problem in problems],
                }
            ],
        }

    text = shown(
        reviewed(
            checks=[check("check.good", "pass"), check("check.bad", "fail", "No answer."),
                    check("check.broken", "error"), check("check.later", "unknown")]
        )
    )  # fmt: skip

    assert "Check `check.bad` fails: `No answer.`" in text
    assert "Check `check.broken` fails: `it could not be evaluated`" in text
    assert "check.good" not in text
    assert "check.later" not in text


def test_moved_imported_forgotten_and_unheard_of() -> None:
    found = reviewed(
        change("aws_sqs_queue.new", "no-op", queue("q"), queue("q"),
               previous_address="aws_sqs_queue.old"),
        change("aws_sqs_queue.taken", "no-op", queue("t"), queue("t"),
               importing={"id": "https://queue/t"}, generated_config="resource {}"),
        change("aws_sqs_queue.by_identity", "no-op", queue("i"), queue("i"),
               importing={"identity": {"url": "u"}}),
        change("aws_sqs_queue.unknown_id", "no-op", queue("u"), queue("u"),
               importing={"unknown": True}),
        change("aws_sqs_queue.left", "forget", queue("l")),
        change("aws_sqs_queue.strange", "transmute", queue("s"), queue("s")),
        change("aws_sqs_queue.anew", "forget", queue("a"), queue("a"),
               actions=["create", "forget"]),
        action_invocations=[{"address": "action.aws_lambda_invoke.warm", "type": "x", "name": "y"}],
    )  # fmt: skip

    text = shown(found)
    assert "`aws_sqs_queue.old` → `aws_sqs_queue.new`" in text
    assert "`aws_sqs_queue.taken` from `https://queue/t`" in text
    assert '`aws_sqs_queue.by_identity` from `{"url": "u"}`' in text
    assert "`aws_sqs_queue.unknown_id` from `an id known after apply`" in text
    assert "Forgotten by Terraform, left in place (1)" in text
    assert "`transmute` `aws_sqs_queue.strange`" in text
    assert "`create and forget` `aws_sqs_queue.anew`" in text
    assert "runs `action.aws_lambda_invoke.warm`" in text
    assert found.destroys == ()


@pytest.mark.parametrize("actions", [["delete", "create"], ["create", "delete"], ["delete", "odd"]])
def test_whatever_deletes_is_a_destroy(actions: list[str]) -> None:
    found = reviewed(change("aws_sqs_queue.q", "replace", queue("q"), queue("q"), actions=actions))

    assert [each.change.action for each in found.destroys] == ["replace"]
    assert ("created first" in found.destroys[0].verb) == (actions[0] == "create")


def test_drift_that_the_plan_depends_on_is_told_from_the_rest() -> None:
    drifted = [
        change("module.a[0].aws_sqs_queue.q", "update", queue("q"), queue("q", delay_seconds=9)),
        change("aws_sqs_queue.other", "update", queue("o"), queue("o", delay_seconds=8)),
        change("aws_sqs_queue.noise", "update", queue("n", tags=None), queue("n", tags={})),
        change("aws_sqs_queue.gone", "delete", queue("g")),
    ]
    relevant = [
        {"resource": "module.a.aws_sqs_queue.q", "attribute": ["delay_seconds"]},
        {"resource": "aws_sqs_queue.noise", "attribute": ["id"]},
        {"resource": "aws_sqs_queue.gone", "attribute": ["id"]},
    ]

    text = shown(reviewed(resource_drift=drifted, relevant_attributes=relevant))

    assert "no changes" in text
    assert "Changed outside Terraform (2)" in text
    assert "+ delay_seconds = 9" in text
    assert "`aws_sqs_queue.gone` no longer exists" in text
    assert "aws_sqs_queue.other" not in text
    assert "aws_sqs_queue.noise" not in text
    assert "2 more resources differ from the state" in text


@pytest.mark.parametrize("file", sorted(PLANS.glob("*.json")), ids=lambda file: file.stem)
def test_real_plans_are_small_and_read(file: Path) -> None:
    assert file.stat().st_size < 60_000
    assert read(str(file)).changes
