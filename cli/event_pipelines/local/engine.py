"""Start, find and stop the local engine.

All files of the engine are in `<home>/engine`: its record, log, certificates and temporary files.
The engine process holds a lock on `<home>/engine/lock` as long as it lives, which shows whether it
runs; the kernel releases the lock however the process ends, so a recorded process id is never
trusted alone, and a reused id is never mistaken for the engine.
"""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from event_pipelines.errors import UserError
from event_pipelines.local import certificates, corrections, root_credentials
from event_pipelines.local.root_credentials import RootCredentials

ACCOUNT_ID = "123456789012"
HOST = "127.0.0.1"
CHECKPOINT = "checkpoint"

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_POLL_SECONDS = 0.05
_LOCK_SECONDS = 1.0
_EXIT_SECONDS = 5.0
# Where a Python with a shared library finds it; without these, it does not start.
_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
_FOREIGN_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")

# State of the engines this process has started: children to wait for, and the pipes that tied
# engines watch. The kernel closes the pipes when this process ends, which ends tied engines.
_children: dict[int, subprocess.Popen[bytes]] = {}
_lifelines: dict[int, int] = {}


class EngineError(UserError):
    """The local engine could not be started or stopped."""


class PortTaken(EngineError):
    """Another program listens on the requested port."""


class AlreadyRunning(EngineError):
    """An engine already runs in this home."""


class EngineFailed(EngineError):
    """The engine ended, or did not answer in time, while it was started."""


class PythonUnusable(EngineError):
    """The interpreter for Lambda functions does not run or lacks boto3."""


@dataclass(frozen=True)
class Engine:
    """A running engine.

    `lambda_runtime` is the only Lambda runtime it can run ("python3.13"), that of its
    `lambda_python`.
    """

    pid: int
    port: int
    account_id: str
    lambda_runtime: str
    ca_bundle: Path
    log: Path

    @property
    def endpoint(self) -> str:
        return f"https://{HOST}:{self.port}"

    @property
    def credentials_file(self) -> Path:
        return self.ca_bundle.with_name(root_credentials.NAME)

    @property
    def credentials(self) -> RootCredentials:
        """Root's credentials, for clients that take them as arguments."""
        return RootCredentials.read(self.credentials_file)

    def environment(self, region: str) -> dict[str, str]:
        """Returns the variables that point Terraform, boto3 and the AWS CLI at this engine."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_CA_BUNDLE": str(self.ca_bundle),
            "AWS_EC2_METADATA_DISABLED": "true",
            # Profiles, endpoints and retry modes of the user must have no effect here.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials_file),
        }

    def process_environment(
        self, region: str, inherited: Mapping[str, str] = os.environ
    ) -> dict[str, str]:
        """Returns `inherited` without its AWS and certificate settings, pointed at this engine.

        For a child process: variables such as AWS_PROFILE cannot be overridden, only removed, and
        loopback addresses must not go through a proxy.
        """
        kept = {
            name: value
            for name, value in inherited.items()
            if not name.startswith("AWS_") and name not in _FOREIGN_VARIABLES
        }
        for name in ("NO_PROXY", "no_proxy"):
            kept[name] = ",".join(filter(None, (kept.get(name), HOST, "localhost")))
        return kept | self.environment(region)


def start(
    home: Path,
    *,
    lambda_python: Path,
    port: int | None = None,
    corrections: Literal["all"] | Collection[str] = "all",
    timeout_seconds: float = 20,
    tied_to_parent: bool = False,
    recorded_calls: Path | None = None,
    repeats_work: bool = False,
    checkpoint: Path | None = None,
) -> Engine:
    """Start an engine for `home` and return it once it answers.

    `lambda_python` runs the Lambda functions. `port` None selects a free one. `corrections` names
    those to apply. With `tied_to_parent`, the engine ends whenever this process ends.
    `recorded_calls` is a file to which it writes the calls of each principal, see
    `recorded_calls.record`. With `repeats_work`, an SDK's repeated attempt is processed again, as
    on AWS, instead of getting the first response, see `repeated_attempts`. With `checkpoint`,
    written by `save`, it starts with that engine's state.

    Raises AlreadyRunning, PortTaken, PythonUnusable, EngineFailed; none of them leaves a process.
    """
    runtime = _lambda_runtime(lambda_python)
    # Not resolved: a virtual environment's Python is a link, whose path selects the packages.
    options = ["--lambda-python", str(lambda_python.absolute()), "--lambda-runtime", runtime]
    for name in _left_out(corrections):
        options += ["--without", name]
    if recorded_calls is not None:
        options += ["--recorded-calls", str(recorded_calls.absolute())]
    if repeats_work:
        options += ["--repeats-work"]
    if checkpoint is not None:
        options += ["--checkpoint", str(checkpoint.absolute())]
    layout = _Layout(home)
    layout.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(_locked(layout))
        listener = stack.enter_context(_listener(port))
        _sweep(layout)
        engine = _spawn(
            layout,
            lock=lock,
            listener=listener,
            lambda_runtime=runtime,
            options=options,
            tied_to_parent=tied_to_parent,
        )
    try:
        layout.write_record(engine)
        _wait_until_healthy(engine, timeout_seconds)
    except BaseException:
        _end(layout, engine.pid)
        raise
    return engine


def running(home: Path) -> Engine | None:
    """Returns the engine of `home`, whichever process started it; None if none runs."""
    layout = _Layout(home)
    return layout.read_record() if _is_locked(layout) else None


def save(engine: Engine, timeout_seconds: float = 20) -> Path:
    """Has an idle engine save its state; returns the file, from which others can `start`.

    The file remains when the engine stops. Raises EngineFailed after `timeout_seconds`.
    """
    checkpoint = engine.log.with_name(CHECKPOINT)
    checkpoint.unlink(missing_ok=True)
    os.kill(engine.pid, signal.SIGUSR1)
    deadline = time.monotonic() + timeout_seconds
    while not checkpoint.exists():
        if time.monotonic() > deadline:
            raise EngineFailed(f"The engine saved nothing: {_last_words(engine.log)}")
        time.sleep(_POLL_SECONDS)
    return checkpoint


def stop(home: Path) -> bool:
    """End the engine of `home` with everything it started; return False if none ran.

    Its process group is killed at once, and state that was not saved is lost. Raises EngineFailed
    if it still runs after five seconds.
    """
    layout = _Layout(home)
    if not _is_locked(layout):
        _sweep(layout)
        return False
    engine = _wait_for_record(layout)
    _end(layout, engine.pid)
    return True


class _Layout:
    def __init__(self, home: Path) -> None:
        self.home, self.directory = home, home.absolute() / "engine"
        self.lock = self.directory / "lock"
        self.log = self.directory / "engine.log"
        self.record = self.directory / "engine.json"
        self.credentials = self.directory / root_credentials.NAME
        self.temporary = self.directory / "tmp"

    def read_record(self) -> Engine | None:
        """Return the recorded engine; None without a record, or if another version wrote it."""
        try:
            fields = json.loads(self.record.read_text())
            return Engine(**fields | {name: Path(fields[name]) for name in ("ca_bundle", "log")})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def write_record(self, engine: Engine) -> None:
        draft = self.record.with_suffix(".new")
        draft.write_text(json.dumps(asdict(engine), default=str, indent=2) + "\n")
        draft.replace(self.record)


@contextlib.contextmanager
def _locked(layout: _Layout) -> Iterator[int]:
    """Hold the home's lock; the engine inherits the descriptor, and the lock with it."""
    descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # `running` holds the lock only for an instant; an engine holds it permanently.
        deadline = time.monotonic() + _LOCK_SECONDS
        while not _try_lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise AlreadyRunning(
                    f"An engine already runs for {layout.home}; stop it with "
                    "`event-pipelines local down`, or choose another home."
                )
            time.sleep(_POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def _is_locked(layout: _Layout) -> bool:
    try:
        descriptor = os.open(layout.lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _listener(port: int | None) -> socket.socket:
    """Return a listening socket for the engine: a port that is bound cannot be lost to a race."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port or 0))
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"Port {port} on {HOST} is in use by another program; stop that program, "
                "or give another port (or none, to take a free one)."
            ) from error
        raise EngineFailed(f"Cannot listen on {HOST}:{port}: {error.strerror}.") from error
    return listener


def _lambda_runtime(python: Path) -> str:
    """Return the Lambda runtime that `python` corresponds to, such as "python3.13"."""
    question = (
        "import importlib.util, sys; importlib.util.find_spec('boto3') or sys.exit('no boto3'); "
        "print('python%d.%d' % sys.version_info[:2])"
    )
    try:
        answer = subprocess.run(
            [python, "-I", "-c", question], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PythonUnusable(f"The Lambda interpreter {python} does not run: {error}.") from error
    if answer.returncode:
        reason = answer.stderr.strip().rpartition("\n")[2]
        raise PythonUnusable(
            f"The Lambda interpreter {python} is not usable ({reason}); "
            "give a Python in whose environment boto3 is installed."
        )
    return answer.stdout.strip()


def _left_out(chosen: Literal["all"] | Collection[str]) -> list[str]:
    if chosen == "all":
        return []
    unknown = set(chosen) - set(corrections.NAMES)
    if unknown:
        raise ValueError(f"Unknown corrections: {', '.join(sorted(unknown))}")
    return [name for name in corrections.NAMES if name not in chosen]


def _spawn(
    layout: _Layout,
    *,
    lock: int,
    listener: socket.socket,
    lambda_runtime: str,
    options: list[str],
    tied_to_parent: bool,
) -> Engine:
    layout.temporary.mkdir(mode=0o700)
    issued = certificates.create(layout.directory)
    RootCredentials.create(layout.credentials)
    port = listener.getsockname()[1]
    command = [sys.executable, "-X", "utf8", "-m", "event_pipelines.local.engine_process"]
    command += ["--listener", str(listener.fileno()), "--lock", str(lock)]
    command += ["--certificate", str(issued.server_chain), "--key", str(issued.server_key)]
    command += options
    inherited = [listener.fileno(), lock]
    lifeline = _Lifeline() if tied_to_parent else None
    if lifeline:
        command += ["--lifeline", str(lifeline.engine_end)]
        inherited.append(lifeline.engine_end)
    # Only the user can read the log, because the directory has mode 0700.
    with layout.log.open("wb") as log:
        child = subprocess.Popen(
            command,
            env=_engine_environment(layout, port, issued),
            cwd=layout.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=inherited,
            # A session of its own: Ctrl-C in this terminal must not end it before stop() does.
            start_new_session=True,
        )
    _children[child.pid] = child
    if lifeline:
        _lifelines[child.pid] = lifeline.keep_parent_end()
    return Engine(
        pid=child.pid,
        port=port,
        account_id=ACCOUNT_ID,
        lambda_runtime=lambda_runtime,
        ca_bundle=issued.ca_bundle,
        log=layout.log,
    )


class _Lifeline:
    """A pipe without writes: the engine's read returns when this process has ended."""

    def __init__(self) -> None:
        self.engine_end, self._parent_end = os.pipe()

    def keep_parent_end(self) -> int:
        os.close(self.engine_end)
        return self._parent_end


def _engine_environment(
    layout: _Layout, port: int, issued: certificates.Certificates
) -> dict[str, str]:
    """Return the engine's whole environment, so that none of the user's variables reach it."""
    inherited = {name: os.environ[name] for name in _LIBRARY_PATHS if name in os.environ}
    return inherited | {
        "PATH": os.defpath,
        "HOME": str(layout.directory),
        "TMPDIR": str(layout.temporary),
        "PYTHONPATH": str(_PACKAGE_ROOT),
        "AUTH": "true",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(issued.server_chain),
        "MINISTACK_SSL_KEY": str(issued.server_key),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "STATE_DIR": str(layout.temporary / "state"),
        "S3_DATA_DIR": str(layout.temporary / "s3"),
        # At start and end, MiniStack removes containers labelled as its own; with a container
        # daemon on this machine, these would be another instance's.
        "DOCKER_HOST": f"unix://{layout.temporary}/no-container-daemon",
        # The endpoint for Lambda functions.
        "AWS_ENDPOINT_URL": f"https://{HOST}:{port}",
        "AWS_CA_BUNDLE": str(issued.ca_bundle),
    }


def _wait_until_healthy(engine: Engine, timeout_seconds: float) -> None:
    child = _children[engine.pid]
    context = ssl.create_default_context(cafile=engine.ca_bundle)
    # The default opener would send loopback requests through the user's proxy.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise EngineFailed(f"The engine ended while starting: {_last_words(engine.log)}")
        if _answers(opener, f"{engine.endpoint}/_ministack/health"):
            return
        time.sleep(_POLL_SECONDS)
    raise EngineFailed(
        f"The engine did not answer within {timeout_seconds:g} s: {_last_words(engine.log)}"
    )


def _answers(opener: urllib.request.OpenerDirector, url: str) -> bool:
    # The port accepts connections before the engine answers, so each attempt is short.
    try:
        with opener.open(url, timeout=1):
            return True
    except urllib.error.HTTPError as refusal:
        # The engine answers requests without credentials with a refusal.
        return refusal.code == 403
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return f"{lines[-1] if lines else 'it wrote nothing'} (see {log})"


def _wait_for_record(layout: _Layout) -> Engine:
    """Return the record of an engine that holds the lock, which may be about to be written."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while (engine := layout.read_record()) is None:
        if time.monotonic() > deadline:
            raise EngineFailed(
                f"A process holds {layout.lock} but left no record in {layout.record}; "
                "end that process and try again."
            )
        time.sleep(_POLL_SECONDS)
    return engine


def _end(layout: _Layout, pid: int) -> None:
    _kill_group(pid)
    child = _children.pop(pid, None)
    if child:
        child.wait()
    if lifeline := _lifelines.pop(pid, None):
        os.close(lifeline)
    deadline = time.monotonic() + _EXIT_SECONDS
    while _is_locked(layout):
        if time.monotonic() > deadline:
            raise EngineFailed(f"The engine (process {pid}) did not end when it was killed.")
        time.sleep(_POLL_SECONDS)
    _sweep(layout)


def _sweep(layout: _Layout) -> None:
    """Remove the files and processes that an ended engine left behind."""
    engine = layout.read_record()
    # The id of a process group is not reused while it has members: a group without its leader is
    # the engine's, with Lambda functions that still run.
    if engine and not _exists(engine.pid):
        _kill_group(engine.pid)
    layout.record.unlink(missing_ok=True)
    layout.credentials.unlink(missing_ok=True)
    shutil.rmtree(layout.temporary, ignore_errors=True)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # It is another user's.
        return True
    return True


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
