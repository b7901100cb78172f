"""The part of S3, SQS and DynamoDB that one import needs, served over TLS from files on disk.

A separate process that uses them is measured with the real SDK, not with a stand-in that shares its
memory.
"""

import json
import random
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import botocore
import trustme

from support.fresh_process import Peaks, Upload, invoke_for

MEGABYTE = 1_000_000
BUCKET = "example-imports"
ETAG = '"0f343b0931126a20f133d67c2b018a3b"'


@dataclass
class Services:
    """The part of S3, SQS and DynamoDB that one import needs.

    ``receive`` is called with the body of every message that is sent.
    """

    endpoint: str
    ca_bundle: Path
    files: dict[str, Path] = field(default_factory=dict)
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    receive: Callable[[str], object] = lambda _: None

    def answer(self, target: str, request: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(target)
        if target == "SendMessageBatch":
            sent = request["Entries"]
            assert len(sent) <= 10
            assert all(len(entry["MessageBody"]) <= 64_000 for entry in sent)
            for entry in sent:
                self.receive(entry["MessageBody"])
            accepted = [
                {"Id": e["Id"], "MessageId": e["Id"], "MD5OfMessageBody": "-"} for e in sent
            ]
            return {"Successful": accepted, "Failed": []}
        if target == "PutItem":
            self.items[request["Item"]["import_id"]["S"]] = request["Item"]
            return {}
        item = self.items.get(request["Key"]["import_id"]["S"])
        if target == "UpdateItem":
            assert item is not None
            values = request["ExpressionAttributeValues"]
            for name in request["ExpressionAttributeNames"].values():
                item[name] = values[f":{name}"]
        return {"Item": item, "Attributes": item} if item else {}

    def control_item(self) -> dict[str, str]:
        (item,) = self.items.values()
        return {name: next(iter(value.values())) for name, value in item.items()}


def request_handler(services: list[Services]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            key = unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}/")
            path = services[0].files[key]
            assert self.headers["If-Match"] == ETAG
            services[0].calls.append("GetObject")
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            size = path.stat().st_size
            if first >= size:
                self.send(416, b"", {})
                return
            with path.open("rb") as file:
                file.seek(first)
                body = file.read(last - first + 1)
            span = f"bytes {first}-{first + len(body) - 1}/{size}"
            self.send(206, body, {"Content-Range": span, "ETag": ETAG})

        def do_POST(self) -> None:
            target = self.headers["X-Amz-Target"].rpartition(".")[2]
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send(200, json.dumps(services[0].answer(target, request)).encode(), {})

        def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    return Handler


@contextmanager
def import_services(folder: Path) -> Iterator[Services]:
    """Serves until the block ends. ``folder`` holds the certificates."""
    authority = trustme.CA()
    # The whole bundle of botocore, because loading it is part of the memory that is measured.
    bundle = folder / "bundle.pem"
    shipped = Path(botocore.__file__).with_name("cacert.pem").read_bytes()
    bundle.write_bytes(shipped + authority.cert_pem.bytes())
    served: list[Services] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), request_handler(served))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    served.append(Services(f"https://127.0.0.1:{server.server_port}", bundle))
    try:
        yield served[0]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def customers(path: Path, rows: int) -> Path:
    """Writes about 130 bytes a row; every hundredth has a value of two lines with quotes in it."""
    chance = random.Random(4)
    with path.open("w", newline="") as file:
        file.write("id,name,email,city,amount,note,created_at\r\n")
        for number in range(rows):
            note = f"note {chance.random()}" + " of some length" * chance.randint(1, 3)
            if number % 100 == 0:
                note = f'"{note}\nwith a ""second"" line"'
            file.write(
                f"{number},Customer Number {number},customer{number}@example.com,Zürich,"
                f"{number % 1000}.50,{note},2026-03-01T09:30:00Z\r\n"
            )
    return path


def import_file(services: Services, path: Path) -> Peaks:
    """Splits one file in a fresh process and returns its peaks."""
    key = f"import/{path.name}"
    services.files[key] = path
    upload = Upload("ObjectCreated:CompleteMultipartUpload", BUCKET, key, path.stat().st_size, ETAG)
    environment = {
        "AWS_ENDPOINT_URL": services.endpoint,
        "AWS_CA_BUNDLE": str(services.ca_bundle),
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "STACK": "acme",
        "PIPELINE": "csv-import",
        "ROWS_QUEUE_URL": f"{services.endpoint}/123456789012/rows",
        "IMPORTS_QUEUE_URL": f"{services.endpoint}/123456789012/imports",
        "LEDGER_TABLE": "example-ledger",
        "IMPORT_PREFIX": "import/",
        "REJECTIONS_PREFIX": "rejections/",
    }
    peaks, _ = invoke_for(upload, "split_csv", environment)
    return peaks
