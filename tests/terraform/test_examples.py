"""Every example is a root that plans as it stands, and a module works from another repository."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.examples import EXAMPLES, declared, packing_command
from support.mocked_plans import REPOSITORY, Plan, plans
from support.published import SOURCE

FILES = {"README.md", "main.tf", "outputs.tf", "variables.tf", "versions.tf"}
TEST_FILE = Path("tests/example.tftest.hcl")
README = REPOSITORY / "examples/README.md"
# Examples of several modules together.
ROOTS = {"enterprise"}
# Which queues each makes, dead-letter queues left out: what a reader of its README expects.
QUEUES = {
    "bucket-notification": {"documents-invoices", "documents-removals"},
    "csv-import": {"acme-csv-imports", "acme-csv-rows"},
    "enterprise": {
        "corp-csv-imports",
        "corp-csv-rows",
        "corp-image-mobile",
        "corp-image-thumbnail",
        "documents-removals",
    },
    "event-audit": {
        f"acme-audit-{route}" for route in ("copy", "other", "removal", "tagging", "upload")
    },
    "image-derivatives": {f"acme-image-{name}" for name in ("banner", "mobile", "thumbnail")},
    "item-relay": {"acme-relay-finished.fifo", "acme-relay-updates"},
    "kms-key-statements": set(),
    "lambda-consumer": {"orders-to-price"},
    "metric-alarms": set(),
    "private-bucket": set(),
    "private-table": set(),
    "sns-filtered-fanout": {"orders-billing", "orders-search", "orders-shipping"},
    "source-bucket": {"reports-texts", "uploads-removals"},
    "sqs-with-dlq": {"invoices"},
    "tenant-routing": {"acme-tenants-quarantine"},
}


def planned(tree: Path, example: str) -> Plan:
    folder = tree / "examples" / example
    takes_packages = "package_directory" in declared("variable", folder / "variables.tf")
    packages = '  package_directory = "../../tests/terraform/packages"\n' if takes_packages else ""
    test_file = folder / TEST_FILE
    test_file.parent.mkdir()
    test_file.write_text(
        'mock_provider "aws" {\n  source = "../../tests/terraform/mocks"\n}\n'
        f"variables {{\n{packages}}}\n"
        'run "example" {\n  command = plan\n}\n'
    )
    return plans(tree, TEST_FILE.parent, Path("examples", example))["example"]


@pytest.mark.xdist_group("mocked plans")
@pytest.mark.parametrize("example", EXAMPLES)
def test_example_plans_without_credentials(example: str, tree: Path) -> None:
    folder = tree / "examples" / example
    if (folder / "src").is_dir():
        subprocess.run(["sh", "-ec", packing_command(example)], cwd=folder, check=True)

    plan = planned(tree, example)

    names = plan.names("aws_sqs_queue")
    assert {name for name in names if not re.search(r"-dlq(\.fifo)?$", name)} == QUEUES[example]
    assert set(plan.outputs) == declared("output", folder / "outputs.tf")


def test_every_module_and_pipeline_has_an_example() -> None:
    shipped = {
        path.parent.name
        for folder in ("modules", "pipelines")
        for path in (REPOSITORY / folder).glob("*/main.tf")
    }
    assert set(EXAMPLES) - ROOTS == set(QUEUES) - ROOTS == shipped
    assert set(EXAMPLES) >= ROOTS
    listed = re.findall(r"^\| \[`([a-z-]+)`]\(\1\) \|", README.read_text(), flags=re.MULTILINE)
    assert sorted(listed) == sorted(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_has_all_its_files_and_a_published_source(example: str) -> None:
    folder = REPOSITORY / "examples" / example
    assert {path.name for path in folder.iterdir()} >= FILES
    assert (folder / "versions.tf").read_bytes() == (REPOSITORY / "versions.tf").read_bytes()

    kind = "pipelines" if (REPOSITORY / "pipelines" / example).is_dir() else "modules"
    called = "pipelines/csv-import" if example in ROOTS else f"{kind}/{example}"
    assert f'# source = "{SOURCE}{called}?ref=' in (folder / "main.tf").read_text()

    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "\nterraform init\nterraform apply " in readme
    assert "terraform destroy" in readme
    assert set(re.findall(r"terraform output -\w+ (\w+)", readme)) <= declared(
        "output", folder / "outputs.tf"
    )
    assert set(re.findall(r"-var '?(\w+)=", readme)) <= declared(
        "variable", folder / "variables.tf"
    )


# --- From another repository

CONSUMER = """
module "orders" {
  source = "git::file://%s//modules/sqs-with-dlq?ref=%s"

  name     = "orders"
  consumer = { timeout_seconds = 30 }
  senders  = { uploads = { service = "s3", source_arn = "arn:aws:s3:::my-uploads" } }
}

output "queue" {
  value = module.orders.queue
}
"""


def git(repository: Path, *arguments: str) -> str:
    """Runs git without any settings of whoever runs the tests."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    finished = subprocess.run(
        ["git", *author, *arguments],
        cwd=repository,
        env={**environment, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def repository_of(folder: Path) -> str:
    """Makes `folder` a repository with everything in it; returns the commit."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all of it")
    return git(folder, "rev-parse", "HEAD")


@pytest.mark.xdist_group("terraform outside")
def test_module_works_from_a_fresh_repository(tmp_path: Path) -> None:
    library = tmp_path / "library"
    shutil.copytree(
        REPOSITORY / "modules",
        library / "modules",
        ignore=shutil.ignore_patterns(".terraform*"),
    )
    commit = repository_of(library)
    # What comes later must not matter to whoever named the commit.
    (library / "modules/sqs-with-dlq/main.tf").write_text("broken {")
    git(library, "commit", "--quiet", "--all", "--message", "broken")

    consumer = tmp_path / "consumer"
    shutil.copytree(REPOSITORY / "tests/terraform/mocks", consumer / "mocks")
    shutil.copy(REPOSITORY / ".terraform.lock.hcl", consumer)
    shutil.copy(REPOSITORY / "versions.tf", consumer)
    (consumer / "main.tf").write_text(CONSUMER % (library, commit))
    (consumer / "tests").mkdir()
    (consumer / TEST_FILE).write_text(
        'mock_provider "aws" {\n  source = "./mocks"\n}\nrun "example" {\n  command = plan\n}\n'
    )
    repository_of(consumer)
    (tmp_path / "provider-cache").mkdir()

    plan = plans(tmp_path, TEST_FILE.parent, Path("consumer"))["example"]

    assert plan.names("aws_sqs_queue") == {"orders", "orders-dlq"}
    assert {each.module for each in plan.resources} == {"module.orders."}
    assert plan.outputs["queue"]["visibility_timeout_seconds"] == 180
