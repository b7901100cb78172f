"""tools/validate.sh finds what Terraform would refuse, wherever in the tree it is."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.mocked_plans import REPOSITORY

CALL = 'module "{name}" {{\n  source = "../../{folder}"\n}}\n'
FINE = 'output "name" {\n  value = "orders"\n}\n'
WRONG = 'resource "aws_sqs_queue" "orders" {\n  nmae = "orders"\n}\n'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with a root, a module and an example that calls the module."""
    for folder in ("examples/orders", "examples/lambda-consumer", "modules/orders", "pipelines"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("tools/validate.sh", "tools/terraform_init.sh"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / file, tmp_path / file)
    for file in (".terraform.lock.hcl", "versions.tf"):
        shutil.copy(REPOSITORY / file, tmp_path)
    for root in (".", "examples/orders", "examples/lambda-consumer"):
        (tmp_path / root / "main.tf").write_text(FINE)
        (tmp_path / root / "variables.tf").write_text("")
    (tmp_path / "variables.tf").write_text('variable "region" {\n  type = string\n}\n')
    (tmp_path / "modules/orders/main.tf").write_text(FINE)
    with (tmp_path / "examples/orders/main.tf").open("a") as main:
        main.write(CALL.format(name="orders", folder="modules/orders"))
    return tmp_path


def validate(tree: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [tree / "tools" / "validate.sh"], capture_output=True, text=True, check=False
    )


@pytest.mark.xdist_group("terraform validate")
def test_validation_of_valid_modules_changes_no_file(tree: Path) -> None:
    before = set(tree.rglob("*"))

    finished = validate(tree)

    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert {path for path in tree.rglob("*") if ".local" not in path.parts} == before


@pytest.mark.xdist_group("terraform validate")
def test_validation_names_every_invalid_file(tree: Path) -> None:
    # In one run, of which reading the provider takes nearly all of the time.
    folders = [".", "examples/lambda-consumer", "modules/orders"]
    for folder in folders:
        (tree / folder / "queue.tf").write_text(WRONG)

    finished = validate(tree)

    assert finished.returncode == 1
    found = re.findall(
        r"on tree/(\S+) line 2.*\n.*\n\nAn argument named \"nmae\" is not expected here",
        finished.stderr,
    )
    assert sorted(found) == sorted(str(Path(folder) / "queue.tf") for folder in folders)
