"""docs/adding-a-pipeline.md, followed to the letter in a copy of the repository."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import package_functions
from support import added_pipeline

REPOSITORY = Path(__file__).resolve().parents[3]
OWN = (
    "pipelines/object-stamps/",
    "functions/stamp_object/",
    "cli/event_pipelines/pipelines/object_stamps.py",
)
MOST_OTHERS = 10


def contents(root: Path) -> dict[str, str]:
    files = (*root.glob("*.tf"), *root.glob("cli/**/*.py"), *root.glob("functions/**/*.py"))
    pipelines = root.glob("pipelines/**/*.tf")
    return {str(path.relative_to(root)): path.read_text() for path in (*files, *pipelines)}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with the pipeline of the page in it."""
    root = tmp_path_factory.mktemp("repository")
    for folder in ("cli", "functions", "pipelines"):
        ignored = shutil.ignore_patterns("__pycache__", ".terraform*")
        shutil.copytree(REPOSITORY / folder, root / folder, symlinks=True, ignore=ignored)
    for file in REPOSITORY.glob("*.tf"):
        shutil.copy(file, root)
    added_pipeline.add_to(root)
    return root


def run(repository: Path, program: str, folder: str = "cli", **variables: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(repository / folder), "PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_a_sixth_pipeline_touches_at_most_ten_other_files(repository: Path) -> None:
    before, after = contents(REPOSITORY), contents(repository)

    changed = {file for file, text in after.items() if before.get(file) != text}
    others = {file for file in changed if not file.startswith(OWN)}

    assert 0 < len(others) <= MOST_OTHERS, others
    assert all(any(file.startswith(own) for file in changed) for own in OWN)


def test_the_command_knows_the_new_pipeline(repository: Path) -> None:
    said = run(
        repository,
        """
from event_pipelines.__main__ import parser
from event_pipelines.pipelines import PIPELINES, concerned, stages
from event_pipelines.stack import Queue
queues = [Queue("p-stamps", "u", "a", 0, 0, 0, "p-stamps-dlq", 5),
          Queue("p-stamps-dlq", "u", "a", 0, 0, 0)]
for group in ("reconcile", "replay"):
    assert parser(group).parse_args([group, "object-stamps"]).pipeline in PIPELINES
for group in ("trace", "smoke"):
    argument = ["k"] if group == "trace" else []
    assert parser(group).parse_args([group, *argument, "--pipeline", "object-stamps"])
(stage,) = stages("p", queues)
print(stage.pipeline, stage.name, stage.function, *concerned("inbox/a"))
""",
    )

    assert said.split() == ["object-stamps", "stamp", "p-stamps", "event-audit", "object-stamps"]


def test_the_function_stamps_what_is_announced_and_refuses_the_rest(repository: Path) -> None:
    said = run(
        repository,
        """
import json
from types import SimpleNamespace
from stamp_object import handler
tag = lambda **call: print("stamped", call["Key"])
handler.s3 = lambda: SimpleNamespace(put_object_tagging=tag)
record = {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
          "eventTime": "2026-03-01T09:30:00.123Z", "eventName": "ObjectCreated:Put",
          "s3": {"bucket": {"name": "b"}, "object": {"key": "inbox/a+b", "sequencer": "0055"}}}
messages = [json.dumps({"Records": [record]}), "no event"]
first = {"ApproximateReceiveCount": "1"}
batch = {"Records": [{"messageId": one[:3], "body": one, "attributes": first} for one in messages]}
context = SimpleNamespace(function_name="f", memory_limit_in_mb=128, aws_request_id="r",
                          invoked_function_arn="arn", get_remaining_time_in_millis=lambda: 30_000)
print("retried", handler.handler(batch, context)["batchItemFailures"])
""",
        folder="functions",
        STACK="acme",
        PIPELINE="object-stamps",
        AWS_DEFAULT_REGION="eu-west-1",
    )

    assert "stamped inbox/a b\n" in said
    assert said.count('"outcome":"stamped"') == said.count('"outcome":"rejected"') == 1
    assert "retried []\n" in said


def test_the_function_is_packaged_because_its_folder_is_there(repository: Path) -> None:
    assert "stamp_object" in package_functions.function_names(repository / "functions")


def test_the_new_module_passes_the_checks_of_the_command(repository: Path) -> None:
    module = repository / "cli/event_pipelines/pipelines/object_stamps.py"
    finished = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", "--config",
         REPOSITORY / "pyproject.toml", module],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert finished.returncode == 0, finished.stdout
