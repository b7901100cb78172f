"""The action runs the command as a workflow would, and takes its inputs as data."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[4]
ACTION = yaml.safe_load((REPOSITORY / "action.yml").read_text())
PLAN = Path(__file__).parent / "plans/first_deployment.json"


class Run:
    def __init__(self, folder: Path, **inputs: str) -> None:
        """Runs the action's only step with `inputs`, as GitHub fills in its expressions."""
        (step,) = ACTION["runs"]["steps"]
        given: dict[str, Any] = {name: value["default"] for name, value in OPTIONAL.items()}
        given |= {"plan": str(PLAN), **{name.replace("_", "-"): v for name, v in inputs.items()}}
        known = {f"${{{{ inputs.{name} }}}}": value for name, value in given.items()}
        known["${{ github.action_path }}/cli"] = str(REPOSITORY / "cli")
        runner = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(folder),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        }
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            env=runner | {name: known[value] for name, value in step["env"].items()},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        self.code, self.error = ran.returncode, ran.stderr
        written = folder / "output"
        lines = written.read_text().splitlines() if written.exists() else []
        self.outputs = dict(line.split("=", 1) for line in lines)
        summary = folder / "summary"
        self.summary = summary.read_text() if summary.exists() else ""


OPTIONAL = {name: value for name, value in ACTION["inputs"].items() if not value.get("required")}


def test_the_review_is_in_the_summary_and_in_a_file(tmp_path: Path) -> None:
    run = Run(tmp_path)

    assert (run.code, run.error) == (0, "")
    assert run.outputs["refused"] == "false"
    assert run.summary.startswith("<!-- event-pipelines plan-review -->")
    assert Path(run.outputs["review"]).name == "review.md"
    assert Path(run.outputs["review"]).read_text() == run.summary


def test_a_plan_that_does_what_is_refused_is_reviewed_and_marked(tmp_path: Path) -> None:
    run = Run(tmp_path, fail_on="create:aws_sqs_queue", summary="false")

    assert (run.code, run.outputs["refused"], run.summary) == (0, "true", "")
    assert "**Refused** by `create:aws_sqs_queue" in Path(run.outputs["review"]).read_text()


@pytest.mark.parametrize(("form", "name"), [("json", "review.json"), ("text", "review.txt")])
def test_other_formats_are_files_and_no_summary(tmp_path: Path, form: str, name: str) -> None:
    run = Run(tmp_path, format=form)

    assert (run.code, run.summary) == (0, "")
    assert Path(run.outputs["review"]).name == name


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"plan": "missing.json"}, "missing.json"),
        ({"fail_on": "explode"}, "explode"),
        ({"format": "../../pdf"}, "pdf"),
    ],
)
def test_wrong_inputs_fail_the_step_with_their_sentence(
    tmp_path: Path, inputs: dict[str, str], said: str
) -> None:
    run = Run(tmp_path, **inputs)

    assert run.code != 0
    assert said in run.error
    assert run.outputs == {}


def test_inputs_are_never_part_of_the_script(tmp_path: Path) -> None:
    hostile = '"; touch hacked; echo "$(touch hacked)`touch hacked`'

    for name in (*OPTIONAL, "plan"):
        Run(tmp_path, **{name.replace("-", "_"): hostile})

    assert not list(tmp_path.rglob("hacked"))
    assert "${{" not in ACTION["runs"]["steps"][0]["run"]
