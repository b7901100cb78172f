"""The proxy itself, between ordinary clients and a service that notes what it is told."""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from event_pipelines.local import certificates
from faults import workers
from faults.proxy import FaultProxy, running
from faults.schedule import DECK, Kind, Schedule
from support.stacks import eventually

TABLE = "things"


@dataclass
class Upstream:
    """A service that does what it is told; `heard` are operations, with their Host headers."""

    heard: list[tuple[str, str]] = field(default_factory=list)
    entries: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[str, bytes]:
        target = handler.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.heard.append((target or handler.command, handler.headers["Host"]))
        self.bodies.append(body)
        if not target:
            return "application/octet-stream", b"" if handler.command == "PUT" else b"content" * 99
        told: dict[str, Any] = json.loads(body)
        said: dict[str, Any] = {}
        match target:
            case "SendMessageBatch":
                self.entries += [entry["Id"] for entry in told["Entries"]]
                said = {"Successful": [_sent(entry["Id"]) for entry in told["Entries"]]}
            case "BatchWriteItem":
                puts = told["RequestItems"][TABLE]
                self.entries += [put["PutRequest"]["Item"]["id"]["S"] for put in puts]
                said = {"UnprocessedItems": {}}
            case "BatchGetItem":
                keys = told["RequestItems"][TABLE]["Keys"]
                self.entries += [key["id"]["S"] for key in keys]
                said = {"Responses": {TABLE: keys}, "UnprocessedKeys": {}}
            case "GetItem":
                said = {"Item": {"id": {"S": "one"}}}
        return "application/x-amz-json-1.0", json.dumps(said).encode()


def _sent(name: str) -> dict[str, str]:
    return {"Id": name, "MessageId": name, "MD5OfMessageBody": "0" * 32}


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    return certificates.create(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def upstream(issued: certificates.Certificates) -> Iterator[Upstream]:
    service = Upstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def serve(self) -> None:
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b""
                while size := int(self.rfile.readline().partition(b";")[0], 16):
                    body += self.rfile.read(size + 2)[:-2]
                self.rfile.readline()
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kind, content = service.answer(self, body)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("ETag", '"e"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = serve  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.server_chain, issued.server_key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    service.url = f"https://127.0.0.1:{server.server_address[1]}"
    yield service
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def killed() -> list[int]:
    return []


@pytest.fixture
def proxy(
    upstream: Upstream,
    issued: certificates.Certificates,
    killed: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[FaultProxy]:
    # Of whoever signs a batch anew that is sent on in part.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "root")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    def kill(port: int) -> bool:
        killed.append(port)
        return True

    made = FaultProxy(upstream.url, issued.server_chain, issued.server_key, issued.ca_bundle, kill)
    with running(made):
        yield made
    assert made.errors == []


@pytest.fixture
def connect(proxy: FaultProxy) -> Callable[..., Any]:
    def make(service: str, patience: float = 60) -> Any:
        make_client: Any = boto3.client  # its overloads know no service that is not written out
        return make_client(
            service,
            region_name="eu-west-1",
            endpoint_url=proxy.url,
            verify=str(proxy.ca_bundle),
            aws_access_key_id="somebody",
            aws_secret_access_key="secret",
            config=Config(
                retries={"total_max_attempts": 1, "mode": "standard"},
                read_timeout=patience,
                # Checksums of answers would be checked before what is looked at here.
                response_checksum_validation="when_required",
                s3={"addressing_style": "path"},
            ),
        )

    return make


def always(proxy: FaultProxy, kind: Kind) -> None:
    proxy.inject(Schedule(1, {kind: DECK}))


def get(dynamodb: Any) -> Any:
    return dynamodb.get_item(TableName=TABLE, Key={"id": {"S": "one"}})


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response: Any = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_nothing_is_changed_while_nothing_is_injected(
    proxy: FaultProxy, upstream: Upstream, connect: Callable[[str], Any]
) -> None:
    s3 = connect("s3")
    for _ in range(3):
        assert get(connect("dynamodb"))["Item"] == {"id": {"S": "one"}}
    assert s3.get_object(Bucket="b", Key="a/b c")["Body"].read() == b"content" * 99
    assert s3.head_object(Bucket="b", Key="k")["ContentLength"] == 99 * len(b"content")
    s3.put_object(Bucket="b", Key="k", Body=b"whole")

    host = proxy.url.removeprefix("https://")
    assert {heard for _, heard in upstream.heard} == {host}
    assert [name for name, _ in upstream.heard] == ["GetItem"] * 3 + ["GET", "HEAD", "PUT"]
    assert proxy.injected == Counter()


def test_a_body_in_chunks_arrives_as_it_was_sent(
    upstream: Upstream, connect: Callable[[str], Any], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"0123456789" * 30_000)

    with file.open("rb") as body:
        connect("s3").put_object(Bucket="b", Key="k", Body=body, ChecksumAlgorithm="SHA256")

    (arrived,) = upstream.bodies
    assert b"0123456789" * 1_000 in arrived
    assert arrived.rstrip().rpartition(b"\n")[2].startswith(b"x-amz-checksum-sha256:")


@pytest.mark.parametrize(
    ("service", "call", "throttled", "broken"),
    [
        (
            "dynamodb",
            get,
            (400, {"ProvisionedThroughputExceededException", "ThrottlingException"}),
            (500, {"InternalServerError"}),
        ),
        (
            "sqs",
            lambda sqs: sqs.send_message(QueueUrl="https://q/1/q", MessageBody="m"),
            (400, {"RequestThrottled"}),
            (500, {"InternalError"}),
        ),
        (
            "s3",
            lambda s3: s3.get_object(Bucket="b", Key="k"),
            (503, {"SlowDown"}),
            (500, {"InternalError"}),
        ),
        (
            "s3",
            lambda s3: s3.head_object(Bucket="b", Key="k"),
            (503, {"503"}),
            (500, {"500"}),
        ),
        (
            "ssm",
            lambda ssm: ssm.get_parameter(Name="n"),
            (400, {"ThrottlingException"}),
            (500, {"InternalServerError"}),
        ),
        (
            "sts",
            lambda sts: sts.get_caller_identity(),
            (400, {"Throttling"}),
            (500, {"InternalFailure"}),
        ),
    ],
)
def test_errors_are_the_services_own_and_reach_nobody(
    proxy: FaultProxy,
    upstream: Upstream,
    connect: Callable[[str], Any],
    service: str,
    call: Callable[[Any], object],
    throttled: tuple[int, set[str]],
    broken: tuple[int, set[str]],
) -> None:
    for kind, (status, codes) in ((Kind.THROTTLE, throttled), (Kind.ERROR, broken)):
        always(proxy, kind)
        with pytest.raises(ClientError) as error:
            call(connect(service))
        assert code(error)[0] == status
        assert code(error)[1] in codes
        assert proxy.by_kind == {kind: 1}
    assert upstream.heard == []


@pytest.mark.parametrize(("kind", "arrives"), [(Kind.UNHEARD, 0), (Kind.UNANSWERED, 1)])
def test_no_answer_comes_until_the_client_gives_up(
    proxy: FaultProxy, upstream: Upstream, connect: Callable[..., Any], kind: Kind, arrives: int
) -> None:
    always(proxy, kind)

    with pytest.raises(ReadTimeoutError):
        get(connect("dynamodb", patience=0.5))

    eventually(lambda: len(upstream.heard) >= arrives, "what was asked to arrive")
    assert len(upstream.heard) == arrives


def test_a_slow_answer_is_whole(
    proxy: FaultProxy, connect: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("faults.proxy._hold_back", waited.append)
    always(proxy, Kind.SLOW)

    assert "Item" in get(connect("dynamodb"))

    (seconds,) = waited
    assert 0.2 <= seconds <= 1


def test_a_cut_answer_is_noticed_and_what_was_asked_is_done(
    proxy: FaultProxy, upstream: Upstream, connect: Callable[[str], Any]
) -> None:
    always(proxy, Kind.CUT)
    s3 = connect("s3")

    with pytest.raises(ConnectionClosedError):
        get(connect("dynamodb"))
    with pytest.raises(ConnectionClosedError):
        s3.put_object(Bucket="b", Key="k", Body=b"whole")
    with pytest.raises(ConnectionClosedError):
        s3.head_object(Bucket="b", Key="k")
    body = s3.get_object(Bucket="b", Key="k")["Body"]
    with pytest.raises(ResponseStreamingError):
        body.read()

    assert [name for name, _ in upstream.heard] == ["GetItem", "PUT", "HEAD", "GET"]


def test_a_repeated_request_arrives_twice(
    proxy: FaultProxy, upstream: Upstream, connect: Callable[[str], Any]
) -> None:
    always(proxy, Kind.TWICE)

    assert "Item" in get(connect("dynamodb"))

    assert [name for name, _ in upstream.heard] == ["GetItem"] * 2


def test_of_a_batch_of_messages_some_are_sent_and_the_others_failed(
    proxy: FaultProxy, upstream: Upstream, connect: Callable[[str], Any]
) -> None:
    always(proxy, Kind.PARTIAL)
    sqs, names = connect("sqs"), [f"m{number}" for number in range(10)]
    sizes = set()
    for _ in range(20):
        upstream.entries.clear()
        answer = sqs.send_message_batch(
            QueueUrl="https://q/1/q",
            Entries=[{"Id": name, "MessageBody": "m"} for name in names],
        )
        sent = [entry["Id"] for entry in answer["Successful"]]
        failed = [entry["Id"] for entry in answer["Failed"]]
        assert sent == upstream.entries
        assert sorted(sent + failed) == names
        assert failed
        sizes.add(len(failed))
    assert len(sizes) > 3


def test_of_a_batch_of_items_some_are_written_and_the_others_returned(
    proxy: FaultProxy, upstream: Upstream, connect: Callable[[str], Any]
) -> None:
    always(proxy, Kind.PARTIAL)
    puts = [{"PutRequest": {"Item": {"id": {"S": f"i{number}"}}}} for number in range(10)]

    answer = connect("dynamodb").batch_write_item(RequestItems={TABLE: puts})

    returned = [put["PutRequest"]["Item"]["id"]["S"] for put in answer["UnprocessedItems"][TABLE]]
    assert sorted(upstream.entries + returned) == [f"i{number}" for number in range(10)]
    assert returned


def test_of_a_batch_of_keys_some_are_read_and_the_others_returned(
    proxy: FaultProxy, upstream: Upstream, connect: Callable[[str], Any]
) -> None:
    always(proxy, Kind.PARTIAL)
    keys = [{"id": {"S": f"i{number}"}} for number in range(10)]

    answer = connect("dynamodb").batch_get_item(
        RequestItems={TABLE: {"Keys": keys, "ConsistentRead": True}}
    )

    left = answer["UnprocessedKeys"][TABLE]
    assert left["ConsistentRead"]
    assert sorted(str(key) for key in answer["Responses"][TABLE] + left["Keys"]) == sorted(
        map(str, keys)
    )
    assert len(upstream.entries) == len(answer["Responses"][TABLE]) < 10


@pytest.mark.parametrize(("kind", "arrives"), [(Kind.KILLED_BEFORE, 0), (Kind.KILLED_AFTER, 1)])
def test_who_asked_is_killed_by_the_port_it_asked_from(
    proxy: FaultProxy,
    upstream: Upstream,
    connect: Callable[[str], Any],
    killed: list[int],
    kind: Kind,
    arrives: int,
) -> None:
    always(proxy, kind)

    with pytest.raises(ConnectionClosedError):
        get(connect("dynamodb"))

    assert len(killed) == 1
    assert len(upstream.heard) == arrives
    assert proxy.by_kind == {kind: 1}


def test_proxy_injects_no_fault_after_stop_injecting(
    proxy: FaultProxy, connect: Callable[[str], Any]
) -> None:
    always(proxy, Kind.ERROR)
    dynamodb = connect("dynamodb")
    with pytest.raises(ClientError):
        get(dynamodb)

    proxy.stop_injecting()

    assert "Item" in get(dynamodb)
    assert proxy.by_kind == {Kind.ERROR: 1}


FAULTS = {Kind.THROTTLE: 10, Kind.CUT: 5, Kind.KILLED_AFTER: 1}


def dealt(schedule: Schedule, operation: str, count: int) -> list[Kind]:
    return [schedule.next(operation).kind for _ in range(count)]


def test_a_seed_repeats_its_schedule_whatever_comes_in_between() -> None:
    one, other, third = Schedule(7, FAULTS), Schedule(7, FAULTS), Schedule(8, FAULTS)
    alone = dealt(one, "s3 PutObject", 450)
    mixed = []
    for _ in range(450):
        other.next("sqs SendMessage")
        mixed.append(other.next("s3 PutObject").kind)

    assert mixed == alone
    assert dealt(third, "s3 PutObject", 450) != alone
    assert dealt(one, "sqs SendMessage", 450) != alone
    draws = [Schedule(7, FAULTS).next("s3 PutObject").draw.random() for _ in range(2)]
    assert draws[0] == draws[1]


def test_every_deck_of_an_operation_holds_so_many_faults() -> None:
    schedule = Schedule(7, FAULTS)

    for _ in range(5):
        hand = Counter(dealt(schedule, "s3 PutObject", DECK))
        assert hand == {**FAULTS, Kind.PASS: DECK - sum(FAULTS.values())}


def test_what_has_no_entries_cannot_fail_in_part() -> None:
    schedule = Schedule(7, {Kind.PARTIAL: DECK})

    assert set(dealt(schedule, "dynamodb PutItem", DECK)) == {Kind.PASS}
    assert set(dealt(schedule, "dynamodb BatchWriteItem", DECK)) == {Kind.PARTIAL}
    with pytest.raises(ValueError, match="201 faults"):
        Schedule(7, {Kind.CUT: DECK + 1})


# --- Who is killed

# Connects to the port it is told, says that it has, and waits.
CALLER = """
import socket, sys
held = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print(held.getsockname()[1], flush=True)
sys.stdin.read()
"""
# The same, in a process of its own below this one, as the engine has its workers.
ENGINE = f"""
import subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", {CALLER!r}, *sys.argv[1:]])
print(worker.wait(), flush=True)
sys.stdin.read()
"""


@contextmanager
def caller(script: str, **options: Any) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that holds a connection, and its port there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        command = [sys.executable, "-c", script, port]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, **options)
        near, (_, held) = server.accept()
        try:
            yield process, held
        finally:
            near.close()
            process.kill()
            process.communicate()


def test_a_worker_of_the_engine_is_killed() -> None:
    with caller(ENGINE, start_new_session=True) as (engine, port):
        assert engine.stdout
        # A worker that is killed before it has said that would say nothing.
        assert engine.stdout.readline() == f"{port}\n"

        assert workers.kill_worker(engine.pid, port)

        # What the engine says of the worker.
        assert engine.stdout.readline() == "-9\n"
        assert engine.poll() is None
        assert not workers.kill_worker(engine.pid, port)


def test_only_function_workers_of_the_engine_are_killed() -> None:
    with caller(CALLER, start_new_session=True) as (process, port):
        # Were it the engine itself; were it somebody else's.
        assert not workers.kill_worker(process.pid, port)
        assert not workers.kill_worker(os.getpid(), port)
        assert process.poll() is None


def test_where_there_is_no_proc_lsof_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "lsof"
    program.write_text(
        "#!/bin/sh\n[ \"$2\" = -iTCP@127.0.0.1:4711 ] && printf 'p12\\nf3\\np345\\n'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert workers.owners_by_lsof(4711) == [12, 345]
    assert workers.owners_by_lsof(4712) == []
