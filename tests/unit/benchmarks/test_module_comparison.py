"""How the comparison of modules reads what Terraform says, and that its page has what it asks."""

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parents[3]
PATH = REPOSITORY / "benchmarks" / "module_comparison.py"

GRAPH = """digraph G {
  "module.a.aws_sqs_queue.queue" -> "module.a.aws_sqs_queue.dlq";
  "module.a.aws_sqs_queue.queue" -> "data.aws_region.current";
  "module.a.aws_sqs_queue_policy.this" -> "module.a.data.aws_iam_policy_document.this";
  "module.a.data.aws_iam_policy_document.this" -> "module.a.aws_sqs_queue.queue";
  "aws_s3_bucket_notification.this" -> "module.a.aws_sqs_queue.dlq";
}"""
REFUSED = """
Warning: Something else

Error: Invalid value for variable

  on main.tf line 15, in module "function":
  15:   batch_size = 100
    ├────────────────
    │ var.batch_size is 100

batch_size above 10 needs a window
of at least 1.

This was checked by the validation rule at modules/variables.tf:212,3-13.
"""
THEIRS = """terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
    null = {
      source  = "hashicorp/null"
      version = ">= 2.0"
    }
  }
}

module "label" {
  source  = "cloudposse/label/null"
  version = "0.25.0"

  name = "x"
}

resource "null_resource" "archive" {
  triggers = {
    a = "b"
  }
}

resource "time_sleep" "wait" {
  depends_on       = [aws_s3_bucket.this]
  create_duration  = "30s"
  destroy_duration = "30s"
}

resource "aws_s3_bucket" "this" {
  depends_on = [
    null_resource.archive,
    time_sleep.wait,
  ]
}
"""
LEFT = """terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

module "label" {
  source  = "%s/cloudposse/terraform-null-label"

  name = "x"
}


resource "terraform_data" "wait" {
  depends_on       = [aws_s3_bucket.this]
}

resource "aws_s3_bucket" "this" {
  depends_on = [
    terraform_data.wait,
  ]
}
"""


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("module_comparison", PATH)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by its name.
    sys.modules["module_comparison"] = module
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PATH.parent))
        spec.loader.exec_module(module)
        yield module


def test_a_chain_counts_what_sqs_makes_and_nothing_else(benchmark: ModuleType) -> None:
    assert benchmark.longest_chain(GRAPH) == 3


def test_what_only_an_apply_can_tell_is_counted_wherever_it_is(benchmark: ModuleType) -> None:
    assert benchmark.unknown({"arn": True, "tags": {}, "rule": [{"id": True, "name": False}]}) == 2


def test_a_refusal_is_told_in_its_sentence_or_its_title(benchmark: ModuleType) -> None:
    assert benchmark.complaint(REFUSED) == "batch_size above 10 needs a window of at least 1."
    title = "\nError: creating queue\n\n  with aws_sqs_queue.this,\n  on main.tf line 1\n"
    assert benchmark.complaint(title) == "creating queue"


def test_copies_need_the_aws_provider_alone(benchmark: ModuleType, tmp_path: Path) -> None:
    checkouts, copies = tmp_path / "checkouts", tmp_path / "copies"
    for name in ("terraform-aws-modules/terraform-aws-lambda", "cloudposse/terraform-null-label"):
        (checkouts / name).mkdir(parents=True)
        (checkouts / name / "main.tf").write_text(THEIRS)
        (checkouts / name / "package.tf").write_text("")

    benchmark.trimmed(checkouts, copies)

    module = copies / "cloudposse/terraform-null-label"
    assert (module / "main.tf").read_text() == LEFT % copies
    assert (checkouts / "cloudposse/terraform-null-label/main.tf").read_text() == THEIRS


def test_the_page_has_every_mistake_and_quotes_what_the_modules_say(benchmark: ModuleType) -> None:
    page = (REPOSITORY / "docs" / "comparison.md").read_text(encoding="utf-8")
    texts = (path.read_text() for path in REPOSITORY.glob("modules/*/*.tf"))
    # A message of several lines is joined with spaces.
    modules = re.sub(r'",\n +"', " ", "".join(texts))

    rows = dict(re.findall(r"(?m)^\| ([^|]+) \| ([^|]+) \| plans", page))
    for mistake in benchmark.MISTAKES:
        assert f"\n| {mistake.what} | " in page
    quotes = [cell.strip('"') for cell in rows.values() if cell.startswith('"')]
    assert len(quotes) == 12
    assert [each for each in quotes if each not in modules] == []
