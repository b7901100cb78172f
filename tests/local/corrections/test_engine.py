"""Starting, finding and stopping the engine."""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, SSLError

from event_pipelines.local import engine
from event_pipelines.local.engine import Engine
from local.corrections.cloud import MAY_CONSUME, MAY_LOG, REGION, Cloud, Queue, eventually

HANGS = """
import time

def handler(event, context):
    time.sleep(60)
"""


def processes_in(group: int) -> list[int]:
    """Processes of a process group that have not ended."""
    if not Path("/proc/self/stat").exists():
        command = ["ps", "-A", "-o", "pid=,pgid=,stat="]
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rows = [line.split() for line in listing.splitlines()]
    else:
        rows = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            # A process may end between being listed and being read.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                # pid (name) state parent group ...; the name may hold anything.
                state, _, pgid = path.read_text().rpartition(")")[2].split()[:3]
                rows.append([path.parent.name, pgid, state])
    return [int(pid) for pid, pgid, state in rows if int(pgid) == group and "Z" not in state]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    engine.stop(tmp_path)


def start(home: Path, lambda_python: Path, **options: object) -> Engine:
    wanted: dict[str, Any] = {"tied_to_parent": True} | options
    return engine.start(home, lambda_python=lambda_python, **wanted)


def test_stopping_ends_the_engine_and_running_functions(home: Path, lambda_python: Path) -> None:
    started = start(home, lambda_python)
    cloud = Cloud(started)
    function = cloud.function(HANGS, timeout_seconds=60)
    cloud.client("lambda").invoke(FunctionName=function, InvocationType="Event")
    eventually(lambda: len(processes_in(started.pid)) == 2, "the function's process")

    assert engine.stop(home)

    eventually(lambda: not processes_in(started.pid), "the function's process to end", seconds=2)
    assert engine.running(home) is None
    assert not engine.stop(home)
    left = {path.name for path in (home / "engine").iterdir()}
    assert left == {"lock", "engine.log", "ca.pem", "server.pem", "server.key"}


def resident_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        (kilobytes,) = re.findall(r"VmRSS:\s*(\d+) kB", status.read_text())
    else:
        command = ["ps", "-o", "rss=", "-p", str(pid)]
        kilobytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(kilobytes) / 1024


@contextlib.contextmanager
def connected(started: Engine) -> Iterator[ssl.SSLSocket]:
    trusted = ssl.create_default_context(cafile=str(started.ca_bundle))
    with (
        socket.create_connection((engine.HOST, started.port)) as plain,
        trusted.wrap_socket(plain, server_hostname=engine.HOST) as client,
    ):
        yield client


def signed_head(asked: Engine, method: str, path: str, **more: str) -> bytes:
    """The head of a request that the root signs, whatever body it has."""
    request = AWSRequest(method, f"{asked.endpoint}{path}", {"Host": f"{engine.HOST}:{asked.port}"})
    root = Credentials(asked.credentials.access_key, asked.credentials.secret_key)
    request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    S3SigV4Auth(root, "s3", REGION).add_auth(request)
    lines = [f"{name}: {value}" for name, value in (*request.headers.items(), *more.items())]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


def come_and_go(started: Engine, times: int, *, reset: bool) -> None:
    """Clients that ask once and close their connection, or reset it."""
    for _ in range(times):
        with connected(started) as client:
            client.sendall(signed_head(started, "GET", "/_ministack/health"))
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("reset", [False, True])
def test_connections_that_are_closed_take_no_memory(
    home: Path, lambda_python: Path, reset: bool
) -> None:
    """Each would take 0.3 MB for as long as one that is open may rest."""
    started = start(home, lambda_python)
    come_and_go(started, 100, reset=reset)
    before = resident_megabytes(started.pid)

    come_and_go(started, 300, reset=reset)

    assert resident_megabytes(started.pid) - before < 20


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_head_of_an_answer_comes_with_its_body(corrected: Cloud, method: str) -> None:
    """Go's client may lose a body that comes later. What comes at once is one record of TLS."""
    request = signed_head(corrected.engine, method, "/_ministack/health")
    with connected(corrected.engine) as client:
        for _ in range(3):
            client.sendall(request)
            head, _, body = client.recv(1 << 14).partition(b"\r\n\r\n")

            (length,) = re.findall(rb"(?i)\r\ncontent-length: (\d+)", head)
            assert int(length) > 1000
            assert len(body) == (int(length) if method == "GET" else 0)


def test_an_upload_is_asked_to_continue_before_it_is_answered(corrected: Cloud) -> None:
    more = {"Content-Length": "4", "Expect": "100-continue"}
    head = signed_head(corrected.engine, "PUT", "/no-bucket/key", **more)
    with connected(corrected.engine) as client:
        client.sendall(head)
        assert client.recv(1 << 14) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"body")
        assert re.match(rb"HTTP/1.1 4\d\d ", client.recv(1 << 14))


def test_an_engine_is_found_by_its_home_and_not_started_twice(
    home: Path, lambda_python: Path
) -> None:
    started = start(home, lambda_python)

    assert engine.running(home) == started
    with pytest.raises(engine.AlreadyRunning, match=r"already runs for .*local down"):
        start(home, lambda_python)
    assert engine.running(home) == started


def test_a_taken_port_is_named_and_nothing_is_started(
    corrected: Cloud, home: Path, lambda_python: Path
) -> None:
    port = corrected.engine.port

    with pytest.raises(engine.PortTaken, match=f"Port {port} on 127.0.0.1 is in use"):
        start(home, lambda_python, port=port)

    assert engine.running(home) is None


def test_a_given_port_is_used_again_at_once(home: Path, lambda_python: Path) -> None:
    first = start(home, lambda_python)
    engine.stop(home)

    assert start(home, lambda_python, port=first.port).port == first.port


def test_a_killed_engine_is_not_running_and_its_functions_are_ended(
    home: Path, lambda_python: Path
) -> None:
    killed = start(home, lambda_python)
    cloud = Cloud(killed)
    function = cloud.function(HANGS, timeout_seconds=60)
    cloud.client("lambda").invoke(FunctionName=function, InvocationType="Event")
    eventually(lambda: len(processes_in(killed.pid)) == 2, "the function's process")
    os.kill(killed.pid, signal.SIGKILL)
    os.waitpid(killed.pid, 0)

    assert engine.running(home) is None
    again = start(home, lambda_python)

    assert engine.running(home) == again
    eventually(lambda: not processes_in(killed.pid), "the function's process to end", seconds=2)


def test_a_process_that_got_the_pid_of_an_old_engine_is_left_alone(
    home: Path, lambda_python: Path
) -> None:
    old = start(home, lambda_python)
    record = (home / "engine" / "engine.json").read_text()
    engine.stop(home)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        fields = json.loads(record) | {"pid": stranger.pid}
        (home / "engine" / "engine.json").write_text(json.dumps(fields))

        assert engine.running(home) is None
        assert not engine.stop(home)

        assert stranger.poll() is None
        stranger.communicate(b"\n")
    assert stranger.returncode == 0
    assert processes_in(old.pid) == []


def parent(home: Path, lambda_python: Path, *, tied: bool) -> subprocess.Popen[str]:
    """A process that starts an engine, prints its pid, and then waits for input."""
    script = f"""
    from pathlib import Path
    from event_pipelines.local import engine
    home, python = Path({str(home)!r}), Path({str(lambda_python)!r})
    print(engine.start(home, lambda_python=python, tied_to_parent={tied}).pid, flush=True)
    input()
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(engine.__file__).parents[2])},
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_a_tied_engine_ends_with_its_parent(home: Path, lambda_python: Path) -> None:
    with parent(home, lambda_python, tied=True) as process:
        pid = int(first_line(process))
        assert processes_in(pid)
        process.kill()

    eventually(lambda: engine.running(home) is None, "the engine to end", seconds=5)
    assert processes_in(pid) == []


def test_an_untied_engine_outlives_its_parent_and_its_ctrl_c(
    home: Path, lambda_python: Path
) -> None:
    with parent(home, lambda_python, tied=False) as process:
        pid = int(first_line(process))
        # Ctrl-C goes to the terminal's process groups, which are of the parent's session.
        assert os.getsid(pid) == pid
        process.kill()

    found = engine.running(home)
    assert found is not None
    assert found.pid == pid
    assert engine.stop(home)
    assert engine.running(home) is None
    assert processes_in(pid) == []


def test_an_engine_that_does_not_answer_in_time_is_ended(home: Path, lambda_python: Path) -> None:
    with pytest.raises(engine.EngineFailed, match=r"did not answer within 0 s.*engine\.log"):
        start(home, lambda_python, timeout_seconds=0)

    assert engine.running(home) is None
    assert not (home / "engine" / "engine.json").exists()


def test_an_engine_that_ends_while_starting_shows_its_last_words(
    home: Path, lambda_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_left_out", lambda _: ["no-such-correction"])

    with pytest.raises(engine.EngineFailed, match="invalid choice: 'no-such-correction'"):
        start(home, lambda_python)

    assert engine.running(home) is None


def test_nothing_of_the_users_shell_reaches_the_engine_or_its_functions(
    home: Path, lambda_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = {
        "AWS_PROFILE": "no-such-profile",
        "AWS_ACCESS_KEY_ID": "AKIAOFTHEUSER",
        "AWS_CA_BUNDLE": "/no/such/file",
        "REQUESTS_CA_BUNDLE": "/no/such/file",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "SHELL_SECRET": "leaked",
    }
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    started = start(home, lambda_python, corrections=())

    environment = started.process_environment(REGION)
    client = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    answer = subprocess.run(
        [lambda_python, "-c", client], env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == started.account_id == "123456789012"
    for name in shell:
        monkeypatch.delenv(name)
    cloud = Cloud(started)
    dump = "import os\n\ndef handler(event, context):\n    return dict(os.environ)"
    seen = cloud.invoke(cloud.function(dump)).payload
    assert not any(value in seen.values() for value in shell.values())


def test_the_engines_files_are_the_users_alone(corrected: Cloud) -> None:
    directory = corrected.engine.ca_bundle.parent

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for name in ("ca.pem", "server.pem", "server.key", "credentials"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600


def test_only_tls_with_the_engines_own_authority_works(corrected: Cloud) -> None:
    def identity(**options: object) -> object:
        wanted: dict[str, Any] = corrected.root | options
        once = Config(retries={"total_max_attempts": 1})
        sts = boto3.client("sts", region_name=REGION, config=once, **wanted)
        return sts.get_caller_identity()

    endpoint = corrected.engine.endpoint
    with pytest.raises(SSLError):
        identity(endpoint_url=endpoint)
    assert identity(
        endpoint_url=endpoint.replace("127.0.0.1", "localhost"),
        verify=str(corrected.engine.ca_bundle),
    )
    with socket.create_connection(("127.0.0.1", corrected.engine.port), timeout=5) as plain:
        plain.sendall(b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP")


def test_engine_listens_on_no_port_but_its_own(home: Path, lambda_python: Path) -> None:
    # What MiniStack would like to have: HTTPS, SFTP, MQTT, and the port it is known for.
    wanted = (443, 2222, 4566, 8883)

    def open_ports() -> list[int]:
        found = []
        for port in wanted:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    found.append(port)
        return found

    before = open_ports()
    start(home, lambda_python)

    assert open_ports() == before


def test_users_are_identified_by_signature_and_allowed_by_policy(corrected: Cloud) -> None:
    bucket = corrected.bucket()
    resource = f"arn:aws:s3:::{bucket}/mine/*"
    user = corrected.user({"Effect": "Allow", "Action": "s3:PutObject", "Resource": resource})
    s3 = corrected.client("s3", **user)

    s3.put_object(Bucket=bucket, Key="mine/a", Body=b"a")

    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=bucket, Key="theirs/a", Body=b"a")
    forged = corrected.client("s3", **user | {"aws_secret_access_key": "guessed"})
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        forged.put_object(Bucket=bucket, Key="mine/a", Body=b"a")


COUNTS = """
import json, os

def handler(event, context):
    print("GOT", json.dumps([[r["body"] for r in event["Records"]], os.environ["QUEUE"]]))
"""


def test_an_engine_goes_on_with_what_another_remembered(
    tmp_path: Path, lambda_python: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    try:
        before = Cloud(start(first, lambda_python))
        queue, other = before.queue(), before.queue()
        function = before.function(
            COUNTS,
            role=before.role(MAY_LOG, MAY_CONSUME),
            variables={"QUEUE": queue.url},
            timeout_seconds=1,
        )
        before.map(queue, function)
        before.send(other, "kept")
        bucket, table = before.bucket(), before.name()
        before.client("s3").put_object(Bucket=bucket, Key="a", Body=b"\x00\xff", Tagging="b=c")
        before.client("dynamodb").create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
            BillingMode="PAY_PER_REQUEST",
        )
        item = {"id": {"N": "1"}, "set": {"SS": ["x", "y"]}, "bytes": {"B": b"\x00\xff"}}
        before.client("dynamodb").put_item(TableName=table, Item=item)
        person = before.user(
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue.arn}
        )
        saved = engine.save(before.engine)
        engine.stop(first)
        assert saved.exists()

        after = Cloud(start(second, lambda_python, checkpoint=saved))
        assert after.engine.port != before.engine.port
        url = queue.url.replace(f":{before.engine.port}/", f":{after.engine.port}/")
        after.client("sqs", **person).send_message(QueueUrl=url, MessageBody="hello")
        eventually(lambda: after.logged(function, "GOT") == [[["hello"], url]], "the message")
        kept = other.url.replace(f":{before.engine.port}/", f":{after.engine.port}/")
        assert after.receive(Queue(kept, other.arn)) == ["kept"]
        with pytest.raises(ClientError, match="AccessDenied"):
            after.client("sqs", **person).receive_message(QueueUrl=url)
        found = after.client("s3").get_object(Bucket=bucket, Key="a")
        assert (found["Body"].read(), found["TagCount"]) == (b"\x00\xff", 1)
        (scanned,) = after.client("dynamodb").scan(TableName=table)["Items"]
        assert {**scanned, "set": {"SS": sorted(scanned["set"]["SS"])}} == item
    finally:
        engine.stop(first)
        engine.stop(second)


def test_an_engine_that_cannot_save_says_so(tmp_path: Path, lambda_python: Path) -> None:
    started = start(tmp_path, lambda_python)
    try:
        # What is saved is first written beside.
        (tmp_path / "engine" / "checkpoint.new").mkdir()
        with pytest.raises(engine.EngineFailed, match=r"saved nothing: .*IsADirectoryError"):
            engine.save(started, timeout_seconds=5)
    finally:
        engine.stop(tmp_path)
