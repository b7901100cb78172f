"""Makes the silver object of one file, and reports the peak memory of the whole process.

Usage: process.py FUNCTIONS_DIRECTORY FILE. S3 is a file on disk. Prints one JSON line.
"""

import io
import json
import resource
import sys
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody


def peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: on Linux that starts at the peak of the process that started this one.
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class S3:
    """Has one file, and reads what is put as botocore does: piece by piece."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.put: dict[str, int] = {}

    def head_object(self, **_: Any) -> Any:
        metadata: Any = {"HTTPStatusCode": 404}
        raise ClientError({"Error": {"Code": "404"}, "ResponseMetadata": metadata}, "HeadObject")

    def get_object(self, **request: Any) -> Any:
        first, last = map(int, request["Range"].removeprefix("bytes=").split("-"))
        size = self.path.stat().st_size
        last = min(last, size - 1)
        file = self.path.open("rb")
        file.seek(first)
        length = last - first + 1
        span = f"bytes {first}-{last}/{size}"
        return {"Body": StreamingBody(file, length), "ContentRange": span}

    def put_object(self, **request: Any) -> None:
        size = 0
        body = request["Body"]
        file = io.BytesIO(body) if isinstance(body, bytes) else body
        while piece := file.read(1 << 20):
            size += len(piece)
        self.put[request["Key"]] = size


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    from process_tenant_file.silver import SilverMaker
    from shared.batch import Message
    from shared.contracts.tenant_messages import TenantMessage

    path = Path(sys.argv[2])
    s3 = S3(path)
    file = TenantMessage(
        tenant="acme",
        group="retail",
        bucket="example-retail",
        key=f"acme/raw/{path.name}",
        version_id="v1",
        etag=None,
        size=None,
        sequencer=None,
        event_name="ObjectCreated:Put",
        event_time="2026-03-01T09:30:00.123Z",
        source_message_id="message-1",
    )
    outcome = SilverMaker(s3, 50_000_000).make(file, Message("message-1", "", 1))  # type: ignore[arg-type]
    print(
        json.dumps(
            {
                "outcome": outcome.name,
                "fields": dict(outcome.fields),
                "put": s3.put,
                "peak_bytes": peak_bytes(),
            }
        )
    )
