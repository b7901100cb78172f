"""An endpoint on loopback with as much of AWS as the service calls, which tests can hold up.

moto's own server needs packages that are not installed here, and cannot be stopped in the middle
of a call.
"""

import hashlib
import json
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from event_pipelines.contracts.item_messages import ItemMessage
from event_pipelines.items import documents
from event_pipelines.pipelines.item_relay import key_of

ACCOUNT = "123456789012"
REGION = "eu-west-1"
BUCKET = f"event-pipelines-relay-{ACCOUNT}-{REGION}"
IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult>"
    f"<Account>{ACCOUNT}</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


@dataclass
class Letter:
    body: str
    visible_at: float = 0.0
    receives: int = 0

    @property
    def visible(self) -> bool:
        return self.visible_at <= time.monotonic()


class Endpoint:
    """``held`` names calls that wait until `release`; `waiting_in` returns when one does.

    A poll without messages waits in any case.
    """

    def __init__(self) -> None:
        self.letters: dict[str, Letter] = {}
        self.items: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}
        self.held: set[str] = set()
        self._changed = threading.Condition()
        self._waiting: list[str] = []
        self._polls_end = False
        # Calls that began before it changed are dead, as is whoever made them.
        self._generation = 0
        self._server: _Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """The same port every time."""
        self._server = _Server(("127.0.0.1", self._port), _handler(self))
        self._port = self._server.server_port
        self._polls_end = False
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Nobody listens any more, and what is under way is cut off without an answer."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        self.cut()

    def cut(self) -> None:
        """Whatever is under way never had an effect and never will."""
        with self._changed:
            self._generation += 1
            self.held.clear()
            self._changed.notify_all()

    def end_polls(self) -> None:
        """As if their twenty seconds were over, also for those to come."""
        with self._changed:
            self._polls_end = True
            self._changed.notify_all()

    def add(self, item_id: str, body: str | None = None) -> None:
        """An item that was updated, with its file, and the message that says so."""
        content = json.dumps({"name": item_id, "price": 10}).encode()
        item = {
            "id": item_id,
            "bucket": BUCKET,
            "file_key": key_of(item_id),
            "file_sha256": hashlib.sha256(content).hexdigest(),
            "values": documents.read(content),
            "revision": 2,
            "created_at": "2026-11-21T07:00:00.000+00:00",
            "processed_at": "2026-11-21T07:00:01.000+00:00",
        }
        message = ItemMessage(item_id, BUCKET, key_of(item_id), 2).encode()
        with self._changed:
            self.files[f"/{BUCKET}/{key_of(item_id)}"] = content
            self.items[item_id] = TypeSerializer().serialize(item)["M"]
            self.letters[item_id] = Letter(message if body is None else body)
            self._changed.notify_all()

    def waiting_in(self, call: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: call in self._waiting, timeout=30)

    def release(self) -> None:
        with self._changed:
            self.held.clear()
            self._changed.notify_all()

    def answer(self, call: str, asked: dict[str, Any]) -> dict[str, Any]:
        with self._changed:
            generation = self._generation
            if call in self.held:
                self._waiting.append(call)
                self._changed.notify_all()
                self._changed.wait_for(lambda: call not in self.held)
            if call == "ReceiveMessage":
                self._wait_for_messages(asked["WaitTimeSeconds"], generation)
            if generation != self._generation:
                raise ConnectionAbortedError
            answer: dict[str, Any] = getattr(self, f"_{call}")(asked)
            return answer

    def _wait_for_messages(self, seconds: float, generation: int) -> None:
        until = time.monotonic() + seconds
        while not self._polls_end and time.monotonic() < until and not self._visible():
            if generation != self._generation:
                return
            self._waiting.append("ReceiveMessage")
            self._changed.notify_all()
            soon = min([until, *(one.visible_at for one in self.letters.values())])
            self._changed.wait(max(0.01, soon - time.monotonic()))

    def _GetQueueUrl(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"QueueUrl": f"{self.url}/{ACCOUNT}/{asked['QueueName']}"}

    def _ReceiveMessage(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        found = []
        for name, letter in self._visible()[: asked["MaxNumberOfMessages"]]:
            letter.receives += 1
            letter.visible_at = time.monotonic() + asked["VisibilityTimeout"]
            found.append(
                {
                    "MessageId": f"id of {name}",
                    "ReceiptHandle": name,
                    "Body": letter.body,
                    "Attributes": {"ApproximateReceiveCount": str(letter.receives)},
                }
            )
        return {"Messages": found} if found else {}

    def _DeleteMessage(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        del self.letters[asked["ReceiptHandle"]]
        return {}

    def _ChangeMessageVisibility(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        letter = self.letters[asked["ReceiptHandle"]]
        letter.visible_at = time.monotonic() + asked["VisibilityTimeout"]
        self._changed.notify_all()
        return {}

    def _GetItem(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        item = self.items.get(asked["Key"]["id"]["S"])
        return {"Item": item} if item else {}

    def _visible(self) -> list[tuple[str, Letter]]:
        return [(name, letter) for name, letter in self.letters.items() if letter.visible]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections are cut on purpose here, by either side; other errors are told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _handler(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            target = self.headers.get("X-Amz-Target")
            if target is None:
                self._send("text/xml", IDENTITY.encode())
                return
            answer = endpoint.answer(target.rpartition(".")[2], json.loads(asked))
            self._send("application/x-amz-json-1.0", json.dumps(answer).encode())

        def do_GET(self) -> None:
            self._send("application/json", endpoint.files[self.path])

        def _send(self, media_type: str, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Tests look at what the service says, not at what it asks."""

    return Handler
