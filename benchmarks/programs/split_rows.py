"""Makes messages of a file's rows in one of WAYS; prints processor time and calls as JSON.

Usage: split_rows.py WAY FILE

S3 and SQS are simulated within the process at no cost: measured are reading, splitting, encoding
and handing over, without what a network and an SDK add to every call. `calls` is the number of
calls.
"""

import csv
import io
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "functions"))


ROWS_PER_MESSAGE = 400


class Bucket:
    """An S3 client with the one call that is needed, for one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size

    def get_object(self, **request: str) -> dict[str, Any]:
        first, last = map(int, request["Range"].removeprefix("bytes=").split("-"))
        with self._path.open("rb") as file:
            file.seek(first)
            content = file.read(last - first + 1)
        return {
            "Body": io.BytesIO(content),
            "ContentRange": f"bytes {first}-{first + len(content) - 1}/{self._size}",
        }


class Queue:
    """An SQS client with the one call that is needed."""

    def __init__(self) -> None:
        self.calls = self.messages = self.bytes = 0

    def send_message_batch(self, **request: Any) -> dict[str, Any]:
        entries = request["Entries"]
        self.calls += 1
        self.messages += len(entries)
        self.bytes += sum(len(entry["MessageBody"]) for entry in entries)
        return {"Successful": entries, "Failed": []}


Way = Callable[[Path, Queue], None]


def shipped() -> Way:
    """Splits as split_csv does between its checkpoints."""
    from shared.csv_files.progress import Progress
    from shared.csv_files.records import RowReader
    from shared.csv_files.row_messages import Envelope
    from shared.csv_files.segments import cut_segments
    from shared.object_content import StoredObject, open_csv
    from split_csv.row_queue import MESSAGES_PER_CALL, RowQueue

    def split(path: Path, queue: Queue) -> None:
        bucket: Any = Bucket(path)
        client: Any = queue
        stored = StoredObject(bucket, "example-imports", f"import/{path.name}", None, None)
        opening = open_csv(stored)
        start = Progress(next_offset=opening.offset, next_line=opening.line)
        reader = RowReader(stored.chunks(opening.offset), opening.offset, opening.line)
        envelope = Envelope("0123456789abcdef", stored.bucket, stored.key, "v1", opening.header)
        rows = RowQueue(client, "https://sqs.eu-west-1.amazonaws.com/123456789012/rows")
        call = []
        for segment in cut_segments(reader.stretches(), envelope, ROWS_PER_MESSAGE, start):
            if segment.message:
                call.append(segment.message)
            if len(call) == MESSAGES_PER_CALL:
                rows.send(envelope.import_id, call)
                call.clear()
        rows.send(envelope.import_id, call)

    return split


def classic() -> Way:
    """Splits as usual code does: a dictionary and a message a row, ten messages a call."""

    def split(path: Path, queue: Queue) -> None:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            while entries := [
                {"Id": str(number), "MessageBody": json.dumps(row)}
                for number, row in zip(range(10), reader, strict=False)
            ]:
                queue.send_message_batch(QueueUrl="rows", Entries=entries)

    return split


WAYS: dict[str, Callable[[], Way]] = {"shipped": shipped, "classic": classic}


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    way, name = sys.argv[1:]
    queue = Queue()
    split = WAYS[way]()
    before = cpu_seconds()
    split(Path(name), queue)
    print(json.dumps({"cpu_seconds": cpu_seconds() - before, **vars(queue)}))
