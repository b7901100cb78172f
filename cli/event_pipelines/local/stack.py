"""The root module, applied to the local engine."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import boto3

from event_pipelines.errors import Unanswered
from event_pipelines.local import engine as local_engine
from event_pipelines.local.engine import Engine
from event_pipelines.local.home import REPOSITORY, Home
from event_pipelines.local.terraform import (
    Activity,
    Terraform,
    TerraformFailed,
    require_terraform,
)

DEFAULT_REGION = "eu-west-1"
CODE_BUCKET = "event-pipelines-local-code"


@dataclass(frozen=True)
class LocalStack:
    """A stack on a running engine. `outputs` are those of the root module."""

    home: Home
    engine: Engine
    region: str
    outputs: dict[str, Any]

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Points boto3's default configuration at this stack while the block runs."""
        before, session = dict(os.environ), boto3.DEFAULT_SESSION
        mine = self.engine.process_environment(self.region, before)
        os.environ.clear()
        os.environ.update(mine)
        # The default session would keep the credentials that it has read.
        boto3.DEFAULT_SESSION = None
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            boto3.DEFAULT_SESSION = session


def up(
    home: Home,
    *,
    region: str = DEFAULT_REGION,
    port: int | None = None,
    variables: Mapping[str, Any] | None = None,
    packages_through_s3: bool = False,
    tied_to_parent: bool = False,
    on_activity: Callable[[Activity], None] = lambda _: None,
) -> LocalStack:
    """Starts the engine if none runs in `home`, and applies the root module to it.

    With `packages_through_s3`, functions get their code from a bucket, which `destroy` deletes. It
    is faster, because the provider creates only one function at a time while it holds a zip itself.

    Raises Unanswered if Terraform, its provider or the packages are missing or the apply fails,
    EngineError if the engine cannot start; an engine started here is stopped again.
    """
    require_terraform()
    if not (home.packages / "manifest.json").exists():
        raise Unanswered("The function packages are not built: run `make packages` first.")
    engine = local_engine.running(home.path)
    started = engine is None
    if engine is None:
        # An engine loses its resources when it stops, so an older Terraform state is invalid.
        shutil.rmtree(home.terraform, ignore_errors=True)
        engine = local_engine.start(
            home.path, lambda_python=home.lambda_python, port=port, tied_to_parent=tied_to_parent
        )
    try:
        settings = dict(variables or {})
        if packages_through_s3:
            settings["code_bucket"] = {"name": _code_bucket(home, engine, region)}
        applied = _initialised(home, engine, region, settings)
        applied.apply(on_activity)
        return LocalStack(home, engine, region, applied.outputs())
    except BaseException:
        if started:
            local_engine.stop(home.path)
        raise


def planned(
    home: Home, engine: Engine, *, region: str = DEFAULT_REGION, variables: Mapping[str, Any]
) -> tuple[dict[str, Any], Terraform]:
    """Plans what `up` would apply on a running engine with packages through S3.

    Returns the plan in Terraform's JSON, and the root, for `apply_plan`.
    """
    settings = {**variables, "code_bucket": {"name": _code_bucket(home, engine, region)}}
    root = _initialised(home, engine, region, settings)
    return root.plan(), root


def current(home: Home) -> LocalStack | None:
    """Returns the stack in `home`; None unless its engine runs and the root module was applied."""
    engine = local_engine.running(home.path)
    if engine is None:
        return None
    outputs = _terraform(home, engine, DEFAULT_REGION).outputs()
    if "region" not in outputs:
        return None
    return LocalStack(home, engine, outputs["region"], outputs)


def applied_so_far(home: Home, region: str) -> LocalStack | None:
    """Returns the stack that another thread is applying in `home`, with the outputs known so far.

    None as long as there are none, and while Terraform writes its state.
    """
    engine = local_engine.running(home.path)
    if engine is None:
        return None
    try:
        outputs = _terraform(home, engine, region).outputs()
    except TerraformFailed:
        return None
    return LocalStack(home, engine, region, outputs) if outputs else None


def terraform(stack: LocalStack) -> Terraform:
    """Returns the root module as applied to the stack."""
    return _terraform(stack.home, stack.engine, stack.region)


def has_changes(stack: LocalStack) -> bool:
    """Whether another apply would change anything."""
    return terraform(stack).has_changes()


def destroy(
    stack: LocalStack, on_activity: Callable[[Activity], None] = lambda _: None
) -> list[str]:
    """Destroys the stack; returns the addresses left in Terraform's state, none if all is well."""
    held = terraform(stack)
    held.destroy(on_activity)
    with stack.environment():
        s3 = boto3.client("s3")
        if any(bucket["Name"] == CODE_BUCKET for bucket in s3.list_buckets()["Buckets"]):
            s3.delete_bucket(Bucket=CODE_BUCKET)
    return held.resources()


def _code_bucket(home: Home, engine: Engine, region: str) -> str:
    # S3 accepts every region as a location constraint except us-east-1.
    place: Any = {} if region == "us-east-1" else {"LocationConstraint": region}
    with LocalStack(home, engine, region, {}).environment():
        s3 = boto3.client("s3")
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=CODE_BUCKET, CreateBucketConfiguration=place)
    return CODE_BUCKET


def _initialised(
    home: Home, engine: Engine, region: str, variables: Mapping[str, Any]
) -> Terraform:
    root = _terraform(home, engine, region)
    root.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    root.variables.write_text(json.dumps({**_local_variables(home, region), **variables}, indent=2))
    root.init()
    return root


def _terraform(home: Home, engine: Engine, region: str) -> Terraform:
    return Terraform(REPOSITORY, home.terraform, engine.process_environment(region))


def _local_variables(home: Home, region: str) -> dict[str, Any]:
    """Returns the variables for local runs: local packages, path-style S3, no data protection."""
    return {
        "region": region,
        "package_directory": os.path.relpath(home.packages, REPOSITORY),
        "s3_use_path_style": True,
        "force_destroy_buckets": True,
        # Local users are root, whom the tenants' bucket policies would otherwise deny.
        "tenant_routing": {
            "group_access": {"administrators": [f"arn:aws:iam::{local_engine.ACCOUNT_ID}:root"]}
        },
    }
