"""Compares the plans of the four modules with those of terraform-aws-modules and cloudposse.

Usage: python benchmarks/module_comparison.py CHECKOUTS [--only WORD] [--apply [--keep] ...]

CHECKOUTS is a folder that holds their repositories as `terraform-aws-modules/terraform-aws-sqs`,
`cloudposse/terraform-aws-sns-topic` and so on, each at the release to compare (docs/comparison.md
names them; releases for provider 6 do not plan with the provider 5 of this repository's lock).
Nothing in CHECKOUTS is changed. The copies that are planned lack all parts that need another
provider than AWS: the building of packages, which this comparison does not need, a user for a
bucket, and a pause between two settings of a bucket.

Plans reach no cloud: a listener on loopback answers the two calls that the provider and the modules
make before a plan to identify the account. With --apply the local engine is started as well, and
all sides apply and destroy each of WIRINGS at the same time, in several rounds.

With --keep the results of --apply are also written to benchmarks/results, for the README's table.

Prints JSON: `pair` (to the same effect) and `shortest` (each module's defaults) count what is in a
plan, the same on every machine; `mistakes` has Terraform's error for each, or that it plans. Times
are of one machine: compare them only with each other.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from harness import Verdict, store

REPOSITORY = Path(__file__).resolve().parents[1]
ACCOUNT, REGION = "123456789012", "eu-west-1"
OURS, TAM, CLOUDPOSSE = "ours", "terraform-aws-modules", "cloudposse"
SIDES = (OURS, TAM, CLOUDPOSSE)

QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:orders"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:price"

# --- The same pair of queues, to the same effect: S3 may send, TLS only, redrive allowed

PAIR = {
    OURS: """
  source = "{ours}/sqs-with-dlq"

  name    = "NAME"
  senders = { uploads = { service = "s3", source_arn = "arn:aws:s3:::acme-uploads" } }
  tags    = TAGS
""",
    TAM: """
  source = "{terraform-aws-modules}/terraform-aws-sqs"

  name                          = "NAME"
  create_dlq                    = true
  dlq_message_retention_seconds = 1209600
  create_queue_policy           = true
  queue_policy_statements = {
    uploads = {
      actions    = ["sqs:SendMessage"]
      principals = [{ type = "Service", identifiers = ["s3.amazonaws.com"] }]
      conditions = [
        { test = "ArnEquals", variable = "aws:SourceArn", values = ["arn:aws:s3:::acme-uploads"] },
        { test = "StringEquals", variable = "aws:SourceAccount", values = ["123456789012"] },
      ]
    }
    tls = {
      effect     = "Deny"
      actions    = ["sqs:*"]
      principals = [{ type = "AWS", identifiers = ["*"] }]
      conditions = [{ test = "Bool", variable = "aws:SecureTransport", values = ["false"] }]
    }
  }
  create_dlq_queue_policy = true
  dlq_queue_policy_statements = {
    tls = {
      effect     = "Deny"
      actions    = ["sqs:*"]
      principals = [{ type = "AWS", identifiers = ["*"] }]
      conditions = [{ test = "Bool", variable = "aws:SecureTransport", values = ["false"] }]
    }
  }
  tags = TAGS
""",
}

# The shortest call of each side that makes a queue and a dead-letter queue.
SHORTEST = {
    OURS: '\n  source = "{ours}/sqs-with-dlq"\n  name = "NAME"\n',
    TAM: '\n  source = "{terraform-aws-modules}/terraform-aws-sqs"\n  name = "NAME"\n'
    "  create_dlq = true\n",
}

# --- What is applied. All sides of a wiring have the same effect; where they cannot, the page that
# quotes the times names the differences. NAME is the side.

TLS_ONLY = """{
      effect     = "Deny"
      actions    = ["ACTION"]
      principals = [{ type = "AWS", identifiers = ["*"] }]
      conditions = [{ test = "Bool", variable = "aws:SecureTransport", values = ["false"] }]
    }"""
MAY = """{
      actions    = ["ACTION"]
      principals = [{ type = "Service", identifiers = ["SERVICE.amazonaws.com"] }]
      conditions = [
        { test = "ArnEquals", variable = "aws:SourceArn", values = [ARN] },
        { test = "StringEquals", variable = "aws:SourceAccount", values = ["123456789012"] },
      ]
    }"""


def _statements(action: str, service: str, arn: str) -> str:
    """Returns statements as terraform-aws-modules takes them: one service may act, TLS only."""
    may = MAY.replace("ACTION", action).replace("SERVICE", service).replace("ARN", arn)
    deny = TLS_ONLY.replace("ACTION", action if action == "sns:Publish" else "sqs:*")
    return f"{{\n    sender = {may}\n    tls = {deny}\n  }}"


UPLOADS = '"arn:aws:s3:::acme-uploads"'
ROUTES = """
locals {
  routes = {
    puts   = "ObjectCreated:Put"
    posts  = "ObjectCreated:Post"
    copies = "ObjectCreated:Copy"
  }
}
"""
# Existing queues, and an existing topic and function, for each side.
EXISTING = """
variable "sides" {
  type = set(string)
}

locals {
  queues = toset([
    for pair in setproduct(var.sides, ["puts", "posts", "copies"]) : join("-existing-", pair)
  ])
}

resource "aws_sqs_queue" "queue" {
  for_each                   = local.queues
  name                       = each.key
  visibility_timeout_seconds = 180
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect    = "Allow"
    Action    = "sqs:SendMessage"
    Resource  = "arn:aws:sqs:eu-west-1:123456789012:${each.key}"
    Principal = { Service = ["s3.amazonaws.com", "sns.amazonaws.com"] }
    Condition = { StringEquals = { "aws:SourceAccount" = "123456789012" } }
  }] })
}

resource "aws_sns_topic" "topic" {
  for_each = var.sides
  name     = "${each.key}-existing"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect    = "Allow"
    Action    = "sns:Publish"
    Resource  = "arn:aws:sns:eu-west-1:123456789012:${each.key}-existing"
    Principal = { Service = "s3.amazonaws.com" }
    Condition = { StringEquals = { "aws:SourceAccount" = "123456789012" } }
  }] })
}

resource "aws_iam_role" "function" {
  name = "existing"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" }
  }] })
}

resource "aws_lambda_function" "function" {
  for_each      = var.sides
  function_name = "${each.key}-existing"
  role          = aws_iam_role.function.arn
  handler       = "price.handler"
  runtime       = "python3.13"
  filename      = "package.zip"
}
"""


def _arn(service: str, name: str) -> str:
    return f'"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"'


FAN_OUT = {
    OURS: f"""{ROUTES}
module "topic" {{
  source     = "{{ours}}/sns-filtered-fanout"
  name       = "NAME"
  publishers = {{ uploads = {{ service = "s3", source_arn = {UPLOADS} }} }}
  subscriptions = {{
    for route, event in local.routes : route => {{
      queue_arn     = module.queue[route].queue.arn
      filter_policy = jsonencode({{ Records = {{ eventName = [event] }} }})
      dlq           = {{ arn = module.queue[route].dlq.arn }}
    }}
  }}
}}

module "queue" {{
  source      = "{{ours}}/sqs-with-dlq"
  for_each    = local.routes
  name        = "NAME-${{each.key}}"
  senders     = {{ topic = {{ service = "sns", source_arn = module.topic.topic_arn_static }} }}
  dlq_senders = {{ topic = {{ service = "sns", source_arn = module.topic.topic_arn_static }} }}
}}
""",
    TAM: f"""{ROUTES}
module "topic" {{
  source                      = "{{terraform-aws-modules}}/terraform-aws-sns"
  name                        = "NAME"
  enable_default_topic_policy = false
  topic_policy_statements     = {_statements("sns:Publish", "s3", UPLOADS)}
  subscriptions = {{
    for route, event in local.routes : route => {{
      protocol             = "sqs"
      endpoint             = module.queue[route].queue_arn
      raw_message_delivery = true
      filter_policy        = jsonencode({{ Records = {{ eventName = [event] }} }})
      filter_policy_scope  = "MessageBody"
      redrive_policy = jsonencode({{
        deadLetterTargetArn = module.queue[route].dead_letter_queue_arn
      }})
    }}
  }}
}}

module "queue" {{
  source                        = "{{terraform-aws-modules}}/terraform-aws-sqs"
  for_each                      = local.routes
  name                          = "NAME-${{each.key}}"
  create_dlq                    = true
  dlq_message_retention_seconds = 1209600
  create_queue_policy           = true
  queue_policy_statements       = {_statements("sqs:SendMessage", "sns", "module.topic.topic_arn")}
  create_dlq_queue_policy       = true
  dlq_queue_policy_statements   = {_statements("sqs:SendMessage", "sns", "module.topic.topic_arn")}
}}
""",
}


def _subscriptions(queue: str, settings: str) -> str:
    return f"""{{
    for route, event in local.routes : route => {{
      {queue}       = "arn:aws:sqs:{REGION}:{ACCOUNT}:NAME-existing-${{route}}"
      filter_policy = jsonencode({{ Records = {{ eventName = [event] }} }})
      {settings}
    }}
  }}"""


TO_A_QUEUE = """protocol = "sqs"
      raw_message_delivery = true
      filter_policy_scope  = "MessageBody"
"""
TOPIC = {
    OURS: f"""{ROUTES}
module "topic" {{
  source        = "{{ours}}/sns-filtered-fanout"
  name          = "NAME"
  publishers    = {{ uploads = {{ service = "s3", source_arn = {UPLOADS} }} }}
  subscriptions = {_subscriptions("queue_arn", "")}
}}
""",
    TAM: f"""{ROUTES}
module "topic" {{
  source                      = "{{terraform-aws-modules}}/terraform-aws-sns"
  name                        = "NAME"
  enable_default_topic_policy = false
  topic_policy_statements     = {_statements("sns:Publish", "s3", UPLOADS)}
  subscriptions = {_subscriptions("endpoint", TO_A_QUEUE)}
}}
""",
    CLOUDPOSSE: f"""{ROUTES}
module "topic" {{
  source                                 = "{{cloudposse}}/terraform-aws-sns-topic"
  name                                   = "NAME"
  encryption_enabled                     = false
  allowed_aws_services_for_sns_published = ["s3.amazonaws.com"]
  subscribers = {_subscriptions("endpoint", TO_A_QUEUE)}
}}
""",
}

BUCKET = """
resource "aws_s3_bucket" "uploads" {
  bucket = "NAME-uploads"
}
"""
QUEUE, EXISTING_TOPIC = _arn("sqs", "NAME-existing-puts"), _arn("sns", "NAME-existing")
FUNCTION = _arn("lambda", "function:NAME-existing")
NOTIFICATION = {
    OURS: f"""{BUCKET}
module "notification" {{
  source = "{{ours}}/bucket-notification"
  bucket = aws_s3_bucket.uploads.id
  queues = {{ rows = {{ arn = {QUEUE}, filter_prefix = "rows/" }} }}
  topics = {{ images = {{ arn = {EXISTING_TOPIC}, filter_prefix = "images/" }} }}
  functions = {{
    files = {{ arn = {FUNCTION}, name = "NAME-existing", filter_prefix = "files/" }}
  }}
}}
""",
    TAM: f"""{BUCKET}
module "notification" {{
  source            = "{{terraform-aws-modules}}/terraform-aws-s3-bucket/modules/notification"
  bucket            = aws_s3_bucket.uploads.id
  create_sqs_policy = false
  create_sns_policy = false
  sqs_notifications = {{
    rows = {{ queue_arn = {QUEUE}, filter_prefix = "rows/", events = ["s3:ObjectCreated:*"] }}
  }}
  sns_notifications = {{
    images = {{
      topic_arn = {EXISTING_TOPIC}, filter_prefix = "images/", events = ["s3:ObjectCreated:*"]
    }}
  }}
  lambda_notifications = {{
    files = {{
      function_arn   = {FUNCTION}
      function_name  = "NAME-existing"
      source_account = "{ACCOUNT}"
      filter_prefix  = "files/"
      events         = ["s3:ObjectCreated:*"]
    }}
  }}
}}
""",
    CLOUDPOSSE: f"""
resource "aws_lambda_permission" "uploads" {{
  action         = "lambda:InvokeFunction"
  function_name  = "NAME-existing"
  principal      = "s3.amazonaws.com"
  source_arn     = "arn:aws:s3:::NAME-uploads"
  source_account = "{ACCOUNT}"
}}

module "bucket" {{
  source      = "{{cloudposse}}/terraform-aws-s3-bucket"
  bucket_name = "NAME-uploads"
  event_notification_details = {{
    enabled     = true
    queue_list  = [{{ queue_arn = {QUEUE}, filter_prefix = "rows/" }}]
    topic_list  = [{{ topic_arn = {EXISTING_TOPIC}, filter_prefix = "images/" }}]
    lambda_list = [{{ lambda_function_arn = {FUNCTION}, filter_prefix = "files/" }}]
  }}
  depends_on = [aws_lambda_permission.uploads]
}}
""",
}

RECEIVE = '"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"'
CONSUMER = {
    OURS: f"""
module "function" {{
  source             = "{{ours}}/lambda-consumer"
  name               = "NAME-price"
  package            = {{ path = "package.zip" }}
  handler            = "price.handler"
  runtime            = "python3.13"
  timeout_seconds    = 30
  log_retention_days = 30
  queue              = {{ arn = {QUEUE}, visibility_timeout_seconds = 180 }}
}}
""",
    TAM: f"""
module "function" {{
  source                            = "{{terraform-aws-modules}}/terraform-aws-lambda"
  function_name                     = "NAME-price"
  handler                           = "price.handler"
  runtime                           = "python3.13"
  timeout                           = 30
  create_package                    = false
  local_existing_package            = "package.zip"
  cloudwatch_logs_retention_in_days = 30
  attach_policy_statements          = true
  policy_statements = {{
    queue = {{ effect = "Allow", actions = [{RECEIVE}], resources = [{QUEUE}] }}
  }}
  event_source_mapping = {{
    rows = {{
      event_source_arn        = {QUEUE}
      function_response_types = ["ReportBatchItemFailures"]
    }}
  }}
}}
""",
    CLOUDPOSSE: f"""
module "function" {{
  source                            = "{{cloudposse}}/terraform-aws-lambda-function"
  function_name                     = "NAME-price"
  handler                           = "price.handler"
  runtime                           = "python3.13"
  timeout                           = 30
  filename                          = "package.zip"
  cloudwatch_logs_retention_in_days = 30
  inline_iam_policy = jsonencode({{ Version = "2012-10-17", Statement = [{{
    Effect = "Allow", Action = [{RECEIVE}], Resource = {QUEUE}
  }}] }})
}}

resource "aws_lambda_event_source_mapping" "queue" {{
  event_source_arn        = {QUEUE}
  function_name           = module.function.function_name
  function_response_types = ["ReportBatchItemFailures"]
}}
""",
}


@dataclass(frozen=True)
class Mistake:
    """A mistake in a configuration, as HCL of each side that can express it. `{ours}` and the names
    of the other sides stand for the folders of their modules."""

    what: str
    hcl: Mapping[str, str]


def _notification(ours: str, tam: str, cloudposse: str) -> dict[str, str]:
    return {
        OURS: f"""
module "notification" {{
  source = "{{ours}}/bucket-notification"
  bucket = "acme-uploads"
  {ours}
}}""",
        TAM: f"""
module "notification" {{
  source = "{{terraform-aws-modules}}/terraform-aws-s3-bucket/modules/notification"
  bucket = "acme-uploads"
  {tam}
}}""",
        CLOUDPOSSE: f"""
module "bucket" {{
  source      = "{{cloudposse}}/terraform-aws-s3-bucket"
  bucket_name = "acme-uploads"
  event_notification_details = {{
    enabled = true
    {cloudposse}
  }}
}}""",
    }


def _subscription(settings: str) -> dict[str, str]:
    return {
        OURS: f"""
module "topic" {{
  source        = "{{ours}}/sns-filtered-fanout"
  name          = "orders"
  subscriptions = {{ billing = {{ queue_arn = "{QUEUE_ARN}", {settings} }} }}
}}""",
        **{
            side: f"""
module "topic" {{
  source = "{{{side}}}/{folder}"
  name   = "orders"
  {argument} = {{
    billing = {{ protocol = "sqs", endpoint = "{QUEUE_ARN}", {settings} }}
  }}
}}"""
            for side, folder, argument in (
                (TAM, "terraform-aws-sns", "subscriptions"),
                (CLOUDPOSSE, "terraform-aws-sns-topic", "subscribers"),
            )
        },
    }


def _function(
    ours: str, tam: str, package: str = "package.zip", runtime: str = "python3.13"
) -> dict[str, str]:
    return {
        OURS: f"""
module "function" {{
  source  = "{{ours}}/lambda-consumer"
  name    = "price"
  package = {{ path = "{package}" }}
  handler = "price.handler"
  runtime = "{runtime}"
  {ours}
}}""",
        TAM: f"""
module "function" {{
  source                 = "{{terraform-aws-modules}}/terraform-aws-lambda"
  function_name          = "price"
  handler                = "price.handler"
  runtime                = "{runtime}"
  create_package         = false
  local_existing_package = "{package}"
  {tam}
}}""",
    }


def _consumer(ours: str, tam: str, visibility: int) -> dict[str, str]:
    """Returns HCL of a queue with this visibility timeout in seconds, and its function of 30 s."""
    function = _function(
        f"timeout_seconds = 30\n  queue = module.queue.queue\n  {ours}",
        "timeout = 30\n  event_source_mapping = "
        f"{{ orders = {{ event_source_arn = module.queue.queue_arn, {tam} }} }}",
    )
    queue = {OURS: "{ours}/sqs-with-dlq", TAM: "{terraform-aws-modules}/terraform-aws-sqs"}
    return {
        side: f"""
module "queue" {{
  source                     = "{queue[side]}"
  name                       = "orders"
  visibility_timeout_seconds = {visibility}
}}{function[side]}"""
        for side in queue
    }


THIRTEEN = ", ".join(f'"value-{number}"' for number in range(13))
MISTAKES = (
    Mistake(
        "the queue hides a message for 60 s, its function may take 30 s (AWS asks for 180 s)",
        _consumer("", "", 60),
    ),
    Mistake(
        "batches of 100 without a window to gather them in",
        _consumer("batch_size = 100", "batch_size = 100", 180),
    ),
    Mistake(
        "the dead-letter queue keeps messages for a shorter time than the queue",
        {
            OURS: 'module "queue" {\n  source = "{ours}/sqs-with-dlq"\n  name = "orders"\n'
            "  message_retention_seconds = 345600\n  dlq_retention_seconds = 3600\n}",
            TAM: 'module "queue" {\n  source = "{terraform-aws-modules}/terraform-aws-sqs"\n'
            '  name = "orders"\n  create_dlq = true\n'
            "  message_retention_seconds = 345600\n  dlq_message_retention_seconds = 3600\n}",
        },
    ),
    Mistake(
        "a service may send to the queue, on behalf of anybody's bucket",
        {
            OURS: 'module "queue" {\n  source = "{ours}/sqs-with-dlq"\n  name = "orders"\n'
            "  policy_statements = [jsonencode({\n"
            '    Sid = "S3", Effect = "Allow", Action = "sqs:SendMessage"\n'
            '    Principal = { Service = "s3.amazonaws.com" }\n  })]\n}',
            TAM: 'module "queue" {\n  source = "{terraform-aws-modules}/terraform-aws-sqs"\n'
            '  name = "orders"\n  create_queue_policy = true\n'
            "  queue_policy_statements = { s3 = {\n"
            '    actions = ["sqs:SendMessage"]\n'
            '    principals = [{ type = "Service", identifiers = ["s3.amazonaws.com"] }]\n'
            "  } }\n}",
            CLOUDPOSSE: 'module "topic" {\n  source = "{cloudposse}/terraform-aws-sns-topic"\n'
            '  name = "orders"\n'
            '  allowed_aws_services_for_sns_published = ["s3.amazonaws.com"]\n}',
        },
    ),
    Mistake(
        "S3 publishes to a topic under the key alias/aws/sns, which S3 may not use",
        {
            OURS: 'module "topic" {\n  source = "{ours}/sns-filtered-fanout"\n  name = "orders"\n'
            '  publishers = { bucket = { service = "s3", source_arn = "arn:aws:s3:::acme" } }\n'
            '  kms_key = { arn = "alias/aws/sns" }\n}',
            TAM: 'module "topic" {\n  source = "{terraform-aws-modules}/terraform-aws-sns"\n'
            '  name = "orders"\n  kms_master_key_id = "alias/aws/sns"\n'
            "  topic_policy_statements = { s3 = {\n"
            '    actions = ["sns:Publish"]\n'
            '    principals = [{ type = "Service", identifiers = ["s3.amazonaws.com"] }]\n'
            '    conditions = [{ test = "ArnEquals", variable = "aws:SourceArn", '
            'values = ["arn:aws:s3:::acme"] }]\n  } }\n}',
            CLOUDPOSSE: 'module "topic" {\n  source = "{cloudposse}/terraform-aws-sns-topic"\n'
            '  name = "orders"\n  kms_master_key_id = "alias/aws/sns"\n'
            '  allowed_aws_services_for_sns_published = ["s3.amazonaws.com"]\n}',
        },
    ),
    Mistake(
        "a filter policy of 169 combinations (SNS takes 150)",
        _subscription(
            'filter_policy_scope = "MessageBody", filter_policy = '
            f"jsonencode({{ kind = [{THIRTEEN}], shop = [{THIRTEEN}] }})"
        ),
    ),
    Mistake(
        "a filter on s3:ObjectCreated:Put, which no message ever says",
        _subscription(
            'filter_policy_scope = "MessageBody", filter_policy = '
            'jsonencode({ Records = { eventName = ["s3:ObjectCreated:Put"] } })'
        ),
    ),
    Mistake(
        "two notifications of one bucket with overlapping prefixes",
        _notification(
            f'queues = {{ all = {{ arn = "{QUEUE_ARN}", filter_prefix = "in/" }} }}\n'
            f'  topics = {{ pdf = {{ arn = "{TOPIC_ARN}", filter_prefix = "in/pdf/" }} }}',
            f'sqs_notifications = {{ all = {{ queue_arn = "{QUEUE_ARN}", '
            'events = ["s3:ObjectCreated:*"], filter_prefix = "in/" } }\n'
            f'  sns_notifications = {{ pdf = {{ topic_arn = "{TOPIC_ARN}", '
            'events = ["s3:ObjectCreated:*"], filter_prefix = "in/pdf/" } }',
            f'queue_list = [{{ queue_arn = "{QUEUE_ARN}", filter_prefix = "in/" }}]\n'
            f'    topic_list = [{{ topic_arn = "{TOPIC_ARN}", filter_prefix = "in/pdf/" }}]',
        ),
    ),
    Mistake(
        "a notification to a FIFO queue, which S3 does not know",
        _notification(
            f'queues = {{ all = {{ arn = "{QUEUE_ARN}.fifo" }} }}',
            f'sqs_notifications = {{ all = {{ queue_arn = "{QUEUE_ARN}.fifo", '
            'events = ["s3:ObjectCreated:*"] } }',
            f'queue_list = [{{ queue_arn = "{QUEUE_ARN}.fifo" }}]',
        ),
    ),
    Mistake(
        "a notification to a queue in another region",
        _notification(
            f'queues = {{ all = {{ arn = "{QUEUE_ARN.replace(REGION, "us-east-1")}" }} }}',
            "sqs_notifications = { all = "
            f'{{ queue_arn = "{QUEUE_ARN.replace(REGION, "us-east-1")}", '
            'events = ["s3:ObjectCreated:*"] } }',
            f'queue_list = [{{ queue_arn = "{QUEUE_ARN.replace(REGION, "us-east-1")}" }}]',
        ),
    ),
    Mistake(
        "an event that S3 does not have: s3:ObjectCreated:Upload",
        _notification(
            f'queues = {{ all = {{ arn = "{QUEUE_ARN}", events = ["s3:ObjectCreated:Upload"] }} }}',
            f'sqs_notifications = {{ all = {{ queue_arn = "{QUEUE_ARN}", '
            'events = ["s3:ObjectCreated:Upload"] } }',
            f'queue_list = [{{ queue_arn = "{QUEUE_ARN}", events = ["s3:ObjectCreated:Upload"] }}]',
        ),
    ),
    Mistake(
        "a package that was never built",
        {
            **_function("", "", package="missing.zip"),
            CLOUDPOSSE: 'module "function" {\n'
            '  source = "{cloudposse}/terraform-aws-lambda-function"\n'
            '  function_name = "price"\n  handler = "price.handler"\n'
            '  runtime = "python3.13"\n  filename = "missing.zip"\n}',
        },
    ),
    Mistake(
        "a runtime misspelt: python313",
        {
            **_function("", "", runtime="python313"),
            CLOUDPOSSE: 'module "function" {\n'
            '  source = "{cloudposse}/terraform-aws-lambda-function"\n'
            '  function_name = "price"\n  handler = "price.handler"\n'
            '  runtime = "python313"\n  filename = "package.zip"\n}',
        },
    ),
    Mistake(
        "a FIFO queue whose name lacks .fifo",
        {
            OURS: 'module "queue" {\n  source = "{ours}/sqs-with-dlq"\n  name = "orders"\n'
            "  fifo = {}\n}",
            TAM: 'module "queue" {\n  source = "{terraform-aws-modules}/terraform-aws-sqs"\n'
            '  name = "orders"\n  fifo_queue = true\n}',
        },
    ),
    Mistake(
        "an optional setting misspelt in a map: filter_prefixx",
        _notification(
            f'queues = {{ all = {{ arn = "{QUEUE_ARN}", filter_prefixx = "in/" }} }}',
            f'sqs_notifications = {{ all = {{ queue_arn = "{QUEUE_ARN}", '
            'events = ["s3:ObjectCreated:*"], filter_prefixx = "in/" } }',
            f'queue_list = [{{ queue_arn = "{QUEUE_ARN}", filter_prefixx = "in/" }}]',
        ),
    ),
)


# --- Their modules, as far as the AWS provider alone can plan them


def _without_block(text: str, header: str) -> str:
    """Returns `text` without the top-level blocks whose first line matches `header`."""
    return re.sub(rf"(?ms)^{header}[^\n]*\{{\n.*?^\}}\n", "", text)


def trimmed(checkouts: Path, to: Path) -> None:
    """Copies every module of the two other sides to `to`, without what needs another provider."""
    for side in (TAM, CLOUDPOSSE):
        shutil.copytree(
            checkouts / side,
            to / side,
            ignore=shutil.ignore_patterns(".git", "examples", "test", "tests", "wrappers"),
        )
    packaging = to / TAM / "terraform-aws-lambda" / "package.tf"
    packaging.unlink()
    for path in to.rglob("*.tf"):
        text = path.read_text()
        text = re.sub(
            r'"cloudposse/([\w-]+)/(\w+)"\n\s+version += [^\n]+',
            lambda found: f'"{to}/{CLOUDPOSSE}/terraform-{found[2]}-{found[1]}"',
            text,
        )
        for provider in ("external", "local", "null", "time"):
            text = re.sub(rf"(?m)^    {provider} = \{{\n(?:      .*\n)+    \}}\n", "", text)
        text = _without_block(text, r'resource "null_resource" ')
        text = _without_block(text, r'module "s3_user" ')
        text = re.sub(r"data\.external\.archive_prepare\[0\]\.result\.\w+", "null", text)
        text = re.sub(r"(?m)^ +null_resource\.archive,\n", "", text)
        text = text.replace("[null_resource.archive, ", "[").replace(
            "[null_resource.archive]", "[]"
        )
        text = text.replace(", null_resource.archive]", "]")
        text = re.sub(r"module\.s3_user\.\w+", "null", text)
        text = re.sub(r'(?m)(^resource )"time_sleep"( "\w+" \{\n(?:.*\n)*?\})', _pause, text)
        text = text.replace("time_sleep.", "terraform_data.")
        path.write_text(text)


def _pause(found: "re.Match[str]") -> str:
    lines = [line for line in found[2].splitlines() if "_duration" not in line]
    return f'{found[1]}"terraform_data"' + "\n".join(lines)


# --- Terraform


class _Answers(BaseHTTPRequestHandler):
    """A handler that answers GetCallerIdentity and ListBuckets, the only calls before a plan."""

    def do_POST(self) -> None:
        self._answer(
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:root</Arn><UserId>x</UserId>"
            f"<Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        )

    def do_GET(self) -> None:
        self._answer(
            "<ListAllMyBucketsResult><Owner><ID>abc</ID></Owner><Buckets/></ListAllMyBucketsResult>"
        )

    def _answer(self, body: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing."""


@contextmanager
def identity() -> Iterator[dict[str, str]]:
    """Yields environment variables with which Terraform can plan without reaching AWS."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Root:
    """An initialised Terraform root with a configuration of one side."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *command: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        unwelcome = ("AWS_", "TF_VAR_", "TF_DATA_DIR", "TF_CLI_")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(unwelcome)}
        finished = subprocess.run(
            command,
            cwd=self.folder,
            env={**inherited, **self.environment, "CHECKPOINT_DISABLE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and finished.returncode:
            raise SystemExit(f"{' '.join(command)} in {self.folder}:\n{finished.stderr}")
        return finished

    def terraform(self, *arguments: str) -> str:
        return self.run("terraform", *arguments).stdout


@dataclass(frozen=True)
class Bench:
    """A factory of roots in `folder`; `modules` are the folders of each side's modules."""

    folder: Path
    modules: Mapping[str, str]
    environment: Mapping[str, str]

    def root(self, name: str, hcl: str) -> Root:
        for side, path in self.modules.items():
            hcl = hcl.replace(f"{{{side}}}", path)
        folder = self.folder / name
        folder.mkdir(parents=True)
        (folder / "main.tf").write_text(hcl)
        with zipfile.ZipFile(folder / "package.zip", "w") as package:
            package.writestr("price.py", "def handler(event, context):\n    return {}\n")
        shutil.copy(REPOSITORY / "versions.tf", folder)
        shutil.copy(REPOSITORY / ".terraform.lock.hcl", folder)
        root = Root(folder, self.environment)
        root.run(str(REPOSITORY / "tools" / "terraform_init.sh"), str(folder))
        return root


def pairs(side: str, number: int, call: Mapping[str, str] = PAIR) -> str:
    """Returns HCL of `number` pairs of queues of a side."""
    return "".join(
        f'\nmodule "pair-{each}" {{{call[side]}}}\n'.replace("NAME", f"{side}-{each}").replace(
            "TAGS", "{}"
        )
        for each in range(number)
    )


def longest_chain(graph: str) -> int:
    """Returns the most SQS resources in one dependency chain of the output of `terraform graph`."""
    waits: dict[str, set[str]] = {}
    for before, after in re.findall(r'"([^"]+)" -> "([^"]+)"', graph):
        waits.setdefault(before, set()).add(after)

    def depth(node: str) -> int:
        mine = int(".aws_sqs_queue" in f".{node}" and ".data." not in f".{node}")
        return mine + max(map(depth, waits.get(node, ())), default=0)

    return max(map(depth, waits), default=0)


def unknown(value: object) -> int:
    """Counts the values of a plan's `after_unknown` that are known only after the apply."""
    if isinstance(value, dict):
        return sum(map(unknown, value.values()))
    if isinstance(value, list):
        return sum(map(unknown, value))
    return int(value is True)


def described(root: Root) -> dict[str, Any]:
    """Plans a root and returns counts of what the plan shows."""
    root.terraform("plan", "-input=false", "-lock=false", "-out=plan")
    plan = json.loads(root.terraform("show", "-json", "plan"))
    shown = root.terraform("show", "-no-color", "plan")
    changes = [each for each in plan["resource_changes"] if each["change"]["actions"] != ["no-op"]]
    kinds = {each["type"] for each in changes}
    # Where policies are resources of their own, existing queues repeat them.
    holder = "aws_sqs_queue_policy" if "aws_sqs_queue_policy" in kinds else "aws_sqs_queue"
    policies = [
        each["change"]["after"].get("policy") is not None
        for each in changes
        if each["type"] == holder
    ]
    return {
        "resources": sum(each["mode"] == "managed" for each in changes),
        "one_after_the_other": longest_chain(root.terraform("graph")),
        "known_after_apply": sum(unknown(each["change"]["after_unknown"]) for each in changes),
        "lines_of_plan": len(shown.splitlines()),
        "policies_shown": f"{sum(policies)} of {len(policies)}",
    }


def complaint(said: str) -> str:
    """Returns the first error of `terraform plan -no-color` on one line, without its location."""
    first, *others = said[said.index("Error: ") :].split("\n\n")
    sentence = next((each for each in others if each.strip() and each[0] != " "), first)
    return " ".join(sentence.removeprefix("Error: ").split())


def refusals(bench: Bench, only: str) -> list[dict[str, str]]:
    """Returns each side's error at plan for each mistake whose description has `only` in it."""
    found = []
    for number, mistake in enumerate(MISTAKES):
        if only not in mistake.what:
            continue
        answers = {"mistake": mistake.what}
        for side, hcl in mistake.hcl.items():
            root = bench.root(f"mistake-{number}-{side}", hcl)
            finished = root.run(
                "terraform", "plan", "-input=false", "-lock=false", "-no-color", check=False
            )
            answers[side] = complaint(finished.stderr) if finished.returncode else "plans"
            print(f"{mistake.what}: {side}: {answers[side]}", file=sys.stderr)
        found.append(answers)
    return found


# --- Against the local engine


def timed(root: Root, *command: str) -> float:
    started = time.monotonic()
    root.terraform(*command, "-input=false", "-auto-approve")
    return time.monotonic() - started


WIRINGS = {
    "fan_out_with_three_routes": FAN_OUT,
    "topic_with_three_subscriptions": TOPIC,
    "bucket_with_notification": NOTIFICATION,
    "function_fed_by_a_queue": CONSUMER,
}
# Limits of our time as a multiple of that of terraform-aws-modules.
TARGETS = {("pairs", "apply"): 0.5, ("pairs", "destroy"): 0.25}
SERIAL_WAITS = 2


def times(folder: Path, modules: Mapping[str, str], number: int, rounds: int) -> dict[str, Any]:
    """Returns seconds to apply and to destroy `number` pairs of queues and each of WIRINGS, with
    all sides at the same time, and the counts of `described`; for pairs also the counts with one
    more tag."""
    sys.path.insert(0, str(REPOSITORY / "cli"))
    from event_pipelines.local import engine as local_engine
    from event_pipelines.local.home import Home

    home = Home(folder / "home")
    engine = local_engine.start(home.path, lambda_python=Home().lambda_python, tied_to_parent=True)
    try:
        bench = Bench(folder / "roots", modules, engine.process_environment(REGION))
        existing = bench.root("existing", EXISTING)
        (existing.folder / "terraform.tfvars").write_text(f"sides = {json.dumps(SIDES)}")
        existing.terraform("apply", "-input=false", "-auto-approve")
        wirings = {"pairs": {side: pairs(side, number) for side in PAIR}} | WIRINGS
        return {what: _times_of(bench, what, sides, rounds) for what, sides in wirings.items()}
    finally:
        local_engine.stop(home.path)


def _times_of(bench: Bench, what: str, hcl: Mapping[str, str], rounds: int) -> dict[str, Any]:
    roots = {
        side: bench.root(f"{what}-{side}", text.replace("NAME", side)) for side, text in hcl.items()
    }
    planned = {side: described(root) for side, root in roots.items()}
    seconds: dict[str, dict[str, list[float]]] = {
        side: {"apply": [], "destroy": []} for side in roots
    }
    tagged: dict[str, Any] = {}
    for _ in range(rounds):
        for command in ("apply", "destroy"):
            for side, took in zip(roots, _together(list(roots.values()), command), strict=True):
                seconds[side][command].append(took)
                print(f"{what}: {command}: {side}: {took:.1f} s", file=sys.stderr)
            if what == "pairs" and command == "apply" and not tagged:
                tagged = {side: _with_one_tag(root) for side, root in roots.items()}
    medians = {
        side: {key: round(statistics.median(each), 2) for key, each in measured.items()}
        for side, measured in seconds.items()
    }
    return {
        "plan": planned,
        "seconds": medians,
        "times_ours": {
            side: {key: round(each / medians[OURS][key], 2) for key, each in measured.items()}
            for side, measured in medians.items()
        },
        **({"one_tag_more": tagged} if tagged else {}),
    }


def verdicts(found: Mapping[str, Any]) -> list[Verdict]:
    """Returns verdicts on times and on queues in a row, for benchmarks/README.md."""
    made = []
    for what, measured in found.items():
        for command in ("apply", "destroy"):
            ratio = 1 / measured["times_ours"][TAM][command]
            limit = TARGETS.get((what, command))
            made.append(
                Verdict(
                    f"terraform {command}, {_words(what)}",
                    "terraform-aws-modules",
                    f"<= {limit}x" if limit else "reported",
                    f"{ratio:.2f}x",
                    ratio <= limit if limit else None,
                    "" if not limit or ratio <= limit else _why(measured["plan"]),
                )
            )
        waits = measured["plan"][OURS]["one_after_the_other"]
        if waits:
            theirs = measured["plan"][TAM]["one_after_the_other"]
            made.append(
                Verdict(
                    f"queues one after the other, {_words(what)}, from the graph",
                    f"terraform-aws-modules: {theirs}",
                    f"<= {SERIAL_WAITS}",
                    str(waits),
                    waits <= SERIAL_WAITS,
                    "" if waits <= SERIAL_WAITS else _why(measured["plan"]),
                )
            )
    return made


def _words(wiring: str) -> str:
    return "queue + DLQ pairs" if wiring == "pairs" else wiring.replace("_", " ")


def _why(plans: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{side}: {plan['resources']} resources, {plan['one_after_the_other']} queues in a row"
        for side, plan in plans.items()
    )


def _with_one_tag(root: Root) -> dict[str, Any]:
    main = root.folder / "main.tf"
    before = main.read_text()
    main.write_text(before.replace("= {}", '= { team = "orders" }'))
    found = described(root)
    main.write_text(before)
    return found


def _together(roots: Sequence[Root], command: str) -> list[float]:
    with ThreadPoolExecutor(len(roots)) as pool:
        return list(pool.map(lambda root: timed(root, command), roots))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", type=Path, help="folder with the repositories to compare with")
    parser.add_argument("--only", default="", help="only mistakes whose description has this in it")
    parser.add_argument("--apply", action="store_true", help="measure on the local engine as well")
    parser.add_argument("--keep", action="store_true", help="keep the times in benchmarks/results")
    parser.add_argument("--pairs", type=int, default=10, help="pairs of queues to apply")
    parser.add_argument("--rounds", type=int, default=3, help="how often to apply them")
    asked = parser.parse_args(arguments)

    with tempfile.TemporaryDirectory() as scratch, identity() as environment:
        folder = Path(scratch)
        trimmed(asked.checkouts.resolve(), folder / "modules")
        modules = {
            OURS: str(REPOSITORY / "modules"),
            **{side: str(folder / "modules" / side) for side in (TAM, CLOUDPOSSE)},
        }
        bench = Bench(folder / "roots", modules, environment)
        figures: dict[str, Any] = {
            what: {
                side: described(bench.root(f"{what}-{side}", pairs(side, 1, call))) for side in call
            }
            for what, call in (("pair", PAIR), ("shortest", SHORTEST))
        }
        figures |= {
            "mistakes": refusals(bench, asked.only),
        }
        if asked.apply:
            figures["times"] = times(folder / "engine", modules, asked.pairs, asked.rounds)
            if asked.keep:
                store(
                    "module_comparison", figures["times"], verdicts(figures["times"]), quick=False
                )
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
