"""Terraform code that runs `event-pipelines smoke` every hour, for a root of the user's own."""

import re
from collections.abc import Sequence

from event_pipelines.errors import UserError

# As the variable `name_prefix` accepts it, without characters that end a Terraform string.
_NAME = re.compile(r"[a-z][a-z0-9-]{0,22}[a-z0-9]")

# Actions of the command, by the resources of a stack that they concern. docs/operations.md has the
# same for people.
ACTIONS: dict[str, tuple[str, ...]] = {
    "*": ("sqs:ListQueues",),
    "sqs": (
        "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl", "sqs:ListQueueTags", "sqs:ReceiveMessage", "sqs:SendMessage",
    ),
    "lambda": ("lambda:GetFunctionConfiguration",),
    "s3": ("s3:GetBucketNotification", "s3:ListBucket", "s3:ListBucketVersions"),
    "objects": (
        "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject",
    ),
    "dynamodb": (
        "dynamodb:DeleteItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem",
        "dynamodb:Query", "dynamodb:Scan",
    ),
    "logs": ("logs:FilterLogEvents", "logs:ListTagsForResource"),
    "log groups": ("logs:DescribeLogGroups",),
    "ssm": ("ssm:GetParameter",),
}  # fmt: skip
_RESOURCES = {
    "*": "*",
    "sqs": "${local.arn}:sqs:${local.here}:PREFIX-*",
    "lambda": "${local.arn}:lambda:${local.here}:function:PREFIX-*",
    "s3": "${local.arn}:s3:::PREFIX-*",
    "objects": "${local.arn}:s3:::PREFIX-*/*",
    "dynamodb": "${local.arn}:dynamodb:${local.here}:table/PREFIX-*",
    "logs": "${local.arn}:logs:${local.here}:log-group:/aws/lambda/PREFIX-*",
    "log groups": "${local.arn}:logs:${local.here}:log-group:*",
    "ssm": "${local.arn}:ssm:${local.here}:parameter/PREFIX/*",
}

_TEMPLATE = """\
# EventBridge Scheduler starts a build of CodeBuild every hour that runs `event-pipelines smoke` on
# the stack PREFIX. An alarm tells when no build of two hours succeeded: also when none began.

variable "smoke_package" {
  description = "Where pip gets the command: a wheel's URL, or git+https://...#subdirectory=cli."
  type        = string
}

variable "smoke_alarm_topic_arn" {
  description = "Topic that is told when no run succeeded: the stack's output `alarms` names one."
  type        = string
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  arn     = "arn:${data.aws_partition.current.partition}"
  here    = "${data.aws_region.current.id}:${local.account}"
}

resource "aws_cloudwatch_log_group" "smoke" {
  name              = "/aws/codebuild/PREFIX-smoke"
  retention_in_days = 30
}

data "aws_iam_policy_document" "smoke" {
STATEMENTS
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.smoke.arn}:*"]
  }
}

resource "aws_iam_role" "smoke" {
  for_each = toset(["codebuild", "scheduler"])

  name = "PREFIX-smoke-${each.key}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "${each.key}.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "codebuild" {
  name   = "smoke"
  role   = aws_iam_role.smoke["codebuild"].id
  policy = data.aws_iam_policy_document.smoke.json
}

resource "aws_iam_role_policy" "scheduler" {
  name = "smoke"
  role = aws_iam_role.smoke["scheduler"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "codebuild:StartBuild"
      Resource = aws_codebuild_project.smoke.arn
    }]
  })
}

resource "aws_codebuild_project" "smoke" {
  name                   = "PREFIX-smoke"
  description            = "Sends one small object or item through each pipeline of PREFIX"
  service_role           = aws_iam_role.smoke["codebuild"].arn
  build_timeout          = 15
  concurrent_build_limit = 1

  artifacts {
    type = "NO_ARTIFACTS"
  }

  environment {
    type         = "ARM_CONTAINER"
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = "aws/codebuild/amazonlinux-aarch64-standard:3.0"

    environment_variable {
      name  = "SMOKE_PACKAGE"
      value = var.smoke_package
    }
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.smoke.name
    }
  }

  source {
    type = "NO_SOURCE"
    buildspec = yamlencode({
      version = "0.2"
      phases = {
        install = {
          runtime-versions = { python = "3.12" }
          commands         = ["pip install --quiet \\"$SMOKE_PACKAGE\\""]
        }
        build = { commands = ["event-pipelines smoke --prefix PREFIX --json"] }
      }
    })
  }
}

resource "aws_scheduler_schedule" "smoke" {
  name                = "PREFIX-smoke"
  schedule_expression = "rate(1 hour)"

  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 15
  }

  target {
    arn      = "${local.arn}:scheduler:::aws-sdk:codebuild:startBuild"
    role_arn = aws_iam_role.smoke["scheduler"].arn
    input    = jsonencode({ ProjectName = aws_codebuild_project.smoke.name })
  }
}

resource "aws_cloudwatch_metric_alarm" "smoke" {
  alarm_name          = "PREFIX-smoke"
  alarm_description   = "No smoke run of two hours succeeded: /aws/codebuild/PREFIX-smoke says why."
  namespace           = "AWS/CodeBuild"
  metric_name         = "SucceededBuilds"
  dimensions          = { ProjectName = aws_codebuild_project.smoke.name }
  statistic           = "Sum"
  period              = 7200
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [var.smoke_alarm_topic_arn]
  tags                = { "event-pipelines" = "PREFIX" }
}
"""


def schedule(prefix: str) -> str:
    """Returns Terraform code for the stack of this prefix. Raises UserError for an invalid one."""
    if not _NAME.fullmatch(prefix):
        raise UserError(
            f"--prefix {prefix!r} is no name_prefix: use 2 to 24 lower-case letters, digits and"
            " hyphens that start with a letter."
        )
    statements = "\n".join(
        f"  statement {{\n    actions = [\n{_listed(actions)}    ]\n"
        f'    resources = ["{_RESOURCES[kind]}"]\n  }}\n'
        for kind, actions in ACTIONS.items()
    )
    return _TEMPLATE.replace("STATEMENTS\n", f"{statements}\n").replace("PREFIX", prefix)


def _listed(actions: Sequence[str]) -> str:
    return "".join(f'      "{action}",\n' for action in actions)
