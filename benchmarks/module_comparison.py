"""The four modules beside those of terraform-aws-modules and cloudposse: what each plans, refuses.

Usage: python benchmarks/module_comparison.py CHECKOUTS [--only WORD] [--apply [--pairs 10] ...]

CHECKOUTS is a folder that holds their repositories as `terraform-aws-modules/terraform-aws-sqs`,
`cloudposse/terraform-aws-sns-topic` and so on, each at the release to compare (docs/comparison.md
names them; releases for provider 6 do not plan with the provider 5 of this repository's lock).
Nothing in CHECKOUTS is changed. Parts that need another provider than AWS are left out of the
copies that are planned: making packages, which this comparison does not ask for, a user for a
bucket, and a pause between two settings of a bucket.

A plan meets no cloud: a listener on loopback answers the two questions that the provider and the
modules ask before a plan, who they are. With --apply the local engine is started as well, and pairs
of queues are applied and destroyed by both sides at the same time, round after round.

Prints JSON: `pair` (to the same effect) and `shortest` (as each module makes it by itself) count
what is in a plan, the same on every machine; `mistakes` has what Terraform says to each, or that it
plans. Times are of one machine: compare them only with each other.
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
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
ACCOUNT, REGION = "123456789012", "eu-west-1"
OURS, TAM, CLOUDPOSSE = "ours", "terraform-aws-modules", "cloudposse"
SIDES = (OURS, TAM, CLOUDPOSSE)

QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:orders"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:price"

# --- The same pair of queues, to the same effect: S3 may send, nobody without TLS, redrive allowed

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

# The shortest call of each that makes a queue and a dead-letter queue.
SHORTEST = {
    OURS: '\n  source = "{ours}/sqs-with-dlq"\n  name = "NAME"\n',
    TAM: '\n  source = "{terraform-aws-modules}/terraform-aws-sqs"\n  name = "NAME"\n'
    "  create_dlq = true\n",
}


@dataclass(frozen=True)
class Mistake:
    """What is wrong, and how it is written for each side; a side that has no place for it is left
    out. `{ours}` and the names of the other sides stand for the folder of their modules."""

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
    """A queue with this visibility timeout, and a function of 30 seconds that is fed by it."""
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
    """`text` without the top-level blocks whose first line matches `header`."""
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
    """STS: who am I. S3: whose buckets are these. Nothing else is asked before a plan."""

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
        """Quiet."""


@contextmanager
def identity() -> Iterator[dict[str, str]]:
    """The environment of a Terraform that can plan, and reaches no cloud."""
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
    """A folder with a configuration of one side, initialised."""

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
    """Where the roots are made. `modules` says in which folder each side's modules are."""

    folder: Path
    modules: Mapping[str, str]
    environment: Mapping[str, str]

    def root(self, name: str, hcl: str) -> Root:
        for side, path in self.modules.items():
            hcl = hcl.replace(f"{{{side}}}", path)
        folder = self.folder / name
        folder.mkdir(parents=True)
        (folder / "main.tf").write_text(hcl)
        (folder / "package.zip").write_bytes(b"")
        shutil.copy(REPOSITORY / "versions.tf", folder)
        shutil.copy(REPOSITORY / ".terraform.lock.hcl", folder)
        root = Root(folder, self.environment)
        root.run(str(REPOSITORY / "tools" / "terraform_init.sh"), str(folder))
        return root


def pairs(side: str, number: int, call: Mapping[str, str] = PAIR) -> str:
    """`number` pairs of queues of a side, as HCL."""
    return "".join(
        f'\nmodule "pair-{each}" {{{call[side]}}}\n'.replace("NAME", f"{side}-{each}").replace(
            "TAGS", "{}"
        )
        for each in range(number)
    )


def longest_chain(graph: str) -> int:
    """How many resources of SQS wait for each other at most, in the output of `terraform graph`."""
    waits: dict[str, set[str]] = {}
    for before, after in re.findall(r'"([^"]+)" -> "([^"]+)"', graph):
        waits.setdefault(before, set()).add(after)

    def depth(node: str) -> int:
        mine = int(".aws_sqs_queue" in f".{node}" and ".data." not in f".{node}")
        return mine + max(map(depth, waits.get(node, ())), default=0)

    return max(map(depth, waits), default=0)


def unknown(value: object) -> int:
    """How many values of a plan's `after_unknown` only an apply can tell."""
    if isinstance(value, dict):
        return sum(map(unknown, value.values()))
    if isinstance(value, list):
        return sum(map(unknown, value))
    return int(value is True)


def described(root: Root) -> dict[str, Any]:
    """Counts of what a plan of this root shows."""
    root.terraform("plan", "-input=false", "-lock=false", "-out=plan")
    plan = json.loads(root.terraform("show", "-json", "plan"))
    shown = root.terraform("show", "-no-color", "plan")
    changes = [each for each in plan["resource_changes"] if each["change"]["actions"] != ["no-op"]]
    kinds = {each["type"] for each in changes}
    # With policies of their own the queues repeat them, once they are there.
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
    """The first error of `terraform plan -no-color`, on one line, without where it happened."""
    first, *others = said[said.index("Error: ") :].split("\n\n")
    sentence = next((each for each in others if each.strip() and each[0] != " "), first)
    return " ".join(sentence.removeprefix("Error: ").split())


def refusals(bench: Bench, only: str) -> list[dict[str, str]]:
    """What each side says to each mistake at plan."""
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


def times(folder: Path, modules: Mapping[str, str], number: int, rounds: int) -> dict[str, Any]:
    """Seconds to apply and to destroy `number` pairs, both sides at the same time; and what a plan
    shows when afterwards one tag is added."""
    sys.path.insert(0, str(REPOSITORY / "cli"))
    from event_pipelines.local import engine as local_engine
    from event_pipelines.local.home import Home

    home = Home(folder / "home")
    engine = local_engine.start(home.path, lambda_python=Home().lambda_python, tied_to_parent=True)
    try:
        bench = Bench(folder / "roots", modules, engine.process_environment(REGION))
        sides = {side: bench.root(f"pairs-{side}", pairs(side, number)) for side in PAIR}
        seconds: dict[str, dict[str, list[float]]] = {
            side: {"apply": [], "destroy": []} for side in sides
        }
        tagged: dict[str, Any] = {}
        for _ in range(rounds):
            for command in ("apply", "destroy"):
                for side, took in zip(sides, _together(list(sides.values()), command), strict=True):
                    seconds[side][command].append(took)
                    print(f"{command}: {side}: {took:.1f} s", file=sys.stderr)
                if command == "apply" and not tagged:
                    for side, root in sides.items():
                        main = root.folder / "main.tf"
                        before = main.read_text()
                        main.write_text(before.replace("= {}", '= { team = "orders" }'))
                        tagged[side] = described(root)
                        main.write_text(before)
    finally:
        local_engine.stop(home.path)
    ours = seconds[OURS]
    return {
        "seconds": {
            side: {key: round(statistics.median(each), 1) for key, each in measured.items()}
            for side, measured in seconds.items()
        },
        "times_ours": {
            side: {
                key: round(statistics.median(each) / statistics.median(ours[key]), 2)
                for key, each in measured.items()
            }
            for side, measured in seconds.items()
        },
        "one_tag_more": tagged,
    }


def _together(roots: Sequence[Root], command: str) -> list[float]:
    with ThreadPoolExecutor(len(roots)) as pool:
        return list(pool.map(lambda root: timed(root, command), roots))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", type=Path, help="folder with the repositories to compare with")
    parser.add_argument("--only", default="", help="only mistakes whose description has this in it")
    parser.add_argument("--apply", action="store_true", help="measure on the local engine as well")
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
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
