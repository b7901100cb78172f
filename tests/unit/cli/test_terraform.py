"""Following Terraform: its stream of messages becomes counts, names and complaints."""

import json
from pathlib import Path
from typing import Any

import pytest

from event_pipelines.local.terraform import Activity, Terraform, TerraformFailed

SUMMARY = {
    "type": "change_summary",
    "changes": {"add": 2, "change": 0, "remove": 0, "operation": "plan"},
}


def hook(kind: str, address: str, **fields: object) -> dict[str, Any]:
    return {"type": kind, "hook": {"resource": {"addr": address}, "action": "create", **fields}}


@pytest.fixture
def terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terraform:
    """Terraform, played by a script that prints the file `said` and exits as `code` says."""
    fake = tmp_path / "bin" / "terraform"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\ncat "{tmp_path}/said"\nexit "$(cat "{tmp_path}/code")"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=":")
    return Terraform(tmp_path, tmp_path, {"PATH": f"{fake.parent}:/usr/bin:/bin"})


def says(terraform: Terraform, code: int, *messages: dict[str, Any] | str) -> None:
    lines = [m if isinstance(m, str) else json.dumps(m) for m in messages]
    (terraform.home / "said").write_text("\n".join(lines) + "\n")
    (terraform.home / "code").write_text(str(code))


def test_progress_counts_what_is_done_and_names_what_takes_long(terraform: Terraform) -> None:
    says(
        terraform,
        0,
        SUMMARY,
        hook("apply_start", "queue"),
        hook("apply_progress", "queue", elapsed_seconds=20),
        hook("apply_complete", "data.late", action="read"),
        hook("apply_complete", "queue"),
        hook("apply_complete", "topic"),
    )
    seen: list[tuple[int, int, dict[str, float]]] = []

    terraform.apply(lambda a: seen.append((a.done, a.total, dict(a.under_way))))

    assert seen[2] == (0, 2, {"queue": 20})
    assert seen[3] == (0, 2, {"queue": 20})
    assert seen[-1] == (2, 2, {})


def test_a_module_has_finished_when_nothing_planned_for_it_is_left(terraform: Terraform) -> None:
    queue, topic, data = (f"module.{name}" for name in ("a[0].queue.q", "a[0].topic.t", "a[0].d"))
    planned = [
        {"type": "planned_change", "change": {"resource": {"addr": address}, "action": action}}
        for address, action in (
            (queue, "create"),
            (topic, "update"),
            (data, "read"),
            ("r", "create"),
        )
    ]
    completed = [hook("apply_complete", address) for address in (queue, "r", topic)]
    says(terraform, 0, *planned, SUMMARY, *completed)
    seen: list[tuple[bool, bool]] = []

    terraform.apply(lambda a: seen.append((a.has_finished("a"), a.has_finished("absent"))))

    assert seen == [(False, False)] * 7 + [(True, False)]


def test_states_and_plans_are_readable_by_their_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "terraform"
    fake.parent.mkdir()
    fake.write_text(f"""#!/bin/sh
[ "$2" = version ] || echo secret >>"{tmp_path}/home/$2"
echo '{{"terraform_version": "1.11.4"}}'
""")
    fake.chmod(0o755)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "terraform_init.sh").write_text("exit 0")
    monkeypatch.setenv("PATH", str(fake.parent), prepend=":")
    terraform = Terraform(tmp_path, tmp_path / "home", {"PATH": f"{fake.parent}:/usr/bin:/bin"})
    terraform.init()
    terraform.plan()
    terraform.apply(lambda _: None)
    terraform.destroy(lambda _: None)
    terraform.has_changes()

    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in terraform.home.iterdir()}
    written = dict.fromkeys(("plan", "show", "apply", "destroy"), "0o600")
    assert (modes, terraform.home.stat().st_mode & 0o777) == (written, 0o700)


def test_a_failure_carries_its_diagnostics(terraform: Terraform) -> None:
    diagnostic = {"address": "aws_sqs_queue.dlq", "summary": "Invalid name", "detail": "Too long."}
    says(
        terraform,
        1,
        {"type": "diagnostic", "@level": "warn", "diagnostic": {"summary": "Deprecated"}},
        {"type": "diagnostic", "@level": "error", "diagnostic": diagnostic},
        "panic: something else",
    )

    with pytest.raises(TerraformFailed) as caught:
        terraform.apply(lambda _: None)

    assert "aws_sqs_queue.dlq: Invalid name: Too long." in str(caught.value)
    assert "panic: something else" in str(caught.value)
    assert "Deprecated" not in str(caught.value)


def test_an_interrupted_caller_waits_for_terraform(terraform: Terraform) -> None:
    says(terraform, 0, SUMMARY)

    def interrupt(_: Activity) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        terraform.apply(interrupt)


@pytest.mark.parametrize(("code", "changes"), [(0, False), (2, True)])
def test_a_plan_tells_whether_it_would_change_anything(
    terraform: Terraform, code: int, changes: bool
) -> None:
    says(terraform, code)

    assert terraform.has_changes() is changes


def test_a_failed_plan_is_no_answer(terraform: Terraform) -> None:
    says(terraform, 1)

    with pytest.raises(TerraformFailed):
        terraform.has_changes()


def test_outputs_are_those_in_the_state(terraform: Terraform) -> None:
    assert terraform.outputs() == {}

    written = json.dumps({"version": 4, "outputs": {"region": {"value": "x", "type": "string"}}})
    terraform.state.write_text(written)
    assert terraform.outputs() == {"region": "x"}

    terraform.state.write_text(written[:20])
    with pytest.raises(TerraformFailed, match=str(terraform.state)):
        terraform.outputs()


def test_resources_are_all_instances_in_the_state_without_data_sources(
    terraform: Terraform,
) -> None:
    assert terraform.resources() == []

    def recorded(mode: str, name: str, *instances: object, module: str = "") -> dict[str, Any]:
        kept = [{} if one is None else {"index_key": one} for one in instances]
        entry = {"mode": mode, "type": "aws_sqs_queue", "name": name, "instances": kept}
        return entry | ({"module": module} if module else {})

    state = [
        recorded("managed", "q", None),
        recorded("managed", "q", 0, 1, module='module.a["x"]'),
        recorded("managed", "each", 'a"b'),
        recorded("data", "r", None, module="module.a[0]"),
        recorded("managed", "gone"),
    ]
    terraform.state.write_text(json.dumps({"resources": state}))

    assert terraform.resources() == [
        "aws_sqs_queue.q",
        'module.a["x"].aws_sqs_queue.q[0]',
        'module.a["x"].aws_sqs_queue.q[1]',
        'aws_sqs_queue.each["a\\"b"]',
    ]


def test_the_users_terraform_settings_stay_out(tmp_path: Path, terraform: Terraform) -> None:
    told = Terraform(
        tmp_path,
        tmp_path,
        {**terraform.environment, "TF_VAR_region": "x", "TF_CLI_CONFIG_FILE": "/no/such/file"},
    )._environment()

    assert "TF_VAR_region" not in told
    assert "TF_CLI_CONFIG_FILE" not in told
    assert told["TF_DATA_DIR"] == str(tmp_path / "data")
