"""What `event-pipelines smoke --schedule` prints is valid Terraform, for its stack only."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from event_pipelines.__main__ import main
from event_pipelines.smoke.schedule import ACTIONS
from support.mocked_plans import REPOSITORY


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["smoke", "--prefix", "acme-eu", "--schedule"]) == 0
    return capsys.readouterr().out


@pytest.mark.xdist_group("terraform validate")
def test_the_printed_schedule_is_formatted_and_valid(printed: str, tmp_path: Path) -> None:
    (tmp_path / "smoke.tf").write_text(printed)
    for file in (".terraform.lock.hcl", "versions.tf"):
        shutil.copy(REPOSITORY / file, tmp_path)

    environment = {name: value for name, value in os.environ.items() if name != "TF_DATA_DIR"}

    def run(*command: str) -> None:
        finished = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr

    run("terraform", "fmt", "-check", "-diff")
    run(str(REPOSITORY / "tools/terraform_init.sh"), str(tmp_path))
    run("terraform", "validate", "-no-color")


def test_the_schedule_acts_on_nothing_but_its_stack(printed: str) -> None:
    resources = re.findall(r"resources = \[(.*)\]", printed)

    assert len(resources) == len(ACTIONS) + 1
    wide = [one for one in resources if "acme-eu" not in one and "aws_cloudwatch" not in one]
    # Listing queues and log groups takes no name.
    assert wide == ['"*"', '"${local.arn}:logs:${local.here}:log-group:*"']


def test_the_documented_permissions_are_those_of_the_schedule() -> None:
    page = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| `smoke` \| (.*`sqs:.*) \|$", page, re.MULTILINE)

    granted = sorted(action for actions in ACTIONS.values() for action in actions)
    assert sorted(re.findall(r"`([\w:]+)`", row)) == granted
