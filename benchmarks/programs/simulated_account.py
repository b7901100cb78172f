"""Runs a command against a simulated AWS account; prints its processor time, peak and calls.

Usage: simulated_account.py FOLDER COMMAND...: FOLDER has the files that a benchmark wrote.

The SDK is real except for its connection to AWS: each call is answered here, and counted.
"""

import contextlib
import io
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from event_pipelines.__main__ import main

PREFIX, ACCOUNT, REGION = "event-pipelines", "123456789012", "eu-west-1"
TAGS = {"event-pipelines": PREFIX}
DERIVATIVES = ("mobile", "thumbnail")
BUCKET = f"{PREFIX}-image-{ACCOUNT}-{REGION}"
LINES_A_PAGE = 10_000


def no(code: str, status: int = 400) -> ClientError:
    metadata: Any = {"HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "")


class Account:
    """A simulated account with a method for each operation; `facts` are read from the folder."""

    def __init__(self, folder: Path) -> None:
        self.facts: dict[str, Any] = json.loads((folder / "facts.json").read_text())
        self._folder = folder
        self.calls: Counter[str] = Counter()
        names = [f"image-{name}" for name in DERIVATIVES]
        names += [f"tenant-{number:05}-raw" for number in range(self.facts.get("tenants", 0))]
        self.queues = [f"{PREFIX}-{name}{end}" for name in names for end in ("", "-dlq")]

    def call(self, client: Any, operation: str, request: Mapping[str, Any]) -> Any:
        del client
        self.calls[operation] += 1
        answer: Callable[[Mapping[str, Any]], Any] = getattr(self, xform_name(operation))
        return answer(request)

    def get_caller_identity(self, _: Any) -> Any:
        return {"Account": ACCOUNT}

    def list_queues(self, request: Any) -> Any:
        start = int(request.get("NextToken", "0"))
        prefix, size = request["QueueNamePrefix"], request.get("MaxResults", 1000)
        found = [name for name in self.queues if name.startswith(prefix)]
        more = {"NextToken": str(start + size)} if start + size < len(found) else {}
        return {"QueueUrls": [url(name) for name in found[start : start + size]], **more}

    def list_queue_tags(self, _: Any) -> Any:
        return {"Tags": TAGS}

    def get_queue_url(self, request: Any) -> Any:
        if request["QueueName"] not in self.queues:
            raise no("QueueDoesNotExist")
        return {"QueueUrl": url(request["QueueName"])}

    def get_queue_attributes(self, request: Any) -> Any:
        name = request["QueueUrl"].rpartition("/")[2]
        counts = dict.fromkeys(
            [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")], "0"
        )
        redrive = {"deadLetterTargetArn": arn(f"{name}-dlq"), "maxReceiveCount": 3}
        more = {} if name.endswith("-dlq") else {"RedrivePolicy": json.dumps(redrive)}
        return {"Attributes": {"QueueArn": arn(name), **counts, **more}}

    def get_function_configuration(self, request: Any) -> Any:
        name = request["FunctionName"].removeprefix(f"{PREFIX}-image-")
        variables = {
            "PIPELINE": "image-derivatives",
            "DERIVATIVE": name,
            "SOURCE_PREFIX": "ingest/",
            "OUTPUT_PREFIX": f"derived/{name}/",
            "REJECTIONS_PREFIX": f"rejections/{name}/",
        }
        return {"Environment": {"Variables": variables}}

    def get_bucket_notification_configuration(self, _: Any) -> Any:
        topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{PREFIX}-image-uploads"
        return {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}

    def get_object(self, request: Any) -> Any:
        path = self._folder / request["Key"]
        return {"Body": StreamingBody(path.open("rb"), path.stat().st_size)}

    def head_object(self, request: Any) -> Any:
        key = request["Key"]
        if key.startswith("derived/"):
            raise no("404", 404)
        return {
            "ETag": f'"{etag(key)}"',
            "VersionId": "1",
            "ContentLength": 1000,
            "LastModified": MOMENT,
        }

    def list_objects_v2(self, _: Any) -> Any:
        return {"Contents": []}

    def list_event_source_mappings(self, request: Any) -> Any:
        queue = arn(request["FunctionName"])
        return {"EventSourceMappings": [{"EventSourceArn": queue, "State": "Enabled"}]}

    def describe_alarms(self, _: Any) -> Any:
        return {"MetricAlarms": [], "CompositeAlarms": []}

    def list_tags_for_resource(self, _: Any) -> Any:
        return {"Tags": []}

    def list_object_versions(self, _: Any) -> Any:
        return {"Versions": [], "DeleteMarkers": []}

    def get_metric_data(self, request: Any) -> Any:
        results = [{"Id": one["Id"], "Values": [0.0]} for one in request["MetricDataQueries"]]
        return {"MetricDataResults": results}

    def filter_log_events(self, request: Any) -> Any:
        """Returns log lines, one each millisecond, ten thousand a page."""
        start, lines = int(request.get("nextToken", "0")), self.facts.get("log_lines", 0)
        end = min(start + LINES_A_PAGE, lines)
        first = int(time.time() * 1000) - lines
        events = [
            {
                "logStreamName": "one",
                "timestamp": first + number,
                "message": json.dumps({"outcome": "derived", "key": f"ingest/{number:09}.jpg"}),
            }
            for number in range(start, end)
        ]
        return {"events": events, **({"nextToken": str(end)} if end < lines else {})}


MOMENT = datetime(2026, 11, 21, 8, tzinfo=UTC)


def etag(key: str) -> str:
    return f"{len(key):032x}"


def url(name: str) -> str:
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"


def arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def run(folder: Path, command: list[str]) -> dict[str, Any]:
    account = Account(folder)
    # A function, so that it becomes a method of each client.
    BaseClient._make_api_call = lambda *how: account.call(*how)  # type: ignore[attr-defined]
    with (
        (folder / "printed").open("w") as printed,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(io.StringIO()) as said,
    ):
        code = main(command)
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak_bytes = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if (status := Path("/proc/self/status")).exists():
        # On Linux ru_maxrss starts at the peak of the parent process.
        peak_bytes = int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return {
        "code": code,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_bytes": peak_bytes,
        "calls": dict(account.calls),
        "said": said.getvalue(),
    }


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), sys.argv[2:])))
