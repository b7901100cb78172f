"""Stacks on the local engine, for end-to-end tests.

The provider waits 25 s for a queue, so the whole root is applied once per test run. Every test file
has an engine of its own, which starts from the checkpoint of the first one: that takes a second.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from event_pipelines.local import checkpoint
from event_pipelines.local import engine as local_engine
from event_pipelines.local import stack as local_stack
from event_pipelines.local.engine import Engine
from event_pipelines.local.home import REPOSITORY, Home
from event_pipelines.local.stack import LocalStack
from event_pipelines.local.terraform import Terraform
from support.mocked_plans import kinds
from support.resident_provider import resident_provider
from support.schema_filter import schema_of

PREFIX: Final = "acme"
REGION: Final = "eu-west-1"
MAX_RECEIVE_COUNT = 3
# Every optional part is on, so that tests see its policies.
VARIABLES: dict[str, Any] = {
    "name_prefix": PREFIX,
    "image_derivatives": {
        "email_subscribers": ["owner@example.com"],
        "max_receive_count": MAX_RECEIVE_COUNT,
    },
    "event_audit": {"trail": {}, "max_receive_count": MAX_RECEIVE_COUNT},
    "csv_import": {
        "columns": {"price": "number"},
        # Without a default, a file without the column would be refused.
        "defaults": {"completed": {"bool": False}, "price": {"number": 0}},
        "notices": {"email_subscribers": ["owner@example.com"]},
        # The splitter has 0.1 s before it hands a file on to its next invocation.
        "split": {"timeout_seconds": 60, "stop_at_remaining_seconds": 59.9},
        "max_receive_count": MAX_RECEIVE_COUNT,
    },
    "item_relay": {"max_receive_count": MAX_RECEIVE_COUNT},
    # Policies of tenants would keep the users of tests/local/operations from reading.
    "tenant_routing": {
        "group_access": {
            "readers": [
                f"arn:aws:iam::123456789012:user/{name}"
                for name in ("reconcile", "replay", "trace")
            ]
        }
    },
}


@contextmanager
def copied_stack(
    temporary: pytest.TempPathFactory,
    *,
    recorded_calls: Path | None = None,
    repeats_work: bool = False,
    folder: str = "home",
) -> Iterator[LocalStack]:
    """Yields the whole root with VARIABLES on an engine of its own, which boto3 uses.

    It is not destroyed, see `destroyed`; `changed` applies other settings to it.
    """
    home = Home(temporary.mktemp(folder))
    original = _original(temporary)
    engine = local_engine.start(
        home.path,
        lambda_python=home.lambda_python,
        tied_to_parent=True,
        recorded_calls=recorded_calls,
        repeats_work=repeats_work,
        checkpoint=original / "checkpoint",
    )
    try:
        shutil.copytree(original / "terraform", home.terraform, symlinks=True)
        state = home.terraform / "terraform.tfstate"
        port = checkpoint.addressed((original / "port").read_text())
        state.write_text(port.sub(str(engine.port), state.read_text()))
        stack = local_stack.current(home)
        assert stack is not None
        with stack.environment():
            yield stack
    finally:
        local_engine.stop(home.path)
    assert local_engine.running(home.path) is None


def changed(stack: LocalStack, **difference: object) -> LocalStack:
    """Applies VARIABLES with these differences to the stack and returns it."""
    with attached_provider(stack.home, stack.engine):
        return local_stack.up(
            stack.home, region=REGION, variables=VARIABLES | difference, packages_through_s3=True
        )


def plan(temporary: pytest.TempPathFactory) -> dict[str, Any]:
    """Returns the plan of the whole root, made before anything was applied."""
    made: dict[str, Any] = json.loads((_original(temporary) / "plan.json").read_text())
    return made


@contextmanager
def attached_provider(home: Home, engine: Engine, region: str = REGION) -> Iterator[None]:
    """Gives Terraform one process of the provider for the root module, see `provider_of`."""
    with (
        provider_of(REPOSITORY, home, engine, region) as attachment,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("TF_REATTACH_PROVIDERS", attachment)
        yield


@contextmanager
def provider_of(root: Path, home: Home, engine: Engine, region: str) -> Iterator[str]:
    """Yields the value of TF_REATTACH_PROVIDERS for one process of the provider.

    Terraform would start it four times per command, and read the schema of all kinds; this one
    knows those of the repository's .tf files.
    """
    files = [*REPOSITORY.glob("*.tf")]
    for folder in ("modules", "pipelines", "tests/fixtures"):
        files += (REPOSITORY / folder).rglob("*.tf")
    environment = engine.process_environment(region)
    with (
        resident_provider(_provider(home), root, environment) as provider,
        schema_of(provider, kinds(files)) as attachment,
    ):
        yield attachment


def _provider(home: Home) -> Path:
    """Returns the path of the provider's program; the first worker to ask initialises a root."""

    def initialise(folder: Path) -> None:
        Terraform(REPOSITORY, folder, os.environ).init()

    folder = _once("provider", home.path.parent, initialise)
    [program] = folder.glob("data/providers/*/hashicorp/aws/*/*/terraform-provider-aws_*")
    return program


def _original(temporary: pytest.TempPathFactory) -> Path:
    """Returns the folder of the stack that is copied; the first worker to ask applies it."""
    return _once("original", temporary.getbasetemp(), _apply)


def _once(name: str, base: Path, make: Callable[[Path], None]) -> Path:
    """Returns a folder that all workers share; the first one to ask makes its content.

    `base` is the folder of all temporary files of this worker.
    """
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "began").exists():
            (folder / "began").touch()
            make(folder)
            (folder / "made").touch()
    # Another attempt would fail as the first did.
    assert (folder / "made").exists(), f"what all workers share could not be made: {folder}"
    return folder


def _apply(folder: Path) -> None:
    home = Home(folder)
    engine = local_engine.start(folder, lambda_python=home.lambda_python, tied_to_parent=True)
    try:
        with attached_provider(home, engine):
            made, root = local_stack.planned(home, engine, region=REGION, variables=VARIABLES)
            (folder / "plan.json").write_text(json.dumps(made))
            root.apply_plan(lambda _: None)
        with LocalStack(home, engine, REGION, {}).environment():
            # A test event of a bucket that is in flight now would stay hidden in the copies.
            eventually(lambda: all(messages_in(url) == 0 for url in queues()), "empty queues")
        local_engine.save(engine).rename(folder / "checkpoint")
        (folder / "port").write_text(str(engine.port))
    finally:
        local_engine.stop(folder)


@contextmanager
def destroyed(stack: LocalStack, module: str) -> Iterator[LocalStack]:
    """Yields the stack; fails if `terraform destroy` of a pipeline leaves any of its resources."""
    yield stack
    terraform = local_stack.terraform(stack)
    others = _without_others(terraform.state, module)
    assert any(address.startswith(f"module.{module}[0].") for address in terraform.resources())
    with attached_provider(stack.home, stack.engine):
        local_stack.terraform(stack).destroy(lambda _: None, [f"module.{module}"])
    assert not any(address.startswith(f"module.{module}[0].") for address in terraform.resources())
    held = _names(others + json.loads(terraform.state.read_text())["resources"])
    assert [name for name in left_behind() if name not in held] == []


def _without_others(path: Path, module: str) -> list[dict[str, Any]]:
    """Removes the other pipelines from a state, and returns their resources.

    Terraform writes the whole state at each of a hundred changes, which is half of its processor
    time in a destroy. What the root has of its own is destroyed with what it depends on.
    """
    state = json.loads(path.read_text())
    mine: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for resource in state["resources"]:
        place = resource.get("module", "")
        own = not place or place.startswith(f"module.{module}[0]")
        (mine if own else others).append(resource)
    path.write_text(json.dumps({**state, "resources": mine, "check_results": None}))
    return others


def _names(resources: list[dict[str, Any]]) -> set[str]:
    """Returns what resources are called: not what they mention, as a dashboard does all others."""
    return {
        value
        for resource in resources
        for instance in resource["instances"]
        for value in instance["attributes"].values()
        if isinstance(value, str)
    }


@contextmanager
def running_stack(path: Path, region: str, **variables: object) -> Iterator[LocalStack]:
    """Yields a stack applied in `path`; fails if `terraform destroy` leaves any resources."""
    home = Home(path)
    engine = local_engine.start(path, lambda_python=home.lambda_python, tied_to_parent=True)
    try:
        with attached_provider(home, engine, region):
            stack = local_stack.up(home, region=region, variables=variables)
            with stack.environment():
                yield stack
            assert local_stack.destroy(stack) == []
        with stack.environment():
            assert left_behind() == []
    finally:
        local_engine.stop(path)
    assert local_engine.running(path) is None


def left_behind() -> list[str]:
    """Returns the names of all resources of the kinds of a stack that the engine still has."""
    found: list[str] = []
    found += [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]
    found += queues()
    found += [topic["TopicArn"] for topic in boto3.client("sns").list_topics()["Topics"]]
    functions = boto3.client("lambda")
    found += [item["FunctionName"] for item in functions.list_functions()["Functions"]]
    found += [
        item["UUID"] for item in functions.list_event_source_mappings()["EventSourceMappings"]
    ]
    found += [role["RoleName"] for role in boto3.client("iam").list_roles()["Roles"]]
    groups = boto3.client("logs").describe_log_groups()["logGroups"]
    found += [group["logGroupName"] for group in groups]
    found += [alarm["AlarmName"] for alarm in alarms()]
    boards = boto3.client("cloudwatch").list_dashboards()["DashboardEntries"]
    found += [board["DashboardName"] for board in boards]
    found += boto3.client("dynamodb").list_tables()["TableNames"]
    subscriptions = boto3.client("sns").list_subscriptions()["Subscriptions"]
    found += [subscription["SubscriptionArn"] for subscription in subscriptions]
    parameters = boto3.client("ssm").describe_parameters()["Parameters"]
    found += [parameter["Name"] for parameter in parameters]
    iam = boto3.client("iam")
    found += [policy["PolicyName"] for policy in iam.list_policies(Scope="Local")["Policies"]]
    found += [group["GroupName"] for group in iam.list_groups()["Groups"]]
    return found


def alarms() -> list[dict[str, Any]]:
    """Returns all alarms, of metrics and composite ones."""
    pages = boto3.client("cloudwatch").get_paginator("describe_alarms")
    return [
        dict(alarm)
        for page in pages.paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        for alarm in (*page["MetricAlarms"], *page["CompositeAlarms"])
    ]


def eventually(condition: Callable[[], object], what: str, seconds: float = 90) -> None:
    """Polls until `condition` is true; fails after `seconds`, naming `what` it waited for.

    Polls become rarer, from 0.05 s to 0.5 s apart, because each costs processor time, here and in
    the engine, that what is waited for needs.
    """
    deadline, pause = time.monotonic() + seconds, 0.05
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(pause)
        pause = min(0.5, pause * 1.25)


def queues() -> list[str]:
    """Returns the URLs of all queues in the region."""
    pages = boto3.client("sqs").get_paginator("list_queues").paginate()
    return [url for page in pages for url in page.get("QueueUrls", ())]


def messages_in(url: str, sqs: Any | None = None) -> int:
    """Returns the number of messages in a queue, visible or in flight, asked with the client `sqs`
    if there is one."""
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    sqs = sqs or boto3.client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(attributes["Attributes"][name]) for name in names)
