"""Terraform roots other than the repository's own, applied to the local engine."""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from event_pipelines.local.engine import Engine
from event_pipelines.local.terraform import Terraform
from support.mocked_plans import REPOSITORY


def root(
    folder: Path,
    engine: Engine,
    region: str,
    variables: Mapping[str, Any] | None = None,
    attachment: str | None = None,
) -> Terraform:
    """Initialises the root in `folder`, which keeps its state and uses `engine` as its AWS.

    `attachment` is that of a provider that runs already, see `stacks.provider_of`.
    """
    (folder / "tools").mkdir(exist_ok=True)
    shutil.copy(REPOSITORY / "tools/terraform_init.sh", folder / "tools")
    shutil.copy(REPOSITORY / ".terraform.lock.hcl", folder)
    environment = engine.process_environment(region)
    if attachment is not None:
        environment["TF_REATTACH_PROVIDERS"] = attachment
    terraform = Terraform(folder, folder / "home", environment)
    terraform.home.mkdir(exist_ok=True)
    terraform.variables.write_text(json.dumps(variables or {}))
    terraform.init()
    return terraform


def all_at_once(act: Callable[[Terraform], object], roots: Iterable[Terraform]) -> None:
    """Acts on all roots concurrently: they mostly wait for the engine."""
    each = list(roots)
    with ThreadPoolExecutor(len(each)) as pool:
        for done in [pool.submit(act, terraform) for terraform in each]:
            done.result()


def apply(*roots: Terraform) -> None:
    all_at_once(lambda terraform: terraform.apply(lambda _: None), roots)


def destroy(*roots: Terraform) -> None:
    all_at_once(lambda terraform: terraform.destroy(lambda _: None), roots)
