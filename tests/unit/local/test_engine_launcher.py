"""The parts of the engine's launcher that need no engine."""

import socket
import ssl
import stat
import sys
import threading
from pathlib import Path

import pytest

from event_pipelines.local import certificates, corrections, engine
from event_pipelines.local.engine import Engine


@pytest.fixture
def example(tmp_path: Path) -> Engine:
    return Engine(
        pid=1,
        port=4566,
        account_id="123456789012",
        lambda_runtime="python3.13",
        ca_bundle=tmp_path / "ca.pem",
        log=tmp_path / "engine.log",
    )


def test_the_environment_points_every_client_at_the_engine(example: Engine) -> None:
    environment = example.environment("eu-west-1")

    assert environment["AWS_ENDPOINT_URL"] == "https://127.0.0.1:4566"
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert environment["AWS_CA_BUNDLE"] == str(example.ca_bundle)


def test_a_process_inherits_everything_but_aws_and_certificate_settings(example: Engine) -> None:
    shell = {
        "PATH": "/bin",
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "us-east-1",
        "REQUESTS_CA_BUNDLE": "/etc/ca.pem",
        "HTTPS_PROXY": "http://proxy",
        "NO_PROXY": "example.com",
    }

    environment = example.process_environment("eu-west-1", shell)

    assert environment["PATH"] == "/bin"
    assert environment["HTTPS_PROXY"] == "http://proxy"
    assert environment["NO_PROXY"] == "example.com,127.0.0.1,localhost"
    assert environment["no_proxy"] == "127.0.0.1,localhost"
    assert environment["AWS_REGION"] == "eu-west-1"
    assert environment.keys().isdisjoint({"AWS_PROFILE", "AWS_SESSION_TOKEN", "REQUESTS_CA_BUNDLE"})


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(engine.PortTaken, match=f"Port {port} .* stop that program"):
            engine.start(tmp_path, lambda_python=Path(sys.executable), port=port)

    assert engine.running(tmp_path) is None


def test_an_interpreter_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(engine.PythonUnusable, match="no-python does not run"):
        engine.start(tmp_path, lambda_python=tmp_path / "no-python")


def test_an_interpreter_without_boto3_is_named(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)

    with pytest.raises(engine.PythonUnusable, match=r"not usable \(no boto3\)"):
        engine.start(tmp_path, lambda_python=python)


def test_an_unknown_correction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Unknown corrections: no_such"):
        engine.start(tmp_path, lambda_python=Path(sys.executable), corrections=["no_such"])


def test_a_home_without_an_engine_has_nothing_to_stop(tmp_path: Path) -> None:
    assert engine.running(tmp_path / "nowhere") is None
    assert not engine.stop(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_cannot_be_read_is_not_an_engine(tmp_path: Path) -> None:
    directory = tmp_path / "engine"
    directory.mkdir()
    (directory / "lock").touch()
    for record in ("", "[]", '{"pid": 1}', '{"pid": 1, "ca_bundle": "", "log": ""}'):
        (directory / "engine.json").write_text(record)

        assert engine.running(tmp_path) is None
        assert not engine.stop(tmp_path)
        assert not (directory / "engine.json").exists()


def test_the_certificates_serve_loopback_and_nobody_else(tmp_path: Path) -> None:
    issued = certificates.create(tmp_path)
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(issued.server_chain, issued.server_key)
    client_side = ssl.create_default_context(cafile=issued.ca_bundle)

    for name in certificates.LOOPBACK_NAMES:
        assert _handshake(server_side, client_side, name) is None
    assert "certificate is not valid for 'example.com'" in str(
        _handshake(server_side, client_side, "example.com")
    )


def _handshake(
    server_side: ssl.SSLContext, client_side: ssl.SSLContext, name: str
) -> ssl.SSLError | None:
    """The client's objection to the server's certificate for `name`."""
    client, server = socket.socketpair()

    def serve() -> None:
        # What the server thinks of a client that leaves is not the question.
        try:
            server_side.wrap_socket(server, server_side=True).close()
        except OSError:
            server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client_side.wrap_socket(client, server_hostname=name).close()
    except ssl.SSLError as error:
        return error
    finally:
        client.close()
        thread.join()
    return None


def test_new_certificates_replace_old_ones_and_stay_private(tmp_path: Path) -> None:
    (tmp_path / "server.key").write_text("readable by all")

    first = certificates.create(tmp_path)
    key = first.server_key.read_bytes()
    certificates.create(tmp_path)

    assert first.server_key.read_bytes() != key
    for path in (first.ca_bundle, first.server_chain, first.server_key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_correction_is_listed_and_says_what_differs() -> None:
    directory = Path(corrections.__file__).parent
    modules = {path.stem: path for path in directory.glob("[a-z]*.py")}

    assert set(corrections.NAMES) == set(modules)
    for name, path in modules.items():
        text = path.read_text()
        for part in ("\nAWS: ", "\nMiniStack: ", "\nCorrection: "):
            assert part in text, f"{name} does not say {part.strip()}"
