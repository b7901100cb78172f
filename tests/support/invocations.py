"""Invokes a function as Lambda does: with a batch of messages, returning its results."""

import io
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Context:
    remaining_ms: int = 60_000
    function_name: str = "event-pipelines-function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    aws_request_id: str = "a3de505e-f16b-42f4-b3e6-bcd2e4a73903"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@dataclass(frozen=True)
class Run:
    """The results of one invocation. ``metrics`` are sums; each EMF blob has ``dimensions``."""

    retried: list[str]
    lines: list[dict[str, Any]]
    metrics: Counter[str]
    dimensions: list[Any]

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(line["outcome"] for line in self.lines)


def message(message_id: str, body: str, **attributes: str) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", **attributes},
    }


def invoke(
    module: Any, output: io.StringIO, records: Sequence[dict[str, Any]], remaining_ms: int = 60_000
) -> Run:
    """Calls the handler of ``module``, whose logger prints to ``output``."""
    output.seek(0)
    output.truncate()
    with redirect_stdout(output):
        response = module.handler({"Records": list(records)}, Context(remaining_ms))
    printed = [json.loads(line) for line in output.getvalue().splitlines()]
    blobs = [line for line in printed if "_aws" in line]
    metrics: Counter[str] = Counter()
    for blob in blobs:
        metrics.update({name: sum(v) for name, v in blob.items() if isinstance(v, list)})
    return Run(
        retried=[item["itemIdentifier"] for item in response["batchItemFailures"]],
        lines=[line for line in printed if "outcome" in line],
        metrics=metrics,
        dimensions=[blob["_aws"]["CloudWatchMetrics"][0]["Dimensions"] for blob in blobs],
    )
