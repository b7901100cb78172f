"""Plans of the root module that Terraform makes with a mocked provider: no cloud, no engine."""

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.resident_provider import resident_provider
from support.schema_filter import schema_of

REPOSITORY = Path(__file__).resolve().parents[2]
# File in a copied tree that tells Terraform how to reach the running provider.
ATTACHMENT = "attached-provider.json"


@dataclass(frozen=True)
class Resource:
    """A planned resource. `values` lacks what is known after the apply only."""

    address: str
    kind: str
    values: dict[str, Any]

    @property
    def module(self) -> str:
        return self.address.rpartition(f"{self.kind}.")[0]


@dataclass(frozen=True)
class Plan:
    """One run of a test file. Outputs that are known after the apply only are None."""

    resources: list[Resource]
    outputs: dict[str, Any]

    def all(self, *kinds: str) -> list[Resource]:
        return [each for each in self.resources if each.kind in kinds]

    def names(self, kind: str, attribute: str = "name") -> set[str]:
        return {each.values[attribute] for each in self.all(kind)}


def copy_tree(to: Path) -> Path:
    """Copies everything Terraform reads, so that no test leaves a file in the repository."""
    for folder in ("examples", "modules", "pipelines", "tests/terraform"):
        shutil.copytree(
            REPOSITORY / folder,
            to / folder,
            # Files left by a user who tried an example in place.
            ignore=shutil.ignore_patterns(".terraform*", "terraform.tfstate*", "__pycache__"),
        )
    for file in REPOSITORY.glob("*.tf"):
        shutil.copy(file, to)
    for folder in ("modules", "pipelines", "examples"):
        for main in (to / folder).glob("*/main.tf"):
            shutil.copy(REPOSITORY / ".terraform.lock.hcl", main.parent)
    shutil.copy(REPOSITORY / ".terraform.lock.hcl", to)
    (to / "provider-cache").mkdir()
    # Any zip will do for a package, as nothing is uploaded.
    with zipfile.ZipFile(to / "tests/terraform/packages/function.zip", "w") as package:
        package.writestr("handler.py", "handler = None\n")
    return to


def provider_binary(tree: Path) -> Path:
    """Returns the path of the provider that Terraform uses in the tree; initialises it first."""
    folder = tree / "modules/sqs-with-dlq"
    if not (folder / ".terraform").exists():
        run(REPOSITORY / "tools/terraform_init.sh", folder, cwd=folder, tree=tree)
    # Not "**", which does not follow the links into a cache.
    [binary] = folder.glob(".terraform/providers/*/hashicorp/aws/*/*/terraform-provider-aws_*")
    return binary


@contextmanager
def attached_provider(tree: Path) -> Iterator[None]:
    """Makes commands in the tree use one running provider instead of starting their own.

    The provider knows only the kinds that the tree has now.
    """
    with (
        resident_provider(provider_binary(tree)) as provider,
        schema_of(provider, kinds(tree.rglob("*.tf"))) as attachment,
    ):
        (tree / ATTACHMENT).write_text(attachment)
        yield
        (tree / ATTACHMENT).unlink()


def kinds(files: Iterable[Path]) -> set[str]:
    """Returns the kinds of resources and data sources in .tf files."""
    return {
        kind
        for path in files
        for kind in re.findall(r'^(?:resource|data) "(\w+)"', path.read_text(), re.MULTILINE)
    }


def run(*command: str | Path, cwd: Path, tree: Path) -> str:
    """Returns the standard output of the command; fails with all its output if it fails."""
    # The user's provider cache or mirror (TF_PLUGIN_*) is kept, other settings are not.
    unwelcome = ("AWS_", "TF_VAR_", "TF_DATA_DIR", "TF_CLI_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(unwelcome)}
    if (tree / ATTACHMENT).exists():
        environment["TF_REATTACH_PROVIDERS"] = (tree / ATTACHMENT).read_text()
    finished = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={
            # With a cache the registry is asked for the provider once, and not for every module.
            "TF_PLUGIN_CACHE_DIR": str(tree / "provider-cache"),
            **environment,
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    # A plan as JSON has the whole schema in one line: left out of the message.
    said = [line for line in finished.stdout.splitlines() if len(line) < 10_000]
    assert finished.returncode == 0, "\n".join([*said, finished.stderr])
    return finished.stdout


def terraform_test(tree: Path, module: Path, tests: Path, *options: str) -> str:
    """Runs all test files of a module of the tree; `tests` is their folder, relative to `module`.

    One process runs them all, and so reads the provider's schema once.
    """
    folder = tree / module
    directory = f"-test-directory={tests}"
    run(REPOSITORY / "tools/terraform_init.sh", folder, directory, cwd=folder, tree=tree)
    said = run("terraform", "test", "-no-color", directory, *options, cwd=folder, tree=tree)
    assert "Success!" in said, "no run was executed"
    return said


def plans(tree: Path, tests: Path, module: Path = Path()) -> dict[str, Plan]:
    """Runs a folder of tests of the root, or of `module`; returns the plans by run."""
    said = terraform_test(tree, module, tests, "-json", "-verbose")
    messages = [json.loads(line) for line in said.splitlines()]
    return {
        message["@testrun"]: Plan(
            [
                Resource(each["address"], each["type"], each["change"]["after"])
                for each in message["test_plan"].get("resource_changes", [])
                if each["mode"] == "managed"
            ],
            {
                name: change.get("after")
                for name, change in message["test_plan"].get("output_changes", {}).items()
            },
        )
        for message in messages
        if message["type"] == "test_plan"
    }
