"""The engine's process: MiniStack with this project's corrections, on an inherited socket.

Run by `engine.start`, not by hand, because it expects the environment prepared there.
"""

import argparse
import gc
import os
import signal
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from event_pipelines.local import corrections, root_credentials
from event_pipelines.local.engine import CHECKPOINT
from event_pipelines.local.root_credentials import RootCredentials


@dataclass(frozen=True)
class Settings:
    """Settings from the launcher; `listener`, `lock` and `lifeline` are inherited descriptors."""

    listener: int
    lock: int
    lifeline: int | None
    certificate: Path
    key: Path
    lambda_python: Path
    lambda_runtime: str
    without: tuple[str, ...]
    recorded_calls: Path | None
    repeats_work: bool
    checkpoint: Path | None


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until killed."""
    settings = _parse(arguments)
    for descriptor in (settings.listener, settings.lock, settings.lifeline):
        if descriptor is not None:
            # A Lambda function that inherited the lock would make a dead engine look alive.
            os.set_inheritable(descriptor, False)
    if settings.lifeline is not None:
        threading.Thread(target=_die_with_parent, args=(settings.lifeline,), daemon=True).start()
    os.environ.pop("PYTHONPATH", None)
    # Imported late, like all of MiniStack, and before the corrections, which keep references.
    from event_pipelines.local import authentication

    authentication.set_root(RootCredentials.read(Path(root_credentials.NAME)))
    corrections.apply(
        [name for name in corrections.NAMES if name not in settings.without],
        corrections.LambdaInterpreter(settings.lambda_python, settings.lambda_runtime),
    )
    if settings.recorded_calls is not None:
        from event_pipelines.local import recorded_calls

        recorded_calls.record(settings.recorded_calls)
    _serve(settings)


def _serve(settings: Settings) -> None:
    # Imported late: it reads the environment on import, and corrections check MiniStack first.
    import ministack.app

    from event_pipelines.local import checkpoint, tls_server
    from event_pipelines.local.authentication import Authentication
    from event_pipelines.local.repeated_attempts import RepeatedAttempts

    if settings.checkpoint is not None:
        checkpoint.load(settings.checkpoint)
    # Buffered, because MiniStack makes several random ids for each request.
    os.urandom = Path("/dev/urandom").open("rb").read  # noqa: SIM115
    # Not served by MiniStack's own command, because that also binds port 443 if it can, and writes
    # files with a process id.
    application = ministack.app.app
    if not settings.repeats_work:
        application = RepeatedAttempts(application)
    # Imported objects stay alive; excluding them makes garbage collection cheap.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    with socket.socket(fileno=settings.listener) as listener:
        tls_server.serve(
            Authentication(application),
            listener,
            certificate=settings.certificate,
            key=settings.key,
            on_signal={signal.SIGUSR1: partial(checkpoint.save, Path(CHECKPOINT).absolute())},
        )


def _die_with_parent(lifeline: int) -> None:
    """Waits until the parent's end of the pipe closes, then kills the process group."""
    while os.read(lifeline, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _parse(arguments: Sequence[str] | None) -> Settings:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listener", type=int, required=True)
    parser.add_argument("--lock", type=int, required=True)
    parser.add_argument("--lifeline", type=int)
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--lambda-python", type=Path, required=True)
    parser.add_argument("--lambda-runtime", required=True)
    parser.add_argument("--without", action="append", default=[], choices=corrections.NAMES)
    parser.add_argument("--recorded-calls", type=Path)
    parser.add_argument("--repeats-work", action="store_true")
    parser.add_argument("--checkpoint", type=Path)
    parsed = parser.parse_args(arguments)
    return Settings(**vars(parsed) | {"without": tuple(parsed.without)})


if __name__ == "__main__":
    main()
