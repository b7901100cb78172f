"""Runs a function in a process of its own, as Lambda does, so that its peak memory is its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SUPPORT = Path(__file__).parent
FUNCTIONS = SUPPORT.parents[1] / "functions"


@dataclass(frozen=True)
class Upload:
    """The object of an S3 event; ``size`` in bytes."""

    event_name: str
    bucket: str
    key: str
    size: int
    etag: str


class Peaks(NamedTuple):
    """Peak bytes of the whole process: after loading with the SDK and its clients, and at the end.

    `loaded` depends on the interpreter, the C library and whether bytecode was cached; what the
    work adds to it does not.
    """

    loaded: int
    whole: int

    @property
    def of_the_work(self) -> int:
        return self.whole - self.loaded


def invoke_for(upload: Upload, function: str, environment: Mapping[str, str]) -> tuple[Peaks, str]:
    """Invokes ``function`` for an upload; returns its peaks and all of its output.

    ``environment`` is its whole environment, except for PATH.
    """
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-03-01T09:30:00.123Z",
        "eventName": upload.event_name,
        "s3": {
            "bucket": {"name": upload.bucket},
            "object": {"key": upload.key, "size": upload.size, "eTag": upload.etag.strip('"')},
        },
    }
    message = {
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "body": json.dumps({"Records": [record]}),
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    finished = subprocess.run(
        [sys.executable, SUPPORT / "invoke_handler.py", FUNCTIONS, function],
        input=json.dumps({"Records": [message]}),
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(finished.stdout.splitlines()[-1])
    assert answer["response"] == {"batchItemFailures": []}, finished.stdout
    return Peaks(int(answer["loaded_bytes"]), int(answer["peak_bytes"])), finished.stdout
