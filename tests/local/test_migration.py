"""The recipes of docs/from-terraform-aws-modules.md, as they stand there, on the local engine."""

import json
import platform
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest

from event_pipelines.local import engine as local_engine
from event_pipelines.local.engine import Engine
from event_pipelines.local.home import Home
from event_pipelines.local.stack import LocalStack
from event_pipelines.local.terraform import Terraform
from support import roots
from support.mocked_plans import REPOSITORY
from support.published import SOURCE
from support.stacks import provider_of

REGION = "eu-west-1"
REGISTRY = {
    "terraform-aws-modules/sqs/aws": "sqs",
    "terraform-aws-modules/sns/aws": "sns",
    "terraform-aws-modules/s3-bucket/aws//modules/notification": "notification",
    "terraform-aws-modules/lambda/aws": "lambda",
}
# What is made anew because that loses nothing.
MADE_ANEW = {"aws_iam_role", "aws_iam_role_policy"}
# What the plan may forget, and nothing else, because the modules write it inline.
INLINE = {
    "aws_sns_topic_policy",
    "aws_sqs_queue_policy",
    "aws_sqs_queue_redrive_allow_policy",
    "aws_sqs_queue_redrive_policy",
}
QUEUES = {"plain": "orders", "modules": "invoices", "import": "returns"}
TOPICS = {"plain": "uploads", "modules": "documents", "import": "parcels"}
# Named in the page, and made by the test for `import`.
SUBSCRIPTION = re.compile(r"parcels:8f6c1d3e-[0-9a-f-]+")


@dataclass(frozen=True)
class Recipe:
    """One recipe after its first half: what AWS has, and the plan of the second half over it."""

    name: str
    terraform: Terraform
    queue_url: str
    dlq_url: str
    topic_arn: str
    made_at: str
    changes: list[dict[str, Any]]

    def actions(self, kind: str) -> list[list[str]]:
        return [each["change"]["actions"] for each in self.changes if each["type"] == kind]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine at which boto3 points."""
    home = Home(tmp_path_factory.mktemp("home"))
    engine = local_engine.start(home.path, lambda_python=home.lambda_python, tied_to_parent=True)
    try:
        with LocalStack(home, engine, REGION, {}).environment():
            yield engine
    finally:
        local_engine.stop(home.path)


@pytest.fixture(scope="module")
def recipes(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Recipe]]:
    """Every recipe, its first half applied and its second half planned and applied."""
    with ExitStack() as providers:
        roots_of = {}
        for name in QUEUES:
            folder = tmp_path_factory.mktemp(name)
            provider = provider_of(folder, Home(folder), engine, REGION)
            attachment = providers.enter_context(provider)
            roots_of[name] = partial(half, folder, name, engine=engine, attachment=attachment)
        yield both_halves(roots_of)


def both_halves(roots_of: Mapping[str, Callable[[str], Terraform]]) -> dict[str, Recipe]:
    roots.apply(*(roots_of[name]("before") for name in ("plain", "modules")))
    made_by_hand()

    found = {}
    for name, root_of in roots_of.items():
        terraform = root_of("after")
        sns, url, dlq_url = boto3.client("sns"), url_of(QUEUES[name]), url_of(f"{QUEUES[name]}-dlq")
        # Dead letters, because nobody fetches them meanwhile.
        boto3.client("sqs").send_message(QueueUrl=dlq_url, MessageBody="still here")
        (topic,) = [
            each["TopicArn"]
            for each in sns.list_topics()["Topics"]
            if each["TopicArn"].endswith(f":{TOPICS[name]}")
        ]
        changes = terraform.plan()["resource_changes"]
        found[name] = Recipe(name, terraform, url, dlq_url, topic, made_at(url), changes)
    roots.apply(*(recipe.terraform for recipe in found.values()))
    return found


@pytest.fixture(params=sorted(QUEUES))
def recipe(request: pytest.FixtureRequest, recipes: dict[str, Recipe]) -> Recipe:
    return recipes[request.param]


def half(folder: Path, name: str, which: str, engine: Engine, attachment: str) -> Terraform:
    """Puts one half of a recipe into `folder`, in place of another, and initialises it."""
    page = (REPOSITORY / "docs/from-terraform-aws-modules.md").read_text(encoding="utf-8")
    (text,) = re.findall(rf"<!-- {name}: {which} -->\n```hcl\n(.*?)```", page, re.DOTALL)
    text = re.sub(re.escape(SOURCE) + r"([\w/-]+)\?ref=[\w.]+", r"./\1", text)
    for source, stand_in in REGISTRY.items():
        text = re.sub(
            rf'source  = "{source}"\n  version = .*', f'source = "./stand-ins/{stand_in}"', text
        )
    # What this machine and the engine have instead.
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    text = text.replace("python3.13", engine.lambda_runtime).replace("arm64", machine)
    text = re.sub(r"https://sqs\.[\w.-]+/\d+/([\w-]+)", lambda found: url_of(found[1]), text)
    if SUBSCRIPTION.search(text):
        text = SUBSCRIPTION.sub(subscription_of("parcels"), text)
    (folder / "main.tf").write_text(text)

    if not (folder / "modules").exists():
        ignored = shutil.ignore_patterns(".terraform*")
        shutil.copytree(REPOSITORY / "modules", folder / "modules", ignore=ignored)
        shutil.copytree(REPOSITORY / "tests/fixtures/terraform-aws-modules", folder / "stand-ins")
        shutil.copy(REPOSITORY / "versions.tf", folder)
        (folder / "provider.tf").write_text('provider "aws" {\n  s3_use_path_style = true\n}\n')
        (folder / "build").mkdir()
        for function in ("price_order", "read_invoice"):
            with zipfile.ZipFile(folder / f"build/{function}.zip", "w") as package:
                package.writestr(
                    f"{function}/handler.py", "def handler(event, context):\n    return None\n"
                )
    return roots.root(folder, engine, REGION, attachment=attachment)


def made_by_hand() -> None:
    sqs, sns = boto3.client("sqs"), boto3.client("sns")
    for name in ("returns", "returns-dlq"):
        sqs.create_queue(QueueName=name)
    topic = sns.create_topic(Name="parcels")["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=topic.replace(":sns:", ":sqs:").replace("parcels", "returns"),
    )


def url_of(queue: str) -> str:
    return boto3.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]


def subscription_of(topic: str) -> str:
    """The last two parts of the ARN of a topic's one subscription."""
    (found,) = [
        each["SubscriptionArn"]
        for each in boto3.client("sns").list_subscriptions()["Subscriptions"]
        if each["TopicArn"].endswith(f":{topic}")
    ]
    return ":".join(found.split(":")[-2:])


def attributes(url: str) -> dict[str, str]:
    found = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return {str(name): value for name, value in found["Attributes"].items()}


def made_at(url: str) -> str:
    return attributes(url)["CreatedTimestamp"]


def test_plan_destroys_and_replaces_nothing_that_holds_something(recipe: Recipe) -> None:
    lost = {each["type"] for each in recipe.changes if "delete" in each["change"]["actions"]}
    assert lost <= MADE_ANEW
    # Both queues and the topic are changed in place, and no other is made.
    assert recipe.actions("aws_sqs_queue") == [["update"]] * 2
    assert recipe.actions("aws_sns_topic") == [["update"]]


def test_plan_forgets_what_is_written_inline_and_nothing_else(recipe: Recipe) -> None:
    forgotten = {each["type"] for each in recipe.changes if each["change"]["actions"] == ["forget"]}
    expected = {
        "plain": {"aws_sns_topic_policy", "aws_sqs_queue_policy"},
        "modules": INLINE,
        "import": set(),
    }
    assert forgotten == expected[recipe.name]


def test_plan_moves_or_imports_what_there_is(recipe: Recipe) -> None:
    kinds = sorted(
        each["type"]
        for each in recipe.changes
        if each.get("previous_address") or each["change"].get("importing")
    )
    everywhere = ["aws_sns_topic", "aws_sns_topic_subscription", "aws_sqs_queue"]
    function = [
        "aws_cloudwatch_log_group",
        "aws_lambda_event_source_mapping",
        "aws_lambda_function",
        "aws_s3_bucket_notification",
    ]
    # Of modules, the dead-letter queue keeps its address. A queue that keeps its label and loses
    # its index without being asked to counts as moved.
    dead_letters = [] if recipe.name == "modules" else ["aws_sqs_queue"]
    assert kinds == sorted(
        everywhere + dead_letters + ([] if recipe.name == "import" else function)
    )


def test_queues_and_messages_are_still_there(recipe: Recipe) -> None:
    assert made_at(recipe.queue_url) == recipe.made_at
    received = boto3.client("sqs").receive_message(QueueUrl=recipe.dlq_url)["Messages"]
    assert [message["Body"] for message in received] == ["still here"]


def test_policies_are_those_of_the_modules(recipe: Recipe) -> None:
    """No delete of an old policy came after them."""
    for url in (recipe.queue_url, recipe.dlq_url):
        statements = json.loads(attributes(url)["Policy"])["Statement"]
        assert "DenyInsecureTransport" in {each["Sid"] for each in statements}
    redrive = json.loads(attributes(recipe.queue_url)["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"] == attributes(recipe.dlq_url)["QueueArn"]
    topic = boto3.client("sns").get_topic_attributes(TopicArn=recipe.topic_arn)["Attributes"]
    assert "DenyInsecureTransport" in topic["Policy"]


def test_second_plan_is_empty(recipe: Recipe) -> None:
    assert not recipe.terraform.has_changes()
